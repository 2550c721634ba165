package signal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
)

// place is a folder of builds of one job.
type place struct {
	bucket  *blob.Bucket
	folder  string
	address string // names the bucket among others; empty is the platform's own
	job     string
	label   string // the job's name, with as much of the path before it as tells it from the group's others
}

// standing is what tells new builds from those that a grid has had.
type standing struct {
	made time.Time // when results were new last
	// over are the builds that need not be read again, by key.
	over map[string]bool
	// Numbers from low up to below floor, if there is a floor, are of builds that
	// were passed over as too old. Lower ones are of a job whose numbers have
	// started again.
	floor, low string
	// fed names the consumers that have had all of them.
	fed []string
}

// snapshot is a grid as it was at a time. Nobody changes it any more.
type snapshot struct {
	standing
	grid *grid.Grid
	// size in memory, in bytes, roughly.
	size int64
}

// kept is what the service knows of a group.
type kept struct {
	group    group
	reading  sync.Mutex // held while builds are read
	active   atomic.Int32
	now      atomic.Pointer[snapshot] // nil until read, and when let go
	looked   atomic.Int64             // when new builds were looked for last, in nanoseconds; 0 is never
	outdated atomic.Bool
	used     atomic.Int64
	stored   atomic.Bool // the cache has it as it is
	calling  sync.Mutex
	call     *call // reading in the background
}

// call is a reading that several may wait for.
type call struct {
	whole bool // whether it reads the grid, and not only what is new
	done  chan struct{}
	snap  *snapshot
	err   error
}

func (k *kept) busy() bool { return k.active.Load() > 0 }

// keep returns what is known of a group.
func (s *Service) keep(g group) *kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.groups[g.id]
	if k == nil {
		k = &kept{group: g}
		s.groups[g.id] = k
	}
	s.clock++
	k.used.Store(s.clock)
	return k
}

// fresh returns a snapshot that is not older than Options.Fresh, or, once
// Options.Patience is over, what there is. Who does not want it whole may get
// none: then the summaries and the index know all there is to know.
func (s *Service) fresh(ctx context.Context, k *kept, whole bool) (*snapshot, error) {
	if have := k.now.Load(); (have != nil || !whole) && !s.outdated(k, s.o.Now()) {
		return have, nil
	}
	if s.o.Patience == 0 {
		return s.read(ctx, k, whole)
	}
	c := s.background(k, whole)
	patience := time.NewTimer(s.o.Patience)
	defer patience.Stop()
	select {
	case <-c.done:
		return c.snap, c.err
	case <-patience.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for results: %w", context.Cause(ctx))
	}
	if have := k.now.Load(); have != nil || !whole {
		return have, nil
	}
	return &snapshot{grid: newGrid(k.group)}, nil
}

// outdated reports whether new builds of a group are to be looked for before it
// is shown.
func (s *Service) outdated(k *kept, now time.Time) bool {
	looked := k.looked.Load()
	switch {
	case looked == 0 || k.outdated.Load():
		return true
	case s.o.Once:
		return false
	}
	return s.o.Fresh == 0 || now.Sub(time.Unix(0, looked)) >= s.o.Fresh
}

// background reads a group, or joins those who wait for it.
func (s *Service) background(k *kept, whole bool) *call {
	k.calling.Lock()
	defer k.calling.Unlock()
	if k.call != nil && (k.call.whole || !whole) {
		select {
		case <-k.call.done:
		default:
			return k.call
		}
	}
	c := &call{whole: whole, done: make(chan struct{})}
	k.call = c
	k.active.Add(1)
	s.at.Go(func() {
		defer close(c.done)
		defer k.active.Add(-1)
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			c.snap, c.err = s.read(s.ctx, k, whole)
		case <-s.ctx.Done():
			c.err = fmt.Errorf("reading results: %w", context.Cause(s.ctx))
		}
	})
	return c
}

// read looks for new builds of a group. One reads a group at a time; whoever
// asks meanwhile waits and looks again, so that what they get is no older than
// their question. Where nothing is new, and the grid is not wanted whole, it is
// not read from the cache: then there is no snapshot.
func (s *Service) read(ctx context.Context, k *kept, whole bool) (*snapshot, error) {
	k.active.Add(1)
	defer k.active.Add(-1)
	k.reading.Lock()
	defer k.reading.Unlock()
	k.outdated.Store(false)
	now := s.o.Now()
	if !whole && k.now.Load() == nil {
		if same, err := s.unchanged(ctx, k, now); same || err != nil {
			return nil, err
		}
	}
	have, shared, err := s.known(ctx, k)
	if err != nil {
		return nil, err
	}
	if s.o.Once && k.looked.Load() != 0 && (shared || k.stored.Load()) {
		s.publish(k, have)
		return have, nil
	}
	found, err := s.list(ctx, k.group, have.standing, now)
	if err != nil {
		return nil, err
	}
	next, changed, err := s.extend(ctx, k, have, shared, found, now)
	if err != nil {
		k.outdated.Store(true)
		return nil, err
	}
	k.looked.Store(now.UnixNano())
	s.publish(k, next)
	if changed || !s.index.has(k.group.id) {
		s.index.update(k.group.id, rowsOf(next.grid))
	}
	if changed || s.summaries.lacks(k.group.id, next.made) {
		s.summaries.update(k.group.id, next, now)
	}
	if changed || !k.stored.Load() {
		if err := s.store(ctx, k, next); err != nil && ctx.Err() == nil {
			// What is shown is right; it is read again after a restart.
			s.o.Log.Warn("keeping a grid", "group", k.group.test, "error", err)
		}
	}
	return next, nil
}

// unchanged reports whether a group has no new builds, and all that is to be
// known of it without its grid is known.
func (s *Service) unchanged(ctx context.Context, k *kept, now time.Time) (bool, error) {
	head, ok := s.outline(ctx, k)
	if !ok || !s.summed(ctx, k.group.id, head.made) {
		return false, nil
	}
	found, err := s.list(ctx, k.group, head, now)
	if err != nil || len(found.builds) > 0 {
		return false, err
	}
	k.looked.Store(now.UnixNano())
	return true, nil
}

// known is what is in memory, or in the cache, or nothing; and whether others
// have it, too, so that it must not be changed.
func (s *Service) known(ctx context.Context, k *kept) (have *snapshot, shared bool, err error) {
	if have := k.now.Load(); have != nil {
		return have, true, nil
	}
	have, err = s.load(ctx, k)
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, err
		}
		s.o.Log.Warn("a kept grid is made anew", "group", k.group.test, "error", err)
	}
	k.stored.Store(have != nil)
	if have == nil {
		have = &snapshot{grid: newGrid(k.group), standing: standing{over: map[string]bool{}, fed: s.names()}}
	}
	return have, false, nil
}

func (s *Service) names() []string {
	var names []string
	for _, c := range s.listeners() {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

func newGrid(g group) *grid.Grid { return grid.NewWith(g.name, g.settings) }

// extend reads builds, several at a time, and appends them in their order. It
// reports whether anything is new.
func (s *Service) extend(ctx context.Context, k *kept, have *snapshot, shared bool, found listing, now time.Time) (*snapshot, bool, error) {
	next := &snapshot{grid: have.grid, standing: have.standing, size: have.size}
	if next.floor != "" {
		next.low = found.lowest(have.passed, have.floor)
	}
	if len(found.builds) == 0 {
		return next, false, nil
	}
	if shared {
		next.grid, next.over = have.grid.Clone(), maps.Clone(have.over)
	}
	if found.builds[0].plain != nil && len(next.grid.Columns) == 0 { // no build in Prow's layout
		next.grid.Settings.Pod = false // nobody can tell
	}
	started, changed := now, false
	var empty []unread
	err := s.each(ctx, k.group, found.builds, func(u unread, b result.Build) error {
		if b.ID == "" { // its first file is yet to come
			empty = append(empty, u)
			return nil
		}
		changed = s.settle(ctx, k.group, next, u, b, now) || changed
		// Whoever waits for a long reading sees what there is of it.
		if at := s.o.Now(); s.o.Patience > 0 && at.Sub(started) > s.o.Patience {
			started = at
			early := &snapshot{grid: next.grid.Clone(), standing: next.standing}
			early.over = maps.Clone(next.over)
			k.now.Store(early)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	waiting := next.giveUp(empty)
	if changed = changed || len(waiting) < len(empty); changed {
		next.made = now
		s.trim(k.group, next, found, waiting, now)
	}
	return next, changed, nil
}

// settle appends a build that was read, and remembers whether it need be read
// again. It reports whether anything is new.
func (s *Service) settle(ctx context.Context, g group, next *snapshot, u unread, b result.Build, now time.Time) bool {
	b.ID = u.ID
	c := column(b, g.settings, u.place.label, now)
	over := g.settings.Settled(c, now) || !c.Started.IsZero() && now.Sub(c.Started) > abandoned
	shown := about(b, g.repo) && (b.Finished != nil || !g.finished)
	if shown {
		c.Tests = tests(b)
		next.grid.Append(c, now)
		// What is finished is handed on, even if a column waits for its pod yet:
		// consumers know builds again by their paths.
		if over || b.Finished != nil {
			if err := s.feed(ctx, g, *u.place, b, c); err != nil {
				if ctx.Err() == nil {
					s.o.Log.Warn("a build is read again later", "error", err)
				}
				return true
			}
		}
	}
	if over {
		next.over[u.key] = true
	}
	return shown || over
}

// giveUp stops to wait for the first file of builds that lie far behind: those
// that would stand, before the column of the next lower number, behind newer
// builds. It returns what is waited for. A build with a lower number than all
// columns may be the first of a job whose numbers start again, so the highest
// few of them are waited for, too.
func (n *snapshot) giveUp(empty []unread) (waiting map[string]bool) {
	if len(empty) == 0 {
		return nil
	}
	columns := n.grid.Columns
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return job.CompareBuildIDs(columns[a].Build, columns[b].Build) })
	waiting = map[string]bool{}
	below := 0
	for _, u := range slices.Backward(empty) {
		lower, _ := slices.BinarySearchFunc(order, u.ID, func(i int, id string) int { return job.CompareBuildIDs(columns[i].Build, id) })
		first := lower == 0
		if first {
			below++
		}
		if len(columns) <= overlap || first && below <= overlap || !first && order[lower-1] <= overlap {
			waiting[u.key] = true
			continue
		}
		n.over[u.key] = true
	}
	return waiting
}

// trim drops columns that are too old, and remembers not to read them again:
// where numbers ascend with time, by the lowest that is left. Where they do not,
// because a job's numbers have started again, each build is remembered.
func (s *Service) trim(g group, next *snapshot, found listing, waiting map[string]bool, now time.Time) {
	if g.days > 0 {
		next.grid.Trim(now.AddDate(0, 0, -g.days), leastColumns)
	}
	next.grid.Trim(now, s.o.Columns)
	n := len(next.grid.Columns)
	if n < leastColumns || len(g.prefixes) > 1 || !ascending(next.grid.Columns) {
		return
	}
	next.floor = next.grid.Columns[n-1].Build
	next.low = found.lowest(func(id string) bool { return !waiting[id] && job.CompareBuildIDs(id, next.floor) < 0 }, next.floor)
	maps.DeleteFunc(next.over, func(id string, _ bool) bool { return job.CompareBuildIDs(id, next.floor) < 0 })
}

// ascending reports whether later columns have higher numbers.
func ascending(columns []grid.Column) bool {
	for i, c := range columns {
		if !numbered(c.Build) || i > 0 && job.CompareBuildIDs(c.Build, columns[i-1].Build) > 0 {
			return false
		}
	}
	return true
}

// each reads builds, readers of them at a time, and hands them on in order. A
// build that has no files is handed on without an ID.
func (s *Service) each(ctx context.Context, g group, found []unread, take func(unread, result.Build) error) error {
	type read struct {
		build result.Build
		err   error
	}
	group, gctx := errgroup.WithContext(ctx)
	slots := make(chan chan read, readers) // in order; its room bounds how many are read
	group.Go(func() error {
		defer close(slots)
		for _, u := range found {
			slot := make(chan read, 1)
			select {
			case slots <- slot:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
			group.Go(func() error {
				b, err := loadBuild(gctx, u)
				slot <- read{b, err}
				return nil
			})
		}
		return nil
	})
	group.Go(func() error {
		i := 0
		for slot := range slots {
			r := <-slot
			if r.err != nil {
				return r.err
			}
			if err := take(found[i], r.build); err != nil {
				return err
			}
			i++
		}
		return nil
	})
	return group.Wait()
}

func loadBuild(ctx context.Context, u unread) (result.Build, error) {
	if u.plain != nil {
		b, err := u.plain.Load(ctx, u.place.bucket)
		if err == nil && len(b.Tests) == 0 && b.Malformed == "" && len(b.Irregular) > 0 {
			return result.Build{Path: b.Path}, nil // nothing in it is a result
		}
		return b, err
	}
	ref, err := result.Follow(ctx, u.place.bucket, u.Ref)
	var b result.Build
	if err == nil {
		b, err = result.LoadBuild(ctx, u.place.bucket, ref.Path)
	}
	if errors.Is(err, result.ErrNoBuild) {
		return result.Build{}, nil
	}
	return b, err
}
