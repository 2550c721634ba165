package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"seaworthy/grid"
)

// Report is the healthiness report that a tab wants mailed by the clock:
// TestGrid's health_analysis_options.
type Report struct {
	Mails []string
	// Schedule tells one schedule from another, Next is the first time after
	// one that it names; zero if it names none.
	Schedule string
	Next     func(after time.Time) time.Time
	// Group, if set, matches what the names of tests of one group differ in.
	Group *regexp.Regexp
}

// Flaky is from when on a flaky test of a tab is trouble: TestGrid's
// flakiness_alert_options.
type Flaky struct {
	// Minimum is in percent, as grid.TestHealth.Flakiness; 0 never. It is over
	// once the test is below half of it, so that one near the minimum does not
	// begin and end every day.
	Minimum float64
	Mails   []string
	Subject string
	Remind  time.Duration
	Note    string
}

// flaky lists the tests of a tab that are flaky enough to be told of.
func (t Tab) flaky(known map[string]*Trouble) []grid.TestHealth {
	if t.Health == nil || t.Flaky.Minimum <= 0 {
		return nil
	}
	var all []grid.TestHealth
	for _, h := range t.Health.Tests {
		least := t.Flaky.Minimum
		if k := known[string(Flakes)+" "+h.Test]; k != nil && k.Ended.IsZero() {
			least /= 2
		}
		if h.Flakiness > 0 && h.Flakiness >= least {
			all = append(all, h)
		}
	}
	return all
}

// report writes the reports that are due, and sets when the next ones are. One
// that falls into quiet hours, or that cannot be made yet, is due afterwards; of
// several that were missed there is one.
func (s *State) report(tabs []Tab, rules Rules, now time.Time) {
	set := map[string]time.Time{}
	for _, t := range tabs {
		r := t.Report
		if r == nil || r.Next == nil || len(r.Mails) == 0 {
			continue
		}
		key := t.Dashboard + "\x00" + t.Name + "\x00" + r.Schedule
		due, ok := s.Reports[key]
		if !ok {
			due = r.Next(now)
		}
		if ok && !due.IsZero() && !now.Before(due) && t.Health != nil && !t.Unread && !rules.Quiet.holds(now) {
			s.due(t.report(rules.Project, now))
			due = r.Next(now)
		}
		set[key] = due
	}
	if s.Reports = set; len(set) == 0 {
		s.Reports = nil
	}
}

// Bounds of a report.
const (
	mostFlaky = 20 // tests, or groups of them
	mostInfra = 10 // codes of the infrastructure
)

func (t Tab) report(project string, now time.Time) Message {
	h := *t.Health
	flaky := slices.DeleteFunc(slices.Clone(h.Tests), func(x grid.TestHealth) bool { return x.Flakiness == 0 })
	slices.SortStableFunc(flaky, func(x, y grid.TestHealth) int {
		return cmp.Or(cmp.Compare(y.Flakiness, x.Flakiness), strings.Compare(x.Test, y.Test))
	})
	name := t.Dashboard + ", " + t.Name
	m := Message{At: now, Mails: t.Report.Mails, Subject: oneLine(fmt.Sprintf("[%s] healthiness of %s: %d of %s flaky", project, name, len(flaky), count(len(h.Tests), "test")), 200)}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00report\x00%s\x00%d", project, name, now.Unix()))
	m.ID = hex.EncodeToString(sum[:12])
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nFrom %s to %s: %d of %s flaky.\n", plain{}.link(name, t.URL), clock(h.From), clock(h.To), len(flaky), count(len(h.Tests), "test"))
	fmt.Fprintf(&b, "Flakiness on average: %s; in the interval before: %s.\n", percent(h.Flakiness), percent(h.Before))
	if r := t.Report.Group; r != nil {
		writeGroups(&b, flaky, r)
	} else if len(flaky) > 0 {
		b.WriteString("\nThe flakiest:\n")
		for i, x := range flaky {
			if i == mostFlaky {
				fmt.Fprintf(&b, "- and %d more\n", len(flaky)-i)
				break
			}
			b.WriteString(plain{}.item(0) + flakiness(x) + "\n")
		}
	}
	writeInfra(&b, h)
	m.Text = b.String()
	return m
}

// writeGroups lists the groups with the most flaky tests, and the flakiest test
// of each.
func writeGroups(b *strings.Builder, flaky []grid.TestHealth, mask *regexp.Regexp) {
	groups := map[string][]grid.TestHealth{}
	for _, x := range flaky {
		g := mask.ReplaceAllString(x.Test, "")
		groups[g] = append(groups[g], x)
	}
	names := slices.SortedFunc(maps.Keys(groups), func(x, y string) int {
		return cmp.Or(len(groups[y])-len(groups[x]), strings.Compare(x, y))
	})
	for i, g := range names {
		if i == 0 {
			b.WriteString("\nFlaky tests by group:\n")
		}
		if i == mostFlaky {
			fmt.Fprintf(b, "- and %s more\n", count(len(names)-i, "group"))
			break
		}
		fmt.Fprintf(b, "%s%s: %s, the flakiest of them\n%s%s\n", plain{}.item(0), oneLine(cmp.Or(g, "(all)"), 300), count(len(groups[g]), "flaky test"), plain{}.item(1), flakiness(groups[g][0]))
	}
}

// writeInfra counts the failures that are the infrastructure's fault.
func writeInfra(b *strings.Builder, h grid.Health) {
	codes := map[string]int{}
	for _, x := range h.Tests {
		for code, n := range x.Infra {
			codes[code] += n
		}
	}
	names := slices.SortedFunc(maps.Keys(codes), func(x, y string) int { return cmp.Or(codes[y]-codes[x], strings.Compare(x, y)) })
	for i, code := range names[:min(len(names), mostInfra)] {
		if i == 0 {
			b.WriteString("\nFailures of the infrastructure, which count for no test:\n")
		}
		fmt.Fprintf(b, "- %s: %d\n", oneLine(code, 100), codes[code])
	}
}

// flakiness says how a test fared.
func flakiness(h grid.TestHealth) string {
	before := ""
	if h.Before != nil {
		before = " (before: " + percent(*h.Before) + ")"
	}
	return oneLine(h.Test, 300) + ": " + percent(h.Flakiness) + before + "; " + fared(h)
}

func fared(h grid.TestHealth) string {
	out := fmt.Sprintf("passed %d, failed %d", h.Passed, h.Failed)
	if h.Flaked > 0 {
		out += fmt.Sprintf(", did both in %d", h.Flaked)
	}
	return out
}

func percent(p float64) string { return fmt.Sprintf("%.1f %%", p) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
