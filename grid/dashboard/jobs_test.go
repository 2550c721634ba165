package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid/dashboard"
	"seaworthy/job"
)

// parse reads job files.
func parse(t *testing.T, files ...string) job.Config {
	t.Helper()
	var all []job.File
	for i, text := range files {
		f, problems := job.Parse(fmt.Sprintf("jobs%d.yaml", i), []byte(text))
		for _, p := range problems {
			if !p.Warning {
				t.Fatal(p)
			}
		}
		all = append(all, f)
	}
	c, _ := job.Merge(all...)
	return c
}

const boards = "dashboards: [{name: board}, {name: second}]\n"

// written is what a configuration holds, in few words.
func written(c dashboard.Config) []string {
	var out []string
	for _, d := range c.Dashboards {
		for _, tab := range d.Tabs {
			g, _ := c.Group(tab.TestGroup)
			o := tab.Options(g)
			out = append(out, fmt.Sprintf("%s#%s %s recent=%d days=%d alert=%d stale=%s mails=%v",
				d.Name, tab.Name, g.Prefix, o.Recent, g.DaysOfResults, o.Failures, o.StaleAfter, tab.MailAddresses(g)))
		}
	}
	return out
}

func TestWithJobs(t *testing.T) {
	t.Parallel()
	jobs := parse(t, `
periodics:
- name: ci-z
  interval: 1h
  annotations: {testgrid-dashboards: board}
  spec: {containers: [{image: x}]}
- name: ci-a
  interval: 1h
  annotations:
    testgrid-dashboards: board, second
    testgrid-tab-name: nightly
    testgrid-alert-email: ada@example.com, bob@example.com
    testgrid-num-failures-to-alert: "2"
    testgrid-num-columns-recent: "6"
    testgrid-days-of-results: "30"
    testgrid-alert-stale-results-hours: "48"
    testgrid-broken-column-threshold: "0.5"
    testgrid-base-options: width=10
    testgrid-in-cell-metric: coverage
    testgrid-disable-prowjob-analysis: "true"
    description: Every night
  spec: {containers: [{image: x}]}
  extra_refs: [{org: harbour, repo: halyard, base_ref: main}]
- name: ci-quiet
  interval: 1h
  spec: {containers: [{image: x}]}
- name: ci-none
  interval: 1h
  annotations: {testgrid-create-test-group: "false"}
  spec: {containers: [{image: x}]}
`, `
postsubmits:
  harbour/halyard:
  - name: post-own
    decoration_config: {gcs_configuration: {bucket: own, path_prefix: deep/er, path_strategy: explicit}}
    annotations: {testgrid-dashboards: board}
    spec: {containers: [{image: x}]}
presubmits:
  harbour/halyard:
  - name: pull-shown
    annotations: {testgrid-dashboards: board, testgrid-num-columns-recent: "8"}
    spec: {containers: [{image: x}]}
  - name: pull-more
    annotations: {testgrid-dashboards: board}
    spec: {containers: [{image: x}]}
  - name: pull-hidden
    spec: {containers: [{image: x}]}
  - name: pull-group
    annotations: {testgrid-create-test-group: "true"}
    spec: {containers: [{image: x}]}
  - name: pull-other
    annotations: {testgrid-dashboards: second}
    spec: {containers: [{image: x}]}
  zoo/lion:
  - name: pull-zoo
    annotations: {testgrid-dashboards: second}
    spec: {containers: [{image: x}]}
`)
	c, problems := read(t, "default.yaml", defaultsFile, "a.yaml", boards+"test_groups: [{name: pull-other, gcs_prefix: elsewhere/x, num_columns_recent: 30}]\n")
	before := len(c.TestGroups)
	got, found := dashboard.WithJobs(c, jobs, dashboard.Prow{Bucket: "ci", Buckets: map[string]string{"zoo": "zoo-ci/p"}, Pages: map[string]string{"*": "https://prow.example/view/"}})
	if problems = append(problems, found...); len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []string{
		"board#nightly ci/logs/ci-a recent=6 days=30 alert=2 stale=48h0m0s mails=[ada@example.com bob@example.com]",
		"board#ci-z ci/logs/ci-z recent=10 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
		"board#post-own own/deep/er/logs/post-own recent=10 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
		"board#pull-more ci/pr-logs/directory/pull-more recent=20 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
		"board#pull-shown ci/pr-logs/directory/pull-shown recent=8 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
		"second#nightly ci/logs/ci-a recent=6 days=30 alert=2 stale=48h0m0s mails=[ada@example.com bob@example.com]",
		"second#pull-other elsewhere/x recent=30 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
		"second#pull-zoo zoo-ci/p/pr-logs/directory/pull-zoo recent=20 days=15 alert=3 stale=9h0m0s mails=[default@example.com]",
	}
	if diff := cmp.Diff(want, written(got)); diff != "" {
		t.Error(diff)
	}
	var groups []string
	for _, g := range got.TestGroups {
		groups = append(groups, g.Name)
	}
	if s := strings.Join(groups, " "); s != "pull-other ci-a ci-quiet ci-z post-own pull-group pull-more pull-shown pull-zoo" {
		t.Errorf("test groups: %s", s)
	}
	tab, g, _ := got.Tab("second", "nightly")
	if tab.Description != "Every night" || tab.BaseOptions != "width=10" || tab.BrokenColumnThreshold != 0.5 || !g.NoPodRow || g.ShortTextMetric != "coverage" ||
		tab.CodeSearch.URL != "https://github.com/harbour/halyard/compare/<start-custom-0>...<end-custom-0>" || tab.OpenBug.URL != "https://github.com/harbour/halyard/issues/" ||
		tab.OpenTest.URL != "https://prow.example/view/gs/<gcs_prefix>/<changelist>" || tab.ResultsText != "See them" {
		t.Errorf("got %+v, %+v", tab, g)
	}
	if len(c.TestGroups) != before || len(c.Dashboards[0].Tabs) != 0 {
		t.Error("the configuration that was given changed along")
	}
}

func TestWithJobsProblems(t *testing.T) {
	t.Parallel()
	one := func(annotations string) string {
		return "presubmits:\n  a/b:\n  - name: pull-x\n    annotations: {" + annotations + "}\n    spec: {containers: [{image: x}]}\n"
	}
	tests := []struct{ name, jobs, want string }{
		{"fine", one("testgrid-dashboards: board"), ""},
		{"no dashboard", one("testgrid-dashboards: bord"), `jobs0.yaml:3: job pull-x: testgrid-dashboards: there is no dashboard "bord": write "board"`},
		{"no names", one("testgrid-dashboards: 'board,'"), `there is no dashboard ""`},
		{"of no use", one("testgrid-tab-name: x"), `testgrid-tab-name is of no use without a test group`},
		{"twice", one(`testgrid-create-test-group: "true", testgrid-dashboards: board`) + "periodics:\n- name: pull-x\n  interval: 1h\n  spec: {containers: [{image: x}]}\n", `testgrid-create-test-group is "true", and there is`},
		{"no number", one(`testgrid-dashboards: board, testgrid-num-columns-recent: "ten"`), `testgrid-num-columns-recent is "ten": write a whole number`},
		{"no number of days", one(`testgrid-dashboards: board, testgrid-days-of-results: "1.5"`), `testgrid-days-of-results is "1.5"`},
		{"no number of failures", one(`testgrid-dashboards: board, testgrid-num-failures-to-alert: "99999999999"`), `testgrid-num-failures-to-alert is "99999999999"`},
		{"no number of hours", one(`testgrid-dashboards: board, testgrid-alert-stale-results-hours: "x"`), `testgrid-alert-stale-results-hours is "x"`},
		{"no share", one(`testgrid-dashboards: board, testgrid-broken-column-threshold: "half"`), `testgrid-broken-column-threshold is "half"`},
		{"neither", one(`testgrid-dashboards: board, testgrid-disable-prowjob-analysis: "perhaps"`), `testgrid-disable-prowjob-analysis is "perhaps"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := read(t, "a.yaml", boards)
			_, problems := dashboard.WithJobs(c, parse(t, tt.jobs), dashboard.Prow{})
			got := messages(problems)
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || tt.want == "" || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A platform's own jobs declare the dashboards that they are on.
func TestWithJobsCreates(t *testing.T) {
	t.Parallel()
	jobs := parse(t, "periodics:\n- name: ci-a\n  interval: 1h\n  annotations: {testgrid-dashboards: 'new, old'}\n  spec: {containers: [{image: x}]}\n")
	c, problems := dashboard.WithJobs(dashboard.Config{Dashboards: []dashboard.Dashboard{{Name: "old"}}}, jobs, dashboard.Prow{Create: true})
	want := []string{"old#ci-a logs/ci-a recent=10 days=14 alert=3 stale=0s mails=[]", "new#ci-a logs/ci-a recent=10 days=14 alert=3 stale=0s mails=[]"}
	if diff := cmp.Diff(want, written(c)); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

func TestReadProw(t *testing.T) {
	t.Parallel()
	p, problems := dashboard.ReadProw("config.yaml", []byte(`
prowjob_namespace: default
plank:
  job_url_prefix_config: {'*': https://prow.example/view/, zoo/lion: https://lion.example}
  default_decoration_configs:
    old: {gcs_configuration: {bucket: old-ci}}
  default_decoration_config_entries:
  - config: {timeout: 2h, gcs_configuration: {bucket: ci, path_prefix: p, path_strategy: legacy}}
  - repo: zoo
    config: {gcs_configuration: {bucket: zoo-ci}}
  - cluster: far
    config: {gcs_configuration: {bucket: not-this}}
  - repo: quiet
    config: {timeout: 1h}
`))
	want := dashboard.Prow{
		Bucket: "ci/p", Buckets: map[string]string{"old": "old-ci", "zoo": "zoo-ci"},
		Pages: map[string]string{"*": "https://prow.example/view/", "zoo/lion": "https://lion.example"},
	}
	if diff := cmp.Diff(want, p); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
	for _, bad := range []string{"plank: {job_url_prefix_config: [1]}", "plank: [", "\xff"} {
		if _, problems := dashboard.ReadProw("config.yaml", []byte(bad)); len(problems) != 1 || problems[0].File != "config.yaml" {
			t.Errorf("%s: got %v", bad, problems)
		}
	}
	if p, problems := dashboard.ReadProw("config.yaml", []byte("- a\n- b\n")); p.Bucket != "" || len(problems) > 0 {
		t.Errorf("got %+v, %v", p, problems)
	}
}

func FuzzReadProw(f *testing.F) {
	f.Add([]byte("plank:\n  job_url_prefix_config: {'*': https://x/}\n  default_decoration_config_entries:\n  - config: {gcs_configuration: {bucket: ci}}\n"))
	f.Add([]byte("plank: &a\n  default_decoration_configs: {'*': *a}\n"))
	f.Add([]byte("plank: [1]\n---\nplank: {job_url_prefix_config: 3}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := dashboard.ReadProw("config.yaml", data)
		for _, problem := range problems {
			if problem.Message == "" || problem.File != "config.yaml" {
				t.Errorf("a problem that says nothing: %+v", problem)
			}
		}
		if p.Buckets == nil || p.Pages == nil {
			t.Error("maps are missing")
		}
	})
}
