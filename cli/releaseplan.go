package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// nextFlags say which release to plan.
type nextFlags struct {
	stageFlags
	versionsOnly bool
	commits      int
	// The version to go on from, and the rules, where no repository is asked.
	from         string
	createBranch bool
	rules        []string
}

func newReleasePlan(s Streams) *cobra.Command {
	var f nextFlags
	var out outputFlag
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what the next release of a branch would be, and whether it may go",
		Long: `Says which version the next release of a branch would be, what it would be made of, and whether the gates let it
go. Nothing is changed. The exit code is 3 for NO-GO, and where the rules refuse such a release.

With --from the version follows from the command line alone: no platform and no repository is asked. It takes the
version tagged last, or a build since then, and numbers as Kubernetes does; --policy adds rules of a project's own.`,
		Example: `  seaworthy release plan --branch release-1.2
  seaworthy release plan --type rc --versions-only -o json
  seaworthy release plan --versions-only --branch release-1.23 --type rc --create-branch --from v1.23.0-beta.1
  seaworthy release plan --versions-only --branch master --type alpha --from v1.23.0-alpha.1.123+4e9bdd481e2400`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("from") {
				return f.offline(s, out)
			}
			for _, name := range []string{"create-branch", "policy"} {
				if cmd.Flags().Changed(name) {
					return usagef("--%s goes with --from: a repository knows its branches and rules itself", name)
				}
			}
			return f.print(cmd, s, out)
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().BoolVar(&f.versionsOnly, "versions-only", false, "print the versions and judge nothing")
	c.Flags().IntVar(&f.commits, "commits", 50, "list at most so `many` commits; 0 lists all")
	c.Flags().StringVar(&f.from, "from", "", "`version` to go on from, or a build since then; no repository is asked")
	c.Flags().BoolVar(&f.createBranch, "create-branch", false, "the branch does not exist yet (with --from)")
	c.Flags().StringSliceVar(&f.rules, "policy", nil, "`rules` of the project (with --from): next-candidate, no-next-alpha, trunk, patch, major")
	return c
}

// offline answers from the command line alone.
func (f *nextFlags) offline(s Streams, out outputFlag) error {
	if f.branch == "" {
		return usagef("--branch is needed with --from")
	}
	if f.bump != "" {
		return usagef("--bump asks a repository; with --from write --policy %s", f.bump)
	}
	kind, err := release.ParseKind(f.kind)
	if err != nil {
		return usageError{err}
	}
	policy, err := release.DefaultPolicy().With(f.rules)
	if err != nil {
		return usageError{fmt.Errorf("--policy: %w", err)}
	}
	versions, create, err := release.NextFrom(f.branch, f.from, kind, f.createBranch, policy)
	var refused *release.Refusal
	if err != nil && !errors.As(err, &refused) {
		err = usageError{fmt.Errorf("--from: %w", err)}
		if perr := printError(s, out, err); perr != nil {
			return perr
		}
		return err
	}
	if err != nil {
		return refuse(s, out, err)
	}
	return printVersions(s, out, cut.Plan{Versions: versions, CreateBranch: create})
}

// print answers from the repository.
func (f *nextFlags) print(cmd *cobra.Command, s Streams, out outputFlag) error {
	return f.with(cmd.Context(), func(a *app.App) error {
		r, err := f.request(cmd.Context(), a)
		if err != nil {
			return err
		}
		if f.versionsOnly {
			p, err := a.Releases.Plan(cmd.Context(), r)
			if err != nil {
				return refuse(s, out, err)
			}
			return printVersions(s, out, p)
		}
		p, err := a.Releases.Preview(cmd.Context(), r, f.commits)
		if err != nil {
			return refuse(s, out, err)
		}
		return printPlan(s, out, p)
	})
}

// refuse turns a no of the rules into a verdict, which is printed as data, too,
// where data was asked for.
func refuse(s Streams, out outputFlag, err error) error {
	said := refusal(err)
	var no verdictError
	if !errors.As(said, &no) {
		return err
	}
	if perr := printError(s, out, err); perr != nil {
		return perr
	}
	return said
}

// printError prints an error as data, where data was asked for.
func printError(s Streams, out outputFlag, err error) error {
	shown := struct {
		Error string `json:"error"`
	}{err.Error()}
	return out.print(s.Out, shown, func(io.Writer) error { return nil })
}

func versionsOf(p cut.Plan) []string {
	versions := []string{}
	for _, v := range p.Versions {
		versions = append(versions, v.String())
	}
	return versions
}

func printVersions(s Streams, out outputFlag, p cut.Plan) error {
	shown := struct {
		Versions     []string `json:"versions"`
		CreateBranch bool     `json:"create_branch"`
	}{versionsOf(p), p.CreateBranch}
	return out.print(s.Out, shown, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, strings.Join(shown.Versions, "\n"))
		return err
	})
}

// refusal turns a no of the rules into a verdict.
func refusal(err error) error {
	var refused *release.Refusal
	var nogo *cut.NoGoError
	if errors.As(err, &refused) || errors.As(err, &nogo) {
		return verdictError{err.Error()}
	}
	return err
}

// shownPlan is a planned release as -o json prints it.
type shownPlan struct {
	Versions     []string            `json:"versions"`
	CreateBranch bool                `json:"create_branch"`
	Branch       string              `json:"branch"`
	Commit       string              `json:"commit"`
	Previous     string              `json:"previous,omitempty"`
	BuildVersion string              `json:"build_version"`
	Platforms    []string            `json:"platforms"`
	CommitCount  int                 `json:"commit_count"`
	Commits      []cut.PlannedCommit `json:"commits"`
	Artifacts    []string            `json:"artifacts"`
	Images       []string            `json:"images"`
	Markers      []cut.MarkerChange  `json:"markers"`
	Missing      []string            `json:"missing"`
	Verdict      release.Verdict     `json:"verdict"`
}

func printPlan(s Streams, out outputFlag, p cut.Preview) error {
	platforms := []string{}
	for _, pl := range p.Project.Build.Platforms {
		platforms = append(platforms, pl.String())
	}
	versions := versionsOf(p.Plan)
	shown := shownPlan{versions, p.CreateBranch, p.Branch, p.Commit, p.Previous, p.BuildVersion, platforms, p.CommitCount,
		p.Commits, p.Artifacts, nonNil(p.Images), p.Markers, p.Missing, p.Verdict}
	err := out.print(s.Out, shown, func(w io.Writer) error {
		since := "the first release"
		if p.Previous != "" {
			since = "after " + p.Previous
		}
		fmt.Fprintf(w, "%s from %s at %s, %s\n", strings.Join(versions, " and "), p.Branch, p.Commit[:min(12, len(p.Commit))], since)
		fmt.Fprintf(w, "builds %s for %s\n", p.Project.Name, strings.Join(platforms, ", "))
		if p.CreateBranch {
			fmt.Fprintf(w, "creates %s\n", p.Branch)
		}
		if err := printBrings(w, p); err != nil {
			return err
		}
		fmt.Fprintln(w)
		if err := printVerdict(w, p.Verdict); err != nil {
			return err
		}
		for i, missing := range p.Missing {
			if i == 0 {
				fmt.Fprint(w, "\nMissing:\n")
			}
			fmt.Fprintf(w, "  %s\n", oneLine(missing))
		}
		return nil
	})
	if err == nil && !p.Verdict.Go {
		err = verdictError{strings.Join(versions, " and ") + " may not go yet."}
	}
	return err
}

// printBrings lists what a release brings: commits, files, images, markers.
func printBrings(w io.Writer, p cut.Preview) error {
	fmt.Fprintf(w, "publishes %s\n", strings.Join(p.Artifacts, ", "))
	if len(p.Images) > 0 {
		fmt.Fprintf(w, "publishes the images %s\n", strings.Join(p.Images, ", "))
	}
	for _, m := range p.Markers {
		from := m.From
		if from == "" {
			from = "nothing"
		}
		fmt.Fprintf(w, "raises %s.txt from %s to %s\n", m.Name, from, m.To)
	}
	commits := "commits"
	if p.CommitCount == 1 {
		commits = "commit"
	}
	fmt.Fprintf(w, "brings %d %s\n", p.CommitCount, commits)
	var rows [][]string
	for _, c := range p.Commits {
		pull := ""
		if c.Pull > 0 {
			pull = fmt.Sprintf("#%d", c.Pull)
		}
		rows = append(rows, []string{c.SHA[:min(12, len(c.SHA))], pull, c.Author, c.Subject})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := table(w, "", []string{"commit", "pull request", "author", "subject"}, rows); err != nil {
		return err
	}
	if left := p.CommitCount - len(rows); left > 0 {
		fmt.Fprintf(w, "and %d more; --commits 0 lists all\n", left)
	}
	return nil
}

func printVerdict(w io.Writer, v release.Verdict) error {
	word := "GO"
	if !v.Go {
		word = "NO-GO"
	}
	fmt.Fprintln(w, word)
	var rows [][]string
	for _, g := range v.Gates {
		rows = append(rows, []string{g.Name, string(g.State), g.Why})
	}
	return table(w, "No gates are configured.", []string{"gate", "state", "why"}, rows)
}
