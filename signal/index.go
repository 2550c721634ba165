package signal

import (
	"context"
	"slices"
	"sync"

	"seaworthy/grid"
)

// index knows which grids have rows of which names, so that a test is found
// among thousands of grids without any being read. It holds four bytes for each
// row of a grid, and each name once.
type index struct {
	mu    sync.RWMutex
	at    map[string]uint32 // names by what they are
	names []string
	grids []int32 // by name: how many grids have it
	free  []uint32
	// groups have for each row twice the number of its name, and one more if a
	// test failed there.
	groups map[string][]uint32
}

func (x *index) init() {
	x.at, x.groups = map[string]uint32{}, map[string][]uint32{}
}

// has reports whether a group is known.
func (x *index) has(id string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	_, ok := x.groups[id]
	return ok
}

// update replaces what is known of a group.
func (x *index) update(id string, g *grid.Grid) {
	rows := make([]uint32, 0, len(g.Rows))
	overall := g.Overall()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range g.Rows {
		n := 2 * x.number(r.Name)
		if r.Name != overall && slices.ContainsFunc(r.Runs, func(run grid.Run) bool { return run.Status.Failing() || run.Status == grid.Flake }) {
			n++
		}
		rows = append(rows, n)
	}
	x.drop(id)
	x.groups[id] = rows
}

// number counts one more grid with a name. Under mu.
func (x *index) number(name string) uint32 {
	n, ok := x.at[name]
	if !ok {
		if last := len(x.free) - 1; last >= 0 {
			n, x.free = x.free[last], x.free[:last]
			x.names[n] = name
		} else {
			n = uint32(len(x.names))
			x.names, x.grids = append(x.names, name), append(x.grids, 0)
		}
		x.at[name] = n
	}
	x.grids[n]++
	return n
}

// drop forgets a group, and the names that no other has. Under mu.
func (x *index) drop(id string) {
	for _, row := range x.groups[id] {
		n := row / 2
		if x.grids[n]--; x.grids[n] == 0 {
			delete(x.at, x.names[n])
			x.names[n] = ""
			x.free = append(x.free, n)
		}
	}
	delete(x.groups, id)
}

// keep forgets the groups that are configured no longer.
func (x *index) keep(b *board) {
	wanted := make(map[string]bool, len(b.groups))
	for _, g := range b.groups {
		wanted[g.id] = true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id := range x.groups {
		if !wanted[id] {
			x.drop(id)
		}
	}
}

// holding returns which of the known groups have a row that matches.
func (x *index) holding(match func(name string, failed bool) bool) map[string]bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	matches := make([]bool, 2*len(x.names))
	for n, name := range x.names {
		if x.grids[n] > 0 {
			matches[2*n], matches[2*n+1] = match(name, false), match(name, true)
		}
	}
	found := make(map[string]bool, len(x.groups))
	for id, rows := range x.groups {
		found[id] = slices.ContainsFunc(rows, func(row uint32) bool { return matches[row] })
	}
	return found
}

// Holding says of which tabs the grids may have a row that matches: those that
// have one, and those that are to be read before they are shown. failed tells match whether
// the test failed or was flaky in any of the grid's builds; of the row for a
// build as a whole it is false. match must be quick, and must not call the
// Service.
func (s *Service) Holding(ctx context.Context, match func(name string, failed bool) bool) (func(dash, tab string) bool, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return nil, err
	}
	found, now := s.index.holding(match), s.o.Now()
	return func(dash, tab string) bool {
		p, ok := b.find(dash)
		if !ok {
			return false
		}
		v, ok := p.find(tab)
		if !ok {
			return false
		}
		holds, known := found[v.group.id]
		return holds || !known || s.wanted(v.group, now)
	}, nil
}
