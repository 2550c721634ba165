package transfer

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// survey looks at the registries that manifests name and keeps what it sees.
type survey struct {
	registries *Registries
	journal    *Journal
	since      time.Time // what the journal saw after this is not looked for again
	now        func() time.Time
	parallel   int

	mu        sync.Mutex
	inventory *promote.Inventory
	lists     map[string]*tagList  // destinations, by repository
	manifests map[staged]*manifest // read at the source, to be copied
	held      int                  // bytes of them
	checked   []entry              // what was seen to be right
	broken    map[staged]error     // at the source, other than not being there
}

// staged is a digest at its source.
type staged struct {
	repository string
	digest     artifact.Digest
}

// holdLimit bounds the manifests kept between plan and run, in bytes; those
// beyond it are read again.
const holdLimit = 64 << 20

// wanted is what manifests want of a destination repository.
type wanted struct {
	repository string
	groups     []group
}

// group is an image of a manifest. Mirrors share its entries.
type group struct {
	source  string // repository
	entries []promote.Entry
}

// each walks over what is wanted, with the source of each. What a manifest
// misspells is passed over: the plan refuses it.
func (w wanted) each() iter.Seq2[string, promote.Entry] {
	return func(yield func(string, promote.Entry) bool) {
		for _, g := range w.groups {
			for _, e := range g.entries {
				if e.Fault == "" && !yield(g.source, e) {
					return
				}
			}
		}
	}
}

// demands collects what is wanted, by destination repository.
type demands struct {
	at  map[string]int
	all []wanted
}

func (d *demands) add(repository string, g group) {
	n, known := d.at[repository]
	if !known {
		n = len(d.all)
		d.at[repository] = n
		d.all = append(d.all, wanted{repository: repository})
	}
	d.all[n].groups = append(d.all[n].groups, g)
}

func (d *demands) sorted() []wanted {
	slices.SortFunc(d.all, func(a, b wanted) int { return compare(a.repository, b.repository) })
	return d.all
}

// demand collects all that manifests want.
func demand(manifests []promote.Manifest) []wanted {
	d := demands{at: map[string]int{}}
	for _, m := range manifests {
		source := m.Source().Name
		for _, r := range m.Destinations() {
			for _, i := range m.Images {
				d.add(r.Name+"/"+i.Name, group{source + "/" + i.Name, i.Entries})
			}
		}
	}
	return d.sorted()
}

// planned collects what a plan wants that was made without looking anywhere.
func planned(p *promote.Plan) []wanted {
	d := demands{at: map[string]int{}}
	for _, i := range p.Items {
		g := group{i.Source.Repository(), []promote.Entry{{Digest: i.Digest, Tags: i.Tags}}}
		for _, to := range i.Destinations {
			d.add(to.Repository(), g)
		}
	}
	return d.sorted()
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// look asks the destinations what they hold, and the sources for what the
// destinations lack. A registry that fails is kept in the inventory.
func (s *survey) look(ctx context.Context, asked []wanted) error {
	lacking := map[staged]bool{}
	var g errgroup.Group
	g.SetLimit(s.parallel)
	for _, w := range asked {
		g.Go(func() error {
			lacks, err := s.destination(ctx, w)
			s.mu.Lock()
			defer s.mu.Unlock()
			if err != nil {
				s.inventory.Fail(w.repository, err)
			}
			for _, l := range lacks {
				lacking[l] = true
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var order []staged
	for l := range lacking {
		order = append(order, l)
	}
	slices.SortFunc(order, func(a, b staged) int {
		if c := compare(a.repository, b.repository); c != 0 {
			return c
		}
		return compare(string(a.digest), string(b.digest))
	})
	for _, l := range order {
		g.Go(func() error {
			s.source(ctx, l)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.journal.note(s.checked...)
}

// destination looks at one repository: one list, and a look at each tag of
// which neither list nor journal tells the digest. It returns what is lacking.
func (s *survey) destination(ctx context.Context, w wanted) ([]staged, error) {
	repo, err := s.registries.Repository(w.repository)
	if err != nil {
		return nil, err
	}
	view := &tagList{repo: s.registries.repository(repo), now: s.now}
	list, err := view.refresh(ctx)
	if err != nil {
		return nil, err
	}
	view.fresh = list.absent
	var lacks []staged
	var checked []entry
	for source, e := range w.each() {
		lack, look, err := s.compare(ctx, view.repo, list, w.repository, e)
		if err != nil {
			return nil, err
		}
		if lack {
			lacks = append(lacks, staged{source, e.Digest})
		}
		if look {
			checked = append(checked, entry{s.now(), w.repository, e.Digest, Checked, e.Tags})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(lacks) > 0 {
		s.lists[w.repository] = view // to be looked at again before tags are written
	}
	s.checked = append(s.checked, checked...)
	return lacks, nil
}

// compare looks whether a destination has a digest with all its tags. looked
// says that the registry was asked, and has it.
func (s *survey) compare(ctx context.Context, repo *repository, list listing, repository string, e promote.Entry) (lacks, looked bool, err error) {
	add := func(d artifact.Digest, tags ...string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inventory.Add(repository, d, tags...)
	}
	if len(e.Tags) == 0 {
		have := list.digests[e.Digest]
		if !have && list.digests == nil && !list.absent {
			if have = s.journal.saw(repository, e.Digest, "", s.since); !have {
				d, err := repo.head(ctx, string(e.Digest))
				if err != nil {
					return false, false, err
				}
				have, looked = d != "", d != ""
			}
		}
		if have {
			add(e.Digest)
		}
		return !have, looked, nil
	}
	for _, tag := range e.Tags {
		d, listed := list.tags[tag]
		switch {
		case !listed:
			lacks = true
			continue
		case d != "":
		case s.journal.saw(repository, e.Digest, tag, s.since):
			d = e.Digest
		default:
			if d, err = repo.head(ctx, tag); err != nil {
				return false, false, err
			}
			looked = true
		}
		if d == "" {
			lacks = true // taken away since the list was made
			continue
		}
		add(d, tag)
		lacks = lacks || d != e.Digest
	}
	return lacks, looked && !lacks, nil
}

// source reads a manifest that is to be copied. That it can be read is how the
// source is known to have it.
func (s *survey) source(ctx context.Context, l staged) {
	var m *manifest
	repo, err := s.registries.Repository(l.repository)
	if err == nil {
		m, err = s.registries.repository(repo).manifest(ctx, string(l.digest))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case missing(err):
		// The plan says so, in its own words.
	case err != nil:
		// Of this image alone: others of the repository may be sound.
		s.broken[l] = err
	default:
		s.inventory.Add(l.repository, l.digest)
		if s.held += len(m.text); s.held <= holdLimit {
			s.manifests[l] = m
		}
	}
}

// tagList is the list of tags of a destination, asked for again where it has
// to be fresh.
type tagList struct {
	repo  *repository
	now   func() time.Time
	fresh bool // the repository was not there when it was first looked at

	mu   sync.Mutex
	list listing
	at   time.Time
}

// freshFor is how old the list may be that shows a tag to be free.
const freshFor = time.Second

func (t *tagList) refresh(ctx context.Context) (listing, error) {
	asked := t.now()
	list, err := t.repo.list(ctx)
	if err == nil {
		t.list, t.at = list, asked
	}
	return list, err
}

// holds returns the digest a tag points to right now, empty if it is free.
// Where the list of all tags is short it is asked for, as it serves the other
// tags of the repository too.
func (t *tagList) holds(ctx context.Context, tag string) (artifact.Digest, error) {
	t.mu.Lock()
	if t.list.pages <= 1 && t.now().Sub(t.at) > freshFor {
		if _, err := t.refresh(ctx); err != nil {
			t.mu.Unlock()
			return "", err
		}
	}
	_, listed := t.list.tags[tag]
	fresh := t.now().Sub(t.at) <= freshFor
	t.mu.Unlock()
	if fresh && !listed {
		return "", nil
	}
	return t.repo.head(ctx, tag)
}
