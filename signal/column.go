package signal

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job/result"
)

// about reports whether a build tested the repository; one that names none, as
// a periodic without sources, may have.
func about(b result.Build, repo forge.RepoName) bool {
	if repo == (forge.RepoName{}) || b.Started == nil || len(b.Started.Repos) == 0 {
		return true
	}
	_, ok := b.Started.Repos[repo.String()]
	return ok
}

// column is a stored build as a grid shows it, but for its tests. One that has
// ended has a time when it did, whatever finished.json says: where that is
// missing or cannot be, the time it began, else one that no grid shows, so that
// the column stands where its number puts it.
func column(b result.Build, settings grid.Settings, job string, now time.Time) grid.Build {
	c := grid.Build{ID: b.ID, Job: job, Malformed: b.Malformed}
	if b.Started != nil {
		c.Started = moment(b.Started.Timestamp)
		c.Commit = cmp.Or(b.Started.RepoCommit, b.Started.Pull)
	}
	if b.Finished != nil {
		c.Finished = moment(b.Finished.Timestamp)
		c.Passed, c.Result = b.Finished.Passed, b.Finished.Result
		c.Commit = cmp.Or(b.Finished.Revision, c.Commit)
		if !possible(c.Finished, now) {
			c.Finished = time.Unix(0, 0).UTC()
			if possible(c.Started, now) {
				c.Finished = c.Started
			}
		}
	}
	c.Pull = pullRefs(b, forge.RepoName{}).pull
	if b.Pod != nil {
		c.Pod = &grid.Pod{Passed: b.Pod.Passed, Decorated: b.Pod.Decorated, Message: b.Pod.Message}
	}
	for _, h := range settings.Headers {
		text, _ := b.Header(h)
		c.Headers = append(c.Headers, text)
	}
	c.Mails = b.Mails()
	c.Pull = pullRefs(b, forge.RepoName{}).pull
	if len(settings.Name.Elements) > 0 {
		c.Metadata = map[string]string{}
		for _, e := range settings.Name.Elements {
			if text, ok := b.Header(e); ok {
				c.Metadata[e] = text
			}
		}
	}
	return c
}

// possible reports whether a time can be right: a grid passes over those that
// cannot.
func possible(t, now time.Time) bool {
	return t.Year() >= 2000 && t.Before(now.Add(24*time.Hour))
}

// tests are the runs of a build's tests as a grid takes them.
func tests(b result.Build) []grid.Test {
	all := make([]grid.Test, len(b.Tests))
	for i, t := range b.Tests {
		all[i] = grid.Test{
			Name: t.Name, Status: outcome(t.Status), Message: t.Message, Duration: t.Duration, Metrics: t.Metrics,
			Properties: t.Properties, File: t.File, Context: t.Context, Thread: t.Thread,
		}
	}
	return all
}

// moment is a time in seconds; zero is none.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func outcome(s result.Status) grid.Outcome {
	switch s {
	case result.Pass:
		return grid.Pass
	case result.Skip:
		return grid.PassWithSkips
	}
	return grid.Fail
}

// refs are what a build says it tested.
type refs struct {
	repo   forge.RepoName
	branch string
	pull   int
}

// pullRefs reads what started.json says: main:SHA,7:SHA of each repository, of
// which the wanted one counts, else the first by name.
func pullRefs(b result.Build, want forge.RepoName) (r refs) {
	if b.Started == nil || len(b.Started.Repos) == 0 {
		return r
	}
	name := want.String()
	text, ok := b.Started.Repos[name]
	if !ok {
		name = slices.Min(slices.Collect(maps.Keys(b.Started.Repos)))
		text = b.Started.Repos[name]
	}
	owner, repo, _ := strings.Cut(name, "/")
	r.repo = forge.RepoName{Owner: owner, Name: repo}
	base, pulls, _ := strings.Cut(text, ",")
	r.branch, _, _ = strings.Cut(base, ":")
	number, _, _ := strings.Cut(pulls, ":")
	if n, err := strconv.Atoi(number); err == nil && n > 0 {
		r.pull = n
	}
	return r
}
