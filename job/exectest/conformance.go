package exectest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// patience bounds every case: an executor that hangs fails rather than stalls.
const patience = 2 * time.Minute

// Conformance proves that the executors made by open keep the contract of
// exec.Executor. Jobs are shell commands in the image busybox.
func Conformance(t *testing.T, open func(*testing.T) exec.Executor) {
	cases := []struct {
		name string
		run  func(*testing.T, exec.Executor)
	}{
		{"Output", testOutput},
		{"LogStreams", testLogStreams},
		{"HugeOutput", testHugeOutput},
		{"ExitCodes", testExitCodes},
		{"MissingProgram", testMissingProgram},
		{"NoCommand", testNoCommand},
		{"CleanEnvironment", testCleanEnvironment},
		{"Expansion", testExpansion},
		{"OwnFolders", testOwnFolders},
		{"FoldersRemoved", testFoldersRemoved},
		{"Artifacts", testArtifacts},
		{"ArtifactsOfAFailure", testArtifactsOfAFailure},
		{"Timeout", testTimeout},
		{"TimeoutKills", testTimeoutKills},
		{"Abort", testAbort},
		{"AbortKillsDescendants", testAbortKillsDescendants},
		{"NothingOutlives", testNothingOutlives},
		{"UnreachableSource", testUnreachableSource},
		{"Secrets", testSecrets},
		{"BrokenSink", testBrokenSink},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

var serial atomic.Int64

// shell is a request to run a script.
func shell(script string) exec.Request {
	return exec.Request{Execution: job.Execution{
		ID: fmt.Sprintf("conformance-%d-%d", time.Now().UnixNano(), serial.Add(1)), Job: "conformance", Type: job.Periodic,
		Spec: job.Spec{Image: "busybox", Command: []string{"sh", "-c"}, Args: []string{script}, Timeout: patience, GracePeriod: 10 * time.Second},
	}}
}

// run runs a request to its end.
func run(t *testing.T, x exec.Executor, r exec.Request) (exec.Result, *Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rec := &Recorder{}
	result, err := x.Run(ctx, r, rec)
	if err != nil {
		t.Fatalf("running %q: %v\nlog:\n%s", r.Execution.Spec.Args, err, rec.Log())
	}
	return result, rec
}

// program returns what the program wrote after the line that echoes its
// command, which every executor's own lines come before.
func program(t *testing.T, rec *Recorder, begin string) string {
	t.Helper()
	_, after, ok := strings.Cut(rec.Log(), begin)
	if !ok {
		t.Fatalf("no %q in the log:\n%s", begin, rec.Log())
	}
	return after
}

func want(t *testing.T, r exec.Result, state job.State, code int) {
	t.Helper()
	if r.State != state || r.ExitCode != code {
		t.Errorf("ended as %s with exit code %d (%s), want %s with %d", r.State, r.ExitCode, r.Message, state, code)
	}
}

// begin makes a script print a line that cannot be mistaken for its source.
const begin = "echo be''gin; "

func testOutput(t *testing.T, x exec.Executor) {
	r, rec := run(t, x, shell(begin+"echo one; echo two >&2; echo three; printf 'no newline'"))
	want(t, r, job.Success, 0)
	if diff := cmp.Diff("one\ntwo\nthree\nno newline", program(t, rec, "begin\n")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// testLogStreams ends a program that never ends only once its output has been
// seen.
func testLogStreams(t *testing.T, x exec.Executor) {
	req := shell("echo re''ady; sleep 300")
	req.Execution.Spec.GracePeriod = 100 * time.Millisecond // a shell between two commands may miss a signal
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rec := &Recorder{}
	aborting, abort := context.WithCancel(ctx)
	defer abort()
	done := make(chan error, 1)
	go func() {
		_, err := x.Run(aborting, req, rec)
		done <- err
	}()
	if err := rec.WaitFor(ctx, "ready\n"); err != nil {
		t.Error(err)
	}
	abort()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func testHugeOutput(t *testing.T, x exec.Executor) {
	const lines = 400_000
	r, rec := run(t, x, shell(begin+fmt.Sprintf("yes 0123456789012345678901234567890123456789 | head -n %d", lines)))
	want(t, r, job.Success, 0)
	out := program(t, rec, "begin\n")
	if got := strings.Count(out, "0123456789012345678901234567890123456789\n"); got != lines || len(out) != lines*41 {
		t.Errorf("%d whole lines in %d bytes, want %d in %d", got, len(out), lines, lines*41)
	}
}

func testExitCodes(t *testing.T, x exec.Executor) {
	for code, state := range map[int]job.State{0: job.Success, 1: job.Failure, 3: job.Failure, 255: job.Failure} {
		r, _ := run(t, x, shell(fmt.Sprintf("exit %d", code)))
		want(t, r, state, code)
		if r.TimedOut {
			t.Errorf("exit code %d is taken for a timeout", code)
		}
	}
}

func testMissingProgram(t *testing.T, x exec.Executor) {
	req := shell("")
	req.Execution.Spec.Command = []string{"no-such-program-anywhere"}
	r, rec := run(t, x, req)
	if r.State != job.Errored {
		t.Errorf("ended as %s, want %s", r.State, job.Errored)
	}
	if !strings.Contains(rec.Log(), "no-such-program-anywhere") || r.Message == "" {
		t.Errorf("message %q and log %q do not name the program", r.Message, rec.Log())
	}
}

func testNoCommand(t *testing.T, x exec.Executor) {
	req := shell("")
	req.Execution.Spec.Command, req.Execution.Spec.Args, req.Execution.Spec.Image = nil, nil, ""
	if r, _ := run(t, x, req); r.State != job.Errored {
		t.Errorf("ended as %s, want %s", r.State, job.Errored)
	}
}

func testCleanEnvironment(t *testing.T, x exec.Executor) {
	req := shell("")
	req.Execution.Spec.Command, req.Execution.Spec.Args = []string{"env"}, nil
	req.Env = []job.EnvVar{{Name: "COLOUR", Value: "red"}, {Name: "TWO", Value: "a b"}, {Name: "COLOUR", Value: "blue"}}
	r, rec := run(t, x, req)
	want(t, r, job.Success, 0)
	expected := map[string]bool{"COLOUR": true, "TWO": true, "PATH": true, "HOME": true, "TMPDIR": true, "ARTIFACTS": true,
		"LANG": true, "PWD": true, "HOSTNAME": true}
	seen := map[string]string{}
	for line := range strings.Lines(rec.Log()) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || strings.HasPrefix(line, "$ ") {
			continue
		}
		seen[name] = value
		if !expected[name] && !strings.HasPrefix(name, "KUBERNETES_") {
			t.Errorf("%s is in the environment, but nobody gave it", name)
		}
	}
	if seen["COLOUR"] != "blue" || seen["TWO"] != "a b" || seen["PATH"] == "" || seen["ARTIFACTS"] == "" {
		t.Errorf("environment is %v", seen)
	}
}

func testExpansion(t *testing.T, x exec.Executor) {
	req := shell("")
	req.Execution.Spec.Command = []string{"echo"}
	req.Execution.Spec.Args = []string{"<$(COLOUR)|$(TOO)|$(NOT_THERE)|$$(COLOUR)>"}
	req.Env = []job.EnvVar{{Name: "COLOUR", Value: "red"}, {Name: "TOO", Value: "$(COLOUR)der"}}
	r, rec := run(t, x, req)
	want(t, r, job.Success, 0)
	if line := "\n<red|redder|$(NOT_THERE)|$(COLOUR)>\n"; !strings.Contains(rec.Log(), line) {
		t.Errorf("no %q in the log:\n%s", line, rec.Log())
	}
}

func testOwnFolders(t *testing.T, x exec.Executor) {
	script := begin + `set -e
		for d in "$HOME" "$TMPDIR" "$ARTIFACTS" .; do test -d "$d"; echo x > "$d/probe"; done
		pwd; echo "$HOME"; echo "$TMPDIR"; echo "$ARTIFACTS"`
	r, one := run(t, x, shell(script))
	want(t, r, job.Success, 0)
	r, two := run(t, x, shell(script))
	want(t, r, job.Success, 0)
	seen := map[string]bool{}
	for _, rec := range []*Recorder{one, two} {
		for line := range strings.Lines(program(t, rec, "begin\n")) {
			if seen[line] {
				t.Errorf("%q is shared", line)
			}
			seen[line] = true
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d folders, want 8: %v", len(seen), seen)
	}
}

// testFoldersRemoved gives two executions the same id: the second finds
// nothing of the first, even where the first made folders read-only.
func testFoldersRemoved(t *testing.T, x exec.Executor) {
	script := `ls -A "$HOME" "$TMPDIR" "$ARTIFACTS" .; mkdir "$HOME/locked" && touch "$HOME/locked/in" "$TMPDIR/a" "$ARTIFACTS/b" c && chmod a-w "$HOME/locked"`
	req := shell(script)
	run(t, x, req)
	r, rec := run(t, x, req)
	want(t, r, job.Success, 0)
	for _, left := range []string{"\nlocked", "\na\n", "\nb\n", "\nc\n"} {
		if strings.Contains(rec.Log(), left) {
			t.Errorf("%q was left behind:\n%s", left, rec.Log())
		}
	}
}

func testArtifacts(t *testing.T, x exec.Executor) {
	r, rec := run(t, x, shell(`cd "$ARTIFACTS" && echo one > junit_1.xml && mkdir -p deep/er && printf two > deep/er/file.txt &&
		mkdir empty && ln -s /etc/passwd link && ln -s deep linked`))
	want(t, r, job.Success, 0)
	if diff := cmp.Diff(map[string]string{"junit_1.xml": "one\n", "deep/er/file.txt": "two"}, rec.Artifacts()); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
}

func testArtifactsOfAFailure(t *testing.T, x exec.Executor) {
	req := shell(`trap '' INT; echo kept > "$ARTIFACTS/kept"; while :; do sleep 1; done`)
	req.Execution.Spec.Timeout, req.Execution.Spec.GracePeriod = time.Second, 50*time.Millisecond
	r, rec := run(t, x, req)
	want(t, r, job.Failure, -1)
	if diff := cmp.Diff(map[string]string{"kept": "kept\n"}, rec.Artifacts()); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
}

func testTimeout(t *testing.T, x exec.Executor) {
	req := shell(`trap 'echo interr''upted; exit 0' INT; echo st''arted; while :; do sleep 0.1; done`)
	req.Execution.Spec.Timeout = time.Second
	r, rec := run(t, x, req)
	want(t, r, job.Failure, -1)
	if !r.TimedOut {
		t.Error("the result does not say that the time ran out")
	}
	if !strings.Contains(rec.Log(), "interrupted\n") {
		t.Errorf("the program was given no chance to end:\n%s", rec.Log())
	}
	if !strings.Contains(rec.Log(), "1s") {
		t.Errorf("the log does not name the limit:\n%s", rec.Log())
	}
}

func testTimeoutKills(t *testing.T, x exec.Executor) {
	req := shell(`trap '' INT TERM; while :; do sleep 0.1; done`)
	req.Execution.Spec.Timeout, req.Execution.Spec.GracePeriod = 200*time.Millisecond, 200*time.Millisecond
	r, _ := run(t, x, req)
	want(t, r, job.Failure, -1)
	if !r.TimedOut {
		t.Error("the result does not say that the time ran out")
	}
}

// abortWhen runs a request, and aborts it when its log has text.
func abortWhen(t *testing.T, x exec.Executor, r exec.Request, text string) (exec.Result, *Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	aborting, abort := context.WithCancel(ctx)
	rec := &Recorder{}
	waited := make(chan error, 1)
	go func() {
		waited <- rec.WaitFor(ctx, text)
		abort()
	}()
	result, err := x.Run(aborting, r, rec)
	if err != nil {
		t.Fatalf("aborting: %v", err)
	}
	cancel()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	return result, rec
}

func testAbort(t *testing.T, x exec.Executor) {
	r, rec := abortWhen(t, x, shell(`trap 'echo interr''upted; exit 0' INT; echo st''arted; while :; do sleep 0.1; done`), "started\n")
	want(t, r, job.Aborted, -1)
	if !strings.Contains(rec.Log(), "interrupted\n") {
		t.Errorf("the program was given no chance to end:\n%s", rec.Log())
	}
}

// testAbortKillsDescendants aborts a program whose grandchild heeds no signal
// and holds the log open: Run could not return if it lived.
func testAbortKillsDescendants(t *testing.T, x exec.Executor) {
	req := shell(`sh -c 'trap "" INT TERM HUP; (trap "" INT TERM HUP; echo st""arted; while :; do sleep 0.1; echo ali""ve; done) & wait' & wait`)
	req.Execution.Spec.GracePeriod = 300 * time.Millisecond
	r, rec := abortWhen(t, x, req, "started\n")
	want(t, r, job.Aborted, -1)
	quiet(t, rec)
}

// testNothingOutlives has a program end and leave one process in its group
// and another in a session of its own.
func testNothingOutlives(t *testing.T, x exec.Executor) {
	r, rec := run(t, x, shell(`loop='while :; do sleep 0.1; echo ali""ve; done'
		sh -c "$loop" & setsid sh -c "$loop" & echo do''ne`))
	want(t, r, job.Success, 0)
	quiet(t, rec)
}

// quiet checks that nothing more is written: whatever were to write would
// have done so several times meanwhile.
func quiet(t *testing.T, rec *Recorder) {
	t.Helper()
	before := rec.Log()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if err := rec.WaitFor(ctx, before+"x"); err == nil || rec.Log() != before {
		t.Errorf("something is still writing: %q", strings.TrimPrefix(rec.Log(), before))
	}
}

func testUnreachableSource(t *testing.T, x exec.Executor) {
	req := shell("echo ran''anyway")
	req.Execution.Refs = job.Refs{Org: "no", Repo: "where", BaseRef: "main", CloneURI: "http://127.0.0.1:1/no/where.git"}
	r, rec := run(t, x, req)
	if r.State != job.Errored || r.Message == "" {
		t.Errorf("ended as %s (%s), want %s", r.State, r.Message, job.Errored)
	}
	if strings.Contains(rec.Log(), "rananyway") || !strings.Contains(rec.Log(), "127.0.0.1:1") {
		t.Errorf("log:\n%s", rec.Log())
	}
}

func testSecrets(t *testing.T, x exec.Executor) {
	req := shell(`echo "token is $TOKEN"; for c in s3 cr 3t -o ne; do printf '%s' "$c"; sleep 0.02; done`)
	req.Env = []job.EnvVar{{Name: "TOKEN", Value: "s3cr3t-one"}}
	req.Secrets = []string{"s3cr3t-one"}
	r, rec := run(t, x, req)
	want(t, r, job.Success, 0)
	if got := rec.Log(); strings.Contains(got, "s3cr3t-one") || strings.Count(got, exec.Censored) != 2 {
		t.Errorf("log:\n%s", got)
	}
}

type brokenSink struct{ Recorder }

var errFull = errors.New("no space left")

func (*brokenSink) Write([]byte) (int, error) { return 0, errFull }

func (*brokenSink) Artifact(context.Context, string, io.Reader) error { return errFull }

func testBrokenSink(t *testing.T, x exec.Executor) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := x.Run(ctx, shell("while :; do echo more; sleep 0.1; done"), &brokenSink{})
	if err == nil || ctx.Err() != nil {
		t.Errorf("a log that cannot be written ends as %v, %v; want an error", r.State, err)
	}
}
