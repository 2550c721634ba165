package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/merge"
)

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(want) == 0 && len(got) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	s.add(2, unit(forge.StatusSuccess, sha("a")))
	s.add(3) // never ran
	// The first is green on the tip and merges; then the second has to be
	// tested again, because the tip moved.
	want(t, s.sync(), "try 1 merge", "merged 1", "start 2")
	if got := s.started[0]; got.BaseSHA != sha("b1") || got.PullRequest.Number != 2 || !cmp.Equal(got.Jobs, s.needs.Jobs) {
		t.Errorf("started %+v", got)
	}
	want(t, s.sync()) // it runs: nothing to do
	if got := s.shownOn(2); got != "success: Waiting for unit on #2." {
		t.Errorf("#2 shows %q", got)
	}
	if got := s.shownOn(3); got != "success: In the queue, number 2; #2 goes first." {
		t.Errorf("#3 shows %q", got)
	}
	s.finish(2, forge.StatusSuccess)
	want(t, s.sync(), "try 2 merge", "merged 2", "start 3")
	s.finish(3, forge.StatusFailure)
	want(t, s.sync())
	if got := s.shownOn(3); got != "pending: unit failed: Running. Fix it and push, or say /retest." {
		t.Errorf("#3 shows %q", got)
	}
	want(t, s.reasons(),
		"merge #1 is green on main at a00000000000. merged as "+sha("b1"),
		"start #2 needs unit on main at b10000000000. started",
		"wait Waiting for unit on #2.",
		"merge #2 is green on main at b10000000000. merged as "+sha("b2"),
		"start #3 needs unit on main at b20000000000. started",
		"idle No pull request against main is ready to merge.",
	)
}

func TestNothingUntestedMerges(t *testing.T) {
	t.Parallel()
	for name, st := range map[string][]forge.Status{
		"never ran":          nil,
		"ran on an old tip":  {unit(forge.StatusSuccess, sha("01d"))},
		"says no base":       {{Context: "unit", State: forge.StatusSuccess}},
		"runs on an old tip": {unit(forge.StatusPending, sha("01d"))},
	} {
		s := newStage(t)
		s.add(1, st...)
		if got := s.sync(); !cmp.Equal(got, []string{"start 1"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestATipThatMovesIsDecidedAboutAnew(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	// The forge tells the first tip once more, and then the one pushed since.
	looked := 0
	s.q.opt.Contexts = func(context.Context, forge.PullRequest, string) (merge.Requirements, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if looked++; looked == 1 {
			s.tip = sha("bead")
		}
		return s.needs, nil
	}
	want(t, s.sync(), "start 1")
	if s.started[0].BaseSHA != sha("bead") {
		t.Errorf("tested on %s", s.started[0].BaseSHA)
	}
}

func TestNothingMergesThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*stage){
		"lost its labels": func(s *stage) { s.pulls[1].Labels = []string{"approved"} },
		"pushed to":       func(s *stage) { s.pulls[1].Head.SHA = sha("new") },
		"moved":           func(s *stage) { s.pulls[1].Base.Branch = "other" },
		"closed":          func(s *stage) { s.pulls[1].State = forge.StateClosed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.add(1, unit(forge.StatusSuccess, sha("a")))
			refreshed := 0
			s.q.opt.Refresh = func(context.Context, forge.RepoName, int) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				refreshed++
				change(s)
				return nil
			}
			// A new head is tested; no merge is even tried.
			if got := slices.DeleteFunc(s.sync(), func(c string) bool { return c == "start 1" }); len(got) != 0 {
				t.Errorf("it did %q", got)
			}
			if refreshed != 1 {
				t.Errorf("refreshed %d times", refreshed)
			}
		})
	}
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	s.q.opt.Refresh = func(context.Context, forge.RepoName, int) error { return errors.New("bot is away") }
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "look at harbour/halyard#1 once more before it merges: bot is away") {
		t.Errorf("error = %v", err)
	}
}

func TestAnUnmergeablePullRequestBlocksNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	s.add(2, unit(forge.StatusSuccess, sha("a")))
	// It looked clean, but the forge finds a conflict when asked to merge.
	s.onMerge = func() {
		s.pulls[1].Mergeability = forge.MergeConflict
		s.onMerge = nil
	}
	want(t, s.sync(), "try 1 merge", "label 1 needs-rebase", "try 2 merge", "merged 2")
	want(t, s.sync())
	if got := s.shownOn(1); !strings.HasPrefix(got, "pending: It conflicts with main") {
		t.Errorf("#1 shows %q", got)
	}
}

func TestARefusalIsRememberedUntilSomethingMoves(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	s.fail["MergePullRequest"] = []error{fmt.Errorf("405: rulesets: %w", forge.ErrForbidden)}
	want(t, s.sync(), "try 1 merge")
	if got := s.shownOn(1); got != "pending: The forge would not merge it: merge harbour/halyard#1 (attempt 1): 405: rulesets: forbidden." {
		t.Errorf("#1 shows %q", got)
	}
	want(t, s.sync())
	s.mu.Lock()
	s.pulls[1].Head.SHA = sha("new")
	s.statuses[sha("new")] = []forge.Status{unit(forge.StatusSuccess, sha("a"))}
	s.mu.Unlock()
	want(t, s.sync(), "try 1 merge", "merged 1")
}

func TestMergeIsTriedAgain(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("503: %w", forge.ErrUnavailable)
	t.Run("answers the third time", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.add(1, unit(forge.StatusSuccess, sha("a")))
		s.fail["MergePullRequest"] = []error{down, down}
		want(t, s.sync(), "try 1 merge", "try 1 merge", "try 1 merge", "merged 1")
		if diff := cmp.Diff([]time.Duration{4 * time.Second, 8 * time.Second}, s.waits); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("gives up after three", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.add(1, unit(forge.StatusSuccess, sha("a")))
		s.fail["MergePullRequest"] = []error{down, down, down}
		err := s.q.Sync(t.Context(), halyard, "main")
		if !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), "merge harbour/halyard#1 (attempt 3)") {
			t.Errorf("error = %v", err)
		}
		want(t, s.sync(), "try 1 merge", "try 1 merge", "try 1 merge", "try 1 merge", "merged 1")
	})
	t.Run("went through though nobody said so", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.add(1, unit(forge.StatusSuccess, sha("a")))
		s.fail["MergePullRequest"] = []error{down}
		s.onMerge = func() { s.land(1); s.onMerge = nil }
		want(t, s.sync(), "merged 1", "try 1 merge")
		if got := s.reasons()[0]; !strings.HasSuffix(got, "merged as "+sha("b1")) {
			t.Errorf("recorded %q", got)
		}
	})
	t.Run("stops with its context", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.add(1, unit(forge.StatusSuccess, sha("a")))
		s.fail["MergePullRequest"] = []error{down}
		s.q.opt.Wait = wait
		ctx, cancel := context.WithCancel(t.Context())
		s.onMerge = cancel
		if err := s.q.Sync(ctx, halyard, "main"); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.needs = merge.Requirements{}
	s.policy.Method = forge.MethodSquash
	s.add(1)
	pr := s.add(2)
	pr.Labels = append(pr.Labels, merge.LabelRebase)
	want(t, s.sync(), "try 1 squash", "merged 1", "try 2 rebase", "merged 2")
}

func TestMilestones(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.needs = merge.Requirements{}
	s.policy.Milestones = map[string]string{"main": "v1.4"}
	s.add(1)
	s.add(2)
	chosen := s.add(3)
	chosen.Milestone = "v2"
	want(t, s.sync(), "try 1 merge", "merged 1", "create milestone v1.4", "milestone 1 v1.4",
		"try 2 merge", "merged 2", "milestone 2 v1.4", "try 3 merge", "merged 3")

	// Merged by hand, or cut short between the merge and the milestone.
	late := s.add(4)
	late.State, late.Merged, late.Labels = forge.StateClosed, true, nil
	ev := forge.Event{Kind: forge.EventPullRequest, Action: "closed", Repo: halyard, PullRequest: late}
	for range 2 {
		if err := s.q.HandleEvent(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s.taken(), "milestone 4 v1.4")

	s.add(5)
	s.milestones = nil
	s.fail["CreateMilestone"] = []error{forge.ErrExists} // somebody else made it
	want(t, s.sync(), "try 5 merge", "merged 5", "milestone 5 v1.4")
	s.add(6)
	s.fail["EditIssue"] = []error{forge.ErrUnavailable}
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "give harbour/halyard#6 the milestone v1.4") {
		t.Errorf("error = %v", err)
	}
}

func TestBlockersAndPauses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("a")))
	s.issues = []forge.Issue{{Number: 9, Title: "main burns", State: forge.StateOpen, Labels: []string{merge.LabelBlocker}}}
	want(t, s.sync())
	if got := s.shownOn(1); got != "success: Issue #9 blocks merging into main: main burns." {
		t.Errorf("#1 shows %q", got)
	}
	s.issues = nil
	if err := s.q.Pause(t.Context(), halyard, "main", "ada", ""); err != nil {
		t.Fatal(err)
	}
	want(t, slices.DeleteFunc(s.taken(), func(c string) bool { return !strings.Contains(c, "try") }))
	if got := s.shownOn(1); got != "success: The queue of main is paused: ada: no reason given." {
		t.Errorf("#1 shows %q", got)
	}
	if err := s.q.Resume(t.Context(), halyard, "main"); err != nil {
		t.Fatal(err)
	}
	if !s.pulls[1].Merged {
		t.Error("it did not merge after the pause")
	}
	want(t, s.reasons(),
		"blocked Issue #9 blocks merging into main: main burns.",
		"paused The queue of main is paused: ada: no reason given.",
		"merge #1 is green on main at a00000000000. merged as "+sha("b1"),
		"idle No pull request against main is ready to merge.")
}

func TestStatusesAreSetWhenTheyChange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pr := s.add(1)
	pr.Labels = nil
	pr2 := s.add(2)
	pr2.Labels = []string{"lgtm", "do-not-merge/hold"}
	s.sync()
	if got := s.shownOn(1); got != "pending: Needs lgtm and approved." {
		t.Errorf("#1 shows %q", got)
	}
	if got := s.shownOn(2); got != "pending: Needs approved. Must lose do-not-merge/hold." {
		t.Errorf("#2 shows %q", got)
	}
	reads := s.reads
	if err := s.q.Sync(t.Context(), halyard, "main"); err != nil {
		t.Fatal(err)
	}
	want(t, s.taken())
	if s.reads != reads {
		t.Errorf("it read statuses %d times though it knew them", s.reads-reads)
	}
	// A new process reads what is shown, and does not say it again.
	again := newStage(t)
	again.fakeForge = s.fakeForge
	again.q.opt.Forge = s.fakeForge
	if err := again.q.Sync(t.Context(), halyard, "main"); err != nil {
		t.Fatal(err)
	}
	want(t, s.taken())
	// A head that vanished holds up nobody.
	s.mu.Lock()
	s.pulls[1].Head.SHA, s.pulls[2].Labels = sha("gone"), []string{"lgtm"}
	s.fail["SetStatus"] = []error{forge.ErrNotFound}
	s.mu.Unlock()
	if err := s.q.Sync(t.Context(), halyard, "main"); err != nil {
		t.Fatal(err)
	}
	if got := s.shownOn(2); got != "pending: Needs approved." {
		t.Errorf("#2 shows %q", got)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 200)
	if got := []rune(clip(long)); len(got) != 140 || got[139] != '…' {
		t.Errorf("clipped to %d characters", len(got))
	}
	if got := clip("short"); got != "short" {
		t.Errorf("clip = %q", got)
	}
}

func TestReviewsAreAskedForOnlyWhereTheyCount(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.needs = merge.Requirements{}
	s.policy.Queries[0].ReviewApprovedRequired = true
	s.add(1)
	want(t, s.sync())
	if got := s.shownOn(1); got != "pending: It needs an approving review, and no open request for changes." {
		t.Errorf("#1 shows %q", got)
	}
	s.reviews[1] = []forge.Review{{Author: "cho", State: forge.ReviewApproved}}
	want(t, s.sync(), "try 1 merge", "merged 1")
}

func TestPoolsAndWhy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.add(1, unit(forge.StatusSuccess, sha("01d")))
	s.add(2).Labels = nil
	pools, err := s.q.Pools(t.Context(), halyard)
	if err != nil {
		t.Fatal(err)
	}
	if len(pools) != 1 || pools[0].Branch != "main" || pools[0].Next.Kind != merge.ActStart || len(pools[0].Standings) != 2 {
		t.Errorf("pools = %+v", pools)
	}
	want(t, s.taken()) // looking changes nothing
	why, err := s.q.Why(t.Context(), halyard, 1)
	if err != nil || len(why) != 1 || why[0].Kind != merge.BlockedUntilRetest {
		t.Errorf("why = %+v, %v", why, err)
	}
	s.pulls[2].State = forge.StateClosed
	if why, err = s.q.Why(t.Context(), halyard, 2); err != nil || len(why) == 0 || why[0].Kind != merge.BlockedByState {
		t.Errorf("why = %+v, %v", why, err)
	}
	if _, err := s.q.Why(t.Context(), halyard, 99); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("error = %v", err)
	}
}

func TestHandleEvent(t *testing.T) {
	t.Parallel()
	head := sha("1")
	tests := []struct {
		name string
		ev   forge.Event
		want int // passes
	}{
		{"push", forge.Event{Kind: forge.EventPush, Push: &forge.Push{Ref: "refs/heads/main", After: sha("a")}}, 1},
		{"push elsewhere", forge.Event{Kind: forge.EventPush, Push: &forge.Push{Ref: "refs/heads/topic", After: sha("a")}}, 0},
		{"tag", forge.Event{Kind: forge.EventPush, Push: &forge.Push{Ref: "refs/tags/main", After: sha("a")}}, 0},
		{"deleted", forge.Event{Kind: forge.EventPush, Push: &forge.Push{Ref: "refs/heads/main", After: strings.Repeat("0", 40)}}, 0},
		{"other label", forge.Event{Kind: forge.EventPullRequest, Action: "labeled", Label: "size/XS", PullRequest: &forge.PullRequest{Base: forge.Side{Branch: "main"}}}, 0},
		{"assigned", forge.Event{Kind: forge.EventPullRequest, Action: "assigned", PullRequest: &forge.PullRequest{Base: forge.Side{Branch: "main"}}}, 0},
		{"pull request", forge.Event{Kind: forge.EventPullRequest, Action: "labeled", Label: "lgtm", PullRequest: &forge.PullRequest{Base: forge.Side{Branch: "main"}}}, 1},
		{"review", forge.Event{Kind: forge.EventPullRequestReview, PullRequest: &forge.PullRequest{Base: forge.Side{Branch: "main"}}}, 1},
		{"branch is gone", forge.Event{Kind: forge.EventPullRequest, PullRequest: &forge.PullRequest{Base: forge.Side{Branch: "gone"}}}, 1},
		{"status", forge.Event{Kind: forge.EventStatus, Status: &forge.CommitStatus{SHA: head, Status: forge.Status{Context: "unit"}}}, 1},
		{"own status", forge.Event{Kind: forge.EventStatus, Status: &forge.CommitStatus{SHA: head, Status: forge.Status{Context: "queue"}}}, 0},
		{"status of no head", forge.Event{Kind: forge.EventStatus, Status: &forge.CommitStatus{SHA: sha("x")}}, 0},
		{"check run", forge.Event{Kind: forge.EventCheckRun}, 1},
		{"blocker", forge.Event{Kind: forge.EventIssues, Issue: &forge.Issue{Labels: []string{merge.LabelBlocker}}}, 1},
		{"blocker gone", forge.Event{Kind: forge.EventIssues, Action: "unlabeled", Label: merge.LabelBlocker, Issue: &forge.Issue{}}, 1},
		{"issue", forge.Event{Kind: forge.EventIssues, Issue: &forge.Issue{}}, 0},
		{"comment", forge.Event{Kind: forge.EventIssueComment, Issue: &forge.Issue{}, Comment: &forge.Comment{}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.add(1).Labels = nil
			tt.ev.Repo = halyard
			if err := s.q.HandleEvent(t.Context(), tt.ev); err != nil {
				t.Fatal(err)
			}
			if s.notified != tt.want {
				t.Errorf("looked at %d branches, want %d", s.notified, tt.want)
			}
		})
	}
	s := newStage(t)
	s.policy.Queries = nil
	if err := s.q.HandleEvent(t.Context(), forge.Event{Kind: forge.EventCheckRun, Repo: halyard}); err != nil || s.notified != 0 {
		t.Errorf("a repository without a policy: %v, %d looks", err, s.notified)
	}
	if err := s.q.HandleEvent(t.Context(), forge.Event{Kind: forge.EventPing}); err != nil {
		t.Errorf("an event of no repository: %v", err)
	}
}

func TestFailuresSayWhatWasAttempted(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"PullRequest", "PullRequests", "Branch", "Statuses", "CheckRuns", "Issues", "SetStatus"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.add(1, unit(forge.StatusSuccess, sha("a")))
			s.fail[method] = []error{forge.ErrUnavailable}
			err := s.q.Sync(t.Context(), halyard, "main")
			if !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), "harbour/halyard") {
				t.Errorf("error = %v", err)
			}
			if s.pulls[1].Merged {
				t.Error("it merged though it could not see everything")
			}
			want(t, s.sync(), "try 1 merge", "merged 1")
		})
	}
	s := newStage(t)
	s.add(1)
	s.startErr = errors.New("no room")
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "start the jobs of harbour/halyard#1 on main: no room") {
		t.Errorf("error = %v", err)
	}
	s.startErr, s.recordErr = nil, errors.New("disk full")
	if err := s.q.Sync(t.Context(), halyard, "main"); err == nil || !strings.Contains(err.Error(), "record what the merge queue of harbour/halyard decided: disk full") {
		t.Errorf("error = %v", err)
	}
}

func TestManyAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.needs = merge.Requirements{}
	for n := 1; n <= 5; n++ {
		s.add(n)
	}
	s.q.opt.Notify = func(forge.RepoName, string) {}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = s.q.Sync(t.Context(), halyard, "main") })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	tries := slices.DeleteFunc(s.taken(), func(c string) bool { return !strings.HasPrefix(c, "try") })
	want(t, tries, "try 1 merge", "try 2 merge", "try 3 merge", "try 4 merge", "try 5 merge")

	// Whoever waits for a turn can be cancelled.
	_, leave, err := s.q.enter(t.Context(), halyard, "main")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.q.Sync(ctx, halyard, "main"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	full := newStage(t).q.opt
	for name, strip := range map[string]func(*Options){
		"Forge": func(o *Options) { o.Forge = nil }, "Runner": func(o *Options) { o.Runner = nil },
		"Recorder": func(o *Options) { o.Recorder = nil }, "Switch": func(o *Options) { o.Switch = nil },
		"Contexts": func(o *Options) { o.Contexts = nil }, "Query": func(o *Options) { o.Query = nil }, "Now": func(o *Options) { o.Now = nil },
	} {
		o := full
		strip(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "Options."+name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestDefaultWait(t *testing.T) {
	t.Parallel()
	if err := wait(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}
