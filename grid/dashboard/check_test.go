package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"seaworthy/strict"
)

// sound is a configuration without anything to complain of, in which tests put
// one thing wrong.
const sound = `test_groups:
- name: group
  gcs_prefix: bucket/logs/group
dashboards:
- name: board
  dashboard_tab:
  - name: tab
    test_group_name: group
dashboard_groups:
- name: family
  dashboard_names: [board]
`

func TestCheck(t *testing.T) {
	t.Parallel()
	more := func(s string) string { return sound + s }
	instead := func(old, s string) string {
		if !strings.Contains(sound, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(sound, old, s, 1)
	}
	group := func(field string) string { return instead("logs/group\n", "logs/group\n  "+field+"\n") }
	tab := func(field string) string {
		return instead("test_group_name: group\n", "test_group_name: group\n    "+field+"\n")
	}
	board := func(field string) string { return instead("- name: board\n", "- name: board\n  "+field+"\n") }
	tests := []struct {
		name, in string
		want     []string // beginnings of what is told; with "warning: " for warnings
	}{
		{"sound", sound, nil},
		{"nothing", "", []string{"the configuration: there are no test groups"}},
		{"no dashboards", "test_groups: [{name: group, gcs_prefix: b}]", []string{"the configuration: there are no dashboards"}},

		{"a group twice", strings.Replace(sound, "dashboards:", "- name: GROUP\n  gcs_prefix: x\ndashboards:", 1), []string{
			`a.yaml:4: test group "GROUP" has the name of test group "group" (a.yaml:2), when only`, `a.yaml:4: test group "GROUP" is on no tab`}},
		{"a dashboard twice", strings.Replace(sound, "dashboard_groups:", "- name: Board!\n  dashboard_tab: [{name: tab, test_group_name: group}]\ndashboard_groups:", 1), []string{
			`a.yaml:9: dashboard "Board!" has the name of dashboard "board"`, `a.yaml:9: dashboard "Board!": write its name with letters`}},
		{"a tab twice", instead("dashboard_groups:", "  - name: Tab\n    test_group_name: group\ndashboard_groups:"), []string{`a.yaml:9: tab "Tab" in dashboard "board" has the name of tab "tab"`}},
		{"a family twice", more("- name: Family\n  dashboard_names: []\n"), []string{`a.yaml:12: dashboard group "Family" has the name of dashboard group "family"`, `a.yaml:13: warning: dashboard group "Family" holds no dashboard`}},
		{"a family like a dashboard", instead("name: family", "name: b.oard"), []string{`a.yaml:10: dashboard group "b.oard" has the name of dashboard "board"`}},

		{"no name", instead("name: tab", "name: ''"), []string{"a.yaml:7: a tab without a name"}},
		{"a short name", instead("name: tab", "name: t-b"), []string{`a.yaml:7: tab "t-b": give it a name of at least 3`}},
		{"an odd name", instead("name: tab", "name: 'tab;drop'"), []string{`a.yaml:7: tab "tab;drop": write its name with letters`}},
		{"a long name", instead("name: tab", "name: "+strings.Repeat("long", 600)), []string{`a.yaml:7: tab "long`}},
		{"a reserved name", instead("name: tab", "name: Dash-Board 1"), []string{`a.yaml:7: tab "Dash-Board 1": a name may not begin with dashboard`}},
		{"Summary", instead("name: tab", "name: Summary"), []string{`a.yaml:7: tab "Summary": a name may not begin`, `a.yaml:7: tab "Summary" of dashboard "board": Summary is the name`}},

		{"a group that is nowhere", instead("test_group_name: group", "test_group_name: grup"), []string{`a.yaml:8: tab "tab" of dashboard "board": there is no test group "grup": write "group"`, `a.yaml:2: test group "group" is on no tab`}},
		{"no group", instead("test_group_name: group", "description: x"), []string{`a.yaml:7: tab "tab" of dashboard "board" has no test_group_name`, `a.yaml:2: test group "group" is on no tab`}},
		{"a dashboard that is nowhere", instead("[board]", "[board, boards]"), []string{`a.yaml:11: dashboard group "family": there is no dashboard "boards": write "board"`}},
		{"a dashboard in two", more("- name: second\n  dashboard_names: [board]\n"), []string{`a.yaml:13: dashboard "board" is in dashboard group "second" and in "family"`}},
		{"no tabs", instead("dashboard_groups:", "- name: empty\ndashboard_groups:"), []string{`a.yaml:9: dashboard "empty" contains no tabs`}},

		{"no prefix", instead("gcs_prefix: bucket/logs/group", "days_of_results: 3"), []string{`a.yaml:2: test group "group" has no gcs_prefix`}},
		{"days below 0", group("days_of_results: -1"), []string{`a.yaml:4: test group "group": days_of_results is -1`}},
		{"columns below 0", group("num_columns_recent: -1"), []string{`a.yaml:4: test group "group": num_columns_recent is -1`}},
		{"other numbers below 0", group("num_failures_to_alert: -2"), []string{`a.yaml:2: warning: test group "group" has a number below 0 (-2)`}},
		{"two sources", group("result_source: {gcs_config: {gcs_prefix: x}}"), []string{`a.yaml:4: test group "group" has a gcs_prefix and a gcs_config`}},
		{"the long source", instead("gcs_prefix: bucket/logs/group", "result_source: {gcs_config: {gcs_prefix: x}}"), nil},
		{"the long source, empty", instead("gcs_prefix: bucket/logs/group", "result_source: {gcs_config: {pubsub_project: x}}"), []string{`a.yaml:3: test group "group": gcs_config needs a gcs_prefix`, `a.yaml:3: test group "group": gcs_config has one of`}},
		{"a result store", instead("gcs_prefix: bucket/logs/group", "result_source: {resultstore_config: {project: p}}"), []string{`a.yaml:3: warning: test group "group": a result store cannot be read here`}},
		{"a result store without a project", group("result_source: {resultstore_config: {query: p}}"), []string{`a.yaml:4: test group "group" has a gcs_prefix and a resultstore_config`, `a.yaml:4: test group "group": resultstore_config needs a project`, "a.yaml:4: warning: "}},
		{"a bad regex", group("test_method_match_regex: '('"), []string{`a.yaml:4: test group "group": test_method_match_regex: error parsing regexp`}},
		{"a long regex", group("test_method_match_regex: " + strings.Repeat("x", 5000)), []string{`a.yaml:4: test group "group": test_method_match_regex: a regular expression of 5000 bytes`}},
		{"mails", group("alert_mail_to_addresses: a@b,c,d@e@f"), []string{`a.yaml:4: test group "group": "c" is no mail address`, `a.yaml:4: test group "group": "d@e@f" is no mail address`}},
		{"metadata", group("test_metadata_options: [{owner: x}, {message_regex: '['}, {test_name_regex: '[', message_regex: a}]"), []string{
			`a.yaml:4: test group "group": test_metadata_options needs`, `a.yaml:4: test group "group": message_regex: error`, `a.yaml:4: test group "group": test_name_regex: error`}},
		{"notifications", group("notifications: [{context_link: x}]"), []string{`a.yaml:4: test group "group": a notification says nothing`}},
		{"annotations", group("test_annotations: [{short_text: toolong, property_name: x}, {short_text: ééééé}]"), []string{`a.yaml:4: test group "group": short_text "toolong"`, `a.yaml:4: test group "group": test_annotations needs a property_name`}},
		{"headers", group("column_header: [{}, {label: a, property: b}, {label: a}]"), []string{`a.yaml:4: test group "group": column_header 0: write exactly one`, `a.yaml:4: test group "group": column_header 1: write exactly one`}},
		{"names of tests", group("test_name_config: {name_elements: [{target_config: Tests name}, {target_config: Context}], name_format: '%s [%s]'}"), nil},
		{"too few elements", group("test_name_config: {name_elements: [{target_config: Tests name}], name_format: '%s [%s]'}"), []string{`a.yaml:4: test group "group": name_format "%s [%s]" has room for 2`}},
		{"an odd verb", group("test_name_config: {name_elements: [{target_config: Tests name}], name_format: '%d'}"), []string{`a.yaml:4: test group "group": name_format "%d" has room for 1`}},
		{"no elements", group("test_name_config: {name_format: x}"), []string{`a.yaml:4: test group "group": test_name_config needs name_elements`}},
		{"no format", group("test_name_config: {name_elements: [{labels: x}]}"), []string{`a.yaml:4: test group "group": test_name_config needs a name_format`}},

		{"tabular names", tab("tabular_names_regex: '(?P<a>x)(?P<b>y)'"), nil},
		{"tabular names, bad", tab("tabular_names_regex: '('"), []string{`a.yaml:9: tab "tab" of dashboard "board": tabular_names_regex: error`}},
		{"tabular names, none", tab("tabular_names_regex: 'x'"), []string{`a.yaml:9: tab "tab" of dashboard "board": tabular_names_regex needs at least one group`}},
		{"tabular names, one without", tab("tabular_names_regex: '(?P<a>x)(y)'"), []string{`a.yaml:9: tab "tab" of dashboard "board": tabular_names_regex needs at least one group`}},
		{"mails of a tab", tab("alert_options: {alert_mail_to_addresses: nobody}"), []string{`a.yaml:9: tab "tab" of dashboard "board": "nobody" is no mail address`}},
		{"flakiness", tab("status_customization_options: {max_acceptable_flakiness: 101}"), []string{`a.yaml:9: tab "tab" of dashboard "board": max_acceptable_flakiness is 101`}},
		{"flakiness below 0", tab("status_customization_options: {max_acceptable_flakiness: -0.1}"), []string{`a.yaml:9: tab "tab" of dashboard "board": max_acceptable_flakiness is -0.1`}},
		{"broken", tab("broken_column_threshold: 2"), []string{`a.yaml:9: warning: tab "tab" of dashboard "board": broken_column_threshold is 2`}},
		{"recent", tab("num_columns_recent: -1"), []string{`a.yaml:9: warning: tab "tab" of dashboard "board": num_columns_recent is -1`}},
		{"base options", tab("base_options: widht=10"), []string{`a.yaml:9: warning: tab "tab" of dashboard "board": base_options: widht: no such option`}},
		{"health", tab("health_analysis_options: {enable: true, grouping_regex: '('}"), []string{`a.yaml:9: warning: tab "tab" of dashboard "board": grouping_regex`}},
		{"a link", tab("open_test_template: {url: 'https://x/<gcs_prefix>/<changelist>'}"), nil},
		{"a dangerous link", tab("open_test_template: {url: 'javascript:alert(1)//<test-name>'}"), []string{`a.yaml:9: warning: tab "tab" of dashboard "board": open_test_template: "javascript:`}},
		{"a link of a property", tab("file_bug_template: {url: '<link>'}"), nil},
		{"the tab opened first", board("default_tab: tba"), []string{`a.yaml:6: warning: dashboard "board": there is no tab "tba"`}},
		{"news of a dashboard", board("notifications: [{}]"), []string{`a.yaml:6: warning: dashboard "board": a notification says nothing`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, problems := read(t, "default.yaml", defaultsFile, "a.yaml", tt.in)
			if err := strict.AsError(problems); err != nil {
				t.Fatal(err)
			}
			got := messages(c.Check())
			if len(got) != len(tt.want) {
				t.Errorf("%d problems instead of %d: %s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for _, want := range tt.want {
				if !contains(got, want) {
					t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), want)
				}
			}
		})
	}
}

// Without a default.yaml a small configuration is sound all the same.
func TestCheckWithoutDefaults(t *testing.T) {
	t.Parallel()
	c, _ := read(t, "a.yaml", sound)
	if got := c.Check(); len(got) > 0 {
		t.Error(got)
	}
	if g := c.TestGroups[0]; g.DaysOfResults != 14 {
		t.Errorf("got %d days", g.DaysOfResults)
	}
	// With one that says nothing they are asked for.
	c, _ = read(t, "default.yaml", "default_test_group: {}\ndefault_dashboard_tab: {}", "a.yaml", sound)
	if got := fmt.Sprint(messages(c.Check())); !strings.Contains(got, "days_of_results is 0") || !strings.Contains(got, "num_columns_recent is 0") {
		t.Error(got)
	}
}
