package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/strict"
)

func newJob(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "job", Short: "Jobs: what is configured, what a change would run, and one run here"}
	c.AddCommand(newJobList(s), newJobShow(s), newJobCheck(s), newJobPlan(s), newJobRun(s))
	return c
}

// jobSource is where jobs are read from: a tree of Prow job files, or the
// repository one stands in.
type jobSource struct {
	folder string
	repo   string
}

func (j *jobSource) add(c *cobra.Command) {
	c.Flags().StringVar(&j.folder, "jobs", "", "`path` of a Prow job file or a folder of them (the repository's own jobs if empty)")
	c.Flags().StringVar(&j.repo, "repo", "", "`OWNER/NAME` of the repository (what seaworthy up would call it if empty)")
}

// name is the repository that is meant, which one need not stand in when the
// jobs come from elsewhere.
func (j *jobSource) name(ctx context.Context) (forge.RepoName, error) {
	if j.repo != "" {
		name, err := forge.ParseRepoName(j.repo)
		if err != nil {
			err = usageError{fmt.Errorf("--repo: %w", err)}
		}
		return name, err
	}
	repo, err := openRepo(ctx, ".", "stand in one or say whose jobs are meant with --repo")
	if err != nil {
		return forge.RepoName{}, err
	}
	return localName(ctx, repo)
}

// load returns the jobs and every problem found on the way.
func (j *jobSource) load(ctx context.Context) (job.Config, []job.Problem, error) {
	if j.folder != "" {
		return loadTree(j.folder)
	}
	repo, err := openRepo(ctx, ".", "stand in one or name job files with --jobs")
	if err != nil {
		return job.Config{}, nil, err
	}
	name, err := j.name(ctx)
	if err != nil {
		return job.Config{}, nil, err
	}
	p, err := app.ReadProject(ctx, repo, "", name)
	var problems strict.Error
	if errors.As(err, &problems) {
		return job.Config{}, problems, nil
	}
	return p.Jobs, p.Warnings, err
}

// yamlFiles lists a file, or all YAML files below a folder.
func yamlFiles(root string) (paths []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && (path == root || slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path))) {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("reading the job files: %w", err)}
	}
	return paths, nil
}

// loadTree parses a file or all YAML files below a folder, side by side.
func loadTree(root string) (job.Config, []job.Problem, error) {
	paths, err := yamlFiles(root)
	if err != nil {
		return job.Config{}, nil, err
	}
	files := make([]job.File, len(paths))
	problems := make([][]job.Problem, len(paths))
	failures := make([]error, len(paths))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, path := range paths {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			data, err := os.ReadFile(path)
			if err != nil {
				failures[i] = fmt.Errorf("reading a job file: %w", err)
				return
			}
			files[i], problems[i] = job.Parse(path, data)
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return job.Config{}, nil, err
	}
	config, more := job.Merge(files...)
	return config, slices.Concat(append(problems, more)...), nil
}

func newJobCheck(s Streams) *cobra.Command {
	var source jobSource
	var out outputFlag
	c := &cobra.Command{
		Use:   "check [FILE|FOLDER]",
		Short: "Read job files strictly and report everything wrong at once",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				source.folder = args[0]
			}
			config, problems, err := source.load(cmd.Context())
			if err != nil {
				return err
			}
			return checkJobs(s, out, config, problems)
		},
	}
	source.add(c)
	out.add(c)
	return c
}

func checkJobs(s Streams, out outputFlag, config job.Config, problems []job.Problem) error {
	failures, warnings := strict.Split(strict.Sort(problems))
	type report struct {
		Presubmits  int           `json:"presubmits"`
		Postsubmits int           `json:"postsubmits"`
		Periodics   int           `json:"periodics"`
		Repos       int           `json:"repos"`
		Errors      []job.Problem `json:"errors"`
		Warnings    []job.Problem `json:"warnings"`
	}
	r := report{Periodics: len(config.Periodics), Repos: len(config.Repos()), Errors: failures, Warnings: warnings}
	for _, jobs := range config.Presubmits {
		r.Presubmits += len(jobs)
	}
	for _, jobs := range config.Postsubmits {
		r.Postsubmits += len(jobs)
	}
	if r.Errors == nil {
		r.Errors = []job.Problem{}
	}
	if r.Warnings == nil {
		r.Warnings = []job.Problem{}
	}
	err := out.print(s.Out, r, func(w io.Writer) error {
		for _, p := range r.Errors {
			fmt.Fprintln(w, p)
		}
		for _, p := range r.Warnings {
			fmt.Fprintln(w, p, "(warning)")
		}
		_, err := fmt.Fprintf(w, "%s, %s, %s in %s: %s, %s\n",
			count(r.Presubmits, "presubmit", "presubmits"), count(r.Postsubmits, "postsubmit", "postsubmits"),
			count(r.Periodics, "periodic", "periodics"), count(r.Repos, "repository", "repositories"),
			count(len(r.Errors), "error", "errors"), count(len(r.Warnings), "warning", "warnings"))
		return err
	})
	if err == nil && len(r.Errors) > 0 {
		err = usagef("the job configuration has %s", count(len(r.Errors), "error", "errors"))
	}
	return err
}

// soundJobs is load for commands that need the jobs to be right.
func (j *jobSource) soundJobs(ctx context.Context) (job.Config, error) {
	config, problems, err := j.load(ctx)
	if err != nil {
		return config, err
	}
	failures, _ := strict.Split(problems)
	return config, strict.AsError(failures)
}

func newJobList(s Streams) *cobra.Command {
	var source jobSource
	var out outputFlag
	c := &cobra.Command{
		Use:   "list",
		Short: "List the configured jobs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := source.soundJobs(cmd.Context())
			if err != nil {
				return err
			}
			type line struct {
				Type     job.Type `json:"type"`
				Repo     string   `json:"repo"`
				Name     string   `json:"name"`
				Optional bool     `json:"optional"`
				Auto     bool     `json:"automatic"`
			}
			lines := []line{}
			for _, j := range config.All() {
				repo := j.Repo
				if j.Type == job.Periodic {
					repo = ""
				}
				lines = append(lines, line{j.Type, repo, j.Name, j.Optional, j.Automatic()})
			}
			return out.print(s.Out, lines, func(w io.Writer) error {
				var rows [][]string
				for _, l := range lines {
					rows = append(rows, []string{string(l.Type), l.Repo, l.Name})
				}
				return table(w, "There are no jobs.", []string{"type", "repository", "name"}, rows)
			})
		},
	}
	source.add(c)
	out.add(c)
	return c
}

func noJob(name string) error {
	return fmt.Errorf("there is no job %q: seaworthy job list names them", name)
}

func newJobShow(s Streams) *cobra.Command {
	var source jobSource
	out := outputFlag{format: "yaml"}
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a job as it is after defaults and presets",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := source.soundJobs(cmd.Context())
			if err != nil {
				return err
			}
			found := config.Find(args[0])
			if len(found) == 0 {
				return noJob(args[0])
			}
			type shown struct {
				Type     job.Type `json:"type"`
				Repo     string   `json:"repo,omitempty"`
				Name     string   `json:"name"`
				Context  string   `json:"context,omitempty"`
				Required bool     `json:"required"`
				Spec     job.Spec `json:"spec"`
			}
			var all []shown
			for _, j := range found {
				all = append(all, shown{j.Type, j.Repo, j.Name, j.Context, j.Required(), j.Spec()})
			}
			return out.print(s.Out, all, func(io.Writer) error { return usagef("-o table cannot hold a job: write yaml or json") })
		},
	}
	source.add(c)
	out.add(c)
	return c
}

type planFlags struct {
	source           jobSource
	out              outputFlag
	base, head, push string
	changed          []string
	periodics        bool
	from, until      string
}

func newJobPlan(s Streams) *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what a change would run, and what not and why",
		Long: `Says which presubmits a pull request from HEAD into the base branch would run. The changed files are those
between the two, or the ones given. With --push, the postsubmits of a push to a branch or tag; with
--periodics, what the clock starts in a span of time.`,
		Example: `  seaworthy job plan --base main
  seaworthy job plan --changed docs/units.md,go.mod
  seaworthy job plan --push v1.2.3
  seaworthy job plan --periodics --from 2026-11-23T00:00:00Z --until 2026-11-30T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	f.source.add(c)
	f.out.add(c)
	c.Flags().StringVar(&f.base, "base", "main", "`branch` the change goes to")
	c.Flags().StringVar(&f.head, "head", "HEAD", "`commit` of the change")
	c.Flags().StringVar(&f.push, "push", "", "plan the postsubmits of a push to this `branch` or tag instead")
	c.Flags().StringSliceVar(&f.changed, "changed", nil, "changed `files`, instead of asking git")
	c.Flags().BoolVar(&f.periodics, "periodics", false, "plan the periodics of a span of time instead")
	c.Flags().StringVar(&f.from, "from", "", "start of the span, a `time` as in RFC 3339 (now if empty)")
	c.Flags().StringVar(&f.until, "until", "", "end of the span, a `time` as in RFC 3339 (a day later if empty)")
	return c
}

func (f *planFlags) run(ctx context.Context, s Streams) error {
	config, err := f.source.soundJobs(ctx)
	if err != nil {
		return err
	}
	if f.periodics {
		return f.clock(s, config)
	}
	name, err := f.source.name(ctx)
	if err != nil {
		return err
	}
	var plan job.Plan
	if f.push != "" {
		plan, err = job.PostsubmitsFor(config, name.String(), f.push, f.files(ctx))
	} else {
		plan, err = job.PresubmitsFor(config, name.String(), f.base, f.files(ctx))
	}
	if err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	type skipped struct {
		Name string `json:"name"`
		Why  string `json:"why"`
	}
	shown := struct {
		Run  []string  `json:"run"`
		Skip []skipped `json:"skip"`
	}{Run: []string{}, Skip: []skipped{}}
	var rows [][]string
	for _, d := range plan.Run {
		shown.Run = append(shown.Run, d.Job.Name)
		rows = append(rows, []string{"run", d.Job.Name, d.Why})
	}
	for _, d := range plan.Skip {
		shown.Skip = append(shown.Skip, skipped{d.Job.Name, d.Why})
		rows = append(rows, []string{"skip", d.Job.Name, d.Why})
	}
	return f.out.print(s.Out, shown, func(w io.Writer) error {
		return table(w, "There are no jobs for this.", []string{"", "job", "why"}, rows)
	})
}

// files asks git for the changed files, once and only if a job depends on them.
func (f *planFlags) files(ctx context.Context) job.Changed {
	return func() ([]string, error) {
		if f.changed != nil {
			return f.changed, nil
		}
		repo, err := openRepo(ctx, ".", "name the changed files with --changed")
		if err != nil {
			return nil, err
		}
		from, err := repo.MergeBase(ctx, f.base, f.head)
		if err != nil {
			return nil, err
		}
		changes, err := repo.Diff(ctx, from, f.head)
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, c := range changes {
			paths = append(paths, c.Path)
			if c.PreviousPath != "" {
				paths = append(paths, c.PreviousPath)
			}
		}
		return paths, nil
	}
}

// A span of time may hold very many starts; a person who asks for a year of
// a job that runs every minute is told so.
const mostStarts = 100_000

func (f *planFlags) clock(s Streams, config job.Config) error {
	from, err := timeOr(f.from, time.Now().UTC())
	if err != nil {
		return err
	}
	until, err := timeOr(f.until, from.Add(24*time.Hour))
	if err != nil {
		return err
	}
	type start struct {
		Time time.Time `json:"time"`
		Name string    `json:"name"`
	}
	starts := []start{}
	for _, j := range config.Periodics {
		for at, ok := job.NextRun(j, from); ok && at.Before(until); at, ok = job.NextRun(j, at) {
			if len(starts) == mostStarts {
				return usagef("more than %d starts: ask for a shorter span with --until", mostStarts)
			}
			starts = append(starts, start{at, j.Name})
		}
	}
	slices.SortStableFunc(starts, func(a, b start) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return f.out.print(s.Out, starts, func(w io.Writer) error {
		var rows [][]string
		for _, s := range starts {
			rows = append(rows, []string{s.Time.Format(time.RFC3339), s.Name})
		}
		return table(w, "Nothing starts by the clock in that time.", []string{"time", "job"}, rows)
	})
}

func timeOr(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("%q is not a time: write it as 2026-11-22T12:00:00Z", text)
	}
	return t.UTC(), nil
}
