package triage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Data is triage's failure_data.json, and each of its slices.
type Data struct {
	Clustered []ClusterData `json:"clustered"`
	Builds    Columns       `json:"builds"`
}

// ClusterData is a cluster as the file has it.
type ClusterData struct {
	Key   string     `json:"key"`   // the normalised text
	ID    string     `json:"id"`    // 20 hexadecimal digits, rarely more
	Text  string     `json:"text"`  // one failure's
	Spans []int      `json:"spans"` // bytes of Text all texts share, do not share, …
	Tests []TestData `json:"tests"` // most failures first
	Owner string     `json:"owner"` // a SIG without "sig-"
}

// TestData are the jobs in which a test of a cluster failed.
type TestData struct {
	Name string    `json:"name"`
	Jobs []JobData `json:"jobs"` // most builds first
}

// JobData are the builds of a job, highest number first.
type JobData struct {
	Name   string   `json:"name"`
	Builds []Number `json:"builds"`
}

// Number is a build's. It is written as a text, for it may exceed what a
// browser counts to; both texts and numbers are read.
type Number string

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(raw []byte) error {
	*n = Number(value(raw))
	return nil
}

// Hits is how many builds the cluster names, each as often as tests failed in it.
func (c ClusterData) Hits() int {
	n := 0
	for _, t := range c.Tests {
		for _, j := range t.Jobs {
			n += len(j.Builds)
		}
	}
	return n
}

// Columns are builds by property. It compresses well.
type Columns struct {
	Jobs map[string]JobColumns `json:"jobs"`
	Cols struct {
		Started     []int64  `json:"started"`
		TestsFailed []int    `json:"tests_failed"`
		Elapsed     []int    `json:"elapsed"`
		TestsRun    []int    `json:"tests_run"`
		Result      []string `json:"result"`
		Executor    []string `json:"executor"`
		PR          []string `json:"pr"`
	} `json:"cols"`
	JobPaths map[string]string `json:"job_paths"` // folder of the job's builds
}

// JobColumns says where in the columns a job's builds are. The file has an
// object {"number": index}, or [first number, count, first index] if numbers
// and indexes run side by side.
type JobColumns map[int64]int

// UnmarshalJSON implements json.Unmarshaler.
func (j *JobColumns) UnmarshalJSON(raw []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		return json.Unmarshal(raw, (*map[int64]int)(j))
	}
	var run []int64
	if err := json.Unmarshal(raw, &run); err != nil {
		return err
	}
	const most = 10_000_000
	if len(run) != 3 || run[1] < 0 || run[1] > most || run[2] < 0 {
		return fmt.Errorf("builds of a job are [first number, count, first index] or an object, not %.100s", raw)
	}
	*j = make(JobColumns, run[1])
	for i := range run[1] {
		(*j)[run[0]+i] = int(run[2] + i)
	}
	return nil
}

// Summary is what there is to say about clustered failures in one sentence.
type Summary struct {
	Clusters  int // of two failures and more, and those of one if they are in the data
	Failures  int // in them
	LastDay   int // of these, in builds of the day before the newest build
	Builds    int
	From, To  time.Time // starts of the oldest and the newest build
	Alone     int       // failures without another like it that are not in the data
	Nowhere   int       // failures of builds whose job and number nothing tells
	AddedRuns int       // builds that failures name and the builds file lacks
}

// String returns the sentence.
func (s Summary) String() string {
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
	return fmt.Sprintf("%s clusters of %s failures (%s in last day) out of %s builds from %s to %s",
		thousands(s.Clusters), thousands(s.Failures), thousands(s.LastDay), thousands(s.Builds), day(s.From), day(s.To))
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// DataOptions are how to present clusters.
type DataOptions struct {
	Singletons bool                // show clusters of one failure, too
	Owners     map[string][]string // owner: the beginnings of the names of its tests
}

// NewData presents clusters of failures whose Build is an index of builds. The
// largest cluster comes first.
func NewData(groups []Group, builds []Build, added int, options DataOptions) (Data, Summary) {
	sum := Summary{AddedRuns: added}
	oldest, newest := int64(0), int64(0)
	for _, b := range builds {
		if b.Number > 0 && b.Job != "" {
			sum.Builds++
		}
		if b.Started > 0 && (oldest == 0 || b.Started < oldest) {
			oldest = b.Started
		}
		newest = max(newest, b.Started)
	}
	sum.From, sum.To = time.Unix(oldest, 0), time.Unix(newest, 0)
	owners := ownersOf(builds, newest-24*60*60, options.Owners)
	d := Data{Clustered: []ClusterData{}, Builds: newColumns(builds)}
	for _, g := range groups {
		if len(g.Members) < 2 && !options.Singletons {
			sum.Alone += len(g.Members)
			continue
		}
		c := ClusterData{Key: g.Key, ID: g.ID, Text: g.Text, Spans: g.Spans, Tests: testsOf(g.Members, builds)}
		placed := 0
		for _, m := range g.Members {
			b := builds[m.Build]
			if b.Number <= 0 || b.Job == "" {
				sum.Nowhere++
				continue
			}
			placed++
			if b.Started > newest-24*60*60 {
				sum.LastDay++
			}
		}
		if placed == 0 {
			continue
		}
		sum.Failures += placed
		c.Owner = owners.of(g.Members)
		d.Clustered = append(d.Clustered, c)
	}
	sum.Clusters = len(d.Clustered)
	return d, sum
}

// testsOf arranges failures by test and job.
func testsOf(members []Member, builds []Build) []TestData {
	type place struct {
		test, job string
		number    int64
	}
	places := make([]place, 0, len(members))
	for _, m := range members {
		if b := builds[m.Build]; b.Number > 0 && b.Job != "" {
			places = append(places, place{m.Test, b.Job, b.Number})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(strings.Compare(a.test, b.test), strings.Compare(a.job, b.job), cmp.Compare(b.number, a.number))
	})
	tests := []TestData{}
	hits := map[string]int{}
	for i, p := range places {
		hits[p.test]++
		if i > 0 && places[i-1] == p {
			continue
		}
		if i == 0 || places[i-1].test != p.test {
			tests = append(tests, TestData{Name: p.test})
		}
		t := &tests[len(tests)-1]
		if len(t.Jobs) == 0 || t.Jobs[len(t.Jobs)-1].Name != p.job {
			t.Jobs = append(t.Jobs, JobData{Name: p.job})
		}
		j := &t.Jobs[len(t.Jobs)-1]
		j.Builds = append(j.Builds, Number(strconv.FormatInt(p.number, 10)))
	}
	for _, t := range tests {
		slices.SortStableFunc(t.Jobs, func(a, b JobData) int { return cmp.Compare(len(b.Builds), len(a.Builds)) })
	}
	slices.SortStableFunc(tests, func(a, b TestData) int { return cmp.Compare(hits[b.Name], hits[a.Name]) })
	return tests
}

// newColumns arranges builds by job and number.
func newColumns(builds []Build) Columns {
	c := Columns{Jobs: map[string]JobColumns{}, JobPaths: map[string]string{}}
	sorted := slices.Clone(builds)
	slices.SortFunc(sorted, compareBuilds)
	for _, b := range sorted {
		if b.Number <= 0 || b.Job == "" {
			continue
		}
		if c.Jobs[b.Job] == nil {
			c.Jobs[b.Job] = JobColumns{}
			c.JobPaths[b.Job] = b.Path[:max(strings.LastIndexByte(b.Path, '/'), 0)]
		}
		if _, double := c.Jobs[b.Job][b.Number]; double {
			continue
		}
		c.Jobs[b.Job][b.Number] = len(c.Cols.Started)
		c.Cols.Started = append(c.Cols.Started, b.Started)
		c.Cols.TestsFailed = append(c.Cols.TestsFailed, b.TestsFailed)
		c.Cols.Elapsed = append(c.Cols.Elapsed, b.Elapsed)
		c.Cols.TestsRun = append(c.Cols.TestsRun, b.TestsRun)
		c.Cols.Result = append(c.Cols.Result, b.Result)
		c.Cols.Executor = append(c.Cols.Executor, b.Executor)
		c.Cols.PR = append(c.Cols.PR, b.PR)
	}
	return c
}

// Slice returns the clusters that keep wants, with the builds of their jobs.
func (d Data) Slice(keep func(ClusterData) bool) Data {
	out := Data{Clustered: []ClusterData{}, Builds: Columns{Jobs: map[string]JobColumns{}, JobPaths: map[string]string{}}}
	jobs := map[string]bool{}
	for _, c := range d.Clustered {
		if !keep(c) {
			continue
		}
		out.Clustered = append(out.Clustered, c)
		for _, t := range c.Tests {
			for _, j := range t.Jobs {
				jobs[j.Name] = true
			}
		}
	}
	from, to := &d.Builds.Cols, &out.Builds.Cols
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		numbers := slices.Sorted(maps.Keys(d.Builds.Jobs[job]))
		columns := make(JobColumns, len(numbers))
		for _, n := range numbers {
			i := d.Builds.Jobs[job][n]
			columns[n] = len(to.Started)
			to.Started = append(to.Started, from.Started[i])
			to.TestsFailed = with(to.TestsFailed, from.TestsFailed, i)
			to.Elapsed = with(to.Elapsed, from.Elapsed, i)
			to.TestsRun = with(to.TestsRun, from.TestsRun, i)
			to.Result = with(to.Result, from.Result, i)
			to.Executor = with(to.Executor, from.Executor, i)
			to.PR = with(to.PR, from.PR, i)
		}
		out.Builds.Jobs[job] = columns
		out.Builds.JobPaths[job] = d.Builds.JobPaths[job]
	}
	return out
}

// with appends what a column has at i: files may lack columns.
func with[T any](to, from []T, i int) []T {
	if i >= len(from) {
		return to
	}
	return append(to, from[i])
}

// dataLimit bounds a failure_data.json, in bytes. The largest that Kubernetes has
// published is a tenth of it.
const dataLimit = 1 << 30

// ReadData reads a failure_data.json, triage's or ours, of up to 1 GiB.
func ReadData(r io.Reader) (Data, error) {
	var d Data
	limited := &io.LimitedReader{R: r, N: dataLimit + 1}
	err := json.NewDecoder(limited).Decode(&d)
	if limited.N <= 0 {
		return d, fmt.Errorf("reading clusters of failures: the file has more than %d MiB", dataLimit>>20)
	}
	if err != nil {
		return d, fmt.Errorf("reading clusters of failures: %w", err)
	}
	n := len(d.Builds.Cols.Started)
	c := d.Builds.Cols
	for _, have := range []int{len(c.TestsFailed), len(c.Elapsed), len(c.TestsRun), len(c.Result), len(c.Executor), len(c.PR)} {
		if have != 0 && have != n {
			return d, fmt.Errorf("reading clusters of failures: the columns of builds differ in length: %d and %d", n, have)
		}
	}
	for job, columns := range d.Builds.Jobs {
		for number, i := range columns {
			if i < 0 || i >= n {
				return d, fmt.Errorf("reading clusters of failures: build %d of %s is in column %d of %d", number, job, i, n)
			}
		}
	}
	return d, nil
}
