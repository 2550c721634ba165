package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/strict"
)

// maxGridFile bounds one file of TestGrid's configuration, in bytes, and
// maxGridFiles all of them.
const (
	maxGridFile  = 16 << 20
	maxGridFiles = 256 << 20
)

// gridConfig is where dashboards are configured outside of a platform.
type gridConfig struct {
	config string
	jobs   string
	prow   string
}

func (f *gridConfig) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "`path` of a TestGrid file, or of a folder of them")
	c.Flags().StringVar(&f.jobs, "jobs", "", "`path` of a Prow job file, or of a folder of them, whose annotations name dashboards")
	c.Flags().StringVar(&f.prow, "prow-config", "", "`file` that says where Prow puts the results of jobs (its config.yaml)")
}

// load reads everything that is named. The problems are those of the files:
// dashboard.Config.Check has those of the whole.
func (f *gridConfig) load(ctx context.Context) (dashboard.Config, []strict.Problem, error) {
	c, problems := dashboard.Config{}, []strict.Problem(nil)
	if f.config != "" {
		files, err := gridFiles(ctx, f.config)
		if err != nil {
			return c, nil, err
		}
		c, problems = dashboard.Read(files)
	}
	if f.jobs == "" {
		return c, problems, nil
	}
	jobs, found, err := loadTree(f.jobs)
	if err != nil {
		return c, problems, err
	}
	// What is odd in job files is told by job check; a job that cannot be read is
	// missing here, too.
	failures, _ := strict.Split(found)
	problems = append(problems, failures...)
	var prow dashboard.Prow
	if f.prow != "" {
		data, err := os.ReadFile(f.prow)
		if err != nil {
			return c, problems, usageError{fmt.Errorf("reading --prow-config: %w", err)}
		}
		prow, found = dashboard.ReadProw(f.prow, data)
		problems = append(problems, found...)
	}
	prow.Create = f.config == "" // with jobs alone there is nowhere else to declare a dashboard
	c, found = dashboard.WithJobs(c, jobs, prow)
	return c, append(problems, found...), nil
}

// gridFiles reads a file and the default.yaml beside it, or all YAML files below
// a folder, by their paths.
func gridFiles(ctx context.Context, root string) (map[string][]byte, error) {
	var paths []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && (path == root || slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path))) {
			paths = append(paths, path)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("reading TestGrid's configuration: %w", err)}
	}
	if len(paths) == 1 && paths[0] == root {
		beside := filepath.Join(filepath.Dir(root), "default.yaml")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && filepath.Base(root) != "default.yaml" {
			paths = append(paths, beside)
		}
	}
	if len(paths) == 0 {
		return nil, usagef("%s holds no YAML file: name the folder with TestGrid's configuration", root)
	}
	files, total := make(map[string][]byte, len(paths)), 0
	for _, path := range paths {
		data, err := readBounded(path)
		if err != nil {
			return nil, usageError{fmt.Errorf("reading TestGrid's configuration: %w", err)}
		}
		if total += len(data); total > maxGridFiles {
			return nil, usagef("the files in %s are larger than %d MB together: name a folder that holds TestGrid's configuration only", root, maxGridFiles>>20)
		}
		files[filepath.ToSlash(path)] = data
	}
	return files, nil
}

func readBounded(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxGridFile+1))
	if err == nil && len(data) > maxGridFile {
		err = fmt.Errorf("%s is larger than %d MB", path, maxGridFile>>20)
	}
	return data, err
}

func newGridCheck(s Streams) *cobra.Command {
	var f gridConfig
	var out outputFlag
	c := &cobra.Command{
		Use:   "check",
		Short: "Read TestGrid's configuration and report everything wrong at once",
		Long: `Read TestGrid's YAML files, all of a folder merged and its default.yaml applied, and the testgrid-*
annotations of jobs. Everything that is wrong is told at once, with its place; TestGrid would refuse
the same. Dashboards that jobs fill and test groups that they show need --jobs.`,
		Example: `  seaworthy grid check --config config/testgrids
  seaworthy grid check --config config/testgrids --jobs config/jobs --prow-config config/prow/config.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, problems, err := f.load(cmd.Context())
			if err != nil {
				return err
			}
			return checkGrids(s, out, config, append(problems, config.Check()...))
		},
	}
	f.add(c)
	out.add(c)
	require(c, "config")
	return c
}

// gridReport is what is printed of a configuration.
type gridReport struct {
	DashboardGroups int           `json:"dashboard_groups"`
	Dashboards      int           `json:"dashboards"`
	Tabs            int           `json:"tabs"`
	TestGroups      int           `json:"test_groups"`
	Errors          []job.Problem `json:"errors"`
	Warnings        []job.Problem `json:"warnings"`
}

func checkGrids(s Streams, out outputFlag, config dashboard.Config, problems []strict.Problem) error {
	failures, warnings := strict.Split(strict.Sort(problems))
	r := gridReport{
		DashboardGroups: len(config.DashboardGroups), Dashboards: len(config.Dashboards), TestGroups: len(config.TestGroups),
		Errors: append([]job.Problem{}, failures...), Warnings: append([]job.Problem{}, warnings...),
	}
	for _, d := range config.Dashboards {
		r.Tabs += len(d.Tabs)
	}
	err := out.print(s.Out, r, func(w io.Writer) error {
		for _, p := range append(r.Errors, r.Warnings...) {
			fmt.Fprintln(w, p)
		}
		_, err := fmt.Fprintf(w, "%s, %s, %s, %s: %s, %s\n",
			count(r.DashboardGroups, "dashboard group", "dashboard groups"), count(r.Dashboards, "dashboard", "dashboards"),
			count(r.Tabs, "tab", "tabs"), count(r.TestGroups, "test group", "test groups"),
			count(len(r.Errors), "error", "errors"), count(len(r.Warnings), "warning", "warnings"))
		return err
	})
	if err == nil && len(r.Errors) > 0 {
		err = usagef("TestGrid's configuration has %s", count(len(r.Errors), "error", "errors"))
	}
	return err
}
