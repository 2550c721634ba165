package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"golang.org/x/sync/errgroup"

	"seaworthy/app"
	"seaworthy/bucket/buckettest"
	"seaworthy/grid/dashboard"
	"seaworthy/notify/mailtest"
	"seaworthy/signal"
	"seaworthy/store/storetest"
	"seaworthy/triage/live"
)

// resultsTime is when the first of the builds of these tests began.
var resultsTime = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// putBuilds writes builds of a job, from one number to before another, each with
// so many files of tests.
func putBuilds(t *testing.T, b *blob.Bucket, from, to, files int) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for i := from; i < to; i++ {
		g.Go(func() error {
			folder := fmt.Sprintf("logs/ci-unit/20%017d/", i)
			at := resultsTime.Add(time.Duration(i) * time.Minute).Unix()
			var all error
			put := func(name, text string) { all = errors.Join(all, b.WriteAll(ctx, folder+name, []byte(text), nil)) }
			put("started.json", fmt.Sprintf(`{"timestamp":%d}`, at))
			for f := range files {
				put(fmt.Sprintf("artifacts/junit_%02d.xml", f), fmt.Sprintf(`<testsuite><testcase name="Test%d" time="1"/><testcase name="Also%d" time="1"/></testsuite>`, f, f))
			}
			put("finished.json", fmt.Sprintf(`{"timestamp":%d,"passed":true,"result":"SUCCESS"}`, at+30))
			return all
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// looks are grids over a server's bucket, kept in another.
func looks(t *testing.T, address string, cache *blob.Bucket, columns int) *signal.Service {
	t.Helper()
	from, err := app.OpenResults(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	config := dashboard.Config{
		TestGroups: []dashboard.TestGroup{{Name: "unit", Prefix: "logs/ci-unit", NoPodRow: true}},
		Dashboards: []dashboard.Dashboard{{Name: "ci", Tabs: []dashboard.Tab{{Name: "unit", TestGroup: "unit"}}}},
	}
	s := signal.New(signal.Options{Open: from.Open, Begin: from.Begin, Cache: cache, Columns: columns,
		Now: func() time.Time { return resultsTime.AddDate(0, 0, 1) },
		Configured: func(context.Context) ([]signal.Configuration, error) {
			return []signal.Configuration{{Config: config, Whole: true}}, nil
		}})
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), from.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A grid over a network costs few requests where little is new, and reads many
// files at once where all is.
func TestGridOnServers(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes longer than five seconds")
	}
	files := 3
	if n, err := strconv.Atoi(os.Getenv("SEAWORTHY_BENCH_FILES")); err == nil {
		files = n
	}
	for name, start := range map[string]func(testing.TB, ...string) *buckettest.Server{"s3": buckettest.S3, "gs": buckettest.GCS, "azblob": buckettest.Azure} {
		t.Run(name, func(t *testing.T) {
			server := start(t, "results")
			b, err := app.OpenBucket(t.Context(), server.Address("results"))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			putBuilds(t, b, 0, 210, files)
			server.Proxy.Delay(20 * time.Millisecond)
			cache := memblob.OpenBucket(nil)
			defer cache.Close()
			s := looks(t, server.Address("results"), cache, 200)
			look := func(what string, s *signal.Service, newest int, most int64) {
				t.Helper()
				server.Proxy.Take()
				begun := time.Now()
				g, _, _, err := s.TabGrid(t.Context(), "ci", "unit")
				took, count := time.Since(begun), server.Proxy.Take()
				t.Logf("%s: %v, %+v", what, took.Round(time.Millisecond), count)
				if err != nil || len(g.Columns) != 200 || g.Columns[0].Build != fmt.Sprintf("20%017d", newest) || len(g.Rows) != 2*files+1 {
					t.Fatalf("%s: %d columns, %d rows, %v", what, len(g.Columns), len(g.Rows), err)
				}
				if count.Requests > most || count.AtOnce > 100 {
					t.Errorf("%s took %d requests, at most %d are due, and %d at once", what, count.Requests, most, count.AtOnce)
				}
			}
			look("cold", s, 209, int64(200*(files+3)+10))
			look("nothing new", s, 209, 1)
			putBuilds(t, b, 210, 211, files)
			look("one more", s, 210, int64(files+6))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			again := looks(t, server.Address("results"), cache, 200)
			look("nothing new, after a restart", again, 210, 2)
			putBuilds(t, b, 211, 212, files)
			look("one more, after a restart", again, 211, int64(files+6))
		})
	}
}

// A bucket that cannot be read is an error, never a grid without columns.
func TestGridOfAForbiddenBucket(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *buckettest.Server{"s3": buckettest.S3, "gs": buckettest.GCS, "azblob": buckettest.Azure} {
		t.Run(name, func(t *testing.T) {
			server := start(t, "results")
			b, err := app.OpenBucket(t.Context(), server.Address("results"))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			putBuilds(t, b, 0, 3, 1)
			cache := memblob.OpenBucket(nil)
			defer cache.Close()
			// Names may be listed, but nothing may be read.
			server.Proxy.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.EscapedPath(), ".json") && !strings.Contains(r.URL.EscapedPath(), ".xml") {
					return false
				}
				w.WriteHeader(http.StatusForbidden)
				return true
			})
			s := looks(t, server.Address("results"), cache, 200)
			if g, _, _, err := s.TabGrid(t.Context(), "ci", "unit"); err == nil || !strings.Contains(err.Error(), "://results forbids this to the credentials in use") {
				t.Errorf("a grid of %v, %v", g, err)
			}
			server.Proxy.Fail(nil)
			if g, _, _, err := s.TabGrid(t.Context(), "ci", "unit"); err != nil || len(g.Columns) != 3 {
				t.Errorf("once it may be read: %v, %v", g, err)
			}
		})
	}
}

// A platform whose bucket is on a service runs jobs, shows their results, and its
// commands look there, too.
func TestPlatformOnS3(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes longer than five seconds")
	}
	server := buckettest.S3(t, "results")
	dir := t.TempDir()
	p := open(t, dir, func(o *app.Options) { o.Bucket = server.Address("results") })
	p.populate(sources)
	p.settled()
	board := strings.ReplaceAll(halyard.String(), "/", "")
	p.until("the job is on its dashboard", func() bool {
		code, text := p.fetch("/api/v1/dashboards/" + board + "/tab-summaries/post-unit")
		var answer struct {
			Summary struct {
				Status string `json:"overall_status"`
			} `json:"tab_summary"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK {
			t.Fatalf("the summary: %d %s", code, text)
		}
		return answer.Summary.Status == "PASSING"
	})
	b, err := app.OpenBucket(t.Context(), server.Address("results"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	finished := ""
	for it := b.List(&blob.ListOptions{Prefix: "logs/post-unit/"}); ; {
		o, err := it.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(o.Key, "/finished.json") {
			finished = o.Key
		}
	}
	build := strings.Split(finished+"///", "/")[2]
	if code, text := p.fetch("/runs/" + build); build == "" || code != http.StatusOK || !strings.Contains(text, "/log") {
		t.Errorf("the page of the run %q: %d", build, code)
	}
	if code, _ := p.fetch("/runs/" + build + "/log"); code != http.StatusOK {
		t.Errorf("the log of the run %q: %d", build, code)
	}
	if inFolder, err := os.ReadDir(dir + "/bucket"); err != nil || len(inFolder) > 0 {
		t.Errorf("in the folder there are %v, %v", inFolder, err)
	}
	p.stop()
	// A command names no bucket.
	a, err := app.Attach(t.Context(), app.Options{Dir: dir, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if there, err := a.Bucket.Exists(t.Context(), finished); !there || err != nil {
		t.Errorf("a command finds %s: %v, %v", finished, there, err)
	}
}

// A release is staged on a service, cut there, and published from there.
func TestReleaseOnServers(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes longer than five seconds")
	}
	for name, start := range map[string]func(testing.TB, ...string) *buckettest.Server{"s3": buckettest.S3, "gs": buckettest.GCS, "azblob": buckettest.Azure} {
		t.Run(name, func(t *testing.T) {
			server := start(t, "results")
			releaseLibrary(t, func(o *app.Options) { o.Bucket = server.Address("results") })
			b, err := app.OpenBucket(t.Context(), server.Address("results"))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for _, folder := range []string{"stage/", "release/" + halyard.String() + "/"} {
				if some, _, err := b.ListPage(t.Context(), blob.FirstPageToken, 1, &blob.ListOptions{Prefix: folder}); err != nil || len(some) == 0 {
					t.Errorf("there is nothing in %s: %v", folder, err)
				}
			}
		})
	}
}

// A platform does not begin with a bucket that it cannot use, nor remember it.
func TestPlatformWithoutItsBucket(t *testing.T) {
	server := buckettest.S3(t, "results")
	dir := t.TempDir()
	for address, want := range map[string]string{server.Address("missing"): "there is no bucket s3://missing", "results": "is no URL", "ftp://x": "no bucket can be opened"} {
		if a, err := app.Open(t.Context(), app.Options{Dir: dir, Addr: "127.0.0.1:0", Bucket: address}); err == nil || !strings.Contains(err.Error(), want) {
			if err == nil {
				err = a.Close()
			}
			t.Errorf("%s: %v", address, err)
		}
	}
	open(t, dir).stop() // in its folder, as before
}

// Of two servers that look at one bucket and keep grids in one, the slower writes
// a grid over a newer one: nothing is lost by that but a second reading.
func TestKeptGridsOfTwoServers(t *testing.T) {
	server := buckettest.S3(t, "results", "kept")
	b, err := app.OpenBucket(t.Context(), server.Address("results"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cache, err := app.OpenBucket(t.Context(), server.Address("kept"))
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	putBuilds(t, b, 0, 3, 2)
	writing, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	server.Proxy.Fail(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/kept/grids/") && held.CompareAndSwap(false, true) {
			close(writing)
			<-goOn
		}
		return false
	})
	columns := func(s *signal.Service) int {
		g, _, _, err := s.TabGrid(t.Context(), "ci", "unit")
		if err != nil {
			t.Error(err)
			return 0
		}
		return len(g.Columns)
	}
	slow := make(chan int, 1)
	first, second := looks(t, server.Address("results"), cache, 200), looks(t, server.Address("results"), cache, 200)
	go func() { slow <- columns(first) }()
	<-writing
	putBuilds(t, b, 3, 5, 2)
	if n := columns(second); n != 5 {
		t.Errorf("the second has %d builds", n)
	}
	close(goOn)
	if n := <-slow; n != 3 {
		t.Errorf("the first had %d builds", n)
	}
	for who, s := range map[string]*signal.Service{"first": first, "second": second, "third": looks(t, server.Address("results"), cache, 200)} {
		if n := columns(s); n != 5 {
			t.Errorf("afterwards the %s has %d builds", who, n)
		}
	}
}

// Two servers with one bucket, one database and the forge's repositories: a
// failure is one cluster, with each failure once, and people are told of it once.
func TestTwoServersOnOneBucket(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes longer than five seconds")
	}
	server, url := buckettest.S3(t, "results"), storetest.PostgresURL(t)
	sink := mailtest.New(t, mailtest.Options{})
	with := func(o *app.Options) {
		o.Database, o.Bucket = url, server.Address("results")
		o.Speaking = app.Speaking{SMTP: "smtp://" + sink.Addr + "?tls=none"}
	}
	a := open(t, t.TempDir(), with)
	a.populate(map[string]string{"README.md": "halyard\n", "OWNERS": sources["OWNERS"],
		"seaworthy.yaml": configuration + "alerts:\n  mail: {from: Halyard <alerts@harbour.test>, to: [ci@harbour.test]}\n"})
	a.settled()
	b := open(t, beside(t, a.dir), with)
	b.meet(a)
	a.build(9_000_000_001, 1, "")
	for i := range 3 {
		[]*platform{a, b}[i%2].build(9_000_000_002+i, 2+i, "the knot &lt;slipped&gt;")
	}
	told := func() (n int) {
		for _, m := range sink.Messages() {
			if strings.Contains(m.Data, "TestKnot fails") {
				n++
			}
		}
		return n
	}
	both := func(do func(*platform) error) {
		t.Helper()
		var g errgroup.Group
		for range 3 {
			for _, p := range []*platform{a, b} {
				g.Go(func() error { return do(p) })
			}
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}
	a.until("people are told what broke", func() bool {
		both(func(p *platform) error { return p.Alert(t.Context(), halyard) })
		return told() > 0
	})
	both(func(p *platform) error { return p.Alert(t.Context(), halyard) })
	if n := told(); n != 1 {
		t.Errorf("people were told %d times", n)
	}
	counted := func(p *platform) string {
		page, err := p.Triage.List(t.Context(), live.Filter{Alone: true})
		p.must(err)
		var all []string
		for _, c := range page.Clusters {
			all = append(all, fmt.Sprintf("%s %d", c.ID, c.Failures))
		}
		return strings.Join(all, ", ")
	}
	for _, p := range []*platform{a, b} {
		p.until("both have the cluster", func() bool { return strings.HasSuffix(counted(p), " 3") })
	}
	both(func(p *platform) error { _, err := p.Triage.Reconcile(t.Context()); return err })
	if of, other := counted(a), counted(b); of != other || !strings.HasSuffix(of, " 3") || strings.Contains(of, ",") {
		t.Errorf("the clusters are %s and %s", of, other)
	}
}
