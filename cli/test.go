package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/grid/history"
	reports "seaworthy/signal/report"
)

func newTest(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "test", Short: "One test across every job, branch and pull request"}
	c.AddCommand(newTestShow(s), newTestList(s))
	return c
}

func newTestShow(s Streams) *cobra.Command {
	var f gridSource
	var out outputFlag
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show how a test fares everywhere: flaky or broken, since when, how fast",
		Long: `Show one test across every job, branch and pull request: how often it passes, how often it flakes
(with the interval that holds with 95 % certainty), how long it takes, the first bad run of a break
with the commits in question, the issues that name it, and fixes that a release branch still lacks.

A test is flaky if the same commit passed and failed, or if it failed fewer than three times in a row
and passed again; broken if it fails from a commit on. In pull requests only the former counts, since
a change may fail by its own fault. Names are those of the grid's rows; where suites put a prefix
before them, the other names are told.`,
		Example: `  seaworthy test show TestDrain
  seaworthy test show 'Kubernetes e2e suite.[It] [sig-node] Pods should run' -o json
  seaworthy test show TestDrain --bucket gs://kubernetes-ci-logs --config config/testgrids`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.reports(cmd.Context(), s, func(service *reports.Service) error {
				t, err := service.Test(cmd.Context(), args[0])
				if errors.Is(err, fs.ErrNotExist) {
					return noTest(args[0], t.OtherNames)
				}
				if err != nil {
					return err
				}
				return out.print(s.Out, t, func(w io.Writer) error { return drawTest(w, t) })
			})
		},
	}
	f.add(c)
	out.add(c)
	return c
}

func noTest(name string, others []history.OtherName) error {
	if len(others) == 0 {
		return fmt.Errorf("no job has results of a test %q: seaworthy test list WORDS finds names", name)
	}
	var names []string
	for _, o := range others[:min(len(others), 5)] {
		names = append(names, fmt.Sprintf("%q", o.Name))
	}
	return fmt.Errorf("no job has results of a test %q: it may be one of %s", name, strings.Join(names, ", "))
}

func drawTest(w io.Writer, t reports.Test) error {
	fmt.Fprintf(w, "%s is %s\n", strings.Map(harmless, t.Name), t.State)
	fmt.Fprintf(w, "  passes  %s of %s\n  flakes  %s\n", t.PassRate, count(t.Runs, "run", "runs"), t.FlakeRate)
	if t.Durations.Runs > 0 {
		fmt.Fprintf(w, "  takes   %.4g s, p95 %.4g s", t.Durations.Median, t.Durations.P95)
		if t.Durations.Trend != "" {
			fmt.Fprintf(w, ", %s (%+.0f %%)", t.Durations.Trend, t.Durations.Change)
		}
		fmt.Fprintln(w)
	}
	if t.Owner != "" {
		fmt.Fprintf(w, "  owner   %s\n", t.Owner)
	}
	if t.Cluster != "" {
		fmt.Fprintf(w, "  cluster %s\n", t.Cluster)
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, l := range t.Jobs {
		where := l.Branch
		if l.Presubmit {
			where = "changes to " + l.Branch
		}
		rows = append(rows, []string{l.Job, where, string(l.State), l.PassRate.String(), l.FlakeRate.String(), l.Why})
	}
	if err := table(w, "No job runs it.", []string{"job", "of", "state", "passes", "flakes", "since"}, rows); err != nil {
		return err
	}
	return drawAround(w, t)
}

// drawAround tells what goes with a test: commits, issues, fixes, other names.
func drawAround(w io.Writer, t reports.Test) error {
	if b := t.FirstBad; b != nil {
		fmt.Fprintf(w, "\nFirst bad: build %s of %s, commit %s", b.FirstBad.Build, b.Job, b.FirstBad.Commit)
		if b.LastGood != nil {
			fmt.Fprintf(w, "; last good: build %s, commit %s", b.LastGood.Build, b.LastGood.Commit)
		}
		fmt.Fprintln(w)
	}
	for _, c := range t.Suspects {
		fmt.Fprintf(w, "  %.9s %s (%s)\n", c.SHA, c.Subject, c.Author)
	}
	for _, i := range t.Issues {
		fmt.Fprintf(w, "Issue #%d: %s\n", i.Number, i.Title)
	}
	for _, x := range t.Fixes {
		if len(x.Missing) > 0 {
			fmt.Fprintf(w, "Fix %.9s (%s) is missing on %s\n", x.SHA, x.Subject, strings.Join(x.Missing, ", "))
		}
	}
	for _, o := range t.OtherNames {
		fmt.Fprintf(w, "It may be the same test as %q of %s\n", o.Name, strings.Join(o.Jobs, ", "))
	}
	for _, m := range t.Missing {
		fmt.Fprintf(w, "Not known: %s\n", m)
	}
	return nil
}

func newTestList(s Streams) *cobra.Command {
	var f gridSource
	var out outputFlag
	limit := 50
	c := &cobra.Command{
		Use:   "list [WORDS]",
		Short: "Find tests by their names; without words, those that do not pass",
		Example: `  seaworthy test list
  seaworthy test list drain node`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("--limit %d: write 1 or more", limit)
			}
			return f.reports(cmd.Context(), s, func(service *reports.Service) error {
				found, total, err := service.Search(cmd.Context(), strings.Join(args, " "), limit)
				if err != nil {
					return err
				}
				shown := struct {
					Total int             `json:"total"`
					Tests []reports.Found `json:"tests"`
				}{total, append([]reports.Found{}, found...)}
				return out.print(s.Out, shown, func(w io.Writer) error {
					var rows [][]string
					for _, t := range found {
						rows = append(rows, []string{t.Name, string(t.State), fmt.Sprint(t.Fails), fmt.Sprint(t.Jobs)})
					}
					return table(w, "No test is found.", []string{"test", "state", "fails", "jobs"}, rows)
				})
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().IntVar(&limit, "limit", limit, "list at most this `many`")
	return c
}
