package artifact

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// AnyPlatform, in PackageSpec.Platforms, is a package without machine code.
const AnyPlatform = "all"

// PackageSpec declares one package for every format and platform. Sources are
// files of the project, and may hold {name}, {version}, {os}, {arch} and
// {platform} (linux_amd64); those that begin with {build}/ are what was built
// for the platform.
type PackageSpec struct {
	Name        string `json:"name"`
	Summary     string `json:"summary"`               // one line
	Description string `json:"description,omitempty"` // further lines
	Maintainer  string `json:"maintainer"`            // Name <mail>
	Vendor      string `json:"vendor,omitempty"`
	Homepage    string `json:"homepage,omitempty"`
	License     string `json:"license"`            // SPDX expression
	Section     string `json:"section,omitempty"`  // Debian's; misc if empty
	Priority    string `json:"priority,omitempty"` // Debian's; optional if empty
	// Epoch overrides the order of versions, for the rare case that a project
	// starts to count anew. It can never be taken back. apk has none.
	Epoch int `json:"epoch,omitempty"`
	// Revision counts packagings of one version, from 1.
	Revision  int             `json:"revision,omitempty"`
	Platforms []string        `json:"platforms"`         // linux/amd64, …, or "all" alone
	Formats   []PackageFormat `json:"formats,omitempty"` // all if empty
	PackageRelations
	// Overrides replace relations in one format; what they do not name stays.
	Overrides map[PackageFormat]PackageRelations `json:"overrides,omitempty"`
	Contents  []PackageContent                   `json:"contents"`
	Units     []PackageUnit                      `json:"units,omitempty"`
	Scripts   PackageScripts                     `json:"scripts,omitzero"`
}

// PackageRelations name other packages: "curl", "curl (>= 8.0)", with
// alternatives "mta | postfix". {version} is the version being packaged.
type PackageRelations struct {
	Depends    []string `json:"depends,omitempty"`
	Recommends []string `json:"recommends,omitempty"` // apk has none
	Suggests   []string `json:"suggests,omitempty"`   // apk has none
	Conflicts  []string `json:"conflicts,omitempty"`
	Replaces   []string `json:"replaces,omitempty"` // rpm: Obsoletes
	Provides   []string `json:"provides,omitempty"`
}

// Types of package contents.
const (
	ContentFile = "file" // also what an empty type means
	// ContentConfig is a file the administrator may change; upgrades keep the
	// changes: a conffile of dpkg, %config(noreplace) of rpm. apk does so
	// below /etc, whatever the type.
	ContentConfig = "config"
	// ContentConfigReplace is ContentConfig, but that rpm puts the new file in
	// place and keeps the changed one beside it.
	ContentConfigReplace = "config-replace"
	ContentDir           = "dir"     // an empty folder
	ContentSymlink       = "symlink" // source is what the link says
	ContentTree          = "tree"    // a folder with all that is in it
)

// PackageContent puts something of the project into a package.
type PackageContent struct {
	Source string `json:"source,omitempty"` // file or pattern, slashes; a folder for a tree
	// Destination is absolute. Where it ends in a slash, files keep their name.
	Destination string          `json:"destination"`
	Type        string          `json:"type,omitempty"`
	Mode        string          `json:"mode,omitempty"` // octal; 0755 for what is executable, 0644 else
	Owner       string          `json:"owner,omitempty"`
	Group       string          `json:"group,omitempty"`
	Formats     []PackageFormat `json:"formats,omitempty"` // only in these; all if empty
}

// PackageUnit is a systemd unit the package brings. An administrator's choice
// outlives upgrades: a disabled unit stays disabled. On Alpine the file is
// installed and nothing done with it unless systemd runs.
type PackageUnit struct {
	Source      string `json:"source"`
	Name        string `json:"name,omitempty"`         // the source's file name if empty
	Enable      bool   `json:"enable,omitempty"`       // at first installation, so that it starts at boot
	Start       bool   `json:"start,omitempty"`        // at first installation
	KeepRunning bool   `json:"keep_running,omitempty"` // not restarted on upgrades
}

// PackageScripts are files of the project that run around installation, in
// sh. dpkg, rpm and apk call them with arguments of their own.
type PackageScripts struct {
	PreInstall  string `json:"pre_install,omitempty"`
	PostInstall string `json:"post_install,omitempty"`
	PreRemove   string `json:"pre_remove,omitempty"`
	PostRemove  string `json:"post_remove,omitempty"`
}

// IsZero reports whether there is no script.
func (s PackageScripts) IsZero() bool { return s == PackageScripts{} }

// In reports whether the content belongs to packages of a format.
func (c PackageContent) In(format PackageFormat) bool {
	return len(c.Formats) == 0 || slices.Contains(c.Formats, format)
}

// Permissions returns the octal mode with its high bits as Unix has them, and
// false if none is given.
func (c PackageContent) Permissions() (uint32, bool) {
	n, err := strconv.ParseUint(c.Mode, 8, 32)
	return uint32(n), err == nil && c.Mode != ""
}

// UnitName returns the name the unit is installed under.
func (u PackageUnit) UnitName() string {
	if u.Name != "" {
		return u.Name
	}
	return path.Base(u.Source)
}

// BuiltFormats returns the formats to build, each once.
func (s PackageSpec) BuiltFormats() []PackageFormat {
	if len(s.Formats) == 0 {
		return PackageFormats()
	}
	return s.Formats
}

// BuiltPlatforms returns the platforms to build for; the zero one stands for a
// package without machine code.
func (s PackageSpec) BuiltPlatforms() ([]Platform, error) {
	if slices.Equal(s.Platforms, []string{AnyPlatform}) {
		return []Platform{{}}, nil
	}
	return ParsePlatforms(s.Platforms)
}

// Relations returns what holds in a format.
func (s PackageSpec) Relations(format PackageFormat) PackageRelations {
	r, o := s.PackageRelations, s.Overrides[format]
	own := o.lists()
	for i, list := range r.lists() {
		// An empty list, as opposed to none, takes the general one away.
		if *own[i].list != nil {
			*list.list = *own[i].list
		}
	}
	return r
}

type namedList struct {
	name string
	list *[]string
}

func (r *PackageRelations) lists() []namedList {
	return []namedList{
		{"depends", &r.Depends}, {"recommends", &r.Recommends}, {"suggests", &r.Suggests},
		{"conflicts", &r.Conflicts}, {"replaces", &r.Replaces}, {"provides", &r.Provides},
	}
}

var (
	packageName  = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,99}$`)
	maintainer   = regexp.MustCompile(`^[^<>]*[^<>\s] <[^<>@\s]+@[^<>@\s]+>$`)
	homepage     = regexp.MustCompile(`^https?://[^\s<>"]+$`)
	debianWord   = regexp.MustCompile(`^[a-z0-9][a-z0-9+./-]*$`)
	accountName  = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)
	fileMode     = regexp.MustCompile(`^0?[0-7]{3,4}$`)
	unitFileName = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?\.(service|socket|timer|path|target|mount|slice)$`)
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
)

// Validate returns every problem of the specification at once.
func (s PackageSpec) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !packageName.MatchString(s.Name) {
		fail("name %q: write two or more of a-z, 0-9, '+', '.' and '-', as all package managers take them", s.Name)
	}
	for _, f := range []struct{ name, text string }{{"summary", s.Summary}, {"vendor", s.Vendor}, {"license", s.License}} {
		if !oneLine(f.text) {
			fail("%s %q: write one line", f.name, f.text)
		}
	}
	if s.Summary == "" {
		fail("summary: say in one line what the package is")
	}
	if s.License == "" {
		fail("license: name the license by its SPDX identifier, such as Apache-2.0")
	}
	if strings.ContainsFunc(s.Description, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		fail("description: it holds a control character")
	}
	if !oneLine(s.Maintainer) || !maintainer.MatchString(s.Maintainer) {
		fail("maintainer %q: write Name <mail@example.org>", s.Maintainer)
	}
	if s.Homepage != "" && !homepage.MatchString(s.Homepage) {
		fail("homepage %q: write an address that begins with https://", s.Homepage)
	}
	for _, f := range []struct{ name, text string }{{"section", s.Section}, {"priority", s.Priority}} {
		if f.text != "" && !debianWord.MatchString(f.text) {
			fail("%s %q: write one lower-case word", f.name, f.text)
		}
	}
	if s.Epoch < 0 || s.Revision < 0 {
		fail("epoch and revision count upwards: %d and %d are not above zero", s.Epoch, s.Revision)
	}
	errs = append(errs, s.validateTargets()...)
	errs = append(errs, s.validateRelations()...)
	if len(s.Contents) == 0 && len(s.Units) == 0 && len(s.Depends) == 0 && len(s.Overrides) == 0 {
		fail("contents: a package without contents, units or dependencies does nothing")
	}
	for i, c := range s.Contents {
		for _, err := range c.validate() {
			fail("contents[%d]: %w", i, err)
		}
	}
	errs = append(errs, s.validateUnits()...)
	for _, f := range s.Scripts.named() {
		if err := checkSource(f.text); f.text != "" && err != nil {
			fail("scripts.%s: %w", f.name, err)
		}
	}
	return errors.Join(errs...)
}

type namedText struct{ name, text string }

func (s PackageScripts) named() []namedText {
	return []namedText{{"pre_install", s.PreInstall}, {"post_install", s.PostInstall}, {"pre_remove", s.PreRemove}, {"post_remove", s.PostRemove}}
}

func (s PackageSpec) validateTargets() (errs []error) {
	if len(s.Platforms) == 0 {
		errs = append(errs, errors.New(`platforms: list them, such as linux/amd64, or write "all" for a package without machine code`))
	}
	seen := map[PackageFormat]bool{}
	for _, f := range s.Formats {
		if _, err := ParsePackageFormat(string(f)); err != nil {
			errs = append(errs, fmt.Errorf("formats: %w", err))
		}
		if seen[f] {
			errs = append(errs, fmt.Errorf("formats: %s is listed twice", f))
		}
		seen[f] = true
	}
	platforms, err := s.BuiltPlatforms()
	if err != nil {
		return append(errs, fmt.Errorf("platforms: %w", err))
	}
	for _, format := range s.BuiltFormats() {
		seen := map[string]Platform{}
		for _, p := range platforms {
			name, err := PackageArchitecture(p, format)
			if err != nil {
				errs = append(errs, fmt.Errorf("platforms: %w", err))
				continue
			}
			if other, twice := seen[name]; twice {
				errs = append(errs, fmt.Errorf("platforms: %s and %s are both %s to %s: list one of them", other, p, name, format))
			}
			seen[name] = p
		}
	}
	return errs
}

func (s PackageSpec) validateRelations() (errs []error) {
	for format := range s.Overrides {
		if _, err := ParsePackageFormat(string(format)); err != nil {
			errs = append(errs, fmt.Errorf("overrides: %w", err))
		}
	}
	seen := map[string]bool{} // a problem of a general list shows in every format
	for _, format := range s.BuiltFormats() {
		relations := s.Relations(format)
		for _, l := range relations.lists() {
			for _, text := range *l.list {
				r, err := ParsePackageRelation(text)
				if err == nil {
					err = r.fits(l.name, format)
				}
				if err == nil {
					continue
				}
				err = fmt.Errorf("%s: %w", l.name, err)
				if !seen[err.Error()] {
					errs = append(errs, err)
				}
				seen[err.Error()] = true
			}
		}
	}
	return errs
}

func (s PackageSpec) validateUnits() (errs []error) {
	seen := map[string]bool{}
	for i, u := range s.Units {
		if err := checkSource(u.Source); err != nil {
			errs = append(errs, fmt.Errorf("units[%d]: %w", i, err))
		}
		name := u.UnitName()
		switch {
		case !unitFileName.MatchString(name):
			errs = append(errs, fmt.Errorf("units[%d]: %q is no unit's name: write one like halyard.service", i, name))
		case seen[name]:
			errs = append(errs, fmt.Errorf("units[%d]: %s is listed twice", i, name))
		case strings.Contains(name, "@.") && (u.Enable || u.Start):
			errs = append(errs, fmt.Errorf("units[%d]: %s is a template, of which only instances can be enabled or started", i, name))
		}
		seen[name] = true
	}
	return errs
}

func (c PackageContent) validate() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	kinds := []string{"", ContentFile, ContentConfig, ContentConfigReplace, ContentDir, ContentSymlink, ContentTree}
	if !slices.Contains(kinds, c.Type) {
		fail("type %q: write one of %s", c.Type, strings.Join(kinds[1:], ", "))
	}
	if err := checkDestination(c.Destination); err != nil {
		errs = append(errs, err)
	}
	switch c.Type {
	case ContentDir:
		if c.Source != "" {
			fail("a dir has no source: write tree to pack a folder with what is in it")
		}
	case ContentSymlink:
		if c.Source == "" || !oneLine(c.Source) || strings.HasSuffix(c.Destination, "/") {
			fail("a symlink needs a source, which is what it points at, and a destination that is a file")
		}
	default:
		if err := checkSource(c.Source); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Mode != "" && (!fileMode.MatchString(c.Mode) || c.Type == ContentSymlink) {
		fail("mode %q: write an octal number such as 0644, and none for a symlink", c.Mode)
	}
	if c.Mode != "" && c.Type == ContentTree {
		fail("mode %q: the files of a tree are 0644, or 0755 where they are executable", c.Mode)
	}
	for _, who := range []string{c.Owner, c.Group} {
		if who != "" && !accountName.MatchString(who) {
			fail("owner or group %q: write the name of an account", who)
		}
	}
	for _, f := range c.Formats {
		if _, err := ParsePackageFormat(string(f)); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// checkSource refuses what is not a path below the project's folder.
func checkSource(source string) error {
	if source == "" || !oneLine(source) || strings.Contains(source, `\`) {
		return fmt.Errorf("source %q: name a file of the project, with slashes", source)
	}
	if path.IsAbs(source) || slices.Contains(strings.Split(source, "/"), "..") {
		return fmt.Errorf("source %q: name it from the project's folder on, and do not leave that", source)
	}
	for _, p := range placeholder.FindAllString(source, -1) {
		if !slices.Contains([]string{"{name}", "{version}", "{os}", "{arch}", "{platform}", "{build}"}, p) {
			return fmt.Errorf("source %q: %s is not known: write {name}, {version}, {os}, {arch}, {platform} or {build}", source, p)
		}
	}
	if strings.Contains(strings.TrimPrefix(source, "{build}/"), "{build}") {
		return fmt.Errorf("source %q: {build} stands first, before a slash", source)
	}
	return nil
}

// checkDestination refuses what is not an absolute, plain path.
func checkDestination(d string) error {
	clean := strings.TrimSuffix(d, "/")
	if !strings.HasPrefix(d, "/") || path.Clean(d) != clean || clean == "" || !oneLine(d) || strings.Contains(d, `\`) || len(d) > 1024 {
		return fmt.Errorf("destination %q: write an absolute path without '.', '..' or doubled slashes", d)
	}
	if strings.ContainsAny(d, " *?[]{}") {
		return fmt.Errorf("destination %q: patterns, spaces and placeholders have no place in it", d)
	}
	return nil
}

func oneLine(s string) bool {
	return len(s) <= 1024 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}
