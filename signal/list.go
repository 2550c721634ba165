package signal

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"seaworthy/grid"
	"seaworthy/job"
	"seaworthy/job/result"
)

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

// listing is what was found of a group.
type listing struct {
	builds  []unread // to be read, in the order in which they are appended
	numbers []string // of all builds of a group of one job, ascending
}

// lowest is the first number that fits, or else the given one.
func (l listing) lowest(fits func(id string) bool, or string) string {
	if i := slices.IndexFunc(l.numbers, fits); i >= 0 {
		return l.numbers[i]
	}
	return or
}

// passed reports whether a build of this number was passed over as too old.
func (h standing) passed(id string) bool {
	return h.floor != "" && job.CompareBuildIDs(id, h.floor) < 0 && job.CompareBuildIDs(id, h.low) >= 0
}

// refs lists a folder of builds. Of the only one of a group it leaves out those
// that were passed over, where the bucket's service can do so: late then is true.
func (s *Service) refs(ctx context.Context, p *place, only bool, have standing) (all []result.Ref, late bool, err error) {
	if s.o.Begin == nil || !only || !result.Steady(have.floor) {
		all, err = s.o.List(ctx, p.bucket, p.folder)
		return all, false, err
	}
	all, err = result.ListFrom(ctx, p.bucket, p.folder, have.floor, s.o.Begin)
	return all, true, err
}

// list finds the builds that are to be read.
func (s *Service) list(ctx context.Context, g group, have standing, now time.Time) (listing, error) {
	places, err := s.places(ctx, g)
	if err != nil {
		return listing{}, err
	}
	var out listing
	var all, plain []unread
	for _, p := range places {
		refs, late, err := s.refs(ctx, p, len(places) == 1, have)
		if err != nil {
			return listing{}, err
		}
		if late && have.low != have.floor {
			out.numbers = append(out.numbers, have.low) // which was not listed
		}
		found := make([]unread, 0, len(refs))
		for _, r := range refs {
			if numbered(r.ID) && len(places) == 1 {
				out.numbers = append(out.numbers, r.ID)
			}
			if key := g.key(p, r.ID); !have.over[key] && !have.passed(r.ID) {
				found = append(found, unread{Ref: r, place: p, key: key})
			}
		}
		ok := g.own
		if !ok {
			if ok, err = laidOut(ctx, p, refs, found); err != nil {
				return listing{}, err
			}
		}
		if ok {
			all = append(all, found...)
			continue
		}
		more, err := plainBuilds(ctx, g, p, have)
		if err != nil {
			return listing{}, err
		}
		plain = append(plain, more...)
	}
	slices.SortStableFunc(all, func(a, b unread) int { return job.CompareBuildIDs(a.ID, b.ID) })
	// Of names nobody knows which are the newest.
	named := slices.DeleteFunc(slices.Clone(all), func(u unread) bool { return numbered(u.ID) })
	all, err = s.within(ctx, g, slices.DeleteFunc(all, func(u unread) bool { return !numbered(u.ID) }), now)
	out.builds = slices.Concat(all, named, plain)
	return out, err
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
func plainBuilds(ctx context.Context, g group, p *place, have standing) ([]unread, error) {
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
// found out by halving: their ids ascend with time, or do so from where a job's
// numbers have started again, see renumbered.
func (s *Service) within(ctx context.Context, g group, all []unread, now time.Time) ([]unread, error) {
	if len(all) <= s.o.Columns && (g.days == 0 || len(all) <= leastColumns) {
		return all, nil
	}
	all, err := renumbered(ctx, all)
	if err != nil {
		return nil, err
	}
	if n := len(all) - s.o.Columns; n > 0 {
		all = all[n:]
	}
	if g.days == 0 || len(all) <= leastColumns {
		return all, nil
	}
	before := now.AddDate(0, 0, -g.days)
	old := sort.Search(len(all)-leastColumns, func(i int) bool {
		if err != nil {
			return true
		}
		var began time.Time
		began, err = beginning(ctx, all[i])
		return began.IsZero() || !began.Before(before)
	})
	return all[old:], err
}

// renumbered puts builds, ascending by number, in the order of time where their
// numbers have started again: where the lowest began after the highest, those
// from the lowest on that did so come last. A job does so when it is made anew,
// or when what counts its builds is replaced.
func renumbered(ctx context.Context, all []unread) ([]unread, error) {
	var failed error
	began := func(from, step int) (at time.Time) { // of the next build that tells
		for i := from; i >= 0 && i < len(all) && i != from+step*probes && at.IsZero() && failed == nil; i += step {
			at, failed = beginning(ctx, all[i])
		}
		return at
	}
	lowest, highest := began(0, 1), began(len(all)-1, -1)
	if failed != nil || lowest.IsZero() || highest.IsZero() || !lowest.After(highest) {
		return all, failed
	}
	pivot := sort.Search(len(all), func(i int) bool { return failed != nil || !began(i, 1).After(highest) })
	return slices.Concat(all[pivot:], all[:pivot]), failed
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
