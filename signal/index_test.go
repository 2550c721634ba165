package signal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/signal"
)

// junit puts a finished build with results of its own.
func junit(tb testing.TB, write func(key, text string) error, folder, id, text string, started time.Time) {
	tb.Helper()
	for name, content := range map[string]string{
		"started.json":        fmt.Sprintf(`{"timestamp":%d}`, started.Unix()),
		"artifacts/junit.xml": "<testsuite>" + text + "</testsuite>",
		"finished.json":       fmt.Sprintf(`{"timestamp":%d,"passed":true,"result":"SUCCESS"}`, started.Unix()+60),
	} {
		if err := write(folder+"/"+id+"/"+name, content); err != nil {
			tb.Fatal(err)
		}
	}
}

// holding lists the tabs whose grids may have a row that matches, and the names
// that were asked about.
func holding(t *testing.T, s *signal.Service, match func(name string, failed bool) bool) (tabs, asked []string) {
	t.Helper()
	holds, err := s.Holding(t.Context(), func(name string, failed bool) bool {
		asked = append(asked, fmt.Sprintf("%s %t", name, failed))
		return match(name, failed)
	})
	must(t, err)
	for _, tab := range []string{"one", "two", "three", "lost"} {
		if holds("board", tab) {
			tabs = append(tabs, tab)
		}
	}
	if holds("elsewhere", "one") {
		t.Error("a dashboard that is not there holds a test")
	}
	slices.Sort(asked)
	return tabs, asked
}

const threeTabs = `
test_groups:
- {name: one, gcs_prefix: ci/logs/one, disable_prowjob_analysis: true}
- {name: two, gcs_prefix: ci/logs/two, disable_prowjob_analysis: true}
- {name: three, gcs_prefix: ci/logs/three, disable_prowjob_analysis: true}
dashboards:
- name: board
  dashboard_tab: [{name: one, test_group_name: one}, {name: two, test_group_name: two}, {name: three, test_group_name: three}]
`

func TestHolding(t *testing.T) {
	t.Parallel()
	b := memory(t)
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	write := func(key, text string) error { return b.WriteAll(context.Background(), key, []byte(text), nil) }
	const bent = `<testcase name="TestBent"><failure message="bent"/></testcase>`
	junit(t, write, "ci/logs/one", "1", `<testcase name="TestSheet"/>`+bent, began)
	junit(t, write, "ci/logs/two", "1", `<testcase name="TestSheet"/><testcase name="TestAnchor"/>`, began)
	now := began.Add(time.Hour)
	text := threeTabs
	s := signal.New(signal.Options{
		Open: here(b), Now: func() time.Time { return now }, Fresh: 100 * time.Hour,
		Configured: func(ctx context.Context) ([]signal.Configuration, error) { return configured(t, text)(ctx) },
	})
	defer s.Close()
	is := func(names ...string) func(string, bool) bool {
		return func(name string, _ bool) bool { return slices.Contains(names, name) }
	}
	// Nothing has been read: any may have it, but what has no results.
	tabs, asked := holding(t, s, is("TestAnchor"))
	if !slices.Equal(tabs, []string{"one", "two", "three"}) || len(asked) != 0 {
		t.Errorf("before: %v, asked %v", tabs, asked)
	}
	must(t, s.Refresh(t.Context()))
	for want, match := range map[string]func(string, bool) bool{
		"two":     is("TestAnchor"),
		"one":     func(_ string, failed bool) bool { return failed },
		"one two": is("TestSheet", "TestNever"),
		"":        func(name string, failed bool) bool { return name == "TestSheet" && failed },
	} {
		tabs, asked := holding(t, s, match)
		if strings.Join(tabs, " ") != want {
			t.Errorf("%v hold it, not %q", tabs, want)
		}
		// Each name is asked about once for each of the two ways it may have fared.
		if len(asked) != len(slices.Compact(slices.Clone(asked))) || len(asked) != 2*5 {
			t.Errorf("asked %q", asked)
		}
	}

	// A new build brings a test, and one of a group that had none.
	junit(t, write, "ci/logs/two", "2", `<testcase name="TestSheet"/><testcase name="TestKnot"/>`, began.Add(time.Minute))
	junit(t, write, "ci/logs/three", "7", bent, began.Add(time.Minute))
	must(t, s.Refresh(t.Context()))
	if tabs, _ := holding(t, s, is("TestKnot")); !slices.Equal(tabs, []string{"two"}) {
		t.Errorf("%v hold the new test", tabs)
	}
	if tabs, _ := holding(t, s, func(_ string, failed bool) bool { return failed }); !slices.Equal(tabs, []string{"one", "three"}) {
		t.Errorf("tests failed in %v", tabs)
	}

	// What is configured no longer is forgotten, with the names that it alone had.
	text = strings.ReplaceAll(threeTabs, "{name: two, test_group_name: two}, ", "")
	text = strings.ReplaceAll(text, "- {name: two, gcs_prefix: ci/logs/two, disable_prowjob_analysis: true}\n", "")
	s.Reconfigured()
	_, err := s.Dashboards(t.Context())
	must(t, err)
	tabs, asked = holding(t, s, is("TestKnot"))
	if len(tabs) != 0 || slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(a, "TestKnot") || strings.HasPrefix(a, "two.") }) {
		t.Errorf("%v hold it, asked %q", tabs, asked)
	}

	// It is read and known again once it is configured again.
	text = threeTabs
	s.Reconfigured()
	must(t, s.Refresh(t.Context()))
	if tabs, _ := holding(t, s, is("TestKnot")); !slices.Equal(tabs, []string{"two"}) {
		t.Errorf("%v hold it when it is back", tabs)
	}

	// Results that are to be looked for each time are, before anything is said.
	eager := signal.New(signal.Options{Open: here(b), Now: func() time.Time { return now }, Configured: configured(t, threeTabs)})
	defer eager.Close()
	if tabs, _ := holding(t, eager, is("TestNever")); len(tabs) != 0 {
		t.Errorf("%v may hold it", tabs)
	}
	junit(t, write, "ci/logs/one", "2", `<testcase name="TestNever"/>`, began.Add(2*time.Minute))
	if tabs, _ := holding(t, eager, is("TestNever")); !slices.Equal(tabs, []string{"one"}) {
		t.Errorf("%v hold it, once it has come", tabs)
	}
}
