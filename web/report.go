package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"seaworthy/forge"
	"seaworthy/grid/history"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
)

// Verdicts answer for the signal of one repository.
type Verdicts interface {
	Report(ctx context.Context, q report.Query) (verdict.Report, error)
	// Test is everything about a test; the error wraps fs.ErrNotExist where no job
	// has results of it, and its OtherNames may still lead somewhere.
	Test(ctx context.Context, name string) (report.Test, error)
	// Search finds at most limit tests, and says how many there are.
	Search(ctx context.Context, words string, limit int) ([]report.Found, int, error)
	// Known are those failures of a change that its target branch has, too.
	Known(ctx context.Context, repo, branch string, failures []report.Failure) ([]history.Known, error)
}

func (s *Site) verdictRoutes() {
	s.mux.HandleFunc("GET /signal/report", s.page(s.signalReport))
	s.mux.HandleFunc("GET /signal/report.md", s.reportFile)
	s.mux.HandleFunc("GET /signal/report.json", s.reportFile)
	s.mux.HandleFunc("GET /tests", s.page(s.tests))
}

// about finds the repository that a page about results is for: the one named,
// else the first; and what answers for it.
func (s *Site) about(r *http.Request) (forge.RepoName, []forge.RepoName, Verdicts, error) {
	if s.Verdicts == nil {
		return forge.RepoName{}, nil, nil, errNoPage
	}
	all, err := s.Repos(r.Context())
	if err != nil {
		return forge.RepoName{}, nil, nil, err
	}
	if len(all) == 0 {
		return forge.RepoName{}, nil, s.Verdicts(forge.RepoName{}), nil
	}
	repo := all[0]
	if name := r.FormValue("repo"); name != "" {
		i := slices.IndexFunc(all, func(n forge.RepoName) bool { return n.String() == name })
		if i < 0 {
			return forge.RepoName{}, nil, nil, errNoPage
		}
		repo = all[i]
	}
	return repo, all, s.Verdicts(repo), nil
}

// with is the address of this page with one of its parameters changed; an empty
// value takes it away.
func with(r *http.Request, path, key, value string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		q[k] = v
	}
	q.Set(key, value)
	if value == "" {
		q.Del(key)
	}
	return (&url.URL{Path: path, RawQuery: q.Encode()}).String()
}

// repoFilters lead to the same page about other repositories.
func repoFilters(r *http.Request, path string, repo forge.RepoName, all []forge.RepoName) []filter {
	var out []filter
	for _, n := range all {
		if len(all) > 1 {
			out = append(out, filter{Label: n.String(), Link: with(r, path, "repo", n.String()), Current: n == repo})
		}
	}
	return out
}

type reportJob struct {
	verdict.Job
	Mark   Mark
	Missed int
	Greens string
}

type reportBranch struct {
	verdict.Branch
	Mark, WasMark Mark
	Was           bool // it had another colour before
	Blocks        []reportJob
	Informs       []reportJob
}

type reportPage struct {
	Report   verdict.Report
	Mark     Mark
	Repos    []filter
	Branches []reportBranch
	Only     []filter // branches
	At       string   // as it was asked for
	Problem  string
	Markdown string
	JSON     string
}

// reportQuery reads what a report is asked for.
func reportQuery(r *http.Request) (report.Query, error) {
	q := report.Query{}
	for _, b := range r.Form["branch"] {
		if b != "" {
			q.Branches = append(q.Branches, b)
		}
	}
	at := r.FormValue("at")
	if at == "" {
		return q, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(form, at); err == nil {
			q.At = t
			return q, nil
		}
	}
	return q, fmt.Errorf("%q is no time: write it as 2026-03-07T12:00:00Z", at)
}

func (s *Site) signalReport(r *http.Request) (view, error) {
	repo, all, answers, err := s.about(r)
	if err != nil {
		return view{}, err
	}
	p := reportPage{At: r.FormValue("at"), Repos: repoFilters(r, "/signal/report", repo, all)}
	p.Markdown, p.JSON = with(r, "/signal/report.md", "", ""), with(r, "/signal/report.json", "", "")
	q, err := reportQuery(r)
	if err != nil {
		p.Problem = err.Error()
		q.At = time.Time{}
	}
	only := q.Branches
	q.Branches = nil // so that the other branches can be offered
	if p.Report, err = answers.Report(r.Context(), q); err != nil {
		return view{}, err
	}
	p.Only = append(p.Only, filter{Label: "All branches", Link: with(r, "/signal/report", "branch", ""), Current: len(only) == 0})
	for _, b := range p.Report.Branches {
		p.Only = append(p.Only, filter{Label: b.Label, Link: with(r, "/signal/report", "branch", b.Label), Current: slices.Contains(only, b.Label)})
		if len(only) == 0 || slices.Contains(only, b.Label) {
			p.Branches = append(p.Branches, presentBranch(b))
		}
	}
	p.Mark = colorMark(p.Report.Color)
	return view{page: "report", Title: "Signal report: " + string(p.Report.Color), Nav: "signal", Topics: "runs", Data: p}, nil
}

func presentBranch(b verdict.Branch) reportBranch {
	out := reportBranch{Branch: b, Mark: colorMark(b.Color), WasMark: colorMark(b.Before), Was: b.Before != b.Color}
	for _, j := range b.Jobs {
		x := reportJob{Job: j, Mark: jobMark(j.State)}
		x.Greens = plural(j.Greens, "green run in a row", "green runs in a row")
		for _, c := range j.Criteria {
			if c.Result == verdict.Missed {
				x.Missed++
			}
		}
		if j.Blocking {
			out.Blocks = append(out.Blocks, x)
		} else {
			out.Informs = append(out.Informs, x)
		}
	}
	return out
}

// reportFile is the report as Markdown or JSON.
func (s *Site) reportFile(w http.ResponseWriter, r *http.Request) {
	_, _, answers, err := s.about(r)
	if err != nil {
		http.Error(w, "There is no such report.", http.StatusNotFound)
		return
	}
	q, err := reportQuery(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	made, err := answers.Report(r.Context(), q)
	if err != nil {
		s.Log.Error("report", "error", err)
		http.Error(w, "The report could not be made. The server's log says why.", http.StatusInternalServerError)
		return
	}
	text, kind := []byte(made.Markdown()), "text/markdown; charset=utf-8"
	if r.URL.Path == "/signal/report.json" {
		kind = "application/json"
		if text, err = json.MarshalIndent(made, "", "  "); err != nil {
			s.Log.Error("report", "error", err)
			http.Error(w, "The report could not be written.", http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	if _, err := w.Write(text); err != nil {
		s.Log.Debug("sending a report", "error", err)
	}
}

func colorMark(c verdict.Color) Mark {
	switch c {
	case verdict.Green:
		return mark("pass", "green")
	case verdict.Yellow:
		return mark("flake", "yellow")
	}
	return mark("fail", "red")
}

func jobMark(s verdict.State) Mark {
	switch s {
	case verdict.Passing:
		return mark("pass", string(s))
	case verdict.Flaky:
		return mark("flake", string(s))
	case verdict.Failing:
		return mark("fail", string(s))
	}
	return mark("idle", string(s))
}
