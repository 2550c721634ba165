package merge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crowd is a pool of changes that are all stale on the tip.
func crowd(limit int, numbers ...int) Pool {
	p := Pool{Branch: "main", Tip: tip, Policy: usual}
	p.Policy.Batch = limit
	for _, n := range numbers {
		p.Members = append(p.Members, Candidate{PR: pull(n), Requirements: Requirements{Jobs: needs.Jobs}, Results: results("unit success@" + old)})
	}
	return p
}

func batch(state Verdict, base string, numbers ...int) Batch {
	b := Batch{State: state, BaseSHA: base}
	for _, n := range numbers {
		b.Members = append(b.Members, BatchMember{Number: n, HeadSHA: pull(n).Head.SHA})
	}
	return b
}

func TestDecideBatch(t *testing.T) {
	t.Parallel()
	moved := batch(Green, tip, 1, 2)
	moved.Members[0].HeadSHA = old
	tests := []struct {
		name string
		pool Pool
		with func(*Pool)
		want string
	}{
		{"off", crowd(0, 1, 2), nil, "start #1 needs unit on main at 111111111111."},
		{"off at one", crowd(1, 1, 2), nil, "start #1 needs unit on main at 111111111111."},
		{"alone", crowd(5, 1), nil, "start #1 needs unit on main at 111111111111."},
		{"start", crowd(5, 3, 1, 2), nil, "start-batch #1, #2 and #3 are tested together on main at 111111111111."},
		{"limit", crowd(2, 1, 2, 3), nil, "start-batch #1 and #2 are tested together on main at 111111111111."},
		{"under way", crowd(5, 1, 2), func(p *Pool) { p.Batches = []Batch{batch(Pending, tip, 1, 2)} }, "wait Waiting for the tests of #1 and #2 together."},
		{"green", crowd(5, 1, 2, 3), func(p *Pool) { p.Batches = []Batch{batch(Green, tip, 1, 2)} }, "merge-batch #1 and #2 are green together on main at 111111111111."},
		{"green on an older tip", crowd(5, 1, 2), func(p *Pool) { p.Batches = []Batch{batch(Green, old, 1, 2)} }, "start-batch #1 and #2 are tested together on main at 111111111111."},
		{"green at another head", crowd(5, 1, 2), func(p *Pool) { p.Batches = []Batch{moved} }, "start-batch #1 and #2 are tested together on main at 111111111111."},
		{"green with somebody who left", crowd(5, 1, 2, 3), func(p *Pool) {
			p.Batches = []Batch{batch(Green, tip, 1, 2, 3)}
			p.Members[2].PR.Labels = nil
		}, "start-batch #1 and #2 are tested together on main at 111111111111."},
		{"failed: halved", crowd(5, 1, 2, 3, 4), func(p *Pool) { p.Batches = []Batch{batch(Failed, tip, 1, 2, 3, 4)} }, "start-batch #1 and #2 are tested together on main at 111111111111."},
		{"failed twice: one alone", crowd(5, 1, 2, 3, 4), func(p *Pool) {
			p.Batches = []Batch{batch(Failed, tip, 1, 2, 3, 4), batch(Failed, tip, 1, 2)}
		}, "start #1 needs unit on main at 111111111111."},
		{"failed on an older tip", crowd(5, 1, 2), func(p *Pool) { p.Batches = []Batch{batch(Failed, old, 1, 2)} }, "start #1 needs unit on main at 111111111111."},
		{"failed, and half merged since", crowd(5, 3, 4, 5, 6), func(p *Pool) { p.Batches = []Batch{batch(Failed, old, 1, 2, 3, 4)} }, "start #3 needs unit on main at 111111111111."},
		{"failed, and one pushed since", crowd(5, 1, 2, 3), func(p *Pool) {
			p.Batches = []Batch{batch(Failed, tip, 1, 2)}
			p.Members[1].PR.Head.SHA = old
		}, "start-batch #1, #2 and #3 are tested together on main at 111111111111."},
		{"failed with all gone", crowd(5, 3, 4), func(p *Pool) { p.Batches = []Batch{batch(Failed, old, 1, 2)} }, "start-batch #3 and #4 are tested together on main at 111111111111."},
		{"one is green by itself", crowd(5, 1, 2, 3), func(p *Pool) { p.Members[1].Results = results("unit success@" + tip) }, "merge #2 is green on main at 111111111111."},
		{"one is tested by itself", crowd(5, 1, 2, 3), func(p *Pool) { p.Members[1].Results = results("unit pending@" + tip) }, "wait Waiting for unit on #2."},
		{"a batch goes before one", crowd(5, 1, 2, 3), func(p *Pool) {
			p.Members[1].Results = results("unit pending@" + tip)
			p.Batches = []Batch{batch(Green, tip, 1, 3)}
		}, "merge-batch #1 and #3 are green together on main at 111111111111."},
		{"never tested", crowd(5, 1, 2, 3), func(p *Pool) { p.Members[0].Results = nil }, "start-batch #2 and #3 are tested together on main at 111111111111."},
		{"an empty batch", crowd(5, 1, 2), func(p *Pool) { p.Batches = []Batch{{State: Green, BaseSHA: tip}} }, "start-batch #1 and #2 are tested together on main at 111111111111."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.with != nil {
				tt.with(&tt.pool)
			}
			a := Decide(tt.pool)
			if got := string(a.Kind) + " " + a.Reason; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if a.Kind == ActStartBatch && !cmp.Equal(a.Jobs, needs.Jobs) {
				t.Errorf("jobs %+v", a.Jobs)
			}
		})
	}
}

// A change that breaks whatever it is merged with is found, leaves, and all
// others merge.
func TestBisectFindsTheCulprit(t *testing.T) {
	t.Parallel()
	for culprit := 1; culprit <= 8; culprit++ {
		p := crowd(8, 1, 2, 3, 4, 5, 6, 7, 8)
		var merged []int
		runs := 0
		remove := func(number int) {
			for i, c := range p.Members {
				if c.PR.Number == number {
					p.Members = append(p.Members[:i:i], p.Members[i+1:]...)
					return
				}
			}
		}
		land := func(numbers ...int) {
			merged = append(merged, numbers...)
			for _, n := range numbers {
				remove(n)
			}
			p.Tip = fmt.Sprintf("%040d", len(merged))
		}
		for len(p.Members) > 1 || len(merged) < 7 {
			switch a := Decide(p); a.Kind {
			case ActStartBatch:
				runs++
				b := Batch{BaseSHA: p.Tip, Members: a.Batch, State: Green}
				for _, m := range a.Batch {
					if m.Number == culprit {
						b.State = Failed
					}
				}
				p.Batches = append(p.Batches, b)
			case ActMergeBatch:
				var numbers []int
				for _, m := range a.Batch {
					numbers = append(numbers, m.Number)
				}
				land(numbers...)
			case ActStart:
				runs++
				if a.Number == culprit {
					p.Members[slices.IndexFunc(p.Members, func(c Candidate) bool { return c.PR.Number == culprit })].Results = results("unit failure@" + p.Tip)
				} else {
					land(a.Number)
				}
			default:
				t.Fatalf("culprit %d: unexpected %s: %s", culprit, a.Kind, a.Reason)
			}
			if runs > 20 {
				t.Fatalf("culprit %d: more than 20 runs", culprit)
			}
		}
		if len(merged) != 7 {
			t.Errorf("culprit %d: merged %v", culprit, merged)
		}
		if runs > 6 {
			t.Errorf("culprit %d: %d runs; one by one takes 8, and halving should take at most 6", culprit, runs)
		}
	}
}

func TestStandingsInABatch(t *testing.T) {
	t.Parallel()
	p := crowd(2, 1, 2, 3)
	want := []string{
		"#1 and #2 are tested together on main at 111111111111.",
		"#1 and #2 are tested together on main at 111111111111.",
		"In the queue, number 3; #1 and #2 go first.",
	}
	for i, s := range p.Standings(Decide(p)) {
		if s.Text != want[i] {
			t.Errorf("#%d: %s", s.Number, s.Text)
		}
	}
	p.Batches = []Batch{batch(Green, tip, 1, 2)}
	for i, s := range p.Standings(Decide(p)) {
		if (i < 2) != (s.Text == "Merging now.") || strings.TrimSpace(s.Text) == "" {
			t.Errorf("#%d: %s", s.Number, s.Text)
		}
	}
}
