package history

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Line is a test in one job.
type Line struct {
	Source
	Judgement
	Name      string    `json:"name"` // of the row in this job
	LastRun   time.Time `json:"last_run,omitzero"`
	Message   string    `json:"message,omitempty"` // of the newest failure
	Durations Durations `json:"durations"`
	// Recent are the newest runs, newest first, at most as many as are judged.
	Recent []Result `json:"recent"`
}

// Branch is a test on one branch, over all the jobs that test the branch itself.
type Branch struct {
	Repo      string   `json:"repo,omitempty"`
	Branch    string   `json:"branch"`
	State     State    `json:"state"` // the worst of its jobs
	Jobs      []string `json:"jobs"`
	Runs      int      `json:"runs"`
	Passes    int      `json:"passes"`
	Fails     int      `json:"fails"`
	Flakes    int      `json:"flakes"`
	PassRate  Rate     `json:"pass_rate"`
	FlakeRate Rate     `json:"flake_rate"`
}

// Pull is a test in one pull request.
type Pull struct {
	Repo    string    `json:"repo,omitempty"`
	Pull    string    `json:"pull"`
	Branch  string    `json:"branch,omitempty"`
	Runs    int       `json:"runs"`
	Fails   int       `json:"fails"`
	Flakes  int       `json:"flakes"` // whose very commit passed, too
	LastRun time.Time `json:"last_run,omitzero"`
	Build   string    `json:"build"` // of the newest failure, of the newest run if none failed
	Job     string    `json:"job"`
	Message string    `json:"message,omitempty"`
}

// Test is all that is known of a test.
type Test struct {
	Name string `json:"name"`
	// State is the worst of its jobs, presubmits left out if others test it.
	State    State `json:"state"`
	Runs     int   `json:"runs"`
	Passes   int   `json:"passes"`
	Fails    int   `json:"fails"`
	Flakes   int   `json:"flakes"`
	PassRate Rate  `json:"pass_rate"`
	// FlakeRate is over all jobs, presubmits too.
	FlakeRate Rate      `json:"flake_rate"`
	Durations Durations `json:"durations"`
	Branches  []Branch  `json:"branches"`
	Jobs      []Line    `json:"jobs"`
	Pulls     []Pull    `json:"pulls"` // newest first
	// FirstBad is the line whose break goes on and began last of all; its
	// LastGood and FirstBad bound the commits in question. Nil if nothing is
	// broken.
	FirstBad   *Line       `json:"first_bad,omitempty"`
	OtherNames []OtherName `json:"other_names,omitempty"`
}

// considered are the runs that a flake rate is a share of.
func (j Judgement) considered() int { return j.Passes + j.Flakes }

// worstFirst orders states.
func worstFirst(s State) int {
	return slices.Index([]State{Broken, Flaky, Unknown, Passing}, s)
}

// Of judges a test by its series, at most one of each job and branch. The order
// of the series makes no difference.
func Of(name string, all []Series, o Options) Test {
	o = o.withDefaults()
	t := Test{Name: name, State: Unknown, Branches: []Branch{}, Jobs: []Line{}, Pulls: []Pull{}}
	var results []Result
	considered := 0
	for _, s := range all {
		l := line(s, o)
		t.Jobs = append(t.Jobs, l)
		t.Runs += l.Runs
		t.Passes += l.Passes
		t.Fails += l.Fails
		t.Flakes += l.Flakes
		considered += l.considered()
		results = append(results, l.Recent...)
	}
	t.PassRate, t.FlakeRate = RateOf(t.Passes, t.Runs), RateOf(t.Flakes, considered)
	slices.SortStableFunc(results, func(x, y Result) int {
		return cmp.Or(y.Started.Compare(x.Started), strings.Compare(x.Build, y.Build))
	})
	t.Durations = durationsOf(results)
	slices.SortStableFunc(t.Jobs, func(x, y Line) int {
		return cmp.Or(worstFirst(x.State)-worstFirst(y.State), order(x.Presubmit)-order(y.Presubmit), strings.Compare(x.Repo, y.Repo),
			strings.Compare(x.Branch, y.Branch), strings.Compare(x.Job, y.Job), strings.Compare(x.Name, y.Name), strings.Compare(x.Dashboard, y.Dashboard))
	})
	t.branches()
	t.pulls()
	t.state()
	return t
}

func order(later bool) int {
	if later {
		return 1
	}
	return 0
}

func line(s Series, o Options) Line {
	l := Line{Source: s.Source, Judgement: Judge(s, o), Name: s.Test}
	l.Recent = append([]Result{}, s.Results[:min(len(s.Results), o.Newest)]...)
	l.Durations = durationsOf(l.Recent)
	if len(l.Recent) > 0 {
		l.LastRun = l.Recent[0].Started
	}
	for _, r := range l.Recent {
		if !r.Outcome.Passing() && r.done() {
			l.Message = r.Message
			break
		}
	}
	return l
}

func (t *Test) branches() {
	at := map[[2]string]int{}
	considered := map[[2]string]int{}
	for _, l := range t.Jobs {
		if l.Presubmit {
			continue
		}
		key := [2]string{l.Repo, l.Branch}
		i, ok := at[key]
		if !ok {
			i = len(t.Branches)
			at[key] = i
			t.Branches = append(t.Branches, Branch{Repo: l.Repo, Branch: l.Branch, State: l.State}) // lines come worst first
		}
		b := &t.Branches[i]
		if !slices.Contains(b.Jobs, l.Job) {
			b.Jobs = append(b.Jobs, l.Job)
		}
		b.Runs += l.Runs
		b.Passes += l.Passes
		b.Fails += l.Fails
		b.Flakes += l.Flakes
		considered[key] += l.considered()
		b.PassRate, b.FlakeRate = RateOf(b.Passes, b.Runs), RateOf(b.Flakes, considered[key])
	}
	slices.SortStableFunc(t.Branches, func(x, y Branch) int {
		return cmp.Or(strings.Compare(x.Repo, y.Repo), strings.Compare(x.Branch, y.Branch))
	})
}

func (t *Test) pulls() {
	at := map[[2]string]int{}
	for _, l := range t.Jobs {
		if !l.Presubmit {
			continue
		}
		healthy := passed(l.Recent)
		for i, r := range l.Recent {
			if r.Pull == "" || !r.done() {
				continue
			}
			key := [2]string{l.Repo, r.Pull}
			k, ok := at[key]
			if !ok {
				k = len(t.Pulls)
				at[key] = k
				t.Pulls = append(t.Pulls, Pull{Repo: l.Repo, Pull: r.Pull, Branch: l.Branch, LastRun: r.Started, Build: r.Build, Job: l.Job})
			}
			t.Pulls[k].add(l.Job, r, healthy[content(r, i)])
		}
	}
	slices.SortStableFunc(t.Pulls, func(x, y Pull) int {
		return cmp.Or(y.LastRun.Compare(x.LastRun), strings.Compare(x.Repo, y.Repo), strings.Compare(x.Pull, y.Pull))
	})
}

func (p *Pull) add(job string, r Result, healthy bool) {
	p.Runs++
	if r.Started.After(p.LastRun) {
		p.LastRun = r.Started
	}
	if r.Outcome.Passing() {
		return
	}
	if p.Fails == 0 {
		p.Build, p.Job, p.Message = r.Build, job, r.Message
	}
	p.Fails++
	if healthy {
		p.Flakes++
	}
}

func (t *Test) state() {
	branch := slices.ContainsFunc(t.Jobs, func(l Line) bool { return !l.Presubmit })
	first := true
	for i, l := range t.Jobs {
		if branch && l.Presubmit {
			continue
		}
		if first {
			t.State, first = l.State, false // lines come worst first
		}
		if l.State == Broken && l.FirstBad != nil && (t.FirstBad == nil || l.FirstBad.Started.After(t.FirstBad.FirstBad.Started)) {
			t.FirstBad = &t.Jobs[i]
		}
	}
}
