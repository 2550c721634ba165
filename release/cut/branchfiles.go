package cut

import (
	"context"
	"errors"
	"fmt"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
)

// pushedCommit is where a branch is after a push.
type pushedCommit struct {
	Commit string `json:"commit"`
}

// holdsEdits says whether every file is at a commit as it shall be.
func holdsEdits(ctx context.Context, repo *git.Repository, commit string, edits []release.FileEdit) (bool, error) {
	for _, e := range edits {
		text, err := repo.Show(ctx, commit, e.Path)
		if errors.Is(err, git.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("reading %s: %w", e.Path, err)
		}
		if string(text) != e.Text {
			return false, nil
		}
	}
	return true, nil
}

// setupCommit makes the commit of the edits on the commit that the branch begins
// at. Its time is the run's, so that making it again gives the same commit.
func (s *Service) setupCommit(ctx context.Context, repo *git.Repository, b branching, main bool) (string, error) {
	edits := b.Plan.OnBranch
	if main {
		edits = b.Plan.OnMain
	}
	files := make([]git.FileEdit, len(edits))
	for i, e := range edits {
		files[i] = git.FileEdit{Path: e.Path, Content: []byte(e.Text)}
	}
	tree, err := repo.EditTree(ctx, b.Plan.Commit, files)
	if err != nil {
		return "", fmt.Errorf("writing the files of %s: %w", b.Plan.Series.Branch, err)
	}
	author := git.Person{Name: b.Author.Name, Email: b.Author.Email, Time: flow.Current(ctx).CreatedAt}
	commit, err := repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{b.Plan.Commit}, Author: author, Message: b.Plan.Title(main) + "\n"})
	if err != nil {
		return "", fmt.Errorf("committing the files of %s: %w", b.Plan.Series.Branch, err)
	}
	return commit, nil
}

// tipOf is where a branch is at the forge, empty if it is not there.
func (s *Service) tipOf(ctx context.Context, url, branch string) (*git.Repository, string, error) {
	mirror, err := s.Git.Repository(ctx, s.Address(url), s.Auth)
	if err != nil {
		return nil, "", lasting(err)
	}
	tip, err := mirror.Resolve(ctx, "refs/heads/"+branch)
	if errors.Is(err, git.ErrNotFound) {
		return mirror, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("looking at branch %s: %w", branch, err)
	}
	return mirror, tip, nil
}

func (s *Service) branchFilesThere(ctx context.Context, b branching) (pushedCommit, bool, error) {
	if len(b.Plan.OnBranch) == 0 {
		return pushedCommit{}, false, flow.Skip("no file of the branch changes")
	}
	mirror, tip, err := s.tipOf(ctx, b.CloneURL, b.Plan.Series.Branch)
	if err != nil || tip == "" {
		return pushedCommit{}, false, err
	}
	done, err := holdsEdits(ctx, mirror, tip, b.Plan.OnBranch)
	return pushedCommit{tip}, done, err
}

// pushBranchFiles commits the files on the branch. If somebody has committed to
// it meanwhile the change is made on top of that: nothing is forced.
func (s *Service) pushBranchFiles(ctx context.Context, b branching) (pushedCommit, error) {
	branch := b.Plan.Series.Branch
	ref := "refs/heads/" + branch
	for range pushTries {
		repo, err := s.ownRepository(ctx, b.CloneURL)
		if err != nil {
			return pushedCommit{}, err
		}
		commit, err := s.setupCommit(ctx, repo, b, false)
		if err != nil {
			return pushedCommit{}, err
		}
		tip, err := repo.Resolve(ctx, ref)
		switch {
		case errors.Is(err, git.ErrNotFound) && flow.Mock(ctx):
			tip = git.ZeroSHA // only the real run creates it
		case err != nil:
			return pushedCommit{}, fmt.Errorf("looking at branch %s: %w", branch, err)
		case tip != b.Plan.Commit:
			if commit, err = s.onTop(ctx, repo, b, tip, commit); err != nil {
				return pushedCommit{}, err
			}
		}
		err = repo.Push(ctx, s.Address(b.CloneURL), git.PushOptions{DryRun: flow.Mock(ctx), Lease: map[string]string{ref: tip}}, commit+":"+ref)
		if err == nil {
			flow.Progress(ctx, "%s is at %s", branch, short(commit))
			return pushedCommit{commit}, nil
		}
		if moved, lookErr := s.moved(ctx, b.CloneURL, ref, tip); lookErr != nil || !moved {
			return pushedCommit{}, flow.Permanent(fmt.Errorf("pushing the files of %s: %w", branch, errors.Join(err, lookErr)))
		}
		flow.Logf(ctx, "%s moved meanwhile, trying again", branch)
	}
	return pushedCommit{}, fmt.Errorf("branch %s moved %d times while its files were pushed", branch, pushTries)
}

// onTop makes a commit again on the tip of a branch that has moved on.
func (s *Service) onTop(ctx context.Context, repo *git.Repository, b branching, tip, commit string) (string, error) {
	tree, err := repo.CherryPickTree(ctx, tip, commit)
	if errors.Is(err, git.ErrConflict) {
		return "", flow.Permanent(fmt.Errorf("%s was changed meanwhile where it is to be set up: make the change of %s by hand: %w", b.Plan.Series.Branch, short(commit), err))
	}
	if err != nil {
		return "", fmt.Errorf("setting %s up on %s: %w", b.Plan.Series.Branch, short(tip), err)
	}
	author := git.Person{Name: b.Author.Name, Email: b.Author.Email, Time: flow.Current(ctx).CreatedAt}
	return repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{tip}, Author: author, Message: b.Plan.Title(false) + "\n"})
}

// proposal is the pull request that tells the default branch.
type proposal struct {
	Number int    `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
}

// findProposal looks for the pull request, open or not: one that was merged or
// declined is not made again.
func (s *Service) findProposal(ctx context.Context, b branching) (proposal, bool, error) {
	switch {
	case len(b.Plan.OnMain) == 0:
		return proposal{}, false, flow.Skip("nothing changes on %s", b.Plan.Series.DefaultBranch)
	case s.Changes == nil:
		return proposal{}, false, flow.Skip("this forge keeps no pull requests")
	}
	filter := forge.PullFilter{State: "all", Base: b.Plan.Series.DefaultBranch, Head: b.Repo.Owner + ":" + b.Plan.ProposalBranch()}
	found, err := s.Changes.PullRequests(ctx, b.Repo, filter)
	if err != nil {
		return proposal{}, false, lasting(fmt.Errorf("looking for the pull request of %s: %w", b.Plan.ProposalBranch(), err))
	}
	if len(found) == 0 {
		return proposal{}, false, nil
	}
	return proposal{Number: found[0].Number, URL: found[0].HTMLURL}, true, nil
}

// proposalPushed looks for the branch of the proposal. One that holds something
// else is somebody else's.
func (s *Service) proposalPushed(ctx context.Context, b branching) (pushedCommit, bool, error) {
	if _, found, err := s.findProposal(ctx, b); err != nil || found {
		return pushedCommit{}, found, err
	}
	mirror, tip, err := s.tipOf(ctx, b.CloneURL, b.Plan.ProposalBranch())
	if err != nil || tip == "" {
		return pushedCommit{}, false, err
	}
	done, err := holdsEdits(ctx, mirror, tip, b.Plan.OnMain)
	if err == nil && !done {
		err = flow.Permanent(fmt.Errorf("branch %s is there and holds something else: look who made it, and remove it", b.Plan.ProposalBranch()))
	}
	return pushedCommit{tip}, done, err
}

func (s *Service) pushProposal(ctx context.Context, b branching) (pushedCommit, error) {
	repo, err := s.ownRepository(ctx, b.CloneURL)
	if err != nil {
		return pushedCommit{}, err
	}
	commit, err := s.setupCommit(ctx, repo, b, true)
	if err != nil {
		return pushedCommit{}, err
	}
	ref := "refs/heads/" + b.Plan.ProposalBranch()
	o := git.PushOptions{DryRun: flow.Mock(ctx), Lease: map[string]string{ref: git.ZeroSHA}}
	if err := repo.Push(ctx, s.Address(b.CloneURL), o, commit+":"+ref); err != nil {
		return pushedCommit{}, lasting(fmt.Errorf("pushing %s: %w", b.Plan.ProposalBranch(), err))
	}
	flow.Progress(ctx, "%s at %s", b.Plan.ProposalBranch(), short(commit))
	return pushedCommit{commit}, nil
}

func (s *Service) proposalThere(ctx context.Context, b branching) (proposal, bool, error) {
	return s.findProposal(ctx, b)
}

func (s *Service) openProposal(ctx context.Context, b branching) (proposal, error) {
	if flow.Mock(ctx) {
		return proposal{}, flow.Skip("a rehearsal proposes nothing")
	}
	pull, err := s.Changes.CreatePullRequest(ctx, b.Repo, forge.NewPullRequest{Title: b.Plan.Title(true), Body: b.Plan.Body(),
		Head: b.Plan.ProposalBranch(), Base: b.Plan.Series.DefaultBranch})
	if errors.Is(err, forge.ErrExists) {
		// An attempt whose answer was lost has made it.
		if p, found, lookErr := s.findProposal(ctx, b); found && lookErr == nil {
			return p, nil
		}
	}
	if err != nil {
		return proposal{}, lasting(fmt.Errorf("proposing the change to %s: %w", b.Plan.Series.DefaultBranch, err))
	}
	flow.Progress(ctx, "#%d %s", pull.Number, pull.HTMLURL)
	return proposal{Number: pull.Number, URL: pull.HTMLURL}, nil
}
