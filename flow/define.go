package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Nothing is the output of a step that only acts, and the input of one that
// needs nothing.
type Nothing struct{}

// Definition is a flow: its steps, in the order they were added, which is an
// order they can run in.
type Definition struct {
	name    string
	version int
	steps   []*node
	errs    []error
	// param decodes and encodes the parameters, to check them at the start.
	param func(json.RawMessage) error
}

// node is a step with its types erased: everything crosses as JSON.
type node struct {
	name, title string
	approval    bool
	deps        []int
	input       func(values) (json.RawMessage, error)
	look        func(context.Context, json.RawMessage) (json.RawMessage, bool, error)
	act         func(context.Context, json.RawMessage) (json.RawMessage, error)
	kept        func(context.Context, json.RawMessage) (bool, error)
	idempotent  bool
	retry       Retry
	silence     time.Duration
}

// safe reports whether the step may be run again without a person's say.
func (n *node) safe() bool { return n.look != nil || n.idempotent }

// values is what is known while a run is driven: its parameters, and the
// output of each step that is done.
type values struct {
	params  json.RawMessage
	outputs []json.RawMessage
}

// Value is a T that will be known once the steps it comes from are done.
type Value[T any] struct {
	def  *Definition
	from []int
	get  func(values) (T, error)
}

func (v Value[T]) origin() (*Definition, []int) { return v.def, v.from }

// Dependency is any Value: what a step must come after.
type Dependency interface {
	origin() (*Definition, []int)
}

// Retry says how often a step that is safe to repeat is tried, and how long it
// waits in between: Base, then twice as long each time, at most Cap, less up to
// half by chance. An error that has a method RetryAt() time.Time, from somebody
// who asks to wait, is waited for until then and does not count, ten times at
// most and never longer than two hours.
type Retry struct {
	Attempts int           // in all; 0 and 1 mean no retry
	Base     time.Duration // 1 s when zero
	Cap      time.Duration // 1 min when zero
}

// Step is one piece of work.
type Step[In, Out any] struct {
	// Name identifies the step in the journal: lower case, digits, '-'.
	Name string
	// Title is what a person reads: "Push the tag".
	Title string
	// Look asks whether the world already is as Act would make it, and then
	// returns what Act would have. It must not change anything.
	Look func(ctx context.Context, in In) (out Out, found bool, err error)
	// Act does the work. An error made by Permanent is not retried; one made
	// by Skip ends the step as skipped, with the output returned beside it.
	Act func(ctx context.Context, in In) (Out, error)
	// Idempotent says that running Act twice is the same as running it once.
	Idempotent bool
	// Kept, for a step that leaves things on the machine it ran on, reports
	// whether what gave out is still on this one. If it is not, and something
	// that comes after is yet to be done, the step is done again; it must be
	// Idempotent.
	Kept func(ctx context.Context, out Out) (bool, error)
	// Retry needs a Look or Idempotent.
	Retry Retry
	// Silence is how long the step may go without Progress or Logf before it
	// is declared hung and cancelled; zero means for ever.
	Silence time.Duration
}

// Define begins a definition. The version belongs to its meaning: raise it
// whenever a step is added, removed, renamed, or changes its types, so that a
// run begun with the old one is refused rather than guessed at.
func Define(name string, version int) *Definition {
	d := &Definition{name: name, version: version}
	if !nameForm.MatchString(name) {
		d.fail("a flow's name is lower case letters, digits and '-', not %q", name)
	}
	if version < 1 {
		d.fail("versions begin at 1, not %d", version)
	}
	return d
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Name returns the flow's name.
func (d *Definition) Name() string { return d.name }

// Version returns the definition's version.
func (d *Definition) Version() int { return d.version }

// Check returns every mistake made in writing the definition.
func (d *Definition) Check() error {
	if len(d.errs) > 0 {
		return fmt.Errorf("flow %s is wrongly defined: %w", d.name, errors.Join(d.errs...))
	}
	return nil
}

// StepInfo describes a step before anything runs.
type StepInfo struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Approval says that the step waits for people instead of working.
	Approval bool     `json:"approval,omitempty"`
	After    []string `json:"after,omitempty"` // steps that come first
}

// Steps lists the whole flow in an order it can run in.
func (d *Definition) Steps() []StepInfo {
	infos := make([]StepInfo, len(d.steps))
	for i, n := range d.steps {
		infos[i] = StepInfo{Name: n.name, Title: n.title, Approval: n.approval}
		for _, dep := range n.deps {
			infos[i].After = append(infos[i].After, d.steps[dep].name)
		}
	}
	return infos
}

func (d *Definition) fail(format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf(format, args...))
}

func (d *Definition) index(name string) int {
	return slices.IndexFunc(d.steps, func(n *node) bool { return n.name == name })
}

// Param is what a run is started with, decoded strictly.
func Param[P any](d *Definition) Value[P] {
	if err := checkType[P](); err != nil {
		d.fail("parameters: %w", err)
	}
	d.param = func(raw json.RawMessage) error {
		_, err := decode[P](raw)
		return err
	}
	return Value[P]{def: d, get: func(v values) (P, error) { return decode[P](v.params) }}
}

// Const is a value known now. It must be the same whenever the definition is
// built, since completed steps are recognised by their input.
func Const[T any](d *Definition, v T) Value[T] {
	return Value[T]{def: d, get: func(values) (T, error) { return v, nil }}
}

// Add puts a step into the flow. It runs once input is known and everything in
// after is done.
func Add[In, Out any](d *Definition, s Step[In, Out], input Value[In], after ...Dependency) Value[Out] {
	n := &node{name: s.Name, title: s.Title, idempotent: s.Idempotent, retry: s.Retry, silence: s.Silence}
	if s.Act == nil {
		d.fail("step %s has no Act", s.Name)
	}
	if s.Retry.Attempts > 1 && s.Look == nil && !s.Idempotent {
		d.fail("step %s is to be retried but neither has a Look nor is Idempotent", s.Name)
	}
	if s.Kept != nil && !s.Idempotent {
		d.fail("step %s is to be done again where what it left is gone, but is not Idempotent", s.Name)
	}
	if err := errors.Join(checkType[In](), checkType[Out]()); err != nil {
		d.fail("step %s: %w", s.Name, err)
	}
	n.kept = keptOf(s)
	if s.Look != nil {
		n.look = func(ctx context.Context, raw json.RawMessage) (json.RawMessage, bool, error) {
			in, err := decode[In](raw)
			if err != nil {
				return nil, false, Permanent(err)
			}
			out, found, err := s.Look(ctx, in)
			return finish(out, found, err)
		}
	}
	n.act = func(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
		in, err := decode[In](raw)
		if err != nil {
			return nil, Permanent(err)
		}
		out, err := s.Act(ctx, in)
		encoded, _, err := finish(out, true, err)
		return encoded, err
	}
	return put[Out](d, n, encodeInput(input), append([]Dependency{input}, after...)...)
}

// keptOf is a step's Kept with its type erased; nil if it has none.
func keptOf[In, Out any](s Step[In, Out]) func(context.Context, json.RawMessage) (bool, error) {
	if s.Kept == nil {
		return nil
	}
	return func(ctx context.Context, raw json.RawMessage) (bool, error) {
		out, err := decode[Out](raw)
		if err != nil {
			return false, err
		}
		return s.Kept(ctx, out)
	}
}

// AwaitApproval puts a halt into the flow, until each of the roles has
// approved; without any role it is skipped. Whether a person has a role is for
// the caller of Engine.Approve. The approvals come in the order of the roles.
func AwaitApproval(d *Definition, name, title string, roles Value[[]string], after ...Dependency) Value[[]Approval] {
	n := &node{name: name, title: title, approval: true, idempotent: true}
	return put[[]Approval](d, n, encodeInput(roles), append([]Dependency{roles}, after...)...)
}

func encodeInput[In any](input Value[In]) func(values) (json.RawMessage, error) {
	return func(v values) (json.RawMessage, error) {
		in, err := input.get(v)
		if err != nil {
			return nil, err
		}
		return encode(in)
	}
}

func put[Out any](d *Definition, n *node, input func(values) (json.RawMessage, error), deps ...Dependency) Value[Out] {
	if !nameForm.MatchString(n.name) {
		d.fail("a step's name is lower case letters, digits and '-', not %q", n.name)
	}
	if d.index(n.name) >= 0 {
		d.fail("two steps are called %s", n.name)
	}
	if n.title == "" {
		d.fail("step %s has no title", n.name)
	}
	for _, dep := range deps {
		of, from := dep.origin()
		if of != d {
			d.fail("step %s depends on a value that is not of this flow", n.name)
			continue
		}
		n.deps = append(n.deps, from...)
	}
	slices.Sort(n.deps)
	n.deps = slices.Compact(n.deps)
	n.input = input
	i := len(d.steps)
	d.steps = append(d.steps, n)
	return Value[Out]{def: d, from: []int{i}, get: func(v values) (Out, error) { return decode[Out](v.outputs[i]) }}
}

// Map is pure glue: f must depend on nothing but its argument.
func Map[A, B any](a Value[A], f func(A) B) Value[B] {
	return Value[B]{def: a.def, from: a.from, get: func(v values) (B, error) {
		x, err := a.get(v)
		if err != nil {
			var zero B
			return zero, err
		}
		return f(x), nil
	}}
}

// Combine2 makes one value of two by pure glue.
func Combine2[A, B, C any](a Value[A], b Value[B], f func(A, B) C) Value[C] {
	return Value[C]{def: common(a, b), from: slices.Concat(a.from, b.from), get: func(v values) (c C, err error) {
		x, err := a.get(v)
		if err != nil {
			return c, err
		}
		y, err := b.get(v)
		if err != nil {
			return c, err
		}
		return f(x, y), nil
	}}
}

// Combine3 makes one value of three by pure glue.
func Combine3[A, B, C, D any](a Value[A], b Value[B], c Value[C], f func(A, B, C) D) Value[D] {
	ab := Combine2(a, b, func(x A, y B) pair[A, B] { return pair[A, B]{x, y} })
	return Combine2(ab, c, func(p pair[A, B], z C) D { return f(p.first, p.second, z) })
}

// Combine4 makes one value of four by pure glue.
func Combine4[A, B, C, D, E any](a Value[A], b Value[B], c Value[C], d Value[D], f func(A, B, C, D) E) Value[E] {
	cd := Combine2(c, d, func(x C, y D) pair[C, D] { return pair[C, D]{x, y} })
	return Combine3(a, b, cd, func(x A, y B, p pair[C, D]) E { return f(x, y, p.first, p.second) })
}

type pair[A, B any] struct {
	first  A
	second B
}

// common returns the definition both values are of; nil, which no step
// accepts, if they differ.
func common(a, b Dependency) *Definition {
	da, _ := a.origin()
	db, _ := b.origin()
	if da != db {
		return nil
	}
	return da
}
