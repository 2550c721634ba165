package live

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dataFile is triage's failure_data.json, as far as it is read: see
// triage/summarize/output.go in github.com/kubernetes/test-infra.
type dataFile struct {
	Clustered []dataCluster `json:"clustered"`
	Builds    dataBuilds    `json:"builds"`
}

type dataCluster struct {
	ID    string     `json:"id"`
	Key   string     `json:"key"`
	Text  string     `json:"text"`
	Spans []int      `json:"spans"`
	Tests []dataTest `json:"tests"`
	Owner string     `json:"owner"`
}

type dataTest struct {
	Name string `json:"name"`
	Jobs []struct {
		Name   string  `json:"name"`
		Builds []int64 `json:"builds"`
	} `json:"jobs"`
}

type dataBuilds struct {
	Jobs     map[string]json.RawMessage `json:"jobs"`
	JobPaths map[string]string          `json:"job_paths"`
	Cols     struct {
		Started   []int64  `json:"started"`
		Elapsed   []int64  `json:"elapsed"`
		TestsRun  []int64  `json:"tests_run"`
		Result    []string `json:"result"`
		Executor  []string `json:"executor"`
		PullNames []string `json:"pr"`
	} `json:"cols"`
}

// mostData bounds the file that ReadData takes, in bytes. The largest that
// Kubernetes has published is a tenth of it.
const mostData = 1 << 30

// ReadData fills a table from triage's failure_data.json. Clusters keep the
// names they have there. The file knows no branches, no commits and no single
// failures. Builds that a cluster names and the file does not describe are
// counted in skipped, with their failures left out.
func ReadData(r io.Reader) (t *Table, skipped int, err error) {
	var f dataFile
	limited := &io.LimitedReader{R: r, N: mostData + 1}
	err = json.NewDecoder(limited).Decode(&f)
	switch {
	case limited.N <= 0:
		return nil, 0, fmt.Errorf("the file has more than %d MB", mostData>>20)
	case errors.Is(err, io.EOF):
		return nil, 0, errors.New("the file is empty: triage's failure_data.json is wanted")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, 0, errors.New("the file ends in the middle: it was not copied whole")
	case err != nil:
		return nil, 0, fmt.Errorf("the file is not triage's failure_data.json: %w", err)
	}
	if f.Clustered == nil && f.Builds.Jobs == nil {
		return nil, 0, errors.New("the file is not triage's failure_data.json: it has neither clusters nor builds")
	}
	t = NewTable()
	builds, err := f.Builds.read()
	if err != nil {
		return nil, 0, err
	}
	skipped, err = t.fill(f.Clustered, builds)
	return t, skipped, err
}

// buildKey is a build in triage's file.
type buildKey struct {
	job    string
	number int64
}

// read turns columns into builds.
func (d dataBuilds) read() (map[buildKey]Build, error) {
	builds := make(map[buildKey]Build, len(d.Cols.Started))
	for job, raw := range d.Jobs {
		numbers, err := numbersOf(raw, len(d.Cols.Started))
		if err != nil {
			return nil, fmt.Errorf("builds of job %s: %w", job, err)
		}
		for number, i := range numbers {
			if i < 0 || i >= len(d.Cols.Started) {
				return nil, fmt.Errorf("builds of job %s: build %d is in column %d of %d", job, number, i, len(d.Cols.Started))
			}
			b := Build{Job: strings.TrimPrefix(job, "pr:"), Started: time.Unix(d.Cols.Started[i], 0).UTC()}
			b.Path = cmp.Or(strings.TrimRight(d.JobPaths[job], "/"), job) + "/" + strconv.FormatInt(number, 10)
			if i < len(d.Cols.Elapsed) {
				b.Elapsed = time.Duration(min(max(d.Cols.Elapsed[i], 0), 365*day)) * time.Second
			}
			if i < len(d.Cols.TestsRun) {
				b.Tests = int(d.Cols.TestsRun[i])
			}
			if i < len(d.Cols.Result) {
				b.Passed = d.Cols.Result[i] == "SUCCESS"
			}
			b.Pull = pullOf(job, i, d.Cols.PullNames)
			builds[buildKey{job, number}] = b
		}
	}
	return builds, nil
}

// pullOf is the number of the change a build tested. A build of triage's that
// is named pr: and no number tested some change or other: 1 stands for it.
func pullOf(job string, column int, pulls []string) int {
	if column < len(pulls) {
		if n, err := strconv.ParseInt(pulls[column], 10, 31); err == nil && n > 0 {
			return int(n)
		}
	}
	if strings.HasPrefix(job, "pr:") {
		return 1
	}
	return 0
}

// numbersOf reads the columns of a job's builds: a map from number to column,
// or [first number, how many, first column] if the numbers follow each other.
func numbersOf(raw json.RawMessage, most int) (map[int64]int, error) {
	numbers := map[int64]int{}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		var dense []int64
		if err := json.Unmarshal(raw, &dense); err != nil {
			return nil, err
		}
		if len(dense) != 3 || dense[1] < 0 || dense[1] > int64(most) {
			return nil, fmt.Errorf("%v is no [first, count, column]", dense)
		}
		for i := range dense[1] {
			numbers[dense[0]+i] = int(dense[2] + i)
		}
		return numbers, nil
	}
	return numbers, json.Unmarshal(raw, &numbers)
}

// fill adds builds and failures in the order of time.
func (t *Table) fill(clusters []dataCluster, builds map[buildKey]Build) (skipped int, err error) {
	type failure struct {
		test string
		text int32
	}
	failures := map[buildKey][]failure{}
	for _, c := range clusters {
		if c.ID == "" {
			return 0, fmt.Errorf("cluster %q has no id", c.Key[:min(len(c.Key), 60)])
		}
		if _, twice := t.ids[c.ID]; twice {
			return 0, fmt.Errorf("two clusters have the id %s", c.ID)
		}
		at := t.addCluster(Facts{ID: c.ID, Text: c.Text, Owner: ownerName(c.Owner)}, 0)
		t.clusters[at].spans = c.Spans
		text := t.addText(at, c.ID, c.Text, 0)
		for _, test := range c.Tests {
			for _, job := range test.Jobs {
				for _, number := range job.Builds {
					key := buildKey{job.Name, number}
					if _, ok := builds[key]; !ok {
						skipped++
						continue
					}
					failures[key] = append(failures[key], failure{test.Name, text})
				}
			}
		}
	}
	keys := make([]buildKey, 0, len(builds))
	for k := range builds {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b buildKey) int {
		return cmp.Or(builds[a].Started.Compare(builds[b].Started), cmp.Compare(a.job, b.job), cmp.Compare(a.number, b.number))
	})
	for _, k := range keys {
		if _, twice := t.paths[builds[k].Path]; twice {
			continue // one folder under two jobs' names
		}
		b := t.addBuild(builds[k], 0)
		for _, f := range failures[k] {
			t.addFailure(b, f.test, f.text)
		}
	}
	t.settle()
	return skipped, nil
}

// settle reads the facts of all clusters off the failures at hand.
func (t *Table) settle() {
	for i, b := range t.build {
		t.clusters[t.texts[t.text[i]].cluster].see(t.buildAt(b), t.tests.all[t.test[i]])
	}
	for i := range t.clusters {
		c := &t.clusters[i]
		if at, ok := t.paths[c.Landed.Build]; ok && c.Landed.Build != "" {
			c.Good = t.good(t.buildAt(at), c.Landed.Test)
		}
	}
}

// ownerName leaves out sig-, as triage does.
func ownerName(s string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "sig-")
}
