package app

import (
	"strings"
	"testing"

	"seaworthy/job/result"
)

// What failed within a test is its reason; a test that has one of its own keeps it.
func TestFailures(t *testing.T) {
	t.Parallel()
	framed := "=== RUN   TestGauges\n--- FAIL: TestGauges (0.00s)\n"
	for name, c := range map[string]struct {
		tests []result.TestResult
		want  string
	}{
		"a frame around its subtests": {[]result.TestResult{
			{Name: "sea.TestGauges", Status: result.Fail, Message: "failed"},
			{Name: "sea.TestGauges/pier", Status: result.Fail, Message: "out of reach"},
			{Name: "sea.TestGauges/fairway", Status: result.Pass},
		}, "sea.TestGauges/pier"},
		"frames around frames": {[]result.TestResult{
			{Name: "TestA", Status: result.Fail, Message: framed}, {Name: "TestA/b", Status: result.Fail}, {Name: "TestA/b/c", Status: result.Fail, Message: "x"},
		}, "TestA/b/c"},
		"words of its own": {[]result.TestResult{
			{Name: "TestA", Status: result.Fail, Message: framed + "a_test.go:3: two of them failed"}, {Name: "TestA/b", Status: result.Fail, Message: "x"},
		}, "TestA TestA/b"},
		"nothing failed within it": {[]result.TestResult{
			{Name: "TestA", Status: result.Fail, Message: "Failed"}, {Name: "TestA/b", Status: result.Pass}, {Name: "TestAB/c", Status: result.Fail, Message: "x"},
		}, "TestA TestAB/c"},
		"nothing failed": {[]result.TestResult{{Name: "TestA", Status: result.Pass}, {Name: "TestB", Status: result.Skip}}, ""},
	} {
		var got []string
		for _, f := range failures(c.tests) {
			got = append(got, f.Test)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
