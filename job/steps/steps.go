package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/job"
	"seaworthy/job/cloudbuild"
	"seaworthy/job/exec"
	"seaworthy/strict"
)

// Program is what a step runs.
type Program struct {
	Command []string
	Dir     string
	Env     []string
	Timeout time.Duration
}

// Runner runs programs.
type Runner interface {
	// Find reports a program that cannot be run from a folder.
	Find(name, dir string, env []string) error
	Run(ctx context.Context, p Program, w io.Writer) (exec.Result, error)
}

// Options are what a build runs with.
type Options struct {
	Plan cloudbuild.Plan
	// File is what problems of the plan call its file.
	File string
	// Workspace is the folder that stands for /workspace, and Temp one for
	// scripts, outside of it.
	Workspace, Temp string
	// Artifacts takes the report and the logs; nothing is kept when empty.
	Artifacts string
	Runner    Runner
	// Env is what every step sees; what a step says itself goes before it,
	// except for the names in Fixed.
	Env   []string
	Fixed []string
	Out   io.Writer // takes every step's log, each line with the step's name
	Now   func() time.Time
	// Parallel bounds the steps that run at once; 4 when zero.
	Parallel int
}

// State of a step or a build.
type State string

// States.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Succeeded State = "success"
	Failed    State = "failure"
	Allowed   State = "allowed failure" // which the build goes on without
	TimedOut  State = "timeout"
	Stopped   State = "stopped" // with the build
	NotRun    State = "not run"
)

// Step is what became of a step.
type Step struct {
	Index    int       `json:"index"`
	Label    string    `json:"label"`
	Image    string    `json:"image"`
	Command  []string  `json:"command,omitempty"` // none for a script
	State    State     `json:"state"`
	Says     string    `json:"says,omitempty"`
	ExitCode int       `json:"exit_code"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	Seconds  float64   `json:"seconds"`
	Log      string    `json:"log,omitempty"` // below the artifacts
}

// Report is what became of a build.
type Report struct {
	State    State     `json:"state"`
	Says     string    `json:"says,omitempty"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Seconds  float64   `json:"seconds"`
	Tags     []string  `json:"tags,omitempty"`
	Steps    []Step    `json:"steps"`
}

// errFailed ends a build whose step failed.
var errFailed = errors.New("a step failed")

// build is a run of a plan.
type build struct {
	o    Options
	out  *lines
	over []chan struct{} // closed when what waits for the step may begin
	mu   sync.Mutex
	all  []Step

	began time.Time
	// lost is why the report could not be brought up to date.
	lost error
}

// Check reports every step whose program is not to be had, before anything
// runs. A path below the workspace may be made by an earlier step.
func Check(o Options) []strict.Problem {
	var problems []strict.Problem
	for _, s := range o.Plan.Steps {
		name := interpreter(s.Script)
		if s.Script == "" {
			name = s.Command[0]
		}
		inside := strings.Contains(name, "/") && (!filepath.IsAbs(name) || name != cloudbuild.Relocate(name, o.Workspace))
		if inside {
			continue
		}
		if err := o.Runner.Find(name, o.Workspace, o.environment(s)); err != nil {
			problems = append(problems, strict.Problem{File: o.File, Line: s.Line,
				Message: fmt.Sprintf("step %q cannot run here: %v; its image %s is not used: install the program, or leave the step to the cloud", s.Label, err, s.Image)})
		}
	}
	return problems
}

// interpreter is the program that a script is run by.
func interpreter(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	line, ok := strings.CutPrefix(first, "#!")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return "/bin/sh"
	}
	if filepath.Base(words[0]) == "env" {
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
				return w
			}
		}
	}
	return words[0]
}

// Run runs the build. A build that fails is a report and no error; the error
// says that no verdict could be reached.
func Run(ctx context.Context, o Options) (Report, error) {
	b := &build{o: o, out: &lines{w: o.Out}}
	for _, s := range o.Plan.Steps {
		b.over = append(b.over, make(chan struct{}))
		b.all = append(b.all, Step{Index: s.Index, Label: s.Label, Image: s.Image, Command: s.Command, State: Waiting, ExitCode: -1})
	}
	b.began = o.Now().UTC()
	report := Report{Started: b.began, Tags: o.Plan.Tags}
	limited, cancel := context.WithTimeout(ctx, o.Plan.Timeout)
	defer cancel()
	g, gctx := errgroup.WithContext(limited)
	parallel := o.Parallel
	if parallel == 0 {
		parallel = 4
	}
	room := make(chan struct{}, parallel)
	for i := range o.Plan.Steps {
		g.Go(func() error {
			// One that failed, or did not begin, never is: what waits for it
			// ends with the build.
			good, err := b.step(gctx, i, room)
			if good {
				close(b.over[i])
			}
			return err
		})
	}
	err := g.Wait()
	report.Finished = o.Now().UTC()
	report.Seconds = report.Finished.Sub(report.Started).Seconds()
	report.Steps = b.all
	cutOff := slices.ContainsFunc(b.all, func(s Step) bool { return s.State == Stopped || s.State == NotRun })
	switch {
	case ctx.Err() != nil && cutOff:
		report.State, report.Says = Stopped, "The build was stopped."
	case errors.Is(limited.Err(), context.DeadlineExceeded) && cutOff && err == nil:
		report.State, report.Says = TimedOut, fmt.Sprintf("The build took longer than %s.", o.Plan.Timeout)
	case errors.Is(err, errFailed):
		i := slices.IndexFunc(b.all, func(s Step) bool { return s.State == Failed || s.State == TimedOut })
		report.State, report.Says = Failed, fmt.Sprintf("Step %q: %s", b.all[i].Label, b.all[i].Says)
	case err != nil:
		return report, err
	default:
		report.State = Succeeded
	}
	return report, errors.Join(b.out.close(), b.lost, b.keep(report))
}

// step waits for what comes before, and runs one step. It is good if the build
// goes on.
func (b *build) step(ctx context.Context, i int, room chan struct{}) (good bool, err error) {
	s := b.o.Plan.Steps[i]
	for _, j := range s.After {
		select {
		case <-b.over[j]:
		case <-ctx.Done():
			b.set(i, func(s *Step) { s.State = NotRun })
			return false, nil
		}
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // what it waited for may have ended with the build
		b.set(i, func(s *Step) { s.State = NotRun })
		return false, nil
	}
	b.set(i, func(s *Step) { s.State, s.Started = Running, b.o.Now().UTC() })
	result, err := b.program(ctx, i)
	if err != nil {
		return false, fmt.Errorf("step %q: %w", s.Label, err)
	}
	b.set(i, func(out *Step) {
		out.Finished = b.o.Now().UTC()
		out.Seconds = out.Finished.Sub(out.Started).Seconds()
		out.ExitCode, out.Says = result.ExitCode, result.Message
		switch {
		case result.State == job.Success:
			out.State, out.Says = Succeeded, ""
		case result.State == job.Aborted:
			out.State = Stopped
		case s.AllowFailure || slices.Contains(s.AllowExitCodes, result.ExitCode):
			out.State = Allowed
		case result.TimedOut:
			out.State, err = TimedOut, errFailed
		default:
			out.State, err = Failed, errFailed
		}
	})
	return err == nil && result.State != job.Aborted, err
}

func (b *build) set(i int, change func(*Step)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.all[i])
	if b.lost == nil {
		b.lost = b.progress()
	}
}

// program runs a step's command or script, and keeps its log.
func (b *build) program(ctx context.Context, i int) (result exec.Result, err error) {
	s := b.o.Plan.Steps[i]
	p := Program{Dir: filepath.Join(b.o.Workspace, filepath.FromSlash(s.Dir)), Env: b.o.environment(s), Timeout: s.Timeout}
	if p.Timeout == 0 {
		p.Timeout = b.o.Plan.Timeout
	}
	for _, word := range s.Command {
		p.Command = append(p.Command, cloudbuild.Relocate(word, b.o.Workspace))
	}
	if s.Script != "" {
		file, err := b.script(s)
		if err != nil {
			return result, err
		}
		p.Command = []string{file}
	}
	// The folder is made when missing, as a container runtime does.
	if err := b.makeDir(s.Dir); err != nil {
		return result, err
	}
	log, err := b.openLog(i)
	if err != nil {
		return result, err
	}
	out := b.out.of(fmt.Sprintf("Step #%d - %q: ", i, s.Label))
	fmt.Fprintf(out, "%s (image %s is not used)\n", strings.Join(p.Command, " "), s.Image)
	if err := b.o.Runner.Find(p.Command[0], p.Dir, p.Env); err != nil {
		// Such as a program that an earlier step should have made.
		fmt.Fprintln(io.MultiWriter(out, log), err)
		return exec.Result{State: job.Failure, ExitCode: 127, Message: err.Error()}, errors.Join(out.end(), log.Close())
	}
	result, err = b.o.Runner.Run(ctx, p, io.MultiWriter(out, log))
	return result, errors.Join(err, out.end(), log.Close())
}

// makeDir makes a step's folder, and never one outside of the workspace: a link
// made by an earlier step does not lead out of it.
func (b *build) makeDir(dir string) error {
	root, err := os.OpenRoot(b.o.Workspace)
	if err != nil {
		return fmt.Errorf("opening the workspace: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
		return fmt.Errorf("making the folder %s of the workspace: %w", dir, err)
	}
	return nil
}

func (b *build) script(s cloudbuild.Planned) (string, error) {
	text := cloudbuild.Relocate(s.Script, b.o.Workspace)
	if !strings.HasPrefix(text, "#!") {
		text = "#!/bin/sh\n" + text
	}
	file := filepath.Join(b.o.Temp, fmt.Sprintf("step-%02d", s.Index))
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		return "", fmt.Errorf("writing the script: %w", err)
	}
	return file, nil
}

// environment is what a step sees.
func (o Options) environment(s cloudbuild.Planned) []string {
	env := slices.Clone(o.Env)
	for _, e := range s.Env {
		name, _, _ := strings.Cut(e, "=")
		if !slices.Contains(o.Fixed, name) {
			env = append(env, cloudbuild.Relocate(e, o.Workspace))
		}
	}
	return env
}
