package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/config"
	"seaworthy/job"
	"seaworthy/merge"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := environment(config.Build{
		Env: map[string]string{"B": "2", "A": "1", "CGO_ENABLED": "1"},
		Go:  config.Go{Env: map[string]string{"CGO_ENABLED": "0"}},
	})
	if diff := cmp.Diff([]string{"A=1", "B=2", "CGO_ENABLED=0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A batch is as good as the worst of its jobs, of which the newest runs count.
func TestFoldBatches(t *testing.T) {
	t.Parallel()
	run := func(name, base, branch string, s job.State, pulls ...int) job.Execution {
		e := job.Execution{Job: name, Type: job.Batch, State: s, Refs: job.Refs{BaseRef: branch, BaseSHA: base}}
		for _, n := range pulls {
			e.Refs.Pulls = append(e.Refs.Pulls, job.Pull{Number: n, SHA: "head"})
		}
		return e
	}
	members := func(pulls ...int) (all []merge.BatchMember) {
		for _, n := range pulls {
			all = append(all, merge.BatchMember{Number: n, HeadSHA: "head"})
		}
		return all
	}
	got := foldBatches([]job.Execution{
		run("lint", "b2", "main", job.Pending, 1, 2),
		run("unit", "b2", "main", job.Success, 1, 2),
		run("unit", "b2", "main", job.Errored, 1, 2), // lost, and run again
		run("unit", "b1", "main", job.Success, 1, 2),
		run("unit", "b1", "main", job.Failure, 2, 1), // another order is another batch
		run("unit", "b1", "release-1.0", job.Success, 3, 4),
		run("lint", "b1", "main", job.Failure, 5, 6),
		run("unit", "b1", "main", job.Triggered, 5, 6),
		run("unit", "b1", "main", job.Aborted, 7, 8),
	}, "main")
	want := []merge.Batch{
		{BaseSHA: "b2", Members: members(1, 2), State: merge.Pending},
		{BaseSHA: "b1", Members: members(1, 2), State: merge.Green},
		{BaseSHA: "b1", Members: members(2, 1), State: merge.Failed},
		{BaseSHA: "b1", Members: members(5, 6), State: merge.Failed},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
