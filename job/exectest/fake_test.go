package exectest

import (
	"context"
	"errors"
	"testing"

	"seaworthy/job"
	"seaworthy/job/exec"
)

func TestFakePlaysItsScript(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	f := &Fake{}
	f.Script("unit",
		Outcome{Log: "first\n", Result: exec.Result{State: job.Failure, ExitCode: 1}},
		Outcome{Err: broken},
		Outcome{Artifacts: map[string]string{"a": "b"}})
	rec := &Recorder{}
	req := exec.Request{Execution: job.Execution{ID: "1", Job: "unit"}}
	for i, want := range []struct {
		state job.State
		err   error
	}{{job.Failure, nil}, {"", broken}, {job.Success, nil}, {job.Success, nil}} {
		r, err := f.Run(context.Background(), req, rec)
		if r.State != want.state || !errors.Is(err, want.err) {
			t.Errorf("run %d: %s, %v; want %s, %v", i, r.State, err, want.state, want.err)
		}
	}
	if rec.Log() != "first\n" || rec.Artifacts()["a"] != "b" || len(f.Requests()) != 4 {
		t.Errorf("log %q, artifacts %v, %d requests", rec.Log(), rec.Artifacts(), len(f.Requests()))
	}
}

func TestFakeBlocksUntilAborted(t *testing.T) {
	t.Parallel()
	started := make(chan string, 1)
	f := &Fake{Started: started}
	f.Script("unit", Outcome{Block: true})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-started
		cancel()
	}()
	r, err := f.Run(ctx, exec.Request{Execution: job.Execution{ID: "1", Job: "unit"}}, &Recorder{})
	if err != nil || r.State != job.Aborted {
		t.Errorf("ended as %s, %v; want %s", r.State, err, job.Aborted)
	}
}
