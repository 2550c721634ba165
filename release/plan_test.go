package release

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNextVersions(t *testing.T) {
	t.Parallel()
	trunk := DefaultPolicy()
	trunk.Trunk = true
	patching := trunk
	patching.Bump = BumpPatch
	quiet := DefaultPolicy()
	quiet.NoNextAlpha = true
	bare := Policy{BranchPattern: "{major}.{minor}.x", First: Version{Major: 1}}

	for _, tc := range []struct {
		name     string
		tags     string
		branches string // besides main
		branch   string
		kind     Kind
		policy   *Policy
		want     string
		create   bool
		refusal  string
	}{
		// A repository without any tag.
		{name: "first alpha", branch: "main", kind: Alpha, want: "v0.1.0-alpha.0"},
		{name: "first beta", branch: "main", kind: Beta, want: "v0.1.0-beta.0"},
		{name: "first cut", branch: "release-0.1", kind: RC, want: "v0.1.0-rc.0 v0.2.0-alpha.0", create: true},
		{name: "first cut of a chosen series", branch: "release-1.0", kind: RC, want: "v1.0.0-rc.0 v1.1.0-alpha.0", create: true},
		{name: "first release on a branch made by hand", branches: "release-0.1", branch: "release-0.1", kind: Official, want: "v0.1.0"},
		{name: "first candidate on a branch made by hand", branches: "release-0.1", branch: "release-0.1", kind: RC, want: "v0.1.0-rc.0"},
		{name: "first release from trunk", branch: "main", kind: Official, policy: &trunk, want: "v0.1.0"},
		{name: "given first version", branch: "main", kind: Alpha, policy: &bare, want: "1.0.0-alpha.0"},
		{name: "other tags do not count", tags: "nightly build-7 1.0.0", branch: "main", kind: Alpha, want: "v0.1.0-alpha.0"},

		// The default branch.
		{name: "next alpha", tags: "v1.20.0-alpha.2 v1.20.0-alpha.1", branch: "main", kind: Alpha, want: "v1.20.0-alpha.3"},
		{name: "alphas count, not spell", tags: "v1.20.0-alpha.9 v1.20.0-alpha.10", branch: "main", kind: Alpha, want: "v1.20.0-alpha.11"},
		{name: "beta after alpha", tags: "v1.18.0-alpha.1", branch: "main", kind: Beta, want: "v1.18.0-beta.0"},
		{name: "next beta", tags: "v1.18.0-alpha.1 v1.18.0-beta.1", branch: "main", kind: Beta, want: "v1.18.0-beta.2"},
		{name: "alpha after beta", tags: "v1.18.0-beta.1", branch: "main", kind: Alpha, refusal: "v1.18.0-beta.1 is out already"},
		{name: "beta from a final", tags: "v1.23.0", branch: "main", kind: Beta, refusal: "a beta follows an alpha"},
		{name: "alpha opens the minor after a final", tags: "v1.23.4", branch: "main", kind: Alpha, want: "v1.24.0-alpha.0"},
		{name: "alpha of the series opened by a cut", tags: "v1.23.0-rc.0 v1.24.0-alpha.0", branches: "release-1.23", branch: "main", kind: Alpha, want: "v1.24.0-alpha.1"},
		{name: "tags of release branches do not count", tags: "v1.23.7 v1.24.0-alpha.1", branches: "release-1.23", branch: "main", kind: Beta, want: "v1.24.0-beta.0"},
		{name: "nothing opened the series after a cut", tags: "v1.23.0-rc.0", branches: "release-1.23", branch: "main", kind: Alpha, want: "v1.24.0-alpha.0"},
		{name: "beta when nothing opened the series", tags: "v1.23.0", branches: "release-1.23", branch: "main", kind: Beta, refusal: "make an alpha first"},
		{name: "rc on the default branch", tags: "v1.23.0-beta.1", branch: "main", kind: RC, refusal: "cut release-1.23"},
		{name: "official on the default branch", tags: "v1.23.0-beta.1", branch: "main", kind: Official, refusal: "cut release-1.23"},
		{name: "prerelease of another shape", tags: "v1.0.0-dev", branch: "main", kind: Alpha, refusal: "what follows it cannot be told"},

		// The cut.
		{name: "cut", tags: "v1.18.0-beta.3", branch: "release-1.18", kind: RC, want: "v1.18.0-rc.0 v1.19.0-alpha.0", create: true},
		{name: "cut from alpha", tags: "v1.18.0-alpha.3", branch: "release-1.18", kind: RC, want: "v1.18.0-rc.0 v1.19.0-alpha.0", create: true},
		{name: "cut of the next major", tags: "v1.18.0-beta.3", branch: "release-2.0", kind: RC, want: "v2.0.0-rc.0 v2.1.0-alpha.0", create: true},
		{name: "cut after a final", tags: "v1.18.2", branch: "release-1.19", kind: RC, want: "v1.19.0-rc.0 v1.20.0-alpha.0", create: true},
		{name: "cut without the next alpha", tags: "v1.18.0-beta.3", branch: "release-1.18", kind: RC, policy: &quiet, want: "v1.18.0-rc.0", create: true},
		{name: "cut of an older series", tags: "v1.18.0-beta.3", branch: "release-1.17", kind: RC, refusal: "only release-1.18 or release-2.0"},
		{name: "cut that skips a series", tags: "v1.18.0-beta.3", branch: "release-1.20", kind: RC, refusal: "only release-1.18 or release-2.0"},
		{name: "cut of a series that is out", tags: "v1.18.2", branch: "release-1.18", kind: RC, refusal: "v1.18.2 is out already"},
		{name: "cut again", tags: "v1.18.0-rc.0", branch: "release-1.18", kind: RC, refusal: "v1.18.0-rc.0 is out already"},
		{name: "official without a branch", tags: "v1.18.0-beta.3", branch: "release-1.18", kind: Official, refusal: "does not exist"},
		{name: "alpha without a branch", branch: "release-1.18", kind: Alpha, refusal: "made on main"},

		// A release branch.
		{name: "next candidate", tags: "v1.18.0-rc.0 v1.19.0-alpha.0", branches: "release-1.18", branch: "release-1.18", kind: RC, want: "v1.18.0-rc.1"},
		{name: "candidate after a beta", tags: "v1.18.0-beta.2", branches: "release-1.18", branch: "release-1.18", kind: RC, want: "v1.18.0-rc.0"},
		{name: "official after candidates", tags: "v1.18.0-rc.3", branches: "release-1.18", branch: "release-1.18", kind: Official, want: "v1.18.0"},
		{name: "patch", tags: "v1.18.3 v1.18.3-rc.0 v1.19.0", branches: "release-1.18 release-1.19", branch: "release-1.18", kind: Official, want: "v1.18.4"},
		{name: "official after a patch's candidate", tags: "v1.18.3 v1.18.4-rc.0", branches: "release-1.18", branch: "release-1.18", kind: Official, want: "v1.18.4"},
		{name: "candidate of a patch", tags: "v1.18.3", branches: "release-1.18", branch: "release-1.18", kind: RC, want: "v1.18.4-rc.0"},
		{name: "alpha on a release branch", tags: "v1.18.0", branches: "release-1.18", branch: "release-1.18", kind: Alpha, refusal: "made on main"},
		{name: "beta on a release branch", tags: "v1.18.0", branches: "release-1.18", branch: "release-1.18", kind: Beta, refusal: "made on main"},
		{name: "branch of another name", branches: "hotfix", branch: "hotfix", kind: Official, refusal: "neither the default branch main nor named like release-{major}.{minor}"},
		{name: "branch with a patch in its name", branches: "release-1.18.2", branch: "release-1.18.2", kind: Official, refusal: "patches are released from release-1.18"},
		{name: "own pattern", tags: "1.4.0", branches: "1.4.x", branch: "1.4.x", kind: Official, policy: &bare, want: "1.4.1"},

		// A project that keeps no release branches.
		{name: "trunk final", tags: "v1.2.0", branch: "main", kind: Official, policy: &trunk, want: "v1.3.0"},
		{name: "trunk patch", tags: "v1.2.0", branch: "main", kind: Official, policy: &patching, want: "v1.2.1"},
		{name: "trunk final after candidates", tags: "v1.2.0 v1.3.0-rc.1", branch: "main", kind: Official, policy: &trunk, want: "v1.3.0"},
		{name: "trunk candidate after beta", tags: "v1.3.0-beta.0", branch: "main", kind: RC, policy: &trunk, want: "v1.3.0-rc.0"},
		{name: "trunk candidate after final", tags: "v1.3.0", branch: "main", kind: RC, policy: &trunk, want: "v1.4.0-rc.0"},
		{name: "trunk next candidate", tags: "v1.3.0-rc.0", branch: "main", kind: RC, policy: &trunk, want: "v1.3.0-rc.1"},
		{name: "trunk beta after candidate", tags: "v1.3.0-rc.0", branch: "main", kind: Beta, policy: &trunk, refusal: "v1.3.0-rc.0 is out already"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := DefaultPolicy()
			if tc.policy != nil {
				p = *tc.policy
			}
			got, create, err := NextVersions(State{
				Branch: tc.branch, DefaultBranch: "main",
				Branches: append([]string{"main"}, strings.Fields(tc.branches)...),
				Tags:     strings.Fields(tc.tags),
			}, tc.kind, p)
			if tc.refusal != "" {
				var refusal *Refusal
				if !errors.As(err, &refusal) || !strings.Contains(refusal.Why, tc.refusal) {
					t.Fatalf("got %v, %v; want a refusal with %q", got, err, tc.refusal)
				}
				if refusal.Branch != tc.branch || refusal.Kind != tc.kind {
					t.Errorf("the refusal is about %s from %s", refusal.Kind, refusal.Branch)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, ver := range got {
				names = append(names, ver.String())
			}
			if strings.Join(names, " ") != tc.want || create != tc.create {
				t.Errorf("got %v create=%v, want %s create=%v", names, create, tc.want, tc.create)
			}
		})
	}
}

// Whatever a repository holds, the next version is newer than every version of
// its series and nothing that exists.
func TestNextVersionIsNew(t *testing.T) {
	t.Parallel()
	pool := []string{"v1.0.0-alpha.0", "v1.0.0-beta.0", "v1.0.0-rc.0", "v1.0.1", "v1.1.0-alpha.0", "v1.1.0-rc.1", "v2.0.0-alpha.4"}
	policy := DefaultPolicy()
	for _, trunk := range []bool{false, true} {
		policy.Trunk = trunk
		for set := range 1 << len(pool) {
			var tags []string
			for i, tag := range pool {
				if set&(1<<i) != 0 {
					tags = append(tags, tag)
				}
			}
			for _, branches := range [][]string{{"main"}, {"main", "release-1.0"}, {"main", "release-1.0", "release-1.1"}} {
				for _, branch := range []string{"main", "release-1.0", "release-1.1", "release-2.0"} {
					for _, kind := range []Kind{Alpha, Beta, RC, Official} {
						s := State{Branch: branch, DefaultBranch: "main", Branches: branches, Tags: tags}
						checkNew(t, s, kind, policy)
					}
				}
			}
		}
	}
}

func checkNew(t *testing.T, s State, kind Kind, p Policy) {
	t.Helper()
	got, _, err := NextVersions(s, kind, p)
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Fatalf("%+v %s: %v is no refusal", s, kind, err)
		}
		return
	}
	if got[0].Kind() != kind {
		t.Fatalf("%+v: asked for a %s, got %s", s, kind, got[0])
	}
	for _, have := range ParseVersions(p.Prefix, s.Tags) {
		for _, next := range got {
			if have == next || have.Series() == next.Series() && have.Compare(next) >= 0 {
				t.Fatalf("%+v: %s gives %s although %s exists", s, kind, next, have)
			}
		}
	}
}

func TestBranchPattern(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, branch string
		want            string
		ok              bool
	}{
		{"", "release-1.23", "v1.23.0", true},
		{"", "release-0.0", "v0.0.0", true},
		{"", "release-1.23.4", "", false},
		{"", "release-01.2", "", false},
		{"", "xrelease-1.2", "", false},
		{"", "release-1x2", "", false},
		{"stable/{major}-{minor}", "stable/3-14", "v3.14.0", true},
		{"{minor}of{major}", "4of2", "v2.4.0", true},
	} {
		p := Policy{Prefix: "v", BranchPattern: tc.pattern}
		got, ok := p.ParseBranch(tc.branch)
		if ok != tc.ok || ok && got.String() != tc.want {
			t.Errorf("%q under %q is %s, %v; want %s, %v", tc.branch, tc.pattern, got, ok, tc.want, tc.ok)
		}
		if ok && p.ReleaseBranch(got) != tc.branch {
			t.Errorf("%s goes to branch %s, not %s", got, p.ReleaseBranch(got), tc.branch)
		}
	}
	for _, bad := range []Policy{
		{Prefix: "v1"}, {BranchPattern: "release"}, {BranchPattern: "r{major}{minor}"}, {BranchPattern: "{major}.{minor}.{major}"},
		{First: Version{Major: 1, Pre: "rc.0"}},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("policy %+v was taken", bad)
		}
		if _, _, err := NextVersions(State{Branch: "main", DefaultBranch: "main"}, Alpha, bad); err == nil {
			t.Errorf("policy %+v gave a version", bad)
		}
	}
}

func TestBranchVersions(t *testing.T) {
	t.Parallel()
	s := State{DefaultBranch: "main", Branches: []string{"main", "release-1.1"}, Tags: []string{"v1.0.0", "v1.1.0-beta.0", "v1.1.0", "v1.2.0-alpha.0", "other"}}
	for branch, want := range map[string]string{
		"main": "v1.2.0-alpha.0 v1.0.0", "release-1.1": "v1.1.0 v1.1.0-beta.0", "release-1.0": "v1.0.0", "topic": "",
	} {
		var got []string
		for _, ver := range BranchVersions(s, branch, DefaultPolicy()) {
			got = append(got, ver.String())
		}
		if diff := cmp.Diff(strings.Fields(want), got, cmp.Transformer("empty", func(s []string) string { return strings.Join(s, " ") })); diff != "" {
			t.Errorf("%s: %s", branch, diff)
		}
	}
}

// Which number is raised can be asked for once, where it does not follow from
// what is out.
func TestBump(t *testing.T) {
	t.Parallel()
	trunk := DefaultPolicy()
	trunk.Trunk = true
	cases := []struct {
		name   string
		state  State
		policy Policy
		kind   Kind
		want   string // a version, or after ! a part of the refusal
	}{
		{"as ever", State{Branch: "main", Tags: []string{"v1.2.3"}}, trunk, Official, "v1.3.0"},
		{"a patch", State{Branch: "main", Tags: []string{"v1.2.3"}, Bump: BumpPatch}, trunk, Official, "v1.2.4"},
		{"a major", State{Branch: "main", Tags: []string{"v1.2.3"}, Bump: BumpMajor}, trunk, Official, "v2.0.0"},
		{"a candidate of a major", State{Branch: "main", Tags: []string{"v1.2.3"}, Bump: BumpMajor}, trunk, RC, "v2.0.0-rc.0"},
		{"a major series with branches", State{Branch: "main", Branches: []string{"main", "release-1.2"}, Tags: []string{"v1.2.3"}, Bump: BumpMajor}, DefaultPolicy(), Alpha, "v2.0.0-alpha.0"},
		{"a series is open", State{Branch: "main", Tags: []string{"v1.2.3", "v1.3.0-rc.0"}, Bump: BumpPatch}, trunk, Official, "!v1.3.0-rc.0 is out"},
		{"a release branch", State{Branch: "release-1.2", Branches: []string{"main", "release-1.2"}, Tags: []string{"v1.2.3"}, Bump: BumpMinor}, DefaultPolicy(), Official, "!on main alone"},
		{"patches have their branch", State{Branch: "main", Branches: []string{"main", "release-1.2"}, Tags: []string{"v1.2.3"}, Bump: BumpPatch}, DefaultPolicy(), Alpha, "!such as release-1.2"},
		{"nothing is out", State{Branch: "main", Bump: BumpMajor}, trunk, Official, "!the first is v0.1.0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.state.DefaultBranch = "main"
			got, _, err := NextVersions(c.state, c.kind, c.policy)
			if words, no := strings.CutPrefix(c.want, "!"); no {
				var refused *Refusal
				if !errors.As(err, &refused) || !strings.Contains(refused.Why, words) {
					t.Errorf("got %v, %v; want a refusal with %q", got, err, words)
				}
				return
			}
			if err != nil || len(got) != 1 || got[0].String() != c.want {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := ParseBump("huge"); err == nil {
		t.Error("a number that there is not was taken")
	}
}
