package app

import (
	"context"
	"slices"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/run"
	"seaworthy/merge"
	"seaworthy/merge/queue"
)

// batches lets the merge queue test several changes together.
type batches struct{ a *App }

// StartBatch implements queue.BatchRunner.
func (b batches) StartBatch(ctx context.Context, s queue.StartBatch) error {
	r := run.Request{Repo: s.Repo, Branch: s.Branch, BaseSHA: s.BaseSHA, Cause: s.Cause, Key: s.Key}
	for i, m := range s.Members {
		if i == 0 {
			r.Pull = m.Number
		} else {
			r.Batch = append(r.Batch, m.Number)
		}
	}
	for _, j := range s.Jobs {
		r.Jobs = append(r.Jobs, j.Name)
	}
	_, err := b.a.Runs.Start(ctx, r)
	return err
}

// Executions of batches that are looked at: several batches of many jobs.
const recentBatches = 200

// Batches implements queue.BatchRunner.
func (b batches) Batches(ctx context.Context, repo forge.RepoName, branch string) ([]merge.Batch, error) {
	all, err := b.a.Store.Executions(ctx, job.ExecutionFilter{Repo: repo.String(), Type: job.Batch, Limit: recentBatches})
	if err != nil {
		return nil, err
	}
	return foldBatches(all, branch), nil
}

// foldBatches makes batches of their jobs' executions, which come newest first.
// Of a job that ran several times the newest counts.
func foldBatches(all []job.Execution, branch string) []merge.Batch {
	var out []merge.Batch
	seen := map[int]map[string]bool{} // jobs of each batch
	for _, e := range all {
		if e.Refs.BaseRef != branch || e.State == job.Aborted {
			continue
		}
		m := merge.Batch{BaseSHA: e.Refs.BaseSHA, State: verdict(e.State)}
		for _, p := range e.Refs.Pulls {
			m.Members = append(m.Members, merge.BatchMember{Number: p.Number, HeadSHA: p.SHA})
		}
		i := slices.IndexFunc(out, func(o merge.Batch) bool { return o.BaseSHA == m.BaseSHA && slices.Equal(o.Members, m.Members) })
		if i < 0 {
			i = len(out)
			out = append(out, m)
			seen[i] = map[string]bool{}
		}
		if seen[i][e.Job] {
			continue
		}
		seen[i][e.Job] = true
		out[i].State = worse(out[i].State, m.State)
	}
	return out
}

func verdict(s job.State) merge.Verdict {
	switch s {
	case job.Success:
		return merge.Green
	case job.Triggered, job.Pending:
		return merge.Pending
	}
	return merge.Failed
}

// worse orders failed before pending before green.
func worse(a, b merge.Verdict) merge.Verdict {
	for _, v := range []merge.Verdict{merge.Failed, merge.Pending} {
		if a == v || b == v {
			return v
		}
	}
	return merge.Green
}
