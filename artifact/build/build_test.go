package build

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/git"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

var commitTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// The sample project imports little, so that its first build is quick.
var project = map[string]string{
	"go.mod":              "module example.com/halyard\n\ngo 1.24\n",
	"cmd/halyard/main.go": "package main\n\nimport \"os\"\n\nvar version, commit, date string\n\nfunc main() { os.Stdout.WriteString(version + \" \" + commit + \" \" + date + \"\\n\") }\n",
	"LICENSE":             "Do as you please.\n",
	"README.md":           "# Halyard\n",
	"docs/a.txt":          "a\n",
	"docs/run.sh":         "#!/bin/sh\n",
}

func writeProject(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func request(t testing.TB, source string, platforms ...string) Request {
	t.Helper()
	list, err := artifact.ParsePlatforms(platforms)
	if err != nil {
		t.Fatal(err)
	}
	return Request{
		Source: source, Name: "halyard", Version: "v1.2.0", Commit: commit, CommitTime: commitTime,
		Platforms: list, OutDir: filepath.Join(t.TempDir(), "out"),
		Main: []string{"./cmd/halyard"}, LDFlags: "-X main.version={version} -X main.commit={commit} -X main.date={date}",
	}
}

func build(t testing.TB, req Request) []artifact.Artifact {
	t.Helper()
	got, err := Build(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// listing describes an archive, one line per entry.
func listing(t *testing.T, file string) []string {
	t.Helper()
	if strings.HasSuffix(file, ".zip") {
		return zipListing(t, file)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if !zr.ModTime.IsZero() || zr.Name != "" || zr.OS != 255 {
		t.Errorf("%s: the gzip header says %+v", file, zr.Header)
	}
	var lines []string
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %o %d/%d%s%s %s", h.Name, h.Mode, h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime.UTC().Format(time.RFC3339)))
	}
}

func zipListing(t *testing.T, file string) []string {
	t.Helper()
	zr, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer zr.Close()
	var lines []string
	for _, f := range zr.File {
		lines = append(lines, fmt.Sprintf("%s %o %s", f.Name, f.Mode(), f.Modified.UTC().Format(time.RFC3339)))
	}
	return lines
}

func TestBuildGo(t *testing.T) {
	t.Parallel()
	req := request(t, writeProject(t, project), "windows/amd64", "linux/amd64", "darwin/arm64")
	req.Files = []string{"LICENSE", "README*", "docs", "NOTHING*"}
	var mu sync.Mutex
	var last Progress
	stages := map[Stage]int{}
	got, err := Build(t.Context(), req, func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
		stages[p.Stage]++
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[Stage]int{Compiling: 3, Packing: 3, Done: 3}, stages); diff != "" || last.Finished != 3 || last.Total != 3 {
		t.Error(diff, last)
	}
	var names []string
	for _, a := range got {
		names = append(names, a.Name+" "+a.Platform.String())
		f, err := os.Open(filepath.Join(req.OutDir, a.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(f); err != nil {
			t.Error(err)
		}
		if info, err := f.Stat(); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s has mode %v (%v)", a.Name, info.Mode(), err)
		}
		f.Close()
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"halyard_1.2.0_darwin_arm64.tar.gz darwin/arm64",
		"halyard_1.2.0_linux_amd64.tar.gz linux/amd64",
		"halyard_1.2.0_windows_amd64.zip windows/amd64",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, withPlatform(t, req.OutDir, got)); diff != "" {
		t.Errorf("the folder holds something else: %s", diff)
	}
	checkContents(t, req.OutDir)
}

// withPlatform lists a folder, each file with the platform it was built for.
func withPlatform(t *testing.T, dir string, built []artifact.Artifact) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		for _, a := range built {
			if a.Name == f.Name() {
				names = append(names, f.Name()+" "+a.Platform.String())
			}
		}
		if !slices.ContainsFunc(built, func(a artifact.Artifact) bool { return a.Name == f.Name() }) {
			names = append(names, f.Name())
		}
	}
	return names
}

func checkContents(t *testing.T, out string) {
	t.Helper()
	const when = "2026-03-04T05:06:07Z"
	if diff := cmp.Diff([]string{
		"halyard_1.2.0_linux_amd64/LICENSE 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/README.md 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/docs/a.txt 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/docs/run.sh 644 0/0 " + when,
		"halyard_1.2.0_linux_amd64/halyard 755 0/0 " + when,
	}, listing(t, filepath.Join(out, "halyard_1.2.0_linux_amd64.tar.gz"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"halyard_1.2.0_windows_amd64/LICENSE 644 " + when,
		"halyard_1.2.0_windows_amd64/README.md 644 " + when,
		"halyard_1.2.0_windows_amd64/docs/a.txt 644 " + when,
		"halyard_1.2.0_windows_amd64/docs/run.sh 644 " + when,
		"halyard_1.2.0_windows_amd64/halyard.exe 755 " + when,
	}, listing(t, filepath.Join(out, "halyard_1.2.0_windows_amd64.zip"))); diff != "" {
		t.Error(diff)
	}
	for archive, want := range map[string]string{
		"halyard_1.2.0_darwin_arm64.tar.gz": "darwin/arm64",
		"halyard_1.2.0_linux_amd64.tar.gz":  "linux/amd64",
		"halyard_1.2.0_windows_amd64.zip":   "windows/amd64",
	} {
		dir := filepath.Join(t.TempDir(), "x")
		if err := Extract(filepath.Join(out, archive), dir, Limits{}); err != nil {
			t.Fatal(err)
		}
		programs, err := filepath.Glob(filepath.Join(dir, "*", "halyard*"))
		if err != nil || len(programs) != 1 {
			t.Fatalf("%s holds the programs %v (%v)", archive, programs, err)
		}
		p, err := Inspect(programs[0])
		if err != nil {
			t.Fatal(err)
		}
		if p.Platform.String() != want || p.Module != "example.com/halyard" || p.Path != "example.com/halyard/cmd/halyard" || !strings.HasPrefix(p.GoVersion, "go1.") {
			t.Errorf("%s: %+v", archive, p)
		}
		if p.Settings["CGO_ENABLED"] != "0" || p.Settings["-trimpath"] != "true" || p.Settings["vcs.revision"] != "" {
			t.Errorf("%s: settings %v", archive, p.Settings)
		}
		if want == hostPlatform() {
			said, err := exec.CommandContext(t.Context(), programs[0]).Output()
			// A program that another test begins just now holds the file open
			// for an instant.
			for errors.Is(err, syscall.ETXTBSY) {
				said, err = exec.CommandContext(t.Context(), programs[0]).Output()
			}
			if err != nil || string(said) != "v1.2.0 "+commit+" "+when+"\n" {
				t.Errorf("it says %q (%v)", said, err)
			}
		}
	}
}

// hostPlatform is what programs can be run here.
func hostPlatform() string {
	out, err := exec.Command("go", "env", "GOOS", "GOARCH").Output()
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(out)), "/")
}

// TestUmaskHelper is not a test: it builds in a process with another umask.
func TestUmaskHelper(t *testing.T) {
	out := os.Getenv("SEAWORTHY_BUILD_OUT")
	if out == "" {
		t.Skip("only run by TestBuildIsReproducible")
	}
	req := request(t, os.Getenv("SEAWORTHY_BUILD_SOURCE"), "linux/amd64", "windows/amd64")
	req.OutDir = out
	build(t, req)
}

func TestBuildIsReproducible(t *testing.T) {
	t.Parallel()
	first := build(t, request(t, writeProject(t, project), "linux/amd64", "windows/amd64"))

	// Another folder, other times and modes, other order, one at a time, and a
	// Git repository around it.
	source := writeProject(t, project)
	if _, err := git.Init(t.Context(), source, false, "main"); err != nil {
		t.Fatal(err)
	}
	for name := range project {
		if err := errors.Join(os.Chmod(filepath.Join(source, name), 0o600), os.Chtimes(filepath.Join(source, name), commitTime, commitTime.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	req := request(t, source, "windows/amd64", "linux/amd64")
	req.Parallel = 1
	if diffs := artifact.Diff(first, build(t, req)); len(diffs) > 0 {
		t.Errorf("from another folder: %s", diffs)
	}

	// Another process: other umask, processors, flags and zone.
	out := filepath.Join(t.TempDir(), "umask")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask 077; exec "$0" -test.run='^TestUmaskHelper$' -test.count=1`, os.Args[0])
	cmd.Env = append(os.Environ(), "SEAWORTHY_BUILD_OUT="+out, "SEAWORTHY_BUILD_SOURCE="+source, "GOMAXPROCS=1",
		"TZ=Asia/Tokyo", "GOFLAGS=-tags=other -ldflags=-X=main.version=wrong", "GOARCH=386", "CGO_ENABLED=1", "GOAMD64=v3")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	for _, a := range first {
		f, err := os.Open(filepath.Join(out, a.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(f); err != nil {
			t.Errorf("in another process: %v", err)
		}
		if info, err := f.Stat(); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s has mode %v (%v)", a.Name, info.Mode(), err)
		}
		f.Close()
	}
}

func TestBuildFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := map[string]string{}
	for name, content := range project {
		broken[name] = content
	}
	broken["cmd/halyard/other_windows.go"] = "package main\n\nvar x int = \"no number\"\n"
	req := request(t, writeProject(t, broken), "linux/amd64", "windows/amd64")
	_, err := Build(t.Context(), req, nil)
	for _, part := range []string{"building halyard v1.2.0 for windows/amd64", "other_windows.go:3", "no number"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	empty(t, req.OutDir)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("%s is left behind", f.Name())
	}
}

func TestBuildCancelled(t *testing.T) {
	t.Parallel()
	source := writeProject(t, map[string]string{"README": "r"})
	pipe := filepath.Join(t.TempDir(), "started")
	if msg, err := exec.CommandContext(t.Context(), "mkfifo", pipe).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %v %s", err, msg)
	}
	req := request(t, source, "linux/amd64", "linux/arm64")
	req.Main, req.LDFlags = nil, ""
	// Says that it runs, and then waits for ever, with a child that does too.
	req.Command = &Command{Run: []string{"sh", "-c", `echo half > "$OUT/program"; tail -f /dev/null & echo running > "$0"; wait`, pipe}, Outputs: []string{"program"}}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	go func() {
		if _, err := os.ReadFile(pipe); err != nil {
			stop = err
		}
		cancel(stop)
	}()
	if _, err := Build(ctx, req, nil); !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("got %v", err)
	}
	empty(t, req.OutDir)
}

func TestRequestRefused(t *testing.T) {
	t.Parallel()
	source := writeProject(t, project)
	for name, tc := range map[string]struct {
		change func(*Request)
		err    string
	}{
		"nothing said":      {func(r *Request) { *r = Request{} }, "Commit, CommitTime, Name, OutDir, Source, Version"},
		"space in version":  {func(r *Request) { r.Version = "v1.0.0 -X main.evil=1" }, "holds a space"},
		"name with slash":   {func(r *Request) { r.Name = "a/b" }, "cannot be a file name"},
		"no platform":       {func(r *Request) { r.Platforms = nil }, "at least one platform"},
		"platform twice":    {func(r *Request) { r.Platforms = append(r.Platforms, r.Platforms[0]) }, "listed twice"},
		"no main":           {func(r *Request) { r.Main = nil }, "name the Go main packages or a command"},
		"both":              {func(r *Request) { r.Command = &Command{} }, "not both"},
		"flag as package":   {func(r *Request) { r.Main = []string{"-o=x"} }, "not one package"},
		"pattern":           {func(r *Request) { r.Main = []string{"./..."} }, "not one package"},
		"same program":      {func(r *Request) { r.Main = []string{"./a/x", "./b/x"} }, "two main packages"},
		"unknown variant":   {func(r *Request) { r.Platforms[0].Variant = "v99" }, `no variant "v99" of amd64`},
		"file not there":    {func(r *Request) { r.Files = []string{"NOTICE"} }, "no such file"},
		"file outside":      {func(r *Request) { r.Files = []string{"../x"} }, "no such file"},
		"bad pattern":       {func(r *Request) { r.Files = []string{"[x"} }, "syntax error"},
		"no such package":   {func(r *Request) { r.Main = []string{"./cmd/none"} }, "cmd/none"},
		"source not there":  {func(r *Request) { r.Source = filepath.Join(r.Source, "none") }, "none"},
		"output is a file":  {func(r *Request) { r.OutDir = filepath.Join(r.Source, "LICENSE") }, "output folder"},
		"unknown processor": {func(r *Request) { r.Platforms[0].Arch = "z80" }, "z80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, source, "linux/amd64")
			tc.change(&req)
			if _, err := Build(t.Context(), req, nil); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			if req.OutDir != "" && !strings.HasSuffix(req.OutDir, "LICENSE") {
				empty(t, req.OutDir)
			}
		})
	}
}

func TestGoTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"linux/amd64": "GOOS=linux GOARCH=amd64", "linux/arm/v7": "GOOS=linux GOARCH=arm GOARM=7",
		"linux/amd64/v3": "GOOS=linux GOARCH=amd64 GOAMD64=v3", "linux/arm64/v8": "GOOS=linux GOARCH=arm64 GOARM64=v8.0",
		"linux/arm/v8": "", "linux/386/v1": "",
	} {
		p, err := artifact.ParsePlatform(in)
		if err != nil {
			t.Fatal(err)
		}
		env, err := goTarget(p)
		if strings.Join(env, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%s is %v, %v", in, env, err)
		}
	}
}

func TestModFlags(t *testing.T) {
	t.Parallel()
	if got := modFlags("-tags=x -mod=vendor -ldflags=-s -modfile=o.mod -modcacherw"); got != "-mod=vendor -modfile=o.mod" {
		t.Errorf("kept %q", got)
	}
}

func TestFilesDoNotFollowLinksOut(t *testing.T) {
	t.Parallel()
	source := writeProject(t, project)
	if err := os.Symlink("LICENSE", filepath.Join(source, "LICENSE.inside")); err != nil {
		t.Fatal(err)
	}
	req := request(t, source, "linux/amd64")
	build(t, req)
	if err := os.Symlink("/etc/hostname", filepath.Join(source, "LICENSE.outside")); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), req, nil); err == nil || !strings.Contains(err.Error(), "LICENSE.outside") {
		t.Errorf("a link out of the source gives %v", err)
	}
}

func TestBuildWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	req := request(t, writeProject(t, project), "linux/amd64")
	if _, err := Build(t.Context(), req, nil); !errors.Is(err, ErrNoGo) {
		t.Errorf("got %v", err)
	}
	empty(t, req.OutDir)
}

func TestBuildOverwrites(t *testing.T) {
	t.Parallel()
	req := request(t, writeProject(t, project), "linux/amd64")
	first := build(t, req)
	file := filepath.Join(req.OutDir, first[0].Name)
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diffs := artifact.Diff(first, build(t, req)); len(diffs) > 0 {
		t.Error(diffs)
	}
	if data, err := os.ReadFile(file); err != nil || int64(len(data)) != first[0].Size {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestSystemToolsAgree(t *testing.T) {
	t.Parallel()
	req := request(t, writeProject(t, project), "linux/amd64", "windows/amd64")
	built := build(t, req)
	for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		tool := string(alg) + "sum"
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here", tool)
		}
		sums, err := artifact.RenderChecksums(alg, built)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(req.OutDir, alg.File()), sums, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), tool, "--strict", "-c", alg.File())
		cmd.Dir = req.OutDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(req.OutDir, "halyard_1.2.0_linux_amd64.tar.gz"), "-C", t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
