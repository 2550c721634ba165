package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/triage/live"
)

// clusters answers for a platform, or for files.
type clusters interface {
	List(ctx context.Context, f live.Filter) (live.List, error)
	Cluster(ctx context.Context, id string, f live.Filter) (live.Detail, error)
}

// filed are clusters of files, as of now.
type filed struct{ *live.Table }

func (f filed) List(ctx context.Context, x live.Filter) (live.List, error) {
	return f.Table.List(ctx, x, time.Now())
}

func (f filed) Cluster(ctx context.Context, id string, x live.Filter) (live.Detail, error) {
	return f.Table.Cluster(ctx, id, x, time.Now())
}

// triageSource is where clusters are looked for, and which failures count.
type triageSource struct {
	platform
	data, builds string
	tests        []string
	filter       map[string]*string
	owners       []string
	ci, pr       bool
}

// triageFilters are the flags of a filter and the parameters of the page that
// they stand for.
var triageFilters = []struct{ flag, name, help string }{
	{"text", "text", "only failures whose cluster's text matches this regular `expression`"},
	{"not-text", "xtext", "not those whose text matches this `expression`"},
	{"job", "job", "only of jobs that match this `expression`"},
	{"not-job", "xjob", "not of jobs that match this `expression`"},
	{"test", "test", "only of tests that match this `expression`"},
	{"not-test", "xtest", "not of tests that match this `expression`"},
	{"repo", "repo", "only of repositories that match this `expression`"},
	{"branch", "branch", "only of the branch of this `name`"},
	{"date", "date", "end with this `day` or time, such as 2026-03-14"},
	{"days", "days", "look at this `many` days (default 14)"},
}

func (t *triageSource) add(c *cobra.Command) {
	t.platform.add(c)
	flags := c.Flags()
	flags.StringVar(&t.data, "data", "", "read triage's failure_data.json, this `file`, instead of a platform")
	flags.StringVar(&t.builds, "builds", "", "cluster the failures of --tests, whose builds this `file` lists")
	flags.StringArrayVar(&t.tests, "tests", nil, "`file` of failures as triage reads them; may be repeated")
	t.filter = map[string]*string{}
	for _, f := range triageFilters {
		t.filter[f.name] = flags.String(f.flag, "", f.help)
	}
	flags.StringArrayVar(&t.owners, "owner", nil, "only clusters of this `owner`, such as sig-node; may be repeated")
	flags.BoolVar(&t.ci, "ci", false, "only builds of what was merged")
	flags.BoolVar(&t.pr, "pr", false, "only builds of open changes")
}

// chosen is the filter that the flags make, by the rules of the page.
func (t *triageSource) chosen(more url.Values) (live.Filter, error) {
	q := url.Values{"owner": t.owners}
	for name, value := range t.filter {
		q.Set(name, *value)
	}
	for name, on := range map[string]bool{"ci": t.ci, "pr": t.pr} {
		if on {
			q.Set(name, "1")
		}
	}
	for name, values := range more {
		q[name] = values
	}
	f, err := live.ParseFilter(q)
	var wrong *live.FilterError
	if errors.As(err, &wrong) {
		flag := wrong.Field
		for _, x := range triageFilters {
			if x.name == flag {
				flag = x.flag
			}
		}
		return f, usagef("--%s %q: %s", flag, wrong.Value, wrong.Why)
	}
	return f, err
}

// with finds the clusters and hands them on.
func (t *triageSource) with(ctx context.Context, s Streams, do func(clusters) error) error {
	switch {
	case t.data != "" && t.builds != "":
		return usagef("--data and --builds exclude each other")
	case (t.builds == "") != (len(t.tests) == 0):
		return usagef("--builds and --tests belong together")
	case t.data != "":
		return t.read(s, do)
	case t.builds != "":
		return t.cluster(ctx, s, do)
	}
	a, err := t.open(ctx)
	if err != nil {
		return err
	}
	if a.Triage == nil {
		return errors.Join(usagef("no platform follows failures here: name its folder with --dir, or a file with --data"), a.Close())
	}
	return errors.Join(do(a.Triage), a.Close())
}

func (t *triageSource) read(s Streams, do func(clusters) error) error {
	f, err := os.Open(t.data)
	if err != nil {
		return fmt.Errorf("opening clusters of failures: %w", err)
	}
	table, skipped, err := live.ReadData(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", t.data, err)
	}
	if skipped > 0 {
		fmt.Fprintf(s.Err, "%d failures left out: the file does not describe their builds\n", skipped)
	}
	return do(filed{table})
}

func (t *triageSource) cluster(ctx context.Context, s Streams, do func(clusters) error) (err error) {
	var opened []io.Reader
	for _, name := range append([]string{t.builds}, t.tests...) {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("opening failures: %w", err)
		}
		defer f.Close() // it is only read
		opened = append(opened, f)
	}
	table, odd, err := live.ReadRaw(ctx, opened[0], opened[1:]...)
	if err != nil {
		return err
	}
	for _, line := range odd {
		fmt.Fprintln(s.Err, line)
	}
	return do(filed{table})
}

func newTriageList(s Streams) *cobra.Command {
	var t triageSource
	var out outputFlag
	sort, limit, from, alone := "total", 25, 0, false
	c := &cobra.Command{
		Use:   "list",
		Short: "List clusters of failures, filtered as on the page",
		Long: `Lists clusters of failures that look like one cause: those that a platform follows, or with --data those of
triage's failure_data.json, or with --builds and --tests those of triage's input. Expressions pass over case.

A cluster keeps its name from day to day. Its trend compares the last day with the daily mean of the days before:
new, rising, steady, falling or gone.`,
		Example: `  seaworthy triage list --text 'timed out|deadline' --owner sig-node --sort day
  seaworthy triage list --data failure_data.json --not-job alpha --days 7 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			more := url.Values{"sort": {sort}, "limit": {strconv.Itoa(limit)}, "from": {strconv.Itoa(from)}}
			if alone {
				more.Set("alone", "1")
			}
			f, err := t.chosen(more)
			if err != nil {
				return err
			}
			return t.with(cmd.Context(), s, func(c clusters) error {
				l, err := c.List(cmd.Context(), f)
				if err != nil {
					return err
				}
				return out.print(s.Out, l, func(w io.Writer) error { return printClusters(w, l) })
			})
		},
	}
	t.add(c)
	out.add(c)
	c.Flags().StringVar(&sort, "sort", sort, "`order`: total, day, message or newest")
	c.Flags().IntVar(&limit, "limit", limit, "how `many` clusters to list, at most 1000")
	c.Flags().IntVar(&from, "from", from, "pass over the first so `many`")
	c.Flags().BoolVar(&alone, "alone", false, "list clusters of a single failure, too")
	return c
}

func printClusters(w io.Writer, l live.List) error {
	day := func(t time.Time) string { return t.Format("2006-01-02 15:04") }
	if _, err := fmt.Fprintf(w, "%d clusters of %d failures (%d in last day) out of %d builds from %s to %s\n\n",
		l.Total, l.Failures, l.LastDay, l.Builds, day(l.From), day(l.Until)); err != nil {
		return err
	}
	var rows [][]string
	for _, c := range l.Clusters {
		rows = append(rows, []string{c.ID, strconv.Itoa(c.Failures), strconv.Itoa(c.LastDay), string(c.Trend), c.Owned, day(c.FirstSeen), beginningOf(c.Text)})
	}
	if err := table(w, "No failures match.", []string{"cluster", "failures", "last day", "trend", "owner", "first seen", "text"}, rows); err != nil {
		return err
	}
	if l.Single > 0 {
		_, err := fmt.Fprintf(w, "\n%d clusters of a single failure are left out: --alone lists them\n", l.Single)
		return err
	}
	return nil
}

// beginningOf is as much of a text as fits a line.
func beginningOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(line); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return line
}
