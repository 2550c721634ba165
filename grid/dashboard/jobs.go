package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"seaworthy/job"
	"seaworthy/strict"
)

// Annotations of jobs, as TestGrid's configurator reads them.
const (
	annotationDashboards   = "testgrid-dashboards"
	annotationTab          = "testgrid-tab-name"
	annotationMails        = "testgrid-alert-email"
	annotationFailures     = "testgrid-num-failures-to-alert"
	annotationRecent       = "testgrid-num-columns-recent"
	annotationDays         = "testgrid-days-of-results"
	annotationStale        = "testgrid-alert-stale-results-hours"
	annotationCreate       = "testgrid-create-test-group"
	annotationBroken       = "testgrid-broken-column-threshold"
	annotationBaseOptions  = "testgrid-base-options"
	annotationMetric       = "testgrid-in-cell-metric"
	annotationNoPodRow     = "testgrid-disable-prowjob-analysis"
	annotationDescription  = "description"
	presubmitColumnsRecent = 20
)

// Prow is what the configuration of jobs and that of Prow itself say of where
// results lie and how they are shown. The zero value is fine for a bucket that
// holds one installation's results.
type Prow struct {
	// Bucket is where results lie, bucket or bucket/path, for jobs which do not
	// say; prefixes are relative to the root of the bucket if empty.
	Bucket string
	// Buckets are those of some repositories, by OWNER or OWNER/NAME.
	Buckets map[string]string
	// Pages is the address below which runs are shown, such as
	// https://prow.example/view/; by OWNER, OWNER/NAME or *.
	Pages map[string]string
	// Create makes dashboards that jobs name and no file declares. TestGrid
	// refuses them.
	Create bool
}

// WithJobs returns the configuration with what the annotations of jobs add to
// it: a test group for each periodic and postsubmit, and for each presubmit
// that is on a dashboard, unless testgrid-create-test-group says otherwise; and
// a tab on every dashboard that testgrid-dashboards lists. A file's test group
// of the job's name is taken as it is.
//
// Where TestGrid's configurator stops at the first annotation that it cannot
// use, all of them are returned. testgrid-alert-email goes to the tabs on all
// dashboards of the job; TestGrid gives it to the first only, so that the order
// of a list decides who is told.
func WithJobs(c Config, jobs job.Config, prow Prow) (Config, []Problem) {
	m := merger{prow: prow, overall: c.overall, groups: map[string]int{}, boards: map[string]int{}}
	if m.overall == nil {
		m.overall = builtin()
	}
	m.config = Config{
		DashboardGroups: slices.Clone(c.DashboardGroups), Dashboards: slices.Clone(c.Dashboards),
		TestGroups: slices.Clone(c.TestGroups), overall: c.overall,
	}
	for i, g := range slices.Backward(m.config.TestGroups) {
		m.groups[g.Name] = i
	}
	for i, d := range slices.Backward(m.config.Dashboards) {
		m.boards[d.Name] = i
		m.config.Dashboards[i].Tabs = slices.Clip(d.Tabs)
	}
	for _, j := range inOrder(jobs) {
		m.add(j)
	}
	return m.config, strict.Sort(m.problems)
}

// inOrder is the order tabs come in: periodics, postsubmits by repository, then
// presubmits, each by name.
func inOrder(jobs job.Config) []*job.Job {
	byName := func(a, b *job.Job) int { return cmp.Compare(a.Name, b.Name) }
	all := slices.SortedStableFunc(slices.Values(jobs.Periodics), byName)
	for _, kind := range []map[string][]*job.Job{jobs.Postsubmits, jobs.Presubmits} {
		for _, repo := range slices.Sorted(maps.Keys(kind)) {
			all = slices.AppendSeq(all, slices.Values(slices.SortedStableFunc(slices.Values(kind[repo]), byName)))
		}
	}
	return all
}

type merger struct {
	config   Config
	prow     Prow
	overall  *defaults
	groups   map[string]int // test groups by name
	boards   map[string]int // dashboards by name
	problems []Problem
}

func (m *merger) fail(j *job.Job, format string, args ...any) {
	m.problems = append(m.problems, Problem{File: j.File, Line: j.Line, Message: fmt.Sprintf("job %s: ", j.Name) + fmt.Sprintf(format, args...)})
}

func (m *merger) add(j *job.Job) {
	group := m.group(j)
	if group == nil {
		for _, a := range []string{annotationRecent, annotationStale, annotationFailures, annotationDays, annotationTab, annotationMails} {
			if _, ok := j.Annotations[a]; ok {
				m.fail(j, "%s is of no use without a test group: name dashboards in %s, or write %s: \"true\"", a, annotationDashboards, annotationCreate)
				return
			}
		}
		return
	}
	m.annotateGroup(j, group)
	if names, ok := j.Annotations[annotationDashboards]; ok {
		m.tabs(j, names)
	}
}

// group returns the job's test group, nil if it has none.
func (m *merger) group(j *job.Job) *TestGroup {
	_, onDashboard := j.Annotations[annotationDashboards]
	must := j.Annotations[annotationCreate] == "true"
	makes := (must || onDashboard || j.Type != job.Presubmit) && j.Annotations[annotationCreate] != "false"
	if at, ok := m.groups[j.Name]; ok {
		if must {
			m.fail(j, "%s is \"true\", and there is a test group of that name already: remove one of the two", annotationCreate)
		}
		return &m.config.TestGroups[at]
	}
	if !makes {
		return nil
	}
	g := m.overall.fillGroup(TestGroup{
		Name: j.Name, Prefix: path.Join(m.prow.bucket(j), job.IndexPath(j.Type, j.Name)), File: j.File, Lines: strict.Lines{Start: j.Line},
	})
	m.groups[j.Name] = len(m.config.TestGroups)
	m.config.TestGroups = append(m.config.TestGroups, g)
	return &m.config.TestGroups[len(m.config.TestGroups)-1]
}

// bucket is where the job's results lie.
func (p Prow) bucket(j *job.Job) string {
	if j.Results != "" {
		return j.Results
	}
	return byRepo(p.Buckets, j.Repo, p.Bucket)
}

// byRepo takes what is said of a repository, else of its owner, else of all.
func byRepo(said map[string]string, repo, otherwise string) string {
	owner, _, _ := strings.Cut(repo, "/")
	for _, key := range []string{repo, owner, "*"} {
		if value, ok := said[key]; ok && key != "" {
			return value
		}
	}
	return otherwise
}

// annotateGroup sets what annotations say of the test group.
func (m *merger) annotateGroup(j *job.Job, g *TestGroup) {
	if n, ok := m.number(j, annotationRecent); ok {
		g.NumColumnsRecent = n
	} else if j.Type == job.Presubmit && first(g.NumColumnsRecent, g.inherited.recent) < presubmitColumnsRecent {
		// Pull requests are worse than the branch: one needs more of them.
		g.NumColumnsRecent = presubmitColumnsRecent
	}
	if n, ok := m.number(j, annotationDays); ok {
		g.DaysOfResults = n
	}
	if n, ok := m.number(j, annotationFailures); ok {
		g.Failures = n
	}
	if metric, ok := j.Annotations[annotationMetric]; ok {
		g.ShortTextMetric = metric
	}
	if text, ok := j.Annotations[annotationNoPodRow]; ok {
		without, err := strconv.ParseBool(text)
		if err != nil {
			m.fail(j, "%s is %q: write \"true\" or \"false\"", annotationNoPodRow, text)
		}
		g.NoPodRow = without
	}
}

// number reads an annotation that is a whole number.
func (m *merger) number(j *job.Job, annotation string) (int, bool) {
	text, ok := j.Annotations[annotation]
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		m.fail(j, "%s is %q: write a whole number in quotes", annotation, text)
		return 0, false
	}
	return int(n), true
}

// tabs puts the job onto its dashboards.
func (m *merger) tabs(j *job.Job, names string) {
	tab, err := m.tab(j)
	if err != nil {
		m.fail(j, "%v", err)
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		at, ok := m.boards[name]
		switch {
		case !ok && m.prow.Create && name != "":
			at = len(m.config.Dashboards)
			m.boards[name] = at
			m.config.Dashboards = append(m.config.Dashboards, Dashboard{Name: name, File: j.File, Lines: strict.Lines{Start: j.Line}})
		case !ok:
			m.fail(j, "%s: there is no dashboard %q%s", annotationDashboards, name, didYouMean(name, slices.Sorted(maps.Keys(m.boards))))
			continue
		}
		m.config.Dashboards[at].Tabs = append(m.config.Dashboards[at].Tabs, tab)
	}
}

func (m *merger) tab(j *job.Job) (Tab, error) {
	t := Tab{
		Name: j.Name, TestGroup: j.Name, Description: j.Annotations[annotationDescription], BaseOptions: j.Annotations[annotationBaseOptions],
		File: j.File, Lines: strict.Lines{Start: j.Line},
	}
	if name, ok := j.Annotations[annotationTab]; ok {
		t.Name = name
	}
	repo := j.Repo
	if page := byRepo(m.prow.Pages, repo, ""); page != "" {
		t.OpenTest = &Link{URL: strings.TrimRight(page, "/") + "/gs/<gcs_prefix>/<changelist>"}
	}
	if repo == "" && len(j.ExtraRefs) > 0 {
		repo = j.ExtraRefs[0].Org + "/" + j.ExtraRefs[0].Repo
	}
	if repo != "" {
		t.CodeSearch = &Link{URL: "https://github.com/" + repo + "/compare/<start-custom-0>...<end-custom-0>"}
		t.OpenBug = &Link{URL: "https://github.com/" + repo + "/issues/"}
	}
	var wrong []error
	if text, ok := j.Annotations[annotationBroken]; ok {
		share, err := strconv.ParseFloat(text, 32)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s is %q: write a share from 0 to 1 in quotes", annotationBroken, text))
		}
		t.BrokenColumnThreshold = share
	}
	var alerts AlertOptions
	alerts.Mails = j.Annotations[annotationMails]
	alerts.Failures, _ = strconv.Atoi(j.Annotations[annotationFailures]) // told of with the test group
	alerts.StaleHours, _ = m.number(j, annotationStale)
	if alerts != (AlertOptions{}) {
		t.Alerts = &alerts
	}
	return m.overall.fillTab(t), errors.Join(wrong...)
}
