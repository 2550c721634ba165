package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

func newGrid(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "grid", Short: "Test results as rows and columns, and what they say"}
	c.AddCommand(newGridSummary(s), newGridShow(s), newGridCheck(s), newGridSnapshot(s))
	return c
}

func newGridSummary(s Streams) *cobra.Command {
	var f gridSource
	var out outputFlag
	var names []string
	var rows bool
	c := &cobra.Command{
		Use:   "summary",
		Short: "Summarise every tab of every dashboard: passing, failing or flaky",
		Long: `Summarise every tab of every dashboard: of the platform in --dir, or, with --bucket or --config, of
any bucket with results in Prow's layout or folders of JUnit files.

Where --bucket is given, the results of a test group are in the longest end of its gcs_prefix that
the bucket has: of ci/logs/unit this is ci/logs/unit in a folder that holds ci, and logs/unit in ci
itself. Without --bucket a prefix begins with the name of a bucket on Google's storage, or with
SCHEME://BUCKET. Without --config and --jobs there is a tab for each job below logs and
pr-logs/directory.

With --rows -o json prints each cell, too: columns newest first, and for each row as many cells, with
status NO_RESULT where a test did not run.`,
		Example: `  seaworthy grid summary
  seaworthy grid summary --bucket gs://ci-results --config testgrids/ --jobs jobs/ --cache .grids
  seaworthy grid summary --bucket ./results --config grids.yaml --now 2026-03-07T12:00:00Z --rows -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), s, func(service *signal.Service) error {
				return printSummaries(cmd.Context(), s, out, service, names, rows)
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().StringArrayVar(&names, "dashboard", nil, "summarise this `dashboard` only; may be repeated")
	c.Flags().BoolVar(&rows, "rows", false, "print the columns and rows of each tab, too")
	return c
}

// What grid summary prints as JSON.
type (
	shownDashboard struct {
		Name string     `json:"name"`
		Tabs []shownTab `json:"tabs"`
	}
	shownTab struct {
		Name        string        `json:"name"`
		Status      grid.Status   `json:"status"`
		Text        string        `json:"text"`
		Alert       string        `json:"alert"`
		Alerts      []grid.Alert  `json:"alerts"`
		LatestGreen string        `json:"latest_green"`
		Stats       grid.Stats    `json:"stats"`
		LastRun     time.Time     `json:"last_run,omitzero"`
		Problem     string        `json:"problem,omitempty"`
		Columns     []shownColumn `json:"columns,omitempty"`
		Rows        []shownRow    `json:"rows,omitempty"`
	}
	shownColumn struct {
		Build    string    `json:"build"`
		Started  time.Time `json:"started,omitzero"`
		Finished time.Time `json:"finished,omitzero"`
		Commit   string    `json:"commit,omitempty"`
		Result   string    `json:"result,omitempty"`
		Extra    []string  `json:"extra"`
	}
	shownRow struct {
		Name  string      `json:"name"`
		Cells []shownCell `json:"cells"`
	}
	shownCell struct {
		Status  string `json:"status"`
		Icon    string `json:"icon"`
		Message string `json:"message"`
	}
)

func printSummaries(ctx context.Context, s Streams, out outputFlag, service *signal.Service, names []string, rows bool) error {
	config, err := service.Dashboards(ctx)
	if err != nil {
		return err
	}
	chosen, err := choose(config, names)
	if err != nil {
		return err
	}
	shown := struct {
		Dashboards []shownDashboard `json:"dashboards"`
	}{[]shownDashboard{}}
	unread := 0
	var lines [][]string
	for _, d := range chosen {
		tabs, err := service.Summaries(ctx, d)
		if err != nil {
			return err
		}
		board := shownDashboard{Name: d, Tabs: []shownTab{}}
		for _, t := range tabs {
			tab := showTab(t)
			if t.Problem != "" {
				unread++
				fmt.Fprintf(s.Err, "seaworthy: %s: %s: %s\n", t.Dashboard, t.Tab, t.Problem)
			} else if rows {
				if tab.Columns, tab.Rows, err = showCells(ctx, service, t); err != nil {
					return err
				}
			}
			board.Tabs = append(board.Tabs, tab)
			lines = append(lines, []string{t.Dashboard, t.Tab, string(t.Summary.Status), t.Summary.Text})
		}
		shown.Dashboards = append(shown.Dashboards, board)
	}
	if err := service.Keep(ctx); err != nil {
		return err
	}
	err = out.print(s.Out, shown, func(w io.Writer) error {
		return table(w, "No job has results yet.", []string{"dashboard", "tab", "status", "says"}, lines)
	})
	if err == nil && unread > 0 {
		err = fmt.Errorf("%s could not be read", count(unread, "tab", "tabs"))
	}
	return err
}

// choose returns the names of the dashboards that were asked for, all if none
// was.
func choose(config dashboard.Config, names []string) ([]string, error) {
	var all []string
	if len(names) == 0 {
		for _, d := range config.Dashboards {
			all = append(all, d.Name)
		}
		return all, nil
	}
	for _, name := range names {
		d, ok := config.Dashboard(name)
		if !ok {
			return nil, usagef("there is no dashboard %q: seaworthy grid summary without --dashboard names them", name)
		}
		if !slices.Contains(all, d.Name) {
			all = append(all, d.Name)
		}
	}
	return all, nil
}

func showTab(t signal.TabSummary) shownTab {
	m := t.Summary
	return shownTab{
		Name: t.Tab, Status: m.Status, Text: m.Text, Alert: m.Alert, Alerts: append([]grid.Alert{}, m.Alerts...),
		LatestGreen: m.LatestGreen, Stats: m.Stats, LastRun: t.LastRun, Problem: t.Problem,
	}
}

// showCells spreads out the grid of a tab: the rows that it shows, stale ones,
// too.
func showCells(ctx context.Context, service *signal.Service, t signal.TabSummary) ([]shownColumn, []shownRow, error) {
	g, _, o, err := service.TabGrid(ctx, t.Dashboard, t.Tab)
	if err != nil {
		return nil, nil, err
	}
	columns := []shownColumn{}
	for _, c := range g.Columns {
		columns = append(columns, shownColumn{c.Build, c.Started, c.Finished, c.Commit, c.Result, append([]string{}, c.Extra...)})
	}
	rows := []shownRow{}
	for _, r := range g.Rows {
		if !showsRow(o, r.Name) {
			continue
		}
		row := shownRow{r.Name, make([]shownCell, 0, len(g.Columns))}
		for _, c := range r.Cells() {
			row.Cells = append(row.Cells, shownCell{c.Status.String(), c.Icon, c.Message})
		}
		rows = append(rows, row)
	}
	return columns, rows, nil
}

// showsRow reports whether the filters of a tab let a row through.
func showsRow(o grid.Options, name string) bool {
	matches := func(re *regexp.Regexp) bool { return re.MatchString(name) }
	return !slices.ContainsFunc(o.Exclude, matches) && !slices.ContainsFunc(o.Include, func(re *regexp.Regexp) bool { return !matches(re) })
}

func newGridShow(s Streams) *cobra.Command {
	var f gridSource
	var out outputFlag
	columns := 30
	c := &cobra.Command{
		Use:   "show [DASHBOARD] TAB",
		Short: "Show a grid, newest build on the left",
		Long: `Show the grid of a tab, newest build on the left. With one argument on a platform, of a job of the
repository, whatever dashboard it is on.`,
		Example: `  seaworthy grid show post-unit
  seaworthy grid show halyard-blocking unit --bucket gs://ci-results --config testgrids/`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if columns < 1 {
				return usagef("--columns %d: show at least one build", columns)
			}
			g, err := f.grid(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			return out.print(s.Out, showGrid(g), func(w io.Writer) error { return drawGrid(w, g, columns) })
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().IntVar(&columns, "columns", columns, "how `many` builds to show")
	return c
}

// grid finds the grid of a tab, or of a job.
func (f *gridSource) grid(ctx context.Context, s Streams, names []string) (g *grid.Grid, err error) {
	if len(names) == 1 && !f.foreign() {
		err = f.change.with(ctx, func(a *app.App) error {
			repo, err := f.find(ctx, a)
			if err != nil {
				return err
			}
			g, err = a.Signal.Grid(ctx, repo, names[0])
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s has no job %q: seaworthy grid summary names them", repo, names[0])
			}
			return err
		})
		return g, err
	}
	err = f.with(ctx, s, func(service *signal.Service) error {
		if len(names) == 1 {
			config, err := service.Dashboards(ctx)
			if err != nil {
				return err
			}
			board, err := boardOf(config, names[0])
			if err != nil {
				return err
			}
			names = []string{board, names[0]}
		}
		g, _, _, err = service.TabGrid(ctx, names[0], names[1])
		if errors.Is(err, fs.ErrNotExist) {
			return usagef("%w; seaworthy grid summary names them", err)
		}
		return err
	})
	return g, err
}

// boardOf finds the one dashboard that has a tab of the name.
func boardOf(config dashboard.Config, tab string) (string, error) {
	var all []string
	for _, d := range config.Dashboards {
		if _, ok := d.Tab(tab); ok {
			all = append(all, d.Name)
		}
	}
	switch len(all) {
	case 0:
		return "", usagef("no dashboard has a tab %q: seaworthy grid summary names them", tab)
	case 1:
		return all[0], nil
	}
	return "", usagef("%d dashboards have a tab %q: name one before it, such as %s", len(all), tab, all[0])
}

// drawGrid writes one character for each cell.
func drawGrid(w io.Writer, g *grid.Grid, columns int) error {
	if len(g.Rows) == 0 {
		_, err := fmt.Fprintln(w, "The job has no results yet.")
		return err
	}
	width := 0
	names := make([]string, len(g.Rows))
	for i, r := range g.Rows {
		names[i] = onOneLine(r.Name, 100)
		width = max(width, utf8.RuneCountInString(names[i]))
	}
	for i, r := range g.Rows {
		line := fmt.Sprintf("%-*s  ", width, names[i])
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

// onOneLine is a name as a terminal can show it in a line: without what would
// break it or turn it around, and with its middle cut out if it is longer than
// most characters.
func onOneLine(name string, most int) string {
	runes := []rune(strings.Map(harmless, name))
	if len(runes) > most {
		tail := most / 2
		runes = slices.Concat(runes[:most-tail-1], []rune{'…'}, runes[len(runes)-tail:])
	}
	return string(runes)
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
