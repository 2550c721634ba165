package grid

import (
	"strings"
)

// Settings are how results become rows and columns: TestGrid's test group. The
// zero value makes a plain grid: duplicates merged, no headers, no Pod row.
type Settings struct {
	// Headers name what stands above a column besides its date and build, such
	// as "Commit". Build.Headers has the values in the same order.
	Headers []string `json:"headers,omitempty"`
	// ShortText is the metric whose value is the icon of a cell
	// (short_text_metric).
	ShortText string `json:"short_text,omitempty"`
	// Annotations give a cell a short text where its test has a property
	// (test_annotations); the first that fits counts, ShortText before it.
	Annotations []Annotation `json:"annotations,omitempty"`
	// Duplicates says what becomes of tests that ran several times in a build.
	Duplicates Duplicates `json:"duplicates,omitempty"`
	// Name makes the names of rows (test_name_config); zero takes the tests'.
	Name NameFormat `json:"name,omitzero"`
	// UserProperty is a property of tests that is kept with each cell and told
	// with alerts (user_property).
	UserProperty string `json:"user_property,omitempty"`
	// Rules give tests another outcome than the one they report.
	Rules []Rule `json:"rules,omitempty"`
	// IgnoreSkips leaves skipped tests out (ignore_skip).
	IgnoreSkips bool `json:"ignore_skips,omitempty"`
	// Pod adds the row JOB.Pod: how the pod of each build fared. TestGrid's
	// disable_prowjob_analysis takes it away.
	Pod bool `json:"pod,omitempty"`
	// SeveralJobs says that builds of more than one job are in the grid
	// (gcs_prefix with commas): each test's name begins with its job's, and a
	// row Overall has every build.
	SeveralJobs bool `json:"several_jobs,omitempty"`
}

// Annotation is a short text for the cells of tests with a property.
type Annotation struct {
	Property string `json:"property"`
	Text     string `json:"text"`
}

// Duplicates is what becomes of tests that ran several times in a build.
type Duplicates string

// Ways to deal with duplicates.
const (
	// Merge makes one cell of all runs.
	Merge Duplicates = ""
	// Suffix gives each run a row: x, x [1] … x [19]; more than that is one
	// failing row, x [overflow] (disable_merged_status).
	Suffix Duplicates = "suffix"
)

// NameFormat makes the name of a row from what is known of a test.
type NameFormat struct {
	// Format has a %s for each element, as in "%s [%s]". Other verbs are left as
	// they are; %% is a percent sign.
	Format string `json:"format,omitempty"`
	// Elements are "Tests name", "Job name", or what is looked for among the
	// test's properties, the file's Context, Timestamp and Thread, and the
	// build's metadata, in this order.
	Elements []string `json:"elements,omitempty"`
}

// The elements of a name that are not looked up.
const (
	testElement = "Tests name"
	jobElement  = "Job name"
)

// effective returns the format with which rows are named, zero if tests' names
// are taken as they are.
func (s Settings) effective() NameFormat {
	f := s.Name
	if f.Format == "" && len(f.Elements) > 0 {
		f.Format = strings.TrimSuffix(strings.Repeat("%s ", len(f.Elements)), " ")
	}
	if !s.SeveralJobs {
		return f
	}
	if f.Format == "" {
		return NameFormat{"%s.%s", []string{jobElement, testElement}}
	}
	for _, e := range f.Elements {
		if e == jobElement {
			return f
		}
	}
	return NameFormat{"%s." + f.Format, append([]string{jobElement}, f.Elements...)}
}

// render names the row of a test. Unlike TestGrid's, a format with fewer or
// more verbs than elements leaves no trace of it in the name.
func (f NameFormat) render(job string, b Build, t Test) string {
	var out strings.Builder
	next := 0
	for rest := f.Format; rest != ""; {
		head, tail, found := strings.Cut(rest, "%")
		out.WriteString(head)
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(tail, "s"):
			if next < len(f.Elements) {
				out.WriteString(element(f.Elements[next], job, b, t))
			}
			next++
			tail = tail[1:]
		case strings.HasPrefix(tail, "%"):
			out.WriteByte('%')
			tail = tail[1:]
		default:
			out.WriteByte('%')
		}
		rest = tail
	}
	return out.String()
}

func element(name, job string, b Build, t Test) string {
	switch name {
	case testElement:
		return t.Name
	case jobElement:
		return job
	}
	if v, ok := t.Properties[name]; ok {
		return v
	}
	switch {
	case name == "Context" && t.Context != "":
		return t.Context
	case name == "Thread" && t.Thread != "":
		return t.Thread
	case name == "Timestamp" && t.Timestamp != "":
		return t.Timestamp
	}
	return b.Metadata[name]
}
