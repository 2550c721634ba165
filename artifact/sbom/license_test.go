package sbom

import (
	"slices"
	"strings"
	"testing"
)

func TestParseExpression(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want string
		unknown  []string
	}{
		{"MIT", "MIT", nil},
		{"mit", "MIT", nil},
		{"apache-2.0 and (mit or GPL-2.0-only with classpath-exception-2.0)", "Apache-2.0 AND (MIT OR GPL-2.0-only WITH Classpath-exception-2.0)", nil},
		{"MIT OR Apache-2.0 AND ISC", "MIT OR Apache-2.0 AND ISC", nil},
		{"(MIT AND ISC) OR (Zlib)", "MIT AND ISC OR Zlib", nil},
		{"GPL-2.0+", "GPL-2.0+", nil},
		{"MPL-1.1+", "MPL-1.1+", nil},
		{"LicenseRef-Foo.1", "LicenseRef-Foo.1", nil},
		{"DocumentRef-other:LicenseRef-x", "DocumentRef-other:LicenseRef-x", nil},
		{"Frobozz-1.0 OR MIT WITH Magic", "Frobozz-1.0 OR MIT WITH Magic", []string{"Frobozz-1.0", "Magic"}},
	} {
		e, err := ParseExpression(tc.in)
		if err != nil || e.String() != tc.want || !slices.Equal(e.Unknown(), tc.unknown) {
			t.Errorf("%q is %q, unknown %v, %v; want %q, %v", tc.in, e, e.Unknown(), err, tc.want, tc.unknown)
		}
	}
	for in, want := range map[string]string{
		"":                          "missing at its end",
		"MIT AND":                   "missing at its end",
		"OR MIT":                    "missing before",
		"MIT Apache-2.0":            "AND or OR is missing",
		"(MIT":                      "closing bracket",
		"MIT)":                      "one too many",
		"MIT WITH":                  "must follow WITH",
		"MIT WITH WITH x":           "must follow WITH",
		"GPL v2":                    "AND or OR is missing",
		"BSD_3":                     "letters, digits",
		"MIT, ISC":                  "letters, digits",
		"DocumentRef-x:MIT":         "LicenseRef",
		strings.Repeat("(", 200):    "within one another",
		strings.Repeat("x", 70<<10): "at most",
	} {
		if e, err := ParseExpression(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q is %q, %v; want %q", in, e, err, want)
		}
	}
}

func TestLicenseList(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]struct {
		spelling         string
		deprecated, know bool
	}{
		"APACHE-2.0":              {"Apache-2.0", false, true},
		"GPL-2.0":                 {"GPL-2.0", true, true},
		"Classpath-exception-2.0": {"", false, false}, // no licence
		"#":                       {"", false, false},
	} {
		spelling, deprecated, ok := KnownLicense(id)
		if spelling != want.spelling || deprecated != want.deprecated || ok != want.know {
			t.Errorf("%s: %q %t %t", id, spelling, deprecated, ok)
		}
	}
	if s, ok := KnownException("classpath-EXCEPTION-2.0"); !ok || s != "Classpath-exception-2.0" {
		t.Errorf("%q, %t", s, ok)
	}
	if n := len(readLicenseTable().licenses); n < 700 {
		t.Errorf("%d licences are listed", n)
	}
}

func TestAllOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   []string
		want string
	}{
		{nil, ""},
		{[]string{None, "", "NOASSERTION"}, ""},
		{[]string{"MIT OR ISC"}, "MIT OR ISC"},
		{[]string{"MIT OR ISC", "Zlib", "Zlib"}, "(MIT OR ISC) AND Zlib"},
		{[]string{"MIT AND ISC", "ISC AND (Zlib OR MIT)", "MIT"}, "MIT AND ISC AND (Zlib OR MIT)"},
		{[]string{"no expression", "MIT", "no expression"}, "no expression AND MIT"},
	} {
		if got := AllOf(tc.in...); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.in, got, tc.want)
		}
	}
	e, err := ParseExpression("ISC OR MIT AND ISC")
	if err != nil || !slices.Equal(e.Licenses(), []string{"ISC", "MIT"}) {
		t.Errorf("%v, %v", e.Licenses(), err)
	}
}

func TestLicenseRef(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"public domain": "LicenseRef-publicC32domain", "GPL": "LicenseRef-GPL"} {
		if got := LicenseRef(in); got != want || !isLicenseRef(got) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if LicenseRef("a b") == LicenseRef("aC32b") {
		t.Error("two licences share a name")
	}
}

// FuzzParseExpression: what is read is written, and read again as the same.
func FuzzParseExpression(f *testing.F) {
	for _, s := range []string{"MIT", "(MIT AND (ISC OR Zlib)) WITH x", "a+ or b with c", "DocumentRef-a:LicenseRef-b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpression(text)
		if err != nil {
			t.Skip()
		}
		again, err := ParseExpression(e.String())
		if err != nil || again.String() != e.String() {
			t.Errorf("%q is written %q, read %q, %v", text, e, again, err)
		}
	})
}
