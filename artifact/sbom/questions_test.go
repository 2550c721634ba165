package sbom

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		d Document
		o OutlineOptions
	}{
		"halyard.outline":       {halyard(), OutlineOptions{}},
		"halyard.outline.depth": {halyard(), OutlineOptions{Depth: 2}},
		"halyard.outline.find":  {halyard(), OutlineOptions{Find: "x/text"}},
		"halyard.outline.purl":  {halyard(), OutlineOptions{PURLs: true, Depth: 2}},
		"halyard.outline.ids":   {halyard(), OutlineOptions{IDs: true, Depth: 2}},
		"hawser.outline":        {hawser(), OutlineOptions{}},
		"hawser.outline.find":   {hawser(), OutlineOptions{Find: "pkg:deb/debian/libc6@2.36?arch=amd64"}},
	} {
		var b bytes.Buffer
		if err := DrawOutline(&b, normalized(t, tc.d), tc.o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// TestOutlineIsSafe: names do not steer a terminal, circles end.
func TestOutlineIsSafe(t *testing.T) {
	t.Parallel()
	d := Document{Name: "evil\x1b[31m", Packages: []Package{{ID: "SPDXRef-a", Name: "a\nb\x1b]0;x\a"}, {ID: "SPDXRef-b"}}}
	d.Relate("SPDXRef-a", DependsOn, "SPDXRef-b")
	d.Relate("SPDXRef-b", DependsOn, "SPDXRef-a")
	d.Relate("SPDXRef-b", DependsOn, "SPDXRef-gone")
	var b bytes.Buffer
	if err := DrawOutline(&b, d, OutlineOptions{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\a") || strings.Count(b.String(), "\n") != 6 || !strings.Contains(b.String(), "SPDXRef-gone") {
		t.Errorf("%q", b.String())
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		d           Document
		query, want string
	}{
		{halyard(), "depth:0", "halyard /etc/loose"},
		{halyard(), "depth:1", "golang.org/x/mod LICENSE cmd/halyard/main.go halyard.spdx"},
		{halyard(), "depth:2", "golang.org/x/text"},
		{halyard(), "depth:9", ""},
		{halyard(), "name:^golang", "golang.org/x/mod golang.org/x/text"},
		{halyard(), `depth:1 name:"go.*mod"`, "golang.org/x/mod"},
		{halyard(), "purl:pkg:golang/*", "golang.org/x/mod halyard"},
		{halyard(), "purl:pkg:golang/golang.org/*", "golang.org/x/mod"},
		{halyard(), "purl:pkg:/golang/*", "golang.org/x/mod halyard"},
		{halyard(), "purl:pkg:golang/golang.org/x/mod@v0.1.0", "golang.org/x/mod"},
		{halyard(), "purl:pkg:golang/golang.org/x/mod@v9", ""},
		{halyard(), "purl:halyard", "halyard"},
		{hawser(), "purl:pkg:deb/*?arch=amd64", "libc6"},
		{hawser(), "purl:pkg:deb/*?arch=arm64", ""},
		{hawser(), "license:gpl-2* type:package", "dash"},
		{hawser(), "license:lgpl-2.1-or-later", "libc6"},
		{hawser(), "purl:pkg:deb/libc6", "libc6"},
		{hawser(), "purl:pkg:deb/debian/libc*", "libc6"},
		{hawser(), "purl:pkg:deb/ubuntu/libc*", ""},
		{halyard(), "supplier:sons", "halyard"},
		{halyard(), "type:file license:mit", ""},
		{halyard(), "all", "halyard golang.org/x/mod golang.org/x/text LICENSE cmd/halyard/main.go halyard.spdx /etc/loose"},
	} {
		q, err := ParseQuery(tc.query)
		if err != nil {
			t.Errorf("%s: %v", tc.query, err)
			continue
		}
		var names []string
		for _, e := range q.Run(tc.d) {
			names = append(names, e.Name)
		}
		want := strings.Fields(tc.want)
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", tc.query, names, want)
		}
	}
	for _, bad := range []string{"", "  ", "depth:x", "depth:-1", "depth:9999999", "name:(", "frob:1", `name:"x`, "type:dog"} {
		if _, err := ParseQuery(bad); err == nil {
			t.Errorf("%q is taken for a query", bad)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	d := normalized(t, halyard())
	for _, e := range d.Elements() {
		for _, name := range Fields() {
			if _, err := e.Field(name); err != nil {
				t.Error(err)
			}
		}
	}
	i := slices.IndexFunc(d.Packages, func(p Package) bool { return p.Name == "halyard" })
	e := d.Elements()[i]
	want := Element{ID: e.ID, Kind: PackageKind, Name: "halyard", Version: "v1.2.0", License: "Apache-2.0", Supplier: "Example & Sons", Originator: "Jane Doe",
		URL: "git+https://example.com/halyard@0123456", PURL: "pkg:golang/example.com/halyard@v1.2.0", Purpose: "APPLICATION", Checksum: "sha256:" + strings.Repeat("cd", 32)}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if _, err := e.Field("colour"); err == nil || !strings.Contains(err.Error(), "supplier") {
		t.Errorf("%v", err)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"depth:1 name:x", `name:"a b" all`, "purl:pkg:deb/*/x@1?arch=a#b", "purl:pkg:"} {
		f.Add(s, "pkg:deb/debian/libc6@2.36?arch=amd64")
	}
	f.Fuzz(func(t *testing.T, text, purl string) {
		q, err := ParseQuery(text)
		if err != nil {
			t.Skip()
		}
		d := hawser()
		d.Packages[0].PURL = purl
		q.Run(d)
	})
}

func TestDiff(t *testing.T) {
	t.Parallel()
	if d := Diff(halyard(), halyard()); !d.Empty() {
		t.Errorf("a document differs from itself: %+v", d)
	}
	after := halyard()
	after.Packages[0].Version, after.Packages[0].PURL = "v1.3.0", "pkg:golang/example.com/halyard@v1.3.0"
	after.Packages[0].ID = "SPDXRef-other"
	after.Packages[1].Declared = "MIT"
	after.Packages[1].Supplier.Name = "Someone"
	after.Packages = append(after.Packages[:2], Package{ID: "SPDXRef-new", Name: "new", Version: "1"})
	after.Files[0].Checksums = []Checksum{{SHA1, strings.Repeat("7", 40)}}
	after.Files[1].Name = "cmd/halyard/other.go"
	after.Relationships[1].From, after.Relationships[2].From, after.Relationships[3].From = "SPDXRef-other", "SPDXRef-other", "SPDXRef-other"
	d := Diff(halyard(), after)
	var lines []string
	for _, e := range d.Added {
		lines = append(lines, "+ "+e.Label())
	}
	for _, e := range d.Removed {
		lines = append(lines, "- "+e.Label())
	}
	for _, c := range d.Changed {
		lines = append(lines, c.Element.Name+" "+c.Field+" "+c.From+" > "+c.To)
	}
	want := []string{"+ new 1", "+ cmd/halyard/other.go", "- golang.org/x/text v0.2.0", "- cmd/halyard/main.go",
		"golang.org/x/mod license BSD-3-Clause > MIT", "golang.org/x/mod supplier The Go Authors > Someone", "halyard version v1.2.0 > v1.3.0",
		"LICENSE checksum sha1:" + strings.Repeat("0", 39) + "1 > sha1:" + strings.Repeat("7", 40)}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

// TestDiffOfVersions: several versions of one package pair up by version first.
func TestDiffOfVersions(t *testing.T) {
	t.Parallel()
	list := func(versions ...string) (d Document) {
		for _, v := range versions {
			d.Add(Package{ID: PackageID("gomod", "m", v), Name: "m", Version: v, PURL: "pkg:golang/m@" + v})
		}
		return d
	}
	d := Diff(list("v1", "v2"), list("v2", "v3", "v4"))
	if len(d.Added) != 1 || d.Added[0].Version != "v4" || len(d.Removed) != 0 || len(d.Changed) != 1 || d.Changed[0].From != "v1" || d.Changed[0].To != "v3" {
		t.Errorf("%+v", d)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	one, two := halyard(), hawser()
	two.Namespace = "https://example.com/sbom/source"
	// The same thing in both, another under an id that is taken, and a licence
	// of the same name with another text.
	two.Add(Package{ID: PackageID("gomod", "golang.org/x/mod", "v0.1.0"), Name: "golang.org/x/mod", Version: "v0.1.0", Homepage: "https://example.com"})
	two.Add(Package{ID: PackageID("", "halyard", "v1.2.0"), Name: "halyard", Version: "v1.2.0", PURL: "pkg:generic/halyard@v1.2.0", Declared: "MIT OR LicenseRef-sail"})
	two.Relate(PackageID("", "hawser", "v1"), DependsOn, PackageID("", "halyard", "v1.2.0"))
	two.Licenses = []License{{ID: "LicenseRef-sail", Text: "Another"}}
	two.External = []ExternalDoc{{ID: "DocumentRef-source", Namespace: "https://example.com/else", Checksum: Checksum{SHA1, strings.Repeat("cd", 20)}}}
	two.Relate(PackageID("", "hawser", "v1"), DependsOn, "DocumentRef-source:SPDXRef-Package-z")
	got, err := Merge("both", committed, one, two)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Described()) != 3 || len(got.Packages) != 3+5+1 || len(got.Licenses) != 2 || len(got.Files) != 5 || len(got.Authors) != 3 {
		t.Errorf("%d described, %d packages, %d licences, %d files, %v", len(got.Described()), len(got.Packages), len(got.Licenses), len(got.Files), got.Authors)
	}
	end := suffix(two.Namespace)
	text := string(encoded(t, got, SPDXJSON))
	for _, want := range []string{
		`"SPDXRef-Package-halyard-v1.2.0` + end + `"`,          // renamed, and in the relationship
		`"MIT OR LicenseRef-sail` + end + `"`,                  // its licence too
		`"homepage": "https://example.com"`,                    // united
		`"relatedSpdxElement": "SPDXRef-Package-halyard` + `"`, // DocumentRef-source of the first is the second
		`"externalDocumentId": "DocumentRef-source"`,
		`"relatedSpdxElement": "DocumentRef-source:SPDXRef-Package-z"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the merged document lacks %s", want)
		}
	}
	if got.External[0].Namespace != "https://example.com/else" || len(got.External) != 1 {
		t.Errorf("external: %+v", got.External)
	}
	again, err := Merge("both", committed, one, two)
	if err != nil || string(encoded(t, again, SPDXJSON)) != text {
		t.Errorf("merged again it differs, %v", err)
	}
	if _, err := Merge("none", committed); err == nil {
		t.Error("nothing was merged")
	}
	bad := halyard()
	bad.Add(Package{Name: "without id"})
	if _, err := Merge("bad", committed, one, bad); err == nil {
		t.Error("a document that cannot be written was merged")
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for files, name := range map[bool]string{false: "halyard.csv", true: "halyard.files.csv"} {
		var b bytes.Buffer
		if err := WriteCSV(&b, normalized(t, halyard()), files); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		rows, err := csv.NewReader(&b).ReadAll()
		if want := map[bool]int{false: 4, true: 8}[files]; err != nil || len(rows) != want {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	sha1 := func(c string) []Checksum { return []Checksum{{SHA1, strings.Repeat(c, 40)}} }
	d := Document{Files: []File{
		{ID: "SPDXRef-1", Name: "a", Checksums: sha1("1")}, {ID: "SPDXRef-2", Name: "dir/b", Checksums: sha1("2")}, {ID: "SPDXRef-3", Name: "LICENSE", Checksums: sha1("3")},
		{ID: "SPDXRef-4", Name: "LICENSE", Checksums: sha1("4")}, {ID: "SPDXRef-5", Name: "sumless"}, {ID: "SPDXRef-6", Name: "gone", Checksums: sha1("6")}}}
	got := CheckFiles(d, []File{
		{Name: "./a", Checksums: sha1("1")}, {Name: "b", Checksums: sha1("2")}, {Name: "tree/a", Checksums: sha1("7")}, {Name: "LICENSE", Checksums: sha1("4")},
		{Name: "sumless", Checksums: sha1("1")}, {Name: "new", Checksums: sha1("1")}, {Name: "xb", Checksums: sha1("2")}}, true)
	want := []FileCheck{{"./a", Same, nil}, {"LICENSE", Same, nil}, {"b", Same, nil}, {"gone", Missing, nil}, {"new", Unlisted, nil}, {"sumless", Unprovable, nil},
		{"tree/a", Different, []ChecksumAlgorithm{SHA1}}, {"xb", Unlisted, nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := CheckFiles(d, nil, false); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
