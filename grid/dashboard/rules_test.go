package dashboard_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

func TestEvaluatorRules(t *testing.T) {
	t.Parallel()
	c, problems := dashboard.Read(map[string][]byte{"a.yaml": []byte(`test_groups:
- name: ci-a
  gcs_prefix: bucket/logs/ci-a
  custom_evaluator_rule_set:
    rules:
    - computed_status: CATEGORIZED_ABORT
      test_result_comparisons:
      - property_key: kind
        comparison: {op: OP_EQ, string_value: infra}
      - test_result_field: failure_count
        comparison: {op: 3, numerical_value: 2}
    - computed_status: 12
      test_result_comparisons:
      - test_result_error_field: exception_type
        comparison: {op: OP_REGEX, string_value: "^panic"}
      - test_result_field: name
        comparison: {string_value: x}
    - test_result_comparisons: []
    - computed_status: 99
`)})
	for _, p := range problems {
		t.Log(p)
	}
	want := []grid.Rule{
		{Status: grid.CategorizedAbort, Comparisons: []grid.Comparing{{Property: "kind", Op: "EQ", Text: "infra"}, {Field: "failure_count", Op: "LT", Number: 2}}},
		{Status: grid.Fail, Comparisons: []grid.Comparing{{Error: "exception_type", Op: "REGEX", Text: "^panic"}, {Field: "name", Op: "EQ", Text: "x"}}},
		{Status: grid.Undetermined},
	}
	if len(c.TestGroups) != 1 {
		t.Fatalf("%d groups", len(c.TestGroups))
	}
	if diff := cmp.Diff(want, c.TestGroups[0].Settings().Rules); diff != "" {
		t.Error(diff)
	}
}
