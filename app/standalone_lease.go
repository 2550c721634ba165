package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"seaworthy/flow"
)

// exclusive is a journal whose leases are held by this process, too: the kernel
// lets go of them when it ends, however it ends. So a command that was killed
// keeps nobody waiting, and two commands at once still exclude each other.
func (a *App) exclusive(j flow.Journal, owner string) (flow.Journal, error) {
	dir := a.dir("leases")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of leases: %w", err)
	}
	e := &exclusiveJournal{Journal: j, dir: dir, owner: owner, held: map[string]hold{}}
	a.closers = append(a.closers, e)
	return e, nil
}

type exclusiveJournal struct {
	flow.Journal
	dir   string
	owner string // in the database, of all leases of this state folder
	mu    sync.Mutex
	held  map[string]hold
}

// hold is a run that this process holds, and for whom.
type hold struct {
	file *os.File
	by   string
}

// Acquire implements flow.Journal. All leases of a state folder have one owner
// in the database: which process it is, the kernel knows.
func (e *exclusiveJournal) Acquire(ctx context.Context, run, owner string, now, until time.Time) (flow.Lease, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	have, again := e.held[run]
	if again && have.by != owner {
		return flow.Lease{}, fmt.Errorf("run %s is driven in this process: %w", run, flow.ErrLeased)
	}
	if !again {
		// Ids come from the journal or the command line: never a path.
		f, err := os.OpenFile(filepath.Join(e.dir, fmt.Sprintf("%x", run)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return flow.Lease{}, fmt.Errorf("leasing run %s: %w", run, err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = flow.ErrLeased
			}
			return flow.Lease{}, errors.Join(fmt.Errorf("run %s is driven by another command: %w", run, err), f.Close())
		}
		e.held[run] = hold{f, owner}
	}
	l, err := e.Journal.Acquire(ctx, run, e.owner, now, until)
	if err != nil && !again {
		err = errors.Join(err, e.drop(run))
	}
	return l, err
}

// Release implements flow.Journal.
func (e *exclusiveJournal) Release(ctx context.Context, l flow.Lease) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.Journal.Release(ctx, l), e.drop(l.Run))
}

// drop lets go of a run; the caller holds the lock.
func (e *exclusiveJournal) drop(run string) error {
	h, there := e.held[run]
	if !there {
		return nil
	}
	delete(e.held, run)
	return errors.Join(syscall.Flock(int(h.file.Fd()), syscall.LOCK_UN), h.file.Close())
}

// Close lets go of everything.
func (e *exclusiveJournal) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for run := range e.held {
		errs = append(errs, e.drop(run))
	}
	return errors.Join(errs...)
}
