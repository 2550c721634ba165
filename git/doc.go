// Package git drives the git program: clone cache, merges that touch no work
// tree, annotated tags, log, archive, push.
//
// The program is used rather than a library because it is complete, fast and
// what everybody's repositories were made with. Every call runs in a clean
// environment (no user or system configuration, no prompts, no pager, English
// messages), so that a laptop and a server behave alike; credentials travel in
// the environment, never on a command line or in a remote's address.
//
//	repo, err := git.Clone(ctx, url, dir, git.CloneOptions{Bare: true})
//	head, err := repo.Resolve(ctx, "refs/heads/main")
//	tree, err := repo.MergeTree(ctx, head, "refs/pull/7/head")
//
// It needs git 2.38 or newer (merge-tree --write-tree).
package git
