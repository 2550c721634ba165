package app_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/store/storetest"
)

// The child is told by these where its state is, and at which request to its
// forge it waits to be killed.
const (
	crashDir     = "SEAWORTHY_TEST_DIR"
	crashURL     = "SEAWORTHY_TEST_DATABASE"
	crashPoint   = "SEAWORTHY_TEST_POINT"   // "before METHOD PATH" or "after METHOD PATH", PATH an expression
	crashRelease = "SEAWORTHY_TEST_RELEASE" // whether it cuts a release
	crashTrain   = "SEAWORTHY_TEST_TRAIN"   // when it looks at the timetable, on a clock of its own; not when empty
	crashMail    = "SEAWORTHY_TEST_MAIL"    // the address of its mail server
	crashStep    = "SEAWORTHY_TEST_STEP"    // "N POINT": die there, the Nth time it comes by
)

// trap stops at a request for ever.
type trap struct {
	after bool
	at    *regexp.Regexp
}

// RoundTrip implements http.RoundTripper.
func (p trap) RoundTrip(r *http.Request) (*http.Response, error) {
	hit := p.at.MatchString(r.Method + " " + r.URL.Path)
	if hit && !p.after {
		p.wait()
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if hit && err == nil && answer.StatusCode < 300 {
		p.wait()
	}
	return answer, err
}

func (trap) wait() {
	fmt.Println("\nready")
	select {} // until killed
}

// TestCrashChild is no test but the process that others kill.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs as a child of other tests")
	}
	o := app.Options{Dir: dir, Addr: "127.0.0.1:0", Database: os.Getenv(crashURL), Log: testLog(t)}
	if when, at, ok := strings.Cut(os.Getenv(crashPoint), " "); ok {
		o.HTTP = &http.Client{Transport: trap{when == "after", regexp.MustCompile("^" + strings.Replace(at, " ", " .*", 1) + "$")}}
	}
	o.Boundary = boundary(os.Getenv(crashStep))
	if server := os.Getenv(crashMail); server != "" {
		o.Speaking.SMTP = server
	}
	at := os.Getenv(crashTrain)
	if at != "" {
		now := &clock{}
		now.set(t, at)
		o.Now = now.Now
	}
	a, err := app.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nat " + a.URL())
	if os.Getenv(crashRelease) != "" {
		go func() {
			if err := releaseIt(t.Context(), a); err != nil {
				fmt.Println("\nfailed", err)
			}
			fmt.Println("\nreleased")
		}()
	}
	if at != "" {
		go follow(t.Context(), a)
	}
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// follow looks at the timetable again and again.
func follow(ctx context.Context, a *app.App) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := a.Depart(ctx, halyard); err != nil {
			fmt.Println("\nfailed", err)
		}
		<-tick.C
	}
}

// boundary prints every point of a release that comes by, and waits at one of
// them to be killed.
func boundary(at string) func(string) {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(point string) {
		mu.Lock()
		seen[point]++
		name := fmt.Sprintf("%d %s", seen[point], point)
		fmt.Println("\npoint " + name)
		mu.Unlock()
		if name == at {
			trap{}.wait()
		}
	}
}

// child is a platform in another process.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  []string
	url   string
}

func spawn(t *testing.T, dir string, env ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c := &child{t: t, cmd: exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$")}
	c.cmd.Env = append(append(os.Environ(), crashDir+"="+dir), env...)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if c.cmd.ProcessState == nil {
			if err := c.cmd.Wait(); err == nil {
				t.Error("the child ended by itself")
			}
		}
	})
	c.lines = bufio.NewScanner(out)
	c.url = c.waitFor("at ")
	return c
}

// waitFor reads what the child says up to a line, and returns its rest.
func (c *child) waitFor(begin string) string {
	c.t.Helper()
	for c.lines.Scan() {
		if rest, ok := strings.CutPrefix(c.lines.Text(), begin); ok {
			return rest
		}
		c.said = append(c.said, c.lines.Text())
	}
	c.t.Fatalf("the child did not say %q: %s", begin, strings.Join(c.said, "\n"))
	return ""
}

// kill ends the child as kill -9 and a power cut do.
func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err == nil {
		c.t.Fatal("the child ended by itself")
	}
}

// through lets people act on a child's forge.
func (p *platform) through(c *child) *platform {
	p.t.Helper()
	q := &platform{App: p.App, t: p.t, dir: p.dir, base: c.url, as: p.as, tokens: p.tokens}
	q.befriend()
	return q
}

// Wherever the process is killed on the road of a change, the next one brings
// it to its end, and nothing happens twice.
func TestCrashOnTheRoad(t *testing.T) {
	t.Parallel()
	const repo = "/repos/harbour/halyard"
	for _, c := range []struct {
		point    string
		postgres bool
	}{
		{"before GET " + repo + "/pulls/1", true}, // stored, and nobody has acted
		{"before POST " + repo + "/statuses/.*", false},
		{"after POST " + repo + "/statuses/.*", false}, // created, not queued
		{"after POST " + repo + "/issues/1/comments", false},
		{"after POST " + repo + "/issues/1/labels", false},
		{"before PUT " + repo + "/pulls/1/merge", false},
		{"after PUT " + repo + "/pulls/1/merge", true}, // merged, not written down
		{"after PATCH " + repo + "/issues/1", false},   // has its milestone
	} {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			url := storetest.SQLiteURL(t)
			if c.postgres {
				url = storetest.PostgresURL(t)
			}
			database := func(o *app.Options) { o.Database = url }
			dir := t.TempDir()
			p := open(t, dir, database)
			p.populate(sources)
			p.settled()
			p.stop()

			child := spawn(t, dir, crashURL+"="+url, crashPoint+"="+c.point)
			before := p.through(child)
			pr := before.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
			before.say("cho", pr.Number, "/lgtm")
			before.say("ada", pr.Number, "/approve")
			child.waitFor("ready")
			child.kill()

			after := open(t, dir, database)
			after.meet(p)
			after.until("it has merged", func() bool { return after.pull(pr.Number).Merged })
			after.until("it has its milestone", func() bool { return after.pull(pr.Number).Milestone == "v0.1" })
			after.settled()
			after.happenedOnce(pr)
		})
	}
}

// happenedOnce checks that a change merged once, was tested once and talked
// about once.
func (p *platform) happenedOnce(pr forge.PullRequest) {
	p.t.Helper()
	ctx := p.t.Context()
	main, err := p.Forge.Branch(ctx, halyard, "main")
	p.must(err)
	commits, _, err := p.Forge.Compare(ctx, halyard, pr.Base.SHA, main.SHA)
	p.must(err)
	if len(commits) != 1 {
		p.t.Errorf("%d commits on main, want 1", len(commits))
	}
	for name, sha := range map[string]string{"pull-unit": pr.Head.SHA, "post-unit": main.SHA} {
		good := 0
		for _, e := range p.executions(job.ExecutionFilter{Job: name, SHA: sha}) {
			if e.State == job.Success {
				good++
			} else if !strings.Contains(e.Description, "its worker was lost") && !strings.Contains(e.Description, "a newer run takes its place") {
				p.t.Errorf("%s %s: %s", name, e.State, e.Description)
			}
		}
		if good != 1 {
			p.t.Errorf("%s succeeded %d times, want once", name, good)
		}
	}
	if p.t.Failed() {
		for _, e := range p.executions(job.ExecutionFilter{}) {
			p.t.Logf("%+v", e)
		}
	}
	p.saidOnce(pr.Number)
}

// saidOnce checks that the bot has one comment of each kind on a change.
func (p *platform) saidOnce(number int) {
	p.t.Helper()
	comments, err := p.Forge.Comments(p.t.Context(), halyard, number)
	p.must(err)
	seen := map[string]bool{}
	for _, c := range comments {
		if c.Author != app.BotLogin {
			continue
		}
		marker, _, _ := strings.Cut(c.Body, "\n")
		if seen[marker] {
			p.t.Errorf("the bot says twice: %s", c.Body)
		}
		seen[marker] = true
	}
}

// A job in whose middle the process was killed is recorded as lost, and runs
// again.
func TestCrashInAJob(t *testing.T) {
	t.Parallel()
	dir, gate := t.TempDir(), filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"seaworthy.yaml": strings.Replace(configuration, `["test", "!", "-e", "broken"]`, `["cat", "`+gate+`"]`, 1)}
	p := open(t, dir)
	p.populate(files)
	p.settled()
	p.stop()

	child := spawn(t, dir)
	before := p.through(child)
	pr := before.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	pass(t, gate, child.kill) // once the job waits there

	after := open(t, dir)
	after.meet(p)
	pass(t, gate, func() {})
	after.until("the job has run again", func() bool { return after.status(pr.Head.SHA, "unit").State == forge.StatusSuccess })
	after.settled()
	all := after.executions(job.ExecutionFilter{Job: "pull-unit"})
	if len(all) != 2 || all[0].State != job.Success || all[1].State != job.Errored {
		t.Errorf("executions: %+v", all)
	}
}

// pass opens a gate that a job waits at, which waits until it does, acts, and
// lets go.
func pass(t *testing.T, gate string, act func()) {
	t.Helper()
	opened := make(chan *os.File)
	go func() {
		f, err := os.OpenFile(gate, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	select {
	case f := <-opened:
		act()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	case <-t.Context().Done():
		t.Fatal("no job came to the gate")
	}
}
