package dashboard

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"seaworthy/grid"
)

// Options returns how the tab looks at the grid of its test group. Where both
// may say a number, the tab goes before the test group, and the test group
// before either's defaults.
//
// TestGrid writes the default of num_columns_recent into every tab, where it
// goes before what a test group or a job's annotation says; and reads the
// thresholds of alerts from the test group alone. Both surprise whoever wrote
// the number that is nearest to what they look at.
//
// Of base_options the include and exclude filters count. One that is no regular
// expression is left out; Check tells of it.
func (t Tab) Options(g TestGroup) grid.Options {
	var own AlertOptions
	if t.Alerts != nil {
		own = *t.Alerts
	}
	o := grid.Options{
		Recent:     positive(t.NumColumnsRecent, g.NumColumnsRecent, t.inherited.recent, g.inherited.recent),
		Failures:   positive(own.Failures, g.Failures, t.inherited.failures, g.inherited.failures),
		Passes:     positive(own.Passes, g.Passes, t.inherited.passes, g.inherited.passes),
		StaleAfter: hours(positive(own.StaleHours, g.StaleHours, t.inherited.stale, g.inherited.stale)),
		Broken:     max(t.BrokenColumnThreshold, 0),
	}
	if s := t.Status; s != nil {
		o.Flakiness, o.MinRuns = min(max(s.MaxFlakiness, 0), 100), max(s.MinRuns, 0)
		for _, status := range s.Ignored {
			o.Ignored = append(o.Ignored, status.outcome())
		}
	}
	if f := t.Flakiness; f != nil && f.Minimum > 0 {
		o.Health = hours(24 * 7) // flaky tests cannot be told of unseen
	}
	if h := t.Health; h != nil && h.Enable {
		o.Health = hours(24 * positive(h.Days, 7))
	}
	// What could be read counts.
	base, _ := ParseBaseOptions(t.BaseOptions)
	o.Include, o.Exclude = base.Include, base.Exclude
	return o
}

// Settings returns how results of the test group become rows and columns.
func (g TestGroup) Settings() grid.Settings {
	s := grid.Settings{
		ShortText: g.ShortTextMetric, UserProperty: g.UserProperty, IgnoreSkips: g.IgnoreSkip,
		Pod: !g.NoPodRow, SeveralJobs: len(g.Prefixes()) > 1, Rules: g.Rules,
	}
	for _, h := range g.ColumnHeaders {
		s.Headers = append(s.Headers, h.Key())
	}
	for _, a := range g.Annotations {
		s.Annotations = append(s.Annotations, grid.Annotation{Property: a.Property, Text: a.ShortText})
	}
	if g.Suffixed {
		s.Duplicates = grid.Suffix
	}
	if n := g.TestName; n != nil {
		s.Name.Format = n.Format
		for _, e := range n.Elements {
			s.Name.Elements = append(s.Name.Elements, e.Key())
		}
	}
	return s
}

// MailAddresses returns who hears of the tab's alerts.
func (t Tab) MailAddresses(g TestGroup) []string {
	all := g.Mails
	switch {
	case t.Alerts != nil && t.Alerts.Mails != "":
		all = t.Alerts.Mails
	case all == "":
		all = t.mails
	}
	return addresses(all)
}

// positive returns the first number above 0.
func positive(numbers ...int) int {
	for _, n := range numbers {
		if n > 0 {
			return n
		}
	}
	return 0
}

// hours bounds what a file may say, so that it fits into a duration.
func hours(n int) time.Duration { return time.Duration(min(n, 100*365*24)) * time.Hour }

// BaseOptions are how a grid is first shown.
type BaseOptions struct {
	// Include and Exclude keep the rows that match all of the former and none of
	// the latter.
	Include, Exclude []*regexp.Regexp
	OnlyFailures     bool   // rows with a failure only
	Stale            bool   // rows without recent results, too
	Sort             string // failures, flakiness, name; empty for the grid's own order
	// GroupBy is regex-mask, target, hierarchy-pattern or directory, and
	// GroupPattern what it was given.
	GroupBy, GroupPattern string
	Expand                bool // show groups open
	Width                 int  // of a column, in pixels; 0 is the page's own
	Metrics               []string
}

// ParseBaseOptions reads the fragment of TestGrid's addresses, such as
// "width=10&exclude-filter-by-regex=Monitor%5Cscluster". What could be read is
// returned with the error, which names everything that could not.
func ParseBaseOptions(text string) (BaseOptions, error) {
	var o BaseOptions
	var wrong []error
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "#"), "&") {
		if part == "" {
			continue
		}
		key, raw, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(raw) // a plus sign is a plus sign: the values are regular expressions
		if err == nil {
			err = o.set(key, value)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", key, err))
		}
	}
	return o, errors.Join(wrong...)
}

// Query returns the view that is asked for, without a window. Rows count as
// stale as they do for the tab.
func (o BaseOptions) Query(recent int) (grid.Query, error) {
	q := grid.Query{Include: o.Include, Exclude: o.Exclude, OnlyFailures: o.OnlyFailures, Stale: o.Stale, Recent: recent}
	var err, wrong error
	q.Sort, err = grid.ParseSort(o.Sort)
	q.Group, wrong = grid.ParseGrouping(o.GroupBy, o.GroupPattern)
	return q, errors.Join(err, wrong)
}

func (o *BaseOptions) set(key, value string) error {
	on := value != "false"
	switch key {
	case "include-filter-by-regex", "exclude-filter-by-regex":
		if value == "" {
			return nil
		}
		re, err := compile(value)
		if err != nil {
			return err
		}
		if strings.HasPrefix(key, "include") {
			o.Include = append(o.Include, re)
		} else {
			o.Exclude = append(o.Exclude, re)
		}
	case "exclude-non-failed-tests":
		o.OnlyFailures = on
	case "show-stale-tests":
		o.Stale = on
	case "sort-by-failures", "sort-by-flakiness", "sort-by-name":
		if on {
			o.Sort = strings.TrimPrefix(key, "sort-by-")
		}
	case "group-by-regex-mask", "group-by-target", "group-by-hierarchy-pattern", "group-by-directory":
		if _, err := compile(value); err != nil && strings.Contains(key, "pattern") || err != nil && strings.Contains(key, "mask") {
			return err
		}
		o.GroupBy, o.GroupPattern = strings.TrimPrefix(key, "group-by-"), value
	case "expand-groups":
		o.Expand = on
	case "width":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("%q: write a number of pixels", value)
		}
		o.Width = n
	case "graph-metrics":
		o.Metrics = append(o.Metrics, value)
	default:
		return errors.New("no such option: remove it")
	}
	return nil
}
