package dashboard

import (
	"strconv"

	"seaworthy/grid"
)

// rules are those of a custom_evaluator_rule_set, as far as JUnit files can be
// judged by them: comparisons of a target's status are of another service. A
// comparison without an operator asks for equality, as custom_evaluator.proto
// has it. A rule that says no status is passed over; TestGrid takes every test
// away that it holds for.
func (s *ruleSet) rules() []grid.Rule {
	if s == nil {
		return nil
	}
	operators := []string{"EQ", "EQ", "NE", "LT", "LE", "GT", "GE", "REGEX", "STARTS_WITH", "CONTAINS"}
	var rules []grid.Rule
	for _, r := range s.Rules {
		if r.Computed == "" {
			continue
		}
		rule := grid.Rule{Status: outcomeOf(r.Computed)}
		for _, c := range r.Comparisons {
			x := grid.Comparing{Property: c.Property, Field: c.Field, Error: c.ErrorField, Op: "EQ", Text: c.Comparison.Text, Number: c.Comparison.Number}
			for i, op := range operators {
				if c.Comparison.Op.is(i, "OP_"+op) {
					x.Op = op
				}
			}
			rule.Comparisons = append(rule.Comparisons, x)
		}
		rules = append(rules, rule)
	}
	return rules
}

// outcomeOf reads one of TestGrid's statuses; what is none of them is unknown.
func outcomeOf(n number) grid.Outcome {
	if o, ok := grid.ParseOutcome(string(n)); ok {
		return o
	}
	if i, err := strconv.Atoi(string(n)); err == nil && i >= int(grid.NoResult) && i <= int(grid.BuildPassed) {
		return grid.Outcome(i)
	}
	return grid.Undetermined
}
