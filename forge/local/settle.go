package local

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

// maxPushCommits is how many commits a push event carries.
const maxPushCommits = 256

// move is a ref that is not where it was last announced.
type move struct {
	ref           string
	before, after string // git.ZeroSHA: not there
	forced        bool
	commits       []git.Commit // new ones, oldest first
	changed       map[string]fileLists
	reached       map[string]bool // ids of all new commits
}

func (m move) branch() (string, bool) { return strings.CutPrefix(m.ref, "refs/heads/") }

// fileLists are the files that a commit touched.
type fileLists struct{ added, removed, modified []string }

// settle brings the database in line with the refs of a repository, and
// announces what moved: pull requests follow their branches, and push, create
// and delete events are stored. The caller holds the repository's lock. It
// must be called after every change of a ref, and may be called at any time.
func (f *Forge) settle(ctx context.Context, repo hosted.Repo, actor string) error {
	ctx = context.WithoutCancel(ctx) // what has moved is announced, even if the mover has gone
	moves, err := f.moves(ctx, repo)
	if err != nil || len(moves) == 0 {
		return err
	}
	fates, err := f.pullFates(ctx, repo, moves)
	if err != nil {
		return err
	}
	if repo, err = f.firstBranch(ctx, repo, moves); err != nil {
		return err
	}
	return f.change(ctx, func(v *view) error {
		for _, m := range moves {
			sha := m.after
			if sha == git.ZeroSHA {
				sha = ""
			}
			if err := v.q.SetRef(ctx, repo.ID, m.ref, sha); err != nil {
				return err
			}
			if err := v.announceMove(ctx, repo, m, actor); err != nil {
				return err
			}
		}
		if err := v.q.Pushed(ctx, repo.ID, f.now()); err != nil {
			return err
		}
		for _, fate := range fates {
			if err := v.applyFate(ctx, fate, actor); err != nil {
				return err
			}
		}
		return nil
	})
}

// firstBranch makes the first branch that is pushed to an empty repository its
// default branch, if that does not exist.
func (f *Forge) firstBranch(ctx context.Context, repo hosted.Repo, moves []move) (hosted.Repo, error) {
	g := f.gitRepo(repo)
	if _, err := g.Resolve(ctx, "refs/heads/"+repo.DefaultBranch); !errors.Is(err, git.ErrNotFound) {
		return repo, err
	}
	refs, err := g.Refs(ctx, "refs/heads")
	if err != nil || len(refs) == 0 {
		return repo, err
	}
	for _, m := range moves {
		if b, ok := m.branch(); ok && m.before == git.ZeroSHA {
			repo.DefaultBranch = b
			if _, err := g.Git(ctx, "symbolic-ref", "HEAD", m.ref); err != nil {
				return repo, err
			}
			return repo, f.store.Write(ctx, func(q *hosted.Queries) error { return q.UpdateRepo(ctx, repo) })
		}
	}
	return repo, nil
}

// moves compares the refs with what was announced.
func (f *Forge) moves(ctx context.Context, repo hosted.Repo) ([]move, error) {
	known, err := f.store.Read().Refs(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	g := f.gitRepo(repo)
	refs, err := g.Refs(ctx, "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, r := range refs {
		before, ok := known[r.Name]
		delete(known, r.Name)
		if !ok {
			before = git.ZeroSHA
		}
		if before != r.SHA {
			moves = append(moves, move{ref: r.Name, before: before, after: r.SHA})
		}
	}
	for name, before := range known {
		moves = append(moves, move{ref: name, before: before, after: git.ZeroSHA})
	}
	sort.Slice(moves, func(i, j int) bool { return moves[i].ref < moves[j].ref })
	for i := range moves {
		if err := describe(ctx, g, repo, &moves[i]); err != nil {
			return nil, fmt.Errorf("describing the push to %s: %w", moves[i].ref, err)
		}
	}
	return moves, nil
}

// describe finds what a move brought.
func describe(ctx context.Context, g *git.Repository, repo hosted.Repo, m *move) error {
	branch, ok := m.branch()
	if !ok || m.after == git.ZeroSHA {
		return nil
	}
	from := m.before
	if from == git.ZeroSHA {
		// A new branch brings what the default branch does not have.
		base, err := g.Resolve(ctx, "refs/heads/"+repo.DefaultBranch)
		if errors.Is(err, git.ErrNotFound) || branch == repo.DefaultBranch {
			base, err = "", nil
		}
		if err != nil {
			return err
		}
		from = base
	} else {
		linear, err := g.IsAncestor(ctx, m.before, m.after)
		if err != nil {
			return err
		}
		m.forced = !linear
	}
	revs := m.after
	if from != "" {
		revs = from + ".." + m.after
	}
	ids, err := g.Git(ctx, "rev-list", "--max-count=100000", revs)
	if err != nil {
		return err
	}
	m.reached = map[string]bool{m.after: true}
	for id := range strings.FieldsSeq(ids) {
		m.reached[id] = true
	}
	if m.commits, err = g.Log(ctx, revs, git.LogOptions{Max: maxPushCommits}); err != nil {
		return err
	}
	for i, j := 0, len(m.commits)-1; i < j; i, j = i+1, j-1 {
		m.commits[i], m.commits[j] = m.commits[j], m.commits[i]
	}
	m.changed, err = touched(ctx, g, revs)
	return err
}

// touched lists the files of each commit of a range.
func touched(ctx context.Context, g *git.Repository, revs string) (map[string]fileLists, error) {
	out, err := g.Git(ctx, "log", "--format=%x01%H", "--name-status", "--no-renames", "-z", "--first-parent", "-m",
		fmt.Sprintf("--max-count=%d", maxPushCommits), revs)
	if err != nil {
		return nil, err
	}
	return parseTouched(out), nil
}

// parseTouched reads git log --name-status -z, each commit led by \x01ID.
func parseTouched(out string) map[string]fileLists {
	all := map[string]fileLists{}
	for rec := range strings.SplitSeq(out, "\x01") {
		f := strings.Split(rec, "\x00")
		id := strings.TrimSpace(f[0])
		if id == "" {
			continue
		}
		var l fileLists
		for i := 1; i+1 < len(f); i += 2 {
			switch strings.TrimSpace(f[i]) {
			case "A":
				l.added = append(l.added, f[i+1])
			case "D":
				l.removed = append(l.removed, f[i+1])
			case "M", "T":
				l.modified = append(l.modified, f[i+1])
			default:
				i-- // an empty field between records
			}
		}
		all[id] = l
	}
	return all
}

// announceMove stores the events of a ref that moved.
func (v *view) announceMove(ctx context.Context, repo hosted.Repo, m move, actor string) error {
	short, kind := m.ref, "branch"
	if b, ok := m.branch(); ok {
		short = b
	} else if t, ok := strings.CutPrefix(m.ref, "refs/tags/"); ok {
		short, kind = t, "tag"
	}
	if m.before == git.ZeroSHA {
		if err := v.emit(ctx, repo, actor, forge.EventCreate, "", map[string]any{"ref": short, "ref_type": kind, "master_branch": repo.DefaultBranch,
			"description": text(repo.Description), "pusher_type": "user"}); err != nil {
			return err
		}
	}
	if m.after == git.ZeroSHA {
		if err := v.emit(ctx, repo, actor, forge.EventDelete, "", map[string]any{"ref": short, "ref_type": kind, "pusher_type": "user"}); err != nil {
			return err
		}
	}
	return v.emitPush(ctx, repo, m, actor)
}

func (v *view) emitPush(ctx context.Context, repo hosted.Repo, m move, actor string) error {
	commits := make([]wirePushCommit, 0, len(m.commits))
	for _, c := range m.commits {
		w, err := v.pushCommit(ctx, repo, c, m.changed[c.SHA])
		if err != nil {
			return err
		}
		commits = append(commits, w)
	}
	var head *wirePushCommit
	if n := len(commits); n > 0 {
		head = &commits[n-1]
	}
	compare := v.f.repoHTML(repo, "/compare/%.12s...%.12s", m.before, m.after)
	if m.before == git.ZeroSHA || m.after == git.ZeroSHA {
		compare = v.f.repoHTML(repo, "/compare/%s", escapePath(strings.TrimPrefix(m.ref, "refs/heads/")))
	}
	pusher := wirePusher{Name: actor}
	if a, err := v.q.Account(ctx, actor); err == nil {
		pusher.Email = text(a.Email)
	} else if !errors.Is(err, hosted.ErrNotFound) {
		return err
	}
	return v.emit(ctx, repo, actor, forge.EventPush, "", map[string]any{
		"ref": m.ref, "before": m.before, "after": m.after, "created": m.before == git.ZeroSHA, "deleted": m.after == git.ZeroSHA,
		"forced": m.forced, "base_ref": nil, "compare": compare, "commits": commits, "head_commit": head, "pusher": pusher,
	})
}

func (v *view) pushCommit(ctx context.Context, repo hosted.Repo, c git.Commit, files fileLists) (wirePushCommit, error) {
	author, err := v.pusher(ctx, c.Author)
	if err != nil {
		return wirePushCommit{}, err
	}
	committer, err := v.pusher(ctx, c.Committer)
	if err != nil {
		return wirePushCommit{}, err
	}
	return wirePushCommit{ID: c.SHA, TreeID: c.Tree, Distinct: true, Message: c.Message, Timestamp: stamp(c.Author.Time),
		URL: v.f.repoHTML(repo, "/commit/%s", c.SHA), Author: author, Committer: committer,
		Added: orEmpty(files.added), Removed: orEmpty(files.removed), Modified: orEmpty(files.modified)}, nil
}

// orEmpty makes a missing list an empty one, which is [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// fate is what becomes of a pull request whose branches moved.
type fate struct {
	repo   hosted.Repo
	pull   hosted.Issue
	before string // the head before it moved; empty: it did not
	merged bool
	closed bool
	stats  pullStats
	landed []string // the commits that a merged one brought to its base
}

// pullFates finds the open pull requests that the moves concern, and moves
// their refs/pull/N/head.
func (f *Forge) pullFates(ctx context.Context, repo hosted.Repo, moves []move) ([]fate, error) {
	var order []int64
	fates := map[int64]*fate{}
	for _, m := range moves {
		branch, ok := m.branch()
		if !ok {
			continue
		}
		pulls, err := f.store.Read().OpenPulls(ctx, repo.ID, branch)
		if err != nil {
			return nil, err
		}
		for _, p := range pulls {
			if fates[p.ID] == nil {
				order = append(order, p.ID)
				fates[p.ID] = &fate{repo: repo, pull: p}
			}
			fates[p.ID].follow(m, branch, repo)
		}
	}
	out := make([]fate, 0, len(order))
	for _, id := range order {
		ft := fates[id]
		if err := f.prepareFate(ctx, repo, ft); err != nil {
			return nil, fmt.Errorf("following pull request %d: %w", ft.pull.Number, err)
		}
		out = append(out, *ft)
	}
	return out, nil
}

// follow notes what one move means for the pull request.
func (ft *fate) follow(m move, branch string, repo hosted.Repo) {
	p := &ft.pull
	gone := m.after == git.ZeroSHA
	if p.RepoID == repo.ID && p.Base == branch && !gone {
		ft.merged = m.reached[p.HeadSHA] || p.MergeSHA != "" && m.reached[p.MergeSHA]
		switch {
		case !ft.merged:
			p.BaseSHA = m.after
		case !m.reached[p.MergeSHA]:
			p.MergeSHA = m.after // it came in by a push
		}
	}
	if p.HeadRepoID == repo.ID && p.Head == branch && !gone && p.HeadSHA != m.after {
		ft.before, p.HeadSHA = p.HeadSHA, m.after
	}
	ft.closed = ft.closed || gone
}

// prepareFate does the part of following that needs git.
func (f *Forge) prepareFate(ctx context.Context, moved hosted.Repo, ft *fate) error {
	var err error
	if ft.pull.RepoID != moved.ID {
		if ft.repo, err = f.store.Read().RepoByID(ctx, ft.pull.RepoID); err != nil {
			return err
		}
	}
	if ft.before != "" {
		if err := f.setPullHead(ctx, ft.repo, moved, ft.pull); err != nil {
			return err
		}
	}
	if ft.stats, err = f.pullStats(ctx, ft.repo, ft.pull); err != nil || !ft.merged {
		return err
	}
	landed, err := f.gitRepo(ft.repo).Git(ctx, "rev-list", fmt.Sprintf("--max-count=%d", maxPushCommits), ft.pull.BaseSHA+".."+ft.pull.MergeSHA)
	ft.landed = strings.Fields(landed)
	return err
}

// applyFate stores what becomes of a pull request, and the events of it.
func (v *view) applyFate(ctx context.Context, ft fate, actor string) error {
	// The row may have changed since it was read outside the transaction.
	p, err := v.q.Issue(ctx, ft.pull.RepoID, ft.pull.Number)
	if err != nil || p.State != stateOpen {
		return err
	}
	now := v.f.now()
	p.BaseSHA, p.HeadSHA, p.UpdatedAt = ft.pull.BaseSHA, ft.pull.HeadSHA, now
	switch {
	case ft.merged:
		p.Merged, p.MergeSHA, p.MergedAt, p.State, p.ClosedAt = true, ft.pull.MergeSHA, now, stateClosed, now
		if p.MergedBy == "" {
			p.MergedBy = actor
		}
		p.ClosedBy = p.MergedBy
	case ft.closed:
		p.State, p.ClosedAt, p.ClosedBy = stateClosed, now, actor
	}
	if err := v.q.UpdateIssue(ctx, p); err != nil {
		return err
	}
	if ft.merged || ft.before != "" {
		if err := v.q.SetPullCommits(ctx, p, append(ft.landed, ft.stats.ids...)); err != nil {
			return err
		}
	}
	if ft.before != "" {
		if err := v.emitPull(ctx, ft.repo, p, ft.stats, actor, "synchronize", map[string]any{"before": ft.before, "after": p.HeadSHA}); err != nil {
			return err
		}
	}
	if p.State == stateClosed {
		return v.emitPull(ctx, ft.repo, p, ft.stats, actor, "closed", nil)
	}
	return nil
}
