package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid/dashboard"
	"seaworthy/strict"
)

const defaultsFile = `
default_test_group:
  days_of_results: 15
  tests_name_policy: 2
  ignore_pending: true
  column_header: [{configuration_value: Commit}]
  num_columns_recent: 10
  use_kubernetes_client: true
  num_failures_to_alert: 3
  num_passes_to_disable_alert: 1
  code_search_path: example.com/search
default_dashboard_tab:
  num_columns_recent: 10
  open_test_template: {url: 'https://prow.example/view/gs/<gcs_prefix>/<changelist>'}
  attach_bug_template:
    url: # empty
    options: # empty
  results_text: See them
  alert_options: {alert_mail_to_addresses: default@example.com, alert_stale_results_hours: 9}
`

// read reads files given as name, text, name, text …
func read(t *testing.T, files ...string) (dashboard.Config, []dashboard.Problem) {
	t.Helper()
	m := map[string][]byte{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = []byte(files[i+1])
	}
	return dashboard.Read(m)
}

func messages(problems []dashboard.Problem) []string {
	out := []string{}
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

func TestReadMerges(t *testing.T) {
	t.Parallel()
	c, problems := read(t,
		"grids/default.yaml", defaultsFile,
		"grids/b.yaml", "test_groups: [{name: last, gcs_prefix: b/last}]",
		"grids/a/x.yml", "test_groups: [{name: first, gcs_prefix: b/first, days_of_results: 2, column_header: []}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: first, results_text: Mine}]}]\ndashboard_groups: [{name: family, dashboard_names: [board]}]",
		"grids/own/default.yaml", "default_test_group: {days_of_results: 1}\ndefault_dashboard_tab: {}",
		"grids/own/y.yaml", "test_groups: [{name: middle, gcs_prefix: b/middle}]",
		"grids/empty.yaml", "",
	)
	if len(problems) > 0 {
		t.Error(problems)
	}
	var groups []string
	for _, g := range c.TestGroups {
		groups = append(groups, fmt.Sprintf("%s %d %d %v %s", g.Name, g.DaysOfResults, len(g.ColumnHeaders), g.IgnorePending, g.File))
	}
	want := []string{"first 2 0 true grids/a/x.yml", "last 15 1 true grids/b.yaml", "middle 1 0 false grids/own/y.yaml"}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Error(diff)
	}
	tab, _, ok := c.Tab("board", "tab")
	if !ok || tab.ResultsText != "Mine" || tab.OpenTest.URL != "https://prow.example/view/gs/<gcs_prefix>/<changelist>" || tab.AttachBug == nil || tab.FileBug != nil {
		t.Errorf("got %+v", tab)
	}
	if len(c.DashboardGroups) != 1 || c.DashboardGroups[0].Dashboards[0] != "board" {
		t.Errorf("got %+v", c.DashboardGroups)
	}
}

func TestReadProblems(t *testing.T) {
	t.Parallel()
	const board = "dashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group}]}]\n"
	tests := []struct {
		name  string
		files []string
		want  []string
	}{
		{"unknown fields of every kind", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups:\n- nmae: x\ndashboards:\n- name: b\n  dashboard_tab:\n  - name: c\n    alert_options:\n      alert_mail: x\n"}, []string{
			`a.yaml:2: unknown field "nmae": write name`,
			`a.yaml:8: unknown field "alert_mail": write it with no such end`,
		}},
		{"no YAML", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups: [\n"}, []string{"a.yaml:2: not YAML"}},
		{"wrong kinds", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups:\n- name: x\n  days_of_results: many\n- 3\n"}, []string{
			`a.yaml:3: days_of_results is "many": write a number`, `a.yaml:4: test_groups is the value "3": write a mapping, name: value`,
		}},
		{"a key twice", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups: []\ntest_groups: []\n"}, []string{`a.yaml:2: "test_groups" is given twice`}},
		{"no defaults", []string{"x/a.yaml", board}, []string{"x/default.yaml: warning: there is no such file"}},
		{"half of the defaults", []string{"default.yaml", "default_test_group: {}"}, []string{"default.yaml: default_dashboard_tab is missing"}},
		{"the other half", []string{"default.yaml", "default_dashboard_tab: {}"}, []string{"default.yaml: default_test_group is missing"}},
		{"two defaults", []string{"default.yaml", defaultsFile, "default.yml", defaultsFile}, []string{"default.yml: the folder has its defaults in default.yaml already"}},
		{"defaults by another name", []string{"common-settings.yaml", defaultsFile, "a.yaml", board}, nil},
		{"defaults twice, by another name", []string{"common-settings.yaml", defaultsFile, "default.yaml", defaultsFile}, []string{"default.yaml: the folder has its defaults in common-settings.yaml already"}},
		{"fields without effect, once", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups:\n- {name: a, gather_bugs: true}\n- {name: b, gather_bugs: true}\n"}, []string{"a.yaml:2: warning: gather_bugs makes no difference here"}},
		{"deprecated fields are quiet", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups:\n- {name: a, use_kubernetes_client: true, is_external: true, tests_name_policy: TESTS_NAME_REPLACE, alert_mail_subject: x}\n"}, nil},
		{"fallback grouping", []string{"default.yaml", defaultsFile, "a.yaml", "test_groups:\n- name: a\n  fallback_grouping: 5\n"}, []string{
			`a.yaml:3: warning: fallback_grouping makes no difference`, `a.yaml:3: test group "a": fallback_grouping_configuration_value and`,
		}},
		{"ignored statuses", []string{"default.yaml", defaultsFile, "a.yaml", "dashboards:\n- dashboard_tab:\n  - status_customization_options:\n      ignored_test_statuses: [1, blocked, 9]\n"}, []string{`a.yaml:4: ignored_test_statuses: "9": write CATEGORIZED_ABORT`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := read(t, tt.files...)
			got := messages(problems)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q\nwant %q", got, tt.want)
			}
			for _, want := range tt.want {
				want, _, _ = strings.Cut(want, ": write it with")
				if !contains(got, want) {
					t.Errorf("got %q\nwant %q", got, want)
				}
			}
		})
	}
}

func contains(all []string, start string) bool {
	for _, s := range all {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return false
}

// The numbers of a tab, nearest first.
func TestOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, group, tab string
		want             string
	}{
		{"defaults", "", "", "10 3 1 9h0m0s"},
		{"the tab says", "num_columns_recent: 7", "num_columns_recent: 5, alert_options: {num_failures_to_alert: 2, num_passes_to_disable_alert: 4, alert_stale_results_hours: 1}", "5 2 4 1h0m0s"},
		{"the test group goes before defaults of tabs", "num_columns_recent: 7, num_failures_to_alert: 6, num_passes_to_disable_alert: 5, alert_stale_results_hours: 24", "", "7 6 5 24h0m0s"},
		{"part of the tab's", "num_failures_to_alert: 6, alert_stale_results_hours: 24", "alert_options: {num_failures_to_alert: 2}", "10 2 1 24h0m0s"},
		{"numbers below 0 are not set", "num_columns_recent: 7", "num_columns_recent: -5", "7 3 1 9h0m0s"},
		{"absurd hours", "alert_stale_results_hours: 2000000000", "", "10 3 1 876000h0m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, problems := read(t, "default.yaml", defaultsFile, "a.yaml", fmt.Sprintf(
				"test_groups: [{name: group, gcs_prefix: b/p, %s}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group, %s}]}]\n", tt.group, tt.tab))
			if err := strict.AsError(problems); err != nil {
				t.Fatal(err)
			}
			tab, group, ok := c.Tab("Board", "TAB")
			if !ok {
				t.Fatal("no such tab")
			}
			o := tab.Options(group)
			if got := fmt.Sprintf("%d %d %d %s", o.Recent, o.Failures, o.Passes, o.StaleAfter); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOptionsOfStatus(t *testing.T) {
	t.Parallel()
	c, _ := read(t, "a.yaml", `
test_groups: [{name: group, gcs_prefix: b/p}]
dashboards:
- name: board
  dashboard_tab:
  - name: tab
    test_group_name: group
    broken_column_threshold: 0.5
    base_options: include-filter-by-regex=%5Esig&exclude-filter-by-regex=Overall$&exclude-filter-by-regex=(
    status_customization_options: {max_acceptable_flakiness: 12.5, ignored_test_statuses: [1, UNKNOWN, CANCEL, 4], min_acceptable_runs: 3}
`)
	tab, group, _ := c.Tab("board", "tab")
	o := tab.Options(group)
	if o.Broken != 0.5 || o.Flakiness != 12.5 || o.MinRuns != 3 || fmt.Sprint(o.Ignored) != "[CATEGORIZED_ABORT UNKNOWN CANCEL BLOCKED]" && fmt.Sprint(o.Ignored) != "[UNKNOWN UNKNOWN CANCEL BLOCKED]" || o.StaleAfter != 0 || o.Recent != 10 {
		t.Errorf("got %+v", o)
	}
	if fmt.Sprint(o.Include, o.Exclude) != "[^sig] [Overall$]" {
		t.Errorf("got %v, %v", o.Include, o.Exclude)
	}
}

func TestMailAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ group, tab, want string }{
		{"", "", "[default@example.com]"},
		{"alert_mail_to_addresses: 'a@example.com, b@example.com'", "", "[a@example.com b@example.com]"},
		{"alert_mail_to_addresses: a@example.com", "alert_options: {alert_mail_to_addresses: c@example.com}", "[c@example.com]"},
		{"", "alert_options: {num_failures_to_alert: 1}", "[default@example.com]"},
	} {
		c, _ := read(t, "default.yaml", defaultsFile, "a.yaml", fmt.Sprintf(
			"test_groups: [{name: group, gcs_prefix: b/p, %s}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group, %s}]}]\n", tt.group, tt.tab))
		tab, group, _ := c.Tab("board", "tab")
		if got := fmt.Sprint(tab.MailAddresses(group)); got != tt.want {
			t.Errorf("%s / %s: got %s, want %s", tt.group, tt.tab, got, tt.want)
		}
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"b/logs/a": "[b/logs/a]", "b/logs/a,c/d/": "[b/logs/a c/d]", " gs://b/a , ,": "[b/a]", "": "[]", "s3://b/a?region=x": "[s3://b/a?region=x]",
	} {
		if got := fmt.Sprint(dashboard.TestGroup{Prefix: in}.Prefixes()); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	long := dashboard.TestGroup{Source: &dashboard.ResultSource{Bucket: &dashboard.BucketSource{Prefix: "b/a"}}}
	if got := fmt.Sprint(long.Prefixes()); got != "[b/a]" {
		t.Errorf("got %s", got)
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	c, _ := read(t, "a.yaml", "test_groups: [{name: group, gcs_prefix: b/p}]\ndashboards: [{name: A-Board, dashboard_tab: [{name: x.y, test_group_name: group}, {name: x-y, test_group_name: gone}]}]\n")
	for _, tt := range []struct {
		board, tab, want string
		ok               bool
	}{
		{"A-Board", "x.y", "x.y", true}, {"aboard", "XY", "x.y", true}, {"aboard", "x-y", "x-y", false}, {"other", "xy", "", false}, {"aboard", "z", "", false}, {"", "", "", false},
	} {
		tab, _, ok := c.Tab(tt.board, tt.tab)
		if tab.Name != tt.want || ok != tt.ok {
			t.Errorf("%s#%s: got %q, %v", tt.board, tt.tab, tab.Name, ok)
		}
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Sig-Release 1.36 (Blocking)": "sigrelease136blocking", "é–ß": "", "A_B/C": "abc"} {
		if got := dashboard.Normalize(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(defaultsFile), []byte("test_groups: [{name: group, gcs_prefix: b/p}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group, base_options: 'width=10&include-filter-by-regex=a%20b'}]}]\ndashboard_groups: [{name: family, dashboard_names: [board]}]"))
	f.Add([]byte(""), []byte("a: &a [*a]\n<<: *a\n"))
	f.Add([]byte("default_test_group: 3"), []byte("test_groups: [{test_name_config: {name_elements: [{}], name_format: '%s%d'}}]"))
	f.Fuzz(func(t *testing.T, defaults, data []byte) {
		c, problems := dashboard.Read(map[string][]byte{"d/default.yaml": defaults, "d/x/a.yaml": data})
		for _, p := range append(problems, c.Check()...) {
			if p.Message == "" || p.File == "" || p.Line < 0 {
				t.Errorf("a problem that says nothing: %+v", p)
			}
		}
		for _, d := range c.Dashboards {
			for _, tab := range d.Tabs {
				g, _ := c.Group(tab.TestGroup)
				o := tab.Options(g)
				if o.Recent < 0 || o.Failures < 0 || o.StaleAfter < 0 || o.StaleAfter > 200*365*24*time.Hour {
					t.Errorf("options %+v", o)
				}
				tab.MailAddresses(g)
				g.Prefixes()
			}
		}
	})
}
