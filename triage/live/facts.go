package live

import (
	"slices"
	"time"
)

// see takes one failure into the facts. What Good is, is for the caller to find
// when Landed changes.
func (f *Facts) see(b Build, test string) {
	f.Hits++
	at := b.Started.UTC().Truncate(time.Second)
	if f.First.Build == "" || at.Before(f.FirstSeen) {
		f.FirstSeen, f.First = at, originOf(b, test)
	}
	if at.After(f.LastSeen) {
		f.LastSeen = at
	}
	if b.Pull == 0 && (f.Landed.Build == "" || at.Before(f.Landed.At)) {
		f.Landed, f.Good = originOf(b, test), Origin{}
	}
}

func originOf(b Build, test string) Origin {
	return Origin{Build: b.Path, Repo: b.Repo, Job: b.Job, Test: test, Pull: b.Pull, Commit: b.Commit, At: b.Started.UTC().Truncate(time.Second)}
}

// good looks for the newest build of the same job, repository and branch before
// another (of one second, the lower path), in which tests ran and this one did not fail. That it ran at all is
// not known: a test that is new to a job is taken to have been fine before.
func (t *Table) good(before Build, test string) Origin {
	job, ok := t.jobs.at[before.Job]
	repo, known := t.repos.at[before.Repo]
	branch, named := t.branches.at[before.Branch]
	if !ok || !known || !named {
		return Origin{}
	}
	number, ran := t.tests.at[test]
	started, best := before.Started.Unix(), int32(-1)
	for _, i := range t.ofJob[job] {
		b := &t.builds[i]
		if b.started > started || b.started == started && b.path >= before.Path || b.repo != repo || b.branch != branch || b.pull != 0 || b.tests == 0 || best >= 0 && b.started <= t.builds[best].started {
			continue
		}
		if !ran || !slices.Contains(t.test[b.from:b.to], number) {
			best = i
		}
	}
	if best < 0 {
		return Origin{}
	}
	return originOf(t.buildAt(best), test)
}
