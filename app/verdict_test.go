package app_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"seaworthy/forge"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"

	"seaworthy/app"
)

func TestReportJobs(t *testing.T) {
	t.Parallel()
	f, problems := job.ParseRepoFile("harbour/halyard", ".prow.yaml", []byte(`presubmits:
- {name: pull-unit, optional: true, spec: {containers: [{image: i, command: [x]}]}}
postsubmits:
- {name: post-unit, branches: ['^release-1\.2$'], annotations: {testgrid-alert-email: "a@example.org, b@example.org", description: why}, spec: {containers: [{image: i, command: [x]}]}}
- {name: post-all, branches: ['release-.*'], annotations: {informing: "true"}, spec: {containers: [{image: i, command: [x]}]}}
`))
	for _, p := range problems {
		if !p.Warning {
			t.Fatal(p)
		}
	}
	c, _ := job.Merge(f)
	jobs := app.ReportJobs(c)
	if j := jobs["pull-unit"]; !j.Presubmit || j.Repo != "harbour/halyard" {
		t.Errorf("pull-unit: %+v", j)
	}
	if j := jobs["post-unit"]; j.Branch != "release-1.2" || j.Informing || len(j.Mails) != 2 || j.Description != "why" {
		t.Errorf("post-unit: %+v", j)
	}
	if j := jobs["post-all"]; j.Branch != "" || !j.Informing {
		t.Errorf("post-all: %+v", j)
	}
}

// A change breaks a test of the default branch: the report is red with the test,
// the commit and the issue; the test's page knows the change and its cluster; a
// later change that fails likewise is told that it is not its fault.
func TestReportsOfAPlatform(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	files := maps.Clone(sources)
	files["seaworthy.yaml"] = strings.ReplaceAll(configuration, `["test", "-e", "OWNERS"]`, `["sh", "check"]`)
	files["seaworthy.yaml"] = strings.Replace(files["seaworthy.yaml"], "- name: post-unit\n", "- name: post-unit\n    branches: [main]\n    annotations: {testgrid-num-failures-to-alert: '1'}\n", 1)
	files["seaworthy.yaml"] = strings.Replace(files["seaworthy.yaml"], "  postsubmits:\n", "  - name: pull-check\n    context: check\n    always_run: true\n    optional: true\n    spec: {containers: [{image: none, command: [sh, check]}]}\n  postsubmits:\n", 1)
	files["check"] = `echo '<testsuite><testcase name="[sig-rope] TestHold"/></testsuite>' > $ARTIFACTS/junit.xml`
	p.populate(files)
	p.settled()
	answers := p.Reports(halyard)
	p.until("the first run passed", func() bool {
		r, err := answers.Report(t.Context(), report.Query{})
		p.must(err)
		return len(r.Branches) == 1 && len(r.Branches[0].Jobs) > 0 && r.Branches[0].Jobs[0].State == verdict.Passing
	})
	pr := p.propose("ben", "slack", map[string]string{
		"check": `echo '<testsuite><testcase name="[sig-rope] TestHold"><failure>rope 12 gave way after 3.5s</failure></testcase></testsuite>' > $ARTIFACTS/junit.xml; exit 1`,
	})
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	issue, err := p.as["ada"].CreateIssue(t.Context(), halyard, forge.NewIssue{Title: "[sig-rope] TestHold gives way", Labels: []string{"kind/failing-test"}})
	p.must(err)
	var r verdict.Report
	p.until("the branch is not green any more", func() bool {
		r, err = answers.Report(t.Context(), report.Query{})
		p.must(err)
		return r.Color != verdict.Green
	})
	j := r.Branches[0].Jobs[0]
	if r.Branches[0].Branch != "main" || j.Job != "post-unit" || !j.Blocking || len(j.Issues) != 1 || j.Issues[0].Number != issue.Number || r.Branches[0].Cut.Ready {
		t.Errorf("the report: %+v", r.Branches[0])
	}
	x, err := answers.Test(t.Context(), "[sig-rope] TestHold")
	p.must(err)
	if x.Owner != "sig-rope" || len(x.Issues) != 1 || len(x.Missing) != 0 || len(x.Jobs) == 0 {
		t.Errorf("the test: %+v", x)
	}
	p.until("its failure is in a cluster", func() bool {
		x, err = answers.Test(t.Context(), "[sig-rope] TestHold")
		p.must(err)
		return x.Cluster != ""
	})
	known, err := answers.Known(t.Context(), halyard.String(), "main", []report.Failure{{Test: "[sig-rope] TestHold", Message: "rope 77 gave way after 9.1s"}})
	if err != nil || len(known) != 1 || !known[0].Same || !known[0].Now || known[0].Branch != "main" {
		t.Errorf("known on main: %+v %v", known, err)
	}
	other := p.propose("ben", "taut", map[string]string{"note": "this breaks nothing"})
	p.until("the change hears that it is not its fault", func() bool {
		all, err := p.Forge.Statuses(t.Context(), halyard, other.Head.SHA)
		p.must(err)
		return slices.ContainsFunc(all, func(s forge.Status) bool {
			return strings.HasPrefix(s.Description, "Job failed: the failure is known on main.") && strings.Contains(s.TargetURL, "/runs/")
		})
	})
	if l := x.Jobs[len(x.Jobs)-1]; l.Repo != halyard.String() || l.State == history.Passing && l.Fails > 0 {
		t.Errorf("a line: %+v", l)
	}
}
