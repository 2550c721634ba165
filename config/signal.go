package config

import (
	"path"
	"time"

	"seaworthy/strict"
)

// Signal says what decides whether a branch is red, yellow or green. Limits that
// are lists go by the age of the branch: the first is the default branch's, the
// second the newest release branch's and so on; the last holds for all older
// ones.
type Signal struct {
	Dashboards []SignalBoard `json:"dashboards" doc:"Which dashboards decide about which branch. Read from their names if empty: sig-release-1.36-blocking, halyard-informing."`
	Greens     int           `json:"greens" doc:"How many of a blocking job's newest runs must be green before a release is cut."`
	SameCommit bool          `json:"same_commit" doc:"Whether those runs must be of one commit."`
	Duration   []string      `json:"duration" doc:"How long 75 percent of a blocking job's runs may take, such as 120m, by age of the branch."`
	Interval   []string      `json:"interval" doc:"How far apart a blocking job's runs may be, such as 3h, by age of the branch."`
	PassRate   []float64     `json:"pass_rate" doc:"Percent of a week's runs of a blocking job that must pass, by age of the branch."`
	Failures   []int         `json:"failures" doc:"How many runs of a blocking job may fail in a row, by age of the branch."`
	Owners     []SignalOwner `json:"owners" doc:"Who answers for which jobs; the first pattern that fits counts. The SIG that an alert address names, if none does."`
	Issues     SignalIssues  `json:"issues" doc:"Which issues explain failures."`

	Lines strict.Lines `json:"-"`
}

// SignalBoard is the dashboards that decide about one branch.
type SignalBoard struct {
	Branch    string   `json:"branch" doc:"Branch that the dashboards speak of, such as release-1.36."`
	Blocking  []string `json:"blocking" doc:"Dashboards whose jobs must pass."`
	Informing []string `json:"informing" doc:"Dashboards whose jobs may be flaky, and fail where an issue tolerates it."`

	Lines strict.Lines `json:"-"`
}

// SignalOwner answers for jobs.
type SignalOwner struct {
	Match string `json:"match" doc:"Pattern of a job's, a tab's or a dashboard's name: * stands for any characters but /."`
	Owner string `json:"owner" doc:"Team or person that answers for it, such as sig-node."`

	Lines strict.Lines `json:"-"`
}

// SignalIssues are the issues about failing and flaky tests.
type SignalIssues struct {
	Labels    []string `json:"labels" doc:"An open issue with any of these labels may explain a failure of the jobs and tests it names."`
	Tolerated []string `json:"tolerated" doc:"Labels by which somebody has decided that what an issue tells of holds no release back."`

	Lines strict.Lines `json:"-"`
}

func defaultSignal() Signal {
	return Signal{
		Greens: 3, Duration: []string{"120m"}, Interval: []string{"3h", "3h", "6h", "12h", "24h"}, PassRate: []float64{75}, Failures: []int{10},
		Issues: SignalIssues{Labels: []string{"kind/failing-test", "kind/flake"}, Tolerated: []string{"release-non-blocker"}},
	}
}

// Durations reads a list of limits. Parse has checked them.
func Durations(limits []string) ([]time.Duration, error) {
	var all []time.Duration
	for _, text := range limits {
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (c *checker) signal(s Signal) {
	if s.Greens < 1 {
		c.fail(s.Lines.Of("greens"), "greens is %d: write 1 or more", s.Greens)
	}
	for key, limits := range map[string][]string{"duration": s.Duration, "interval": s.Interval} {
		for _, text := range limits {
			if d, err := time.ParseDuration(text); err != nil || d <= 0 {
				c.fail(s.Lines.Of(key), "%s %q: write a time such as 90m or 3h", key, text)
			}
		}
	}
	for _, p := range s.PassRate {
		if !(p >= 0 && p <= 100) {
			c.fail(s.Lines.Of("pass_rate"), "pass_rate %g: write a percentage from 0 to 100", p)
		}
	}
	for _, n := range s.Failures {
		if n < 0 {
			c.fail(s.Lines.Of("failures"), "failures %d: write 0 or more", n)
		}
	}
	for _, b := range s.Dashboards {
		if b.Branch == "" || len(b.Blocking)+len(b.Informing) == 0 {
			c.fail(b.Lines.Start, "dashboards need the branch they speak of, and at least one of blocking and informing: write both")
		}
	}
	for _, o := range s.Owners {
		if _, err := path.Match(o.Match, ""); err != nil || o.Match == "" || o.Owner == "" {
			c.fail(o.Lines.Start, "an owner needs a pattern such as ci-node-* and who answers for it: write match and owner")
		}
	}
}
