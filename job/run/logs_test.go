package run

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/exectest"
	"seaworthy/job/result"
)

func TestJUnitOfTheLog(t *testing.T) {
	t.Parallel()
	goTest := "=== RUN   TestKnot\n--- FAIL: TestKnot (0.00s)\nFAIL\nFAIL\tharbour/halyard\t0.01s\n"
	tests := []struct {
		name       string
		annotation string
		outcome    exectest.Outcome
		want       int // tests found in the results
	}{
		{"asked for", result.GoTest, exectest.Outcome{Log: goTest}, 1},
		{"not asked for", "", exectest.Outcome{Log: goTest}, 0},
		{"a log without tests", result.GoTest, exectest.Outcome{Log: "hello\n"}, 0},
		{"the job wrote its own", result.GoTest, exectest.Outcome{Log: goTest, Artifacts: map[string]string{
			"junit.xml": `<testsuite><testcase name="a"/><testcase name="b"/></testsuite>`}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			p := newPier(t)
			jobs := p.o.Jobs
			p.o.Jobs = func(ctx context.Context, repo forge.RepoName, sha string) (job.Config, error) {
				c, err := jobs(ctx, repo, sha)
				annotated := *c.Presubmits["harbour/halyard"][0]
				annotated.Annotations = map[string]string{result.JUnitAnnotation: tt.annotation}
				return job.Config{Presubmits: map[string][]*job.Job{"harbour/halyard": {&annotated}}}, err
			}
			p.exec.Script("unit", tt.outcome)
			if err := p.Execute(ctx, p.start("unit").ID); err != nil {
				t.Fatal(err)
			}
			b, err := result.LoadBuild(ctx, p.bucket, p.only("unit").Path)
			if err != nil || len(b.Tests) != tt.want {
				t.Errorf("%d tests, %v; want %d", len(b.Tests), err, tt.want)
			}
		})
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	changed := make(chan string, 100)
	p := newPier(t, func(o *Options) { o.Notify = func(topic string) { changed <- topic } })
	release := make(chan struct{})
	p.exec.Script("unit", exectest.Outcome{Log: "one\ntwo\n", Release: release})
	id := p.start("unit").ID
	p.wantLog(id, 0, "", 0, true)
	done := p.background(p.Service, ctx, id)
	if topic := <-changed; topic != Topic(id) {
		t.Errorf("notified of %q, want %q", topic, Topic(id))
	}
	p.wantLog(id, 0, "one\ntwo\n", 8, true)
	p.wantLog(id, 4, "two\n", 8, true)
	p.wantLog(id, -2, "o\n", 8, true)
	p.wantLog(id, 99, "", 8, true)
	close(release)
	if err := await(t, done); err != nil {
		t.Fatal(err)
	}
	p.wantLog(id, 0, "one\ntwo\n\nJob succeeded.\n", 24, false)
	p.wantLog(id, 8, "\nJob succeeded.\n", 24, false)
	p.wantLog(id, -1, "\n", 24, false)
	p.wantLog(id, 99, "", 24, false)
	if err := p.bucket.Delete(ctx, p.only("unit").Path+"/build-log.txt"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := p.Logs(ctx, id, 0); !errors.Is(err, ErrNoLog) {
		t.Errorf("got %v, want %v", err, ErrNoLog)
	}
}

// While an execution runs, what it has written so far is seen, and nothing that
// lies elsewhere.
func TestArtifactsWhileItRuns(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	for name, text := range map[string]string{"steps.json": "{}", "secret": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	live := filepath.Join(dir, "live")
	if err := errors.Join(os.Mkdir(live, 0o755), os.Rename(filepath.Join(dir, "steps.json"), filepath.Join(live, "steps.json")), os.Symlink("../secret", filepath.Join(live, "link"))); err != nil {
		t.Fatal(err)
	}
	p := newPier(t, func(o *Options) { o.Live = func(string) (*os.Root, error) { return os.OpenRoot(live) } })
	id := p.start("unit").ID
	all, err := p.Artifacts(ctx, id)
	if err != nil || len(all) != 1 || all[0] != (result.Artifact{Name: "steps.json", Size: 2}) {
		t.Errorf("artifacts are %v, %v", all, err)
	}
	r, err := p.Artifact(ctx, id, "steps.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(text) != "{}" {
		t.Errorf("read %q, %v", text, err)
	}
	for _, name := range []string{"link", "../secret", "missing"} {
		if _, err := p.Artifact(ctx, id, name); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("%s: %v", name, err)
		}
	}
	live = filepath.Join(dir, "gone") // it runs on another machine
	if all, err := p.Artifacts(ctx, id); err != nil || len(all) != 0 {
		t.Errorf("elsewhere: %v, %v", all, err)
	}
	if _, err := p.Artifact(ctx, id, "steps.json"); !errors.Is(err, result.ErrNoBuild) {
		t.Errorf("elsewhere: %v", err)
	}
}

func (p *pier) log(id string) string {
	p.t.Helper()
	text, _, _ := p.logFrom(id, 0)
	return text
}

func (p *pier) logFrom(id string, offset int64) (text string, size int64, live bool) {
	p.t.Helper()
	r, size, live, err := p.Logs(context.Background(), id, offset)
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		p.t.Fatal(err)
	}
	return string(data), size, live
}

func (p *pier) wantLog(id string, offset int64, text string, size int64, live bool) {
	p.t.Helper()
	data, n, l := p.logFrom(id, offset)
	if data != text || n != size || l != live {
		p.t.Errorf("log from %d is %q of %d, live %t; want %q of %d, live %t", offset, data, n, l, text, size, live)
	}
}
