package cut

import (
	"context"

	"seaworthy/flow"
)

// outside is a step that asks the outside world, may be repeated, and is worth
// repeating.
func outside[In, Out any](s *Service, name, title string, act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Act: act, Idempotent: true, Retry: s.Retry, Silence: silence}
}

// inside is a step that works on this machine and may be repeated.
func inside[In, Out any](name, title string, act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Act: act, Idempotent: true, Silence: silence}
}

// public is a step that changes what others see: it always looks first.
func public[In, Out any](s *Service, name, title string, look func(context.Context, In) (Out, bool, error), act func(context.Context, In) (Out, error)) flow.Step[In, Out] {
	return flow.Step[In, Out]{Name: name, Title: title, Look: look, Act: act, Retry: s.Retry, Silence: silence}
}
