package sbom

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sound is a document without fault.
func sound(t testing.TB) Document {
	d := halyard()
	text := &d.Packages[2]
	text.Supplier, text.PURL = Actor{Kind: Organization, Name: "The Go Authors"}, "pkg:golang/golang.org/x/text@v0.2.0"
	return normalized(t, d)
}

func TestValidateSound(t *testing.T) {
	t.Parallel()
	for _, f := range Validate(sound(t)) {
		t.Errorf("%+v", f)
	}
	for _, f := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
		got, err := Parse(encoded(t, sound(t), f))
		if err != nil {
			t.Fatal(err)
		}
		if found := Validate(got.Document); len(found) > 0 {
			t.Errorf("read from %s: %+v", f, found)
		}
	}
}

// TestValidate breaks a sound document in every way there is a rule for.
func TestValidate(t *testing.T) {
	t.Parallel()
	app := func(d *Document) *Package {
		for i := range d.Packages {
			if d.Packages[i].Name == "halyard" {
				return &d.Packages[i]
			}
		}
		t.Fatal("no halyard")
		return nil
	}
	for i, tc := range []struct {
		change func(*Document)
		want   string
	}{
		{func(d *Document) { d.Name = "" }, "spdx: the document has no name"},
		{func(d *Document) { d.Namespace = "" }, "spdx: the document has no namespace"},
		{func(d *Document) { d.Namespace = "no uri" }, "spdx: the namespace \"no uri\" is no absolute URI"},
		{func(d *Document) { d.Namespace += "#x" }, "has a fragment"},
		{func(d *Document) { d.Created = time.Time{} }, "spdx: it is not said when"},
		{func(d *Document) { d.Authors = nil }, "spdx: it is not said who"},
		{func(d *Document) { d.Authors[0].Name = "" }, "an author has no name"},
		{func(d *Document) { d.LicenseSet = "v3" }, "version of the licence list"},
		{func(d *Document) { d.External[0].ID = "source" }, "must be called DocumentRef-NAME"},
		{func(d *Document) { d.External[0].Namespace = "x" }, "is no absolute URI"},
		{func(d *Document) { d.External[0].Checksum = Checksum{} }, "DocumentRef-source has a sum by \"\""},
		{func(d *Document) { d.Relationships = d.Relationships[2:] }, "it is not said what the document describes"},
		{func(d *Document) { d.Annotations[0].Date = time.Time{} }, "when it was made"},
		{func(d *Document) { d.Annotations[0].By = Actor{} }, "by whom"},
		{func(d *Document) { d.Annotations[0].Type = "RANT" }, "RANT"},
		{func(d *Document) { app(d).ID = "SPDXRef-a_b" }, "cannot be an id"},
		{func(d *Document) { app(d).ID = d.Files[0].ID }, "used twice"},
		{func(d *Document) { app(d).Name = "" }, "spdx: it has no name"},
		{func(d *Document) { app(d).Name = "" }, "ntia: it has no name"},
		{func(d *Document) { app(d).Supplier = Actor{} }, "ntia: it has no supplier"},
		{func(d *Document) { app(d).Version = "" }, "ntia: it has no version"},
		{func(d *Document) {
			p := app(d)
			p.PURL, p.CPEs, p.Checksums, p.Refs, p.VerificationCode = "", nil, nil, nil, ""
		}, "ntia: it has nothing that names it uniquely"},
		{func(d *Document) { d.Add(Package{ID: "SPDXRef-x", Name: "x", Version: "1"}) }, "ntia: nothing is said of how it relates"},
		{func(d *Document) { app(d).Supplier.Kind = Tool }, "a tool cannot be"},
		{func(d *Document) { app(d).Download = "over there" }, "download location"},
		{func(d *Document) { app(d).Homepage = "here" }, "home page"},
		{func(d *Document) { app(d).Purpose = "FUN" }, "no purpose"},
		{func(d *Document) { app(d).Checksums[0].Value = "00" }, "must be of 40 hex digits"},
		{func(d *Document) { app(d).Checksums[0].Value = strings.Repeat("g", 40) }, "must be of 40 hex digits"},
		{func(d *Document) { app(d).Checksums[0].Algorithm = "CRC" }, "no algorithm SPDX knows"},
		{func(d *Document) { app(d).Declared = "Apache 2" }, "AND or OR is missing"},
		{func(d *Document) { app(d).Declared = "Apache2" }, "\"Apache2\" is not in the SPDX licence list"},
		{func(d *Document) { app(d).Concluded = "LicenseRef-unheard" }, "does not have the text of LicenseRef-unheard"},
		{func(d *Document) { app(d).Concluded = "DocumentRef-z:LicenseRef-x" }, "does not say what DocumentRef-z is"},
		{func(d *Document) { app(d).FromFiles = []string{"Apache2"} }, "found in its files"},
		{func(d *Document) { app(d).PURL = "golang/x" }, "purl"},
		{func(d *Document) { app(d).CPEs[0] = "cpe:2.3:x" }, "is no CPE"},
		{func(d *Document) { app(d).Refs[0].Category = "SUNDRY" }, "no category"},
		{func(d *Document) { app(d).Refs[0].Locator = "a b" }, "without blanks"},
		{func(d *Document) { app(d).Refs[0].Type = "" }, "no type of references"},
		{func(d *Document) { app(d).VerificationCode = strings.Repeat("0", 40) }, "its verification code is 000"},
		{func(d *Document) { app(d).VerificationCode = "" }, "no verification code"},
		{func(d *Document) { app(d).FilesAnalyzed = false }, "it holds 3 files"},
		{func(d *Document) { app(d).Annotations[0].By = Actor{} }, "by whom"},
		{func(d *Document) { d.Files[0].Name = "" }, "spdx: it has no name"},
		{func(d *Document) { d.Files[0].Checksums = nil }, "no SHA1 sum"},
		{func(d *Document) { d.Files[0].Checksums[0].Value = "x" }, "hex digits"},
		{func(d *Document) { d.Files[0].Types = []FileType{"POEM"} }, "POEM"},
		{func(d *Document) { d.Files[0].Concluded = "(" }, "the licence concluded"},
		{func(d *Document) { d.Files[0].FoundIn = []string{"Mine"} }, "the licence found in it"},
		{func(d *Document) { d.Licenses[0].Text = " " }, "has no text"},
		{func(d *Document) { d.Licenses[0].ID = "Sail" }, "must be called LicenseRef-NAME"},
		{func(d *Document) { d.Licenses = append(d.Licenses, d.Licenses[0]) }, "is there twice"},
		{func(d *Document) { d.Relate(DocumentID, Describes, "SPDXRef-gone") }, "SPDXRef-gone is not in the document"},
		{func(d *Document) { d.Relate("SPDXRef-gone", DependsOn, None) }, "SPDXRef-gone is not in the document"},
		{func(d *Document) { d.Relate(DocumentID, "ADMIRES", "SPDXRef-DOCUMENT") }, "no type of relationships"},
		{func(d *Document) { d.Relate(DocumentID, Amends, "DocumentRef-y:SPDXRef-DOCUMENT") }, "does not say what DocumentRef-y is"},
	} {
		d := sound(t)
		tc.change(&d)
		var all []string
		for _, f := range Validate(d) {
			all = append(all, fmt.Sprintf("%s: %s", f.Rule, f.Text))
		}
		if !strings.Contains(strings.Join(all, "\n"), tc.want) {
			t.Errorf("%d: %q, want %q", i, all, tc.want)
		}
	}
}

// TestValidateSinglePackage: one package need not be described.
func TestValidateSinglePackage(t *testing.T) {
	t.Parallel()
	d := Document{Name: "x", Namespace: "https://example.com/x", Created: committed, Authors: []Actor{{Kind: Tool, Name: "t"}},
		Packages: []Package{{ID: "SPDXRef-x", Name: "x", Version: "1", PURL: "pkg:generic/x@1", Supplier: Actor{Kind: Person, Name: "J"}}}}
	found := Validate(d)
	if len(found) != 1 || found[0].Rule != NTIARule || found[0].Name != "x 1" {
		t.Errorf("%+v", found)
	}
}
