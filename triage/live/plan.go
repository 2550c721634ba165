package live

import (
	"cmp"
	"slices"
	"time"
)

// plan says which rows builds add that are new, each after those before it. It
// changes nothing but the index.
func (s *Service) plan(all []Result) Rows {
	s.ready()
	p := newPlanner(s.table)
	p.s = s
	for _, r := range all {
		p.jobs[r.Job] = true
	}
	for i := range s.table.clusters {
		if job := s.table.clusters[i].Landed.Job; p.jobs[job] {
			p.landed[job] = append(p.landed[job], int32(i))
		}
	}
	for _, r := range all {
		p.build(r)
	}
	return p.finish()
}

// planner gathers the rows of builds. The table does not know them yet, so all
// that is looked up there is looked up here, too.
type planner struct {
	s       *Service
	t       *Table
	rows    Rows
	results []Result // of rows.Builds
	tests   map[string]int64
	texts   map[string]int   // in rows.Texts, by hash
	touched map[int32]*Facts // by place in the table, or behind its end
	named   map[string]bool  // names of clusters behind the end
	fresh   int32            // clusters behind the end

	freshTexts int64 // that the table does not have

	jobs   map[string]bool    // of the builds
	ofJob  map[string][]int   // in rows.Builds
	at     map[string]int     // in rows.Builds, by path
	landed map[string][]int32 // places of clusters, by the job they landed in; may hold some that left it
}

func newPlanner(t *Table) *planner {
	return &planner{
		t: t, tests: map[string]int64{}, texts: map[string]int{}, touched: map[int32]*Facts{}, named: map[string]bool{},
		jobs: map[string]bool{}, ofJob: map[string][]int{}, at: map[string]int{}, landed: map[string][]int32{},
	}
}

// build adds the rows of one build.
func (p *planner) build(r Result) {
	b := StoredBuild{Number: p.t.nextBuild() + int64(len(p.rows.Builds)), Build: r.Build}
	b.Started = b.Started.UTC().Truncate(time.Second)
	for _, f := range r.Failures {
		test, text := p.test(f.Test), p.text(f)
		b.Failures = append(b.Failures, StoredFailure{test, text.Number})
		p.note(int32(text.Cluster), b.Build, f.Test)
	}
	p.vouch(b.Build, r.Failures)
	i := len(p.rows.Builds)
	p.at[b.Path], p.ofJob[b.Job] = i, append(p.ofJob[b.Job], i)
	p.rows.Builds, p.results = append(p.rows.Builds, b), append(p.results, r)
}

// finish puts the clusters' numbers where places were.
func (p *planner) finish() Rows {
	places := make([]int32, 0, len(p.touched))
	for place := range p.touched {
		places = append(places, place)
	}
	slices.Sort(places)
	for _, place := range places {
		p.rows.Clusters = append(p.rows.Clusters, StoredCluster{p.number(place), *p.touched[place]})
	}
	for i, x := range p.rows.Texts {
		p.rows.Texts[i].Cluster = p.number(int32(x.Cluster))
	}
	return p.rows
}

func (p *planner) test(name string) int64 {
	if i, ok := p.t.tests.at[name]; ok {
		return p.t.testNumbers[i]
	}
	n, ok := p.tests[name]
	if !ok {
		n = p.t.nextTest() + int64(len(p.tests))
		p.tests[name] = n
		p.rows.Tests = append(p.rows.Tests, StoredTest{n, name})
	}
	return n
}

// text finds the text in the table or among those of these builds, or adds it.
// The cluster of what it returns is a place.
func (p *planner) text(f Failure) StoredText {
	h := f.hash
	if h == "" {
		h = hash(p.s.o.Sorter.Key(f.Text))
	}
	if i, ok := p.texts[h]; ok {
		x := &p.rows.Texts[i]
		x.Other = cmp.Or(x.Other, f.unlike(x.Sample))
		return *x
	}
	if i, ok := p.t.hashes[h]; ok {
		old := &p.t.texts[i]
		x := StoredText{Number: old.number, Cluster: int64(old.cluster), Hash: h, Sample: old.sample, Other: f.unlike(old.sample)}
		if old.other == "" && x.Other != "" {
			p.texts[h] = len(p.rows.Texts)
			p.rows.Texts = append(p.rows.Texts, x)
		}
		return x
	}
	place, known := p.s.index.Find(f.Text)
	if !known {
		place = int32(len(p.t.clusters)) + p.fresh
		p.fresh++
		p.touched[place] = &Facts{ID: p.name(h), Text: f.Text}
	}
	p.s.index.Add(f.Text, place)
	x := StoredText{Number: p.t.nextText() + p.freshTexts, Cluster: int64(place), Hash: h, Sample: f.Text, Other: f.unlike(f.Text)}
	p.freshTexts++
	p.texts[h] = len(p.rows.Texts)
	p.rows.Texts = append(p.rows.Texts, x)
	return x
}

// unlike is a text of the failure that is not the sample, empty if it has none.
func (f Failure) unlike(sample string) string {
	for _, text := range []string{f.Text, f.other} {
		if text != sample {
			return text
		}
	}
	return ""
}

// shortest is how many digits a cluster's name has; it gets more if two
// clusters would share them.
const shortest = 20

// name gives a cluster that is new its name.
func (p *planner) name(hash string) string {
	n := shortest
	for ; n < len(hash); n++ {
		if _, taken := p.t.ids[hash[:n]]; !taken && !p.named[hash[:n]] {
			break
		}
	}
	p.named[hash[:n]] = true
	return hash[:n]
}

func (p *planner) number(place int32) int64 {
	if int(place) < len(p.t.clusters) {
		return p.t.clusters[place].number
	}
	return p.t.nextCluster() + int64(place) - int64(len(p.t.clusters))
}

// touch returns the facts of a cluster, to be changed.
func (p *planner) touch(place int32) *Facts {
	f := p.touched[place]
	if f == nil {
		copied := p.t.clusters[place].Facts
		f = &copied
		p.touched[place] = f
	}
	return f
}

// note takes a failure into the facts of its cluster.
func (p *planner) note(place int32, b Build, test string) {
	f := p.touch(place)
	landed := f.Landed
	f.see(b, test)
	if f.Landed.Build == landed.Build {
		return
	}
	f.Good = p.good(b, test)
	if f.Landed.Job != landed.Job {
		p.landed[f.Landed.Job] = append(p.landed[f.Landed.Job], place)
	}
}

// good is Table.good, of the builds gathered here, too.
func (p *planner) good(before Build, test string) Origin {
	best := p.t.good(before, test)
	for _, i := range p.ofJob[before.Job] {
		b := &p.rows.Builds[i].Build
		earlier := b.Started.Before(before.Started) || b.Started.Equal(before.Started) && b.Path < before.Path
		if earlier && b.Repo == before.Repo && b.Branch == before.Branch && b.Pull == 0 && b.Tests > 0 &&
			(best.Build == "" || b.Started.After(best.At)) && !failed(p.results[i].Failures, test) {
			best = originOf(*b, test)
		}
	}
	return best
}

func failed(failures []Failure, test string) bool {
	return slices.ContainsFunc(failures, func(f Failure) bool { return f.Test == test })
}

// vouch makes a build the last good one of clusters that landed after it, if it
// is read later than the build that showed them first.
func (p *planner) vouch(b Build, failures []Failure) {
	if b.Pull != 0 || b.Tests == 0 {
		return
	}
	for _, place := range p.landed[b.Job] {
		f := p.touched[place]
		if f == nil {
			f = &p.t.clusters[place].Facts
		}
		if f.Landed.Job != b.Job || f.Landed.Repo != b.Repo || f.Landed.Build == "" || b.Started.After(f.Landed.At) ||
			b.Started.Equal(f.Landed.At) && b.Path >= f.Landed.Build || !b.Started.After(f.Good.At) {
			continue
		}
		if branch, ok := p.branch(f.Landed.Build); !ok || branch != b.Branch || failed(failures, f.Landed.Test) {
			continue
		}
		f = p.touch(place)
		f.Good = originOf(b, f.Landed.Test)
	}
}

// branch is that of a build that is known.
func (p *planner) branch(path string) (string, bool) {
	if i, ok := p.at[path]; ok {
		return p.rows.Builds[i].Branch, true
	}
	i, ok := p.t.paths[path]
	if !ok {
		return "", false
	}
	return p.t.branches.all[p.t.builds[i].branch], true
}
