package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
)

// layOut lays out all sources of an execution and returns the folder the
// program starts in: that of the refs that say workdir, else of the first,
// else an empty one.
func (x *Executor) layOut(ctx context.Context, e job.Execution, work folder, log *log) (sources []exec.Source, start string, err error) {
	start = work.src()
	all := e.Extra
	if e.Refs.Repo != "" {
		all = append([]job.Refs{e.Refs}, e.Extra...)
	}
	chosen := false
	for i, refs := range all {
		alias := refs.PathAlias
		if i == 0 && e.Refs.Repo != "" && alias == "" {
			alias = e.Spec.PathAlias
		}
		dir, err := sourceFolder(work, refs, alias)
		if err != nil {
			return sources, "", err
		}
		s, err := x.layOutOne(ctx, refs, dir, log)
		sources = append(sources, s)
		if err != nil {
			return sources, "", err
		}
		if i == 0 || refs.WorkDir && !chosen {
			start, chosen = dir, refs.WorkDir
		}
	}
	return sources, start, nil
}

func sourceFolder(work folder, refs job.Refs, alias string) (string, error) {
	name := filepath.Join(refs.Org, refs.Repo)
	if alias != "" {
		name = filepath.FromSlash(alias)
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%q cannot be the folder of %s/%s: path_alias must be a relative path such as k8s.io/kubernetes", name, refs.Org, refs.Repo)
	}
	return filepath.Join(work.src(), name), nil
}

// clone is one source being laid out.
type clone struct {
	refs   job.Refs
	url    string
	auth   git.Auth
	repo   *git.Repository // without credentials: what it fetches from other hosts gets none
	log    *log
	record *exec.Source
}

func (x *Executor) layOutOne(ctx context.Context, refs job.Refs, dir string, log *log) (s exec.Source, err error) {
	began := time.Now()
	defer func() { s.Duration = time.Since(began) }()
	s.Refs = refs
	if u, err := url.Parse(refs.CloneURI); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return s, fmt.Errorf("the clone_uri of %s/%s carries a password: give credentials to the server instead", refs.Org, refs.Repo)
		}
	}
	c := &clone{refs: refs, url: refs.CloneURI, log: log, record: &s}
	if c.url == "" {
		c.url, c.auth = x.opts.Remote(refs)
	}
	mirror, err := x.opts.Git.Repository(ctx, c.url, c.auth)
	if err != nil {
		return s, c.note("git fetch "+c.url, "", err)
	}
	if err := c.open(ctx, mirror, dir); err != nil {
		return s, err
	}
	if err := c.checkOut(ctx); err != nil {
		return s, err
	}
	for _, p := range refs.Pulls {
		if err := c.merge(ctx, p); err != nil {
			return s, err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".gitmodules")); err == nil && !refs.SkipSubmodules {
		if err := c.git(ctx, nil, "submodule", "update", "--init", "--recursive"); err != nil {
			return s, err
		}
	}
	s.SHA, err = c.repo.Resolve(ctx, "HEAD")
	return s, err
}

// open makes a repository in dir that borrows the mirror's objects. It is the
// job's own: whatever the job does to it, the mirror stays as it is.
func (c *clone) open(ctx context.Context, mirror *git.Repository, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%w: %w", errWorkFolder, err)
	}
	repo, err := git.Init(ctx, dir, false, "main")
	if err != nil {
		return err
	}
	c.repo = repo
	borrowed := filepath.Join(mirror.Dir, "objects") + "\n"
	if err := os.WriteFile(filepath.Join(dir, ".git", "objects", "info", "alternates"), []byte(borrowed), 0o644); err != nil {
		return fmt.Errorf("%w: %w", errWorkFolder, err)
	}
	if _, err := repo.Git(ctx, "remote", "add", "origin", c.url); err != nil {
		return err
	}
	err = repo.Fetch(ctx, mirror.Dir, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
	return c.note("git fetch "+c.url, "", err)
}

func (c *clone) checkOut(ctx context.Context) error {
	branch := c.refs.BaseRef
	_, err := c.repo.Resolve(ctx, "refs/remotes/origin/"+branch)
	isBranch := branch != "" && err == nil
	base := c.refs.BaseSHA
	switch {
	case base != "":
		if err := c.have(ctx, base); err != nil {
			return err
		}
	case isBranch:
		base = "refs/remotes/origin/" + branch
	default:
		base = "refs/tags/" + branch
	}
	if !isBranch {
		return c.git(ctx, nil, "checkout", "--quiet", "--detach", base)
	}
	return c.git(ctx, nil, "checkout", "--quiet", "--no-track", "-B", branch, base)
}

// have makes sure that a commit is here. One that no branch leads to any more
// is asked for by its id.
func (c *clone) have(ctx context.Context, sha string) error {
	if _, err := c.repo.Resolve(ctx, sha); err == nil {
		return nil
	}
	return c.note("git fetch "+c.url+" "+sha, "", c.repo.WithAuth(c.auth).Fetch(ctx, c.url, sha))
}

// merge merges a pull request. Who and when come from the base, so that the
// same refs give the same commit.
func (c *clone) merge(ctx context.Context, p job.Pull) error {
	if err := c.have(ctx, p.SHA); err != nil {
		return err
	}
	when, err := c.repo.Git(ctx, "log", "-1", "--format=%ct", "HEAD")
	if err != nil {
		return err
	}
	date := strings.TrimSpace(when) + " +0000"
	env := []string{"GIT_AUTHOR_NAME=ci-robot", "GIT_AUTHOR_EMAIL=ci-robot@localhost", "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=ci-robot", "GIT_COMMITTER_EMAIL=ci-robot@localhost", "GIT_COMMITTER_DATE=" + date}
	err = c.git(ctx, env, "merge", "--no-ff", "--no-stat", "-m", "Merge #"+strconv.Itoa(p.Number), p.SHA)
	if err != nil && ctx.Err() == nil {
		if files, ferr := c.repo.Git(ctx, "diff", "--name-only", "--diff-filter=U"); ferr == nil && files != "" {
			return fmt.Errorf("#%d conflicts with %s in %s: rebase it", p.Number, c.refs.BaseRef, strings.Join(strings.Fields(files), ", "))
		}
	}
	return err
}

// git runs a command that the log shows.
func (c *clone) git(ctx context.Context, env []string, args ...string) error {
	out, err := c.repo.GitEnv(ctx, env, args...)
	return c.note("git "+shellLine(args), out, err)
}

// note records a command in the log and among the records, and returns err.
func (c *clone) note(line, output string, err error) error {
	cmd := exec.Command{Line: line, Output: output}
	c.log.printf("$ %s\n%s", line, output)
	if err != nil {
		cmd.Error = err.Error()
		var ge *git.Error
		if errors.As(err, &ge) {
			c.log.printf("%s", ge.Stderr)
		}
	}
	c.record.Commands = append(c.record.Commands, cmd)
	return err
}
