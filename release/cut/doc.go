// Package cut makes releases: it stages one, cuts it, and creates the branch
// it is made on. Each of the three is a flow, so a release that was killed at
// any instant is resumed and ends with the same bytes, and nothing is published
// twice. Read stageflow.go, cutflow.go and branchflow.go first: they are the order of
// all work. FastForward moves a release branch on until its first final release.
//
//	s, err := cut.New(cut.Options{Forge: client, Pages: client, Pulls: client, Git: cache,
//		Bucket: bucket, Engine: engine, Project: project, WorkDir: dir})
//	plan, err := s.Plan(ctx, cut.StageRequest{Repo: repo, Branch: "release-1.4", Kind: release.Official})
//	run, err := s.Stage(ctx, cut.StageRequest{Repo: repo, Branch: "release-1.4", Kind: release.Official, Actor: "ada"})
//	state, err := s.Drive(ctx, run.ID, flow.DriveOptions{})
//	run, err = s.Cut(ctx, cut.CutRequest{Repo: repo, BuildVersion: plan.BuildVersion, Mock: true, Actor: "ada"})
//
// Staging builds everything and puts it, private, below stage/ in the bucket;
// nothing public changes. Cutting publishes what was staged, and only that:
// every digest is verified before and after, the tag is pushed once and never
// moved, the release page is a draft until each of its files was downloaded and
// compared, and the markers that name the newest version are raised last.
//
// A mock run takes the same steps against the bucket's mock/ prefix, with git
// push --dry-run, and without a release page. A project may demand a green mock
// of the very build before it is cut.
package cut
