package grid_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

func TestRules(t *testing.T) {
	t.Parallel()
	failed := grid.Test{Name: "[sig-net] dial", Status: grid.Fail, Message: "exit 7: timeout", Properties: map[string]string{"kind": "infra", "empty": ""}}
	passed := grid.Test{Name: "dial", Status: grid.Pass, Message: "printed"}
	tests := []struct {
		name string
		c    grid.Comparing
		// want says whether it holds for failed, and for passed.
		want string
	}{
		{"property", grid.Comparing{Property: "kind", Op: "EQ", Text: "infra"}, "true false"},
		{"property, not", grid.Comparing{Property: "kind", Op: "NE", Text: "infra"}, "false false"},
		{"another property", grid.Comparing{Property: "none", Op: "NE", Text: "infra"}, "false false"},
		{"property that is empty", grid.Comparing{Property: "empty", Op: "EQ"}, "true false"},
		{"name", grid.Comparing{Field: "name", Op: "REGEX", Text: `^\[sig-`}, "true false"},
		{"bad expression", grid.Comparing{Field: "name", Op: "REGEX", Text: `(`}, "false false"},
		{"name starts", grid.Comparing{Field: "name", Op: "STARTS_WITH", Text: "dial"}, "false true"},
		{"name contains", grid.Comparing{Field: "name", Op: "CONTAINS", Text: "dial"}, "true true"},
		{"failures", grid.Comparing{Field: "failure_count", Op: "EQ", Number: 1}, "true false"},
		{"no failures", grid.Comparing{Field: "failure_count", Op: "NE", Number: 1}, "false true"},
		{"errors", grid.Comparing{Field: "error_count", Op: "GT"}, "true false"},
		{"less", grid.Comparing{Field: "failure_count", Op: "LT", Number: 1}, "false true"},
		{"at most", grid.Comparing{Field: "failure_count", Op: "LE", Number: 1}, "true true"},
		{"at least", grid.Comparing{Field: "failure_count", Op: "GE", Number: 1}, "true false"},
		{"why", grid.Comparing{Error: "exception_type", Op: "CONTAINS", Text: "timeout"}, "true false"},
		{"what a passing test prints", grid.Comparing{Error: "exception_type", Op: "CONTAINS", Text: "printed"}, "false false"},
		{"nothing", grid.Comparing{Op: "EQ"}, "false false"},
		{"another field", grid.Comparing{Field: "duration", Op: "EQ"}, "false false"},
		{"no such operator", grid.Comparing{Field: "name", Op: "LIKE", Text: "dial"}, "false false"},
		{"none for numbers", grid.Comparing{Field: "error_count", Op: "REGEX", Text: "."}, "false false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			holds := func(test grid.Test) bool {
				b := build(99)
				b.Tests = []grid.Test{test}
				s := grid.Settings{Rules: []grid.Rule{{Comparisons: []grid.Comparing{tt.c}, Status: grid.Blocked}}}
				return single(s, b).Row(test.Name).Cells()[0].Status == grid.Blocked
			}
			if got := fmt.Sprint(holds(failed), holds(passed)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// All comparisons have to hold; the first rule that does counts.
func TestRuleOrder(t *testing.T) {
	t.Parallel()
	name := func(op, text string) grid.Comparing { return grid.Comparing{Field: "name", Op: op, Text: text} }
	s := grid.Settings{Rules: []grid.Rule{
		{[]grid.Comparing{name("STARTS_WITH", "a"), name("CONTAINS", "z")}, grid.Pass},
		{[]grid.Comparing{name("STARTS_WITH", "a")}, grid.ToolFailed},
		{[]grid.Comparing{name("STARTS_WITH", "b")}, grid.NoResult},
		{nil, grid.Undetermined},
	}}
	b := build(99, "-az", "ab", "-b", "c", "-ab")
	g := single(s, b)
	var got []string
	for _, r := range g.Rows {
		c := r.Cells()[0]
		got = append(got, fmt.Sprintf("%s %s %q %q", r.Name, c.Status, c.Icon, c.Message))
	}
	want := []string{
		`j.Overall FAIL "" ""`, `ab TOOL_FAIL "0/2" "0/2 runs passed: broke"`, `az PASS "" "broke"`, `c UNKNOWN "" ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.Tests[0].Status != grid.Fail {
		t.Error("the build was changed")
	}
}
