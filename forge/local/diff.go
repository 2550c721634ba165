package local

import (
	"context"
	"fmt"
	"io"
	"strings"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

const (
	// emptyTree is the id of the tree without entries, what the first commit is
	// compared with.
	emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	// maxFiles is how many files of a change GitHub lists.
	maxFiles = 3000
	// maxPatch bounds the patch text of one file; larger ones are left out, as
	// GitHub does.
	maxPatch = 1 << 20
)

var fileStatus = map[byte]string{'A': "added", 'M': "modified", 'D': "removed", 'R': "renamed", 'C': "copied", 'T': "changed"}

// files lists what changed from a to b, with patches.
func (f *Forge) files(ctx context.Context, r hosted.Repo, a, b string) ([]wireFile, error) {
	repo := f.gitRepo(r)
	changes, err := repo.Diff(ctx, a, b)
	if err != nil {
		return nil, err
	}
	changes = changes[:min(len(changes), maxFiles)]
	raw, err := repo.Git(ctx, "diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", a, b)
	if err != nil {
		return nil, err
	}
	blobs := blobIDs(raw)
	patches, err := patches(ctx, repo, a, b)
	if err != nil {
		return nil, err
	}
	out := make([]wireFile, 0, len(changes))
	patch := 0
	for i, c := range changes {
		at := b
		if c.Status == 'D' {
			at = a
		}
		p := escapePath(c.Path)
		w := wireFile{Filename: c.Path, PreviousFilename: c.PreviousPath, Status: fileStatus[c.Status],
			Additions: max(c.Additions, 0), Deletions: max(c.Deletions, 0),
			BlobURL: f.repoHTML(r, "/blob/%s/%s", at, p), RawURL: f.repoHTML(r, "/raw/%s/%s", at, p),
			ContentsURL: f.repoAPI(r, "/contents/%s?ref=%s", p, at)}
		w.Changes = w.Additions + w.Deletions
		if i < len(blobs) {
			w.SHA = &blobs[i]
		}
		if patch < len(patches) {
			w.Patch = patches[patch]
		}
		patch++
		if c.Status == 'T' { // written as a removal and an addition
			patch++
		}
		out = append(out, w)
	}
	return out, nil
}

// blobIDs reads the ids of the new (for a removed file, the old) contents from
// a raw diff, in order.
func blobIDs(raw string) []string {
	var ids []string
	for _, f := range strings.Split(raw, "\x00") {
		if !strings.HasPrefix(f, ":") {
			continue
		}
		meta := strings.Fields(f)
		if len(meta) != 5 {
			continue
		}
		id := meta[3]
		if id == git.ZeroSHA {
			id = meta[2]
		}
		ids = append(ids, id)
	}
	return ids
}

// patches returns the hunks of each changed file, in the order of the diff;
// empty for binary files, pure renames, and ones beyond the bound.
func patches(ctx context.Context, repo *git.Repository, a, b string) ([]string, error) {
	text, err := repo.Git(ctx, "diff-tree", "-r", "-p", "-M", "--no-color", "--no-ext-diff", a, b)
	if err != nil {
		return nil, err
	}
	return splitPatches(text), nil
}

// splitPatches cuts a diff into the hunks of each file.
func splitPatches(text string) []string {
	var out []string
	var hunks strings.Builder
	inHunks := false
	end := func() {
		if len(out) > 0 && hunks.Len() <= maxPatch {
			out[len(out)-1] = strings.TrimSuffix(hunks.String(), "\n")
		}
		hunks.Reset()
		inHunks = false
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "diff --git "):
			end()
			out = append(out, "")
		case strings.HasPrefix(line, "@@ "):
			inHunks = true
			hunks.WriteString(line)
		case inHunks:
			hunks.WriteString(line)
		}
	}
	end()
	return out
}

// diffText answers with a change as text: a diff, or a mailbox of patches.
func (c *call) diffText(base, head string, mailbox bool) error {
	contentType := "application/vnd.github.diff; charset=utf-8"
	args := []string{"diff-tree", "-r", "-p", "-M", "--no-color", base, head}
	if mailbox {
		contentType = "application/vnd.github.patch; charset=utf-8"
		args = []string{"format-patch", "--stdout", "--no-color", "--no-signature", base + ".." + head}
	}
	var out strings.Builder
	if err := c.git().Stream(c.ctx(), nil, &limitedWriter{&out, 64 << 20}, args...); err != nil {
		return err
	}
	return c.bytes(200, contentType, []byte(out.String()))
}

// limitedWriter fails once more than left bytes were written.
type limitedWriter struct {
	w    io.Writer
	left int
}

// Write implements io.Writer.
func (l *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("the diff is too large")
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// wants reports whether the caller asked for a media type like "diff", "patch",
// "raw" or "object".
func (c *call) wants(param string) bool {
	return strings.Contains(mediaType(c.r.Header.Get("Accept")), "param="+param+";")
}
