package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/merge"
)

// turn is the handling of one event on one issue or pull request. What it
// fetched from the forge, it fetched after its turn came, and once.
type turn struct {
	bot    *Bot
	repo   forge.RepoName
	number int
	issue  forge.Issue
	pr     *forge.PullRequest // nil on an issue
	policy Policy
	// comments of the pull request or issue, oldest first, as they were at
	// the start of the turn.
	comments      []forge.Comment
	collaborators []string
	labels        *labels
	state         state // as the approval comment remembers it

	files   []forge.FileChange // lazily, by changed
	owners  *merge.Owners      // lazily, by ownership
	unowned bool               // with owners: no OWNERS file is about the changed files

	lgtmBy  string // who says that it looks good; set by lgtm
	saying  said
	answers []string
}

// newTurn begins a turn on a pull request.
func (b *Bot) newTurn(ctx context.Context, repo forge.RepoName, number int) (*turn, error) {
	pr, err := b.opt.Forge.PullRequest(ctx, repo, number)
	if err != nil {
		return nil, err
	}
	return b.begin(ctx, &turn{
		repo: repo, number: number, pr: &pr, labels: newLabels(pr.Labels),
		issue: forge.Issue{
			Repo: repo, Number: number, Title: pr.Title, Body: pr.Body, Author: pr.Author, State: pr.State,
			Labels: pr.Labels, Milestone: pr.Milestone, Assignees: pr.Assignees, IsPull: true,
		},
	})
}

// newTurnFor begins a turn on whatever an issue event is about. The event's own
// copy may be old.
func (b *Bot) newTurnFor(ctx context.Context, repo forge.RepoName, told forge.Issue) (*turn, error) {
	if told.IsPull {
		return b.newTurn(ctx, repo, told.Number)
	}
	issue, err := b.opt.Forge.Issue(ctx, repo, told.Number)
	if err != nil {
		return nil, err
	}
	return b.begin(ctx, &turn{repo: repo, number: issue.Number, issue: issue, labels: newLabels(issue.Labels)})
}

func (b *Bot) begin(ctx context.Context, t *turn) (*turn, error) {
	t.bot = b
	var err error
	if t.policy, err = b.opt.Policy(ctx, t.repo); err != nil {
		return nil, fmt.Errorf("read the policy of %s: %w", t.repo, err)
	}
	t.policy.Approval.Bot = b.opt.Login
	if t.comments, err = b.opt.Forge.Comments(ctx, t.repo, t.number); err != nil {
		return nil, err
	}
	users, err := b.opt.Forge.Collaborators(ctx, t.repo)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		t.collaborators = append(t.collaborators, u.Login)
	}
	t.state = readState(b.findComment(t.comments, approvalMarker).Body)
	return t, nil
}

// hear sets what the turn is about to follow.
func (t *turn) hear(s said) { t.saying = s }

// follow acts on every command of what was said, in order.
func (t *turn) follow(ctx context.Context) error {
	for _, c := range merge.ParseCommands(t.saying.body) {
		command, known := t.bot.find(c.Name)
		if !known || t.pr == nil && !command.Issues {
			continue // other bots have commands too
		}
		if why := t.refuses(command.Who); why != "" {
			t.answer("`%s`: %s", c, why)
			continue
		}
		if err := command.act(ctx, t, c); err != nil {
			return fmt.Errorf("%s by %s: %w", c, t.saying.actor, err)
		}
	}
	return nil
}

// refuses says why the actor may not use a command; "" when it is allowed.
func (t *turn) refuses(who Who) string {
	actor := t.saying.actor
	author := strings.EqualFold(actor, t.issue.Author)
	collaborator := t.isCollaborator(actor)
	switch {
	case who == Anyone, collaborator:
		return ""
	case who == AuthorOrCollaborator && author:
		return ""
	case who == Trusted && author && t.labels.has(labelOKToTest):
		return ""
	case who == Trusted && author:
		return "a collaborator has to say `/ok-to-test` first."
	}
	return fmt.Sprintf("this is for %s.", who)
}

func (t *turn) isCollaborator(login string) bool {
	return merge.IsCollaborator(login, t.collaborators)
}

// answer adds a line to what the bot says about this comment.
func (t *turn) answer(format string, args ...any) {
	t.answers = append(t.answers, fmt.Sprintf(format, args...))
}

// changed returns the files of the pull request.
func (t *turn) changed(ctx context.Context) ([]forge.FileChange, error) {
	if t.files == nil {
		files, err := t.bot.opt.Forge.PullRequestFiles(ctx, t.repo, t.number)
		if err != nil {
			return nil, err
		}
		t.files = files
	}
	return t.files, nil
}

// paths lists the changed paths; both ends of a rename.
func paths(files []forge.FileChange) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
		if f.PreviousPath != "" && f.PreviousPath != f.Path {
			out = append(out, f.PreviousPath)
		}
	}
	return out
}

// lookups is how many OWNERS files are read at a time.
const lookups = 4

// ownership reads the OWNERS files that have a say about the change, as they
// are on the base branch: a change cannot appoint its own approvers.
func (t *turn) ownership(ctx context.Context) (*merge.Owners, error) {
	if t.owners != nil {
		return t.owners, nil
	}
	changed, err := t.changed(ctx)
	if err != nil {
		return nil, err
	}
	wanted := merge.OwnersPaths(paths(changed))
	contents := make([][]byte, len(wanted))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, path := range wanted {
		g.Go(func() error {
			content, err := t.bot.opt.Forge.File(gctx, t.repo, path, t.pr.Base.Branch)
			if errors.Is(err, forge.ErrNotFound) {
				return nil
			}
			contents[i] = content
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for i, path := range wanted {
		if contents[i] != nil {
			files[path] = contents[i]
		}
	}
	if len(files) == 0 {
		// Nobody owns these files by name: whoever works on the repository
		// may approve, but has to say so.
		t.unowned = true
		files["OWNERS"] = t.everybody()
	}
	owners, problems := merge.Load(files)
	for _, p := range problems {
		t.bot.opt.Log.Warn("irregular OWNERS file", "repo", t.repo, "problem", p.String())
	}
	t.owners = owners.Among(append([]string{}, t.collaborators...))
	return t.owners, nil
}

// everybody is the OWNERS file of a repository that has none.
func (t *turn) everybody() []byte {
	var b strings.Builder
	b.WriteString("approvers:\n")
	for _, login := range t.collaborators {
		if !t.bot.own(login) {
			fmt.Fprintf(&b, "- %q\n", login)
		}
	}
	return []byte(b.String())
}

// settle brings labels and comments to what everything said amounts to.
func (t *turn) settle(ctx context.Context) error {
	if t.pr != nil && t.pr.State == forge.StateOpen {
		if err := t.automatic(ctx); err != nil {
			return err
		}
	}
	if err := t.labels.apply(ctx, t.bot.opt.Forge, t.repo, t.number); err != nil {
		return err
	}
	return t.sayAnswers(ctx)
}
