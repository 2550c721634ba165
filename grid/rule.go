package grid

import (
	"regexp"
	"strings"
)

// Rule gives tests another outcome than the one they report
// (custom_evaluator_rule_set). It holds for a test of which every comparison
// is true; the first rule that holds counts. NoResult leaves the test out.
type Rule struct {
	Comparisons []Comparing `json:"comparisons"`
	Status      Outcome     `json:"status"`
}

// Comparing compares something of a test with a value. One of Property, Field
// and Error says with what; without any it is false, as it is for a test that
// has no such property.
type Comparing struct {
	// Property is the name of a property.
	Property string `json:"property,omitempty"`
	// Field is name, error_count or failure_count. The counts are 1 for a test
	// that failed, else 0: what a JUnit file calls an error is a failure here.
	Field string `json:"field,omitempty"`
	// Error is exception_type: why a test failed.
	Error string `json:"error,omitempty"`
	// Op is EQ, NE, LT, LE, GT, GE, REGEX, STARTS_WITH or CONTAINS. What stands
	// left of it is the test's: it starts with Text, or is less than Number.
	// TestGrid has STARTS_WITH the other way round, and dies of LT.
	Op string `json:"op"`
	// Text is what names, properties and messages are compared with, Number what
	// counts are.
	Text   string  `json:"text,omitempty"`
	Number float64 `json:"number,omitempty"`
}

// judge is rules made ready for many tests.
type judge struct {
	rules []Rule
	// patterns are those of REGEX by their text; an expression that is none
	// matches nothing.
	patterns map[string]*regexp.Regexp
}

func (s *Settings) judge() judge {
	j := judge{rules: s.Rules, patterns: map[string]*regexp.Regexp{}}
	for _, r := range s.Rules {
		for _, c := range r.Comparisons {
			if c.Op != "REGEX" {
				continue
			}
			if re, err := Filter(c.Text); err == nil {
				j.patterns[c.Text] = re
			}
		}
	}
	return j
}

// outcome is what the rules make of a test.
func (j *judge) outcome(t *Test) Outcome {
rules:
	for _, r := range j.rules {
		for _, c := range r.Comparisons {
			if !j.holds(c, t) {
				continue rules
			}
		}
		return r.Status
	}
	return t.Status
}

func (j *judge) holds(c Comparing, t *Test) bool {
	switch {
	case c.Property != "":
		value, ok := t.Properties[c.Property]
		return ok && j.text(c, value)
	case c.Field == "name":
		return j.text(c, t.Name)
	case c.Field == "error_count", c.Field == "failure_count":
		n := 0.0
		if t.Status.Failing() {
			n = 1
		}
		return c.number(n)
	case c.Error == "exception_type":
		return t.Status.Failing() && j.text(c, t.Message)
	}
	return false
}

func (j *judge) text(c Comparing, value string) bool {
	switch c.Op {
	case "EQ":
		return value == c.Text
	case "NE":
		return value != c.Text
	case "STARTS_WITH":
		return strings.HasPrefix(value, c.Text)
	case "CONTAINS":
		return strings.Contains(value, c.Text)
	case "REGEX":
		re := j.patterns[c.Text]
		return re != nil && re.MatchString(value)
	}
	return false
}

func (c Comparing) number(value float64) bool {
	switch c.Op {
	case "EQ":
		return value == c.Number
	case "NE":
		return value != c.Number
	case "LT":
		return value < c.Number
	case "LE":
		return value <= c.Number
	case "GT":
		return value > c.Number
	case "GE":
		return value >= c.Number
	}
	return false
}
