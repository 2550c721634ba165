package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"seaworthy/job"
)

var (
	// ErrFinal means that the execution is over: its state never changes again.
	ErrFinal = errors.New("the execution is over")
	// ErrLost means that somebody else holds the execution now.
	ErrLost = errors.New("the execution is held elsewhere")
)

// CreateExecution stores a new execution. If one with the same Key exists
// already, created is false and nothing changes. An empty Key is like no
// other. The BuildID comes from NextBuildID.
func (db *DB) CreateExecution(ctx context.Context, e job.Execution) (created bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("storing execution %s of %s: %w", e.ID, e.Job, err)
		}
	}()
	row, err := newExecutionRow(e)
	if err != nil {
		return false, err
	}
	if e.CreatedAt.IsZero() {
		row.created = Micros(db.now())
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		created, err = changed(tx.ExecContext(ctx, `
			INSERT INTO execution (id, build_id, key, job, type, context, repo, base_sha, refs, extra, spec, optional,
			    report, cause, state, description, path, owner, lease_until, created_at, started_at, finished_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
			ON CONFLICT (key) WHERE key <> '' DO NOTHING`,
			e.ID, row.buildID, row.key, clean(e.Job), string(e.Type), clean(e.Context), row.repo, clean(e.Refs.BaseSHA),
			row.refs, row.extra, row.spec, e.Optional, e.Report, clean(e.Cause), string(e.State), clean(e.Description),
			clean(e.Path), clean(e.Owner), Micros(e.LeaseUntil), row.created, Micros(e.StartedAt), Micros(e.FinishedAt)))
		if err != nil || !created {
			return err
		}
		for _, p := range e.Refs.Pulls {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO execution_pull (execution, number, sha) VALUES ($1, $2, $3)
				ON CONFLICT (execution, number) DO NOTHING`, e.ID, p.Number, clean(p.SHA)); err != nil {
				return err
			}
		}
		return nil
	})
	return created && err == nil, err
}

// executionRow holds the columns that differ from the domain's fields.
type executionRow struct {
	buildID           int64
	key, repo         string
	refs, extra, spec string
	created           int64
}

func newExecutionRow(e job.Execution) (executionRow, error) {
	r := executionRow{key: clean(e.Key), created: Micros(e.CreatedAt)}
	if e.ID == "" || clean(e.ID) != e.ID {
		return r, fmt.Errorf("%q is no id", e.ID)
	}
	var err error
	if r.buildID, err = parseBuildID(e.BuildID); err != nil {
		return r, err
	}
	if e.Refs.Org != "" || e.Refs.Repo != "" {
		r.repo = clean(e.Refs.Org + "/" + e.Refs.Repo)
	}
	if r.refs, err = toJSON(e.Refs); err != nil {
		return r, err
	}
	if r.extra, err = toJSON(e.Extra); err != nil {
		return r, err
	}
	r.spec, err = toJSON(e.Spec)
	return r, err
}

// executionColumns are in the order in which scanExecution reads them.
const executionColumns = `id, build_id, key, job, type, context, refs, extra, spec, optional, report, cause,
	state, description, path, owner, lease_until, created_at, started_at, finished_at`

func scanExecution(scan func(...any) error) (job.Execution, error) {
	var (
		e                                 job.Execution
		buildID                           int64
		refs, extra, spec                 string
		lease, created, started, finished int64
	)
	err := scan(&e.ID, &buildID, &e.Key, &e.Job, &e.Type, &e.Context, &refs, &extra, &spec, &e.Optional, &e.Report, &e.Cause,
		&e.State, &e.Description, &e.Path, &e.Owner, &lease, &created, &started, &finished)
	if err != nil {
		return job.Execution{}, err
	}
	for _, part := range []struct {
		text string
		into any
	}{{refs, &e.Refs}, {extra, &e.Extra}, {spec, &e.Spec}} {
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return job.Execution{}, fmt.Errorf("execution %s: %w", e.ID, err)
		}
	}
	e.BuildID = strconv.FormatInt(buildID, 10)
	e.LeaseUntil, e.CreatedAt = FromMicros(lease), FromMicros(created)
	e.StartedAt, e.FinishedAt = FromMicros(started), FromMicros(finished)
	return e, nil
}

// Execution returns one execution by its ID or its BuildID, which is a number
// as an ID never is. There being none is ErrNotFound and job.ErrNoExecution.
func (db *DB) Execution(ctx context.Context, id string) (job.Execution, error) {
	where, key := "id = $1", any(id)
	if build, err := strconv.ParseInt(id, 10, 64); err == nil {
		where, key = "build_id = $1", build
	}
	e, err := scanExecution(db.read.QueryRowContext(ctx, `SELECT `+executionColumns+` FROM execution WHERE `+where, key).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = errors.Join(ErrNotFound, job.ErrNoExecution)
	}
	if err != nil {
		return job.Execution{}, fmt.Errorf("reading execution %s: %w", id, err)
	}
	return e, nil
}

// Executions lists executions, newest first: by descending BuildID.
func (db *DB) Executions(ctx context.Context, f job.ExecutionFilter) ([]job.Execution, error) {
	q, err := executionQuery(f)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	rows, err := db.read.QueryContext(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	all, err := collect(rows, scanExecution)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	return all, nil
}

func executionQuery(f job.ExecutionFilter) (*query, error) {
	q := newQuery(`SELECT ` + executionColumns + ` FROM execution`)
	if f.Repo != "" {
		q.and(`repo = ?`, clean(f.Repo))
	}
	if f.Job != "" {
		q.and(`job = ?`, clean(f.Job))
	}
	if f.Type != "" {
		q.and(`type = ?`, string(f.Type))
	}
	if len(f.States) > 0 {
		var states []any
		for _, s := range f.States {
			states = append(states, string(s))
		}
		q.and(`state IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)`, states...)
	}
	if f.Pull != 0 {
		q.and(`EXISTS (SELECT 1 FROM execution_pull p WHERE p.execution = execution.id AND p.number = ?)`, f.Pull)
	}
	if f.SHA != "" {
		// The base counts only where no pull request is tested.
		q.and(`(EXISTS (SELECT 1 FROM execution_pull p WHERE p.execution = execution.id AND p.sha = ?)
			OR base_sha = ? AND NOT EXISTS (SELECT 1 FROM execution_pull p WHERE p.execution = execution.id))`,
			clean(f.SHA), clean(f.SHA))
	}
	if f.Before != "" {
		before, err := parseBuildID(f.Before)
		if err != nil {
			return nil, err
		}
		q.and(`build_id < ?`, before)
	}
	q.add(` ORDER BY build_id DESC`)
	q.limit(f.Limit)
	return q, nil
}

// ClaimExecution gives the execution to owner until the time given, if nobody
// holds it: it waits (Triggered), or its holder's lease ran out by now. It is
// Pending then and StartedAt is now. The second result says whether the claim
// succeeded; if not, the execution is returned as it stands.
func (db *DB) ClaimExecution(ctx context.Context, id, owner string, now, until time.Time) (job.Execution, bool, error) {
	var (
		e  job.Execution
		ok bool
	)
	err := db.Write(ctx, func(tx *sql.Tx) (err error) {
		ok, err = changed(tx.ExecContext(ctx, `
			UPDATE execution SET state = 'pending', owner = $2, lease_until = $4, started_at = $3
			WHERE id = $1 AND (state = 'triggered' OR state = 'pending' AND lease_until <= $3)`,
			id, owner, Micros(now), Micros(until)))
		if err != nil {
			return err
		}
		e, err = scanExecution(tx.QueryRowContext(ctx, `SELECT `+executionColumns+` FROM execution WHERE id = $1`, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return job.Execution{}, false, fmt.Errorf("claiming execution %s: %w", id, err)
	}
	return e, ok, nil
}

// ExtendExecution keeps the execution until a later time. It returns ErrLost
// if the owner does not hold it any more, and ErrFinal if it is over, as after
// an abort: the owner stops then.
func (db *DB) ExtendExecution(ctx context.Context, id, owner string, until time.Time) error {
	err := db.changeExecution(ctx, id, owner, `UPDATE execution SET lease_until = $2 WHERE id = $1`, id, Micros(until))
	if err != nil {
		return fmt.Errorf("extending the lease on execution %s: %w", id, err)
	}
	return nil
}

// UpdateExecution stores the Description, Path and StartedAt of an unfinished
// execution. If e.Owner is set, that owner must hold it (ErrLost). ErrFinal
// if it is over.
func (db *DB) UpdateExecution(ctx context.Context, e job.Execution) error {
	err := db.changeExecution(ctx, e.ID, e.Owner,
		`UPDATE execution SET description = $2, path = $3, started_at = $4 WHERE id = $1`,
		e.ID, clean(e.Description), clean(e.Path), Micros(e.StartedAt))
	if err != nil {
		return fmt.Errorf("updating execution %s: %w", e.ID, err)
	}
	return nil
}

// FinishExecution stores the final State with Description, Path, StartedAt and
// FinishedAt (now when zero). A final state never changes: ErrFinal. If
// e.Owner is set, that owner must hold the execution (ErrLost); an abort from
// outside leaves Owner empty.
func (db *DB) FinishExecution(ctx context.Context, e job.Execution) error {
	if !e.State.Final() {
		return fmt.Errorf("finishing execution %s: %q is not a final state", e.ID, e.State)
	}
	if e.FinishedAt.IsZero() {
		e.FinishedAt = db.now()
	}
	err := db.changeExecution(ctx, e.ID, e.Owner, `
		UPDATE execution SET state = $2, description = $3, path = $4, started_at = $5, finished_at = $6, lease_until = 0
		WHERE id = $1`,
		e.ID, string(e.State), clean(e.Description), clean(e.Path), Micros(e.StartedAt), Micros(e.FinishedAt))
	if err != nil {
		return fmt.Errorf("finishing execution %s: %w", e.ID, err)
	}
	return nil
}

// changeExecution runs the update if the execution is not over and, unless
// owner is empty, is held by owner.
func (db *DB) changeExecution(ctx context.Context, id, owner, update string, args ...any) error {
	return db.Write(ctx, func(tx *sql.Tx) error {
		var (
			state  job.State
			holder string
		)
		err := tx.QueryRowContext(ctx, `SELECT state, owner FROM execution WHERE id = $1`, id).Scan(&state, &holder)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case state.Final():
			return fmt.Errorf("%w (%s)", ErrFinal, state)
		case owner != "" && owner != holder:
			return ErrLost
		}
		_, err = tx.ExecContext(ctx, update, args...)
		return err
	})
}

// parseBuildID reads a BuildID strictly: two texts are never the same number.
func parseBuildID(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%q is not a build id: a positive decimal number from NextBuildID", s)
	}
	return n, nil
}

// Build ids have the form of Prow's, which come from a "snowflake" generator:
// milliseconds since an epoch, shifted to leave room for ids of the same
// millisecond. https://github.com/kubernetes-sigs/prow/tree/main/cmd/tot
const (
	buildIDEpoch = 1288834974657 // 2010-11-04T01:42:54.657Z in milliseconds since 1970
	buildIDShift = 22
)

// NextBuildID returns a new BuildID: a decimal number, higher than all before
// it whatever the clock does, and 19 digits long from 2018 to 2080.
func (db *DB) NextBuildID(ctx context.Context, now time.Time) (string, error) {
	first := max(1, (now.UnixMilli()-buildIDEpoch)<<buildIDShift)
	var id int64
	err := db.Write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
			UPDATE build_id SET last = CASE WHEN last < $1 THEN $1 ELSE last + 1 END RETURNING last`, first).Scan(&id)
	})
	if err != nil {
		return "", fmt.Errorf("drawing a build id: %w", err)
	}
	return strconv.FormatInt(id, 10), nil
}
