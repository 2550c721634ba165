package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"seaworthy/flow"
)

var _ flow.Journal = (*DB)(nil)

// CreateRun stores a new run in state Pending, whatever its State says.
// It returns flow.ErrBusy if an unfinished run has its Key.
func (db *DB) CreateRun(ctx context.Context, r flow.Run) error {
	params, err := rawJSON("its parameters", r.Params)
	if err != nil {
		return fmt.Errorf("storing run %s of %s: %w", r.ID, r.Flow, err)
	}
	if r.CreatedAt.IsZero() {
		r.CreatedAt = db.now()
	}
	if r.UpdatedAt.IsZero() {
		r.UpdatedAt = r.CreatedAt
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if err := keyIsFree(ctx, tx, r.Key, r.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO flow_run (id, flow, version, key, params, mock, state, actor, created_at, updated_at,
			    last_seq, lease_owner, lease_until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '', 0)`,
			r.ID, clean(r.Flow), r.Version, clean(r.Key), params, r.Mock, string(flow.Pending), clean(r.Actor),
			Micros(r.CreatedAt), Micros(r.UpdatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("storing run %s of %s: %w", r.ID, r.Flow, err)
	}
	return nil
}

// keyIsFree returns flow.ErrBusy if an unfinished run other than id has the
// key. The index flow_run_busy holds the rule; this names the run.
func keyIsFree(ctx context.Context, tx *sql.Tx, key, id string) error {
	if key == "" {
		return nil
	}
	var other string
	err := tx.QueryRowContext(ctx, `
		SELECT id FROM flow_run
		WHERE key = $1 AND key <> '' AND state NOT IN ('succeeded', 'failed', 'canceled') AND id <> $2`,
		clean(key), id).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: run %s has %q", flow.ErrBusy, other, key)
}

const selectRun = `SELECT id, flow, version, key, params, mock, state, actor, created_at, updated_at FROM flow_run`

func scanRun(scan func(...any) error) (flow.Run, error) {
	var (
		r                flow.Run
		params           string
		created, updated int64
	)
	err := scan(&r.ID, &r.Flow, &r.Version, &r.Key, &params, &r.Mock, &r.State, &r.Actor, &created, &updated)
	r.Params, r.CreatedAt, r.UpdatedAt = fromRaw(params), FromMicros(created), FromMicros(updated)
	return r, err
}

// Run returns one run; flow.ErrNoRun if there is none.
func (db *DB) Run(ctx context.Context, id string) (flow.Run, error) {
	r, err := scanRun(db.read.QueryRowContext(ctx, selectRun+` WHERE id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = flow.ErrNoRun
	}
	if err != nil {
		return flow.Run{}, fmt.Errorf("reading run %s: %w", id, err)
	}
	return r, nil
}

// Runs lists runs, newest first.
func (db *DB) Runs(ctx context.Context, f flow.RunFilter) ([]flow.Run, error) {
	q := newQuery(selectRun)
	if f.Flow != "" {
		q.and(`flow = ?`, clean(f.Flow))
	}
	if f.Key != "" {
		q.and(`key = ?`, clean(f.Key))
	}
	if f.State != "" {
		q.and(`state = ?`, string(f.State))
	}
	// Runs begin at whole seconds: of two in one, the later one acted last.
	q.add(` ORDER BY created_at DESC, updated_at DESC, id DESC`)
	q.limit(f.Limit)
	rows, err := db.read.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	runs, err := collect(rows, scanRun)
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	return runs, nil
}

// Entries lists a run's entries with Seq > after, in order.
func (db *DB) Entries(ctx context.Context, id string, after int64) ([]flow.Entry, error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT run, seq, step, kind, attempt, at, actor, message, data FROM flow_entry
		WHERE run = $1 AND seq > $2 ORDER BY seq`, id, after)
	if err != nil {
		return nil, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	entries, err := collect(rows, func(scan func(...any) error) (flow.Entry, error) {
		var (
			e    flow.Entry
			at   int64
			data string
		)
		err := scan(&e.Run, &e.Seq, &e.Step, &e.Kind, &e.Attempt, &at, &e.Actor, &e.Message, &data)
		e.At, e.Data = FromMicros(at), fromRaw(data)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the journal of run %s: %w", id, err)
	}
	if entries == nil {
		// No entries, or no such run?
		if _, err := db.Run(ctx, id); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Append adds an entry under a lease and returns its Seq. It returns
// flow.ErrLeaseLost if the lease was given up or taken over. An EntryState
// entry also sets the run's state; flow.ErrBusy if that would take up a run
// whose Key an unfinished run has.
func (db *DB) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	e.Run = l.Run
	seq, err := db.addEntry(ctx, e, func(tx *sql.Tx) error {
		var owner, key string
		err := tx.QueryRowContext(ctx, `SELECT lease_owner, key FROM flow_run WHERE id = $1`, l.Run).Scan(&owner, &key)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return flow.ErrNoRun
		case err != nil:
			return err
		case owner == "" || owner != l.Owner:
			return flow.ErrLeaseLost
		case e.Kind == flow.EntryState:
			return setRunState(ctx, tx, l.Run, key, flow.State(e.Message))
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("journal of run %s: adding %s: %w", l.Run, e.Kind, err)
	}
	return seq, nil
}

func setRunState(ctx context.Context, tx *sql.Tx, id, key string, s flow.State) error {
	known := []flow.State{flow.Pending, flow.Running, flow.Waiting, flow.Succeeded, flow.Failed, flow.Canceled}
	if !slices.Contains(known, s) {
		return fmt.Errorf("%q is not a state", s)
	}
	if !s.Final() {
		if err := keyIsFree(ctx, tx, key, id); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE flow_run SET state = $2 WHERE id = $1`, id, string(s))
	return err
}

// Submit adds an entry from outside, EntryApproval or EntryCancel, which needs
// no lease, and returns its Seq.
func (db *DB) Submit(ctx context.Context, e flow.Entry) (int64, error) {
	if e.Kind != flow.EntryApproval && e.Kind != flow.EntryCancel {
		return 0, fmt.Errorf("journal of run %s: an entry %q needs a lease", e.Run, e.Kind)
	}
	seq, err := db.addEntry(ctx, e, func(*sql.Tx) error { return nil })
	if err != nil {
		return 0, fmt.Errorf("journal of run %s: submitting %s: %w", e.Run, e.Kind, err)
	}
	return seq, nil
}

// addEntry calls check and adds the entry, in one transaction.
func (db *DB) addEntry(ctx context.Context, e flow.Entry, check func(*sql.Tx) error) (seq int64, err error) {
	data, err := rawJSON("its data", e.Data)
	if err != nil {
		return 0, err
	}
	if e.At.IsZero() {
		e.At = db.now()
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		// The update also makes those who add to the same run follow one another.
		err := tx.QueryRowContext(ctx, `
			UPDATE flow_run SET last_seq = last_seq + 1, updated_at = $2 WHERE id = $1 RETURNING last_seq`,
			e.Run, Micros(e.At)).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return flow.ErrNoRun
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO flow_entry (run, seq, step, kind, attempt, at, actor, message, data)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			e.Run, seq, clean(e.Step), string(e.Kind), e.Attempt, Micros(e.At), clean(e.Actor), clean(e.Message), data)
		return err
	})
	return seq, err
}

// Acquire takes the lease on a run, or extends it if owner has it. It returns
// flow.ErrLeased if another owner's lease has not run out at now.
func (db *DB) Acquire(ctx context.Context, run, owner string, now, until time.Time) (flow.Lease, error) {
	err := db.Write(ctx, func(tx *sql.Tx) error {
		if owner == "" {
			return errors.New("a lease needs an owner")
		}
		ok, err := changed(tx.ExecContext(ctx, `
			UPDATE flow_run SET lease_owner = $2, lease_until = $4
			WHERE id = $1 AND (lease_owner IN ('', $2) OR lease_until <= $3)`,
			run, owner, Micros(now), Micros(until)))
		if err != nil || ok {
			return err
		}
		return leaseHeld(ctx, tx, run)
	})
	if err != nil {
		return flow.Lease{}, fmt.Errorf("leasing run %s: %w", run, err)
	}
	return flow.Lease{Run: run, Owner: owner, Until: until}, nil
}

// leaseHeld says why a lease could not be taken.
func leaseHeld(ctx context.Context, tx *sql.Tx, run string) error {
	var (
		owner string
		until int64
	)
	err := tx.QueryRowContext(ctx, `SELECT lease_owner, lease_until FROM flow_run WHERE id = $1`, run).Scan(&owner, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return flow.ErrNoRun
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w by %s until %s", flow.ErrLeased, owner, FromMicros(until).Format(time.RFC3339))
}

// Release gives the lease up. A lease that was taken over stays with its new
// owner, and that is no error.
func (db *DB) Release(ctx context.Context, l flow.Lease) error {
	err := db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE flow_run SET lease_owner = '', lease_until = 0 WHERE id = $1 AND lease_owner = $2`, l.Run, l.Owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("releasing run %s: %w", l.Run, err)
	}
	return nil
}
