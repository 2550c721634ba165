package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/triage/live"
)

// Triage gives clusters of failures.
type Triage interface {
	List(ctx context.Context, f live.Filter) (live.List, error)
	// Cluster returns an error that wraps live.ErrNoCluster for a name that
	// nothing has.
	Cluster(ctx context.Context, id string, f live.Filter) (live.Detail, error)
}

// What one page shows at most, so that it stays small whatever there is.
const (
	clustersPerPage = 25
	mostPerPage     = 50
	excerptBytes    = 480
	wholeBytes      = 40 << 10
	mostOwners      = 40
	mostShares      = 100
	mostBars        = 400
)

// field is one input of the form.
type field struct {
	Name, Label, Value, Hint string
	Wrong                    bool
}

type clusterRow struct {
	live.Row
	Link    string
	Heading string // the first line that says something
	Excerpt string // what follows it
	Mark    Mark
	Bars    bars
}

type triagePage struct {
	Off      bool // nothing is followed here
	Nothing  bool // no build at all is known
	Sentence string
	Problem  string
	Fields   []field // what must match and what must not
	More     []field
	MoreOpen bool
	Days     string
	Date     string
	Sorts    []filter
	Kinds    []filter
	Alone    filter
	Owners   []ownerLink
	Picked   []string // owners, for the form
	Kept     []field  // parameters that the form does not show
	Rows     []clusterRow
	Bars     bars
	Where    string // "1 to 25 of 1,642"
	Previous string
	Next     string
	Clear    string
}

type ownerLink struct {
	filter
	Count string
}

func (s *Site) triage(r *http.Request) (view, error) {
	v := view{page: "triage", Title: "Triage", Nav: "triage"}
	if s.Triage == nil {
		v.Data = triagePage{Off: true}
		return v, nil
	}
	f, err := live.ParseFilter(r.URL.Query())
	p := form(f, r.URL.Query())
	if err == nil {
		f.Limit = min(max(f.Limit, 0), mostPerPage)
		if f.Limit == 0 {
			f.Limit = clustersPerPage
		}
		var l live.List
		if l, err = s.Triage.List(r.Context(), f); err == nil {
			p.fill(f, l)
		}
	}
	var wrong *live.FilterError
	if errors.As(err, &wrong) {
		p.blame(wrong)
		err = nil
	}
	v.Data = p
	return v, err
}

// blame says what is wrong in the words of the form, and marks the field.
func (p *triagePage) blame(wrong *live.FilterError) {
	label := wrong.Field
	for _, fields := range [][]field{p.Fields, p.More} {
		for i := range fields {
			if f := &fields[i]; f.Name == wrong.Field {
				f.Wrong, label = true, f.Label
			}
		}
	}
	p.MoreOpen = p.MoreOpen || slices.ContainsFunc(p.More, func(f field) bool { return f.Wrong })
	p.Problem = fmt.Sprintf("%s “%s”: %s.", label, wrong.Value, wrong.Why)
}

// form is the page's form as the address fills it.
func form(f live.Filter, q url.Values) triagePage {
	p := triagePage{Date: q.Get("date"), Days: q.Get("days"), Picked: f.Owners, Clear: "/triage"}
	for _, x := range []field{
		{Name: "text", Label: "Text has", Hint: "timed out|deadline"}, {Name: "xtext", Label: "Text has not"},
		{Name: "job", Label: "Job has", Hint: "e2e"}, {Name: "xjob", Label: "Job has not"},
		{Name: "test", Label: "Test has", Hint: `\[sig-node\]`}, {Name: "xtest", Label: "Test has not"},
	} {
		x.Value = q.Get(x.Name)
		p.Fields = append(p.Fields, x)
	}
	for _, x := range []field{
		{Name: "repo", Label: "Repository has"}, {Name: "xrepo", Label: "Repository has not"}, {Name: "branch", Label: "Branch", Hint: "main"},
	} {
		x.Value = q.Get(x.Name)
		p.More = append(p.More, x)
		p.MoreOpen = p.MoreOpen || x.Value != ""
	}
	for _, name := range []string{"sort", "ci", "pr", "alone"} {
		if v := q.Get(name); v != "" {
			p.Kept = append(p.Kept, field{Name: name, Value: v})
		}
	}
	link := func(label string, current bool, set func(url.Values)) filter {
		to := f
		to.Offset = 0
		q := to.Values()
		set(q)
		return filter{Label: label, Link: "/triage?" + q.Encode(), Current: current}
	}
	for _, o := range live.Orders() {
		label := map[live.Order]string{live.ByTotal: "Most failures", live.ByDay: "Last day", live.ByMessage: "Message", live.ByNewest: "Newest"}[o]
		p.Sorts = append(p.Sorts, link(label, f.Sort == o || f.Sort == "" && o == live.ByTotal, func(q url.Values) { q.Set("sort", string(o)) }))
	}
	kind := func(label, ci, pr string, current bool) filter {
		return link(label, current, func(q url.Values) {
			q.Del("ci")
			q.Del("pr")
			if ci+pr != "" {
				q.Set(ci+pr, "1")
			}
		})
	}
	p.Kinds = []filter{kind("CI and PR", "", "", f.CI == f.PR), kind("CI", "ci", "", f.CI && !f.PR), kind("PR", "", "pr", f.PR && !f.CI)}
	p.Alone = link("with single failures", f.Alone, func(q url.Values) {
		q.Del("alone")
		if !f.Alone {
			q.Set("alone", "1")
		}
	})
	return p
}

func (p *triagePage) fill(f live.Filter, l live.List) {
	p.Sentence = fmt.Sprintf("%s of %s (%s in last day) out of %s from %s to %s.",
		many(l.Total, "cluster", "clusters"), many(l.Failures, "failure", "failures"), number(l.LastDay), many(l.Builds, "build", "builds"),
		l.From.Format("2 Jan 2006 15:04"), l.Until.Format("2 Jan 2006 15:04"))
	if l.Single > 0 {
		p.Sentence += fmt.Sprintf(" %s of a single failure %s left out.", many(l.Single, "more", "more"), verb(l.Single, "is", "are"))
	}
	p.Nothing = l.Builds == 0 && len(f.Values()) == 1 // the limit alone
	p.Bars = newBars(l.Graph, l.From, l.Until)
	to := func(change func(*live.Filter)) string {
		g := f
		if g.Limit == clustersPerPage {
			g.Limit = 0
		}
		g.Owners = slices.Clone(f.Owners)
		change(&g)
		return (&url.URL{Path: "/triage", RawQuery: g.Values().Encode()}).String()
	}
	for i, o := range l.Owners {
		picked := slices.Contains(f.Owners, o.Owner)
		if i >= mostOwners && !picked {
			continue
		}
		p.Owners = append(p.Owners, ownerLink{filter{Label: o.Owner, Current: picked, Link: to(func(g *live.Filter) {
			g.Offset = 0
			if g.Owners = slices.DeleteFunc(g.Owners, func(s string) bool { return s == o.Owner }); !picked {
				g.Owners = append(g.Owners, o.Owner)
			}
		})}, number(o.Clusters)})
	}
	for _, c := range l.Clusters {
		heading, excerpt := openingOf(c.Text)
		p.Rows = append(p.Rows, clusterRow{Row: c, Link: clusterLink(c.ID, f), Heading: heading, Excerpt: excerpt, Mark: trendMark(c.Trend), Bars: newBars(c.Graph, l.From, l.Until)})
	}
	if n := len(l.Clusters); n > 0 {
		p.Where = fmt.Sprintf("%s to %s of %s", number(f.Offset+1), number(f.Offset+n), number(l.Total))
	}
	if f.Offset > 0 {
		p.Previous = to(func(g *live.Filter) { g.Offset = max(0, g.Offset-f.Limit) })
	}
	if f.Offset+f.Limit < l.Total {
		p.Next = to(func(g *live.Filter) { g.Offset += f.Limit })
	}
}

// clusterLink leads to a cluster's page with the filter that led to it, but for
// what chose the cluster.
func clusterLink(id string, f live.Filter) string {
	f.Text, f.NotText, f.Owners, f.Sort, f.Alone, f.Offset, f.Limit = "", "", nil, "", false, 0, 0
	return (&url.URL{Path: "/triage/" + id, RawQuery: f.Values().Encode()}).String()
}

// openingOf is the first line of a text that has something in it, and what comes
// after, as far as a list shows it.
func openingOf(text string) (heading, rest string) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	heading, rest, _ = strings.Cut(text, "\n")
	if heading = strings.TrimSpace(shorten(heading, 200)); heading == "" {
		heading = "(no message)"
	}
	return heading, shorten(strings.Trim(rest, "\n"), excerptBytes)
}

// shorten cuts a text between two characters.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " …"
}

func trendMark(t live.Trend) Mark {
	switch t {
	case live.TrendNew:
		return mark("fail", "new")
	case live.TrendRising:
		return Mark{Class: "fail", Shape: "▲", Word: "rising"}
	case live.TrendFalling:
		return Mark{Class: "pass", Shape: "▼", Word: "falling"}
	case live.TrendGone:
		return mark("pass", "gone")
	}
	return Mark{Class: "idle", Shape: "▬", Word: "steady"}
}

// number writes thousands apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + more
}

// bars is a picture of counts over time.
type bars struct {
	Path  string // of an SVG whose box is Width by barsHigh
	Width int
	Most  int
	Sum   int
	Label string // for those who do not see it
	From  string
	Until string
}

// Units of the pictures: a bar is as wide as three.
const (
	barWide  = 3
	barsHigh = 48
)

// newBars draws counts of equal spans of time, oldest first.
func newBars(counts []int, from, until time.Time) bars {
	for len(counts) > mostBars {
		half := make([]int, (len(counts)+1)/2)
		for i, n := range counts {
			half[i/2] += n
		}
		counts = half
	}
	b := bars{Width: len(counts) * barWide}
	for _, n := range counts {
		b.Most = max(b.Most, n)
		b.Sum += n
	}
	if b.Most == 0 {
		b.Label = "no failures"
		return b
	}
	var path strings.Builder
	for i, n := range counts {
		if n > 0 {
			// The smallest bar can still be seen.
			high := max(2, (n*barsHigh+b.Most-1)/b.Most)
			fmt.Fprintf(&path, "M%d %dv-%dh2v%dz", i*barWide, barsHigh, high, high)
		}
	}
	b.Path = path.String()
	b.Label = fmt.Sprintf("%s from %s to %s, at most %s at once", many(b.Sum, "failure", "failures"), from.Format("2 Jan"), until.Format("2 Jan"), number(b.Most))
	b.From, b.Until = from.Format("2 Jan 15:04"), until.Format("2 Jan 15:04")
	return b
}
