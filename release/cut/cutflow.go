package cut

import (
	"seaworthy/flow"
	"seaworthy/release"
)

// cutFlow is the flow that publishes a staged release.
type cutFlow struct {
	def     *flow.Definition
	staged  flow.Value[staged]
	issue   flow.Value[issue]
	verdict flow.Value[release.Verdict]
	page    flow.Value[page]
}

// approvalStep is the name of the step at which people approve.
const approvalStep = "approve"

// defineCut is the order of all work of publishing. Nothing becomes public
// before what it points at is in place: files, then the tag, then the page, and
// the markers, which everybody's scripts follow, last.
func (s *Service) defineCut() cutFlow {
	d := flow.Define("cut", 3)
	request := flow.Param[CutRequest](d)

	// Is it a request that can be answered?
	where := flow.Add(d, outside(s, "options", "Check the request", s.checkCut), request)

	// The stage, with every digest verified in the bucket. From here on the
	// run is pinned to its manifest.
	stage := flow.Add(d, outside(s, "staged", "Verify what was staged", s.loadStage), where)
	known := flow.Combine2(where, stage, func(t target, st staged) job { return job{Staged: st, CloneURL: t.CloneURL} })

	// People follow it in one issue, which the stage has opened.
	followed := flow.Add(d, public(s, "issue", "Open the release issue", s.issueThere, s.openIssue), flow.Map(stage, func(st staged) Plan { return st.Record.Plan }))

	// What is about to be published is what was made from that commit, and
	// nothing else: the statement says so, and must hold.
	made := flow.Add(d, outside(s, "provenance", "Check how it was made", s.checkProvenance), stage)

	// Go or no-go, with evidence; then people.
	verdict := flow.Add(d, outside(s, "gates", "Judge the readiness", s.judge), stage, made, followed)
	asked := flow.Add(d, outside(s, "sign-offs", "Collect sign-offs given before", s.collectSignOffs), stage, verdict)
	approved := flow.AwaitApproval(d, approvalStep, "Approval", flow.Map(asked, func(o signOffs) []string { return o.Ask }), verdict)

	// Nothing is published when something of it could not be.
	free := flow.Add(d, outside(s, "conflicts", "Look for what is in the way", s.findConflicts), known, approved)

	// A release branch that is yet to be cut begins at the released commit.
	branch := flow.Add(d, public(s, "branch", "Create the release branch", s.branchThere, s.createBranch), stage, free)

	// What will be said is written before anything is public, so that it
	// cannot fail afterwards.
	announcement := flow.Add(d, outside(s, "announcement", "Prepare the announcement", s.prepareAnnouncement), stage, verdict)

	// The key, for whoever finds something signed; then the files, copied by
	// digest and verified; and beside them the tag.
	keyed := flow.Add(d, public(s, "key", "Publish the public key", s.keyPublished, s.publishKey), stage, free)
	promoted := flow.Add(d, public(s, "promote", "Promote the artifacts", s.promotedAlready, s.promote), stage, keyed)
	shipped := flow.Add(d, public(s, "images", "Promote the images", s.imagesThere, s.promoteImages), stage, keyed)
	tagged := flow.Add(d, public(s, "tag", "Push the tag", s.tagPushed, s.pushTag), known, promoted, shipped, branch)

	// The changelog, onto the default branch and the release's own.
	changelog := flow.Add(d, public(s, "changelog", "Push the changelog", s.changelogPushed, s.pushChangelog), known, tagged)

	draft, published := s.definePage(d, stage, tagged, changelog)

	// Everything is in place: say so, and let the markers point at it.
	said := flow.Add(d, public(s, "announce", "Write the announcement", s.announced, s.announce),
		flow.Combine2(stage, announcement, func(st staged, t texts) message { return message{st, t} }), published)
	raised := flow.Add(d, public(s, "markers", "Raise the markers", s.markersRaised, s.raiseMarkers), stage, said)

	// The logs of it all, and the source, kept privately.
	archived := flow.Add(d, outside(s, "archive", "Archive logs and source", s.archive), known, raised)

	// The release is public and whole. What follows it can fail without taking
	// anything back: the mail, the next milestone, changes and issues elsewhere.
	s.afterwards(d, stage, followed, archived)

	return cutFlow{def: d, staged: stage, issue: followed, verdict: verdict, page: draft}
}

// definePage is the release page: a draft, its files, each downloaded and
// compared, then public.
func (s *Service) definePage(d *flow.Definition, stage flow.Value[staged], tagged, changelog flow.Dependency) (draft flow.Value[page], published flow.Dependency) {
	draft = flow.Add(d, public(s, "page-draft", "Draft the release page", s.pageThere, s.draftPage), stage, tagged)
	onPage := flow.Combine2(stage, draft, func(st staged, p page) paged { return paged{st, p} })
	assets := flow.Add(d, public(s, "page-assets", "Upload the files to the page", s.assetsThere, s.uploadAssets), onPage)
	checked := flow.Add(d, outside(s, "page-verify", "Download and compare the page's files", s.verifyAssets), onPage, assets)
	published = flow.Add(d, public(s, "page-publish", "Publish the page", s.pagePublished, s.publishPage), onPage, checked, changelog)
	return draft, published
}
