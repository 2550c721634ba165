package flow

import (
	"context"
	"fmt"
	"slices"
)

// A run may go on where it did not begin: on another machine, or on the same
// one after its work folder was cleared. What steps recorded is in the journal;
// what they left on the machine is not. Steps that say so (Step.Kept) are done
// again there, and with them whatever was given something else than before.

// remade is why a step is done again that followed a lost one.
const remade = "what it was made from is another by now; it is done again"

// afterLost reports whether something the step comes after was lost once.
func (s *session) afterLost(n *node) bool {
	return slices.ContainsFunc(n.deps, func(dep int) bool { return s.history.steps[dep].lost || s.afterLost(s.def.steps[dep]) })
}

// known reports whether all that a step comes after is done, near and far: a
// step in between may have been done before one ahead of it was lost.
func (s *session) known(n *node) bool {
	return !slices.ContainsFunc(n.deps, func(dep int) bool {
		return !s.history.steps[dep].done || !s.known(s.def.steps[dep])
	})
}

// loseWhatIsGone looks for done steps whose leavings are not on this machine and
// are still needed, and records that they are to be done again.
func (s *session) loseWhatIsGone(ctx context.Context) error {
	needed := s.needed()
	for i, n := range s.def.steps {
		h := &s.history.steps[i]
		if n.kept == nil || !h.done || !needed[i] {
			continue
		}
		kept, err := n.kept(context.WithValue(ctx, contextKey{}, s.reporter(ctx, n, h.attempts)), h.output)
		if err != nil {
			return fmt.Errorf("run %s: looking for what %s left: %w", s.run.ID, n.name, err)
		}
		if kept {
			continue
		}
		if err := s.lose(ctx, i, "what it left is not on this machine; it is done again"); err != nil {
			return err
		}
	}
	return nil
}

// needed marks every step that something wanted and undone comes after.
func (s *session) needed() []bool {
	marks := make([]bool, len(s.def.steps))
	for i := len(s.def.steps) - 1; i >= 0; i-- {
		if marks[i] || s.wanted[i] && !s.history.steps[i].done {
			for _, dep := range s.def.steps[i].deps {
				marks[dep] = true
			}
		}
	}
	return marks
}

// loseWhatFollowed records that steps which had been done after a step that was
// lost, and got another input from it than they would now, are to be done again.
func (s *session) loseWhatFollowed(ctx context.Context, done int) error {
	for i, n := range s.def.steps {
		h := s.history.steps[i]
		if !h.done || h.attempts == 0 || !slices.Contains(n.deps, done) || !s.known(n) {
			continue
		}
		input, err := s.input(n)
		if err != nil {
			return fmt.Errorf("the input of %s, which is done: %w", n.name, err)
		}
		if sameJSON(input, h.input) {
			continue
		}
		if !n.safe() {
			return fmt.Errorf("step %s was done with another input than it would get now, and cannot be done twice: %w", n.name, ErrChanged)
		}
		if err := s.lose(ctx, i, remade); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) lose(ctx context.Context, i int, why string) error {
	if _, err := s.append(ctx, Entry{Step: s.def.steps[i].name, Kind: EntryLost, Message: why}); err != nil {
		return err
	}
	h := &s.history.steps[i]
	h.done, h.lost, h.output = false, true, nil
	s.begun[i] = false
	return nil
}
