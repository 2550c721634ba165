package sbom

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// large makes a document of the size of a big project's: packages that depend
// on one another, and files with three sums.
func large(packages, files int) Document {
	d := Document{Name: "large", Created: committed, Authors: []Actor{{Kind: Tool, Name: "seaworthy"}}}
	root := d.Add(Package{ID: PackageID("", "large", "v1"), Name: "large", Version: "v1", FilesAnalyzed: true})
	d.Relate(DocumentID, Describes, root)
	before := root
	for i := range packages {
		name, version := fmt.Sprintf("example.com/module%d", i), fmt.Sprintf("v1.%d.0", i)
		id := d.Add(Package{ID: PackageID("gomod", name, version), Name: name, Version: version, PURL: "pkg:golang/" + name + "@" + version,
			Supplier: Actor{Kind: Organization, Name: "Example"}, Declared: "Apache-2.0", Concluded: "Apache-2.0"})
		d.Relate(root, DependsOn, id)
		d.Relate(before, DependsOn, id)
		before = id
	}
	for i := range files {
		name := fmt.Sprintf("dir%d/file%d.go", i%50, i)
		id := d.AddFile(File{ID: FileID(root, name), Name: name, FoundIn: []string{"Apache-2.0"}, Copyright: "Copyright The Authors",
			Checksums: []Checksum{{SHA1, fmt.Sprintf("%040x", i)}, {SHA256, fmt.Sprintf("%064x", i)}, {SHA512, fmt.Sprintf("%0128x", i)}}})
		d.Relate(root, Contains, id)
	}
	return d
}

func BenchmarkWrite(b *testing.B) {
	d := large(215, 1326)
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, d, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		data := encoded(b, large(215, 1326), f)
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkQuestions(b *testing.B) {
	d := large(215, 1326)
	q, err := ParseQuery("depth:1 name:module")
	if err != nil {
		b.Fatal(err)
	}
	for name, ask := range map[string]func(){
		"outline":  func() { _ = DrawOutline(io.Discard, d, OutlineOptions{}) },
		"query":    func() { q.Run(d) },
		"validate": func() { Validate(d) },
		"diff":     func() { Diff(d, d) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ask()
			}
		})
	}
}

// TestLargeIsNoBurden: what is linear for a thousand files must be for 20,000.
func TestLargeIsNoBurden(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: a document of 20,000 files")
	}
	d := large(2_000, 20_000)
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		got, err := Parse(encoded(t, d, f))
		if err != nil || len(got.Document.Files) != 20_000 || len(got.Document.Packages) != 2_001 {
			t.Fatalf("%s: %d files, %v", f, len(got.Document.Files), err)
		}
	}
	var b bytes.Buffer
	if err := DrawOutline(&b, d, OutlineOptions{}); err != nil || strings.Count(b.String(), "\n") < 22_000 {
		t.Errorf("%d lines, %v", strings.Count(b.String(), "\n"), err)
	}
	if diff := Diff(d, d); !diff.Empty() {
		t.Errorf("%d changes", len(diff.Changed))
	}
	Validate(d)
}
