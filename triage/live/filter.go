package live

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"time"
	"unicode"
)

// Order is how clusters are sorted.
type Order string

// Orders. Clusters that are equal stand in the order of their names.
const (
	ByTotal   Order = "total"   // most failures first
	ByDay     Order = "day"     // most failures in the last day first
	ByMessage Order = "message" // by their text
	ByNewest  Order = "newest"  // first seen last first
)

// Orders lists all orders, the usual one first.
func Orders() []Order { return []Order{ByTotal, ByDay, ByMessage, ByNewest} }

// Days is how far back a filter looks unless it says otherwise.
const Days = 14

// Limits of what a filter may hold. An expression is measured by the
// instructions it compiles to: Go's need time in proportion to them and to the
// text, so that no expression runs for ever.
const (
	MostDays         = 400
	MostExpression   = 300 // bytes
	MostInstructions = 600
	MostClusters     = 1000 // in one answer
)

// Filter selects failures. What is empty selects all. The expressions are
// regular expressions of Go's, in which case does not matter and ^ and $ stand
// for the ends of a line.
type Filter struct {
	// Until is the end of the time that is looked at and Days its length.
	// Until is the table's end when zero, Days is 14.
	Until time.Time
	Days  int
	// Owners are the clusters' owners; "none" stands for those without.
	Owners []string
	// CI are builds of what was merged, PR those of open changes; neither means
	// both.
	CI, PR bool
	// Text, Job, Test and Repo must match; what a Not… matches is left out.
	Text, NotText, Job, NotJob, Test, NotTest, Repo, NotRepo string
	Branch                                                   string // by its name
	// Alone shows the clusters of a single failure, too.
	Alone bool
	Sort  Order
	// Offset and Limit are the window of clusters that is shown; 25 when zero.
	Offset, Limit int
}

// FilterError says what is wrong with a filter, and where.
type FilterError struct {
	Field string // the parameter's name
	Value string
	Why   string
}

// Error implements error.
func (e *FilterError) Error() string {
	return fmt.Sprintf("%s=%s: %s", e.Field, e.Value, e.Why)
}

// ParseFilter reads a filter from the parameters of an address. The error is a
// *FilterError; parameters of other names are passed over.
func ParseFilter(q url.Values) (Filter, error) {
	f := Filter{
		Text: q.Get("text"), NotText: q.Get("xtext"), Job: q.Get("job"), NotJob: q.Get("xjob"),
		Test: q.Get("test"), NotTest: q.Get("xtest"), Repo: q.Get("repo"), NotRepo: q.Get("xrepo"),
		Branch: q.Get("branch"), CI: q.Get("ci") == "1", PR: q.Get("pr") == "1", Alone: q.Get("alone") == "1", Sort: Order(q.Get("sort")),
	}
	for _, o := range q["owner"] {
		if o = ownerName(o); o != "" && !slices.Contains(f.Owners, o) {
			f.Owners = append(f.Owners, o)
		}
	}
	if s := q.Get("date"); s != "" {
		at, err := ParseDate(s)
		if err != nil {
			return f, &FilterError{"date", s, err.Error()}
		}
		f.Until = at
	}
	for _, n := range []struct {
		name        string
		to          *int
		least, most int
	}{{"days", &f.Days, 1, MostDays}, {"from", &f.Offset, 0, 1 << 30}, {"limit", &f.Limit, 1, MostClusters}} {
		s := q.Get(n.name)
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil || v < n.least || v > n.most {
			return f, &FilterError{n.name, s, fmt.Sprintf("write a number from %d to %d", n.least, n.most)}
		}
		*n.to = v
	}
	return f, f.Check()
}

// ParseDate reads the end of a time: a day, of which the whole counts, or an
// instant of RFC 3339. Days are those of UTC.
func ParseDate(s string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return at.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errors.New("write a day as 2026-03-14, or a time as 2026-03-14T12:00:00Z")
	}
	return at.UTC(), nil
}

// Values writes a filter as the parameters that ParseFilter reads.
func (f Filter) Values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	flag := func(name string, on bool) {
		if on {
			q.Set(name, "1")
		}
	}
	number := func(name string, n int) {
		if n != 0 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	for _, e := range f.expressions() {
		set(e.name, e.value)
	}
	set("branch", f.Branch)
	flag("ci", f.CI)
	flag("pr", f.PR)
	flag("alone", f.Alone)
	set("sort", string(f.Sort))
	for _, o := range f.Owners {
		q.Add("owner", o)
	}
	switch {
	case f.Until.IsZero():
	case f.Until.Equal(f.Until.Truncate(24 * time.Hour)):
		q.Set("date", f.Until.UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	default:
		q.Set("date", f.Until.UTC().Format(time.RFC3339))
	}
	number("days", f.Days)
	number("from", f.Offset)
	number("limit", f.Limit)
	return q
}

type expression struct{ name, value string }

func (f Filter) expressions() []expression {
	return []expression{
		{"text", f.Text}, {"xtext", f.NotText}, {"job", f.Job}, {"xjob", f.NotJob},
		{"test", f.Test}, {"xtest", f.NotTest}, {"repo", f.Repo}, {"xrepo", f.NotRepo},
	}
}

// Check returns a *FilterError if a filter cannot be used.
func (f Filter) Check() error {
	for _, e := range f.expressions() {
		if _, err := compile(e.name, e.value); err != nil {
			return err
		}
	}
	if f.Sort != "" && !slices.Contains(Orders(), f.Sort) {
		return &FilterError{"sort", string(f.Sort), "write total, day, message or newest"}
	}
	return nil
}

// matcher decides about one text in lower case.
type matcher func(string) bool

// compile returns nil for no expression.
func compile(name, text string) (matcher, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > MostExpression {
		return nil, &FilterError{name, text[:20] + "…", fmt.Sprintf("the expression has %d bytes, at most %d", len(text), MostExpression)}
	}
	flags := syntax.Perl&^syntax.OneLine | syntax.FoldCase
	parsed, err := syntax.Parse(text, flags)
	if err != nil {
		var e *syntax.Error
		why := err.Error()
		if errors.As(err, &e) {
			why = "is no regular expression: " + e.Code.String()
			if e.Expr != "" {
				why += " at " + e.Expr
			}
		}
		return nil, &FilterError{name, text, why}
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, &FilterError{name, text, err.Error()}
	}
	if n := len(program.Inst); n > MostInstructions {
		return nil, &FilterError{name, text, fmt.Sprintf("the expression is too large: it repeats or lists too much (%d steps, at most %d)", n, MostInstructions)}
	}
	e, err := regexp.Compile(lower(parsed).String())
	if err != nil {
		return nil, &FilterError{name, text, err.Error()}
	}
	return searcher(e, needs(parsed), staysInLine(parsed)), nil
}

// lower makes an expression that passes over case into one that reads lower
// case only. The texts are kept so, and a plain literal is found many times as
// quickly. Classes of characters hold both cases already.
func lower(r *syntax.Regexp) *syntax.Regexp {
	if r.Op == syntax.OpLiteral {
		for i, c := range r.Rune {
			r.Rune[i] = unicode.ToLower(c)
		}
		r.Flags &^= syntax.FoldCase
	}
	for _, sub := range r.Sub {
		lower(sub)
	}
	return r
}
