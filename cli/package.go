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
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/packages"
	"seaworthy/git"
	"seaworthy/strict"
)

func newPackage(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "package",
		Short: "Make deb, rpm and apk packages, and repositories of them",
		Long: `Makes packages for Debian, Red Hat and Alpine systems and their like of what was built, and signed repositories
that apt, dnf and apk install them from. Keys are read from files, or from the variables SEAWORTHY_PACKAGE_KEY (an
armored OpenPGP key) and SEAWORTHY_PACKAGE_APK_KEY (an RSA key in PEM); SEAWORTHY_PACKAGE_PASSPHRASE unlocks the first.`,
	}
	repository := &cobra.Command{Use: "repository", Short: "Repositories that apt, dnf and apk install from"}
	repository.AddCommand(newRepositoryAdd(s), newRepositoryShow(s), newRepositoryUnlock(s))
	c.AddCommand(newPackageBuild(s), newPackageInspect(s), newPackageKey(s), repository)
	return c
}

// keyFlags are those of the keys to sign with.
type keyFlags struct {
	openPGP, apk string
}

func (k *keyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&k.openPGP, "key", "", "`file` of the OpenPGP key for rpm packages, apt and yum repositories")
	c.Flags().StringVar(&k.apk, "apk-key", "", "`file` of the RSA key for apk packages and repositories")
}

// secret returns what a file or else a variable holds, nil if neither is given.
func secret(file, variable string) ([]byte, error) {
	if file == "" {
		if text := os.Getenv(variable); text != "" {
			return []byte(text), nil
		}
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{err}
	}
	return data, nil
}

func (k *keyFlags) signers() (signers packages.Signers, err error) {
	text, err := secret(k.openPGP, "SEAWORTHY_PACKAGE_KEY")
	if err != nil {
		return signers, err
	}
	if text != nil {
		if signers.OpenPGP, err = packages.ReadKey(text, []byte(os.Getenv("SEAWORTHY_PACKAGE_PASSPHRASE"))); err != nil {
			return signers, usageError{err}
		}
	}
	if text, err = secret(k.apk, "SEAWORTHY_PACKAGE_APK_KEY"); err != nil || text == nil {
		return signers, err
	}
	if signers.APK, err = packages.ReadAPKKey(text, "packages"); err != nil {
		return signers, usageError{err}
	}
	return signers, nil
}

type packageBuildFlags struct {
	specs, formats, platforms, channels []string
	source, version, out, dist          string
	signDeb, plan                       bool
	keys                                keyFlags
	output                              outputFlag
}

func newPackageBuild(s Streams) *cobra.Command {
	var f packageBuildFlags
	c := &cobra.Command{
		Use:   "build",
		Short: "Make the packages of this repository, reproducibly",
		Long: `Makes the packages that seaworthy.yaml declares, or those of the files named. The same commit gives the same bytes,
signed or not: every file bears the commit's time, or that of SOURCE_DATE_EPOCH. Sources of a package that begin with
{build}/ are in the archives that seaworthy build made.

The version is spelled as each package manager sorts it: 1.2.0-rc.1 becomes 1.2.0~rc.1-1 for dpkg and rpm and
1.2.0_rc1-r1 for apk. Final versions belong to the channel release; alpha, beta and rc to testing; others to nightly.`,
		Example: `  seaworthy build && seaworthy package build
  seaworthy package build --spec packaging/halyard.yaml --version v1.2.0-rc.1 --format deb,rpm --out dist
  seaworthy package build --plan -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.specs, "spec", nil, "`file` that declares a package, or folder of such (packages of seaworthy.yaml if none)")
	fl.StringVar(&f.source, "source", ".", "`folder` of the project, which sources are below")
	fl.StringVar(&f.version, "version", "", "`version` to package, such as v1.2.3 (git describe if empty)")
	fl.StringVar(&f.out, "out", "dist", "`folder` for the packages")
	fl.StringVar(&f.dist, "dist", "dist", "`folder` of the archives that {build}/ stands for")
	fl.StringSliceVar(&f.formats, "format", nil, "`format` to make: deb, rpm, apk (those declared if none)")
	fl.StringSliceVar(&f.platforms, "platform", nil, "`OS/ARCH` to package for (those declared if none)")
	fl.StringSliceVar(&f.channels, "channel", nil, "make nothing unless the version belongs to this `channel`")
	fl.BoolVar(&f.signDeb, "sign-deb", false, "sign deb packages, too, as debsigs does")
	fl.BoolVar(&f.plan, "plan", false, "print what would be made, and make nothing")
	f.keys.add(c)
	f.output.add(c)
	return c
}

func (f *packageBuildFlags) run(ctx context.Context, s Streams) error {
	specs, request, err := f.requests(ctx)
	if err != nil {
		return err
	}
	v, err := artifact.ParsePackageVersion(request.Version)
	if err != nil {
		return usageError{err}
	}
	if len(f.channels) > 0 && !slices.Contains(f.channels, v.Channel()) {
		return verdictError{fmt.Sprintf("%s belongs to the channel %s, not to %s: nothing is made.", request.Version, v.Channel(), strings.Join(f.channels, ", "))}
	}
	var planned []packages.Planned
	for _, spec := range specs {
		request.Spec = spec
		some, err := packages.Plan(request)
		if err != nil {
			return usageError{fmt.Errorf("package %s: %w", spec.Name, err)}
		}
		planned = append(planned, some...)
	}
	if f.plan {
		return f.output.print(s.Out, planned, func(w io.Writer) error {
			var rows [][]string
			for _, p := range planned {
				rows = append(rows, []string{p.Package, string(p.Format), p.Version, p.Arch, p.Channel, p.Name})
			}
			return table(w, "Nothing would be made.", []string{"package", "format", "version", "arch", "channel", "file"}, rows)
		})
	}
	if request.Signers, err = f.keys.signers(); err != nil {
		return err
	}
	request.Signers.SignDeb = f.signDeb
	programs, remove, err := f.programs(specs, planned, request.Version)
	if err != nil {
		return err
	}
	request.Programs = programs
	built := []artifact.Artifact{}
	for _, spec := range specs {
		request.Spec = spec
		some, err := packages.Build(ctx, request, func(name string) { fmt.Fprintf(s.Err, "packaged %s\n", name) })
		if err != nil {
			return errors.Join(err, remove())
		}
		built = append(built, some...)
	}
	if err := remove(); err != nil {
		return err
	}
	return f.output.print(s.Out, built, func(w io.Writer) error {
		for _, a := range built {
			fmt.Fprintln(w, filepath.Join(f.out, a.Name))
		}
		return nil
	})
}

// requests reads what is declared and what of it is asked for.
func (f *packageBuildFlags) requests(ctx context.Context) ([]artifact.PackageSpec, packages.Request, error) {
	var r packages.Request
	platforms, err := artifact.ParsePlatforms(f.platforms)
	if err != nil {
		return nil, r, usageError{err}
	}
	for _, name := range f.formats {
		format, err := artifact.ParsePackageFormat(name)
		if err != nil {
			return nil, r, usageError{err}
		}
		r.Formats = append(r.Formats, format)
	}
	r = packages.Request{Source: f.source, Version: f.version, OutDir: f.out, Platforms: platforms, Formats: r.Formats}
	var specs []artifact.PackageSpec
	tagPrefix := ""
	if len(f.specs) == 0 {
		specs, tagPrefix, err = declaredPackages(ctx, f.source)
	} else {
		specs, err = readPackageSpecs(f.specs)
	}
	if err != nil {
		return nil, r, err
	}
	if r.Time, err = epoch(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return nil, r, err
	}
	if r.Version == "" || r.Time.IsZero() {
		repo, err := openRepo(ctx, f.source, "give --version and SOURCE_DATE_EPOCH")
		if err != nil {
			return nil, r, err
		}
		if err := fromGit(ctx, repo, tagPrefix, &r); err != nil {
			return nil, r, err
		}
	}
	return specs, r, nil
}

// fromGit fills in version and time by what is checked out.
func fromGit(ctx context.Context, repo *git.Repository, tagPrefix string, r *packages.Request) error {
	head, err := repo.Log(ctx, "HEAD", git.LogOptions{Max: 1})
	if err != nil {
		return err
	}
	if r.Time.IsZero() {
		r.Time = head[0].Committer.Time
	}
	if r.Version != "" {
		return nil
	}
	out, err := repo.Git(ctx, "describe", "--tags", "--match", tagPrefix+"[0-9]*")
	if err != nil && tagPrefix == "" {
		out, err = repo.Git(ctx, "describe", "--tags", "--match", "v[0-9]*")
	}
	if err != nil {
		return usagef("no tag says which version this is: give --version")
	}
	r.Version = strings.TrimPrefix(trim(out), tagPrefix)
	return nil
}

// epoch reads SOURCE_DATE_EPOCH, seconds since 1970 (reproducible-builds.org).
func epoch(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, usagef("SOURCE_DATE_EPOCH is %q: write seconds since 1970", text)
	}
	return time.Unix(n, 0).UTC(), nil
}

// declaredPackages are those of seaworthy.yaml.
func declaredPackages(ctx context.Context, folder string) ([]artifact.PackageSpec, string, error) {
	repo, err := openRepo(ctx, folder, "change to the one to package, or name a --spec")
	if err != nil {
		return nil, "", err
	}
	name, err := localName(ctx, repo)
	if err != nil {
		return nil, "", err
	}
	p, err := app.ReadProject(ctx, repo, "", name)
	if err != nil {
		return nil, "", err
	}
	if len(p.Packages) == 0 {
		return nil, "", usagef("no package is declared: list them under packages in seaworthy.yaml, or name a --spec")
	}
	return p.Packages, p.Release.TagPrefix, nil
}

// readPackageSpecs reads files that declare one package each.
func readPackageSpecs(paths []string) ([]artifact.PackageSpec, error) {
	var files []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, usageError{err}
		}
		if !info.IsDir() {
			files = append(files, p)
			continue
		}
		found, err := filepath.Glob(filepath.Join(p, "*.yaml"))
		if err != nil || len(found) == 0 {
			return nil, usagef("%s holds no package declarations: they end in .yaml", p)
		}
		files = append(files, found...)
	}
	var specs []artifact.PackageSpec
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		var spec artifact.PackageSpec
		problems := strict.Unmarshal(file, data, &spec)
		if err := spec.Validate(); err != nil && strict.AsError(problems) == nil {
			for line := range strings.Lines(err.Error()) {
				problems = append(problems, strict.Problem{File: file, Message: strings.TrimSpace(line)})
			}
		}
		if err := strict.AsError(problems); err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// programs unpacks the archives of the platforms to package for, if any
// package asks for them.
func (f *packageBuildFlags) programs(specs []artifact.PackageSpec, planned []packages.Planned, version string) (map[artifact.Platform]string, func() error, error) {
	nothing := func() error { return nil }
	asked := slices.ContainsFunc(specs, func(s artifact.PackageSpec) bool {
		return slices.ContainsFunc(s.Contents, func(c artifact.PackageContent) bool { return strings.HasPrefix(c.Source, "{build}/") })
	})
	if !asked {
		return nil, nothing, nil
	}
	work, err := os.MkdirTemp("", "seaworthy-package-")
	if err != nil {
		return nil, nothing, fmt.Errorf("making a folder to unpack in: %w", err)
	}
	remove := func() error { return os.RemoveAll(work) }
	folders := map[artifact.Platform]string{}
	for _, p := range planned {
		if folders[p.Platform] != "" || p.Platform.IsZero() {
			continue
		}
		folder, err := unpackBuilt(f.dist, strings.TrimPrefix(version, "v"), p.Platform, work)
		if err != nil {
			return nil, nothing, errors.Join(err, remove())
		}
		folders[p.Platform] = folder
	}
	return folders, remove, nil
}

// unpackBuilt finds NAME_VERSION_OS_ARCH.tar.gz, unpacks it and returns the one
// folder in it.
func unpackBuilt(dist, version string, p artifact.Platform, work string) (string, error) {
	entries, err := os.ReadDir(dist)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var found []string
	for _, ending := range []string{".tar.gz", ".tar.zst", ".zip"} {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_"+version+"_"+p.Slug()+ending) && len(found) == 0 {
				found = append(found, filepath.Join(dist, e.Name()))
			}
		}
	}
	if len(found) == 0 {
		return "", usagef("%s holds no archive of %s for %s: run seaworthy build --version %s first, or name its folder with --dist", dist, version, p, version)
	}
	into := filepath.Join(work, p.Slug())
	if err := build.Extract(found[0], into, build.Limits{}); err != nil {
		return "", err
	}
	inside, err := os.ReadDir(into)
	if err == nil && len(inside) == 1 && inside[0].IsDir() {
		return filepath.Join(into, inside[0].Name()), nil
	}
	return into, err
}
