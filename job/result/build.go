package result

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Build is what is stored of one execution.
type Build struct {
	ID   string
	Path string
	// Started and Finished are nil where the file is missing or unreadable.
	Started  *Started
	Finished *Finished
	// Pod is nil when no podinfo.json is stored (yet).
	Pod   *Pod
	Tests []TestResult
	// Malformed says which of started.json, finished.json and the JUnit files
	// could not be read to its end, and why; empty if all could.
	Malformed string
	// Irregular says what was not as it should be, and how it was read.
	Irregular []string
}

func (o *Build) irregular(format string, args ...any) {
	o.Irregular = append(o.Irregular, fmt.Sprintf(format, args...))
}

func (o *Build) started(fields map[string]any) {
	if fields == nil {
		return
	}
	s := &Started{
		Timestamp: o.seconds(StartedFile, fields["timestamp"]), Pull: o.text(StartedFile, "pull", fields["pull"]),
		RepoCommit:  o.text(StartedFile, "repo-commit", fields["repo-commit"]),
		RepoVersion: o.text(StartedFile, "repo-version", fields["repo-version"]),
		JobVersion:  o.text(StartedFile, "job-version", fields["job-version"]),
		Node:        o.text(StartedFile, "node", fields["node"]),
	}
	s.Metadata, _ = fields["metadata"].(map[string]any)
	if repos, ok := fields["repos"].(map[string]any); ok {
		s.Repos = make(map[string]string, len(repos))
		for name, refs := range repos {
			s.Repos[name] = o.text(StartedFile, "repos", refs)
		}
	}
	if s.RepoCommit == "" {
		s.RepoCommit = s.RepoVersion
	}
	o.Started = s
}

func (o *Build) finished(fields map[string]any) {
	if fields == nil {
		return
	}
	f := &Finished{
		Timestamp: o.seconds(FinishedFile, fields["timestamp"]),
		Result:    strings.ToUpper(o.text(FinishedFile, "result", fields["result"])),
		Revision:  o.text(FinishedFile, "revision", fields["revision"]),

		RepoVersion: o.text(FinishedFile, "repo-version", fields["repo-version"]),
		JobVersion:  o.text(FinishedFile, "job-version", fields["job-version"]),
	}
	f.Metadata, _ = fields["metadata"].(map[string]any)
	passed, given := fields["passed"].(bool)
	f.Passed = passed
	switch {
	case !given && f.Result == "":
		o.irregular("%s says neither passed nor result: read as failed", FinishedFile)
	case !given:
		f.Passed = f.Result == ResultSuccess
	case f.Result != "" && f.Passed != (f.Result == ResultSuccess):
		o.irregular("%s says passed %t, but result %s: read as %[2]t", FinishedFile, f.Passed, f.Result)
	}
	if f.Result == "" {
		f.Result = ResultFailure
		if f.Passed {
			f.Result = ResultSuccess
		}
	}
	o.Finished = f
}

// What a time is in, by its size: a number of this century fits one only.
var timeUnits = []struct {
	name   string
	from   float64
	factor float64
}{{"nanoseconds", 1e17, 1e9}, {"microseconds", 1e14, 1e6}, {"milliseconds", 1e11, 1e3}}

// latestTime is the year 2200: whoever writes later ones has a broken clock.
const latestTime = 7_258_118_400

// seconds reads a time in seconds; other units and texts are seen, too.
func (o *Build) seconds(file string, v any) int64 {
	var n float64
	switch v := v.(type) {
	case float64:
		n = v
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if t, dateErr := time.Parse(time.RFC3339, v); err != nil && dateErr == nil {
			f, err = float64(t.Unix()), nil
		}
		if err != nil {
			o.irregular("%s: timestamp %.40q is no number and was passed over", file, v)
			return 0
		}
		o.irregular("%s: timestamp is a text", file)
		n = f
	case nil:
		o.irregular("%s has no timestamp", file)
		return 0
	default:
		o.irregular("%s: timestamp is neither number nor text and was passed over", file)
		return 0
	}
	for _, u := range timeUnits {
		if n >= u.from && n < 1e20 {
			o.irregular("%s: timestamp is in %s", file, u.name)
			n /= u.factor
			break
		}
	}
	if math.IsNaN(n) || n < 0 || n > latestTime {
		o.irregular("%s: timestamp %v is no time and was passed over", file, v)
		return 0
	}
	return int64(n)
}

func (o *Build) text(file, field string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		o.irregular("%s: %s is a number", file, field)
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	o.irregular("%s: %s is no text and was passed over", file, field)
	return ""
}

// Header is what the column of a build says under a name: what the job noted
// in finished.json or else in started.json, also within objects of the
// metadata, where "a.b" is b of the object a. Under "Commit", unless the job
// noted that itself, it is the version under test in short, as TestGrid
// abbreviates it. It reports false if the build says nothing of it.
//
//	commit, ok := build.Header("Commit") // "e74250a60"
func (o *Build) Header(name string) (string, bool) {
	var finished, started map[string]any
	if o.Finished != nil {
		finished = o.Finished.Metadata
	}
	if o.Started != nil {
		started = o.Started.Metadata
	}
	for _, metadata := range []map[string]any{finished, started} {
		if v, ok := noted(metadata, name, 4); ok {
			return v, true
		}
	}
	if name == "Commit" {
		v := o.version()
		return v, v != ""
	}
	return "", false
}

// noted looks a name up in metadata and then in the objects in it.
func noted(metadata map[string]any, name string, depth int) (string, bool) {
	if v, ok := metadata[name]; ok {
		if s, ok := headerText(v); ok {
			return s, true
		}
	}
	if depth == 0 {
		return "", false
	}
	if first, rest, ok := strings.Cut(name, "."); ok {
		if inner, ok := metadata[first].(map[string]any); ok {
			if s, ok := noted(inner, rest, depth-1); ok {
				return s, true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if inner, ok := metadata[key].(map[string]any); ok {
			if s, ok := noted(inner, name, depth-1); ok {
				return s, true
			}
		}
	}
	return "", false
}

// headerText is a value that fits into a header.
func headerText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// shortVersion is how many characters TestGrid shows of a version.
const shortVersion = 9

// version is what was tested, in short: of a version with a build, such as
// v1.2.3+abc, the build; empty if the build does not say.
func (o *Build) version() string {
	s, f := o.Started, o.Finished
	if s == nil {
		s = &Started{}
	}
	if f == nil {
		f = &Finished{}
	}
	note := func(key string) string {
		v, _ := f.Metadata[key].(string)
		return v
	}
	v := cmp.Or(f.JobVersion, s.JobVersion, s.RepoVersion, f.RepoVersion,
		note("revision"), note("repo-commit"), note("job-version"), s.RepoCommit, f.Revision)
	if _, build, ok := strings.Cut(v, "+"); ok {
		v = build
	}
	return v[:min(len(v), shortVersion)]
}

// mailKey is the metadata that says who is to hear of a failure.
const mailKey = "EmailAddresses"

// Mails are the addresses that finished.json asks to be told of failures of
// this build, in place of those that are configured; nil if it names none.
func (o *Build) Mails() []string {
	if o.Finished == nil {
		return nil
	}
	var all []string
	switch v := o.Finished.Metadata[mailKey].(type) {
	case string:
		all = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	case []any:
		for _, a := range v {
			if s, ok := a.(string); ok && strings.TrimSpace(s) != "" {
				all = append(all, strings.TrimSpace(s))
			}
		}
	}
	return all
}
