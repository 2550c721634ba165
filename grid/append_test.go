package grid_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid"
)

// random makes a build with a bit of everything. Numbers of builds and times go
// together mostly, but not always, and some builds tell no time.
func random(r *rand.Rand, id, tests int) grid.Build {
	var names []string
	for k := range tests {
		switch name := fmt.Sprintf("t%d", k); r.IntN(8) {
		case 0, 1, 2, 3:
			names = append(names, name)
		case 4:
			names = append(names, "-"+name)
		case 5:
			names = append(names, "~"+name)
		case 6:
			names = append(names, name, "-"+name)
		}
	}
	b := build(id, names...)
	switch r.IntN(10) {
	case 0:
		b.Started, b.Finished = time.Time{}, time.Time{}
	case 1:
		b.Finished = time.Time{}
	case 2:
		b.Started = now.AddDate(900, 0, 0)
	case 3:
		b.Started = b.Started.Add(-time.Duration(r.IntN(9)) * time.Hour)
	case 4:
		b.Finished = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	case 5:
		b.Started, b.Finished = time.Time{}, time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	case 6:
		b.Malformed = "junit.xml: cut off"
	}
	if r.IntN(6) == 0 {
		b.ID = "build-" + b.ID
	}
	for i := range b.Tests {
		t := &b.Tests[i]
		t.Message = fmt.Sprintf("why %d", r.IntN(3))
		t.Duration = time.Duration(r.IntN(3)) * time.Minute
		if r.IntN(3) == 0 {
			t.Metrics = map[string]float64{"fps": float64(r.IntN(60)), "frames": 7}
		}
		if r.IntN(3) == 0 {
			t.Properties = map[string]string{"owner": "ann"}
		}
	}
	return b
}

// Whatever the order and however often builds are appended, and whatever they
// said before, the grid is the same; and each of its cells is what a grid of
// that build alone has.
func FuzzAppend(f *testing.F) {
	f.Add(uint64(1), uint8(5), uint8(3), false)
	f.Add(uint64(7), uint8(30), uint8(8), true)
	f.Add(uint64(9), uint8(39), uint8(9), false)
	f.Add(uint64(4), uint8(12), uint8(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, builds, tests uint8, suffix bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := grid.Settings{Pod: seed%2 == 0, UserProperty: "owner"}
		if suffix {
			s.Duplicates = grid.Suffix
		}
		all := make([]grid.Build, builds%40)
		for i := range all {
			all[i] = random(r, i+1, int(tests%10))
		}
		want := grid.NewWith("j", s)
		for _, b := range all {
			want.Append(b, now)
		}
		got := grid.NewWith("j", s)
		for range all {
			x := all[r.IntN(len(all))]
			stale := random(r, 1, int(tests%10)) // what it was when it still ran
			stale.ID = x.ID
			got.Append(stale, now)
		}
		order := r.Perm(len(all))
		for _, i := range append(order, order[:len(all)/2]...) {
			got.Append(all[i], now)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Error(diff)
		}
		alone(t, got, all)
	})
}

// alone holds every cell of a grid against a grid of its build alone.
func alone(t *testing.T, g *grid.Grid, builds []grid.Build) {
	t.Helper()
	if len(g.Columns) != len(builds) {
		t.Fatalf("%d columns of %d builds", len(g.Columns), len(builds))
	}
	for _, b := range builds {
		at := slices.IndexFunc(g.Columns, func(c grid.Column) bool { return c.Build == b.ID })
		one := grid.NewWith(g.Job, g.Settings)
		one.Append(b, now)
		if diff := cmp.Diff(one.Columns[0], g.Columns[at]); diff != "" {
			t.Errorf("column of %s: %s", b.ID, diff)
		}
		for _, row := range one.Rows {
			if g.Row(row.Name) == nil {
				t.Errorf("build %s has %s, the grid has not", b.ID, row.Name)
			}
		}
		for _, row := range g.Rows {
			lone := &grid.Row{Runs: []grid.Run{{Count: 1}}}
			if found := one.Row(row.Name); found != nil {
				lone = found
			}
			if diff := cmp.Diff(lone.Cells()[0], row.Cells()[at]); diff != "" {
				t.Errorf("%s in build %s: %s", row.Name, b.ID, diff)
			}
			if lone.Note(0).Property != row.Note(at).Property {
				t.Errorf("%s in build %s: property %q", row.Name, b.ID, row.Note(at).Property)
			}
			for _, metric := range []string{grid.Elapsed, "fps", "frames"} {
				if w, h := value(lone, metric, 0), value(row, metric, len(g.Columns)-1-at); w != h {
					t.Errorf("%s of %s in build %s: %v, want %v", metric, row.Name, b.ID, h, w)
				}
			}
		}
	}
}

func value(r *grid.Row, metric string, at int) float32 {
	s := r.Metric(metric)
	if s == nil {
		return -1
	}
	if v, ok := s.Value(at); ok {
		return v
	}
	return -1
}

// Columns are in order of time; where that is unknown, of numbers.
func TestOrder(t *testing.T) {
	t.Parallel()
	at := func(id string, hours int) grid.Build {
		b := build(1, "a")
		b.ID, b.Started, b.Finished = id, now.Add(time.Duration(hours)*time.Hour), time.Time{}
		return b
	}
	lost := func(id string) grid.Build { b := at(id, 0); b.Started = time.Time{}; return b }
	late := lost("7")
	late.Finished = now.Add(-90 * time.Minute)
	tests := []struct {
		name   string
		builds []grid.Build
		want   string
	}{
		{"time goes before number", []grid.Build{at("3", -5), at("2", -3), at("1", -4)}, "2 1 3"},
		{"numbers are natural", []grid.Build{at("9", -1), at("10", -1), at("2", -1)}, "10 9 2"},
		{"any name", []grid.Build{at("nightly", -1), at("2026-11-02", -2), at("hash-ff", -3)}, "nightly 2026-11-02 hash-ff"},
		{"no time: by the number below", []grid.Build{at("6", -2), at("4", -4), lost("5"), at("9", -1)}, "9 6 5 4"},
		{"no time, and nothing below", []grid.Build{at("6", -2), lost("5"), lost("3")}, "6 5 3"},
		{"no times at all", []grid.Build{lost("5"), lost("10"), lost("7")}, "10 7 5"},
		{"the number below came later", []grid.Build{at("2", -2), lost("5"), at("9", -1), at("4", -3)}, "9 2 5 4"},
		{"in the far future is no time", []grid.Build{at("2", -2), at("3", 24*365*50), at("4", -1)}, "4 3 2"},
		{"before there was any is no time", []grid.Build{at("2", -2), at("3", -24*365*60), at("4", -1)}, "4 3 2"},
		{"an end is a time", []grid.Build{at("2", -2), late, at("9", -1)}, "9 7 2"},
		{"tomorrow is a clock that is off", []grid.Build{at("2", 3), at("3", 1)}, "2 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 6 {
				g := of(tt.builds...)
				var ids []string
				for _, c := range g.Columns {
					ids = append(ids, c.Build)
				}
				if got := strings.Join(ids, " "); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				rand.Shuffle(len(tt.builds), func(i, k int) { tt.builds[i], tt.builds[k] = tt.builds[k], tt.builds[i] })
			}
		})
	}
}

// A build that is run again with another time moves.
func TestBuildMoves(t *testing.T) {
	t.Parallel()
	g := of(build(96, "-a"), build(97, "a"), build(98, "a"))
	again := build(99, "a", "b")
	again.ID = "96"
	g.Append(again, now)
	if diff := cmp.Diff([]string{"builds 96 98 97", "j.Overall PPP", "a PPP", "b P.."}, picture(g)); diff != "" {
		t.Error(diff)
	}
}

// Rows of which a build no longer speaks go with their last result.
func TestRowGoes(t *testing.T) {
	t.Parallel()
	g := of(build(96, "a"), build(97, "a", "only"))
	g.Append(build(97, "a", "other"), now)
	if diff := cmp.Diff([]string{"builds 97 96", "j.Overall PP", "a PP", "other P."}, picture(g)); diff != "" {
		t.Error(diff)
	}
	g.Append(build(98, "only"), now)
	if diff := cmp.Diff([]string{"builds 98 97 96", "j.Overall PPP", "a .PP", "only P..", "other .P."}, picture(g)); diff != "" {
		t.Error(diff)
	}
}

// Clones of one grid are used at the same time, while it is cloned; run with
// the race detector.
func TestClonesConcurrently(t *testing.T) {
	t.Parallel()
	g := rich()
	want := encoded(t, g)
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			c := g.Clone()
			for i := range 20 {
				c.Append(build(101+i+n, "a", "-b", fmt.Sprintf("n%d", n)), now.Add(100*time.Hour))
				grid.Summarize(g, grid.Options{}, now)
			}
			c.Trim(now.Add(1000*time.Hour), 3)
			if row := c.Row(fmt.Sprintf("n%d", n)); row == nil || len(c.Columns) != 3 {
				t.Errorf("clone %d has %d columns and the row %v", n, len(c.Columns), row)
			}
		})
	}
	wait.Wait()
	if string(encoded(t, g)) != string(want) {
		t.Error("the grid changed along with its clones")
	}
}

// Two clones that grow apart do not write into one another.
func TestClonesApart(t *testing.T) {
	t.Parallel()
	g := of(build(90, "-a"), build(91, "a"))
	x, y := g.Clone(), g.Clone()
	for i := range 5 {
		x.Append(build(92+i, "-a"), now)
		y.Append(build(92+i, "a", "-b"), now)
	}
	g.Append(build(92, "~a"), now)
	for name, tt := range map[string]struct {
		g    *grid.Grid
		want []string
	}{
		"x": {x, []string{"builds 96 95 94 93 92 91 90", "j.Overall FFFFFPF", "a FFFFFPF"}},
		"y": {y, []string{"builds 96 95 94 93 92 91 90", "j.Overall FFFFFPF", "a PPPPPPF", "b FFFFF.."}},
		"g": {g, []string{"builds 92 91 90", "j.Overall PPF", "a SPF"}},
	} {
		if diff := cmp.Diff(tt.want, picture(tt.g)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
