package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/signal"
	"seaworthy/signal/report"
)

// station is one stop of the road on the first page.
type station struct {
	Class  string
	Number string
	Label  string
	Detail string
	Link   string
}

type blocker struct {
	Mark   Mark
	Title  string
	Detail string
	Link   string
}

type homePage struct {
	Repos    []forge.RepoName
	Heading  string
	Verdict  *Mark
	Sentence string
	Road     []station
	Story    []StoryStep
	Blockers []blocker
	Signals  []signalWord
	Tabs     []signal.Tab
	Runs     []job.Execution
	Flows    []flowRow
}

// facts are what the first page is made of, read once.
type facts struct {
	open    []forge.PullRequest
	queued  int
	going   []job.Execution
	tabs    []signal.Tab
	flows   []flowRow
	release *forge.Release
}

func (s *Site) home(r *http.Request) (view, error) {
	ctx := r.Context()
	repos, err := s.Repos(ctx)
	if err != nil {
		return view{}, err
	}
	p := homePage{Repos: repos, Heading: "Nothing to show yet"}
	if r.PathValue("owner") != "" {
		name, err := repoOf(r)
		if err != nil {
			return view{}, err
		}
		if repos, err = only(repos, name); err != nil {
			return view{}, err
		}
	}
	f, err := s.gather(ctx, repos)
	if err != nil {
		return view{}, err
	}
	if s.Story != nil {
		p.Story = s.Story()
	}
	if p.Runs, err = s.Runs.Executions(ctx, job.ExecutionFilter{Repo: oneRepo(repos), Limit: 8}); err != nil {
		return view{}, err
	}
	p.Tabs, p.Flows = f.tabs, f.flows[:min(len(f.flows), 6)]
	p.Blockers = blockers(f)
	p.Signals = s.signalWords(ctx, repos)
	p.Heading, p.Sentence, p.Verdict = headline(repos, f, len(p.Blockers))
	if len(repos) > 0 {
		p.Road = road(f, s.Now())
	}
	return view{page: "home", Title: "Now", Nav: "now", Topics: "changes runs releases story", Data: p}, nil
}

// signalWord is the colour of a repository's signal, and where it is explained.
type signalWord struct {
	Repo string // empty if there is one only
	Mark *Mark  // nil if it could not be told soon enough
	Says string
	Link string
}

// How long the first page waits for the signal, and of how many repositories.
const (
	signalPatience = 700 * time.Millisecond
	mostSignals    = 3
)

// signalWords say in a word how each repository stands, with the report's own
// answer; where that takes long the report tells it alone.
func (s *Site) signalWords(ctx context.Context, repos []forge.RepoName) []signalWord {
	if s.Verdicts == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, signalPatience)
	defer cancel()
	var all []signalWord
	for _, repo := range repos[:min(len(repos), mostSignals)] {
		w := signalWord{Says: "Is each branch red, yellow or green?", Link: "/signal/report?" + url.Values{"repo": {repo.String()}}.Encode()}
		if len(repos) > 1 {
			w.Repo = repo.String()
		}
		report, err := s.Verdicts(repo).Report(ctx, report.Query{})
		switch {
		case err != nil && ctx.Err() == nil:
			s.Log.Warn("the signal for the first page", "repository", repo.String(), "error", err)
		case err == nil && len(report.Branches) > 0:
			m := colorMark(report.Color)
			w.Mark, w.Says = &m, "why, for each branch"
		}
		all = append(all, w)
	}
	return all
}

func only(repos []forge.RepoName, name forge.RepoName) ([]forge.RepoName, error) {
	for _, r := range repos {
		if r == name {
			return []forge.RepoName{r}, nil
		}
	}
	return nil, fmt.Errorf("repository %s: %w", name, forge.ErrNotFound)
}

func oneRepo(repos []forge.RepoName) string {
	if len(repos) == 1 {
		return repos[0].String()
	}
	return ""
}

func (s *Site) gather(ctx context.Context, repos []forge.RepoName) (facts, error) {
	var f facts
	for _, repo := range repos {
		open, err := s.Forge.PullRequests(ctx, repo, forge.PullFilter{})
		if err != nil {
			return f, err
		}
		f.open = append(f.open, open...)
		pools, err := s.Queue.Pools(ctx, repo)
		if err != nil {
			return f, err
		}
		for _, pool := range pools {
			f.queued += len(pool.Ready())
		}
		tabs, err := s.Signal.Tabs(ctx, repo)
		if err != nil {
			return f, err
		}
		f.tabs = append(f.tabs, tabs...)
		published, err := s.Forge.Releases(ctx, repo)
		if err != nil {
			return f, err
		}
		for _, p := range published {
			if !p.Draft && (f.release == nil || p.PublishedAt.After(f.release.PublishedAt)) {
				f.release = &p
			}
		}
	}
	var err error
	if f.going, err = s.Runs.Executions(ctx, job.ExecutionFilter{Repo: oneRepo(repos), States: []job.State{job.Triggered, job.Pending}, Limit: 500}); err != nil {
		return f, err
	}
	f.flows, err = s.flowRows(ctx, repos)
	return f, err
}

func road(f facts, now time.Time) []station {
	red := 0
	for _, t := range f.tabs {
		if tabMark(t.Summary.Status).Class == "fail" && t.Type != job.Presubmit {
			red++
		}
	}
	signal := station{Class: "pass", Number: fmt.Sprint(red), Label: "tabs red", Detail: fmt.Sprintf("of %d", len(f.tabs)), Link: "/signal"}
	if red > 0 {
		signal.Class = "fail"
	}
	staged := station{Number: "–", Label: "no release", Detail: "staged yet", Link: "/releases"}
	if len(f.flows) > 0 {
		latest := f.flows[0]
		m := flowMark(latest.State)
		staged = station{Class: m.Class, Number: latest.Short, Label: latest.Flow, Detail: m.Word, Link: "/releases/" + latest.ID}
	}
	last := station{Number: "–", Label: "last release", Detail: "none yet", Link: "/releases"}
	if f.release != nil {
		last = station{Class: "pass", Number: f.release.Tag, Label: "last release", Detail: ago(now.Sub(f.release.PublishedAt)), Link: "/releases"}
	}
	running := 0
	for _, e := range f.going {
		if e.State == job.Pending {
			running++
		}
	}
	return []station{
		{Class: "run", Number: fmt.Sprint(len(f.open)), Label: "open changes", Detail: "on every branch", Link: "/changes"},
		{Class: "run", Number: fmt.Sprint(f.queued), Label: "in the queue", Detail: "ready but for tests", Link: "/changes"},
		{Class: "run", Number: fmt.Sprint(running), Label: "runs now", Detail: fmt.Sprintf("%d waiting", len(f.going)-running), Link: "/runs?state=going"},
		signal, staged, last,
	}
}

// blockers are what a release manager would have to settle: failing tabs of
// the branches, and flows that failed or wait for a person.
func blockers(f facts) []blocker {
	var all []blocker
	for _, t := range f.tabs {
		if t.Type == job.Presubmit {
			continue
		}
		if m := tabMark(t.Summary.Status); m.Class == "fail" {
			all = append(all, blocker{Mark: m, Title: t.Job + " fails", Detail: t.Summary.Text, Link: fmt.Sprintf("/%s/grid/%s", t.Repo, t.Job)})
		}
	}
	seen := map[string]bool{}
	for _, r := range f.flows {
		if seen[r.Key] {
			continue // an older try at the same thing
		}
		seen[r.Key] = true
		switch r.State {
		case flow.Waiting:
			all = append(all, blocker{Mark: mark("flake", "sign-off"), Title: r.Title + " waits for approval", Detail: "seaworthy release approve " + r.ID, Link: "/releases/" + r.ID})
		case flow.Failed:
			all = append(all, blocker{Mark: mark("fail", "failed"), Title: r.Title + " failed", Detail: "seaworthy release resume " + r.ID, Link: "/releases/" + r.ID})
		}
	}
	return all
}

func headline(repos []forge.RepoName, f facts, blockers int) (string, string, *Mark) {
	if len(repos) == 0 {
		return "An empty harbour", "Nothing is served yet. Run seaworthy init in a Git repository, then seaworthy up there.", nil
	}
	name := "every repository"
	if len(repos) == 1 {
		name = repos[0].Name
	}
	heading := "The road of " + name
	if f.release != nil {
		heading = f.release.Tag + " is out"
	}
	if len(f.flows) > 0 && !f.flows[0].State.Final() {
		heading = f.flows[0].Title + " is under way"
	}
	green := 0
	for _, t := range f.tabs {
		if t.Summary.Status == grid.Passing {
			green++
		}
	}
	sentence := fmt.Sprintf("%d of %d jobs are green.", green, len(f.tabs))
	if len(f.tabs) == 0 {
		return heading, "No job has run yet.", nil
	}
	if blockers == 0 {
		m := mark("pass", "clear")
		return heading, sentence + " Nothing stands in the way of the next release.", &m
	}
	m := mark("fail", plural(blockers, "thing", "things")+" in the way")
	return heading, sentence, &m
}
