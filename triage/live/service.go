package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
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
}

// Options are what a Service works with. Store, Sorter and Now are needed.
type Options struct {
	Store  Store
	Sorter Sorter
	Now    func() time.Time
	// Keep is how long failures are kept, 14 days when zero; clusters are kept
	// without them for KeepClusters, 400 days when zero.
	Keep, KeepClusters time.Duration
	// Merges lists what was merged into a repository after one commit up to
	// another, newest first. Nil knows nothing.
	Merges func(ctx context.Context, repo, from, to string) ([]Merge, error)
	// Changed is called when there is something new to see; it may be nil.
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
}

// New returns a service; it reads the store when it is first asked for
// something.
func New(o Options) *Service {
	if o.Keep == 0 {
		o.Keep = Days * 24 * time.Hour
	}
	if o.KeepClusters == 0 {
		o.KeepClusters = 400 * 24 * time.Hour
	}
	return &Service{o: o, table: NewTable()}
}

// attempts bounds how often another process may be quicker.
const attempts = 10

// Record takes up the failures of one build. A build that is known already
// changes nothing, so that whoever calls may do so again after a crash. Builds
// that are too old to be kept are passed over.
func (s *Service) Record(ctx context.Context, r Result) error {
	if r.Path == "" || r.Job == "" {
		return errors.New("recording failures: the build has no path or no job")
	}
	if r.Started.Before(s.o.Now().Add(-s.o.Keep)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(ctx, func() (State, error) {
		if _, known := s.table.paths[r.Path]; known {
			return s.state, nil
		}
		rows := s.plan(r)
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
		return fmt.Errorf("recording the failures of %s: %w", r.Path, err)
	}
	return nil
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

// current is the table, up to date; while somebody writes, as it was before: a
// page does not wait for a store.
func (s *Service) current(ctx context.Context) (*Table, error) {
	if !s.mu.TryLock() {
		if s.filled.Load() {
			return s.table, nil
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	return s.table, s.refresh(ctx)
}

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

// Describe sets who owns a cluster and which issue tells of it; nil leaves what
// is there. The error wraps ErrNoCluster if there is no such cluster.
func (s *Service) Describe(ctx context.Context, id string, owner, issue *string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(ctx, func() (State, error) {
		i, ok := s.table.find(id)
		if !ok {
			return s.state, fmt.Errorf("cluster %s: %w", id, ErrNoCluster)
		}
		c := s.table.clusters[i]
		if owner != nil {
			c.Owner = ownerName(*owner)
		}
		if issue != nil {
			c.Issue = strings.TrimSpace(*issue)
		}
		if c.Owner == s.table.clusters[i].Owner && c.Issue == s.table.clusters[i].Issue {
			return s.state, nil
		}
		state, err := s.o.Store.DescribeTriage(ctx, c.number, c.Owner, c.Issue)
		if err != nil || state.Seq != s.state.Seq+1 {
			return s.state, err // the table follows with the next refresh
		}
		s.table.mu.Lock()
		defer s.table.mu.Unlock()
		s.table.clusters[i].Owner, s.table.clusters[i].Issue = c.Owner, c.Issue
		return state, nil
	})
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

// plan says which rows a build adds. It changes nothing but the index.
func (s *Service) plan(r Result) Rows {
	s.ready()
	p := planner{s: s, t: s.table, tests: map[string]int64{}, texts: map[string]StoredText{}, touched: map[int32]*Facts{}}
	b := StoredBuild{Number: s.table.nextBuild(), Build: r.Build}
	b.Started = b.Started.UTC().Truncate(time.Second)
	for _, f := range r.Failures {
		test, text := p.test(f.Test), p.text(f, r)
		b.Failures = append(b.Failures, StoredFailure{test, text.Number})
		p.note(int32(text.Cluster), b.Build, f.Test)
	}
	p.vouch(b.Build, r.Failures)
	p.rows.Builds = []StoredBuild{b}
	places := make([]int32, 0, len(p.touched))
	for place := range p.touched {
		places = append(places, place)
	}
	slices.Sort(places)
	for _, place := range places {
		p.rows.Clusters = append(p.rows.Clusters, StoredCluster{p.number(place), *p.touched[place]})
	}
	for i, x := range p.rows.Texts { // until here they hold places
		p.rows.Texts[i].Cluster = p.number(int32(x.Cluster))
	}
	return p.rows
}

// planner gathers the rows of one build.
type planner struct {
	s       *Service
	t       *Table
	rows    Rows
	tests   map[string]int64
	texts   map[string]StoredText
	touched map[int32]*Facts // by place in the table, or behind its end
	fresh   int32            // clusters behind the end
}

func (p *planner) test(name string) int64 {
	if i, ok := p.t.tests.at[name]; ok {
		return p.t.testNumbers[i]
	}
	n, ok := p.tests[name]
	if !ok {
		n = p.t.nextTest() + int64(len(p.tests))
		p.tests[name] = n
		p.rows.Tests = append(p.rows.Tests, StoredTest{n, name})
	}
	return n
}

// text finds the text in the table or among those of this build, or adds it.
// The cluster of what it returns is a place.
func (p *planner) text(f Failure, r Result) StoredText {
	h := hash(p.s.o.Sorter.Key(f.Text))
	if i, ok := p.t.hashes[h]; ok {
		return StoredText{Number: p.t.texts[i].number, Cluster: int64(p.t.texts[i].cluster)}
	}
	if x, ok := p.texts[h]; ok {
		return x
	}
	place, known := p.s.index.Find(f.Text)
	if !known {
		place = int32(len(p.t.clusters)) + p.fresh
		p.fresh++
		p.touched[place] = &Facts{ID: p.name(h), Text: f.Text}
	}
	p.s.index.Add(f.Text, place)
	x := StoredText{Number: p.t.nextText() + int64(len(p.texts)), Cluster: int64(place), Hash: h, Sample: f.Text}
	p.texts[h] = x
	p.rows.Texts = append(p.rows.Texts, x)
	return x
}

// shortest is how many digits a cluster's name has; it gets more if two
// clusters would share them.
const shortest = 20

func (p *planner) name(hash string) string {
	for n := shortest; n < len(hash); n++ {
		_, taken := p.t.ids[hash[:n]]
		for _, f := range p.touched {
			taken = taken || f.ID == hash[:n]
		}
		if !taken {
			return hash[:n]
		}
	}
	return hash
}

func (p *planner) number(place int32) int64 {
	if int(place) < len(p.t.clusters) {
		return p.t.clusters[place].number
	}
	return p.t.nextCluster() + int64(place) - int64(len(p.t.clusters))
}

// note takes a failure into the facts of its cluster.
func (p *planner) note(place int32, b Build, test string) {
	f := p.touched[place]
	if f == nil {
		copied := p.t.clusters[place].Facts
		f = &copied
		p.touched[place] = f
	}
	landed := f.Landed.Build
	f.see(b, test)
	if f.Landed.Build != landed {
		f.Good = p.t.good(b, test)
	}
}

// vouch makes a build the last good one of clusters that landed after it, if it
// is read later than the build that showed them first.
func (p *planner) vouch(b Build, failures []Failure) {
	if b.Pull != 0 || b.Tests == 0 {
		return
	}
	for i := range p.t.clusters {
		f := &p.t.clusters[i].Facts
		if f.Landed.Job != b.Job || f.Landed.Repo != b.Repo || f.Landed.Build == "" || b.Started.After(f.Landed.At) || b.Started.Equal(f.Landed.At) && b.Path >= f.Landed.Build || !b.Started.After(f.Good.At) {
			continue
		}
		landed, ok := p.t.paths[f.Landed.Build]
		if !ok || p.t.branches.all[p.t.builds[landed].branch] != b.Branch ||
			slices.ContainsFunc(failures, func(x Failure) bool { return x.Test == f.Landed.Test }) {
			continue
		}
		place := int32(i)
		if p.touched[place] == nil {
			copied := *f
			p.touched[place] = &copied
		}
		// What this very build shows may have begun with it.
		if x := p.touched[place]; x.Landed.Build == f.Landed.Build {
			x.Good = originOf(b, f.Landed.Test)
		}
	}
}
