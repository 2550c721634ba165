package sbom

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

var committed = time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("", 3600))

// halyard is a document that uses every field of the model.
func halyard() Document {
	d := Document{
		Name: "halyard-v1.2.0", Created: committed, LicenseSet: "3.27", Comment: "Made by hand\nfor the tests",
		Authors: []Actor{{Kind: Tool, Name: "seaworthy-v1.0.0"}, {Kind: Organization, Name: "Example & Sons"}, {Kind: Person, Name: "Jane Doe", Email: "jane@example.com"}},
		Licenses: []License{{ID: "LicenseRef-sail", Name: "The Sail Licence", Text: "Do <what> you \"like\".\nTwice.",
			SeeAlso: []string{"https://example.com/sail"}, Comment: "seen once"}},
		External:    []ExternalDoc{{ID: "DocumentRef-source", Namespace: "https://example.com/sbom/source", Checksum: Checksum{SHA1, strings.Repeat("ab", 20)}}},
		Annotations: []Annotation{{By: Actor{Kind: Person, Name: "Jane Doe"}, Date: committed, Type: "REVIEW", Comment: "Looked through.\nTwice."}},
	}
	app := d.Add(Package{
		ID: PackageID("", "halyard", "v1.2.0"), Name: "halyard", Version: "v1.2.0", FileName: "halyard", Purpose: Application,
		Supplier: Actor{Kind: Organization, Name: "Example & Sons", Email: "us@example.com"}, Originator: Actor{Kind: Person, Name: "Jane Doe"},
		Download: "git+https://example.com/halyard@0123456", Homepage: "https://example.com/halyard",
		PURL: "pkg:golang/example.com/halyard@v1.2.0", CPEs: []string{"cpe:2.3:a:example:halyard:1.2.0:*:*:*:*:*:*:*", "cpe:/a:example:halyard:1.2.0"},
		Refs: []Reference{{Category: "PERSISTENT-ID", Type: "swh", Locator: "swh:1:cnt:94a9ed024d3859793618152ea559a168bbcbb5e2", Comment: "archived\nthere"},
			{Category: "OTHER", Type: "vcs", Locator: "https://example.com/halyard.git"}},
		Checksums: []Checksum{{SHA256, strings.Repeat("cd", 32)}, {SHA1, strings.Repeat("01", 20)}},
		Concluded: "Apache-2.0 AND LicenseRef-sail", Declared: "Apache-2.0", LicenseNote: "LICENSE, and one file",
		Copyright: "Copyright 2026 Example\nand others", Attribution: []string{"Thanks to all.", "And\nto you."},
		Summary: "Hoists things", Description: "Hoists things\nup and down.", Source: "made of the commit", Comment: " kept with its blanks ",
		FilesAnalyzed: true, Excluded: []string{"./halyard.spdx", "./x.spdx"},
		Built: committed, Released: committed.Add(time.Hour), ValidUntil: committed.AddDate(1, 0, 0),
		Annotations: []Annotation{{By: Actor{Kind: Tool, Name: "scanner"}, Date: committed, Type: "OTHER", Comment: "no go.sum"}},
	})
	d.Relate(DocumentID, Describes, app)
	for i, name := range []string{"LICENSE", "cmd/halyard/main.go", "halyard.spdx"} {
		f := d.AddFile(File{ID: FileID(app, name), Name: name, Types: []FileType{TextFile, SourceFile},
			Checksums: []Checksum{{SHA1, strings.Repeat("0", 39) + string(rune('1'+i))}, {SHA256, strings.Repeat("ef", 32)}},
			Concluded: "Apache-2.0", FoundIn: []string{"MIT", "Apache-2.0"}, LicenseNote: "header", Copyright: "Copyright 2026 Example", Notice: "N\nO",
			Contributors: []string{"Jane", "Joe"}, Attribution: []string{"as is"}, Comment: "a file",
			Annotations: []Annotation{{By: Actor{Kind: Tool, Name: "scanner"}, Date: committed, Type: "OTHER", Comment: name}}})
		d.Relate(app, Contains, f)
	}
	loose := d.AddFile(File{ID: FileID("", "/etc/loose"), Name: "/etc/loose", Checksums: []Checksum{{SHA1, strings.Repeat("9", 40)}}})
	d.Relate(DocumentID, Describes, loose)
	mod := d.Add(Package{ID: PackageID("gomod", "golang.org/x/mod", "v0.1.0"), Name: "golang.org/x/mod", Version: "v0.1.0",
		Purpose: Library, PURL: "pkg:golang/golang.org/x/mod@v0.1.0", Supplier: Actor{Kind: Organization, Name: "The Go Authors"},
		Declared: "BSD-3-Clause", Concluded: "BSD-3-Clause", Copyright: None, Download: None})
	text := d.Add(Package{ID: PackageID("gomod", "golang.org/x/text", "v0.2.0"), Name: "golang.org/x/text", Version: "v0.2.0"})
	d.Relate(app, DependsOn, mod)
	d.Relate(mod, DependsOn, text)
	d.Relationships = append(d.Relationships,
		Relationship{From: app, Type: GeneratedFrom, To: "DocumentRef-source:SPDXRef-Package-halyard", Comment: "at the\ncommit"},
		Relationship{From: text, Type: Contains, To: None}, Relationship{From: loose, Type: OtherRelation})
	return d
}

func encoded(t testing.TB, d Document, f Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func normalized(t testing.TB, d Document) Document {
	t.Helper()
	d = copyOf(d)
	if err := d.Normalize(); err != nil {
		t.Fatal(err)
	}
	return d
}
