package dashboard

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"seaworthy/strict"
)

// defaults are one default.yaml.
type defaults struct {
	group TestGroup
	tab   Tab
}

// builtin stands in where there is no default.yaml.
func builtin() *defaults {
	return &defaults{group: TestGroup{DaysOfResults: 14, NumColumnsRecent: 10, Failures: 3, Passes: 1}}
}

// Read merges TestGrid's YAML files, by their paths with slashes, as TestGrid's
// configurator does with a folder: in the order of their names, each filled up
// with the default.yaml of its own folder, or else with that of the folder
// which holds everything. A file of another name that holds default_test_group
// or default_dashboard_tab is one too: the configurator takes such a file by
// its flag --default.
//
// Without either, the test groups keep 14 days and 10 columns count as recent;
// that is a warning, since TestGrid's configurator needs the file.
//
// A default fills only what is not set. TestGrid writes it into every tab, so
// that a default of num_columns_recent for tabs hides what a test group says;
// here the test group goes before it: see Tab.Options.
func Read(files map[string][]byte) (Config, []Problem) {
	r := reader{overall: builtin(), folders: map[string]*defaults{}, told: map[string]bool{}}
	names := slices.SortedFunc(maps.Keys(files), byFolder)
	r.defaults(names, files)
	for _, name := range names {
		if !isDefault(name, files[name]) {
			r.file(name, files[name])
		}
	}
	r.config.overall = r.overall
	return r.config, strict.Sort(r.problems)
}

// byFolder is the order in which a folder is walked.
func byFolder(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

var defaultKey = regexp.MustCompile(`(?m)^(default_test_group|default_dashboard_tab):`)

func isDefault(name string, data []byte) bool {
	base := path.Base(name)
	return base == "default.yaml" || base == "default.yml" || defaultKey.Match(data)
}

type reader struct {
	config   Config
	overall  *defaults
	folders  map[string]*defaults // by folder
	problems []Problem
	told     map[string]bool // fields without effect, by file
}

func (r *reader) fail(file string, line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// defaults reads every file of defaults.
func (r *reader) defaults(names []string, files map[string][]byte) {
	root := commonFolder(names)
	first := map[string]string{}
	for _, name := range names {
		if !isDefault(name, files[name]) {
			continue
		}
		folder := path.Dir(name)
		if r.folders[folder] != nil {
			r.fail(name, 0, "the folder has its defaults in %s already: keep one of them", path.Base(first[folder]))
			continue
		}
		first[folder] = name
		var y defaultsYAML
		r.problems = append(r.problems, strict.Unmarshal(name, files[name], &y)...)
		d := &defaults{}
		if y.Group == nil {
			r.fail(name, 0, "default_test_group is missing: write it, with days_of_results and num_columns_recent")
		} else {
			d.group = y.Group.TestGroup
		}
		if y.Tab == nil {
			r.fail(name, 0, "default_dashboard_tab is missing: write it, even if only with num_columns_recent")
		} else {
			d.tab = y.Tab.Tab
		}
		r.folders[folder] = d
	}
	if d := r.folders[root]; d != nil {
		r.overall = d
	} else if len(names) > 0 && len(r.folders) == 0 {
		r.problems = append(r.problems, Problem{File: path.Join(root, "default.yaml"), Warning: true, Message: "there is no such file: 14 days_of_results, and 10 num_columns_recent where a test group does not say; TestGrid's configurator needs it"})
	}
}

// commonFolder is the folder that holds all files.
func commonFolder(names []string) string {
	if len(names) == 0 {
		return "."
	}
	folder := path.Dir(names[0])
	for _, name := range names[1:] {
		for folder != "." && folder != "/" && !strings.HasPrefix(name, folder+"/") {
			folder = path.Dir(folder)
		}
	}
	return folder
}

func (r *reader) file(name string, data []byte) {
	var y fileYAML
	r.problems = append(r.problems, strict.Unmarshal(name, data, &y)...)
	d := r.folders[path.Dir(name)]
	if d == nil {
		d = r.overall
	}
	for _, g := range y.TestGroups {
		g.File = name
		r.without(name, g.Lines, groupWithout)
		r.fallback(name, g)
		g.Rules = g.Evaluator.rules()
		r.config.TestGroups = append(r.config.TestGroups, d.fillGroup(g.TestGroup))
	}
	for _, b := range y.Dashboards {
		board := Dashboard{
			Name: b.Name, Description: b.Description, DefaultTab: b.DefaultTab, Notifications: b.Notifications,
			Downplay: b.Downplay, HighlightToday: b.HighlightToday, File: name, Lines: b.Lines, Tabs: make([]Tab, 0, len(b.Tabs)),
		}
		r.without(name, b.Lines, boardWithout)
		for _, t := range b.Tabs {
			t.File = name
			r.without(name, t.Lines, tabWithout)
			board.Tabs = append(board.Tabs, d.fillTab(t.Tab))
		}
		r.config.Dashboards = append(r.config.Dashboards, board)
	}
	for _, g := range y.DashboardGroups {
		g.File = name
		r.config.DashboardGroups = append(r.config.DashboardGroups, g)
	}
}

// Fields that somebody might set and wait for in vain.
var (
	groupWithout = []string{
		"ignore_test_substring", "fallback_grouping", "fallback_grouping_configuration_value", "primary_grouping",
		"auto_bug_options", "gather_bugs", "link_bugs_by_group", "link_bugs_by_test_methods", "issue_gather_options", "enable_test_methods",
		"max_test_methods_per_test", "test_method_properties", "use_full_method_names", "test_tag_pattern", "use_test_metadata",
		"build_override_configuration_value", "build_override_strftime", "ignore_old_results", "max_test_runtime_hours", "test_metadata_options",
		"test_method_match_regex", "test_method_unmatch_regex",
	}
	boardWithout = []string{"highlight_failing_tabs"}
	tabWithout   = []string{
		"about_dashboard_url", "auto_file_bugs", "beta_autobug_options", "column_diff_link_templates", "context_menu_template", "display_local_time",
		"tabular_names_regex",
	}
)

// without warns of fields that make no difference, of each once in a file.
func (r *reader) without(file string, lines strict.Lines, fields []string) {
	for _, field := range fields {
		key := file + "\x00" + field
		if !lines.Has(field) || r.told[key] {
			continue
		}
		r.told[key] = true
		r.problems = append(r.problems, Problem{File: file, Line: lines.Of(field), Warning: true, Message: field + " makes no difference here: it may be removed"})
	}
}

// fallback checks the one rule about fields that are not kept.
func (r *reader) fallback(file string, g testGroupYAML) {
	if g.FallbackGrouping.is(5, "FALLBACK_GROUPING_CONFIGURATION_VALUE") != (g.FallbackValue != "") {
		r.fail(file, g.Lines.Of("fallback_grouping"), "test group %q: fallback_grouping_configuration_value and fallback_grouping 5 (FALLBACK_GROUPING_CONFIGURATION_VALUE) need each other: write both or neither", g.Name)
	}
}

// fillGroup sets what a test group leaves open.
func (d *defaults) fillGroup(g TestGroup) TestGroup {
	of := d.group
	if g.DaysOfResults == 0 {
		g.DaysOfResults = of.DaysOfResults
	}
	if g.ColumnHeaders == nil {
		g.ColumnHeaders = of.ColumnHeaders
	}
	if g.CodeSearchPath == "" {
		g.CodeSearchPath = of.CodeSearchPath
	}
	g.IgnorePending = g.IgnorePending || of.IgnorePending
	g.IgnoreSkip = g.IgnoreSkip || of.IgnoreSkip
	g.inherited = thresholds{of.NumColumnsRecent, of.StaleHours, of.Failures, of.Passes}
	return g
}

// fillTab sets what a tab leaves open.
func (d *defaults) fillTab(t Tab) Tab {
	of := d.tab
	for _, link := range []struct{ to, from **Link }{
		{&t.OpenTest, &of.OpenTest}, {&t.FileBug, &of.FileBug}, {&t.AttachBug, &of.AttachBug}, {&t.OpenBug, &of.OpenBug},
		{&t.Results, &of.Results}, {&t.CodeSearch, &of.CodeSearch},
	} {
		if *link.to == nil {
			*link.to = *link.from
		}
	}
	if t.CodeSearchPath == "" {
		t.CodeSearchPath = of.CodeSearchPath
	}
	if t.ResultsText == "" {
		t.ResultsText = of.ResultsText
	}
	t.inherited.recent = of.NumColumnsRecent
	if of.Alerts != nil {
		t.inherited.stale, t.inherited.failures, t.inherited.passes = of.Alerts.StaleHours, of.Alerts.Failures, of.Alerts.Passes
		t.mails = of.Alerts.Mails
	}
	return t
}
