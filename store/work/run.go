package work

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"seaworthy/store"
)

// A process on Postgres says every beatInterval that it lives. One that has
// been silent for deadAfter is taken for dead, and its items are taken over.
const (
	beatInterval = 15 * time.Second
	deadAfter    = time.Minute
)

// Run works until ctx ends, then lets the handlers that run finish, for
// Config.Grace at most, and returns nil. It takes up what a process that died
// has left behind. A queue runs once.
func (q *Queue) Run(ctx context.Context) error {
	if q.started.Swap(true) {
		return errors.New("work queue: it runs already, or has run")
	}
	if err := q.beat(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return fmt.Errorf("starting the work queue: %w", err)
	}
	// The handlers' context outlives ctx, by the grace they are given.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting the work queue: %w", err)
	}
	group, loops := errgroup.WithContext(ctx)
	group.Go(func() error { return q.beatLoop(loops) })
	group.Go(func() error { return q.retryLoop(loops) })
	group.Go(func() error { return q.periodicLoop(loops) })
	err := group.Wait() // nil once ctx has ended
	return errors.Join(err, q.stop(context.WithoutCancel(ctx)))
}

// lastGrace is how long handlers may take to return once their context has
// ended, and the queue to write down how they ended.
const lastGrace = 20 * time.Second

func (q *Queue) stop(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, q.config.Grace)
	defer cancel()
	err := q.client.Stop(patient)
	if errors.Is(err, context.DeadlineExceeded) {
		firm, cancel := context.WithTimeout(ctx, lastGrace)
		defer cancel()
		err = q.client.StopAndCancel(firm)
	}
	if err != nil {
		return fmt.Errorf("stopping the work queue: a handler does not return though its context has ended: %w", err)
	}
	return q.leave(ctx)
}

// leave has others take over at once what could not be finished.
func (q *Queue) leave(ctx context.Context) error {
	err := q.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM work_process WHERE id = $1`, q.client.ID())
		return err
	})
	if err != nil {
		return fmt.Errorf("stopping the work queue: %w", err)
	}
	return nil
}

// retryLoop rings the bell when an item that failed is due again.
func (q *Queue) retryLoop(ctx context.Context) error {
	failed, unsubscribe := q.client.Subscribe(river.EventKindJobFailed)
	defer unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-failed:
			if !ok {
				return nil
			}
			if e.Job.FinalizedAt == nil {
				q.bell.ringIn(time.Until(e.Job.ScheduledAt), e.Job.Queue)
			}
		}
	}
}

// beatLoop says that this process lives, and looks after those that do not.
// On SQLite there are no others.
func (q *Queue) beatLoop(ctx context.Context) error {
	if q.db.Dialect() == store.SQLite {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(beatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := q.beat(ctx); err != nil && ctx.Err() == nil {
			// The database may be back at the next beat.
			q.config.Log.Error("work queue: saying that this process lives", slog.Any("err", err))
		}
	}
}

// Jobs that run in no living process go back into the queue.
const (
	reclaimSQLite = `
		UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec')
		WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM work_process WHERE id = json_extract(attempted_by, '$[#-1]'))`
	reclaimPostgres = `
		UPDATE river_job SET state = 'available', scheduled_at = now()
		WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM work_process WHERE id = attempted_by[array_upper(attempted_by, 1)])`
)

// beat records that this process lives, forgets those that do not, and takes
// up their items. On SQLite every other process is gone.
func (q *Queue) beat(ctx context.Context) error {
	now := q.config.Now()
	dead, reclaim := now, reclaimSQLite
	if q.db.Dialect() == store.Postgres {
		dead, reclaim = now.Add(-deadAfter), reclaimPostgres
	}
	var taken int64
	err := q.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM work_process WHERE seen_at <= $1`, store.Micros(dead))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO work_process (id, seen_at) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, q.client.ID(), store.Micros(now))
		if err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, reclaim)
		if err != nil {
			return err
		}
		taken, err = r.RowsAffected()
		return err
	})
	if err == nil && taken > 0 {
		q.config.Log.Info("work queue: took up what a stopped process left", slog.Int64("items", taken))
	}
	return err
}

// Idle waits until nothing runs and nothing is ready to run; delayed items and
// retries that pause do not count. It is for tests, with Run under way.
func (q *Queue) Idle(ctx context.Context) error {
	ended, unsubscribe := q.client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed,
		river.EventKindJobCancelled, river.EventKindJobSnoozed)
	defer unsubscribe()
	now := `datetime('now', 'subsec')`
	if q.db.Dialect() == store.Postgres {
		now = `now()`
	}
	for {
		var n int
		err := q.db.Read().QueryRowContext(ctx, `
			SELECT count(*) FROM river_job
			WHERE state = 'running' OR state = 'available' AND scheduled_at <= `+now).Scan(&n)
		if err != nil {
			return fmt.Errorf("looking into the work queue: %w", err)
		}
		if n == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d items of work: %w", n, context.Cause(ctx))
		}
	}
}
