package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release/cut"
)

// byHand are the flags that go through a flow by hand.
type byHand struct{ flow.DriveOptions }

func (o *byHand) add(c *cobra.Command) {
	c.Flags().StringVar(&o.Until, "until", "", "stop after this `step`")
	c.Flags().StringVar(&o.Only, "step", "", "run this one `step` only, and show it")
	c.MarkFlagsMutuallyExclusive("until", "step")
}

// check refuses a step that the flow does not have, before a run is begun for it.
func (o *byHand) check(a *app.App, name string) error {
	for _, d := range a.Releases.Definitions() {
		if d.Name() != name {
			continue
		}
		var have []string
		for _, step := range d.Steps() {
			have = append(have, step.Name)
		}
		for _, asked := range []string{o.Until, o.Only} {
			if asked != "" && !slices.Contains(have, asked) {
				return usageError{fmt.Errorf("a %s has no step %q: write one of %s", name, asked, strings.Join(have, ", "))}
			}
		}
	}
	return nil
}

// takeUp returns the run to be driven. Where steps are taken by hand and the same
// release has been begun so, it is that one, and not refused as a second.
func (o *byHand) takeUp(run flow.Run, err error, same func(flow.Run) bool) (flow.Run, error) {
	var busy *flow.BusyError
	if (o.Only == "" && o.Until == "") || !errors.As(err, &busy) || busy.Run.State != flow.Pending || !same(busy.Run) {
		return run, err
	}
	return busy.Run, nil
}

// sameStage reports whether a run stages what is asked for.
func sameStage(want cut.StageRequest) func(flow.Run) bool {
	return func(run flow.Run) bool {
		var r cut.StageRequest
		return json.Unmarshal(run.Params, &r) == nil && r.Kind == want.Kind && r.Commit == want.Commit && r.Mock == want.Mock
	}
}

// sameCut reports whether a run cuts what is asked for.
func sameCut(want cut.CutRequest) func(flow.Run) bool {
	return func(run flow.Run) bool {
		var r cut.CutRequest
		return json.Unmarshal(run.Params, &r) == nil && r.BuildVersion == want.BuildVersion && r.Mock == want.Mock
	}
}

// drive takes a run as far as the flags say, and shows the one step that was run.
func (o *byHand) drive(ctx context.Context, s Streams, a *app.App, id string) error {
	if err := drive(ctx, s, a, id, o.DriveOptions); err != nil || o.Only == "" {
		return err
	}
	t, err := a.Releases.Status(ctx, id)
	if err != nil {
		return err
	}
	step, _ := t.Step(o.Only)
	if err := printLogs(s.Out, []shownStep{showStep(step)}); err != nil {
		return err
	}
	if t.Run.State == flow.Pending {
		fmt.Fprintf(s.Err, "The rest: seaworthy release resume %s\n", id)
	}
	return nil
}

// shownStep is a step as release logs prints it.
type shownStep struct {
	Step     string               `json:"step"`
	Title    string               `json:"title"`
	State    flow.StepState       `json:"state"`
	Sentence string               `json:"sentence"`
	Started  time.Time            `json:"started,omitzero"`
	Finished time.Time            `json:"finished,omitzero"`
	Seconds  float64              `json:"seconds"`
	Attempts []flow.AttemptStatus `json:"attempts"`
	Output   json.RawMessage      `json:"output,omitempty"`
}

func showStep(s flow.StepStatus) shownStep {
	attempts := s.Attempts
	if attempts == nil {
		attempts = []flow.AttemptStatus{}
	}
	return shownStep{Step: s.Name, Title: s.Title, State: s.State, Sentence: s.Sentence, Started: s.StartedAt, Finished: s.FinishedAt,
		Seconds: s.Duration.Seconds(), Attempts: attempts, Output: s.Output}
}

func newReleaseLogs(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	c := &cobra.Command{
		Use:   "logs RUN [STEP]",
		Short: "Show what the steps of a stage or cut have said and given out",
		Long: `Shows each step that was begun with its log, attempt by attempt, how long it took, and what it gave to the steps
after it. -o json has the times of every line. The same is kept in the bucket's archive once a release is cut.`,
		Example: `  seaworthy release logs 20261122-174313-abcdef
  seaworthy release logs 20261122-174313-abcdef build -o json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onRun(cmd.Context(), p, args[0], func(_ *app.App, t flow.Timeline) error {
				shown := []shownStep{}
				for _, step := range t.Steps {
					if len(args) == 2 && step.Name == args[1] || len(args) == 1 && !step.StartedAt.IsZero() {
						shown = append(shown, showStep(step))
					}
				}
				if len(args) == 2 && len(shown) == 0 {
					return usageError{fmt.Errorf("a %s has no step %q: seaworthy release status %s names them", t.Run.Flow, args[1], args[0])}
				}
				return out.print(s.Out, shown, func(w io.Writer) error { return printLogs(w, shown) })
			})
		},
	}
	p.add(c)
	out.add(c)
	return c
}

func printLogs(w io.Writer, shown []shownStep) error {
	p := &printer{w: w}
	for i, s := range shown {
		if i > 0 {
			p.printf("\n")
		}
		p.printf("%s: %s, %s\n", s.Step, s.Title, s.State)
		for _, a := range s.Attempts {
			if len(s.Attempts) > 1 {
				p.printf("  attempt %d\n", a.Number)
			}
			for _, l := range a.Log {
				p.printf("  %s  %s\n", l.At.UTC().Format(time.TimeOnly), l.Text)
			}
			if a.Error != "" {
				p.printf("  %s  failed: %s\n", a.FinishedAt.UTC().Format(time.TimeOnly), a.Error)
			}
		}
		if s.Seconds > 0 {
			p.printf("  took %s\n", time.Duration(s.Seconds*float64(time.Second)).Round(10*time.Millisecond))
		}
		if len(s.Output) > 0 {
			p.printf("  gave %s\n", s.Output)
		}
	}
	return p.err
}

// printer prints until the first error, and remembers it.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
