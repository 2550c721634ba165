package cut_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gocloud.dev/blob/fileblob"

	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/release/cut"
)

// disk is a small disk of its own, mounted on a folder.
type disk struct {
	t   *testing.T
	dir string
}

// newDisk mounts 4 MiB on dir, or skips where that is not allowed: it takes no
// program but a right.
func newDisk(t *testing.T, dir string) disk {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("skipped: needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return disk{t, dir}
}

// fill leaves a few bytes of room; the function it returns makes room again.
func (d disk) fill() (room func()) {
	d.t.Helper()
	file := filepath.Join(d.dir, "ballast")
	f, err := os.Create(file)
	must(d.t, err)
	chunk := make([]byte, 4<<10)
	for {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			break
		} else {
			must(d.t, err)
		}
	}
	// Two pages: enough for the first files, and for no more.
	info, err := f.Stat()
	must(d.t, err)
	must(d.t, f.Truncate(info.Size()/4096*4096-3*4096))
	must(d.t, f.Close())
	return func() { must(d.t, os.Remove(file)) }
}

// With its disk full a release stops and says why, nothing is public half-way,
// and when there is room again it goes on and comes out whole.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder string // on a disk of its own
		flow   string // that meets it full
	}{
		"no room for the workspace": {"work", "stage"},
		"no room for the stage":     {"bucket", "stage"},
		"no room for the release":   {"bucket", "cut"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			d := newDisk(t, filepath.Join(p.dir, c.folder))
			bucket, err := fileblob.OpenBucket(filepath.Join(p.dir, "bucket"), &fileblob.Options{NoTempDir: true})
			must(t, err)
			t.Cleanup(func() { must(t, bucket.Close()) })
			p.bucket = bucket
			s := newService(t, p.options(&flow.Memory{}))
			finish := func(run flow.Run, err error, full bool) {
				must(t, err)
				if !full {
					drive(t, s, run.ID, flow.Succeeded)
					return
				}
				room := d.fill()
				_, err = s.Drive(t.Context(), run.ID, flow.DriveOptions{})
				if !errors.Is(err, flow.ErrFailed) || !strings.Contains(strings.ToLower(err.Error()), "no space left on device") {
					t.Fatalf("with a full disk: %v", err)
				}
				status, err := s.Status(t.Context(), run.ID)
				must(t, err)
				if !strings.Contains(strings.ToLower(status.Sentence), "no space left on device") {
					t.Errorf("the run says %q", status.Sentence)
				}
				stoppedClean(t, p)
				room()
				if state, err := s.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
					t.Fatalf("with room again it is %s: %v", state, err)
				}
			}
			run, err := s.Stage(t.Context(), stageRC())
			finish(run, err, c.flow == "stage")
			run, err = s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: buildOf(t, s), Actor: "ada"})
			finish(run, err, c.flow == "cut")
			checkPublished(t, p)
		})
	}
}

// stoppedClean checks that nothing points at a release that stopped: no tag, no
// page, no marker, and no list of its files.
func stoppedClean(t *testing.T, p *place) {
	t.Helper()
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	refs, err := repo.Refs(t.Context(), "refs/tags")
	must(t, err)
	if pages, err := p.forge.Releases(t.Context(), halyard); err != nil || len(pages) != 0 || len(refs) != 1 {
		t.Errorf("there are pages %v and tags %v, %v", pages, refs, err)
	}
	for file := range tree(t, filepath.Join(p.dir, "bucket"), func(string) bool { return false }) {
		if strings.HasSuffix(file, ".tmp") || strings.HasPrefix(file, "release") && (strings.HasSuffix(file, ".txt") || strings.HasSuffix(file, "manifest.json")) {
			t.Errorf("there is %s", file)
		}
	}
}
