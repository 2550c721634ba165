package demo

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"seaworthy/config"
	"seaworthy/forge"
)

func TestParseChange(t *testing.T) {
	t.Parallel()
	const file = "-- a.txt --\na\n"
	cases := []struct {
		name, text string
		want       change
		err        string
	}{
		{name: "whole", text: "author: ben\nbranch: b\ntitle: Convert: fathoms\nbody:\n\nOne.\n\nTwo.\n" + file,
			want: change{author: "ben", branch: "b", title: "Convert: fathoms", body: "One.\n\nTwo.", files: []txtar.File{{Name: "a.txt", Data: []byte("a\n")}}}},
		{name: "another order, no body", text: "title: t\nauthor: ben\nbranch: b\nbody:\n" + file,
			want: change{author: "ben", branch: "b", title: "t", files: []txtar.File{{Name: "a.txt", Data: []byte("a\n")}}}},
		{name: "empty", err: `no line "body:"`},
		{name: "no body line", text: "author: ben\nbranch: b\ntitle: t\n" + file, err: `no line "body:"`},
		{name: "another field", text: "author: ben\nlabel: x\nbody:\n" + file, err: "is not author, branch or title"},
		{name: "no value", text: "author\nbody:\n" + file, err: "is not author, branch or title"},
		{name: "no title", text: "author: ben\nbranch: b\nbody:\n" + file, err: "are needed"},
		{name: "no file", text: "author: ben\nbranch: b\ntitle: t\nbody:\nwords\n", err: "are needed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseChange([]byte(c.text))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(change{})); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func FuzzParseChange(f *testing.F) {
	f.Add([]byte("author: ben\nbranch: b\ntitle: t\nbody:\nwords\n-- a.txt --\na\n"))
	f.Add([]byte("body:\n-- a --\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseChange(data)
		if err != nil {
			return
		}
		if c.author == "" || c.branch == "" || c.title == "" || len(c.files) == 0 {
			t.Errorf("something is missing in %+v", c)
		}
		if strings.TrimSpace(c.body) != c.body {
			t.Errorf("white space around the body %q", c.body)
		}
	})
}

func TestStoryFilesAreSound(t *testing.T) {
	t.Parallel()
	base, err := project()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(base, func(f txtar.File) bool { return f.Name == config.Name })
	if i < 0 {
		t.Fatalf("the sample has no %s", config.Name)
	}
	p, err := config.Parse(config.Name, base[i].Data)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := p.JobConfig(halyard.String(), nil); len(problems) > 0 {
		t.Errorf("the sample's jobs: %v", problems)
	}
	all, err := changes()
	if err != nil {
		t.Fatal(err)
	}
	var branches []string
	for _, c := range all {
		branches = append(branches, c.branch)
		if !slices.ContainsFunc(people, func(u forge.User) bool { return u.Login == c.author }) {
			t.Errorf("%s is by %s, who is not in the story", c.branch, c.author)
		}
	}
	if d := cmp.Diff([]string{"fathoms", "short-format", "almanac", "chart-depths"}, branches); d != "" {
		t.Errorf("the story's changes: -want +got\n%s", d)
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for name, titles := range map[string][]string{"story": Titles(), "repository": RepositoryTitles()} {
		if len(titles) < 5 || len(slices.Compact(slices.Sorted(slices.Values(titles)))) != len(titles) {
			t.Errorf("%s: %q", name, titles)
		}
	}
}

// lay writes the sample, and changes on top of it, into a folder.
func lay(t *testing.T, branches ...string) string {
	t.Helper()
	dir := t.TempDir()
	base, err := project()
	if err != nil {
		t.Fatal(err)
	}
	all, err := changes()
	if err != nil {
		t.Fatal(err)
	}
	layers := [][]txtar.File{base}
	for _, c := range all {
		if slices.Contains(branches, c.branch) {
			layers = append(layers, c.files)
		}
	}
	if len(layers) != 1+len(branches) {
		t.Fatalf("not all of %v are changes of the story", branches)
	}
	for _, files := range layers {
		for _, f := range files {
			name := filepath.Join(dir, filepath.FromSlash(f.Name))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// goTool runs the go command as a job of the story would, with a cache of its
// own for what the sample keeps.
func goTool(ctx context.Context, t *testing.T, dir, cache string, args ...string) (string, bool) {
	t.Helper()
	builds, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "XDG_CACHE_HOME="+cache, "GOCACHE="+strings.TrimSpace(string(builds)))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

// The sample behaves as the story says: it passes as it is, and each change
// does what becomes of it.
func TestSampleBehaves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and tests the sample project")
	}
	for _, c := range []struct {
		branches []string
		passes   []bool // at each try
		says     string
	}{
		{nil, []bool{true}, "ok  \thalyard/units"},
		{[]string{"fathoms"}, []bool{true}, "ok  \thalyard/units"},
		{[]string{"short-format"}, []bool{false, false}, "Short(1852)"},
		{[]string{"almanac"}, []bool{false, true, true}, "almanac"},
		{[]string{"chart-depths"}, []bool{true}, "ok  \thalyard/units"},
		{[]string{"fathoms", "almanac", "chart-depths"}, []bool{false, true}, "halyard/almanac"},
	} {
		t.Run(strings.Join(append([]string{"base"}, c.branches...), "+"), func(t *testing.T) {
			t.Parallel()
			dir, cache := lay(t, c.branches...), t.TempDir()
			if out, ok := goTool(t.Context(), t, dir, cache, "vet", "./..."); !ok {
				t.Errorf("go vet: %s", out)
			}
			for i, want := range c.passes {
				out, ok := goTool(t.Context(), t, dir, cache, "test", "-count=1", "./...")
				if ok != want || !strings.Contains(out, c.says) {
					t.Errorf("try %d passes: %v, want %v with %q:\n%s", i+1, ok, want, c.says, out)
				}
			}
		})
	}
}

func TestSampleRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the sample project")
	}
	dir := lay(t, "fathoms")
	program := filepath.Join(dir, "bin")
	if out, ok := goTool(t.Context(), t, dir, t.TempDir(), "build", "-ldflags", "-X main.version=v9.9.9", "-o", program, "./cmd/halyard"); !ok {
		t.Fatal(out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"version"}, "halyard v9.9.9\n"},
		{[]string{"convert", "10", "nmi", "km"}, "10 nmi = 18.52 km\n"},
		{[]string{"convert", "5", "fathom", "m"}, "5 fathom = 9.144 m\n"},
	} {
		out, err := output(t.Context(), program, c.args...)
		if err != nil || string(out) != c.want {
			t.Errorf("halyard %v says %q, %v; want %q", c.args, out, err, c.want)
		}
	}
	for _, args := range [][]string{{}, {"convert", "ten", "m", "m"}, {"convert", "1", "furlong", "m"}} {
		if out, err := output(t.Context(), program, args...); err == nil {
			t.Errorf("halyard %v says %q and succeeds", args, out)
		}
	}
}
