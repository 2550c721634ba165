package local_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"seaworthy/job"
	"seaworthy/job/local"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"PATH=" + os.Getenv("PATH"), "A=1", "A=2", "=x", "broken"}
	for _, c := range []struct {
		name    string
		command []string
		timeout time.Duration
		state   job.State
		code    int
		says    string
	}{
		{"succeeds", []string{"sh", "-c", `echo "$A $PWD"; pwd`}, 0, job.Success, 0, "2 " + dir + "\n" + dir + "\n"},
		{"fails", []string{"sh", "-c", "echo no >&2; exit 7"}, 0, job.Failure, 7, "no"},
		{"takes too long", []string{"sh", "-c", "trap 'exit 1' INT; while :; do sleep 0.02; done"}, 50 * time.Millisecond, job.Failure, -1, "did not end"},
	} {
		var out strings.Builder
		r, err := local.Program{Command: c.command, Dir: dir, Env: env, Timeout: c.timeout, Grace: 5 * time.Second}.Run(t.Context(), &out)
		if err != nil || r.State != c.state || r.ExitCode != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %+v, %v, %q", c.name, r, err, out.String())
		}
	}
	if _, err := (local.Program{Command: []string{"no-such-program"}, Dir: dir, Env: env}).Run(t.Context(), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "no program no-such-program") {
		t.Errorf("a program there is not: %v", err)
	}
	if _, err := (local.Program{}).Run(t.Context(), &strings.Builder{}); err == nil {
		t.Error("no program at all is run")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := (local.Program{Command: []string{"sleep", "60"}, Dir: dir, Env: env}).Run(ctx, &strings.Builder{}); err != nil || r.State != job.Aborted {
		t.Errorf("aborted: %+v, %v", r, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	if err := local.Find("sh", "/", "/bin:/usr/bin"); err != nil {
		t.Error(err)
	}
	if err := local.Find("sh", "/", "/nowhere"); err == nil {
		t.Error("it is found nowhere")
	}
}
