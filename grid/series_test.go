package grid

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a series as a map from column to value.
type model map[int]float32

func (m model) shift(from, by int) model {
	out := model{}
	for at, v := range m {
		if at >= from {
			at += by
		}
		out[at] = v
	}
	return out
}

// check holds a series against its model, and its form against the rules:
// spans that are neither empty nor touch, and as many values as columns.
func (s *Series) check(t *testing.T, m model, did string) {
	t.Helper()
	end, n := -1, 0
	for _, p := range s.Spans {
		if p.Count <= 0 || p.At <= end {
			t.Fatalf("after %s: spans %v", did, s.Spans)
		}
		end = p.At + p.Count
		n += p.Count
	}
	if n != len(s.Values) || n != len(m) {
		t.Fatalf("after %s: %d values in columns of %d, want %d", did, len(s.Values), n, len(m))
	}
	for at := range 40 {
		v, ok := s.Value(at)
		w, want := m[at]
		if v != w || ok != want {
			t.Fatalf("after %s: column %d has %v, %t, want %v, %t", did, at, v, ok, w, want)
		}
	}
}

// A series does what a map would do, whatever is done to it.
func FuzzSeries(f *testing.F) {
	f.Add(uint64(1), uint8(20))
	f.Add(uint64(2), uint8(255))
	f.Add(uint64(3), uint8(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, m := Series{Name: "x"}, model{}
		for range steps {
			at := r.IntN(20)
			switch r.IntN(6) {
			case 0, 1, 2:
				v := r.Float32()
				s.put(at, v)
				m[at] = v
				s.check(t, m, "put")
			case 3:
				s.remove(at)
				delete(m, at)
				s.check(t, m, "remove")
			case 4: // a column comes in
				s.shift(at, +1)
				m = m.shift(at, +1)
				s.check(t, m, "a shift up")
				for gone := range maps.Clone(m) {
					if gone >= 20 {
						s.remove(gone)
						delete(m, gone)
					}
				}
				s.check(t, m, "removal of the end")
			case 5: // a column goes
				s.remove(at)
				delete(m, at)
				s.shift(at+1, -1)
				m = m.shift(at+1, -1)
				s.check(t, m, "a shift down")
			}
		}
		old := r.IntN(20)
		c := s.copied()
		c.trim(old)
		kept := maps.Clone(m)
		maps.DeleteFunc(kept, func(at int, _ float32) bool { return at < old })
		c.check(t, kept, "trim")
		s.check(t, m, "trim of a copy")
	})
}

// naive is a row as a list of its cells, newest first.
func (r *Row) naive() []filled {
	n := r.columns()
	var out []filled
	for _, run := range r.Runs {
		for range run.Count {
			out = append(out, r.cell(len(out), n, run.Status))
		}
	}
	return out
}

// A row does what a list of cells would do.
func FuzzRow(f *testing.F) {
	f.Add(uint64(1), uint8(20))
	f.Add(uint64(2), uint8(200))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		r := rand.New(rand.NewPCG(seed, 3))
		row, cells := &Row{Name: "x"}, []filled(nil)
		for range steps {
			c := filled{Cell: Cell{Status: Outcome(r.IntN(4) * 4)}}
			if c.Status == Fail {
				c.Icon, c.Message, c.property = "F", "why", "ann"
				c.metrics = []metric{{"fps", float32(r.IntN(9))}}
			}
			switch at := r.IntN(len(cells) + 1); {
			case r.IntN(3) > 0 || at == len(cells):
				row.put(at, len(cells), c)
				cells = slices.Insert(cells, at, c)
			case r.IntN(4) > 0:
				row.take(at, len(cells))
				cells = slices.Delete(cells, at, at+1)
			case r.IntN(2) == 0:
				order := r.Perm(len(cells))
				row.arrange(order)
				old := slices.Clone(cells)
				for i, k := range order {
					cells[i] = old[k]
				}
			default:
				left := row.trim(at, len(cells))
				cells = slices.Clone(cells[:at])
				if some := slices.ContainsFunc(cells, func(c filled) bool { return c.Status != NoResult }); left != some {
					t.Fatalf("a result is left: %t", left)
				}
			}
			got := row.naive()
			same := func(a, b filled) bool {
				return a.Cell == b.Cell && a.property == b.property && slices.Equal(a.metrics, b.metrics)
			}
			if !slices.EqualFunc(cells, got, same) {
				t.Fatalf("%v, want %v", got, cells)
			}
			for i := 1; i < len(row.Runs); i++ {
				if row.Runs[i].Status == row.Runs[i-1].Status || row.Runs[i].Count <= 0 {
					t.Fatalf("runs %v", row.Runs)
				}
			}
		}
	})
}
