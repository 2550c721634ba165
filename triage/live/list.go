package live

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"
)

const day = 24 * 3600 // seconds

// Trend says how a cluster fares.
type Trend string

// Trends: the failures of the last day against the daily mean of the days
// before. Counts of independent failures spread by about the root of their
// mean, so a difference of less than twice that is no news; and a cluster with
// less than three failures a day may well be spared for a day by luck.
const (
	TrendNew     Trend = "new"     // first seen in the last day
	TrendRising  Trend = "rising"  // clearly more than before
	TrendSteady  Trend = "steady"  // about as before
	TrendFalling Trend = "falling" // clearly less than before
	TrendGone    Trend = "gone"    // none, where there were three a day or more
)

// TrendOf judges the failures of the last day by those of the days before it,
// of which there were days; fresh says that there was none before.
func TrendOf(last, before int, days float64, fresh bool) Trend {
	mean := float64(before) / max(days, 1)
	spread := 2 * math.Sqrt(max(mean, 1))
	switch {
	case fresh && last > 0:
		return TrendNew
	case last == 0 && mean >= 3:
		return TrendGone
	case float64(last) > mean+spread:
		return TrendRising
	case float64(last) < mean-spread:
		return TrendFalling
	}
	return TrendSteady
}

// Row is a cluster as a list shows it: the counts are of the failures that the
// filter selects.
type Row struct {
	Facts
	Failures int   `json:"failures"`
	LastDay  int   `json:"last_day"`
	Builds   int   `json:"builds"`
	Jobs     int   `json:"jobs"`
	Tests    int   `json:"tests"`
	Trend    Trend `json:"trend"`
	// Latest is the start of the newest build that failed so.
	Latest time.Time `json:"latest"`
	// Owned is the owner: the one that was set, or read off the tests' names.
	Owned string `json:"owned,omitempty"`
	// Graph counts failures in Steps equal parts of the time, oldest first.
	Graph []int `json:"graph"`
}

// Steps is how many parts the graph of a list's row has.
const Steps = 56

// OwnerCount is an owner and how many of the clusters are his.
type OwnerCount struct {
	Owner    string `json:"owner"` // "none" for nobody
	Clusters int    `json:"clusters"`
	Failures int    `json:"failures"`
}

// Nobody is what a filter calls the owner of clusters that have none.
const Nobody = "none"

// List is the answer to a filter.
type List struct {
	// Clusters is the window that was asked for, of Total.
	Clusters []Row `json:"clusters"`
	Total    int   `json:"total"`
	// Failures, of which LastDay are of the last day, are those of all Total
	// clusters; Builds are all that the filter looks at, failed or not.
	Failures int `json:"failures"`
	LastDay  int `json:"last_day"`
	Builds   int `json:"builds"`
	// Single counts clusters of one failure. They are left out unless the filter
	// asks for them.
	Single int `json:"single"`
	// From and Until are the time that is looked at.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Owners count what the filter would show were it not for its owners.
	Owners []OwnerCount `json:"owners"`
	// Graph counts failures by the hour, oldest first.
	Graph []int `json:"graph"`
}

// selection is a filter made ready for one table.
type selection struct {
	from, until int64 // seconds; until is not within
	builds      []bool
	tests       []bool // nil: all
	clusters    []bool // nil: all
	seen        int    // builds that are selected
}

// tally is what is counted of one cluster.
type tally struct {
	failures, day, builds int
	last                  int64
	lastBuild             int32
}

// List answers a filter as of now. The error is a *FilterError, or that of a
// context that ended.
func (t *Table) List(ctx context.Context, f Filter, now time.Time) (List, error) {
	if err := f.Check(); err != nil {
		return List{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	s, err := t.selection(ctx, f, now)
	if err != nil {
		return List{}, err
	}
	counts := t.count(s)
	owners := t.ownersNow(s.until)
	l := List{Builds: s.seen, From: time.Unix(s.from, 0).UTC(), Until: time.Unix(s.until, 0).UTC()}
	var shown []int32
	facets := map[string]OwnerCount{}
	for i := range counts {
		c := &counts[i]
		if c.failures == 0 {
			continue
		}
		if c.failures == 1 && !f.Alone && t.alone(int32(i)) {
			l.Single++
			continue
		}
		owner := cmp.Or(owners[i], Nobody)
		o := facets[owner]
		facets[owner] = OwnerCount{owner, o.Clusters + 1, o.Failures + c.failures}
		if len(f.Owners) > 0 && !slices.Contains(f.Owners, owner) {
			continue
		}
		l.Total++
		l.Failures += c.failures
		l.LastDay += c.day
		shown = append(shown, int32(i))
	}
	for _, o := range facets {
		l.Owners = append(l.Owners, o)
	}
	slices.SortFunc(l.Owners, func(a, b OwnerCount) int {
		return cmp.Or(cmp.Compare(b.Clusters, a.Clusters), cmp.Compare(a.Owner, b.Owner))
	})
	t.order(shown, counts, f.Sort)
	all := make([]bool, len(t.clusters))
	for _, i := range shown {
		all[i] = true
	}
	from := min(f.Offset, len(shown))
	window := shown[from:min(from+cmp.Or(min(f.Limit, MostClusters), 25), len(shown))]
	l.Clusters, l.Graph = t.rows(window, counts, owners, all, s)
	return l, nil
}

// alone reports whether a cluster has one failure in the whole table: one of
// which a filter happens to select a single failure is not alone.
func (t *Table) alone(cluster int32) bool { return t.clusters[cluster].Hits <= 1 }

func (t *Table) order(shown []int32, counts []tally, by Order) {
	slices.SortFunc(shown, func(a, b int32) int {
		x, y := &t.clusters[a], &t.clusters[b]
		var first int
		switch by {
		case ByDay:
			first = cmp.Or(cmp.Compare(counts[b].day, counts[a].day), cmp.Compare(counts[b].failures, counts[a].failures))
		case ByMessage:
			first = cmp.Or(cmp.Compare(strings.TrimSpace(x.lower), strings.TrimSpace(y.lower)), cmp.Compare(x.Text, y.Text))
		case ByNewest:
			first = y.FirstSeen.Compare(x.FirstSeen)
		default:
			first = cmp.Compare(counts[b].failures, counts[a].failures)
		}
		return cmp.Or(first, cmp.Compare(x.ID, y.ID))
	})
}

// end is where a table's time ends: now, or with its newest build if that was
// long ago, as in a file of last year's.
func (t *Table) end(now time.Time) int64 {
	newest := int64(0)
	for i := range t.builds {
		newest = max(newest, t.builds[i].started)
	}
	if end := now.Unix(); newest == 0 || newest+day >= end && newest < end {
		return end
	}
	return newest + 1
}

// selection matches every distinct job, test, repository, branch and text once.
func (t *Table) selection(ctx context.Context, f Filter, now time.Time) (selection, error) {
	until := t.end(now)
	if !f.Until.IsZero() {
		until = f.Until.Unix()
	}
	s := selection{until: until, from: until - int64(cmp.Or(f.Days, Days))*day}
	jobs, err := t.matched.texts(ctx, t.jobs.lower, expression{"job", f.Job}, expression{"xjob", f.NotJob})
	if err != nil {
		return s, err
	}
	repos, err := t.matched.texts(ctx, t.repos.lower, expression{"repo", f.Repo}, expression{"xrepo", f.NotRepo})
	if err != nil {
		return s, err
	}
	if s.tests, err = t.matched.texts(ctx, t.tests.lower, expression{"test", f.Test}, expression{"xtest", f.NotTest}); err != nil {
		return s, err
	}
	if f.Text != "" || f.NotText != "" {
		texts := make([]string, len(t.clusters))
		for i := range t.clusters {
			texts[i] = t.clusters[i].lower
		}
		if s.clusters, err = t.matched.texts(ctx, texts, expression{"text", f.Text}, expression{"xtext", f.NotText}); err != nil {
			return s, err
		}
	}
	branch, named := int32(-1), f.Branch != ""
	if i, ok := t.branches.at[f.Branch]; ok {
		branch = i
	}
	s.builds = make([]bool, len(t.builds))
	for i := range t.builds {
		b := &t.builds[i]
		ok := b.started >= s.from && b.started < s.until &&
			(jobs == nil || jobs[b.job]) && (repos == nil || repos[b.repo]) &&
			(f.CI == f.PR || f.PR == (b.pull != 0)) && (!named || b.branch == branch)
		if ok {
			s.builds[i] = true
			s.seen++
		}
	}
	return s, nil
}

// each calls one for every selected failure.
func (t *Table) each(s selection, one func(build, test, cluster int32)) {
	for i, b := range t.build {
		if !s.builds[b] || s.tests != nil && !s.tests[t.test[i]] {
			continue
		}
		c := t.texts[t.text[i]].cluster
		if s.clusters == nil || s.clusters[c] {
			one(b, t.test[i], c)
		}
	}
}

func (t *Table) count(s selection) []tally {
	counts := make([]tally, len(t.clusters))
	t.each(s, func(b, _, c int32) {
		x := &counts[c]
		if x.failures == 0 || x.lastBuild != b {
			x.builds++
			x.lastBuild = b
		}
		x.failures++
		started := t.builds[b].started
		if started >= s.until-day {
			x.day++
		}
		x.last = max(x.last, started)
	})
	return counts
}

// rows fills in what is only counted for clusters in the window, and the graph
// of all.
func (t *Table) rows(window []int32, counts []tally, owners []string, all []bool, s selection) (rows []Row, hours []int) {
	rows = make([]Row, len(window))
	at := make([]int32, len(t.clusters)) // place in the window, from one
	for i, c := range window {
		at[c] = int32(i + 1)
		x := counts[c]
		rows[i] = Row{
			Facts: t.clusters[c].Facts, Failures: x.failures, LastDay: x.day, Builds: x.builds, Owned: owners[c],
			Latest: time.Unix(x.last, 0).UTC(), Graph: make([]int, Steps), Trend: t.trend(c, x, s),
		}
	}
	type pair struct{ place, what int32 }
	jobs, tests := map[pair]bool{}, map[pair]bool{}
	hours = make([]int, (s.until-s.from+3599)/3600)
	t.each(s, func(b, test, c int32) {
		if !all[c] {
			return
		}
		started := t.builds[b].started
		hours[(started-s.from)/3600]++
		if at[c] == 0 {
			return
		}
		place := at[c] - 1
		rows[place].Graph[(started-s.from)*Steps/(s.until-s.from)]++
		jobs[pair{place, t.builds[b].job}] = true
		tests[pair{place, test}] = true
	})
	for p := range jobs {
		rows[p.place].Jobs++
	}
	for p := range tests {
		rows[p.place].Tests++
	}
	return rows, hours
}

// trend compares the last day with the days that were looked at, as far as the
// cluster is as old as they are.
func (t *Table) trend(cluster int32, x tally, s selection) Trend {
	first := t.clusters[cluster].FirstSeen.Unix()
	start := max(s.from, first)
	return TrendOf(x.day, x.failures-x.day, float64(s.until-day-start)/day, first >= s.until-day)
}
