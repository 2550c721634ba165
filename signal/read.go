package signal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
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

// snapshot is a grid as it was at a time. Nobody changes it any more.
type snapshot struct {
	grid *grid.Grid
	read time.Time
	// over are the builds that need not be read again, by key; those with ids
	// below floor are too old to be read at all.
	over  map[string]bool
	floor string
	// fed names the consumers that have had all of them.
	fed []string
	// size in memory, in bytes, roughly.
	size int64
}

// kept is what the service knows of a group.
type kept struct {
	group    group
	reading  sync.Mutex // held while builds are read
	active   atomic.Int32
	now      atomic.Pointer[snapshot] // nil until read, and when let go
	outdated atomic.Bool
	used     atomic.Int64
	stored   atomic.Bool // the cache has it as it is
	calling  sync.Mutex
	call     *call // reading in the background
}

// call is a reading that several may wait for.
type call struct {
	done chan struct{}
	err  error
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
// Options.Patience is over, what there is.
func (s *Service) fresh(ctx context.Context, k *kept) (*snapshot, error) {
	if have := k.now.Load(); have != nil && !k.outdated.Load() && s.o.Fresh > 0 && s.o.Now().Sub(have.read) < s.o.Fresh {
		return have, nil
	}
	if s.o.Patience == 0 {
		return s.read(ctx, k)
	}
	c := s.background(k)
	patience := time.NewTimer(s.o.Patience)
	defer patience.Stop()
	select {
	case <-c.done:
		if c.err != nil {
			return nil, c.err
		}
	case <-patience.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for results: %w", context.Cause(ctx))
	}
	if have := k.now.Load(); have != nil {
		return have, nil
	}
	return &snapshot{grid: newGrid(k.group)}, nil
}

// background reads a group, or joins those who wait for it.
func (s *Service) background(k *kept) *call {
	k.calling.Lock()
	defer k.calling.Unlock()
	if k.call != nil {
		select {
		case <-k.call.done:
		default:
			return k.call
		}
	}
	c := &call{done: make(chan struct{})}
	k.call = c
	k.active.Add(1)
	s.at.Go(func() {
		defer close(c.done)
		defer k.active.Add(-1)
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			_, c.err = s.read(s.ctx, k)
		case <-s.ctx.Done():
			c.err = fmt.Errorf("reading results: %w", context.Cause(s.ctx))
		}
	})
	return c
}

// read looks for new builds of a group. One reads a group at a time; whoever
// asks meanwhile waits and looks again, so that what they get is no older than
// their question.
func (s *Service) read(ctx context.Context, k *kept) (*snapshot, error) {
	k.active.Add(1)
	defer k.active.Add(-1)
	k.reading.Lock()
	defer k.reading.Unlock()
	k.outdated.Store(false)
	have, err := s.known(ctx, k)
	if err != nil {
		return nil, err
	}
	now := s.o.Now()
	found, err := s.list(ctx, k, have, now)
	if err != nil {
		return nil, err
	}
	next, changed, err := s.extend(ctx, k, have, found, now)
	if err != nil {
		k.outdated.Store(true)
		return nil, err
	}
	s.publish(k, next)
	if changed || !s.index.has(k.group.id) {
		s.index.update(k.group.id, next.grid)
	}
	if changed || s.summaries.lacks(k.group.id) {
		s.summaries.update(k.group.id, next, s.o.Now())
	}
	if changed || !k.stored.Load() {
		if err := s.store(ctx, k, next); err != nil && ctx.Err() == nil {
			// What is shown is right; it is read again after a restart.
			s.o.Log.Warn("keeping a grid", "group", k.group.test, "error", err)
		}
	}
	return next, nil
}

// known is what is in memory, or in the cache, or nothing.
func (s *Service) known(ctx context.Context, k *kept) (*snapshot, error) {
	if have := k.now.Load(); have != nil {
		return have, nil
	}
	have, err := s.load(ctx, k)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		s.o.Log.Warn("a kept grid is made anew", "group", k.group.test, "error", err)
	}
	if have == nil {
		k.stored.Store(false)
		return &snapshot{grid: newGrid(k.group), over: map[string]bool{}, fed: s.names()}, nil
	}
	k.stored.Store(true)
	return have, nil
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

// unread is a build that is to be read.
type unread struct {
	result.Ref
	place *place
	key   string
	plain *result.PlainRef // of a folder without Prow's layout
}

// key names a build within its group.
func (g group) key(p *place, id string) string {
	if len(g.prefixes) == 1 {
		return id
	}
	return p.label + "/" + id
}

// places finds where a group's builds lie.
func (s *Service) places(ctx context.Context, g group) ([]*place, error) {
	var all []*place
	for _, prefix := range g.prefixes {
		p := &place{bucket: s.o.Bucket, folder: prefix, job: path.Base(prefix)}
		switch {
		case g.own:
		case s.o.Open != nil:
			bucket, folder, err := s.o.Open(ctx, prefix)
			if err != nil {
				return nil, fmt.Errorf("finding the results in %s: %w", prefix, err)
			}
			p.bucket, p.folder, p.address = bucket, folder, strings.TrimSuffix(strings.TrimSuffix(prefix, folder), "/")
		default:
			p.address, p.folder, _ = strings.Cut(prefix, "/")
		}
		if p.bucket == nil {
			return nil, fmt.Errorf("finding the results in %s: there is no bucket: name one", prefix)
		}
		all = append(all, p)
	}
	for i, label := range labels(g.prefixes) {
		all[i].label = label
	}
	return all, nil
}

// labels are the ends of paths, one element long where that is enough to tell
// them apart: two jobs of one name in two buckets may number builds alike.
func labels(prefixes []string) []string {
	all := make([]string, len(prefixes))
	for i, p := range prefixes {
		before, label := path.Split(p)
		same := func(other string) bool { return other != p && strings.HasSuffix("/"+other, "/"+label) }
		for before != "" && slices.ContainsFunc(prefixes, same) {
			var more string
			before, more = path.Split(strings.TrimSuffix(before, "/"))
			label = more + "/" + label
		}
		all[i] = label
	}
	return all
}

// A build that is this many behind the newest and has no files is given up, and
// one that has not ended so long after it began.
const (
	overlap   = 20
	abandoned = 2 * grid.StillRunning
)

// list finds the builds that are to be read, oldest first.
func (s *Service) list(ctx context.Context, k *kept, have *snapshot, now time.Time) ([]unread, error) {
	places, err := s.places(ctx, k.group)
	if err != nil {
		return nil, err
	}
	var all, plain []unread
	for _, p := range places {
		refs, err := s.o.List(ctx, p.bucket, p.folder)
		if err != nil {
			return nil, err
		}
		found := make([]unread, 0, len(refs))
		for _, r := range refs {
			key := k.group.key(p, r.ID)
			if !have.over[key] && (have.floor == "" || job.CompareBuildIDs(r.ID, have.floor) >= 0) {
				found = append(found, unread{Ref: r, place: p, key: key})
			}
		}
		ok := k.group.own
		if !ok {
			if ok, err = laidOut(ctx, p, refs, found); err != nil {
				return nil, err
			}
		}
		if ok {
			all = append(all, found...)
			continue
		}
		more, err := plainBuilds(ctx, k.group, p, have)
		if err != nil {
			return nil, err
		}
		plain = append(plain, more...)
	}
	slices.SortStableFunc(all, func(a, b unread) int { return job.CompareBuildIDs(a.ID, b.ID) })
	// Of names nobody knows which are the newest.
	named := slices.DeleteFunc(slices.Clone(all), func(u unread) bool { return numbered(u.ID) })
	all, err = s.within(ctx, k.group, slices.DeleteFunc(all, func(u unread) bool { return !numbered(u.ID) }), now)
	return slices.Concat(all, named, plain), err
}

// probes is in how many builds at either end a file of Prow's layout is looked
// for.
const probes = 20

// laidOut reports whether a folder has Prow's layout, rather than folders of
// JUnit files: one of its builds says that it started or finished. Nothing is
// looked for where nothing is new.
func laidOut(ctx context.Context, p *place, refs []result.Ref, found []unread) (bool, error) {
	if len(refs) == 0 || len(found) == 0 {
		return len(refs) > 0, nil
	}
	for i := range len(refs) {
		if i >= probes && i < len(refs)-probes {
			continue
		}
		r := refs[len(refs)-1-i]
		if strings.HasSuffix(r.Path, ".txt") { // an alias
			return true, nil
		}
		if ok, err := result.Told(ctx, p.bucket, r.Path); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// plainBuilds lists a folder without Prow's layout, whose builds are folders of
// JUnit files, oldest first.
func plainBuilds(ctx context.Context, g group, p *place, have *snapshot) ([]unread, error) {
	builds, err := result.PlainBuilds(ctx, p.bucket, p.folder)
	if err != nil {
		return nil, err
	}
	var all []unread
	for i, b := range slices.Backward(builds) {
		if key := g.key(p, b.ID); !have.over[key] {
			all = append(all, unread{Ref: b.Ref, place: p, key: key, plain: &builds[i]})
		}
	}
	return all, nil
}

// within leaves out builds that are older than the group's days, and more than
// a grid may have, but never takes it below leastColumns. When builds began is
// found out by halving, since their ids ascend.
func (s *Service) within(ctx context.Context, g group, all []unread, now time.Time) ([]unread, error) {
	if n := len(all) - s.o.Columns; n > 0 {
		all = all[n:]
	}
	if g.days == 0 || len(all) <= leastColumns {
		return all, nil
	}
	before := now.AddDate(0, 0, -g.days)
	var failed error
	old := sort.Search(len(all)-leastColumns, func(i int) bool {
		if failed != nil {
			return true
		}
		began, err := beginning(ctx, all[i])
		failed = err
		return began.IsZero() || !began.Before(before)
	})
	return all[old:], failed
}

// numbered reports whether an id is a number, as Prow's are.
func numbered(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}

// beginning is when a build started, zero if nobody knows.
func beginning(ctx context.Context, u unread) (time.Time, error) {
	ref, err := result.Follow(ctx, u.place.bucket, u.Ref)
	var began time.Time
	if err == nil {
		began, err = result.StartedAt(ctx, u.place.bucket, ref.Path)
	}
	if errors.Is(err, result.ErrNoBuild) {
		return time.Time{}, nil
	}
	return began, err
}

// extend reads builds, several at a time, and appends them in their order.
func (s *Service) extend(ctx context.Context, k *kept, have *snapshot, found []unread, now time.Time) (*snapshot, bool, error) {
	next := &snapshot{grid: have.grid, read: now, over: have.over, floor: have.floor, fed: have.fed, size: have.size}
	if len(found) == 0 {
		return next, false, nil
	}
	next.grid, next.over = have.grid.Clone(), maps.Clone(have.over)
	if found[0].plain != nil && len(next.grid.Columns) == 0 { // no build in Prow's layout
		next.grid.Settings.Pod = false // nobody can tell
	}
	started := now
	err := s.each(ctx, k.group, found, func(u unread, b result.Build) error {
		s.settle(ctx, k.group, next, u, b, now)
		// Whoever waits for a long reading sees what there is of it.
		if at := s.o.Now(); s.o.Patience > 0 && at.Sub(started) > s.o.Patience {
			started = at
			k.now.Store(&snapshot{grid: next.grid.Clone(), over: maps.Clone(next.over), floor: have.floor, fed: have.fed})
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	s.trim(k.group, next, now)
	return next, true, nil
}

// settle appends a build that was read, and remembers whether it need be read
// again.
func (s *Service) settle(ctx context.Context, g group, next *snapshot, u unread, b result.Build, now time.Time) {
	if b.ID == "" {
		// Its first file is yet to come, unless newer builds came long since.
		next.over[u.key] = behind(next.grid, u.ID)
		if !next.over[u.key] {
			delete(next.over, u.key)
		}
		return
	}
	b.ID = u.ID
	c := column(b, g.settings, u.place.label, now)
	over := g.settings.Settled(c, now) || !c.Started.IsZero() && now.Sub(c.Started) > abandoned
	if about(b, g.repo) && (b.Finished != nil || !g.finished) {
		c.Tests = tests(b)
		next.grid.Append(c, now)
		// What is finished is handed on, even if a column waits for its pod yet:
		// consumers know builds again by their paths.
		if over || b.Finished != nil {
			if err := s.feed(ctx, g, *u.place, b, c); err != nil {
				if ctx.Err() == nil {
					s.o.Log.Warn("a build is read again later", "error", err)
				}
				return
			}
		}
	}
	if over {
		next.over[u.key] = true
	}
}

// behind reports whether a build lies so far behind the newest that nothing of
// it is expected any more.
func behind(g *grid.Grid, id string) bool {
	return len(g.Columns) > overlap && job.CompareBuildIDs(id, g.Columns[overlap].Build) < 0
}

// trim drops columns that are too old, and remembers not to read them again.
func (s *Service) trim(g group, next *snapshot, now time.Time) {
	if g.days > 0 {
		next.grid.Trim(now.AddDate(0, 0, -g.days), leastColumns)
	}
	next.grid.Trim(now, s.o.Columns)
	n := len(next.grid.Columns)
	if n < leastColumns || len(g.prefixes) > 1 {
		return
	}
	if !ascending(next.grid.Columns) {
		next.floor = ""
		return
	}
	next.floor = next.grid.Columns[n-1].Build
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
