//go:build unix

package result_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/job/result"
)

// onDisk writes files into a new folder and opens it as a bucket.
func onDisk(t *testing.T, files map[string]string) (string, *blob.Bucket) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		lay(t, dir, name, text)
	}
	b, err := result.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return dir, b
}

func lay(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, file string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink(target, file)); err != nil {
		t.Fatal(err)
	}
}

// keys lists a bucket; the names of folders end in a slash.
func keys(t *testing.T, b *blob.Bucket, o *blob.ListOptions) []string {
	t.Helper()
	var all []string
	for it := b.List(o); ; {
		x, err := it.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x.Key)
	}
}

// A folder answers what a bucket in memory does, in the same order, whole and
// page by page.
func TestFolder(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a/b": "1", "a/b-c": "2", "a/b/d": "", "a.b": "3", "a/e/f/g": "4", "a/e/f.g": "5", "a/é": "6", "z": "7"}
	delete(files, "a/b") // a file and a folder cannot have one name
	dir, b := onDisk(t, files)
	m := memory(t, files)
	for _, o := range []blob.ListOptions{
		{}, {Prefix: "a"}, {Prefix: "a/"}, {Prefix: "a/b"}, {Prefix: "a/e/f"}, {Prefix: "none/"}, {Prefix: "z/"}, {Prefix: "../"}, {Prefix: "/"},
		{Delimiter: "/"}, {Prefix: "a/", Delimiter: "/"}, {Prefix: "a", Delimiter: "/"}, {Prefix: "a/e/f", Delimiter: "/"},
	} {
		if got, want := keys(t, b, &o), keys(t, m, &o); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
		var paged []string
		for token := blob.FirstPageToken; token != nil; {
			page, next, err := b.ListPage(t.Context(), token, 1, &o)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page {
				paged = append(paged, x.Key)
			}
			token = next
		}
		if want := keys(t, m, &o); !slices.Equal(paged, want) {
			t.Errorf("%+v by pages: %q, want %q", o, paged, want)
		}
	}
	r, err := b.NewRangeReader(t.Context(), "a/e/f.g", 0, 100, nil)
	if err != nil || r.Size() != 1 || time.Since(r.ModTime()) > time.Hour {
		t.Fatalf("%v, %v", r, err)
	}
	r.Close()
	lay(t, dir, "long", "0123456789")
	r, err = b.NewRangeReader(t.Context(), "long", 3, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "3456" {
		t.Errorf("a part of it is %q, %v", data, err)
	}
	r.Close()
	for _, key := range []string{"none", "a", "a/b/d/e", "a//b-c", "./z", "a/../z", "../x"} {
		if _, err := b.ReadAll(t.Context(), key); gcerrors.Code(err) != gcerrors.NotFound && !errors.Is(err, result.ErrUnreadable) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := b.WriteAll(t.Context(), "new", nil, nil); gcerrors.Code(err) != gcerrors.Unimplemented {
		t.Errorf("written to: %v", err)
	}
	if err := b.Delete(t.Context(), "z"); err == nil {
		t.Error("deleted from")
	}
	if err := b.Copy(t.Context(), "y", "z", nil); err == nil {
		t.Error("copied in")
	}
	if _, err := result.OpenFolder(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

const (
	began  = `{"timestamp":1772884800}`
	passed = `{"timestamp":1772884900,"passed":true}`
	suite  = `<testsuite><testcase name="TestBowline"/></testsuite>`
	secret = `<testsuite><testcase name="TestSecret"/></testsuite>`
)

// quickly fails a test whose reading waits for somebody.
func quickly(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " waits for ever")
	}
}

// Nothing that lies in a build leads out of the folder or keeps a reader
// waiting: it is told of beside the build, whose other results are read.
func TestHostileFolder(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	lay(t, outside, "junit.xml", secret)
	for name, c := range map[string]struct {
		make  func(dir string)
		tests string
		fault bool
	}{
		"a link within the folder": {func(dir string) { link(t, "../../2/artifacts/junit.xml", dir+"/artifacts/junit_b.xml") }, "TestBowline TestBowline", false},
		"a link out of it":         {func(dir string) { link(t, outside+"/junit.xml", dir+"/artifacts/junit_b.xml") }, "TestBowline", true},
		"a link up and out": {func(dir string) {
			link(t, strings.Repeat("../", 20)+outside+"/junit.xml", dir+"/artifacts/junit_b.xml")
		}, "TestBowline", true},
		"a folder that is a link out":  {func(dir string) { link(t, outside, dir+"/artifacts/below") }, "TestBowline", false},
		"links that go round":          {func(dir string) { link(t, "junit_b.xml", dir+"/artifacts/junit_b.xml") }, "TestBowline", true},
		"a folder within itself":       {func(dir string) { link(t, ".", dir+"/artifacts/again") }, "TestBowline", false},
		"a pipe":                       {func(dir string) { pipe(t, dir+"/artifacts/junit_b.xml") }, "TestBowline", true},
		"a link to a pipe":             {func(dir string) { pipe(t, dir+"/p"); link(t, "../p", dir+"/artifacts/junit_b.xml") }, "TestBowline", true},
		"a link to a device":           {func(dir string) { link(t, "/dev/zero", dir+"/artifacts/junit_b.xml") }, "TestBowline", true},
		"a folder with a file's name":  {func(dir string) { lay(t, dir, "artifacts/junit_b.xml/x", "") }, "TestBowline", false},
		"a name that is no UTF-8":      {func(dir string) { lay(t, dir, "artifacts/junit_\xff.xml", suite) }, "TestBowline", true},
		"a pipe nobody wants":          {func(dir string) { pipe(t, dir+"/artifacts/socket") }, "TestBowline", false},
		"a description that is a pipe": {func(dir string) { pipe(t, dir+"/podinfo.json") }, "TestBowline", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, b := onDisk(t, map[string]string{
				"logs/unit/1/started.json": began, "logs/unit/1/finished.json": passed, "logs/unit/1/artifacts/junit.xml": suite,
				"logs/unit/2/started.json": began, "logs/unit/2/artifacts/junit.xml": suite,
			})
			c.make(dir + "/logs/unit/1")
			quickly(t, name, func() {
				build, err := result.LoadBuild(context.Background(), b, "logs/unit/1")
				if err != nil {
					t.Error(err)
					return
				}
				var tests []string
				for _, x := range build.Tests {
					tests = append(tests, x.Name)
				}
				if got := strings.Join(tests, " "); got != c.tests || (build.Malformed != "") != c.fault || c.fault && len(build.Irregular) == 0 {
					t.Errorf("tests %s, malformed %q, irregular %q", got, build.Malformed, build.Irregular)
				}
			})
		})
	}
}

func pipe(t *testing.T, file string) {
	t.Helper()
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What says that a build started may be a pipe, what says that it ended a way
// out: it is a build, of which nothing is known.
func TestHostileDescriptions(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	lay(t, outside, "finished.json", passed)
	dir, b := onDisk(t, map[string]string{"logs/unit/1/artifacts/junit.xml": suite, "pr-logs/directory/unit/1.txt": "logs/unit/1"})
	pipe(t, dir+"/logs/unit/1/started.json")
	link(t, outside+"/finished.json", dir+"/logs/unit/1/finished.json")
	pipe(t, dir+"/logs/unit/1/build-log.txt")
	pipe(t, dir+"/pr-logs/directory/unit/2.txt")
	link(t, outside, dir+"/logs/abroad")
	link(t, "unit", dir+"/logs/alike")
	quickly(t, "a build of pipes", func() {
		ctx := context.Background()
		build, err := result.LoadBuild(ctx, b, "logs/unit/1")
		if err != nil || build.Started != nil || build.Finished != nil || build.Malformed == "" || len(build.Irregular) != 2 || len(build.Tests) != 1 {
			t.Errorf("%+v, %v", build, err)
		}
		if ok, err := result.Told(ctx, b, "logs/unit/1"); !ok || err != nil {
			t.Errorf("it is no build: %v", err)
		}
		if _, err := result.StartedAt(ctx, b, "logs/unit/1"); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("when it began: %v", err)
		}
		if _, err := result.Follow(ctx, b, result.Ref{ID: "2", Path: "pr-logs/directory/unit/2.txt"}); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("an alias that is a pipe: %v", err)
		}
		if _, _, err := result.OpenLog(ctx, b, "logs/unit/1", 0, -1); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("a log that is a pipe: %v", err)
		}
		if _, err := result.List(ctx, b, "logs/abroad"); !errors.Is(err, result.ErrUnreadable) {
			t.Errorf("a job's folder that is a way out: %v", err)
		}
		if refs, err := result.List(ctx, b, "logs/alike"); err != nil || len(refs) != 1 {
			t.Errorf("a job's folder that is a link: %v, %v", refs, err)
		}
	})
}

// A folder that nobody may look into hides results: that is told.
func TestForbiddenFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		// Root may look into anything, so one that is too deep stands for it.
		_, b := onDisk(t, map[string]string{"logs/unit/1/started.json": began, "logs/unit/1/artifacts/" + strings.Repeat("d/", 120) + "junit.xml": suite})
		build, err := result.LoadBuild(t.Context(), b, "logs/unit/1")
		if err != nil || build.Malformed == "" || len(build.Tests) != 0 {
			t.Errorf("%+v, %v", build, err)
		}
		return
	}
	dir, b := onDisk(t, map[string]string{"logs/unit/1/started.json": began, "logs/unit/1/artifacts/junit.xml": suite, "logs/unit/1/artifacts/closed/junit.xml": suite})
	if err := os.Chmod(dir+"/logs/unit/1/artifacts/closed", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir+"/logs/unit/1/artifacts/closed", 0o755) })
	build, err := result.LoadBuild(t.Context(), b, "logs/unit/1")
	if err != nil || build.Malformed == "" || len(build.Tests) != 1 {
		t.Errorf("%+v, %v", build, err)
	}
}

// grows writes to a file for as long as somebody reads it.
type grows struct {
	*os.File
	more *os.File
}

func (g grows) Read(p []byte) (int, error) {
	if _, err := g.more.Write(p); err != nil { // as much as is read
		return 0, err
	}
	return g.File.Read(p)
}

// Files may be huge, or grow while they are read: no more is read than may be.
func TestLargeFiles(t *testing.T) {
	t.Parallel()
	dir, b := onDisk(t, map[string]string{"logs/unit/1/started.json": began, "logs/unit/1/finished.json": passed, "logs/unit/1/artifacts/junit.xml": suite})
	for name, size := range map[string]int64{"build-log.txt": 100 << 20, "artifacts/junit_large.xml": 200 << 20} {
		lay(t, dir, "logs/unit/1/"+name, "")
		if err := os.Truncate(filepath.Join(dir, "logs/unit/1", name), size); err != nil {
			t.Fatal(err)
		}
	}
	build, err := result.LoadBuild(t.Context(), b, "logs/unit/1")
	if err != nil || len(build.Tests) != 1 || !strings.Contains(build.Malformed, "junit_large.xml: ") {
		t.Errorf("%+v, %v", build, err)
	}
	r, offset, err := result.OpenLog(t.Context(), b, "logs/unit/1", -10, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || len(data) != 10 || offset != 100<<20-10 {
		t.Errorf("%d bytes from %d on, %v", len(data), offset, err)
	}

	file := filepath.Join(dir, "growing.xml")
	lay(t, dir, "growing.xml", "<testsuite>")
	more, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	read, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	var malformed *result.MalformedError
	if _, err := result.ParseJUnit(grows{read, more}, result.Limits{Bytes: 1 << 20}); !errors.As(err, &malformed) {
		t.Errorf("a file that grows: %v", err)
	}
	if info, err := read.Stat(); err != nil || info.Size() > 8<<20 {
		t.Errorf("%d bytes were read of it, %v", info.Size(), err)
	}
}

// A folder with more entries than anybody needs costs no build its column: what
// says that it started and finished is found behind them all.
func TestManyEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: 200,000 files take a while")
	}
	t.Parallel()
	dir, b := onDisk(t, map[string]string{"logs/unit/1/started.json": began, "logs/unit/1/finished.json": passed, "logs/unit/1/artifacts/junit.xml": suite})
	const many = 200_000
	artifacts := filepath.Join(dir, "logs/unit/1/artifacts/0")
	if err := os.Mkdir(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		if err := os.Link(filepath.Join(dir, "logs/unit/1/artifacts/junit.xml"), fmt.Sprintf("%s/%06d", artifacts, i)); errors.Is(err, syscall.EMLINK) {
			lay(t, artifacts, fmt.Sprintf("%06d", i), "")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	build, err := result.LoadBuild(t.Context(), b, "logs/unit/1")
	if err != nil || build.Started == nil || build.Finished == nil || !build.Finished.Passed || len(build.Irregular) != 1 {
		t.Errorf("%+v %+v, irregular %q, %v", build.Started, build.Finished, build.Irregular, err)
	}
	if refs, err := result.List(t.Context(), b, "logs/unit"); err != nil || len(refs) != 1 {
		t.Errorf("builds %v, %v", refs, err)
	}
}
