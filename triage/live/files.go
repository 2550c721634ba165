package live

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/triage"
)

// ReadData fills a table from triage's failure_data.json. Clusters keep the
// names they have there. The file knows no branches, no commits and no single
// failures. Builds that a cluster names and the file does not describe are
// counted in skipped, with their failures left out.
func ReadData(r io.Reader) (t *Table, skipped int, err error) {
	d, err := triage.ReadData(r)
	switch {
	case errors.Is(err, io.EOF):
		return nil, 0, errors.New("the file is empty: triage's failure_data.json is wanted")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, 0, errors.New("the file ends in the middle: it was not copied whole")
	case err != nil:
		return nil, 0, fmt.Errorf("the file is not triage's failure_data.json: %w", err)
	}
	if d.Clustered == nil && d.Builds.Jobs == nil {
		return nil, 0, errors.New("the file is not triage's failure_data.json: it has neither clusters nor builds")
	}
	t = NewTable()
	skipped, err = t.fill(d.Clustered, buildsOf(d.Builds))
	return t, skipped, err
}

// buildKey is a build in triage's file.
type buildKey struct {
	job    string
	number int64
}

// buildsOf turns columns into builds. Columns other than of starts may be
// missing.
func buildsOf(d triage.Columns) map[buildKey]Build {
	builds := make(map[buildKey]Build, len(d.Cols.Started))
	for job, columns := range d.Jobs {
		for number, i := range columns {
			b := Build{Job: strings.TrimPrefix(job, "pr:"), Started: time.Unix(d.Cols.Started[i], 0).UTC()}
			b.Path = cmp.Or(strings.TrimRight(d.JobPaths[job], "/"), job) + "/" + strconv.FormatInt(number, 10)
			pull := ""
			if i < len(d.Cols.PR) {
				pull = d.Cols.PR[i]
			}
			if i < len(d.Cols.Elapsed) {
				b.Elapsed = time.Duration(min(max(d.Cols.Elapsed[i], 0), 365*day)) * time.Second
			}
			if i < len(d.Cols.TestsRun) {
				b.Tests = d.Cols.TestsRun[i]
			}
			if i < len(d.Cols.Result) {
				b.Passed = d.Cols.Result[i] == "SUCCESS"
			}
			b.Pull = pullOf(job, pull)
			builds[buildKey{job, number}] = b
		}
	}
	return builds
}

// pullOf is the number of the change a build tested. A job of triage's whose
// name begins with pr: tests some change or other: 1 stands for it.
func pullOf(job, pull string) int {
	if n, err := strconv.ParseInt(pull, 10, 31); err == nil && n > 0 {
		return int(n)
	}
	if strings.HasPrefix(job, "pr:") {
		return 1
	}
	return 0
}

// fill adds builds and failures in the order of time.
func (t *Table) fill(clusters []triage.ClusterData, builds map[buildKey]Build) (skipped int, err error) {
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
		at := t.addCluster(Facts{ID: c.ID, Text: c.Text, Description: Description{Owner: ownerName(c.Owner)}}, 0)
		t.clusters[at].spans = c.Spans
		sample := t.addText(at, c.ID, c.Text, 0)
		for _, test := range c.Tests {
			for _, job := range test.Jobs {
				for _, text := range job.Builds {
					number, err := strconv.ParseInt(string(text), 10, 64)
					key := buildKey{job.Name, number}
					if _, ok := builds[key]; !ok || err != nil {
						skipped++
						continue
					}
					failures[key] = append(failures[key], failure{test.Name, sample})
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
