package app

import (
	"context"
	"fmt"
	"io"

	"seaworthy/artifact"
	"seaworthy/artifact/transfer"
	"seaworthy/forge"
	"seaworthy/forge/github"
)

// ReleasesOf returns the releases of a repository on GitHub or a forge that
// speaks its language. api is the address of its API, that of github.com if
// empty; token may be empty where releases are public.
func ReleasesOf(api, token string, repo forge.RepoName) (transfer.Releases, error) {
	c, err := github.New(github.Options{BaseURL: api, Token: token})
	if err != nil {
		return nil, err
	}
	return releases{c, repo}, nil
}

// releases are those of one repository.
type releases struct {
	client *github.Client
	repo   forge.RepoName
}

// Releases implements transfer.Releases. What was not uploaded to its end is
// not part of a release.
func (r releases) Releases(ctx context.Context) ([]transfer.Release, error) {
	list, err := r.client.Releases(ctx, r.repo)
	if err != nil {
		return nil, err
	}
	var all []transfer.Release
	for _, l := range list {
		if l.Draft {
			continue
		}
		to := transfer.Release{Tag: l.Tag, Prerelease: l.Prerelease}
		for _, a := range l.Assets {
			if a.State != "" && a.State != "uploaded" {
				continue
			}
			asset := transfer.Asset{ID: a.ID, Name: a.Name, Size: a.Size}
			if a.Digest != "" {
				if asset.Digest, err = artifact.ParseDigest(a.Digest); err != nil {
					return nil, fmt.Errorf("release %s of %s: asset %s: %w", l.Tag, r.repo, a.Name, err)
				}
			}
			to.Assets = append(to.Assets, asset)
		}
		all = append(all, to)
	}
	return all, nil
}

// Download implements transfer.Releases.
func (r releases) Download(ctx context.Context, id int64) (io.ReadCloser, error) {
	return r.client.DownloadAsset(ctx, r.repo, id)
}
