package app

import (
	"context"
	"fmt"
	"path"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"gocloud.dev/gcerrors"

	"seaworthy/artifact/image"
	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/release/verify"
)

// VerifyRelease re-checks a published release. Signatures are held against the
// verifier, or against the platform's own key when nil.
func (a *App) VerifyRelease(ctx context.Context, repo forge.RepoName, tag string, verifier *sign.Verifier) (verify.Report, error) {
	return a.VerifyReleaseBy(ctx, repo, tag, Signers{Files: verifier})
}

// Signers are those whose signatures count. What is left out is the platform's
// own.
type Signers struct {
	Files *sign.Verifier // of files and images
	// Tags is an allowed-signers file (ssh-keygen(1)) for tags signed with SSH,
	// or armoured public keys for those signed with OpenPGP.
	Tags []byte
}

// VerifyReleaseBy is VerifyRelease with the signers of tags named, too.
func (a *App) VerifyReleaseBy(ctx context.Context, repo forge.RepoName, tag string, by Signers) (verify.Report, error) {
	verifier := by.Files
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
	find := func(ctx context.Context, repo forge.RepoName, tag string) (verify.Tag, error) {
		return a.tag(ctx, repo, tag, by.Tags)
	}
	return verify.Release(ctx, repo, tag, verify.Options{
		Pages: pages, Tag: find, Prefix: project.Release.TagPrefix, Verifier: verifier,
		Registry: a.registryAddress(), Remote: []remote.Option{remote.WithTransport(image.Bounded{Inner: remote.DefaultTransport}), remote.WithAuthFromKeychain(botKeychain{a})}, Marker: a.marker,
	})
}

// tag looks a tag up in an up-to-date clone.
func (a *App) tag(ctx context.Context, repo forge.RepoName, tag string, signers []byte) (verify.Tag, error) {
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
			if t.Signature, err = a.signature(ctx, clone, repo, tag, signers); err != nil {
				return t, fmt.Errorf("verifying the tag %s: %w", tag, err)
			}
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
