package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"seaworthy/forge"
)

// LoggedEvent is an event of the log and what became of it.
type LoggedEvent struct {
	Seq int64
	forge.Event
	// Outcome says in a few words what was done; empty until it was handled.
	Outcome   string
	HandledAt time.Time
}

// EventFilter selects events; zero fields match all.
type EventFilter struct {
	Repo  forge.RepoName
	Kind  forge.EventKind
	After int64 // events with a higher Seq
	Limit int
	// Newest turns the order round: newest first. Oldest first otherwise.
	Newest bool
}

// eventContent is the column of that name: the parts of an event that depend
// on its kind, as JSON under the names of forge's fields. testdata/event.json
// holds the form fixed: rows written once must stay readable.
type eventContent struct {
	PullRequest *forge.PullRequest  `json:",omitempty"`
	Issue       *forge.Issue        `json:",omitempty"`
	Comment     *forge.Comment      `json:",omitempty"`
	Review      *forge.Review       `json:",omitempty"`
	Push        *forge.Push         `json:",omitempty"`
	Status      *forge.CommitStatus `json:",omitempty"`
	Release     *forge.Release      `json:",omitempty"`
	Label       string              `json:",omitempty"`
}

// AppendEvent adds an event to the log. In the same transaction it calls
// enqueue, unless that is nil, so that there is no moment in which the event
// is stored and its handling is not. An event whose Delivery is in the log
// already is not fresh: nothing is added, enqueue is not called, and seq is
// that of the first. Events become visible in the order of their seq.
func (db *DB) AppendEvent(ctx context.Context, e forge.Event, enqueue func(ctx context.Context, tx *sql.Tx, seq int64) error) (seq int64, fresh bool, err error) {
	if e.Delivery == "" {
		return 0, false, errors.New("storing an event: it has no delivery to know it again by")
	}
	content, err := toJSON(eventContent{e.PullRequest, e.Issue, e.Comment, e.Review, e.Push, e.Status, e.Release, e.Label})
	if err != nil {
		return 0, false, fmt.Errorf("storing event %s: %w", e.Delivery, err)
	}
	if e.ReceivedAt.IsZero() {
		e.ReceivedAt = db.now()
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if err := db.lockTable(ctx, tx, "event"); err != nil {
			return err
		}
		fresh = true
		err := tx.QueryRowContext(ctx, `
			INSERT INTO event (delivery, kind, action, repo, sender, received_at, payload, content)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (delivery) DO NOTHING RETURNING seq`,
			clean(e.Delivery), clean(string(e.Kind)), clean(e.Action), repoText(e.Repo), clean(e.Sender),
			Micros(e.ReceivedAt), e.Payload, content).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			fresh = false
			return tx.QueryRowContext(ctx, `SELECT seq FROM event WHERE delivery = $1`, clean(e.Delivery)).Scan(&seq)
		}
		if err != nil || enqueue == nil {
			return err
		}
		return enqueue(ctx, tx, seq)
	})
	if err != nil {
		return 0, false, fmt.Errorf("storing event %s: %w", e.Delivery, err)
	}
	return seq, fresh, nil
}

const selectEvent = `
	SELECT e.seq, e.delivery, e.kind, e.action, e.repo, e.sender, e.received_at, e.payload, e.content,
	       COALESCE(h.outcome, ''), COALESCE(h.handled_at, 0)
	FROM event e LEFT JOIN event_handled h ON h.seq = e.seq`

func scanEvent(scan func(...any) error) (LoggedEvent, error) {
	var (
		e                 LoggedEvent
		repo, content     string
		received, handled int64
		c                 eventContent
	)
	err := scan(&e.Seq, &e.Delivery, &e.Kind, &e.Action, &repo, &e.Sender, &received, &e.Payload, &content, &e.Outcome, &handled)
	if err != nil {
		return LoggedEvent{}, err
	}
	if err := json.Unmarshal([]byte(content), &c); err != nil {
		return LoggedEvent{}, fmt.Errorf("event %d: reading its content: %w", e.Seq, err)
	}
	e.PullRequest, e.Issue, e.Comment, e.Review = c.PullRequest, c.Issue, c.Comment, c.Review
	e.Push, e.Status, e.Release, e.Label = c.Push, c.Status, c.Release, c.Label
	e.ReceivedAt, e.HandledAt = FromMicros(received), FromMicros(handled)
	e.Repo.Owner, e.Repo.Name, _ = strings.Cut(repo, "/")
	return e, nil
}

// repoText is how a repository is kept: "OWNER/NAME", or "" for none (a ping
// may have no repository).
func repoText(n forge.RepoName) string {
	if n == (forge.RepoName{}) {
		return ""
	}
	return clean(n.String())
}

// Event returns one event as it was appended; ErrNotFound if there is none.
// Times come back in UTC, to the microsecond for ReceivedAt.
func (db *DB) Event(ctx context.Context, seq int64) (forge.Event, error) {
	e, err := scanEvent(db.read.QueryRowContext(ctx, selectEvent+` WHERE e.seq = $1`, seq).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return forge.Event{}, fmt.Errorf("reading event %d: %w", seq, err)
	}
	return e.Event, nil
}

// Events lists events of the log.
func (db *DB) Events(ctx context.Context, f EventFilter) ([]LoggedEvent, error) {
	q := newQuery(selectEvent)
	if f.Repo != (forge.RepoName{}) {
		q.and(`e.repo = ?`, repoText(f.Repo))
	}
	if f.Kind != "" {
		q.and(`e.kind = ?`, string(f.Kind))
	}
	if f.After > 0 {
		q.and(`e.seq > ?`, f.After)
	}
	if f.Newest {
		q.add(` ORDER BY e.seq DESC`)
	} else {
		q.add(` ORDER BY e.seq`)
	}
	q.limit(f.Limit)
	return db.events(ctx, q)
}

// UnhandledEvents lists the events that nobody has marked as handled, oldest
// first.
func (db *DB) UnhandledEvents(ctx context.Context) ([]LoggedEvent, error) {
	q := newQuery(selectEvent)
	q.and(`h.seq IS NULL`)
	q.add(` ORDER BY e.seq`)
	return db.events(ctx, q)
}

func (db *DB) events(ctx context.Context, q *query) ([]LoggedEvent, error) {
	rows, err := db.read.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	events, err := collect(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return events, nil
}

// MarkHandled records that the event was handled and what came of it. Marking
// again replaces the outcome: an event may be handled twice after a crash.
func (db *DB) MarkHandled(ctx context.Context, seq int64, outcome string) error {
	err := db.Write(ctx, func(tx *sql.Tx) error {
		ok, err := changed(tx.ExecContext(ctx, `
			INSERT INTO event_handled (seq, outcome, handled_at)
			SELECT seq, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM event WHERE seq = $1
			ON CONFLICT (seq) DO UPDATE SET outcome = excluded.outcome, handled_at = excluded.handled_at`,
			seq, clean(outcome), Micros(db.now())))
		if err == nil && !ok {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("marking event %d as handled: %w", seq, err)
	}
	return nil
}
