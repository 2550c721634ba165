package cut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/release/notes"
)

// changelogSubject begins the message of a changelog commit.
const changelogSubject = "Changelog of "

// pushTries bounds how often a branch may move while the changelog is pushed.
const pushTries = 8

// entered says which branches hold the changelog.
type entered struct {
	Branches []string `json:"branches"`
	File     string   `json:"file,omitempty"`
}

// branches are those whose readers look for the changelog: the default branch,
// and the release's own.
func (j job) branches() []string {
	p := j.Staged.Record.Plan
	if p.Branch == p.DefaultBranch {
		return []string{p.DefaultBranch}
	}
	return []string{p.DefaultBranch, p.Branch}
}

// changelogEdit is the changelog of one branch with the section put in, or no
// edits if it is there already.
func (s *Service) changelogEdit(ctx context.Context, repo *git.Repository, tip, version string, section []byte) ([]git.FileEdit, error) {
	name, err := notes.FileName(version)
	if err != nil {
		return nil, flow.Permanent(err)
	}
	var edits []git.FileEdit
	for file, insert := range map[string]func([]byte) ([]byte, error){
		name:                        func(old []byte) ([]byte, error) { return notes.Insert(old, version, string(section)) },
		notes.Folder + "/README.md": func(old []byte) ([]byte, error) { return notes.InsertReadme(old, version) },
	} {
		old, err := repo.Show(ctx, tip, file)
		if err != nil && !errors.Is(err, git.ErrNotFound) {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		content, err := insert(old)
		if err != nil {
			return nil, flow.Permanent(fmt.Errorf("%s: %w", file, err))
		}
		if !bytes.Equal(old, content) {
			edits = append(edits, git.FileEdit{Path: file, Content: content})
		}
	}
	return edits, nil
}

// changelogPushed looks whether every branch holds the section.
func (s *Service) changelogPushed(ctx context.Context, j job) (entered, bool, error) {
	if j.Staged.Record.Plan.Project.NoChangelog {
		return entered{}, false, flow.Skip("the project keeps no changelog")
	}
	done, version := entered{Branches: j.branches()}, j.Staged.version().String()
	section, err := s.readStaged(ctx, j.Staged, sectionFile)
	if err != nil {
		return done, false, err
	}
	if done.File, err = notes.FileName(version); err != nil {
		return done, false, flow.Permanent(err)
	}
	mirror, err := s.Git.Repository(ctx, s.Address(j.CloneURL), s.Auth)
	if err != nil {
		return done, false, lasting(err)
	}
	for _, branch := range done.Branches {
		tip, err := mirror.Resolve(ctx, "refs/heads/"+branch)
		if errors.Is(err, git.ErrNotFound) {
			return done, false, nil
		}
		if err != nil {
			return done, false, fmt.Errorf("looking at branch %s: %w", branch, err)
		}
		edits, err := s.changelogEdit(ctx, mirror, tip, version, section)
		if err != nil || len(edits) > 0 {
			return done, false, err
		}
	}
	return done, true, nil
}

// pushChangelog commits the section to each branch. A branch that moves
// meanwhile is read again and the commit made anew on top: nothing is forced.
func (s *Service) pushChangelog(ctx context.Context, j job) (entered, error) {
	version := j.Staged.version().String()
	section, err := s.readStaged(ctx, j.Staged, sectionFile)
	if err != nil {
		return entered{}, err
	}
	file, err := notes.FileName(version)
	if err != nil {
		return entered{}, flow.Permanent(err)
	}
	for _, branch := range j.branches() {
		if err := s.pushSection(ctx, j, branch, section); err != nil {
			return entered{}, err
		}
		flow.Mark(ctx, "changelog on %s", branch)
	}
	return entered{Branches: j.branches(), File: file}, nil
}

func (s *Service) pushSection(ctx context.Context, j job, branch string, section []byte) error {
	p := j.Staged.Record.Plan
	for range pushTries {
		repo, err := s.ownRepository(ctx, j.CloneURL)
		if err != nil {
			return err
		}
		tip, err := repo.Resolve(ctx, "refs/heads/"+branch)
		if errors.Is(err, git.ErrNotFound) && flow.Mock(ctx) {
			flow.Logf(ctx, "%s is only created by the real cut", branch)
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking at branch %s: %w", branch, err)
		}
		commit, err := s.sectionCommit(ctx, repo, tip, p, section, flow.Current(ctx).CreatedAt)
		if err != nil {
			return err
		}
		if commit == tip {
			return nil
		}
		ref := "refs/heads/" + branch
		// The lease makes the push a compare-and-swap; tip being the parent,
		// it can only ever move the branch forward.
		err = repo.Push(ctx, s.Address(j.CloneURL), git.PushOptions{DryRun: flow.Mock(ctx), Lease: map[string]string{ref: tip}}, commit+":"+ref)
		if err == nil {
			flow.Progress(ctx, "%s is at %s", branch, short(commit))
			return nil
		}
		moved, lookErr := s.moved(ctx, j.CloneURL, ref, tip)
		switch {
		case lookErr == nil && moved:
		case errors.Is(err, git.ErrRejected):
			return flow.Permanent(fmt.Errorf("pushing the changelog to %s: %w", branch, errors.Join(err, lookErr)))
		default:
			return lasting(fmt.Errorf("pushing the changelog to %s: %w", branch, errors.Join(err, lookErr)))
		}
		flow.Logf(ctx, "%s moved meanwhile, trying again", branch)
	}
	return fmt.Errorf("branch %s moved %d times while the changelog was pushed", branch, pushTries)
}

// moved reports whether a branch at the forge is elsewhere by now.
func (s *Service) moved(ctx context.Context, url, ref, tip string) (bool, error) {
	mirror, err := s.Git.Repository(ctx, s.Address(url), s.Auth)
	if err != nil {
		return false, err
	}
	now, err := mirror.Resolve(ctx, ref)
	return now != tip, err
}

// sectionCommit makes the commit, or returns tip if there is nothing to change.
// Its time is the run's, so that making it again gives the same commit.
func (s *Service) sectionCommit(ctx context.Context, repo *git.Repository, tip string, p Plan, section []byte, at time.Time) (string, error) {
	version := p.Version().String()
	edits, err := s.changelogEdit(ctx, repo, tip, version, section)
	if err != nil || len(edits) == 0 {
		return tip, err
	}
	tree, err := repo.EditTree(ctx, tip, edits)
	if err != nil {
		return "", fmt.Errorf("writing the changelog: %w", err)
	}
	author := git.Person{Name: p.Project.Tagger.Name, Email: p.Project.Tagger.Email, Time: at}
	commit, err := repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{tip}, Author: author,
		Message: changelogSubject + version + "\n"})
	if err != nil {
		return "", fmt.Errorf("committing the changelog: %w", err)
	}
	return commit, nil
}
