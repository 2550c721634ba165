package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/app"
	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/strict"
)

// repository makes a repository with one commit of the files; none without.
func repository(t *testing.T, branch string, files map[string]string) *git.Repository {
	t.Helper()
	dir := t.TempDir()
	repo, err := git.Init(t.Context(), dir, false, branch)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, files)
	if len(files) == 0 {
		return repo
	}
	for _, args := range [][]string{{"add", "."}, {"-c", "user.name=Ada", "-c", "user.email=ada@harbour.test", "commit", "-q", "-m", "Begin"}} {
		if _, err := repo.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}

const (
	module  = "module example.org/halyard/v2\n\ngo 1.22\n"
	program = "package main\n\nfunc main() {}\n"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		branch string
		files  map[string]string
		want   config.Detected
	}{
		{"commands beside a library", "main", map[string]string{
			"go.mod": module, "halyard.go": "package halyard\n", "cmd/b/main.go": program, "cmd/a/main.go": program,
			"cmd/a/more.go": "package main\n", "LICENSE": "", "README.md": "", "docs/README.md": "",
		}, config.Detected{Module: "example.org/halyard/v2", Mains: []string{"./cmd/a", "./cmd/b"}, Files: []string{"LICENSE", "README.md"}, DefaultBranch: "main"}},
		{"a program in the root", "main", map[string]string{
			"go.mod": module, "main.go": program, "main_test.go": "package main\n",
		}, config.Detected{Module: "example.org/halyard/v2", Mains: []string{"."}, DefaultBranch: "main"}},
		{"a library", "main", map[string]string{
			"go.mod": module, "halyard.go": "package halyard\n", "halyard_test.go": "package halyard\n", "examples/one/main.go": program,
		}, config.Detected{Module: "example.org/halyard/v2", DefaultBranch: "main"}},
		{"what is put aside", "main", map[string]string{
			"go.mod": module, "cmd/halyard/main.go": program, "vendor/x/main.go": program, "testdata/main.go": program,
			"internal/gen/main.go": program, "tools/main.go": program, "_old/main.go": program, ".hidden/main.go": program, "cmd/halyard/testdata/x/main.go": program,
		}, config.Detected{Module: "example.org/halyard/v2", Mains: []string{"./cmd/halyard"}, DefaultBranch: "main"}},
		{"a program elsewhere", "main", map[string]string{
			"go.mod": module, "server/main.go": program,
		}, config.Detected{Module: "example.org/halyard/v2", Mains: []string{"./server"}, DefaultBranch: "main"}},
		{"nested modules", "main", map[string]string{
			"go.mod": module, "cmd/a/main.go": program, "cmd/own/go.mod": "module own\n", "cmd/own/main.go": program, "cmd/own/deep/main.go": program,
		}, config.Detected{Module: "example.org/halyard/v2", Mains: []string{"./cmd/a"}, DefaultBranch: "main"}},
		{"files that are not built", "main", map[string]string{
			"go.mod": module, "halyard.go": "package halyard\n", "gen.go": "//go:build ignore\n\n" + program, "old.go": "// +build ignore\n\n" + program,
		}, config.Detected{Module: "example.org/halyard/v2", DefaultBranch: "main"}},
		{"no module", "master", map[string]string{"COPYING": "", "Makefile": "all:\n", "readme": ""},
			config.Detected{Files: []string{"COPYING", "readme"}, DefaultBranch: "master"}},
		{"another branch", "trunk", map[string]string{"a": ""}, config.Detected{DefaultBranch: "trunk"}},
		{"odd names", "main", map[string]string{"go.mod": module, "cmd/ö \"x\"/main.go": program},
			config.Detected{Module: "example.org/halyard/v2", Mains: []string{"./cmd/ö \"x\""}, DefaultBranch: "main"}},
		{"nothing", "main", nil, config.Detected{DefaultBranch: "main"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			repo := repository(t, c.branch, c.files)
			revs := []string{"", "HEAD"}
			if c.files == nil {
				revs = revs[:1]
			}
			for _, rev := range revs {
				got, err := app.Detect(t.Context(), repo, rev)
				if err != nil {
					t.Fatalf("at %q: %v", rev, err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("at %q (-want +got):\n%s", rev, diff)
				}
			}
		})
	}
}

// The variable that holds the version, however it is declared.
func TestDetectVersionVariable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"var version = \"dev\"\n":                            "main.version",
		"var version string = \"dev\"\n":                     "main.version",
		"var (\n\tcommit  = \"\"\n\tversion = \"\"\n)\n":     "main.version",
		"var Version = \"dev\"\n":                            "main.Version",
		"var (\n\tVersion string\n)\n":                       "main.Version",
		"var version string\n":                               "main.version",
		"const version = \"1\"\n":                            "",
		"const (\n\tversion = \"1\"\n)\n":                    "",
		"func f() {\n\tversion := \"1\"\n\t_ = version\n}\n": "",
		"var version = 7\n":                                  "",
		"// var version = \"dev\"\n":                         "",
		"var versions = \"dev\"\n":                           "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			repo := repository(t, "main", map[string]string{
				"go.mod": module, "cmd/a/main.go": program + text,
				"lib/version.go": "package lib\n\nvar version = \"not a program's\"\n", "cmd/a/x_test.go": "package main\n\nvar version = \"a test's\"\n",
			})
			got, err := app.Detect(t.Context(), repo, "")
			if err != nil || got.VersionVar != want {
				t.Errorf("found %q, %v; want %q", got.VersionVar, err, want)
			}
		})
	}
}

func TestDetectDetached(t *testing.T) {
	t.Parallel()
	repo := repository(t, "trunk", map[string]string{"a": ""})
	for _, args := range [][]string{{"checkout", "-q", "--detach"}, {"branch", "-D", "trunk"}} {
		if _, err := repo.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := app.Detect(t.Context(), repo, ""); err != nil || got.DefaultBranch != "" {
		t.Errorf("default branch %q, %v; want none", got.DefaultBranch, err)
	}
}

var someName = forge.RepoName{Owner: "harbour", Name: "halyard"}

func TestReadProject(t *testing.T) {
	t.Parallel()
	repo := repository(t, "main", map[string]string{
		"go.mod": module, "cmd/a/main.go": program, "cmd/b/main.go": program,
		"seaworthy.yaml": "version: 1\njobs:\n  files: [ci/*.yaml]\n",
		"ci/jobs.yaml":   "postsubmits:\n- name: post-unit\n  spec: {containers: [{image: none, command: [\"true\"]}]}\n",
		"ci/notes.txt":   "{",
	})
	for _, rev := range []string{"", "HEAD"} {
		p, err := app.ReadProject(t.Context(), repo, rev, someName)
		if err != nil {
			t.Fatalf("at %q: %v", rev, err)
		}
		if p.Default || len(p.Jobs.Postsubmits[someName.String()]) != 1 {
			t.Errorf("at %q: default %v, jobs %v", rev, p.Default, p.Jobs.All())
		}
		if diff := cmp.Diff([]string{"./cmd/a", "./cmd/b"}, p.Build.Go.Main); diff != "" {
			t.Errorf("a file that names no main package builds all (-want +got):\n%s", diff)
		}
	}
	// The work tree is not the commit.
	write(t, repo.Dir, map[string]string{"ci/jobs.yaml": "postsubmits:\n- naem: x\n"})
	_, err := app.ReadProject(t.Context(), repo, "", someName)
	if all := strict.Problems(err); len(all) == 0 || all[0].File != "ci/jobs.yaml" || all[0].Line != 2 {
		t.Errorf("problems of a broken job file: %v", err)
	}
	if _, err := app.ReadProject(t.Context(), repo, "HEAD", someName); err != nil {
		t.Errorf("the commit is as it was: %v", err)
	}
}

func TestReadProjectDefaults(t *testing.T) {
	t.Parallel()
	repo := repository(t, "main", map[string]string{"go.mod": module, "main.go": program})
	p, err := app.ReadProject(t.Context(), repo, "HEAD", someName)
	if err != nil || !p.Default || p.Project.Project.Name != "halyard" || len(p.Jobs.All()) == 0 {
		t.Errorf("default %v, name %q, %d jobs, %v", p.Default, p.Project.Project.Name, len(p.Jobs.All()), err)
	}
	empty, err := app.ReadProject(t.Context(), repository(t, "main", map[string]string{"README": ""}), "HEAD", someName)
	if err != nil || !empty.Default {
		t.Errorf("a repository of no language: %+v, %v", empty, err)
	}
}

// A link that leads out of the work tree is not followed.
func TestReadProjectLink(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "seaworthy.yaml")
	if err := os.WriteFile(outside, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := repository(t, "main", map[string]string{"README": ""})
	if err := os.Symlink(outside, filepath.Join(repo.Dir, "seaworthy.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := app.ReadProject(t.Context(), repo, "", someName); err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "seaworthy.yaml") {
		t.Errorf("error %v, want one about the link", err)
	}
}

// A big repository is looked at in a moment.
func TestDetectManyFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{"go.mod": module, "cmd/a/main.go": program}
	for i := range 2000 {
		files[filepath.Join("pkg", string(rune('a'+i%26)), "f"+strings.Repeat("x", i%7)+string(rune('a'+i%23))+".go")] = "package pkg\n"
	}
	repo := repository(t, "main", files)
	begun := time.Now()
	if _, err := app.Detect(t.Context(), repo, "HEAD"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
