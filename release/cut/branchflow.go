package cut

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// Protections are the branch protections of a forge.
type Protections interface {
	Protection(ctx context.Context, repo forge.RepoName, branch string) (forge.Protection, error)
	Protect(ctx context.Context, repo forge.RepoName, branch string, p forge.Protection) error
}

// branchFlow is the flow that creates a branch.
type branchFlow struct {
	def  *flow.Definition
	plan flow.Value[branching]
}

// BranchPlanned is the step after which a branch's plan is known and nothing
// was done.
const BranchPlanned = "plan"

// defineBranch is the order of all work of creating a branch. Its protection
// comes when its files are there, and what the default branch has to know of it
// when the branch itself is whole.
func (s *Service) defineBranch() branchFlow {
	d := flow.Define("branch", 2)
	request := flow.Param[BranchRequest](d)

	// Where does it begin? The run is pinned to that commit.
	start := flow.Add(d, outside(s, "options", "Find the commit to begin at", s.branchStart), request)

	// All that is to be done follows from that commit.
	plan := flow.Add(d, outside(s, BranchPlanned, "Plan the branch by the project's rules", s.planBranch), start)

	created := flow.Add(d, public(s, "create", "Create the branch", s.findBranch, s.makeBranch), start, plan)
	filed := flow.Add(d, public(s, "files", "Write the branch's jobs and versions", s.branchFilesThere, s.pushBranchFiles), plan, created)
	protected := flow.Add(d, public(s, "protection", "Protect the branch", s.protectionThere, s.protect), plan, filed)
	opened := flow.Add(d, public(s, "milestones", "Open the milestones", s.milestonesThere, s.openMilestones), plan, created)

	// The default branch is changed as people change it: by a pull request.
	pushed := flow.Add(d, public(s, "proposal-branch", "Push the change for the default branch", s.proposalPushed, s.pushProposal), plan, protected, opened)
	flow.Add(d, public(s, "proposal", "Propose the change to the default branch", s.proposalThere, s.openProposal), plan, pushed)
	return branchFlow{def: d, plan: plan}
}

// branchPoint is a branch and the commit it begins at.
type branchPoint struct {
	Repo   forge.RepoName `json:"repo"`
	Branch string         `json:"branch"`
	Commit string         `json:"commit"`
}

// branching is a planned branch.
type branching struct {
	Repo     forge.RepoName     `json:"repo"`
	CloneURL string             `json:"clone_url"`
	Plan     release.BranchPlan `json:"plan"`
	// Author of the commits.
	Author Identity `json:"author"`
}

// BranchPlan returns what a run that creates a branch decided on; false until
// it has.
func (s *Service) BranchPlan(ctx context.Context, id string) (release.BranchPlan, bool, error) {
	b, known, err := flow.Result(ctx, s.Engine, id, s.branch.plan)
	return b.Plan, known, err
}

// planBranch asks for the plan. A branch that is no release branch, and one of a
// project that is forked by nobody's rules, is created and nothing more.
func (s *Service) planBranch(ctx context.Context, p branchPoint) (branching, error) {
	t, err := s.locate(ctx, p.Repo)
	if err != nil {
		return branching{}, err
	}
	project, err := s.Project(ctx, p.Repo, p.Commit)
	if err != nil {
		return branching{}, lasting(fmt.Errorf("reading how %s is released at %s: %w", p.Repo, short(p.Commit), err))
	}
	b := branching{Repo: p.Repo, CloneURL: t.CloneURL, Author: project.Tagger}
	if b.Plan, err = s.forkPlan(ctx, p, t, project); err != nil {
		return branching{}, lasting(fmt.Errorf("planning branch %s: %w", p.Branch, err))
	}
	for _, i := range b.Plan.Items {
		if i.Skipped != "" {
			flow.Logf(ctx, "%s: skipped: %s", i.Name, i.Skipped)
		} else {
			flow.Logf(ctx, "%s: %s", i.Name, i.What)
		}
	}
	return b, nil
}

// branchStart pins the commit that a branch begins at. A branch that is there
// begins where it parts from the default branch, so that what it lacks can be
// made up for.
func (s *Service) branchStart(ctx context.Context, r BranchRequest) (branchPoint, error) {
	if r.Branch == "" {
		return branchPoint{}, flow.Permanent(errors.New("say which branch to create"))
	}
	t, err := s.locate(ctx, r.Repo)
	if err != nil {
		return branchPoint{}, err
	}
	if r.Branch == t.DefaultBranch {
		return branchPoint{}, flow.Permanent(fmt.Errorf("%s is the default branch", r.Branch))
	}
	t.Branch, t.Commit = t.DefaultBranch, r.Commit
	if r.Commit == "" {
		mirror, tip, err := s.tipOf(ctx, t.CloneURL, r.Branch)
		if err != nil {
			return branchPoint{}, err
		}
		if tip != "" {
			t.Commit, err = mirror.MergeBase(ctx, "refs/heads/"+t.DefaultBranch, tip)
		}
		if err != nil {
			return branchPoint{}, flow.Permanent(fmt.Errorf("%s is there and has nothing in common with %s: look who made it: %w", r.Branch, t.DefaultBranch, err))
		}
	}
	src, err := s.findSource(ctx, t)
	return branchPoint{r.Repo, r.Branch, src.Commit}, err
}

// forkPlan is the plan by the project's rules.
func (s *Service) forkPlan(ctx context.Context, p branchPoint, t target, project Project) (release.BranchPlan, error) {
	series, err := release.SeriesOf(project.Policy, p.Branch, t.DefaultBranch)
	if err != nil {
		plan := release.BranchPlan{Series: release.Series{Branch: p.Branch, DefaultBranch: t.DefaultBranch}, Commit: p.Commit}
		plan.Do("branch", "%s at %s", p.Branch, short(p.Commit))
		plan.Skip("everything else", "%v", err)
		return plan, nil
	}
	if s.Branching == nil {
		return release.NewBranchPlan(series, release.BranchRules{}, p.Commit, nil)
	}
	return s.Branching(ctx, p.Repo, p.Commit, series)
}

// protectionThere looks whether the branch is protected as it shall be.
func (s *Service) protectionThere(ctx context.Context, b branching) (flow.Nothing, bool, error) {
	want, err := s.wantedProtection(ctx, b)
	if err != nil {
		return flow.Nothing{}, false, err
	}
	have, err := s.Protections.Protection(ctx, b.Repo, b.Plan.Series.Branch)
	if errors.Is(err, forge.ErrNotFound) {
		return flow.Nothing{}, false, nil
	}
	if err != nil {
		return flow.Nothing{}, false, lasting(fmt.Errorf("looking how %s is protected: %w", b.Plan.Series.Branch, err))
	}
	return flow.Nothing{}, sameProtection(have, want), nil
}

// wantedProtection is the default branch's, with the status contexts of copied
// jobs in place of those of the originals.
func (s *Service) wantedProtection(ctx context.Context, b branching) (forge.Protection, error) {
	main := b.Plan.Series.DefaultBranch
	if b.Plan.Rules.Protection != "copy" {
		return forge.Protection{}, flow.Skip("the project's rules protect no release branch")
	}
	if s.Protections == nil {
		return forge.Protection{}, flow.Skip("this forge keeps no protection of branches")
	}
	p, err := s.Protections.Protection(ctx, b.Repo, main)
	if errors.Is(err, forge.ErrNotFound) {
		return p, flow.Skip("%s is not protected", main)
	}
	if err != nil {
		return p, lasting(fmt.Errorf("looking how %s is protected: %w", main, err))
	}
	contexts := []string{}
	for _, c := range p.RequiredContexts {
		if copied, ok := b.Plan.Contexts[c]; ok {
			c = copied
		}
		if c != "" {
			contexts = append(contexts, c)
		}
	}
	p.RequiredContexts = contexts
	return p, nil
}

func sameProtection(a, b forge.Protection) bool {
	same := func(x, y []string) bool {
		x, y = slices.Clone(x), slices.Clone(y)
		slices.Sort(x)
		slices.Sort(y)
		return slices.Equal(x, y)
	}
	return same(a.RequiredContexts, b.RequiredContexts) && same(a.PushLogins, b.PushLogins) &&
		a.EnforceAdmins == b.EnforceAdmins && a.AllowForcePush == b.AllowForcePush && a.AllowDeletion == b.AllowDeletion
}

func (s *Service) protect(ctx context.Context, b branching) (flow.Nothing, error) {
	if flow.Mock(ctx) {
		return flow.Nothing{}, flow.Skip("a rehearsal protects no branch")
	}
	want, err := s.wantedProtection(ctx, b)
	if err != nil {
		return flow.Nothing{}, err
	}
	if err := s.Protections.Protect(ctx, b.Repo, b.Plan.Series.Branch, want); err != nil {
		return flow.Nothing{}, lasting(fmt.Errorf("protecting %s as %s is: %w", b.Plan.Series.Branch, b.Plan.Series.DefaultBranch, err))
	}
	flow.Progress(ctx, "%s asks for %d contexts", b.Plan.Series.Branch, len(want.RequiredContexts))
	return flow.Nothing{}, nil
}

// missingMilestones are those that are not there, open or closed.
func (s *Service) missingMilestones(ctx context.Context, b branching) ([]string, error) {
	have, err := s.Tracker.Milestones(ctx, b.Repo, "all")
	if err != nil {
		return nil, lasting(fmt.Errorf("looking for milestones of %s: %w", b.Repo, err))
	}
	return slices.DeleteFunc(slices.Clone(b.Plan.Milestones), func(title string) bool {
		return slices.ContainsFunc(have, func(m forge.Milestone) bool { return m.Title == title })
	}), nil
}

func (s *Service) milestonesThere(ctx context.Context, b branching) (flow.Nothing, bool, error) {
	switch {
	case len(b.Plan.Milestones) == 0:
		return flow.Nothing{}, false, flow.Skip("the project's rules name no milestones")
	case s.Tracker == nil:
		return flow.Nothing{}, false, flow.Skip("this forge keeps no milestones")
	}
	missing, err := s.missingMilestones(ctx, b)
	return flow.Nothing{}, err == nil && len(missing) == 0, err
}

func (s *Service) openMilestones(ctx context.Context, b branching) (flow.Nothing, error) {
	missing, err := s.missingMilestones(ctx, b)
	if err != nil {
		return flow.Nothing{}, err
	}
	if flow.Mock(ctx) {
		return flow.Nothing{}, flow.Skip("a rehearsal opens no milestones: %d are missing", len(missing))
	}
	for _, title := range missing {
		_, err := s.Tracker.CreateMilestone(ctx, b.Repo, forge.Milestone{Title: title, State: forge.StateOpen})
		if err != nil && !errors.Is(err, forge.ErrExists) {
			return flow.Nothing{}, lasting(fmt.Errorf("opening the milestone %s: %w", title, err))
		}
		flow.Mark(ctx, "milestone %s", title)
	}
	return flow.Nothing{}, nil
}
