package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/job"
)

func newRun(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "run", Short: "Executions of jobs: list, show, logs, start, rerun, abort"}
	c.AddCommand(newRunList(s), newRunShow(s), newRunLogs(s), newRunStart(s), newRunRerun(s), newRunAbort(s))
	return c
}

// shownRun is an execution as -o json prints it.
type shownRun struct {
	ID       string    `json:"id"`
	Build    string    `json:"build"`
	Job      string    `json:"job"`
	Type     job.Type  `json:"type"`
	State    job.State `json:"state"`
	Cause    string    `json:"cause,omitempty"`
	Repo     string    `json:"repo,omitempty"`
	Pull     int       `json:"pull,omitempty"`
	SHA      string    `json:"sha,omitempty"`
	Created  time.Time `json:"created"`
	Finished time.Time `json:"finished,omitzero"`
	Path     string    `json:"path,omitempty"`
	Says     string    `json:"description,omitempty"`
}

func showRun(e job.Execution) shownRun {
	r := shownRun{ID: e.ID, Build: e.BuildID, Job: e.Job, Type: e.Type, State: e.State, Cause: e.Cause, SHA: e.Refs.BaseSHA,
		Created: e.CreatedAt, Finished: e.FinishedAt, Path: e.Path, Says: e.Description}
	if e.Refs.Org != "" {
		r.Repo = e.Refs.Org + "/" + e.Refs.Repo
	}
	if len(e.Refs.Pulls) > 0 {
		r.Pull, r.SHA = e.Refs.Pulls[0].Number, e.Refs.Pulls[0].SHA
	}
	return r
}

// states are all that an execution can be in.
var states = [...]job.State{job.Triggered, job.Pending, job.Success, job.Failure, job.Aborted, job.Errored}

func joinStates() string {
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// execution finds the execution of a build number.
func execution(ctx context.Context, a *app.App, build string) (job.Execution, error) {
	e, err := a.Runs.Execution(ctx, build)
	if errors.Is(err, job.ErrNoExecution) {
		return e, fmt.Errorf("there is no build %q: seaworthy run list names them", build)
	}
	return e, err
}

func newRunList(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	var f job.ExecutionFilter
	var state string
	c := &cobra.Command{
		Use:   "list",
		Short: "List executions, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" {
				if !slices.Contains(states[:], job.State(state)) {
					return usagef("--state %s: write one of %s", state, joinStates())
				}
				f.States = []job.State{job.State(state)}
			}
			if f.Repo != "" {
				name, err := forge.ParseRepoName(f.Repo)
				if err != nil {
					return usageError{fmt.Errorf("--repo: %w", err)}
				}
				f.Repo = name.String()
			}
			return p.with(cmd.Context(), func(a *app.App) error {
				all, err := a.Runs.Executions(cmd.Context(), f)
				if err != nil {
					return err
				}
				shown := []shownRun{}
				for _, e := range all {
					shown = append(shown, showRun(e))
				}
				return out.print(s.Out, shown, func(w io.Writer) error {
					var rows [][]string
					for _, r := range shown {
						pull := ""
						if r.Pull > 0 {
							pull = "#" + strconv.Itoa(r.Pull)
						}
						rows = append(rows, []string{r.Build, r.Job, string(r.State), r.Repo, pull, r.Created.UTC().Format("2006-01-02 15:04:05")})
					}
					return table(w, "Nothing has run.", []string{"build", "job", "state", "repository", "change", "created"}, rows)
				})
			})
		},
	}
	p.add(c)
	out.add(c)
	c.Flags().StringVar(&f.Repo, "repo", "", "only of this `OWNER/NAME`")
	c.Flags().StringVar(&f.Job, "job", "", "only of this `job`")
	c.Flags().IntVar(&f.Pull, "pull", 0, "only of this pull request, a `number`")
	c.Flags().StringVar(&state, "state", "", "only in this `state`: "+joinStates())
	c.Flags().IntVar(&f.Limit, "limit", 30, "at most so `many`")
	return c
}

func newRunShow(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	c := &cobra.Command{
		Use:   "show BUILD",
		Short: "Show one execution",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(a *app.App) error {
				e, err := execution(cmd.Context(), a, args[0])
				if err != nil {
					return err
				}
				r := showRun(e)
				return out.print(s.Out, r, func(w io.Writer) error {
					fmt.Fprintf(w, "%s %s: %s\n", r.Job, r.Build, r.State)
					for _, line := range []string{r.Says, r.Cause} {
						if line != "" {
							fmt.Fprintln(w, line)
						}
					}
					_, err := fmt.Fprintf(w, "results in %s\n", r.Path)
					return err
				})
			})
		},
	}
	p.add(c)
	out.add(c)
	return c
}

func newRunLogs(s Streams) *cobra.Command {
	var p platform
	var follow bool
	c := &cobra.Command{
		Use:   "logs BUILD",
		Short: "Print the log of an execution",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(a *app.App) error { return copyLog(cmd.Context(), s.Out, a, args[0], follow) })
		},
	}
	p.add(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the execution ends")
	return c
}

// How often a followed log is looked at again.
const followEvery = 300 * time.Millisecond

func copyLog(ctx context.Context, w io.Writer, a *app.App, id string, follow bool) error {
	e, err := execution(ctx, a, id)
	if err != nil {
		return err
	}
	var offset int64
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		log, _, live, err := a.Runs.Logs(ctx, e.ID, offset)
		if err != nil {
			return err
		}
		n, err := io.Copy(w, log)
		offset += n
		if err := errors.Join(err, log.Close()); err != nil || !follow || !live {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func newRunRerun(s Streams) *cobra.Command {
	var p platform
	c := &cobra.Command{
		Use:   "rerun BUILD",
		Short: "Run an execution's job again, as it was configured then",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(a *app.App) error {
				e, err := execution(cmd.Context(), a, args[0])
				if err != nil {
					return err
				}
				again, err := a.Runs.Rerun(cmd.Context(), e.ID, me())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.Out, "%s runs again as %s\n", again.Job, again.BuildID)
				return err
			})
		},
	}
	p.add(c)
	return c
}

func stopReason(why string) string {
	reason := "stopped by " + me()
	if why != "" {
		reason += ": " + why
	}
	return reason
}

func newRunAbort(s Streams) *cobra.Command {
	var p platform
	var why string
	c := &cobra.Command{
		Use:   "abort BUILD",
		Short: "Stop an execution",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.with(cmd.Context(), func(a *app.App) error {
				e, err := execution(cmd.Context(), a, args[0])
				if err != nil {
					return err
				}
				if e.State.Final() {
					return fmt.Errorf("%s %s is over already: %s", e.Job, e.BuildID, e.State)
				}
				if err := a.Runs.Abort(cmd.Context(), e.ID, stopReason(why)); err != nil {
					return err
				}
				_, err = fmt.Fprintf(s.Out, "%s %s is told to stop\n", e.Job, e.BuildID)
				return err
			})
		},
	}
	p.add(c)
	c.Flags().StringVar(&why, "why", "", "a few `words` that the log keeps")
	return c
}
