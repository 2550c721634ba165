// Package gitea speaks to Gitea, and to Forgejo, as far as releases need a forge:
// repositories and branches, release pages and their files, commit statuses,
// issues, and the pull requests that notes are made from.
//
//	c, err := gitea.New(gitea.Options{URL: "https://codeberg.org", Token: token})
//	r, err := c.CreateRelease(ctx, repo, forge.NewRelease{Tag: "v1.0.0", Name: "Halyard 1.0.0", Draft: true})
//
// Errors are the kinds of package forge. What the forge does not say stays
// empty: an asset has no digest and no content type, so whoever must know that
// it is whole downloads it.
//
// The API: https://docs.gitea.com/api/. It differs from GitHub's in ways that
// matter here: a page's files hang below the page, so the calls about a file by
// its id alone look for the page first; and a draft may share its tag with
// others.
package gitea
