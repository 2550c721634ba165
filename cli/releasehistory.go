package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// markdown is the format that is pasted into a release's issue.
const markdown = "markdown"

// historyFlags say which runs to list.
type historyFlags struct {
	change
	limit    int
	branch   string
	from, to string
}

func newReleaseHistory(s Streams) *cobra.Command {
	f := historyFlags{limit: 20}
	out := outputFlag{more: []string{markdown}}
	c := &cobra.Command{
		Use:   "history",
		Short: "List stages, cuts and pushes, newest first",
		Long: `Lists what was run for releases, newest first. Days are those of UTC, the last one included. -o markdown prints a
table to paste into an issue, oldest first.`,
		Example: `  seaworthy release history --limit 5
  seaworthy release history --branch release-1.23 --date-from 2026-12-01 -o markdown`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keep, err := f.filter()
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				return f.print(cmd.Context(), s, a, out, repo, keep)
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().IntVar(&f.limit, "limit", f.limit, "at most so `many`; 0 lists all")
	c.Flags().StringVar(&f.branch, "branch", "", "only releases of this `branch`")
	c.Flags().StringVar(&f.from, "date-from", "", "only since this `day`, 2026-12-07")
	c.Flags().StringVar(&f.to, "date-to", "", "only until this `day`, 2026-12-07")
	return c
}

// filter tells the runs that are listed; nil lists all.
func (f *historyFlags) filter() (func(cut.Event) bool, error) {
	var from, to time.Time
	for name, day := range map[string]struct {
		text string
		time *time.Time
	}{"date-from": {f.from, &from}, "date-to": {f.to, &to}} {
		if day.text == "" {
			continue
		}
		t, err := time.Parse(time.DateOnly, day.text)
		if err != nil {
			return nil, usagef("--%s %q: write a day such as 2026-12-07", name, day.text)
		}
		*day.time = t
	}
	if f.branch == "" && from.IsZero() && to.IsZero() {
		return nil, nil
	}
	return func(e cut.Event) bool {
		at := e.Run.CreatedAt
		return (f.branch == "" || e.Branch == f.branch) && !at.Before(from) && (to.IsZero() || at.Before(to.AddDate(0, 0, 1)))
	}, nil
}

func (f *historyFlags) print(ctx context.Context, s Streams, a *app.App, out outputFlag, repo forge.RepoName, keep func(cut.Event) bool) error {
	limit := f.limit
	if keep != nil {
		limit = 0 // the newest may be others
	}
	events, err := a.Releases.History(ctx, repo, limit)
	if err != nil {
		return err
	}
	if keep != nil {
		events = slices.DeleteFunc(events, func(e cut.Event) bool { return !keep(e) })
		if f.limit > 0 {
			events = events[:min(f.limit, len(events))]
		}
	}
	if out.format == markdown {
		return historyMarkdown(s.Out, events, a.URL())
	}
	shown := []shownRelease{}
	for _, e := range events {
		r := showRelease(e.Run, e.Sentence)
		r.Version, r.Branch, r.Commit, r.Seconds = e.Version, e.Branch, e.Commit, e.Took.Seconds()
		shown = append(shown, r)
	}
	return out.print(s.Out, shown, func(w io.Writer) error {
		var rows [][]string
		for _, e := range events {
			mode := "nomock"
			if e.Run.Mock {
				mode = "mock"
			}
			of := e.Version
			if of == "" {
				of = e.Branch // of a run that makes or moves one, or has not chosen a version yet
			}
			rows = append(rows, []string{e.Run.Flow, of, mode, e.Run.ID, e.Run.CreatedAt.UTC().Format("2006-01-02 15:04"),
				e.Took.Round(100 * time.Millisecond).String(), string(e.Run.State)})
		}
		return table(w, "Nothing has been released yet.", []string{"step", "of", "mode", "run", "start", "took", "state"}, rows)
	})
}

// historyMarkdown prints the table that krel history prints.
func historyMarkdown(w io.Writer, events []cut.Event, url string) error {
	var b strings.Builder
	b.WriteString("| Step | Command | Link | Start | Duration | Succeeded? |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, e := range slices.Backward(events) {
		step, succeeded := e.Run.Flow, "no"
		if e.Run.Mock {
			step = "mock " + step
		}
		switch {
		case e.Run.State == flow.Succeeded:
			succeeded = "yes"
		case !e.Run.State.Final():
			succeeded = string(e.Run.State)
		}
		link := e.Run.ID // no server has pages of it
		if url != "" {
			link = url + "/releases/" + e.Run.ID
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", step, commandOf(e.Run), link,
			e.Run.CreatedAt.UTC().Format("2006-01-02 15:04:05 MST"), e.Took.Round(time.Second), succeeded)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// commandOf is the command line that a run was, or might have been, begun with.
func commandOf(run flow.Run) string {
	var of struct {
		Branch, Kind, Commit, Bump string
		BuildVersion               string `json:"build_version"`
		Fast                       bool
	}
	// Parameters of a flow that is not known here leave the line shorter.
	if err := json.Unmarshal(run.Params, &of); err != nil {
		return run.Flow
	}
	l := commandLine{"seaworthy", "release", run.Flow}
	switch run.Flow {
	case "ci":
		l = commandLine{"seaworthy", "release", "push"}
	case "branch":
		l = commandLine{"seaworthy", "branch", "create", of.Branch}
		of.Branch = ""
	case "ff":
		l = commandLine{"seaworthy", "branch", "ff", of.Branch}
		of.Branch = ""
	}
	l.add("--type", of.Kind)
	l.add("--branch", of.Branch)
	l.add("--commit", of.Commit)
	l.add("--bump", of.Bump)
	l.add("--build-version", of.BuildVersion)
	l.when(of.Fast, "--fast")
	l.when(!run.Mock, "--nomock")
	return strings.NewReplacer("|", "", "`", "").Replace(quoted(l))
}
