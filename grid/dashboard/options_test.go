package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

func TestParseBaseOptions(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want, err string }{
		{"", "[] [] false false  /  false 0 []", ""},
		{"width=10&exclude-filter-by-regex=Monitor%5Cscluster&exclude-filter-by-regex=%5Eoperator.Run%20template.*container%20test%24", `[] [Monitor\scluster ^operator.Run template.*container test$] false false  /  false 10 []`, ""},
		{"#include-filter-by-regex=Volume%7Cstorage", "[Volume|storage] [] false false  /  false 0 []", ""},
		{"exclude-filter-by-regex=Overall$&group-by-directory=&expand-groups=&sort-by-name=", "[] [Overall$] false false name directory/  true 0 []", ""},
		{"include-filter-by-regex=a+b", "[a+b] [] false false  /  false 0 []", ""},
		{"exclude-non-failed-tests=&show-stale-tests=&sort-by-flakiness=&group-by-hierarchy-pattern=%5C.&graph-metrics=cpu&graph-metrics=mem", `[] [] true true flakiness hierarchy-pattern/\.  false 0 [cpu mem]`, ""},
		{"exclude-non-failed-tests=false&sort-by-failures=false&&", "[] [] false false  /  false 0 []", ""},
		{"include-filter-by-regex=(&width=x&widht=3&include-filter-by-regex=ok&exclude-filter-by-regex=%zz", "[ok] [] false false  /  false 0 []", "include-filter-by-regex|width: \"x\"|widht: no such option|exclude-filter-by-regex: invalid URL escape"},
		{"width=0", "[] [] false false  /  false 0 []", "pixels"},
		{"include-filter-by-regex=" + strings.Repeat("x", 5000), "[] [] false false  /  false 0 []", "5000 bytes"},
		{"group-by-regex-mask=(", "[] [] false false  /  false 0 []", "group-by-regex-mask"},
	}
	for _, tt := range tests {
		o, err := dashboard.ParseBaseOptions(tt.in)
		got := fmt.Sprintf("%v %v %v %v %s %s/%s  %v %d %v", o.Include, o.Exclude, o.OnlyFailures, o.Stale, o.Sort, o.GroupBy, o.GroupPattern, o.Expand, o.Width, o.Metrics)
		if got != tt.want {
			t.Errorf("%.60s:\ngot  %s\nwant %s", tt.in, got, tt.want)
		}
		for part := range strings.SplitSeq(tt.err, "|") {
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%.60s: got %v, want %q", tt.in, err, part)
			}
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	o, err := dashboard.ParseBaseOptions("include-filter-by-regex=a&exclude-non-failed-tests=&show-stale-tests=&sort-by-failures=&group-by-hierarchy-pattern=%3A")
	if err != nil {
		t.Fatal(err)
	}
	q, err := o.Query(7)
	if err != nil || q.Sort != grid.ByFailures || q.Group.By != grid.ByHierarchy || q.Group.Pattern.String() != ":" || !q.OnlyFailures || !q.Stale || q.Recent != 7 || len(q.Include) != 1 {
		t.Errorf("got %+v, %v", q, err)
	}
	o, err = dashboard.ParseBaseOptions("group-by-regex-mask=")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Query(1); err == nil {
		t.Error("a mask without a pattern")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c, problems := read(t, "default.yaml", defaultsFile, "a.yaml", `test_groups:
- name: group
  gcs_prefix: b/one,b/two
  column_header: [{configuration_value: node_os_image}, {label: l}, {property: p}]
  short_text_metric: coverage
  disable_merged_status: true
  disable_prowjob_analysis: true
  ignore_skip: true
  user_property: owner
  test_annotations: [{short_text: W, property_name: warning}]
  test_name_config:
    name_elements: [{target_config: Tests name}, {target_config: Context}, {test_property: os}, {labels: l}, {tags: t}, {build_target: true}]
    name_format: '%s %s %s %s %s %s'
- {name: plain, gcs_prefix: b/one}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := grid.Settings{
		Headers: []string{"node_os_image", "l", "p"}, ShortText: "coverage", Duplicates: grid.Suffix, IgnoreSkips: true, UserProperty: "owner", SeveralJobs: true,
		Annotations: []grid.Annotation{{Property: "warning", Text: "W"}},
		Name:        grid.NameFormat{Format: "%s %s %s %s %s %s", Elements: []string{"Tests name", "Context", "os", "l", "t", "Tests name"}},
	}
	if diff := cmp.Diff(want, c.TestGroups[0].Settings()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(grid.Settings{Headers: []string{"Commit"}, Pod: true}, c.TestGroups[1].Settings()); diff != "" {
		t.Error(diff)
	}
}

func TestHealthOption(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{"{enable: true}": 7 * 24 * time.Hour, "{enable: true, days_of_analysis: 2}": 48 * time.Hour, "{days_of_analysis: 2}": 0} {
		c, _ := read(t, "a.yaml", "test_groups: [{name: group, gcs_prefix: b}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group, health_analysis_options: "+in+"}]}]")
		tab, group, _ := c.Tab("board", "tab")
		if got := tab.Options(group).Health; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	tab := dashboard.Tab{Name: "unit tests", CodeSearchPath: "github.com/harbour/halyard/search"}
	group := dashboard.TestGroup{Prefix: "bucket/logs/ci-unit,bucket/logs/other"}
	values := tab.Values(group, "https://sea.example/signal/halyard/unit").
		Cell("1789", "TestA/b c?d=e&f#g", "Failed", "abc123", "../x").
		Between("1700", []string{"old/sha"}, "1789", []string{"new"})
	values["workflow-name"] = "a/b"
	values["evil"] = "javascript:alert(1)"
	values["host"] = "evil.example/x"
	values["empty"] = ""
	link := func(url string, options ...string) *dashboard.Link {
		l := &dashboard.Link{URL: url}
		for i := 0; i < len(options); i += 2 {
			l.Options = append(l.Options, dashboard.LinkOption{Key: options[i], Value: options[i+1]})
		}
		return l
	}
	tests := []struct {
		link      *dashboard.Link
		want, err string
	}{
		{link("https://prow.example/view/gs/<gcs_prefix>/<changelist>"), "https://prow.example/view/gs/bucket/logs/ci-unit/1789", ""},
		{link("https://prow.example/job-history/<gcs-prefix>"), "https://prow.example/job-history/bucket/logs/ci-unit", ""},
		{link("https://forge.example/compare/<start-custom-0>...<end-custom-0>"), "https://forge.example/compare/old/sha...new", ""},
		{link("https://x.example/<start-cl>..<end-cl>"), "https://x.example/1700..1789", ""},
		{link("https://forge.example/issues/new", "title", "E2E: <test-name>", "body", "<test-url>"), "https://forge.example/issues/new?title=E2E%3A%20TestA%2Fb%20c%3Fd%3De%26f%23g&body=https%3A%2F%2Fsea.example%2Fsignal%2Fhalyard%2Funit", ""},
		{link("https://x.example/a?b=c", "d e", "f"), "https://x.example/a?b=c&d+e=f", ""},
		{link("http://test/<encode:<test-name>>"), "http://test/TestA%2Fb%20c%3Fd%3De%26f%23g", ""},
		{link("http://test/<encode: <workflow-name>/x>"), "http://test/a%2Fb%2Fx", ""},
		{link("http://test/<test-name>"), "http://test/TestA/b%20c%3Fd%3De%26f%23g", ""},
		{link("http://test/?q=<test-name>#<environment>"), "http://test/?q=TestA%2Fb%20c%3Fd%3De%26f%23g#unit%20tests", ""},
		{link("https://x.example/<custom-0>/<custom-1>/<test-status>/<display-name>"), "", "would lead out of its place"},
		{link("https://<cs-path>/x"), "https://github.com%2Fharbour%2Fhalyard%2Fsearch/x", "no address"},
		{link("https://<host>/x"), "", "no address"},
		{link("/runs/<changelist>"), "/runs/1789", ""},
		{link("https://x.example/a < b > c <>"), "https://x.example/a < b > c <>", ""},
		{link("https://x.example/<unknown>/<other>/<unknown>/<empty>"), "", "nothing is known for <empty>, <other>, <unknown>"},
		{link("https://x.example/<encode:<nobody>>", "a", "<neither>"), "", "<neither>, <nobody>"},
		{link("<evil>"), "", "no address"},
		{link("<results-explorer>"), "https://sea.example/signal/halyard/unit", ""},
		{link("//evil.example/x"), "", "no address"},
		{link("/\\evil.example/x"), "", "no address"},
		{link("https:///x"), "", "names no host"},
		{link("javascript:alert(1)"), "", "no address"},
		{link("https://x/" + strings.Repeat("<", 9000)), "", "at most 8192"},
		{link(""), "", "there is no link"},
		{nil, "", "there is no link"},
	}
	for _, tt := range tests {
		got, err := tt.link.Expand(values)
		if tt.err == "" && (err != nil || got != tt.want) {
			t.Errorf("%+v:\ngot  %s, %v\nwant %s", tt.link, got, err, tt.want)
		}
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%+v: got %q, %v, want the error %q", tt.link, got, err, tt.err)
		}
	}
}

// Whatever the values, a link stays where its template points.
func FuzzExpand(f *testing.F) {
	f.Add("https://x.example/<a>/<b>?q=<a>", "../..//evil", "?#@:\\")
	f.Add("https://x.example/<encode:<a><b>>", "<a>", "\x00")
	f.Add("<encode:<encode:<encode:", ">", "<")
	f.Fuzz(func(t *testing.T, template, a, b string) {
		l := dashboard.Link{URL: "https://site.example/path/" + template, Options: []dashboard.LinkOption{{Key: "k", Value: template}}}
		got, err := l.Expand(dashboard.Values{"a": a, "b": b})
		if err == nil && !strings.HasPrefix(got, "https://site.example/path/") {
			t.Errorf("left the site: %q", got)
		}
		plain, err := (&dashboard.Link{URL: "https://site.example/path/<a>"}).Expand(dashboard.Values{"a": a})
		if err == nil && strings.Contains(strings.ToLower(plain)+"/", "/%2e%2e/") {
			t.Errorf("a value climbs: %q", plain)
		}
		if err == nil && (strings.ContainsAny(plain, "?# \\\"<>") || strings.Contains(plain, "/../") || strings.HasSuffix(plain, "/..")) {
			t.Errorf("a value broke out: %q", plain)
		}
	})
}

func FuzzBaseOptions(f *testing.F) {
	f.Add("width=10&exclude-filter-by-regex=Monitor%5Cscluster&group-by-regex-mask=a&sort-by-name=")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := dashboard.ParseBaseOptions(text)
		if err == nil && (o.Width < 0 || o.Width > 1000) {
			t.Errorf("width %d", o.Width)
		}
		if _, err := o.Query(10); err != nil && o.GroupBy != "regex-mask" && len(o.GroupPattern) <= 2000 {
			t.Errorf("%q: %v", text, err)
		}
	})
}
