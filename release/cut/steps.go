package cut

import (
	"context"
	"strconv"
	"time"

	"seaworthy/flow"
)

// How long a step may say nothing before it is declared hung. A compiler may
// well be quiet for a long time about a large program.
const (
	silence      = 15 * time.Minute
	buildSilence = 2 * time.Hour
)

// count writes a number with the word for one or for many.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// fileCount writes how many files there are.
func fileCount(n int) string { return count(n, "file", "files") }

// outside is a step that asks the outside world, may be repeated, and is worth
// repeating.
func outside[In, Out any](s *Service, name, title string, act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Act: act, Idempotent: true, Retry: s.Retry, Silence: silence}
}

// inside is a step that works on this machine and may be repeated.
func inside[In, Out any](name, title string, act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Act: act, Idempotent: true, Silence: silence}
}

// leaving is a step that leaves files in the folder of the run, on the machine
// where it ran: on another one it is done again.
func leaving[In, Out any](step flow.Step[In, Out], kept func(context.Context, Out) (bool, error)) flow.Step[In, Out] {
	step.Kept = kept
	return step
}

// public is a step that changes what others see: it always looks first.
func public[In, Out any](s *Service, name, title string, look func(context.Context, In) (Out, bool, error), act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Look: look, Act: act, Retry: s.Retry, Silence: silence}
}
