package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/job"
)

// Request asks for jobs to be run.
type Request struct {
	Repo forge.RepoName
	// Pull is the pull request whose presubmits run. Zero: the postsubmits of
	// Branch run.
	Pull int
	// Batch are further pull requests, merged after Pull in this order.
	Batch []int
	// Branch is the short name of a branch or a tag. For a pull request it is
	// the base's and need not be given.
	Branch string
	// Jobs are names; empty means all that run by themselves.
	Jobs []string
	// BaseSHA is the commit of Branch to test on; empty means its tip now.
	BaseSHA string
	// Cause says in a few words why: "pull request opened", "/retest", …
	Cause string
	// Key makes the request idempotent: made twice with the same key, it
	// starts nothing twice. An empty key is like no other.
	Key string
	// Once leaves out the jobs of a pull request that run, or ran to an end, on
	// these very commits for another request.
	Once bool
}

// Start creates executions and has them run. A presubmit takes the place of
// an earlier one of the same job and pull request that is not over yet. The
// configuration is that of the base, so that a change cannot choose its tests.
//
// After an error the same request, with its Key, completes what was begun.
func (s *Service) Start(ctx context.Context, r Request) ([]job.Execution, error) {
	if r.Pull == 0 {
		return s.startPush(ctx, r, nil)
	}
	var pulls []forge.PullRequest
	for _, n := range append([]int{r.Pull}, r.Batch...) {
		p, err := s.o.Forge.PullRequest(ctx, r.Repo, n)
		if err != nil {
			return nil, fmt.Errorf("starting jobs for %s#%d: %w", r.Repo, n, err)
		}
		pulls = append(pulls, p)
	}
	return s.startPulls(ctx, r, pulls)
}

func (s *Service) startPulls(ctx context.Context, r Request, pulls []forge.PullRequest) ([]job.Execution, error) {
	r.Branch = pulls[0].Base.Branch
	what := fmt.Sprintf("starting jobs for %s#%d", r.Repo, r.Pull)
	refs, err := s.refs(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	for _, p := range pulls {
		if p.Base.Branch != r.Branch {
			return nil, fmt.Errorf("%s: #%d is for %s, not %s", what, p.Number, p.Base.Branch, r.Branch)
		}
		refs.Pulls = append(refs.Pulls, job.Pull{Number: p.Number, Author: p.Author, SHA: p.Head.SHA, Title: p.Title,
			HeadRef: p.Head.Branch, Link: p.HTMLURL})
	}
	config, err := s.o.Jobs(ctx, r.Repo, refs.BaseSHA)
	if err != nil {
		return nil, fmt.Errorf("%s: reading the jobs at %s: %w", what, refs.BaseSHA, err)
	}
	jobs, err := choose(config.Presubmits[r.Repo.String()], r, func() (job.Plan, error) {
		return job.PresubmitsFor(config, r.Repo.String(), r.Branch, s.filesOf(ctx, r.Repo, pulls))
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if r.Once {
		if jobs, err = s.untested(ctx, r, jobs, refs); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	started, err := s.startAll(ctx, r, jobs, refs)
	if err != nil {
		return started, fmt.Errorf("%s: %w", what, err)
	}
	return started, nil
}

// untested are the jobs that neither run nor ran on these commits for another
// request. Those of this one are left in: an interrupted request is completed.
func (s *Service) untested(ctx context.Context, r Request, jobs []*job.Job, refs job.Refs) ([]*job.Job, error) {
	head := refs.Pulls[0].SHA
	all, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Repo: r.Repo.String(), Pull: r.Pull, SHA: head, Type: job.Presubmit})
	if err != nil {
		return nil, fmt.Errorf("looking for what ran for #%d: %w", r.Pull, err)
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j *job.Job) bool {
		return slices.ContainsFunc(all, func(x job.Execution) bool {
			return x.Job == j.Name && x.Refs.BaseSHA == refs.BaseSHA && len(x.Refs.Pulls) == 1 && x.Refs.Pulls[0].SHA == head &&
				x.State != job.Aborted && x.State != job.Errored && (r.Key == "" || x.Key != r.Key+"/"+j.Name)
		})
	}), nil
}

// startPush starts postsubmits. A nil changed means that no job asks for
// files, or that none are known.
func (s *Service) startPush(ctx context.Context, r Request, changed job.Changed) ([]job.Execution, error) {
	what := fmt.Sprintf("starting jobs for %s at %s", r.Repo, r.Branch)
	refs, err := s.refs(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	config, err := s.o.Jobs(ctx, r.Repo, refs.BaseSHA)
	if err != nil {
		return nil, fmt.Errorf("%s: reading the jobs at %s: %w", what, refs.BaseSHA, err)
	}
	jobs, err := choose(config.Postsubmits[r.Repo.String()], r, func() (job.Plan, error) {
		return job.PostsubmitsFor(config, r.Repo.String(), r.Branch, changed)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	started, err := s.startAll(ctx, r, jobs, refs)
	if err != nil {
		return started, fmt.Errorf("%s: %w", what, err)
	}
	return started, nil
}

func (s *Service) refs(ctx context.Context, r Request) (job.Refs, error) {
	refs := job.Refs{Org: r.Repo.Owner, Repo: r.Repo.Name, BaseRef: r.Branch, BaseSHA: r.BaseSHA}
	if refs.BaseSHA != "" {
		return refs, nil
	}
	b, err := s.o.Forge.Branch(ctx, r.Repo, r.Branch)
	if errors.Is(err, forge.ErrNotFound) {
		var c forge.Commit
		c, err = s.o.Forge.Commit(ctx, r.Repo, "tags/"+r.Branch)
		b.SHA = c.SHA
	}
	if err != nil {
		return refs, fmt.Errorf("finding the tip of %s: %w", r.Branch, err)
	}
	refs.BaseSHA = b.SHA
	return refs, nil
}

func (s *Service) filesOf(ctx context.Context, repo forge.RepoName, pulls []forge.PullRequest) job.Changed {
	return func() ([]string, error) {
		var all []string
		for _, p := range pulls {
			files, err := s.o.Forge.PullRequestFiles(ctx, repo, p.Number)
			if err != nil {
				return nil, fmt.Errorf("listing the files of #%d: %w", p.Number, err)
			}
			all = append(all, paths(files)...)
		}
		return all, nil
	}
}

func paths(files []forge.FileChange) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Path)
		if f.PreviousPath != "" {
			all = append(all, f.PreviousPath)
		}
	}
	return all
}

// choose returns the jobs a request names, or those of the plan.
func choose(all []*job.Job, r Request, plan func() (job.Plan, error)) ([]*job.Job, error) {
	if len(r.Jobs) == 0 {
		p, err := plan()
		return p.Jobs(), err
	}
	var chosen []*job.Job
	for _, name := range r.Jobs {
		i := slices.IndexFunc(all, func(j *job.Job) bool { return j.Name == name && j.RunsOn(r.Branch) })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s on %s", ErrNoJob, name, r.Branch)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func (s *Service) startAll(ctx context.Context, r Request, jobs []*job.Job, refs job.Refs) ([]job.Execution, error) {
	var started []job.Execution
	for _, j := range jobs {
		e := j.Execution(refs)
		e.Spec.MaxConcurrency = j.MaxConcurrency
		e.Cause = r.Cause
		if r.Key != "" {
			e.Key = r.Key + "/" + j.Name
		}
		if len(refs.Pulls) > 1 {
			e.Type, e.Report = job.Batch, false
		}
		e, err := s.launch(ctx, e)
		if err != nil {
			return started, err
		}
		started = append(started, e)
	}
	return started, nil
}

// launch creates an execution, or finds the one of its key, tells the forge
// and has it run.
func (s *Service) launch(ctx context.Context, e job.Execution) (job.Execution, error) {
	e, created, err := s.create(ctx, e)
	if err != nil {
		return e, fmt.Errorf("creating an execution of %s: %w", e.Job, err)
	}
	if e.State != job.Triggered {
		return e, nil
	}
	if created && e.Type == job.Presubmit {
		if err := s.abortOlder(ctx, e); err != nil {
			return e, err
		}
	}
	if err := s.report(ctx, e); err != nil {
		return e, err
	}
	if err := s.o.Enqueue(ctx, e.ID); err != nil {
		return e, fmt.Errorf("queueing execution %s of %s: %w", e.ID, e.Job, err)
	}
	s.o.Notify(Topic(e.ID))
	return e, nil
}

// sameLimit bounds how far back the execution of a key is looked for. Only a
// periodic has more of its kind: a pull request's head or a commit has a few.
const sameLimit = 500

func (s *Service) create(ctx context.Context, e job.Execution) (_ job.Execution, created bool, err error) {
	now := s.o.Now()
	e.ID = strings.ToLower(rand.Text())
	e.State, e.CreatedAt, e.Description = job.Triggered, now, "Job triggered."
	if e.BuildID, err = s.o.Store.NextBuildID(ctx, now); err != nil {
		return e, false, err
	}
	e.Path = job.ResultPath(e)
	created, err = s.o.Store.CreateExecution(ctx, e)
	if err != nil || created {
		return e, created, err
	}
	same, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Job: e.Job, Type: e.Type, SHA: shaOf(e), Limit: sameLimit})
	if err != nil {
		return e, false, err
	}
	i := slices.IndexFunc(same, func(o job.Execution) bool { return o.Key == e.Key })
	if i < 0 {
		return e, false, fmt.Errorf("key %q is taken by an execution of something else", e.Key)
	}
	return same[i], false, nil
}

// shaOf returns the commit an execution is found by and reported on: the head
// of the pull request, or the commit pushed.
func shaOf(e job.Execution) string {
	if len(e.Refs.Pulls) > 0 {
		return e.Refs.Pulls[0].SHA
	}
	return e.Refs.BaseSHA
}

// abortOlder aborts the presubmits whose place e takes.
func (s *Service) abortOlder(ctx context.Context, e job.Execution) error {
	older, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Repo: e.Refs.Org + "/" + e.Refs.Repo, Job: e.Job,
		Type: job.Presubmit, Pull: e.Refs.Pulls[0].Number, States: unfinished(), Before: e.BuildID})
	if err != nil {
		return fmt.Errorf("looking for older executions of %s: %w", e.Job, err)
	}
	for _, o := range older {
		if err := s.Abort(ctx, o.ID, "a newer run takes its place"); err != nil {
			return err
		}
	}
	return nil
}

// Rerun runs what an execution ran once more: the same source, the same
// configuration.
func (s *Service) Rerun(ctx context.Context, id, actor string) (job.Execution, error) {
	e, err := s.o.Store.Execution(ctx, id)
	if err != nil {
		return job.Execution{}, fmt.Errorf("rerunning execution %s: %w", id, err)
	}
	again := e
	again.Key, again.Cause = "", "rerun by "+actor
	again.Owner, again.LeaseUntil, again.StartedAt, again.FinishedAt = "", time.Time{}, time.Time{}, time.Time{}
	return s.launch(ctx, again)
}

// Periodics lists the periodics a repository configures on its default branch.
func (s *Service) Periodics(ctx context.Context, repo forge.RepoName) ([]*job.Job, error) {
	config, err := s.o.Jobs(ctx, repo, "")
	if err != nil {
		return nil, fmt.Errorf("listing the periodics of %s: %w", repo, err)
	}
	return config.Periodics, nil
}

// StartPeriodic runs a periodic that repo configures, for the time it was due
// at: it runs once for each. While an earlier one goes on, that is returned.
func (s *Service) StartPeriodic(ctx context.Context, repo forge.RepoName, name string, at time.Time) (job.Execution, error) {
	periodics, err := s.Periodics(ctx, repo)
	if err != nil {
		return job.Execution{}, err
	}
	i := slices.IndexFunc(periodics, func(j *job.Job) bool { return j.Name == name })
	if i < 0 {
		return job.Execution{}, fmt.Errorf("starting a periodic of %s: %w: %s", repo, ErrNoJob, name)
	}
	j := periodics[i]
	key := "periodic/" + repo.String() + "/" + name + "/" + strconv.FormatInt(at.Unix(), 10)
	under, err := s.o.Store.Executions(ctx, job.ExecutionFilter{Job: name, Type: job.Periodic, States: unfinished(), Limit: 1})
	if err != nil {
		return job.Execution{}, fmt.Errorf("starting periodic %s: %w", name, err)
	}
	if len(under) > 0 && under[0].Key != key {
		return under[0], nil
	}
	e := j.Execution(job.Refs{})
	e.Spec.MaxConcurrency = j.MaxConcurrency
	e.Key, e.Cause = key, "due at "+at.UTC().Format(time.RFC3339)
	if e.Extra, err = s.defaultBranches(ctx, e.Extra); err != nil {
		return job.Execution{}, fmt.Errorf("starting periodic %s: %w", name, err)
	}
	return s.launch(ctx, e)
}

// defaultBranches fills in the branch of refs that name none.
func (s *Service) defaultBranches(ctx context.Context, refs []job.Refs) ([]job.Refs, error) {
	refs = slices.Clone(refs)
	for i, r := range refs {
		if r.BaseRef != "" {
			continue
		}
		repo, err := s.o.Forge.Repo(ctx, forge.RepoName{Owner: r.Org, Name: r.Repo})
		if err != nil {
			return nil, fmt.Errorf("finding the default branch of %s/%s: %w", r.Org, r.Repo, err)
		}
		refs[i].BaseRef = repo.DefaultBranch
	}
	return refs, nil
}
