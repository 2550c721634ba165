package sbom

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	golden(t, "halyard.spdx.json", encoded(t, halyard(), SPDXJSON))
	golden(t, "halyard.spdx", encoded(t, halyard(), SPDXTagValue))
	golden(t, "halyard.cdx.json", encoded(t, halyard(), CycloneDXJSON))
}

// TestRoundTrip: what is written is read as the same document, field by field.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		want := normalized(t, halyard())
		got, err := Parse(encoded(t, want, f))
		if err != nil || len(got.Remarks) > 0 || got.Format != f {
			t.Fatalf("%s: %s %v %v", f, got.Format, got.Remarks, err)
		}
		if diff := cmp.Diff(want, normalized(t, got.Document), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
}

// hawser describes one thing, and holds what its kind of document does: an image
// with a layer, packages in it that depend on one another, files.
func hawser() Document {
	d := Document{Name: "hawser", Created: committed, Authors: []Actor{{Kind: Tool, Name: "seaworthy-v1.0.0"}}}
	image := d.Add(Package{ID: PackageID("", "hawser", "v1"), Name: "hawser", Version: "v1", Purpose: Container})
	layer := d.Add(Package{ID: PackageID("layer", "sha256:ab", "1"), Name: "sha256:ab", Purpose: ArchiveFile, Checksums: []Checksum{{SHA256, strings.Repeat("ab", 32)}, {"SHA224", "00"}}})
	libc := d.Add(Package{ID: PackageID("deb", "libc6", "2.36", "amd64"), Name: "libc6", Version: "2.36", PURL: "pkg:deb/debian/libc6@2.36?arch=amd64", Declared: "LGPL-2.1-or-later AND LicenseRef-x",
		Supplier: Actor{Kind: Person, Name: "Joe"}, Purpose: Library, Download: "not a url"})
	dash := d.Add(Package{ID: PackageID("deb", "dash", "0.5", "amd64"), Name: "dash", Version: "0.5", Concluded: "GPL-2.0+", Purpose: Install})
	tool := d.Add(Package{ID: PackageID("", "builder", "1"), Name: "builder", Version: "1", Purpose: FileItself})
	shared := d.AddFile(File{ID: FileID(layer, "bin/sh"), Name: "bin/sh", Checksums: []Checksum{{SHA1, strings.Repeat("9", 40)}}, FoundIn: []string{"MIT OR ISC", None}})
	d.Relate(DocumentID, Describes, image)
	d.Relate(image, Contains, layer)
	d.Relate(layer, Contains, libc)
	d.Relate(image, Contains, dash)
	d.Relate(dash, DependsOn, libc)
	d.Relate(image, DependsOn, dash)
	d.Relate(layer, Contains, shared)
	d.Relate(dash, Contains, shared) // in two: one is told as a property
	d.Relate(libc, Contains, layer)  // in a circle
	d.Relate(tool, BuildToolOf, image)
	d.Relationships = append(d.Relationships, Relationship{From: image, Type: DependsOn, To: libc, Comment: "at run time"},
		Relationship{From: DocumentID, Type: Amends, To: "DocumentRef-old:SPDXRef-DOCUMENT"})
	return d
}

// TestRoundTripOfAnImage is TestRoundTrip where one thing is described.
func TestRoundTripOfAnImage(t *testing.T) {
	t.Parallel()
	golden(t, "hawser.cdx.json", encoded(t, hawser(), CycloneDXJSON))
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		want := normalized(t, hawser())
		got, err := Parse(encoded(t, want, f))
		if err != nil || len(got.Remarks) > 0 {
			t.Fatalf("%s: %v %v", f, got.Remarks, err)
		}
		if diff := cmp.Diff(want, normalized(t, got.Document), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
}

// TestDeterministic: neither the order of the parts nor their doubles show.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		want := encoded(t, halyard(), f)
		d := halyard()
		slices.Reverse(d.Packages)
		slices.Reverse(d.Files)
		slices.Reverse(d.Relationships)
		d.Include(halyard())
		if diff := cmp.Diff(string(want), string(encoded(t, d, f))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	d := normalized(t, halyard())
	if !strings.HasPrefix(d.Namespace, "https://spdx.org/spdxdocs/halyard-v1.2.0-") {
		t.Errorf("namespace %s", d.Namespace)
	}
	other := halyard()
	other.Packages[1].Version = "v0.1.1"
	if normalized(t, other).Namespace == d.Namespace {
		t.Error("two documents share a namespace")
	}
	other.Namespace = "https://example.com/mine"
	if got := normalized(t, other).Namespace; got != other.Namespace {
		t.Errorf("the given namespace became %s", got)
	}
}

// TestVerificationCode computes one by hand: sha1 of the two sums that are not excluded.
func TestVerificationCode(t *testing.T) {
	t.Parallel()
	d := normalized(t, halyard())
	app := d.Packages[slices.IndexFunc(d.Packages, func(p Package) bool { return p.Name == "halyard" })]
	// printf '%039d1%039d2' 0 0 | sha1sum
	if app.VerificationCode != "6d44b722b2298a3e815e5b883829f8d0ef687510" {
		t.Errorf("code %s", app.VerificationCode)
	}
	if !slices.Equal(app.FromFiles, []string{"Apache-2.0", "MIT"}) {
		t.Errorf("from files: %v", app.FromFiles)
	}
}

func TestNormalizeRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Document){
		"names two packages":         func(d *Document) { d.Add(Package{ID: d.Packages[0].ID, Name: "other"}) },
		"names two files":            func(d *Document) { d.AddFile(File{ID: d.Files[0].ID, Name: "other"}) },
		"SHA1 sums":                  func(d *Document) { f := d.Files[0]; f.Checksums = []Checksum{{SHA1, "00"}}; d.AddFile(f) },
		"names a package and a file": func(d *Document) { d.AddFile(File{ID: d.Packages[0].ID, Name: "x"}) },
		"cannot be an id":            func(d *Document) { d.Add(Package{ID: "SPDXRef-a_b", Name: "x"}) },
		"\"\" cannot be an id":       func(d *Document) { d.Add(Package{Name: "x"}) },
	} {
		d := halyard()
		change(&d)
		if err := d.Normalize(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := Write(&bytes.Buffer{}, d, SPDXJSON); err == nil {
			t.Errorf("written although %s", want)
		}
	}
}

// TestFold: two descriptions of one thing add up.
func TestFold(t *testing.T) {
	t.Parallel()
	d := Document{Name: "x"}
	d.Add(Package{ID: "SPDXRef-a", Name: "a", Version: "1", Declared: "MIT", Checksums: []Checksum{{SHA1, "aa"}}})
	d.Add(Package{ID: "SPDXRef-a", Name: "a", Version: "1", PURL: "pkg:generic/a@1", Checksums: []Checksum{{SHA256, "BB"}, {SHA1, "aa"}}})
	got := normalized(t, d).Packages
	want := []Package{{ID: "SPDXRef-a", Name: "a", Version: "1", Declared: "MIT", PURL: "pkg:generic/a@1", Checksums: []Checksum{{SHA1, "aa"}, {SHA256, "bb"}}}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestLenient reads what other tools write, right and wrong.
func TestLenient(t *testing.T) {
	t.Parallel()
	doc := func(rest string) string {
		return `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"x","creationInfo":{"created":"2026-01-02T03:04:05.678+01:00","creators":["Tool: syft-1.0"]}` + rest + `}`
	}
	for _, tc := range []struct {
		name, in string
		check    func(Document) bool
		remark   string
	}{
		{"created with zone", doc(""), func(d Document) bool { return d.Created.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) }, ""},
		{"byte order mark", "\xef\xbb\xbf " + doc(""), func(d Document) bool { return d.Name == "x" }, ""},
		{"documentDescribes, hasFiles, no filesAnalyzed",
			doc(`,"documentDescribes":["SPDXRef-a"],"packages":[{"SPDXID":"SPDXRef-a","name":"a","hasFiles":["SPDXRef-f"]},{"SPDXID":"SPDXRef-b","name":"b"}],"files":[{"SPDXID":"SPDXRef-f","fileName":"./f"}]`),
			func(d Document) bool {
				return slices.Equal(d.Described(), []ID{"SPDXRef-a"}) && d.Packages[0].FilesAnalyzed && !d.Packages[1].FilesAnalyzed &&
					slices.Contains(d.Relationships, Relationship{From: "SPDXRef-a", Type: Contains, To: "SPDXRef-f"}) && d.Files[0].Name == "f"
			}, ""},
		{"PACKAGE_MANAGER, bare supplier, capital sums",
			doc(`,"packages":[{"SPDXID":"SPDXRef-a","name":"a","supplier":"Example","checksums":[{"algorithm":"SHA-256","checksumValue":"AB"}],"externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:deb/a"}]}]`),
			func(d Document) bool {
				p := d.Packages[0]
				return p.PURL == "pkg:deb/a" && p.Supplier == Actor{Organization, "Example", ""} && Sum(p.Checksums, SHA256) == "ab"
			}, ""},
		{"null lists", doc(`,"packages":null,"files":null,"relationships":[null]`), func(d Document) bool { return len(d.Relationships) == 0 }, "says too little"},
		{"escapes in names", doc(`,"packages":[{"SPDXID":"SPDXRef-a","name":"a","supplier":"Organization: J\u0026K \"x\""}]`),
			func(d Document) bool { return d.Packages[0].Supplier.Name == `J&K "x"` }, ""},
		{"odd version", strings.Replace(doc(""), "2.3", "2.9", 1), func(d Document) bool { return d.Name == "x" }, "its version"},
		{"odd time", strings.Replace(doc(""), "2026-01", "yesterday", 1), func(d Document) bool { return d.Created.IsZero() }, "is no time"},
		{"snippets", doc(`,"snippets":[{"SPDXID":"SPDXRef-s"}]`), func(Document) bool { return true }, "1 snippets"},
		{"a statement's predicate", `{"_type":"https://in-toto.io/Statement/v1","predicate":` + doc("") + `}`, func(d Document) bool { return d.Name == "x" }, ""},
		{"tag-value with all oddities", "SPDXVersion: SPDX-2.2\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: x\nCreated: 2026-01-02T03:04:05Z\r\n# note\n\nFileName: loose\nSPDXID: SPDXRef-l\n" +
			"PackageName: a\nSPDXID: SPDXRef-a\nPackageComment: <text>one\r\ntwo</text>\nFileName: ./f\nSPDXID: SPDXRef-f\nFrob: 1\nFrob: 2\nRelationship: SPDXRef-a\n" +
			"Relationship: SPDXRef-f CONTAINED_BY SPDXRef-a\nAnnotator: Tool: x\nAnnotationComment: hm\nSPDXREF: SPDXRef-f\nReviewer: Person: J\nReviewComment: ok\n",
			func(d Document) bool {
				return d.Packages[0].Comment == "one\ntwo" && len(d.Relationships) == 1 && d.Packages[0].FilesAnalyzed && len(d.Files[1].Annotations) == 1 && len(d.Files[0].Annotations) == 0
			}, "Frob is not known"},
	} {
		got, err := Parse([]byte(tc.in))
		if err != nil || !tc.check(got.Document) {
			t.Errorf("%s: %+v, %v", tc.name, got.Document, err)
		}
		remarks := strings.Join(got.Remarks, "\n")
		if tc.remark == "" && remarks != "" || !strings.Contains(remarks, tc.remark) {
			t.Errorf("%s: remarks %q, want %q", tc.name, remarks, tc.remark)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                         "empty",
		"  ":                       "empty",
		"{":                        "unexpected end",
		"{\n\n\"spdxVersion\": x}": "line 3",
		"{\"spdxVersion\":\"SPDX-2.3\",\n\"name\": 5}": "line 2",
		"{}":                    "neither",
		"[]":                    "not \"Tag: value\"",
		"<?xml version='1.0'?>": "XML",
		`{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}`: "SPDX 3",
		`{"predicate":{"predicate":{"spdxVersion":"SPDX-2.3"}}}`:        "neither",
		"hello":                 "line 1",
		"Tag: <text>never ends": "</text>",
		"PackageName: x":        "no SPDXVersion",
	} {
		if got, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", in, got, err, want)
		}
	}
	if _, err := Read(iotest.ErrReader(errors.New("disk gone"))); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Errorf("%v", err)
	}
	if got, err := Read(iotest.OneByteReader(strings.NewReader("SPDXVersion: SPDX-2.3\n"))); err != nil || got.Format != SPDXTagValue {
		t.Errorf("%v %v", got, err)
	}
}

func TestRemarksAreBounded(t *testing.T) {
	t.Parallel()
	got, err := Parse([]byte("SPDXVersion: SPDX-2.3\n" + strings.Repeat("Relationship: x\n", 10_000)))
	if err != nil || len(got.Remarks) > mostRemarks+1 {
		t.Errorf("%d remarks, %v", len(got.Remarks), err)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		if got, err := ParseFormat(string(f)); err != nil || got != f || f.MediaType() == "" {
			t.Errorf("%s: %s %v", f, got, err)
		}
	}
	if _, err := ParseFormat("word"); err == nil {
		t.Error("word is no format")
	}
	for file, want := range map[string]Format{"a.cdx.json": CycloneDXJSON, "bom.json": CycloneDXJSON, "a.spdx.json": SPDXJSON, "a.spdx": SPDXTagValue, "a.txt": ""} {
		if got, ok := FormatOf(file); got != want || ok != (want != "") {
			t.Errorf("%s: %q %t", file, got, ok)
		}
	}
	if err := Write(&bytes.Buffer{}, halyard(), "word"); err == nil {
		t.Error("written in no format")
	}
}

// fuzzRead: what is read can be judged, and what normalizes comes back the same.
func fuzzRead(t *testing.T, data []byte, f Format) {
	got, err := Parse(data)
	if err != nil {
		t.Skip()
	}
	d := got.Document
	if d.Normalize() != nil {
		t.Skip() // two things share an id
	}
	var first bytes.Buffer
	if err := Write(&first, d, f); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(first.Bytes())
	if err != nil {
		t.Fatalf("own document is not read: %v\n%s", err, first.Bytes())
	}
	var second bytes.Buffer
	if err := Write(&second, again.Document, f); err != nil {
		t.Fatal(err)
	}
	if f == SPDXJSON && !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("read and written again it differs:\n%s", cmp.Diff(first.String(), second.String()))
	}
}

func FuzzSPDXJSON(f *testing.F) {
	f.Add(encoded(f, halyard(), SPDXJSON))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzRead(t, append([]byte("{"), data...), SPDXJSON) })
}

func FuzzTagValue(f *testing.F) {
	f.Add(encoded(f, halyard(), SPDXTagValue))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRead(t, append([]byte("SPDXVersion: SPDX-2.3\n"), data...), SPDXTagValue)
	})
}

func FuzzCycloneDX(f *testing.F) {
	f.Add(encoded(f, halyard(), CycloneDXJSON))
	f.Add(encoded(f, hawser(), CycloneDXJSON))
	f.Add([]byte(`"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"components":[{"type":"library","name":"a","licenses":[{"license":{"name":"My own"}}],"components":[{"type":"file","name":"/b"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzRead(t, append([]byte("{"), data...), CycloneDXJSON) })
}
