package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"seaworthy/alert"
	"seaworthy/forge"
)

// Settings keep facts.
type Settings interface {
	// Setting returns a fact, empty if it was never stored.
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Mailer hands a message to a mail server.
type Mailer interface {
	Send(ctx context.Context, from string, to []string, message []byte) error
}

// Room is a chat.
type Room interface {
	Post(ctx context.Context, channel, text string) (id string, err error)
	Find(ctx context.Context, id, text string, since time.Time) (string, error)
}

// Tracker keeps issues.
type Tracker interface {
	Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error)
	CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
	Comments(ctx context.Context, repo forge.RepoName, number int) ([]forge.Comment, error)
	CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
}

// Sender tells people. Settings and Log are needed; of the others, what is nil
// is not spoken through, and what would be said there is passed over.
type Sender struct {
	Settings Settings
	Mailer   Mailer
	Room     Room
	Tracker  Tracker
	Log      *slog.Logger
	// From is the sender of mails.
	From string
	// Labels are put on new issues.
	Labels []string
	// Boundary, for tests, is called where the process may die.
	Boundary func(point string)
}

// Run compares what the tabs of a repository say with what was told, and tells
// what is due. The error joins all that could not be told; it will be, the next
// time. One at a time may run for a repository.
func (s *Sender) Run(ctx context.Context, repo forge.RepoName, tabs []alert.Tab, rules alert.Rules, now time.Time) error {
	l, state, err := s.load(ctx, repo)
	if err != nil {
		return err
	}
	dropped := state.Dropped
	state = alert.Next(state, tabs, rules, now)
	if state.Dropped > dropped {
		s.Log.Warn("alerts were given up: too many wait for a channel that is out of order", "repository", repo.String(), "messages", state.Dropped-dropped)
	}
	if err := l.store(ctx, state); err != nil {
		return err
	}
	s.boundary("alerts decided")
	var failures []error
	var left []alert.Message
	due := state.Due
	for i, m := range due {
		if !s.speaks(m) {
			continue
		}
		again := m.Tried
		if !again {
			due[i].Tried = true
			// With it, those before it that were sent are struck off.
			state.Due = slices.Concat(left, due[i:])
			if err := l.store(ctx, state); err != nil {
				return errors.Join(append(failures, err)...)
			}
		}
		if err := s.send(ctx, repo, &state, m, again); err != nil {
			failures = append(failures, err)
			left = append(left, due[i])
		} else {
			s.boundary("alert sent")
		}
		if ctx.Err() != nil {
			left = append(left, due[i+1:]...)
			break
		}
	}
	state.Due = left
	// What was sent is struck off even if we were told to stop meanwhile.
	if err := l.store(context.WithoutCancel(ctx), state); err != nil {
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (s *Sender) boundary(point string) {
	if s.Boundary != nil {
		s.Boundary(point)
	}
}

// speaks reports whether there is anything to send a message through.
func (s *Sender) speaks(m alert.Message) bool {
	switch {
	case len(m.Mails) > 0:
		return s.Mailer != nil && s.From != ""
	case m.Channel != "":
		return s.Room != nil
	}
	return m.Issue != nil && s.Tracker != nil
}

// ledger is where the state of a repository is kept.
type ledger struct {
	settings Settings
	repo     forge.RepoName
	stored   string // as it is kept now
}

func (l *ledger) key() string { return "alerts " + l.repo.String() }

// State returns what was told of a repository.
func (s *Sender) State(ctx context.Context, repo forge.RepoName) (alert.State, error) {
	_, state, err := s.load(ctx, repo)
	return state, err
}

func (s *Sender) load(ctx context.Context, repo forge.RepoName) (l *ledger, state alert.State, err error) {
	l = &ledger{settings: s.Settings, repo: repo}
	if l.stored, err = l.settings.Setting(ctx, l.key()); err != nil || l.stored == "" {
		return l, state, err
	}
	if err := json.Unmarshal([]byte(l.stored), &state); err != nil {
		return l, state, fmt.Errorf("reading what was told of %s: %w", repo, err)
	}
	return l, state, nil
}

// store keeps the state, unless that is how it is kept already.
func (l *ledger) store(ctx context.Context, state alert.State) error {
	text, err := json.Marshal(state)
	if err == nil && string(text) != l.stored {
		err = l.settings.SetSetting(ctx, l.key(), string(text))
	}
	if err != nil {
		return fmt.Errorf("remembering what was told of %s: %w", l.repo, err)
	}
	l.stored = string(text)
	return nil
}

func (s *Sender) send(ctx context.Context, repo forge.RepoName, state *alert.State, m alert.Message, again bool) error {
	switch {
	case len(m.Mails) > 0:
		return s.mail(ctx, m)
	case m.Channel != "":
		return s.post(ctx, state, m, again)
	}
	return s.issue(ctx, repo, m)
}

func (s *Sender) mail(ctx context.Context, m alert.Message) error {
	l, err := newLetter(s.From, m)
	if err != nil {
		// Nobody can send this, now or later.
		s.Log.Error("an alert cannot be mailed", "to", m.Mails, "error", err)
		return nil
	}
	if err := s.Mailer.Send(ctx, l.from, l.to, l.message); err != nil {
		return fmt.Errorf("mailing an alert: %w", err)
	}
	return nil
}

// reference is what a chat message is found again by.
func reference(m alert.Message) string { return "alert " + m.ID[:12] }

// post writes into a chat. One that may have arrived is looked for, where the
// account may read and an earlier message told what the channel is called.
func (s *Sender) post(ctx context.Context, state *alert.State, m alert.Message, again bool) error {
	if known := state.Rooms[m.Channel]; again && known != "" {
		found, err := s.Room.Find(ctx, known, reference(m), m.At.Add(-time.Minute))
		if err != nil {
			s.Log.Info("whether an alert was posted cannot be seen: it may be there twice", "channel", m.Channel, "error", err)
		} else if found != "" {
			return nil
		}
	}
	id, err := s.Room.Post(ctx, m.Channel, m.Text+"_"+reference(m)+"_")
	if err != nil {
		return fmt.Errorf("posting an alert: %w", err)
	}
	if state.Rooms == nil {
		state.Rooms = map[string]string{}
	}
	state.Rooms[m.Channel] = id
	return nil
}

// issue brings the issue of a group up to date: it is opened if there is none
// and something fails, told what happened, and closed when nothing is left.
func (s *Sender) issue(ctx context.Context, repo forge.RepoName, m alert.Message) error {
	fail := func(err error) error { return fmt.Errorf("keeping the issue about %q: %w", m.Issue.Group, err) }
	have, err := s.find(ctx, repo, m)
	if err != nil {
		return fail(err)
	}
	if have.Number == 0 {
		if m.Issue.Over {
			return nil // somebody closed it, or it was closed before we died
		}
		n := forge.NewIssue{Title: m.Issue.Title, Body: m.Issue.Body + m.Marker() + "\n", Labels: s.Labels, Assignees: m.Issue.Assignees}
		_, err := s.Tracker.CreateIssue(ctx, repo, n)
		if err != nil && len(n.Assignees) > 0 {
			// Who has left the project cannot be assigned, and must not keep the
			// others from being told.
			n.Assignees = nil
			_, err = s.Tracker.CreateIssue(ctx, repo, n)
		}
		if err != nil {
			return fail(err)
		}
		return nil
	}
	said, err := s.said(ctx, repo, have, m)
	if err != nil {
		return fail(err)
	}
	if !said {
		if _, err := s.Tracker.CreateComment(ctx, repo, have.Number, m.Text); err != nil {
			return fail(err)
		}
	}
	s.boundary("alert commented")
	edit := forge.EditIssue{}
	if body := rewrite(have.Body, m); body != have.Body {
		edit.Body = &body
	}
	if m.Issue.Over {
		closed := forge.StateClosed
		edit.State = &closed
	} else if have.Title != m.Issue.Title {
		edit.Title = &m.Issue.Title
	}
	if edit == (forge.EditIssue{}) {
		return nil
	}
	if err := s.Tracker.EditIssue(ctx, repo, have.Number, edit); err != nil {
		return fail(err)
	}
	return nil
}

// find returns the open issue of a group, the oldest if there are several.
func (s *Sender) find(ctx context.Context, repo forge.RepoName, m alert.Message) (have forge.Issue, err error) {
	all, err := s.Tracker.Issues(ctx, repo, forge.IssueFilter{State: "open"})
	if err != nil {
		return have, err
	}
	for _, i := range all {
		if !i.IsPull && strings.Contains(i.Body, alert.Marker(m.Issue.Group)) && (have.Number == 0 || i.Number < have.Number) {
			have = i
		}
	}
	return have, nil
}

// said reports whether an issue has the message already.
func (s *Sender) said(ctx context.Context, repo forge.RepoName, i forge.Issue, m alert.Message) (bool, error) {
	if strings.Contains(i.Body, m.Marker()) {
		return true, nil // it was opened with it
	}
	comments, err := s.Tracker.Comments(ctx, repo, i.Number)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(comments, func(c forge.Comment) bool { return strings.Contains(c.Body, m.Marker()) }), nil
}

// rewrite puts what fails now in the place of what failed before, and keeps
// what people wrote below it, and by which message it was opened.
func rewrite(old string, m alert.Message) string {
	old = strings.ReplaceAll(old, "\r\n", "\n")
	marker := alert.Marker(m.Issue.Group)
	_, below, ok := strings.Cut(old, marker)
	if !ok {
		return m.Issue.Body
	}
	return strings.TrimRight(m.Issue.Body, "\n") + below
}
