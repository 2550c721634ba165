package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/grid"
	"seaworthy/signal"
)

func newGrid(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "grid", Short: "Test results as rows and columns, and what they say"}
	c.AddCommand(newGridSummary(s), newGridShow(s), newGridCheck(s))
	return c
}

func newGridSummary(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	c := &cobra.Command{
		Use:   "summary",
		Short: "Summarise every job: passing, failing or flaky",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				tabs, err := a.Signal.Tabs(cmd.Context(), repo)
				if err != nil {
					return err
				}
				return printTabs(s, out, repo.String(), tabs)
			})
		},
	}
	f.add(c)
	out.add(c)
	return c
}

func printTabs(s Streams, out outputFlag, dashboard string, tabs []signal.Tab) error {
	type tab struct {
		Name        string      `json:"name"`
		Status      grid.Status `json:"status"`
		Text        string      `json:"text"`
		Alert       string      `json:"alert"`
		LatestGreen string      `json:"latest_green"`
	}
	type board struct {
		Name string `json:"name"`
		Tabs []tab  `json:"tabs"`
	}
	b := board{dashboard, []tab{}}
	for _, t := range tabs {
		b.Tabs = append(b.Tabs, tab{t.Job, t.Summary.Status, t.Summary.Text, t.Summary.Alert, t.Summary.LatestGreen})
	}
	shown := struct {
		Dashboards []board `json:"dashboards"`
	}{[]board{b}}
	return out.print(s.Out, shown, func(w io.Writer) error {
		var rows [][]string
		for _, t := range b.Tabs {
			rows = append(rows, []string{t.Name, string(t.Status), t.Text})
		}
		return table(w, "No job has results yet.", []string{"job", "status", "says"}, rows)
	})
}

func newGridShow(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	columns := 30
	c := &cobra.Command{
		Use:   "show JOB",
		Short: "Show a job's grid, newest build on the left",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				g, err := a.Signal.Grid(cmd.Context(), repo, args[0])
				if errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s has no job %q: seaworthy grid summary names them", repo, args[0])
				}
				if err != nil {
					return err
				}
				return out.print(s.Out, g, func(w io.Writer) error { return drawGrid(w, g, columns) })
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().IntVar(&columns, "columns", columns, "how `many` builds to show")
	return c
}

// drawGrid writes one character for each cell.
func drawGrid(w io.Writer, g *grid.Grid, columns int) error {
	if len(g.Rows) == 0 {
		_, err := fmt.Fprintln(w, "The job has no results yet.")
		return err
	}
	width := 0
	for _, r := range g.Rows {
		width = max(width, len([]rune(r.Name)))
	}
	for _, r := range g.Rows {
		line := fmt.Sprintf("%-*s  ", width, r.Name)
		for i, c := range r.Cells() {
			if i == columns {
				break
			}
			line += letter(c)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\n· passed  F failed  ½ flaky  S passed, some skipped  R running; newest on the left")
	return err
}

func letter(c grid.Cell) string {
	switch {
	case c.Status == grid.NoResult:
		return " "
	case c.Status == grid.Flake:
		return "½"
	case c.Status == grid.Running:
		return "R"
	case c.Status == grid.PassWithSkips:
		return "S"
	case c.Status.Passing():
		return "·"
	}
	return "F"
}
