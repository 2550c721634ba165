package web

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/signal"
	"seaworthy/triage"
	"seaworthy/triage/live"
)

// What a grid's page tells of failures that say the same: groups at first and on
// a page of all of them, tests of each, and bytes of a message.
const (
	firstCauses    = 10
	mostCauses     = 30
	mostCauseTests = 3
	causeBytes     = 200
)

// failureGroup is what several cells of a grid have in common.
type failureGroup struct {
	Mark   Mark
	Says   string // the message's opening
	Cells  string
	Where  string
	Newest string // leads to the newest build with it
	Tests  []link
	More   int // tests that are not listed
}

// failures are a part of all groups that there are.
type failures struct {
	groups []failureGroup
	total  int
}

// failureGroups put the failures together that a page of a grid is about, by
// outcome and what they say, and returns those of a window, which is moved back
// if it begins behind the last.
func failureGroups(u subject, a ask, of *grid.Window) failures {
	all := alike(a.query.Failures(u.grid, true))
	of.From = max(0, min(of.From, (len(all)-1)/of.Count*of.Count))
	var groups []failureGroup
	for _, f := range all[of.From:min(len(all), of.From+of.Count)] {
		g := failureGroup{Mark: causeMark(f.Status), Says: shorten(f.Message, causeBytes), Cells: plural(f.Cells, "cell", "cells")}
		g.Where = fmt.Sprintf("%s, %s", plural(len(f.Tests), "row", "rows"), plural(len(f.Columns), "build", "builds"))
		if len(f.Columns) > 0 {
			g.Newest = u.openLink(u.grid.Columns[f.Columns[0]].Build, f.Tests[0])
		}
		for _, name := range f.Tests[:min(len(f.Tests), mostCauseTests)] {
			g.Tests = append(g.Tests, link{name, testPath(name)})
		}
		g.More = len(f.Tests) - len(g.Tests)
		groups = append(groups, g)
	}
	return failures{groups, len(all)}
}

// alike puts those together whose messages differ in nothing but noise, such as
// times and addresses: triage would not tell them apart, either. The message of
// the most cells stands for all.
func alike(all []grid.Failure) []grid.Failure {
	type key struct {
		status grid.Outcome
		says   string
	}
	at := map[key]int{}
	var groups [][]grid.Failure
	for _, f := range all {
		k := key{f.Status, f.Message}
		if len(at) < mostNormalised {
			k.says = triage.Normalise(f.Message)
		}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	out := make([]grid.Failure, 0, len(groups))
	for _, same := range groups {
		out = append(out, united(same))
	}
	slices.SortStableFunc(out, func(x, y grid.Failure) int { return y.Cells - x.Cells })
	return out
}

// united makes one failure of several: with the message of the first, and the
// tests first that failed last.
func united(same []grid.Failure) grid.Failure {
	one := same[0]
	if len(same) == 1 {
		return one
	}
	newest := func(f grid.Failure) int {
		if len(f.Columns) == 0 {
			return math.MaxInt
		}
		return f.Columns[0]
	}
	slices.SortStableFunc(same, func(x, y grid.Failure) int { return cmp.Compare(newest(x), newest(y)) })
	one.Cells, one.Tests, one.Columns = 0, nil, nil
	tests := map[string]bool{}
	for _, f := range same {
		one.Cells += f.Cells
		one.Columns = append(one.Columns, f.Columns...)
		for _, name := range f.Tests {
			if !tests[name] {
				tests[name] = true
				one.Tests = append(one.Tests, name)
			}
		}
	}
	slices.Sort(one.Columns)
	one.Columns = slices.Compact(one.Columns)
	return one
}

// mostNormalised bounds how many kinds of failures are put together by what they
// say but for noise: a page with more of them is not read to its end.
const mostNormalised = 500

func causeMark(o grid.Outcome) Mark {
	class, _, _ := strings.Cut(strings.TrimPrefix(cellClass(o), "c-"), " ")
	if _, ok := marks[class]; !ok {
		class = "fail"
	}
	return mark(class, outcomeWord(o))
}

// alikeLink leads to the clusters of a test's failures. What a test says whose
// parts failed is in those parts.
func alikeLink(test string) string {
	return "/triage?" + url.Values{"alone": {"1"}, "test": {exactly(test, "(/|$)", live.MostExpression)}}.Encode()
}

// mostPattern bounds an expression in the address of a grid, in bytes.
const mostPattern = 500

// exactly is an expression for one name and what may follow it; for names too
// long for an expression, one for as much of their beginning as fits.
func exactly(name, end string, most int) string {
	if whole := "^" + regexp.QuoteMeta(name) + end; len(whole) <= most {
		return whole
	}
	fits := 0
	for i, r := range name {
		if fits += len(regexp.QuoteMeta(string(r))); fits >= most {
			return "^" + regexp.QuoteMeta(strings.ToValidUTF8(name[:i], ""))
		}
	}
	return "^" + regexp.QuoteMeta(strings.ToValidUTF8(name, ""))
}

// hasGrid reports whether a job has a grid that can be looked at now. A page that
// would only lead there is shown without that, too.
func (s *Site) hasGrid(ctx context.Context, repo forge.RepoName, job string) bool {
	if s.Signal == nil || !repo.Valid() {
		return false
	}
	tabs, err := s.Signal.Tabs(ctx, repo)
	if err != nil {
		s.Log.Warn("looking for the grid of a job", "repository", repo.String(), "job", job, "error", err)
		return false
	}
	return slices.ContainsFunc(tabs, func(t signal.Tab) bool { return t.Job == job })
}

// gridHome is the repository in which the job of a run has a grid: the one that it
// is about, or of a periodic job that is about none the one that it is a job of.
func (s *Site) gridHome(ctx context.Context, e job.Execution) string {
	var all []forge.RepoName
	for _, r := range append([]job.Refs{e.Refs}, e.Extra...) {
		all = append(all, forge.RepoName{Owner: r.Org, Name: r.Repo})
	}
	if e.Type == job.Periodic {
		served, err := s.Repos(ctx)
		if err != nil {
			s.Log.Warn("looking for the repository of a job", "job", e.Job, "error", err)
		}
		all = append(all, served...)
	}
	for _, repo := range all {
		if s.hasGrid(ctx, repo, e.Job) {
			return repo.String()
		}
	}
	return ""
}

// gridLink leads to the row of a test in the grid of a repository's job.
func gridLink(repo, job, test string) string {
	if repo == "" || job == "" {
		return ""
	}
	address := "/" + repo + "/grid/" + url.PathEscape(job)
	if test != "" {
		address += "?" + url.Values{"include": {exactly(test, "$", mostPattern)}, "stale": {"show"}}.Encode()
	}
	return address
}
