package cut

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
)

// StageRequest asks for a release to be staged.
type StageRequest struct {
	Repo   forge.RepoName `json:"repo"`
	Branch string         `json:"branch"` // empty: the default branch
	Kind   release.Kind   `json:"kind"`
	// Commit to release; empty means the branch's tip (the default branch's
	// for a release branch that is yet to be cut).
	Commit string `json:"commit,omitempty"`
	// Bump is the number of the version to raise, for this once.
	Bump  release.Bump `json:"bump,omitempty"`
	Mock  bool         `json:"mock,omitempty"`
	Actor string       `json:"actor"`
}

// CutRequest asks for a staged release to be published.
type CutRequest struct {
	Repo         forge.RepoName `json:"repo"`
	BuildVersion string         `json:"build_version"` // of the stage, v1.2.0+0a1b2c3d4e5f
	// Mock rehearses. It takes the real stage or, without one, a mock one.
	Mock  bool   `json:"mock,omitempty"`
	Actor string `json:"actor"`
	// Destination is where it goes, see Options.Destination; Cut fills it in.
	Destination string `json:"destination,omitempty"`
}

// BranchRequest asks for a branch.
type BranchRequest struct {
	Repo   forge.RepoName `json:"repo"`
	Branch string         `json:"branch"`
	Commit string         `json:"commit,omitempty"` // empty: the default branch's tip
	Mock   bool           `json:"mock,omitempty"`
	Actor  string         `json:"actor"`
}

// Plan is everything decided before anything is made.
type Plan struct {
	Repo          forge.RepoName `json:"repo"`
	Kind          release.Kind   `json:"kind"`
	Branch        string         `json:"branch"`
	DefaultBranch string         `json:"default_branch"`
	Commit        string         `json:"commit"`
	CommitTime    time.Time      `json:"commit_time"`
	// Versions are tagged together. The first is the one that is released;
	// a branch cut opens the next series with a second.
	Versions     []release.Version `json:"versions"`
	CreateBranch bool              `json:"create_branch,omitempty"`
	BuildVersion string            `json:"build_version"`
	Previous     string            `json:"previous,omitempty"` // tag the notes begin at
	// Source is the address of the repository as everything made from it names
	// it. It is pinned, for a server may come back at another address.
	Source  string  `json:"source"`
	Project Project `json:"project"`
}

// Version is the version that is released.
func (p Plan) Version() release.Version {
	if len(p.Versions) == 0 {
		return release.Version{}
	}
	return p.Versions[0]
}

// target is a request that names something real.
type target struct {
	Repo          forge.RepoName `json:"repo"`
	Branch        string         `json:"branch"`
	DefaultBranch string         `json:"default_branch"`
	Kind          release.Kind   `json:"kind,omitempty"`
	Commit        string         `json:"commit,omitempty"`
	Build         string         `json:"build,omitempty"`
	Bump          release.Bump   `json:"bump,omitempty"`
	CloneURL      string         `json:"clone_url"`
}

// source is a target with the history it is found in.
type source struct {
	Target     target    `json:"target"`
	Commit     string    `json:"commit"`
	CommitTime time.Time `json:"commit_time"`
	Branches   []string  `json:"branches"`
	Tags       []string  `json:"tags"`
}

// Plan works out what a stage would make, and changes nothing. The error is a
// *release.Refusal where the rules say no.
func (s *Service) Plan(ctx context.Context, r StageRequest) (Plan, error) {
	t, err := s.checkStage(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	src, err := s.findSource(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	project, err := s.readProject(ctx, src)
	if err != nil {
		return Plan{}, err
	}
	return s.chooseVersion(ctx, choice{src, project})
}

// checkStage refuses a request that cannot be answered.
func (s *Service) checkStage(ctx context.Context, r StageRequest) (target, error) {
	if _, err := release.ParseKind(string(r.Kind)); err != nil {
		return target{}, flow.Permanent(err)
	}
	t, err := s.locate(ctx, r.Repo)
	if err != nil {
		return target{}, err
	}
	t.Kind, t.Commit, t.Branch, t.Bump = r.Kind, r.Commit, r.Branch, r.Bump
	if t.Branch == "" {
		t.Branch = t.DefaultBranch
	}
	return t, nil
}

// locate asks the forge for the repository.
func (s *Service) locate(ctx context.Context, name forge.RepoName) (target, error) {
	if !name.Valid() {
		return target{}, flow.Permanent(fmt.Errorf("%q is not a repository name: write OWNER/NAME", name))
	}
	repo, err := s.Forge.Repo(ctx, name)
	if err != nil {
		return target{}, lasting(fmt.Errorf("looking for %s: %w", name, err))
	}
	if repo.Archived {
		return target{}, flow.Permanent(fmt.Errorf("%s is archived: nothing can be released from it", name))
	}
	return target{Repo: name, DefaultBranch: repo.DefaultBranch, CloneURL: repo.CloneURL}, nil
}

// findSource reads branches and tags, and pins the commit.
func (s *Service) findSource(ctx context.Context, t target) (source, error) {
	mirror, err := s.Git.Repository(ctx, s.Address(t.CloneURL), s.Auth)
	if err != nil {
		return source{}, lasting(err)
	}
	refs, err := mirror.Refs(ctx, "refs/heads", "refs/tags")
	if err != nil {
		return source{}, fmt.Errorf("reading the branches and tags of %s: %w", t.Repo, err)
	}
	src := source{Target: t}
	tips := map[string]string{}
	for _, r := range refs {
		if name, ok := cutRef(r.Name, "refs/heads/"); ok {
			src.Branches = append(src.Branches, name)
			tips[name] = r.Commit
		} else if name, ok := cutRef(r.Name, "refs/tags/"); ok {
			src.Tags = append(src.Tags, name)
		}
	}
	from := t.Branch
	if tips[from] == "" {
		from = t.DefaultBranch // a release branch that is yet to be cut
	}
	if tips[from] == "" {
		return source{}, flow.Permanent(fmt.Errorf("%s has no commit on %s: push one first", t.Repo, from))
	}
	src.Commit = tips[from]
	if t.Commit != "" {
		if src.Commit, err = onBranch(ctx, mirror, t.Commit, from, tips[from]); err != nil {
			return source{}, err
		}
	}
	commits, err := mirror.Log(ctx, src.Commit, git.LogOptions{Max: 1})
	if err != nil || len(commits) != 1 {
		return source{}, fmt.Errorf("reading commit %s of %s: %w", src.Commit, t.Repo, errors.Join(err, git.ErrNotFound))
	}
	src.CommitTime = commits[0].Committer.Time
	return src, nil
}

// onBranch resolves a commit that must be part of the branch.
func onBranch(ctx context.Context, repo *git.Repository, commit, branch, tip string) (string, error) {
	sha, err := repo.Resolve(ctx, commit)
	if err != nil {
		return "", flow.Permanent(fmt.Errorf("commit %s: %w", commit, err))
	}
	in, err := repo.IsAncestor(ctx, sha, tip)
	if err != nil {
		return "", fmt.Errorf("looking for commit %s on %s: %w", commit, branch, err)
	}
	if !in {
		return "", flow.Permanent(fmt.Errorf("commit %s is not on branch %s: only what was merged is released", commit, branch))
	}
	return sha, nil
}

func cutRef(name, prefix string) (string, bool) {
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return "", false
	}
	return name[len(prefix):], true
}

// readProject reads the release configuration of the commit itself.
func (s *Service) readProject(ctx context.Context, src source) (Project, error) {
	p, err := s.Project(ctx, src.Target.Repo, src.Commit)
	if err != nil {
		return Project{}, lasting(fmt.Errorf("reading how %s is released at %s: %w", src.Target.Repo, short(src.Commit), err))
	}
	if err := p.validate(); err != nil {
		return Project{}, flow.Permanent(fmt.Errorf("%s at %s cannot be released: %w", src.Target.Repo, short(src.Commit), err))
	}
	return p, nil
}

// choice is what the version follows from.
type choice struct {
	Source  source  `json:"source"`
	Project Project `json:"project"`
}

// chooseVersion applies the project's rules to its history.
func (s *Service) chooseVersion(ctx context.Context, c choice) (Plan, error) {
	t := c.Source.Target
	state := release.State{Branch: t.Branch, DefaultBranch: t.DefaultBranch, Branches: c.Source.Branches, Tags: c.Source.Tags, Bump: t.Bump}
	versions, create, err := release.NextVersions(state, t.Kind, c.Project.Policy)
	if err != nil {
		return Plan{}, flow.Permanent(err)
	}
	buildVersion, err := release.BuildVersion(versions[0], c.Source.Commit)
	if err != nil {
		return Plan{}, flow.Permanent(err)
	}
	previous, err := s.previous(ctx, c, versions[0])
	if err != nil {
		return Plan{}, err
	}
	return Plan{Repo: t.Repo, Kind: t.Kind, Branch: t.Branch, DefaultBranch: t.DefaultBranch,
		Commit: c.Source.Commit, CommitTime: c.Source.CommitTime, Versions: versions, CreateBranch: create,
		BuildVersion: buildVersion, Previous: previous, Source: s.SourceURL(t.Repo), Project: c.Project}, nil
}

// previous finds the tag that the notes begin at: the newest version below
// this one that the commit's history holds. For a final release candidates do
// not count, so that its notes tell everything since the last final one.
func (s *Service) previous(ctx context.Context, c choice, v release.Version) (string, error) {
	older := slices.DeleteFunc(release.ParseVersions(v.Prefix, c.Source.Tags), func(w release.Version) bool {
		return w.Compare(v) >= 0 || v.Final() && !w.Final()
	})
	if len(older) == 0 {
		return "", nil
	}
	mirror, err := s.Git.Repository(ctx, s.Address(c.Source.Target.CloneURL), s.Auth)
	if err != nil {
		return "", lasting(err)
	}
	for _, w := range older {
		// Notes begin at the merge base, so common history is enough.
		_, err := mirror.MergeBase(ctx, "refs/tags/"+w.String(), c.Source.Commit)
		if err == nil {
			return w.String(), nil
		}
		if !errors.Is(err, git.ErrNotFound) {
			return "", fmt.Errorf("looking for the version before %s: %w", v, err)
		}
	}
	return "", nil
}
