package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"seaworthy/triage/live"
)

func newTriageShow(s Streams) *cobra.Command {
	var t triageSource
	var out outputFlag
	c := &cobra.Command{
		Use:   "show CLUSTER",
		Short: "Show one cluster: its text, tests, jobs, and which merge showed it first",
		Long: `Shows a cluster of failures by its name. A name that has become a part of another cluster shows that one. The
counts are of the failures that the filter selects; first and last seen are of all there ever were.`,
		Example: `  seaworthy triage show 0a1b2c3d4e5f60718293
  seaworthy triage show 0a1b2c3d4e5f60718293 --data failure_data.json -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := t.chosen(url.Values{})
			if err != nil {
				return err
			}
			return t.with(cmd.Context(), s, func(c clusters) error {
				d, err := c.Cluster(cmd.Context(), args[0], f)
				if errors.Is(err, live.ErrNoCluster) {
					return fmt.Errorf("%s: %w: seaworthy triage list names them", args[0], err)
				}
				if err != nil {
					return err
				}
				return out.print(s.Out, d, func(w io.Writer) error { return printCluster(w, d) })
			})
		},
	}
	t.add(c)
	out.add(c)
	return c
}

func printCluster(w io.Writer, d live.Detail) error {
	p := &sayer{w: w}
	p.sayf("%s\n\n", d.Text)
	p.sayf("Cluster     %s, %s\n", d.ID, d.Trend)
	p.sayf("Failures    %d (%d in last day) in %d of %d builds of %d jobs\n", d.Failures, d.LastDay, d.Row.Builds, d.OfBuilds, d.Row.Jobs)
	p.sayf("First seen  %s%s\n", d.FirstSeen.Format("2006-01-02 15:04"), originText(d.First))
	p.sayf("Last seen   %s\n", d.LastSeen.Format("2006-01-02 15:04"))
	if d.Landed.Build != "" {
		p.sayf("On a branch %s%s\n", d.Landed.At.Format("2006-01-02 15:04"), originText(d.Landed))
	}
	if d.Good.Build != "" {
		p.sayf("Good before %s%s\n", d.Good.At.Format("2006-01-02 15:04"), originText(d.Good))
	}
	p.sayDescription(d)
	for i, m := range d.Merges {
		if i == 0 {
			p.sayf("\nMerged between good and bad, newest first\n")
		}
		p.sayf("  %s %s\n", m.Commit[:min(len(m.Commit), 9)], m.Title)
	}
	if p.err != nil {
		return p.err
	}
	for _, part := range []struct {
		head string
		rows []live.Share
	}{{"test", sharesOf(d.OfTests)}, {"job", d.OfJobs}, {"branch", d.Branches}} {
		if len(part.rows) == 0 || len(part.rows) == 1 && part.rows[0].Name == "" {
			continue
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		var rows [][]string
		for _, x := range part.rows {
			rows = append(rows, []string{cmp.Or(x.Name, "–"), strconv.Itoa(x.Failures), strconv.Itoa(x.LastDay)})
		}
		if err := table(w, "", []string{part.head, "failures", "last day"}, rows); err != nil {
			return err
		}
	}
	return nil
}

// sayer writes until writing fails.
type sayer struct {
	w   io.Writer
	err error
}

func (s *sayer) sayf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format, args...)
	}
}

// sayDescription tells a cluster's owner and issue, and who said so.
func (s *sayer) sayDescription(d live.Detail) {
	s.sayf("Owner       %s%s\n", cmp.Or(d.Owned, "nobody"), handText(d.OwnerBy))
	s.sayf("Issue       %s%s\n", cmp.Or(d.Issue, "none linked"), handText(d.IssueBy))
}

func handText(h live.Hand) string {
	if h.By == "" {
		return ""
	}
	return fmt.Sprintf(" (by %s, %s)", h.By, h.At.Format("2006-01-02 15:04"))
}

func originText(o live.Origin) string {
	if o.Build == "" {
		return ""
	}
	text := " in " + o.Build
	if o.Commit != "" {
		text += " at " + o.Commit[:min(len(o.Commit), 9)]
	}
	return text
}

func sharesOf(tests []live.TestShare) []live.Share {
	var all []live.Share
	for _, t := range tests {
		all = append(all, t.Share)
	}
	return all
}
