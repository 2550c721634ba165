package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/config"
	"seaworthy/job"
)

func TestBoards(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte(`version: 1
jobs:
  postsubmits:
  - name: post-unit
    annotations: {testgrid-dashboards: "blocking, ours", testgrid-tab-name: unit}
    spec: {containers: [{image: golang}]}
  periodics:
  - name: ci-nightly
    interval: 24h
    annotations: {description: Every night}
    spec: {containers: [{image: golang}]}
  presubmits:
  - name: pull-unit
    spec: {containers: [{image: golang}]}
grid:
  testgrid: ["grids/**"]
  dashboards:
  - name: ours
    description: What we look at
    jobs: [ci-nightly, pull-unit, post-unit, gone]
`))
	if err != nil {
		t.Fatal(err)
	}
	jobs, _ := p.JobConfig("harbour/halyard", nil)
	c, problems := p.Boards(map[string][]byte{
		"grids/default.yaml": []byte("default_test_group: {days_of_results: 3, num_columns_recent: 5}\ndefault_dashboard_tab: {}\n"),
		"grids/a/b.yaml":     []byte("test_groups: [{name: other, gcs_prefix: b/logs/other}]\ndashboards: [{name: theirs, dashboard_tab: [{name: tab, test_group_name: other}]}]\n"),
		"elsewhere.yaml":     []byte("dashboards: [{name: not-this}]"),
	}, jobs)
	if len(problems) > 0 {
		t.Error(problems)
	}
	var got []string
	for _, d := range c.Dashboards {
		for _, tab := range d.Tabs {
			_, g, ok := c.Tab(d.Name, tab.Name)
			got = append(got, fmt.Sprintf("%s#%s %s %d %v", d.Name, tab.Name, strings.Join(g.Prefixes(), " "), g.DaysOfResults, ok))
		}
	}
	want := []string{
		"theirs#tab b/logs/other 3 true", "ours#unit logs/post-unit 3 true", "ours#ci-nightly logs/ci-nightly 3 true",
		"ours#pull-unit pr-logs/directory/pull-unit 14 true", "blocking#unit logs/post-unit 3 true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d, _ := c.Dashboard("ours"); d.Description != "What we look at" {
		t.Errorf("description %q", d.Description)
	}
	if found := c.Check(); len(found) > 0 {
		t.Error(found)
	}
}

func TestBoardsWithoutFiles(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte("version: 1\ngrid: {testgrid: [grids/*.yaml]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := p.Boards(map[string][]byte{"grids/a.yaml": []byte("dashbords: []\n")}, job.Config{})
	if len(c.Dashboards) != 0 || len(problems) == 0 || !strings.Contains(fmt.Sprint(problems), `grids/a.yaml:1: unknown field "dashbords": write dashboards`) {
		t.Errorf("got %v, %v", c, problems)
	}
	for pattern, ok := range map[string]bool{"grids/**/*.yaml": true, "../grids/*.yaml": false, "/grids/*": false, "grids/[": false} {
		if _, err := config.Parse("f", []byte("version: 1\ngrid: {testgrid: ['"+pattern+"']}\n")); (err == nil) != ok {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
