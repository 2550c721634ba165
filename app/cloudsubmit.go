package app

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/run"
)

// Submission asks the platform to run a declarative build.
type Submission struct {
	Repo   forge.RepoName
	Branch string // its default branch if empty
	File   string // of the repository: images/tide/cloudbuild.yaml
	// Arguments of seaworthy build besides --config.
	Arguments []string
	// Timeout is how long all of it may take.
	Timeout time.Duration
	Actor   string
}

// SubmitCloudBuild has the platform's executor run a declarative build on the tip
// of a branch, like a job: it is queued, leased, can be aborted and rerun, and
// its steps, durations and logs are on its page.
func (a *App) SubmitCloudBuild(ctx context.Context, s Submission) (job.Execution, error) {
	program, err := os.Executable()
	if err != nil {
		return job.Execution{}, fmt.Errorf("finding this program: %w", err)
	}
	if s.Branch == "" {
		repo, err := a.Forge.Repo(ctx, s.Repo)
		if err != nil {
			return job.Execution{}, fmt.Errorf("finding the default branch of %s: %w", s.Repo, err)
		}
		s.Branch = repo.DefaultBranch
	}
	name := "cloudbuild"
	if dir := path.Base(path.Dir(s.File)); dir != "." && dir != "/" {
		name += "-" + dir
	}
	var command []string
	for _, word := range append([]string{program, "build", "--config", s.File}, s.Arguments...) {
		// In a job's command a dollar stands for a variable.
		command = append(command, strings.ReplaceAll(word, "$", "$$"))
	}
	return a.Runs.Submit(ctx, run.Request{Repo: s.Repo, Branch: s.Branch, Cause: "build submitted by " + s.Actor}, name,
		job.Spec{Command: command, Timeout: s.Timeout})
}

// RunURL is the page of an execution.
func (a *App) RunURL(e job.Execution) string { return a.url + "/runs/" + e.BuildID }
