// Package build makes the files of a release: programs for many platforms,
// packed into archives that are the same bytes every time.
//
//	artifacts, err := build.Build(ctx, build.Request{
//		Source: checkout, Name: "halyard", Version: "v1.2.0",
//		Commit: sha, CommitTime: when,
//		Main:      []string{"./cmd/halyard"},
//		LDFlags:   "-X main.version={version} -X main.commit={commit}",
//		Platforms: platforms,
//		OutDir:    dir,
//	}, nil)
//
// An archive is named NAME_VERSION_OS_ARCH.tar.gz (.zip for windows) and holds
// one folder of the same name. Nothing of the machine gets into it: the
// builder runs in a clean environment, paths are trimmed, every entry has the
// commit's time, owner 0 and a fixed mode, entries are sorted, and compression
// has fixed settings. A target is packed while others still compile, and its
// digests are taken while it is written. Files appear in OutDir all together
// at the end, or not at all.
//
// The other direction is here too: Extract unpacks an archive that is not
// trusted, and Inspect says what a program was built for.
package build
