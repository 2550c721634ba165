package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
)

func newPR(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "pr", Short: "Changes: list, show, comment, and why one is not merging"}
	c.AddCommand(newPRList(s), newPRShow(s), newPRCreate(s), newPRComment(s), newPRWhy(s))
	return c
}

// change is what the commands about one pull request share.
type change struct {
	platform
	repoFlag
}

func (f *change) add(c *cobra.Command) {
	f.platform.add(c)
	f.repoFlag.add(c)
}

// on opens the platform and finds the pull request's repository and number.
func (f *change) on(ctx context.Context, number string, do func(*app.App, forge.RepoName, int) error) error {
	n, err := strconv.Atoi(strings.TrimPrefix(number, "#"))
	if err != nil || n < 1 {
		return usagef("%q is not the number of a pull request: write it as 7 or #7", number)
	}
	return f.with(ctx, func(a *app.App) error {
		repo, err := f.find(ctx, a)
		if err != nil {
			return err
		}
		_, err = a.Forge.PullRequest(ctx, repo, n)
		if errors.Is(err, forge.ErrNotFound) {
			return fmt.Errorf("there is no pull request #%d in %s: seaworthy pr list names them", n, repo)
		}
		if err != nil {
			return err
		}
		return do(a, repo, n)
	})
}

type shownPull struct {
	Repo      string   `json:"repo"`
	Number    int      `json:"number"`
	Title     string   `json:"title"`
	Author    string   `json:"author"`
	State     string   `json:"state"`
	Base      string   `json:"base"`
	Head      string   `json:"head"`
	SHA       string   `json:"sha"`
	Labels    []string `json:"labels"`
	Milestone string   `json:"milestone,omitempty"`
	URL       string   `json:"url"`
}

func showPull(p forge.PullRequest) shownPull {
	state := string(p.State)
	if p.Merged {
		state = "merged"
	}
	return shownPull{p.Repo.String(), p.Number, p.Title, p.Author, state, p.Base.Branch, p.Head.Branch, p.Head.SHA, nonNil(p.Labels), p.Milestone, p.HTMLURL}
}

func newPRList(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	var filter forge.PullFilter
	c := &cobra.Command{
		Use:   "list",
		Short: "List pull requests",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"open", "closed", "all"}, filter.State) {
				return usagef("--state %s: write open, closed or all", filter.State)
			}
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				all, err := a.Forge.PullRequests(cmd.Context(), repo, filter)
				if err != nil {
					return err
				}
				shown := []shownPull{}
				for _, p := range all {
					shown = append(shown, showPull(p))
				}
				return out.print(s.Out, shown, func(w io.Writer) error {
					var rows [][]string
					for _, p := range shown {
						rows = append(rows, []string{fmt.Sprintf("#%d", p.Number), p.State, p.Author, p.Title, strings.Join(p.Labels, " ")})
					}
					return table(w, "There are no such pull requests.", []string{"number", "state", "author", "title", "labels"}, rows)
				})
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().StringVar(&filter.State, "state", "open", "`which` ones: open, closed or all")
	c.Flags().StringVar(&filter.Base, "base", "", "only into this `branch`")
	return c
}

func newPRShow(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	c := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show a pull request and its checks",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.on(cmd.Context(), args[0], func(a *app.App, repo forge.RepoName, n int) error {
				p, err := a.Forge.PullRequest(cmd.Context(), repo, n)
				if err != nil {
					return err
				}
				statuses, err := a.Forge.Statuses(cmd.Context(), repo, p.Head.SHA)
				if err != nil {
					return err
				}
				type check struct {
					Context string `json:"context"`
					State   string `json:"state"`
					Says    string `json:"description"`
				}
				shown := struct {
					shownPull
					Checks []check `json:"checks"`
				}{showPull(p), []check{}}
				for _, c := range statuses {
					shown.Checks = append(shown.Checks, check{c.Context, string(c.State), c.Description})
				}
				return out.print(s.Out, shown, func(w io.Writer) error {
					fmt.Fprintf(w, "#%d %s (%s)\n%s wants %s in %s\n", p.Number, p.Title, shown.State, p.Author, p.Head.Branch, p.Base.Branch)
					if len(shown.Labels) > 0 {
						fmt.Fprintf(w, "labels %s\n", strings.Join(shown.Labels, " "))
					}
					fmt.Fprintf(w, "%s\n\n", p.HTMLURL)
					var rows [][]string
					for _, c := range shown.Checks {
						rows = append(rows, []string{c.Context, c.State, c.Says})
					}
					return table(w, "Nothing has been checked yet.", []string{"check", "state", "says"}, rows)
				})
			})
		},
	}
	f.add(c)
	out.add(c)
	return c
}

func newPRCreate(s Streams) *cobra.Command {
	var f change
	var n forge.NewPullRequest
	var bodyFile string
	c := &cobra.Command{
		Use:   "create",
		Short: "Propose a pushed branch as a pull request",
		Long: `Proposes a branch that was pushed, as the account whose forge token is in SEAWORTHY_TOKEN, or, without one, as
the administrator.`,
		Args: cobra.NoArgs,
		Example: `  git push http://127.0.0.1:7070/local/project.git fix-tides
  seaworthy pr create --head fix-tides --title "Read the tide tables right"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bodyFile != "" {
				body, err := readInput(s, bodyFile)
				if err != nil {
					return err
				}
				n.Body = string(body)
			}
			return f.with(cmd.Context(), func(a *app.App) error { return f.propose(cmd.Context(), s, a, n) })
		},
	}
	f.add(c)
	c.Flags().StringVar(&n.Title, "title", "", "`text` of the title")
	c.Flags().StringVar(&n.Body, "body", "", "`text` of the description")
	c.Flags().StringVar(&bodyFile, "body-file", "", "`file` that holds the description (- reads stdin)")
	c.MarkFlagsMutuallyExclusive("body", "body-file")
	c.Flags().StringVar(&n.Head, "head", "", "`branch` to merge")
	c.Flags().StringVar(&n.Base, "base", "", "`branch` to merge into (the default branch if empty)")
	c.Flags().BoolVar(&n.Draft, "draft", false, "as a draft")
	require(c, "head", "title")
	return c
}

// propose creates a pull request as the account the command acts as.
func (f *change) propose(ctx context.Context, s Streams, a *app.App, n forge.NewPullRequest) error {
	repo, err := f.find(ctx, a)
	if err != nil {
		return err
	}
	client, err := person(a)
	if err != nil {
		return err
	}
	if n.Base == "" {
		r, err := client.Repo(ctx, repo)
		if err != nil {
			return err
		}
		n.Base = r.DefaultBranch
	}
	for _, branch := range []string{n.Head, n.Base} {
		if strings.Contains(branch, ":") { // in another repository
			continue
		}
		if _, err := client.Branch(ctx, repo, branch); errors.Is(err, forge.ErrNotFound) {
			return fmt.Errorf("%s has no branch %s: push it to %s first", repo, branch, a.GitURL(repo))
		} else if err != nil {
			return err
		}
	}
	p, err := client.CreatePullRequest(ctx, repo, n)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "#%d %s\n", p.Number, p.HTMLURL)
	return err
}

func newPRComment(s Streams) *cobra.Command {
	var f change
	c := &cobra.Command{
		Use:   "comment NUMBER TEXT",
		Short: "Comment on a pull request; lines that begin with / are commands",
		Long: `Comments as the account whose forge token is in SEAWORTHY_TOKEN, or, without one, as the administrator.
Lines that begin with / are commands to the platform, such as /lgtm, /approve, /hold and /retest.`,
		Example: `  seaworthy pr comment 7 "Reads well."
  seaworthy pr comment 7 /lgtm`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.on(cmd.Context(), args[0], func(a *app.App, repo forge.RepoName, n int) error {
				client, err := person(a)
				if err != nil {
					return err
				}
				posted, err := client.CreateComment(cmd.Context(), repo, n, args[1])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(s.Out, posted.HTMLURL)
				return err
			})
		},
	}
	f.add(c)
	return c
}

func newPRWhy(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	c := &cobra.Command{
		Use:   "why NUMBER",
		Short: "Say what still keeps a pull request from merging (exit code 3 if something does)",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.on(cmd.Context(), args[0], func(a *app.App, repo forge.RepoName, n int) error {
				return explain(cmd.Context(), s, a, out, repo, n)
			})
		},
	}
	f.add(c)
	out.add(c)
	return c
}

// reason is one thing that keeps a change from merging.
type reason struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
}

func explain(ctx context.Context, s Streams, a *app.App, out outputFlag, repo forge.RepoName, n int) error {
	pr, err := a.Forge.PullRequest(ctx, repo, n)
	if err != nil {
		return err
	}
	reasons, otherwise := []reason{}, fmt.Sprintf("#%d is merged.", n)
	if !pr.Merged {
		if reasons, otherwise, err = reasonsFor(ctx, a, pr); err != nil {
			return err
		}
	}
	err = out.print(s.Out, reasons, func(w io.Writer) error {
		for _, r := range reasons {
			if _, err := fmt.Fprintln(w, r.Text); err != nil {
				return err
			}
		}
		if len(reasons) > 0 {
			return nil
		}
		_, err := fmt.Fprintln(w, otherwise)
		return err
	})
	if err == nil && len(reasons) > 0 {
		return verdictError{fmt.Sprintf("#%d does not merge yet.", n)}
	}
	return err
}

// reasonsFor asks the queue, and says where the change stands in it if nothing
// is in its way.
func reasonsFor(ctx context.Context, a *app.App, pr forge.PullRequest) ([]reason, string, error) {
	why, err := a.Queue.Why(ctx, pr.Repo, pr.Number)
	if err != nil {
		return nil, "", err
	}
	reasons := []reason{}
	for _, b := range why {
		reasons = append(reasons, reason{string(b.Kind), b.Subject, b.Sentence})
	}
	stands := fmt.Sprintf("Nothing keeps #%d from merging.", pr.Number)
	if pr.State != forge.StateOpen {
		return reasons, stands, nil
	}
	pool, err := a.Queue.Pool(ctx, pr.Repo, pr.Base.Branch)
	if err != nil {
		return nil, "", err
	}
	if pool.Paused != "" {
		reasons = append(reasons, reason{"paused", pr.Base.Branch, fmt.Sprintf("The queue of %s is paused: %s.", pr.Base.Branch, pool.Paused)})
	}
	for _, m := range pool.Standings {
		if m.Number == pr.Number {
			stands += " " + m.Text
		}
	}
	return reasons, stands, nil
}
