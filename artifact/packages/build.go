package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/apk"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/rpm"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// compression is one that every dpkg and rpm in use unpacks, at a level within
// 2 % of the best one's size for a third of its time.
const compression = "gzip:6"

// Request says what to package.
type Request struct {
	Spec    artifact.PackageSpec
	Version string    // such as v1.2.0-rc.1
	Time    time.Time // the commit's; every file bears it
	Source  string    // the project's folder, which sources are below
	// Programs are the folders {build}/ stands for, by platform.
	Programs  map[artifact.Platform]string
	Platforms []artifact.Platform      // fewer than the specification's; all if empty
	Formats   []artifact.PackageFormat // fewer than the specification's; all if empty
	OutDir    string
	Signers   Signers // packages are not signed where there is no key
}

// Signers are the keys packages and repositories are signed with.
type Signers struct {
	OpenPGP *Key    // rpm packages, apt and yum repositories
	APK     *APKKey // apk packages and repositories
	// SignDeb signs deb packages too, as debsigs does. apt does not look at
	// that: it trusts the repository's signature.
	SignDeb bool
}

// Planned is a package that would be built.
type Planned struct {
	Name     string                 `json:"name"` // file name
	Package  string                 `json:"package"`
	Format   artifact.PackageFormat `json:"format"`
	Platform artifact.Platform      `json:"platform,omitzero"`
	Arch     string                 `json:"arch"`
	Version  string                 `json:"version"` // as the package manager spells it
	Channel  string                 `json:"channel"`
}

// Plan returns the packages Build would make, in its order. The error names
// everything that is wrong with the request.
func Plan(r Request) ([]Planned, error) {
	targets, v, err := r.targets()
	if err != nil {
		return nil, err
	}
	list := make([]Planned, len(targets))
	for i, t := range targets {
		list[i] = Planned{Name: t.name, Package: r.Spec.Name, Format: t.format, Platform: t.platform, Arch: t.arch, Version: t.version, Channel: v.Channel()}
	}
	return list, nil
}

// Build makes the packages of one specification and returns them sorted by
// name. They appear in OutDir all together at the end, or not at all. Progress
// is told of each as it is done, from one goroutine at a time.
func Build(ctx context.Context, r Request, progress func(name string)) (built []artifact.Artifact, err error) {
	targets, _, err := r.targets()
	if err != nil {
		return nil, err
	}
	r.Time = r.Time.UTC().Truncate(time.Second)
	out, err := filepath.Abs(r.OutDir)
	if err == nil {
		err = os.MkdirAll(out, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("making the output folder: %w", err)
	}
	dir, err := os.MkdirTemp(out, ".packaging-")
	if err != nil {
		return nil, fmt.Errorf("making a folder to work in: %w", err)
	}
	defer func() {
		if failed := os.RemoveAll(dir); failed != nil {
			err = errors.Join(err, fmt.Errorf("removing the folder worked in: %w", failed))
		}
	}()
	built = make([]artifact.Artifact, len(targets))
	// Each package is held in memory while it is packed.
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), 4))
	done := make(chan string)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for name := range done {
			if progress != nil {
				progress(name)
			}
		}
	}()
	for i, t := range targets {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			a, err := r.build(dir, t)
			if err != nil {
				return fmt.Errorf("packaging %s: %w", t.name, err)
			}
			built[i] = a
			done <- t.name
			return nil
		})
	}
	err = group.Wait()
	close(done)
	<-told
	if err != nil {
		return nil, err
	}
	artifact.Sort(built)
	return built, publish(dir, out, built)
}

// publish moves finished files into place; if one cannot be moved, those that
// were are taken back.
func publish(dir, out string, built []artifact.Artifact) error {
	for i, a := range built {
		if err := os.Rename(filepath.Join(dir, a.Name), filepath.Join(out, a.Name)); err != nil {
			for _, moved := range built[:i] {
				err = errors.Join(err, os.Remove(filepath.Join(out, moved.Name)))
			}
			return fmt.Errorf("putting %s in place: %w", a.Name, err)
		}
	}
	return nil
}

// targets checks the request and lists what to build.
func (r Request) targets() ([]target, artifact.PackageVersion, error) {
	v, err := artifact.ParsePackageVersion(r.Version)
	if err = errors.Join(r.Spec.Validate(), err); err != nil {
		return nil, v, err
	}
	if r.Time.IsZero() {
		return nil, v, errors.New("the time packages bear is not given: it is the commit's")
	}
	platforms, err := chosen("platform", r.Platforms, func() ([]artifact.Platform, error) { return r.Spec.BuiltPlatforms() })
	if err != nil {
		return nil, v, err
	}
	formats, err := chosen("format", r.Formats, func() ([]artifact.PackageFormat, error) { return r.Spec.BuiltFormats(), nil })
	if err != nil {
		return nil, v, err
	}
	var list []target
	for _, f := range formats {
		for _, p := range platforms {
			arch, err := artifact.PackageArchitecture(p, f)
			if err != nil {
				return nil, v, err
			}
			version, err := r.Spec.FullVersion(v, f)
			if err != nil {
				return nil, v, err
			}
			list = append(list, target{format: f, platform: p, arch: arch, version: version, name: fileName(r.Spec.Name, version, arch, f)})
		}
	}
	return list, v, nil
}

// chosen returns those asked for, which must be among all there are.
func chosen[T comparable](what string, asked []T, all func() ([]T, error)) ([]T, error) {
	have, err := all()
	if err != nil || len(asked) == 0 {
		return have, err
	}
	known := map[T]bool{}
	for _, h := range have {
		known[h] = true
	}
	for _, a := range asked {
		if !known[a] {
			return nil, fmt.Errorf("%s %v is not in the package's specification, which has %v", what, a, have)
		}
	}
	return asked, nil
}

// fileName follows the custom of each package manager, the epoch left out.
// apk's repositories leave the architecture out too, but files of several
// architectures share a folder here.
func fileName(name, version, arch string, f artifact.PackageFormat) string {
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	if f == artifact.RPM {
		return fmt.Sprintf("%s-%s.%s.rpm", name, version, arch)
	}
	return fmt.Sprintf("%s_%s_%s.%s", name, version, arch, f)
}

// build writes one package into dir.
func (r Request) build(dir string, t target) (artifact.Artifact, error) {
	info, err := r.info(dir, t)
	if err != nil {
		return artifact.Artifact{}, err
	}
	file, err := os.OpenFile(filepath.Join(dir, t.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return artifact.Artifact{}, err
	}
	sum := artifact.NewHasher()
	w := io.MultiWriter(file, sum)
	switch t.format {
	case artifact.Deb:
		err = deb.Default.Package(info, w)
	case artifact.RPM:
		err = rpm.DefaultRPM.Package(info, w)
	default:
		err = apk.Default.Package(info, w)
	}
	if err == nil {
		err = file.Chmod(0o644) // whatever the umask
	}
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return artifact.Artifact{}, err
	}
	a := sum.Artifact(t.name, artifact.Package)
	a.Platform = t.platform
	return a, nil
}

// info is what nfpm packs. Versions are spelled out here, so that nfpm's own
// reading of them has no say.
func (r Request) info(dir string, t target) (*nfpm.Info, error) {
	s, err := r.sources(t)
	if err != nil {
		return nil, err
	}
	contents, err := r.contents(t, s)
	if err != nil {
		return nil, err
	}
	scripts, err := r.scripts(t, s)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(dir, "scripts-")
	if err != nil {
		return nil, err
	}
	paths, err := r.scriptFiles(work, scripts)
	if err != nil {
		return nil, err
	}
	info := &nfpm.Info{
		Name: r.Spec.Name, Arch: t.arch, Platform: "linux", VersionSchema: "none", Version: t.version,
		Section: or(r.Spec.Section, "misc"), Priority: or(r.Spec.Priority, "optional"),
		Maintainer: r.Spec.Maintainer, Vendor: r.Spec.Vendor, Homepage: r.Spec.Homepage, License: r.Spec.License,
		Description: r.description(t.format), DisableGlobbing: true, MTime: r.Time,
	}
	info.Contents = contents
	info.Umask = 0o022
	info.Scripts = nfpm.Scripts{PreInstall: paths[preInstall], PostInstall: paths[postInstall], PreRemove: paths[preRemove], PostRemove: paths[postRemove]}
	if err := r.relations(info, t); err != nil {
		return nil, err
	}
	r.sign(info, t)
	if t.format == artifact.APK {
		info.APK.Scripts.PostUpgrade = paths[postUpgrade] // upgrades run nothing else
	}
	return info, nil
}

// sign sets what one format alone has, and who signs.
func (r Request) sign(info *nfpm.Info, t target) {
	switch t.format {
	case artifact.Deb:
		info.Deb.Compression = compression
		if r.Signers.SignDeb && r.Signers.OpenPGP != nil {
			info.Deb.Signature.SignFn = func(data io.Reader) ([]byte, error) { return r.Signers.OpenPGP.signArmored(data, r.Time) }
		}
	case artifact.RPM:
		info.Epoch, info.Version, info.Release = splitVersion(t.version)
		info.RPM.Summary = r.Spec.Summary
		info.RPM.BuildHost = "localhost" // the machine's name would get in otherwise
		info.RPM.Compression = compression
		if r.Signers.OpenPGP != nil {
			info.RPM.Signature.SignFn = func(data io.Reader) ([]byte, error) { return r.Signers.OpenPGP.sign(data, r.Time) }
		}
	case artifact.APK:
		if key := r.Signers.APK; key != nil {
			info.APK.Signature.KeyName = key.name
			info.APK.Signature.SignFn = func(data io.Reader) ([]byte, error) {
				digest, err := io.ReadAll(data)
				if err != nil {
					return nil, err
				}
				return key.signDigest(digest)
			}
		}
	}
}

// description is the summary and the further lines, which apk has no place for.
func (r Request) description(f artifact.PackageFormat) string {
	if f == artifact.APK || r.Spec.Description == "" {
		return r.Spec.Summary
	}
	if f == artifact.RPM {
		return strings.TrimSpace(r.Spec.Description)
	}
	return r.Spec.Summary + "\n" + strings.TrimSpace(r.Spec.Description)
}

// relations spells the relations out.
func (r Request) relations(info *nfpm.Info, t target) error {
	spell := func(list []string, prefix string) ([]string, error) {
		var words []string
		for _, text := range list {
			relation, err := artifact.ParsePackageRelation(text)
			if err != nil {
				return nil, err
			}
			words = append(words, prefix+relation.Render(t.format, t.version))
		}
		return words, nil
	}
	relations := r.Spec.Relations(t.format)
	var errs []error
	set := func(to *[]string, list []string, prefix string) {
		words, err := spell(list, prefix)
		errs = append(errs, err)
		*to = append(*to, words...)
	}
	set(&info.Depends, relations.Depends, "")
	set(&info.Replaces, relations.Replaces, "")
	set(&info.Provides, relations.Provides, "")
	if t.format == artifact.APK {
		// A conflict is a dependency on its absence.
		set(&info.Depends, relations.Conflicts, "!")
		return errors.Join(errs...)
	}
	set(&info.Conflicts, relations.Conflicts, "")
	set(&info.Recommends, relations.Recommends, "")
	set(&info.Suggests, relations.Suggests, "")
	if t.format == artifact.RPM && r.Spec.Epoch > 0 {
		// nfpm lets a package provide itself without its epoch, which nothing
		// that asks for {version} would be content with.
		info.Provides = append(info.Provides, r.Spec.Name+" = "+t.version)
	}
	return errors.Join(errs...)
}

// splitVersion takes [EPOCH:]VERSION[-RELEASE] apart.
func splitVersion(full string) (epoch, version, release string) {
	version = full
	if before, after, ok := strings.Cut(version, ":"); ok {
		if _, err := strconv.ParseUint(before, 10, 32); err == nil {
			epoch, version = before, after
		}
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		version, release = version[:i], version[i+1:]
	}
	return epoch, version, release
}
