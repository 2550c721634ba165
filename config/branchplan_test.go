package config_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"seaworthy/config"
	"seaworthy/merge"
	"seaworthy/release"
)

// planOf plans the branch release-1.2 of the files.
func planOf(t *testing.T, files map[string]string) (release.BranchPlan, error) {
	t.Helper()
	series, err := release.SeriesOf(release.DefaultPolicy(), "release-1.2", "main")
	if err != nil {
		t.Fatal(err)
	}
	p, err := config.Parse(config.Name, []byte(files[config.Name]))
	if err != nil {
		t.Fatal(err)
	}
	return config.PlanBranch(p, config.Branching{Repo: "harbour/halyard", Commit: strings.Repeat("0a", 20), Series: series, Files: files, GoVersion: "1.26.8"})
}

// Each archive is a repository; what its branch would be is looked at by people.
func TestPlanBranchGolden(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/branch/*.txtar")
	if err != nil || len(archives) < 3 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range a.Files {
				files[f.Name] = string(f.Data)
			}
			plan, err := planOf(t, files)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			b.WriteString(plan.String())
			for _, old := range slices.Sorted(maps.Keys(plan.Contexts)) {
				fmt.Fprintf(&b, "context %s becomes %s\n", old, plan.Contexts[old])
			}
			for _, side := range []struct {
				name  string
				edits []release.FileEdit
			}{{"on the branch", plan.OnBranch}, {"on main", plan.OnMain}} {
				for _, e := range side.edits {
					fmt.Fprintf(&b, "\n--- %s: %s, new %v\n%s", side.name, e.Path, e.New, e.Text)
				}
			}
			golden(t, strings.TrimSuffix(name, ".txtar")+".want", []byte(b.String()))

			// What has been done needs not be done again.
			for _, e := range plan.OnMain {
				files[e.Path] = e.Text
			}
			if plan.Rules.Jobs != "none" {
				return // copies are made once, with the branch
			}
			again, err := planOf(t, files)
			if err != nil || len(again.OnMain) > 0 {
				t.Errorf("planned again: %v, %d edits", err, len(again.OnMain))
			}
		})
	}
}

func TestPlanBranchRefuses(t *testing.T) {
	t.Parallel()
	const jobs = "jobs:\n  files: [jobs/*.yaml]\n  postsubmits:\n  - {name: e2e, branches: [^main$], spec: {containers: [{command: [x]}]}}\n"
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a file to change that is not there", map[string]string{config.Name: "version: 1\nrelease: {branches: {replace: [{file: VERSION, from: a, to: b, where: main}]}}\n"}, "VERSION, in which"},
		{"a text that is not there", map[string]string{"VERSION": "x", config.Name: "version: 1\nrelease: {branches: {replace: [{file: VERSION, from: a, to: b, where: main}]}}\n"}, `does not hold "a"`},
		{"another job file in the way", map[string]string{"jobs/release-1.2.yaml": "{}\n", config.Name: "version: 1\n" + jobs}, "holds something else"},
		{"a name that is taken", map[string]string{"jobs/x.yaml": "postsubmits: [{name: e2e-1-2, spec: {containers: [{command: [x]}]}}]\n", config.Name: "version: 1\n" + jobs}, "would be wrong"},
		{"a replacement that cannot be read", map[string]string{config.Name: "version: 1\njobs: {periodics: [{name: a, interval: 1h, annotations: {fork-per-release: 'true', fork-per-release-replacements: x}, spec: {containers: [{command: [x]}]}}]}\n"}, "OLD -> NEW"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := planOf(t, tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestCheckBranches(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("f", []byte(`version: 1
release:
  branches:
    jobs: some
    job_file: ../jobs.yaml
    together: [halyard]
    milestone: next
    replace: [{file: /etc/passwd, from: a, to: b, where: main}, {file: V, where: main}, {file: V, from: a, to: b, where: all}]
`))
	for _, want := range []string{`jobs is "some": write one of`, `job_file "../jobs.yaml"`, `repository "halyard"`, `milestone "next" lacks {minor}`, `file "/etc/passwd"`, "a replacement in V needs from", `where is "all"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing says %q in:\n%v", want, err)
		}
	}
}

// Protection does not ask the branch for what nothing reports there.
func TestPlanBranchContexts(t *testing.T) {
	t.Parallel()
	plan, err := planOf(t, map[string]string{config.Name: `version: 1
jobs:
  presubmits:
  - {name: everywhere, spec: {containers: [{command: [x]}]}}
  - {name: copied-main, branches: [^main$], annotations: {fork-per-release: "true"}, spec: {containers: [{command: [x]}]}}
  - {name: left, branches: [^main$], spec: {containers: [{command: [x]}]}}
`})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"copied-main": "copied-1.2", "left": ""}, plan.Contexts); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(plan.String(), "protection: without contexts that no job reports for release-1.2: left\n") {
		t.Errorf("the plan:\n%s", plan)
	}
}

// A branch that asks for more has a query of its own, and the other passes it over.
func TestQueries(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("f", []byte("version: 1\nmerge: {labels: {require: [lgtm], forbid: [hold]}, branches: {release-1.2: {require: [picked], milestone: v1.2}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []merge.Query{
		{Labels: []string{"lgtm", "picked"}, MissingLabels: []string{"hold"}, Milestone: "v1.2", IncludedBranches: []string{"release-1.2"}},
		{Labels: []string{"lgtm"}, MissingLabels: []string{"hold"}, ExcludedBranches: []string{"release-1.2"}},
	}
	if diff := cmp.Diff(want, p.Merge.Queries()); diff != "" {
		t.Error(diff)
	}
}
