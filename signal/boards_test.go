package signal_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/memblob"

	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/signal"
	"seaworthy/strict"
)

// memory opens an empty bucket.
func memory(t *testing.T) *blob.Bucket {
	t.Helper()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// configured reads TestGrid's YAML.
func configured(t *testing.T, text string) func(context.Context) ([]signal.Configuration, error) {
	t.Helper()
	config, problems := dashboard.Read(map[string][]byte{"grids.yaml": []byte(text)})
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		t.Fatal(failures)
	}
	return func(context.Context) ([]signal.Configuration, error) {
		return []signal.Configuration{{Config: config, Whole: true}}, nil
	}
}

const dated = `<testsuite name="knot" timestamp="2026-03-07T10:00:00Z"><testcase name="TestBowline"/><testcase name="TestSheet"/></testsuite>`

const twoTabs = `
test_groups:
- {name: unit, gcs_prefix: ci/logs/post-unit}
- {name: both, gcs_prefix: "ci/logs/post-unit,ci/logs/ci-halyard"}
- {name: recent, gcs_prefix: ci/logs/post-unit, alert_stale_results_hours: 2, column_header: [{configuration_value: Commit}]}
- {name: plain, gcs_prefix: ci/imported/unit}
dashboards:
- name: Halyard-Blocking
  dashboard_tab:
  - {name: Unit, test_group_name: unit}
  - {name: sheets, test_group_name: unit, base_options: include-filter-by-regex=Sheet}
  - {name: fresh, test_group_name: recent}
  - {name: lost, test_group_name: nowhere}
- name: more
  dashboard_tab:
  - {name: both, test_group_name: both}
  - {name: plain, test_group_name: plain}
`

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func summaries(t *testing.T, s *signal.Service, name string) []string {
	t.Helper()
	all, err := s.Summaries(t.Context(), name)
	must(t, err)
	var lines []string
	for _, x := range all {
		line := x.Tab + " " + string(x.Summary.Status)
		if x.Problem != "" {
			line += ": " + x.Problem
		}
		lines = append(lines, line)
	}
	return lines
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for id := 1; id <= 5; id++ {
		put(t, b, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Failure, tests: oneFail})
		put(t, b, build{id: 100 + id, job: "ci-halyard", kind: job.Periodic, repo: halyard, state: job.Success, tests: allPass})
		must(t, b.WriteAll(t.Context(), fmt.Sprintf("imported/unit/run-%d/junit.xml", id), []byte(dated), nil))
	}
	s := signal.New(signal.Options{Bucket: b, Now: at(now), Configured: configured(t, twoTabs)})
	same(t, "blocking", []string{
		"Unit FAILING", "sheets FAILING", "fresh STALE",
		"lost UNKNOWN: there is no test group of this name that says where its results are",
	}, summaries(t, s, "halyardblocking"))
	same(t, "more", []string{"both FAILING", "plain PASSING"}, summaries(t, s, "More"))

	g, tab, o, err := s.TabGrid(t.Context(), "halyard-blocking", "UNIT")
	must(t, err)
	if len(g.Columns) != 5 || tab.Name != "Unit" || len(o.Include) != 0 || g.Row("post-unit.Pod") == nil {
		t.Errorf("the grid of a tab: %d columns of %q, %d filters", len(g.Columns), tab.Name, len(o.Include))
	}
	g, _, _, err = s.TabGrid(t.Context(), "more", "both")
	must(t, err)
	if len(g.Columns) != 10 || g.Row("ci-halyard.knot.TestSheet") == nil || g.Row("post-unit.knot.TestSheet") == nil {
		t.Errorf("a grid of two jobs has %d columns", len(g.Columns))
	}
	g, _, _, err = s.TabGrid(t.Context(), "Halyard-Blocking", "fresh")
	must(t, err)
	if want := fmt.Sprintf("%09d", 0); len(g.Columns[0].Extra) != 1 || g.Columns[0].Extra[0] != want {
		t.Errorf("headers %q, want %q", g.Columns[0].Extra, want)
	}
	g, _, _, err = s.TabGrid(t.Context(), "more", "plain")
	must(t, err)
	if len(g.Columns) != 5 || len(g.Rows) != 3 {
		t.Errorf("a folder of JUnit files has %d columns and %d rows", len(g.Columns), len(g.Rows))
	}
	for _, names := range [][2]string{{"nowhere", "unit"}, {"more", "unit"}, {"halyardblocking", "lost"}} {
		if _, _, _, err := s.TabGrid(t.Context(), names[0], names[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: error %v, want fs.ErrNotExist", names, err)
		}
	}
	if _, err := s.Summaries(t.Context(), "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// Jobs that are on no dashboard are on one of their repository's name, and
// what annotations show is read from the platform's bucket, of this repository.
func TestOwnDashboard(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for id := 1; id <= 3; id++ {
		put(t, b, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
		put(t, b, build{id: 10 + id, job: "post-unit", kind: job.Postsubmit, repo: anchor, state: job.Failure, tests: oneFail})
	}
	own, err := jobs(t.Context(), halyard)
	must(t, err)
	own.Postsubmits[halyard.String()][0].Annotations = map[string]string{"testgrid-dashboards": "harbour", "testgrid-tab-name": "unit"}
	config, _ := dashboard.WithJobs(dashboard.Config{}, own, dashboard.Prow{Create: true})
	other, err := jobs(t.Context(), anchor)
	must(t, err)
	s := signal.New(signal.Options{Bucket: b, Jobs: jobs, Now: at(now), Configured: func(context.Context) ([]signal.Configuration, error) {
		return []signal.Configuration{{Repo: halyard, Config: config, Jobs: own}, {Repo: anchor, Jobs: other}}, nil
	}})
	c, err := s.Dashboards(t.Context())
	must(t, err)
	var names []string
	for _, d := range c.Dashboards {
		names = append(names, d.Name)
	}
	same(t, "dashboards", []string{"harbour", "harbour/halyard", "harbour/anchor"}, names)
	same(t, "annotated", []string{"unit PASSING"}, summaries(t, s, "harbour"))
	same(t, "the rest", []string{"post-never UNKNOWN", "ci-halyard UNKNOWN", "pull-unit UNKNOWN"}, summaries(t, s, "harbour/halyard"))
	same(t, "unasked", []string{"post-unit FAILING", "post-never UNKNOWN", "ci-anchor UNKNOWN", "pull-unit UNKNOWN"}, summaries(t, s, "harbour/anchor"))
	all, err := s.AllSummaries(t.Context())
	must(t, err)
	if len(all) != 8 || all[0].Repo != halyard || all[0].Type != job.Postsubmit || all[0].Job != "post-unit" || len(all[0].Recent) != 3 {
		t.Errorf("%d summaries, the first %+v", len(all), all[0])
	}
}

// What an earlier process has read is not read again.
func TestKeptOverRestart(t *testing.T) {
	t.Parallel()
	inner, cache := memory(t), memory(t)
	counted := &counter{inner: inner}
	b := blob.NewBucket(counted)
	defer b.Close()
	start := func() *signal.Service {
		return signal.New(signal.Options{Bucket: b, Cache: cache, Now: at(now.Add(2 * time.Hour)), Configured: configured(t, twoTabs)})
	}
	for id := 1; id <= 30; id++ {
		put(t, inner, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	}
	s := start()
	before, _, _, err := s.TabGrid(t.Context(), "Halyard-Blocking", "Unit")
	must(t, err)
	counted.take()
	put(t, inner, build{id: 31, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})

	s = start()
	g, _, _, err := s.TabGrid(t.Context(), "Halyard-Blocking", "Unit")
	must(t, err)
	if len(g.Columns) != 31 || len(before.Columns) != 30 {
		t.Errorf("%d columns, then %d", len(before.Columns), len(g.Columns))
	}
	if lists, reads := counted.take(); lists > 2 || reads > 4 {
		t.Errorf("%d listings and %d reads for one new build", lists, reads)
	}

	// Whatever has become of the object, the grid is right.
	objects := list(t, cache, "grids/")
	if len(objects) != 1 {
		t.Fatalf("kept: %q", objects)
	}
	whole, err := cache.ReadAll(t.Context(), objects[0])
	must(t, err)
	for i, broken := range [][]byte{nil, whole[:10], whole[:len(whole)/2], append(slices.Clone(whole), 0), flipped(whole, len(whole)/3), []byte("seaworthy grid 9\n")} {
		must(t, cache.WriteAll(t.Context(), objects[0], broken, nil))
		g, _, _, err := start().TabGrid(t.Context(), "Halyard-Blocking", "Unit")
		must(t, err)
		if len(g.Columns) != 31 {
			t.Errorf("damage %d: %d columns", i, len(g.Columns))
		}
	}
}

func flipped(data []byte, at int) []byte {
	out := slices.Clone(data)
	out[at] ^= 1
	return out
}

func list(t *testing.T, b *blob.Bucket, prefix string) []string {
	t.Helper()
	page, _, err := b.ListPage(t.Context(), blob.FirstPageToken, 1000, &blob.ListOptions{Prefix: prefix})
	must(t, err)
	var keys []string
	for _, o := range page {
		keys = append(keys, o.Key)
	}
	return keys
}

// After a restart the summaries are there without a look at the results, and
// age as time goes by.
func TestSummariesAreKept(t *testing.T) {
	t.Parallel()
	inner, cache := memory(t), memory(t)
	counted := &counter{inner: inner}
	b := blob.NewBucket(counted)
	defer b.Close()
	clock := now.Add(-15 * time.Hour) // more than an hour after build 3
	start := func() *signal.Service {
		return signal.New(signal.Options{Bucket: b, Cache: cache, Fresh: time.Minute, Now: func() time.Time { return clock }, Configured: configured(t, twoTabs)})
	}
	for id := 1; id <= 3; id++ {
		put(t, inner, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	}
	must(t, start().Refresh(t.Context()))
	counted.take()
	s := start()
	got := summaries(t, s, "Halyard-Blocking")
	if lists, reads := counted.take(); lists+reads != 0 {
		t.Errorf("%d listings and %d reads for what is kept", lists, reads)
	}
	same(t, "kept", []string{"Unit PASSING", "sheets PASSING", "fresh PASSING", got[3]}, got)
	clock = clock.Add(3 * time.Hour)
	if got := summaries(t, s, "Halyard-Blocking"); got[2] != "fresh STALE" || got[0] != "Unit PASSING" {
		t.Errorf("hours later: %q", got)
	}
	must(t, cache.WriteAll(t.Context(), list(t, cache, "summaries/")[0], []byte("{"), nil))
	if got := summaries(t, start(), "Halyard-Blocking"); got[0] != "Unit PASSING" {
		t.Errorf("of a damaged object: %q", got)
	}
}

// taker gets what is fed, and refuses while it is told to.
type taker struct {
	mu     sync.Mutex
	got    []string
	refuse bool
}

func (c *taker) take(_ context.Context, r signal.BuildResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse {
		return errors.New("no room")
	}
	c.got = append(c.got, fmt.Sprintf("%s %s %s #%d %s %d %v %s", r.Path, r.Repo, r.Branch, r.Pull, r.Job, len(r.Tests), r.Passed, r.Type))
	return nil
}

func (c *taker) drain() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// Each build is handed on once it is over, again until it is taken, and not
// after a restart; one who is new gets them all.
func TestConsume(t *testing.T) {
	t.Parallel()
	b, cache := memory(t), memory(t)
	first := &taker{refuse: true}
	start := func(consumers map[string]*taker) *signal.Service {
		s := signal.New(signal.Options{Bucket: b, Cache: cache, Jobs: jobs, Now: at(now)})
		for name, c := range consumers {
			s.Consume(name, c.take)
		}
		return s
	}
	s := start(map[string]*taker{"first": first})
	put(t, b, build{id: 1, job: "pull-unit", kind: job.Presubmit, repo: halyard, state: job.Success, tests: allPass})
	put(t, b, build{id: 900, job: "pull-unit", kind: job.Presubmit, repo: halyard})
	same(t, "columns", []string{"900", "1 SUCCESS"}, columns(t, s, halyard, "pull-unit"))
	same(t, "while it refuses", nil, first.drain())
	first.refuse = false
	columns(t, s, halyard, "pull-unit")
	one := []string{"pr-logs/pull/harbour_halyard/7/pull-unit/1 harbour/halyard main #7 pull-unit 2 true presubmit"}
	same(t, "when it takes", one, first.drain())
	columns(t, s, halyard, "pull-unit")
	same(t, "again", nil, first.drain())

	s = start(map[string]*taker{"first": first})
	put(t, b, build{id: 2, job: "pull-unit", kind: job.Presubmit, repo: halyard, state: job.Failure, tests: oneFail})
	columns(t, s, halyard, "pull-unit")
	two := []string{"pr-logs/pull/harbour_halyard/7/pull-unit/2 harbour/halyard main #7 pull-unit 2 false presubmit"}
	same(t, "after a restart", two, first.drain())

	second := &taker{}
	s = start(map[string]*taker{"first": first, "second": second})
	columns(t, s, halyard, "pull-unit")
	same(t, "one who is new", slices.Concat(one, two), second.drain())
}

// Old builds are left out, however many there are, without reading them all.
func TestDays(t *testing.T) {
	t.Parallel()
	inner := memory(t)
	counted := &counter{inner: inner}
	b := blob.NewBucket(counted)
	defer b.Close()
	for id := 1; id <= 1200; id++ {
		began := now.Add(time.Duration(id-1200) * time.Hour)
		folder := fmt.Sprintf("logs/old/%d/", id)
		must(t, inner.WriteAll(t.Context(), folder+"started.json", fmt.Appendf(nil, `{"timestamp":%d}`, began.Unix()), nil))
		must(t, inner.WriteAll(t.Context(), folder+"finished.json", fmt.Appendf(nil, `{"timestamp":%d,"passed":true}`, began.Unix()+60), nil))
	}
	for days, want := range map[int]int{1: 200, 20: 481, 45: 700} {
		text := fmt.Sprintf("test_groups: [{name: old, gcs_prefix: ci/logs/old, disable_prowjob_analysis: true, days_of_results: %d}]\ndashboards: [{name: d, dashboard_tab: [{name: t, test_group_name: old}]}]\n", days)
		s := signal.New(signal.Options{Bucket: b, Now: at(now), Columns: 700, Configured: configured(t, text)})
		for range 2 {
			counted.take()
			g, _, _, err := s.TabGrid(t.Context(), "d", "t")
			must(t, err)
			if n := len(g.Columns); n != want || g.Columns[0].Build != "1200" {
				t.Errorf("%d days: %d columns from %s on, want %d", days, n, g.Columns[0].Build, want)
			}
		}
		if lists, reads := counted.take(); lists > 1 || reads > 0 {
			t.Errorf("%d days: %d listings and %d reads for nothing new", days, lists, reads)
		}
	}
}

// Grids that are not used go from memory, and come back from the cache.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	inner, cache := memory(t), memory(t)
	counted := &counter{inner: inner}
	b := blob.NewBucket(counted)
	defer b.Close()
	for id := 1; id <= 20; id++ {
		put(t, inner, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
		put(t, inner, build{id: 100 + id, job: "ci-halyard", kind: job.Periodic, repo: halyard, state: job.Success, tests: allPass})
	}
	s := signal.New(signal.Options{Bucket: b, Cache: cache, Jobs: jobs, Memory: 1, Now: at(now.Add(2 * time.Hour))})
	for range 3 {
		for _, name := range []string{"post-unit", "ci-halyard"} {
			if got := columns(t, s, halyard, name); len(got) != 20 {
				t.Errorf("%s has %d columns", name, len(got))
			}
		}
	}
	counted.take()
	columns(t, s, halyard, "post-unit")
	if lists, reads := counted.take(); lists != 1 || reads != 0 {
		t.Errorf("%d listings and %d reads for what the cache has", lists, reads)
	}
}

// gated is a bucket whose listings wait until the gate is open.
type gated struct {
	*counter
	gate chan struct{}
}

func (g *gated) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return g.counter.ListPaged(ctx, o)
}

// One who asks gets what there is when patience is over; reading goes on.
func TestPatience(t *testing.T) {
	t.Parallel()
	inner := memory(t)
	gate := make(chan struct{})
	b := blob.NewBucket(&gated{&counter{inner: inner}, gate})
	defer b.Close()
	put(t, inner, build{id: 1, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	s := signal.New(signal.Options{Bucket: b, Now: at(now), Patience: time.Millisecond, Configured: configured(t, twoTabs)})
	g, _, _, err := s.TabGrid(t.Context(), "halyardblocking", "unit")
	must(t, err)
	if len(g.Columns) != 0 || !s.Reading(t.Context(), "halyardblocking", "unit") {
		t.Errorf("%d columns before anything was read; reading: %v", len(g.Columns), s.Reading(t.Context(), "halyardblocking", "unit"))
	}
	close(gate)
	for len(g.Columns) == 0 && t.Context().Err() == nil {
		g, _, _, err = s.TabGrid(t.Context(), "halyardblocking", "unit")
		must(t, err)
	}
	must(t, s.Close())
	if s.Reading(t.Context(), "halyardblocking", "unit") {
		t.Error("something is read after Close")
	}
}

// Several jobs' trouble is told together, and does not keep others from being
// read.
func TestRefreshTellsAll(t *testing.T) {
	t.Parallel()
	b := memory(t)
	put(t, b, build{id: 1, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	s := signal.New(signal.Options{Now: at(now), Configured: configured(t, twoTabs), Open: func(_ context.Context, prefix string) (*blob.Bucket, string, error) {
		if strings.Contains(prefix, "imported") || strings.Contains(prefix, "ci-halyard") {
			return nil, "", fmt.Errorf("no way to %s", prefix)
		}
		return b, strings.TrimPrefix(prefix, "ci/"), nil
	}})
	err := s.Refresh(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no way to ci/imported/unit") || !strings.Contains(err.Error(), "no way to ci/logs/ci-halyard") {
		t.Errorf("error: %v", err)
	}
	if got := summaries(t, s, "Halyard-Blocking"); got[0] != "Unit PASSING" {
		t.Errorf("summaries: %q", got)
	}
	if got := summaries(t, s, "more"); !strings.Contains(got[1], "plain UNKNOWN: ") || !strings.Contains(got[1], "no way to") {
		t.Errorf("summaries: %q", got)
	}
}
