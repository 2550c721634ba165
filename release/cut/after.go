package cut

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
)

// Changes holds pull requests.
type Changes interface {
	PullRequests(ctx context.Context, repo forge.RepoName, f forge.PullFilter) ([]forge.PullRequest, error)
	CreatePullRequest(ctx context.Context, repo forge.RepoName, n forge.NewPullRequest) (forge.PullRequest, error)
}

// After is what follows a release once it is public. All texts may hold
// placeholders; see release.NewWords.
type After struct {
	PullRequests []Proposal     `json:"pull_requests,omitempty"`
	Milestones   []NewMilestone `json:"milestones,omitempty"`
	Issues       []Notice       `json:"issues,omitempty"`
}

// Proposal is a change that is proposed after a release.
type Proposal struct {
	Types []release.Kind `json:"types,omitempty"` // official when empty
	Repo  forge.RepoName `json:"repo,omitzero"`   // the released one when zero
	Base  string         `json:"base,omitempty"`  // the default branch when empty
	Title string         `json:"title"`
	Body  string         `json:"body,omitempty"`
	Edits []release.Edit `json:"edits"`
}

// NewMilestone is a milestone that is opened after a release.
type NewMilestone struct {
	Types       []release.Kind `json:"types,omitempty"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Close       string         `json:"close,omitempty"` // title of one that is over
}

// Notice is an issue that is opened after a release.
type Notice struct {
	Types  []release.Kind `json:"types,omitempty"`
	Repo   forge.RepoName `json:"repo,omitzero"`
	Title  string         `json:"title"`
	Body   string         `json:"body,omitempty"`
	Labels []string       `json:"labels,omitempty"`
}

// follows reports whether something that follows kinds of releases follows one.
func follows(types []release.Kind, kind release.Kind) bool {
	if len(types) == 0 {
		return kind == release.Official
	}
	return slices.Contains(types, kind)
}

// made is what an act after a release has left at the forge.
type made struct {
	What string `json:"what"`
	URL  string `json:"url,omitempty"`
}

// act is one act after a release.
type act struct {
	what string
	// look reports whether it was done; do does it.
	look func(context.Context) (made, bool, error)
	do   func(context.Context) (made, error)
}

// afterStep is one step of acts: it looks at each, and does those that are not
// done. One that fails does not keep the others from being done. Where releases
// go to a place that is not able to, they are left to people.
func (s *Service) afterStep(name, title string, able bool, acts func(context.Context, staged) []act) flow.Step[staged, []made] {
	look := func(ctx context.Context, st staged) ([]made, bool, error) {
		all := acts(ctx, st)
		if len(all) == 0 {
			return nil, false, flow.Skip("nothing of the kind follows this release")
		}
		if !able {
			return nil, false, flow.Skip("there is nothing of the kind where this release goes; left to you: %s", strings.Join(whats(all), "; "))
		}
		if flow.Mock(ctx) {
			return nil, false, nil
		}
		var done []made
		for _, a := range all {
			m, found, err := a.look(ctx)
			if err != nil || !found {
				return nil, false, lasting(err)
			}
			done = append(done, m)
		}
		return done, true, nil
	}
	do := func(ctx context.Context, st staged) ([]made, error) {
		all := acts(ctx, st)
		if flow.Mock(ctx) {
			for _, a := range all {
				flow.Logf(ctx, "the real cut would: %s", a.what)
			}
			return nil, flow.Skip("a rehearsal leaves it: %s", strings.Join(whats(all), "; "))
		}
		var done []made
		var errs []error
		for _, a := range all {
			m, err := a.once(ctx)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", a.what, err))
				continue
			}
			done = append(done, m)
			flow.Mark(ctx, "after: %s", a.what)
			flow.Logf(ctx, "%s %s", a.what, m.URL)
		}
		return done, lasting(errors.Join(errs...))
	}
	return public(s, name, title, look, do)
}

// once does an act unless it is done.
func (a act) once(ctx context.Context) (made, error) {
	m, found, err := a.look(ctx)
	if err != nil || found {
		return m, err
	}
	return a.do(ctx)
}

func whats(all []act) []string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.what)
	}
	return texts
}

// words are those of the release, on the day of the run.
func words(ctx context.Context, p Plan) release.Words {
	return release.NewWords(p.Project.Name, p.Version(), p.Branch, p.Commit, p.Previous, flow.Current(ctx).CreatedAt)
}

// afterMark is how what one release has left is known again.
func afterMark(p Plan, n int) string {
	return fmt.Sprintf("<!-- seaworthy: after %s %s, %d -->", p.Repo, p.Version(), n+1)
}

// milestoneActs opens milestones, and closes those that are over.
func (s *Service) milestoneActs(ctx context.Context, st staged) []act {
	p, w := st.Record.Plan, words(ctx, st.Record.Plan)
	var acts []act
	for _, m := range p.Project.After.Milestones {
		if !follows(m.Types, p.Kind) {
			continue
		}
		title := w.Fill(m.Title)
		find := func(ctx context.Context, title string) (forge.Milestone, bool, error) {
			all, err := s.Tracker.Milestones(ctx, p.Repo, "all")
			if err != nil {
				return forge.Milestone{}, false, fmt.Errorf("looking for milestone %s: %w", title, err)
			}
			i := slices.IndexFunc(all, func(m forge.Milestone) bool { return m.Title == title })
			if i < 0 {
				return forge.Milestone{}, false, nil
			}
			return all[i], true, nil
		}
		acts = append(acts, act{what: "open milestone " + title,
			look: func(ctx context.Context) (made, bool, error) {
				_, found, err := find(ctx, title)
				return made{What: title}, found, err
			},
			do: func(ctx context.Context) (made, error) {
				_, err := s.Tracker.CreateMilestone(ctx, p.Repo, forge.Milestone{Title: title, Description: w.Fill(m.Description), State: forge.StateOpen})
				if errors.Is(err, forge.ErrExists) {
					err = nil
				}
				return made{What: title}, err
			}})
		if old := w.Fill(m.Close); old != "" {
			acts = append(acts, act{what: "close milestone " + old,
				look: func(ctx context.Context) (made, bool, error) {
					have, found, err := find(ctx, old)
					return made{What: old}, err == nil && (!found || have.State == forge.StateClosed), err
				},
				do: func(ctx context.Context) (made, error) {
					have, found, err := find(ctx, old)
					if err != nil || !found {
						return made{What: old}, err
					}
					return made{What: old}, s.Tracker.EditMilestone(ctx, p.Repo, forge.Milestone{Number: have.Number, State: forge.StateClosed})
				}})
		}
	}
	return acts
}

// noticeActs opens issues, each known again by its mark, open or closed.
func (s *Service) noticeActs(ctx context.Context, st staged) []act {
	p, w := st.Record.Plan, words(ctx, st.Record.Plan)
	var acts []act
	for n, i := range p.Project.After.Issues {
		if !follows(i.Types, p.Kind) {
			continue
		}
		repo, title, mark := i.Repo, w.Fill(i.Title), afterMark(p, n)
		if repo == (forge.RepoName{}) {
			repo = p.Repo
		}
		acts = append(acts, act{what: fmt.Sprintf("open issue %q in %s", title, repo),
			look: func(ctx context.Context) (made, bool, error) {
				all, err := s.Tracker.Issues(ctx, repo, forge.IssueFilter{State: "all", Labels: i.Labels})
				if err != nil {
					return made{}, false, fmt.Errorf("looking for issue %q: %w", title, err)
				}
				for _, have := range all {
					if strings.Contains(have.Body, mark) {
						return made{fmt.Sprintf("%s#%d", repo, have.Number), have.HTMLURL}, true, nil
					}
				}
				return made{}, false, nil
			},
			do: func(ctx context.Context) (made, error) {
				have, err := s.Tracker.CreateIssue(ctx, repo, forge.NewIssue{Title: title, Body: w.Fill(i.Body) + "\n\n" + mark + "\n", Labels: i.Labels})
				return made{fmt.Sprintf("%s#%d", repo, have.Number), have.HTMLURL}, err
			}})
	}
	return acts
}

// proposalActs opens pull requests, each from a branch of its own name.
func (s *Service) proposalActs(ctx context.Context, st staged) []act {
	p, w := st.Record.Plan, words(ctx, st.Record.Plan)
	var acts []act
	for n, c := range p.Project.After.PullRequests {
		if !follows(c.Types, p.Kind) {
			continue
		}
		if c.Repo == (forge.RepoName{}) {
			c.Repo = p.Repo
		}
		title, head := w.Fill(c.Title), fmt.Sprintf("seaworthy/after-%s-%d", release.Folder(p.Version().String()), n+1)
		acts = append(acts, act{what: fmt.Sprintf("propose %q to %s", title, c.Repo),
			look: func(ctx context.Context) (made, bool, error) {
				all, err := s.Changes.PullRequests(ctx, c.Repo, forge.PullFilter{State: "all", Head: c.Repo.Owner + ":" + head})
				if err != nil {
					return made{}, false, fmt.Errorf("looking for pull request %q: %w", title, err)
				}
				for _, have := range all {
					if have.Head.Branch == head {
						return made{fmt.Sprintf("%s#%d", c.Repo, have.Number), have.HTMLURL}, true, nil
					}
				}
				return made{}, false, nil
			},
			do: func(ctx context.Context) (made, error) {
				return s.propose(ctx, p, c, w, head, afterMark(p, n))
			}})
	}
	return acts
}

// propose pushes the branch, if it is not there, and opens the pull request.
// Where the base holds everything already there is nothing to propose.
func (s *Service) propose(ctx context.Context, p Plan, c Proposal, w release.Words, head, mark string) (made, error) {
	t, err := s.locate(ctx, c.Repo)
	if err != nil {
		return made{}, err
	}
	base := w.Fill(c.Base)
	if base == "" {
		base = t.DefaultBranch
	}
	repo, err := s.ownRepository(ctx, t.CloneURL)
	if err != nil {
		return made{}, err
	}
	_, err = repo.Resolve(ctx, "refs/heads/"+head)
	if err != nil && !errors.Is(err, git.ErrNotFound) {
		return made{}, fmt.Errorf("looking for branch %s: %w", head, err)
	}
	if err != nil {
		commit, same, err := s.proposedCommit(ctx, repo, base, p, c, w)
		if err != nil {
			return made{}, err
		}
		if same {
			return made{What: "nothing to change in " + c.Repo.String()}, nil
		}
		ref := "refs/heads/" + head
		if err := repo.Push(ctx, s.Address(t.CloneURL), git.PushOptions{Lease: map[string]string{ref: git.ZeroSHA}}, commit+":"+ref); err != nil {
			return made{}, fmt.Errorf("pushing branch %s: %w", head, err)
		}
		flow.Mark(ctx, "pushed %s", head)
	}
	pr, err := s.Changes.CreatePullRequest(ctx, c.Repo, forge.NewPullRequest{Title: w.Fill(c.Title), Body: w.Fill(c.Body) + "\n\n" + mark + "\n", Head: head, Base: base})
	return made{fmt.Sprintf("%s#%d", c.Repo, pr.Number), pr.HTMLURL}, err
}

// proposedCommit makes the commit on the base. Its time is the run's.
func (s *Service) proposedCommit(ctx context.Context, repo *git.Repository, base string, p Plan, c Proposal, w release.Words) (commit string, same bool, err error) {
	tip, err := repo.Resolve(ctx, "refs/heads/"+base)
	if err != nil {
		return "", false, flow.Permanent(fmt.Errorf("branch %s of %s: %w", base, c.Repo, err))
	}
	files := map[string][]byte{}
	modes := map[string]string{}
	var edits []git.FileEdit
	for _, e := range c.Edits {
		e.File = path.Clean(w.Fill(e.File))
		content, known := files[e.File]
		if !known {
			if content, modes[e.File], err = plainFile(ctx, repo, tip, e.File); err != nil {
				return "", false, err
			}
		}
		if files[e.File], err = e.Apply(content, w); err != nil {
			return "", false, flow.Permanent(err)
		}
	}
	for file, content := range files {
		edits = append(edits, git.FileEdit{Path: file, Content: content, Mode: modes[file]})
	}
	tree, err := repo.EditTree(ctx, tip, edits)
	if err != nil {
		return "", false, fmt.Errorf("editing %s: %w", c.Repo, err)
	}
	was, err := repo.ResolveObject(ctx, tip+"^{tree}")
	if err != nil || tree == was {
		return "", tree == was, err
	}
	author := git.Person{Name: p.Project.Tagger.Name, Email: p.Project.Tagger.Email, Time: flow.Current(ctx).CreatedAt}
	commit, err = repo.CommitTree(ctx, git.NewCommit{Tree: tree, Parents: []string{tip}, Author: author, Message: w.Fill(c.Title) + "\n"})
	if err != nil {
		return "", false, fmt.Errorf("committing to %s: %w", c.Repo, err)
	}
	return commit, false, nil
}

// editLimit is the size, in bytes, of a file that is still edited.
const editLimit = 4 << 20

// plainFile reads a file that is no link, with its mode.
func plainFile(ctx context.Context, repo *git.Repository, rev, file string) ([]byte, string, error) {
	folder := path.Dir(file)
	if folder == "." {
		folder = ""
	}
	entries, err := repo.Tree(ctx, rev, folder, false)
	if err != nil {
		return nil, "", fmt.Errorf("looking for %s: %w", file, err)
	}
	i := slices.IndexFunc(entries, func(e git.Entry) bool { return e.Path == file })
	if i < 0 || !strings.HasPrefix(entries[i].Mode, "100") || entries[i].Size > editLimit {
		return nil, "", flow.Permanent(fmt.Errorf("%s is no file of at most %d MiB that could be edited: correct release.after", file, editLimit>>20))
	}
	content, err := repo.Show(ctx, rev, file)
	return content, entries[i].Mode, err
}

// afterwards are the steps that follow a release that is public. They do not
// wait for one another; the run ends as failed if one of them does, and
// resuming it tries again what is left.
func (s *Service) afterwards(d *flow.Definition, stage flow.Value[staged], opened flow.Value[issue], released flow.Dependency) {
	mailed := flow.Add(d, public(s, "mail", "Mail the announcement", s.mailSent, s.sendMail), stage, released)
	milestones := flow.Add(d, s.afterStep("after-milestones", "Open the next milestones", s.Tracker != nil, s.milestoneActs), stage, released)
	notices := flow.Add(d, s.afterStep("after-issues", "Open the issues that follow", s.Tracker != nil, s.noticeActs), stage, released)
	proposals := flow.Add(d, s.afterStep("after-changes", "Propose the changes that follow", s.Changes != nil, s.proposalActs), stage, released)
	flow.Add(d, public(s, "issue-close", "Close the release issue", s.issueClosed, s.closeIssue), opened, mailed, milestones, notices, proposals)
}
