package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"seaworthy/demo"
	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/grid"
	"seaworthy/strict"
)

func TestReport(t *testing.T) {
	t.Parallel()
	problems := strict.Error{{File: "a.yaml", Line: 3, Message: "no"}, {File: "a.yaml", Line: 5, Message: "neither"}}
	cases := []struct {
		name string
		err  error
		code int
		want string
	}{
		{"failure", errors.New("the ship sank"), 1, "seaworthy: the ship sank\n"},
		{"several at once", errors.Join(errors.New("one"), errors.New("two\n\n  three\n")), 1, "seaworthy: one; two; three\n"},
		{"usage", fmt.Errorf("outer: %w", usagef("write %d", 7)), 2, "seaworthy: outer: write 7\nSee 'ship sail --help'.\n"},
		{"verdict", fmt.Errorf("outer: %w", verdictError{"No,\nnot yet."}), 3, "No,; not yet.\n"},
		{"problems", problems, 2, "seaworthy: a.yaml:3: no\nseaworthy: a.yaml:5: neither\n"},
		{"problems in something", fmt.Errorf("in harbour: %w", problems), 2, "seaworthy: in harbour: a.yaml:3: no\nseaworthy: in harbour: a.yaml:5: neither\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root, sail := &cobra.Command{Use: "ship"}, &cobra.Command{Use: "sail"}
			root.AddCommand(sail)
			var out bytes.Buffer
			report(&out, sail, c.err)
			if d := cmp.Diff(c.want, out.String()); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if got := exitCode(c.err); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

// Whoever reads help sees every flag's placeholder, an example where one is of
// use, and no sentence twice.
func TestHelpIsWellFormed(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 80 {
			t.Errorf("%s: the short help %q", path, c.Short)
		}
		if other := seen[c.Short]; other != "" {
			t.Errorf("%s and %s have the same short help", path, other)
		}
		seen[c.Short] = path
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len([]rune(line)) > 121 {
				t.Errorf("%s: a line of %d characters: %s", path, len(line), line)
			}
		}
		usage := c.LocalFlags().FlagUsages()
		for line := range strings.Lines(usage) {
			for _, bare := range []string{" string ", " strings ", " int "} {
				if strings.Contains(line, bare) && strings.Contains(line, "--") && strings.Index(line, bare) < 30 {
					t.Errorf("%s: a flag without a name for its value: %s", path, strings.TrimSpace(line))
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(Streams{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}))
	if len(seen) < 40 {
		t.Errorf("only %d commands", len(seen))
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := table(&out, "Nothing.", []string{"a", "long name"}, [][]string{{"x\ty", "1"}, {"zzzzz", "line\nbreak"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("A      LONG NAME\nx y    1\nzzzzz  line break\n", out.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	out.Reset()
	if err := table(&out, "Nothing.", []string{"a"}, nil); err != nil || out.String() != "Nothing.\n" {
		t.Errorf("an empty table is %q, %v", out.String(), err)
	}
}

func TestDrawGrid(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	g := grid.New("post-unit")
	for i, result := range []string{"SUCCESS", "FAILURE", ""} {
		b := grid.Build{ID: strconv.Itoa(i + 1), Started: at.Add(time.Duration(i) * time.Hour), Result: result, Passed: result == "SUCCESS"}
		if result != "" {
			b.Finished = b.Started.Add(time.Minute)
		}
		g.Append(b, at.Add(3*time.Hour))
	}
	for columns, want := range map[int]string{9: "post-unit.Overall  RF·\n", 2: "post-unit.Overall  RF\n"} {
		var out bytes.Buffer
		if err := drawGrid(&out, g, columns); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(out.String(), "\n\n"); got+"\n" != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
	var out bytes.Buffer
	if err := drawGrid(&out, &grid.Grid{}, 9); err != nil || out.String() != "The job has no results yet.\n" {
		t.Errorf("an empty grid is %q, %v", out.String(), err)
	}
}

func TestStepsOfATimeline(t *testing.T) {
	t.Parallel()
	step := func(title string, state flow.StepState) flow.StepStatus {
		return flow.StepStatus{StepInfo: flow.StepInfo{Title: title}, State: state}
	}
	did := step("a", flow.StepDone)
	did.Sentence, did.Duration = "did", time.Second
	all := steps(flow.Timeline{Steps: []flow.StepStatus{
		did, step("b", flow.StepSkipped), step("c", flow.StepRunning), step("d", flow.StepWaiting), step("e", flow.StepFailed), step("f", flow.StepPending),
	}})
	want := []demo.Step{
		{Title: "a", State: demo.Done, Note: "did", Duration: time.Second}, {Title: "b", State: demo.Skipped}, {Title: "c", State: demo.Running},
		{Title: "d", State: demo.Running}, {Title: "e", State: demo.Failed}, {Title: "f", State: demo.Pending},
	}
	if d := cmp.Diff(want, all, cmp.Comparer(func(a, b demo.Step) bool {
		return a.Title == b.Title && a.State == b.State && a.Note == b.Note && a.Duration == b.Duration
	})); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestLocalName(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, folder, origin, module, want string }{
		{"nothing but a folder", "halyard", "", "", "local/halyard"},
		{"a bare folder", "halyard.git", "", "", "local/halyard"},
		{"an address on another machine", "x", "https://forge.example.org/harbour/halyard.git", "", "harbour/halyard"},
		{"in the form of scp", "x", "git@forge.example.org:harbour/halyard.git", "", "harbour/halyard"},
		{"a folder of this machine", "x", "/srv/harbour/halyard", "", "local/x"},
		{"a folder of this machine as a URL", "x", "file:///srv/harbour/halyard", "", "local/x"},
		{"a module on a host", "x", "", "forge.example.org/harbour/halyard/v2", "harbour/halyard"},
		{"a module of no host", "x", "", "halyard", "local/x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			repo, err := git.Init(ctx, filepath.Join(t.TempDir(), c.folder), false, "main")
			if err != nil {
				t.Fatal(err)
			}
			if c.origin != "" {
				if _, err := repo.Git(ctx, "remote", "add", "origin", c.origin); err != nil {
					t.Fatal(err)
				}
			}
			if c.module != "" {
				commit(t, repo, "go.mod", "module "+c.module+"\n")
			}
			got, err := localName(ctx, repo)
			if err != nil || got.String() != c.want {
				t.Errorf("it is called %s, %v; want %s", got, err, c.want)
			}
		})
	}
	repo, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "not a name"), false, "main")
	if err != nil {
		t.Fatal(err)
	}
	if name, err := localName(context.Background(), repo); err == nil {
		t.Errorf("a folder that cannot be a name is called %s", name)
	}
}

func commit(t *testing.T, repo *git.Repository, file, text string) {
	t.Helper()
	ctx := t.Context()
	tree, err := repo.EditTree(ctx, "", []git.FileEdit{{Path: file, Content: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	sha, err := repo.CommitTree(ctx, git.NewCommit{Tree: tree, Message: "Begin", Author: git.Person{Name: "Ada", Email: "ada@example.org", Time: time.Unix(0, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.UpdateRef(ctx, "refs/heads/main", sha, ""); err != nil {
		t.Fatal(err)
	}
}
