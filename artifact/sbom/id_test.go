package sbom

import (
	"strings"
	"testing"
)

func TestPackageID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ecosystem, name, version string
		more                     []string
		want                     ID
	}{
		{"", "kubernetes", "", nil, "SPDXRef-Package-kubernetes"},
		{"", "halyard", "v1.2.0", nil, "SPDXRef-Package-halyard-v1.2.0"},
		{"gomod", "golang.org/x/mod", "v0.1.0", nil, "SPDXRef-Package-gomod-golang.orgC47xC47mod-v0.1.0"},
		{"deb", "libc6", "2.36-9+deb12u4", []string{"amd64"}, "SPDXRef-Package-deb-libc6-2.36-9C43deb12u4--amd64"},
		{"", "a_b", "", nil, "SPDXRef-Package-aC95b"},
	} {
		if got := PackageID(tc.ecosystem, tc.name, tc.version, tc.more...); got != tc.want {
			t.Errorf("%v gives %s, want %s", tc, got, tc.want)
		}
	}
}

// TestIDsDiffer holds pairs that a plain encoding would give one id.
func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]ID{
		{PackageID("", "a_b", ""), PackageID("", "aC95b", "")},
		{PackageID("", "_5", ""), PackageID("", "λ", "")},
		{PackageID("", "a", "1-2"), PackageID("", "a-1", "2")},
		{PackageID("", "a", "v1-2"), PackageID("", "a-v1", "2")},
		{PackageID("deb", "foo", ""), PackageID("", "deb", "foo")},
		{PackageID("deb", "foo", "1"), PackageID("", "deb", "foo", "1")},
		{PackageID("deb", "foo", "1", "x"), PackageID("deb", "foo", "1-x")},
		{PackageID("deb", "foo", "1", "x"), PackageID("deb", "foo", "1--x")},
		{PackageID("deb", "foo", "1", "x", "y"), PackageID("deb", "foo", "1", "x--y")},
		{PackageID("deb", "foo", "1-", "x"), PackageID("deb", "foo", "1", "-x")},
		{PackageID("", "a\xff", ""), PackageID("", "a\xfe", "")},
		{PackageID("", "a\xff", ""), PackageID("", "a\ufffd", "")},
		{FileID("SPDXRef-Package-a", "b/c"), FileID("SPDXRef-Package-a-b", "c")},
		{FileID("SPDXRef-Package-a", "-b"), FileID("SPDXRef-Package-a-", "b")},
		{FileID("SPDXRef-Package-a", "b--c"), FileID("SPDXRef-Package-a--b", "c")},
		{FileID("SPDXRef-Package-a", strings.Repeat("x", 600)+"1"), FileID("SPDXRef-Package-a", strings.Repeat("x", 600)+"2")},
	} {
		if pair[0] == pair[1] {
			t.Errorf("two things are %s", pair[0])
		}
		for _, id := range pair {
			if !validID(id) {
				t.Errorf("%s is no id", id)
			}
		}
	}
}

func TestFileID(t *testing.T) {
	t.Parallel()
	pkg := PackageID("", "halyard", "v1.2.0")
	if got := FileID(pkg, "./cmd/my_prog/main.go"); got != "SPDXRef-File-halyard-v1.2.0--cmdC47myC95progC47main.go" {
		t.Errorf("got %s", got)
	}
	if FileID(pkg, "a") != FileID(pkg, "./a") {
		t.Error("a path with ./ is the same path")
	}
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for _, good := range []ID{"SPDXRef-DOCUMENT", "SPDXRef-a.b-C95", "DocumentRef-x.1:SPDXRef-a"} {
		if !validID(good) {
			t.Errorf("%s is refused", good)
		}
	}
	for _, bad := range []ID{"", "SPDXRef-", "SPDXRef-a_b", "a", "spdxref-a", "SPDXRef-a b", "DocumentRef-x", "DocumentRef-:SPDXRef-a", "DocumentRef-x:DocumentRef-y:SPDXRef-a", None} {
		if validID(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzPackageID looks for two names that share an id, and for ids that are none.
func FuzzPackageID(f *testing.F) {
	f.Add("a_b", "1", "aC95b", "1")
	f.Add("_5", "", "λ", "")
	f.Add("a-1", "2", "a", "1-2")
	f.Fuzz(func(t *testing.T, name1, version1, name2, version2 string) {
		if name1 == "" || name2 == "" {
			t.Skip()
		}
		one, two := PackageID("gomod", name1, version1), PackageID("gomod", name2, version2)
		if !validID(one) {
			t.Errorf("%s is no id", one)
		}
		if (one == two) != (name1 == name2 && version1 == version2) {
			t.Errorf("%q %q and %q %q are %s and %s", name1, version1, name2, version2, one, two)
		}
	})
}

func TestActor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Actor{
		"Organization: Example (mail@example.com)": {Organization, "Example", "mail@example.com"},
		"Person: Jane Doe ()":                      {Person, "Jane Doe", ""},
		"Tool: seaworthy-v1.0.0":                   {Tool, "seaworthy-v1.0.0", ""},
		"Organization: Foo (Bar) Ltd":              {Organization, "Foo (Bar) Ltd", ""},
		"Organization: Foo (Bar)":                  {Organization, "Foo (Bar)", ""},
		"Example":                                  {Organization, "Example", ""},
		"Person: Jane Doe <jane@example.com>":      {Person, "Jane Doe", "jane@example.com"},
		"NOASSERTION":                              {},
		"NONE":                                     {},
		"":                                         {},
	} {
		got := ParseActor(in)
		if got != want {
			t.Errorf("%q is %+v, want %+v", in, got, want)
		}
		if again := ParseActor(got.String()); again != got {
			t.Errorf("%+v is written %q, read %+v", got, got, again)
		}
	}
}
