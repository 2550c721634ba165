package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job/result"
	"seaworthy/signal"
	"seaworthy/triage/live"
)

// topicTriage is what pages of clusters listen to.
const topicTriage = "triage"

// How often all failures are clustered anew, which also removes old ones.
const reconcileEvery = 6 * time.Hour

// pagePatience is how long a page of clusters waits for what another process has
// just written.
const pagePatience = 100 * time.Millisecond

// openTriage has every build that the signal reads recorded. It comes after
// openSignal and before anything is read.
func (a *App) openTriage() {
	a.Triage = live.New(live.Options{
		Store: a.Store, Sorter: live.Triage{}, Now: a.o.Now, Merges: a.merges, KeepFor: a.keepFailures, Patience: pagePatience,
		Changed: func() { a.publish(topicTriage) },
	})
	a.Signal.Consume("triage", a.recordFailures)
}

// keepFailures is how long failures and clusters are kept: as long as any of the
// repositories wants. What is wrong in a configuration is an error, so that
// nothing is removed that somebody wanted to keep.
func (a *App) keepFailures(ctx context.Context) (live.Retention, error) {
	repos, err := a.Repos(ctx)
	if err != nil {
		return live.Retention{}, err
	}
	var keep live.Retention // for nothing is for as long as is usual
	for _, repo := range repos {
		p, err := a.Project(ctx, repo, "")
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) { // nothing was pushed yet
			continue
		}
		if err != nil {
			return live.Retention{}, err
		}
		failures, clusters := p.Triage.Keep()
		keep.Failures, keep.Clusters = max(keep.Failures, failures), max(keep.Clusters, clusters)
	}
	return keep, nil
}

// recordFailures hands the failed tests of a build to triage.
func (a *App) recordFailures(ctx context.Context, b signal.BuildResult) error {
	r := live.Result{Build: live.Build{
		Path: b.Path, Job: b.Job, Branch: b.Branch, Pull: b.Pull, Commit: b.Commit, Started: b.Started, Tests: len(b.Tests), Passed: b.Passed,
	}}
	if b.Repo.Valid() {
		r.Repo = b.Repo.String()
	}
	if b.Started.IsZero() {
		r.Started = b.Finished // a build without either is too old to be kept
	}
	if !b.Finished.IsZero() && !b.Started.IsZero() {
		r.Elapsed = b.Finished.Sub(b.Started)
	}
	r.Failures = failures(b.Tests)
	return a.Triage.Record(ctx, r)
}

// failures are the tests that failed. One that says nothing but that a test within
// it failed, as Go's do, would be a cause of its own in every build.
func failures(tests []result.TestResult) []live.Failure {
	within := map[string]bool{}
	for _, t := range tests {
		if t.Status != result.Fail {
			continue
		}
		for name := t.Name; ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				break
			}
			name = name[:i]
			within[name] = true
		}
	}
	var failed []live.Failure
	for _, t := range tests {
		if t.Status == result.Fail && !(within[t.Name] && saysNothing(t.Message)) {
			failed = append(failed, live.Failure{Test: t.Name, Text: t.Message})
		}
	}
	return failed
}

// saysNothing reports whether a message has no line but the frame that go test puts
// around one.
func saysNothing(message string) bool {
	for line := range strings.Lines(message) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.EqualFold(line, "failed") && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- FAIL") {
			return false
		}
	}
	return true
}

// firstReconcile is how long after its start a platform clusters anew: one that
// is restarted often does so, too, but not while it takes up what it missed.
const firstReconcile = 10 * time.Minute

// runTriage reads what is kept, so that no page has to wait for it, and clusters
// all failures anew from time to time.
func (a *App) runTriage(ctx context.Context) error {
	if _, err := a.Triage.List(ctx, live.Filter{Limit: 1}); err != nil && ctx.Err() == nil {
		a.o.Log.Error("reading the failures kept", "error", err) // the first page tries again
	}
	next := time.NewTimer(firstReconcile)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		change, err := a.Triage.Reconcile(ctx)
		if ctx.Err() != nil {
			return nil
		}
		next.Reset(reconcileEvery)
		if err != nil {
			// The clusters stay as they are until the next time.
			a.o.Log.Error("clustering failures anew", "error", err)
			continue
		}
		a.o.Log.Info("clustered failures anew", "moved", change.Moved, "split", change.Split, "merged", change.Merged, "removed", change.Removed)
	}
}

// merged is how the subject of a commit names the change that it merged: as
// forges write it when they squash, and when they merge.
var merged = regexp.MustCompile(`\(#(\d+)\)$|^Merge pull request #(\d+)|^Merge #(\d+)`)

// mostMerges bounds how many changes between two commits are listed.
const mostMerges = 100

// merges lists what was merged into a repository between two commits, newest
// first: the first parents, each of which is one merge. Commits that are gone,
// or of a repository that is not ours, lie nowhere.
func (a *App) merges(ctx context.Context, repo, from, to string) ([]live.Merge, error) {
	owner, name, _ := strings.Cut(repo, "/")
	at := forge.RepoName{Owner: owner, Name: name}
	if !at.Valid() || !commitName.MatchString(from) || !commitName.MatchString(to) {
		return nil, nil
	}
	served, err := a.Repos(ctx)
	if err != nil {
		return nil, err
	}
	ours := false
	for _, r := range served {
		ours = ours || r == at
	}
	if !ours {
		return nil, nil
	}
	clone, err := a.clone(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, sha := range []string{from, to} {
		if _, err := clone.Resolve(ctx, sha); errors.Is(err, git.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	commits, err := clone.Log(ctx, from+".."+to, git.LogOptions{FirstParent: true, Max: mostMerges})
	if err != nil {
		return nil, err
	}
	var all []live.Merge
	for _, c := range commits {
		all = append(all, mergeOf(c))
	}
	return all, nil
}

// commitName is a commit as results name it; anything else could mean something
// to git.
var commitName = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// mergeOf reads the change's number off a commit's subject.
func mergeOf(c git.Commit) live.Merge {
	m := live.Merge{Commit: c.SHA, Title: c.Subject(), At: c.Committer.Time}
	found := merged.FindStringSubmatch(m.Title)
	for _, digits := range found[min(1, len(found)):] {
		if n, err := strconv.Atoi(digits); err == nil {
			m.Pull = n
		}
	}
	// A merge tells the change's title in its third line.
	if parts := strings.SplitN(c.Message, "\n", 4); strings.HasPrefix(m.Title, "Merge ") && len(parts) > 2 && strings.TrimSpace(parts[2]) != "" {
		m.Title = strings.TrimSpace(parts[2])
	}
	return m
}

// clusterNamed is how an issue says which cluster of failures it is about; the
// text that the cluster's page offers says it so.
var clusterNamed = regexp.MustCompile(`(?m)^Cluster ([0-9a-f]{20,64})\b`)

// describeCluster notes of a cluster what somebody says of it, if that account may
// write to one of the repositories: clusters are of all of them.
func (a *App) describeCluster(ctx context.Context, token, cluster string, owner, issue *string) error {
	c, err := a.Client(token)
	if err != nil {
		return fmt.Errorf("reaching the forge: %w", err)
	}
	user, err := c.User(ctx)
	if err != nil {
		return err
	}
	repos, err := a.Repos(ctx)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		// Forges list those who have access to those who may write.
		_, err := c.Collaborators(ctx, repo)
		if errors.Is(err, forge.ErrForbidden) || errors.Is(err, forge.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		return a.Triage.Describe(ctx, cluster, user.Login, owner, issue)
	}
	return fmt.Errorf("%s may write to none of the repositories: %w", user.Login, forge.ErrForbidden)
}

// linkIssue notes the issue that names a cluster of failures, when it is opened
// or edited.
func (a *App) linkIssue(ctx context.Context, e forge.Event) error {
	if e.Issue == nil || e.Issue.IsPull || e.Kind != forge.EventIssues {
		return nil
	}
	found := clusterNamed.FindStringSubmatch(e.Issue.Body)
	if found == nil {
		return nil
	}
	link := "/" + e.Repo.String() + "/issues/" + strconv.Itoa(e.Issue.Number)
	if err := a.Triage.Describe(ctx, found[1], e.Issue.Author, nil, &link); err != nil && !errors.Is(err, live.ErrNoCluster) {
		return err
	}
	return nil
}
