package flow_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/flow"
)

// script is a journal written as a table; At is in seconds after begin.
type script []struct {
	at      int
	step    string
	kind    flow.EntryKind
	attempt int
	message string
	data    string
}

func (s script) entries() []flow.Entry {
	var entries []flow.Entry
	for i, l := range s {
		entries = append(entries, flow.Entry{Seq: int64(i + 1), Run: "r", Step: l.step, Kind: l.kind, Attempt: l.attempt,
			At: begin.Add(time.Duration(l.at) * time.Second), Actor: "ada", Message: l.message, Data: json.RawMessage(l.data)})
	}
	return entries
}

func approvedBy(role string) string {
	return `{"role":"` + role + `","actor":"cho","at":"2026-03-04T05:06:07Z"}`
}

// timelines are journals of one flow, of the steps a, b, an approval and c, and
// what is shown of them.
var timelines = []struct {
	name     string
	run      flow.State
	script   script
	now      int
	states   [4]flow.StepState
	says     [4]string
	took     [4]int // seconds
	sentence string
}{
	{"nothing yet", flow.Pending, nil, 5,
		[4]flow.StepState{flow.StepPending, flow.StepPending, flow.StepPending, flow.StepPending},
		[4]string{"", "after: Step a", "after: Step b", "after: Step a; Go ahead"}, [4]int{}, "pending, 0 of 4 steps done"},
	{"running", flow.Running, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {1, "a", flow.EntryDone, 1, "", `1`},
		{2, "b", flow.EntryAttempt, 1, "", `1`}, {3, "b", flow.EntryProgress, 1, "3 of 8", ""}, {4, "b", flow.EntryLog, 1, "a line", ""},
	}, 10,
		[4]flow.StepState{flow.StepDone, flow.StepRunning, flow.StepPending, flow.StepPending},
		[4]string{"", "3 of 8", "after: Step b", "after: Go ahead"}, [4]int{1, 8}, "Step b: 3 of 8 (1 of 4 steps done)"},
	{"between two attempts", flow.Running, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {1, "a", flow.EntryFailed, 1, "no route", `{"retry":true}`},
	}, 3,
		[4]flow.StepState{flow.StepRunning, flow.StepPending, flow.StepPending, flow.StepPending},
		[4]string{"attempt 1 failed, trying again: no route", "after: Step a", "after: Step b", "after: Step a; Go ahead"}, [4]int{3},
		"Step a: attempt 1 failed, trying again: no route (0 of 4 steps done)"},
	{"failed", flow.Failed, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {7, "a", flow.EntryFailed, 1, "disk full", `{"retry":false}`},
	}, 99,
		[4]flow.StepState{flow.StepFailed, flow.StepPending, flow.StepPending, flow.StepPending},
		[4]string{"disk full", "after: Step a", "after: Step b", "after: Step a; Go ahead"}, [4]int{7},
		`failed at "Step a": disk full (0 of 4 steps done)`},
	{"hung, and another interrupted", flow.Failed, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {60, "a", flow.EntryFailed, 1, "hung", `{"retry":false,"hung":true}`}, {60, "b", flow.EntryAttempt, 1, "", `1`},
	}, 61,
		[4]flow.StepState{flow.StepHung, flow.StepPending, flow.StepPending, flow.StepPending},
		[4]string{"hung", "was interrupted; looks first when resumed", "after: Step b", "after: Step a; Go ahead"}, [4]int{60, 1},
		`failed at "Step a": hung (0 of 4 steps done)`},
	{"looked, skipped, half approved", flow.Waiting, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {0, "a", flow.EntryLooked, 1, "", ""}, {0, "a", flow.EntryDone, 1, "", `1`},
		{1, "b", flow.EntryAttempt, 1, "", `1`}, {1, "b", flow.EntrySkipped, 1, "not today", `0`},
		{2, "go", flow.EntryApproval, 0, "", approvedBy("host")}, // too early: nobody had asked
		{3, "go", flow.EntryWaiting, 0, "for approval by host, lead", `["host","lead"]`},
		{4, "go", flow.EntryApproval, 0, "", approvedBy("lead")}, {5, "go", flow.EntryApproval, 0, "", approvedBy("guest")},
	}, 8,
		[4]flow.StepState{flow.StepLooked, flow.StepSkipped, flow.StepWaiting, flow.StepPending},
		[4]string{"was done already", "not today", "approved by cho as lead", "after: Go ahead"}, [4]int{0, 0, 5},
		"waits approved by cho as lead: Go ahead (2 of 4 steps done)"},
	{"cancelled", flow.Canceled, script{
		{0, "a", flow.EntryAttempt, 1, "", `1`}, {2, "", flow.EntryCancel, 0, "wrong branch", ""},
	}, 9,
		[4]flow.StepState{flow.StepCanceled, flow.StepCanceled, flow.StepCanceled, flow.StepCanceled},
		[4]string{}, [4]int{3}, "cancelled by ada: wrong branch (0 of 4 steps done)"},
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	d := flow.Define("line", 1)
	a := flow.Add(d, step[int, int]("a"), flow.Param[int](d))
	b := flow.Add(d, step[int, int]("b"), a)
	ok := flow.AwaitApproval(d, "go", "Go ahead", flow.Const(d, []string{"host", "lead"}), b)
	flow.Add(d, step[[]flow.Approval, int]("c"), ok, a)
	for _, test := range timelines {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run := flow.Run{ID: "r", State: test.run, UpdatedAt: begin.Add(3 * time.Second)}
			got := flow.NewTimeline(d, run, test.script.entries(), begin.Add(time.Duration(test.now)*time.Second))
			for i, s := range got.Steps {
				if s.State != test.states[i] || s.Sentence != test.says[i] || s.Duration != time.Duration(test.took[i])*time.Second {
					t.Errorf("%s is %s for %v and says %q; want %s for %ds and %q", s.Name, s.State, s.Duration, s.Sentence, test.states[i], test.took[i], test.says[i])
				}
			}
			if got.Sentence != test.sentence {
				t.Errorf("got  %s\nwant %s", got.Sentence, test.sentence)
			}
		})
	}
}

func TestTimelineFoldsAttempts(t *testing.T) {
	t.Parallel()
	d := flow.Define("line", 1)
	flow.Add(d, step[int, int]("a"), flow.Param[int](d))
	entries := script{
		{0, "", flow.EntryState, 0, "running", ""},
		{1, "a", flow.EntryAttempt, 1, "", `1`}, {2, "a", flow.EntryLog, 1, "calling", ""}, {3, "a", flow.EntryFailed, 1, "no answer", `{"retry":true}`},
		{4, "a", flow.EntryAttempt, 2, "", `1`}, {5, "a", flow.EntryProgress, 2, "half", ""}, {6, "a", flow.EntryDone, 2, "", `7`},
		{7, "gone", flow.EntryDone, 1, "", `1`}, // a step this definition does not have
		{8, "", flow.EntryState, 0, "succeeded", ""},
	}.entries()
	got := flow.NewTimeline(d, flow.Run{ID: "r", State: flow.Succeeded}, entries, begin.Add(time.Hour))
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	want := flow.Timeline{Run: flow.Run{ID: "r", State: flow.Succeeded}, Sentence: "succeeded, 1 of 1 steps done",
		Changes: []flow.StateEvent{{State: flow.Running, At: at(0)}, {State: flow.Succeeded, At: at(8)}},
		Steps: []flow.StepStatus{{StepInfo: flow.StepInfo{Name: "a", Title: "Step a"}, State: flow.StepDone, Sentence: "half",
			StartedAt: at(1), FinishedAt: at(6), Duration: 5 * time.Second, Output: json.RawMessage(`7`),
			Attempts: []flow.AttemptStatus{
				{Number: 1, StartedAt: at(1), FinishedAt: at(3), Error: "no answer", Log: []flow.LogLine{{At: at(2), Text: "calling"}}},
				{Number: 2, StartedAt: at(4), FinishedAt: at(6), Log: []flow.LogLine{{At: at(5), Text: "half", Progress: true}}},
			}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
