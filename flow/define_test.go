package flow_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/flow"
)

// step is a step that only has a name.
func step[In, Out any](name string) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: "Step " + name, Idempotent: true,
		Act: func(context.Context, In) (out Out, err error) { return out, nil }}
}

// hidden loses b on its way through JSON.
type hidden struct{ A, b int }

// definitions are flows with one mistake each, and one without.
var definitions = []struct {
	name   string
	define func(d *flow.Definition)
	want   string // part of the error; empty means none
}{
	{"sound", func(d *flow.Definition) {
		a := flow.Add(d, step[int, []string]("a"), flow.Param[int](d))
		flow.Add(d, step[[]string, map[string]time.Time]("b"), a, a)
	}, ""},
	{"same name twice", func(d *flow.Definition) {
		a := flow.Add(d, step[int, int]("a"), flow.Param[int](d))
		flow.Add(d, step[int, int]("a"), a)
	}, "two steps are called a"},
	{"a name with spaces", func(d *flow.Definition) {
		flow.Add(d, step[int, int]("push the tag"), flow.Param[int](d))
	}, `not "push the tag"`},
	{"no title", func(d *flow.Definition) {
		s := step[int, int]("a")
		s.Title = ""
		flow.Add(d, s, flow.Param[int](d))
	}, "step a has no title"},
	{"no act", func(d *flow.Definition) {
		flow.Add(d, flow.Step[int, int]{Name: "a", Title: "A"}, flow.Param[int](d))
	}, "step a has no Act"},
	{"a retry that is not safe", func(d *flow.Definition) {
		s := step[int, int]("a")
		s.Idempotent, s.Retry = false, flow.Retry{Attempts: 2}
		flow.Add(d, s, flow.Param[int](d))
	}, "neither has a Look nor is Idempotent"},
	{"a value of nowhere", func(d *flow.Definition) {
		flow.Add(d, step[int, int]("a"), flow.Value[int]{})
	}, "not of this flow"},
	{"a value of another flow", func(d *flow.Definition) {
		flow.Add(d, step[int, int]("a"), flow.Param[int](flow.Define("other", 1)))
	}, "not of this flow"},
	{"a mixture of two flows", func(d *flow.Definition) {
		mine, other := flow.Param[int](d), flow.Param[int](flow.Define("other", 1))
		flow.Add(d, step[int, int]("a"), flow.Combine2(mine, other, func(a, b int) int { return a + b }))
	}, "not of this flow"},
	{"a function as output", func(d *flow.Definition) {
		flow.Add(d, step[int, func()]("a"), flow.Param[int](d))
	}, "has no JSON form"},
	{"an interface inside", func(d *flow.Definition) {
		flow.Add(d, step[int, []error]("a"), flow.Param[int](d))
	}, "comes back from JSON as something else"},
	{"a hidden field", func(d *flow.Definition) {
		flow.Add(d, step[int, hidden]("a"), flow.Param[int](d))
	}, "field b of flow_test.hidden is not exported"},
}

func TestCheckFindsMistakes(t *testing.T) {
	t.Parallel()
	if h := (hidden{b: 1}); h.b == h.A {
		t.Error("the fields of hidden are one")
	}
	for _, test := range definitions {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := flow.Define("test", 1)
			test.define(d)
			err := d.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			e := newEngine(&flow.Memory{})
			if _, startErr := e.Start(t.Context(), d, flow.StartOptions{Params: 1}); (startErr == nil) != (err == nil) {
				t.Errorf("Check says %v and Start says %v", err, startErr)
			}
		})
	}
	for _, d := range []*flow.Definition{flow.Define("No Name", 1), flow.Define("ok", 0)} {
		if d.Check() == nil {
			t.Errorf("%s version %d was accepted", d.Name(), d.Version())
		}
	}
}

func TestStepsAreKnownUpFront(t *testing.T) {
	t.Parallel()
	d := flow.Define("test", 1)
	p := flow.Param[int](d)
	a := flow.Add(d, step[int, int]("a"), p)
	b := flow.Add(d, step[int, int]("b"), p)
	sum := flow.Combine4(a, b, p, flow.Const(d, 4), func(a, b, p, four int) int { return a + b + p + four })
	c := flow.Add(d, step[int, int]("c"), flow.Map(sum, func(n int) int { return -n }))
	flow.AwaitApproval(d, "go", "Approval", flow.Const(d, []string{"host"}), c, a)
	want := []flow.StepInfo{
		{Name: "a", Title: "Step a"},
		{Name: "b", Title: "Step b"},
		{Name: "c", Title: "Step c", After: []string{"a", "b"}},
		{Name: "go", Title: "Approval", Approval: true, After: []string{"a", "c"}},
	}
	if diff := cmp.Diff(want, d.Steps()); diff != "" {
		t.Error(diff)
	}
}

func TestParametersAreChecked(t *testing.T) {
	t.Parallel()
	type params struct{ Version string }
	d := flow.Define("test", 1)
	flow.Add(d, step[params, int]("a"), flow.Param[params](d))
	e := newEngine(&flow.Memory{})
	if _, err := e.Start(t.Context(), d, flow.StartOptions{Params: map[string]int{"Wrong": 1}}); err == nil {
		t.Error("parameters with an unknown field were accepted")
	}
	run, err := e.Start(t.Context(), d, flow.StartOptions{Params: params{"v1"}, Key: "k", Actor: "ada", Mock: true})
	if err != nil {
		t.Fatal(err)
	}
	want := flow.Run{ID: run.ID, Flow: "test", Version: 1, Key: "k", Params: []byte(`{"Version":"v1"}`), Mock: true,
		State: flow.Pending, Actor: "ada", CreatedAt: begin, UpdatedAt: begin}
	if diff := cmp.Diff(want, run); diff != "" || run.ID == "" {
		t.Error(diff, run.ID)
	}
	if _, err := e.Start(t.Context(), d, flow.StartOptions{Params: params{"v2"}, Key: "k"}); !errors.Is(err, flow.ErrBusy) {
		t.Errorf("a second run of the key: %v", err)
	}
}
