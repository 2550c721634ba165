package demo

import (
	"context"
	"fmt"
	"time"

	"seaworthy/job"
	"seaworthy/triage/live"
)

// The job that reads gauges at sea, some of which are out of reach in any one
// build.
const soundings = "ci-soundings"

const (
	nights     = 8  // runs of it that are told
	mostNights = 60 // by then a gauge has failed twice, or the world is not what it was
	atATime    = 2
)

// nights runs the soundings again and again, until there is something to sort:
// what fails in one run as in another is one cluster, whichever the gauge.
func (t *teller) nights(ctx context.Context) error {
	first, err := t.on.Runs.StartPeriodic(ctx, halyard, soundings, time.Unix(0, 0))
	if err != nil {
		return err
	}
	for told := 1; ; told += atATime {
		if err := t.settle(ctx); err != nil {
			return err
		}
		list, err := t.sorted(ctx, told)
		if err != nil {
			return err
		}
		if told >= nights && len(list.Clusters) > 0 {
			c := list.Clusters[0]
			t.story.note("%s of %d failures in %d runs; the largest takes in %s", count(list.Total, "cluster", "clusters"), list.Failures+list.Single, told,
				count(c.Tests, "gauge", "gauges"))
			t.story.link("/triage/" + c.ID)
			return nil
		}
		if told > mostNights {
			return fmt.Errorf("no gauge failed twice in %d runs", told)
		}
		for range atATime {
			if _, err := t.on.Runs.Rerun(ctx, first.ID, "ada"); err != nil {
				return err
			}
		}
	}
}

// settle waits for the runs of the soundings to end.
func (t *teller) settle(ctx context.Context) error {
	return t.until(ctx, "the soundings do not end", func(ctx context.Context) (bool, error) {
		under, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{Job: soundings, States: []job.State{job.Triggered, job.Pending}, Limit: 1})
		return len(under) == 0, err
	})
}

// sorted waits until the failures of that many runs are sorted, and lists them.
func (t *teller) sorted(ctx context.Context, runs int) (list live.List, err error) {
	err = t.until(ctx, "the failures of the soundings are not sorted", func(ctx context.Context) (bool, error) {
		if _, err := t.on.Signal.Tabs(ctx, halyard); err != nil { // has the signal read what there is
			return false, err
		}
		list, err = t.on.Triage.List(ctx, live.Filter{Job: "^" + soundings + "$"})
		return list.Builds >= runs, err
	})
	return list, err
}
