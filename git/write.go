package git

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ZeroSHA is the id git uses for "no object".
const ZeroSHA = "0000000000000000000000000000000000000000"

// MergeTree merges two commits without a work tree and returns the tree.
// The error is ErrConflict, naming the files, when they do not merge cleanly.
func (r *Repository) MergeTree(ctx context.Context, ours, theirs string) (string, error) {
	out, err := r.Git(ctx, "merge-tree", "--write-tree", "--name-only", "--no-messages", ours, theirs)
	var ge *Error
	if errors.As(err, &ge) && ge.Code == 1 {
		lines := strings.Fields(out)
		files := "unknown files"
		if len(lines) > 1 {
			files = strings.Join(lines[1:], ", ")
		}
		return "", fmt.Errorf("%w in %s", ErrConflict, files)
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// CherryPickTree applies what commit changed against its first parent onto
// another commit, without a work tree, and returns the tree.
//
// merge-tree takes its base from history alone before git 2.40, so the target's
// tree is given the commit's parent as its only ancestor and merged from there.
func (r *Repository) CherryPickTree(ctx context.Context, onto, commit string) (string, error) {
	parent, err := r.Resolve(ctx, commit+"^")
	if err != nil {
		return "", fmt.Errorf("cherry-picking %s, which has no parent: %w", commit, err)
	}
	grafted, err := r.CommitTree(ctx, NewCommit{
		Tree: onto + "^{tree}", Parents: []string{parent}, Message: "graft",
		Author: Person{Name: "graft", Email: "graft@localhost", Time: time.Unix(0, 0)},
	})
	if err != nil {
		return "", fmt.Errorf("cherry-picking %s: %w", commit, err)
	}
	tree, err := r.MergeTree(ctx, grafted, commit)
	if err != nil {
		return "", fmt.Errorf("cherry-picking %s: %w", commit, err)
	}
	return tree, nil
}

// NewCommit is a commit to be written.
type NewCommit struct {
	Tree      string
	Parents   []string
	Message   string
	Author    Person
	Committer Person // Author when empty
}

// CommitTree writes a commit object and returns its id. The same input gives
// the same id.
func (r *Repository) CommitTree(ctx context.Context, c NewCommit) (string, error) {
	if c.Committer.Name == "" {
		c.Committer = c.Author
	}
	args := []string{"commit-tree", c.Tree}
	for _, p := range c.Parents {
		args = append(args, "-p", p)
	}
	out, err := call{dir: r.Dir, auth: r.auth, args: append(args, "-F", "-"), stdin: strings.NewReader(c.Message),
		env: append(identity("AUTHOR", c.Author), identity("COMMITTER", c.Committer)...)}.run(ctx)
	return strings.TrimSpace(out), err
}

func identity(role string, p Person) []string {
	return []string{
		"GIT_" + role + "_NAME=" + p.Name,
		"GIT_" + role + "_EMAIL=" + p.Email,
		"GIT_" + role + "_DATE=@" + strconv.FormatInt(p.Time.Unix(), 10) + " +0000",
	}
}

// WriteBlob stores content and returns its id.
func (r *Repository) WriteBlob(ctx context.Context, content []byte) (string, error) {
	out, err := call{dir: r.Dir, args: []string{"hash-object", "-w", "--stdin"}, stdin: strings.NewReader(string(content))}.run(ctx)
	return strings.TrimSpace(out), err
}

// FileEdit is a file to be put into (or, with Delete, taken out of) a tree.
type FileEdit struct {
	Path    string
	Content []byte
	Mode    string // "100644" when empty
	Delete  bool
}

// EditTree returns the tree of rev with the edits applied. An empty rev starts
// from an empty tree. It uses an index of its own, so it never disturbs a work
// tree and many may run at once.
func (r *Repository) EditTree(ctx context.Context, rev string, edits []FileEdit) (string, error) {
	index, remove, err := temporaryIndex()
	if err != nil {
		return "", err
	}
	defer remove()
	env := []string{"GIT_INDEX_FILE=" + index}
	read := []string{"read-tree", "--empty"}
	if rev != "" {
		read = []string{"read-tree", rev}
	}
	if _, err := r.GitEnv(ctx, env, read...); err != nil {
		return "", err
	}
	var info strings.Builder
	for _, e := range edits {
		if e.Delete {
			fmt.Fprintf(&info, "0 %s\t%s\x00", ZeroSHA, e.Path)
			continue
		}
		blob, err := r.WriteBlob(ctx, e.Content)
		if err != nil {
			return "", fmt.Errorf("writing %s: %w", e.Path, err)
		}
		mode := e.Mode
		if mode == "" {
			mode = "100644"
		}
		fmt.Fprintf(&info, "%s %s\t%s\x00", mode, blob, e.Path)
	}
	if _, err := (call{dir: r.Dir, env: env, args: []string{"update-index", "-z", "--index-info"}, stdin: strings.NewReader(info.String())}).run(ctx); err != nil {
		return "", err
	}
	out, err := r.GitEnv(ctx, env, "write-tree")
	return strings.TrimSpace(out), err
}

// NewTag is an annotated tag to be made.
type NewTag struct {
	Name    string // without refs/tags/
	Commit  string
	Message string
	Tagger  Person
	// Signature of SignTag, for the same tag; empty for one that is not signed.
	Signature string
}

// CreateTag makes an annotated tag and returns the id of the tag object. The
// same input gives the same id. A tag that is there already with that id is
// left as it is; with another id the error is ErrRejected.
func (r *Repository) CreateTag(ctx context.Context, t NewTag) (string, error) {
	out, err := call{dir: r.Dir, args: []string{"mktag"}, stdin: strings.NewReader(t.content() + t.Signature)}.run(ctx)
	if err != nil {
		return "", err
	}
	sha := strings.TrimSpace(out)
	ref := "refs/tags/" + t.Name
	if have, err := r.ResolveObject(ctx, ref); err == nil {
		if have != sha {
			return "", fmt.Errorf("tag %s exists as %s: %w", t.Name, have, ErrRejected)
		}
		return sha, nil
	} else if !errors.Is(err, ErrNotFound) {
		return "", err
	}
	return sha, r.UpdateRef(ctx, ref, sha, ZeroSHA)
}

// UpdateRef moves a ref to sha if it is now at old (ZeroSHA: must not exist; "":
// do not look). An empty sha deletes it. A ref that moved is ErrRejected.
func (r *Repository) UpdateRef(ctx context.Context, ref, sha, old string) error {
	args := []string{"update-ref"}
	if sha == "" {
		args = append(args, "-d", ref)
	} else {
		args = append(args, ref, sha)
	}
	if old != "" {
		args = append(args, old)
	}
	_, err := r.Git(ctx, args...)
	var ge *Error
	if errors.As(err, &ge) && strings.Contains(ge.Stderr, "cannot lock ref") {
		return fmt.Errorf("%s moved: %w", ref, ErrRejected)
	}
	return err
}

// Fetch brings refs from a remote address or name.
func (r *Repository) Fetch(ctx context.Context, remote string, refspecs ...string) error {
	_, err := r.Git(ctx, append([]string{"fetch", "--quiet", "--no-tags", "--force", "--end-of-options", remote}, refspecs...)...)
	var ge *Error
	if errors.As(err, &ge) && strings.Contains(ge.Stderr, "couldn't find remote ref") {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// PushOptions say how to push.
type PushOptions struct {
	DryRun bool
	Atomic bool
	// Lease maps a full ref name to the id it must have on the other side
	// (ZeroSHA: must not exist).
	Lease map[string]string
}

// Push sends refspecs ("SRC:DST", full names) to a remote address or name. A
// refusal of the other side is ErrRejected with what it said.
func (r *Repository) Push(ctx context.Context, remote string, o PushOptions, refspecs ...string) error {
	args := []string{"push", "--porcelain"}
	if o.DryRun {
		args = append(args, "--dry-run")
	}
	if o.Atomic {
		args = append(args, "--atomic")
	}
	for ref, sha := range o.Lease {
		if sha == ZeroSHA {
			sha = ""
		}
		args = append(args, "--force-with-lease="+ref+":"+sha)
	}
	args = append(args, "--end-of-options", remote)
	out, err := r.Git(ctx, append(args, refspecs...)...)
	var ge *Error
	if errors.As(err, &ge) {
		text := ge.Stderr + out
		if strings.Contains(text, "[rejected]") || strings.Contains(text, "[remote rejected]") {
			return fmt.Errorf("push to %s %w: %s", remote, ErrRejected, rejection(text))
		}
	}
	return err
}

// rejection says why a push was refused: what the other side said, and each
// reason with the refs it holds for. Where one thing is wrong with all of a
// repository's refs, one is named.
func rejection(text string) string {
	var why, reasons []string
	refs := map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		said, isSaid := strings.CutPrefix(line, "remote:")
		switch fields := strings.SplitN(line, "\t", 3); {
		case isSaid:
			why = append(why, strings.TrimSpace(said))
		case strings.HasPrefix(line, "fatal:"):
			why = append(why, line)
		case len(fields) == 3 && strings.Contains(fields[2], "rejected]"):
			_, ref, _ := strings.Cut(fields[1], ":")
			if refs[fields[2]] == nil {
				reasons = append(reasons, fields[2])
			}
			refs[fields[2]] = append(refs[fields[2]], ref)
		case strings.Contains(line, "rejected]"):
			why = append(why, line)
		}
	}
	for _, reason := range reasons {
		names := strings.Join(refs[reason], ", ")
		if n := len(refs[reason]); n > 3 {
			names = fmt.Sprintf("%s and %d more", refs[reason][0], n-1)
		}
		why = append(why, names+" "+reason)
	}
	return strings.Join(why, "; ")
}
