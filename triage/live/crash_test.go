package live_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/store/storetest"
	"seaworthy/triage/live"
)

// memory is a store in memory, so that hundreds of crashes can be tried in a
// moment. TestMemoryIsAStore holds it to what the database does.
type memory struct {
	mu       sync.Mutex
	state    live.State
	builds   map[int64]kept[live.StoredBuild]
	tests    map[int64]kept[live.StoredTest]
	texts    map[int64]kept[live.StoredText]
	clusters map[int64]kept[live.StoredCluster]
}

// kept is a row and the Seq of its last change.
type kept[T any] struct {
	seq int64
	row T
}

func newMemory() *memory {
	return &memory{
		builds: map[int64]kept[live.StoredBuild]{}, tests: map[int64]kept[live.StoredTest]{},
		texts: map[int64]kept[live.StoredText]{}, clusters: map[int64]kept[live.StoredCluster]{},
	}
}

func since[T any](rows map[int64]kept[T], after int64) []T {
	var out []T
	for _, n := range slices.Sorted(maps.Keys(rows)) {
		if rows[n].seq > after {
			out = append(out, rows[n].row)
		}
	}
	return out
}

func (m *memory) TriageRows(ctx context.Context, after int64) (live.Rows, live.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil || m.state.Seq == after {
		return live.Rows{}, m.state, ctx.Err()
	}
	if m.state.Epoch > after {
		after = 0
	}
	return live.Rows{Builds: since(m.builds, after), Tests: since(m.tests, after), Texts: since(m.texts, after), Clusters: since(m.clusters, after)}, m.state, nil
}

// write takes the next Seq if the caller is up to date.
func (m *memory) write(seq int64, rewrites bool, change func(seq int64) error) (live.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq >= 0 && seq != m.state.Seq {
		return live.State{}, live.ErrBehind
	}
	if err := change(m.state.Seq + 1); err != nil {
		return live.State{}, err
	}
	m.state.Seq++
	if rewrites {
		m.state.Epoch = m.state.Seq
	}
	return m.state, nil
}

func (m *memory) putCluster(seq int64, c live.StoredCluster) {
	if old, ok := m.clusters[c.Number]; ok {
		c.ID, c.Text = old.row.ID, old.row.Text
		if old.row.Owner != "" {
			c.Owner, c.OwnerBy = old.row.Owner, old.row.OwnerBy
		}
		if old.row.Issue != "" {
			c.Issue, c.IssueBy = old.row.Issue, old.row.IssueBy
		}
	}
	m.clusters[c.Number] = kept[live.StoredCluster]{seq, c}
}

func (m *memory) AddTriage(_ context.Context, seq int64, r live.Rows) (live.State, error) {
	return m.write(seq, false, func(seq int64) error {
		for _, b := range r.Builds {
			for _, other := range m.builds {
				if other.row.Path == b.Path {
					return fmt.Errorf("build %s is there already", b.Path)
				}
			}
			m.builds[b.Number] = kept[live.StoredBuild]{seq, b}
		}
		for _, x := range r.Tests {
			m.tests[x.Number] = kept[live.StoredTest]{seq, x}
		}
		for _, x := range r.Texts {
			m.texts[x.Number] = kept[live.StoredText]{seq, x}
		}
		for _, c := range r.Clusters {
			m.putCluster(seq, c)
		}
		return nil
	})
}

func (m *memory) MoveTriage(_ context.Context, seq int64, moves []live.Move, clusters []live.StoredCluster) (live.State, error) {
	return m.write(seq, true, func(seq int64) error {
		for _, c := range clusters {
			m.putCluster(seq, c)
		}
		for _, x := range moves {
			text := m.texts[x.Text].row
			text.Cluster = x.Cluster
			m.texts[x.Text] = kept[live.StoredText]{seq, text}
		}
		return nil
	})
}

func (m *memory) RemoveTriage(_ context.Context, seq int64, r live.Removal) (live.State, error) {
	return m.write(seq, true, func(int64) error {
		maps.DeleteFunc(m.builds, func(_ int64, b kept[live.StoredBuild]) bool { return b.row.Started.Before(r.Before) })
		for _, n := range r.Texts {
			delete(m.texts, n)
		}
		for _, n := range r.Tests {
			delete(m.tests, n)
		}
		for _, n := range r.Clusters {
			delete(m.clusters, n)
		}
		return nil
	})
}

func (m *memory) DescribeTriage(_ context.Context, cluster int64, d live.Description) (live.State, error) {
	return m.write(-1, false, func(seq int64) error {
		c, ok := m.clusters[cluster]
		if !ok {
			return fmt.Errorf("cluster %d is not there", cluster)
		}
		c.row.Description, c.seq = d, seq
		m.clusters[cluster] = c
		return nil
	})
}

// errFault is what a store says that fails on purpose.
var errFault = errors.New("the disk is full")

// faulty is a store one of whose calls fails: before anything was done, or
// after all of it was, as when the connection breaks before the answer.
type faulty struct {
	live.Store
	at    int  // the call that fails, from 0
	after bool // it fails after it has done its work
	calls int
	hit   string // the call that failed
}

func fault[T any](f *faulty, name string, call func() (T, error)) (T, error) {
	mine := f.calls
	f.calls++
	var none T
	if mine != f.at {
		return call()
	}
	f.hit = name
	if f.after {
		if _, err := call(); err != nil {
			return none, err
		}
	}
	return none, errFault
}

type rowsAndState struct {
	rows  live.Rows
	state live.State
}

func (f *faulty) TriageRows(ctx context.Context, after int64) (live.Rows, live.State, error) {
	x, err := fault(f, "rows", func() (rowsAndState, error) {
		rows, state, err := f.Store.TriageRows(ctx, after)
		return rowsAndState{rows, state}, err
	})
	return x.rows, x.state, err
}

func (f *faulty) AddTriage(ctx context.Context, seq int64, r live.Rows) (live.State, error) {
	return fault(f, "add", func() (live.State, error) { return f.Store.AddTriage(ctx, seq, r) })
}

func (f *faulty) MoveTriage(ctx context.Context, seq int64, moves []live.Move, clusters []live.StoredCluster) (live.State, error) {
	return fault(f, "move", func() (live.State, error) { return f.Store.MoveTriage(ctx, seq, moves, clusters) })
}

func (f *faulty) RemoveTriage(ctx context.Context, seq int64, r live.Removal) (live.State, error) {
	return fault(f, "remove", func() (live.State, error) { return f.Store.RemoveTriage(ctx, seq, r) })
}

func (f *faulty) DescribeTriage(ctx context.Context, cluster int64, d live.Description) (live.State, error) {
	return fault(f, "describe", func() (live.State, error) { return f.Store.DescribeTriage(ctx, cluster, d) })
}

// days are what is told to a service over three weeks: builds, one of them
// twice, a new rule by which clusters split and merge, owners and issues, and
// the end of what is old. rule changes the rule, describe is called with a word
// of the cluster's text.
func days(c *clock, rule func(string), record func(live.Result) error, reconcile func() error, describe func(word, owner, issue string) error) []func() error {
	one := build(3, 40, fail("TestA", "timeout sea 4"), fail("TestD", "leak sea 1"))
	pull := build(4, 50, fail("TestA", "timeout sea 5"))
	pull.Pull, pull.Path, pull.Job = 12, "pr-logs/pull/12/pull-unit/4", "pull-unit"
	return []func() error{
		func() error { c.at = start.Add(60 * time.Hour); return nil },
		func() error {
			return record(build(1, 0, fail("TestA", "timeout sea 1"), fail("TestB", "refused port 1")))
		},
		func() error {
			return record(build(2, 24, fail("TestA", "timeout sea with 2"), fail("TestC", "timeout land 3")))
		},
		func() error { return record(one) },
		func() error { return record(one) },
		func() error { return record(pull) },
		func() error { return record(build(5, 0.5)) },
		func() error { return describe("timeout", "node", "") },
		func() error { rule("second"); return reconcile() },
		func() error { return describe("land", "", "https://forge/issues/4") },
		func() error {
			return record(build(6, 55, fail("TestC", "timeout land 9"), fail("TestE", "split rope 1")))
		},
		func() error { rule("one"); return reconcile() },
		func() error { c.at = start.Add(17 * 24 * time.Hour); rule("first"); return reconcile() },
		func() error { return record(build(7, 16*24, fail("TestB", "refused port 8"))) },
	}
}

// voyage runs days against a store and returns what there is to see in the end.
// Whatever fails is done again: by the same service, or by a new one that knows
// nothing, as after a crash.
func voyage(t *testing.T, db live.Store, crash bool) (list live.List, details []live.Detail) {
	t.Helper()
	c := &clock{start}
	by := "first"
	begin := func() *live.Service {
		return service(db, c, func(text string) string {
			switch by {
			case "second":
				return word(text, 1)
			case "one":
				return "one"
			}
			return word(text, 0)
		})
	}
	s := begin()
	named := func(word, owner, issue string) error {
		l, err := s.List(t.Context(), live.Filter{Text: word, Alone: true, Sort: live.ByMessage})
		if err != nil {
			return err
		}
		if len(l.Clusters) == 0 {
			t.Fatalf("no cluster says %q", word)
		}
		var o, i *string
		if owner != "" {
			o = &owner
		}
		if issue != "" {
			i = &issue
		}
		return s.Describe(t.Context(), l.Clusters[0].ID, "ada", o, i)
	}
	for step, do := range days(c, func(rule string) { by = rule }, func(r live.Result) error { return s.Record(t.Context(), r) },
		func() error { _, err := s.Reconcile(t.Context()); return err }, named) {
		err := do()
		if err != nil && !errors.Is(err, errFault) {
			t.Fatalf("step %d: %v", step, err)
		}
		if err == nil {
			continue
		}
		if crash {
			s = begin()
		}
		if err := do(); err != nil {
			t.Fatalf("step %d, again: %v", step, err)
		}
	}
	again := func(ask func() error) {
		if err := ask(); errors.Is(err, errFault) {
			if err := ask(); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	again(func() (err error) {
		list, err = s.List(t.Context(), live.Filter{Alone: true, Days: 400})
		return err
	})
	for _, x := range list.Clusters {
		var d live.Detail
		again(func() (err error) {
			d, err = s.Cluster(t.Context(), x.ID, live.Filter{Days: 400})
			return err
		})
		details = append(details, d)
	}
	return list, details
}

// word is the n-th word of a text, "" if it has fewer.
func word(text string, n int) string {
	all := strings.Fields(text)
	if n >= len(all) {
		return ""
	}
	return all[n]
}

// Wherever the store fails, before or after its work, and whether the process
// lives on or begins anew: doing the step again ends where a calm voyage ends.
func TestEveryCallOfTheStoreMayFail(t *testing.T) {
	t.Parallel()
	calm := &faulty{Store: newMemory(), at: -1}
	wantList, wantDetails := voyage(t, calm, false)
	if wantList.Total == 0 || wantList.Failures == 0 {
		t.Fatalf("a calm voyage ends with %+v", wantList)
	}
	seen := map[string]int{}
	for at := range calm.calls {
		if testing.Short() && at%5 != 0 { // some hundred voyages take seconds
			continue
		}
		for _, after := range []bool{false, true} {
			for _, crash := range []bool{false, true} {
				f := &faulty{Store: newMemory(), at: at, after: after}
				list, details := voyage(t, f, crash)
				if f.hit == "" && at < 20 {
					t.Errorf("call %d was not made", at)
				}
				seen[f.hit]++
				name := fmt.Sprintf("call %d, %s, after its work %v, a new process %v", at, f.hit, after, crash)
				if t.Run(name, func(t *testing.T) {
					equal(t, list, wantList)
					equal(t, details, wantDetails)
				}); t.Failed() {
					return
				}
			}
		}
	}
	for _, call := range []string{"rows", "add", "move", "remove", "describe"} {
		if !testing.Short() && seen[call] == 0 {
			t.Errorf("%s never failed", call)
		}
	}
}

// The database and the store in memory do the same, so what is proved with one
// holds for the other.
func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	mem, db := newMemory(), storetest.SQLite(t)
	memList, memDetails := voyage(t, mem, false)
	dbList, dbDetails := voyage(t, db, false)
	equal(t, memList, dbList)
	equal(t, memDetails, dbDetails)
	for _, after := range []int64{0, 1, 5, mem.state.Seq - 1, mem.state.Seq} {
		memRows, memState, err := mem.TriageRows(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		dbRows, dbState, err := db.TriageRows(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, memState, dbState)
		equal(t, len(memRows.Builds), len(dbRows.Builds))
		equal(t, memRows.Clusters, dbRows.Clusters)
		equal(t, memRows.Texts, dbRows.Texts)
		equal(t, memRows.Tests, dbRows.Tests)
	}
}

// Two processes that write at once take turns: nothing is lost, nothing counts
// twice, and both see the same.
func TestTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	c := &clock{start.Add(100 * time.Hour)}
	var services []*live.Service
	var running sync.WaitGroup
	for p := range 2 {
		s := service(mem, c, nil)
		services = append(services, s)
		running.Go(func() {
			for i := range 60 {
				n := i
				if p == 1 {
					n = 59 - i // every build is told twice, by each in another order
				}
				if err := s.Record(t.Context(), build(n, float64(n), fail("TestA", fmt.Sprintf("timeout %d", n)), fail("TestB", fmt.Sprintf("w%c x", 'a'+n%5)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	first := list(t, services[0], live.Filter{})
	equal(t, list(t, services[1], live.Filter{}), first)
	equal(t, list(t, service(mem, c, nil), live.Filter{}), first)
	if first.Failures != 120 || first.Builds != 60 || first.Total != 6 {
		t.Errorf("%d failures in %d clusters of %d builds", first.Failures, first.Total, first.Builds)
	}
}

// behind is a store that somebody else always writes to first.
type behind struct{ *memory }

func (b behind) AddTriage(context.Context, int64, live.Rows) (live.State, error) {
	return live.State{}, live.ErrBehind
}

// A store that is always ahead is given up on, not tried for ever.
func TestAlwaysBehind(t *testing.T) {
	t.Parallel()
	s := service(behind{newMemory()}, &clock{start}, nil)
	err := s.Record(t.Context(), build(1, 0, fail("TestA", "timeout 1")))
	if !errors.Is(err, live.ErrBehind) {
		t.Errorf("it ends with %v", err)
	}
	if l := list(t, s, live.Filter{}); l.Total != 0 {
		t.Errorf("what was not stored is shown: %+v", l)
	}
}

// Whoever stops waiting leaves nothing half done.
func TestRecordStops(t *testing.T) {
	t.Parallel()
	s := service(newMemory(), &clock{start}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Record(ctx, build(1, 0, fail("TestA", "timeout 1"))); !errors.Is(err, context.Canceled) {
		t.Errorf("recording: %v", err)
	}
	if _, err := s.Reconcile(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("reconciling: %v", err)
	}
	if _, err := s.List(ctx, live.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("listing: %v", err)
	}
	if _, _, err := s.Of(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("of: %v", err)
	}
	for _, r := range []live.Result{{}, {Build: live.Build{Path: "logs/a/1"}}, {Build: live.Build{Job: "a"}}} {
		if err := s.Record(t.Context(), r); err == nil {
			t.Errorf("%+v was recorded", r)
		}
	}
	record(t, s, build(1, 0, fail("TestA", "timeout 1")))
	equal(t, brief(list(t, s, live.Filter{})), []string{"timeout 1: 1"})
}

// Who listens is told of what is new, once for each change and not for what
// changes nothing.
func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	told := 0
	s := live.New(live.Options{Store: newMemory(), Sorter: words{}, Now: func() time.Time { return start }, Changed: func() { told++ }})
	for step, want := range []int{1, 1, 2} {
		r := build(1, 0, fail("TestA", "timeout 1"))
		if step == 2 {
			r = build(2, 0)
		}
		record(t, s, r)
		if told != want {
			t.Errorf("step %d: told %d times, want %d", step, told, want)
		}
	}
	if _, err := s.Reconcile(t.Context()); err != nil || told != 2 {
		t.Errorf("nothing to reconcile: told %d times, %v", told, err)
	}
}
