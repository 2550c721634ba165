package cut

import (
	"context"
	"errors"
	"fmt"
	"path"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
)

// findConflicts looks, before the first thing becomes public, for whatever would
// stop a later step: a commit that is on its branch no more, a tag or a branch
// that is somebody else's, a version that is out already from another build. Of
// a release that would end half-way nothing is published.
func (s *Service) findConflicts(ctx context.Context, j job) (flow.Nothing, error) {
	st := j.Staged
	if err := s.stillOnBranch(ctx, j); err != nil {
		return flow.Nothing{}, err
	}
	for what, look := range map[string]func() error{
		"tag":    func() error { _, _, err := s.tagPushed(ctx, j); return err },
		"branch": func() error { _, _, err := s.branchThere(ctx, st); return err },
		"files":  func() error { return s.filesInTheWay(ctx, st) },
		"images": func() error { _, _, err := s.imagesThere(ctx, st); return err },
		"page":   func() error { return s.pageInTheWay(ctx, st) },
	} {
		if err := look(); err != nil && !flow.Skipped(err) {
			return flow.Nothing{}, fmt.Errorf("the %s: %w", what, err)
		}
	}
	flow.Progress(ctx, "nothing is in the way of %s", versionList(st.Record.Plan.Versions))
	return flow.Nothing{}, nil
}

// stillOnBranch wants the staged commit on its branch as it is now. A branch
// that has moved on since is as good; one that was rewritten is not.
func (s *Service) stillOnBranch(ctx context.Context, j job) error {
	p := j.Staged.Record.Plan
	mirror, err := s.Git.Repository(ctx, s.Address(j.CloneURL), s.Auth)
	if err != nil {
		return lasting(err)
	}
	branch := p.Branch
	tip, err := mirror.Resolve(ctx, "refs/heads/"+branch)
	if errors.Is(err, git.ErrNotFound) && p.CreateBranch {
		branch = p.DefaultBranch // it begins there
		tip, err = mirror.Resolve(ctx, "refs/heads/"+branch)
	}
	if errors.Is(err, git.ErrNotFound) {
		return flow.Permanent(fmt.Errorf("branch %s, which %s was staged from, is gone: look who removed it, then stage anew", branch, p.Version()))
	}
	if err != nil {
		return fmt.Errorf("looking at branch %s: %w", branch, err)
	}
	in := false
	if _, err = mirror.Resolve(ctx, p.Commit); err == nil {
		in, err = mirror.IsAncestor(ctx, p.Commit, tip)
	}
	if err != nil && !errors.Is(err, git.ErrNotFound) {
		return fmt.Errorf("looking for commit %s on %s: %w", p.Commit, branch, err)
	}
	if !in {
		return flow.Permanent(fmt.Errorf("commit %s, which %s was staged from, is not on branch %s any more: it was rewritten to %s; stage anew",
			short(p.Commit), p.Version(), branch, short(tip)))
	}
	return nil
}

// filesInTheWay reports files of the version that are public with other bytes.
func (s *Service) filesInTheWay(ctx context.Context, st staged) error {
	if _, done, err := s.promotedAlready(ctx, st); done || err != nil || st.Mock {
		return err
	}
	for _, a := range st.published() {
		if _, err := s.stored(ctx, path.Join(st.public(), a.Name), a); errors.Is(err, errDiffers) {
			return flow.Permanent(fmt.Errorf("%s was published before, and is never overwritten; release the next version: %w", a.Name, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// pageInTheWay reports a page of the version that is public before its files
// can be on it: somebody else's.
func (s *Service) pageInTheWay(ctx context.Context, st staged) error {
	if st.Mock {
		return nil
	}
	r, found, err := s.findPage(ctx, st)
	if err != nil || !found || r.Draft {
		return err
	}
	for _, a := range st.assets() {
		have, ok := assetNamed(r, a.Name)
		if ok {
			ok, err = s.right(ctx, st, have, a)
		}
		if err != nil {
			return err
		}
		if !ok {
			return flow.Permanent(fmt.Errorf("%s has a public page already, %s, whose %s is not what was staged: look who made it; release the next version, or remove the page and resume: %w",
				st.version(), r.HTMLURL, a.Name, forge.ErrExists))
		}
	}
	return nil
}
