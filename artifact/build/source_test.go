package build

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/git"
)

// writeRepository makes a repository of one commit.
func writeRepository(t testing.TB) (*git.Repository, string) {
	t.Helper()
	repo, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "r"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repo.EditTree(t.Context(), "", []git.FileEdit{
		{Path: "a/b.txt", Content: []byte("b")}, {Path: "run", Content: []byte("#!"), Mode: "100755"}, {Path: "link", Content: []byte("a/b.txt"), Mode: "120000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sha, err := repo.CommitTree(t.Context(), git.NewCommit{Tree: tree, Message: "m", Author: git.Person{Name: "ada", Email: "a@b", Time: commitTime}})
	if err != nil {
		t.Fatal(err)
	}
	return repo, sha
}

func TestSourceArchive(t *testing.T) {
	t.Parallel()
	repo, sha := writeRepository(t)
	req := Request{Name: "halyard", Version: "v1.2.0", Commit: sha, OutDir: t.TempDir()}
	first, err := Source(t.Context(), repo, req)
	if err != nil {
		t.Fatal(err)
	}
	if first.Name != "halyard_1.2.0_source.tar.gz" || first.Kind != artifact.Source || first.Validate() != nil {
		t.Errorf("%+v", first)
	}
	again, err := Source(t.Context(), repo, req)
	if err != nil || first != again {
		t.Errorf("not the same twice: %+v (%v)", again, err)
	}
	dir := filepath.Join(t.TempDir(), "x")
	if err := Extract(filepath.Join(req.OutDir, first.Name), dir, Limits{}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "halyard_1.2.0", "a", "b.txt")); err != nil || string(data) != "b" {
		t.Errorf("%q, %v", data, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "halyard_1.2.0", "run")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	req.Commit, req.OutDir = commit, t.TempDir()
	if _, err := Source(t.Context(), repo, req); err == nil {
		t.Error("a commit that is not there was packed")
	}
	empty(t, req.OutDir)
}

func TestSourceArchives(t *testing.T) {
	t.Parallel()
	repo, sha := writeRepository(t)
	req := Request{Name: "halyard", Version: "v1.2.0", Commit: sha, OutDir: t.TempDir()}
	got, err := SourceArchives(t.Context(), repo, req, Zip, TarGz, TarZst)
	if err != nil {
		t.Fatal(err)
	}
	// However the repository wants its archives, they are the same.
	if _, err := repo.Git(t.Context(), "config", "tar.umask", "0077"); err != nil {
		t.Fatal(err)
	}
	other := req
	other.OutDir = t.TempDir()
	again, err := SourceArchives(t.Context(), repo, other, TarGz, TarZst, Zip)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Error(diff, err)
	}
	var names []string
	for _, a := range got {
		names = append(names, a.Name)
		dir := filepath.Join(t.TempDir(), "x")
		if err := Extract(filepath.Join(req.OutDir, a.Name), dir, Limits{}); err != nil {
			t.Fatal(err)
		}
		tree := filepath.Join(dir, "halyard_1.2.0")
		if data, err := os.ReadFile(filepath.Join(tree, "link")); err != nil || string(data) != "b" {
			t.Errorf("%s: the link gives %q, %v", a.Name, data, err)
		}
		if info, err := os.Stat(filepath.Join(tree, "run")); err != nil || info.Mode() != 0o755 {
			t.Errorf("%s: %v, %v", a.Name, info, err)
		}
	}
	if diff := cmp.Diff([]string{"halyard_1.2.0_source.tar.gz", "halyard_1.2.0_source.tar.zst", "halyard_1.2.0_source.zip"}, names); diff != "" {
		t.Error(diff)
	}
	// The commit can be read from the archive, as from one of git's own.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `gzip -dc "$0" | git get-tar-commit-id`, filepath.Join(req.OutDir, "halyard_1.2.0_source.tar.gz"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != sha {
		t.Errorf("the tar tells of commit %q (%v)", out, err)
	}
	zr, err := zip.OpenReader(filepath.Join(req.OutDir, "halyard_1.2.0_source.zip"))
	if err != nil || zr.Comment != sha {
		t.Errorf("the zip tells of commit %q (%v)", zr.Comment, err)
	}
	zr.Close()
}

// archiver is a repository that answers as a test wants.
type archiver func(io.Writer) error

func (a archiver) Archive(_ context.Context, _, _ string, w io.Writer) error { return a(w) }

func TestSourceArchivesRefused(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	whole := tarOf(t, member{name: "a", content: strings.Repeat("content ", 1000)})
	for name, tc := range map[string]struct {
		archive archiver
		formats []Format
		err     string
	}{
		"no format":       {nil, nil, "formats is empty"},
		"unknown format":  {nil, []Format{"rar"}, "not a format"},
		"twice":           {nil, []Format{Zip, Zip}, "listed twice"},
		"bare":            {nil, []Format{Bare}, "cannot be handed out as binary"},
		"fails at once":   {func(io.Writer) error { return broken }, []Format{TarGz, Zip}, "on fire"},
		"fails half-way":  {func(w io.Writer) error { _, err := w.Write(whole[:600]); return errors.Join(err, broken) }, []Format{TarGz, Zip}, "on fire"},
		"fails at last":   {func(w io.Writer) error { _, err := w.Write(whole); return errors.Join(err, broken) }, []Format{TarZst}, "on fire"},
		"is cut off":      {func(w io.Writer) error { _, err := w.Write(whole[:600]); return err }, []Format{Zip}, "unexpected EOF"},
		"is no tar":       {func(w io.Writer) error { _, err := w.Write(bytes.Repeat([]byte("x"), 5000)); return err }, []Format{TarGz}, "tar"},
		"holds a device":  {func(w io.Writer) error { _, err := w.Write(tarOf(t, member{name: "tty", typ: '3'})); return err }, []Format{TarGz}, `tty is of type '3'`},
		"never reads all": {func(w io.Writer) error { _, err := io.Copy(w, endless{}); return err }, []Format{TarGz}, "tar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := Request{Name: "halyard", Version: "v1.2.0", Commit: commit, OutDir: t.TempDir()}
			if _, err := SourceArchives(t.Context(), tc.archive, req, tc.formats...); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			empty(t, req.OutDir)
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	req := Request{Name: "halyard", Version: "v1.2.0", Commit: commit, OutDir: t.TempDir()}
	stopped := archiver(func(w io.Writer) error { _, err := w.Write(whole); return err })
	if _, err := SourceArchives(ctx, stopped, req, TarGz); !errors.Is(err, broken) {
		t.Errorf("a cancelled one gives %v", err)
	}
	empty(t, req.OutDir)
}

// endless is a reader of what is no archive.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []artifact.Artifact
	for _, name := range []string{"b.zip", "a.tar.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := artifact.Measure(name, artifact.Archive, strings.NewReader(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	got, err := Checksums(t.Context(), dir, all, SumFiles{Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range got {
		names = append(names, a.Name)
		if a.Kind != artifact.Checksums || a.Validate() != nil {
			t.Errorf("%+v", a)
		}
		tool := "sha256sum"
		if strings.Contains(strings.ToLower(a.Name), "sha512") {
			tool = "sha512sum"
		}
		cmd := exec.CommandContext(t.Context(), tool, "--strict", "--check", a.Name)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", a.Name, err, out)
		}
	}
	want := []string{"SHA256SUMS", "SHA512SUMS", "a.tar.gz.sha256", "a.tar.gz.sha512", "b.zip.sha256", "b.zip.sha512"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	only, err := Checksums(t.Context(), t.TempDir(), all, SumFiles{Algorithms: []artifact.Algorithm{artifact.SHA512, artifact.SHA512}})
	if err != nil || len(only) != 1 || only[0].Name != "SHA512SUMS" {
		t.Errorf("%+v, %v", only, err)
	}
	none := t.TempDir()
	if _, err := Checksums(t.Context(), none, append(all, all[0]), SumFiles{Beside: true}); err == nil {
		t.Error("two files of one name were summed up")
	}
	if _, err := Checksums(t.Context(), none, all, SumFiles{Algorithms: []artifact.Algorithm{"md5"}}); err == nil {
		t.Error("md5 was written")
	}
	empty(t, none)
}
