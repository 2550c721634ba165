package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/release"
	"seaworthy/strict"
)

// newBranchJobs copies the jobs of a tree that several repositories share, whose
// branches are created elsewhere.
func newBranchJobs(s Streams) *cobra.Command {
	var o job.ForkOptions
	var folder, mode, pattern string
	c := &cobra.Command{
		Use:   "jobs BRANCH",
		Short: "Print copies of a tree's jobs for a release branch",
		Long: `Prints a job file with copies of jobs for a release branch, by the annotations that Kubernetes' jobs carry
(fork-per-release and those that begin like it). Nothing is changed: it is for jobs that lie in a repository of their
own. Jobs in the repository that is branched are copied by seaworthy branch create.`,
		Example: `  seaworthy branch jobs release-1.35 --jobs config/jobs --repo kubernetes/kubernetes --default-branch master \
    --together kubernetes/perf-tests --go-version 1.25.6 > config/jobs/release-1.35.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			series, err := release.SeriesOf(release.Policy{BranchPattern: pattern}, args[0], o.DefaultBranch)
			if err != nil {
				return usageError{err}
			}
			for _, name := range append([]string{o.Repo}, o.Together...) {
				if _, err := forge.ParseRepoName(name); err != nil {
					return usageError{err}
				}
			}
			o.Mode, o.Central = job.ForkMode(mode), true
			if !slices.Contains([]job.ForkMode{job.ForkAuto, job.ForkAnnotated, job.ForkAll}, o.Mode) {
				return usagef("--copy: %q is none of auto, annotated, all", mode)
			}
			o.Branch, o.Version, o.Dashboard = args[0], series.Version(), series.Expand(o.Dashboard)
			return printCopies(s, folder, o)
		},
	}
	c.Flags().StringVar(&folder, "jobs", "", "`path` of a Prow job file or a folder of them")
	c.Flags().StringVar(&o.Repo, "repo", "", "`OWNER/NAME` of the repository that is branched")
	c.Flags().StringArrayVar(&o.Together, "together", nil, "`OWNER/NAME` of a repository that gets the same branch (repeat for several)")
	c.Flags().StringVar(&o.DefaultBranch, "default-branch", "main", "`branch` that the jobs test now")
	c.Flags().StringVar(&pattern, "branch-pattern", "release-{major}.{minor}", "`pattern` of release branches")
	c.Flags().StringVar(&o.GoVersion, "go-version", "", "`version` of Go for {{.GoVersion}}")
	c.Flags().StringVar(&o.Dashboard, "dashboard", "", "`name` of a dashboard for copies that are on none of the version; may hold {major} and {minor}")
	c.Flags().StringVar(&mode, "copy", "auto", "which `jobs` to copy: annotated, all, or auto, which is annotated where any job has the annotation")
	require(c, "jobs", "repo")
	return c
}

// printCopies prints one job file, or nothing where nothing is to be copied.
func printCopies(s Streams, folder string, o job.ForkOptions) error {
	paths, err := yamlFiles(folder)
	if err != nil {
		return err
	}
	var sources []job.Source
	var problems []strict.Problem
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a job file: %w", err)
		}
		docs, found := strict.Documents(path, data)
		problems = append(problems, found...)
		for _, d := range docs {
			sources = append(sources, job.Source{File: path, Root: d})
		}
	}
	made, found := job.ForkJobs(sources, o)
	failures, _ := strict.Split(append(problems, found...))
	if err := strict.AsError(failures); err != nil {
		return err
	}
	for _, j := range made.Jobs {
		if j.Overlap {
			fmt.Fprintf(s.Err, "%s: %s %s would run for %s beside its copy: give it skip_branches: ['%s']\n", j.File, j.Type, j.From, o.Branch, job.NotOn(o.Branch))
		}
	}
	fmt.Fprintf(s.Err, "%s of %s copied\n", count(len(made.Jobs), "job", "jobs"), count(len(paths), "file", "files"))
	_, err = s.Out.Write(made.Text)
	return err
}
