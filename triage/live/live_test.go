package live_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/store"
	"seaworthy/store/storetest"
	"seaworthy/triage/live"
)

var start = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

// words sorts texts by a word: those of a key equal but for digits are one
// text, those whose grouping word is equal one group.
type words struct{ by func(text string) string }

var digits = regexp.MustCompile(`\d+`)

func (w words) Key(text string) string { return digits.ReplaceAllString(text, "#") }

func (w words) word(text string) string {
	if w.by != nil {
		return w.by(text)
	}
	first, _, _ := strings.Cut(text, " ")
	return first
}

func (w words) Groups(_ context.Context, texts []string) ([][]int, error) {
	at := map[string]int{}
	var groups [][]int
	for i, x := range texts {
		g, ok := at[w.word(x)]
		if !ok {
			g = len(groups)
			at[w.word(x)] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups, nil
}

func (w words) Index(texts []string, groups []int32) live.Index {
	x := index{w, map[string]int32{}}
	for i, text := range texts {
		x.Add(text, groups[i])
	}
	return x
}

type index struct {
	words
	at map[string]int32
}

func (x index) Find(text string) (int32, bool) { g, ok := x.at[x.word(text)]; return g, ok }
func (x index) Add(text string, group int32)   { x.at[x.word(text)] = group }

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func service(db live.Store, c *clock, by func(string) string) *live.Service {
	return live.New(live.Options{Store: db, Sorter: words{by}, Now: c.now})
}

// build is a build of ci-unit that began so many hours after start.
func build(n int, hours float64, failures ...live.Failure) live.Result {
	return live.Result{Build: live.Build{
		Path: fmt.Sprintf("logs/ci-unit/%d", n), Repo: "harbour/halyard", Job: "ci-unit", Branch: "main", Commit: fmt.Sprintf("%040x", n),
		Started: start.Add(time.Duration(hours * float64(time.Hour))), Elapsed: time.Minute, Tests: 10, Passed: len(failures) == 0,
	}, Failures: failures}
}

func fail(test, text string) live.Failure { return live.Failure{Test: test, Text: text} }

func record(t *testing.T, s *live.Service, all ...live.Result) {
	t.Helper()
	for _, r := range all {
		if err := s.Record(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, s *live.Service, f live.Filter) live.List {
	t.Helper()
	f.Alone = true
	l, err := s.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// brief is what most tests look at.
func brief(l live.List) []string {
	var all []string
	for _, c := range l.Clusters {
		all = append(all, fmt.Sprintf("%s: %d", c.Text, c.Failures))
	}
	slices.Sort(all)
	return all
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestRecordOnceAndAfterARestart(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{start.Add(30 * time.Hour)}
		s := service(db, c, nil)
		all := []live.Result{
			build(1, 0),
			build(2, 1, fail("TestA", "timeout after 30 s"), fail("TestB", "timeout after 31 s"), fail("TestB", "timeout at sea")),
			build(3, 29, fail("TestA", "refused by host 7")),
		}
		record(t, s, all...)
		record(t, s, all...) // the feed may tell everything twice
		want := []string{"refused by host 7: 1", "timeout after 30 s: 3"}
		first := list(t, s, live.Filter{})
		equal(t, brief(first), want)
		again := service(db, c, nil)
		record(t, again, all[1])
		second := list(t, again, live.Filter{})
		equal(t, second, first)
		record(t, again, build(4, 29.5, fail("TestC", "timeout after 99 s")))
		// The first process sees what the second one wrote, and goes on with it.
		record(t, s, build(5, 29.6, fail("TestC", "timeout at sea"), fail("TestC", "broken 5")))
		want = []string{"broken 5: 1", "refused by host 7: 1", "timeout after 30 s: 5"}
		equal(t, brief(list(t, s, live.Filter{})), want)
		equal(t, brief(list(t, again, live.Filter{})), want)
		equal(t, list(t, service(db, c, nil), live.Filter{}), list(t, s, live.Filter{}))
	})
}

func TestFacts(t *testing.T) {
	t.Parallel()
	c := &clock{start.Add(80 * time.Hour)}
	db := storetest.SQLite(t)
	var asked []string
	s := live.New(live.Options{Store: db, Sorter: words{}, Now: c.now, Merges: func(_ context.Context, repo, from, to string) ([]live.Merge, error) {
		asked = append(asked, repo+" "+from[38:]+" "+to[38:])
		return []live.Merge{{Commit: to, Pull: 7, Title: "Longer ropes", At: start}}, nil
	}})
	pull := build(9, 3, fail("TestA", "timeout 1"))
	pull.Pull, pull.Path, pull.Job = 12, "pr-logs/pull/12/pull-unit/9", "pull-unit"
	red := build(2, 2, fail("TestB", "refused 1"))
	record(t, s, pull, build(1, 1), red, build(3, 3.5, fail("TestA", "timeout 2")), build(4, 79, fail("TestA", "timeout 3")))
	l := list(t, s, live.Filter{Sort: live.ByTotal})
	id := l.Clusters[0].ID
	d, err := s.Cluster(t.Context(), id, live.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if d.First.Pull != 12 || d.First.Build != pull.Path || !d.FirstSeen.Equal(pull.Started) {
		t.Errorf("first seen in %+v", d.First)
	}
	if d.Landed.Build != "logs/ci-unit/3" || d.Good.Build != "logs/ci-unit/2" {
		t.Errorf("landed in %q after %q", d.Landed.Build, d.Good.Build)
	}
	if !d.LastSeen.Equal(start.Add(79*time.Hour)) || d.Hits != 3 || d.LastDay != 1 {
		t.Errorf("last seen %s, %d hits, %d in the last day", d.LastSeen, d.Hits, d.LastDay)
	}
	if len(d.Merges) != 1 || d.Merges[0].Pull != 7 {
		t.Errorf("merges %+v", d.Merges)
	}
	if _, err := s.Cluster(t.Context(), id, live.Filter{}); err != nil {
		t.Fatal(err)
	}
	equal(t, asked, []string{"harbour/halyard 02 03"})
	// A good build that is read later than the failing one is the good one still.
	record(t, s, build(8, 3.25))
	if d, err = s.Cluster(t.Context(), id, live.Filter{}); err != nil || d.Good.Build != "logs/ci-unit/8" {
		t.Errorf("good in %q, %v", d.Good.Build, err)
	}
	// A build that ran earlier and is read later moves the beginning.
	record(t, s, build(0, 0.5, fail("TestA", "timeout 4")))
	if d, err = s.Cluster(t.Context(), id, live.Filter{}); err != nil {
		t.Fatal(err)
	}
	if d.First.Build != "logs/ci-unit/0" || d.Landed.Build != "logs/ci-unit/0" || d.Good.Build != "" || d.Merges != nil {
		t.Errorf("first %+v, landed %+v, good %+v", d.First, d.Landed, d.Good)
	}
	if _, err := s.Cluster(t.Context(), "nothing", live.Filter{}); !errors.Is(err, live.ErrNoCluster) {
		t.Errorf("no cluster: %v", err)
	}
	for _, x := range []struct {
		build, test string
		ok          bool
	}{{"logs/ci-unit/3", "TestA", true}, {"logs/ci-unit/3", "TestB", false}, {"logs/ci-unit/77", "TestA", false}, {"logs/ci-unit/1", "TestA", false}} {
		got, ok, err := s.Of(t.Context(), x.build, x.test)
		if err != nil || ok != x.ok || ok && got != id {
			t.Errorf("of %s %s: %s %v %v", x.build, x.test, got, ok, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{start.Add(time.Hour)}
		s, other := service(db, c, nil), service(db, c, nil)
		record(t, s, build(1, 0, fail("[sig-node] TestA", "timeout 1")))
		l := list(t, other, live.Filter{})
		if l.Clusters[0].Owned != "node" || l.Clusters[0].Owner != "" {
			t.Errorf("owned by %q", l.Clusters[0].Owned)
		}
		id, owner, issue := l.Clusters[0].ID, " SIG-Storage ", "https://forge/harbour/halyard/issues/4"
		if err := s.Describe(t.Context(), id, "ada", &owner, nil); err != nil {
			t.Fatal(err)
		}
		if err := other.Describe(t.Context(), id, "ben", nil, &issue); err != nil {
			t.Fatal(err)
		}
		record(t, s, build(2, 0.5, fail("[sig-node] TestA", "timeout 2"))) // leaves them alone
		for _, s := range []*live.Service{s, other, service(db, c, nil)} {
			x := list(t, s, live.Filter{}).Clusters[0]
			if x.Owned != "storage" || x.Issue != issue || x.Hits != 2 {
				t.Errorf("owner %q, issue %q, %d hits", x.Owned, x.Issue, x.Hits)
			}
		}
		if err := s.Describe(t.Context(), "nothing", "ada", &owner, nil); !errors.Is(err, live.ErrNoCluster) {
			t.Errorf("no cluster: %v", err)
		}
	})
}

// Over the days a cluster grows, its text drifts, a part of it turns out to be
// something else, and two turn out to be one: each keeps its name, and names
// that are gone lead on.
func TestIdentityOverDays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{start}
		by := "first" // the rule by which texts are sorted today
		s := service(db, c, func(text string) string {
			all := strings.Fields(text)
			switch by {
			case "second":
				return all[1]
			case "one":
				return "one"
			}
			return all[0]
		})
		day := func(n int) float64 { return float64(n) * 24 }
		c.at = start.Add(25 * time.Hour)
		record(t, s, build(1, day(0), fail("TestA", "timeout sea 1"), fail("TestB", "refused port 1")))
		record(t, s, build(2, day(1), fail("TestA", "timeout sea with 2 words"), fail("TestA", "timeout sea 2"), fail("TestC", "timeout land 3")))
		ids := map[string]string{}
		for _, x := range list(t, s, live.Filter{}).Clusters {
			ids[strings.Fields(x.Text)[0]] = x.ID
		}
		change, err := s.Reconcile(t.Context())
		if err != nil || change != (live.Change{}) {
			t.Fatalf("nothing is new, and yet %+v %v", change, err)
		}
		// "timeout land" is another matter than "timeout sea".
		by = "second"
		if change, err = s.Reconcile(t.Context()); err != nil || change.Split != 1 || change.Merged != 0 {
			t.Fatalf("a split: %+v %v", change, err)
		}
		l := list(t, s, live.Filter{})
		equal(t, brief(l), []string{"refused port 1: 1", "timeout land 3: 1", "timeout sea 1: 3"})
		var land live.Row
		for _, x := range l.Clusters {
			switch x.Text {
			case "timeout sea 1":
				if x.ID != ids["timeout"] || x.Hits != 3 {
					t.Errorf("the larger part is now %s with %d hits", x.ID, x.Hits)
				}
			case "timeout land 3":
				land = x
			}
		}
		if land.From != ids["timeout"] || land.Landed.Build != "logs/ci-unit/2" || land.Good.Build != "logs/ci-unit/1" || land.Hits != 1 {
			t.Errorf("the smaller part: %+v", land.Facts)
		}
		// Everything is one matter after all.
		owner := "storage"
		if err := s.Describe(t.Context(), land.ID, "ada", &owner, nil); err != nil {
			t.Fatal(err)
		}
		by = "one"
		if change, err = s.Reconcile(t.Context()); err != nil || change.Merged != 2 || change.Split != 0 {
			t.Fatalf("a merge: %+v %v", change, err)
		}
		for _, s := range []*live.Service{s, service(db, c, nil)} {
			equal(t, brief(list(t, s, live.Filter{})), []string{"timeout sea 1: 5"})
			for _, id := range []string{land.ID, ids["refused"], ids["timeout"]} {
				d, err := s.Cluster(t.Context(), id, live.Filter{})
				if err != nil || d.ID != ids["timeout"] || d.Owner != "storage" || d.OwnerBy.By != "ada" || d.OwnerBy.At.IsZero() || d.Hits != 5 || !d.FirstSeen.Equal(start) {
					t.Errorf("%s leads to %+v, %v", id, d.Facts, err)
				}
			}
		}
		if change, err = s.Reconcile(t.Context()); err != nil || change != (live.Change{}) {
			t.Errorf("once more: %+v %v", change, err)
		}
	})
}

// What is reconciled does not depend on the order in which builds arrived.
func TestReconcileWhateverTheOrder(t *testing.T) {
	t.Parallel()
	var all []live.Result
	for i := range 12 {
		all = append(all, build(i, float64(i), fail("TestA", fmt.Sprintf("a%s x 1", string(rune('a'+i%3)))), fail("TestB", fmt.Sprintf("b%s y", string(rune('a'+i%4))))))
	}
	var want []string
	for turn := range 3 {
		c := &clock{start.Add(20 * time.Hour)}
		by := "first"
		s := service(storetest.SQLite(t), c, func(text string) string {
			if by == "first" {
				return strings.Fields(text)[0]
			}
			return text[:1]
		})
		order := slices.Clone(all)
		switch turn {
		case 1:
			slices.Reverse(order)
		case 2:
			order = append(order[7:], order[:7]...)
		}
		record(t, s, order...)
		by = "letter"
		if _, err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range list(t, s, live.Filter{}).Clusters {
			got = append(got, fmt.Sprint(x.Failures, x.Hits, x.FirstSeen, x.LastSeen, x.First, x.Landed))
		}
		slices.Sort(got)
		if turn == 0 {
			want = got
		}
		equal(t, got, want)
	}
}

func TestWhatIsOldGoes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{start.Add(time.Hour)}
		s := service(db, c, nil)
		record(t, s, build(1, 0, fail("TestA", "timeout 1"), fail("TestA", "timeout at sea"), fail("TestB", "refused 1")))
		id := list(t, s, live.Filter{}).Clusters[0].ID
		c.at = start.Add(20 * 24 * time.Hour)
		record(t, s, build(2, 20*24-1, fail("TestB", "refused 2")))
		record(t, s, build(3, 5*24, fail("TestC", "never seen"))) // too old to be kept
		change, err := s.Reconcile(t.Context())
		if err != nil || change.Removed != 1 {
			t.Fatalf("%+v %v", change, err)
		}
		equal(t, brief(list(t, s, live.Filter{})), []string{"refused 1: 1"})
		// What returns is known again, with its history.
		record(t, s, build(4, 20*24-0.5, fail("TestA", "timeout 7")))
		s = service(db, c, nil)
		d, err := s.Cluster(t.Context(), id, live.Filter{})
		if err != nil || d.Failures != 1 || d.Hits != 3 || !d.FirstSeen.Equal(start) {
			t.Errorf("it returned as %+v, %v", d.Facts, err)
		}
		// After more than a year it is forgotten.
		c.at = start.Add(500 * 24 * time.Hour)
		if _, err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cluster(t.Context(), id, live.Filter{}); !errors.Is(err, live.ErrNoCluster) {
			t.Errorf("after 500 days: %v", err)
		}
	})
}
