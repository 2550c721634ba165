package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seaworthy/triage/live"
)

// TriageRows implements live.Store.
func (db *DB) TriageRows(ctx context.Context, after int64) (live.Rows, live.State, error) {
	// One transaction, so that all parts are of one moment.
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.snapshot()})
	if err != nil {
		return live.Rows{}, live.State{}, fmt.Errorf("reading failures from %s: %w", db.where, explainSQLite(err))
	}
	rows, state, err := triageRows(ctx, tx, after)
	// Nothing was written: a rollback only gives the connection back.
	if err := errors.Join(err, tx.Rollback()); err != nil {
		return live.Rows{}, live.State{}, fmt.Errorf("reading failures from %s: %w", db.where, err)
	}
	return rows, state, nil
}

// snapshot is the level at which a transaction reads one moment; SQLite has no
// other.
func (db *DB) snapshot() sql.IsolationLevel {
	if db.dialect == Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

func triageState(ctx context.Context, tx *sql.Tx) (s live.State, err error) {
	err = tx.QueryRowContext(ctx, `SELECT seq, epoch FROM triage_state WHERE one = 1`).Scan(&s.Seq, &s.Epoch)
	return s, err
}

func triageRows(ctx context.Context, tx *sql.Tx, after int64) (r live.Rows, state live.State, err error) {
	if state, err = triageState(ctx, tx); err != nil || state.Seq == after {
		return r, state, err
	}
	if state.Epoch > after {
		after = 0
	}
	if r.Clusters, err = selectTriage(ctx, tx, `SELECT number, id, text, first_seen, last_seen, origins, owner, issue, hits, into_id, from_id,
		owner_by, owner_at, issue_by, issue_at FROM triage_cluster WHERE seq > $1 ORDER BY number`, after, scanCluster); err != nil {
		return r, state, err
	}
	if r.Texts, err = selectTriage(ctx, tx, `SELECT number, cluster, hash, sample, other FROM triage_text WHERE seq > $1 ORDER BY number`, after,
		func(scan func(...any) error) (x live.StoredText, err error) {
			return x, scan(&x.Number, &x.Cluster, &x.Hash, &x.Sample, &x.Other)
		}); err != nil {
		return r, state, err
	}
	if r.Tests, err = selectTriage(ctx, tx, `SELECT number, name FROM triage_test WHERE seq > $1 ORDER BY number`, after,
		func(scan func(...any) error) (x live.StoredTest, err error) { return x, scan(&x.Number, &x.Name) }); err != nil {
		return r, state, err
	}
	r.Builds, err = selectTriage(ctx, tx, `SELECT number, path, repo, job, branch, pull, commit_sha, started, elapsed, tests, passed, failures
		FROM triage_build WHERE seq > $1 ORDER BY number`, after, scanBuild)
	return r, state, err
}

func selectTriage[T any](ctx context.Context, tx *sql.Tx, text string, after int64, one func(scan func(...any) error) (T, error)) ([]T, error) {
	rows, err := tx.QueryContext(ctx, text, after)
	if err != nil {
		return nil, err
	}
	return collect(rows, one)
}

// origins is the column of that name.
type origins struct{ First, Landed, Good live.Origin }

func scanCluster(scan func(...any) error) (c live.StoredCluster, err error) {
	var first, last, ownerAt, issueAt int64
	var text string
	if err := scan(&c.Number, &c.ID, &c.Text, &first, &last, &text, &c.Owner, &c.Issue, &c.Hits, &c.Into, &c.From,
		&c.OwnerBy.By, &ownerAt, &c.IssueBy.By, &issueAt); err != nil {
		return c, err
	}
	var o origins
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return c, fmt.Errorf("cluster %s: %w", c.ID, err)
	}
	c.First, c.Landed, c.Good = o.First, o.Landed, o.Good
	c.FirstSeen, c.LastSeen = FromMicros(first), FromMicros(last)
	c.OwnerBy.At, c.IssueBy.At = FromMicros(ownerAt), FromMicros(issueAt)
	return c, nil
}

func scanBuild(scan func(...any) error) (b live.StoredBuild, err error) {
	var started, elapsed int64
	var failures []byte
	if err := scan(&b.Number, &b.Path, &b.Repo, &b.Job, &b.Branch, &b.Pull, &b.Commit, &started, &elapsed, &b.Tests, &b.Passed, &failures); err != nil {
		return b, err
	}
	b.Started, b.Elapsed = FromMicros(started), time.Duration(elapsed)*time.Microsecond
	for len(failures) > 0 {
		test, n := binary.Uvarint(failures)
		if n <= 0 {
			return b, fmt.Errorf("the failures of %s are damaged", b.Path)
		}
		text, m := binary.Uvarint(failures[n:])
		if m <= 0 {
			return b, fmt.Errorf("the failures of %s are damaged", b.Path)
		}
		b.Failures = append(b.Failures, live.StoredFailure{Test: int64(test), Text: int64(text)})
		failures = failures[n+m:]
	}
	return b, nil
}

// writeTriage runs change in a transaction that takes the next Seq. A negative
// seq takes whatever is next.
func (db *DB) writeTriage(ctx context.Context, seq int64, rewrites bool, change func(*sql.Tx, int64) error) (state live.State, err error) {
	err = db.Write(ctx, func(tx *sql.Tx) error {
		var next int64
		err := tx.QueryRowContext(ctx, `UPDATE triage_state SET seq = seq + 1 WHERE one = 1 AND (seq = $1 OR $1 < 0) RETURNING seq`, seq).Scan(&next)
		if errors.Is(err, sql.ErrNoRows) {
			return live.ErrBehind
		}
		if err != nil {
			return err
		}
		if rewrites {
			if _, err := tx.ExecContext(ctx, `UPDATE triage_state SET epoch = $1 WHERE one = 1`, next); err != nil {
				return err
			}
		}
		if err := change(tx, next); err != nil {
			return err
		}
		state, err = triageState(ctx, tx)
		return err
	})
	if err != nil {
		return live.State{}, fmt.Errorf("storing failures: %w", err)
	}
	return state, nil
}

// AddTriage implements live.Store.
func (db *DB) AddTriage(ctx context.Context, seq int64, r live.Rows) (live.State, error) {
	return db.writeTriage(ctx, seq, false, func(tx *sql.Tx, seq int64) error {
		for _, c := range r.Clusters {
			if err := putCluster(ctx, tx, seq, c); err != nil {
				return err
			}
		}
		for _, x := range r.Texts {
			if err := putText(ctx, tx, seq, x); err != nil {
				return err
			}
		}
		for _, x := range r.Tests {
			if _, err := tx.ExecContext(ctx, `INSERT INTO triage_test (number, seq, name) VALUES ($1, $2, $3)`, x.Number, seq, clean(x.Name)); err != nil {
				return err
			}
		}
		for _, b := range r.Builds {
			failures := []byte{}
			for _, f := range b.Failures {
				failures = binary.AppendUvarint(binary.AppendUvarint(failures, uint64(f.Test)), uint64(f.Text))
			}
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO triage_build (number, seq, path, repo, job, branch, pull, commit_sha, started, elapsed, tests, passed, failures)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
				b.Number, seq, clean(b.Path), clean(b.Repo), clean(b.Job), clean(b.Branch), b.Pull, clean(b.Commit),
				Micros(b.Started), b.Elapsed.Microseconds(), b.Tests, b.Passed, failures); err != nil {
				return err
			}
		}
		return nil
	})
}

// putText adds a text, or notes of one that is there how else it is put.
func putText(ctx context.Context, tx *sql.Tx, seq int64, x live.StoredText) error {
	if x.Other != "" {
		known, err := changed(tx.ExecContext(ctx, `UPDATE triage_text SET seq = $1, other = $2 WHERE number = $3`, seq, clean(x.Other), x.Number))
		if known || err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO triage_text (number, seq, cluster, hash, sample, other) VALUES ($1, $2, $3, $4, $5, $6)`,
		x.Number, seq, x.Cluster, clean(x.Hash), clean(x.Sample), clean(x.Other))
	return err
}

// putCluster adds or replaces a cluster. The owner and the issue of one that is
// there stay: a person may have set them since the writer read.
func putCluster(ctx context.Context, tx *sql.Tx, seq int64, c live.StoredCluster) error {
	text, err := toJSON(origins{c.First, c.Landed, c.Good})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO triage_cluster (number, seq, id, text, first_seen, last_seen, origins, owner, issue, hits, into_id, from_id,
			owner_by, owner_at, issue_by, issue_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (number) DO UPDATE SET seq = excluded.seq, first_seen = excluded.first_seen, last_seen = excluded.last_seen,
			origins = excluded.origins, hits = excluded.hits, into_id = excluded.into_id, from_id = excluded.from_id,
			owner = `+unlessSet("owner", "owner")+`, owner_by = `+unlessSet("owner", "owner_by")+`, owner_at = `+unlessSet("owner", "owner_at")+`,
			issue = `+unlessSet("issue", "issue")+`, issue_by = `+unlessSet("issue", "issue_by")+`, issue_at = `+unlessSet("issue", "issue_at"),
		c.Number, seq, clean(c.ID), clean(c.Text), Micros(c.FirstSeen), Micros(c.LastSeen), text, clean(c.Owner), clean(c.Issue), c.Hits, clean(c.Into), clean(c.From),
		clean(c.OwnerBy.By), Micros(c.OwnerBy.At), clean(c.IssueBy.By), Micros(c.IssueBy.At))
	return err
}

// unlessSet is the value of a column as it was where what it is about was set,
// else the new one.
func unlessSet(what, column string) string {
	return `CASE WHEN triage_cluster.` + what + ` = '' THEN excluded.` + column + ` ELSE triage_cluster.` + column + ` END`
}

// MoveTriage implements live.Store.
func (db *DB) MoveTriage(ctx context.Context, seq int64, moves []live.Move, clusters []live.StoredCluster) (live.State, error) {
	return db.writeTriage(ctx, seq, true, func(tx *sql.Tx, seq int64) error {
		for _, c := range clusters {
			if err := putCluster(ctx, tx, seq, c); err != nil {
				return err
			}
		}
		for _, m := range moves {
			if _, err := tx.ExecContext(ctx, `UPDATE triage_text SET cluster = $1 WHERE number = $2`, m.Cluster, m.Text); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveTriage implements live.Store.
func (db *DB) RemoveTriage(ctx context.Context, seq int64, r live.Removal) (live.State, error) {
	return db.writeTriage(ctx, seq, true, func(tx *sql.Tx, _ int64) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM triage_build WHERE started < $1`, Micros(r.Before)); err != nil {
			return err
		}
		for table, numbers := range map[string][]int64{"triage_text": r.Texts, "triage_test": r.Tests, "triage_cluster": r.Clusters} {
			for _, n := range numbers {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE number = $1`, n); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// DescribeTriage implements live.Store.
func (db *DB) DescribeTriage(ctx context.Context, cluster int64, d live.Description) (live.State, error) {
	return db.writeTriage(ctx, -1, false, func(tx *sql.Tx, seq int64) error {
		ok, err := changed(tx.ExecContext(ctx, `
			UPDATE triage_cluster SET owner = $1, owner_by = $2, owner_at = $3, issue = $4, issue_by = $5, issue_at = $6, seq = $7 WHERE number = $8`,
			clean(d.Owner), clean(d.OwnerBy.By), Micros(d.OwnerBy.At), clean(d.Issue), clean(d.IssueBy.By), Micros(d.IssueBy.At), seq, cluster))
		if err == nil && !ok {
			return fmt.Errorf("cluster %d: %w", cluster, ErrNotFound)
		}
		return err
	})
}
