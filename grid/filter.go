package grid

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// Limits of a regular expression: its length in bytes, and its steps.
const (
	maxPattern = 2000
	maxSteps   = 400
)

// Filter compiles a regular expression in Go's syntax. What it takes to try one
// grows with the length of the text and with the steps that it has to consider
// at each place of it, so both are bounded: names by Append, and steps here. An
// expression that lists words has few of them, one that repeats what may be
// absent hundreds of times has many. The error tells what is wrong with it.
func Filter(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d: write a shorter one", len(pattern), maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", pattern, err)
	}
	if n := steps(parsed); n > maxSteps {
		return nil, fmt.Errorf("the expression is too large: it repeats or lists too much (%d steps, at most %d)", n, maxSteps)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", pattern, err)
	}
	return re, nil
}

// steps counts what may have to be considered at one place of a text: words as
// one, and what is repeated as often as it is. It stops counting when there are
// far too many.
func steps(r *syntax.Regexp) int {
	const plenty = 1 << 20
	n := 0
	for _, sub := range r.Sub {
		n = min(n+steps(sub), plenty)
	}
	switch r.Op {
	case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate:
		return n
	case syntax.OpRepeat:
		times := max(r.Max, r.Min, 1)
		if r.Max < 0 {
			times++
		}
		return min((n+1)*times, plenty)
	}
	return n + 1
}
