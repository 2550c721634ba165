package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/merge/bot"
	"seaworthy/merge/queue"
)

type filter struct {
	Label   string
	Link    string
	Current bool
}

// filters builds the links that set one parameter of the page's address.
func filters(r *http.Request, name string, values ...[2]string) []filter {
	var all []filter
	now := r.FormValue(name)
	for _, v := range values {
		q := r.URL.Query()
		q.Del("before")
		if v[1] == "" {
			q.Del(name)
		} else {
			q.Set(name, v[1])
		}
		link := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
		all = append(all, filter{Label: v[0], Link: link.String(), Current: now == v[1]})
	}
	return all
}

type pullRow struct {
	Pull forge.PullRequest
	Why  string
}

func (s *Site) changes(r *http.Request) (view, error) {
	ctx := r.Context()
	repos, err := s.Repos(ctx)
	if err != nil {
		return view{}, err
	}
	type poolRow struct {
		Repo   forge.RepoName
		Branch string
		Paused bool
		Why    string
	}
	type changesPage struct {
		Filters []filter
		Pools   []poolRow
		Pulls   []pullRow
	}
	p := changesPage{Filters: filters(r, "state", [2]string{"All", ""}, [2]string{"Open", "open"}, [2]string{"Merged", "merged"}, [2]string{"Closed", "closed"})}
	want := r.FormValue("state")
	for _, repo := range repos {
		pools, err := s.Queue.Pools(ctx, repo)
		if err != nil {
			return view{}, err
		}
		for _, q := range pools {
			p.Pools = append(p.Pools, poolRow{Repo: repo, Branch: q.Branch, Paused: q.Paused != "", Why: q.Next.Reason})
		}
		pulls, err := s.Forge.PullRequests(ctx, repo, forge.PullFilter{State: "all"})
		if err != nil {
			return view{}, err
		}
		for _, pr := range pulls {
			state := string(pr.State)
			if pr.Merged {
				state = "merged"
			}
			if want == "" || want == state {
				p.Pulls = append(p.Pulls, pullRow{Pull: pr, Why: strings.Join(waits(pools, pr), " ")})
			}
		}
	}
	slices.SortFunc(p.Pulls, func(a, b pullRow) int { return b.Pull.UpdatedAt.Compare(a.Pull.UpdatedAt) })
	return view{page: "changes", Title: "Changes", Nav: "changes", Topics: "changes runs", Data: p}, nil
}

// waits are the queue's sentences about one open change.
func waits(pools []queue.Pool, pr forge.PullRequest) []string {
	for _, pool := range pools {
		if pr.State != forge.StateOpen || pool.Repo != pr.Repo || pool.Branch != pr.Base.Branch {
			continue
		}
		for _, standing := range pool.Standings {
			if standing.Number != pr.Number {
				continue
			}
			var all []string
			for _, b := range standing.Blockers {
				all = append(all, b.Sentence)
			}
			if len(all) == 0 {
				all = append(all, standing.Text)
			}
			return all
		}
	}
	return nil
}

func (s *Site) change(r *http.Request) (view, error) {
	ctx := r.Context()
	repo, err := repoOf(r)
	if err != nil {
		return view{}, err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return view{}, errNoPage
	}
	type changePage struct {
		Pull     forge.PullRequest
		Why      []string
		Comments []forge.Comment
		Statuses []forge.Status
		Files    []forge.FileChange
		Runs     []job.Execution
	}
	var p changePage
	if p.Pull, err = s.Forge.PullRequest(ctx, repo, number); err != nil {
		return view{}, err
	}
	if p.Comments, err = s.Forge.Comments(ctx, repo, number); err != nil {
		return view{}, err
	}
	if p.Files, err = s.Forge.PullRequestFiles(ctx, repo, number); err != nil {
		return view{}, err
	}
	if p.Statuses, err = s.Forge.Statuses(ctx, repo, p.Pull.Head.SHA); err != nil {
		return view{}, err
	}
	if p.Runs, err = s.Runs.Executions(ctx, job.ExecutionFilter{Repo: repo.String(), Pull: number, Limit: 20}); err != nil {
		return view{}, err
	}
	if p.Pull.State == forge.StateOpen {
		why, err := s.Queue.Why(ctx, repo, number)
		if err != nil {
			return view{}, err
		}
		for _, b := range why {
			p.Why = append(p.Why, b.Sentence)
		}
	}
	return view{page: "change", Title: fmt.Sprintf("%s #%d", p.Pull.Title, number), Nav: "changes", Topics: "changes runs", Data: p}, nil
}

// commands is the manual of what a comment can do.
func (s *Site) commands(*http.Request) (view, error) {
	return view{page: "commands", Title: "Commands", Data: bot.Commands()}, nil
}
