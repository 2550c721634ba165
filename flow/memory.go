package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a Journal in this process: for tests, and for work that need not
// outlive it. The zero value is ready for use.
type Memory struct {
	mu   sync.Mutex
	runs map[string]*remembered
}

type remembered struct {
	run     Run
	order   int
	entries []Entry
	lease   Lease
}

// CreateRun implements Journal.
func (m *Memory) CreateRun(_ context.Context, r Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.runs[r.ID]; ok {
		return fmt.Errorf("run %s is there already: %w", r.ID, ErrBusy)
	}
	if holder := m.holder(r); holder != "" {
		return fmt.Errorf("run %s holds %q: %w", holder, r.Key, ErrBusy)
	}
	if m.runs == nil {
		m.runs = map[string]*remembered{}
	}
	r.State, r.Params = Pending, slices.Clone(r.Params)
	m.runs[r.ID] = &remembered{run: r, order: len(m.runs)}
	return nil
}

// holder names another run that is not final and holds r's key.
func (m *Memory) holder(r Run) string {
	for id, other := range m.runs {
		if r.Key != "" && id != r.ID && other.run.Key == r.Key && !other.run.State.Final() {
			return id
		}
	}
	return ""
}

func (m *Memory) find(id string) (*remembered, error) {
	r, ok := m.runs[id]
	if !ok {
		return nil, fmt.Errorf("run %s: %w", id, ErrNoRun)
	}
	return r, nil
}

// Run implements Journal.
func (m *Memory) Run(_ context.Context, id string) (Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return Run{}, err
	}
	return r.run, nil
}

// Runs implements Journal.
func (m *Memory) Runs(_ context.Context, f RunFilter) ([]Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*remembered
	for _, r := range m.runs {
		if (f.Flow == "" || r.run.Flow == f.Flow) && (f.Key == "" || r.run.Key == f.Key) && (f.State == "" || r.run.State == f.State) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *remembered) int {
		return cmp.Or(b.run.CreatedAt.Compare(a.run.CreatedAt), cmp.Compare(b.order, a.order))
	})
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	runs := make([]Run, len(found))
	for i, r := range found {
		runs[i] = r.run
	}
	return runs, nil
}

// Entries implements Journal.
func (m *Memory) Entries(_ context.Context, id string, after int64) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(id)
	if err != nil {
		return nil, err
	}
	after = min(max(after, 0), int64(len(r.entries)))
	return slices.Clone(r.entries[after:]), nil
}

// Append implements Journal.
func (m *Memory) Append(_ context.Context, l Lease, e Entry) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(e.Run)
	if err != nil {
		return 0, err
	}
	if l.Run != e.Run || r.lease.Owner != l.Owner || l.Owner == "" {
		return 0, fmt.Errorf("run %s: %w", e.Run, ErrLeaseLost)
	}
	if e.Kind == EntryState {
		revived := r.run
		revived.State = State(e.Message)
		if holder := m.holder(revived); holder != "" && !revived.State.Final() {
			return 0, fmt.Errorf("run %s holds %q: %w", holder, revived.Key, ErrBusy)
		}
		r.run.State = revived.State
	}
	return r.add(e), nil
}

// Submit implements Journal.
func (m *Memory) Submit(_ context.Context, e Entry) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(e.Run)
	if err != nil {
		return 0, err
	}
	if e.Kind != EntryApproval && e.Kind != EntryCancel {
		return 0, fmt.Errorf("run %s: an entry of kind %q needs a lease: %w", e.Run, e.Kind, ErrLeaseLost)
	}
	return r.add(e), nil
}

func (r *remembered) add(e Entry) int64 {
	e.Seq = int64(len(r.entries)) + 1
	e.Data = slices.Clone(e.Data)
	r.entries = append(r.entries, e)
	r.run.UpdatedAt = e.At
	return e.Seq
}

// Acquire implements Journal.
func (m *Memory) Acquire(_ context.Context, run, owner string, now, until time.Time) (Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(run)
	if err != nil {
		return Lease{}, err
	}
	if r.lease.Owner != "" && r.lease.Owner != owner && r.lease.Until.After(now) {
		return Lease{}, fmt.Errorf("run %s is driven by %s: %w", run, r.lease.Owner, ErrLeased)
	}
	r.lease = Lease{Run: run, Owner: owner, Until: until}
	return r.lease, nil
}

// Release implements Journal. Releasing a lease that was taken over does nothing.
func (m *Memory) Release(_ context.Context, l Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(l.Run)
	if err != nil {
		return err
	}
	if r.lease.Owner == l.Owner {
		r.lease = Lease{}
	}
	return nil
}

var _ Journal = (*Memory)(nil)
