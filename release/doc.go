// Package release knows the rules of a release: which version comes next, on
// which branch, which markers it raises and whether it may go out. It is pure:
// tags, branches and test results come in as values, decisions come out.
//
// Versions follow semantic versioning behind a prefix, and the road to a final
// release is Kubernetes' one: alphas and betas on the default branch, a cut
// that makes release-X.Y with its rc.0 and opens the next minor with alpha.0,
// then candidates, the final release and patches on that branch.
//
//	versions, create, err := release.NextVersions(release.State{
//		Branch:        "release-0.2",
//		DefaultBranch: "main",
//		Branches:      []string{"main"},
//		Tags:          []string{"v0.2.0-alpha.3"},
//	}, release.RC, release.DefaultPolicy())
//	// versions: v0.2.0-rc.0 and v0.3.0-alpha.0, create: true
//
// What cannot be is refused with a reason a person can act on, as a *Refusal.
//
// Readiness is a list of gates, each with its evidence, and the verdict over
// them:
//
//	verdict := release.Decide([]release.Gate{
//		release.BlockersGate(nil),
//		release.RehearsalGate(rehearsal, version, commit),
//	})
package release
