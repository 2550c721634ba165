package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/grid"
)

// What a page holds: columns by default and at most, rows as data for the
// script and as a table for whoever has none, rows in one answer to the
// script, bytes of messages in each, and bytes of messages and links in the table.
const (
	defaultColumns = 200
	mostColumns    = 2000
	firstRows      = 60
	tableRows      = 24
	tableColumns   = 24
	answeredRows   = 400
	messageBytes   = 48 << 10
	tableBytes     = 32 << 10
	mostPatterns   = 8 // expressions that names match, and as many that they do not
	rowsAbove      = 6 // rows above the one that an address names
	defaultWidth   = 20
)

// ask is what the address says should be shown.
type ask struct {
	include, exclude []string // as they were written
	group            string   // what rows are grouped by, and the pattern for it after a colon
	width            int      // of a cell, in pixels
	changed          bool     // the address says more than nothing
	query            grid.Query
	// problems are what of the address could not be understood; the query does
	// without.
	problems []string
	// missing is what the address names and the grid does not have.
	missing []string
	// at is the cell that the address names, by its row among those that match
	// and its column among those shown; nil if it names none that is there.
	at *[2]int
}

// readAsk reads an address. One that says nothing of the rows takes what the
// tab starts with.
func readAsk(q url.Values, u subject) ask {
	a := ask{width: max(4, whole(q.Get("width"), cmp.Or(u.start.Width, defaultWidth), 80))}
	for _, name := range []string{"include", "exclude", "only", "stale", "sort", "group"} {
		a.changed = a.changed || q.Has(name)
	}
	if a.changed {
		a.read(q)
	} else {
		a.begin(u)
	}
	a.query.Recent = u.options.Recent
	a.query.Columns = grid.Window{From: whole(q.Get("older"), 0, 1<<20), Count: max(1, whole(q.Get("columns"), defaultColumns, mostColumns))}
	a.query.Rows = grid.Window{From: whole(q.Get("from"), 0, 1<<30), Count: max(1, whole(q.Get("rows"), firstRows, answeredRows))}
	a.query.Messages = messageBytes
	// The tab's own filters hold whatever the address says.
	a.query.Include = slices.Concat(u.options.Include, a.query.Include)
	a.query.Exclude = slices.Concat(u.options.Exclude, a.query.Exclude)
	a.point(q, u)
	return a
}

// point moves the windows to the cell that an address names with build and test,
// unless it says where they are. A row that would be hidden since it is stale is
// shown with the others of its kind.
func (a *ask) point(q url.Values, u subject) {
	build, test := q.Get("build"), q.Get("test")
	if build == "" && test == "" {
		return
	}
	column := slices.IndexFunc(u.grid.Columns, func(c grid.Column) bool { return c.Build == build })
	if build != "" && column < 0 {
		a.missing = append(a.missing, fmt.Sprintf("There is no build %.100s here, or no longer.", build))
	}
	if window := &a.query.Columns; column >= 0 && !q.Has("older") {
		window.From = column / window.Count * window.Count
	}
	place := a.row(test, u)
	if test != "" && place < 0 {
		a.missing = append(a.missing, fmt.Sprintf("No row that is shown is called %.200s.", test))
		return
	}
	if window := &a.query.Rows; !q.Has("from") {
		window.From = max(0, place-rowsAbove)
	}
	if column -= a.query.Columns.From; column >= a.query.Columns.Count {
		column = -1
	}
	a.at = &[2]int{max(place, 0), max(column, 0)}
}

// row finds a test among the rows that are shown; -1 if it is not there.
func (a *ask) row(test string, u subject) int {
	named := func(r *grid.Row) bool { return r.Name == test }
	place := slices.IndexFunc(a.query.Select(u.grid), named)
	if row := u.grid.Row(test); place < 0 && row != nil && !a.query.Stale {
		a.query.Stale = true
		if place = slices.IndexFunc(a.query.Select(u.grid), named); place < 0 {
			a.query.Stale = false
		}
	}
	return place
}

// begin takes the view that the tab starts with. Its filters are among the
// tab's own options.
func (a *ask) begin(u subject) {
	a.query.OnlyFailures, a.query.Stale = u.start.OnlyFailures, u.start.Stale
	a.group = u.start.GroupBy
	if u.start.GroupPattern != "" {
		a.group += ":" + u.start.GroupPattern
	}
	a.order(u.start.Sort)
}

func (a *ask) read(q url.Values) {
	a.include, a.query.Include = a.patterns(q["include"])
	a.exclude, a.query.Exclude = a.patterns(q["exclude"])
	a.query.OnlyFailures, a.query.Stale = q.Get("only") == "failures", q.Get("stale") == "show"
	a.group = q.Get("group")
	a.order(q.Get("sort"))
}

// patterns reads expressions for names, as they were written and compiled. One
// that cannot be read does nothing but be told of.
func (a *ask) patterns(written []string) (kept []string, all []*regexp.Regexp) {
	for _, text := range written {
		if text == "" {
			continue
		}
		if len(kept) == mostPatterns {
			a.problems = append(a.problems, fmt.Sprintf("Only the first %d expressions of a kind count.", mostPatterns))
			break
		}
		kept = append(kept, text)
		re, err := grid.Filter(text)
		if err != nil {
			a.problems = append(a.problems, sentence(err))
			continue
		}
		all = append(all, re)
	}
	return kept, all
}

func (a *ask) order(sort string) {
	var err error
	if a.query.Sort, err = grid.ParseSort(sort); err != nil {
		a.problems = append(a.problems, sentence(err))
	}
	by, pattern, _ := strings.Cut(a.group, ":")
	if a.query.Group, err = grid.ParseGrouping(by, pattern); err != nil {
		a.problems = append(a.problems, sentence(err))
	}
}

// whole reads a number from 0 to most; otherwise where there is none.
func whole(text string, otherwise, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return otherwise
	}
	return min(n, most)
}

// matcher keeps the names that a regular expression matches; an empty one keeps
// all.
func matcher(pattern string) (func(string) bool, error) {
	re, err := grid.Filter(pattern)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// sentence makes a sentence of an error.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// sheet is what the script draws: a view of the grid, and where its parts lead.
type sheet struct {
	View grid.View `json:"view"`
	// Version differs when columns or rows do, so that pages of rows that do not
	// belong together are not put together.
	Version string `json:"version"`
	// Alerts are the rows that fail again and again, and since when.
	Alerts map[string]string `json:"alerts,omitempty"`
	// Groups are all groups, not those of the window alone.
	Groups []grid.ViewGroup `json:"groups,omitempty"`

	// At is the row and the column of the cell that the address names.
	At   *[2]int    `json:"at,omitempty"`
	Menu []menuLink `json:"menu,omitempty"`

	Label       string `json:"label,omitempty"`
	Width       int    `json:"width,omitempty"`
	RowsLink    string `json:"rowsLink,omitempty"`
	RowLink     string `json:"rowLink,omitempty"`     // of {test}
	CellLink    string `json:"cellLink,omitempty"`    // of {build} and {test}
	BetweenLink string `json:"betweenLink,omitempty"` // of {from} and {to}
}

// newSheet makes the part of a grid that is asked for.
func newSheet(u subject, a ask, sum grid.Summary) sheet {
	sh := sheet{View: a.query.View(u.grid), At: a.at}
	if sh.View.Rows == nil {
		sh.View.Rows = []grid.ViewRow{}
	}
	sh.Version = version(u.grid, sh.View)
	words := alertWords(sum)
	for _, row := range sh.View.Rows {
		if said, ok := words[row.Name]; ok {
			if sh.Alerts == nil {
				sh.Alerts = map[string]string{}
			}
			sh.Alerts[row.Name] = said
		}
	}
	return sh
}

// allGroups are the groups of all rows that match.
func allGroups(u subject, a ask) []grid.ViewGroup {
	if a.query.Group.By == grid.Ungrouped {
		return nil
	}
	q := a.query
	q.Rows, q.Columns = grid.Window{}, grid.Window{Count: 1}
	return q.View(u.grid).Groups
}

// version tells pages of rows apart that do not belong together.
func version(g *grid.Grid, v grid.View) string {
	h := fnv.New64a()
	fmt.Fprintln(h, len(g.Columns), v.All, v.Matching, v.From, len(v.Columns))
	for _, c := range g.Columns[:min(5, len(g.Columns))] {
		fmt.Fprintln(h, c.Build, c.Finished.Unix(), c.Result)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// slim leaves out of the columns what the script does not draw: there may be
// thousands of them in each answer.
func (sh *sheet) slim() {
	for i := range sh.View.Columns { // the view's own
		c := &sh.View.Columns[i]
		*c = grid.Column{Build: c.Build, Started: c.Started, Extra: c.Extra}
	}
}

// encode writes the sheet as JSON that may stand in a page: encoding/json
// escapes what could end a script.
func (sh sheet) encode() (template.JS, error) {
	sh.slim()
	data, err := json.Marshal(sh)
	if err != nil {
		return "", fmt.Errorf("encoding a grid for its page: %w", err)
	}
	return template.JS(data), nil
}

// rows answers the script with further rows.
func (s *Site) rows(find finder) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := find(r)
		if err != nil {
			v, code := s.failure(r, err)
			http.Error(w, v.Title, code)
			return
		}
		a := readAsk(r.URL.Query(), u)
		if len(a.problems) > 0 {
			http.Error(w, strings.Join(a.problems, " "), http.StatusBadRequest)
			return
		}
		sh := newSheet(u, a, grid.Summarize(u.grid, u.options, s.Now()))
		sh.View.Groups = nil // the page has all of them
		sh.slim()
		data, err := json.Marshal(sh)
		if err != nil {
			s.Log.Error("encoding rows", "path", r.URL.Path, "error", err)
			http.Error(w, "The rows could not be encoded. The server's log says why.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		if _, err := w.Write(data); err != nil {
			s.Log.Debug("sending rows", "path", r.URL.Path, "error", err)
		}
	}
}

// alertWords are what a row with an alert says when its name is pointed at.
func alertWords(sum grid.Summary) map[string]string {
	words := make(map[string]string, len(sum.Alerts))
	for _, a := range sum.Alerts {
		words[a.Test] = fmt.Sprintf("failed %d times in a row, since build %s of %s", a.Fails, a.FirstFail.Build, a.FirstFail.Started.UTC().Format(time.DateOnly))
	}
	return words
}
