package dashboard

import (
	"strings"

	"seaworthy/grid"
	"seaworthy/strict"
)

// Problem is one thing wrong with a configuration.
type Problem = strict.Problem

// Config is everything that is shown. It prints as JSON and YAML in the form it
// is read from, but for custom evaluators.
type Config struct {
	DashboardGroups []Group     `json:"dashboard_groups"`
	Dashboards      []Dashboard `json:"dashboards"`
	TestGroups      []TestGroup `json:"test_groups"`

	// overall are the defaults that jobs get, which are written in no file.
	overall *defaults
}

// Group is dashboards that belong together.
type Group struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Dashboards  []string `json:"dashboard_names"`

	File  string       `json:"-"`
	Lines strict.Lines `json:"-"`
}

// Dashboard is a page of tabs.
type Dashboard struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Tabs        []Tab  `json:"dashboard_tab"`
	// DefaultTab is the tab opened first; the summary if empty.
	DefaultTab    string         `json:"default_tab,omitempty"`
	Notifications []Notification `json:"notifications,omitempty"`
	// Downplay shows failing tabs no louder than passing ones.
	Downplay       bool `json:"downplay_failing_tabs,omitempty"`
	HighlightToday bool `json:"highlight_today,omitempty"`

	File  string       `json:"-"`
	Lines strict.Lines `json:"-"`
}

// Notification is a line of news above a grid.
type Notification struct {
	Summary string `json:"summary"`
	Link    string `json:"context_link,omitempty"`
}

// Tab is one view of a test group.
type Tab struct {
	Name        string `json:"name"`
	TestGroup   string `json:"test_group_name"`
	Description string `json:"description,omitempty"`
	// NumColumnsRecent is what the tab itself says; Options says what counts.
	NumColumnsRecent int `json:"num_columns_recent,omitempty"`
	// BaseOptions are the view one starts with, as in the fragment of
	// TestGrid's addresses: see ParseBaseOptions.
	BaseOptions    string `json:"base_options,omitempty"`
	CodeSearchPath string `json:"code_search_path,omitempty"`

	OpenTest    *Link  `json:"open_test_template,omitempty"`
	FileBug     *Link  `json:"file_bug_template,omitempty"`
	AttachBug   *Link  `json:"attach_bug_template,omitempty"`
	OpenBug     *Link  `json:"open_bug_template,omitempty"`
	ResultsText string `json:"results_text,omitempty"`
	Results     *Link  `json:"results_url_template,omitempty"`
	CodeSearch  *Link  `json:"code_search_url_template,omitempty"`
	ContextMenu *Link  `json:"context_menu_template,omitempty"`
	ColumnDiffs []Link `json:"column_diff_link_templates,omitempty"`
	About       string `json:"about_dashboard_url,omitempty"`

	// TabularNames is a regular expression whose named groups part the names of
	// tests into columns.
	TabularNames string           `json:"tabular_names_regex,omitempty"`
	Alerts       *AlertOptions    `json:"alert_options,omitempty"`
	Flakiness    *FlakinessAlerts `json:"flakiness_alert_options,omitempty"`
	Status       *StatusOptions   `json:"status_customization_options,omitempty"`
	// BrokenColumnThreshold is the share of failing cells, 0 to 1, above which a
	// recent column breaks the tab; 0 never.
	BrokenColumnThreshold float64        `json:"broken_column_threshold,omitempty"`
	Health                *HealthOptions `json:"health_analysis_options,omitempty"`

	File  string       `json:"-"`
	Lines strict.Lines `json:"-"`

	inherited thresholds
	mails     string // of default.yaml
}

// Link is an address with placeholders: see Link.Expand.
type Link struct {
	Name    string       `json:"name,omitempty"` // in a menu
	URL     string       `json:"url"`
	Options []LinkOption `json:"options,omitempty"`
}

// LinkOption is one parameter of a link's query. Its value may hold
// placeholders, its key may not.
type LinkOption struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// AlertOptions say when somebody hears of a tab. Zero leaves it to the test
// group and the defaults.
type AlertOptions struct {
	StaleHours  int `json:"alert_stale_results_hours,omitempty"`
	Failures    int `json:"num_failures_to_alert,omitempty"`
	Passes      int `json:"num_passes_to_disable_alert,omitempty"`
	WaitMinutes int `json:"wait_minutes_between_emails,omitempty"`
	// Mails are addresses with commas between them.
	Mails          string `json:"alert_mail_to_addresses,omitempty"`
	Subject        string `json:"subject,omitempty"`
	DebugURL       string `json:"debug_url,omitempty"`
	DebugMessage   string `json:"debug_message,omitempty"`
	FailureMessage string `json:"alert_mail_failure_message,omitempty"`
}

// FlakinessAlerts say who hears of tests that are flaky.
type FlakinessAlerts struct {
	Minimum        float64 `json:"minimum_flakiness_to_alert,omitempty"` // percent
	Mails          string  `json:"alert_mail_to_addresses,omitempty"`
	Subject        string  `json:"subject,omitempty"`
	WaitMinutes    int     `json:"wait_minutes_between_emails,omitempty"`
	FailureMessage string  `json:"alert_mail_failure_message,omitempty"`
}

// StatusOptions bend the status of a tab.
type StatusOptions struct {
	// MaxFlakiness is the percentage of columns that may fail, 0 to 100.
	MaxFlakiness float64         `json:"max_acceptable_flakiness,omitempty"`
	Ignored      []IgnoredStatus `json:"ignored_test_statuses,omitempty"`
	MinRuns      int             `json:"min_acceptable_runs,omitempty"`
}

// HealthOptions ask for a report on the tests of a tab.
type HealthOptions struct {
	Enable bool `json:"enable,omitempty"`
	// Days is how long the interval is; 7 if it is 0.
	Days int `json:"days_of_analysis,omitempty"`
	// Schedule and Recipients are when and to whom it is mailed.
	Schedule   string `json:"email_schedule,omitempty"`
	Recipients string `json:"email_recipients,omitempty"`
	// Grouping is a regular expression that matches what the names of tests of
	// one group differ in, as the option group-by-regex-mask of a grid does.
	Grouping string `json:"grouping_regex,omitempty"`
}

// TestGroup is the results of one job, or of several jobs seen as one.
type TestGroup struct {
	Name string `json:"name"`
	// Prefix is where the builds lie, bucket/path; several with commas between
	// them. Prefixes takes it apart.
	Prefix string        `json:"gcs_prefix,omitempty"`
	Source *ResultSource `json:"result_source,omitempty"`
	// DaysOfResults is how far back the grid goes.
	DaysOfResults int `json:"days_of_results,omitempty"`
	// The thresholds are what the group itself says; Tab.Options says what counts.
	NumColumnsRecent int    `json:"num_columns_recent,omitempty"`
	StaleHours       int    `json:"alert_stale_results_hours,omitempty"`
	Failures         int    `json:"num_failures_to_alert,omitempty"`
	Passes           int    `json:"num_passes_to_disable_alert,omitempty"`
	Mails            string `json:"alert_mail_to_addresses,omitempty"`
	CodeSearchPath   string `json:"code_search_path,omitempty"`

	IgnorePending bool `json:"ignore_pending,omitempty"` // leave builds that run out
	IgnoreSkip    bool `json:"ignore_skip,omitempty"`    // leave skipped tests out
	// Suffixed gives each run of a test a row of its own, where else the runs
	// of a build are merged into one cell.
	Suffixed bool `json:"disable_merged_status,omitempty"`
	// NoPodRow leaves out the row that says how the pod fared.
	NoPodRow bool `json:"disable_prowjob_analysis,omitempty"`

	ColumnHeaders []ColumnHeader   `json:"column_header,omitempty"`
	TestName      *TestName        `json:"test_name_config,omitempty"`
	Notifications []Notification   `json:"notifications,omitempty"`
	Annotations   []TestAnnotation `json:"test_annotations,omitempty"`
	Metadata      []TestMetadata   `json:"test_metadata_options,omitempty"`
	MethodMatch   string           `json:"test_method_match_regex,omitempty"`
	MethodUnmatch string           `json:"test_method_unmatch_regex,omitempty"`
	// ShortTextMetric is the metric that stands in the cells.
	ShortTextMetric string `json:"short_text_metric,omitempty"`
	UserProperty    string `json:"user_property,omitempty"`
	// Rules are those of custom_evaluator_rule_set.
	Rules []grid.Rule `json:"-"`

	File  string       `json:"-"`
	Lines strict.Lines `json:"-"`

	inherited thresholds
}

// thresholds are what default.yaml says of numbers that a tab and its test
// group may both set.
type thresholds struct{ recent, stale, failures, passes int }

// ResultSource is where results come from when it is no prefix.
type ResultSource struct {
	Bucket      *BucketSource `json:"gcs_config,omitempty"`
	ResultStore *ResultStore  `json:"resultstore_config,omitempty"`
}

// BucketSource is a prefix written the long way.
type BucketSource struct {
	Prefix       string `json:"gcs_prefix"`
	Project      string `json:"pubsub_project,omitempty"`
	Subscription string `json:"pubsub_subscription,omitempty"`
}

// ResultStore is a service of Google's that is not read here.
type ResultStore struct {
	Project string `json:"project"`
	Query   string `json:"query,omitempty"`
}

// ColumnHeader is a line above the columns; one of its fields is set.
type ColumnHeader struct {
	// Value names metadata of finished.json (or a version of a repository);
	// Commit is the first nine characters of the commit.
	Value    string `json:"configuration_value,omitempty"`
	Property string `json:"property,omitempty"`
	Label    string `json:"label,omitempty"`
	ListAll  bool   `json:"list_all_values,omitempty"`
}

// Key is whichever field is set.
func (h ColumnHeader) Key() string {
	for _, key := range []string{h.Value, h.Property, h.Label} {
		if key != "" {
			return key
		}
	}
	return ""
}

// TestName says how the names of rows are made.
type TestName struct {
	Elements []NameElement `json:"name_elements"`
	// Format has a %s for each element.
	Format string `json:"name_format"`
}

// NameElement is a part of a row's name; one of its fields is set.
type NameElement struct {
	Labels string `json:"labels,omitempty"`
	// Target is "Tests name", "Commit", "Context", "Thread", or the name of
	// metadata.
	Target      string `json:"target_config,omitempty"`
	BuildTarget bool   `json:"build_target,omitempty"`
	Tags        string `json:"tags,omitempty"`
	Property    string `json:"test_property,omitempty"`
}

// Key is whichever field is set: what the element is looked up by. A build
// target is the test's own name.
func (e NameElement) Key() string {
	if e.BuildTarget {
		return "Tests name"
	}
	for _, key := range []string{e.Target, e.Property, e.Labels, e.Tags} {
		if key != "" {
			return key
		}
	}
	return ""
}

// TestAnnotation marks the cells of tests that have a property.
type TestAnnotation struct {
	ShortText string `json:"short_text"` // 1 to 5 characters
	Property  string `json:"property_name"`
}

// TestMetadata says whose the tests are whose names or messages match.
type TestMetadata struct {
	TestName  string   `json:"test_name_regex,omitempty"`
	Message   string   `json:"message_regex,omitempty"`
	Component int      `json:"bug_component,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	CC        []string `json:"cc,omitempty"`
}

// Normalize returns a name as TestGrid compares and addresses it: lower case,
// letters and digits of ASCII only.
func Normalize(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

// Prefixes returns the places of the group's builds, each bucket/path without
// slashes at its ends.
func (g TestGroup) Prefixes() []string {
	all := g.Prefix
	if all == "" && g.Source != nil && g.Source.Bucket != nil {
		all = g.Source.Bucket.Prefix
	}
	var prefixes []string
	for prefix := range strings.SplitSeq(all, ",") {
		prefix = strings.Trim(strings.TrimPrefix(strings.TrimSpace(prefix), "gs://"), "/")
		if prefix != "" {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// Group returns the test group of a name.
func (c Config) Group(name string) (TestGroup, bool) {
	for _, g := range c.TestGroups {
		if g.Name == name {
			return g, true
		}
	}
	return TestGroup{}, false
}

// Dashboard returns the dashboard of a name, normalised or not.
func (c Config) Dashboard(name string) (Dashboard, bool) {
	i := nearest(len(c.Dashboards), name, func(i int) string { return c.Dashboards[i].Name })
	if i < 0 {
		return Dashboard{}, false
	}
	return c.Dashboards[i], true
}

// Tab returns the tab of a name, normalised or not, and its test group. It is
// false if the tab or its group is missing.
func (c Config) Tab(dashboard, tab string) (Tab, TestGroup, bool) {
	d, ok := c.Dashboard(dashboard)
	if !ok {
		return Tab{}, TestGroup{}, false
	}
	t, ok := d.Tab(tab)
	if !ok {
		return Tab{}, TestGroup{}, false
	}
	g, ok := c.Group(t.TestGroup)
	return t, g, ok
}

// Tab returns the tab of a name, normalised or not.
func (d Dashboard) Tab(name string) (Tab, bool) {
	i := nearest(len(d.Tabs), name, func(i int) string { return d.Tabs[i].Name })
	if i < 0 {
		return Tab{}, false
	}
	return d.Tabs[i], true
}

// nearest is the place of a name among n: as it is written, else normalised;
// -1 if it is not there.
func nearest(n int, name string, at func(int) string) int {
	plain, found := Normalize(name), -1
	for i := range n {
		have := at(i)
		if have == name {
			return i
		}
		if found < 0 && plain != "" && Normalize(have) == plain {
			found = i
		}
	}
	return found
}
