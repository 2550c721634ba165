package dashboard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"seaworthy/strict"
)

// maxPattern is how long a regular expression may be, in bytes.
const maxPattern = 4096

// Check returns what TestGrid would refuse of a whole configuration, jobs
// merged (config.Validate), each problem with its place, all at once. Beyond
// that it warns of what TestGrid passes over: base options and links that
// cannot work, a default tab that is not there, a test group without builds to
// look for.
func (c Config) Check() []Problem {
	k := checker{tried: map[string]error{}}
	switch {
	case len(c.TestGroups) == 0:
		k.fail("", 0, "there are no test groups: write test_groups, or give the job files whose annotations make them")
		return k.problems
	case len(c.Dashboards) == 0:
		k.fail("", 0, "there are no dashboards: write dashboards")
		return k.problems
	}
	k.names(c)
	k.references(c)
	for _, g := range c.TestGroups {
		k.group(g)
	}
	for _, d := range c.Dashboards {
		k.dashboard(d)
	}
	return strict.Sort(k.problems)
}

type checker struct {
	problems []Problem
	// tried keeps what came of base options and links: tabs repeat the same few.
	tried map[string]error
}

// try calls f for a text unless that was done before.
func (k *checker) try(kind, text string, f func() error) error {
	key := kind + "\x00" + text
	err, ok := k.tried[key]
	if !ok {
		err = f()
		k.tried[key] = err
	}
	return err
}

func (k *checker) fail(file string, line int, format string, args ...any) {
	if file == "" {
		file = "the configuration"
	}
	k.problems = append(k.problems, Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(file string, line int, format string, args ...any) {
	k.fail(file, line, format, args...)
	k.problems[len(k.problems)-1].Warning = true
}

// place is where a name stands.
type place struct {
	kind, name, file string
	line             int
}

func (p place) String() string { return fmt.Sprintf("%s %q", p.kind, p.name) }

// names are well formed, and no two of a kind are the same once normalised.
func (k *checker) names(c Config) {
	var groups, boards []place
	for _, g := range c.TestGroups {
		groups = append(groups, place{"test group", g.Name, g.File, g.Lines.Of("name")})
	}
	for _, d := range c.Dashboards {
		boards = append(boards, place{"dashboard", d.Name, d.File, d.Lines.Of("name")})
		var tabs []place
		for _, t := range d.Tabs {
			tabs = append(tabs, place{"tab", t.Name, t.File, t.Lines.Of("name")})
		}
		k.named(tabs)
		k.unique(tabs, fmt.Sprintf(" in dashboard %q", d.Name))
	}
	k.named(groups)
	k.unique(groups, "")
	k.named(boards)
	var families []place
	for _, g := range c.DashboardGroups {
		families = append(families, place{"dashboard group", g.Name, g.File, g.Lines.Of("name")})
	}
	k.named(families)
	k.unique(append(boards, families...), "")
}

func (k *checker) unique(all []place, where string) {
	seen := make(map[string]place, len(all))
	for _, p := range all {
		plain := Normalize(p.name)
		if first, ok := seen[plain]; ok {
			k.fail(p.file, p.line, "%s%s has the name of %s (%s:%d), when only letters and digits count: give it another name", p, where, first, first.file, first.line)
			continue
		}
		seen[plain] = p
	}
}

// validName is the character set of config.go's nameRegex.
var validName = regexp.MustCompile(`^[a-zA-Z0-9_.~<>()|\[\]",@/ –-]+$`)

// reserved begin the names of TestGrid's own files.
var reserved = []string{"dashboard", "alerter", "summary", "bugs"}

func (k *checker) named(all []place) {
	for _, p := range all {
		plain := Normalize(p.name)
		switch {
		case p.name == "":
			k.fail(p.file, p.line, "a %s without a name: write name", p.kind)
		case !validName.MatchString(p.name):
			k.fail(p.file, p.line, `%s: write its name with letters, digits, spaces and _ . ~ < > ( ) | [ ] " , @ / - only`, p)
		case len(plain) < 3:
			k.fail(p.file, p.line, "%s: give it a name of at least 3 letters and digits", p)
		case len(plain) > 2048:
			k.fail(p.file, p.line, "%s %.40q…: give it a name of at most 2048 letters and digits", p.kind, p.name)
		case slices.ContainsFunc(reserved, func(word string) bool { return strings.HasPrefix(plain, word) }):
			k.fail(p.file, p.line, "%s: a name may not begin with %s: give it another", p, strings.Join(reserved, ", "))
		}
	}
}

// references lead somewhere, and everything is shown somewhere.
func (k *checker) references(c Config) {
	groups, used := map[string]bool{}, map[string]bool{}
	for _, g := range c.TestGroups {
		groups[g.Name] = true
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	boards := map[string]bool{}
	for _, d := range c.Dashboards {
		boards[d.Name] = true
		for _, t := range d.Tabs {
			used[t.TestGroup] = true
			if t.TestGroup != "" && !groups[t.TestGroup] {
				k.fail(t.File, t.Lines.Of("test_group_name"), "tab %q of dashboard %q: there is no test group %q%s", t.Name, d.Name, t.TestGroup, didYouMean(t.TestGroup, names))
			}
		}
	}
	for _, g := range c.TestGroups {
		if !used[g.Name] {
			k.fail(g.File, g.Lines.Start, "test group %q is on no tab: name it in a tab's test_group_name, or remove it", g.Name)
			used[g.Name] = true
		}
	}
	k.families(c, boards)
}

// families hold dashboards that there are, each in one of them.
func (k *checker) families(c Config, boards map[string]bool) {
	names := make([]string, 0, len(boards))
	for name := range boards {
		names = append(names, name)
	}
	slices.Sort(names)
	in := map[string]string{}
	for _, g := range c.DashboardGroups {
		line := g.Lines.Of("dashboard_names")
		if len(g.Dashboards) == 0 {
			k.warn(g.File, line, "dashboard group %q holds no dashboard: list them under dashboard_names", g.Name)
		}
		for _, name := range g.Dashboards {
			switch first, taken := in[name]; {
			case !boards[name]:
				k.fail(g.File, line, "dashboard group %q: there is no dashboard %q%s", g.Name, name, didYouMean(name, names))
			case taken:
				k.fail(g.File, line, "dashboard %q is in dashboard group %q and in %q: a dashboard may be in one only", name, g.Name, first)
			default:
				in[name] = g.Name
			}
		}
	}
}

// maxNearest bounds the search for what was meant by a name.
const maxNearest = 10_000

func didYouMean(name string, candidates []string) string {
	if len(candidates) > maxNearest || len(name) > 200 {
		return ""
	}
	if near := strict.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(": write %q, or add it", near)
	}
	return ": add it, or correct the name"
}

func (k *checker) dashboard(d Dashboard) {
	if len(d.Tabs) == 0 {
		k.fail(d.File, d.Lines.Start, "dashboard %q contains no tabs: write dashboard_tab, or name the dashboard in a job's testgrid-dashboards annotation", d.Name)
	}
	if _, ok := d.Tab(d.DefaultTab); d.DefaultTab != "" && !ok {
		k.warn(d.File, d.Lines.Of("default_tab"), "dashboard %q: there is no tab %q to open first", d.Name, d.DefaultTab)
	}
	for _, n := range d.Notifications {
		if n.Summary == "" {
			k.warn(d.File, d.Lines.Of("notifications"), "dashboard %q: a notification says nothing: write its summary", d.Name)
		}
	}
	for _, t := range d.Tabs {
		k.tab(d, t)
	}
}

func (k *checker) pattern(file string, line int, what, pattern string) *regexp.Regexp {
	re, err := compile(pattern)
	if err != nil {
		k.fail(file, line, "%s: %v", what, err)
	}
	return re
}

// compile reads a regular expression of bounded length.
func compile(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes: write one of at most %d", len(pattern), maxPattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w (Go's regular expressions: no lookahead, no backreferences)", err)
	}
	return re, nil
}

// mails checks addresses with commas between them as TestGrid does: one @ each,
// with something on both sides.
func (k *checker) mails(file string, line int, what, addresses string) {
	if addresses == "" {
		return
	}
	for address := range strings.SplitSeq(addresses, ",") {
		name, domain, _ := strings.Cut(address, "@")
		if name == "" || domain == "" || strings.Contains(domain, "@") {
			k.fail(file, line, "%s: %q is no mail address: write name@domain, several with commas between them", what, address)
		}
	}
}

func (k *checker) group(g TestGroup) {
	at, what := g.Lines.Of, fmt.Sprintf("test group %q", g.Name)
	if g.Prefix == "" && (g.Source == nil || g.Source.Bucket == nil && g.Source.ResultStore == nil) {
		k.fail(g.File, g.Lines.Start, "%s has no gcs_prefix: write where its builds lie, bucket/path", what)
	}
	if g.DaysOfResults <= 0 {
		k.fail(g.File, at("days_of_results"), "%s: days_of_results is %d: write a number above 0", what, g.DaysOfResults)
	}
	if recent := first(g.NumColumnsRecent, g.inherited.recent); recent <= 0 {
		k.fail(g.File, at("num_columns_recent"), "%s: num_columns_recent is %d: write a number above 0", what, recent)
	}
	k.source(g, what)
	k.pattern(g.File, at("test_method_match_regex"), what+": test_method_match_regex", g.MethodMatch)
	k.mails(g.File, at("alert_mail_to_addresses"), what, g.Mails)
	for _, m := range g.Metadata {
		line := at("test_metadata_options")
		if m.TestName == "" && m.Message == "" {
			k.fail(g.File, line, "%s: test_metadata_options needs a message_regex or a test_name_regex", what)
		}
		k.pattern(g.File, line, what+": message_regex", m.Message)
		k.pattern(g.File, line, what+": test_name_regex", m.TestName)
	}
	for _, n := range g.Notifications {
		if n.Summary == "" {
			k.fail(g.File, at("notifications"), "%s: a notification says nothing: write its summary", what)
		}
	}
	for _, a := range g.Annotations {
		if a.Property == "" {
			k.fail(g.File, at("test_annotations"), "%s: test_annotations needs a property_name", what)
		}
		if n := utf8.RuneCountInString(a.ShortText); n < 1 || n > 5 {
			k.fail(g.File, at("test_annotations"), "%s: short_text %q: write 1 to 5 characters", what, a.ShortText)
		}
	}
	k.headers(g, what)
	k.testName(g, what)
	if negative := min(g.StaleHours, g.Failures, g.Passes); negative < 0 {
		k.warn(g.File, g.Lines.Start, "%s has a number below 0 (%d): it counts as not set", what, negative)
	}
}

// source is a prefix in one place, and only one.
func (k *checker) source(g TestGroup, what string) {
	if g.Source == nil {
		return
	}
	line := g.Lines.Of("result_source")
	if s := g.Source.Bucket; s != nil {
		if g.Prefix != "" {
			k.fail(g.File, line, "%s has a gcs_prefix and a gcs_config: write one of them", what)
		}
		if s.Prefix == "" {
			k.fail(g.File, line, "%s: gcs_config needs a gcs_prefix", what)
		}
		if (s.Project == "") != (s.Subscription == "") {
			k.fail(g.File, line, "%s: gcs_config has one of pubsub_project and pubsub_subscription: write both or neither", what)
		}
	}
	if s := g.Source.ResultStore; s != nil {
		if g.Prefix != "" {
			k.fail(g.File, line, "%s has a gcs_prefix and a resultstore_config: write one of them", what)
		}
		if s.Project == "" {
			k.fail(g.File, line, "%s: resultstore_config needs a project", what)
		}
		k.warn(g.File, line, "%s: a result store cannot be read here: write a gcs_prefix to see its builds", what)
	}
}

func (k *checker) headers(g TestGroup, what string) {
	for i, h := range g.ColumnHeaders {
		set := 0
		for _, v := range []string{h.Value, h.Property, h.Label} {
			if v != "" {
				set++
			}
		}
		if set != 1 {
			k.fail(g.File, g.Lines.Of("column_header"), "%s: column_header %d: write exactly one of configuration_value, property and label", what, i)
		}
	}
}

// testName has a %s for each element.
func (k *checker) testName(g TestGroup, what string) {
	n := g.TestName
	if n == nil {
		return
	}
	line := g.Lines.Of("test_name_config")
	if len(n.Elements) == 0 {
		k.fail(g.File, line, "%s: test_name_config needs name_elements", what)
	}
	if n.Format == "" {
		k.fail(g.File, line, "%s: test_name_config needs a name_format, such as '%%s [%%s]'", what)
		return
	}
	elements := make([]any, len(n.Elements))
	for i := range elements {
		elements[i] = ""
	}
	if want := strings.Count(n.Format, "%"); want != len(n.Elements) || strings.Contains(fmt.Sprintf(n.Format, elements...), "%!") {
		k.fail(g.File, line, "%s: name_format %q has room for %d elements and there are %d: write %%s once for each", what, n.Format, want, len(n.Elements))
	}
}

func (k *checker) tab(d Dashboard, t Tab) {
	at, what := t.Lines.Of, fmt.Sprintf("tab %q of dashboard %q", t.Name, d.Name)
	if t.TestGroup == "" {
		k.fail(t.File, t.Lines.Start, "%s has no test_group_name: write which test group it shows", what)
	}
	if t.Name == "Summary" {
		k.fail(t.File, at("name"), "%s: Summary is the name of the page over all tabs: give it another", what)
	}
	if t.TabularNames != "" {
		if re := k.pattern(t.File, at("tabular_names_regex"), what+": tabular_names_regex", t.TabularNames); re != nil {
			named := slices.DeleteFunc(re.SubexpNames(), func(name string) bool { return name == "" })
			if len(named) == 0 || len(named) != re.NumSubexp() {
				k.fail(t.File, at("tabular_names_regex"), "%s: tabular_names_regex needs at least one group, all of them named: (?P<name>…)", what)
			}
		}
	}
	if t.Alerts != nil {
		k.mails(t.File, at("alert_options"), what, t.Alerts.Mails)
	}
	if s := t.Status; s != nil && (s.MaxFlakiness < 0 || s.MaxFlakiness > 100) {
		k.fail(t.File, at("status_customization_options"), "%s: max_acceptable_flakiness is %v: write a percentage from 0 to 100", what, s.MaxFlakiness)
	}
	k.odd(t, what)
}

// odd is what TestGrid takes and can do nothing with.
func (k *checker) odd(t Tab, what string) {
	at := t.Lines.Of
	if t.NumColumnsRecent < 0 {
		k.warn(t.File, at("num_columns_recent"), "%s: num_columns_recent is %d: it counts as not set", what, t.NumColumnsRecent)
	}
	if b := t.BrokenColumnThreshold; b < 0 || b > 1 {
		k.warn(t.File, at("broken_column_threshold"), "%s: broken_column_threshold is %v: write a share from 0 to 1", what, b)
	}
	if err := k.try("base_options", t.BaseOptions, func() error { _, err := ParseBaseOptions(t.BaseOptions); return err }); err != nil {
		k.warn(t.File, at("base_options"), "%s: base_options: %v", what, err)
	}
	if h := t.Health; h != nil {
		if _, err := compile(h.Grouping); err != nil {
			k.warn(t.File, at("health_analysis_options"), "%s: grouping_regex: %v", what, err)
		}
		if _, err := h.Next(); err != nil {
			k.warn(t.File, at("health_analysis_options"), "%s: %v", what, err)
		}
	}
	for _, l := range t.links() {
		if err := k.try("link", l.link.URL, l.link.check); err != nil {
			k.warn(t.File, at(l.field), "%s: %s: %v", what, l.field, err)
		}
	}
}

// first returns the first number that is set.
func first(numbers ...int) int {
	for _, n := range numbers {
		if n != 0 {
			return n
		}
	}
	return 0
}
