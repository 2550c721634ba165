package grid_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

const fleet = "net/dial PPPP / net/listen FPPP / net.http.get PFFP / net.http.put PKPK / disk:read FFFF / disk:sync ...P"

func TestSelect(t *testing.T) {
	t.Parallel()
	filters := func(patterns ...string) []string { return patterns }
	tests := []struct {
		name             string
		q                grid.Query
		include, exclude []string
		want             string
	}{
		{"all", grid.Query{Recent: 3}, nil, nil, "net/dial net/listen net.http.get net.http.put disk:read"},
		{"longer memory", grid.Query{Recent: 4}, nil, nil, "net/dial net/listen net.http.get net.http.put disk:read disk:sync"},
		{"stale ones, too", grid.Query{Stale: true, Recent: 3}, nil, nil, "net/dial net/listen net.http.get net.http.put disk:read disk:sync"},
		{"included", grid.Query{}, filters("^net"), nil, "net/dial net/listen net.http.get net.http.put"},
		{"all of them", grid.Query{}, filters("^net", "http"), nil, "net.http.get net.http.put"},
		{"excluded", grid.Query{}, nil, filters("^net"), "disk:read disk:sync"},
		{"any of them", grid.Query{}, nil, filters("dial", "", "disk"), "net/listen net.http.get net.http.put"},
		{"failures only", grid.Query{OnlyFailures: true}, nil, nil, "net/listen net.http.get net.http.put disk:read"},
		{"by failures", grid.Query{Sort: grid.ByFailures}, nil, nil, "disk:read net/listen net.http.get net.http.put net/dial disk:sync"},
		{"by flakiness", grid.Query{Sort: grid.ByFlakiness}, nil, nil, "net.http.put net/listen disk:read net.http.get net/dial disk:sync"},
		{"by directory", grid.Query{Group: grid.Grouping{By: grid.ByDirectory}, Sort: grid.ByFailures}, nil, nil, "disk:read net.http.get net.http.put disk:sync net/listen net/dial"},
		{"by target", grid.Query{Group: grid.Grouping{By: grid.ByTarget}}, nil, nil, "net/dial net/listen net.http.get net.http.put disk:read disk:sync"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var err error
			if tt.q.Include, err = grid.Filters(tt.include...); err != nil {
				t.Fatal(err)
			}
			if tt.q.Exclude, err = grid.Filters(tt.exclude...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range tt.q.Select(drawn(t, fleet)) {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	tests := []struct{ by, pattern, want string }{
		{"", "", ""},
		{"directory", "", "net 0+2/2 !1;  2+4/4 !1"},
		{"target", "", " 0+2/2 !1; net.http 2+2/2 !0; disk 4+2/2 !1"},
		{"hierarchy", "", " 0+4/4 !2; net 4+2/2 !0"},
		{"hierarchy-pattern", "[/.:]", "net 0+4/4 !1; disk 4+2/2 !1"},
		{"regex-mask", "(dial|listen|get|put)$", "net/* 0+2/2 !1; net.http.* 2+2/2 !0; disk:read 4+1/1 !1; disk:sync 5+1/1 !0"},
	}
	for _, tt := range tests {
		g, err := grid.ParseGrouping(tt.by, tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		v := grid.Query{Group: g}.View(drawn(t, fleet))
		var got []string
		for _, x := range v.Groups {
			got = append(got, fmt.Sprintf("%s %d+%d/%d !%d", x.Name, x.First, x.Shown, x.Rows, x.Failing))
		}
		if s := strings.Join(got, "; "); s != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.by, tt.pattern, s, tt.want)
		}
	}
	// Only what is in the window, but with the counts of the whole.
	mask, err := grid.ParseGrouping("directory", "")
	if err != nil {
		t.Fatal(err)
	}
	v := grid.Query{Group: mask, Rows: grid.Window{From: 1, Count: 2}}.View(drawn(t, fleet))
	if diff := cmp.Diff([]grid.ViewGroup{{Name: "net", First: 0, Shown: 1, Rows: 2, Failing: 1}, {First: 1, Shown: 1, Rows: 4, Failing: 1}}, v.Groups); diff != "" {
		t.Error(diff)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	_, bad := grid.Filter("a(")
	_, long := grid.Filter(strings.Repeat("a", 2001))
	_, several := grid.Filters("a", "[")
	_, by := grid.ParseGrouping("colour", "")
	_, mask := grid.ParseGrouping("regex-mask", "")
	_, pattern := grid.ParseGrouping("hierarchy", "(")
	_, order := grid.ParseSort("size")
	for want, err := range map[string]error{
		`"a(" is no regular expression`: bad, "2001 bytes, at most 2000": long, `"[" is no regular`: several,
		`grouped by "colour": write regex-mask`: by, "needs a pattern": mask, `"(" is no`: pattern, `"size": write name`: order,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for text, want := range map[string]grid.Sort{"": grid.ByName, "name": grid.ByName, "failures": grid.ByFailures, "flakiness": grid.ByFlakiness} {
		if got, err := grid.ParseSort(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	g := of(build(95, "a", "b"), build(96, "-a", "b"), build(97, "a", "~b"), running(98), build(99, "-a", "b", "-b"))
	v := grid.Query{Columns: grid.Window{From: 1, Count: 3}, Rows: grid.Window{From: 1, Count: 5}}.View(g)
	v.Columns = nil
	want := grid.View{
		Job: "j", From: 1, Total: 5, RowsFrom: 1, Matching: 3, All: 3,
		Texts: []string{"", "broke", "F", "why", "S"},
		Rows: []grid.ViewRow{
			{Name: "a", Runs: []int{0, 1, 1, 1, 12, 1}, Notes: []int{2, 2, 1}},
			{Name: "b", Runs: []int{0, 1, 3, 1, 1, 1}, Notes: []int{1, 4, 3}},
		},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	empty, err := json.Marshal(grid.Query{}.View(grid.New("j")))
	if err != nil || string(empty) != `{"job":"j","columns":[],"columns_from":0,"columns_total":0,"rows":[],"rows_from":0,"rows_total":0,"rows_all":0,"texts":[""]}` {
		t.Errorf("%s, %v", empty, err)
	}
}

// A view, put together again, has the cells of the grid, whatever its window.
func TestViewHasTheCells(t *testing.T) {
	t.Parallel()
	g := rich()
	for from := -1; from < 7; from++ {
		for count := range 7 {
			v := grid.Query{Stale: true, Columns: grid.Window{From: from, Count: count}, Rows: grid.Window{From: from, Count: count}}.View(g)
			if len(v.Columns) > 0 && v.Columns[0].Build != g.Columns[v.From].Build {
				t.Fatalf("columns from %s", v.Columns[0].Build)
			}
			for i, x := range v.Rows {
				r := g.Rows[v.RowsFrom+i]
				var cells []grid.Cell
				for k := 0; k < len(x.Runs); k += 2 {
					for range x.Runs[k+1] {
						cells = append(cells, grid.Cell{Status: grid.Outcome(x.Runs[k])})
					}
				}
				for k := 0; k < len(x.Notes); k += 3 {
					cells[x.Notes[k]].Icon, cells[x.Notes[k]].Message = v.Texts[x.Notes[k+1]], v.Texts[x.Notes[k+2]]
				}
				if diff := cmp.Diff(r.Cells()[v.From:v.From+len(v.Columns)], cells, same); diff != "" || r.Name != x.Name {
					t.Errorf("%d+%d, %s: %s", from, count, x.Name, diff)
				}
			}
		}
	}
}

// Messages are left out when there are too many, and it is said.
func TestViewIsBounded(t *testing.T) {
	t.Parallel()
	g := grid.New("j")
	for id := range 60 {
		b := build(id + 1)
		for k := range 100 {
			b.Tests = append(b.Tests, grid.Test{Name: fmt.Sprint("t", k), Status: grid.Fail, Message: fmt.Sprintf("%d-%d %s", id, k, strings.Repeat("x", 300))})
		}
		g.Append(b, now)
	}
	v := grid.Query{}.View(g)
	data, err := json.Marshal(v)
	if err != nil || len(data) > 300_000 || !v.Cut {
		t.Errorf("%d bytes, cut %t, %v", len(data), v.Cut, err)
	}
	v = grid.Query{Columns: grid.Window{Count: 1}}.View(g)
	if v.Cut || len(v.Texts) != 102 {
		t.Errorf("one column: cut %t, %d texts", v.Cut, len(v.Texts))
	}
}

// The first screen of the biggest grid.
func TestFirstScreen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("200 builds of 3,500 tests take a second")
	}
	for _, q := range []grid.Query{{}, {Sort: grid.ByFailures}, {Sort: grid.ByFlakiness}} {
		q.Rows.Count = 150
		v := q.View(bigGrid())
		data, err := json.Marshal(v)
		if err != nil || len(data) > 300_000 || len(v.Rows) != 150 || len(v.Columns) != 200 {
			t.Errorf("%s: %d bytes, %d rows, %d columns, %v", q.Sort, len(data), len(v.Rows), len(v.Columns), err)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	a := of(build(96, "x", "same"), build(97, "-x", "same", "flip"), running(98))
	b := grid.New("k")
	b.Append(build(97, "x", "-same", "same", "other"), now)
	only, err := grid.Filters("^[a-z]+$|Overall")
	if err != nil {
		t.Fatal(err)
	}
	c := grid.Compare([]*grid.Grid{a, b}, grid.Query{Include: only})
	if diff := cmp.Diff([]string{"j", "k"}, c.Jobs); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, r := range c.Rows {
		line := fmt.Sprintf("%s %t:", r.Name, r.Differs)
		for _, s := range r.Sides {
			line += fmt.Sprintf(" %s %d/%d/%d %q", s.Latest, s.Passes, s.Failures, s.Flakes, s.Message)
		}
		got = append(got, line)
	}
	want := []string{
		`flip true: PASS 1/0/0 "" NO_RESULT 0/0/0 ""`,
		`other true: NO_RESULT 0/0/0 "" PASS 1/0/0 ""`,
		`same true: PASS 2/0/0 "" FLAKY 0/0/1 ""`,
		`x true: FAIL 1/1/0 "broke" PASS 1/0/0 ""`,
		`Overall false: FAIL 1/1/0 "" FAIL 0/1/0 ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" || c.Differing != 4 {
		t.Errorf("%d differ\n%s", c.Differing, diff)
	}
	if c := grid.Compare([]*grid.Grid{a, a.Clone()}, grid.Query{}); c.Differing != 0 || len(c.Rows) != 4 {
		t.Errorf("with itself: %+v", c)
	}
	if c := grid.Compare(nil, grid.Query{}); c.Rows == nil || len(c.Rows) != 0 {
		t.Errorf("of nothing: %+v", c)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	fails := func(id int, message string, names ...string) grid.Build {
		b := build(id, "ok")
		for _, n := range names {
			b.Tests = append(b.Tests, grid.Test{Name: n, Status: grid.Fail, Message: message})
		}
		return b
	}
	g := of(fails(96, "old", "a"), fails(97, "no route", "a", "b"), fails(98, "no route", "b", "c"), fails(99, "disk full", "c"))
	newest := grid.Query{Columns: grid.Window{Count: 3}}
	want := []grid.Failure{
		{Status: grid.Fail, Message: "no route", Cells: 4, Tests: []string{"c", "b", "a"}, Columns: []int{1, 2}},
		{Status: grid.Fail, Message: "disk full", Cells: 1, Tests: []string{"c"}, Columns: []int{0}},
	}
	if diff := cmp.Diff(want, newest.Failures(g, true)); diff != "" {
		t.Error(diff)
	}
	want = []grid.Failure{{Status: grid.Fail, Cells: 6, Tests: []string{"c", "b", "a"}, Columns: []int{0, 1, 2, 3}}}
	if diff := cmp.Diff(want, grid.Query{}.Failures(g, false)); diff != "" {
		t.Error(diff)
	}
	if got := (grid.Query{}).Failures(of(build(1, "a")), true); len(got) != 0 {
		t.Errorf("without failures: %+v", got)
	}
}

func TestPoints(t *testing.T) {
	t.Parallel()
	g := grid.New("j")
	for i, minutes := range []int{3, 0, 5, 8} { // 0: it did not run
		b := build(96 + i)
		for k := range 4 {
			if minutes > 0 {
				b.Tests = append(b.Tests, grid.Test{Name: fmt.Sprint("t", k), Status: grid.Pass, Duration: time.Duration(minutes+10*k) * time.Minute})
			}
		}
		g.Append(b, now)
	}
	var got []string
	for _, p := range g.Points(g.Row("t0"), grid.Elapsed) {
		got = append(got, fmt.Sprintf("%s/%d=%v", p.Build, p.Column, p.Value))
		if p.Started != g.Columns[p.Column].Started {
			t.Errorf("build %s began %s", p.Build, p.Started)
		}
	}
	if diff := cmp.Diff([]string{"96/3=3", "98/1=5", "99/0=8"}, got); diff != "" {
		t.Error(diff)
	}
	if g.Points(g.Row("t0"), "fps") != nil {
		t.Error("points of a metric that there is not")
	}
	got = nil
	for _, b := range g.Percentiles(g.Rows[1:], grid.Elapsed, 0, 50, 75, 100) {
		got = append(got, fmt.Sprintf("%s/%d %d %v", b.Build, b.Column, b.Rows, b.Values))
	}
	if diff := cmp.Diff([]string{"96/3 4 [3 13 23 33]", "98/1 4 [5 15 25 35]", "99/0 4 [8 18 28 38]"}, got); diff != "" {
		t.Error(diff)
	}
}
