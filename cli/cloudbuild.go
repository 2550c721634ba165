package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/job"
	"seaworthy/job/cloudbuild"
	buildsteps "seaworthy/job/steps"
)

// cloudBuildFlags are those of a declarative build, build --config.
type cloudBuildFlags struct {
	config, variants, variant string
	source                    string
	noSource, gitFolder       bool
	clean, push               bool
	project                   string
	substitutions             []string
	passthrough               []string
	artifacts                 string
	out                       outputFlag

	// submit has a platform run the build.
	submit bool
	change
	branch string
	limit  time.Duration
}

func (f *cloudBuildFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "run the steps of this cloudbuild.yaml, a `file`, instead")
	fl.StringVar(&f.variants, "variants", "", "`file` of the variants (variants.yaml beside --config if there is one)")
	fl.StringVar(&f.variant, "variant", "", "build only this `variant` (all, side by side, if none is named)")
	fl.StringVar(&f.source, "build-dir", ".", "`folder` that the steps get a copy of as /workspace")
	fl.BoolVar(&f.noSource, "no-source", false, "begin with an empty /workspace")
	fl.BoolVar(&f.gitFolder, "with-git-dir", false, "copy the folder .git, too")
	fl.BoolVar(&f.clean, "require-clean", false, "refuse a repository with changes that are not committed")
	fl.BoolVar(&f.push, "push", false, "push the images that the file names")
	fl.StringVar(&f.project, "project", "", "`value` of $PROJECT_ID")
	fl.StringArrayVar(&f.substitutions, "substitution", nil, "`NAME=VALUE` of a substitution, such as _TAG=v1; may be repeated")
	fl.StringSliceVar(&f.passthrough, "env-passthrough", nil, "`names` of environment variables that become substitutions, NAME as _NAME")
	fl.StringVar(&f.artifacts, "artifacts", "", "`folder` that takes logs, report and files ($ARTIFACTS if empty)")
	f.out.add(c)
	fl.BoolVar(&f.submit, "submit", false, "have the platform run it, on the tip of --branch, and follow its log")
	f.change.add(c)
	fl.StringVar(&f.branch, "branch", "", "`branch` to build, with --submit (the default branch if empty)")
	fl.DurationVar(&f.limit, "limit", 0, "how `long` all of it may take, with --submit (2h if 0)")
}

// check refuses flags of the one kind of build with the other.
func (f *cloudBuildFlags) check(c *cobra.Command) error {
	wrong, why := []string{"variants", "variant", "build-dir", "no-source", "with-git-dir", "require-clean", "push", "project", "substitution",
		"env-passthrough", "artifacts", "output"}, "is only for --config"
	if !f.submit {
		for _, name := range []string{"dir", "database", "repo", "branch", "limit"} {
			if c.Flags().Changed(name) {
				return usagef("--%s is only for --submit", name)
			}
		}
	} else if f.config == "" {
		return usagef("--submit is only for --config")
	}
	if f.config != "" {
		wrong, why = []string{"out", "version", "platform", "format", "source", "sums-beside"}, "makes no sense with --config, whose steps decide what is built"
	}
	for _, name := range wrong {
		if c.Flags().Changed(name) {
			return usagef("--%s %s", name, why)
		}
	}
	return nil
}

func (f *cloudBuildFlags) values() (map[string]string, error) {
	values := map[string]string{}
	for _, name := range f.passthrough {
		if name = strings.TrimSpace(name); name != "" {
			values["_"+name] = os.Getenv(name) // one that is not set is there, and empty
		}
	}
	for _, s := range f.substitutions {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("--substitution %s: write NAME=VALUE", s)
		}
		values[name] = value
	}
	for name := range values {
		if err := cloudbuild.CheckName(name); err != nil {
			return nil, usageError{err}
		}
	}
	return values, nil
}

func (f *cloudBuildFlags) run(ctx context.Context, s Streams) error {
	values, err := f.values()
	if err != nil {
		return err
	}
	if f.submit {
		return f.submitIt(ctx, s)
	}
	if f.variants == "" {
		beside := filepath.Join(filepath.Dir(f.config), "variants.yaml")
		switch _, err := os.Stat(beside); {
		case err == nil:
			f.variants = beside
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("looking for variants: %w", err)
		}
	}
	if _, err := os.Stat(f.config); err != nil {
		return usagef("--config: there is no file %s", f.config)
	}
	if f.noSource {
		f.source = ""
	} else if info, err := os.Stat(f.source); err != nil || !info.IsDir() {
		return usagef("--build-dir: %s is not a folder", f.source)
	}
	artifacts := f.artifacts
	if artifacts == "" {
		artifacts = os.Getenv("ARTIFACTS")
	}
	log := s.Out
	if f.out.format != "table" {
		log = s.Err // stdout is for data
	}
	built, err := app.RunCloudBuild(ctx, app.CloudBuild{File: f.config, Variants: f.variants, Variant: f.variant, Source: f.source, GitFolder: f.gitFolder,
		Project: f.project, Values: values, Clean: f.clean, Artifacts: artifacts, Push: f.push, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	if err := f.out.print(s.Out, built, func(w io.Writer) error { return printBuilt(w, built) }); err != nil {
		return err
	}
	var failed []string
	for _, b := range built {
		if b.State != buildsteps.Succeeded {
			failed = append(failed, after("variant ", b.Variant, ": ")+b.Says)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("the build failed: %s", strings.Join(failed, "; "))
	}
	return nil
}

// submitIt has the platform run the build, and follows its log.
func (f *cloudBuildFlags) submitIt(ctx context.Context, s Streams) error {
	if f.artifacts != "" || f.noSource {
		return usagef("--artifacts and --no-source make no sense with --submit: the platform keeps what a build leaves, and checks the branch out")
	}
	file := filepath.ToSlash(filepath.Clean(f.config))
	if filepath.IsAbs(f.config) || strings.HasPrefix(file, "../") {
		return usagef("--config %s: with --submit, name the file as the repository has it", f.config)
	}
	arguments := []string{"--build-dir", f.source}
	for _, o := range []struct{ name, value string }{{"--variants", f.variants}, {"--variant", f.variant}, {"--project", f.project}} {
		if o.value != "" {
			arguments = append(arguments, o.name, o.value)
		}
	}
	for _, o := range []struct {
		name string
		on   bool
	}{{"--with-git-dir", f.gitFolder}, {"--require-clean", f.clean}, {"--push", f.push}} {
		if o.on {
			arguments = append(arguments, o.name)
		}
	}
	values, err := f.values() // those of this environment, now
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		arguments = append(arguments, "--substitution", name+"="+values[name])
	}
	return f.with(ctx, func(a *app.App) error {
		repo, err := f.find(ctx, a)
		if err != nil {
			return err
		}
		e, err := a.SubmitCloudBuild(ctx, app.Submission{Repo: repo, Branch: f.branch, File: file, Arguments: arguments, Timeout: f.limit, Actor: me()})
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Err, a.RunURL(e))
		if err := copyLog(ctx, s.Out, a, e.BuildID, true); err != nil {
			return err
		}
		if e, err = execution(ctx, a, e.BuildID); err != nil {
			return err
		}
		if e.State != job.Success {
			return fmt.Errorf("build %s: %s", e.BuildID, e.Description)
		}
		return nil
	})
}

func printBuilt(w io.Writer, built []app.CloudBuilt) error {
	var rows [][]string
	for _, b := range built {
		for _, step := range b.Steps {
			took := ""
			if !step.Finished.IsZero() {
				took = step.Finished.Sub(step.Started).Round(10 * time.Millisecond).String()
			}
			rows = append(rows, []string{b.Variant, fmt.Sprint(step.Index), step.Label, string(step.State), took, step.Says})
		}
	}
	header := []string{"variant", "#", "step", "state", "took", "says"}
	if len(built) == 1 && built[0].Variant == "" {
		header = header[1:]
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	return table(w, "There are no steps.", header, rows)
}
