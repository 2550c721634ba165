package dashboard_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid/dashboard"
	"seaworthy/strict"
)

func fields(t *testing.T) dashboard.Config {
	t.Helper()
	text, err := os.ReadFile("testdata/fields.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := read(t, "default.yaml", defaultsFile, "fields.yaml", string(text))
	for _, p := range append(problems, c.Check()...) {
		if !p.Warning {
			t.Error(p)
		}
	}
	return c
}

// Whatever field a configuration has, it can be read; those that make no
// difference are told of, each once, and no others are.
func TestEveryField(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/fields.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := read(t, "default.yaml", defaultsFile, "fields.yaml", string(text))
	got := map[string]int{}
	for _, p := range append(problems, c.Check()...) {
		if !p.Warning {
			t.Error(p)
			continue
		}
		field, _, _ := strings.Cut(p.Message, " ")
		got[field]++
	}
	want := map[string]int{
		"auto_bug_options": 1, "auto_file_bugs": 1, "beta_autobug_options": 1, "display_local_time": 1, "enable_test_methods": 1,
		"fallback_grouping": 1, "fallback_grouping_configuration_value": 1, "gather_bugs": 1, "highlight_failing_tabs": 1, "ignore_test_substring": 1,
		"issue_gather_options": 1, "link_bugs_by_group": 1, "link_bugs_by_test_methods": 1, "max_test_methods_per_test": 1, "primary_grouping": 1,
		"test_method_properties": 1, "test_tag_pattern": 1, "use_full_method_names": 1, "use_test_metadata": 1,
		"about_dashboard_url": 1, "build_override_configuration_value": 1, "build_override_strftime": 1, "column_diff_link_templates": 1, "context_menu_template": 1,
		"ignore_old_results": 1, "max_test_runtime_hours": 1, "tabular_names_regex": 1, "test_metadata_options": 1, "test_method_match_regex": 1, "test_method_unmatch_regex": 1,
		"test": 1, // group "result-store": cannot be read here
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What was read prints in the form it is read from, and says the same then.
func TestPrintedFormIsRead(t *testing.T) {
	t.Parallel()
	c := fields(t)
	if len(c.TestGroups[0].Rules) != 1 {
		t.Errorf("got %v", c.TestGroups[0].Rules)
	}
	c.TestGroups[0].Rules = nil // not printed
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	again, problems := read(t, "default.yaml", defaultsFile, "again.yaml", string(text))
	if err := strict.AsError(problems); err != nil {
		t.Fatal(err)
	}
	printed, err := json.MarshalIndent(again, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(printed)); diff != "" {
		t.Error(diff)
	}
	tab, group, _ := c.Tab("board", "tab")
	same, sameGroup, ok := again.Tab("board", "tab")
	if !ok {
		t.Fatal("the tab is lost")
	}
	if diff := cmp.Diff(describe(tab, group), describe(same, sameGroup)); diff != "" {
		t.Error(diff)
	}
}

// describe is what a tab makes of its settings.
func describe(tab dashboard.Tab, group dashboard.TestGroup) string {
	o := tab.Options(group)
	var patterns []string
	for _, re := range append(o.Include, o.Exclude...) {
		patterns = append(patterns, re.String())
	}
	o.Include, o.Exclude = nil, nil
	text, err := json.Marshal(map[string]any{"options": o, "patterns": patterns, "settings": group.Settings(), "mails": tab.MailAddresses(group), "prefixes": group.Prefixes()})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Each link of the tab leads somewhere.
func TestEveryLink(t *testing.T) {
	t.Parallel()
	tab, group, ok := fields(t).Tab("board", "tab")
	if !ok {
		t.Fatal("no tab")
	}
	v := tab.Values(group, "https://sea.example/x").Cell("17", "TestA", "Failed", "abc").Between("16", nil, "17", nil)
	links := []*dashboard.Link{tab.OpenTest, tab.FileBug, tab.AttachBug, tab.OpenBug, tab.Results, tab.ContextMenu, &tab.ColumnDiffs[0]}
	for i, link := range links {
		if got, err := link.Expand(v); err != nil || got != "https://example.com/17?k=TestA" {
			t.Errorf("link %d: %s, %v", i, got, err)
		}
	}
	if got, err := tab.CodeSearch.Expand(v); err != nil || got != "https://example.com/16..17" {
		t.Errorf("code search: %s, %v", got, err)
	}
}
