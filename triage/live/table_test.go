package live_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/triage/live"
)

// data is a small file in triage's format: two jobs, one of them dense, a pull
// request's, and a build that nothing describes.
const data = `{"clustered":[
 {"key":"k1","id":"aaaa","text":"timed out after 30s\nwaiting for pod web-1","spans":[16,3,17,5],"owner":"node","tests":[
  {"name":"[sig-node] pods start","jobs":[{"name":"ci-e2e","builds":[12,11,10]},{"name":"pr:pull-e2e","builds":[1900000000000000001]}]},
  {"name":"[sig-storage] mounts","jobs":[{"name":"ci-e2e","builds":[12,999]}]}]},
 {"key":"k2","id":"bbbb","text":"Connection REFUSED","spans":[18],"owner":"testing","tests":[
  {"name":"unowned test","jobs":[{"name":"ci-e2e","builds":[10,9]}]}]}],
 "builds":{"jobs":{"ci-e2e":[8,5,0],"pr:pull-e2e":{"1900000000000000001":5}},
  "job_paths":{"ci-e2e":"gs://b/logs/ci-e2e","pr:pull-e2e":"gs://b/pr-logs/pull/77/pull-e2e"},
  "cols":{"started":[1000000,1010000,1100000,1190000,1200000,1195000],"elapsed":[1,2,3,4,5,6],"tests_run":[9,9,9,9,9,9],
   "tests_failed":[0,1,2,1,2,1],"result":["SUCCESS","FAILURE","FAILURE","FAILURE","FAILURE","FAILURE"],"executor":["","","","","",""],"pr":["","","","","","77"]}}}`

func table(t *testing.T) *live.Table {
	t.Helper()
	got, skipped, err := live.ReadData(strings.NewReader(data))
	if err != nil || skipped != 1 {
		t.Fatalf("%d skipped, %v", skipped, err)
	}
	return got
}

// long is when the file above is long past: its time ends with its last build.
var long = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFilters(t *testing.T) {
	t.Parallel()
	x := table(t)
	for q, want := range map[string]string{
		"":                                "2 7 4/6 aaaa5 bbbb2",
		"sort=message":                    "2 7 4/6 bbbb2 aaaa5",
		"sort=day":                        "2 7 4/6 aaaa5 bbbb2",
		"sort=newest":                     "2 7 4/6 aaaa5 bbbb2",
		"text=TIMED+out":                  "1 5 4/6 aaaa5",
		"text=refused":                    "1 2 0/6 bbbb2",
		"text=^waiting":                   "1 5 4/6 aaaa5",
		"text=pod\\s[^ ]*-\\d$":           "1 5 4/6 aaaa5",
		"xtext=refused|nothing":           "1 5 4/6 aaaa5",
		"text=Refused&xtext=connection":   "0 0 0/6",
		"job=pull":                        "1 1 1/1 aaaa1",
		"job=pull&alone=1":                "1 1 1/1 aaaa1",
		"xjob=pull":                       "2 6 3/5 aaaa4 bbbb2",
		"pr=1&alone=1":                    "1 1 1/1 aaaa1",
		"ci=1":                            "2 6 3/5 aaaa4 bbbb2",
		"ci=1&pr=1":                       "2 7 4/6 aaaa5 bbbb2",
		"test=sig-storage&alone=1":        "1 1 1/6 aaaa1",
		"xtest=sig":                       "1 2 0/6 bbbb2",
		"owner=node":                      "1 5 4/6 aaaa5",
		"owner=sig-node&owner=testing":    "2 7 4/6 aaaa5 bbbb2",
		"owner=none":                      "0 0 0/6",
		"from=1":                          "2 7 4/6 bbbb2",
		"from=7":                          "2 7 4/6",
		"limit=1":                         "2 7 4/6 aaaa5",
		"days=1":                          "1 4 4/3 aaaa4",
		"date=1970-01-13":                 "2 3 2/3 bbbb2 aaaa1",
		"date=1970-01-13T07:00:00Z":       "1 1 1/2 bbbb1",
		"repo=x":                          "0 0 0/0",
		"branch=main":                     "0 0 0/0",
		"xrepo=x":                         "2 7 4/6 aaaa5 bbbb2",
		"something=else&text=%E2%82%AC":   "0 0 0/6",
		"test=mounts|unowned&sort=newest": "2 3 1/6 aaaa1 bbbb2",
	} {
		t.Run(q, func(t *testing.T) {
			t.Parallel()
			values, err := url.ParseQuery(q)
			if err != nil {
				t.Fatal(err)
			}
			f, err := live.ParseFilter(values)
			if err != nil {
				t.Fatal(err)
			}
			l, err := x.List(t.Context(), f, long)
			if err != nil {
				t.Fatal(err)
			}
			if got := sum(l); got != want {
				t.Errorf("%s: %s, want %s", q, got, want)
			}
			again, err := live.ParseFilter(f.Values())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, again, f)
			total := 0
			for _, n := range l.Graph {
				total += n
			}
			if total != l.Failures {
				t.Errorf("%s: the graph shows %d of %d failures", q, total, l.Failures)
			}
		})
	}
}

func TestRefusedFilters(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		"text=(":                                "text=(: is no regular expression: missing closing ) at (",
		"xjob=*":                                "missing argument to repetition operator at *",
		"test=" + strings.Repeat("a", 301):      "301 bytes, at most 300",
		"text=((a{100}){10}){1}":                "too large",
		"text=(((a{1000}){1000}){1000})":        "invalid repeat count",
		"repo=" + url.QueryEscape(`[[:oops:]]`): "invalid character class range",
		"sort=best":                             "write total, day, message or newest",
		"days=0":                                "from 1 to 400",
		"days=many":                             "from 1 to 400",
		"from=-1":                               "from 0 to",
		"limit=1001":                            "from 1 to 1000",
		"date=yesterday":                        "write a day as 2026-03-14",
	} {
		values, err := url.ParseQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		_, err = live.ParseFilter(values)
		var wrong *live.FilterError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", q, err, want)
		}
	}
}

func TestOneCluster(t *testing.T) {
	t.Parallel()
	d, err := table(t).Cluster(t.Context(), "aaaa", live.Filter{Text: "not asked again"}, long)
	if err != nil {
		t.Fatal(err)
	}
	if d.Failures != 5 || d.Row.Builds != 4 || d.OfBuilds != 6 || d.Row.Tests != 2 || d.Row.Jobs != 2 || d.Owned != "node" {
		t.Errorf("%+v", d.Row)
	}
	if d.Recent[0].Path != "gs://b/logs/ci-e2e/12" || d.Recent[0].Test != "[sig-node] pods start" || len(d.Recent) != 5 || d.Recent[2].Pull != 77 {
		t.Errorf("latest: %+v", d.Recent)
	}
	equal(t, d.OfJobs, []live.Share{{Name: "ci-e2e", Failures: 4, Builds: 3, LastDay: 2 + 1, OfBuilds: 5}, {Name: "pull-e2e", Failures: 1, Builds: 1, LastDay: 1, OfBuilds: 1}})
	equal(t, d.OfTests[1], live.TestShare{Share: live.Share{Name: "[sig-storage] mounts", Failures: 1, Builds: 1, LastDay: 1},
		Jobs: []live.Share{{Name: "ci-e2e", Failures: 1, Builds: 1, LastDay: 1, OfBuilds: 5}}})
	equal(t, d.Segments, []live.Segment{{Text: "timed out after "}, {Text: "30s", Varies: true}, {Text: "\nwaiting for pod "}, {Text: "web-1", Varies: true}})
	if d.Landed.Build != "gs://b/logs/ci-e2e/10" || d.Good.Build != "gs://b/logs/ci-e2e/9" {
		t.Errorf("landed in %s after %s", d.Landed.Build, d.Good.Build)
	}
}

func TestVary(t *testing.T) {
	t.Parallel()
	got := live.Vary("a b  c b\n", []string{"a b x", "a  b y b c"})
	equal(t, got, []live.Segment{{Text: "a b  "}, {Text: "c b\n", Varies: true}})
	equal(t, live.Vary("same", nil), []live.Segment{{Text: "same"}})
	equal(t, live.Vary("", []string{"x"}), []live.Segment(nil))
}

func TestTrends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		last, before int
		days         float64
		fresh        bool
		want         live.Trend
	}{
		{3, 0, 0, true, live.TrendNew},
		{0, 39, 13, false, live.TrendGone},
		{0, 26, 13, false, live.TrendSteady}, // two a day may spare a day
		{0, 5, 13, false, live.TrendSteady},
		{10, 130, 13, false, live.TrendSteady},
		{17, 130, 13, false, live.TrendRising},
		{3, 130, 13, false, live.TrendFalling},
		{4, 130, 13, false, live.TrendSteady},
		{1, 1, 13, false, live.TrendSteady},
		{5, 0, 13, false, live.TrendRising},
		{2, 5, .5, false, live.TrendSteady},
		{0, 0, 0, true, live.TrendSteady},
	} {
		if got := live.TrendOf(c.last, c.before, c.days, c.fresh); got != c.want {
			t.Errorf("%d after %d in %.1f days: %s, want %s", c.last, c.before, c.days, got, c.want)
		}
	}
}

func TestBadData(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":         "empty",
		"{":        "ends in the middle",
		data[:900]: "ends in the middle",
		"[]":       "not triage's failure_data.json",
		"{}":       "neither clusters nor builds",
		`{"clustered":[{"key":"k"}],"builds":{"jobs":{}}}`:                         "has no id",
		`{"clustered":[{"id":"a"},{"id":"a"}],"builds":{"jobs":{}}}`:               "two clusters have the id a",
		`{"clustered":[],"builds":{"jobs":{"j":[1,2,0]},"cols":{"started":[5]}}}`:  "build 2 of j is in column 1 of 1",
		`{"clustered":[],"builds":{"jobs":{"j":[1,1,3]},"cols":{"started":[5]}}}`:  "in column 3 of 1",
		`{"clustered":[],"builds":{"jobs":{"j":{"1":-1}},"cols":{"started":[5]}}}`: "in column -1 of 1",
		`{"clustered":[],"builds":{"jobs":{"j":"x"},"cols":{"started":[5]}}}`:      "not triage's failure_data.json",
	} {
		if _, _, err := live.ReadData(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}

func TestAFilterThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := table(t).List(ctx, live.Filter{Text: "x"}, long); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestReadRaw(t *testing.T) {
	t.Parallel()
	builds := `[{"path":"gs://b/logs/j/2","started":"1100000","elapsed":"1","tests_run":"9","tests_failed":"1","result":"FAILURE","executor":"","job":"j","number":"2"},
{"path":"gs://b/logs/j/1","started":"1000000","elapsed":"1","tests_run":"9","tests_failed":"0","result":"SUCCESS","executor":"","job":"j","number":"1"},
{"path":"gs://b/logs/j/x","started":"","job":"j","number":""}]`
	tests := `{"started":"1100000","build":"gs://b/logs/j/2","name":"[sig-node] a","failure_text":"timed out after 31.5s waiting"}
{"started":"1100000","build":"gs://b/logs/j/2","name":"b","failure_text":"timed out after 7.25s waiting"}
{"started":"1100000","build":"gs://b/logs/j/2","name":"c","failure_text":"no route to the harbour"}
{"broken`
	x, odd, err := live.ReadRaw(t.Context(), strings.NewReader(builds), strings.NewReader(tests))
	if err != nil || len(odd) != 2 {
		t.Fatalf("%q %v", odd, err)
	}
	l, err := x.List(t.Context(), live.Filter{}, long)
	if err != nil {
		t.Fatal(err)
	}
	if l.Total != 1 || l.Failures != 2 || l.Builds != 2 || l.Single != 1 || l.Clusters[0].Owned != "node" || l.Clusters[0].Good.Build != "gs://b/logs/j/1" {
		t.Errorf("%+v", l)
	}
	if id, ok := x.Of("gs://b/logs/j/2", "b"); !ok || id != l.Clusters[0].ID {
		t.Errorf("of b: %s %v", id, ok)
	}
}

func FuzzParseFilter(f *testing.F) {
	x, _, err := live.ReadData(strings.NewReader(data))
	if err != nil {
		f.Fatal(err)
	}
	for _, q := range []string{"text=a.*b&days=3", "date=2026-03-14&owner=a&owner=b", "text=(?i)x|(?s).$&xtext=\\pL", "sort=day&from=2&limit=1&pr=1"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		values, err := url.ParseQuery(q)
		if err != nil {
			return
		}
		filter, err := live.ParseFilter(values)
		if err != nil {
			return
		}
		if _, err := x.List(t.Context(), filter, long); err != nil {
			t.Errorf("%q was taken, and then %v", q, err)
		}
		if again, err := live.ParseFilter(filter.Values()); err != nil {
			t.Errorf("%q becomes %q: %v", q, filter.Values(), err)
		} else {
			equal(t, again.Values(), filter.Values())
		}
	})
}

func FuzzReadData(f *testing.F) {
	f.Add(data)
	f.Add(`{"clustered":[],"builds":{"jobs":{"j":[1,2,0]},"cols":{"started":[5]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		x, _, err := live.ReadData(strings.NewReader(text))
		if err != nil {
			return
		}
		l, err := x.List(t.Context(), live.Filter{Alone: true}, long)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range l.Clusters {
			if _, err := x.Cluster(t.Context(), c.ID, live.Filter{}, long); err != nil {
				t.Error(err)
			}
		}
	})
}

// BenchmarkList asks the table of SEAWORTHY_BENCH_FAILURES (a folder with
// triage_builds.json and tests_*.json), or a made one, what a person types.
func BenchmarkList(b *testing.B) {
	x := large(b)
	builds, failures, clusters := x.Size()
	b.Logf("%d builds, %d failures, %d clusters", builds, failures, clusters)
	for name, f := range map[string]live.Filter{
		"all":        {Days: 60},
		"text":       {Days: 60, Text: "timed out|deadline"},
		"worst":      {Days: 60, Text: `(\w+\s+){3}(pod|node).*\d+$`, NotText: `.*foo.*bar`, Job: ".*e2e.*", Test: `\[sig-.*\].*should`},
		"everything": {Days: 60, Text: "e", NotText: "zzz", Job: "ci", NotJob: "alpha", Test: "sig", NotTest: "windows", CI: true, Owners: []string{"node"}, Sort: live.ByMessage},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := x.List(b.Context(), f, long); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	l, err := x.List(b.Context(), live.Filter{Days: 60}, long)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("cluster", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.Cluster(b.Context(), l.Clusters[0].ID, live.Filter{Days: 60}, long); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func large(b *testing.B) *live.Table {
	dir := os.Getenv("SEAWORTHY_BENCH_FAILURES")
	if dir == "" {
		x, _, err := live.ReadData(strings.NewReader(made(2000, 20000)))
		if err != nil {
			b.Fatal(err)
		}
		return x
	}
	builds, err := os.Open(filepath.Join(dir, "triage_builds.json"))
	if err != nil {
		b.Fatal(err)
	}
	defer builds.Close()
	tests, err := os.Open(filepath.Join(dir, "tests_00.json"))
	if err != nil {
		b.Fatal(err)
	}
	defer tests.Close()
	x, _, err := live.ReadRaw(b.Context(), builds, tests)
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// sum is a list in a line: clusters, failures, those of the last day, builds,
// and the clusters in their order.
func sum(l live.List) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d %d %d/%d", l.Total, l.Failures, l.LastDay, l.Builds)
	for _, c := range l.Clusters {
		fmt.Fprintf(&s, " %s%d", c.ID, c.Failures)
	}
	return s.String()
}

// made is a file of triage's with so many clusters and builds.
func made(clusters, builds int) string {
	var s strings.Builder
	s.WriteString(`{"clustered":[`)
	for c := range clusters {
		if c > 0 {
			s.WriteString(",")
		}
		fmt.Fprintf(&s, `{"id":"%020x","key":"k","text":"failure %d: %s","owner":"","tests":[{"name":"[sig-%c] test %d","jobs":[{"name":"ci-e2e","builds":[%d,%d,%d]}]}]}`,
			c, c, strings.Repeat("the ropes of the ship were not fast ", 20), 'a'+c%20, c, 1+c%builds, 1+(c*7)%builds, 1+(c*13)%builds)
	}
	fmt.Fprintf(&s, `],"builds":{"jobs":{"ci-e2e":[1,%d,0]},"job_paths":{"ci-e2e":"gs://b/logs/ci-e2e"},"cols":{"started":[`, builds)
	for i := range builds {
		if i > 0 {
			s.WriteString(",")
		}
		fmt.Fprint(&s, 1700000000+i*60)
	}
	s.WriteString("]}}}")
	return s.String()
}
