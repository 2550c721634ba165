package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/merge"
	"seaworthy/merge/bot"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/notes"
)

// projects remembers configurations by commit, which never change: neither do
// the problems of one that cannot be used.
type projects struct {
	mu   sync.Mutex
	seen map[projectKey]reading
}

// reading is what came of reading a commit's configuration.
type reading struct {
	project Project
	err     error // nil, or a strict.Error, wrapped
}

func (p *projects) get(key projectKey) (reading, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.seen[key]
	return r, ok
}

func (p *projects) put(key projectKey, r reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= mostProjects {
		p.seen = map[projectKey]reading{}
	}
	p.seen[key] = r
}

type projectKey struct {
	repo forge.RepoName
	sha  string
}

// Commits come and go; a thousand configurations are a few megabytes.
const mostProjects = 1000

// Project returns a repository's configuration at a commit; an empty commit
// means the tip of its default branch. What is wrong in its files is a
// strict.Error, wrapped; a commit that is gone is git.ErrNotFound.
func (a *App) Project(ctx context.Context, repo forge.RepoName, sha string) (Project, error) {
	if sha == "" {
		tip, err := a.defaultTip(ctx, repo)
		if err != nil {
			return Project{}, err
		}
		sha = tip
	}
	if r, ok := a.projects.get(projectKey{repo, sha}); ok {
		return r.project, r.err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return Project{}, err
	}
	return a.projectIn(ctx, clone, repo, sha)
}

// projectIn is Project with an up-to-date clone and a commit in hand.
func (a *App) projectIn(ctx context.Context, clone *git.Repository, repo forge.RepoName, sha string) (Project, error) {
	key := projectKey{repo, sha}
	if r, ok := a.projects.get(key); ok {
		return r.project, r.err
	}
	if _, err := clone.Resolve(ctx, sha); err != nil {
		return Project{}, fmt.Errorf("the configuration of %s at %s: %w", repo, short(sha), err)
	}
	p, err := ReadProject(ctx, clone, sha, repo)
	if err != nil {
		err = fmt.Errorf("the configuration of %s at %s: %w", repo, short(sha), err)
	}
	if err == nil || broken(err) {
		a.projects.put(key, reading{p, err})
	}
	return p, err
}

func short(sha string) string { return sha[:min(9, len(sha))] }

func (a *App) defaultTip(ctx context.Context, repo forge.RepoName) (string, error) {
	if a.alone != nil {
		return a.alone.defaultTip(ctx)
	}
	r, err := a.Forge.Repo(ctx, repo)
	if err != nil {
		return "", err
	}
	b, err := a.Forge.Branch(ctx, repo, r.DefaultBranch)
	return b.SHA, err
}

// clone returns the up-to-date mirror of a repository.
func (a *App) clone(ctx context.Context, repo forge.RepoName) (*git.Repository, error) {
	if a.alone != nil {
		return a.alone.clone(ctx, a.clones)
	}
	return a.clones.Repository(ctx, a.ownGitURL(repo), a.gitAuth())
}

// address is where a repository is cloned from now that had the address
// before, when the platform listened on another port, say.
func (a *App) address(before string) string {
	u, err := url.Parse(before)
	if err != nil {
		return before
	}
	return a.self + u.Path
}

// jobs is what job/run asks for.
func (a *App) jobs(ctx context.Context, repo forge.RepoName, sha string) (job.Config, error) {
	p, err := a.standing(ctx, repo, sha)
	return p.Jobs, err
}

// policy is what the merge queue asks for.
func (a *App) policy(ctx context.Context, repo forge.RepoName) (merge.Policy, error) {
	p, err := a.standing(ctx, repo, "")
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) {
		return merge.Policy{}, nil // nothing was pushed yet
	}
	if err != nil {
		return merge.Policy{}, err
	}
	return merge.Policy{
		Queries:    p.Merge.Queries(),
		Method:     forge.MergeMethod(p.Merge.Method),
		Milestones: p.Merge.Milestone,
		Batch:      p.Merge.BatchLimit,
	}, nil
}

// requirements is what a change must pass, by the configuration of its base.
func (a *App) requirements(ctx context.Context, pr forge.PullRequest, baseSHA string) (merge.Requirements, error) {
	p, err := a.standing(ctx, pr.Repo, baseSHA)
	if err != nil {
		return merge.Requirements{}, err
	}
	files := func() ([]string, error) { return a.changedFiles(ctx, pr) }
	must, err := job.BeforeMerge(p.Jobs, pr.Repo.String(), pr.Base.Branch, files)
	if err != nil {
		return merge.Requirements{}, fmt.Errorf("working out what #%d must pass: %w", pr.Number, err)
	}
	all := job.Requirements(p.Jobs, pr.Repo.String(), pr.Base.Branch)
	r := merge.Requirements{Contexts: p.Merge.RequiredContexts, IfPresent: append([]string{config.Name}, all.RequiredIfPresent...), Optional: append([]string{queueContext}, all.Optional...)}
	for _, j := range must {
		r.Jobs = append(r.Jobs, merge.RequiredJob{Name: j.Name, Context: j.Context})
	}
	return r, nil
}

// queueContext is the status the merge queue itself reports; it decides
// nothing.
const queueContext = "queue"

func (a *App) changedFiles(ctx context.Context, pr forge.PullRequest) ([]string, error) {
	changes, err := a.Forge.PullRequestFiles(ctx, pr.Repo, pr.Number)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
		if c.PreviousPath != "" {
			paths = append(paths, c.PreviousPath)
		}
	}
	return paths, nil
}

// manners is what the bot asks for.
func (a *App) manners(context.Context, forge.RepoName) (bot.Policy, error) {
	return bot.Policy{ReviewActsAsLGTM: true, Reviewers: 2, ReleaseNotes: true}, nil
}

// note reads a description for the bot.
func note(body string) bot.Note {
	v := notes.Check(body, nil)
	switch {
	case v.Outcome == notes.NoneNeeded:
		return bot.NoteNone
	case v.Outcome == notes.HasNote && v.ActionRequired:
		return bot.NoteActionRequired
	case v.Outcome == notes.HasNote:
		return bot.NoteGiven
	}
	return bot.NoteMissing
}

// releaseProject is what release/cut asks for.
func (a *App) releaseProject(ctx context.Context, repo forge.RepoName, commit string) (cut.Project, error) {
	p, err := a.Project(ctx, repo, commit)
	if err != nil {
		return cut.Project{}, err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return cut.Project{}, err
	}
	name := p.Build.Go.Name
	if name == "" {
		name = p.Project.Project.Name
	}
	if name == "" {
		name = repo.Name
	}
	platforms, err := artifact.ParsePlatforms(p.Build.Platforms)
	if err != nil {
		return cut.Project{}, err
	}
	policy, err := numbering(ctx, clone, p.Release)
	if err != nil {
		return cut.Project{}, err
	}
	out := cut.Project{
		Name:   name,
		Policy: policy,
		Images: p.Images, Packages: p.Packages,
		Build: cut.Build{
			Formats: formats(p.Build),
			Main:    p.Build.Go.Main, LDFlags: p.Build.Go.Ldflags, Platforms: platforms,
			Files: p.Build.Files, Env: environment(p.Build), Source: true,
		},
		Rehearse:     p.Release.Gates.Rehearsal == "required",
		FastForward:  p.Release.Branches.FastForward,
		Tags:         cut.TagSigning{Sign: cut.SignTags(p.Release.Tags.Sign), Key: p.Release.Tags.Key},
		Announcement: p.Announcement,
		Tagger:       cut.Identity{Name: "Seaworthy", Email: BotLogin + "@localhost"},
	}
	switch {
	case len(p.Build.Command) > 0:
		out.Build.Main, out.Build.Command = nil, &build.Command{Run: p.Build.Command, Outputs: p.Build.Outputs}
	case len(p.Build.Go.Main) == 0:
		out.Build.Platforms = nil // nothing to build: it is released as source
	}
	for _, r := range p.Release.Gates.Approvals {
		out.Approvals = append(out.Approvals, r.Role)
	}
	return out, follow(&out, p.Release)
}

// formats are what each platform is packed in.
func formats(b config.Build) []build.Format {
	var all []build.Format
	for _, f := range b.Formats {
		all = append(all, build.Format(f))
	}
	return all
}

// environment lists the variables of a build by name; those of go build count
// before those of any command.
func environment(b config.Build) []string {
	all := maps.Clone(b.Env)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b.Go.Env)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env
}

// Numbering is how a repository numbers its releases, by its configuration and
// its history.
func (a *App) Numbering(ctx context.Context, repo forge.RepoName, p Project) (release.Policy, error) {
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return release.Policy{}, err
	}
	return numbering(ctx, clone, p.Release)
}

// numbering is how the project numbers its releases. A project that has final
// releases but never kept a release branch releases from its default branch,
// as its history shows.
func numbering(ctx context.Context, clone *git.Repository, r config.Release) (release.Policy, error) {
	p := release.DefaultPolicy()
	p.Prefix, p.BranchPattern = r.TagPrefix, r.BranchPattern
	p.First.Prefix = r.TagPrefix
	p.NoNextAlpha, p.NextCandidate, p.Bump = !r.Versions.NextAlpha, r.Versions.NextCandidate, release.Bump(r.Versions.Bump)
	refs, err := clone.Refs(ctx, "refs/heads", "refs/tags")
	if err != nil {
		return p, fmt.Errorf("reading branches and tags: %w", err)
	}
	finals, branches := 0, 0
	var tags []string
	for _, ref := range refs {
		if tag, ok := strings.CutPrefix(ref.Name, "refs/tags/"); ok {
			tags = append(tags, tag)
		} else if _, ok := p.ParseBranch(strings.TrimPrefix(ref.Name, "refs/heads/")); ok {
			branches++
		}
	}
	for _, v := range release.ParseVersions(p.Prefix, tags) {
		if v.Final() {
			finals++
		}
	}
	p.Trunk = finals > 0 && branches == 0
	return p, nil
}

// BuildRequest completes a request to build what a project is made of with
// what its configuration says.
func BuildRequest(ctx context.Context, p Project, r build.Request) (build.Request, error) {
	cache, err := buildEnvironment(ctx)
	if err != nil {
		return r, err
	}
	r.Name, r.Cache = p.Build.Go.Name, cache
	if r.Name == "" {
		r.Name = p.Project.Project.Name
	}
	r.Main, r.LDFlags, r.Files, r.Env, r.Formats = p.Build.Go.Main, p.Build.Go.Ldflags, p.Build.Files, environment(p.Build), formats(p.Build)
	if len(p.Build.Command) > 0 {
		r.Main, r.Command = nil, &build.Command{Run: p.Build.Command, Outputs: p.Build.Outputs}
	}
	return r, nil
}
