package job

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Changed lists the files of a change, relative to the repository's root. It
// is asked only if a job depends on files; a plan asks at most once.
type Changed func() ([]string, error)

// Decision is a job and why it runs or does not.
type Decision struct {
	Job *Job
	Why string
}

// Plan is what runs for an event and what does not, in the order of the
// configuration.
type Plan struct {
	Run  []Decision
	Skip []Decision
}

func (p *Plan) add(run bool, j *Job, why string) {
	if run {
		p.Run = append(p.Run, Decision{j, why})
	} else {
		p.Skip = append(p.Skip, Decision{j, why})
	}
}

// Jobs returns the jobs to run.
func (p Plan) Jobs() []*Job {
	jobs := make([]*Job, len(p.Run))
	for i, d := range p.Run {
		jobs[i] = d.Job
	}
	return jobs
}

// RunsOn reports whether the job runs for a branch (or a tag): the patterns
// are regular expressions that need not match the whole name, and one that
// skips goes before one that runs.
func (j *Job) RunsOn(branch string) bool {
	if j.skip != nil && j.skip.MatchString(branch) {
		return false
	}
	return j.branches == nil || j.branches.MatchString(branch)
}

// Automatic reports whether the job runs without being asked for: always, or
// depending on the files of the change.
func (j *Job) Automatic() bool { return j.AlwaysRun || j.changes != nil }

// Required reports whether a failure of the presubmit keeps a change from
// merging: it reports, and is not optional.
func (j *Job) Required() bool { return !j.Optional && !j.SkipReport }

// Triggered reports whether a comment asks for the presubmit by name.
func (j *Job) Triggered(comment string) bool {
	switch {
	case j.Type != Presubmit:
		return false
	case j.trigger != nil:
		return j.trigger.MatchString(comment)
	case !strings.Contains(comment, j.Name):
		return false
	}
	re, err := regexp.Compile(j.Trigger)
	return err == nil && re.MatchString(comment)
}

// once remembers the answer of a Changed.
func (c Changed) once() Changed {
	var files []string
	var err error
	asked := false
	return func() ([]string, error) {
		if !asked {
			asked = true
			if c != nil {
				files, err = c()
			}
		}
		return files, err
	}
}

// automatically decides a job on its own account.
func (j *Job) automatically(branch string, changed Changed) (bool, string, error) {
	switch {
	case !j.RunsOn(branch):
		return false, fmt.Sprintf("branch %s does not match", branch), nil
	case j.AlwaysRun:
		return true, "always runs", nil
	case j.changes == nil:
		if j.Type == Presubmit {
			return false, "manual only: " + j.RerunCommand, nil
		}
		return false, "manual only", nil
	}
	files, err := changed()
	if err != nil {
		return false, "", fmt.Errorf("deciding on job %s: listing the changed files: %w", j.Name, err)
	}
	run, why := j.byFiles(files)
	return run, why, nil
}

func (j *Job) byFiles(files []string) (bool, string) {
	if len(files) == 0 {
		return false, "the change has no files"
	}
	want := j.RunIfChanged != ""
	for _, f := range files {
		if j.changes.MatchString(f) != want {
			continue
		}
		if want {
			return true, fmt.Sprintf("%s matches run_if_changed", f)
		}
		return true, fmt.Sprintf("%s is outside skip_if_only_changed", f)
	}
	if want {
		return false, fmt.Sprintf("no file matches run_if_changed %s", j.RunIfChanged)
	}
	return false, fmt.Sprintf("every file matches skip_if_only_changed %s", j.SkipIfOnlyChanged)
}

// PresubmitsFor decides what runs by itself for a pull request of repo
// ("OWNER/NAME") against branch base. The error is that of changed.
func PresubmitsFor(c Config, repo, base string, changed Changed) (Plan, error) {
	return automatic(c.Presubmits[repo], base, changed)
}

// PostsubmitsFor decides what runs after a push to ref, the short name of a
// branch or a tag: patterns match tags as they match branches.
func PostsubmitsFor(c Config, repo, ref string, changed Changed) (Plan, error) {
	return automatic(c.Postsubmits[repo], ref, changed)
}

func automatic(jobs []*Job, branch string, changed Changed) (Plan, error) {
	changed = changed.once()
	var p Plan
	for _, j := range jobs {
		run, why, err := j.automatically(branch, changed)
		if err != nil {
			return Plan{}, err
		}
		p.add(run, j, why)
	}
	return p, nil
}

// Comment is what somebody wrote on a pull request, with what Select needs to
// know of the statuses on its head.
type Comment struct {
	Body string
	// Failed holds the contexts whose latest status is a failure or an error,
	// Known all that have one. They matter to /retest only.
	Failed, Known []string
	// Admitted says that the comment is an /ok-to-test that counts.
	Admitted bool
}

var (
	testAll        = regexp.MustCompile(`(?m)^/test all,?($|\s.*)`)
	testQuestion   = regexp.MustCompile(`(?m)^/test[ \t]*(\?[ \t]*)?\r?$`)
	testAny        = regexp.MustCompile(`(?m)^/test[ \t]+\S`)
	retest         = regexp.MustCompile(`(?m)^/retest\s*$`)
	retestRequired = regexp.MustCompile(`(?m)^/retest-required\s*$`)
)

// Selection is what a comment asks for.
type Selection struct {
	Plan
	// Help: the comment asks what could be run (/test ?, or /test alone), or
	// names a job that there is not. Answer with Available.
	Help bool
	// Asked: the comment holds a command of this kind at all.
	Asked bool
}

// Select decides what a comment starts: /test NAME by each job's trigger,
// /test all, /retest and /retest-required. A job asked for by name runs
// whatever its files say, but only on its branches.
func Select(c Config, repo, base string, changed Changed, comment Comment) (Selection, error) {
	changed = changed.once()
	all := comment.Admitted || testAll.MatchString(comment.Body)
	again := retest.MatchString(comment.Body)
	againRequired := retestRequired.MatchString(comment.Body)
	question := testQuestion.MatchString(comment.Body)
	s := Selection{Help: question, Asked: all || again || againRequired || question}
	named := false
	for _, j := range c.Presubmits[repo] {
		failed := slices.Contains(comment.Failed, j.Context)
		missing := j.Automatic() && !slices.Contains(comment.Known, j.Context)
		switch {
		case j.Triggered(comment.Body):
			named = true
			s.add(j.RunsOn(base), j, byBranch(j, base, "asked for by name"))
		case (again || againRequired && !j.Optional) && failed:
			s.add(j.RunsOn(base), j, byBranch(j, base, "its last run failed"))
		case all, (again || againRequired && !j.Optional) && missing:
			run, why, err := j.automatically(base, changed)
			if err != nil {
				return Selection{}, err
			}
			s.add(run, j, why)
		default:
			s.add(false, j, "not asked for")
		}
	}
	s.Asked = s.Asked || named || testAny.MatchString(comment.Body)
	if s.Asked && !named && !all && !again && !againRequired {
		s.Help = true
	}
	return s, nil
}

func byBranch(j *Job, base, why string) string {
	if j.RunsOn(base) {
		return why
	}
	return fmt.Sprintf("branch %s does not match", base)
}

// Menu is what /test ? answers with.
type Menu struct {
	Required []string // commands that start a job which must pass
	Optional []string
	All      []string // names that /test all would run
}

// Available lists what can be asked for on a pull request against base.
func Available(c Config, repo, base string, changed Changed) (Menu, error) {
	var m Menu
	for _, j := range c.Presubmits[repo] {
		if !j.RunsOn(base) {
			continue
		}
		if j.Optional {
			m.Optional = append(m.Optional, j.RerunCommand)
		} else {
			m.Required = append(m.Required, j.RerunCommand)
		}
	}
	p, err := PresubmitsFor(c, repo, base, changed)
	for _, j := range p.Jobs() {
		m.All = append(m.All, j.Name)
	}
	return m, err
}

// Contexts sorts the status contexts of a branch by what they mean for merging.
type Contexts struct {
	Required          []string // must be there and green
	RequiredIfPresent []string // must be green if there: conditional, manual and before-merge jobs
	Optional          []string // do not count
}

// Requirements returns what the presubmits of a repository mean for merging
// into a branch, by Tide's rules.
func Requirements(c Config, repo, branch string) Contexts {
	var out Contexts
	for _, j := range c.Presubmits[repo] {
		switch {
		case !j.RunsOn(branch):
		case !j.Required():
			out.Optional = append(out.Optional, j.Context)
		case j.AlwaysRun:
			out.Required = append(out.Required, j.Context)
		default:
			out.RequiredIfPresent = append(out.RequiredIfPresent, j.Context)
		}
	}
	return out
}

// BeforeMerge lists the presubmits that must be green at the tip of base for a
// change to merge: the required ones that its files ask for, and those that
// run before each merge.
func BeforeMerge(c Config, repo, base string, changed Changed) ([]*Job, error) {
	changed = changed.once()
	var jobs []*Job
	for _, j := range c.Presubmits[repo] {
		if !j.Required() || !j.RunsOn(base) {
			continue
		}
		run, _, err := j.automatically(base, changed)
		if err != nil {
			return nil, err
		}
		if run || j.RunBeforeMerge {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// NextRun returns when a periodic runs next, in UTC. For cron and interval,
// after is the start of its last run; for minimum_interval it is the end. It
// reports false for a job that never runs: one that is no periodic, or whose
// cron names a day there is not.
func NextRun(j *Job, after time.Time) (time.Time, bool) {
	after = after.UTC()
	switch {
	case j.Type != Periodic:
		return time.Time{}, false
	case j.schedule != nil:
		next := j.schedule.Next(after)
		return next, !next.IsZero()
	case j.Interval > 0:
		return after.Add(j.Interval), true
	case j.MinimumInterval > 0:
		return after.Add(j.MinimumInterval), true
	}
	return time.Time{}, false
}
