package strict

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a file.
type Problem struct {
	File string `json:"file"`
	// Line counts from 1; 0 means the file as a whole.
	Line int `json:"line"`
	// Message says what is wrong and what to write instead.
	Message string `json:"message"`
	// Warning marks a problem that does not keep the file from being used.
	Warning bool `json:"-"`
}

// String returns "file:line: message".
func (p Problem) String() string {
	kind := ""
	if p.Warning {
		kind = "warning: "
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s%s", p.File, kind, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s%s", p.File, p.Line, kind, p.Message)
}

// Split parts errors from warnings, keeping their order.
func Split(all []Problem) (failures, warnings []Problem) {
	for _, p := range all {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			failures = append(failures, p)
		}
	}
	return failures, warnings
}

// Error is every error found in a file, warnings left out.
type Error []Problem

// Error lists the problems, one on a line.
func (e Error) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// AsError returns an Error holding the problems that are not warnings, or nil
// if there are none.
func AsError(all []Problem) error {
	if failures, _ := Split(all); len(failures) > 0 {
		return Error(failures)
	}
	return nil
}

// Problems returns the problems inside an error made by AsError, nil if there
// are none.
func Problems(err error) []Problem {
	var e Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Sort orders problems by file and line and drops repetitions.
func Sort(all []Problem) []Problem {
	slices.SortStableFunc(all, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return slices.Compact(all)
}
