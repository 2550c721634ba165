package dashboard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"seaworthy/grid"
	"seaworthy/strict"
)

// The types of this file are TestGrid's YAML as it is written, which is the
// JSON form of its messages in config.proto. What is not in Config makes no
// difference here and is only known, so that files which hold it can be read.

type fileYAML struct {
	TestGroups      []testGroupYAML `json:"test_groups"`
	Dashboards      []dashboardYAML `json:"dashboards"`
	DashboardGroups []Group         `json:"dashboard_groups"`
}

type defaultsYAML struct {
	Group *testGroupYAML `json:"default_test_group"`
	Tab   *tabYAML       `json:"default_dashboard_tab"`
}

type testGroupYAML struct {
	TestGroup

	IgnoreBuilt           bool       `json:"ignore_built"`
	TestsNamePolicy       number     `json:"tests_name_policy"`
	IgnoreTestSubstring   []string   `json:"ignore_test_substring"`
	FallbackGrouping      number     `json:"fallback_grouping"`
	FallbackValue         string     `json:"fallback_grouping_configuration_value"`
	BugComponent          int        `json:"bug_component"`
	UseTestMetadata       bool       `json:"use_test_metadata"`
	MailSubject           string     `json:"alert_mail_subject"`
	MailFailureMessage    string     `json:"alert_mail_failure_message"`
	MailDebugURL          string     `json:"alert_mail_debug_url"`
	MinMinutesMails       int        `json:"min_elapsed_minutes_between_mails"`
	EnableFlakyStatus     bool       `json:"enable_flaky_status"`
	UseKubernetesClient   bool       `json:"use_kubernetes_client"`
	IsExternal            bool       `json:"is_external"`
	PrimaryGrouping       number     `json:"primary_grouping"`
	EnableTestMethods     bool       `json:"enable_test_methods"`
	IgnoreOldResults      bool       `json:"ignore_old_results"`
	MaxRuntimeHours       int        `json:"max_test_runtime_hours"`
	BuildOverride         string     `json:"build_override_configuration_value"`
	BuildStrftime         string     `json:"build_override_strftime"`
	MaxTestMethods        int        `json:"max_test_methods_per_test"`
	TestTagPattern        string     `json:"test_tag_pattern"`
	AutoBugOptions        *autoBug   `json:"auto_bug_options"`
	LinkBugsByGroup       bool       `json:"link_bugs_by_group"`
	TestMethodProperties  []keyValue `json:"test_method_properties"`
	GatherBugs            bool       `json:"gather_bugs"`
	LinkBugsByTestMethods bool       `json:"link_bugs_by_test_methods"`
	UseFullMethodNames    bool       `json:"use_full_method_names"`
	Evaluator             *ruleSet   `json:"custom_evaluator_rule_set"`
	ReadStateFromStorage  bool       `json:"read_state_from_storage"`
	IssueGatherOptions    *struct{}  `json:"issue_gather_options"`
}

type dashboardYAML struct {
	Name           string         `json:"name"`
	Description    string         `json:"description"`
	Tabs           []tabYAML      `json:"dashboard_tab"`
	DefaultTab     string         `json:"default_tab"`
	Notifications  []Notification `json:"notifications"`
	Downplay       bool           `json:"downplay_failing_tabs"`
	HighlightToday bool           `json:"highlight_today"`
	HighlightFails bool           `json:"highlight_failing_tabs"`

	Lines strict.Lines `json:"-"`
}

type tabYAML struct {
	Tab

	BugComponent     int      `json:"bug_component"`
	AutoFileBugs     bool     `json:"auto_file_bugs"`
	DisplayLocalTime bool     `json:"display_local_time"`
	AutoBug          *autoBug `json:"beta_autobug_options"`
}

type keyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type autoBug struct {
	Component         int          `json:"beta_autobug_component"`
	AutoClose         bool         `json:"auto_close"`
	Hotlists          []int64      `json:"hotlist_ids"`
	Priority          number       `json:"priority"`
	HotlistsFrom      []hotlist    `json:"hotlist_ids_from_source"`
	FileIndividual    bool         `json:"file_individual"`
	Singleton         bool         `json:"singleton_autobug"`
	MaxIndividualBugs int          `json:"max_allowed_individual_bugs"`
	FileOverall       bool         `json:"file_overall"`
	Metadata          TestMetadata `json:"default_test_metadata"`
	AdvancedMetadata  bool         `json:"advanced_test_metadata"`
	FileStale         bool         `json:"file_stale"`
	IgnoreOverall     bool         `json:"ignore_overall"`
	Note              string       `json:"note"`
}

type hotlist struct {
	Value int64  `json:"value"`
	Label string `json:"label"`
}

type ruleSet struct {
	Rules []struct {
		Comparisons []struct {
			Comparison struct {
				Op     number  `json:"op"`
				Text   string  `json:"string_value"`
				Number float64 `json:"numerical_value"`
				Status number  `json:"target_status_value"`
			} `json:"comparison"`
			Property   string `json:"property_key"`
			Field      string `json:"test_result_field"`
			ErrorField string `json:"test_result_error_field"`
			Status     bool   `json:"target_status"`
		} `json:"test_result_comparisons"`
		Computed number `json:"computed_status"`
	} `json:"rules"`
}

// number is a value of an enumeration: its number, as TestGrid takes it, or its
// name.
type number string

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *number) UnmarshalText(text []byte) error {
	*n = number(text)
	if _, err := strconv.ParseInt(string(text), 10, 32); err == nil {
		return nil
	}
	for _, r := range text {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return fmt.Errorf("%q: write a number, or a name in capitals", text)
		}
	}
	return nil
}

// is reports whether the enumeration has the value of a number and name.
func (n number) is(value int, name string) bool {
	return string(n) == strconv.Itoa(value) || string(n) == name
}

// IgnoredStatus is an outcome that takes a column out of the verdict:
// CATEGORIZED_ABORT, UNKNOWN, CANCEL or BLOCKED, in files also 1 to 4.
type IgnoredStatus string

type ignored struct {
	name    IgnoredStatus
	outcome grid.Outcome
}

// ignorable are the outcomes by the numbers of the enumeration, from 1 on.
var ignorable = []ignored{{"CATEGORIZED_ABORT", 5}, {"UNKNOWN", grid.Undetermined}, {"CANCEL", grid.Canceled}, {"BLOCKED", grid.Blocked}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *IgnoredStatus) UnmarshalText(text []byte) error {
	word := strings.ToUpper(string(text))
	if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= len(ignorable) {
		*s = ignorable[n-1].name
		return nil
	}
	for _, i := range ignorable {
		if word == string(i.name) {
			*s = i.name
			return nil
		}
	}
	return fmt.Errorf("%q: write CATEGORIZED_ABORT, UNKNOWN, CANCEL or BLOCKED", text)
}

// outcome is the cell's outcome that is meant.
func (s IgnoredStatus) outcome() grid.Outcome {
	at := slices.IndexFunc(ignorable, func(i ignored) bool { return i.name == s })
	if at < 0 {
		return grid.NoResult
	}
	return ignorable[at].outcome
}
