package cut

import (
	"slices"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/release/notes"
)

// stageFlow is the flow that stages a release, and the values others ask for.
type stageFlow struct {
	def    *flow.Definition
	plan   flow.Value[Plan]
	issue  flow.Value[issue]
	staged flow.Value[Staged]
}

// defineStage is the order of all work of staging. Nothing here is public.
func (s *Service) defineStage() stageFlow {
	d := flow.Define("stage", 3)
	request := flow.Param[StageRequest](d)

	// Is it a request that can be answered: a known kind, a repository that is there?
	where := flow.Add(d, outside(s, "options", "Check the request", s.checkStage), request)

	// Which commit? From here on the run is pinned to it, however the branch moves.
	found := flow.Add(d, outside(s, "branch", "Read the branch and pin the commit", s.findSource), where)

	// How does that very commit want to be released?
	project := flow.Add(d, outside(s, "project", "Read the release configuration", s.readProject), found)

	// Which version comes next, and since which one are the notes?
	plan := flow.Add(d, outside(s, "version", "Choose the version", s.chooseVersion),
		flow.Combine2(found, project, func(src source, p Project) choice { return choice{src, p} }))

	// Are the tools there, and the space, before an hour is spent?
	ready := flow.Add(d, leaving(inside("prerequisites", "Check tools and disk space", s.checkTools), s.toolsChecked), plan)

	// People follow it in one issue.
	followed := flow.Add(d, public(s, "issue", "Open the release issue", s.issueThere, s.openIssue), plan, ready)

	// A clone of our own, with the commit checked out.
	ground := flow.Combine2(plan, where, func(p Plan, t target) site { return site{p, t.CloneURL} })
	workspace := flow.Add(d, leaving(outside(s, "workspace", "Prepare a workspace", s.prepareWorkspace), s.workspaceKept), ground, ready)

	// The tag objects are made now, and pushed when the release is cut: what is
	// built and what is tagged are the same by construction.
	tags := flow.Add(d, inside("tag", "Make the tag", s.makeTags), plan, workspace)

	// Programs and archives for every platform; and meanwhile the notes.
	compile := leaving(inside("build", "Build the archives", s.buildArchives), s.filesKept)
	compile.Silence = buildSilence
	built := flow.Add(d, compile, ground, workspace)
	collected := flow.Add(d, outside(s, "notes", "Collect the release notes", s.collectNotes), plan, workspace)

	// What was built must be what was asked for.
	verified := flow.Add(d, inside("verify", "Verify what was built", s.verifyBuilt),
		flow.Combine2(plan, built, func(p Plan, a []artifact.Artifact) product { return product{p, a} }))

	// Packages, images, and what it all consists of.
	bill, pushed := s.defineProducts(d, plan, built, verified)

	// Notes, changelog section and checksums, written beside the archives.
	papers := flow.Add(d, leaving(inside("papers", "Write notes, changelog and checksums", s.writePapers), s.filesKept),
		flow.Combine2(
			flow.Combine4(plan, bill, collected, tags,
				func(p Plan, a []artifact.Artifact, n notes.Notes, t []Tag) draft { return draft{p, a, n, t, nil} }),
			pushed, func(d draft, i []Image) draft { d.Images = i; return d }))

	staged := s.defineStaging(d, plan, papers, pushed)

	return stageFlow{def: d, plan: plan, issue: followed, staged: staged}
}

// defineStaging is how what was made is vouched for and put away.
func (s *Service) defineStaging(d *flow.Definition, plan flow.Value[Plan], papers flow.Value[[]artifact.Artifact], pushed flow.Value[[]Image]) flow.Value[Staged] {
	// How it was made, and who says so.
	stated := flow.Add(d, leaving(inside("provenance", "State how it was made", s.writeProvenance), s.filesKept),
		flow.Combine3(plan, papers, pushed, func(p Plan, a []artifact.Artifact, i []Image) sources { return sources{p, a, i} }))
	signed := flow.Add(d, leaving(outside(s, "sign", "Sign", s.signFiles), s.filesKept),
		flow.Combine2(plan, stated, func(p Plan, a []artifact.Artifact) product { return product{p, a} }))

	// Into the bucket; the manifest last, so that a stage is whole or absent.
	return flow.Add(d, outside(s, "stage", "Stage in the bucket", s.upload),
		flow.Combine2(plan, signed, func(p Plan, a []artifact.Artifact) product { return product{p, a} }))
}

// defineProducts is what is made of the programs: packages, images, and the list
// of what everything consists of. It returns all files so far, and the images.
func (s *Service) defineProducts(d *flow.Definition, plan flow.Value[Plan], built flow.Value[[]artifact.Artifact], verified flow.Value[verification]) (
	bill flow.Value[[]artifact.Artifact], pushed flow.Value[[]Image]) {
	// Packages and images, of those very programs. Images go to the staging part
	// of the registry, by digest.
	whole := flow.Combine2(plan, built, func(p Plan, a []artifact.Artifact) product { return product{p, a} })
	packaged := flow.Add(d, leaving(inside("packages", "Make the packages", s.makePackages), s.filesKept), whole, verified)
	pushed = flow.Add(d, outside(s, "images", "Build and stage the images", s.stageImages), whole, verified)

	// What it all consists of.
	made := flow.Combine3(plan, built, packaged, func(p Plan, a, b []artifact.Artifact) product { return product{p, slices.Concat(a, b)} })
	bill = flow.Add(d, leaving(inside("sbom", "List what it consists of", s.writeBill), s.filesKept), made)
	return bill, pushed
}
