package live

import (
	"strings"
	"sync"
	"time"
)

// Build is one run of a job, passed or not.
type Build struct {
	// Path is where its results lie, such as logs/ci-unit/7. It names the build:
	// results recorded under one path twice count once.
	Path string `json:"path"`
	// Repo is OWNER/NAME, empty if it is not known.
	Repo   string `json:"repo,omitempty"`
	Job    string `json:"job"`
	Branch string `json:"branch,omitempty"`
	// Pull is the number of the change that was tested, 0 for none.
	Pull int `json:"pull,omitempty"`
	// Commit is what was tested: the head of the change if there was one.
	Commit  string        `json:"commit,omitempty"`
	Started time.Time     `json:"started"`
	Elapsed time.Duration `json:"-"`
	// Tests is how many tests ran; a build without any says nothing about them.
	Tests  int  `json:"tests,omitempty"`
	Passed bool `json:"passed"`
}

// Origin is a build in which something was seen, and the test that showed it.
type Origin struct {
	Build string `json:"build"`
	Repo  string `json:"repo,omitempty"`
	Job   string `json:"job"`
	Test  string `json:"test,omitempty"`
	Pull  int    `json:"pull,omitempty"`
	// Commit is empty if the build does not name one.
	Commit string    `json:"commit,omitempty"`
	At     time.Time `json:"at"`
}

// Facts are what is known of a cluster beyond the failures at hand. They
// outlive them: a failure that returns after a year was first seen a year ago.
type Facts struct {
	// ID is the cluster's name, in links too.
	ID string `json:"id"`
	// Text is one failure's text that stands for all.
	Text      string    `json:"text"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// First is the first build that failed so, Landed the first one of what was
	// merged already, and Good the last one before Landed, of the same job, in
	// which tests ran and this one did not fail. A build is empty if there was
	// none.
	First  Origin `json:"first"`
	Landed Origin `json:"landed"`
	Good   Origin `json:"good"`
	Description
	// Hits counts all failures ever.
	Hits int `json:"hits"`
	// Into names the cluster that all of this one's failures moved to, From the
	// one that this was a part of.
	Into string `json:"into,omitempty"`
	From string `json:"from,omitempty"`
}

// Table is a set of failures that can be asked about. Its methods may be called
// by many goroutines.
type Table struct {
	mu sync.RWMutex
	columns
}

// columns are the content of a table.
type columns struct {
	builds  []buildRow
	paths   map[string]int32
	ofJob   [][]int32 // builds by job
	commits []string  // of builds

	// One entry of each for every failure; those of one build are neighbours.
	build, test, text []int32

	texts    []textRow
	hashes   map[string]int32
	clusters []clusterRow
	ids      map[string]int32

	jobs, tests, repos, branches names
	testNumbers                  []int64 // in the store

	owners  ownerMemo
	matched *matchMemo

	// The highest numbers in the store.
	lastBuild, lastText, lastCluster, lastTest int64
	// Places by number in the store.
	clusterAt, textAt, testAt map[int64]int32
}

type buildRow struct {
	path              string
	job, repo, branch int32
	pull              int32
	started, elapsed  int64 // seconds
	tests             int32
	from, to          int32 // its failures
	number            int64 // in the store
	passed            bool
}

type textRow struct {
	cluster int32
	sample  string
	other   string // with other noise; empty until there is one
	hash    string
	number  int64
	hits    int32
}

type clusterRow struct {
	Facts
	number int64
	lower  string // the text, for filters
	// Words of the text that all of its failures have, and those that differ, in
	// turns; nil until it is asked for.
	spans []int
}

// names gives each distinct text a number.
type names struct {
	all   []string
	lower []string // for filters
	at    map[string]int32
}

func (n *names) number(s string) int32 {
	if i, ok := n.at[s]; ok {
		return i
	}
	if n.at == nil {
		n.at = map[string]int32{}
	}
	i := int32(len(n.all))
	n.all = append(n.all, s)
	n.lower = append(n.lower, strings.ToLower(s))
	n.at[s] = i
	return i
}

// NewTable returns a table without failures.
func NewTable() *Table {
	return &Table{columns: columns{
		matched: &matchMemo{},
		paths:   map[string]int32{}, hashes: map[string]int32{}, ids: map[string]int32{},
		clusterAt: map[int64]int32{}, textAt: map[int64]int32{}, testAt: map[int64]int32{},
	}}
}

// addBuild adds a build that is not there yet and returns where it is.
func (t *Table) addBuild(b Build, number int64) int32 {
	i := int32(len(t.builds))
	job := t.jobs.number(b.Job)
	t.builds = append(t.builds, buildRow{
		path: b.Path, job: job, repo: t.repos.number(b.Repo), branch: t.branches.number(b.Branch), pull: int32(b.Pull),
		started: b.Started.Unix(), elapsed: int64(b.Elapsed / time.Second), tests: int32(b.Tests), passed: b.Passed,
		from: int32(len(t.build)), to: int32(len(t.build)), number: number,
	})
	t.commits = append(t.commits, b.Commit)
	t.paths[b.Path] = i
	for int(job) >= len(t.ofJob) {
		t.ofJob = append(t.ofJob, nil)
	}
	t.ofJob[job] = append(t.ofJob[job], i)
	return i
}

func (t *Table) addText(cluster int32, hash, sample string, number int64) int32 {
	i := int32(len(t.texts))
	t.texts = append(t.texts, textRow{cluster: cluster, hash: hash, sample: sample, number: number})
	t.hashes[hash] = i
	return i
}

func (t *Table) addCluster(f Facts, number int64) int32 {
	i := int32(len(t.clusters))
	t.clusters = append(t.clusters, clusterRow{Facts: f, number: number, lower: strings.ToLower(f.Text)})
	t.ids[f.ID] = i
	return i
}

// addFailure adds a failure to the build that was added last.
func (t *Table) addFailure(build int32, test string, text int32) {
	t.build = append(t.build, build)
	number := t.tests.number(test)
	if int(number) == len(t.owners.ofTest) {
		t.owners.add(test)
	}
	t.test = append(t.test, number)
	t.text = append(t.text, text)
	t.builds[build].to = int32(len(t.build))
	t.texts[text].hits++
}

// buildAt is the build of a row, as it was added.
func (t *Table) buildAt(i int32) Build {
	b := t.builds[i]
	return Build{
		Path: b.path, Repo: t.repos.all[b.repo], Job: t.jobs.all[b.job], Branch: t.branches.all[b.branch], Pull: int(b.pull),
		Commit: t.commits[i], Started: time.Unix(b.started, 0).UTC(), Elapsed: time.Duration(b.elapsed) * time.Second,
		Tests: int(b.tests), Passed: b.passed,
	}
}

// find follows a name, through clusters that it has become a part of.
func (t *Table) find(id string) (int32, bool) {
	i, ok := t.ids[id]
	for range len(t.clusters) { // a chain, but never a ring without end
		if !ok || t.clusters[i].Into == "" {
			break
		}
		i, ok = t.ids[t.clusters[i].Into]
	}
	return i, ok
}

// Size says how many builds, failures and clusters a table holds.
func (t *Table) Size() (builds, failures, clusters int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.builds), len(t.build), len(t.clusters)
}
