package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2/files"

	"seaworthy/artifact"
)

const unitFolder = "/usr/lib/systemd/system/"

// target is one package to build: a format on a platform.
type target struct {
	format   artifact.PackageFormat
	platform artifact.Platform
	arch     string // the format's word
	version  string // the format's spelling, whole
	name     string // file name
}

// sources finds a package's files below the folders they may come from.
type sources struct {
	project string // real path
	built   string // real path; empty if nothing was built for the platform
	expand  *strings.Replacer
}

func (r Request) sources(t target) (sources, error) {
	project, err := filepath.EvalSymlinks(r.Source)
	if err != nil {
		return sources{}, fmt.Errorf("finding the project's folder: %w", err)
	}
	s := sources{project: project, expand: strings.NewReplacer("{name}", r.Spec.Name, "{version}", r.Version,
		"{os}", t.platform.OS, "{arch}", t.platform.Arch, "{platform}", t.platform.Slug())}
	if dir := r.Programs[t.platform]; dir != "" {
		if s.built, err = filepath.EvalSymlinks(dir); err != nil {
			return sources{}, fmt.Errorf("finding what was built for %s: %w", t.platform, err)
		}
	}
	return s, nil
}

// split returns the folder a source is below, and the path in it.
func (s sources) split(source string) (root, name string, err error) {
	name, built := strings.CutPrefix(source, "{build}/")
	root = s.project
	if built {
		if root = s.built; root == "" {
			return "", "", fmt.Errorf("%s: nothing built for this platform was given", source)
		}
	}
	return root, path.Clean(s.expand.Replace(name)), nil
}

// resolve follows links, but never out of the root.
func resolve(root, name string) (string, fs.FileInfo, error) {
	file, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return "", nil, err
	}
	if inside, err := filepath.Rel(root, file); err != nil || !filepath.IsLocal(inside) {
		return "", nil, fmt.Errorf("%s leads out of the project", name)
	}
	info, err := os.Stat(file)
	return file, info, err
}

// read returns a small file, such as a script.
func (s sources) read(source string) ([]byte, error) {
	root, name, err := s.split(source)
	if err != nil {
		return nil, err
	}
	file, info, err := resolve(root, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return nil, fmt.Errorf("%s is no script: it is not a regular file of at most 1 MiB", name)
	}
	return os.ReadFile(file)
}

// contents lists what the package holds.
func (r Request) contents(t target, s sources) (files.Contents, error) {
	var all files.Contents
	for _, c := range r.Spec.Contents {
		if !c.In(t.format) {
			continue
		}
		found, err := s.content(c, r.Time)
		if err != nil {
			return nil, fmt.Errorf("packing %s of %s: %w", c.Destination, r.Spec.Name, err)
		}
		all = append(all, found...)
	}
	for _, u := range r.Spec.Units {
		found, err := s.content(artifact.PackageContent{Source: u.Source, Destination: unitFolder + u.UnitName(), Mode: "0644"}, r.Time)
		if err != nil {
			return nil, fmt.Errorf("packing the unit %s of %s: %w", u.UnitName(), r.Spec.Name, err)
		}
		all = append(all, found...)
	}
	for i, c := range all {
		clean := func(o *files.Content) bool { return path.Clean(o.Destination) == path.Clean(c.Destination) }
		if slices.IndexFunc(all, clean) < i {
			return nil, fmt.Errorf("packing %s: two contents have the destination %s", r.Spec.Name, c.Destination)
		}
	}
	return all, nil
}

// content finds what one entry of the specification stands for.
func (s sources) content(c artifact.PackageContent, when time.Time) (files.Contents, error) {
	info := files.ContentFileInfo{Owner: or(c.Owner, "root"), Group: or(c.Group, "root"), MTime: when}
	if mode, given := c.Permissions(); given {
		info.Mode = fs.FileMode(mode) // nfpm takes Unix's high bits as they are
	}
	switch c.Type {
	case artifact.ContentDir:
		if info.Mode == 0 {
			info.Mode = 0o755
		}
		return files.Contents{{Destination: c.Destination, Type: files.TypeDir, FileInfo: &info}}, nil
	case artifact.ContentSymlink:
		return files.Contents{{Source: c.Source, Destination: c.Destination, Type: files.TypeSymlink, FileInfo: &info}}, nil
	case artifact.ContentTree:
		return s.tree(c, info)
	}
	root, name, err := s.split(c.Source)
	if err != nil {
		return nil, err
	}
	matches, err := fs.Glob(os.DirFS(root), name)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", c.Source, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("source %q: there is no such file as %s", c.Source, filepath.Join(root, name))
	}
	folder := strings.HasSuffix(c.Destination, "/")
	if len(matches) > 1 && !folder {
		return nil, fmt.Errorf("source %q: %d files match; end the destination in a slash to pack them all", c.Source, len(matches))
	}
	var all files.Contents
	for _, m := range matches {
		destination := c.Destination
		if folder {
			destination += path.Base(m)
		}
		one, err := regular(root, m, destination, c.Type, info)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// contentTypes are nfpm's words for ours.
var contentTypes = map[string]string{
	"":                            files.TypeFile,
	artifact.ContentFile:          files.TypeFile,
	artifact.ContentConfig:        files.TypeConfigNoReplace,
	artifact.ContentConfigReplace: files.TypeConfig,
	artifact.ContentTree:          files.TypeFile,
}

// regular describes one file. The mode is never the work tree's, which the
// umask of whoever checked it out has a say in; only whether it is executable.
func regular(root, name, destination, kind string, info files.ContentFileInfo) (*files.Content, error) {
	file, found, err := resolve(root, name)
	if err != nil {
		return nil, err
	}
	if !found.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: write type tree for a folder", name)
	}
	if info.Mode == 0 {
		info.Mode = 0o644
		if found.Mode()&0o111 != 0 {
			info.Mode = 0o755
		}
	}
	// nfpm looks for the size only where it misses something else.
	info.Size = found.Size()
	return &files.Content{Source: file, Destination: destination, Type: contentTypes[kind], FileInfo: &info}, nil
}

// tree lists a folder with everything in it, links as links.
func (s sources) tree(c artifact.PackageContent, info files.ContentFileInfo) (files.Contents, error) {
	root, name, err := s.split(c.Source)
	if err != nil {
		return nil, err
	}
	top, found, err := resolve(root, name)
	if err != nil {
		return nil, err
	}
	if !found.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", name)
	}
	var all files.Contents
	err = filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(top, file)
		if err != nil {
			return err
		}
		destination := path.Join(c.Destination, filepath.ToSlash(inside))
		own := info
		switch {
		case strings.ContainsFunc(destination, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
			return fmt.Errorf("%q cannot be in a package", destination)
		case d.IsDir():
			if !shared[destination] {
				own.Mode = 0o755
				all = append(all, &files.Content{Destination: destination, Type: files.TypeDir, FileInfo: &own})
			}
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(file)
			if err != nil {
				return err
			}
			all = append(all, &files.Content{Source: filepath.ToSlash(to), Destination: destination, Type: files.TypeSymlink, FileInfo: &own})
		default:
			one, err := regular(top, filepath.ToSlash(inside), destination, c.Type, own)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// shared folders belong to the distribution: a package that claimed them with
// modes of its own would be in conflict with the one that brings them.
var shared = func() map[string]bool {
	set := map[string]bool{}
	for _, d := range strings.Fields(`/bin /boot /etc /home /lib /lib64 /opt /root /run /sbin /srv /tmp /usr /var
		/usr/bin /usr/games /usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/sbin /usr/share /usr/src
		/usr/lib/systemd /usr/lib/systemd/system /usr/lib/systemd/user /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/lib/udev
		/usr/share/applications /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/doc /usr/share/fish
		/usr/share/fish/vendor_completions.d /usr/share/icons /usr/share/info /usr/share/licenses /usr/share/locale /usr/share/man
		/usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man7 /usr/share/man/man8 /usr/share/zsh /usr/share/zsh/site-functions
		/etc/cron.d /etc/default /etc/init.d /etc/logrotate.d /etc/profile.d /etc/sysconfig /etc/systemd /etc/systemd/system
		/var/cache /var/lib /var/log /var/opt /var/run /var/spool /var/tmp`) {
		set[d] = true
	}
	return set
}()

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// scriptFiles writes the maintainer scripts where nfpm reads them. apk packs a
// script's time, so it is set.
func (r Request) scriptFiles(dir string, scripts map[string]string) (map[string]string, error) {
	paths := map[string]string{}
	for name, text := range scripts {
		if text == "" {
			continue
		}
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chtimes(file, r.Time, r.Time)); err != nil {
			return nil, fmt.Errorf("writing the script %s: %w", name, err)
		}
		paths[name] = file
	}
	return paths, nil
}
