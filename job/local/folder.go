package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"seaworthy/job/exec"
)

// errWorkFolder marks failures of this machine rather than of the job.
var errWorkFolder = errors.New("the work folder cannot be used")

// folder is the work folder of one execution.
type folder struct {
	root string
	temp string // what root's tmp leads to
}

func (f folder) src() string       { return filepath.Join(f.root, "src") }
func (f folder) home() string      { return filepath.Join(f.root, "home") }
func (f folder) tmp() string       { return filepath.Join(f.root, "tmp") }
func (f folder) artifacts() string { return filepath.Join(f.root, "artifacts") }

var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// makeFolder makes the work folder of an execution, empty. What a killed
// server left there of an earlier attempt goes.
func makeFolder(dir, id string) (folder, error) {
	if !plainID.MatchString(id) {
		return folder{}, fmt.Errorf("execution id %q cannot name a folder", id)
	}
	f := folder{root: filepath.Join(dir, id)}
	if err := f.remove(); err != nil {
		return folder{}, err
	}
	for _, d := range []string{f.src(), f.home(), f.artifacts()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return folder{}, fmt.Errorf("%w: %w", errWorkFolder, err)
		}
	}
	if err := f.makeTemp(); err != nil {
		return folder{}, fmt.Errorf("%w: %w", errWorkFolder, err)
	}
	return f, nil
}

var tempName = regexp.MustCompile(`^seaworthy-job-[0-9a-f]{16}$`)

// makeTemp makes TMPDIR below the system's own folder for such files: a path
// below the work folder is soon too long for the name of a socket (108 bytes), and
// closed to programs that a job running as root starts as somebody else. The link
// in the work folder comes first, so that a killed server's is found again.
func (f *folder) makeTemp() error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("naming the folder for temporary files: %w", err)
	}
	f.temp = filepath.Join(os.TempDir(), "seaworthy-job-"+hex.EncodeToString(random[:]))
	if err := os.Symlink(f.temp, f.tmp()); err != nil {
		return err
	}
	if err := os.Mkdir(f.temp, 0o700); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chmod(f.temp, 0o711) // others may pass through, and not look around
}

// remove removes the folder and what its tmp leads to, read-only folders (Go's
// module cache) included.
func (f folder) remove() error {
	if temp, err := os.Readlink(f.tmp()); err == nil && filepath.Dir(temp) == filepath.Clean(os.TempDir()) && tempName.MatchString(filepath.Base(temp)) {
		if err := removeAll(temp); err != nil {
			return err
		}
	}
	return removeAll(f.root)
}

func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return nil
	})
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("%w: removing %s: %w", errWorkFolder, dir, err)
	}
	return nil
}

// OpenArtifacts opens the artifacts folder of an execution that runs. The error
// is fs.ErrNotExist if it does not run here.
func (x *Executor) OpenArtifacts(id string) (*os.Root, error) {
	if !plainID.MatchString(id) {
		return nil, fmt.Errorf("execution id %q names no folder: %w", id, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(folder{root: filepath.Join(x.opts.Dir, id)}.artifacts())
	if err != nil {
		return nil, fmt.Errorf("opening the artifacts of %s: %w", id, err)
	}
	return root, nil
}

// collect hands every regular file of the artifacts folder to the sink. A
// link is passed over: it could lead out of the folder.
func (f folder) collect(ctx context.Context, s exec.Sink) error {
	root, err := os.OpenRoot(f.artifacts())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the job removed it
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errWorkFolder, err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file, err := root.Open(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		defer file.Close()
		return s.Artifact(ctx, path.Clean(name), file)
	})
}
