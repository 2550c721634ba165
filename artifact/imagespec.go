package artifact

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Scratch is the base of an image that has none.
const Scratch = "scratch"

// ImageSpec is what a project declares about one of its container images.
// Placeholders {name}, {version}, {number}, {commit}, {os}, {arch} and
// {variant} are filled in in the sources of files, the entry point, the command
// and the values of environment, labels and annotations.
type ImageSpec struct {
	Name        string            `json:"name" doc:"Name of the image below the registry, such as halyard or tools/halyard."`
	Base        string            `json:"base,omitempty" doc:"Image to build on, as a reference or oci:FOLDER; scratch if empty."`
	Bases       map[string]string `json:"bases,omitempty" doc:"Bases of single platforms, by OS/ARCH or OS/ARCH/VARIANT."`
	Platforms   []Platform        `json:"platforms,omitempty" doc:"What to build for; the project's Linux platforms if empty."`
	Files       []ImageFile       `json:"files,omitempty" doc:"What the image holds beside its base."`
	Entrypoint  []string          `json:"entrypoint,omitempty" doc:"Program to run and its first arguments; replaces that of the base, and its command."`
	Cmd         []string          `json:"cmd,omitempty" doc:"Arguments, unless others are given at the start."`
	Env         map[string]string `json:"env,omitempty" doc:"Environment variables."`
	User        string            `json:"user,omitempty" doc:"Who runs it, as UID, UID:GID or names of the base; that of the base if empty, 65532:65532 if that is root."`
	Workdir     string            `json:"workdir,omitempty" doc:"Folder to start in."`
	Ports       []string          `json:"ports,omitempty" doc:"Ports it listens on: 8080 or 53/udp."`
	Volumes     []string          `json:"volumes,omitempty" doc:"Folders whose content outlives a container."`
	StopSignal  string            `json:"stop_signal,omitempty" doc:"Signal that asks it to end, such as SIGTERM."`
	Labels      map[string]string `json:"labels,omitempty" doc:"Labels of the configuration, beside org.opencontainers.image.title, version, revision, source and created."`
	Annotations map[string]string `json:"annotations,omitempty" doc:"Annotations of the manifests and the index, beside the same ones."`
	Compression string            `json:"compression,omitempty" enum:"gzip,zstd" doc:"How layers are compressed: gzip, which every client reads, or zstd."`
}

// ImageFile is a file, folder or link of an image.
type ImageFile struct {
	Source string   `json:"source,omitempty" doc:"File or folder among what was built, or else in the repository. An empty folder is made if neither source nor link is given."`
	Link   string   `json:"link,omitempty" doc:"Makes a symbolic link to this path instead."`
	Path   string   `json:"path" doc:"Where it is in the image; with a slash at the end, the folder that takes it."`
	Mode   FileMode `json:"mode,omitempty" doc:"Permissions in octal, such as 0755; as far as the source is executable if empty."`
	Owner  string   `json:"owner,omitempty" doc:"UID or UID:GID it belongs to; 0:0 if empty."`
	Layer  string   `json:"layer,omitempty" doc:"Files that name the same layer share one; layers come in the order they are named first."`
}

// FileMode is the permissions of a file, setuid, setgid and sticky included,
// written in octal. Zero means that nothing is said.
type FileMode uint32

// MarshalText writes four octal digits.
func (m FileMode) MarshalText() ([]byte, error) {
	if m == 0 {
		return nil, nil
	}
	return fmt.Appendf(nil, "%04o", uint32(m)), nil
}

// UnmarshalText reads octal digits: 755, 0755 or 0o755.
func (m *FileMode) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = 0
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(string(b), "0o"), 8, 32)
	if err != nil || n == 0 || n > 0o7777 {
		return fmt.Errorf("%q is not a file mode: write octal digits, such as 0755", b)
	}
	*m = FileMode(n)
	return nil
}

// ParseOwner reads UID or UID:GID; a group that is not named is the user's
// number, and 0:0 is meant by nothing.
func ParseOwner(s string) (uid, gid int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	user, group, both := strings.Cut(s, ":")
	u, err := strconv.ParseUint(user, 10, 31)
	if err == nil && both {
		var g uint64
		g, err = strconv.ParseUint(group, 10, 31)
		return int(u), int(g), wrapOwner(s, err)
	}
	return int(u), int(u), wrapOwner(s, err)
}

func wrapOwner(s string, err error) error {
	if err != nil {
		return fmt.Errorf("%q is no owner: write numbers, UID or UID:GID", s)
	}
	return nil
}

var (
	imageName   = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	signalName  = regexp.MustCompile(`^(SIG[A-Z][A-Z0-9+-]*|[1-9][0-9]?)$`)
	portName    = regexp.MustCompile(`^([0-9]{1,5})(/(tcp|udp|sctp))?$`)
	imageTag    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	numericUser = regexp.MustCompile(`^[0-9]+(:[0-9]+)?$`)
)

// CheckTag refuses what cannot be a tag of an image, by the OCI distribution
// specification.
func CheckTag(tag string) error {
	if !imageTag.MatchString(tag) {
		return fmt.Errorf("%q cannot be a tag: write up to 128 letters, digits, '.', '_' and '-', not beginning with '.' or '-'", tag)
	}
	return nil
}

// CheckImageName refuses what cannot be the name of a repository in a registry,
// by the OCI distribution specification.
func CheckImageName(name string) error {
	if !imageName.MatchString(name) || len(name) > 255 {
		return fmt.Errorf("%q cannot be the name of an image: write lower-case letters and digits, parted by '/', '.', '_' or '-'", name)
	}
	return nil
}

// BaseOf returns the base of a platform: a reference, or Scratch.
func (s ImageSpec) BaseOf(p Platform) string {
	if b := s.Bases[p.String()]; b != "" {
		return b
	}
	if s.Base == "" {
		return Scratch
	}
	return s.Base
}

// Validate reports all that is wrong with the spec, joined; each error names
// the image.
func (s ImageSpec) Validate() error {
	of := s.Name
	if of == "" {
		of = "without a name"
	}
	var problems []error
	var refuse func(error)
	refuse = func(err error) {
		var several interface{ Unwrap() []error }
		switch {
		case err == nil:
		case errors.As(err, &several):
			for _, one := range several.Unwrap() {
				refuse(one)
			}
		default:
			problems = append(problems, fmt.Errorf("image %s: %w", of, err))
		}
	}
	if s.Name == "" {
		refuse(errors.New("the image has no name"))
	} else {
		refuse(CheckImageName(s.Name))
	}
	for p := range s.Bases {
		_, err := ParsePlatform(p)
		refuse(err)
	}
	for i, p := range s.Platforms {
		if slices.Contains(s.Platforms[:i], p) {
			refuse(fmt.Errorf("platform %s is listed twice", p))
		}
		if p.OS == "windows" {
			refuse(errors.New("images for windows cannot be built: leave the platform out"))
		}
	}
	for _, f := range s.Files {
		refuse(f.validate())
	}
	refuse(s.validateConfig())
	if s.Compression != "" && s.Compression != "gzip" && s.Compression != "zstd" {
		refuse(fmt.Errorf("%q is not a compression of layers: write gzip or zstd", s.Compression))
	}
	return errors.Join(problems...)
}

func (s ImageSpec) validateConfig() error {
	var problems []error
	for name, value := range s.Env {
		if !envName.MatchString(name) || strings.ContainsRune(value, 0) {
			problems = append(problems, fmt.Errorf("env: %q cannot be the name of a variable", name))
		}
	}
	for _, p := range s.Ports {
		m := portName.FindStringSubmatch(p)
		if m == nil {
			problems = append(problems, fmt.Errorf("%q is not a port: write 8080, 8080/tcp or 53/udp", p))
		} else if n, err := strconv.Atoi(m[1]); err != nil || n < 1 || n > 65535 {
			problems = append(problems, fmt.Errorf("there is no port %s", m[1]))
		}
	}
	for _, v := range s.Volumes {
		problems = append(problems, checkAbsolute("volume", v))
	}
	if s.Workdir != "" {
		problems = append(problems, checkAbsolute("workdir", s.Workdir))
	}
	if s.StopSignal != "" && !signalName.MatchString(s.StopSignal) {
		problems = append(problems, fmt.Errorf("%q is not a signal: write SIGTERM or its number", s.StopSignal))
	}
	if strings.ContainsAny(s.User, " \t\n\x00") {
		problems = append(problems, fmt.Errorf("%q cannot be a user", s.User))
	}
	if s.User != "" && !numericUser.MatchString(s.User) && s.namelessBase() {
		problems = append(problems, fmt.Errorf("user %q: an image from scratch knows no names: write UID:GID", s.User))
	}
	for _, labels := range []map[string]string{s.Labels, s.Annotations} {
		if _, ok := labels[""]; ok {
			problems = append(problems, errors.New("a label or annotation has no name"))
		}
	}
	return errors.Join(problems...)
}

// namelessBase reports whether nothing in the image can tell a user's number
// from the name.
func (s ImageSpec) namelessBase() bool {
	if s.Base != "" && s.Base != Scratch || len(s.Bases) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.Files, func(f ImageFile) bool {
		return f.Path == "/etc/passwd" || f.Path == "/etc/" && path.Base(f.Source) == "passwd" || f.Path == "/" || path.Clean(f.Path) == "/etc"
	})
}

func (f ImageFile) validate() error {
	var problems []error
	problems = append(problems, checkAbsolute("path", f.Path))
	if f.Source != "" && f.Link != "" {
		problems = append(problems, fmt.Errorf("%s: either a source or a link, not both", f.Path))
	}
	if f.Link != "" && (f.Mode != 0 || strings.ContainsRune(f.Link, 0) || strings.HasSuffix(f.Path, "/")) {
		problems = append(problems, fmt.Errorf("%s: a link has a path of its own and no mode", f.Path))
	}
	if src := path.Clean(f.Source); f.Source != "" && (path.IsAbs(src) || src == ".." || strings.HasPrefix(src, "../")) {
		problems = append(problems, fmt.Errorf("%s: the source %q lies outside of the repository: write a path below it", f.Path, f.Source))
	}
	if _, _, err := ParseOwner(f.Owner); err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", f.Path, err))
	}
	return errors.Join(problems...)
}

// checkAbsolute refuses what is no absolute path in an image. A name that
// begins with ".wh." would not be a file but take one away.
func checkAbsolute(what, p string) error {
	if !path.IsAbs(p) || strings.ContainsRune(p, 0) || slices.Contains(strings.Split(p, "/"), "..") {
		return fmt.Errorf("%s %q: write an absolute path, such as /usr/bin/halyard", what, p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(part, ".wh.") {
			return fmt.Errorf("%s %q: names that begin with .wh. mark what a layer takes away", what, p)
		}
	}
	return nil
}
