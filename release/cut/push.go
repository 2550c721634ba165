package cut

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
)

// pushed is a tag that is at the forge.
type pushed struct {
	Names   []string `json:"names"`
	Objects []string `json:"objects"`
}

func pushedTags(tags []Tag) pushed {
	var p pushed
	for _, t := range tags {
		p.Names, p.Objects = append(p.Names, t.Name), append(p.Objects, t.Object)
	}
	return p
}

// tagPushed looks for the tags at the forge. The same object is done; another
// one stops the cut, because a tag that people may have fetched never moves.
func (s *Service) tagPushed(ctx context.Context, j job) (pushed, bool, error) {
	mirror, err := s.Git.Repository(ctx, s.Address(j.CloneURL), s.Auth)
	if err != nil {
		return pushed{}, false, lasting(err)
	}
	there := 0
	for _, t := range j.Staged.Record.Tags {
		object, err := mirror.ResolveObject(ctx, "refs/tags/"+t.Name)
		switch {
		case errors.Is(err, git.ErrNotFound):
		case err != nil:
			return pushed{}, false, fmt.Errorf("looking for the tag %s: %w", t.Name, err)
		case object != t.Object:
			return pushed{}, false, flow.Permanent(fmt.Errorf("tag %s is at the forge as object %s and not as %s: a tag is never moved; release the next version instead",
				t.Name, object, t.Object))
		default:
			there++
		}
	}
	return pushedTags(j.Staged.Record.Tags), there == len(j.Staged.Record.Tags), nil
}

// pushTag makes the tag objects again, byte for byte, and pushes those that are
// missing, all together.
func (s *Service) pushTag(ctx context.Context, j job) (pushed, error) {
	repo, err := s.ownRepository(ctx, j.CloneURL)
	if err != nil {
		return pushed{}, err
	}
	o := git.PushOptions{DryRun: flow.Mock(ctx), Atomic: true, Lease: map[string]string{}}
	var refspecs []string
	for _, t := range j.Staged.Record.Tags {
		ref := "refs/tags/" + t.Name
		_, err := repo.ResolveObject(ctx, ref)
		if err == nil {
			continue // tagPushed has compared it
		}
		if !errors.Is(err, git.ErrNotFound) {
			return pushed{}, fmt.Errorf("looking for the tag %s: %w", t.Name, err)
		}
		object, err := t.make(ctx, repo)
		if err != nil {
			return pushed{}, fmt.Errorf("making the tag %s: %w", t.Name, err)
		}
		if object != t.Object {
			return pushed{}, flow.Permanent(fmt.Errorf("tag %s came out as object %s and was staged as %s: stage anew", t.Name, object, t.Object))
		}
		o.Lease[ref] = git.ZeroSHA
		refspecs = append(refspecs, ref+":"+ref)
	}
	if err := repo.Push(ctx, s.Address(j.CloneURL), o, refspecs...); err != nil {
		return pushed{}, lasting(fmt.Errorf("pushing the tag: %w", err))
	}
	flow.Progress(ctx, "%s at %s", versionList(j.Staged.Record.Plan.Versions), short(j.Staged.Record.Plan.Commit))
	return pushedTags(j.Staged.Record.Tags), nil
}

// branchThere looks for the release branch, where one is to be created.
func (s *Service) branchThere(ctx context.Context, st staged) (string, bool, error) {
	p := st.Record.Plan
	if !p.CreateBranch {
		return p.Branch, false, flow.Skip("%s is there", p.Branch)
	}
	return s.findBranch(ctx, branchPoint{p.Repo, p.Branch, p.Commit})
}

func (s *Service) createBranch(ctx context.Context, st staged) (string, error) {
	p := st.Record.Plan
	return s.makeBranch(ctx, branchPoint{p.Repo, p.Branch, p.Commit})
}

// findBranch reports whether the branch is there. One that is there and begins
// elsewhere is somebody else's.
func (s *Service) findBranch(ctx context.Context, b branchPoint) (string, bool, error) {
	branches, err := s.Forge.Branches(ctx, b.Repo)
	if err != nil {
		return "", false, lasting(fmt.Errorf("looking for branch %s: %w", b.Branch, err))
	}
	i := slices.IndexFunc(branches, func(have forge.Branch) bool { return have.Name == b.Branch })
	if i < 0 {
		return b.Branch, false, nil
	}
	if branches[i].SHA == b.Commit {
		return b.Branch, true, nil
	}
	t, err := s.locate(ctx, b.Repo)
	if err != nil {
		return "", false, err
	}
	mirror, err := s.Git.Repository(ctx, s.Address(t.CloneURL), s.Auth)
	if err != nil {
		return "", false, lasting(err)
	}
	in, err := mirror.IsAncestor(ctx, b.Commit, branches[i].SHA)
	if err != nil {
		return "", false, fmt.Errorf("looking where branch %s begins: %w", b.Branch, err)
	}
	if !in {
		return "", false, flow.Permanent(fmt.Errorf("branch %s is there and does not hold commit %s: look who made it", b.Branch, b.Commit))
	}
	return b.Branch, true, nil // it has moved on since
}

func (s *Service) makeBranch(ctx context.Context, b branchPoint) (string, error) {
	if flow.Mock(ctx) {
		return b.Branch, flow.Skip("a rehearsal creates no branch")
	}
	if err := s.Forge.CreateBranch(ctx, b.Repo, b.Branch, b.Commit); err != nil {
		return "", lasting(fmt.Errorf("creating branch %s at %s: %w", b.Branch, b.Commit, err))
	}
	flow.Progress(ctx, "%s at %s", b.Branch, short(b.Commit))
	return b.Branch, nil
}
