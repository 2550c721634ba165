// Package notes turns pull requests into release notes and a changelog.
//
// An author writes the note into the pull request's body, in a block fenced
// with release-note; Check says what such a body holds, and Generate walks the
// history of a release, finds the pull request behind every commit and
// collects their notes:
//
//	n, err := notes.Generate(ctx, notes.Options{
//		Git: repo, Forge: client, Repo: name,
//		From: "v1.1.0", To: "release-1.2", Version: "v1.2.0",
//	})
//	markdown := n.Markdown(notes.Render{Links: true})
//	section := notes.Section{Version: "v1.2.0", Previous: "v1.1.0", Notes: n}.Markdown()
//
// Block, labels, JSON and changelog follow Kubernetes: a draft written by its
// tools reads back and renders the same. Nothing is dropped silently: a forge
// that does not answer is an error that names the commit, and commits without
// a pull request are listed by their subjects under a heading that says so.
package notes
