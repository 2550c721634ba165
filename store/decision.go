package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Decision is the evidence of one verdict: enough to ask later why, and to
// compute it again from the same inputs. Decisions are only ever added.
type Decision struct {
	ID      int64
	Kind    string // what was decided: "merge", "approval", "signal", "go/no-go", …
	Subject string // about what: "OWNER/NAME#7", "OWNER/NAME release-1.4", …
	Verdict string // one word: "merge", "wait", "red", "GO", …
	Reason  string // one sentence
	Inputs  json.RawMessage
	At      time.Time // now when zero
}

// RecordDecision stores a decision and returns its ID, which ascends.
func (db *DB) RecordDecision(ctx context.Context, d Decision) (int64, error) {
	if d.Kind == "" || d.Subject == "" {
		return 0, errors.New("recording a decision: it needs a kind and a subject")
	}
	inputs, err := rawJSON("its input", d.Inputs)
	if err != nil {
		return 0, fmt.Errorf("recording decision %s on %s: %w", d.Kind, d.Subject, err)
	}
	if d.At.IsZero() {
		d.At = db.now()
	}
	var id int64
	err = db.Write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
			INSERT INTO decision (kind, subject, verdict, reason, inputs, at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			clean(d.Kind), clean(d.Subject), clean(d.Verdict), clean(d.Reason), inputs, Micros(d.At)).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("recording decision %s on %s: %w", d.Kind, d.Subject, err)
	}
	return id, nil
}

// Decisions lists decisions, newest first. An empty kind or subject matches
// all, and so does a limit of 0.
func (db *DB) Decisions(ctx context.Context, kind, subject string, limit int) ([]Decision, error) {
	q := newQuery(`SELECT id, kind, subject, verdict, reason, inputs, at FROM decision`)
	if kind != "" {
		q.and(`kind = ?`, clean(kind))
	}
	if subject != "" {
		q.and(`subject = ?`, clean(subject))
	}
	q.add(` ORDER BY id DESC`)
	q.limit(limit)
	rows, err := db.read.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("listing decisions: %w", err)
	}
	all, err := collect(rows, func(scan func(...any) error) (Decision, error) {
		var (
			d      Decision
			inputs string
			at     int64
		)
		err := scan(&d.ID, &d.Kind, &d.Subject, &d.Verdict, &d.Reason, &inputs, &at)
		d.Inputs, d.At = fromRaw(inputs), FromMicros(at)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing decisions: %w", err)
	}
	return all, nil
}
