package notes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/git"
)

var (
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	start   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// history writes commits into a real repository, an hour apart.
type history struct {
	t    *testing.T
	repo *git.Repository
	now  time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	repo, err := git.Init(t.Context(), filepath.Join(t.TempDir(), "r.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	return &history{t: t, repo: repo, now: start}
}

// commit adds a commit with the parents and returns its id.
func (h *history) commit(message string, parents ...string) string {
	h.t.Helper()
	h.now = h.now.Add(time.Hour)
	tree, err := h.repo.EditTree(h.t.Context(), "", []git.FileEdit{{Path: "f", Content: []byte(h.now.String())}})
	if err != nil {
		h.t.Fatal(err)
	}
	sha, err := h.repo.CommitTree(h.t.Context(), git.NewCommit{Tree: tree, Parents: parents, Message: message,
		Author: git.Person{Name: "Ada", Email: "ada@halyard.example", Time: h.now}})
	if err != nil {
		h.t.Fatal(err)
	}
	return sha
}

func (h *history) ref(name, sha string) {
	h.t.Helper()
	if err := h.repo.UpdateRef(h.t.Context(), name, sha, ""); err != nil {
		h.t.Fatal(err)
	}
}

// pulls is a forge that knows some pull requests.
type pulls struct {
	known map[int]forge.PullRequest
	fails map[int]error
	mu    sync.Mutex
	asked []int
}

// PullRequest implements Forge.
func (p *pulls) PullRequest(_ context.Context, repo forge.RepoName, n int) (forge.PullRequest, error) {
	p.mu.Lock()
	p.asked = append(p.asked, n)
	p.mu.Unlock()
	if err := p.fails[n]; err != nil {
		return forge.PullRequest{}, err
	}
	pr, ok := p.known[n]
	if !ok || repo != halyard {
		return forge.PullRequest{}, fmt.Errorf("pull request %d: %w", n, forge.ErrNotFound)
	}
	return pr, nil
}

func pr(n int, author, body string, labels ...string) forge.PullRequest {
	return forge.PullRequest{
		Repo: halyard, Number: n, Author: author, Body: body, Labels: labels, CreatedAt: start,
		HTMLURL: fmt.Sprintf("https://forge.example/harbour/halyard/pull/%d", n),
	}
}

func fence(text string) string { return "```release-note\n" + text + "\n```\n" }

func numbers(n Notes) (list []int) {
	for _, note := range n.Notes {
		list = append(list, note.PRNumber)
	}
	return list
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := h.commit("Begin")
	first := h.commit("Add a (#1)", root)
	h.ref("refs/tags/v0.1.0", first)
	squash := h.commit("Add b (#2)\n\nSee #99 and (#98).", first)
	topic := h.commit("Topic work (#97)", squash)
	merge := h.commit("Merge pull request #3 from cho/topic\n\nAdd c", squash, topic)
	none := h.commit("Clean up (#4)", merge)
	revert := h.commit(`Revert "Add b (#2)" (#5)`, none)
	urgent := h.commit("Drop d (#6)", revert)
	forgotten := h.commit("Forget (#7)", urgent)
	direct := h.commit("Fix typo", forgotten)
	h.ref("refs/heads/main", direct)

	f := &pulls{known: map[int]forge.PullRequest{
		1: pr(1, "ada", fence("Old.")),
		2: pr(2, "ben", fence("added b"), "kind/feature", "sig/node", "sig/api-machinery", "area/cli", "sig/node"),
		3: pr(3, "cho", fence("Fixed c.")+"```docs\n- [KEP]: https://forge.example/x/keps/1\n```\n", "kind/bug", "kind/regression", "lgtm"),
		4: pr(4, "dee", fence("NONE")),
		5: pr(5, "ben", fence("Took b away.")),
		6: pr(6, "ada", fence("[action required] Stop using d."), "kind/deprecation"),
		7: pr(7, "ada", "forgot"),
	}}
	got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "v0.1.0", To: "main", KeepBodies: true})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(f.asked)
	if diff := cmp.Diff([]int{2, 3, 4, 5, 6, 7}, f.asked); diff != "" {
		t.Errorf("asked for other pull requests: %s", diff)
	}
	if diff := cmp.Diff([]int{2, 3, 5, 6}, numbers(got)); diff != "" {
		t.Fatal(diff)
	}
	want := Note{
		Commit: squash, Text: "added b", Author: "ben", AuthorURL: "https://forge.example/ben",
		Markdown: "Added b ([#2](https://forge.example/harbour/halyard/pull/2), [@ben](https://forge.example/ben)) [SIG API Machinery and Node]",
		PRURL:    "https://forge.example/harbour/halyard/pull/2", PRNumber: 2,
		Areas: []string{"cli"}, Kinds: []string{"feature"}, SIGs: []string{"api-machinery", "node"}, Feature: true, Duplicate: true,
		PRBody: fence("added b"),
	}
	if diff := cmp.Diff(want, got.Notes[0]); diff != "" {
		t.Error(diff)
	}
	if n := got.Notes[1]; !n.DuplicateKind || len(n.Documentation) != 1 || n.Documentation[0].Type != DocKEP {
		t.Errorf("%+v", n)
	}
	if n := got.Notes[3]; !n.ActionRequired || n.Text != "Stop using d." {
		t.Errorf("%+v", n)
	}
	if diff := cmp.Diff([]Subject{{Commit: direct, Text: "Fix typo", Author: "Ada"}}, got.Subjects); diff != "" {
		t.Error(diff)
	}
	if len(got.Problems) != 1 || got.Problems[0].PRNumber != 7 || got.Problems[0].Outcome != MissingNote {
		t.Errorf("problems %+v", got.Problems)
	}
	if got.PullRequests != 6 || got.From != first || got.To != direct {
		t.Errorf("%d pull requests from %s to %s", got.PullRequests, got.From, got.To)
	}
	again, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "v0.1.0", To: "main", KeepBodies: true})
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("not the same twice: %s %v", diff, err)
	}
}

func TestGenerateFromTheBeginningAndAcrossBranches(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := h.commit("One (#1)")
	fork := h.commit("Two (#2)", root)
	released := h.commit("Only on the branch (#3)", fork)
	h.ref("refs/heads/release-0.1", released)
	tip := h.commit("Only on main (#4)", fork)
	h.ref("refs/heads/main", tip)
	f := &pulls{known: map[int]forge.PullRequest{}}
	for n := 1; n <= 4; n++ {
		f.known[n] = pr(n, "ada", fence(fmt.Sprintf("Change %d.", n)))
	}
	for _, tc := range []struct {
		from, to string
		want     []int
	}{
		{"", "release-0.1", []int{1, 2, 3}},
		{"release-0.1", "main", []int{4}},
		{"main", "release-0.1", []int{3}},
		{"main", "main", nil},
	} {
		got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: tc.from, To: tc.to})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, numbers(got)); diff != "" {
			t.Errorf("%s..%s: %s", tc.from, tc.to, diff)
		}
	}
	for _, o := range []Options{{From: "v9", To: "main"}, {To: "v9"}} {
		o.Git, o.Forge, o.Repo = h.repo, f, halyard
		if _, err := Generate(t.Context(), o); !errors.Is(err, git.ErrNotFound) {
			t.Errorf("%s..%s gives %v", o.From, o.To, err)
		}
	}
	other := h.commit("Unrelated")
	h.ref("refs/heads/other", other)
	if _, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "other", To: "main"}); !errors.Is(err, git.ErrNotFound) {
		t.Errorf("unrelated histories give %v", err)
	}
}

func TestGenerateNeverDropsANote(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	tip := h.commit("Begin (#1)")
	f := &pulls{known: map[int]forge.PullRequest{1: pr(1, "ada", fence("One."))}, fails: map[int]error{}}
	for n := 2; n < 30; n++ {
		tip = h.commit(fmt.Sprintf("Change (#%d)", n), tip)
		f.known[n] = pr(n, "ada", fence("Some."))
	}
	h.ref("refs/heads/main", tip)
	sha, err := h.repo.Resolve(t.Context(), "main~10")
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{forge.ErrUnavailable, forge.ErrForbidden, &forge.RateLimitError{Until: start, Cause: errors.New("403")}, io429{}} {
		f.fails[19] = cause
		got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, To: "main"})
		if !errors.Is(err, cause) || len(got.Notes) != 0 {
			t.Errorf("%v gives %d notes and %v", cause, len(got.Notes), err)
		}
		for _, part := range []string{sha[:12], "#19", "Change (#19)"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not name %s: %v", part, err)
			}
		}
	}
	delete(f.fails, 19)
	if got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, To: "main"}); err != nil || len(got.Notes) != 29 {
		t.Errorf("%d notes, %v", len(got.Notes), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Generate(ctx, Options{Git: h.repo, Forge: f, Repo: halyard, To: "main"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled gives %v", err)
	}
}

type io429 struct{}

// Error implements error.
func (io429) Error() string { return "something else" }

func TestGenerateCherryPicks(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := h.commit("Begin")
	h.ref("refs/tags/v1", root)
	side := h.commit("Fix leak", root)
	tip := h.commit("Merge pull request #20 from bot/automated-cherry-pick-of-#10-upstream-release-0.1", root, side)
	side = h.commit("Fix crash", tip)
	tip = h.commit("Merge pull request #21 from bot/automated-cherry-pick-of-#11-upstream-release-0.1", tip, side)
	tip = h.commit("Fix race (#12)\n\n(cherry picked from commit 0123)", tip)
	h.ref("refs/heads/main", tip)
	f := &pulls{known: map[int]forge.PullRequest{
		10: pr(10, "ben", fence("Fixed a leak.")), 20: pr(20, "bot", fence("Fixed a leak in 0.1.")),
		11: pr(11, "cho", fence("Fixed a crash.")), 21: pr(21, "bot", "Cherry pick of #11."),
		12: pr(12, "dee", fence("Fixed a race.")),
	}}
	got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "v1", To: "main"})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range got.Notes {
		lines = append(lines, n.line(false))
	}
	if diff := cmp.Diff([]string{"Fixed a race. (#12, @dee)", "Fixed a leak in 0.1. (#20, @ben)", "Fixed a crash. (#21, @cho)"}, lines); diff != "" {
		t.Error(diff)
	}
	f.fails = map[int]error{11: forge.ErrUnavailable}
	if _, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "v1", To: "main"}); !errors.Is(err, forge.ErrUnavailable) {
		t.Errorf("an origin that cannot be had gives %v", err)
	}
}

func TestGenerateRebaseMergeOnce(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	tip := h.commit("Part one (#8)")
	tip = h.commit("Part two (#8)", tip)
	h.ref("refs/heads/main", tip)
	f := &pulls{known: map[int]forge.PullRequest{8: pr(8, "ada", fence("Both parts."))}}
	got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, To: "main"})
	if err != nil || len(got.Notes) != 1 || got.Notes[0].Commit != tip || got.PullRequests != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A history that was made elsewhere: its numbers are another forge's.
func TestGenerateImportedHistory(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := h.commit("Begin")
	h.ref("refs/tags/v1", root)
	work := h.commit("Work on it", root)
	more := h.commit("More work", work)
	merge := h.commit("Merge branch 'topic'", root, more)
	squash := h.commit("Speed up (#1)", merge)
	later := h.commit("Slow down (#500)", squash)
	book := h.commit("Release commit for v2", later)
	h.ref("refs/heads/main", book)
	// The forge's own #1 was opened after the import.
	young := pr(1, "ada", fence("Something else altogether."))
	young.CreatedAt = h.now.Add(time.Hour)
	want := []Subject{
		{Commit: later, Text: "Slow down (#500)", Author: "Ada", PR: 500},
		{Commit: squash, Text: "Speed up (#1)", Author: "Ada", PR: 1},
		{Commit: more, Text: "More work", Author: "Ada"},
		{Commit: work, Text: "Work on it", Author: "Ada"},
	}
	skip := func(c git.Commit) bool { return strings.HasPrefix(c.Message, "Release commit") }
	for name, f := range map[string]Forge{"no forge": nil, "young forge": &pulls{known: map[int]forge.PullRequest{1: young}}} {
		got, err := Generate(t.Context(), Options{Git: h.repo, Forge: f, Repo: halyard, From: "v1", To: "main", Skip: skip})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Subjects); diff != "" || len(got.Notes) != 0 || got.PullRequests != 0 {
			t.Errorf("%s: %s %+v", name, diff, got.Notes)
		}
		if md := got.Markdown(Render{}); !strings.Contains(md, "No pull requests are known") || !strings.Contains(md, "- Speed up (\\#1) (") {
			t.Errorf("%s:\n%s", name, md)
		}
	}
}

func TestPullNumber(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		message        string
		number, origin int
	}{
		{"Merge pull request #12 from a/b", 12, 0},
		{"Merge pull request #12 from a/b\n\nTitle (#13)", 12, 0},
		{"Merge pull request #12 from a/automated-cherry-pick-of-#7-upstream-release-1.2", 12, 7},
		{"Merge pull request #12 from a/automated-cherry-pick-of-#7-#8-upstream-release-1.2", 12, 7},
		{"Add x (#9)", 9, 0},
		{"Add x (#9) ", 9, 0},
		{"Add x (#9)\n\nbody (#10)", 9, 0},
		{`Revert "Add x (#7)" (#9)`, 9, 0},
		{`Revert "Add x (#7)"`, 0, 0},
		{`Revert "Merge pull request #7 from a/b"`, 0, 0},
		{"Add x (#7) and y", 0, 0},
		{"Fixes #7", 0, 0},
		{"Add x (#0)", 0, 0},
		{"Add x (#07)", 0, 0},
		{"Add x (#99999999999999999999)", 0, 0},
		{"Add x\n\n(#7)", 0, 0},
		{"", 0, 0},
	} {
		if n, o := PullNumber(tc.message); n != tc.number || o != tc.origin {
			t.Errorf("%q is pull request %d of %d, want %d of %d", tc.message, n, o, tc.number, tc.origin)
		}
	}
}

func FuzzPullNumber(f *testing.F) {
	f.Add("Merge pull request #12 from a/automated-cherry-pick-of-#7-x")
	f.Add("x (#3)")
	f.Fuzz(func(t *testing.T, s string) {
		if n, o := PullNumber(s); n < 0 || o < 0 || o != 0 && n == 0 {
			t.Fatalf("%q gives %d of %d", s, n, o)
		}
	})
}
