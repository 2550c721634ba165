package live

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// ErrNoCluster means that no cluster has that name.
var ErrNoCluster = errors.New("there is no such cluster of failures")

// Hit is one failure.
type Hit struct {
	Build
	Test string `json:"test"`
}

// Share is how many of a cluster's failures fall to something, and in how many
// builds.
type Share struct {
	Name     string `json:"name"`
	Failures int    `json:"failures"`
	Builds   int    `json:"builds"`
	LastDay  int    `json:"last_day"`
	// OfBuilds is how many builds of a job there were; only jobs have it.
	OfBuilds int `json:"of_builds,omitempty"`
}

// TestShare is a test, and the jobs in which it failed so.
type TestShare struct {
	Share
	Jobs []Share `json:"jobs"`
}

// Segment is a piece of a text: words that all of a cluster's failures have,
// or words that differ from one to the next.
type Segment struct {
	Text   string `json:"text"`
	Varies bool   `json:"varies,omitempty"`
}

// Merge is a change that was merged between two commits.
type Merge struct {
	Commit string `json:"commit"`
	// Pull is the change's number, 0 if the commit does not name it.
	Pull  int       `json:"pull,omitempty"`
	Title string    `json:"title"`
	At    time.Time `json:"at"`
}

// Detail is all there is to say about a cluster. The counts are of the failures
// that the filter selects; shares are sorted, the largest first.
type Detail struct {
	Row
	Segments []Segment `json:"segments"`
	// Hours counts failures by the hour from From on.
	Hours    []int       `json:"hours"`
	From     time.Time   `json:"from"`
	Until    time.Time   `json:"until"`
	Recent   []Hit       `json:"latest_failures"`
	OfTests  []TestShare `json:"by_test"`
	OfJobs   []Share     `json:"by_job"`
	Branches []Share     `json:"by_branch"`
	// OfBuilds is how many builds of the jobs above there were, so that the part
	// of them that failed so can be told.
	OfBuilds int `json:"of_builds"`
	// Merges are the changes merged after Good up to Landed, newest first; nil if
	// that is not known.
	Merges []Merge `json:"merges,omitempty"`
}

// Latest is how many of the latest failures a Detail holds.
const Latest = 20

// Cluster tells about the cluster of that name, or the one that it became a
// part of, as of now. The error wraps ErrNoCluster if there is none.
func (t *Table) Cluster(ctx context.Context, id string, f Filter, now time.Time) (Detail, error) {
	if err := f.Check(); err != nil {
		return Detail{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	c, ok := t.find(id)
	if !ok {
		return Detail{}, ErrNoCluster
	}
	f.Text, f.NotText = "", "" // it was chosen already
	s, err := t.selection(ctx, f, now)
	if err != nil {
		return Detail{}, err
	}
	s.clusters = make([]bool, len(t.clusters))
	s.clusters[c] = true
	counts := t.count(s)
	rows, hours := t.rows([]int32{c}, counts, t.ownersNow(s.until), s.clusters, s)
	d := Detail{Row: rows[0], Hours: hours, From: time.Unix(s.from, 0).UTC(), Until: time.Unix(s.until, 0).UTC(), Segments: t.segments(c)}
	t.shares(&d, s)
	return d, nil
}

// counter counts by number.
type counter map[int32]*counted

type counted struct {
	Share
	last int32 // build
}

func (c counter) add(what, build int32, today bool) {
	x := c[what]
	if x == nil {
		x = &counted{last: -1}
		c[what] = x
	}
	x.Failures++
	if today {
		x.LastDay++
	}
	if x.last != build {
		x.last = build
		x.Builds++
	}
}

func (c counter) sorted(name []string) []Share {
	all := make([]Share, 0, len(c))
	for i, x := range c {
		x.Name = name[i]
		all = append(all, x.Share)
	}
	slices.SortFunc(all, moreFirst)
	return all
}

func moreFirst(a, b Share) int {
	return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(a.Name, b.Name))
}

func (t *Table) shares(d *Detail, s selection) {
	type place struct{ build, test int32 }
	jobs, branches, ofTest := counter{}, counter{}, map[int32]counter{}
	tests := counter{}
	var hits []place
	t.each(s, func(b, test, _ int32) {
		row := &t.builds[b]
		today := row.started >= s.until-day
		jobs.add(row.job, b, today)
		branches.add(row.branch, b, today)
		tests.add(test, b, today)
		if ofTest[test] == nil {
			ofTest[test] = counter{}
		}
		ofTest[test].add(row.job, b, today)
		hits = append(hits, place{b, test})
	})
	slices.SortStableFunc(hits, func(a, b place) int {
		x, y := &t.builds[a.build], &t.builds[b.build]
		return cmp.Or(cmp.Compare(y.started, x.started), cmp.Compare(y.path, x.path), cmp.Compare(t.tests.all[a.test], t.tests.all[b.test]))
	})
	for _, h := range hits[:min(len(hits), Latest)] {
		d.Recent = append(d.Recent, Hit{t.buildAt(h.build), t.tests.all[h.test]})
	}
	ran := map[int32]int{} // builds of the jobs in question
	for i := range t.builds {
		if job := t.builds[i].job; s.builds[i] && jobs[job] != nil {
			ran[job]++
			d.OfBuilds++
		}
	}
	for job, x := range jobs {
		x.OfBuilds = ran[job]
	}
	for test, x := range tests {
		x.Name = t.tests.all[test]
		for job, y := range ofTest[test] {
			y.OfBuilds = ran[job]
		}
		d.OfTests = append(d.OfTests, TestShare{x.Share, ofTest[test].sorted(t.jobs.all)})
	}
	slices.SortFunc(d.OfTests, func(a, b TestShare) int { return moreFirst(a.Share, b.Share) })
	d.OfJobs, d.Branches = jobs.sorted(t.jobs.all), branches.sorted(t.branches.all)
}

// Of names the cluster of a test's failure in a build, for links to it. A test
// that failed in several ways leads to the first.
func (t *Table) Of(build, test string) (id string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.paths[build]
	if !ok {
		return "", false
	}
	number, ok := t.tests.at[test]
	if !ok {
		return "", false
	}
	for i := t.builds[b].from; i < t.builds[b].to; i++ {
		if t.test[i] == number {
			return t.clusters[t.texts[t.text[i]].cluster].ID, true
		}
	}
	return "", false
}
