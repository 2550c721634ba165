package release

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	sha1  = "1111111111111111111111111111111111111111"
	other = "2222222222222222222222222222222222222222"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		gates   []Gate
		goes    bool
		reasons []string
	}{
		{"none", nil, false, []string{"no gate was evaluated"}},
		{"all go", []Gate{{Name: "a", State: Go}, {Name: "b", State: Go}}, true, nil},
		{"one no-go", []Gate{{Name: "a", State: Go}, {Name: "b", State: NoGo, Why: "red"}}, false, []string{"b: red"}},
		{"unknown keeps back", []Gate{{Name: "a", State: Unknown, Why: "not measured"}}, false, []string{"a: not measured"}},
		{"a state nobody knows keeps back", []Gate{{Name: "a", Why: "?"}}, false, []string{"a: ?"}},
		{"waived", []Gate{{Name: "a", State: Waived, WaivedBy: "ada", Why: "known flake"}}, true, []string{"a: waived by ada: known flake"}},
		{"waived beside no-go", []Gate{{Name: "a", State: Waived, WaivedBy: "ada", Why: "x"}, {Name: "b", State: NoGo, Why: "red"}}, false, []string{"b: red"}},
	} {
		got := Decide(tc.gates)
		if got.Go != tc.goes {
			t.Errorf("%s: go is %v", tc.name, got.Go)
		}
		if diff := cmp.Diff(tc.reasons, got.Reasons); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestWaive(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	red := Gate{Name: "tests", State: NoGo, Why: "failing: a#b"}
	got, err := Waive(red, " ada ", "the machine was down", at)
	want := Gate{Name: "tests", State: Waived, Why: "the machine was down", WaivedBy: "ada",
		Evidence: []Evidence{{What: "waived; it was nogo: failing: a#b", At: at}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if len(red.Evidence) != 0 {
		t.Error("the gate given was changed")
	}
	for _, who := range [][2]string{{"", "why"}, {"ada", " "}} {
		if _, err := Waive(red, who[0], who[1], at); err == nil {
			t.Errorf("waived by %q for %q", who[0], who[1])
		}
	}
	if got, err := Waive(Gate{Name: "a", State: Go}, "ada", "x", at); err != nil || got.State != Go {
		t.Errorf("a gate that is go became %s (%v)", got.State, err)
	}
}

func TestGates(t *testing.T) {
	t.Parallel()
	want := v(t, "v1.2.0")
	done := Rehearsal{Version: want, Commit: sha1, State: "succeeded", Run: "7"}
	changed := func(f func(*Rehearsal)) Rehearsal { r := done; f(&r); return r }
	approvers := []string{"ada", "cho"}
	for _, tc := range []struct {
		name  string
		gate  Gate
		state GateState
		why   string
	}{
		{"green tabs", TabsGate([]Tab{{Dashboard: "rel", Name: "unit", Status: "PASSING", Blocking: true}, {Dashboard: "rel", Name: "e2e", Status: "FLAKY", Blocking: true}, {Name: "x", Status: "FAILING"}}), Go, "2 blocking tabs green"},
		{"red tab", TabsGate([]Tab{{Dashboard: "rel", Name: "unit", Status: "FAILING", Blocking: true}, {Dashboard: "rel", Name: "e2e", Status: "STALE", Blocking: true}}), NoGo, "failing: rel#unit"},
		{"stale tab", TabsGate([]Tab{{Dashboard: "rel", Name: "e2e", Status: "STALE", Blocking: true}}), Unknown, "no usable result: rel#e2e"},
		{"no blocking tab", TabsGate([]Tab{{Name: "x", Status: "PASSING"}}), Unknown, "no blocking tab"},
		{"no tab", TabsGate(nil), Unknown, "no blocking tab"},

		{"checks passed", ChecksGate(sha1, []Check{{Name: "unit", State: "success", Required: true}, {Name: "lint", State: "failure"}}), Go, "1 required check passed on 111111111111"},
		{"check failed", ChecksGate(sha1, []Check{{Name: "unit", State: "error", Required: true}, {Name: "e2e", State: "pending", Required: true}}), NoGo, "failed on 111111111111: unit"},
		{"check missing", ChecksGate(sha1, []Check{{Name: "unit", State: "success", Required: true}, {Name: "e2e", Required: true}}), Unknown, "e2e (missing)"},
		{"nothing required", ChecksGate(sha1, []Check{{Name: "lint", State: "success"}}), Unknown, "nothing is required"},

		{"no blocker", BlockersGate(nil), Go, "no open issue"},
		{"blockers", BlockersGate([]Blocker{{Number: 7, Title: "a"}, {Number: 9, Title: "b"}}), NoGo, "2 open blockers: #7, #9"},

		{"rehearsed", RehearsalGate(done, want, sha1), Go, "v1.2.0 was rehearsed at 111111111111"},
		{"never rehearsed", RehearsalGate(Rehearsal{}, want, sha1), NoGo, "has not been rehearsed"},
		{"rehearsed for another place", RehearsalGate(Rehearsal{Elsewhere: "folder:/tmp/www"}, want, sha1), NoGo, "has not been rehearsed for where it goes: it was for folder:/tmp/www"},
		{"rehearsed another version", RehearsalGate(changed(func(r *Rehearsal) { r.Version.Patch = 1 }), want, sha1), NoGo, "rehearsed was v1.2.1"},
		{"rehearsed another commit", RehearsalGate(done, want, other), NoGo, "rehearsed was commit 111111111111, not 222222222222"},
		{"rehearsed no commit", RehearsalGate(changed(func(r *Rehearsal) { r.Commit = "" }), want, ""), NoGo, "rehearsed was commit"},
		{"rehearsal failed", RehearsalGate(changed(func(r *Rehearsal) { r.State = "failed" }), want, sha1), NoGo, "the rehearsal failed"},
		{"rehearsal runs", RehearsalGate(changed(func(r *Rehearsal) { r.State = "running" }), want, sha1), Unknown, "not over"},

		{"approved", ApprovalsGate([]Approval{{By: "Ada", Commit: sha1}, {By: "cho"}}, 2, approvers, sha1), Go, "approved by Ada, cho"},
		{"the same twice", ApprovalsGate([]Approval{{By: "ada"}, {By: "ADA"}}, 2, approvers, sha1), NoGo, "1 of 2 approvals given"},
		{"not allowed", ApprovalsGate([]Approval{{By: "ben"}}, 1, approvers, sha1), NoGo, "0 of 1 approval given; may approve: ada, cho"},
		{"another commit", ApprovalsGate([]Approval{{By: "ada", Commit: other}}, 1, approvers, sha1), NoGo, "0 of 1"},
		{"none needed", ApprovalsGate(nil, 0, nil, sha1), Go, "no approval is needed"},

		{"not to be had", UnknownGate("tests", errors.New("bucket is away")), Unknown, "bucket is away"},
	} {
		if tc.gate.State != tc.state || !strings.Contains(tc.gate.Why, tc.why) {
			t.Errorf("%s: %s, %q; want %s, %q", tc.name, tc.gate.State, tc.gate.Why, tc.state, tc.why)
		}
		if tc.gate.Name == "" {
			t.Errorf("%s: the gate has no name", tc.name)
		}
	}
}

func TestGatesKeepEvidence(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	g := TabsGate([]Tab{{Dashboard: "rel", Name: "unit", Status: "FAILING", Blocking: true, Text: "3 of 9", Link: "/grid", At: at}})
	if diff := cmp.Diff([]Evidence{{What: "rel#unit FAILING 3 of 9", Link: "/grid", At: at}}, g.Evidence); diff != "" {
		t.Error(diff)
	}
	g = ChecksGate(sha1, []Check{{Name: "unit", Required: true, Link: "/run/1"}})
	if diff := cmp.Diff([]Evidence{{What: "unit missing on 111111111111", Link: "/run/1"}}, g.Evidence); diff != "" {
		t.Error(diff)
	}
	g = BlockersGate([]Blocker{{Number: 7, Title: "data loss", Link: "/issues/7"}})
	if diff := cmp.Diff([]Evidence{{What: "#7 data loss", Link: "/issues/7"}}, g.Evidence); diff != "" {
		t.Error(diff)
	}
}
