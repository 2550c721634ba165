package signal_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/signal"
)

var (
	now     = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	anchor  = forge.RepoName{Owner: "harbour", Name: "anchor"}
)

// jobs of a repository: one of each type.
func jobs(_ context.Context, repo forge.RepoName) (job.Config, error) {
	name := repo.String()
	one := func(t job.Type, n string) []*job.Job { return []*job.Job{{Name: n, Type: t, Repo: name}} }
	return job.Config{
		Presubmits:  map[string][]*job.Job{name: one(job.Presubmit, "pull-unit")},
		Postsubmits: map[string][]*job.Job{name: append(one(job.Postsubmit, "post-unit"), one(job.Postsubmit, "post-never")...)},
		Periodics:   []*job.Job{{Name: "ci-" + repo.Name, Type: job.Periodic}},
	}, nil
}

func service(b *blob.Bucket) *signal.Service {
	return signal.New(signal.Options{Bucket: b, Jobs: jobs, Now: func() time.Time { return now }})
}

// buckets runs a test on a bucket in memory and on one on disk.
func buckets(t *testing.T, test func(t *testing.T, b *blob.Bucket)) {
	t.Helper()
	closed := func(b *blob.Bucket) *blob.Bucket {
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return b
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, closed(memblob.OpenBucket(nil)))
	})
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		b, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
		if err != nil {
			t.Fatal(err)
		}
		test(t, closed(b))
	})
}

// build is one execution that the tests put into the bucket.
type build struct {
	id    int
	job   string
	kind  job.Type
	repo  forge.RepoName
	state job.State // empty: it runs
	tests string    // content of a JUnit file
}

const (
	allPass = `<testsuite name="knot"><testcase name="TestBowline" time="0.25"/><testcase name="TestSheet"/></testsuite>`
	oneFail = `<testsuite name="knot"><testcase name="TestBowline"/><testcase name="TestSheet"><failure>slipped</failure></testcase></testsuite>`
)

// put writes a build as the product does.
func put(t *testing.T, b *blob.Bucket, x build) {
	t.Helper()
	ctx := t.Context()
	e := job.Execution{
		ID: "e" + strconv.Itoa(x.id), BuildID: strconv.Itoa(x.id), Job: x.job, Type: x.kind,
		Refs:  job.Refs{Org: x.repo.Owner, Repo: x.repo.Name, BaseRef: "main", BaseSHA: fmt.Sprintf("%040x", x.id)},
		State: job.Pending, CreatedAt: now.Add(time.Duration(x.id-1000) * time.Minute),
	}
	if x.kind == job.Presubmit {
		e.Refs.Pulls = []job.Pull{{Number: 7, SHA: fmt.Sprintf("%040x", x.id+5000), Author: "ben"}}
	}
	e.Path = job.ResultPath(e)
	w := result.NewWriter(b, e)
	must(t, w.Started(ctx, e.CreatedAt))
	if x.tests != "" {
		must(t, w.Artifact(ctx, "junit.xml", strings.NewReader(x.tests)))
	}
	if x.state != "" {
		e.State, e.StartedAt, e.FinishedAt = x.state, e.CreatedAt, e.CreatedAt.Add(time.Minute)
		must(t, w.Finished(ctx, e, nil))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tabs are the tabs of a repository, a line each.
func tabs(t *testing.T, s *signal.Service, repo forge.RepoName) []string {
	t.Helper()
	all, err := s.Tabs(t.Context(), repo)
	must(t, err)
	var lines []string
	for _, tab := range all {
		if tab.Repo != repo {
			t.Errorf("a tab of %s among those of %s", tab.Repo, repo)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", tab.Type, tab.Job, tab.Summary.Status))
	}
	return lines
}

// columns are the builds of a grid with their results, newest first.
func columns(t *testing.T, s *signal.Service, repo forge.RepoName, name string) []string {
	t.Helper()
	g, err := s.Grid(t.Context(), repo, name)
	must(t, err)
	var lines []string
	for _, c := range g.Columns {
		lines = append(lines, strings.TrimSpace(c.Build+" "+c.Result))
	}
	return lines
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTabs(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		s := service(b)
		same(t, "tabs of an empty bucket", nil, tabs(t, s, halyard))
		for id := 1; id <= 12; id++ {
			put(t, b, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
			put(t, b, build{id: 100 + id, job: "ci-halyard", kind: job.Periodic, repo: halyard, state: job.Failure, tests: oneFail})
			put(t, b, build{id: 200 + id, job: "pull-unit", kind: job.Presubmit, repo: halyard, state: job.Success, tests: allPass})
		}
		same(t, "tabs", []string{"postsubmit post-unit PASSING", "periodic ci-halyard FAILING", "presubmit pull-unit PASSING"}, tabs(t, s, halyard))
		g, err := s.Grid(t.Context(), halyard, "ci-halyard")
		must(t, err)
		row := g.Row("knot.TestSheet")
		if row == nil || len(row.Runs) != 1 || row.Runs[0] != (grid.Run{Status: grid.Fail, Count: 12}) {
			t.Errorf("the row of the failing test: %+v", row)
		}
	})
}

// A grid that was given away stays as it is, and changes nothing here.
func TestGridIsACopy(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	s := signal.New(signal.Options{Bucket: b, Jobs: jobs, Now: func() time.Time { return now }, Columns: 220})
	put(t, b, build{id: 1, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	g, err := s.Grid(t.Context(), halyard, "post-unit")
	must(t, err)
	g.Columns[0].Result, g.Rows = "LOST", nil
	put(t, b, build{id: 2, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	same(t, "columns", []string{"2 SUCCESS", "1 SUCCESS"}, columns(t, s, halyard, "post-unit"))
	if len(g.Columns) != 1 {
		t.Errorf("a copy has grown to %d columns", len(g.Columns))
	}
}

func TestNoSuchJob(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	if _, err := service(b).Grid(t.Context(), halyard, "post-unti"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"post-unti"`) {
		t.Errorf("error %v, want fs.ErrNotExist and the name", err)
	}
	broken := signal.New(signal.Options{Bucket: b, Now: time.Now, Jobs: func(context.Context, forge.RepoName) (job.Config, error) {
		return job.Config{}, errors.New("the forge is down")
	}})
	if _, err := broken.Tabs(t.Context(), halyard); err == nil || !strings.Contains(err.Error(), "the forge is down") {
		t.Errorf("tabs without a configuration: %v", err)
	}
	if _, err := broken.Grid(t.Context(), halyard, "post-unit"); err == nil || !strings.Contains(err.Error(), "the forge is down") {
		t.Errorf("a grid without a configuration: %v", err)
	}
}

// A build that runs is shown as such, and is read again until it is over.
func TestRunningBuildFinishes(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		s := service(b)
		running := build{id: 900, job: "pull-unit", kind: job.Presubmit, repo: halyard}
		put(t, b, running)
		same(t, "while it runs", []string{"900"}, columns(t, s, halyard, "pull-unit"))
		running.state, running.tests = job.Failure, oneFail
		put(t, b, running)
		same(t, "when it is over", []string{"900 FAILURE"}, columns(t, s, halyard, "pull-unit"))
	})
}

// Finished builds are read once, aliases and all; a refresh costs one listing
// and what is new.
func TestFinishedBuildsAreReadOnce(t *testing.T) {
	t.Parallel()
	inner := memblob.OpenBucket(nil)
	defer inner.Close()
	counted := &counter{inner: inner}
	b := blob.NewBucket(counted)
	defer b.Close()
	s := service(b)
	for id := 1; id <= 30; id++ {
		put(t, inner, build{id: id, job: "pull-unit", kind: job.Presubmit, repo: halyard, state: job.Success, tests: allPass})
	}
	columns(t, s, halyard, "pull-unit")
	if lists, reads := counted.take(); reads < 4*30 || lists < 30 {
		t.Fatalf("%d listings and %d reads for 30 builds: the counter does not count", lists, reads)
	}
	columns(t, s, halyard, "pull-unit")
	if lists, reads := counted.take(); lists != 1 || reads != 0 {
		t.Errorf("%d listings and %d reads for nothing new; want 1 and 0", lists, reads)
	}
	put(t, inner, build{id: 31, job: "pull-unit", kind: job.Presubmit, repo: halyard, state: job.Success, tests: allPass})
	if got := columns(t, s, halyard, "pull-unit"); len(got) != 31 || got[0] != "31 SUCCESS" {
		t.Errorf("columns: %q", got)
	}
	// Its alias, started.json, finished.json and one JUnit file.
	if lists, reads := counted.take(); lists != 2 || reads != 4 {
		t.Errorf("%d listings and %d reads for one new build; want 2 and 4", lists, reads)
	}
}

// No column is dropped but those beyond what a grid may have, newest first.
func TestManyBuilds(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	s := signal.New(signal.Options{Bucket: b, Jobs: jobs, Now: func() time.Time { return now }, Columns: 220})
	put(t, b, build{id: 1, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success})
	columns(t, s, halyard, "post-unit")
	for id := 2; id <= 230; id++ {
		put(t, b, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success})
	}
	for range 2 {
		if got := columns(t, s, halyard, "post-unit"); len(got) != 220 || got[0] != "230 SUCCESS" || got[219] != "11 SUCCESS" {
			t.Fatalf("%d columns, from %s to %s", len(got), got[0], got[len(got)-1])
		}
	}
}

// Two repositories may call their jobs the same. The layout gives their
// postsubmits one folder; their grids are apart.
func TestEqualNames(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		s := service(b)
		for _, kind := range []job.Type{job.Postsubmit, job.Presubmit} {
			name := map[job.Type]string{job.Postsubmit: "post-unit", job.Presubmit: "pull-unit"}[kind]
			put(t, b, build{id: 1, job: name, kind: kind, repo: halyard, state: job.Success, tests: allPass})
			put(t, b, build{id: 2, job: name, kind: kind, repo: anchor, state: job.Failure, tests: oneFail})
			put(t, b, build{id: 3, job: name, kind: kind, repo: halyard, state: job.Success, tests: allPass})
			same(t, "halyard", []string{"3 SUCCESS", "1 SUCCESS"}, columns(t, s, halyard, name))
			same(t, "anchor", []string{"2 FAILURE"}, columns(t, s, anchor, name))
		}
	})
}

// What lies about in real buckets spoils nothing.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		s := service(b)
		for key, text := range map[string]string{
			"logs/post-unit/latest-build.txt":                 "not a number\n",
			"logs/post-unit/README":                           "hands off\n",
			"logs/post-unit/5/build-log.txt":                  "no started.json yet\n",
			"logs/post-unit/6/started.json":                   "{",
			"logs/post-unit/7/started.json":                   `{"timestamp":"soon","repos":{"harbour/halyard":"main"}}`,
			"logs/post-unit/7/finished.json":                  `[]`,
			"logs/post-unit/8/finished.json":                  `{"timestamp":1772884800,"result":"SUCCESS","passed":true}`,
			"logs/post-unit/9/started.json":                   `{"timestamp":1772884800}`,
			"logs/post-unit/9/finished.json":                  `{"timestamp":1772884860,"result":"FAILURE","passed":false}`,
			"logs/post-unit/9/artifacts/junit.xml":            `<testsuite><testcase name="TestBowline"/><testcase`,
			"pr-logs/directory/pull-unit/11.txt":              "gs://bucket/pr-logs/pull/harbour_halyard/7/pull-unit/11",
			"pr-logs/directory/pull-unit/12.txt":              "nowhere at all",
			"pr-logs/pull/harbour_halyard/7/pull-unit/x.json": "{}",
		} {
			must(t, b.WriteAll(t.Context(), key, []byte(text), nil))
		}
		want := []string{"9 FAILURE", "8 SUCCESS", "7", "6"}
		for range 2 {
			same(t, "columns", want, columns(t, s, halyard, "post-unit"))
			same(t, "columns of what is gone", nil, columns(t, s, halyard, "pull-unit"))
		}
		tabs(t, s, halyard)
	})
}

// Readers and writers at the same time see whole grids only.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	s := service(b)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 20 {
				if _, err := s.Tabs(t.Context(), halyard); err != nil {
					t.Error(err)
				}
				g, err := s.Grid(t.Context(), halyard, "post-unit")
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range g.Rows {
					n := 0
					for _, run := range r.Runs {
						n += run.Count
					}
					if n != len(g.Columns) {
						t.Errorf("%s has %d cells in %d columns", r.Name, n, len(g.Columns))
					}
				}
			}
		})
	}
	for id := 1; id <= 40; id++ {
		put(t, b, build{id: id, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success, tests: allPass})
	}
	wait.Wait()
	if got := columns(t, s, halyard, "post-unit"); len(got) != 40 {
		t.Errorf("%d columns, want 40", len(got))
	}
}

// A reader that was told to stop leaves the grid to the next one.
func TestCanceled(t *testing.T) {
	t.Parallel()
	inner := memblob.OpenBucket(nil)
	defer inner.Close()
	b := blob.NewBucket(&counter{inner: inner})
	defer b.Close()
	s := service(b)
	put(t, inner, build{id: 1, job: "post-unit", kind: job.Postsubmit, repo: halyard, state: job.Success})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Grid(ctx, halyard, "post-unit"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	same(t, "columns", []string{"1 SUCCESS"}, columns(t, s, halyard, "post-unit"))
}
