package triage

import (
	"context"
	"slices"
)

// The limits of joining, see join.
const (
	leastShared     = 0.8 // of the words of the longer statement
	leastWords      = 8   // of the shorter statement, to speak for itself
	leastVariants   = 5   // statements that differ in new words only
	failuresVariant = 2   // failures for each of them, on average, at most
)

// join puts groups together whose statements say the same, each joined group
// led by its largest. The groups come largest first, so nothing here depends
// on how they were found.
//
//   - Added detail: one statement has all lines of the other, begins alike, and
//     the shorter makes up at least 80% of the words of the longer. Nothing was
//     replaced, something was only said in addition: a dump cut later, another
//     event. A group joins the largest that fits; there are no chains, so two
//     causes cannot grow together step by step.
//   - Names nobody could know: statements that are equal but for words found in
//     no other statement, if there are at least five of them and together they
//     are of few failures. A slot that holds a new word nearly every time holds
//     an identifier, though it has neither digits nor a form known here.
func join(ctx context.Context, groups []*group) ([][]*group, error) {
	leader := make([]int, len(groups))
	for i := range leader {
		leader[i] = i
	}
	if err := joinAdded(ctx, groups, leader); err != nil {
		return nil, err
	}
	joinRenamed(groups, leader)
	var out [][]*group
	place := map[int]int{}
	for i, g := range groups {
		l := leader[i]
		for leader[l] != l {
			l = leader[l]
		}
		at, ok := place[l]
		if !ok {
			at = len(out)
			place[l] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], g)
	}
	return out, ctx.Err()
}

// joinAdded finds for each group the largest that says the same with more or
// fewer lines.
func joinAdded(ctx context.Context, groups []*group, leader []int) error {
	in := make(map[uint64]int32, len(groups)) // statements that have a line
	for _, g := range groups {
		for _, l := range g.lines {
			in[l.hash]++
		}
	}
	x := lineIndex{in: in, whole: map[uint64][]int32{}, rarest: map[uint64][]int32{}, least: 2}
	for i, g := range groups {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if at, ok := x.find(g.lines, func(i int32) []line { return groups[i].lines }); ok {
			leader[i] = at
			continue
		}
		x.add(i, g.lines)
	}
	return nil
}

// lineIndex finds statements by their lines.
type lineIndex struct {
	in     map[uint64]int32   // how many statements have a line
	whole  map[uint64][]int32 // the statements that have a line
	rarest map[uint64][]int32 // the statements whose rarest line it is
	least  int32              // statements must have a line for it to be kept: 2 if all are counted
}

// rare returns the line of a statement that fewest others have.
func (x *lineIndex) rare(lines []line) uint64 {
	best := lines[0].hash
	for _, l := range lines[1:] {
		if n, m := x.in[l.hash], x.in[best]; n < m || n == m && l.hash < best {
			best = l.hash
		}
	}
	return best
}

func (x *lineIndex) add(i int, lines []line) {
	if len(lines) == 0 {
		return
	}
	for _, l := range lines {
		if x.in[l.hash] >= x.least {
			x.whole[l.hash] = append(x.whole[l.hash], int32(i))
		}
	}
	r := x.rare(lines)
	if x.in[r] >= x.least {
		x.rarest[r] = append(x.rarest[r], int32(i))
	}
}

// find returns the first statement that lines say the same as.
func (x *lineIndex) find(lines []line, of func(int32) []line) (int, bool) {
	if len(lines) == 0 {
		return 0, false
	}
	best := int32(-1)
	try := func(candidates []int32) {
		for _, c := range candidates {
			if best >= 0 && c >= best {
				return // they are in order
			}
			if l := of(c); l[0].hash == lines[0].hash && (added(l, lines) || added(lines, l)) {
				best = c
				return
			}
		}
	}
	try(x.whole[x.rare(lines)])
	for _, l := range lines {
		try(x.rarest[l.hash])
	}
	return int(best), best >= 0
}

// added reports whether long has all lines of short and few others.
func added(short, long []line) bool {
	if len(short) > len(long) {
		return false
	}
	few, many := weigh(short), weigh(long)
	if few < leastWords || float64(few) < leastShared*float64(many) {
		return false
	}
	if len(long) <= 16 {
		for _, l := range short {
			if !slices.ContainsFunc(long, func(m line) bool { return m.hash == l.hash }) {
				return false
			}
		}
		return true
	}
	has := make(map[uint64]struct{}, len(long))
	for _, l := range long {
		has[l.hash] = struct{}{}
	}
	for _, l := range short {
		if _, ok := has[l.hash]; !ok {
			return false
		}
	}
	return true
}

func weigh(lines []line) int32 {
	n := int32(0)
	for _, l := range lines {
		n += l.words
	}
	return n
}

// joinRenamed joins groups that differ in words found nowhere else.
func joinRenamed(groups []*group, leader []int) {
	in := map[uint64]int32{}
	for _, g := range groups {
		own := map[uint64]struct{}{}
		eachTerm(g.key, func(h uint64) { own[h] = struct{}{} })
		for h := range own {
			in[h]++
		}
	}
	alike := map[uint64][]int{}
	var order []uint64
	for i, g := range groups {
		if leader[i] != i {
			continue
		}
		h, known, unknown := uint64(prime1), 0, 0
		fresh := false
		eachTerm(g.key, func(t uint64) {
			if in[t] > 1 {
				h, known, fresh = mix(h, t), known+1, false
				return
			}
			unknown++
			if !fresh { // a name of several words is one name
				h, fresh = mix(h, 1), true
			}
		})
		if unknown == 0 || known < leastWords || unknown*3 > known {
			continue
		}
		if alike[h] == nil {
			order = append(order, h)
		}
		alike[h] = append(alike[h], i)
	}
	for _, h := range order {
		failures := 0
		for _, i := range alike[h] {
			failures += len(groups[i].members)
		}
		if n := len(alike[h]); n < leastVariants || failures > n*failuresVariant {
			continue
		}
		for _, i := range alike[h] {
			leader[i] = alike[h][0]
		}
	}
}

// eachTerm calls f with the hash of each run of letters and digits.
func eachTerm(text string, f func(hash uint64)) {
	for i := 0; i < len(text); {
		if !is(text[i], alnum) {
			i++
			continue
		}
		j := i
		for j < len(text) && is(text[j], alnum) {
			j++
		}
		f(hashText(text[i:j]))
		i = j
	}
}
