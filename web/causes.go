package web

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/signal"
	"seaworthy/triage/live"
)

// What a grid's page tells of failures that say the same: groups, tests of each,
// and bytes of a message.
const (
	mostCauses     = 40
	mostCauseTests = 6
	causeBytes     = 300
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

// failureGroups put the failures together that a page of a grid is about, by
// outcome and message; more counts the groups that are left out.
func failureGroups(u subject, a ask) (groups []failureGroup, more int) {
	all := a.query.Failures(u.grid, true)
	for _, f := range all[:min(len(all), mostCauses)] {
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
	return groups, len(all) - len(groups)
}

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
