package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"seaworthy/forge"
	"seaworthy/merge"
)

// fakeBatches is a BatchRunner whose batches end as they are told.
type fakeBatches struct {
	s       *stage
	batches []merge.Batch
	keys    []string
	err     error
}

func (f *fakeBatches) StartBatch(_ context.Context, st StartBatch) error {
	if f.err != nil {
		return f.err
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	b := merge.Batch{BaseSHA: st.BaseSHA, State: merge.Pending}
	var numbers []string
	for _, pr := range st.Members {
		b.Members = append(b.Members, merge.BatchMember{Number: pr.Number, HeadSHA: pr.Head.SHA})
		numbers = append(numbers, fmt.Sprint(pr.Number))
	}
	f.batches = append(f.batches, b)
	f.keys = append(f.keys, st.Key)
	f.s.did("batch %s", strings.Join(numbers, " "))
	return nil
}

func (f *fakeBatches) Batches(context.Context, forge.RepoName, string) ([]merge.Batch, error) {
	return f.batches, f.err
}

func (f *fakeBatches) end(v merge.Verdict) { f.batches[len(f.batches)-1].State = v }

// batching is a stage whose three changes were all tested on an older tip.
func batching(t *testing.T) (*stage, *fakeBatches) {
	t.Helper()
	s := newStage(t)
	f := &fakeBatches{s: s}
	s.q.opt.Batches = f
	s.policy.Batch = 5
	for n := 1; n <= 3; n++ {
		s.add(n, unit(forge.StatusSuccess, sha("01d")))
	}
	return s, f
}

func TestBatchMergesAll(t *testing.T) {
	t.Parallel()
	s, f := batching(t)
	want(t, s.sync(), "batch 1 2 3")
	want(t, s.sync())
	if got := s.shownOn(2); got != "success: Waiting for the tests of #1, #2 and #3 together." {
		t.Errorf("#2 shows %q", got)
	}
	f.end(merge.Green)
	want(t, s.sync(), "try 1 merge", "merged 1", "try 2 merge", "merged 2", "try 3 merge", "merged 3")
	if f.keys[0] != "queue harbour/halyard "+sha("a")+" #1@"+sha("1")+" #2@"+sha("2")+" #3@"+sha("3") {
		t.Errorf("key %q", f.keys[0])
	}
}

func TestBatchIsHalved(t *testing.T) {
	t.Parallel()
	s, f := batching(t)
	want(t, s.sync(), "batch 1 2 3")
	f.end(merge.Failed)
	want(t, s.sync(), "start 1") // half of three is one, which is no batch
	s.finish(1, forge.StatusFailure)
	want(t, s.sync(), "batch 2 3")
	f.end(merge.Green)
	want(t, s.sync(), "try 2 merge", "merged 2", "try 3 merge", "merged 3")
}

func TestBatchStopsAtARefusal(t *testing.T) {
	t.Parallel()
	s, f := batching(t)
	s.sync()
	f.end(merge.Green)
	s.fail["MergePullRequest"] = []error{nil, fmt.Errorf("no: %w", forge.ErrForbidden)}
	// #2 is refused. #3 was tested with it, so it is tested again without.
	want(t, s.sync(), "try 1 merge", "merged 1", "try 2 merge", "start 3")
}

func TestBatchStopsWhenSomebodyPushes(t *testing.T) {
	t.Parallel()
	s, f := batching(t)
	s.sync()
	f.end(merge.Green)
	s.fail["EditIssue"] = nil
	s.policy.Milestones = map[string]string{"main": "v1"}
	s.q.opt.Forge = pusher{s.fakeForge}
	want(t, s.sync(), "try 1 merge", "merged 1", "create milestone v1", "milestone 1 v1", "batch 2 3")
	if got := s.decisions[len(s.decisions)-1].Action.BaseSHA; got != sha("bead") {
		t.Errorf("the next batch is tested on %s", got)
	}
}

// pusher moves the branch right after a change got its milestone.
type pusher struct{ *fakeForge }

func (p pusher) EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error {
	err := p.fakeForge.EditIssue(ctx, repo, number, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tip = sha("bead")
	return err
}

func TestBatchErrors(t *testing.T) {
	t.Parallel()
	s, f := batching(t)
	f.err = errors.New("no room")
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "look at the merge queue of harbour/halyard, branch main: no room") {
		t.Errorf("error = %v", err)
	}
	f.err = nil
	s.sync()
	f.end(merge.Green)
	s.fail["MergePullRequest"] = []error{errors.New("cable cut")}
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "cable cut") {
		t.Errorf("error = %v", err)
	}
	want(t, s.sync(), "try 1 merge", "try 1 merge", "merged 1", "try 2 merge", "merged 2", "try 3 merge", "merged 3")
}

func TestWithoutABatchRunnerOneByOne(t *testing.T) {
	t.Parallel()
	s, _ := batching(t)
	s.q.opt.Batches = nil
	want(t, s.sync(), "start 1")
}
