package cli

import (
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
)

func TestIsBoard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, branch, board string
		want                bool
	}{
		{"sig-release-1.36-blocking", "1.36", "blocking", true},
		{"sig-release-1.36-blocking", "release-1.36", "blocking", true},
		{"sig-release-1.36-blocking", "", "blocking", true},
		{"sig-release-1.36-blocking", ".36", "blocking", false},
		{"sig-release-1.36-blocking", "1.36", "informing", false},
		{"blocking", "", "blocking", true},
		{"blocking", "master", "blocking", false},
		{"master-blocking", "master", "blocking", true},
		{"nonblocking", "", "blocking", false},
		{"", "", "blocking", false},
	} {
		if got := isBoard(tt.name, tt.branch, tt.board); got != tt.want {
			t.Errorf("%q of %q is %q: %v", tt.name, tt.branch, tt.board, got)
		}
	}
}

// A picture lies in the folder, whatever the tab is called, and no two share a
// place.
func TestFileName(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"unit", "unit.", "../unit", "..", ".", "", "a/b", "a b", "a-b", "a|b", "é", "UNIT", strings.Repeat("x", 100), strings.Repeat("x", 300), strings.Repeat("x", 301), "\x00"} {
		got := fileName(name)
		if got == "" || got == "." || got == ".." || strings.ContainsAny(got, "/\\ \x00|") || len(got) > 110 {
			t.Errorf("%q is kept as %q", name, got)
		}
		if other, there := seen[got]; there {
			t.Errorf("%q and %q are both kept as %q", name, other, got)
		}
		seen[got] = name
	}
	if fileName("ci-unit_1.36") != "ci-unit_1.36" {
		t.Error("a plain name stays as it is")
	}
}

// What tests and tabs are called cannot break out of the table, nor call people.
func TestSnapshotMarkdown(t *testing.T) {
	t.Parallel()
	s := snapshot{
		At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), States: []string{"FAILING"}, Dashboards: []shotBoard{{"halyard_blocking", 2, ""}},
		Tabs: []shotOfATab{{
			Dashboard: "halyard_blocking", Tab: "a|b", Status: grid.Failing, Text: "1 of 2\nrecent <b>columns</b> @ada [x](http://evil)", LatestGreen: "c0ffee",
			Link: "https://sea.example/a(b)", Picture: "halyard_blocking/a-b.png", Image: "https://shots.example/a-b.png",
		}},
	}
	got := s.markdown()
	for _, want := range []string{
		"### Test grids at 2026-11-22 12:00 UTC\n\n- halyard\\_blocking: 2 tabs\n",
		"| [halyard\\_blocking#a\\|b](https://sea.example/a%28b%29) | **FAILING** | 1 of 2 recent &lt;b&gt;columns&lt;/b&gt; @\u200bada \\[x\\](http://evil) | c0ffee | [a-b.png](https://shots.example/a-b.png) |\n",
		"![a\\|b](https://shots.example/a-b.png)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n| ["); n != 1 {
		t.Errorf("%d rows in the table", n)
	}
}

func TestSnapshotLinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f    snapshotFlags
		want string
	}{
		{snapshotFlags{}, ""},
		{snapshotFlags{pages: "https://sea.example/"}, "https://sea.example/dashboards/a%2Fb/slow%20tests"},
		{snapshotFlags{testgrid: "https://grid.example"}, "https://grid.example/a%2Fb#slow%20tests&width=30"},
	} {
		if got := tt.f.tabLink("a/b", "slow tests"); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
