package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/release"
)

func newReadiness(s Streams) *cobra.Command {
	var f stageFlags
	var out outputFlag
	c := &cobra.Command{
		Use:   "readiness",
		Short: "Judge whether a branch may be released: go or no-go, with evidence",
		Long: `Judges the next release of a branch by the gates that its configuration declares: results on the commit, blocking
dashboards, open blockers and exceptions, release notes, the freeze, the rehearsal, and who has signed off. What
each gate was judged by is shown, and kept with the verdict. The exit code is 3 for NO-GO.

Of a gate that cannot be mended in time a person may answer for the risk: seaworthy release waive.`,
		Example: `  seaworthy readiness --branch release-1.2
  seaworthy readiness --branch release-1.2 --type rc -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				r, err := f.request(cmd.Context(), a)
				if err != nil {
					return err
				}
				p, err := a.Releases.Plan(cmd.Context(), r)
				if err != nil {
					return refuse(s, out, err)
				}
				facts, v, err := a.Releases.Readiness(cmd.Context(), p)
				if err != nil {
					return err
				}
				return printReadiness(s, out, facts, v)
			})
		},
	}
	f.add(c)
	out.add(c)
	return standing(s, c)
}

func printReadiness(s Streams, out outputFlag, f release.Facts, v release.Verdict) error {
	shown := struct {
		Repo    string    `json:"repo"`
		Version string    `json:"version"`
		Branch  string    `json:"branch"`
		Commit  string    `json:"commit"`
		At      time.Time `json:"at"`
		release.Verdict
	}{f.Repo, f.Version, f.Branch, f.Commit, f.At, v}
	err := out.print(s.Out, shown, func(w io.Writer) error {
		word := "GO"
		if !v.Go {
			word = "NO-GO"
		}
		fmt.Fprintf(w, "%s for %s from %s at %s\n", word, f.Version, f.Branch, f.Commit[:min(12, len(f.Commit))])
		var rows [][]string
		for _, g := range v.Gates {
			why := g.Why
			if g.WaivedBy != "" {
				why = "waived by " + g.WaivedBy + ": " + why
			}
			rows = append(rows, []string{g.Name, string(g.State), why})
			for _, e := range g.Evidence {
				rows = append(rows, []string{"", "", "· " + e.What})
			}
		}
		return table(w, "No gates are configured.", []string{"gate", "state", "why"}, rows)
	})
	if err == nil && !v.Go {
		err = verdictError{f.Version + " may not go yet."}
	}
	return err
}
