package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockDir holds one file for each name that is held exclusively.
const lockDir = "locks"

// lockPoll is how often a lock that somebody else holds is asked for.
const lockPoll = 20 * time.Millisecond

// hold waits until nobody else holds the name: no other part of this process,
// no other process of this state folder, and no server elsewhere that uses the
// same database. It ends with the process that holds it, however that ends.
func (a *App) hold(ctx context.Context, name string) (func(), error) {
	leave, err := a.holdHere(ctx, name)
	if err != nil || a.Store == nil {
		return leave, err
	}
	unlock, err := a.Store.Lock(ctx, name)
	if err != nil {
		leave()
		return nil, fmt.Errorf("waiting for %s: %w", name, err)
	}
	return func() {
		// The connection is gone in any case, and the lock with it.
		if err := unlock(); err != nil {
			a.o.Log.Warn("giving back a lock", "name", name, "error", err)
		}
		leave()
	}, nil
}

// holdHere is hold among those who share the state folder. The lock is the
// kernel's, on a file that goes with whoever held it.
func (a *App) holdHere(ctx context.Context, name string) (func(), error) {
	fail := func(err error) (func(), error) { return nil, fmt.Errorf("waiting for %s: %w", name, err) }
	if err := os.MkdirAll(a.dir(lockDir), 0o755); err != nil {
		return fail(err)
	}
	sum := sha256.Sum256([]byte(name))
	path := a.dir(lockDir, hex.EncodeToString(sum[:12]))
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		f, err := tryLock(path)
		if err != nil {
			return fail(err)
		}
		if f != nil {
			return func() {
				// Closing gives the lock back. A file that stays is locked anew.
				if err := errors.Join(os.Remove(path), f.Close()); err != nil {
					a.o.Log.Warn("giving back a lock", "name", name, "error", err)
				}
			}, nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
}

// tryLock makes and locks a file; nil if somebody else has it locked. Each opening
// has a lock of its own, so that two of one process exclude each other, too.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Whoever had it may have removed the file between the two calls.
	mine, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	now, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(mine, now) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
