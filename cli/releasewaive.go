package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/release"
)

func newReleaseWaive(s Streams) *cobra.Command {
	var f change
	var w release.Waiver
	var until string
	c := &cobra.Command{
		Use:   "waive GATE",
		Short: "Let a gate of a branch or a version pass, in your name and until a time",
		Long: `Lets a gate pass that is NO-GO or unknown, for one version or for every release of a branch, until a time. Who, why
and until when stand in every verdict, in the journal of the cut, and are kept. Roles that release.gates.waivers
names may waive (all of release.gates.approvals where it names none), and so may the administrator.

Acts as the account whose forge token is in SEAWORTHY_TOKEN, or, without one, as the administrator. In a
clone that no platform serves: as the account that the forge's token belongs to, else as yourself.

The gates: ` + strings.Join(release.Gates(), ", ") + `.`,
		Example: `  seaworthy release waive notes --version v1.2.0 --until 2026-12-01 --why 'the one without a note mends a typo'
  seaworthy release waive dashboards --branch release-1.2 --until 48h --why 'the arm64 lab is flooded, see #812'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.Gate = args[0]
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				if w.Until, err = deadline(until, time.Now()); err != nil {
					return usageError{err}
				}
				if w.By, err = actor(cmd.Context(), a); err != nil {
					return err
				}
				w.From = time.Now().UTC()
				if err := w.Validate(); err != nil {
					return usageError{err}
				}
				given, err := a.Waive(cmd.Context(), repo, w)
				if errors.Is(err, app.ErrNotAllowed) {
					return verdictError{err.Error()}
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.Err, "Waived %s for %s until %s, as %s.\n", given.Gate, given.Version+given.Branch, given.Until.Format(time.RFC3339), given.Role)
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&w.Branch, "branch", "", "waive for every release of this `branch`")
	c.Flags().StringVar(&w.Version, "version", "", "waive for this `version` alone")
	c.Flags().StringVar(&w.Why, "why", "", "`reason` for the record")
	c.Flags().StringVar(&until, "until", "", "`time` the waiver ends: a day (its end, UTC), 2026-12-01T18:00:00Z, or 48h from now")
	require(c, "why", "until")
	return c
}

// deadline reads a time in one of the ways people write one.
func deadline(text string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.UTC().Add(d).Truncate(time.Second), nil
	}
	return time.Time{}, fmt.Errorf("--until %q is no time: write a day (2026-12-01), 2026-12-01T18:00:00Z, or 48h", text)
}

func newReleaseWaivers(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	var over bool
	c := &cobra.Command{
		Use:   "waivers",
		Short: "List the waivers that count, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				all, err := a.Waivers(cmd.Context(), repo, over)
				if err != nil {
					return err
				}
				if all == nil {
					all = []release.Waiver{}
				}
				return out.print(s.Out, all, func(to io.Writer) error {
					var rows [][]string
					for _, w := range all {
						rows = append(rows, []string{w.Gate, w.Version + w.Branch, w.By + " as " + w.Role, w.Until.Format("2006-01-02 15:04"), w.Why})
					}
					return table(to, "No gate is waived.", []string{"gate", "for", "by", "until", "why"}, rows)
				})
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().BoolVar(&over, "all", false, "those that are over, too")
	return c
}

// sayUnposted says what people elsewhere were not told of a run.
func sayUnposted(ctx context.Context, s Streams, a *app.App, run string) {
	if text := a.Unposted(context.WithoutCancel(ctx), run); text != "" {
		fmt.Fprintln(s.Err, "What could not be posted: "+oneLine(text))
	}
}
