package sbom

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// cyclone wraps what is said in a document of CycloneDX.
func cyclone(rest string) []byte {
	return []byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","version":1` + rest + `}`)
}

// TestReadCycloneDX holds what other tools write, and what the model makes of it.
func TestReadCycloneDX(t *testing.T) {
	t.Parallel()
	one := func(fields string) string {
		return `,"metadata":{},"components":[{"bom-ref":"r","type":"library","name":"a"` + fields + `}]`
	}
	for _, tc := range []struct {
		name, in string
		check    func(Document) bool
		remark   string
	}{
		{"group", one(`,"group":"com.acme"`), func(d Document) bool { return d.Packages[0].Name == "com.acme/a" }, ""},
		{"publisher", one(`,"publisher":"Acme"`), func(d Document) bool { return d.Packages[0].Supplier == Actor{Organization, "Acme", ""} }, ""},
		{"supplier before publisher", one(`,"publisher":"Acme","supplier":{"name":"Other","contact":[{"name":"x"},{"email":"o@example.com"}]}`),
			func(d Document) bool {
				return d.Packages[0].Supplier == Actor{Organization, "Other", "o@example.com"}
			}, ""},
		{"author", one(`,"author":"Jane"`), func(d Document) bool { return d.Packages[0].Originator == Actor{Person, "Jane", ""} }, ""},
		{"authors", one(`,"authors":[{"name":"Jane","email":"j@example.com"},{"name":"Joe"}]`),
			func(d Document) bool { return d.Packages[0].Originator == Actor{Person, "Jane", "j@example.com"} }, ""},
		{"hashes", one(`,"hashes":[{"alg":"SHA-256","content":"ABCD"},{"alg":"BLAKE2b-256","content":"00"}]`),
			func(d Document) bool {
				return slices.Equal(d.Packages[0].Checksums, []Checksum{{SHA256, "abcd"}, {"BLAKE2b-256", "00"}})
			}, ""},
		{"one licence", one(`,"licenses":[{"license":{"id":"mit"}}]`), func(d Document) bool { return d.Packages[0].Declared == "MIT" }, ""},
		{"two licences", one(`,"licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Apache-2.0"}}]`),
			func(d Document) bool { return d.Packages[0].Declared == "MIT AND Apache-2.0" }, ""},
		{"an expression as a name", one(`,"licenses":[{"license":{"name":"mit or isc"}}]`), func(d Document) bool { return d.Packages[0].Declared == "MIT OR ISC" }, ""},
		{"a licence nobody knows", one(`,"licenses":[{"license":{"name":"Our own","text":{"content":"Do."},"url":"https://example.com/l"}}]`),
			func(d Document) bool {
				l := d.Licenses[0]
				return d.Packages[0].Declared == "LicenseRef-OurC32own" && l.ID == "LicenseRef-OurC32own" && l.Name == "Our own" && l.Text == "Do." && len(l.SeeAlso) == 1
			}, ""},
		{"concluded", one(`,"licenses":[{"license":{"id":"MIT","acknowledgement":"concluded"}}]`),
			func(d Document) bool { return d.Packages[0].Concluded == "MIT" && d.Packages[0].Declared == "" }, ""},
		{"an expression", one(`,"licenses":[{"expression":"MIT OR Apache-2.0"}]`), func(d Document) bool { return d.Packages[0].Declared == "MIT OR Apache-2.0" }, ""},
		{"evidence", one(`,"evidence":{"licenses":[{"license":{"id":"ISC"}},{"expression":"MIT OR Zlib"}]}`),
			func(d Document) bool { return slices.Equal(d.Packages[0].FromFiles, []string{"ISC", "MIT OR Zlib"}) }, ""},
		{"references", one(`,"externalReferences":[{"type":"website","url":"https://a"},{"type":"distribution","url":"https://b"},{"type":"vcs","url":"https://c"}]`),
			func(d Document) bool {
				p := d.Packages[0]
				return p.Homepage == "https://a" && p.Download == "https://b" && len(p.Refs) == 1 && p.Refs[0] == Reference{"OTHER", "vcs", "https://c", ""}
			}, ""},
		{"type", one(``), func(d Document) bool { return d.Packages[0].Purpose == Library }, ""},
		{"a type SPDX has not", `,"components":[{"type":"data","name":"a"}]`, func(d Document) bool { return d.Packages[0].Purpose == "" }, "no metadata"},
		{"without references", `,"metadata":{},"components":[{"type":"library","name":"a","version":"1"},{"type":"library","name":"a","version":"2"}]`,
			func(d Document) bool { return d.Packages[0].ID != d.Packages[1].ID && len(d.Described()) == 2 }, ""},
		{"one reference twice", `,"metadata":{},"components":[{"bom-ref":"r","type":"library","name":"a"},{"bom-ref":"r","type":"library","name":"b"}]`,
			func(d Document) bool { return d.Packages[0].ID != d.Packages[1].ID }, `have the reference "r"`},
		{"the graph", `,"metadata":{"component":{"bom-ref":"root","type":"application","name":"app","version":"1"}},"components":[{"bom-ref":"a","type":"library","name":"a"},{"bom-ref":"b","type":"library","name":"b"}],
			"dependencies":[{"ref":"root","dependsOn":["a"]},{"ref":"gone","dependsOn":["a"]},{"ref":"a","dependsOn":["lost"]}]`,
			func(d Document) bool {
				g := newGraph(d)
				root := d.Described()[0]
				return d.Name == "app-1" && len(g.edges[root]) == 2 && g.edges[root][0].label == "CONTAINS" && g.edges[root][1].label == "DEPENDS_ON"
			}, "which is no component"},
		{"tools as they were", `,"metadata":{"timestamp":"2026-01-02T03:04:05Z","tools":[{"vendor":"v","name":"maker","version":"1"}],"authors":[{"name":"Jane"}],"manufacture":{"name":"Old"}}`,
			func(d Document) bool {
				return len(d.Authors) == 3 && d.Authors[0] == Actor{Tool, "maker-1", ""} && d.Created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			}, ""},
		{"what has no place", `,"metadata":{},"services":[{"name":"s"}],"vulnerabilities":[{"id":"CVE-1"}],"compositions":[{"aggregate":"complete"}]`,
			func(Document) bool { return true }, "1 vulnerabilities are left out"},
		{"annotations", `,"metadata":{},"components":[{"bom-ref":"r","type":"library","name":"a"}],"annotations":[{"subjects":["r"],"annotator":{"organization":{"name":"O"}},"timestamp":"2026-01-02T03:04:05Z","text":"hm"},
			{"subjects":["elsewhere"],"annotator":{"individual":{"name":"J"}},"timestamp":"2026-01-02T03:04:05Z","text":"hm"}]`,
			func(d Document) bool {
				return d.Packages[0].Annotations[0].By == Actor{Organization, "O", ""} && d.Annotations[0].By == Actor{Person, "J", ""}
			}, ""},
		{"our properties, broken", one(`,"properties":[{"name":"seaworthy:spdx:externalRefs","value":"{"},{"name":"seaworthy:spdx:relationship","value":"x"}]`),
			func(Document) bool { return true }, "cannot be read"},
		{"nothing", ``, func(d Document) bool { return len(d.Packages) == 0 }, "no metadata"},
	} {
		got, err := Parse(cyclone(tc.in))
		if err != nil || !tc.check(got.Document) {
			t.Errorf("%s: %+v, %v", tc.name, got.Document, err)
		}
		if remarks := strings.Join(got.Remarks, "\n"); tc.remark == "" && remarks != "" || !strings.Contains(remarks, tc.remark) {
			t.Errorf("%s: remarks %q, want %q", tc.name, remarks, tc.remark)
		}
	}
}

func TestCycloneDXRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"type":"library","name":"a","components":[`, 200) + strings.Repeat(`]}`, 200)
	for in, want := range map[string]string{
		`,"components":5`:              "line 1",
		`,"components":[` + deep + `]`: "within one another",
		`,"metadata":{"component":{"type":"library","name":"a","components":[` + deep + `]}}`: "within one another",
	} {
		if _, err := Parse(cyclone(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", in, err, want)
		}
	}
	if _, err := Parse([]byte(`{"bomFormat":"CycloneDX","specVersion":"9.9"}`)); err == nil {
		t.Error("a version nobody knows was read")
	}
}

// TestWriteCycloneDX holds single fields as they are written.
func TestWriteCycloneDX(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		p         Package
		want, not string
	}{
		{Package{Declared: "MIT"}, `"acknowledgement": "declared"`, "expression"},
		{Package{Concluded: "MIT"}, `"acknowledgement": "concluded"`, "expression"},
		{Package{Declared: "MIT OR ISC"}, `"expression": "MIT OR ISC"`, `"id"`},
		{Package{Declared: "MIT", Concluded: "ISC"}, `"seaworthy:spdx:licenseConcluded"`, ""},
		{Package{Declared: "GPL-2.0+"}, `"expression": "GPL-2.0+"`, `"id"`},
		{Package{Declared: "MPL-1.1+"}, `"expression": "MPL-1.1+"`, `"id"`},
		{Package{Declared: "No expression at all"}, `"name": "No expression at all"`, `"expression"`},
		{Package{Declared: None}, `"name": "NONE"`, ""},
		{Package{Download: "git+https://example.com/x@1"}, `"type": "vcs"`, "downloadLocation"},
		{Package{Download: "https://example.com/x"}, `"type": "distribution"`, "downloadLocation"},
		{Package{Download: None}, `"seaworthy:spdx:downloadLocation"`, "distribution"},
		{Package{Download: "https://example.com/a b"}, `"seaworthy:spdx:downloadLocation"`, "distribution"},
		{Package{Homepage: "no page"}, `"seaworthy:spdx:homepage"`, "website"},
		{Package{Supplier: Actor{Person, "Jane", "j@example.com"}}, `"value": "Person: Jane (j@example.com)"`, ""},
		{Package{Originator: Actor{Organization, "Acme", ""}}, `"manufacturer"`, `"authors"`},
		{Package{Originator: Actor{Person, "Jane", ""}}, `"authors"`, "manufacturer"},
		{Package{Purpose: OperatingSystem}, `"type": "operating-system"`, "primaryPackagePurpose"},
		{Package{Purpose: Install}, `"seaworthy:spdx:primaryPackagePurpose"`, ""},
		{Package{Checksums: []Checksum{{"SHA224", "00"}}}, `"value": "SHA224: 00"`, `"hashes"`},
		{Package{CPEs: []string{"cpe:/a:b", "cpe:/a:c"}}, `"cpe": "cpe:/a:b"`, ""},
		{Package{CPEs: []string{"cpe:/a:b", "cpe:/a:c"}}, `"seaworthy:spdx:cpe"`, ""},
	} {
		tc.p.ID, tc.p.Name = "SPDXRef-x", "x"
		d := Document{Name: "d", Created: committed, Packages: []Package{tc.p, {ID: "SPDXRef-y", Name: "y", Purpose: Library}}}
		text := string(encoded(t, d, CycloneDXJSON))
		if !strings.Contains(text, tc.want) || tc.not != "" && strings.Contains(text, tc.not) {
			t.Errorf("%d: want %s and not %q:\n%s", i, tc.want, tc.not, text[strings.Index(text, "\"components\""):])
		}
	}
}

func TestSerialNumber(t *testing.T) {
	t.Parallel()
	one, two := serialNumber("https://example.com/1"), serialNumber("https://example.com/2")
	if one == two || one != serialNumber("https://example.com/1") {
		t.Errorf("%s and %s", one, two)
	}
	// A version 8 UUID of the variant of RFC 9562.
	if len(one) != len("urn:uuid:")+36 || one[len("urn:uuid:")+14] != '8' || !strings.ContainsRune("89ab", rune(one[len("urn:uuid:")+19])) {
		t.Error(one)
	}
}

// TestForward: whichever end a relationship is written from, it leads from the
// whole to the part.
func TestForward(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		t      RelationshipType
		turned bool
		label  string
	}{
		{Describes, false, "DESCRIBES"}, {DescribedBy, true, "DESCRIBES"}, {Contains, false, "CONTAINS"}, {ContainedBy, true, "CONTAINS"},
		{DependsOn, false, "DEPENDS_ON"}, {DependencyOf, true, "DEPENDS_ON"}, {DevDependencyOf, true, "DEV_DEPENDENCY"}, {TestDependencyOf, true, "TEST_DEPENDENCY"},
		{BuildToolOf, true, "BUILD_TOOL"}, {GeneratedFrom, false, "GENERATED_FROM"}, {Generates, true, "GENERATED_FROM"}, {AncestorOf, true, "DESCENDANT_OF"},
		{DescendantOf, false, "DESCENDANT_OF"}, {VariantOf, false, "VARIANT_OF"}, {"PATCH_FOR", false, "PATCH_FOR"}, {"DOCUMENTATION_OF", true, "DOCUMENTATION"},
		{"OPTIONAL_COMPONENT_OF", true, "OPTIONAL_COMPONENT"}, {OtherRelation, false, "OTHER"},
	} {
		from, label, to := forward(Relationship{From: "a", Type: tc.t, To: "b"})
		want := fmt.Sprintf("a %s b", tc.label)
		if tc.turned {
			want = fmt.Sprintf("b %s a", tc.label)
		}
		if got := fmt.Sprintf("%s %s %s", from, label, to); got != want {
			t.Errorf("a %s b is %s, want %s", tc.t, got, want)
		}
	}
}
