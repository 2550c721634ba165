package merge

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
)

const (
	tip = "1111111111111111111111111111111111111111"
	old = "2222222222222222222222222222222222222222"
)

// pull is an open pull request that carries what the usual query asks for.
func pull(number int, edit ...func(*forge.PullRequest)) forge.PullRequest {
	pr := forge.PullRequest{
		Repo: forge.RepoName{Owner: "harbour", Name: "halyard"}, Number: number, Author: "ben", State: forge.StateOpen,
		Base: forge.Side{Branch: "main"}, Head: forge.Side{SHA: strings.Repeat("a", 39) + string(rune('0'+number%10))},
		Labels: []string{"lgtm", "approved"}, Mergeability: forge.MergeClean,
	}
	for _, e := range edit {
		e(&pr)
	}
	return pr
}

func labelled(l ...string) func(*forge.PullRequest) {
	return func(pr *forge.PullRequest) { pr.Labels = l }
}

var usual = Policy{Queries: []Query{{
	Labels:        []string{"lgtm", "approved"},
	MissingLabels: []string{"do-not-merge/hold", "needs-rebase"},
}}}

// results reads "context state[@base]" entries.
func results(entries ...string) []Result {
	var statuses []forge.Status
	for _, e := range entries {
		context, rest, _ := strings.Cut(e, " ")
		state, base, at := strings.Cut(rest, "@")
		s := forge.Status{Context: context, State: forge.StatusState(state), Description: "said"}
		if at {
			s.Description += BaseSuffix(base)
		}
		statuses = append(statuses, s)
	}
	return Results(statuses, nil)
}

var needs = Requirements{
	Jobs:      []RequiredJob{{"halyard-unit", "unit"}},
	Contexts:  []string{"cla"},
	IfPresent: []string{"e2e"},
	Optional:  []string{"lint"},
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		needs   Requirements
		results []Result
		want    string
	}{
		{"nothing reported", needs, nil, "unit:missing cla:missing"},
		{"green", needs, results("unit success@"+tip, "cla success"), "unit:green cla:green"},
		{"on an older tip", needs, results("unit success@"+old, "cla success@"+old), "unit:stale cla:green"},
		{"no base said", needs, results("unit success", "cla success"), "unit:stale cla:green"},
		{"running", needs, results("unit pending", "cla pending"), "unit:pending cla:pending"},
		{"running on the tip", needs, results("unit pending@" + tip), "unit:pending cla:missing"},
		{"running on an older tip", needs, results("unit pending@" + old), "unit:stale cla:missing"},
		{"failed long ago", needs, results("unit failure@"+old, "cla error"), "unit:failed cla:failed"},
		{"optional and conditional", needs, results("lint failure", "e2e failure"), "unit:missing cla:missing lint:ignored e2e:failed"},
		{"conditional on an older tip", needs, results("e2e success@" + old), "unit:missing cla:missing e2e:green"},
		{"unknown counts", needs, results("stray failure"), "unit:missing cla:missing stray:failed"},
		{"unknown ignored", Requirements{IgnoreUnknown: true}, results("stray failure"), "stray:ignored"},
		{"own context", needs, results("queue pending"), "unit:missing cla:missing"},
		{"named twice", Requirements{Jobs: needs.Jobs, Contexts: []string{"unit"}, Optional: []string{"unit"}}, results("unit success"), "unit:stale"},
		{"required wins over optional", Requirements{Contexts: []string{"cla"}, Optional: []string{"cla"}}, results("cla failure"), "cla:failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range tt.needs.Evaluate(tt.results, tip) {
				got = append(got, c.Context+":"+string(c.Verdict))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	got := Results([]forge.Status{
		{Context: "unit", State: forge.StatusSuccess, Description: "Passed." + BaseSuffix(tip), TargetURL: "u"},
		{Context: "unit", State: forge.StatusFailure},
		{Context: "odd", State: forge.StatusSuccess, Description: "BaseSHA:" + tip},
		{Context: "late", State: forge.StatusSuccess, Description: "x BaseSHA:" + tip + " more"},
	}, []forge.CheckRun{
		{Name: "build", Status: "completed", Conclusion: "failure"},
		{Name: "build", Status: "completed", Conclusion: "neutral", Title: "fine"},
		{Name: "scan", Status: "in_progress"},
		{Name: "slow", Status: "completed", Conclusion: "timed_out"},
		{Name: "red", Status: "completed", Conclusion: "failure"},
		{Name: "unit", Status: "completed", Conclusion: "failure"},
	})
	want := []Result{
		{Context: "unit", State: forge.StatusSuccess, BaseSHA: tip, Description: "Passed.", URL: "u"},
		{Context: "odd", State: forge.StatusSuccess, Description: "BaseSHA:" + tip},
		{Context: "late", State: forge.StatusSuccess, Description: "x BaseSHA:" + tip + " more"},
		{Context: "red", State: forge.StatusFailure},
		{Context: "slow", State: forge.StatusError},
		{Context: "scan", State: forge.StatusPending},
		{Context: "build", State: forge.StatusSuccess, Description: "fine"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	green := results("unit success@"+tip, "cla success")
	tests := []struct {
		name   string
		c      Candidate
		policy Policy
		want   []string
	}{
		{"nothing", Candidate{PR: pull(1), Results: green, Requirements: needs}, usual, nil},
		{"no policy", Candidate{PR: pull(1)}, Policy{}, []string{"No merge query covers this repository: add one to its configuration."}},
		{"labels", Candidate{PR: pull(1, labelled("Do-Not-Merge/Hold"))}, usual, []string{
			"It needs the label lgtm: a reviewer says /lgtm.",
			"It needs the label approved: the owners of the changed files say /approve.",
			"It must not have the label do-not-merge/hold: whoever holds it says /hold cancel.",
		}},
		{"label case", Candidate{PR: pull(1, labelled("LGTM", "Approved"))}, usual, nil},
		{"one of several", Candidate{PR: pull(1, labelled("b"))}, Policy{Queries: []Query{{Labels: []string{"a, b"}}}}, nil},
		{"none of several", Candidate{PR: pull(1, labelled("c"))}, Policy{Queries: []Query{{Labels: []string{"a,b"}}}}, []string{"It needs the label a or b."}},
		{"any query", Candidate{PR: pull(1, labelled())}, Policy{Queries: []Query{usual.Queries[0], {Author: "BEN"}}}, nil},
		{"nearest query", Candidate{PR: pull(1, labelled("lgtm"))}, Policy{Queries: []Query{{Labels: []string{"x", "y"}}, usual.Queries[0]}},
			[]string{"It needs the label approved: the owners of the changed files say /approve."}},
		{"author", Candidate{PR: pull(1)}, Policy{Queries: []Query{{Author: "ada"}}}, []string{"Only changes by ada merge here, and this one is by ben."}},
		{"milestone", Candidate{PR: pull(1)}, Policy{Queries: []Query{{Milestone: "v1"}}}, []string{"It needs the milestone v1: /milestone v1."}},
		{"branch not included", Candidate{PR: pull(1)}, Policy{Queries: []Query{{IncludedBranches: []string{"release-1"}}}}, []string{"Merging into the branch main is closed to the queue."}},
		{"branch excluded", Candidate{PR: pull(1)}, Policy{Queries: []Query{{ExcludedBranches: []string{"main"}}}}, []string{"Merging into the branch main is closed to the queue."}},
		{"review", Candidate{PR: pull(1)}, Policy{Queries: []Query{{ReviewApprovedRequired: true}}}, []string{"It needs an approving review, and no open request for changes."}},
		{"reviewed", Candidate{PR: pull(1), ReviewApproved: true}, Policy{Queries: []Query{{ReviewApprovedRequired: true}}}, nil},
		{"draft", Candidate{PR: pull(1, func(p *forge.PullRequest) { p.Draft = true })}, usual, []string{"It is a draft: mark it as ready for review."}},
		{"closed", Candidate{PR: pull(1, func(p *forge.PullRequest) { p.State = forge.StateClosed })}, usual, []string{"It is closed: reopen it with /reopen."}},
		{"merged", Candidate{PR: pull(1, func(p *forge.PullRequest) { p.State, p.Merged = forge.StateClosed, true })}, usual, []string{"It has merged already."}},
		{"conflict", Candidate{PR: pull(1, func(p *forge.PullRequest) { p.Mergeability = forge.MergeConflict })}, usual, []string{"It conflicts with main: rebase it and push again."}},
		{"marked", Candidate{PR: pull(1, labelled("needs-rebase"))}, Policy{Queries: []Query{{}}}, []string{"It is marked needs-rebase: rebase it on main and push again."}},
		{"marked and asked for", Candidate{PR: pull(1, labelled("lgtm", "approved", "needs-rebase"))}, usual, []string{"It must not have the label needs-rebase: rebase it and push again."}},
		{"refused", Candidate{PR: pull(1), Refused: "405: not allowed"}, usual, []string{"The forge would not merge it: 405: not allowed."}},
		{"contexts", Candidate{PR: pull(1), Requirements: needs, Results: results("cla pending", "e2e failure", "stray failure", "lint failure")}, usual, []string{
			"unit has not run yet.", "cla has not finished.", "e2e failed: said.", "stray failed: said. Nobody requires it, but unknown contexts count.",
		}},
		{"stale", Candidate{PR: pull(1), Requirements: needs, Results: results("unit success@" + old)}, usual, []string{
			"unit ran on an older main and is run again when it is this change's turn.",
			"cla has not reported; it is required and comes from outside.",
		}},
		{"running and failed", Candidate{PR: pull(1), Requirements: Requirements{Jobs: []RequiredJob{{"a", "a"}, {"b", "b"}}}, Results: results("a pending", "b failure")}, usual,
			[]string{"a is running.", "b failed: said. Fix it and push, or say /retest."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, b := range Why(tt.c, tt.policy, tip) {
				got = append(got, b.Sentence)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemediesNameAWayOut(t *testing.T) {
	t.Parallel()
	for _, l := range []string{"do-not-merge/work-in-progress", "do-not-merge/release-note-label-needed", "needs-ok-to-test"} {
		bs := Why(Candidate{PR: pull(1, labelled(l))}, Policy{Queries: []Query{{MissingLabels: []string{l}}}}, tip)
		if len(bs) != 1 || !strings.Contains(bs[0].Sentence, ": ") {
			t.Errorf("%s: %+v says no way out", l, bs)
		}
	}
}

func TestReviewApproved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		talk []string
		want bool
	}{
		{nil, false},
		{[]string{"ada+:"}, true},
		{[]string{"ada+:", "ada~: a remark"}, true},
		{[]string{"ada+:", "cho-:"}, false},
		{[]string{"ada-:", "ada+:"}, true},
		{[]string{"ada+:", "ada=:"}, false},
		{[]string{"ben+:"}, false},
	} {
		_, reviews := talk(tt.talk...)
		if got := ReviewApproved("Ben", reviews); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.talk, got, tt.want)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	with := func(n int, labels []string, entries ...string) Candidate {
		return Candidate{PR: pull(n, labelled(labels...)), Requirements: Requirements{Jobs: needs.Jobs}, Results: results(entries...)}
	}
	ok := []string{"lgtm", "approved"}
	blocker := forge.Issue{Number: 9, Title: "main is broken", State: forge.StateOpen, Labels: []string{LabelBlocker}}
	other := blocker
	other.Title = "release is broken, branch:release-1"
	closed := blocker
	closed.State = forge.StateClosed
	tests := []struct {
		name string
		pool Pool
		want string
	}{
		{"empty", Pool{}, "idle 0: No pull request against main is ready to merge."},
		{"not ready", Pool{Members: []Candidate{with(1, nil, "unit success@"+tip)}}, "idle 0: No pull request against main is ready to merge."},
		{"paused", Pool{Paused: "ada: release day", Members: []Candidate{with(1, ok, "unit success@"+tip)}}, "paused 0: The queue of main is paused: ada: release day."},
		{"blocked", Pool{Issues: []forge.Issue{blocker}, Members: []Candidate{with(1, ok, "unit success@"+tip)}}, "blocked 9: Issue #9 blocks merging into main: main is broken."},
		{"other branch blocked", Pool{Issues: []forge.Issue{other, closed}, Members: []Candidate{with(1, ok, "unit success@"+tip)}}, "merge 1: #1 is green on main at 111111111111."},
		{"merge lowest", Pool{Members: []Candidate{with(2, ok, "unit success@"+tip), with(1, ok, "unit success@"+tip)}}, "merge 1: #1 is green on main at 111111111111."},
		{"merge what is green, not what is first", Pool{Members: []Candidate{with(1, ok, "unit success@"+old), with(2, ok, "unit success@"+tip)}}, "merge 2: #2 is green on main at 111111111111."},
		{"merge before waiting", Pool{Members: []Candidate{with(1, ok, "unit pending"), with(2, ok, "unit success@"+tip)}}, "merge 2: #2 is green on main at 111111111111."},
		{"start one", Pool{Members: []Candidate{with(1, ok, "unit success@"+old), with(2, ok)}}, "start 1: #1 needs unit on main at 111111111111."},
		{"one at a time", Pool{Members: []Candidate{with(1, ok, "unit success@"+old), with(2, ok, "unit pending@"+tip)}}, "wait 2: Waiting for unit on #2."},
		{"failed takes no part", Pool{Members: []Candidate{with(1, ok, "unit failure@"+tip), with(2, ok, "unit success@"+old)}}, "start 2: #2 needs unit on main at 111111111111."},
		{"refused takes no part", Pool{Members: []Candidate{{PR: pull(1), Refused: "no"}, with(2, ok, "unit success@"+tip)}}, "merge 2: #2 is green on main at 111111111111."},
		{"conflict takes no part", Pool{Members: []Candidate{
			{PR: pull(1, func(p *forge.PullRequest) { p.Mergeability = forge.MergeConflict })}, with(2, ok, "unit success@"+tip)}},
			"merge 2: #2 is green on main at 111111111111."},
		{"no jobs at all", Pool{Members: []Candidate{{PR: pull(3)}}}, "merge 3: #3 is green on main at 111111111111."},
		{"priority", Pool{Policy: Policy{Queries: usual.Queries, Priority: [][]string{{"urgent", "small"}, {"urgent"}}}, Members: []Candidate{
			with(1, ok, "unit success@"+tip),
			with(2, append([]string{"urgent"}, ok...), "unit success@"+tip),
			with(3, append([]string{"urgent", "small"}, ok...), "unit success@"+tip)}},
			"merge 3: #3 is green on main at 111111111111."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.pool
			p.Branch, p.Tip = "main", tip
			if p.Policy.Queries == nil {
				p.Policy = usual
			}
			a := Decide(p)
			if got := string(a.Kind) + " " + string(rune('0'+a.Number)) + ": " + a.Reason; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if a.BaseSHA != tip {
				t.Errorf("the action rests on base %q", a.BaseSHA)
			}
			if (a.Kind == ActMerge || a.Kind == ActStart) && a.HeadSHA != pull(a.Number).Head.SHA {
				t.Errorf("the action rests on head %q", a.HeadSHA)
			}
			if (a.Kind == ActStart) != (len(a.Jobs) > 0) || (a.Kind == ActMerge) != (a.Method != "") {
				t.Errorf("jobs or method do not fit: %+v", a)
			}
			// The evidence must give the same verdict after a trip through JSON.
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var replay Pool
			if err := json.Unmarshal(data, &replay); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, Decide(replay)); diff != "" {
				t.Errorf("replayed:\n%s", diff)
			}
		})
	}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	job := Requirements{Jobs: needs.Jobs}
	p := Pool{Branch: "main", Tip: tip, Policy: usual, Members: []Candidate{
		{PR: pull(4, labelled("lgtm", "do-not-merge/hold"))},
		{PR: pull(2), Requirements: job, Results: results("unit success@" + old)},
		{PR: pull(1), Requirements: job, Results: results("unit failure@" + tip)},
		{PR: pull(3), Requirements: job, Results: results("unit success@" + old)},
	}}
	text := func(p Pool) []string {
		var out []string
		for _, s := range p.Standings(Decide(p)) {
			out = append(out, string(rune('0'+s.Number))+" "+string(rune('0'+s.Place))+" "+s.Text)
		}
		return out
	}
	want := []string{
		"2 1 Testing on the tip of main: unit.",
		"3 2 In the queue, number 2; #2 goes first.",
		"1 0 unit failed: said. Fix it and push, or say /retest.",
		"4 0 Needs approved. Must lose do-not-merge/hold.",
	}
	if diff := cmp.Diff(want, text(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Members[1].Results = results("unit pending@" + tip)
	if got := text(p)[0]; got != "2 1 Waiting for unit on #2." {
		t.Errorf("running: %s", got)
	}
	p.Members[1].Results = results("unit success@" + tip)
	if got := text(p)[0]; got != "2 1 Merging now." {
		t.Errorf("green: %s", got)
	}
	p.Paused = "ada: lunch"
	if got := text(p)[1]; got != "3 2 The queue of main is paused: ada: lunch." {
		t.Errorf("paused: %s", got)
	}
}

func TestMethodFor(t *testing.T) {
	t.Parallel()
	p := Policy{Method: forge.MethodSquash, Methods: map[string]forge.MergeMethod{"release-1": forge.MethodRebase}}
	release := func(pr *forge.PullRequest) { pr.Base.Branch = "release-1" }
	for _, tt := range []struct {
		p    Policy
		pr   forge.PullRequest
		want forge.MergeMethod
	}{
		{Policy{}, pull(1), forge.MethodMerge},
		{p, pull(1), forge.MethodSquash},
		{p, pull(1, release), forge.MethodRebase},
		{p, pull(1, release, labelled(LabelMerge)), forge.MethodMerge},
		{p, pull(1, labelled(LabelRebase)), forge.MethodRebase},
		{Policy{}, pull(1, labelled(LabelSquash)), forge.MethodSquash},
	} {
		if got := tt.p.MethodFor(tt.pr); got != tt.want {
			t.Errorf("%+v on %s: %s, want %s", tt.pr.Labels, tt.pr.Base.Branch, got, tt.want)
		}
	}
}

func TestConcerns(t *testing.T) {
	t.Parallel()
	p := Policy{Queries: []Query{{Labels: []string{"a, b"}, MissingLabels: []string{"c"}}}, Priority: [][]string{{"d"}}}
	for label, want := range map[string]bool{
		"A": true, "b": true, "c": true, "D": true, "tide/merge-method-squash": true, "needs-rebase": true, "size/XS": false, "": false,
	} {
		if got := p.Concerns(label); got != want {
			t.Errorf("Concerns(%q) = %v", label, got)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for want, in := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := list(in); got != want {
			t.Errorf("list(%v) = %q", in, got)
		}
	}
}
