package app

import (
	"context"
	"fmt"

	"seaworthy/forge"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/signal/report"
)

// Failures of a run that are looked for on the target branch at most.
const knownLookups = 50

// knownFailures says in a few words which failures of a change's run its target
// branch has, too, with the same message; nothing if none.
func (a *App) knownFailures(ctx context.Context, e job.Execution) (string, error) {
	if a.Signal == nil || e.Refs.BaseRef == "" {
		return "", nil
	}
	b, err := result.LoadBuild(ctx, a.Bucket, e.Path)
	if err != nil {
		return "", fmt.Errorf("reading the results of %s: %w", e.BuildID, err)
	}
	var failures []report.Failure
	seen := map[string]bool{}
	for _, t := range b.Tests {
		if t.Status == result.Fail && !seen[t.Name] {
			seen[t.Name] = true
			failures = append(failures, report.Failure{Test: t.Name, Message: t.Message})
		}
	}
	// What is said here is said once: another server may have tested the branch
	// since, of which nobody tells this one.
	a.Signal.Changed()
	repo := forge.RepoName{Owner: e.Refs.Org, Name: e.Refs.Repo}
	known, err := a.Reports(repo).Known(ctx, repo.String(), e.Refs.BaseRef, failures[:min(len(failures), knownLookups)])
	if err != nil {
		return "", fmt.Errorf("looking for the failures of %s on %s: %w", e.BuildID, e.Refs.BaseRef, err)
	}
	return knownInWords(known, len(failures), e.Refs.BaseRef), nil
}

// knownInWords fits into the description of a status.
func knownInWords(known []history.Known, failures int, branch string) string {
	same := 0
	for _, k := range known {
		if k.Same {
			same++
		}
	}
	switch {
	case same == 0:
		return "" // a branch that nothing tests knows nothing, and that excuses nobody
	case failures == 1:
		return "the failure is known on " + branch
	case same == failures:
		return fmt.Sprintf("all %d failures are known on %s", failures, branch)
	case same == 1:
		return fmt.Sprintf("1 of %d failures is known on %s", failures, branch)
	}
	return fmt.Sprintf("%d of %d failures are known on %s", same, failures, branch)
}
