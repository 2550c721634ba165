package release_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"seaworthy/release"
)

func series(t *testing.T) release.Series {
	t.Helper()
	s, err := release.SeriesOf(release.DefaultPolicy(), "release-1.2", "main")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeries(t *testing.T) {
	t.Parallel()
	s := series(t)
	if got := s.Expand("{major}.{minor} {next_minor} {previous_minor} {branch}"); got != "1.2 3 1 release-1.2" {
		t.Errorf("expanded: %q", got)
	}
	if s.Version() != "1.2" || s.Next().Version() != "1.3" || s.First("v").String() != "v1.2.0" {
		t.Errorf("got %s, %s, %s", s.Version(), s.Next().Version(), s.First("v"))
	}
	if _, err := release.SeriesOf(release.DefaultPolicy(), "feature", "main"); err == nil || !strings.Contains(err.Error(), "release-{major}.{minor}") {
		t.Errorf("a branch of another name: %v", err)
	}
}

func TestJudgeFastForward(t *testing.T) {
	t.Parallel()
	good := release.FastForward{Series: series(t), Prefix: "v", Tags: []string{"v1.1.0", "v1.2.0-rc.0", "v1.3.0-alpha.0"}, BaseTag: "v1.3.0-alpha.0", MainTag: "v1.3.0-alpha.0"}
	tests := []struct {
		name         string
		change       func(f *release.FastForward)
		done, refuse string
	}{
		{"between the candidate and the release", func(*release.FastForward) {}, "", ""},
		{"nothing tagged at all", func(f *release.FastForward) { f.Tags, f.BaseTag, f.MainTag = nil, "", "" }, "", ""},
		{"released", func(f *release.FastForward) { f.Tags = append(f.Tags, "v1.2.0") }, "v1.2.0 is released", ""},
		{"a tag of another prefix", func(f *release.FastForward) { f.Tags = append(f.Tags, "1.2.0") }, "", ""},
		{"being cut", func(f *release.FastForward) { f.CutIssue = "#7" }, "v1.2.0 is being cut: #7", ""},
		{"released, and main went on", func(f *release.FastForward) { f.Tags, f.MainTag = append(f.Tags, "v1.2.0"), "v1.3.0-alpha.1" }, "v1.2.0 is released", ""},
		{"main went on", func(f *release.FastForward) { f.MainTag = "v1.3.0-alpha.1" }, "", "main has gone on to the next release"},
		{"tagged since", func(f *release.FastForward) { f.BaseTag = "" }, "", "where the branches part none"},
		{"while a cut runs", func(f *release.FastForward) { f.Running = "cut 7 is running" }, "", "cut 7 is running: wait for it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := good
			f.Tags = slices.Clone(good.Tags)
			tt.change(&f)
			done, err := f.Judge()
			var refused *release.Refusal
			if tt.refuse == "" && err != nil || tt.refuse != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), tt.refuse)) {
				t.Errorf("refused: %v, want %q", err, tt.refuse)
			}
			if (done == "") != (tt.done == "") || !strings.Contains(done, tt.done) {
				t.Errorf("done: %q, want %q", done, tt.done)
			}
		})
	}
}

func TestNewBranchPlan(t *testing.T) {
	t.Parallel()
	rules := release.BranchRules{Milestone: "v{major}.{minor}", Protection: "copy", Replace: []release.Replacement{
		{File: "VERSION", From: "{major}.{minor}", To: "{major}.{next_minor}", Where: "main"},
		{File: "VERSION", From: "dev", To: "beta", Where: "both"},
	}}
	p, err := release.NewBranchPlan(series(t), rules, strings.Repeat("ab", 20), map[string]string{"VERSION": "1.2-dev\n"})
	if err != nil {
		t.Fatal(err)
	}
	// Both replacements of a file add up.
	if len(p.OnMain) != 1 || p.OnMain[0].Text != "1.3-beta\n" || len(p.OnBranch) != 1 || p.OnBranch[0].Text != "1.2-beta\n" {
		t.Errorf("edits: %+v and %+v", p.OnMain, p.OnBranch)
	}
	if !slices.Equal(p.Milestones, []string{"v1.2", "v1.3"}) {
		t.Errorf("milestones: %q", p.Milestones)
	}
	for _, want := range []string{"branch: release-1.2 at abababababab\n", "milestones: v1.2 for release-1.2, v1.3 for main\n", "version: VERSION on main: 1.2 becomes 1.3\n"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%q is not in the plan:\n%s", want, p)
		}
	}
	if body := p.Body(); !strings.Contains(body, "- milestones: ") || !strings.Contains(body, "```release-note\nNONE\n```") {
		t.Errorf("body:\n%s", body)
	}
	// A file that is as it shall be is left alone.
	p, err = release.NewBranchPlan(series(t), release.BranchRules{Replace: rules.Replace[:1]}, strings.Repeat("ab", 20), map[string]string{"VERSION": "1.3\n"})
	if err != nil || len(p.OnMain) > 0 || !strings.Contains(p.String(), "version: skipped: VERSION on main holds 1.3 already") {
		t.Errorf("%v, %+v\n%s", err, p.OnMain, p)
	}
}
