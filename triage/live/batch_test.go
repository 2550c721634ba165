package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/store/storetest"
	"seaworthy/triage"
	"seaworthy/triage/live"
)

// scattered are builds at random, in no order: some of one second, some without
// tests, some of changes.
func scattered(seed int64, builds int) []live.Result {
	r := rand.New(rand.NewSource(seed))
	pick := func(all ...string) string { return all[r.Intn(len(all))] }
	var all []live.Result
	for i := range builds {
		x := live.Result{Build: live.Build{
			Path: fmt.Sprintf("logs/%d", r.Intn(1000)*1000+i), Repo: pick("harbour/halyard", "harbour/anchor"), Job: pick("ci-unit", "ci-e2e"), Branch: pick("main", "release-1"),
			Commit: fmt.Sprintf("%040x", i), Started: start.Add(time.Duration(r.Intn(100)) * time.Hour), Tests: r.Intn(3),
		}}
		if r.Intn(4) == 0 {
			x.Pull = 1 + r.Intn(5)
		}
		for range r.Intn(3) {
			x.Failures = append(x.Failures, fail(pick("TestA", "TestB", "TestC"), fmt.Sprintf("%s at %s %d", pick("timeout", "refused", "leak"), pick("sea", "land"), r.Intn(9))))
		}
		all = append(all, x)
	}
	return all
}

// Many builds written at once are what they are one after the other, whatever
// the cuts, and in a database too.
func TestRecordAllIsRecordOfEach(t *testing.T) {
	t.Parallel()
	for seed := range int64(12) {
		c := &clock{start.Add(101 * time.Hour)}
		all := scattered(seed, 60)
		one, many := service(newMemory(), c, nil), service(newMemory(), c, nil)
		stored := newMemory()
		again := service(stored, c, nil)
		record(t, one, all...)
		var sum live.Recorded
		for part := range slices.Chunk(all, 1+int(seed)*7) {
			done, err := many.RecordAll(t.Context(), append(part, part[0])) // one of them twice
			if err != nil {
				t.Fatal(err)
			}
			sum.New, sum.Known, sum.Failures = sum.New+done.New, sum.Known+done.Known, sum.Failures+done.Failures
			if _, err := again.RecordAll(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		if sum.New != len(all) || sum.Known == 0 {
			t.Errorf("%+v of %d builds", sum, len(all))
		}
		want := list(t, one, live.Filter{Alone: true})
		if sum.Failures != want.Failures {
			t.Errorf("%d failures recorded, %d listed", sum.Failures, want.Failures)
		}
		for name, s := range map[string]*live.Service{"at once": many, "read again": service(stored, c, nil)} {
			t.Run(fmt.Sprint(seed, " ", name), func(t *testing.T) { equal(t, list(t, s, live.Filter{Alone: true}), want) })
		}
	}
}

func TestRecordAllIsWholeOrNot(t *testing.T) {
	t.Parallel()
	f := &faulty{Store: newMemory(), at: -1}
	s := service(f, &clock{start.Add(10 * time.Hour)}, nil)
	list(t, s, live.Filter{})
	f.at = f.calls + 1 // after it has read
	all := []live.Result{build(1, 1, fail("TestA", "timeout 1")), build(2, 2, fail("TestA", "refused 1"))}
	if done, err := s.RecordAll(t.Context(), all); !errors.Is(err, errFault) || done != (live.Recorded{}) {
		t.Fatalf("%+v, %v", done, err)
	}
	if l := list(t, s, live.Filter{Alone: true}); l.Builds != 0 {
		t.Errorf("%d builds are there", l.Builds)
	}
	if done, err := s.RecordAll(t.Context(), all); err != nil || done.New != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := s.RecordAll(t.Context(), []live.Result{build(3, 3), {}}); err == nil || !strings.Contains(err.Error(), "no path") {
		t.Errorf("a build without a path: %v", err)
	}
	if done, err := s.RecordAll(t.Context(), nil); err != nil || done != (live.Recorded{}) {
		t.Errorf("nothing: %+v, %v", done, err)
	}
}

// How long failures are kept may change while a service runs; as long as nobody
// can say it, nothing is removed.
func TestRetentionIsAsked(t *testing.T) {
	t.Parallel()
	c := &clock{start.Add(20 * 24 * time.Hour)}
	away := errors.New("the forge is away")
	keep, err := live.Retention{Failures: 30 * 24 * time.Hour}, error(nil)
	s := live.New(live.Options{Store: newMemory(), Sorter: words{}, Now: c.now, KeepFor: func(context.Context) (live.Retention, error) { return keep, err }})
	record(t, s, build(1, 0, fail("TestA", "timeout 1")))
	if l := list(t, s, live.Filter{Days: 30, Alone: true}); l.Failures != 1 {
		t.Fatalf("%d failures of those kept for 30 days", l.Failures)
	}
	c.at = c.at.Add(time.Hour)
	err = away
	if _, got := s.Reconcile(t.Context()); !errors.Is(got, away) {
		t.Errorf("it went on with %v", got)
	}
	record(t, s, build(2, 1, fail("TestA", "timeout 2")))
	if l := list(t, s, live.Filter{Days: 30, Alone: true}); l.Failures != 2 {
		t.Errorf("%d failures are left", l.Failures)
	}
	keep, err = live.Retention{}, nil // as if nothing was said
	if change, err := s.Reconcile(t.Context()); err != nil || change.Removed != 2 {
		t.Errorf("%+v, %v", change, err)
	}
	if done, err := s.RecordAll(t.Context(), []live.Result{build(3, 2)}); err != nil || done.Old != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// foreign are triage's files as they are read: builds, and failures in no order.
func foreign() ([]triage.Build, []triage.Row) {
	at := start.Unix()
	builds := []triage.Build{
		{Path: "gs://b/logs/ci/1", Job: "ci", Number: 1, Started: at, TestsRun: 3, Result: "SUCCESS"},
		{Path: "gs://b/logs/ci/2", Job: "ci", Number: 2, Started: at + 3600, TestsRun: 3, Result: "FAILURE"},
		{Path: "gs://b/pr-logs/pull/9/pull-ci/4", Job: "pr:pull-ci", Number: 4, PR: "9", Started: at + 7200, TestsRun: 3, Result: "FAILURE"},
	}
	return builds, []triage.Row{
		{Build: "gs://b/pr-logs/pull/9/pull-ci/4", Test: "[sig-node] a", Text: "pod web-x7k2p is not ready after 30.1s"},
		{Build: "gs://b/logs/ci/2", Test: "[sig-node] b", Text: "exit status 1"},
		{Build: "gs://b/logs/ci/2", Test: "[sig-node] a", Text: "pod web-b9d4z is not ready after 7s"},
		{Build: "gs://b/logs/ci/2", Test: "[sig-node] a", Text: "pod web-b9d4z is not ready after 7s"}, // twice
		{Build: "gs://b/logs/ci/3", Started: at + 10_000, Test: "[sig-node] a", Text: "exit status 1"}, // of a build that the file lacks
		{Build: "nowhere", Test: "[sig-node] a", Text: "exit status 2"},
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	builds, rows := foreign()
	c := &clock{start.Add(4 * time.Hour)}
	s := live.New(live.Options{Store: storetest.SQLite(t), Sorter: live.Triage{}, Now: c.now})
	for round := range 3 {
		x := live.NewImport(builds)
		for _, i := range rand.Perm(len(rows)) {
			x.Add(rows[i])
		}
		told := ""
		done, err := x.Into(t.Context(), s, func(done, of int) { told += fmt.Sprintf("%d of %d,", done, of) })
		want := live.Imported{Recorded: live.Recorded{New: 4, Failures: 4}, Builds: 5, Unplaced: 1}
		if round > 0 {
			want.Recorded = live.Recorded{Known: 4}
		}
		if err != nil || done != want || told != "5 of 5," {
			t.Errorf("round %d: %+v, %v, told %s", round, done, err, told)
		}
	}
	l := list(t, s, live.Filter{})
	if l.Total != 2 || l.Failures != 4 || l.Builds != 4 {
		t.Fatalf("%d clusters of %d failures of %d builds", l.Total, l.Failures, l.Builds)
	}
	for _, r := range l.Clusters {
		if strings.HasPrefix(r.Text, "pod") && (r.Text != "pod web-b9d4z is not ready after 7s" || r.Landed.Build != "gs://b/logs/ci/2" || r.Good.Build != "gs://b/logs/ci/1" || r.Owned != "node") {
			t.Errorf("%+v", r)
		}
	}
	// As triage's files say it themselves.
	late := &clock{start.Add(30 * 24 * time.Hour)}
	none := live.New(live.Options{Store: newMemory(), Sorter: live.Triage{}, Now: late.now})
	if done, err := live.NewImport(builds).Into(t.Context(), none, func(int, int) {}); err != nil || done.Old != 3 || done.New != 0 {
		t.Errorf("of a month ago: %+v, %v", done, err)
	}
}

// What fails half-way is taken up where it was when it is done again.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	var builds []triage.Build
	for i := range 4500 {
		builds = append(builds, triage.Build{Path: fmt.Sprintf("gs://b/logs/ci/%d", i), Job: "ci", Number: int64(i), Started: start.Unix() + int64(i)})
	}
	f := &faulty{Store: newMemory(), at: 3} // read, add, read, add
	s := live.New(live.Options{Store: f, Sorter: live.Triage{}, Now: (&clock{start.Add(2 * time.Hour)}).now})
	run := func() (live.Imported, error) {
		x := live.NewImport(builds)
		x.Add(triage.Row{Build: "gs://b/logs/ci/4400", Test: "a", Text: "exit status 1"})
		return x.Into(t.Context(), s, func(int, int) {})
	}
	if done, err := run(); !errors.Is(err, errFault) || done.New != 2000 {
		t.Fatalf("%+v, %v", done, err)
	}
	if done, err := run(); err != nil || done.Known != 2000 || done.New != 2500 || done.Failures != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// The words that vary are marked as soon as two failures differ in them, even if
// their statement is one, in a new process too.
func TestNoiseIsMarked(t *testing.T) {
	t.Parallel()
	db, c := storetest.SQLite(t), &clock{start.Add(10 * time.Hour)}
	s := live.New(live.Options{Store: db, Sorter: live.Triage{}, Now: c.now})
	record(t, s, build(1, 1, fail("TestA", "pod web-x7k2p was not ready after 30.1s")))
	id := list(t, s, live.Filter{Alone: true}).Clusters[0].ID
	plain := []live.Segment{{Text: "pod web-x7k2p was not ready after 30.1s"}}
	marked := []live.Segment{{Text: "pod "}, {Text: "web-x7k2p ", Varies: true}, {Text: "was not ready after "}, {Text: "30.1s", Varies: true}}
	see := func(name string, s *live.Service, want []live.Segment) {
		t.Helper()
		d, err := s.Cluster(t.Context(), id, live.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { equal(t, d.Segments, want) })
	}
	other := live.New(live.Options{Store: db, Sorter: live.Triage{}, Now: c.now})
	see("one failure", s, plain)
	see("elsewhere", other, plain)
	record(t, s, build(2, 2, fail("TestA", "pod web-x7k2p was not ready after 30.1s"), fail("TestB", "pod web-b9d4z was not ready after 7s")))
	record(t, s, build(3, 3, fail("TestA", "pod web-kkd2s was not ready after 8s")))
	see("three", s, marked)
	see("three elsewhere", other, marked)
	see("three anew", live.New(live.Options{Store: db, Sorter: live.Triage{}, Now: c.now}), marked)

	builds, rows := foreign()
	x := live.NewImport(builds)
	for _, r := range rows {
		x.Add(r)
	}
	into := live.New(live.Options{Store: newMemory(), Sorter: live.Triage{}, Now: c.now})
	if _, err := x.Into(t.Context(), into, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	d, err := into.Cluster(t.Context(), list(t, into, live.Filter{Text: "not ready"}).Clusters[0].ID, live.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, d.Segments, []live.Segment{{Text: "pod "}, {Text: "web-b9d4z ", Varies: true}, {Text: "is not ready after "}, {Text: "7s", Varies: true}})
}
