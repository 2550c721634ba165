package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// work runs a step to its end, through as many attempts as it may have.
func (s *session) work(ctx context.Context, n *node, h stepHistory, input json.RawMessage) (json.RawMessage, error) {
	if h.open && !n.safe() {
		err := fmt.Errorf("it was interrupted while it ran and cannot tell how far it came: look whether its work is done, then resume the run to do it again")
		if _, appendErr := s.append(ctx, failure(n, h.attempts, err, false)); appendErr != nil {
			return nil, appendErr
		}
		return nil, err
	}
	waits := 0
	for try := 1; ; try++ {
		output, err := s.attempt(ctx, n, h.attempts+try, input)
		if err == nil {
			return output, nil
		}
		if ctx.Err() != nil {
			return nil, err // told to stop; the next driver takes it up
		}
		pause, asked := s.askedToWait(err)
		if asked {
			waits++
		}
		// Being told when to come again is no sign that it will not work then.
		retry := n.safe() && n.retry.Attempts > 1 && !final(err) && (asked && waits <= mostWaits || try-waits < n.retry.Attempts)
		if _, appendErr := s.append(ctx, failure(n, h.attempts+try, err, retry)); appendErr != nil {
			return nil, appendErr
		}
		if !retry {
			return nil, err
		}
		select {
		case <-s.engine.after(max(pause, s.backoff(n.retry, max(try-waits, 1)))):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// A step may be asked to wait so often, and so long each time: GitHub's limits
// are counted by the hour.
const (
	mostWaits   = 10
	longestWait = 2 * time.Hour
)

// askedToWait reports whether an error says when to try again, by a method
// RetryAt, and how long that is from now.
func (s *session) askedToWait(err error) (time.Duration, bool) {
	var later interface{ RetryAt() time.Time }
	if !errors.As(err, &later) {
		return 0, false
	}
	pause := max(later.RetryAt().Sub(s.engine.Now()), 0)
	return pause, pause <= longestWait
}

// failure is the entry of a failed attempt. Its data says what a timeline shows.
func failure(n *node, attempt int, err error, retry bool) Entry {
	var panicked *panicError
	data := failedData{Retry: retry, Hung: errors.Is(err, ErrHung), Panic: errors.As(err, &panicked)}
	encoded, encodeErr := json.Marshal(data)
	if encodeErr != nil { // three booleans
		encoded = nil
	}
	return Entry{Step: n.name, Kind: EntryFailed, Attempt: attempt, Message: err.Error(), Data: encoded}
}

type failedData struct {
	Retry bool `json:"retry"`
	Hung  bool `json:"hung,omitempty"`
	Panic bool `json:"panic,omitempty"`
}

// backoff is the wait after the nth failed attempt: doubling, with jitter
// downwards so that many runs hit by one outage do not come back together.
func (s *session) backoff(r Retry, n int) time.Duration {
	d, most := orDefault(r.Base, time.Second), orDefault(r.Cap, time.Minute)
	for range n - 1 {
		if d >= most {
			break
		}
		d *= 2
	}
	d = min(d, most)
	return d - time.Duration(s.engine.jitter()*float64(d)/2)
}

// attempt is one try: recorded, looked at, acted on, recorded.
func (s *session) attempt(ctx context.Context, n *node, number int, input json.RawMessage) (json.RawMessage, error) {
	e := s.engine
	e.boundary("before attempt " + n.name)
	if _, err := s.append(ctx, Entry{Step: n.name, Kind: EntryAttempt, Attempt: number, Data: input}); err != nil {
		return nil, err
	}
	e.boundary("after attempt " + n.name)
	r := s.reporter(ctx, n, number)
	looked, output, err := s.lookThenAct(context.WithValue(ctx, contextKey{}, r), n, r, input)
	r.flush()
	var panicked *panicError
	if errors.As(err, &panicked) {
		r.write(EntryLog, panicked.stack)
	}
	done := Entry{Step: n.name, Kind: EntryDone, Attempt: number, Data: output}
	var skip *skipError
	switch {
	case errors.As(err, &skip):
		done.Kind, done.Message = EntrySkipped, skip.reason
	case err != nil:
		return nil, err
	}
	e.boundary("before done " + n.name)
	if looked {
		if _, err := s.append(ctx, Entry{Step: n.name, Kind: EntryLooked, Attempt: number}); err != nil {
			return nil, err
		}
	}
	if _, err := s.append(ctx, done); err != nil {
		return nil, err
	}
	e.boundary("after done " + n.name)
	return output, nil
}

// reporter is what a step finds in its context.
func (s *session) reporter(ctx context.Context, n *node, attempt int) *reporter {
	e := s.engine
	return &reporter{run: s.run, step: n.name, now: e.Now, beat: e.Now(),
		write: func(kind EntryKind, message string) {
			// A failure to write halts the session; the step is told by its context.
			_, _ = s.append(ctx, Entry{Step: n.name, Kind: kind, Attempt: attempt, Message: message})
		},
		mark: func(point string) { e.boundary("in " + n.name + ": " + point) }}
}

// effect is what a look or an act came to.
type effect struct {
	output json.RawMessage
	found  bool
	err    error
}

func (s *session) lookThenAct(ctx context.Context, n *node, r *reporter, input json.RawMessage) (looked bool, output json.RawMessage, err error) {
	if n.look != nil {
		was := s.guard(ctx, n, r, func(ctx context.Context) (e effect) {
			e.output, e.found, e.err = n.look(ctx, input)
			return e
		})
		var skip *skipError
		switch {
		case errors.As(was.err, &skip) || was.err == nil && was.found:
			return was.err == nil, was.output, was.err
		case was.err != nil:
			return false, nil, fmt.Errorf("looking whether it is done already: %w", was.err)
		}
	}
	s.engine.boundary("before act " + n.name)
	is := s.guard(ctx, n, r, func(ctx context.Context) (e effect) {
		e.output, e.err = n.act(ctx, input)
		return e
	})
	s.engine.boundary("after act " + n.name)
	return false, is.output, is.err
}

// guard runs call in a goroutine, so that a step that hangs can be told to stop
// and, if it does not, be left behind; a panic comes back as an error.
func (s *session) guard(ctx context.Context, n *node, r *reporter, call func(context.Context) effect) effect {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan effect, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				ended <- effect{err: &panicError{value: p, stack: string(debug.Stack())}}
			}
		}()
		ended <- call(ctx)
	}()
	r.alive()
	var silence <-chan time.Time
	if n.silence > 0 {
		silence = s.engine.after(n.silence)
	}
	for {
		select {
		case e := <-ended:
			return judge(ctx, e)
		case <-ctx.Done():
			return s.leave(ctx, ended)
		case <-silence:
			quiet := s.engine.Now().Sub(r.silentSince())
			if quiet < n.silence {
				silence = s.engine.after(n.silence - quiet)
				continue
			}
			cancel(fmt.Errorf("%w: no sign of life for %v", ErrHung, n.silence))
		}
	}
}

// leave waits for a step that was told to stop.
func (s *session) leave(ctx context.Context, ended <-chan effect) effect {
	select {
	case e := <-ended:
		return judge(ctx, e)
	case <-s.engine.after(orDefault(s.engine.Grace, 30*time.Second)):
		return effect{err: &abandonedError{context.Cause(ctx)}}
	}
}

// judge decides what the end of a step means that may have been told to stop.
// What it did in spite of that counts; its own error then most likely says only
// that it was stopped, and why it was is more to the point.
func judge(ctx context.Context, e effect) effect {
	var panicked *panicError
	if ctx.Err() == nil || e.err == nil || errors.As(e.err, &panicked) {
		return e
	}
	return effect{err: context.Cause(ctx)}
}
