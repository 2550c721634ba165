package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/git"
	"seaworthy/job/cloudbuild"
	"seaworthy/job/exec"
	"seaworthy/job/local"
	"seaworthy/job/steps"
	"seaworthy/strict"
)

// CloudBuild is a declarative build to be run on this machine.
type CloudBuild struct {
	File string // cloudbuild.yaml
	// Variants is variants.yaml; none when empty. Variant chooses one of them,
	// all are built when it is empty.
	Variants, Variant string
	// Source is the folder the build begins with, copied for each variant;
	// nothing when empty. Of a repository what is tracked or not ignored is
	// copied, and Git's own folder if GitFolder.
	Source    string
	GitFolder bool
	// Project is the value of PROJECT_ID, and Values those of further names.
	Project string
	Values  map[string]string
	// Clean refuses a source with changes that are not committed.
	Clean bool
	// Artifacts takes logs, reports and files; nothing is kept when empty.
	Artifacts string
	// Push pushes the images that the build names. Without it they must be
	// there, and are said.
	Push bool
	Log  io.Writer // takes the steps' logs
	Now  func() time.Time
}

// CloudBuilt is what became of a build, or of one of its variants.
type CloudBuilt struct {
	Variant string `json:"variant,omitempty"`
	steps.Report
	// Images that were pushed, or found, with their digests.
	Images []string `json:"images,omitempty"`
}

// RunCloudBuild runs a build, its variants side by side. What is wrong in its
// files, or cannot be done here, is a strict.Error, before anything runs. A build
// that fails is told by its state, and is no error.
func RunCloudBuild(ctx context.Context, c CloudBuild) (_ []CloudBuilt, err error) {
	dir, err := os.MkdirTemp("", "seaworthy-build-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the build: %w", err)
	}
	defer func() { err = errors.Join(err, local.Remove(dir)) }()
	builds, err := c.prepare(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := &oneAtATime{w: c.Log}
	done := make([]CloudBuilt, len(builds))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(mostVariants)
	for i, b := range builds {
		b.options.Out = out
		if len(builds) > 1 {
			b.options.Out = out.of(b.variant)
		}
		g.Go(func() error {
			var err error
			done[i], err = c.run(gctx, b)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return done, nil
}

// mostVariants are built at once; each runs several steps.
const mostVariants = 4

// variantBuild is one build that is ready to run.
type variantBuild struct {
	variant string
	dir     string
	options steps.Options
}

// prepare reads the files, and finds every problem of every variant.
func (c CloudBuild) prepare(ctx context.Context, dir string) ([]variantBuild, error) {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("reading the build: %w", err)
	}
	file, problems := cloudbuild.Parse(c.File, text)
	variants, found, err := c.variants()
	if err != nil {
		return nil, err
	}
	problems = append(problems, found...)
	given, err := c.given(ctx)
	if err != nil {
		return nil, err
	}
	env, err := c.environment(ctx)
	if err != nil {
		return nil, err
	}
	var builds []variantBuild
	for i, v := range variants {
		values := given
		values.User = mergeValues(v.Substitutions, c.Values)
		plan, found := file.Plan(values)
		problems = append(problems, found...)
		b := variantBuild{variant: v.Name, dir: filepath.Join(dir, fmt.Sprint(i))}
		b.options = steps.Options{Plan: plan, File: c.File, Workspace: filepath.Join(b.dir, "workspace"), Temp: filepath.Join(b.dir, "scripts"),
			Runner: programs{}, Env: append(slices.Clone(env), "HOME="+filepath.Join(b.dir, "home"), "TMPDIR="+filepath.Join(b.dir, "tmp")),
			Fixed: []string{"HOME", "TMPDIR"}, Now: c.Now}
		if c.Artifacts != "" {
			b.options.Artifacts = filepath.Join(c.Artifacts, filepath.FromSlash(strings.ReplaceAll(v.Name, "/", "-")))
		}
		if strict.AsError(problems) == nil {
			problems = append(problems, steps.Check(b.options)...)
		}
		builds = append(builds, b)
	}
	failures, warnings := strict.Split(strict.Sort(problems))
	if err := strict.AsError(failures); err != nil {
		return nil, err
	}
	for _, w := range slices.Compact(warnings) {
		fmt.Fprintln(c.Log, w)
	}
	return builds, nil
}

func mergeValues(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// variants are those to build; one without a name where there are none.
func (c CloudBuild) variants() ([]cloudbuild.Variant, []strict.Problem, error) {
	if c.Variants == "" {
		if c.Variant != "" {
			return nil, []strict.Problem{{File: c.File, Message: fmt.Sprintf("there is no variants.yaml beside it, but variant %q was asked for", c.Variant)}}, nil
		}
		return []cloudbuild.Variant{{}}, nil, nil
	}
	text, err := os.ReadFile(c.Variants)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the variants: %w", err)
	}
	all, problems := cloudbuild.ParseVariants(c.Variants, text)
	if c.Variant == "" {
		return all, problems, nil
	}
	var names []string
	for _, v := range all {
		if v.Name == c.Variant {
			return []cloudbuild.Variant{v}, problems, nil
		}
		names = append(names, v.Name)
	}
	return nil, append(problems, strict.Problem{File: c.Variants, Message: fmt.Sprintf("there is no variant %q: choose among %s", c.Variant, strings.Join(names, ", "))}), nil
}

// given are the values that the source and its history tell.
func (c CloudBuild) given(ctx context.Context) (cloudbuild.Given, error) {
	g := cloudbuild.Given{BuiltIn: map[string]string{"BUILD_ID": strings.ToLower(rand.Text()), "LOCATION": "global"}, Offered: map[string]string{}}
	if c.Project != "" {
		g.BuiltIn["PROJECT_ID"] = c.Project
	}
	folder := c.Source
	if folder == "" {
		folder = filepath.Dir(c.File)
	}
	repo, err := git.Open(ctx, folder)
	if err != nil {
		if c.Clean {
			return g, fmt.Errorf("%s is in no Git repository, so whether it is clean cannot be told: %w", folder, err)
		}
		return g, nil // a folder without a history has none of these values
	}
	head, err := repo.Resolve(ctx, "HEAD")
	if errors.Is(err, git.ErrNotFound) {
		return g, nil
	}
	if err != nil {
		return g, fmt.Errorf("reading the commit of %s: %w", folder, err)
	}
	describe, err := repo.Git(ctx, "describe", "--tags", "--always", "--dirty")
	if err != nil {
		return g, fmt.Errorf("describing the commit of %s: %w", folder, err)
	}
	if describe = strings.TrimSpace(describe); c.Clean && strings.HasSuffix(describe, "-dirty") {
		return g, fmt.Errorf("there are changes in %s that are not committed: commit them, or allow it", folder)
	}
	g.Offered["_GIT_TAG"] = cloudbuild.GitTag(describe, c.Now())
	g.BuiltIn["COMMIT_SHA"], g.BuiltIn["REVISION_ID"], g.BuiltIn["SHORT_SHA"] = head, head, head[:7]
	// Neither is there on a detached or an untagged commit.
	if branch, err := repo.Git(ctx, "symbolic-ref", "--quiet", "--short", "HEAD"); err == nil {
		g.BuiltIn["BRANCH_NAME"], g.BuiltIn["REF_NAME"] = strings.TrimSpace(branch), strings.TrimSpace(branch)
	}
	if tag, err := repo.Git(ctx, "describe", "--tags", "--exact-match", "HEAD"); err == nil {
		g.BuiltIn["TAG_NAME"] = strings.TrimSpace(tag)
	}
	g.BuiltIn["REPO_NAME"] = strings.TrimSuffix(filepath.Base(repo.Dir), ".git")
	return g, nil
}

// environment is what steps see of this machine: where programs are, and the
// caches that builds share. It holds no credentials.
func (c CloudBuild) environment(ctx context.Context) ([]string, error) {
	env := []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	for _, name := range local.DefaultPassEnv() {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	builds, err := buildEnvironment(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range sorted(builds) {
		env = append(env, v.Name+"="+v.Value)
	}
	return env, nil
}

// run runs one build.
func (c CloudBuild) run(ctx context.Context, b variantBuild) (CloudBuilt, error) {
	built := CloudBuilt{Variant: b.variant}
	for _, d := range []string{b.options.Workspace, b.options.Temp, filepath.Join(b.dir, "home"), filepath.Join(b.dir, "tmp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return built, fmt.Errorf("making a folder for the build: %w", err)
		}
	}
	if c.Source != "" {
		if err := copySource(ctx, c.Source, b.options.Workspace, c.GitFolder); err != nil {
			return built, err
		}
	}
	report, err := steps.Run(ctx, b.options)
	built.Report = report
	if err != nil || report.State != steps.Succeeded {
		return built, err
	}
	if err := c.keepObjects(b); err != nil {
		built.State, built.Says = steps.Failed, err.Error()
		return built, nil
	}
	if built.Images, err = c.images(ctx, b); err != nil {
		built.State, built.Says = steps.Failed, err.Error()
	}
	return built, nil
}

// programs runs steps as programs of this machine.
type programs struct{}

// Find implements steps.Runner.
func (programs) Find(name, dir string, env []string) error {
	path := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	return local.Find(name, dir, path)
}

// Run implements steps.Runner.
func (programs) Run(ctx context.Context, p steps.Program, w io.Writer) (exec.Result, error) {
	return local.Program{Command: p.Command, Dir: p.Dir, Env: p.Env, Timeout: p.Timeout}.Run(ctx, w)
}

// oneAtATime lets several write whole lines to one.
type oneAtATime struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// of begins each line with a variant's name. Steps write whole lines.
func (o *oneAtATime) of(variant string) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		if _, err := o.Write(append([]byte("["+variant+"] "), p...)); err != nil {
			return 0, err
		}
		return len(p), nil
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
