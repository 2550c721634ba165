package local

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
	"seaworthy/job/exectest"
)

// origin is a real repository that sources are laid out from.
type origin struct {
	t    *testing.T
	repo *git.Repository
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	repo, err := git.Init(context.Background(), filepath.Join(t.TempDir(), "origin.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	return &origin{t: t, repo: repo}
}

// commit adds files to a ref ("" when it does not exist yet) and returns the
// commit, which becomes the tip of branch.
func (o *origin) commit(parent, ref string, files map[string]string) string {
	o.t.Helper()
	ctx := context.Background()
	var edits []git.FileEdit
	for name, content := range files {
		edits = append(edits, git.FileEdit{Path: name, Content: []byte(content), Mode: mode(name)})
	}
	tree, err := o.repo.EditTree(ctx, parent, edits)
	if err != nil {
		o.t.Fatal(err)
	}
	c := git.NewCommit{Tree: tree, Message: "change " + ref, Author: git.Person{Name: "ada", Email: "ada@example.com", Time: time.Unix(1_700_000_000, 0)}}
	if parent != "" {
		c.Parents = []string{parent}
	}
	sha, err := o.repo.CommitTree(ctx, c)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.repo.UpdateRef(ctx, ref, sha, ""); err != nil {
		o.t.Fatal(err)
	}
	return sha
}

func mode(name string) string {
	if strings.HasSuffix(name, ".sh") {
		return "100755"
	}
	return "100644"
}

// executor lays out every repository from o.
func (o *origin) executor(t *testing.T) *Executor {
	return newExecutor(t, func(opts *Options) {
		opts.Remote = func(job.Refs) (string, git.Auth) { return o.repo.Dir, git.Auth{} }
	})
}

func request(script string, refs job.Refs) exec.Request {
	return exec.Request{Execution: job.Execution{ID: "x1", Job: "unit", Type: job.Presubmit, Refs: refs,
		Spec: job.Spec{Command: []string{"sh", "-c"}, Args: []string{script}, Timeout: time.Minute, GracePeriod: time.Second}}}
}

func runIt(t *testing.T, x *Executor, r exec.Request) (exec.Result, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var rec exectest.Recorder
	result, err := x.Run(ctx, r, &rec)
	if err != nil {
		t.Fatalf("%v\nlog:\n%s", err, rec.Log())
	}
	left, err := filepath.Glob(filepath.Join(x.opts.Dir, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	return result, rec.Log()
}

func TestSourcesAreMergedInOrder(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	base := o.commit("", "refs/heads/main", map[string]string{"a": "base\n", "check.sh": "#!/bin/sh\necho checked in $(basename $(pwd))\n"})
	one := o.commit(base, "refs/pull/1/head", map[string]string{"one": "1\n"})
	two := o.commit(base, "refs/pull/2/head", map[string]string{"two": "2\n"})
	later := o.commit(base, "refs/heads/main", map[string]string{"later": "not tested\n"})

	refs := job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: base,
		Pulls: []job.Pull{{Number: 1, SHA: one}, {Number: 2, SHA: two}}}
	x := o.executor(t)
	script := `ls | tr '\n' ' '; ./check.sh; git symbolic-ref --short HEAD; git log --first-parent --format=%s; git rev-parse origin/main HEAD`
	first, log := runIt(t, x, request(script, refs))
	if first.State != job.Success {
		t.Fatalf("ended as %s\n%s", first.State, log)
	}
	want := "a check.sh one two checked in halyard\nmain\nMerge #2\nMerge #1\nchange refs/heads/main\n" + later + "\n" + first.Sources[0].SHA + "\n"
	if !strings.HasSuffix(log, want) {
		t.Errorf("log ends otherwise than\n%s\n%s", want, log)
	}
	second, _ := runIt(t, x, request(script, refs))
	if first.Sources[0].SHA != second.Sources[0].SHA || len(first.Sources[0].SHA) != 40 {
		t.Errorf("the same refs gave the commits %s and %s", first.Sources[0].SHA, second.Sources[0].SHA)
	}
	if !strings.HasPrefix(log, "Running on this machine") {
		t.Errorf("the log does not begin with where it runs:\n%s", log)
	}
	var lines []string
	for _, c := range first.Sources[0].Commands {
		lines = append(lines, strings.Fields(c.Line)[1])
	}
	if diff := cmp.Diff([]string{"fetch", "checkout", "merge", "merge"}, lines); diff != "" {
		t.Errorf("recorded commands (-want +got):\n%s", diff)
	}
}

func TestMergeConflictIsErrored(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	base := o.commit("", "refs/heads/main", map[string]string{"a": "base\n"})
	one := o.commit(base, "refs/pull/1/head", map[string]string{"a": "one\n"})
	two := o.commit(base, "refs/pull/2/head", map[string]string{"a": "two\n"})
	r, log := runIt(t, o.executor(t), request("echo ran''anyway", job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: base,
		Pulls: []job.Pull{{Number: 1, SHA: one}, {Number: 2, SHA: two}}}))
	if r.State != job.Errored || !strings.Contains(r.Message, "#2 conflicts with main in a") {
		t.Errorf("ended as %s: %s", r.State, r.Message)
	}
	if !strings.Contains(log, "#2 conflicts with main in a: rebase it") || strings.Contains(log, "rananyway") {
		t.Errorf("log:\n%s", log)
	}
	if s := r.Sources[0]; s.SHA != "" || s.Commands[len(s.Commands)-1].Error == "" {
		t.Errorf("the failed merge is recorded as %+v", s)
	}
}

func TestRefsOfAllKinds(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	ctx := context.Background()
	base := o.commit("", "refs/heads/main", map[string]string{"v": "one\n", "sub/dir/x": "\n"})
	tag, err := o.repo.CreateTag(ctx, git.NewTag{Name: "v1.0.0", Commit: base, Message: "one", Tagger: git.Person{Name: "ada", Email: "a@b", Time: time.Unix(1, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	tip := o.commit(base, "refs/heads/main", map[string]string{"v": "two\n"})
	gone := o.commit(base, "refs/heads/dropped", map[string]string{"v": "dropped\n"})
	x := o.executor(t)
	ref := func(r job.Refs) job.Refs { r.Org, r.Repo = "harbour", "halyard"; return r }
	runIt(t, x, request("true", ref(job.Refs{BaseRef: "main"}))) // the mirror knows the branch
	if err := o.repo.UpdateRef(ctx, "refs/heads/dropped", "", ""); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		refs job.Refs
		want string
	}{
		{"tip of a branch", job.Refs{BaseRef: "main"}, "two " + tip},
		{"older commit of a branch", job.Refs{BaseRef: "main", BaseSHA: base}, "one " + base},
		{"tag", job.Refs{BaseRef: "v1.0.0"}, "one " + base},
		{"tag by its object", job.Refs{BaseRef: "v1.0.0", BaseSHA: tag}, "one " + base},
		{"commit of a branch that is gone", job.Refs{BaseRef: "dropped", BaseSHA: gone}, "dropped " + gone},
	}
	for _, tt := range tests {
		r, log := runIt(t, x, request("echo $(cat v) $(git rev-parse HEAD)", ref(tt.refs)))
		if r.State != job.Success || !strings.HasSuffix(log, tt.want+"\n") {
			t.Errorf("%s: ended as %s, want %q at the end of\n%s", tt.name, r.State, tt.want, log)
		}
	}
	for name, refs := range map[string]job.Refs{"branch": {BaseRef: "nope"}, "commit": {BaseRef: "main", BaseSHA: strings.Repeat("1", 40)}} {
		if r, log := runIt(t, x, request("true", ref(refs))); r.State != job.Errored {
			t.Errorf("a %s that does not exist ended as %s:\n%s", name, r.State, log)
		}
	}
}

func TestWhereTheProgramStarts(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.commit("", "refs/heads/main", map[string]string{"deep/er/x": "\n"})
	x := o.executor(t)
	main := job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main"}
	extra := job.Refs{Org: "other", Repo: "tools", BaseRef: "main"}
	workdir, aliased := extra, extra
	workdir.WorkDir, aliased.PathAlias = true, "k8s.io/tools"
	escaping := extra
	escaping.PathAlias = "../../elsewhere"
	tests := []struct {
		name   string
		change func(*job.Execution)
		want   string // end of the folder, or of the message when it cannot run
		state  job.State
	}{
		{"nothing to lay out", func(e *job.Execution) { e.Refs = job.Refs{} }, "/src", job.Success},
		{"the refs", func(*job.Execution) {}, "/src/harbour/halyard", job.Success},
		{"path_alias", func(e *job.Execution) { e.Spec.PathAlias = "sigs.k8s.io/h" }, "/src/sigs.k8s.io/h", job.Success},
		{"the refs before the extra ones", func(e *job.Execution) { e.Extra = []job.Refs{extra} }, "/src/harbour/halyard", job.Success},
		{"the extra ones that say workdir", func(e *job.Execution) { e.Extra = []job.Refs{workdir} }, "/src/other/tools", job.Success},
		{"a periodic's first", func(e *job.Execution) { e.Refs = job.Refs{}; e.Extra = []job.Refs{aliased} }, "/src/k8s.io/tools", job.Success},
		{"workingDir", func(e *job.Execution) { e.Spec.WorkingDir = "deep/er" }, "/src/harbour/halyard/deep/er", job.Success},
		{"workingDir that is not there", func(e *job.Execution) { e.Spec.WorkingDir = "nope" }, "workingDir nope is not a folder of the source", job.Errored},
		{"workingDir in the image", func(e *job.Execution) { e.Spec.WorkingDir = "/workspace" }, "give it relative to the source", job.Errored},
		{"path_alias that leaves", func(e *job.Execution) { e.Extra = []job.Refs{escaping} }, "such as k8s.io/kubernetes", job.Errored},
	}
	for _, tt := range tests {
		req := request("pwd", main)
		tt.change(&req.Execution)
		r, log := runIt(t, x, req)
		if r.State != tt.state || !strings.HasSuffix(strings.TrimSuffix(log, "\n"), tt.want) {
			t.Errorf("%s: ended as %s, want %s and %q at the end of\n%s", tt.name, r.State, tt.state, tt.want, log)
		}
	}
}

// TestCommitsNobodyPointsAt are asked for by their id: a branch was deleted,
// and a pull request pushed to, before anything was fetched.
func TestCommitsNobodyPointsAt(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	first := o.commit("", "refs/heads/main", map[string]string{"a": "\n"})
	base := o.commit(first, "refs/heads/dropped", map[string]string{"base": "\n"})
	head := o.commit(first, "refs/pull/1/head", map[string]string{"head": "\n"})
	o.commit(first, "refs/pull/1/head", map[string]string{"newer": "\n"})
	if err := o.repo.UpdateRef(context.Background(), "refs/heads/dropped", "", ""); err != nil {
		t.Fatal(err)
	}
	r, log := runIt(t, o.executor(t), request("echo $(ls)", job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "dropped", BaseSHA: base,
		Pulls: []job.Pull{{Number: 1, SHA: head}}}))
	if r.State != job.Success || !strings.HasSuffix(log, "\na base head\n") {
		t.Errorf("ended as %s\n%s", r.State, log)
	}
}

// TestJobCannotSpoilTheMirror lets one job rewrite its repository; the next
// one finds it as it was.
func TestJobCannotSpoilTheMirror(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	sha := o.commit("", "refs/heads/main", map[string]string{"a": "good\n"})
	x := o.executor(t)
	refs := job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: sha}
	spoil := `echo bad > a && git add a && git -c user.name=e -c user.email=e commit -qm bad && git update-ref refs/remotes/origin/main HEAD &&
		git config core.hooksPath /tmp && rm -rf .git/objects/* && cat a`
	if r, log := runIt(t, x, request(spoil, refs)); r.State != job.Success {
		t.Fatalf("ended as %s\n%s", r.State, log)
	}
	if r, log := runIt(t, x, request("git fsck && cat a && git rev-parse HEAD", refs)); r.State != job.Success || !strings.HasSuffix(log, "good\n"+sha+"\n") {
		t.Errorf("ended as %s\n%s", r.State, log)
	}
}

func TestCloneURIWithAPassword(t *testing.T) {
	t.Parallel()
	r, log := runIt(t, newExecutor(t), request("true", job.Refs{Org: "o", Repo: "r", BaseRef: "main", CloneURI: "https://u:hunter2@127.0.0.1:1/r"}))
	if r.State != job.Errored || strings.Contains(log+r.Message, "hunter2") {
		t.Errorf("ended as %s: %s\n%s", r.State, r.Message, log)
	}
}

func TestAbortWhileLayingOut(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.commit("", "refs/heads/main", map[string]string{"a": "\n"})
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("superseded"))
	var rec exectest.Recorder
	r, err := o.executor(t).Run(ctx, request("true", job.Refs{Org: "o", Repo: "r", BaseRef: "main"}), &rec)
	if err != nil || r.State != job.Aborted {
		t.Errorf("ended as %s, %v\n%s", r.State, err, rec.Log())
	}
}
