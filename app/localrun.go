package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
	executor "seaworthy/job/local"
)

// LocalRun is one job to be run without a platform, on the commit a work tree
// stands at. What was changed and not committed is no part of it.
type LocalRun struct {
	Repo *git.Repository
	Name forge.RepoName // what the jobs call the repository
	Job  *job.Job
	// Artifacts is the folder that takes what the job leaves in $ARTIFACTS;
	// nothing is kept when empty.
	Artifacts string
	Log       io.Writer // takes the log while the job runs
}

// RunHere runs a job with the executor that a server would use, in folders of
// its own that are gone when it returns.
func RunHere(ctx context.Context, r LocalRun) (result exec.Result, err error) {
	e, err := r.execution(ctx)
	if err != nil {
		return result, err
	}
	dir, err := os.MkdirTemp("", "seaworthy-job-")
	if err != nil {
		return result, fmt.Errorf("making a folder for the job: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The job gets the commit from a repository that holds nothing else, so
	// that it does not matter whether a branch points at it.
	source, err := git.Init(ctx, filepath.Join(dir, "source.git"), true, headBranch)
	if err != nil {
		return result, fmt.Errorf("taking the commit along: %w", err)
	}
	if err := source.Fetch(ctx, r.Repo.Dir, "+HEAD:refs/heads/"+headBranch); err != nil {
		return result, fmt.Errorf("taking the commit along: %w", err)
	}
	builds, err := buildEnvironment(ctx)
	if err != nil {
		return result, err
	}
	x, err := executor.New(executor.Options{
		Dir: filepath.Join(dir, "work"), Git: git.NewCache(filepath.Join(dir, "cache")), Path: os.Getenv("PATH"),
		PassEnv: executor.DefaultPassEnv(), Env: sorted(builds),
		Remote: func(job.Refs) (string, git.Auth) { return source.Dir, git.Auth{} },
	})
	if err != nil {
		return result, err
	}
	return x.Run(ctx, exec.Request{Execution: e, Env: append(job.Env(e), e.Spec.Env...)}, folderSink{r.Log, r.Artifacts})
}

// headBranch is what the commit of a local run is called where no branch is
// checked out.
const headBranch = "main"

func (r LocalRun) execution(ctx context.Context) (job.Execution, error) {
	head, err := r.Repo.Resolve(ctx, "HEAD")
	if err != nil {
		return job.Execution{}, fmt.Errorf("there is no commit to run %s on: %w", r.Job.Name, err)
	}
	refs := job.Refs{Org: r.Name.Owner, Repo: r.Name.Name, BaseRef: headBranch, BaseSHA: head}
	if r.Job.Type == job.Periodic {
		refs = job.Refs{}
	}
	e := r.Job.Execution(refs)
	e.Extra = slices.Clone(e.Extra)
	for i, extra := range e.Extra {
		if extra.Org != r.Name.Owner || extra.Repo != r.Name.Name {
			return e, fmt.Errorf("%s needs %s/%s besides this repository: only a platform can run it", e.Job, extra.Org, extra.Repo)
		}
		e.Extra[i].BaseRef, e.Extra[i].BaseSHA, e.Extra[i].CloneURI = headBranch, head, ""
	}
	e.Refs.CloneURI = ""
	e.ID, e.BuildID, e.CreatedAt = "here", "1", time.Now()
	return e, nil
}

// folderSink passes the log on and keeps artifacts in a folder.
type folderSink struct {
	io.Writer
	dir string
}

// Artifact implements exec.Sink.
func (s folderSink) Artifact(_ context.Context, name string, r io.Reader) (err error) {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("keeping the artifact %s: %w", name, err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("keeping the artifact %s: %w", name, err)
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(name)), 0o755); err != nil {
		return fmt.Errorf("keeping the artifact %s: %w", name, err)
	}
	f, err := root.Create(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("keeping the artifact %s: %w", name, err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keeping the artifact %s: %w", name, err)
	}
	return nil
}
