package forgetest

import (
	"fmt"
	"strings"

	"seaworthy/forge"
)

var contentTests = map[string]func(*test){
	"files are written and read":        filesAreWritten,
	"files with odd names and big ones": oddFiles,
	"commits say who, when and what":    commitsSay,
	"compare lists what head adds":      compareLists,
	"compare follows pages":             compareLong,
}

func filesAreWritten(t *test) {
	t.seeded(t.Ann)
	c := t.Ann.Client
	first, err := c.PutFile(t.ctx, t.repo, "docs/a.md", "main", "Add a", []byte("one\n"))
	t.need(err)
	second, err := c.PutFile(t.ctx, t.repo, "docs/a.md", "main", "Change a", []byte("two\n"))
	t.need(err)
	for ref, want := range map[string]string{"": "two\n", "main": "two\n", first: "one\n", second: "two\n"} {
		got, err := c.File(t.ctx, t.repo, "docs/a.md", ref)
		t.need(err)
		equal(t, fmt.Sprintf("the file at %q", ref), string(got), want)
	}
	b, err := c.Branch(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "tip", b.SHA, second)
	made, err := c.Commit(t.ctx, t.repo, second)
	t.need(err)
	equal(t, "message", strings.TrimSpace(made.Message), "Change a")
	same(t, "parents", made.Parents, []string{first})
	equal(t, "author's login", made.AuthorLogin, t.Ann.Login)

	_, err = c.File(t.ctx, t.repo, "docs/none.md", "main")
	t.refused(err, forge.ErrNotFound, "a file that is not there")
	_, err = c.File(t.ctx, t.repo, "docs/a.md", "no-such-branch")
	t.refused(err, forge.ErrNotFound, "a branch that is not there")
	_, err = c.File(t.ctx, t.repo, "docs", "main")
	t.refused(err, forge.ErrInvalid, "a folder")
	_, err = c.PutFile(t.ctx, t.repo, "x", "no-such-branch", "Add x", []byte("x"))
	t.refused(err, forge.ErrNotFound, "writing to a branch that is not there")
}

func oddFiles(t *test) {
	w := t.seeded(t.Ann)
	c := t.Ann.Client
	for _, path := range []string{"with space.txt", "hash#and%percent.txt", "a:colon?.txt", "ünïcode/日本.txt"} {
		want := "content of " + path
		_, err := c.PutFile(t.ctx, t.repo, path, "main", "Add "+path, []byte(want))
		t.need(err)
		got, err := c.File(t.ctx, t.repo, path, "main")
		t.need(err)
		equal(t, path, string(got), want)
	}
	big := strings.Repeat("0123456789abcdef", 3<<16) // 3 MiB: beyond what a description carries
	w.git("checkout", "--quiet", "-b", "big")
	w.write("big", big)
	w.write("empty", "")
	w.commit("Add big")
	w.git("push", "--quiet", "origin", "big")
	got, err := c.File(t.ctx, t.repo, "big", "big")
	t.need(err)
	if string(got) != big {
		t.Errorf("the big file came back with %d bytes; want %d", len(got), len(big))
	}
	got, err = c.File(t.ctx, t.repo, "empty", "big")
	t.need(err)
	equal(t, "length of the empty file", len(got), 0)
}

func commitsSay(t *test) {
	w := t.seeded(t.Ann)
	parent := w.git("rev-parse", "HEAD")
	w.write("a", "1\n")
	sha := w.commit("Subject\n\nBody with äöü.")
	w.git("push", "--quiet", "origin", "main")
	got, err := t.Ben.Client.Commit(t.ctx, t.repo, sha)
	t.need(err)
	equal(t, "commit", got.SHA, sha)
	same(t, "parents", got.Parents, []string{parent})
	equal(t, "message", strings.TrimSpace(got.Message), "Subject\n\nBody with äöü.")
	equal(t, "author", got.Author.Email, t.Ann.Login+"@example.com")
	equal(t, "committer", got.Committer.Name, t.Ann.Login)
	t.recent("author's time", got.Author.Time)
	_, err = t.Ben.Client.Commit(t.ctx, t.repo, nowhere)
	t.refused(err, forge.ErrNotFound, "a commit that is not there")
	byName, err := t.Ben.Client.Commit(t.ctx, t.repo, "main")
	t.need(err)
	equal(t, "commit of main", byName.SHA, sha)
}

func compareLists(t *test) {
	w := t.seeded(t.Ann)
	w.git("tag", "v1")
	w.git("checkout", "--quiet", "-b", "topic/one")
	w.write("a", "1\n2\n")
	first := w.commit("First")
	w.git("mv", "README", "READ.ME")
	second := w.commit("Second")
	w.git("checkout", "--quiet", "main")
	w.write("elsewhere", "x\n")
	w.commit("Elsewhere")
	w.git("push", "--quiet", "origin", "main", "topic/one", "v1")

	for _, base := range []string{"main", "v1"} {
		commits, files, err := t.Ann.Client.Compare(t.ctx, t.repo, base, "topic/one")
		t.need(err)
		same(t, "commits since "+base, names(commits, func(c forge.Commit) string { return c.SHA }), []string{first, second})
		same(t, "files since "+base, names(files, func(f forge.FileChange) string {
			return fmt.Sprintf("%s %s<%s +%d -%d", f.Status, f.Path, f.PreviousPath, f.Additions, f.Deletions)
		}), []string{"renamed READ.ME<README +0 -0", "added a< +2 -0"})
	}
	commits, files, err := t.Ann.Client.Compare(t.ctx, t.repo, "topic/one", "topic/one")
	t.need(err)
	equal(t, "commits and files of nothing", len(commits)+len(files), 0)
	_, _, err = t.Ann.Client.Compare(t.ctx, t.repo, "main", "no-such-branch")
	t.refused(err, forge.ErrNotFound, "comparing with nothing")
}

func compareLong(t *test) {
	w := t.seeded(t.Ann)
	const count = 120
	w.git("checkout", "--quiet", "-b", "long")
	want := w.chain(count)
	w.git("push", "--quiet", "origin", "long")
	commits, _, err := t.Ann.Client.Compare(t.ctx, t.repo, "main", "long")
	t.need(err)
	same(t, "commits", names(commits, func(c forge.Commit) string { return c.SHA }), want)
}
