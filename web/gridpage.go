package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

// finder finds the grid that an address speaks of.
type finder func(*http.Request) (subject, error)

type gridPage struct {
	Name, Description string
	Crumbs            []link
	Summary           grid.Summary
	Green             string
	GraphLink         string
	CompareLink       string
	Elsewhere         []link // what the tab's configuration names: its results, its issues
	News              []link
	Alerts            []gridAlert
	MoreAlerts        string
	NoIssue           string // why no issue can be filed about them
	Form              gridForm
	Problem           string
	Counted           string
	Sheet             template.JS
	Days              []span
	Columns           []gridColumn
	Extra             []extraRow
	Rows              []gridRow
	Paging            []link
	Empty             string
	Causes            []failureGroup
	CausesTotal       int
	CausesShown       string // which of them the page has
	CausesPages       []link // lead to the others
	CausesOpen        bool
}

type gridColumn struct{ Name, Title, Link string }

// gridRow is a row of the table, or with Group the heading over some.
type gridRow struct {
	Name, Link string
	Cells      []gridCell
	Group      bool
	Span       int
}

// span is a label over neighbouring columns that share a value.
type span struct {
	Label string
	Span  int
}

type extraRow struct {
	Label string
	Spans []span
}

type gridForm struct {
	Include, Exclude               []pattern
	Sorts, Groups, Widths, Columns []choice
	Only, Stale, Changed           bool
}

// gridView is the page of a grid.
func (s *Site) gridView(find finder) func(*http.Request) (view, error) {
	return func(r *http.Request) (view, error) {
		u, err := find(r)
		if err != nil {
			return view{}, err
		}
		a := readAsk(r.URL.Query(), u)
		sum := grid.Summarize(u.grid, u.options, s.Now())
		p := gridPage{Name: u.name, Description: u.description, Crumbs: u.crumbs, Summary: sum, Green: green(sum.LatestGreen), News: u.news, Problem: strings.Join(slices.Concat(a.problems, a.missing), " ")}
		if len(u.grid.Metrics()) > 0 {
			p.GraphLink = u.base + "/graph"
		}
		if len(u.board.Tabs) > 1 {
			p.CompareLink = "/compare?" + url.Values{"tab": {u.board.Name + "/" + u.tab.Name}}.Encode()
		}
		p.Elsewhere = s.outward(u)
		if u.reading {
			p.News = append(p.News, link{Label: "Older results are still being read; the page will show them when they are there."})
		}
		if p.Alerts, p.MoreAlerts, err = s.alerts(r.Context(), u, sum); err != nil {
			return view{}, err
		}
		for _, alert := range p.Alerts {
			p.NoIssue = alert.NoBug
		}
		p.Form = newForm(a)
		if r.FormValue("causes") != "" {
			a.query.Messages /= 2 // messages are what the rest of the page is about
		}
		sh := newSheet(u, a, sum)
		p.Counted = counted(sh.View)
		p.Empty = "No row matches."
		if len(u.grid.Columns) == 0 {
			p.Empty = "There are no results yet."
		}
		p.say(r, u, a)
		if len(sh.View.Columns) > 0 && len(sh.View.Rows) > 0 {
			if sh.Menu, err = s.menu(r.Context(), u); err != nil {
				return view{}, err
			}
			if err := p.draw(r, u, a, sh); err != nil {
				return view{}, err
			}
		}
		return view{page: "grid", Title: u.name + " " + strings.ToLower(string(sum.Status)), Nav: "signal", Topics: "runs", Data: p}, nil
	}
}

// outward are the links that the tab's configuration has for the tab itself.
func (s *Site) outward(u subject) []link {
	var all []link
	for _, l := range []struct {
		label string
		to    *dashboard.Link
	}{{cmp.Or(u.tab.ResultsText, "Results"), u.tab.Results}, {"Issues", u.tab.OpenBug}, {"About", &dashboard.Link{URL: u.tab.About}}} {
		if l.to == nil {
			continue
		}
		if address, err := l.to.Expand(u.tab.Values(u.group, s.Address+u.base)); err == nil {
			all = append(all, link{l.label, address})
		}
	}
	return all
}

// say tells what the failures say: some groups of them; a page of all if the
// address asks for "all" or for those from one on.
func (p *gridPage) say(r *http.Request, u subject, a ask) {
	window := grid.Window{Count: firstCauses}
	asked := r.FormValue("causes")
	if p.CausesOpen = asked != ""; p.CausesOpen {
		window = grid.Window{From: whole(asked, 1, 1<<20) - 1, Count: mostCauses}
	}
	all := failureGroups(u, a, &window)
	p.Causes, p.CausesTotal = all.groups, all.total
	to := func(causes string) string {
		q := r.URL.Query()
		q.Set("causes", causes)
		return "?" + q.Encode() + "#causes"
	}
	last := window.From + len(p.Causes)
	if !p.CausesOpen {
		if last < p.CausesTotal {
			p.CausesPages = []link{{"All messages", to("all")}}
		}
		return
	}
	if p.CausesTotal > len(p.Causes) {
		p.CausesShown = fmt.Sprintf("%d to %d of %d", window.From+1, last, p.CausesTotal)
	}
	if window.From > 0 {
		p.CausesPages = append(p.CausesPages, link{"← messages before", to(strconv.Itoa(max(0, window.From-mostCauses) + 1))})
	}
	if last < p.CausesTotal {
		p.CausesPages = append(p.CausesPages, link{"messages after →", to(strconv.Itoa(last + 1))})
	}
}

// draw puts the sheet in, and the table for those who see no canvas.
func (p *gridPage) draw(r *http.Request, u subject, a ask, sh sheet) (err error) {
	p.table(u, sh.View)
	p.Paging = paging(r, a, sh.View, len(p.Rows))
	sh.Label, sh.Width = "Results of "+u.name, a.width
	sh.RowsLink = u.base + "/rows?" + r.URL.RawQuery
	sh.RowLink = "/tests?name={test}"
	sh.CellLink = u.base + "/open?build={build}&test={test}"
	if sh.BetweenLink = u.betweenLink("{from}", "{to}"); sh.BetweenLink != "" {
		sh.BetweenLink = u.base + "/between?from={from}&to={to}"
	}
	sh.Groups, sh.View.Groups = allGroups(u, a), nil
	p.Sheet, err = sh.encode()
	return err
}

func counted(v grid.View) string {
	text := fmt.Sprintf("%s of %d", plural(v.Matching, "row", "rows"), v.All)
	if v.Matching == v.All {
		text = plural(v.All, "row", "rows")
	}
	text += fmt.Sprintf(", %s", plural(len(v.Columns), "build", "builds"))
	if len(v.Columns) < v.Total {
		text += fmt.Sprintf(" of %d", v.Total)
	}
	if len(v.Columns) > 0 {
		newest, oldest := v.Columns[0].Started, v.Columns[len(v.Columns)-1].Started
		if !newest.IsZero() && !oldest.IsZero() {
			text += fmt.Sprintf(" from %s to %s", oldest.UTC().Format("2 Jan 2006"), newest.UTC().Format("2 Jan 2006"))
		}
	}
	return text + "."
}

// table is the first rows and columns as a table.
func (p *gridPage) table(u subject, v grid.View) {
	columns := v.Columns[:min(len(v.Columns), tableColumns)]
	for _, c := range columns {
		title := fmt.Sprintf("build %s of %s, started %s", c.Build, commitName(c), c.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
		p.Columns = append(p.Columns, gridColumn{Name: shortBuild(c.Build), Title: title, Link: u.openLink(c.Build, u.grid.Overall())})
	}
	p.Days = spans(columns, func(c grid.Column) string { return c.Started.UTC().Format("2 Jan") })
	for i, h := range v.Headers {
		p.Extra = append(p.Extra, extraRow{h, spans(columns, func(c grid.Column) string {
			if i < len(c.Extra) {
				return c.Extra[i]
			}
			return ""
		})})
	}
	headings := map[int]string{}
	for _, g := range v.Groups {
		headings[g.First] = g.Name
	}
	left := tableBytes
	for i, row := range v.Rows[:min(len(v.Rows), tableRows)] {
		if name, ok := headings[i]; ok {
			p.Rows = append(p.Rows, gridRow{Name: name, Group: true, Span: len(columns) + 1})
		}
		line := gridRow{Name: row.Name, Link: testPath(row.Name)}
		for c, cell := range cellsOf(v, row)[:len(columns)] {
			shown := presentCell(cell, "")
			// The others' runs are behind the heads of their columns: a link in each
			// cell would be most of the page. So they are once many fail.
			if link := u.openLink(columns[c].Build, row.Name); !cell.Status.Passing() && cell.Status != grid.NoResult {
				if left -= len(link) + len(cell.Message); left < 0 {
					cell.Message, link = "", ""
				}
				shown = presentCell(cell, link)
			}
			line.Cells = append(line.Cells, shown)
		}
		p.Rows = append(p.Rows, line)
	}
}

// cellsOf unpacks a row of a view.
func cellsOf(v grid.View, row grid.ViewRow) []grid.Cell {
	cells := make([]grid.Cell, 0, len(v.Columns))
	for i := 0; i+1 < len(row.Runs); i += 2 {
		for range row.Runs[i+1] {
			cells = append(cells, grid.Cell{Status: grid.Outcome(row.Runs[i])})
		}
	}
	cells = slices.Grow(cells, len(v.Columns))
	for len(cells) < len(v.Columns) {
		cells = append(cells, grid.Cell{})
	}
	for i := 0; i+2 < len(row.Notes); i += 3 {
		c := &cells[row.Notes[i]]
		c.Icon = v.Texts[row.Notes[i+1]]
		if n := row.Notes[i+2]; n >= 0 {
			c.Message = v.Texts[n]
		}
	}
	return cells
}

func spans(columns []grid.Column, value func(grid.Column) string) []span {
	var all []span
	for i, c := range columns {
		label := value(c)
		if i > 0 && all[len(all)-1].Label == label {
			all[len(all)-1].Span++
		} else {
			all = append(all, span{label, 1})
		}
	}
	return all
}

// paging are links to the rest of the table, for whoever has no script.
func paging(r *http.Request, a ask, v grid.View, rows int) []link {
	var all []link
	to := func(label, name string, value int) {
		q := r.URL.Query()
		if value <= 0 {
			q.Del(name)
		} else {
			q.Set(name, strconv.Itoa(value))
		}
		all = append(all, link{label, "?" + q.Encode()})
	}
	if v.RowsFrom > 0 {
		to("← rows before", "from", v.RowsFrom-tableRows)
	}
	if v.RowsFrom+min(rows, tableRows) < v.Matching {
		to("rows after →", "from", v.RowsFrom+tableRows)
	}
	if v.From > 0 {
		to("← newer builds", "older", v.From-tableColumns)
	}
	if v.From+tableColumns < v.Total {
		to("older builds →", "older", v.From+tableColumns)
	}
	return all
}

// pattern is one expression of several, in a field of its own.
type pattern struct {
	Label, Value string
	Bad, More    bool // it is none; it is not the first
}

// patternsOf are the fields of a form for expressions: those that there are, and
// one for another.
func patternsOf(label string, values []string) []pattern {
	var all []pattern
	for _, value := range values {
		_, err := grid.Filter(value)
		all = append(all, pattern{Label: label, Value: value, Bad: err != nil, More: len(all) > 0})
	}
	if len(all) < mostPatterns {
		all = append(all, pattern{Label: label, More: len(all) > 0})
	}
	return all
}

func newForm(a ask) gridForm {
	f := gridForm{
		Include: patternsOf("Names matching", a.include), Exclude: patternsOf("Names not matching", a.exclude),
		Only: a.query.OnlyFailures, Stale: a.query.Stale, Changed: a.changed,
	}
	f.Sorts = choices(string(a.query.Sort), choice{Value: "", Label: "by name"}, choice{Value: "failures", Label: "failures first"}, choice{Value: "flakiness", Label: "flakiest first"})
	f.Groups = choices(a.group, choice{Value: "", Label: "nothing"}, choice{Value: "hierarchy", Label: "first part of the name"}, choice{Value: "target", Label: "name before the last dot"}, choice{Value: "directory", Label: "directory"}, choice{Value: `regex-mask:[0-9]+`, Label: "name but for numbers"})
	f.Widths = choices(strconv.Itoa(a.width), choice{Value: "6", Label: "narrow"}, choice{Value: "20", Label: "normal"}, choice{Value: "40", Label: "wide"})
	f.Columns = choices(strconv.Itoa(a.query.Columns.Count), choice{Value: "50", Label: "50 builds"}, choice{Value: "200", Label: "200 builds"}, choice{Value: "500", Label: "500 builds"}, choice{Value: "2000", Label: "2,000 builds"})
	return f
}

// choices marks the current one, and adds it if it is none of them.
func choices(current string, all ...choice) []choice {
	for i := range all {
		if all[i].Value == current {
			all[i].Current = true
			return all
		}
	}
	return append(all, choice{current, current, true})
}
