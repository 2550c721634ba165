package grid

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxMessage is how long a cell's message may be, in bytes.
const maxMessage = 140

// cells returns the column of a build, by the names of rows.
func (g *Grid) cells(b Build, now time.Time) map[string]Cell {
	byName := make(map[string][]Test, len(b.Tests))
	for _, t := range b.Tests {
		byName[t.Name] = append(byName[t.Name], t)
	}
	cells := make(map[string]Cell, len(byName)+1)
	failed := false
	for name, runs := range byName {
		c := merge(runs)
		failed = failed || c.Status.Failing()
		cells[name] = c
	}
	cells[g.Overall()] = overall(b, failed, now)
	return cells
}

// overall is the verdict on a build; failed says that a test of it failed.
func overall(b Build, failed bool, now time.Time) Cell {
	switch {
	case b.Finished.IsZero() && now.Sub(b.Started) > StillRunning:
		return Cell{Fail, "T", "Build did not complete within 24 hours"}
	case b.Finished.IsZero():
		return Cell{Running, "R", "Build still running"}
	case b.Malformed != "":
		return Cell{Fail, "E", shorten(b.Malformed)}
	case b.Passed:
		return Cell{Status: Pass}
	case b.Result == "ABORTED":
		return Cell{Fail, "F", "Build was aborted"}
	case failed:
		return Cell{Fail, "F", ""}
	}
	return Cell{Fail, "F", "Build failed outside of test results"}
}

// merge makes one cell of the runs of one test in a build.
func merge(runs []Test) Cell {
	passed, message, skipMessage := 0, "", ""
	skipped := true
	for _, t := range runs {
		if t.Status != PassWithSkips {
			skipped = false
		} else if skipMessage == "" {
			skipMessage = t.Message
		}
		switch {
		case t.Status.Passing():
			passed++
		case message == "":
			message = t.Message
		}
	}
	n := len(runs)
	switch {
	case skipped:
		return Cell{PassWithSkips, "S", shorten(skipMessage)}
	case n == 1 && passed == 1:
		return Cell{Status: Pass}
	case n == 1 && message == "":
		return Cell{Status: Fail}
	case n == 1:
		return Cell{Fail, "F", shorten(message)}
	}
	icon := fmt.Sprintf("%d/%d", passed, n)
	told := fmt.Sprintf("%s runs passed", icon)
	if message != "" {
		told += ": " + message
	}
	switch passed {
	case n:
		return Cell{Pass, icon, ""}
	case 0:
		return Cell{Fail, icon, shorten(told)}
	}
	return Cell{Flake, icon, shorten(told)}
}

// shorten cuts the middle out of a long message.
func shorten(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	const gap = "…"
	half := (maxMessage - len(gap)) / 2
	head, tail := half, len(s)-half
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + gap + s[tail:]
}
