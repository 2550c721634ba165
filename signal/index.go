package signal

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"seaworthy/grid"
)

// index knows which grids have rows of which names, so that a test is found
// among thousands of grids without any being read. It holds four bytes for each
// row of a grid, and each name once. After a restart it is made of the outlines
// of kept grids, see keptForm.
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
func (x *index) update(id string, rows []row) {
	numbers := make([]uint32, 0, len(rows))
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range rows {
		n := 2 * x.number(r.name)
		if r.failed {
			n++
		}
		numbers = append(numbers, n)
	}
	x.drop(id)
	x.groups[id] = numbers
}

// row is what the index knows of a row of a grid.
type row struct {
	name string
	// failed says that the test failed or was flaky in any build; it is false for
	// the row of builds as a whole.
	failed bool
}

func rowsOf(g *grid.Grid) []row {
	overall := g.Overall()
	rows := make([]row, 0, len(g.Rows))
	for _, r := range g.Rows {
		bad := func(run grid.Run) bool { return run.Status.Failing() || run.Status == grid.Flake }
		rows = append(rows, row{r.Name, r.Name != overall && slices.ContainsFunc(r.Runs, bad)})
	}
	return rows
}

// encodeRows writes rows: how many there are, and of each twice the number of
// bytes that its name shares with the one before, plus one if it failed, how many
// follow, and these. All numbers are varints.
func encodeRows(rows []row) []byte {
	out := binary.AppendUvarint(nil, uint64(len(rows)))
	before := ""
	for _, r := range rows {
		shared := 0
		for shared < min(len(r.name), len(before)) && r.name[shared] == before[shared] {
			shared++
		}
		first := 2 * uint64(shared)
		if r.failed {
			first++
		}
		out = binary.AppendUvarint(binary.AppendUvarint(out, first), uint64(len(r.name)-shared))
		out = append(out, r.name[shared:]...)
		before = r.name
	}
	return out
}

// decodeRows reads what encodeRows wrote.
func decodeRows(data []byte) ([]row, error) {
	number := func(most int) int {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > uint64(most) {
			data = nil
			return -1
		}
		data = data[n:]
		return int(v)
	}
	count := number(len(data))
	rows := make([]row, 0, max(count, 0)/2) // each takes two bytes or more
	before := ""
	for range count {
		first := number(2*len(before) + 1)
		more := number(len(data))
		if first < 0 || more < 0 || more > len(data) {
			return nil, errOtherForm
		}
		before = before[:first/2] + string(data[:more])
		data = data[more:]
		rows = append(rows, row{before, first%2 == 1})
	}
	if count < 0 || len(data) > 0 {
		return nil, errOtherForm
	}
	return rows, nil
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
// have one, and those that are to be read before they are shown. What the cache
// knows of grids is read first, and those that are to be looked at before they
// are shown are. failed tells match whether the test failed or was flaky in any
// of the grid's builds; of the row for a build as a whole it is false. match must
// be quick, and must not call the Service.
func (s *Service) Holding(ctx context.Context, match func(name string, failed bool) bool) (func(dash, tab string) bool, error) {
	b, err := s.boards(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.learn(ctx, b); err != nil {
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
		return holds || !known || s.o.Fresh > 0 && s.wanted(v.group, now)
	}, nil
}

// learn brings the index up to date, of the groups that the cache knows and of
// those that are to be looked at. What cannot be read stays unknown: who reads
// the grid then is told why.
func (s *Service) learn(ctx context.Context, b *board) error {
	g, now := &errgroup.Group{}, s.o.Now()
	if s.o.Patience == 0 {
		g.SetLimit(groupReaders)
	} else {
		g.SetLimit(impatient)
	}
	for _, gr := range b.groups {
		known := s.index.has(gr.id)
		switch {
		case s.wanted(gr, now):
			g.Go(func() error {
				if _, err := s.fresh(ctx, s.keep(gr), false); err != nil {
					s.o.Log.Debug("a group is not looked at", "group", gr.test, "error", err)
				}
				return ctx.Err()
			})
		case !known && s.o.Cache != nil:
			g.Go(func() error {
				s.outline(ctx, s.keep(gr))
				return ctx.Err()
			})
		}
	}
	return g.Wait()
}
