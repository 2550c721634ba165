package grid_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

// runs of one test, each in a file: "1P" passed in the first, "2F" failed in
// the second, "2S" was skipped there.
func runs(text string) []grid.Test {
	status := map[byte]grid.Outcome{'P': grid.Pass, 'F': grid.Fail, 'S': grid.PassWithSkips, 'T': grid.TimedOut, 'U': grid.Undetermined}
	var all []grid.Test
	for i, f := range strings.Fields(text) {
		test := grid.Test{Name: "x", Status: status[f[1]], File: "junit_0" + f[:1] + ".xml"}
		if f[1] != 'P' {
			test.Message = fmt.Sprint("why ", i)
		}
		all = append(all, test)
	}
	return all
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ runs, want string }{
		{"1P", "PASS  "},
		{"1F", "FAIL F why 0"},
		{"1S", "PASS_WITH_SKIPS S why 0"},
		{"1P 1P", "PASS 2/2 2/2 runs passed"},
		{"1P 2P 3P", "PASS 3/3 3/3 runs passed"},
		{"1P 1F", "FLAKY 1/2 1/2 runs passed: why 1"},
		{"1F 1P", "FLAKY 1/2 1/2 runs passed: why 0"},
		{"1F 1F 1P", "FLAKY 1/3 1/3 runs passed: why 0"},
		{"1F 1F", "FAIL 0/2 0/2 runs passed: why 0"},
		{"1F 2F", "FAIL 0/2 0/2 runs passed: why 0"},
		{"1P 2F", "FAIL 1/2 1/2 runs passed: why 1"},          // it failed in all of the second file
		{"1F 1P 2P", "FLAKY 2/3 2/3 runs passed: why 0"},      // tried again
		{"1F 1P 2F 2P", "FLAKY 2/4 2/4 runs passed: why 0"},   // in both
		{"1P 2P 3F 3F 4P", "FAIL 3/5 3/5 runs passed: why 2"}, // the third lost
		{"1P 1S", "PASS_WITH_SKIPS 2/2 2/2 runs passed: why 1"},
		{"1S 1S", "PASS_WITH_SKIPS 2/2 2/2 runs passed: why 0"},
		{"1S 1F", "FLAKY 1/2 1/2 runs passed: why 1"},
		{"1S 2F", "FAIL 1/2 1/2 runs passed: why 1"},
		{"1T 1T", "TIMED_OUT 0/2 0/2 runs passed: why 0"},
		{"1T 1F", "FAIL 0/2 0/2 runs passed: why 0"},
		{"1U 1P", "UNKNOWN 1/2 1/2 runs passed"},
	} {
		b := build(99)
		b.Tests = runs(tt.runs)
		c := of(b).Row("x").Cells()[0]
		if got := fmt.Sprintf("%s %s %s", c.Status, c.Icon, c.Message); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.runs, got, tt.want)
		}
	}
}

// single makes a grid of one build with settings.
func single(s grid.Settings, b grid.Build) *grid.Grid {
	g := grid.NewWith("j", s)
	g.Append(b, now)
	return g
}

func names(g *grid.Grid) []string {
	var all []string
	for _, r := range g.Rows {
		all = append(all, r.Name)
	}
	return all
}

func TestSuffix(t *testing.T) {
	t.Parallel()
	b := build(99, "a", "-a", "b", "a")
	for range 30 {
		b.Tests = append(b.Tests, grid.Test{Name: "many", Status: grid.Pass})
	}
	tests := append([]grid.Test(nil), b.Tests...)
	g := single(grid.Settings{Duplicates: grid.Suffix}, b)
	want := []string{"j.Overall", "a", "a [1]", "a [2]", "b", "many"}
	for i := 1; i < 20; i++ {
		want = append(want, fmt.Sprintf("many [%d]", i))
	}
	if diff := cmp.Diff(append(want, "many [overflow]"), names(g)); diff != "" {
		t.Error(diff)
	}
	if c := g.Row("a [1]").Cells()[0]; c != (grid.Cell{Status: grid.Fail, Icon: "F", Message: "broke"}) {
		t.Errorf("the second run of a: %+v", c)
	}
	if c := g.Row("many [overflow]").Cells()[0]; c != (grid.Cell{Status: grid.Fail, Icon: "...", Message: "Too many duplicately named rows"}) {
		t.Errorf("the overflow: %+v", c)
	}
	if diff := cmp.Diff(tests, b.Tests); diff != "" {
		t.Errorf("the build was changed: %s", diff)
	}
	// Without a twentieth repetition there is no overflow.
	b.Tests = b.Tests[:4+20]
	if g := single(grid.Settings{Duplicates: grid.Suffix}, b); g.Row("many [19]") == nil || g.Row("many [overflow]") != nil {
		t.Errorf("rows %v", names(g))
	}
}

func TestPod(t *testing.T) {
	t.Parallel()
	const missing = "podinfo.json not found in job artifacts (has not uploaded, or Prow's GCS reporter is not enabled)."
	passed, lately, failed := build(95, "a"), build(100, "a"), build(95, "-a")
	lately.Finished = now.Add(-59 * time.Minute)
	with := func(b grid.Build, p grid.Pod) grid.Build { b.Pod = &p; return b }
	overdue := running(60)
	tests := []struct {
		name    string
		b       grid.Build
		want    grid.Cell
		settled bool
	}{
		{"fine", with(passed, grid.Pod{Passed: true, Decorated: true}), grid.Cell{Status: grid.Pass}, true},
		{"fine, the test failed", with(failed, grid.Pod{Passed: true, Decorated: true}), grid.Cell{Status: grid.Pass}, true},
		{"unscheduled", with(failed, grid.Pod{Message: "pod did not schedule: no room"}), grid.Cell{Status: grid.Fail, Icon: "F", Message: "pod did not schedule: no room"}, true},
		{"undecorated", with(passed, grid.Pod{Passed: true}), grid.Cell{Status: grid.Pass, Icon: "E", Message: "Decoration is not enabled; set `decorate: true` on Prowjob."}, true},
		{"missing", passed, grid.Cell{Status: grid.PassWithSkips, Icon: "!", Message: missing}, true},
		{"not there yet", lately, grid.Cell{Status: grid.Running, Icon: "!", Message: missing}, false},
		{"still running", running(100), grid.Cell{}, false},
		{"running for too long", overdue, grid.Cell{Status: grid.PassWithSkips, Icon: "!", Message: missing}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := grid.Settings{Pod: true}
			var got grid.Cell
			if r := single(s, tt.b).Row("j.Pod"); r != nil {
				got = r.Cells()[0]
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if s.Settled(tt.b, now) != tt.settled {
				t.Errorf("settled: %t", !tt.settled)
			}
			if single(grid.Settings{}, tt.b).Row("j.Pod") != nil {
				t.Error("a row that nobody asked for")
			}
		})
	}
}

func TestOverallWithoutTimes(t *testing.T) {
	t.Parallel()
	b := running(99)
	b.Started = time.Time{}
	if c := of(b).Rows[0].Cells()[0]; c.Status != grid.Running {
		t.Errorf("a build that does not say when it began: %+v", c)
	}
	b.Malformed = "started.json"
	if c := of(b).Rows[0].Cells()[0]; c.Status != grid.Fail || c.Icon != "E" || c.Message != "Malformed artifacts: started.json" {
		t.Errorf("with malformed results: %+v", c)
	}
}

// A build that ended has ended, whatever time it tells.
func TestAbsurdEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []time.Time{now.AddDate(5000, 0, 0), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), now.Add(25 * time.Hour)} {
		b := build(99, "a")
		b.Finished = end
		s := grid.Settings{Pod: true}
		g := single(s, b)
		if c := g.Columns[0]; !c.Finished.Equal(b.Started) || !s.Settled(b, now) {
			t.Errorf("%s: column %+v", end, c)
		}
		if diff := cmp.Diff([]string{"builds 99", "j.Overall P", "j.Pod S", "a P"}, picture(g)); diff != "" {
			t.Errorf("%s: %s", end, diff)
		}
		if g.Rows[0].Metrics != nil {
			t.Errorf("%s: it took %v minutes", end, g.Rows[0].Metrics)
		}
		b.Started = time.Time{}
		if c := single(s, b).Columns[0]; !c.Finished.IsZero() || !s.Settled(b, now) {
			t.Errorf("%s, without a beginning: column %+v", end, c)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := grid.Settings{Headers: []string{"Commit", "infra-commit", "zone"}}
	g := grid.NewWith("j", s)
	b := build(98, "a")
	b.Headers, b.Mails = []string{"v1.37", "", "z", "too many"}, []string{"a@example.org"}
	g.Append(b, now)
	g.Append(running(99), now)
	if diff := cmp.Diff([]string{"v1.37", "missing", "z"}, g.Columns[1].Extra); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "", ""}, g.Columns[0].Extra); diff != "" {
		t.Errorf("of a running build: %s", diff)
	}
	if got := grid.Summarize(g, grid.Options{}, now).LatestGreen; got != "v1.37" {
		t.Errorf("latest green %s", got)
	}
	for id := 100; id < 103; id++ {
		b := build(id, "-a")
		b.Headers, b.Mails = []string{fmt.Sprint("v", id)}, []string{fmt.Sprint(id)}
		b.Tests[0].Properties = map[string]string{"team": "knots"}
		g.Settings.UserProperty = "team"
		g.Append(b, now.Add(5*time.Hour))
	}
	a := grid.Summarize(g, grid.Options{}, now).Alerts[1]
	if a.Test != "a" || a.Headers["Commit"] != "v100" || a.Headers["zone"] != "missing" || a.Mails[0] != "100" || a.Properties["team"] != "knots" || a.LastPass.Extra[0] != "v1.37" {
		t.Errorf("alert %+v", a)
	}
}

func TestNameFormat(t *testing.T) {
	t.Parallel()
	b := build(99)
	b.Metadata = map[string]string{"version": "v2", "Context": "build's"}
	b.Tests = []grid.Test{{Name: "a", Status: grid.Pass, Context: "unit", Thread: "07", Timestamp: "20260102-1504", Properties: map[string]string{"os": "linux", "version": "of the test"}}}
	for _, tt := range []struct {
		format   string
		elements string
		want     string
	}{
		{"", "", "a"},
		{"%s", "Tests name", "a"},
		{"%s [%s]", "Tests name,Context", "a [unit]"},
		{"%s.%s", "Job name,Tests name", "j.a"},
		{"%s-%s-%s", "Thread,Timestamp,os", "07-20260102-1504-linux"},
		{"%s %s", "Tests name,version", "a of the test"},
		{"%s %s", "Tests name,nothing", "a "},
		{"", "Tests name,os", "a linux"},
		{"100%% %s", "Tests name", "100% a"},
		{"%d %s", "Tests name", "%d a"},
		{"%s %s %s", "Tests name", "a  "},
		{"%s", "Tests name,os", "a"},
		{"%s %", "Tests name", "a %"},
	} {
		s := grid.Settings{Name: grid.NameFormat{Format: tt.format}}
		if tt.elements != "" {
			s.Name.Elements = strings.Split(tt.elements, ",")
		}
		if g := single(s, b); g.Row(tt.want) == nil {
			t.Errorf("%q of %s: rows %q, want %q", tt.format, tt.elements, names(g), tt.want)
		}
	}
	b.Tests[0].Properties = nil
	s := grid.Settings{Name: grid.NameFormat{Format: "%s %s", Elements: []string{"Tests name", "version"}}}
	if g := single(s, b); g.Row("a v2") == nil {
		t.Errorf("of the build's metadata: rows %q", names(g))
	}
}

func TestSeveralJobs(t *testing.T) {
	t.Parallel()
	g := grid.NewWith("group", grid.Settings{SeveralJobs: true})
	for _, job := range []string{"ci-a", "ci-b"} {
		b := build(99, "x")
		b.Job = job
		g.Append(b, now)
	}
	want := []string{"builds 99 99", "Overall PP", "ci-a.Overall .P", "ci-a.x .P", "ci-b.Overall P.", "ci-b.x P."}
	if diff := cmp.Diff(want, picture(g)); diff != "" {
		t.Error(diff)
	}
	if g.Columns[0].Job != "ci-b" || g.Overall() != "Overall" {
		t.Errorf("columns %+v", g.Columns)
	}
	s := grid.Settings{SeveralJobs: true, Name: grid.NameFormat{Format: "%s", Elements: []string{"Tests name"}}}
	b := build(99, "x")
	b.Job = "ci-a"
	if g := single(s, b); g.Row("ci-a.x") == nil {
		t.Errorf("with a format that leaves the job out: %q", names(g))
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := build(99)
	b.Tests = []grid.Test{
		{Name: "a", Status: grid.Pass, Duration: time.Minute, Metrics: map[string]float64{"fps": 60, "odd": math.NaN(), "big": math.Inf(1)}},
		{Name: "a", Status: grid.Pass, Duration: 3 * time.Minute, Metrics: map[string]float64{"fps": 30}},
		{Name: "a", Status: grid.Fail, Metrics: map[string]float64{"frames": 12345.678}},
		{Name: "own", Status: grid.Pass, Duration: time.Minute, Metrics: map[string]float64{grid.Elapsed: 9}},
		{Name: "plain", Status: grid.Pass},
	}
	g := single(grid.Settings{ShortText: "fps"}, b)
	a := g.Row("a")
	var got []string
	for _, m := range a.Metrics {
		got = append(got, fmt.Sprint(m.Name, m.Values))
	}
	if diff := cmp.Diff([]string{"fps[45]", "frames[12345.678]", grid.Elapsed + "[2]"}, got); diff != "" {
		t.Error(diff)
	}
	if c := a.Cells()[0]; c.Icon != "45" || c.Status != grid.Flake {
		t.Errorf("cell %+v", c)
	}
	if v := g.Row("own").Metric(grid.Elapsed).Values; len(v) != 1 || v[0] != 9 {
		t.Errorf("a test that tells its own duration: %v", v)
	}
	if g.Row("plain").Metrics != nil {
		t.Errorf("a test without metrics: %v", g.Row("plain").Metrics)
	}
	if v := g.Row("j.Overall").Metric(grid.Elapsed).Values; v[0] != 1 {
		t.Errorf("the build's: %v", v)
	}
	if diff := cmp.Diff([]string{"fps", "frames", grid.Elapsed}, g.Metrics()); diff != "" {
		t.Error(diff)
	}
	if c := single(grid.Settings{ShortText: grid.Elapsed}, b).Row("a").Cells()[0]; c.Icon != "2" {
		t.Errorf("minutes as icon: %+v", c)
	}
	many := build(99)
	many.Tests = []grid.Test{{Name: "a", Status: grid.Pass, Metrics: map[string]float64{}}}
	for i := range 200 {
		many.Tests[0].Metrics[fmt.Sprint("m", i)] = 1
	}
	if n := len(of(many).Row("a").Metrics); n != 50 {
		t.Errorf("%d metrics are kept", n)
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	s := grid.Settings{ShortText: "n", Annotations: []grid.Annotation{{Property: "slow", Text: "SL"}, {Property: "big", Text: "B"}}}
	for want, test := range map[string]grid.Test{
		"SL": {Properties: map[string]string{"big": "", "slow": ""}},
		"B":  {Properties: map[string]string{"big": "yes"}},
		"7":  {Properties: map[string]string{"big": "yes"}, Metrics: map[string]float64{"n": 7}},
		"":   {Properties: map[string]string{"other": "yes"}},
	} {
		test.Name, test.Status = "a", grid.Pass
		b := build(99)
		b.Tests = []grid.Test{test}
		if got := single(s, b).Row("a").Cells()[0].Icon; got != want {
			t.Errorf("%+v: icon %q, want %q", test, got, want)
		}
	}
}

func TestIgnoreSkips(t *testing.T) {
	t.Parallel()
	g := single(grid.Settings{IgnoreSkips: true}, build(99, "a", "~b", "~a"))
	if diff := cmp.Diff([]string{"builds 99", "j.Overall P", "a P"}, picture(g)); diff != "" {
		t.Error(diff)
	}
}

// Texts of any length and kind are kept within bounds, and are valid.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	b := build(99)
	long := strings.Repeat("é\xff", 9000)
	b.Tests = []grid.Test{{Name: long, Status: grid.Fail, Message: long}, {Name: "", Status: grid.Pass}, {Name: "j.Overall", Status: grid.Pass}, {Name: "none", Status: grid.NoResult}}
	b.Passed, b.Result = false, "FAILURE"
	g := of(b)
	g.Append(b, now)
	if len(g.Rows) != 3 {
		t.Fatalf("%d rows", len(g.Rows))
	}
	r := g.Rows[2]
	if !strings.HasPrefix(r.Name, "é\uFFFD") || len(r.Name) > 4096 || len(r.Note(0).Message) > 512 || len(r.Cells()[0].Message) > 140 {
		t.Errorf("name of %d bytes, message of %d, shown %d", len(r.Name), len(r.Note(0).Message), len(r.Cells()[0].Message))
	}
	if c := g.Row("j.Overall").Cells()[0]; c.Status != grid.Fail {
		t.Errorf("a test called as the verdict took its place: %+v", c)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for o := range grid.Outcome(16) {
		if back, ok := grid.ParseOutcome(o.String()); !ok || back != o {
			t.Errorf("%s is read as %s", o, back)
		}
		seen[o.Severity()] = true
	}
	if len(seen) != 16 || grid.Flake.Severity() >= grid.Fail.Severity() || grid.Outcome(-3).Severity() != grid.Undetermined.Severity() {
		t.Errorf("severities %v", seen)
	}
	if _, ok := grid.ParseOutcome("GREEN"); ok {
		t.Error("there is no GREEN")
	}
}
