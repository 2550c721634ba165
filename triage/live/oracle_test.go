package live_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/triage/live"
)

// told is a failure as it was recorded, for counting by hand.
type told struct {
	live.Build
	test, text, cluster string
}

// randomly records builds at random and returns all that was told.
func randomly(t *testing.T, seed int64, builds int) (*live.Service, []live.Build, []told) {
	t.Helper()
	r := rand.New(rand.NewSource(seed))
	s := service(newMemory(), &clock{start.Add(13 * 24 * time.Hour)}, nil)
	pick := func(all ...string) string { return all[r.Intn(len(all))] }
	var all []live.Build
	var failures []told
	for i := range builds {
		b := live.Build{
			Path: fmt.Sprintf("logs/%d", i), Repo: pick("harbour/halyard", "harbour/anchor"), Job: pick("ci-unit", "ci-e2e", "ci-slow"), Branch: pick("main", "release-1"),
			Commit: fmt.Sprintf("%040x", i), Started: start.Add(time.Duration(r.Intn(13*24*3600)) * time.Second), Tests: 5,
		}
		if r.Intn(3) == 0 {
			b.Pull = 1 + r.Intn(5)
		}
		x := live.Result{Build: b}
		for range r.Intn(4) {
			word := pick("timeout", "refused", "leak", "panic", "denied")
			f := fail(pick("[sig-node] pods", "[sig-storage] mounts", "unowned"), fmt.Sprintf("%s at %s %d", word, pick("sea", "land"), r.Intn(9)))
			x.Failures = append(x.Failures, f)
			failures = append(failures, told{b, f.Test, f.Text, word})
		}
		x.Passed = len(x.Failures) == 0
		record(t, s, x)
		all = append(all, b)
	}
	return s, all, failures
}

// byHand counts what a filter selects, one failure after the other.
func byHand(f live.Filter, until time.Time, builds []live.Build, failures []told, texts map[string]string) []string {
	since := until.Add(-time.Duration(cmp.Or(f.Days, live.Days)) * 24 * time.Hour)
	compiled := map[string]*regexp.Regexp{}
	says := func(expression, text string) bool {
		if compiled[expression] == nil {
			compiled[expression] = regexp.MustCompile("(?im)" + expression)
		}
		return expression != "" && compiled[expression].MatchString(text)
	}
	wanted := func(b live.Build) bool {
		switch {
		case b.Started.Before(since), !b.Started.Before(until),
			f.Job != "" && !says(f.Job, b.Job), says(f.NotJob, b.Job),
			f.Repo != "" && !says(f.Repo, b.Repo), says(f.NotRepo, b.Repo),
			f.Branch != "" && f.Branch != b.Branch,
			f.CI && !f.PR && b.Pull != 0, f.PR && !f.CI && b.Pull == 0:
			return false
		}
		return true
	}
	type counts struct {
		failures, day      int
		builds, jobs, test map[string]bool
	}
	found := map[string]*counts{}
	for _, x := range failures {
		switch {
		case !wanted(x.Build), f.Test != "" && !says(f.Test, x.test), says(f.NotTest, x.test),
			f.Text != "" && !says(f.Text, texts[x.cluster]), says(f.NotText, texts[x.cluster]):
			continue
		}
		c := found[x.cluster]
		if c == nil {
			c = &counts{builds: map[string]bool{}, jobs: map[string]bool{}, test: map[string]bool{}}
			found[x.cluster] = c
		}
		c.failures++
		if !x.Started.Before(until.Add(-24 * time.Hour)) {
			c.day++
		}
		c.builds[x.Path], c.jobs[x.Job], c.test[x.test] = true, true, true
	}
	var all []string
	for name, c := range found {
		all = append(all, fmt.Sprintf("%s: %d failures, %d of the last day, in %d builds of %d jobs, %d tests", name, c.failures, c.day, len(c.builds), len(c.jobs), len(c.test)))
	}
	slices.Sort(all)
	seen := 0
	for _, b := range builds {
		if wanted(b) {
			seen++
		}
	}
	return append(all, fmt.Sprintf("%d builds", seen))
}

// Whatever is asked, the columns count as a hand does.
func TestFiltersCountAsAHandDoes(t *testing.T) {
	t.Parallel()
	for seed := range int64(4) {
		s, builds, failures := randomly(t, seed, 120)
		texts := map[string]string{}
		for _, c := range list(t, s, live.Filter{Days: 400}).Clusters {
			texts[strings.Fields(c.Text)[0]] = c.Text
		}
		r := rand.New(rand.NewSource(seed + 100))
		maybe := func(all ...string) string {
			if r.Intn(3) > 0 {
				return ""
			}
			return all[r.Intn(len(all))]
		}
		for range 150 {
			f := live.Filter{
				Text: maybe("sea", "^TIME", "timeout|leak", "d$", "e{1,2}"), NotText: maybe("land", "panic", "[0-4]$"),
				Job: maybe("ci", "unit|slow", "E2E$"), NotJob: maybe("slow", "^ci-u"), Test: maybe("sig", "pods", "^unowned$"), NotTest: maybe(`\[sig-node\]`, "mounts"),
				Repo: maybe("halyard", "harbour/"), NotRepo: maybe("anchor"), Branch: maybe("main", "release-1", "none"),
				CI: r.Intn(3) == 0, PR: r.Intn(3) == 0, Alone: true, Days: 1 + r.Intn(20),
				Sort: live.Orders()[r.Intn(len(live.Orders()))],
			}
			until := start.Add(13 * 24 * time.Hour)
			if r.Intn(2) == 0 {
				until = start.Add(time.Duration(1+r.Intn(13*24)) * time.Hour)
				f.Until = until
			}
			l, err := s.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			total, day := 0, 0
			for _, c := range l.Clusters {
				got = append(got, fmt.Sprintf("%s: %d failures, %d of the last day, in %d builds of %d jobs, %d tests", strings.Fields(c.Text)[0], c.Failures, c.LastDay, c.Builds, c.Jobs, c.Tests))
				total += c.Failures
				day += c.LastDay
				if sum := add(c.Graph); sum != c.Failures || len(c.Graph) != live.Steps {
					t.Errorf("%+v: the graph of %s shows %d of %d failures in %d steps", f, c.ID, sum, c.Failures, len(c.Graph))
				}
			}
			slices.Sort(got)
			equal(t, append(got, fmt.Sprintf("%d builds", l.Builds)), byHand(f, until, builds, failures, texts))
			if l.Failures != total || l.LastDay != day || add(l.Graph) != total || l.Total != len(l.Clusters) {
				t.Errorf("%+v: %d failures, %d of the last day, %d in the graph, %d clusters; counted %d, %d, %d", f, l.Failures, l.LastDay, add(l.Graph), l.Total, total, day, len(l.Clusters))
			}
			if !l.Until.Equal(until) || l.Until.Sub(l.From) != time.Duration(f.Days)*24*time.Hour {
				t.Errorf("%+v: from %s until %s", f, l.From, l.Until)
			}
			ordered(t, f.Sort, l.Clusters)
			if t.Failed() {
				t.Fatalf("seed %d: %+v", seed, f)
			}
		}
	}
}

func add(all []int) int {
	sum := 0
	for _, n := range all {
		sum += n
	}
	return sum
}

// ordered says whether rows stand as they were asked for.
func ordered(t *testing.T, by live.Order, rows []live.Row) {
	t.Helper()
	if !slices.IsSortedFunc(rows, func(a, b live.Row) int {
		switch by {
		case live.ByDay:
			return cmp.Or(cmp.Compare(b.LastDay, a.LastDay), cmp.Compare(b.Failures, a.Failures))
		case live.ByMessage:
			return strings.Compare(strings.ToLower(a.Text), strings.ToLower(b.Text))
		case live.ByNewest:
			return b.FirstSeen.Compare(a.FirstSeen)
		}
		return cmp.Compare(b.Failures, a.Failures)
	}) {
		t.Errorf("the order is not %s", by)
	}
}

// The windows of a list make the list, whatever their size.
func TestWindowsMakeTheList(t *testing.T) {
	t.Parallel()
	s, _, _ := randomly(t, 9, 80)
	whole := list(t, s, live.Filter{})
	for size := 1; size <= len(whole.Clusters)+1; size++ {
		var together []live.Row
		for from := 0; from < whole.Total; from += size {
			part := list(t, s, live.Filter{Offset: from, Limit: size})
			if part.Total != whole.Total || part.Failures != whole.Failures {
				t.Errorf("%d from %d: %d clusters in all", size, from, part.Total)
			}
			together = append(together, part.Clusters...)
		}
		equal(t, together, whole.Clusters)
	}
	if beyond := list(t, s, live.Filter{Offset: 1000}); len(beyond.Clusters) != 0 || beyond.Total != whole.Total {
		t.Errorf("beyond the end: %d clusters", len(beyond.Clusters))
	}
}

// The parts of a cluster's page add up to the whole.
func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	s, builds, failures := randomly(t, 5, 150)
	for _, c := range list(t, s, live.Filter{}).Clusters {
		d, err := s.Cluster(t.Context(), c.ID, live.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		word := strings.Fields(c.Text)[0]
		sum := func(all []live.Share) (n int) {
			for _, x := range all {
				n += x.Failures
			}
			return n
		}
		tests, inTests := 0, 0
		for _, x := range d.OfTests {
			tests += x.Failures
			inTests += sum(x.Jobs)
		}
		if sum(d.OfJobs) != d.Failures || sum(d.Branches) != d.Failures || tests != d.Failures || inTests != d.Failures || add(d.Hours) != d.Failures {
			t.Errorf("%s: %d failures; jobs %d, branches %d, tests %d, jobs of tests %d, hours %d", word, d.Failures, sum(d.OfJobs), sum(d.Branches), tests, inTests, add(d.Hours))
		}
		for _, x := range d.OfJobs {
			of := 0
			for _, b := range builds {
				if b.Job == x.Name {
					of++
				}
			}
			if x.OfBuilds != of || x.Builds > x.OfBuilds {
				t.Errorf("%s: %s failed in %d of %d builds, want %d", word, x.Name, x.Builds, x.OfBuilds, of)
			}
		}
		if want := min(d.Failures, live.Latest); len(d.Recent) != want {
			t.Errorf("%s: the latest %d failures, want %d", word, len(d.Recent), want)
		}
		if !slices.IsSortedFunc(d.Recent, func(a, b live.Hit) int { return b.Started.Compare(a.Started) }) {
			t.Errorf("%s: the newest failure is not first", word)
		}
		first, landed := time.Time{}, time.Time{}
		for _, f := range failures {
			if f.cluster != word {
				continue
			}
			if first.IsZero() || f.Started.Before(first) {
				first = f.Started
			}
			if f.Pull == 0 && (landed.IsZero() || f.Started.Before(landed)) {
				landed = f.Started
			}
		}
		if !d.FirstSeen.Equal(first) || !d.Landed.At.Equal(landed) {
			t.Errorf("%s: first %s, want %s; landed %s, want %s", word, d.FirstSeen, first, d.Landed.At, landed)
		}
		whole := ""
		for _, x := range d.Segments {
			whole += x.Text
		}
		if whole != d.Text {
			t.Errorf("%s: the segments say %q", word, whole)
		}
	}
}

// The order in which builds are read decides about nothing that is shown, but
// for the text that stands for a cluster and its name.
func TestFactsWhateverTheOrder(t *testing.T) {
	t.Parallel()
	_, builds, failures := randomly(t, 3, 60)
	of := map[string][]live.Failure{}
	for _, f := range failures {
		of[f.Path] = append(of[f.Path], fail(f.test, f.text))
	}
	var want []string
	for seed := range int64(5) {
		order := slices.Clone(builds)
		rand.New(rand.NewSource(seed)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		s := service(newMemory(), &clock{start.Add(13 * 24 * time.Hour)}, nil)
		for _, b := range order {
			record(t, s, live.Result{Build: b, Failures: of[b.Path]})
		}
		var got []string
		for _, c := range list(t, s, live.Filter{}).Clusters {
			d, err := s.Cluster(t.Context(), c.ID, live.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(strings.Fields(c.Text)[0], d.FirstSeen, d.LastSeen, d.Hits, d.First.Build, d.Landed.Build, d.Good.Build, d.Owned, d.Trend, d.Graph))
		}
		slices.Sort(got)
		if want == nil {
			want = got
		}
		equal(t, got, want)
	}
}

// Texts are sorted by the rules of triage, one by one as they come and all
// together, and both say the same.
func TestTriageSorts(t *testing.T) {
	t.Parallel()
	texts := []string{
		"pod web-x7k2p is not ready after 30.1s in the namespace of the harbour",
		"pod web-b9d4z is not ready after 29s in the namespace of the harbour",
		"exit status 1", "exit status 2", "exit status 1",
		"could not attach volume pvc-bfaaf97e-62db-3c4f-bd99-0b97fad10610 to the node",
		"could not attach volume pvc-aaaaf97e-62db-3c4f-bd99-0b97fad10610 to the node",
	}
	want := [][]int{{0, 1}, {2, 4}, {3}, {5, 6}}
	got, err := live.Triage{}.Groups(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b []int) int { return a[0] - b[0] })
	equal(t, got, want)
	x := live.Triage{}.Index(nil, nil)
	for i, text := range texts {
		group, known := x.Find(text)
		mate := slices.IndexFunc(want, func(g []int) bool { return slices.Contains(g, i) })
		if known != (want[mate][0] < i) || known && int(group) != mate {
			t.Errorf("%q is of group %d, %v; want %d", text, group, known, mate)
		}
		x.Add(text, int32(mate))
		if group, known = x.Find(text); !known || int(group) != mate {
			t.Errorf("%q is not known after it was added", text)
		}
	}
	if a, b := (live.Triage{}).Key(texts[0]), (live.Triage{}).Key(texts[1]); a != b || a == (live.Triage{}).Key(texts[2]) {
		t.Errorf("keys %q and %q", a, b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (live.Triage{}).Groups(ctx, texts); err == nil {
		t.Error("sorting goes on for nobody")
	}
}

// A service with the rules of triage: what is recorded one by one is what the
// batch makes of it, and reconciling finds nothing to change.
func TestLiveIsTheBatch(t *testing.T) {
	t.Parallel()
	s := live.New(live.Options{Store: newMemory(), Sorter: live.Triage{}, Now: func() time.Time { return start.Add(48 * time.Hour) }})
	causes := []string{"could not attach volume %d-%05x to the machine in time", "the lease of pod web-%d was lost to somebody else after %d ms", "quota of namespace ns-%d-%x exceeded by a claim"}
	for i := range 40 {
		var failures []live.Failure
		for k, cause := range causes {
			if (i+k)%2 == 0 {
				failures = append(failures, fail(fmt.Sprintf("Test%d", k), fmt.Sprintf(cause, i, 70000+i*7919)))
			}
		}
		record(t, s, build(i, float64(i), failures...))
	}
	before := list(t, s, live.Filter{})
	change, err := s.Reconcile(t.Context())
	if err != nil || change != (live.Change{}) {
		t.Errorf("reconciled: %+v, %v", change, err)
	}
	equal(t, list(t, s, live.Filter{}), before)
	if before.Total != len(causes) || before.Failures != 60 {
		t.Errorf("%d failures in %d clusters: %q", before.Failures, before.Total, brief(before))
	}
}
