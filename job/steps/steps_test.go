package steps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/job"
	"seaworthy/job/cloudbuild"
	"seaworthy/job/exec"
	"seaworthy/job/local"
	"seaworthy/job/result"
	"seaworthy/job/steps"
	"seaworthy/strict"
)

// machine runs programs on this machine.
type machine struct{}

func (machine) Find(name, dir string, env []string) error {
	return local.Find(name, dir, os.Getenv("PATH"))
}

func (machine) Run(ctx context.Context, p steps.Program, w io.Writer) (exec.Result, error) {
	return local.Program{Command: p.Command, Dir: p.Dir, Env: p.Env, Timeout: p.Timeout, Grace: time.Second}.Run(ctx, w)
}

// world is a build in folders of its own.
type world struct {
	steps.Options
	out *strings.Builder
}

func newWorld(t testing.TB, text string) world {
	t.Helper()
	b, problems := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
	plan, more := b.Plan(cloudbuild.Given{})
	if err := strict.AsError(append(problems, more...)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := &strings.Builder{}
	w := world{steps.Options{Plan: plan, File: "cloudbuild.yaml", Workspace: filepath.Join(dir, "workspace"), Temp: filepath.Join(dir, "temp"),
		Artifacts: filepath.Join(dir, "artifacts"), Runner: machine{}, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Fixed: []string{"HOME"},
		Out: out, Now: time.Now}, out}
	for _, d := range []string{w.Workspace, w.Temp} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func states(r steps.Report) string {
	var all []string
	for _, s := range r.Steps {
		all = append(all, string(s.State))
	}
	return strings.Join(all, ", ")
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
options: {env: [COMMON=all]}
steps:
- {name: bash, id: make, dir: sub/dir, args: [sh, -c, 'echo "$$COMMON $$HOME" > /workspace/made; pwd'], env: [HOME=/root]}
- {name: alpine, id: script, script: 'cat made; echo from $$ > other; printf end'}
- {name: ubuntu, entrypoint: ./program, dir: bin}
- {name: bash, id: fails, args: ["false"], allowFailure: true}
- {name: bash, id: three, script: exit 3, allowExitCodes: [3]}
`)
	if err := os.MkdirAll(filepath.Join(w.Workspace, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Workspace, "bin", "program"), []byte("#!/bin/sh\necho program ran\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if problems := steps.Check(w.Options); len(problems) > 0 {
		t.Fatal(problems)
	}
	r, err := steps.Run(t.Context(), w.Options)
	if err != nil || r.State != steps.Succeeded || states(r) != "success, success, success, allowed failure, allowed failure" {
		t.Fatalf("%s: %s, %v\n%s", r.State, states(r), err, w.out)
	}
	home := strings.TrimPrefix(w.Env[1], "HOME=")
	for _, want := range []string{
		`Step #0 - "make": ` + filepath.Join(w.Workspace, "sub/dir") + "\n", `Step #1 - "script": all ` + home + "\n", `Step #1 - "script": end` + "\n",
		`Step #2 - "ubuntu": program ran`, "(image bash is not used)",
	} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, w.out)
		}
	}
	if r.Steps[4].ExitCode != 3 || r.Steps[0].Seconds <= 0 {
		t.Errorf("%+v", r.Steps)
	}
	kept(t, w, r)
}

// kept checks what a run leaves in the artifacts folder.
func kept(t *testing.T, w world, r steps.Report) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(w.Artifacts, filepath.FromSlash(r.Steps[1].Log)))
	if err != nil || !strings.HasSuffix(string(log), "\nend") {
		t.Errorf("log %q, %v", log, err)
	}
	text, err := os.ReadFile(filepath.Join(w.Artifacts, steps.ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	var again steps.Report
	if err := json.Unmarshal(text, &again); err != nil || states(again) != states(r) {
		t.Errorf("report %s, %v", text, err)
	}
	f, err := os.Open(filepath.Join(w.Artifacts, "junit_steps.xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tests, err := result.ParseJUnit(f, result.Limits{})
	// Those the build went on without are left out of what is judged.
	if err != nil || len(tests) != 3 {
		t.Errorf("%d tests, %v", len(tests), err)
	}
}

// Who watches a build finds in its report what is over and what runs.
func TestReportWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
steps:
- {name: bash, id: one, args: ["true"]}
- {name: bash, id: two, args: [sh, -c, 'cp "$$REPORT" seen']}
- {name: bash, id: three, args: ["true"]}
`)
	w.Env = append(w.Env, "REPORT="+filepath.Join(w.Artifacts, steps.ReportFile))
	if r, err := steps.Run(t.Context(), w.Options); err != nil || r.State != steps.Succeeded {
		t.Fatalf("%+v, %v\n%s", r, err, w.out)
	}
	text, err := os.ReadFile(filepath.Join(w.Workspace, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	var seen steps.Report
	if err := json.Unmarshal(text, &seen); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if seen.State != steps.Running || states(seen) != "success, running, waiting" || seen.Steps[0].Finished.IsZero() || seen.Steps[1].Log == "" {
		t.Errorf("while it ran the report was\n%s", text)
	}
	if left, err := filepath.Glob(filepath.Join(w.Artifacts, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, steps, state, states, says string }{
		{"the rest does not begin", "- {name: bash, args: ['true']}\n- {name: bash, id: bad, script: exit 7}\n- {name: bash, args: ['true']}", "failure", "success, failure, not run", "Exited with code 7"},
		{"what runs is stopped", "- {name: bash, args: [sleep, '600'], waitFor: '-'}\n- {name: bash, script: exit 1, waitFor: '-'}", "failure", "stopped, failure", "code 1"},
		{"another exit code than those allowed", "- {name: bash, script: exit 4, allowExitCodes: [3]}", "failure", "failure", "code 4"},
		{"a step takes too long", "- {name: bash, args: [sleep, '600'], timeout: 0.1s}", "failure", "timeout", "Timed out"},
		{"the build takes too long", "- {name: bash, args: [sleep, '600']}\ntimeout: 0.2s", "timeout", "", "longer than 200ms"},
		{"a program that was to be made", "- {name: bash, entrypoint: bin/missing}", "failure", "failure", "no program"},
		{"a link out of the workspace", "- {name: bash, args: [ln, -s, /, out]}\n- {name: bash, args: ['true'], dir: out/tmp/seaworthy-never}", "error", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "steps:\n"+c.steps+"\n")
			r, err := steps.Run(t.Context(), w.Options)
			if c.state == "error" {
				if err == nil {
					t.Errorf("it is followed: %+v", r)
				}
				return
			}
			if err != nil || string(r.State) != c.state || c.states != "" && states(r) != c.states || !strings.Contains(r.Says, c.says) {
				t.Errorf("%s, %q: %s, %v; want %s, %s\n%s", r.State, r.Says, states(r), err, c.state, c.states, w.out)
			}
		})
	}
}

func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "steps: [{name: bash, args: [sleep, '600']}, {name: bash, args: ['true']}]")
	ctx, cancel := context.WithCancel(t.Context())
	w.Runner = beginning{cancel}
	r, err := steps.Run(ctx, w.Options)
	if err != nil || r.State != steps.Stopped || states(r) != "stopped, not run" {
		t.Errorf("%s: %s, %v", r.State, states(r), err)
	}
}

// beginning calls a function when a program begins, which then never ends.
type beginning struct{ begun func() }

func (beginning) Find(string, string, []string) error { return nil }

func (b beginning) Run(ctx context.Context, _ steps.Program, _ io.Writer) (exec.Result, error) {
	b.begun()
	<-ctx.Done()
	return exec.Result{State: job.Aborted, ExitCode: -1}, nil
}

// meeting ends a program once as many run at the same time as are awaited.
type meeting struct {
	mu       sync.Mutex
	awaited  int
	complete chan struct{}
	order    *[]string
}

func (*meeting) Find(string, string, []string) error { return nil }

func (m *meeting) Run(ctx context.Context, p steps.Program, _ io.Writer) (exec.Result, error) {
	m.mu.Lock()
	*m.order = append(*m.order, p.Command[0])
	if slices.Contains(p.Command, "meet") {
		if m.awaited--; m.awaited == 0 {
			close(m.complete)
		}
		m.mu.Unlock()
		select {
		case <-m.complete:
		case <-ctx.Done():
			return exec.Result{}, fmt.Errorf("the others did not come: %w", ctx.Err())
		}
	} else {
		m.mu.Unlock()
	}
	return exec.Result{State: job.Success}, nil
}

// Steps that do not wait for each other run at once, and after what they wait for.
func TestParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `steps:
- {name: x, entrypoint: first, id: first}
- {name: x, entrypoint: a, args: [meet], waitFor: first}
- {name: x, entrypoint: b, args: [meet], waitFor: first}
- {name: x, entrypoint: c, args: [meet], waitFor: first}
- {name: x, entrypoint: last}
`)
	var order []string
	w.Runner = &meeting{awaited: 3, complete: make(chan struct{}), order: &order}
	r, err := steps.Run(t.Context(), w.Options)
	if err != nil || r.State != steps.Succeeded || order[0] != "first" || order[4] != "last" {
		t.Errorf("%s, %v: %v", r.State, err, order)
	}
	order = nil
	w.Runner, w.Parallel = &meeting{awaited: 3, complete: make(chan struct{}), order: &order}, 2
	w.Plan.Timeout = 50 * time.Millisecond
	if r, err := steps.Run(t.Context(), w.Options); err == nil && r.State == steps.Succeeded {
		t.Errorf("three run where two may: %v", order)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `steps:
- {name: gcr.io/cloud-builders/no-such-builder, args: [x]}
- {name: bash, script: "#!/usr/bin/env -S no-such-shell -x\necho"}
- {name: bash, script: "#!/no/such/interpreter"}
- {name: bash, entrypoint: /workspace/bin/later}
- {name: bash, entrypoint: bin/later}
- {name: bash, script: echo}
- {name: bash, entrypoint: /no/such/program}
`)
	var lines []int
	for _, p := range steps.Check(w.Options) {
		lines = append(lines, p.Line)
		if !strings.Contains(p.Message, "leave the step to the cloud") {
			t.Errorf("%s", p)
		}
	}
	if !slices.Equal(lines, []int{2, 3, 4, 8}) {
		t.Errorf("problems on the lines %v", lines)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "steps: [{name: bash, args: [echo, x]}]")
	w.Out = brokenWriter{}
	if _, err := steps.Run(t.Context(), w.Options); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("%v", err)
	}
}
