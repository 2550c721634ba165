package registry

import (
	"context"
	"hash/maphash"
	"sync"
)

// stripes are locks for more names than one would keep a lock for each of. Two
// names may share one, so who holds it for long must hold it for reading.
type stripes struct {
	seed  maphash.Seed
	locks [256]sync.RWMutex
}

func newStripes() *stripes { return &stripes{seed: maphash.MakeSeed()} }

func (s *stripes) of(name string) *sync.RWMutex {
	return &s.locks[maphash.String(s.seed, name)%uint64(len(s.locks))]
}

// turns lets one caller at a time have a name.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the name is free again
}

// take waits for a name and returns how to give it back.
func (t *turns) take(ctx context.Context, name string) (func(), error) {
	for {
		t.mu.Lock()
		held, busy := t.held[name]
		if !busy {
			free := make(chan struct{})
			if t.held == nil {
				t.held = map[string]chan struct{}{}
			}
			t.held[name] = free
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.held, name)
				t.mu.Unlock()
				close(free)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
