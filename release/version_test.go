package release

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// v reads a version with the prefix v, for tables.
func v(t testing.TB, s string) Version {
	t.Helper()
	ver, err := ParseVersion("v", s)
	if err != nil {
		t.Fatal(err)
	}
	return ver
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		prefix, in string
		want       Version
		err        string
	}{
		{"v", "v1.2.3", Version{Prefix: "v", Major: 1, Minor: 2, Patch: 3}, ""},
		{"v", "v0.2.0-rc.1", Version{Prefix: "v", Minor: 2, Pre: "rc.1"}, ""},
		{"v", "v1.0.0-alpha.1+exp-1", Version{Prefix: "v", Major: 1, Pre: "alpha.1", Build: "exp-1"}, ""},
		{"v", "v1.0.0+a-b", Version{Prefix: "v", Major: 1, Build: "a-b"}, ""},
		{"", "1.2.3", Version{Major: 1, Minor: 2, Patch: 3}, ""},
		{"tools/v", "tools/v1.2.3", Version{Prefix: "tools/v", Major: 1, Minor: 2, Patch: 3}, ""},
		{"v", "v1.2", Version{}, "write vMAJOR.MINOR.PATCH"},
		{"v", "v1", Version{}, "write vMAJOR"},
		{"v", "v01.2.3", Version{}, "write vMAJOR"},
		{"v", "v1.2.3-01", Version{}, "write vMAJOR"},
		{"v", "v1.2.3 ", Version{}, "write vMAJOR"},
		{"v", "v1.2.3-", Version{}, "write vMAJOR"},
		{"v", "v1.2.3.4", Version{}, "write vMAJOR"},
		{"v", "1.2.3", Version{}, `does not begin with "v"`},
		{"v", "v99999999999999999999.0.0", Version{}, "too large"},
		{"v1", "v11.2.3", Version{}, "ends in a digit"},
		{"v", "", Version{}, "does not begin"},
	} {
		got, err := ParseVersion(tc.prefix, tc.in)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("ParseVersion(%q, %q) error %v, want one with %q", tc.prefix, tc.in, err, tc.err)
			}
			continue
		}
		if err != nil || got != tc.want || got.String() != tc.in {
			t.Errorf("ParseVersion(%q, %q) = %+v (%s), %v; want %+v", tc.prefix, tc.in, got, got, err, tc.want)
		}
	}
}

func TestCompareFollowsSemver(t *testing.T) {
	t.Parallel()
	ascending := []string{"v0.9.9", "v1.0.0-alpha.0", "v1.0.0-alpha.9", "v1.0.0-alpha.10", "v1.0.0-beta.0", "v1.0.0-rc.0", "v1.0.0", "v1.0.1-rc.0", "v1.0.1", "v1.2.0", "v1.10.0", "v2.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := v(t, a).Compare(v(t, b)); got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
		}
	}
	if v(t, "v1.0.0+a").Compare(v(t, "v1.0.0+b")) != 0 {
		t.Error("build data must not count")
	}
}

func TestVersionAsText(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`"v1.2.3"`, `"v11.2.3-rc.1"`, `"1.2.3"`, `"tools/v1.2.3+abc"`, `""`} {
		var got Version
		if err := json.Unmarshal([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		out, err := json.Marshal(got)
		if err != nil || string(out) != in {
			t.Errorf("%s came back as %s (%v)", in, out, err)
		}
	}
	for _, in := range []string{`"v1.2"`, `"x"`, `"v1.02.3"`} {
		var got Version
		if err := json.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s was read as %v", in, got)
		}
	}
}

func TestKindAndLabel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		kind Kind
		n    int
		ok   bool
	}{
		{"v1.0.0-alpha.3", Alpha, 3, true},
		{"v1.0.0-beta.0", Beta, 0, true},
		{"v1.0.0-rc.12", RC, 12, true},
		{"v1.0.0", Official, 0, false},
		{"v1.0.0-dev", Alpha, 0, false},
		{"v1.0.0-official.1", Alpha, 1, false},
		{"v1.0.0-rc", RC, 0, false},
		{"v1.0.0-rc.1.2", RC, 0, false},
	} {
		ver := v(t, tc.in)
		if got := ver.Kind(); got != tc.kind {
			t.Errorf("%s is a %s, want %s", tc.in, got, tc.kind)
		}
		if _, n, ok := ver.Label(); ok != tc.ok || ok && n != tc.n {
			t.Errorf("%s has label number %d, %v; want %d, %v", tc.in, n, ok, tc.n, tc.ok)
		}
	}
	if _, err := ParseKind("final"); err == nil {
		t.Error("final is no kind")
	}
}

func TestParseVersionsNewestFirst(t *testing.T) {
	t.Parallel()
	var got []string
	for _, ver := range ParseVersions("v", []string{"v1.0.0", "nightly", "v1.10.0", "v1.2", "v1.10.0-rc.1", "x/v3.0.0", "v1.9.0"}) {
		got = append(got, ver.String())
	}
	if diff := cmp.Diff([]string{"v1.10.0", "v1.10.0-rc.1", "v1.9.0", "v1.0.0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBuildVersion(t *testing.T) {
	t.Parallel()
	const sha = "0123456789abcdef0123456789abcdef01234567"
	got, err := BuildVersion(v(t, "v1.2.0-rc.1"), sha)
	if want := "v1.2.0-rc.1+0123456789ab"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if parsed := v(t, got); parsed.Build != "0123456789ab" {
		t.Errorf("the build version reads back as %+v", parsed)
	}
	if _, err := BuildVersion(v(t, "v1.2.0"), "0123abc"); err == nil {
		t.Error("a short commit was taken")
	}
	if _, err := BuildVersion(v(t, "v1.2.0+x"), sha); err == nil {
		t.Error("a version with build data was taken")
	}
	if got := Folder("tools/v1.0.0+ab"); got != "tools_v1.0.0+ab" {
		t.Errorf("folder is %q", got)
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"v1.2.3", "v1.2.3-rc.1+x", "v1", "", "v1.2.3-0a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseVersion("v", s)
		if err != nil {
			return
		}
		if got.String() != s {
			t.Fatalf("%q came back as %q", s, got)
		}
		var again Version
		if err := again.UnmarshalText([]byte(s)); err != nil || again != got {
			t.Fatalf("%q as text is %+v, %v", s, again, err)
		}
	})
}
