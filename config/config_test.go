package config_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"seaworthy/config"
	"seaworthy/strict"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares with a file, or rewrites it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not as generated; look at the difference and run go test ./config -update:\n%s", file, diff)
	}
}

// whole sets every field there is, so that a field that is not read shows.
const whole = `version: 1
project: {name: halyard, description: Ties knots., default_branch: trunk}
jobs:
  files: ["jobs/**/*.yaml"]
  presubmits:
  - name: unit
    always_run: true
    spec: {containers: [{command: [go, test]}]}
  periodics:
  - name: nightly
    cron: 0 3 * * *
    spec: {containers: [{command: [go, test]}]}
merge:
  method: squash
  labels: {require: [lgtm], forbid: [hold]}
  milestone: {trunk: v1.1, release-1.0: v1.0}
  required_contexts: [cla]
  batch_limit: 1
  branches: {release-1.0: {require: [picked], milestone: v1.0}}
build:
  command: [make, dist]
  go: {main: [./cmd/halyard, .], name: hly, ldflags: "-X main.v={version} -X main.c={commit}", env: {CGO_ENABLED: "0"}}
  env: {A: b}
  platforms: [linux/amd64, linux/arm/v7]
  files: [LICENSE, docs/man.1]
release:
  tag_prefix: halyard/v
  branch_pattern: rel/{major}.{minor}
  changelog: CHANGELOG-{major}.{minor}.md
  branches:
    jobs: annotated
    job_file: jobs/{branch}.yaml
    dashboard: ""
    together: [harbour/sheet]
    milestone: "{major}.{minor}"
    protection: none
    require: [picked]
    changelog: open
    replace: [{file: VERSION, from: "{major}.{minor}", to: "{major}.{next_minor}", where: main}]
    fast_forward: only
  gates:
    green: [nightly]
    runs: 3
    rehearsal: optional
    approvals: [{role: release manager, logins: [ada]}, {role: security, logins: [cho, dee]}]
  announce: {to: [users@example.org], from: Ada <ada@example.org>, subject: "{name} {version} of {date}", template: docs/mail.md}
grid:
  dashboards: [{name: blocking, description: What blocks a release., jobs: [unit, nightly]}]
`

func TestParseWhole(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) > 0 {
		t.Errorf("warnings: %v", p.Warnings)
	}
	want := config.Release{
		TagPrefix: "halyard/v", BranchPattern: "rel/{major}.{minor}", Changelog: "CHANGELOG-{major}.{minor}.md", Versions: config.Versions{Bump: "minor"}, Tags: config.Tags{Sign: "auto"},
		Branches: config.Branches{Jobs: "annotated", JobFile: "jobs/{branch}.yaml", Together: []string{"harbour/sheet"}, Milestone: "{major}.{minor}", Protection: "none",
			Require: []string{"picked"}, Changelog: "open", FastForward: "only", Replace: []config.Replacement{{File: "VERSION", From: "{major}.{minor}", To: "{major}.{next_minor}", Where: "main"}}},
		Gates: config.Gates{
			Green: []string{"nightly"}, Runs: 3, Rehearsal: "optional", Notes: "optional", Dashboards: config.BlockingBoards{Runs: 3},
			Blockers:  config.Blockers{Labels: []string{"tide/merge-blocker", "release-blocker"}},
			Approvals: []config.Approval{{Role: "release manager", Logins: []string{"ada"}}, {Role: "security", Logins: []string{"cho", "dee"}}},
		},
		Announce: config.Announce{To: []string{"users@example.org"}, From: "Ada <ada@example.org>", Subject: "{name} {version} of {date}", Template: "docs/mail.md"},
		Issue:    config.ReleaseIssue{Open: "always"},
	}
	lines := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Lines" }, cmp.Ignore())
	if diff := cmp.Diff(want, p.Release, lines); diff != "" {
		t.Errorf("release:\n%s", diff)
	}
	wantBuild := config.Build{
		Command:   []string{"make", "dist"},
		Go:        config.Go{Main: []string{"./cmd/halyard", "."}, Name: "hly", Ldflags: "-X main.v={version} -X main.c={commit}", Env: map[string]string{"CGO_ENABLED": "0"}},
		Env:       map[string]string{"A": "b"},
		Platforms: []string{"linux/amd64", "linux/arm/v7"}, Files: []string{"LICENSE", "docs/man.1"},
	}
	if diff := cmp.Diff(wantBuild, p.Build, lines); diff != "" {
		t.Errorf("build:\n%s", diff)
	}
	wantMerge := config.Merge{
		Method: "squash", Labels: config.Labels{Require: []string{"lgtm"}, Forbid: []string{"hold"}},
		Milestone: map[string]string{"trunk": "v1.1", "release-1.0": "v1.0"}, RequiredContexts: []string{"cla"}, BatchLimit: 1,
		Branches: map[string]config.MergeBranch{"release-1.0": {Require: []string{"picked"}, Milestone: "v1.0"}},
	}
	if diff := cmp.Diff(wantMerge, p.Merge, lines); diff != "" {
		t.Errorf("merge:\n%s", diff)
	}
	c, problems := p.JobConfig("harbour/halyard", nil)
	if len(problems) > 0 {
		t.Errorf("jobs: %v", problems)
	}
	if len(c.Presubmits["harbour/halyard"]) != 1 || len(c.Periodics) != 1 {
		t.Errorf("jobs: got %v", c.All())
	} else if r := c.Periodics[0].ExtraRefs; len(r) != 1 || r[0].Org != "harbour" || r[0].Repo != "halyard" {
		t.Errorf("the periodic's sources: got %v, want the repository", r)
	}
}

func TestParseMinimal(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte("version: 1\nproject: {name: halyard}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Project.DefaultBranch != "main" || p.Merge.Method != "merge" || p.Build.Go.Name != "halyard" ||
		!slices.Equal(p.Merge.Labels.Require, []string{"lgtm", "approved"}) || len(p.Build.Platforms) != 4 ||
		p.Release.Gates.Runs != 1 || p.Release.Gates.Rehearsal != "required" {
		t.Errorf("defaults: got %+v", p)
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []string // beginnings of the messages, in order
	}{
		{"empty", "", []string{"f:1: no version: write version: 1"}},
		{"other version", "version: 2\n", []string{"f:1: version is 2"}},
		{"not a mapping", "- version\n", []string{"f:1: the file is a list: write a mapping"}},
		{"syntax", "version: 1\nproject: {name: x\n", []string{"f:2: not YAML: "}},
		{"tab", "version: 1\nmerge:\n\tmethod: merge\n", []string{"f:3: a tab indents this line: indent with spaces"}},
		{"unknown fields, all at once", "version: 1\nproject: {nmae: x}\nrelase: {}\nmerge:\n  method: fast\n", []string{
			`f:2: unknown field "nmae": write name`, `f:3: unknown field "relase": write release`, `f:5: method is "fast": write one of merge, squash, rebase`,
		}},
		{"in another section", "version: 1\ntag_prefix: v\n", []string{`f:2: unknown field "tag_prefix": write it under release`}},
		{"twice", "version: 1\nversion: 1\n", []string{`f:2: "version" is given twice: it stands on line 1 already`}},
		{"what is made of the build", `version: 1
images:
- {name: Halyard, platforms: [linux/amd64]}
- {name: tools, files: [{path: /x, sorce: y}]}
packages:
- {name: x, summary: Ropes, maintainer: ada}
build: {formats: [tar.gz, rar, tar.gz]}
`, []string{
			`f:2: image Halyard: "Halyard" cannot be the name of an image`, `f:4: unknown field "sorce": write source`, "f:5: package x: name \"x\": write two or more", "f:5: package x: license: name the license",
			`f:5: package x: maintainer "ada": write Name <mail@example.org>`, "f:5: package x: platforms: list them", "f:5: package x: contents:", `f:7: format "rar": write one of tar.gz, tar.zst, zip, binary`, "f:7: tar.gz is there twice",
		}},
		{"second document", "version: 1\n---\nversion: 1\n", []string{"f:3: a second document"}},
		{"wrong kinds", "version: one\nmerge:\n  labels: [lgtm]\n  batch_limit: many\nbuild: {platforms: linux/amd64}\n", []string{
			`f:1: version is "one": write a number`, "f:3: labels is a list: write a mapping", `f:4: batch_limit is "many": write a number`, "f:5: platforms is the value \"linux/amd64\": write a list",
		}},
		{"values", `version: 1
project: {name: a b, default_branch: "no such branch"}
jobs: {files: ["../other/*.yaml", "/etc/passwd", "[a"]}
merge:
  labels: {require: [lgtm], forbid: [lgtm]}
  batch_limit: 0
  milestone: {main: ""}
build:
  platforms: [linux, linux/amd64, linux/amd64]
  files: [../secret]
  go: {main: [cmd/x], name: "a/b", ldflags: "{sha}", env: {"A=B": c}}
release:
  tag_prefix: "v "
  branch_pattern: release
  changelog: /CHANGELOG.md
  gates:
    runs: 0
    rehearsal: maybe
    approvals: [{role: boss}]
  announce: {to: [nobody], template: ../x, subject: "{who}"}
grid: {dashboards: [{jobs: []}, {name: a}, {name: a}]}
`, []string{
			`f:2: project name "a b"`, `f:2: default_branch "no such branch"`,
			`f:3: job files "../other/*.yaml"`, `f:3: job files "/etc/passwd"`, `f:3: job files "[a"`,
			`f:5: label "lgtm" is both`, "f:6: batch_limit is 0", `f:7: the milestone of branch "main" has no title`,
			`f:9: platform "linux"`, "f:9: platform linux/amd64 is there twice", `f:10: file "../secret"`,
			"f:11: ldflags has {sha}", `f:11: main package "cmd/x"`, `f:11: archive name "a/b"`, `f:11: environment variable "A=B"`,
			`f:13: tag_prefix "v "`, `f:14: branch_pattern "release" lacks {major}`, `f:14: branch_pattern "release" lacks {minor}`, `f:15: changelog "/CHANGELOG.md"`,
			"f:17: runs is 0", `f:18: rehearsal is "maybe"`, "f:19: an approval needs a role",
			"f:20: subject has {who}", `f:20: address "nobody"`, "f:20: an announcement by mail needs a sender", `f:20: template "../x"`,
			"f:21: a dashboard without a name", `f:21: dashboard "a" is there twice`,
		}},
		{"in the jobs", "version: 1\njobs:\n  presubmits:\n  - name: a\n    alwaysrun: true\n    spec: {containers: [{command: [x]}]}\n  periodics:\n  - name: b\n    spec: {containers: [{command: [x]}]}\n", []string{
			`f:5: unknown field "alwaysrun": write always_run`, "f:8: periodic b never runs",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("f", []byte(tt.in))
			got := strict.Problems(err)
			for i := range max(len(got), len(tt.want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing: %s", tt.want[i])
				case i >= len(tt.want):
					t.Errorf("too much: %s", got[i])
				case !strings.HasPrefix(got[i].String(), tt.want[i]):
					t.Errorf("problem %d: got %q, want %q…", i, got[i], tt.want[i])
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	repo := fstest.MapFS{config.Name: {Data: []byte("version: 1\n")}}
	if p, err := config.Load(repo); err != nil || p.File != config.Name {
		t.Errorf("Load = %+v, %v", p, err)
	}
	if _, err := config.Load(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of nothing: %v", err)
	}
}

func TestJobConfig(t *testing.T) {
	t.Parallel()
	const central = "presubmits:\n  harbour/halyard:\n  - name: lint\n    spec: {containers: [{command: [x]}]}\n"
	const inRepo = "presubmits:\n- name: unit\n  spec: {containers: [{command: [x]}]}\n"
	p, err := config.Parse("seaworthy.yaml", []byte(`version: 1
jobs: {files: [.prow.yaml, "ci/**/*.yaml"]}
release: {gates: {green: [lnit]}}
grid: {dashboards: [{name: d, jobs: [unit, gone]}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := p.JobConfig("harbour/halyard", map[string][]byte{
		".prow.yaml": []byte(inRepo), "ci/a/b.yaml": []byte(central), "other.yaml": []byte("not: [yaml"),
	})
	if n := len(c.Presubmits["harbour/halyard"]); n != 2 {
		t.Errorf("got %d presubmits, want both forms' 2", n)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		`seaworthy.yaml:3: gates.green names job "lnit", which there is not: write lint`,
		`seaworthy.yaml:4: dashboard "d" shows job "gone", which there is not: remove it, or add the job`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIsJobFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{".prow.yaml", ".prow.yaml", true},
		{".prow.yaml", "a/.prow.yaml", false},
		{"jobs/*.yaml", "jobs/a.yaml", true},
		{"jobs/*.yaml", "jobs/a/b.yaml", false},
		{"jobs/**", "jobs/a/b.yaml", true},
		{"**/*.yaml", "a.yaml", true},
		{"**/*.yaml", "a/b/c.yaml", true},
		{"a/**/z.yaml", "a/z.yaml", true},
		{"a/**/z.yaml", "b/z.yaml", false},
	}
	for _, tt := range tests {
		p := config.Project{Jobs: config.Jobs{Files: []string{tt.pattern}}}
		if got := p.IsJobFile(tt.path); got != tt.want {
			t.Errorf("IsJobFile(%q) with %q = %t", tt.path, tt.pattern, got)
		}
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	tests := map[string]config.Detected{
		"nothing": {},
		"everything": {
			Module: "example.org/harbour/halyard/v2", Description: `Ties "knots".`, DefaultBranch: "trunk",
			Mains: []string{"./cmd/halyard", "."}, VersionVar: "main.version", Files: []string{"LICENSE", "README.md"}, Maintainers: []string{"ada", "cho"}, Owners: true,
		},
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := config.Example(d)
			golden(t, filepath.Join("testdata", "example-"+name+".yaml"), got)
			p, err := config.Default(d)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := p.JobConfig("harbour/halyard", nil)
			if len(problems) > 0 || len(p.Warnings) > 0 || len(c.Presubmits["harbour/halyard"]) != 2 || len(c.Postsubmits["harbour/halyard"]) != 1 {
				t.Errorf("jobs: got %v, problems %v, warnings %v", c.All(), problems, p.Warnings)
			}
			if d.Module != "" && (p.Project.Name != "halyard" || p.Project.DefaultBranch != "trunk" || p.Project.Description != d.Description ||
				!slices.Equal(p.Build.Go.Main, d.Mains) || p.Build.Go.Ldflags != "-X main.version={version}" || p.Release.Gates.Approvals[0].Logins[1] != "cho") {
				t.Errorf("what was detected did not come back: %+v", p)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	golden(t, "seaworthy.schema.json", config.Schema())
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("seaworthy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("seaworthy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"whole", whole, true},
		{"example", string(config.Example(config.Detected{})), true},
		{"minimal", "version: 1", true},
		{"no version", "project: {}", false},
		{"unknown field", "version: 1\nproject: {nmae: x}", false},
		{"wrong kind", "version: 1\nbuild: {platforms: linux/amd64}", false},
		{"not one of", "version: 1\nmerge: {method: fast}", false},
	}
	for _, tt := range tests {
		data, err := yaml.YAMLToJSON([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(config.Example(config.Detected{}))
	f.Add([]byte("version: 1\nmerge: &a {labels: *a}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := config.Parse("f", data)
		if err != nil && len(strict.Problems(err)) == 0 {
			t.Errorf("an error without problems: %v", err)
		}
		if err == nil && p.Version != 1 {
			t.Errorf("no error, and version %d", p.Version)
		}
	})
}

func FuzzExample(f *testing.F) {
	f.Add("halyard", "Ties knots.", "main", "./cmd/halyard", "main.version")
	f.Add("{{.}}", "a: b # c\n- d", "\"", "[", "#")
	f.Fuzz(func(t *testing.T, name, description, branch, main, variable string) {
		d := config.Detected{Module: name, Description: description, DefaultBranch: branch, Mains: []string{main}, VersionVar: variable}
		text := config.Example(d)
		if !utf8.Valid(text) {
			t.Fatalf("not UTF-8: %q", text)
		}
		// A value may be refused, but never break the file.
		_, err := config.Parse("f", text)
		for _, p := range strict.Problems(err) {
			if strings.Contains(p.Message, "YAML") || strings.Contains(p.Message, "unknown field") || strings.Contains(p.Message, "control") {
				t.Errorf("%s in\n%s", p, text)
			}
		}
	})
}
