package job_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/job"
)

const run = "spec: {containers: [{image: golang, command: [go]}]}"

func TestParse(t *testing.T) {
	t.Parallel()
	f, problems := job.Parse("jobs.yaml", []byte(`prow_ignored: {anything: goes}
presets:
- labels: {preset-go: "true"}
  env: [{name: GOFLAGS, value: -mod=mod}]
presubmits:
  harbour/halyard:
  - name: pull-halyard-unit
    always_run: true
    optional: true
    skip_report: false
    cluster: default
    max_concurrency: 2
    job_queue_name: slow
    path_alias: example.org/halyard
    clone_uri: https://example.org/halyard.git
    skip_submodules: true
    clone_depth: 1
    branches: [^main$]
    labels: {preset-go: "true"}
    annotations: {testgrid-num-failures-to-alert: 3}
    decorate: true
    decoration_config: {timeout: 10m, grace_period: 30s, utility_images: {clonerefs: x}}
    extra_refs: [{org: harbour, repo: knots, base_ref: main, path_alias: example.org/knots, workdir: true}]
    rerun_auth_config: {github_users: [ada], github_team_slugs: [{org: harbour, slug: crew}]}
    reporter_config: {slack: {channel: ci, job_states_to_report: [failure]}}
    spec:
      serviceAccountName: builder
      nodeSelector: {disk: fast}
      containers:
      - image: golang
        command: [go]
        args: [test, ./...]
        workingDir: /src
        env: [{name: A, value: b}, {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        securityContext: {privileged: true}
        resources: {limits: {cpu: 2, memory: 1Gi}}
  - name: pull-halyard-docs
    run_if_changed: ^docs/
    context: docs
    trigger: (?m)^/docs$
    rerun_command: /docs
    `+run+`
postsubmits:
  harbour/halyard:
  - name: post-halyard-image
    always_run: false
    `+run+`
  - name: post-halyard
    skip_if_only_changed: \.md$
    `+run+`
periodics:
- name: ci-halyard-nightly
  cron: 0 3 * * *
  tags: [nightly]
  `+run+`
- name: ci-halyard-hourly
  interval: 1h
  `+run+`
`))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	pulls, posts := f.Presubmits["harbour/halyard"], f.Postsubmits["harbour/halyard"]
	if len(pulls) != 2 || len(posts) != 2 || len(f.Periodics) != 2 || len(f.Presets) != 1 {
		t.Fatalf("got %d, %d, %d jobs, %d presets", len(pulls), len(posts), len(f.Periodics), len(f.Presets))
	}
	got := pulls[0].Execution(job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main"})
	want := job.Execution{
		Job: "pull-halyard-unit", Type: job.Presubmit, Context: "pull-halyard-unit", State: job.Triggered, Optional: true, Report: true,
		Refs:  job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", PathAlias: "example.org/halyard", CloneURI: "https://example.org/halyard.git", SkipSubmodules: true, CloneDepth: 1},
		Extra: []job.Refs{{Org: "harbour", Repo: "knots", BaseRef: "main", PathAlias: "example.org/knots", WorkDir: true}},
		Spec: job.Spec{
			Image: "golang", Command: []string{"go"}, Args: []string{"test", "./..."}, WorkingDir: "/src",
			Env: []job.EnvVar{{Name: "A", Value: "b"}}, Timeout: 10 * time.Minute, GracePeriod: 30 * time.Second, PathAlias: "example.org/halyard",
			Labels: map[string]string{"preset-go": "true"}, Annotations: map[string]string{"testgrid-num-failures-to-alert": "3"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("execution:\n%s", diff)
	}
	if j := pulls[0]; j.Line != 7 || j.File != "jobs.yaml" || j.Trigger != `(?m)^/test( | .* )pull-halyard-unit,?($|\s.*)` || j.RerunCommand != "/test pull-halyard-unit" ||
		j.Agent != "kubernetes" || j.Cluster != "default" || j.MaxConcurrency != 2 || j.Queue != "slow" || !j.Decorate || j.Rerun.Teams[0].Slug != "crew" || j.Reporter.Slack.States[0] != job.Failure {
		t.Errorf("got %+v", j)
	}
	if j := pulls[1]; j.Context != "docs" || j.Trigger != "(?m)^/docs$" || j.AlwaysRun {
		t.Errorf("got %+v", j)
	}
	if posts[0].AlwaysRun || posts[1].AlwaysRun || !posts[1].Automatic() {
		t.Error("a postsubmit with always_run: false or a condition does not always run")
	}
	if e := f.Periodics[0].Execution(job.Refs{Org: "x", Repo: "y"}); e.Refs.Repo != "" || e.Report {
		t.Errorf("a periodic has no refs and no status: got %+v", e)
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	pre := func(fields string) string {
		return "presubmits:\n  o/r:\n  - name: a\n    " + run + "\n    " + fields + "\n"
	}
	tests := []struct {
		name, in string
		want     []string // beginnings
	}{
		{"empty", "", nil},
		{"null sections", "presubmits:\npostsubmits: {}\nperiodics: []\n", nil},
		{"no job file", "registries: {a: b}\n", []string{"f:1: warning: no jobs in this file"}},
		{"misspelt section", "presubmit: {}\n", []string{`f:1: unknown field "presubmit": write presubmits`}},
		{"unknown field", pre("alwaysrun: true"), []string{`f:5: unknown field "alwaysrun": write always_run`}},
		{"field of another place", pre("timeout: 1h"), []string{`f:5: unknown field "timeout": write it under decoration_config`}},
		{"field of another type", pre("cron: 0 0 * * *"), []string{`f:5: unknown field "cron": remove it`}},
		{"in the container", "periodics:\n- name: a\n  interval: 1h\n  spec:\n    containers:\n    - image: x\n      arg: [y]\n", []string{`f:7: unknown field "arg": write args`}},
		{"twice", pre("name: b"), []string{`f:5: "name" is given twice`}},
		{"repository", "presubmits:\n  r:\n  - name: a\n    " + run + "\n", []string{`f:3: repository "r": write OWNER/NAME`}},
		{"no name", "periodics:\n- interval: 1h\n  " + run + "\n", []string{"f:2: a periodic without a name"}},
		{"bad name", "periodics:\n- name: a b\n  interval: 1h\n  " + run + "\n", []string{`f:2: job name "a b": write it with`}},
		{"nothing to run", "periodics:\n- name: a\n  interval: 1h\n", []string{"f:2: job a has nothing to run"}},
		{"other agent", "periodics:\n- name: a\n  interval: 1h\n  agent: jenkins\n", []string{`f:4: warning: job a wants agent "jenkins"`}},
		{"two containers", "periodics:\n- name: a\n  interval: 1h\n  spec: {containers: [{image: x}, {image: y}]}\n", []string{"f:4: warning: job a has 2 containers"}},
		{"env twice", "periodics:\n- name: a\n  interval: 1h\n  spec: {containers: [{image: x, env: [{name: A}, {name: A}, {name: B=}]}]}\n", []string{"f:4: warning: job a sets A twice", `f:4: job a: environment variable "B="`}},
		{"always and condition", pre("always_run: true\n    run_if_changed: x"), []string{"f:6: job a has always_run: true and run_if_changed: keep one"}},
		{"two conditions", pre("run_if_changed: x\n    skip_if_only_changed: y"), []string{"f:6: job a has run_if_changed and skip_if_only_changed"}},
		{"before merge and always", pre("run_before_merge: true\n    always_run: true"), []string{"f:5: job a: run_before_merge goes with none"}},
		{"trigger alone", pre("trigger: x"), []string{"f:5: job a has trigger without rerun_command"}},
		{"rerun alone", pre("rerun_command: x"), []string{"f:5: job a has rerun_command without trigger"}},
		{"trigger and rerun apart", pre("trigger: x\n    rerun_command: y"), []string{`f:6: job a: rerun_command "y" does not match trigger "x"`}},
		{"expressions", pre("branches: ['(']\n    skip_branches: ['[']\n    run_if_changed: '*'\n    trigger: ')'\n    rerun_command: x"), []string{
			"f:5: branches: error parsing regexp", "f:6: skip_branches: error", "f:7: run_if_changed: error", "f:8: trigger: error",
		}},
		{"loose branch, told once", "presubmits:\n  o/r:\n  - name: a\n    branches: [release-1.2]\n    " + run + "\n  - name: b\n    branches: [release-1.2, ^main$]\n    " + run + "\n", []string{
			`f:4: warning: job a: branch pattern "release-1.2" also matches "release-1.20", since patterns are not anchored: write "^release-1.2$"`,
		}},
		{"negative", pre("max_concurrency: -1\n    decoration_config: {timeout: -1h}"), []string{"f:5: max_concurrency is -1", "f:6: a negative time"}},
		{"extra refs", pre("extra_refs: [{org: o}, {org: o, repo: x}, {org: o, repo: x}]"), []string{"f:5: job a: an entry of extra_refs needs", "f:5: job a: extra_refs has o/x twice"}},
		{"anyone and someone", pre("rerun_auth_config: {allow_anyone: true, github_users: [ada]}"), []string{"f:5: rerun_auth_config allows anyone"}},
		{"never", "periodics:\n- name: a\n  " + run + "\n", []string{"f:2: periodic a never runs: write one of"}},
		{"two times", "periodics:\n- cron: 0 0 * * *\n  interval: 1h\n  name: a\n  " + run + "\n", []string{"f:3: periodic a has cron and interval: keep one"}},
		{"no time", "periodics:\n- name: a\n  interval: 0s\n  " + run + "\n", []string{"f:3: periodic a: interval must be longer than nothing"}},
		{"bad cron", "periodics:\n- name: a\n  cron: 0 0 * *\n  " + run + "\n", []string{`f:3: periodic a: cron "0 0 * *": `}},
		{"cron with seconds", "periodics:\n- name: a\n  cron: 0 22, 10 * * *\n  " + run + "\n", []string{`f:3: warning: periodic a: cron "0 22, 10 * * *" has six fields: the first is the second of the minute, 0;`}},
		{"cron never fires", "periodics:\n- name: a\n  cron: 0 0 31 2 *\n  " + run + "\n", []string{`f:3: warning: periodic a: cron "0 0 31 2 *" never fires`}},
		{"cron with a zone", "periodics:\n- name: a\n  cron: CRON_TZ=Europe/Berlin 0 0 * * *\n  " + run + "\n", []string{"f:3: warning: periodic a: Prow accepts a time zone"}},
		{"preset without labels", "presets:\n- env: [{name: A}]\n", []string{"f:2: warning: a preset without labels goes into every job"}},
		{"documents", "periodics:\n- name: a\n  interval: 1h\n  " + run + "\n---\nperiodics:\n- name: b\n  interval: 1h\n  " + run + "\n", []string{"f:6: warning: a second YAML document"}},
		{"all at once", "presubmits:\n  o/r:\n  - name: a\n    optinal: true\n    spec: {}\nperiodics:\n- name: b\n", []string{
			"f:3: job a has nothing to run", `f:4: unknown field "optinal": write optional`, "f:7: job b has nothing to run", "f:7: periodic b never runs",
		}},
		{"syntax", "presubmits:\n  o/r:\n\t- name: a\n", []string{"f:3: a tab indents this line"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := job.Parse("f", []byte(tt.in))
			same(t, got, tt.want)
		})
	}
}

func same(t *testing.T, got []job.Problem, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too much: %s", got[i])
		case !strings.HasPrefix(got[i].String(), want[i]):
			t.Errorf("problem %d: got %q, want %q…", i, got[i], want[i])
		}
	}
}

// A job with an error is left out, the others stay.
func TestParseKeepsTheRest(t *testing.T) {
	t.Parallel()
	f, _ := job.Parse("f", []byte("periodics:\n- name: a\n  "+run+"\n- name: b\n  interval: 1h\n  "+run+"\n---\nperiodics:\n- name: c\n  interval: 1h\n  "+run+"\n"))
	var names []string
	for _, j := range f.Periodics {
		names = append(names, j.Name)
	}
	if diff := cmp.Diff([]string{"b", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestParseInRepo(t *testing.T) {
	t.Parallel()
	const lists = "presubmits:\n- name: a\n  " + run + "\npostsubmits:\n- name: b\n  " + run + "\nperiodics:\n- name: c\n  interval: 1h\n  " + run + "\n"
	f, problems := job.ParseInRepo("o/r", ".prow.yaml", []byte(lists))
	if len(problems) > 0 || len(f.Presubmits["o/r"]) != 1 || len(f.Postsubmits["o/r"]) != 1 || len(f.Periodics) != 1 {
		t.Fatalf("got %+v, %v", f, problems)
	}
	if diff := cmp.Diff([]job.Refs{{Org: "o", Repo: "r", WorkDir: true}}, f.Periodics[0].ExtraRefs); diff != "" {
		t.Error(diff)
	}
	_, problems = job.ParseInRepo("o/r", "f", []byte("presubmits:\n  o/r: []\n"))
	same(t, problems, []string{"f:2: presubmits is a mapping: write a list"})

	for _, tt := range []struct{ name, in, repo string }{
		{"lists", lists, "o/r"},
		{"mappings", "presubmits:\n  x/y:\n  - name: a\n    " + run + "\n", "x/y"},
	} {
		f, problems := job.ParseRepoFile("o/r", "f", []byte(tt.in))
		if len(problems) > 0 || len(f.Presubmits[tt.repo]) != 1 {
			t.Errorf("%s: got %+v, %v", tt.name, f, problems)
		}
	}
}

func TestParsePresets(t *testing.T) {
	t.Parallel()
	f, problems := job.ParsePresets("config.yaml", []byte("plank: {anything: [1]}\npresets:\n- labels: {a: b}\n  env: [{nam: x}]\n"))
	if len(f.Presets) != 1 || f.Presets[0].File != "config.yaml" {
		t.Errorf("got %+v", f.Presets)
	}
	same(t, problems, []string{`config.yaml:4: unknown field "nam": write name`})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	parse := func(name, text string) job.File {
		t.Helper()
		f, problems := job.Parse(name, []byte(text))
		for _, p := range problems {
			if !p.Warning {
				t.Fatalf("problem: %s", p)
			}
		}
		return f
	}
	pre := func(name, more string) string {
		return "  - name: " + name + "\n    " + more + "\n    " + run + "\n"
	}
	head := "presubmits:\n  o/r:\n"
	tests := []struct {
		name, a, b string
		want       []string
	}{
		{"different", head + pre("a", "always_run: true"), head + pre("b", "always_run: true"), nil},
		{"same name", head + pre("a", "optional: true"), head + pre("a", "always_run: true"), []string{`b:3: presubmit name "a" is taken by a:3`}},
		{"same name, branches apart", head + pre("a", "branches: [main]"), head + pre("a", "branches: [dev]"), nil},
		{"same name, one skips the other's", head + pre("a", "branches: [main]"), head + pre("a", "skip_branches: [main]"), nil},
		{"same name, one skips something else", head + pre("a", "branches: [main, dev]"), head + pre("a", "skip_branches: [main]"), []string{"b:3: presubmit name"}},
		{"same name, both skip", head + pre("a", "skip_branches: [x]"), head + pre("a", "skip_branches: [y]"), []string{"b:3: presubmit name"}},
		{"same context", head + pre("a", "context: c"), head + pre("b", "context: c"), []string{`b:3: presubmit context "c" is taken by a:3`}},
		{"same name in another repository", head + pre("a", "optional: true"), "presubmits:\n  o/s:\n" + pre("a", "optional: true"), nil},
		{"same periodic", "periodics:\n- name: a\n  interval: 1h\n  " + run + "\n", "periodics:\n- name: a\n  interval: 2h\n  " + run + "\n", []string{`b:2: periodic name "a" is taken by a:2`}},
		{"same postsubmit", "postsubmits:\n  o/r:\n" + pre("a", "context: c"), "postsubmits:\n  o/r:\n" + pre("a", "context: d"), []string{`b:3: postsubmit name "a"`}},
		{"preset twice", "presets:\n- labels: {l: x}\n  env: [{name: A}]\n- labels: {l: x}\n  env: [{name: A}]\n", head + pre("a", "labels: {l: x}"), []string{"b:3: job a sets A, and so does the preset of a:4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := job.Merge(parse("a", tt.a), parse("b", tt.b))
			same(t, problems, tt.want)
		})
	}
}

func TestMergePresets(t *testing.T) {
	t.Parallel()
	f, problems := job.Parse("f", []byte(`presets:
- labels: {cloud: "yes", size: big}
  env: [{name: BOTH, value: "1"}]
- labels: {cloud: "yes"}
  env: [{name: CLOUD, value: "1"}]
  volumes: [{name: key, secret: {secretName: key}}]
  volumeMounts: [{name: key, mountPath: /key}]
  tolerations: [{key: spot}]
periodics:
- name: with
  interval: 1h
  labels: {cloud: "yes", size: small}
  spec: {containers: [{image: x, env: [{name: OWN, value: "1"}]}]}
- name: without
  interval: 1h
  `+run+`
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for range 2 { // merging leaves the file as it is, so that it can be merged again
		c, problems := job.Merge(f)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		with, without := c.Periodics[0], c.Periodics[1]
		if diff := cmp.Diff([]job.EnvVar{{Name: "OWN", Value: "1"}, {Name: "CLOUD", Value: "1"}}, with.Spec().Env); diff != "" {
			t.Error(diff)
		}
		if len(with.Pod.Volumes) != 1 || len(with.Pod.Containers[0].VolumeMounts) != 1 || len(with.Pod.Tolerations) != 1 {
			t.Errorf("pod: got %+v", with.Pod)
		}
		if without != f.Periodics[1] {
			t.Error("a job that takes over no preset is not copied")
		}
	}
	if len(f.Periodics[0].Pod.Containers[0].Env) != 1 {
		t.Error("the file's own job was changed")
	}
}

func TestConfigLists(t *testing.T) {
	t.Parallel()
	f, _ := job.Parse("f", []byte("presubmits:\n  b/b:\n  - name: x\n    "+run+"\n  a/a:\n  - name: x\n    "+run+"\npostsubmits:\n  c/c:\n  - name: y\n    "+run+"\nperiodics:\n- name: z\n  interval: 1h\n  "+run+"\n"))
	c, _ := job.Merge(f)
	var all []string
	for _, j := range c.All() {
		all = append(all, string(j.Type)+" "+j.Repo+" "+j.Name)
	}
	if diff := cmp.Diff([]string{"presubmit a/a x", "presubmit b/b x", "postsubmit c/c y", "periodic  z"}, all); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a/a", "b/b", "c/c"}, c.Repos()); diff != "" {
		t.Error(diff)
	}
	if n := len(c.Find("x")); n != 2 {
		t.Errorf("Find: got %d, want 2", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("presubmits:\n  o/r:\n  - name: a\n    branches: [main]\n    " + run + "\n"))
	f.Add([]byte("periodics:\n- name: a\n  cron: 0 0 31 2 *\n  " + run + "\n---\nperiodics:\n- interval: 1h\n"))
	f.Add([]byte("presets:\n- &a {labels: {x: y}, env: [{name: A}]}\n- *a\nperiodics:\n- {name: a, interval: 1h, labels: {x: y}, spec: {containers: [{}]}}\n"))
	f.Add([]byte("presubmits:\n- name: a\n  " + run + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func() (job.File, []job.Problem){
			func() (job.File, []job.Problem) { return job.Parse("f", data) },
			func() (job.File, []job.Problem) { return job.ParseRepoFile("o/r", "f", data) },
			func() (job.File, []job.Problem) { return job.ParsePresets("f", data) },
		} {
			file, _ := parse()
			c, _ := job.Merge(file)
			for _, j := range c.All() {
				if j.Name == "" || j.Type != job.Periodic && j.Context == "" {
					t.Errorf("an incomplete job: %+v", j)
				}
				job.Env(j.Execution(job.Refs{Org: "o", Repo: "r"}))
				job.NextRun(j, time.Unix(0, 0))
			}
		}
	})
}
