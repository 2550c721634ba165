package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"seaworthy/flow"
	"seaworthy/notify/chat"
	"seaworthy/release/cut"
	"seaworthy/store"
)

// How often a message is edited at most, and how long the last ones may take
// when the platform closes.
const (
	messagesEvery = 10 * time.Second
	lastMessages  = 20 * time.Second
)

// room is a chat that messages are posted to.
type room interface {
	Post(ctx context.Context, channel, text string) (id string, err error)
	Edit(ctx context.Context, id, text string) error
}

// messages show the timeline of releases where people are: in the release's
// issue, and as one message in a chat. Both are edited in place, not more often
// than bearable, and what cannot be posted never stops a release.
type messages struct {
	a     *App
	room  room // nil without a chat
	every time.Duration

	wake chan struct{}
	stop context.CancelFunc
	over chan struct{}

	mu     sync.Mutex
	due    map[string]bool
	failed map[string]string // by run: what could not be posted
	said   map[string][sha256.Size]byte
}

// openMessages starts what close stops.
func (a *App) openMessages(r room, every time.Duration) *messages {
	if every == 0 {
		every = messagesEvery
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &messages{a: a, room: r, every: every, wake: make(chan struct{}, 1), stop: stop, over: make(chan struct{}),
		due: map[string]bool{}, failed: map[string]string{}, said: map[string][sha256.Size]byte{}}
	go func() {
		defer close(m.over)
		m.run(ctx)
	}()
	return m
}

// tell says that something has happened in a run that people may want to see.
func (m *messages) tell(run string) {
	m.mu.Lock()
	m.due[run] = true
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (m *messages) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		m.post(ctx)
		pause := time.NewTimer(m.every)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// close posts what is still to be said, and gives up after a while.
func (m *messages) close() {
	m.stop()
	<-m.over
	ctx, cancel := context.WithTimeout(context.Background(), lastMessages)
	defer cancel()
	m.post(ctx)
}

// post says what is due.
func (m *messages) post(ctx context.Context) {
	m.mu.Lock()
	due := slices.Sorted(maps.Keys(m.due))
	m.due = map[string]bool{}
	m.mu.Unlock()
	for _, run := range due {
		err := m.postRun(ctx, run)
		if ctx.Err() != nil {
			m.mu.Lock()
			m.due[run] = true // close says it
			m.mu.Unlock()
			continue
		}
		m.mu.Lock()
		before := m.failed[run]
		delete(m.failed, run)
		if err != nil {
			m.failed[run] = err.Error()
		}
		if err != nil && before == "" { // said once, not at every step
			m.a.o.Log.Warn("a message about a release could not be posted", "run", run, "error", err)
		}
		m.mu.Unlock()
	}
}

func (m *messages) postRun(ctx context.Context, run string) error {
	_, err := m.a.Releases.ReportToIssue(ctx, run)
	if errors.Is(err, flow.ErrNoRun) || errors.Is(err, flow.ErrChanged) {
		return nil // not a release of this program
	}
	return errors.Join(err, m.postChat(ctx, run))
}

// postChat posts the timeline, or edits what was posted before.
func (m *messages) postChat(ctx context.Context, run string) error {
	if m.room == nil {
		return nil
	}
	channel, title, err := m.a.Releases.Bulletin(ctx, run)
	if err != nil || channel == "" {
		return err
	}
	t, err := m.a.Releases.Status(ctx, run)
	if err != nil {
		return err
	}
	text := bulletin(t, title, m.a.timeline(run))
	sum := sha256.Sum256([]byte(text))
	if m.said[run] == sum {
		return nil
	}
	key := "chat-message " + run
	id, err := m.a.Store.Setting(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if id, err = m.room.Post(ctx, channel, text); err == nil {
			err = m.a.Store.SetSetting(ctx, key, id)
		}
	case err == nil:
		err = m.room.Edit(ctx, id, text)
	}
	if err == nil {
		m.said[run] = sum
	}
	return err
}

// timeline is where people follow a run: its page or, without a platform, that
// of the workflow that a runner works for; empty where there is neither.
func (a *App) timeline(run string) string {
	if a.alone == nil {
		return a.url + "/releases/" + run
	}
	server, repo, id := a.alone.Getenv("GITHUB_SERVER_URL"), a.alone.Getenv("GITHUB_REPOSITORY"), a.alone.Getenv("GITHUB_RUN_ID")
	if server == "" || repo == "" || id == "" {
		return ""
	}
	return strings.TrimSuffix(server, "/") + "/" + repo + "/actions/runs/" + id
}

// bulletin is a timeline as a message in Slack's markup: what is done counts,
// what goes on, waits or failed has a line.
func bulletin(t flow.Timeline, title, link string) string {
	over := 0
	var lines []string
	for _, s := range t.Steps {
		switch {
		case s.State.Over():
			over++
		case s.State == flow.StepPending:
		case s.State == flow.StepRunning:
			lines = append(lines, "• "+chat.Escape(s.Title))
		default:
			said := []rune(strings.Join(strings.Fields(s.Sentence), " "))
			lines = append(lines, fmt.Sprintf("• *%s* %s: %s", s.State, chat.Escape(s.Title), chat.Escape(string(said[:min(len(said), 300)]))))
		}
	}
	if t.Run.Mock {
		title += " (rehearsal)"
	}
	head := fmt.Sprintf("*%s*: %s, %d of %d steps.", chat.Escape(title), t.Run.State, over, len(t.Steps))
	if link != "" {
		head += " " + link
	}
	return strings.Join(append([]string{head}, lines...), "\n")
}

// Unposted says what could not be posted about a run; empty if all was.
func (a *App) Unposted(ctx context.Context, run string) string {
	if a.messages == nil {
		return ""
	}
	a.messages.mu.Lock()
	defer a.messages.mu.Unlock()
	return a.messages.failed[run]
}

// telling is a journal that tells of what people may want to see.
type telling struct {
	flow.Journal
	tell func(run string)
}

// Append implements flow.Journal.
func (j telling) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	seq, err := j.Journal.Append(ctx, l, e)
	if err == nil && e.Kind != flow.EntryProgress && e.Kind != flow.EntryLog {
		j.tell(l.Run)
	}
	return seq, err
}

// speak sets up mail and messages, and has a journal tell of releases.
func (a *App) speak(o *cut.Options) error {
	server, err := a.o.Speaking.mailer()
	if err != nil {
		return err
	}
	if server != nil {
		o.Mailer = server
	}
	posted, err := a.o.Speaking.room()
	if err != nil {
		return err
	}
	var r room
	if posted != nil {
		r = posted
	}
	o.Evidence = evidence{a}
	a.messages = a.openMessages(r, a.o.Speaking.Every)
	o.Engine.Journal = telling{o.Engine.Journal, a.messages.tell}
	return nil
}
