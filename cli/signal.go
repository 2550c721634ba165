package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/signal"
	reports "seaworthy/signal/report"
	"seaworthy/signal/verdict"
	"seaworthy/triage"
)

func newSignal(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "signal", Short: "Red, yellow or green: whether the tests let a release go"}
	c.AddCommand(newSignalReport(s), newSignalAlerts(s))
	return c
}

// reports opens what answers for the signal, on a platform or over any bucket.
func (f *gridSource) reports(ctx context.Context, s Streams, do func(*reports.Service) error) error {
	if !f.foreign() {
		if f.cache != "" || f.at != "" {
			return usagef("--cache and --now need --bucket or --config: a platform has its own")
		}
		return f.change.with(ctx, func(a *app.App) error {
			repo, err := f.find(ctx, a)
			if err != nil {
				return err
			}
			return do(a.Reports(repo))
		})
	}
	jobs, err := f.reportJobs()
	if err != nil {
		return err
	}
	now, err := f.now()
	if err != nil {
		return err
	}
	return f.with(ctx, s, func(grids *signal.Service) error {
		return do(reports.New(reports.Options{
			Grids: grids, Key: triage.Normalise, Now: func() time.Time { return now },
			Settings: func(context.Context) (reports.Settings, error) {
				return reports.Settings{Rules: verdict.DefaultRules()}, nil
			},
			Jobs: func(context.Context) (map[string]reports.Job, error) { return jobs, nil },
		}))
	})
}

// reportJobs are those of --jobs; what is wrong with them is told by who reads
// their annotations.
func (f *gridSource) reportJobs() (map[string]reports.Job, error) {
	if f.jobs == "" {
		return nil, nil
	}
	c, _, err := loadTree(f.jobs)
	if err != nil {
		return nil, err
	}
	return app.ReportJobs(c), nil
}

func newSignalReport(s Streams) *cobra.Command {
	var f gridSource
	var branches, projects []string
	var at string
	var exitCode bool
	out := outputFlag{more: []string{"markdown"}}
	c := &cobra.Command{
		Use:   "report",
		Short: "Say of each branch whether it is red, yellow or green, and why",
		Long: `Say of each branch whether it is red, yellow or green, from its blocking and informing dashboards, by
the table of Kubernetes' release signal team: any failing job is red, a flaky blocking one yellow,
a flaky informing one changes nothing. With it: what keeps a release from being cut, what changed
within a day, and which criteria the blocking jobs miss. Dashboards are told apart by their names
(sig-release-1.36-blocking) or by signal.dashboards in seaworthy.yaml.

A report is no gate: it succeeds whatever it says, unless --exit-code asks for 3 when a branch is red.`,
		Example: `  seaworthy signal report -o markdown
  seaworthy signal report --branch release-1.36 --at 2026-03-07T12:00:00Z -o json
  seaworthy signal report --bucket /srv/results --config config/testgrids --jobs config/jobs --exit-code`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := reports.Query{Branches: branches, Projects: projects}
			if at != "" {
				var err error
				if q.At, err = time.Parse(time.RFC3339, at); err != nil {
					return usagef("--at %q is no time: write it as 2026-03-07T12:00:00Z", at)
				}
			}
			return f.reports(cmd.Context(), s, func(service *reports.Service) error {
				r, err := service.Report(cmd.Context(), q)
				if err != nil {
					return err
				}
				if err := printReport(s, out, r); err != nil {
					return err
				}
				if exitCode && r.Color == verdict.Red {
					return verdictError{"The signal is red."}
				}
				return nil
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().StringArrayVar(&branches, "branch", nil, "`branch` to report on; may be repeated (all)")
	c.Flags().StringArrayVar(&projects, "project", nil, "`project` to report on, sig-release of sig-release-1.36-blocking; may be repeated (all)")
	c.Flags().StringVar(&at, "at", "", "`time` in RFC 3339 to report as of, without the builds that came after it")
	c.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 when a branch is red")
	return c
}

func printReport(s Streams, out outputFlag, r verdict.Report) error {
	if out.format == "markdown" {
		_, err := io.WriteString(s.Out, r.Markdown())
		return err
	}
	return out.print(s.Out, r, func(w io.Writer) error {
		var rows [][]string
		for _, b := range r.Branches {
			cut := "ready"
			if !b.Cut.Ready {
				cut = "not ready"
			}
			rows = append(rows, []string{b.Label, string(b.Color), string(b.Before), string(b.Blocking), string(b.Informing), cut})
		}
		err := table(w, "No blocking or informing dashboard has a job.", []string{"branch", "signal", "a day ago", "blocking", "informing", "cut"}, rows)
		for _, b := range r.Branches {
			if err == nil {
				err = drawBranch(w, b)
			}
		}
		if r.IssuesUnknown != "" && err == nil {
			_, err = fmt.Fprintf(w, "\nIssues could not be read: %s\n", r.IssuesUnknown)
		}
		return err
	})
}

// drawBranch tells why a branch is as it is, in a few lines.
func drawBranch(w io.Writer, b verdict.Branch) error {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s\n", b.Label)
	reasons := b.Reasons
	if !b.Cut.Ready {
		reasons = append(reasons[:len(reasons):len(reasons)], b.Cut.Reasons...)
	}
	seen := map[string]bool{}
	for _, r := range reasons {
		if seen[r.Text] {
			continue
		}
		seen[r.Text] = true
		fmt.Fprintf(&out, "  %s", r.Text)
		for _, i := range r.Issues {
			fmt.Fprintf(&out, " #%d", i.Number)
		}
		out.WriteString("\n")
	}
	for _, c := range b.Changes {
		fmt.Fprintf(&out, "  since a day ago: %s %s\n", c.Tab, c.Sentence())
	}
	for _, j := range b.Jobs {
		for _, c := range j.Criteria {
			if c.Result == verdict.Missed {
				fmt.Fprintf(&out, "  %s misses %s: %s, should be %s\n", j.Tab, c.Name, c.Value, c.Limit)
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
