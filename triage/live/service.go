package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Result is a build that is over, with the failures of its tests.
type Result struct {
	Build
	Failures []Failure
}

// Failure is a test that failed, and what it said.
type Failure struct {
	Test string
	Text string

	// What an import knows already: the hash of the text's key, and a text of that
	// key with other noise.
	hash, other string
}

// Options are what a Service works with. Store, Sorter and Now are needed.
type Options struct {
	Store  Store
	Sorter Sorter
	Now    func() time.Time
	// Keep is how long failures and clusters are kept, DefaultRetention where it is
	// zero. KeepFor says so in its place if it is not nil, and is asked from time to
	// time; while it fails nothing is removed and nothing passed over as too old.
	Keep    Retention
	KeepFor func(context.Context) (Retention, error)
	// Patience is how long a question waits for what other processes have written
	// until it is answered without it; zero is for as long as it takes.
	Patience time.Duration
	// Merges lists what was merged into a repository after one commit up to
	// another, newest first. Nil knows nothing.
	Merges func(ctx context.Context, repo, from, to string) ([]Merge, error)
	// Changed is called when there is something new to see: it was written here, or
	// read with Patience; it may be nil.
	Changed func()
}

// Sorter says which texts belong together.
type Sorter interface {
	// Key is what is left of a text without its noise. Texts of one key belong
	// together.
	Key(text string) string
	// Groups sorts texts into groups, whatever their order.
	Groups(ctx context.Context, texts []string) ([][]int, error)
	// Index knows texts by the group they are in.
	Index(texts []string, groups []int32) Index
}

// Index gives single texts to groups, as Sorter.Groups would as far as that is
// possible one by one.
type Index interface {
	// Find returns the group that a text belongs to, if there is one.
	Find(text string) (group int32, ok bool)
	// Add makes a text known as one of a group, which may be new.
	Add(text string, group int32)
}

// Service records failures and answers for them. Its methods may be called by
// many goroutines, and several processes may work on one store.
type Service struct {
	o Options

	mu    sync.Mutex // one at a time reads and writes the store
	table *Table     // the table itself never changes, what it holds does
	state State
	index Index // nil: to be made of the table

	filled atomic.Bool // the table has been read once

	merges mergeMemo
	keep   retentionMemo
}

// New returns a service; it reads the store when it is first asked for
// something.
func New(o Options) *Service {
	o.Keep = o.Keep.orDefault()
	return &Service{o: o, table: NewTable()}
}

// attempts bounds how often another process may be quicker.
const attempts = 10

// Record takes up the failures of one build. A build that is known already
// changes nothing, so that whoever calls may do so again after a crash. Builds
// that are too old to be kept are passed over.
func (s *Service) Record(ctx context.Context, r Result) error {
	_, err := s.RecordAll(ctx, []Result{r})
	return err
}

// Recorded counts what RecordAll did with builds, and the failures of those that
// were new.
type Recorded struct {
	New      int `json:"new"`
	Known    int `json:"known"` // were there already: nothing changed
	Old      int `json:"old"`   // are older than failures are kept: passed over
	Failures int `json:"failures"`
}

func (r *Recorded) add(o Recorded) {
	r.New, r.Known, r.Old, r.Failures = r.New+o.New, r.Known+o.Known, r.Old+o.Old, r.Failures+o.Failures
}

// RecordAll does what Record does for each of the builds in their order, in one
// write: all of them are taken up or none.
func (s *Service) RecordAll(ctx context.Context, all []Result) (Recorded, error) {
	for _, r := range all {
		if r.Path == "" || r.Job == "" {
			return Recorded{}, errors.New("recording failures: the build has no path or no job")
		}
	}
	if len(all) == 0 {
		return Recorded{}, nil
	}
	oldest := time.Time{}
	if keep, err := s.retention(ctx); err == nil { // else nothing is lost: what is too old goes with the next Reconcile
		oldest = s.o.Now().Add(-keep.Failures)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var done Recorded
	err := s.write(ctx, func() (State, error) {
		var fresh []Result
		fresh, done = s.sift(all, oldest)
		if len(fresh) == 0 {
			return s.state, nil
		}
		rows := s.plan(fresh)
		state, err := s.o.Store.AddTriage(ctx, s.state.Seq, rows)
		if err != nil {
			s.index = nil // it knows texts that are not stored
			return state, err
		}
		s.table.mu.Lock()
		defer s.table.mu.Unlock()
		s.table.apply(rows)
		return state, nil
	})
	if err != nil {
		return Recorded{}, fmt.Errorf("recording the failures of %s: %w", nameOf(all), err)
	}
	return done, nil
}

// sift leaves out builds that are known or too old.
func (s *Service) sift(all []Result, oldest time.Time) (fresh []Result, done Recorded) {
	here := map[string]bool{}
	for _, r := range all {
		_, known := s.table.paths[r.Path]
		switch {
		case known || here[r.Path]:
			done.Known++
		case r.Started.Before(oldest):
			done.Old++
		default:
			here[r.Path] = true
			fresh = append(fresh, r)
			done.New++
			done.Failures += len(r.Failures)
		}
	}
	return fresh, done
}

// nameOf names builds in an error.
func nameOf(all []Result) string {
	if len(all) == 1 {
		return all[0].Path
	}
	return fmt.Sprintf("%s and %d other builds", all[0].Path, len(all)-1)
}

// write brings the table up to date and calls change, again if another process
// wrote in between. change applies what it wrote to the table, or leaves it
// behind the state it returns.
func (s *Service) write(ctx context.Context, change func() (State, error)) error {
	for range attempts {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		before := s.state
		state, err := change()
		if errors.Is(err, ErrBehind) {
			continue
		}
		if err != nil {
			return err
		}
		s.state = state
		if state != before && s.o.Changed != nil {
			s.o.Changed()
		}
		return nil
	}
	return fmt.Errorf("%w, %d times in a row", ErrBehind, attempts)
}

// refresh reads what other processes have written, or everything at first.
func (s *Service) refresh(ctx context.Context) error {
	rows, state, err := s.o.Store.TriageRows(ctx, s.state.Seq)
	if err != nil {
		return fmt.Errorf("reading the failures stored: %w", err)
	}
	defer s.filled.Store(true)
	if state == s.state {
		return nil
	}
	if state.Epoch > s.state.Seq || s.state.Seq == 0 {
		fresh := NewTable()
		fresh.apply(rows)
		s.table.replace(fresh)
	} else {
		s.table.mu.Lock()
		s.table.apply(rows)
		s.table.mu.Unlock()
	}
	s.state, s.index = state, nil
	return nil
}

// current is the table, up to date; while somebody writes, or if it takes longer
// than a page can wait to read what others wrote, as it was before.
func (s *Service) current(ctx context.Context) (*Table, error) {
	if !s.filled.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.table, s.refresh(ctx)
	}
	if !s.mu.TryLock() {
		return s.table, nil
	}
	if s.o.Patience == 0 {
		defer s.mu.Unlock()
		return s.table, s.refresh(ctx)
	}
	// The lock goes with the reading, so that there is one at a time; it goes on
	// without whoever asked, for those who ask next. What fails then fails again
	// for them, and is told.
	read := make(chan error, 1)
	go func() {
		defer s.mu.Unlock()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestRefresh)
		defer cancel()
		before := s.state
		err := s.refresh(late)
		if s.state != before && s.o.Changed != nil {
			s.o.Changed() // who was answered without it may ask again
		}
		read <- err
	}()
	patience := time.NewTimer(s.o.Patience)
	defer patience.Stop()
	select {
	case err := <-read:
		return s.table, err
	case <-patience.C:
		return s.table, nil
	case <-ctx.Done():
		return s.table, context.Cause(ctx)
	}
}

// longestRefresh ends reading that nobody waits for any longer.
const longestRefresh = 5 * time.Minute

// List answers a filter; see Table.List.
func (s *Service) List(ctx context.Context, f Filter) (List, error) {
	t, err := s.current(ctx)
	if err != nil {
		return List{}, err
	}
	return t.List(ctx, f, s.o.Now())
}

// Cluster tells about one cluster; see Table.Cluster.
func (s *Service) Cluster(ctx context.Context, id string, f Filter) (Detail, error) {
	t, err := s.current(ctx)
	if err != nil {
		return Detail{}, err
	}
	d, err := t.Cluster(ctx, id, f, s.o.Now())
	if err != nil {
		return d, err
	}
	d.Merges, err = s.mergesOf(ctx, d.Facts)
	return d, err
}

// Of names the cluster of a test's failure in a build; see Table.Of.
func (s *Service) Of(ctx context.Context, build, test string) (id string, ok bool, err error) {
	t, err := s.current(ctx)
	if err != nil {
		return "", false, err
	}
	id, ok = t.Of(build, test)
	return id, ok, nil
}

// ready makes the index if there is none.
func (s *Service) ready() {
	if s.index != nil {
		return
	}
	texts, groups := make([]string, len(s.table.texts)), make([]int32, len(s.table.texts))
	for i, x := range s.table.texts {
		texts[i], groups[i] = x.sample, x.cluster
	}
	s.index = s.o.Sorter.Index(texts, groups)
}

// hash is what a text is known by.
func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
