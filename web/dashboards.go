package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

// gridRoutes lays out the pages of dashboards and grids. A repository's job has
// the pages that a tab has.
func (s *Site) gridRoutes() {
	for _, p := range []struct {
		mux  *http.ServeMux
		base string
		find finder
	}{{s.mux, "GET /{owner}/{repo}/grid/{job}", s.jobSubject}, {s.boards, "GET /dashboards/{dashboard}/{tab}", s.tabSubject}} {
		p.mux.HandleFunc(p.base, translated(s.page(s.gridView(p.find))))
		p.mux.HandleFunc(p.base+"/rows", s.rows(p.find))
		p.mux.HandleFunc(p.base+"/open", s.leading(p.find, s.opened))
		p.mux.HandleFunc(p.base+"/cell/{to}", s.leading(p.find, s.ledFrom))
		p.mux.HandleFunc(p.base+"/graph", s.page(s.graph(p.find)))
		p.mux.HandleFunc(p.base+"/between", s.page(s.between(p.find)))
	}
	s.boards.HandleFunc("GET /dashboards/{dashboard}", s.page(s.dashboard))
	s.boards.HandleFunc("GET /", s.page(func(*http.Request) (view, error) { return view{}, errNoPage }))
	s.mux.HandleFunc("GET /compare", s.page(s.compare))
	s.mux.HandleFunc("GET /{dashboard}", s.shortcut)
	s.mux.HandleFunc("GET /dashboards", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/signal", http.StatusFound) })
}

// A page that would list more dashboards than this lists groups instead.
const mostBoards = 60

// At most this many alerts are told for a tab among others.
const mostTabAlerts = 3

type link struct{ Label, Link string }

// boardLine is one dashboard among others.
type boardLine struct {
	Name, Description, Link string
	Mark                    Mark
	Counts                  []Mark
	Worst                   []worstTab
}

type worstTab struct{ Name, Word, Link string }

// boardGroup is a dashboard group on the signal page.
type boardGroup struct {
	Name, Description, Link string
	Mark                    Mark
	Boards                  []boardLine
}

type signalPage struct {
	Verdict  *Mark
	Sentence string
	Filters  []filter
	Problems []string
	Groups   []boardGroup
	Empty    string
}

// tally counts tabs by status.
type tally map[grid.Status]int

func (t tally) add(o tally) {
	for s, n := range o {
		t[s] += n
	}
}

func (t tally) total() int {
	n := 0
	for _, c := range t {
		n += c
	}
	return n
}

func (t tally) worst() grid.Status {
	var all []grid.Status
	for s := range t {
		all = append(all, s)
	}
	return grid.Worst(all...)
}

// counts are how many tabs have each status, worst first.
func (t tally) counts() []Mark {
	var all []Mark
	for _, s := range statuses {
		if n := t[s]; n > 0 {
			m := tabMark(s)
			m.Word = fmt.Sprintf("%d %s", n, m.Word)
			all = append(all, m)
		}
	}
	return all
}

// statuses from the worst to the best.
var statuses = [...]grid.Status{grid.Broken, grid.Stale, grid.Failing, grid.Flaky, grid.Pending, grid.Acceptable, grid.Passing, grid.Unknown}

func dashboardPath(name string) string { return "/dashboards/" + url.PathEscape(name) }

func tabPath(board, tab string) string { return dashboardPath(board) + "/" + url.PathEscape(tab) }

// judged is a dashboard and what its tabs say.
type judged struct {
	board dashboard.Dashboard
	tabs  []signal.TabSummary
	tally tally
}

// judge reads the summaries of a dashboard.
func (s *Site) judge(r *http.Request, d dashboard.Dashboard) (judged, error) {
	tabs, err := s.Signal.Summaries(r.Context(), d.Name)
	if err != nil {
		return judged{}, fmt.Errorf("summarising dashboard %s: %w", d.Name, err)
	}
	j := judged{board: d, tabs: tabs, tally: tally{}}
	for _, t := range tabs {
		j.tally[t.Summary.Status]++
	}
	return j, nil
}

func (j judged) line() boardLine {
	l := boardLine{Name: j.board.Name, Description: j.board.Description, Link: dashboardPath(j.board.Name), Mark: tabMark(j.tally.worst()), Counts: j.tally.counts()}
	for _, st := range []grid.Status{grid.Broken, grid.Failing, grid.Stale, grid.Flaky} {
		for _, t := range j.tabs {
			if t.Summary.Status != st || len(l.Worst) > mostTabAlerts {
				continue
			}
			if len(l.Worst) == mostTabAlerts {
				l.Worst = append(l.Worst, worstTab{Name: "more", Link: l.Link})
				continue
			}
			l.Worst = append(l.Worst, worstTab{Name: t.Tab, Word: tabMark(st).Word, Link: tabPath(j.board.Name, t.Tab)})
		}
	}
	return l
}

// signal is the page of all dashboards, by group.
func (s *Site) signal(r *http.Request) (view, error) {
	config, err := s.Signal.Dashboards(r.Context())
	if err != nil {
		return view{}, err
	}
	all := make(map[string]judged, len(config.Dashboards))
	total := tally{}
	for _, d := range config.Dashboards {
		j, err := s.judge(r, d)
		if err != nil {
			return view{}, err
		}
		all[d.Name] = j
		total.add(j.tally)
	}
	p := signalPage{Sentence: "No job has results yet.", Empty: "No dashboard has such a status."}
	if len(config.Dashboards) == 0 {
		p.Empty = "There are no dashboards yet: no repository is served that has jobs."
	}
	p.Verdict, p.Sentence = verdictOf(total, len(config.Dashboards))
	wanted := grid.Status(strings.ToUpper(r.FormValue("status")))
	p.Filters = statusFilters(r, total)
	chosen := r.FormValue("group")
	for _, g := range families(config) {
		if chosen != "" && chosen != g.Name {
			continue
		}
		p.Groups = append(p.Groups, groupLines(g, all, wanted, chosen == "" && len(config.Dashboards) > mostBoards)...)
	}
	if chosen == "" && len(config.Dashboards) > mostBoards {
		p.Groups = foldGroups(p.Groups)
	}
	return view{page: "signal", Title: "Signal", Nav: "signal", Topics: "runs", Data: p}, nil
}

// restName is what dashboards are listed under that are in no group.
const restName = "Other dashboards"

// families are the groups as configured, and one of the dashboards that are in
// none.
func families(c dashboard.Config) []dashboard.Group {
	grouped := map[string]bool{}
	for _, g := range c.DashboardGroups {
		for _, name := range g.Dashboards {
			grouped[dashboard.Normalize(name)] = true
		}
	}
	all := slices.Clone(c.DashboardGroups)
	rest := dashboard.Group{Name: restName}
	for _, d := range c.Dashboards {
		if !grouped[dashboard.Normalize(d.Name)] {
			rest.Dashboards = append(rest.Dashboards, d.Name)
		}
	}
	if len(all) == 0 {
		rest.Name = "Dashboards"
	}
	if len(rest.Dashboards) > 0 {
		all = append(all, rest)
	}
	return all
}

// groupLines shows a group with the dashboards that have a tab of the wanted
// status; none if no dashboard has.
func groupLines(g dashboard.Group, all map[string]judged, wanted grid.Status, folded bool) []boardGroup {
	out := boardGroup{Name: g.Name, Description: g.Description, Link: groupPath(g.Name)}
	sum := tally{}
	for _, name := range g.Dashboards {
		j, ok := all[name]
		if !ok || wanted != "" && j.tally[wanted] == 0 {
			continue
		}
		sum.add(j.tally)
		if !folded {
			out.Boards = append(out.Boards, j.line())
		}
	}
	if sum.total() == 0 && len(out.Boards) == 0 {
		return nil
	}
	out.Mark = tabMark(sum.worst())
	if folded {
		out.Boards = []boardLine{{Name: g.Name, Description: g.Description, Link: out.Link, Mark: out.Mark, Counts: sum.counts()}}
	}
	return []boardGroup{out}
}

// foldGroups makes one list of groups, each a line.
func foldGroups(groups []boardGroup) []boardGroup {
	one := boardGroup{Name: "Dashboard groups"}
	worst := tally{}
	for _, g := range groups {
		for _, b := range g.Boards {
			one.Boards = append(one.Boards, b)
			worst[grid.Status(strings.ToUpper(b.Mark.Word))]++
		}
	}
	one.Mark = tabMark(worst.worst())
	if len(one.Boards) == 0 {
		return nil
	}
	return []boardGroup{one}
}

func verdictOf(t tally, boards int) (*Mark, string) {
	total := t.total()
	if total == 0 {
		return nil, "No job has results yet."
	}
	passing := t[grid.Passing] + t[grid.Acceptable]
	sentence := fmt.Sprintf("%d of %s %s", passing, plural(total, "tab", "tabs"), verb(passing, "passes", "pass"))
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{t[grid.Failing] + t[grid.Broken], "fails", "fail"}, {t[grid.Flaky], "is flaky", "are flaky"},
		{t[grid.Stale], "is stale", "are stale"}, {t[grid.Pending], "has results to come", "have results to come"},
	} {
		if part.n > 0 {
			sentence += ", " + agreeing(part.n, part.one, part.many)
		}
	}
	sentence += fmt.Sprintf("; %s.", plural(boards, "dashboard", "dashboards"))
	m := mark("pass", "green")
	switch {
	case t[grid.Failing]+t[grid.Broken] > 0:
		m = mark("fail", "red")
	case t[grid.Flaky]+t[grid.Stale] > 0:
		m = mark("flake", "yellow")
	case t[grid.Passing]+t[grid.Acceptable] == 0:
		m = mark("idle", "unknown")
	}
	return &m, sentence
}

// statusFilters are links that keep what has one status, with how many there
// are; the rest of the address stays.
func statusFilters(r *http.Request, t tally) []filter {
	wanted := strings.ToLower(r.FormValue("status"))
	to := func(status string) string {
		q := r.URL.Query()
		q.Set("status", status)
		if status == "" {
			q.Del("status")
		}
		return "?" + q.Encode()
	}
	all := []filter{{Label: fmt.Sprintf("All %d", t.total()), Link: to(""), Current: wanted == ""}}
	for _, s := range statuses {
		word := strings.ToLower(string(s))
		if t[s] > 0 || wanted == word {
			all = append(all, filter{Label: fmt.Sprintf("%s %d", strings.ToUpper(word[:1])+word[1:], t[s]), Link: to(word), Current: wanted == word})
		}
	}
	return all
}

// tabLine is one tab on its dashboard's page.
type tabLine struct {
	ID                            string // where links to the tab lead
	Name, Description, Link, Text string
	Mark                          Mark
	Alerts                        []gridAlert
	More                          string
	Problem                       string
	Strip                         strip
	Green                         string
	Ran                           time.Time
}

type dashboardPage struct {
	Name, Group, Description, Sentence string
	Verdict                            Mark
	CompareLink                        string
	News                               []link
	Filters                            []filter
	Tabs                               []tabLine
	Empty                              string
}

// dashboard is the summary of one dashboard's tabs.
func (s *Site) dashboard(r *http.Request) (view, error) {
	config, err := s.Signal.Dashboards(r.Context())
	if err != nil {
		return view{}, err
	}
	d, ok := config.Dashboard(r.PathValue("dashboard"))
	if !ok {
		return view{}, errNoPage
	}
	j, err := s.judge(r, d)
	if err != nil {
		return view{}, err
	}
	p := dashboardPage{Name: d.Name, Description: d.Description, Verdict: tabMark(j.tally.worst()), Filters: statusFilters(r, j.tally), Empty: "No tab has this status."}
	for _, g := range config.DashboardGroups {
		if slices.Contains(g.Dashboards, d.Name) {
			p.Group = g.Name
		}
	}
	_, p.Sentence = verdictOf(j.tally, 1)
	p.Sentence, _, _ = strings.Cut(p.Sentence, ";")
	p.Sentence = strings.TrimSuffix(p.Sentence, ".") + "."
	p.News = news(d.Notifications)
	p.CompareLink = compareLink(d)
	wanted := grid.Status(strings.ToUpper(r.FormValue("status")))
	for _, t := range j.tabs {
		if wanted == "" || t.Summary.Status == wanted {
			p.Tabs = append(p.Tabs, tabLineOf(d.Name, t))
		}
	}
	if len(d.Tabs) == 0 {
		p.Empty = "This dashboard has no tabs."
	}
	return view{page: "dashboard", Title: d.Name + " " + p.Verdict.Word, Nav: "signal", Topics: "runs", Data: p}, nil
}

// compareLink leads to the first tabs side by side; empty if there is one only.
func compareLink(d dashboard.Dashboard) string {
	if len(d.Tabs) < 2 {
		return ""
	}
	q := url.Values{}
	for _, t := range d.Tabs[:2] {
		q.Add("tab", d.Name+"/"+t.Name)
	}
	return "/compare?" + q.Encode()
}

func news(all []dashboard.Notification) []link {
	var out []link
	for _, n := range all {
		l := link{Label: n.Summary}
		if u, err := url.Parse(n.Link); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			l.Link = n.Link
		}
		out = append(out, l)
	}
	return out
}

func tabLineOf(board string, t signal.TabSummary) tabLine {
	l := tabLine{
		ID: strings.Join(strings.Fields(t.Tab), "_"), Name: t.Tab, Description: t.Description, Link: tabPath(board, t.Tab), Text: t.Summary.Text, Mark: tabMark(t.Summary.Status),
		Green: green(t.Summary.LatestGreen), Ran: t.LastRun, Problem: t.Problem, Strip: newStrip(t.Recent, nil),
	}
	if t.Summary.Alert != "" {
		l.Text += ". " + t.Summary.Alert
	}
	if t.Reading {
		l.Mark, l.Text = mark("run", "reading"), "Its results are being read."
	}
	for i, a := range t.Summary.Alerts {
		if i == mostTabAlerts {
			l.More = fmt.Sprintf("and %d more", len(t.Summary.Alerts)-i)
			break
		}
		l.Alerts = append(l.Alerts, gridAlert{Name: a.Test, Count: a.Fails, Message: a.Message})
	}
	return l
}

// green is the newest green column's name, as far as there is room for it;
// empty if there is none.
func green(name string) string {
	if name == "no recent greens" {
		return ""
	}
	if len(name) == 40 { // a commit
		return short(name)
	}
	return name
}
