package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/merge"
)

// Markers by which the bot knows its comments again.
const (
	approvalMarker = "<!-- seaworthy: approval -->"
	answerMarker   = "<!-- seaworthy: answer -->"
	stateOpen      = "<!-- seaworthy: state "
	stateClose     = " -->"
)

// state is what the approval comment remembers in an HTML comment, because the
// forge does not tell it.
type state struct {
	// ByHand is who set the label approved by hand, HandLGTM who set lgtm.
	ByHand   string `json:"approvedByHand,omitempty"`
	HandLGTM string `json:"lgtmByHand,omitempty"`
	// Head is the newest head the bot saw, Tree its content, and Since when
	// that content came: lgtm from before does not count. A Guessed time is
	// no earlier than the true one.
	Head    string    `json:"head,omitempty"`
	Tree    string    `json:"tree,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Guessed bool      `json:"sinceGuessed,omitempty"`
	// Stale: lgtm was there and a push took it away.
	Stale bool `json:"lgtmStale,omitempty"`
}

// readState finds the state in a comment; a damaged one is an empty one.
func readState(body string) state {
	_, rest, ok := strings.Cut(body, stateOpen)
	if !ok {
		return state{}
	}
	text, _, ok := strings.Cut(rest, stateClose)
	var s state
	if !ok || json.Unmarshal([]byte(text), &s) != nil {
		return state{}
	}
	return s
}

func (s state) String() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // escapes < and >, so that a value cannot end the HTML comment
	if err := enc.Encode(s); err != nil {
		return "" // strings and a time always encode
	}
	return stateOpen + strings.TrimSpace(b.String()) + stateClose
}

// approval judges the change, sets the label, and keeps the comment that says
// who must still approve.
func (t *turn) approval(ctx context.Context, files []forge.FileChange, reviews []forge.Review) error {
	owners, err := t.ownership(ctx)
	if err != nil {
		return err
	}
	policy := t.policy.Approval
	policy.RequireSelfApproval = policy.RequireSelfApproval || t.unowned
	a := merge.Approve(owners, merge.Change{
		Author:   t.pr.Author,
		Files:    paths(files),
		Comments: t.comments,
		Reviews:  reviews,
		ByHand:   t.state.ByHand,
		Prefer:   append(append([]string{}, t.pr.Assignees...), t.pr.Reviewers...),
		Seed:     t.number,
	}, policy)
	t.labels.set(labelApproved, a.Approved)
	return t.keepComment(ctx, approvalMarker, t.approvalText(a))
}

// approvalText writes the comment.
func (t *turn) approvalText(a merge.Approval) string {
	var b strings.Builder
	switch {
	case a.ByHand != "":
		fmt.Fprintf(&b, "**Approved** by hand: %s set the label `%s`.\n", a.ByHand, labelApproved)
	case a.Approved && t.unowned:
		b.WriteString("**Approved.**\n")
	case a.Approved:
		b.WriteString("**Approved** by the owners of every changed file.\n")
	case len(a.Files) == 0:
		b.WriteString("**Not approved**: it changes no file.\n")
	case len(a.Suggested) == 0 && !t.unowned:
		b.WriteString("**Not approved**, and no OWNERS file names somebody else who could. " +
			"A maintainer can add the label `" + labelApproved + "` by hand.\n")
	case t.unowned:
		b.WriteString("**Not approved yet.** No OWNERS file names somebody for these files, so it needs `/approve` from anybody who works on this repository.\n")
	default:
		fmt.Fprintf(&b, "**Not approved yet.** It needs `/approve` from %s, or from others who own these files.\n",
			bold(a.Suggested))
	}
	if len(a.Dirs) > 0 && !t.unowned {
		b.WriteString("\n| files | owners | approved by |\n|---|---|---|\n")
	}
	for _, d := range a.Dirs {
		if t.unowned {
			break // the folder is the root, and everybody's
		}
		by := "nobody yet"
		if d.Approved {
			by = strings.Join(d.ApprovedBy, ", ")
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", d.Files, t.ownersLink(d.Dir), by)
	}
	b.WriteString("\n" + t.lgtmText() + "\n")
	if url := t.bot.opt.CommandsURL; url != "" {
		fmt.Fprintf(&b, "\n[All commands](%s)\n", url)
	}
	b.WriteString("\n" + t.state.String())
	return b.String()
}

func (t *turn) lgtmText() string {
	switch {
	case t.lgtmBy != "":
		return fmt.Sprintf("Looks good to %s.", t.lgtmBy)
	case t.state.Stale:
		return "It was pushed to after it was reviewed: it needs `/lgtm` again."
	}
	return "It needs `/lgtm` from a reviewer."
}

// ownersLink leads to a folder's OWNERS file on the base branch.
func (t *turn) ownersLink(dir string) string {
	name := path.Join(dir, "OWNERS")
	repo, _, ok := strings.Cut(t.pr.HTMLURL, "/pull/")
	if !ok {
		return "`" + name + "`"
	}
	return fmt.Sprintf("[%s](%s/blob/%s/%s)", name, repo, t.pr.Base.Branch, name)
}

// bold joins logins for a sentence, without notifying them.
func bold(logins []string) string {
	out := make([]string, len(logins))
	for i, l := range logins {
		out[i] = "**" + l + "**"
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}

// sayAnswers keeps the one comment in which the bot answers commands.
func (t *turn) sayAnswers(ctx context.Context) error {
	if len(t.answers) == 0 {
		return nil
	}
	body := fmt.Sprintf("@%s: %s", t.saying.actor, t.answers[0])
	if len(t.answers) > 1 {
		body = fmt.Sprintf("@%s:\n\n- %s", t.saying.actor, strings.Join(t.answers, "\n- "))
	}
	if url := t.bot.opt.CommandsURL; url != "" {
		body += fmt.Sprintf("\n\n[All commands](%s)", url)
	}
	return t.keepComment(ctx, answerMarker, body)
}

// keepComment writes the comment of a marker: created once, then edited when
// its text changes.
func (t *turn) keepComment(ctx context.Context, marker, body string) error {
	body = marker + "\n" + body
	have := t.bot.findComment(t.comments, marker)
	switch {
	case have.ID == 0:
		c, err := t.bot.opt.Forge.CreateComment(ctx, t.repo, t.number, body)
		if err == nil {
			t.comments = append(t.comments, c)
		}
		return err
	case normalBody(have.Body) == normalBody(body):
		return nil
	}
	return t.bot.opt.Forge.EditComment(ctx, t.repo, have.ID, body)
}

// normalBody evens out what forges do to a body on its way.
func normalBody(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// findComment returns the bot's comment that carries a marker.
func (b *Bot) findComment(comments []forge.Comment, marker string) forge.Comment {
	for _, c := range comments {
		if b.own(c.Author) && strings.HasPrefix(c.Body, marker) {
			return c
		}
	}
	return forge.Comment{}
}
