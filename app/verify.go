package app

import (
	"bytes"
	"context"
	"fmt"
	"path"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"gocloud.dev/gcerrors"

	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/release/verify"
)

// VerifyRelease re-checks a published release. Signatures are held against the
// verifier, or against the platform's own key when nil.
func (a *App) VerifyRelease(ctx context.Context, repo forge.RepoName, tag string, verifier *sign.Verifier) (verify.Report, error) {
	if verifier == nil {
		verifier = a.verifier
	}
	project, err := a.Project(ctx, repo, "")
	if err != nil {
		return verify.Report{}, err
	}
	var pages verify.Pages = a.Forge
	if a.alone != nil {
		pages = a.alone.forge.pages
	}
	return verify.Release(ctx, repo, tag, verify.Options{
		Pages: pages, Tag: a.tag, Prefix: project.Release.TagPrefix, Verifier: verifier,
		Registry: a.registryAddress(), Remote: []remote.Option{remote.WithAuthFromKeychain(botKeychain{a})}, Marker: a.marker,
	})
}

// tag looks a tag up in an up-to-date clone.
func (a *App) tag(ctx context.Context, repo forge.RepoName, tag string) (verify.Tag, error) {
	clone, err := a.published(ctx, repo)
	if err != nil {
		return verify.Tag{}, err
	}
	refs, err := clone.Refs(ctx, "refs/tags/"+tag)
	if err != nil {
		return verify.Tag{}, fmt.Errorf("looking for the tag %s: %w", tag, err)
	}
	for _, r := range refs {
		if r.Name != "refs/tags/"+tag {
			continue
		}
		t := verify.Tag{Commit: r.Commit, Annotated: r.Commit != r.SHA}
		if t.Annotated {
			text, err := clone.Git(ctx, "cat-file", "tag", r.SHA)
			if err != nil {
				return t, fmt.Errorf("reading the tag %s: %w", tag, err)
			}
			t.Signed = bytes.Contains([]byte(text), []byte("\n-----BEGIN "))
		}
		return t, nil
	}
	return verify.Tag{}, verify.ErrNoTag
}

// marker reads a marker file from where readers do.
func (a *App) marker(ctx context.Context, repo forge.RepoName, name string) (string, error) {
	text, err := a.Bucket.ReadAll(ctx, path.Join("release", repo.Owner, repo.Name, name))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", nil
	}
	return string(text), err
}
