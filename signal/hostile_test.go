package signal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"seaworthy/grid"
	"seaworthy/signal"
)

const oneTest = `<testsuite><testcase name="a"/></testsuite>`

// foreign is a service over a bucket with one tab for each of some prefixes.
func foreign(t *testing.T, b *blob.Bucket, extra string, prefixes ...string) *signal.Service {
	t.Helper()
	config := "test_groups:\n"
	tabs := ""
	for i, p := range prefixes {
		config += fmt.Sprintf("- {name: group%d, gcs_prefix: %q%s}\n", i, p, extra)
		tabs += fmt.Sprintf("  - {name: tab%d, test_group_name: group%d}\n", i, i)
	}
	config += "dashboards:\n- name: board\n  dashboard_tab:\n" + tabs
	open := func(_ context.Context, prefix string) (*blob.Bucket, string, error) {
		return b, strings.TrimPrefix(prefix, "ci/"), nil
	}
	s := signal.New(signal.Options{Open: open, Now: at(now), Configured: configured(t, config)})
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func write(t *testing.T, b *blob.Bucket, key, text string) {
	t.Helper()
	must(t, b.WriteAll(t.Context(), key, []byte(text), nil))
}

// stored writes a build that passed, minutes before now.
func stored(t *testing.T, b *blob.Bucket, folder string, minutes int) {
	t.Helper()
	began := now.Add(-time.Duration(minutes) * time.Minute).Unix()
	write(t, b, folder+"/started.json", fmt.Sprintf(`{"timestamp":%d}`, began))
	write(t, b, folder+"/finished.json", fmt.Sprintf(`{"timestamp":%d,"passed":true}`, began+1))
	write(t, b, folder+"/artifacts/junit.xml", oneTest)
}

func gridOf(t *testing.T, s *signal.Service, tab string) *grid.Grid {
	t.Helper()
	g, _, _, err := s.TabGrid(t.Context(), "board", tab)
	must(t, err)
	return g
}

func ids(g *grid.Grid) string {
	var all []string
	for _, c := range g.Columns {
		all = append(all, c.Build)
	}
	return strings.Join(all, " ")
}

// Builds are named after versions and commits by some: none is lost, neither
// when it comes nor later, wherever its name stands in the alphabet.
func TestBuildsWithNames(t *testing.T) {
	t.Parallel()
	b := memory(t)
	s := foreign(t, b, ", days_of_results: 30", "ci/logs/unit")
	for i, id := range []string{"v1.9", "f00d", "7", "nightly"} {
		stored(t, b, "logs/unit/"+id, 500-i)
	}
	stored(t, b, "logs/unit/stray/below", 3)
	if got := ids(gridOf(t, s, "tab0")); got != "nightly 7 f00d v1.9" {
		t.Errorf("columns %q", got)
	}
	for i := range 30 {
		stored(t, b, fmt.Sprintf("logs/unit/z%d", i), 300-i)
	}
	if got := len(gridOf(t, s, "tab0").Columns); got != 34 {
		t.Errorf("%d columns, want 34", got)
	}
	stored(t, b, "logs/unit/00aa", 1)
	if got := ids(gridOf(t, s, "tab0")); !strings.HasPrefix(got, "00aa z29 ") || len(strings.Fields(got)) != 35 {
		t.Errorf("columns %q: the newest has the lowest name", got)
	}
}

// One group reads two jobs of one name in two places, which number their builds
// alike: each is a column, and the rows say whose they are.
func TestOneNameInTwoPlaces(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for i, folder := range []string{"east/logs/unit", "west/logs/unit", "west/logs/lint"} {
		stored(t, b, folder+"/1", 100+i)
		stored(t, b, folder+"/2", 50+i)
	}
	s := foreign(t, b, "", "ci/east/logs/unit,ci/west/logs/unit,ci/west/logs/lint")
	g := gridOf(t, s, "tab0")
	if got := ids(g); got != "2 2 2 1 1 1" {
		t.Errorf("columns %q", got)
	}
	for _, name := range []string{"Overall", "east/logs/unit.Overall", "west/logs/unit.Overall", "lint.Overall", "east/logs/unit.a", "west/logs/unit.a", "lint.a"} {
		row := g.Row(name)
		if row == nil {
			t.Errorf("no row %s", name)
			continue
		}
		passed := 0
		for _, c := range row.Cells() {
			if c.Status == grid.Pass {
				passed++
			}
		}
		if want := map[bool]int{true: 6, false: 2}[name == "Overall"]; passed != want {
			t.Errorf("%s passed %d times, want %d", name, passed, want)
		}
	}
}

// Folders of JUnit files may have numbers for names, as builds in Prow's layout
// do: what is in them tells.
func TestPlainFoldersWithNumbers(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for i := range 3 {
		write(t, b, fmt.Sprintf("imported/%d/junit.xml", i+1), oneTest)
	}
	stored(t, b, "logs/unit/1", 10)
	s := foreign(t, b, "", "ci/imported", "ci/logs/unit,ci/imported")
	if g := gridOf(t, s, "tab0"); len(g.Columns) != 3 || g.Row("a") == nil {
		t.Errorf("columns %q, rows %d", ids(g), len(g.Rows))
	}
	write(t, b, "imported/4/below/report.xml", oneTest)
	if g := gridOf(t, s, "tab0"); len(g.Columns) != 4 {
		t.Errorf("columns %q: a new one is missing", ids(g))
	}
	if g := gridOf(t, s, "tab1"); len(g.Columns) != 5 || g.Row("unit.a") == nil || g.Row("imported.a") == nil {
		t.Errorf("columns %q: of both layouts", ids(g))
	}
}

// One alias that leads astray, and builds that tell nonsense, cost no other
// build its column; what is unreadable stands in its own.
func TestHostileBuilds(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for i := range 3 {
		stored(t, b, fmt.Sprintf("pr-logs/pull/7/unit/%d", i+1), 30-i)
		write(t, b, fmt.Sprintf("pr-logs/directory/unit/%d.txt", i+1), fmt.Sprintf("gs://ci/pr-logs/pull/7/unit/%d", i+1))
	}
	for i, text := range []string{"../../../../etc/passwd", "", "/", strings.Repeat("x", 10_000), "pr-logs/pull/7/unit/9"} {
		write(t, b, fmt.Sprintf("pr-logs/directory/unit/%d.txt", i+10), text)
	}
	stored(t, b, "logs/odd/1", 20)
	write(t, b, "logs/odd/1/finished.json", "<html>")
	stored(t, b, "logs/odd/2", 10)
	write(t, b, "logs/odd/2/artifacts/junit.xml", `<testsuite><testcase name="a"/><testc`)
	write(t, b, "logs/odd/3/started.json", `{"timestamp":99999999999999999999}`)
	write(t, b, "logs/odd/3/finished.json", `{"timestamp":-5,"passed":true}`)
	s := foreign(t, b, "", "ci/pr-logs/directory/unit", "ci/logs/odd")
	if got := ids(gridOf(t, s, "tab0")); got != "3 2 1" {
		t.Errorf("columns %q", got)
	}
	g := gridOf(t, s, "tab1")
	if got := ids(g); got != "3 2 1" {
		t.Errorf("columns %q: one without a time stands where its number says", got)
	}
	var icons []string
	for _, c := range g.Row("odd.Overall").Cells() {
		icons = append(icons, c.Status.String()+c.Icon)
	}
	if want := []string{"PASS", "FAILE", "FAILE"}; !slices.Equal(icons, want) {
		t.Errorf("verdicts %q, want %q", icons, want)
	}
	if c := g.Columns[0]; !c.Started.IsZero() || !c.Finished.IsZero() {
		t.Errorf("a time is made up: %+v", c)
	}
}

// What a build without a time says is handed on without one.
func TestFeedWithoutTime(t *testing.T) {
	t.Parallel()
	b := memory(t)
	write(t, b, "logs/unit/3/started.json", `{}`)
	write(t, b, "logs/unit/3/finished.json", `{"passed":true}`)
	s := foreign(t, b, "", "ci/logs/unit")
	var got []signal.BuildResult
	s.Consume("test", func(_ context.Context, r signal.BuildResult) error {
		got = append(got, r)
		return nil
	})
	gridOf(t, s, "tab0")
	if len(got) != 1 || !got[0].Started.IsZero() || !got[0].Finished.IsZero() || !got[0].Passed {
		t.Errorf("%+v", got)
	}
}

// faulty is a bucket that fails for a while after some calls.
type faulty struct {
	*counter
	left atomic.Int64
}

var errDown = errors.New("the storage is down")

func (f *faulty) fails() bool { return f.left.Add(-1) < 0 }

func (f *faulty) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.counter.ListPaged(ctx, o)
}

func (f *faulty) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.counter.Attributes(ctx, key)
}

func (f *faulty) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.counter.NewRangeReader(ctx, key, offset, length, o)
}

// A bucket may fail at any call: that is told, and once it answers again, every
// build has its one column, and every test its cell.
func TestBucketThatFails(t *testing.T) {
	t.Parallel()
	inner := memory(t)
	for i := range 6 {
		stored(t, inner, fmt.Sprintf("logs/unit/%d", i+1), 60-i)
		stored(t, inner, fmt.Sprintf("pr-logs/pull/7/lint/%d", i+1), 60-i)
		write(t, inner, fmt.Sprintf("pr-logs/directory/lint/%d.txt", i+1), fmt.Sprintf("gs://ci/pr-logs/pull/7/lint/%d", i+1))
	}
	failed := 0
	for calls := int64(0); ; calls += 3 {
		f := &faulty{counter: &counter{inner: inner}}
		f.left.Store(calls)
		b := blob.NewBucket(f)
		s := foreign(t, b, "", "ci/logs/unit,ci/pr-logs/directory/lint")
		_, _, _, err := s.TabGrid(t.Context(), "board", "tab0")
		if err != nil && !strings.Contains(err.Error(), errDown.Error()) {
			t.Errorf("after %d calls: %v", calls, err)
		}
		f.left.Store(1 << 40)
		g := gridOf(t, s, "tab0")
		if got := ids(g); got != "6 6 5 5 4 4 3 3 2 2 1 1" {
			t.Errorf("after %d calls: columns %q", calls, got)
		}
		for _, name := range []string{"unit.a", "lint.a", "Overall"} {
			want := map[bool]int{true: 12, false: 6}[name == "Overall"]
			cells := slices.DeleteFunc(g.Row(name).Cells(), func(c grid.Cell) bool { return c.Status != grid.Pass })
			if len(cells) != want {
				t.Errorf("after %d calls: %s passed %d times, want %d", calls, name, len(cells), want)
			}
		}
		must(t, s.Close())
		must(t, b.Close())
		if err == nil {
			break
		}
		failed++
	}
	if failed < 10 {
		t.Errorf("the bucket failed %d times only", failed)
	}
}
