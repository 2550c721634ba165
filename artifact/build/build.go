package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// Request says what to build. Placeholders in LDFlags and Command are
// {name}, {version}, {number} (the version without its v), {commit}, {date}
// (RFC 3339, UTC), {os}, {arch}, {variant} and, for a command, {out}.
type Request struct {
	Source     string    // folder with the checked-out commit
	Name       string    // of the project; begins every archive's name
	Version    string    // with its prefix, v1.2.0
	Commit     string    // full id
	CommitTime time.Time // becomes the time of every packed file
	Platforms  []artifact.Platform

	// Main lists the Go main packages, "./cmd/halyard". Each gives a program
	// named like its folder; "." gives one called Name.
	Main []string
	// LDFlags follows "-s -w -buildid=" on the linker's command line.
	LDFlags string
	// Command builds a project that is not Go's; Main is empty then. With no
	// platforms it runs once, for an archive that suits any.
	Command *Command

	// Env adds "NAME=value" to the clean environment of the builder.
	Env []string
	// Cache names the folders shared with other builds, GOCACHE and
	// GOMODCACHE, and may override what else is taken from "go env".
	Cache map[string]string
	// Files are patterns below Source (path.Match) of what is packed beside
	// the programs; a folder goes in whole. Nil means LICENSE* and README*.
	// A name without wildcards must exist.
	Files []string
	// Formats are those every platform is packed in, all from one reading of
	// what was built. Nil means tar.gz, and zip for windows. Bare hands out the
	// programs as they are, NAME_NUMBER_OS_ARCH, besides or instead.
	Formats []Format
	// OutDir takes the archives; it is made when missing.
	OutDir string
	// Parallel bounds the targets worked on at once; 0 means one per
	// processor, and fewer where memory is short: a large program takes
	// gigabytes to link.
	Parallel int
}

// Command is any program that builds the project. It runs in Source, once per
// platform and never twice at the same time, and leaves what is to be packed
// in {out}, a fresh folder.
type Command struct {
	Run []string
	// Outputs are paths relative to {out}, each of a file or a folder, and must
	// be there afterwards. Files are packed as programs; of a folder's files
	// those are that may be executed.
	Outputs []string
}

// Stage of a target.
type Stage string

// Stages of a target.
const (
	Compiling Stage = "compiling"
	Packing   Stage = "packing"
	Done      Stage = "done"
)

// Progress is one step of one target.
type Progress struct {
	Platform artifact.Platform
	Stage    Stage
	Finished int // targets done
	Total    int
}

var defaultFiles = []string{"LICENSE*", "README*"}

// Build compiles and packs every platform and returns the archives sorted by
// name. progress may be nil; calls to it never overlap. On an error or a
// cancelled context OutDir is left without anything new.
func Build(ctx context.Context, req Request, progress func(Progress)) (built []artifact.Artifact, err error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	s, err := openStaging(req.OutDir)
	if err != nil {
		return nil, err
	}
	defer s.remove(&err)
	compile, err := req.compiler(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	platforms := req.Platforms
	if len(platforms) == 0 {
		platforms = []artifact.Platform{{}}
	}
	report := reporter(len(platforms), progress)
	targets := make([][]artifact.Artifact, len(platforms))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(req.parallel())
	for i, p := range platforms {
		g.Go(func() error {
			var err error
			if targets[i], err = req.target(ctx, s, compile, p, report); err != nil {
				return fmt.Errorf("building %s %s for %s: %w", req.Name, req.Version, platformName(p), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	built = slices.Concat(targets...)
	artifact.Sort(built)
	return built, s.publish(built)
}

// compiler leaves what is made for a platform in dir and lists it.
type compiler func(ctx context.Context, p artifact.Platform, dir string) ([]entry, error)

func (r Request) compiler(ctx context.Context, work string) (compiler, error) {
	if r.Command != nil {
		return r.commandCompiler(work), nil
	}
	return r.goCompiler(ctx, work)
}

// target compiles and packs one platform.
func (r Request) target(ctx context.Context, s *staging, compile compiler, p artifact.Platform, report func(artifact.Platform, Stage)) ([]artifact.Artifact, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	dir, err := os.MkdirTemp(s.dir, "target-")
	if err != nil {
		return nil, fmt.Errorf("making a folder to build in: %w", err)
	}
	report(p, Compiling)
	built, err := compile(ctx, p, dir)
	if err != nil {
		return nil, err
	}
	report(p, Packing)
	var made []artifact.Artifact
	formats := r.formats(p)
	if slices.Contains(formats, Bare) {
		if made, err = r.bare(ctx, s, p, built); err != nil {
			return nil, err
		}
	}
	if archives := slices.DeleteFunc(formats, func(f Format) bool { return !f.archive() }); len(archives) > 0 {
		packed, err := r.archives(ctx, s, p, archives, built)
		if err != nil {
			return nil, err
		}
		made = append(made, packed...)
	}
	// What was compiled is packed; free its space before other targets end.
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("removing the folder built in: %w", err)
	}
	report(p, Done)
	return made, nil
}

// formats are those of a platform, in a list of its own.
func (r Request) formats(p artifact.Platform) []Format {
	switch {
	case r.Formats != nil:
		return slices.Clone(r.Formats)
	case p.OS == "windows":
		return []Format{Zip}
	}
	return []Format{TarGz}
}

func reporter(total int, progress func(Progress)) func(artifact.Platform, Stage) {
	var mu sync.Mutex
	finished := 0
	return func(p artifact.Platform, s Stage) {
		mu.Lock()
		defer mu.Unlock()
		if s == Done {
			finished++
		}
		if progress != nil {
			progress(Progress{Platform: p, Stage: s, Finished: finished, Total: total})
		}
	}
}

func platformName(p artifact.Platform) string {
	if p.IsZero() {
		return "any platform"
	}
	return p.String()
}

func (r Request) parallel() int {
	if r.Parallel > 0 {
		return r.Parallel
	}
	return bounded(runtime.GOMAXPROCS(0), os.DirFS("/"))
}

// number is the version as it stands in file names: without folder and v.
func (r Request) number() string {
	return strings.TrimPrefix(path.Base(r.Version), "v")
}

// stem is the archive's name without extension, and the folder in it.
func (r Request) stem(p artifact.Platform) string {
	s := r.Name + "_" + r.number()
	if !p.IsZero() {
		s += "_" + p.Slug()
	}
	return s
}

func (r Request) validate() error {
	var missing []string
	for name, unset := range map[string]bool{
		"Source": r.Source == "", "Name": r.Name == "", "Version": r.Version == "", "Commit": r.Commit == "",
		"CommitTime": r.CommitTime.IsZero(), "OutDir": r.OutDir == "",
	} {
		if unset {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("build: nothing is said about %s", strings.Join(sorted(missing), ", "))
	}
	// The values end up on a command line that splits at spaces.
	for _, v := range []string{r.Name, r.Version, r.Commit} {
		if strings.ContainsAny(v, " \t\r\n'\"\\") {
			return fmt.Errorf("build: %q holds a space, quote or backslash", v)
		}
	}
	seen := map[artifact.Platform]bool{}
	for _, p := range r.Platforms {
		if seen[p] {
			return fmt.Errorf("build: platform %s is listed twice", p)
		}
		seen[p] = true
		if err := artifact.CheckName(r.stem(p)); err != nil {
			return fmt.Errorf("build: %w", err)
		}
	}
	return r.validateBuilder()
}

func (r Request) validateBuilder() error {
	if r.Formats != nil {
		if err := checkFormats(r.Formats); err != nil {
			return fmt.Errorf("build: %w", err)
		}
	}
	switch {
	case r.Command == nil && len(r.Main) == 0:
		return errors.New("build: name the Go main packages or a command")
	case r.Command != nil && len(r.Main) > 0:
		return errors.New("build: either Go main packages or a command, not both")
	case r.Command != nil && (len(r.Command.Run) == 0 || len(r.Command.Outputs) == 0):
		return errors.New("build: a command needs something to run and the outputs it leaves")
	case r.Command == nil && len(r.Platforms) == 0:
		return errors.New("build: name at least one platform")
	}
	seen := map[string]bool{}
	for _, pkg := range r.Main {
		if strings.HasPrefix(pkg, "-") || strings.Contains(pkg, "...") {
			return fmt.Errorf("build: %q is not one package", pkg)
		}
		if name := r.program(pkg); seen[name] {
			return fmt.Errorf("build: two main packages make a program called %s", name)
		} else {
			seen[name] = true
		}
	}
	return nil
}

// program is the name of what a main package becomes.
func (r Request) program(pkg string) string {
	if base := path.Base(path.Clean(pkg)); base != "." && base != "/" {
		return base
	}
	return r.Name
}

// expand fills the placeholders of a template.
func (r Request) expand(template string, p artifact.Platform, out string) string {
	return strings.NewReplacer(
		"{name}", r.Name, "{version}", r.Version, "{number}", r.number(), "{commit}", r.Commit,
		"{date}", r.CommitTime.UTC().Format(time.RFC3339),
		"{os}", p.OS, "{arch}", p.Arch, "{variant}", p.Variant, "{out}", out,
	).Replace(template)
}

// environment is what every builder sees: the allowed part of the caller's
// environment and nothing else. Home and temporary folder are its own.
func (r Request) environment(work string) ([]string, error) {
	env := []string{"LC_ALL=C", "TZ=UTC", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.CommitTime.Unix(), 10)}
	for name, folder := range map[string]string{"HOME": "home", "TMPDIR": "tmp"} {
		dir := filepath.Join(work, folder)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making the builder's %s: %w", name, err)
		}
		env = append(env, name+"="+dir)
	}
	for _, name := range []string{"PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env, nil
}
