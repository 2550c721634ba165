package cut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"gocloud.dev/gcerrors"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
)

// FastForwardRequest asks for a release branch to be moved on to the default
// branch, between its first candidate and its first final release.
type FastForwardRequest struct {
	Repo   forge.RepoName `json:"repo"`
	Branch string         `json:"branch,omitempty"` // empty: the newest release branch
	// Ref is the commit, tag or branch to move to; it must be on the default
	// branch, whose tip it is when empty.
	Ref   string `json:"ref,omitempty"`
	Mock  bool   `json:"mock,omitempty"`
	Actor string `json:"actor"`
}

// Movement is how a release branch moves on.
type Movement struct {
	Repo          forge.RepoName `json:"repo"`
	CloneURL      string         `json:"clone_url"`
	Branch        string         `json:"branch"`
	DefaultBranch string         `json:"default_branch"`
	From          string         `json:"from"`    // the branch's tip
	Main          string         `json:"main"`    // the commit of the default branch
	To            string         `json:"to"`      // the branch's tip afterwards
	Commits       int            `json:"commits"` // that the branch gains, of the default branch
	// Merged says that To is a merge, since the branch holds changes of its own.
	Merged bool `json:"merged,omitempty"`
	// Kept are files in which both sides changed the same lines; the branch's stay.
	Kept []string `json:"kept,omitempty"`
	// Only says that the project allows no merge.
	Only bool `json:"only,omitempty"`
	// Done is why there is nothing to move; empty if there is.
	Done   string   `json:"done,omitempty"`
	Author Identity `json:"author"`
}

// fastForwardFlow is the flow that moves a branch on.
type fastForwardFlow struct {
	def      *flow.Definition
	movement flow.Value[Movement]
}

// FastForwardPlanned is the step after which it is known how a branch would
// move, and nothing was done.
const FastForwardPlanned = "merge"

// defineFastForward is the order of all work of moving a branch on.
func (s *Service) defineFastForward() fastForwardFlow {
	d := flow.Define("ff", 1)
	request := flow.Param[FastForwardRequest](d)

	// Both branches are pinned: what is judged, merged and pushed is one state.
	where := flow.Add(d, outside(s, "options", "Find the branch and pin both tips", s.fastForwardStart), request)

	// Is it still time to move it, and is nobody releasing from it?
	judged := flow.Add(d, outside(s, "safe", "Look whether the branch may move", s.judgeFastForward), where)

	// What would it be?
	merged := flow.Add(d, outside(s, FastForwardPlanned, "Work out where the branch moves", s.planMovement), judged)

	pushed := flow.Add(d, public(s, "push", "Push the branch", s.movedAlready, s.pushMovement), merged)
	flow.Add(d, outside(s, "verify", "Verify where the branch is", s.verifyMovement), merged, pushed)
	return fastForwardFlow{def: d, movement: merged}
}

// FastForward records a run that moves a release branch on. Drive makes it
// happen. The error is a *release.Refusal, wrapped, where it may not be.
func (s *Service) FastForward(ctx context.Context, r FastForwardRequest) (flow.Run, error) {
	if r.Branch == "" {
		// The branch is part of what excludes two runs at once.
		t, err := s.locate(ctx, r.Repo)
		if err != nil {
			return flow.Run{}, err
		}
		if r.Branch, err = s.newestBranch(ctx, t); err != nil {
			return flow.Run{}, err
		}
	}
	return s.start(ctx, s.ff.def, fmt.Sprintf("branch %s %s", r.Repo, r.Branch), r, r.Mock, r.Actor)
}

// Movement returns how a run moves a branch; false until it has found out.
func (s *Service) Movement(ctx context.Context, id string) (Movement, bool, error) {
	return flow.Result(ctx, s.Engine, id, s.ff.movement)
}

// newestBranch is the release branch of the highest series.
func (s *Service) newestBranch(ctx context.Context, t target) (string, error) {
	mirror, tip, err := s.tipOf(ctx, t.CloneURL, t.DefaultBranch)
	if err != nil {
		return "", err
	}
	project, err := s.Project(ctx, t.Repo, tip)
	if err != nil {
		return "", lasting(fmt.Errorf("reading how %s is released: %w", t.Repo, err))
	}
	refs, err := mirror.Refs(ctx, "refs/heads")
	if err != nil {
		return "", fmt.Errorf("reading the branches of %s: %w", t.Repo, err)
	}
	newest, name := release.Version{}, ""
	for _, r := range refs {
		branch := strings.TrimPrefix(r.Name, "refs/heads/")
		if v, ok := project.Policy.ParseBranch(branch); ok && (name == "" || v.Compare(newest) > 0) {
			newest, name = v, branch
		}
	}
	if name == "" {
		return "", flow.Permanent(fmt.Errorf("%s has no release branch: create one first", t.Repo))
	}
	return name, nil
}

// fastForwardStart pins the tips.
func (s *Service) fastForwardStart(ctx context.Context, r FastForwardRequest) (Movement, error) {
	t, err := s.locate(ctx, r.Repo)
	if err != nil {
		return Movement{}, err
	}
	m := Movement{Repo: r.Repo, CloneURL: t.CloneURL, Branch: r.Branch, DefaultBranch: t.DefaultBranch}
	mirror, main, err := s.tipOf(ctx, t.CloneURL, t.DefaultBranch)
	if err != nil {
		return m, err
	}
	if _, m.From, err = s.tipOf(ctx, t.CloneURL, r.Branch); err != nil {
		return m, err
	}
	if main == "" || m.From == "" {
		missing := r.Branch
		if main == "" {
			missing = t.DefaultBranch
		}
		return m, flow.Permanent(fmt.Errorf("there is no branch %s of %s: create it first", missing, r.Repo))
	}
	m.Main = main
	if r.Ref != "" && r.Ref != t.DefaultBranch {
		if m.Main, err = onBranch(ctx, mirror, r.Ref, t.DefaultBranch, main); err != nil {
			return m, err
		}
	}
	project, err := s.Project(ctx, r.Repo, main)
	if err != nil {
		return m, lasting(fmt.Errorf("reading how %s is released: %w", r.Repo, err))
	}
	if _, err := release.SeriesOf(project.Policy, r.Branch, t.DefaultBranch); err != nil {
		return m, flow.Permanent(err)
	}
	m.Author, m.Only = project.Tagger, project.FastForward == release.FastForwardOnly
	flow.Logf(ctx, "%s is at %s, %s at %s", m.Branch, short(m.From), m.DefaultBranch, short(m.Main))
	return m, nil
}

// judgeFastForward asks every safety. It sets Done where the time for it is over.
func (s *Service) judgeFastForward(ctx context.Context, m Movement) (Movement, error) {
	project, err := s.Project(ctx, m.Repo, m.Main)
	if err != nil {
		return m, lasting(fmt.Errorf("reading how %s is released: %w", m.Repo, err))
	}
	series, err := release.SeriesOf(project.Policy, m.Branch, m.DefaultBranch)
	if err != nil {
		return m, flow.Permanent(err)
	}
	mirror, main, err := s.tipOf(ctx, m.CloneURL, m.DefaultBranch)
	if err != nil {
		return m, err
	}
	f := release.FastForward{Series: series, Prefix: project.Policy.Prefix}
	refs, err := mirror.Refs(ctx, "refs/tags")
	if err != nil {
		return m, fmt.Errorf("reading the tags of %s: %w", m.Repo, err)
	}
	for _, r := range refs {
		f.Tags = append(f.Tags, strings.TrimPrefix(r.Name, "refs/tags/"))
	}
	base, err := mirror.MergeBase(ctx, main, m.From)
	if err != nil {
		return m, flow.Permanent(fmt.Errorf("%s and %s have no history in common: %w", m.Branch, m.DefaultBranch, err))
	}
	if f.BaseTag, err = newestTag(ctx, mirror, f.Prefix, base); err != nil {
		return m, err
	}
	if f.MainTag, err = newestTag(ctx, mirror, f.Prefix, main); err != nil {
		return m, err
	}
	if f.CutIssue, err = s.cutIssue(ctx, m.Repo, series.First(f.Prefix)); err != nil {
		return m, err
	}
	if f.Running, err = s.releasing(ctx, m.Repo, m.Branch); err != nil {
		return m, err
	}
	if m.Done, err = f.Judge(); err != nil {
		return m, flow.Permanent(err)
	}
	if m.Done != "" {
		flow.Progress(ctx, "%s", m.Done)
	}
	return m, nil
}

// newestTag is the version that is nearest in a commit's history, empty for none.
func newestTag(ctx context.Context, repo *git.Repository, prefix, commit string) (string, error) {
	out, err := repo.Git(ctx, "describe", "--tags", "--abbrev=0", "--match", strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(prefix)+"[0-9]*", commit)
	var failed *git.Error
	if errors.As(err, &failed) && failed.Code == 128 {
		return "", nil // git says so when no tag matches
	}
	if err != nil {
		return "", fmt.Errorf("looking for the newest version at %s: %w", short(commit), err)
	}
	return strings.TrimSpace(out), nil
}

// cutIssue looks for the open issue that the first final release is cut with.
func (s *Service) cutIssue(ctx context.Context, repo forge.RepoName, v release.Version) (string, error) {
	if s.Tracker == nil {
		flow.Logf(ctx, "this forge keeps no issues that could say %s is being cut", v)
		return "", nil
	}
	issues, err := s.Tracker.Issues(ctx, repo, forge.IssueFilter{State: "open"})
	if err != nil {
		return "", lasting(fmt.Errorf("looking for the issue %q: %w", release.CutTitle(v), err))
	}
	i := slices.IndexFunc(issues, func(i forge.Issue) bool { return strings.TrimSpace(i.Title) == release.CutTitle(v) })
	if i < 0 {
		return "", nil
	}
	return fmt.Sprintf("#%d %q is open", issues[i].Number, release.CutTitle(v)), nil
}

// releasing looks for a real stage or cut of a branch that is not over. A cut
// that failed can be resumed, and would then find another branch than it left.
func (s *Service) releasing(ctx context.Context, repo forge.RepoName, branch string) (string, error) {
	for _, d := range []*flow.Definition{s.stage.def, s.cut.def} {
		runs, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Flow: d.Name()})
		if err != nil {
			return "", fmt.Errorf("looking for releases under way: %w", err)
		}
		for _, run := range runs {
			open := !run.State.Final() || run.State == flow.Failed && d == s.cut.def
			if run.Mock || !open {
				continue
			}
			of, err := s.branchOf(ctx, run, repo)
			if err != nil {
				return "", err
			}
			if of == branch {
				return fmt.Sprintf("%s %s of %s is %s", d.Name(), run.ID, branch, run.State), nil
			}
		}
	}
	return "", nil
}

// branchOf is the branch that a stage or cut of the repository releases from;
// empty for one of another.
func (s *Service) branchOf(ctx context.Context, run flow.Run, repo forge.RepoName) (string, error) {
	var of struct {
		Repo   forge.RepoName `json:"repo"`
		Branch string         `json:"branch"`
		Build  string         `json:"build_version"`
	}
	if err := json.Unmarshal(run.Params, &of); err != nil {
		return "", fmt.Errorf("reading what run %s is about: %w", run.ID, err)
	}
	if of.Repo != repo {
		return "", nil
	}
	if of.Branch != "" {
		return of.Branch, nil
	}
	if run.Version == s.cut.def.Version() {
		if plan, known, err := s.CutPlan(ctx, run.ID); err == nil && known {
			return plan.Branch, nil
		}
	}
	// It has not come far: the record of its stage says. Without one it will
	// not come any further.
	var record struct {
		Plan struct {
			Branch string `json:"branch"`
		} `json:"plan"`
	}
	data, err := s.Bucket.ReadAll(ctx, path.Join(folder(false, stageRoot, repo, of.Build), stageFile))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		return "", fmt.Errorf("reading which branch run %s releases from: %w", run.ID, err)
	}
	return record.Plan.Branch, nil
}

// planMovement works out the commit that the branch moves to.
func (s *Service) planMovement(ctx context.Context, m Movement) (Movement, error) {
	if m.Done != "" {
		m.To = m.From
		return m, nil
	}
	repo, err := s.ownRepository(ctx, m.CloneURL)
	if err != nil {
		return m, err
	}
	m, err = s.movement(ctx, repo, m)
	if err != nil {
		return m, err
	}
	switch {
	case m.Done != "":
		flow.Progress(ctx, "%s", m.Done)
	case m.Merged:
		flow.Progress(ctx, "%s gains %s by the merge %s", m.Branch, count(m.Commits, "commit", "commits"), short(m.To))
		for _, file := range m.Kept {
			flow.Logf(ctx, "both changed %s: what %s has stays", file, m.Branch)
		}
	default:
		flow.Progress(ctx, "%s gains %s and is then at %s", m.Branch, count(m.Commits, "commit", "commits"), short(m.To))
	}
	return m, nil
}

// movement makes the commit. Made again it is the same.
func (s *Service) movement(ctx context.Context, repo *git.Repository, m Movement) (Movement, error) {
	m.To = m.From
	in, err := repo.IsAncestor(ctx, m.Main, m.From)
	if err != nil {
		return m, fmt.Errorf("comparing %s with %s: %w", m.Branch, m.DefaultBranch, err)
	}
	if in {
		m.Done = fmt.Sprintf("%s holds all of %s", m.Branch, short(m.Main))
		return m, nil
	}
	if m.Commits, err = repo.CountCommits(ctx, m.From+".."+m.Main); err != nil {
		return m, fmt.Errorf("counting what %s gains: %w", m.Branch, err)
	}
	ahead, err := repo.IsAncestor(ctx, m.From, m.Main)
	if err != nil {
		return m, fmt.Errorf("comparing %s with %s: %w", m.Branch, m.DefaultBranch, err)
	}
	if ahead {
		m.To = m.Main
		return m, nil
	}
	if m.Only {
		return m, flow.Permanent(&release.Refusal{Kind: "fast-forward", Branch: m.DefaultBranch + " to " + m.Branch,
			Why: fmt.Sprintf("%s holds changes of its own, and release.branches.fast_forward allows no merge", m.Branch)})
	}
	m.Merged = true
	tree, kept, err := s.mergeTree(ctx, repo, m)
	if err != nil {
		return m, err
	}
	m.Kept = kept
	author := git.Person{Name: m.Author.Name, Email: m.Author.Email, Time: flow.Current(ctx).CreatedAt}
	m.To, err = repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{m.From, m.Main}, Author: author,
		Message: fmt.Sprintf("Merge %s at %s into %s\n", m.DefaultBranch, short(m.Main), m.Branch)})
	if err != nil {
		return m, fmt.Errorf("merging %s into %s: %w", m.DefaultBranch, m.Branch, err)
	}
	return m, nil
}

// mergeTree merges. What is on the branch was put there for its release on
// purpose: version, jobs, changelog. So where both changed the same lines, the
// branch's stay; where one removed what the other changed, a person decides.
func (s *Service) mergeTree(ctx context.Context, repo *git.Repository, m Movement) (tree string, kept []string, err error) {
	tree, err = repo.MergeTree(ctx, m.From, m.Main)
	if err == nil {
		return tree, nil, nil
	}
	if !errors.Is(err, git.ErrConflict) {
		return "", nil, fmt.Errorf("merging %s into %s: %w", m.DefaultBranch, m.Branch, err)
	}
	_, names, _ := strings.Cut(err.Error(), " in ")
	kept = strings.Split(names, ", ")
	dir := s.checkoutDir(ctx)
	if err := os.RemoveAll(dir); err != nil {
		return "", nil, fmt.Errorf("clearing the workspace: %w", err)
	}
	work, err := repo.Worktree(ctx, dir, m.From)
	if err != nil {
		return "", nil, fmt.Errorf("checking out %s: %w", m.Branch, err)
	}
	defer func() {
		if rerr := repo.RemoveWorktree(context.WithoutCancel(ctx), dir); err == nil && rerr != nil {
			err = fmt.Errorf("removing the workspace: %w", rerr)
		}
	}()
	if _, err := work.Git(ctx, "-c", "user.name=merge", "-c", "user.email=merge@localhost", "merge", "--no-commit", "--no-ff", "-q", "-X", "ours", m.Main); err != nil {
		return "", nil, flow.Permanent(fmt.Errorf("%s and %s do not merge in %s: merge them by hand: %w", m.DefaultBranch, m.Branch, names, err))
	}
	out, err := work.Git(ctx, "write-tree")
	return strings.TrimSpace(out), kept, err
}

// movedAlready looks where the branch is. Anywhere but where it was and where it
// shall be, somebody else has moved it.
func (s *Service) movedAlready(ctx context.Context, m Movement) (flow.Nothing, bool, error) {
	if m.Done != "" {
		return flow.Nothing{}, false, flow.Skip("%s", m.Done)
	}
	_, tip, err := s.tipOf(ctx, m.CloneURL, m.Branch)
	switch {
	case err != nil:
		return flow.Nothing{}, false, err
	case tip == m.To:
		return flow.Nothing{}, true, nil
	case tip != m.From:
		return flow.Nothing{}, false, s.movedByOthers(m, tip)
	}
	return flow.Nothing{}, false, nil
}

func (s *Service) movedByOthers(m Movement, tip string) error {
	if tip == "" {
		tip = "nowhere"
	}
	return flow.Permanent(fmt.Errorf("%s was moved by somebody else, from %s to %s, while it was to move to %s: nothing was forced; abort this run, look what happened and begin anew",
		m.Branch, short(m.From), short(tip), short(m.To)))
}

// pushMovement pushes with a compare and swap. Since the new tip descends from
// the old one, the branch can only go forward.
func (s *Service) pushMovement(ctx context.Context, m Movement) (flow.Nothing, error) {
	running, err := s.releasing(ctx, m.Repo, m.Branch)
	if err != nil {
		return flow.Nothing{}, err
	}
	if running != "" {
		return flow.Nothing{}, flow.Permanent(&release.Refusal{Kind: "fast-forward", Branch: m.DefaultBranch + " to " + m.Branch, Why: running + ": it was begun meanwhile"})
	}
	repo, err := s.ownRepository(ctx, m.CloneURL)
	if err != nil {
		return flow.Nothing{}, err
	}
	again, err := s.movement(ctx, repo, m)
	if err != nil {
		return flow.Nothing{}, err
	}
	if again.To != m.To {
		return flow.Nothing{}, flow.Permanent(fmt.Errorf("the merge came out as %s and was planned as %s: abort this run and begin anew", again.To, m.To))
	}
	ref := "refs/heads/" + m.Branch
	err = repo.Push(ctx, s.Address(m.CloneURL), git.PushOptions{DryRun: flow.Mock(ctx), Lease: map[string]string{ref: m.From}}, m.To+":"+ref)
	if err == nil {
		return flow.Nothing{}, nil
	}
	if _, tip, lookErr := s.tipOf(ctx, m.CloneURL, m.Branch); lookErr == nil && tip != m.From && tip != m.To {
		return flow.Nothing{}, s.movedByOthers(m, tip)
	}
	return flow.Nothing{}, lasting(fmt.Errorf("pushing %s: %w", m.Branch, err))
}

// verifyMovement looks at the forge once more.
func (s *Service) verifyMovement(ctx context.Context, m Movement) (flow.Nothing, error) {
	want := m.To
	if flow.Mock(ctx) {
		want = m.From
	}
	mirror, tip, err := s.tipOf(ctx, m.CloneURL, m.Branch)
	if err != nil {
		return flow.Nothing{}, err
	}
	if tip == want || m.Done != "" {
		flow.Progress(ctx, "%s is at %s", m.Branch, short(tip))
		return flow.Nothing{}, nil
	}
	if in, err := mirror.IsAncestor(ctx, want, tip); err == nil && in {
		flow.Progress(ctx, "%s has gone on from %s to %s since", m.Branch, short(want), short(tip))
		return flow.Nothing{}, nil
	}
	return flow.Nothing{}, flow.Permanent(fmt.Errorf("%s is at %s and not at %s, where it was pushed: look who moved it", m.Branch, short(tip), short(want)))
}
