package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Change says what Reconcile did.
type Change struct {
	// Moved counts texts that are in another cluster now.
	Moved int `json:"moved"`
	// Split and Merged count clusters that came out of another and that went up
	// in another.
	Split  int `json:"split"`
	Merged int `json:"merged"`
	// Removed counts builds that are too old to be kept.
	Removed int `json:"removed"`
}

// Reconcile removes what is too old, clusters all texts anew and keeps the
// names of the clusters: whatever the order in which texts arrived, the
// clusters are those of triage's batch. While texts are compared, which takes
// long, failures are recorded and pages answered as ever.
func (s *Service) Reconcile(ctx context.Context) (Change, error) {
	var c Change
	keep, err := s.retention(ctx)
	if err != nil {
		return c, fmt.Errorf("removing old failures: %w", err)
	}
	if err := s.alone(ctx, func() (State, error) { return s.remove(ctx, keep, &c) }); err != nil {
		return c, fmt.Errorf("removing old failures: %w", err)
	}
	for range attempts {
		texts, at, err := s.texts(ctx)
		if err != nil {
			return c, fmt.Errorf("clustering the failures anew: %w", err)
		}
		groups, err := s.o.Sorter.Groups(ctx, texts)
		if err != nil {
			return c, fmt.Errorf("clustering the failures anew: %w", err)
		}
		current := true
		err = s.alone(ctx, func() (State, error) {
			// Texts that were removed or moved have other places than those that
			// were compared; it makes no difference that there are more.
			if current = s.state.Epoch <= at.Seq; !current {
				return s.state, nil
			}
			return s.regroup(ctx, s.table.withNew(groups, len(texts)), &c)
		})
		if err != nil {
			return c, fmt.Errorf("clustering the failures anew: %w", err)
		}
		if current {
			return c, nil
		}
	}
	return c, fmt.Errorf("clustering the failures anew: %w, %d times in a row", ErrBehind, attempts)
}

// alone writes while nobody else here does.
func (s *Service) alone(ctx context.Context, change func() (State, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(ctx, change)
}

// texts returns a sample of each text, and of which state they are.
func (s *Service) texts(ctx context.Context) ([]string, State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return nil, State{}, err
	}
	texts := make([]string, len(s.table.texts))
	for i := range s.table.texts {
		texts[i] = s.table.texts[i].sample
	}
	return texts, s.state, nil
}

// withNew adds the texts behind the first known ones to groups of those: each to
// where its cluster is, of which the text with the most failures tells; the next
// time they are compared with all.
func (t *Table) withNew(groups [][]int, known int) [][]int {
	of := make([]int, known)
	for g, texts := range groups {
		for _, i := range texts {
			of[i] = g
		}
	}
	leader := map[int32]int{} // texts by cluster
	for i := range known {
		x := &t.texts[i]
		if l, ok := leader[x.cluster]; !ok || x.hits > t.texts[l].hits {
			leader[x.cluster] = i
		}
	}
	groups = slices.Clone(groups)
	added := map[int32]int{} // groups by cluster
	for i := known; i < len(t.texts); i++ {
		cluster := t.texts[i].cluster
		g, ok := added[cluster]
		if l, old := leader[cluster]; !ok && old {
			g, ok = of[l], true
			groups[g] = slices.Clip(groups[g])
		}
		if !ok {
			g = len(groups)
			groups = append(groups, nil)
		}
		added[cluster] = g
		groups[g] = append(groups[g], i)
	}
	return groups
}

// regroup makes groups of texts the clusters and writes what changes.
func (s *Service) regroup(ctx context.Context, groups [][]int, c *Change) (State, error) {
	p := newRegrouping(s.table, groups)
	if len(p.moves) == 0 {
		return s.state, nil
	}
	*c = Change{Moved: len(p.moves), Split: p.split, Merged: p.merged, Removed: c.Removed}
	if _, err := s.o.Store.MoveTriage(ctx, s.state.Seq, p.moves, p.clusters); err != nil {
		return s.state, err
	}
	err := s.refresh(ctx)
	return s.state, err
}

// regrouping finds which of the new groups is which of the old clusters.
type regrouping struct {
	t        *Table
	groups   [][]int
	place    []int32 // by group: the old cluster it continues, or -1
	moves    []Move
	clusters []StoredCluster

	// By group: its number, facts, and whether they have to be written.
	number  []int64
	facts   []Facts
	changed []bool
	of      map[int32]int // groups by the cluster they continue

	split, merged int
}

func newRegrouping(t *Table, groups [][]int) *regrouping {
	p := &regrouping{t: t, groups: groups, place: make([]int32, len(groups))}
	overlaps := p.overlaps()
	p.match(overlaps)
	p.rewrite(overlaps)
	return p
}

// overlap is how many failures a group and an old cluster have in common, and
// how many texts.
type overlap struct {
	group    int
	cluster  int32
	failures int
	texts    int
}

func (p *regrouping) overlaps() []overlap {
	type pair struct {
		group   int
		cluster int32
	}
	found := map[pair]*overlap{}
	for g, texts := range p.groups {
		for _, i := range texts {
			x := &p.t.texts[i]
			at := pair{g, x.cluster}
			if found[at] == nil {
				found[at] = &overlap{group: g, cluster: x.cluster}
			}
			found[at].failures += int(x.hits)
			found[at].texts++
		}
	}
	all := make([]overlap, 0, len(found))
	for _, o := range found {
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b overlap) int {
		x, y := &p.t.clusters[a.cluster], &p.t.clusters[b.cluster]
		return cmp.Or(
			cmp.Compare(b.failures, a.failures), cmp.Compare(b.texts, a.texts),
			x.FirstSeen.Compare(y.FirstSeen), cmp.Compare(x.ID, y.ID),
			cmp.Compare(p.first(a.group), p.first(b.group)),
		)
	})
	return all
}

// first names a group whatever its place among the groups.
func (p *regrouping) first(group int) string {
	least := ""
	for _, i := range p.groups[group] {
		if h := p.t.texts[i].hash; least == "" || h < least {
			least = h
		}
	}
	return least
}

// match pairs groups and clusters, those that have most in common first; each
// is paired once.
func (p *regrouping) match(overlaps []overlap) {
	for g := range p.place {
		p.place[g] = -1
	}
	taken := map[int32]bool{}
	for _, o := range overlaps {
		if p.place[o.group] < 0 && !taken[o.cluster] {
			p.place[o.group] = o.cluster
			taken[o.cluster] = true
		}
	}
}

// rewrite says what has to be written so that the groups are the clusters.
func (p *regrouping) rewrite(overlaps []overlap) {
	t := p.t
	p.number, p.facts, p.changed = make([]int64, len(p.groups)), make([]Facts, len(p.groups)), make([]bool, len(p.groups))
	p.of = map[int32]int{}
	ids, fresh := newPlanner(t), int64(0)
	for g, place := range p.place {
		if place >= 0 {
			p.number[g], p.facts[g] = t.clusters[place].number, t.clusters[place].Facts
			p.of[place] = g
			continue
		}
		p.number[g] = t.nextCluster() + fresh
		fresh++
		p.facts[g] = Facts{ID: ids.name(p.first(g)), Text: t.texts[p.groups[g][0]].sample, From: p.parent(g, overlaps)}
		p.split++
	}
	target := make([]int, len(t.texts))
	for g, texts := range p.groups {
		for _, i := range texts {
			target[i] = g
			if t.clusters[t.texts[i].cluster].number != p.number[g] {
				p.moves = append(p.moves, Move{t.texts[i].number, p.number[g]})
			}
		}
	}
	left := p.carry(target)
	p.bury(overlaps, left)
	for g := range p.groups {
		if p.changed[g] {
			p.clusters = append(p.clusters, StoredCluster{p.number[g], p.facts[g]})
		}
	}
}

// parent names the cluster that most of a new group was in; the largest overlap
// comes first.
func (p *regrouping) parent(group int, overlaps []overlap) string {
	for _, o := range overlaps {
		if o.group == group {
			return p.t.clusters[o.cluster].ID
		}
	}
	return "" // not reachable: every text was in a cluster
}

// carry takes the failures of texts that move out of the facts of one cluster
// and into those of another. What a cluster remembers of its beginning stays
// with it. It returns how many failures left each cluster.
func (p *regrouping) carry(target []int) (left map[int32]int) {
	t := p.t
	left = map[int32]int{}
	landed := map[int]bool{}
	for i, b := range t.build {
		x := &t.texts[t.text[i]]
		g := target[t.text[i]]
		if t.clusters[x.cluster].number == p.number[g] {
			continue
		}
		before := p.facts[g].Landed.Build
		p.facts[g].see(t.buildAt(b), t.tests.all[t.test[i]])
		landed[g] = landed[g] || p.facts[g].Landed.Build != before
		p.changed[g] = true
		left[x.cluster]++
		if old, lives := p.of[x.cluster]; lives {
			p.facts[old].Hits--
			p.changed[old] = true
		}
	}
	for g := range landed {
		f := &p.facts[g]
		if at, ok := t.paths[f.Landed.Build]; ok && landed[g] {
			f.Good = t.good(t.buildAt(at), f.Landed.Test)
		}
	}
	return left
}

// bury has clusters that lost everything lead to where most of it went, whose
// history includes theirs from then on.
func (p *regrouping) bury(overlaps []overlap, left map[int32]int) {
	done := map[int32]bool{}
	for _, o := range overlaps {
		if _, lives := p.of[o.cluster]; lives || done[o.cluster] {
			continue
		}
		done[o.cluster] = true
		gone := p.t.clusters[o.cluster].Facts
		gone.Hits -= left[o.cluster]
		p.facts[o.group].join(gone)
		p.changed[o.group] = true
		gone.Into, gone.Hits = p.facts[o.group].ID, 0
		p.clusters = append(p.clusters, StoredCluster{p.t.clusters[o.cluster].number, gone})
		p.merged++
	}
}

// join takes over the history of a cluster that has become a part of this one.
func (f *Facts) join(gone Facts) {
	f.Hits += gone.Hits
	f.inherit(gone.Description)
	if gone.LastSeen.After(f.LastSeen) {
		f.LastSeen = gone.LastSeen
	}
	if gone.First.Build != "" && (f.First.Build == "" || gone.FirstSeen.Before(f.FirstSeen)) {
		f.FirstSeen, f.First = gone.FirstSeen, gone.First
	}
	if gone.Landed.Build != "" && (f.Landed.Build == "" || gone.Landed.At.Before(f.Landed.At)) {
		f.Landed, f.Good = gone.Landed, gone.Good
	}
}

// remove leaves out builds that are too old, texts that no failure has, but one
// of each cluster so that it is known again, and clusters unseen for long.
func (s *Service) remove(ctx context.Context, keep Retention, c *Change) (State, error) {
	now := s.o.Now()
	r := Removal{Before: now.Add(-keep.Failures).Truncate(time.Second)}
	t := s.table
	used := make([]int, len(t.texts))
	tests := make([]bool, len(t.tests.all))
	removed := 0
	for i := range t.builds {
		b := &t.builds[i]
		if b.started < r.Before.Unix() {
			removed++
			continue
		}
		for f := b.from; f < b.to; f++ {
			used[t.text[f]]++
			tests[t.test[f]] = true
		}
	}
	if removed == 0 {
		return s.state, nil
	}
	old := now.Add(-keep.Clusters)
	kept := map[int32]bool{} // clusters with a text
	for i := range t.clusters {
		if cl := &t.clusters[i]; cl.LastSeen.Before(old) && cl.LastSeen.Before(r.Before) {
			r.Clusters = append(r.Clusters, cl.number)
			kept[int32(i)] = true // none of its texts is needed
		}
	}
	for i, n := range used {
		if n > 0 {
			kept[t.texts[i].cluster] = true
		}
	}
	for i, n := range used {
		if x := &t.texts[i]; n == 0 && kept[x.cluster] {
			r.Texts = append(r.Texts, x.number)
		} else {
			kept[x.cluster] = true // the oldest of those unused stays
		}
	}
	for i, ok := range tests {
		if !ok {
			r.Tests = append(r.Tests, t.testNumbers[i])
		}
	}
	if _, err := s.o.Store.RemoveTriage(ctx, s.state.Seq, r); err != nil {
		return s.state, err
	}
	c.Removed = removed
	err := s.refresh(ctx)
	return s.state, err
}
