package release

import (
	"slices"
	"strings"
	"testing"
)

func TestBaseOfBuilds(t *testing.T) {
	t.Parallel()
	trunk := DefaultPolicy()
	trunk.Trunk = true
	for _, tc := range []struct {
		name, tags, history, branches, branch, want, since string
		policy                                             *Policy
	}{
		{name: "before any tag", branch: "main", want: "v0.0.0-alpha.0"},
		{name: "other tags do not count", tags: "nightly", history: "nightly", branch: "main", want: "v0.0.0-alpha.0"},
		{name: "after an alpha", tags: "v1.23.0-alpha.1 v1.23.0-alpha.0", history: "v1.23.0-alpha.0 v1.23.0-alpha.1", branch: "main", want: "v1.23.0-alpha.1", since: "v1.23.0-alpha.1"},
		{name: "a commit before the last tag", tags: "v1.23.0-alpha.1 v1.23.0-alpha.0", history: "v1.23.0-alpha.0", branch: "main", want: "v1.23.0-alpha.0", since: "v1.23.0-alpha.0"},
		{name: "the default branch after a cut", tags: "v1.23.0-rc.0 v1.24.0-alpha.0", history: "v1.23.0-rc.0 v1.24.0-alpha.0", branches: "release-1.23", branch: "main", want: "v1.24.0-alpha.0", since: "v1.24.0-alpha.0"},
		{name: "the release branch after its cut", tags: "v1.23.0-rc.0 v1.24.0-alpha.0", history: "v1.23.0-rc.0 v1.24.0-alpha.0", branches: "release-1.23", branch: "release-1.23", want: "v1.23.0-rc.0", since: "v1.23.0-rc.0"},
		{name: "a cut that opened nothing", tags: "v1.23.0-rc.0", history: "v1.23.0-rc.0", branches: "release-1.23", branch: "main", want: "v1.24.0-alpha.0", since: "v1.23.0-rc.0"},
		{name: "after a final", tags: "v1.23.0", history: "v1.23.0", branches: "release-1.23", branch: "release-1.23", want: "v1.23.1-alpha.0", since: "v1.23.0"},
		{name: "after a final and the next candidate", tags: "v1.23.0 v1.23.1-rc.0", history: "v1.23.0 v1.23.1-rc.0", branches: "release-1.23", branch: "release-1.23", want: "v1.23.1-rc.0", since: "v1.23.1-rc.0"},
		{name: "a branch made by hand", tags: "v1.22.0", history: "v1.22.0", branches: "release-1.23", branch: "release-1.23", want: "v1.23.0-alpha.0", since: "v1.22.0"},
		{name: "no release branches", tags: "v1.2.0", history: "v1.2.0", branch: "main", policy: &trunk, want: "v1.2.1-alpha.0", since: "v1.2.0"},
		{name: "a prerelease of another kind", tags: "v1.2.0-dev", history: "v1.2.0-dev", branch: "main", want: "v1.2.0-dev", since: "v1.2.0-dev"},
	} {
		p := DefaultPolicy()
		if tc.policy != nil {
			p = *tc.policy
		}
		got, err := BaseOfBuilds(State{Branch: tc.branch, DefaultBranch: "main", Branches: append([]string{"main"}, strings.Fields(tc.branches)...),
			Tags: strings.Fields(tc.tags)}, strings.Fields(tc.history), p)
		if err != nil || got.Version.String() != tc.want || got.Since != tc.since {
			t.Errorf("%s: %s since %q, %v; want %s since %q", tc.name, got.Version, got.Since, err, tc.want, tc.since)
		}
	}
	if _, err := BaseOfBuilds(State{}, nil, Policy{Prefix: "v1"}); err == nil {
		t.Error("a policy that cannot work was taken")
	}
}

const someCommit = "4e9bdd481e2400aaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestCIVersion(t *testing.T) {
	t.Parallel()
	base := BuildBase{Version: v(t, "v1.23.0-alpha.1")}
	got, err := CIVersion(base, 123, someCommit, "")
	if err != nil || got.String() != "v1.23.0-alpha.1.123+4e9bdd481e2400" {
		t.Fatalf("%s, %v", got, err)
	}
	if got.Compare(base.Version) <= 0 || got.Compare(v(t, "v1.23.0-alpha.2")) >= 0 {
		t.Errorf("%s does not lie between the tags", got)
	}
	read, err := ParseBuildName(got.String())
	if err != nil || read.Last != base.Version || read.Commits != 123 || !strings.HasPrefix(someCommit, read.Hash) {
		t.Errorf("%s reads back as %+v, %v", got, read, err)
	}
	if got, err := CIVersion(base, 0, someCommit, "me.1"); err != nil || got.String() != "v1.23.0-alpha.1.0+4e9bdd481e2400-me.1" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []struct {
		base   string
		n      int
		commit string
		suffix string
	}{{"v1.23.0", 1, someCommit, ""}, {"v1.23.0-rc.0", -1, someCommit, ""}, {"v1.23.0-rc.0", 1, "4e9bdd", ""}, {"v1.23.0-rc.0", 1, someCommit, "a/b"}, {"v1.23.0-rc.0", 1, someCommit, "a b"}} {
		if got, err := CIVersion(BuildBase{Version: v(t, bad.base)}, bad.n, bad.commit, bad.suffix); err == nil {
			t.Errorf("%+v is %s", bad, got)
		}
	}
}

func TestCIMarkers(t *testing.T) {
	t.Parallel()
	build := v(t, "v1.23.0-alpha.1.123+4e9bdd481e2400")
	for _, tc := range []struct {
		fast  bool
		extra string
		want  string
	}{
		{false, "", "latest latest-1 latest-1.23"},
		{true, "", "latest-fast"},
		{false, "k8s-master.txt latest k8s-beta/x", "latest latest-1 latest-1.23 k8s-master k8s-beta/x"},
	} {
		got, err := CIMarkerNames(build, tc.fast, strings.Fields(tc.extra))
		if err != nil || !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("%+v: %v, %v", tc, got, err)
		}
	}
	for _, bad := range []string{"", "../latest", "/x", "a//b", "a b", ".txt"} {
		if got, err := CIMarkerNames(build, false, []string{bad}); err == nil {
			t.Errorf("marker %q gave %v", bad, got)
		}
	}
	for have, want := range map[string]bool{"": true, "v1.23.0-alpha.1.99+aaaaaaaaaaaaaa\n": true, "v1.23.0-alpha.1": true,
		"v1.23.0-alpha.1.123+bbbbbbbbbbbbbb": false, "v1.23.0-alpha.2": false, "v1.22.9": true} {
		if got, err := RaiseMarker(build, "latest", have); err != nil || got != want {
			t.Errorf("over %q: %v, %v", have, got, err)
		}
	}
	if _, err := RaiseMarker(build, "latest", "soon"); err == nil || !strings.Contains(err.Error(), "latest.txt") {
		t.Errorf("a marker that holds no version gave %v", err)
	}
}
