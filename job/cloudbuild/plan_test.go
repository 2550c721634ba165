package cloudbuild_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seaworthy/job/cloudbuild"
	"seaworthy/strict"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a value with a file of testdata, as JSON.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not as recorded; look at it and run go test -update:\n%s", file, got)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/image.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, problems := cloudbuild.Parse("image.yaml", text)
	if len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].String(), "image.yaml:5: warning: options.machineType") {
		t.Errorf("problems %v", problems)
	}
	plan, problems := b.Plan(cloudbuild.Given{BuiltIn: map[string]string{"PROJECT_ID": "tides"}, User: map[string]string{"_GIT_TAG": "v20261122-abc", "_ORG": "harbour"}})
	if len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
	golden(t, "image.json", plan)
}

func planOf(t testing.TB, text string, g cloudbuild.Given) (cloudbuild.Plan, []strict.Problem) {
	t.Helper()
	b, problems := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
	plan, more := b.Plan(g)
	failures, _ := strict.Split(strict.Sort(append(problems, more...)))
	return plan, failures
}

// Everything that is wrong is said at once, each with its line.
func TestProblems(t *testing.T) {
	t.Parallel()
	text := `steps:
- name: example.org/mystery
  args: [run]
- name: alpine
  entrypoint: sh
  script: echo
  secretEnv: [TOKEN]
- name: bash
  args: [echo, "$HOME $_NEW ${_X:-y}"]
  waitFor: [unti]
  dir: ../../etc
  id: one
  timeout: soon
- name: bash
  args: [echo]
  id: unit
  env: [BROKEN]
  volumes: [{name: v, path: /v}]
  dir: /var/lib
- name: bash
  args: [echo]
  id: unit
  allowExitCodes: [300]
- entrypoint: sh
  colour: red
- name: debian
timeout: 86401s
substitutions:
  own: 1
  _UNUSED: 1
options:
  substitutionOption: LOOSE
  secret_env: [A]
artifacts:
  pythonPackages: []
  objects: {location: gs://b, paths: [../x]}
`
	_, failures := planOf(t, text, cloudbuild.Given{User: map[string]string{"_GIVEN": "1"}})
	var got []string
	for _, p := range failures {
		got = append(got, p.String())
	}
	golden(t, "problems.json", got)
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, waits, want, fails string }{
		{"one after the other", "| | |", "[] [0] [0 1] [0 1 2]", ""},
		{"at once", "-|-|-|-", "[] [] [] []", ""},
		{"a diamond", "-|a|a|b,c", "[] [0] [0] [1 2]", ""},
		{"all before, whatever they wait for", "-|-||", "[] [] [0 1] [0 1 2]", ""},
		{"a later one", "d|-|-|-", "[3] [] [] []", ""},
		{"- beside names", "-|-,a|||", "[] [0] [0 1] [0 1 2]", ""},
		{"twice the same", "-|a,a|-|-", "[] [0] [] []", ""},
		{"itself", "a|||", "", "waits for itself"},
		{"a circle", "b|a||", "", "break the circle"},
		{"nobody", "x|||", "", `names "x"`},
		{"misspelt", "|aa||", "", `write a`},
	} {
		waits := strings.Split(c.waits, "|")
		var b strings.Builder
		b.WriteString("steps:\n")
		for i, id := range []string{"a", "b", "c", "d"} {
			b.WriteString("- {name: bash, args: [echo], id: " + id)
			if w := strings.TrimSpace(waits[i]); w != "" {
				b.WriteString(`, waitFor: ["` + strings.ReplaceAll(w, ",", `","`) + `"]`)
			}
			b.WriteString("}\n")
		}
		plan, failures := planOf(t, b.String(), cloudbuild.Given{})
		if c.fails != "" {
			if len(failures) == 0 || !strings.Contains(failures[0].Message, c.fails) {
				t.Errorf("%s: %v, want %q", c.name, failures, c.fails)
			}
			continue
		}
		var after []string
		for _, s := range plan.Steps {
			text, err := json.Marshal(s.After)
			if err != nil {
				t.Fatal(err)
			}
			after = append(after, strings.ReplaceAll(strings.ReplaceAll(string(text), ",", " "), "null", "[]"))
		}
		if got := strings.Join(after, " "); got != c.want || len(failures) > 0 {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, failures)
		}
	}
}

func TestBuilders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ image, args, want string }{
		{"gcr.io/cloud-builders/go", "[build, .]", "go build ."},
		{"gcr.io/cloud-builders/git:latest@sha256:abc", "[status]", "git status"},
		{"gcr.io/cloud-builders/docker", "[]", "docker"},
		{"golang:1.26", "[go, test]", "go test"},
		{"library/ubuntu", "[ls]", "ls"},
		{"localhost:5000/golang", "[go]", ""},
		{"gcr.io/google.com/cloudsdktool/cloud-sdk:slim", "[gcloud, version]", "gcloud version"},
		{"registry.k8s.io/build-image/kube-cross:v1.37.0", "[make]", "make"},
		{"evil.example/golang", "[go]", ""},
		{"golang", "[]", ""},
		{"gcr.io/kaniko-project/executor:latest", "[--x]", ""},
		{"gcr.io/cloud-builders/../x", "[y]", ""},
	} {
		plan, failures := planOf(t, "steps: [{name: '"+c.image+"', args: "+c.args+"}]", cloudbuild.Given{})
		got := strings.Join(plan.Steps[0].Command, " ")
		if (len(failures) > 0) != (c.want == "") || c.want != "" && got != c.want {
			t.Errorf("%s %s: %q, want %q (%v)", c.image, c.args, got, c.want, failures)
		}
	}
}

func TestRelocate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/workspace":                            "/tmp/w",
		"/workspace/bin/krel":                   "/tmp/w/bin/krel",
		"-o=/workspace/a:/workspace/b":          "-o=/tmp/w/a:/tmp/w/b",
		"cd /workspace; ls /workspace":          "cd /tmp/w; ls /tmp/w",
		"/workspaces /my/workspace ./workspace": "/workspaces /my/workspace ./workspace",
		"/workspace-2 /workspace.old":           "/workspace-2 /workspace.old",
		"/workspace /workspace /workspace":      "/tmp/w /tmp/w /tmp/w",
		"":                                      "",
	} {
		if got := cloudbuild.Relocate(text, "/tmp/w"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := cloudbuild.Relocate("/workspace", "/workspace/x"); got != "/workspace/x" {
		t.Errorf("a workspace below one: %q", got)
	}
}

func TestGiven(t *testing.T) {
	t.Parallel()
	const strictly = "steps: [{name: bash, args: [echo, $_A, $BRANCH_NAME]}]\nsubstitutions: {_A: file}\n"
	plan, failures := planOf(t, strictly, cloudbuild.Given{User: map[string]string{"_A": "given"}, Offered: map[string]string{"_GIT_TAG": "v1", "_A": "offered"}})
	if len(failures) > 0 || !slices.Equal(plan.Steps[0].Command, []string{"echo", "given", ""}) {
		t.Errorf("%v %v", plan.Steps[0].Command, failures)
	}
	if _, failures := planOf(t, strictly, cloudbuild.Given{User: map[string]string{"_GIT_TAG": "v1"}}); len(failures) != 1 || !strings.Contains(failures[0].Message, "_GIT_TAG is given and not used") {
		t.Errorf("%v", failures)
	}
	if _, failures := planOf(t, strictly+"options: {substitutionOption: ALLOW_LOOSE}", cloudbuild.Given{User: map[string]string{"_GIT_TAG": "v1"}}); len(failures) > 0 {
		t.Errorf("loose: %v", failures)
	}
	for name, ok := range map[string]bool{"_TAG": true, "COMMIT_SHA": true, "BUILD_ID": false, "tag": false, "": false, "_": false, "_a": false} {
		if err := cloudbuild.CheckName(name); (err == nil) != ok {
			t.Errorf("%q on a command line: %v", name, err)
		}
	}
}
