package local_test

import (
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"
)

// TestRoad walks a change from a clone to a merge.
func TestRoad(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx := t.Context()
	w := e.seed(t)
	sha := w.branch("feature/knot", "knot.txt", "bowline\n")
	p := e.pull(t, "ben", "feature/knot")
	if p.GetNumber() != 1 || p.GetHead().GetSHA() != sha || p.GetState() != "open" || !p.GetMergeable() || p.GetCommits() != 1 || p.GetAdditions() != 1 || p.GetChangedFiles() != 1 {
		t.Fatalf("opened as %v", p)
	}
	ada := e.as(t, "ada")
	files, _, err := ada.PullRequests.ListFiles(ctx, owner, repo, 1, nil)
	check(t, err)
	if len(files) != 1 || files[0].GetFilename() != "knot.txt" || files[0].GetStatus() != "added" || !strings.Contains(files[0].GetPatch(), "+bowline") {
		t.Fatalf("files: %v", files)
	}
	if got := w.git("ls-remote", "origin", "refs/pull/1/head"); !strings.HasPrefix(got, sha) {
		t.Fatalf("refs/pull/1/head is %q, not %s", got, sha)
	}
	if got := w.git("ls-remote", "origin", "refs/pull/1/merge"); !strings.HasPrefix(got, p.GetMergeCommitSHA()) || got == "" {
		t.Fatalf("refs/pull/1/merge is %q, not %s", got, p.GetMergeCommitSHA())
	}
	merged, _, err := ada.PullRequests.Merge(ctx, owner, repo, 1, "", &github.PullRequestOptions{SHA: sha, MergeMethod: "merge"})
	check(t, err)
	p, _, err = ada.PullRequests.Get(ctx, owner, repo, 1)
	check(t, err)
	if !p.GetMerged() || p.GetMergeCommitSHA() != merged.GetSHA() || p.GetMergedBy().GetLogin() != "ada" || p.GetState() != "closed" || p.GetCommits() != 1 {
		t.Fatalf("merged as %v", p)
	}
	w.git("fetch", "-q", "origin")
	if got := w.git("rev-parse", "origin/main"); got != merged.GetSHA() {
		t.Fatalf("main is at %s, not %s", got, merged.GetSHA())
	}
	if got := w.git("show", "-s", "--format=%s|%b", merged.GetSHA()); got != "Merge pull request #1 from harbour/feature/knot|Add feature/knot" {
		t.Fatalf("merge commit says %q", got)
	}
}
