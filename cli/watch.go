package cli

import (
	"context"
	"errors"
	"time"

	"seaworthy/app"
	"seaworthy/demo"
	"seaworthy/flow"
)

// How often a run that is driven elsewhere is looked at.
const lookEvery = 250 * time.Millisecond

// follow shows a run's steps on stderr while work goes on.
func follow(ctx context.Context, s Streams, a *app.App, id string, work func() error) error {
	screen := screenOn(s.Err)
	done := make(chan error, 1)
	go func() { done <- work() }()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var err error
		ended := false
		select {
		case err = <-done:
			ended = true
		case <-look.C:
		}
		t, terr := a.Releases.Status(context.WithoutCancel(ctx), id)
		if terr == nil {
			terr = screen.Draw(steps(t))
		}
		if ended {
			return errors.Join(err, terr)
		}
	}
}

// steps is a timeline as the terminal draws it.
func steps(t flow.Timeline) []demo.Step {
	var all []demo.Step
	for _, s := range t.Steps {
		step := demo.Step{Title: s.Title, Note: s.Sentence, Duration: s.Duration, State: demo.Pending}
		switch {
		case s.State == flow.StepSkipped:
			step.State = demo.Skipped
		case s.State.Over():
			step.State = demo.Done
		case s.State == flow.StepRunning, s.State == flow.StepWaiting:
			step.State = demo.Running
		case s.State != flow.StepPending:
			step.State = demo.Failed
		}
		all = append(all, step)
	}
	return all
}

// waitFinal returns when a run needs nobody any more, or waits for a person.
func waitFinal(ctx context.Context, a *app.App, id string) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		t, err := a.Releases.Status(ctx, id)
		if err != nil {
			return err
		}
		switch t.Run.State {
		case flow.Failed, flow.Canceled:
			return errors.New(oneLine(t.Sentence))
		case flow.Succeeded, flow.Waiting:
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
}
