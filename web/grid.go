package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

// subject is a grid that pages speak of: a dashboard's tab, or the grid of a
// repository's job.
type subject struct {
	name        string
	description string
	crumbs      []link
	base        string // address of its page
	grid        *grid.Grid
	options     grid.Options
	start       dashboard.BaseOptions // the view one starts with
	news        []link
	reading     bool // more results are being read

	// Of a dashboard's tab.
	board dashboard.Dashboard
	tab   dashboard.Tab
	group dashboard.TestGroup
	// repo is whose job it is; zero if that is not known.
	repo forge.RepoName
}

// gridCell is a cell in a table.
type gridCell struct {
	Class  string
	Letter string
	Title  string
	Link   string
}

// presentCell gives an outcome its colour and the letter that goes with it.
func presentCell(c grid.Cell, link string) gridCell {
	cell := gridCell{Class: cellClass(c.Status), Letter: c.Icon, Title: outcomeWord(c.Status), Link: link}
	switch cell.Class {
	case "c-none":
		return gridCell{Class: "c-none"}
	case "c-flake":
		if cell.Letter == "" {
			cell.Letter = "½"
		}
	case "c-pass":
		if cell.Letter == "" {
			cell.Letter = "·"
		}
	case "c-run":
		if cell.Letter == "" {
			cell.Letter = "R"
		}
	default:
		if cell.Letter == "" {
			cell.Letter = "F"
		}
	}
	if c.Message != "" {
		cell.Title += ": " + c.Message
	}
	return cell
}

// jobSubject is the grid of a repository's job.
func (s *Site) jobSubject(r *http.Request) (subject, error) {
	repo, err := repoOf(r)
	if err != nil {
		return subject{}, err
	}
	name := r.PathValue("job")
	g, err := s.Signal.Grid(r.Context(), repo, name)
	if err != nil {
		return subject{}, err
	}
	return subject{
		name: name, crumbs: []link{{repo.String(), dashboardPath(repo.String())}}, repo: repo, grid: g,
		base: "/" + repo.String() + "/grid/" + url.PathEscape(name),
	}, nil
}

// tabSubject is a tab of a dashboard.
func (s *Site) tabSubject(r *http.Request) (subject, error) {
	return s.findTab(r.Context(), r.PathValue("dashboard"), r.PathValue("tab"))
}

func (s *Site) findTab(ctx context.Context, board, name string) (subject, error) {
	config, err := s.Signal.Dashboards(ctx)
	if err != nil {
		return subject{}, err
	}
	d, ok := config.Dashboard(board)
	if !ok {
		return subject{}, errNoPage
	}
	g, tab, options, err := s.Signal.TabGrid(ctx, board, name)
	if err != nil {
		return subject{}, err
	}
	u := subject{
		name: tab.Name, description: tab.Description, crumbs: []link{{d.Name, dashboardPath(d.Name)}}, base: tabPath(d.Name, tab.Name),
		grid: g, options: options, board: d, tab: tab, news: news(d.Notifications), reading: s.Signal.Reading(ctx, board, name),
	}
	if _, group, ok := config.Tab(board, name); ok {
		u.group = group
		u.news = append(u.news, news(group.Notifications)...)
	}
	// What cannot be read of the options was reported when they were checked;
	// the rest of them counts.
	u.start, _ = dashboard.ParseBaseOptions(tab.BaseOptions)
	owner, repo, _ := strings.Cut(d.Name, "/")
	if own := (forge.RepoName{Owner: owner, Name: repo}); own.Valid() {
		u.repo = own // a repository's own dashboard has its name
	}
	return u, nil
}

// column finds a build's column; false if the grid has none.
func (u subject) column(build string) (grid.Column, bool) {
	for _, c := range u.grid.Columns {
		if c.Build == build {
			return c, true
		}
	}
	return grid.Column{}, false
}

// openLink leads to a cell's run: a path that redirects there, so that a table
// of thousands of cells need not hold as many addresses.
func (u subject) openLink(build, test string) string {
	return u.base + "/open?" + url.Values{"build": {build}, "test": {test}}.Encode()
}

func (u subject) betweenLink(from, to string) string {
	if u.tab.CodeSearch == nil && len(u.tab.ColumnDiffs) == 0 && u.repo == (forge.RepoName{}) {
		return ""
	}
	return u.base + "/between?" + url.Values{"from": {from}, "to": {to}}.Encode()
}

// gridAlert is a test that fails again and again.
type gridAlert struct {
	Name        string
	Link        string
	Count       int
	Message     string
	First       string
	FirstLink   string
	Since       time.Time
	Good        string
	GoodLink    string
	BetweenLink string
	TriageLink  string
	Cluster     bool // it leads to one cluster
	BugLink     string
	NoBug       string // why there is none
	SearchLink  string
}

// A page tells at most this many alerts.
const mostAlerts = 8

func (s *Site) alerts(ctx context.Context, u subject, sum grid.Summary) ([]gridAlert, string, error) {
	var all []gridAlert
	for i, a := range sum.Alerts {
		if i == mostAlerts {
			more := len(sum.Alerts) - i
			return all, fmt.Sprintf("%s.", agreeing(more, "more test fails", "more tests fail")), nil
		}
		shown := gridAlert{
			Name: a.Test, Link: testPath(a.Test), Count: a.Fails, Message: a.Message, First: a.FirstFail.Build, Since: a.FirstFail.Started,
			FirstLink: u.openLink(a.FirstFail.Build, a.Test), Good: a.LastPass.Build,
		}
		if shown.Good != "" {
			shown.GoodLink = u.openLink(shown.Good, a.Test)
			shown.BetweenLink = u.betweenLink(shown.Good, shown.First)
		}
		if err := s.lead(ctx, &shown, u, a); err != nil {
			return nil, "", err
		}
		all = append(all, shown)
	}
	return all, "", nil
}

// buildPaths are where the results of a build may lie, as triage names builds.
func (u subject) buildPaths(c grid.Column) []string {
	name := cmp.Or(c.Job, u.grid.Job)
	var all []string
	if c.Pull > 0 && u.repo.Valid() {
		all = append(all, fmt.Sprintf("pr-logs/pull/%s_%s/%d/%s/%s", u.repo.Owner, u.repo.Name, c.Pull, name, c.Build))
	}
	if u.group.Prefix == "" {
		return append(all, "logs/"+name+"/"+c.Build)
	}
	for prefix := range strings.SplitSeq(u.group.Prefix, ",") {
		at := strings.Trim(strings.TrimSpace(prefix), "/") + "/" + c.Build
		all = append(all, at, "gs://"+at)
	}
	return all
}

// testPath is the page of one test through all its runs.
func testPath(name string) string { return "/tests?" + url.Values{"name": {name}}.Encode() }

// runAnchor is where a test stands on the page of its run.
func runAnchor(test string) string { return "test-" + strings.Join(strings.Fields(test), "_") }

// between shows what was committed between two builds, or where to see it.
func (s *Site) between(find finder) func(*http.Request) (view, error) {
	return func(r *http.Request) (view, error) {
		u, err := find(r)
		if err != nil {
			return view{}, err
		}
		from, ok := u.column(r.FormValue("from"))
		to, both := u.column(r.FormValue("to"))
		if !ok || !both {
			return view{}, errNoPage
		}
		if to.Started.Before(from.Started) {
			from, to = to, from
		}
		p := betweenPage{Crumbs: append(u.crumbs, link{u.name, u.base}), Heading: "What changed between two builds"}
		p.Sentence = fmt.Sprintf("From build %s (%s) to build %s (%s).", from.Build, commitName(from), to.Build, commitName(to))
		p.Elsewhere = u.differences(from, to, s.Address)
		if u.tab.CodeSearch != nil {
			values := u.tab.Values(u.group, s.Address+u.base).Between(from.Build, from.Extra, to.Build, to.Extra)
			if p.External, err = u.tab.CodeSearch.Expand(values); err != nil {
				p.Empty = "The tab's address of its sources cannot be filled in: " + err.Error() + "."
			}
		}
		if err := s.commits(r.Context(), u, from, to, &p); err != nil {
			return view{}, err
		}
		return view{page: "between", Title: p.Heading, Nav: "signal", Data: p}, nil
	}
}

// differences are the tab's column_diff_link_templates between two builds, those
// that can be filled in.
func (u subject) differences(from, to grid.Column, site string) []link {
	var all []link
	values := u.tab.Values(u.group, site+u.base).Between(from.Build, from.Extra, to.Build, to.Extra)
	for _, d := range u.tab.ColumnDiffs {
		if address, err := d.Expand(values); err == nil {
			all = append(all, link{cmp.Or(d.Name, "What differs"), address})
		}
	}
	return all
}

type betweenPage struct {
	Crumbs   []link
	Heading  string
	Sentence string
	External string
	// Elsewhere tell more of the difference.
	Elsewhere []link
	Commits   []committed
	More      string
	Empty     string
}

type committed struct {
	SHA, Subject, Author string
	At                   time.Time
}

// A page lists at most this many commits.
const mostCommits = 250

// commits lists those of a repository of ours, newest first.
func (s *Site) commits(ctx context.Context, u subject, from, to grid.Column, p *betweenPage) error {
	switch {
	case u.repo == (forge.RepoName{}):
		if p.External == "" && p.Empty == "" && len(p.Elsewhere) == 0 {
			p.Empty = "It is not known where the sources of this tab are."
		}
		return nil
	case from.Commit == "" || to.Commit == "":
		p.Empty = "One of the builds does not say which commit it tested."
		return nil
	case from.Commit == to.Commit:
		p.Empty = "Both builds tested the same commit."
		return nil
	case s.Commits == nil:
		p.Empty = "No forge is connected that could list the commits."
		return nil
	}
	all, err := s.Commits(ctx, u.repo, from.Commit, to.Commit)
	if err != nil {
		return fmt.Errorf("listing the commits from %s to %s of %s: %w", short(from.Commit), short(to.Commit), u.repo, err)
	}
	for i := len(all) - 1; i >= 0 && len(p.Commits) < mostCommits; i-- {
		subject, _, _ := strings.Cut(all[i].Message, "\n")
		p.Commits = append(p.Commits, committed{SHA: all[i].SHA, Subject: subject, Author: all[i].Author.Name, At: all[i].Author.Time})
	}
	p.Sentence += " " + plural(len(all), "commit", "commits") + "."
	if len(all) > mostCommits {
		p.More = fmt.Sprintf("The newest %d of %d.", mostCommits, len(all))
	}
	if len(all) == 0 {
		p.Empty = "The newer build has no commit that the older one lacks."
	}
	return nil
}

// shortBuild is the end of a build's id: the ids of a job differ there.
func shortBuild(id string) string {
	if len(id) > 10 {
		return "…" + id[len(id)-9:]
	}
	return id
}

func commitName(c grid.Column) string {
	if c.Commit != "" {
		return short(c.Commit)
	}
	return c.Started.UTC().Format("2 Jan 15:04")
}
