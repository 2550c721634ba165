package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// Signer vouches for an image where it was promoted to. Doing it again for an
// image it has vouched for must add nothing.
type Signer interface {
	// SignImage puts a signature, or a record of the promotion, next to the
	// image. from is where the image was copied from.
	SignImage(ctx context.Context, image, from name.Digest) error
}

// Options are how promotions are run.
type Options struct {
	Registries *Registries
	// Journal is what earlier runs saw and did.
	Journal *Journal
	// Folder is where large blobs are kept on the way to several registries;
	// the system's folder for such things when empty.
	Folder string
	// Admit is asked of every image of the plan, where it is staged: why it
	// must not be promoted, empty if it may. An error refuses the image, too,
	// as one that cannot be read. nil admits all.
	Admit func(ctx context.Context, staged name.Digest) (why string, err error)
	// Signers vouch for every image after it is copied and before it gets its
	// tags. An image that one of them failed on is made up for by the next run.
	Signers []Signer
	// SignAll has them look at all images of the manifests, not only at those
	// that the journal knows to have been promoted from here.
	SignAll bool
	// Trust is how long a tag that was seen right is not looked at again as
	// long as the repository lists it: a day when zero, never when negative.
	Trust time.Duration
	// Parallel is how many images are worked on at once; 24 when zero.
	Parallel int
	// Since is what the manifests asked for before, if only what was added to
	// them is of interest.
	Since []promote.Manifest
	// Report is told of every image when it is done, one call at a time; nil
	// for nobody.
	Report func(Outcome)
	Now    func() time.Time // time.Now when nil
}

// Outcome is what became of one image.
type Outcome struct {
	Source       string          `json:"source"` // repository
	Digest       artifact.Digest `json:"digest"`
	Tags         []string        `json:"tags,omitempty"`
	Destinations int             `json:"destinations"`
	Companions   int             `json:"companions,omitempty"` // signatures and the like that came along
	SignedOnly   bool            `json:"signed_only,omitempty"`
	Failures     []Failure       `json:"failures,omitempty"`
	Took         time.Duration   `json:"took"`
}

// Failure is a destination an image did not reach, and why.
type Failure struct {
	Destination string `json:"destination"` // repository
	Why         string `json:"why"`
}

// Result is what a run did.
type Result struct {
	Done     int           `json:"done"`   // images that are where they should be
	Failed   int           `json:"failed"` // images that are not, somewhere
	Outcomes []Outcome     `json:"outcomes"`
	Traffic  Traffic       `json:"traffic"`
	Took     time.Duration `json:"took"`
}

// Promotion is one promotion, planned and ready to be run.
type Promotion struct {
	Plan *promote.Plan

	o         Options
	manifests []promote.Manifest
	survey    *survey
	copier    *copier
	windows   sync.Map // source repository → *shopWindow
	started   time.Time
	reporting sync.Mutex
}

// Prepare looks at the registries and plans what they lack. It changes nothing.
func Prepare(ctx context.Context, manifests []promote.Manifest, o Options) (*Promotion, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel <= 0 {
		o.Parallel = 24
	}
	if o.Trust == 0 {
		o.Trust = 24 * time.Hour
	}
	if o.Report == nil {
		o.Report = func(Outcome) {}
	}
	p := &Promotion{o: o, manifests: manifests, started: o.Now()}
	p.survey = &survey{
		registries: o.Registries, journal: o.Journal, now: o.Now, since: p.started.Add(-max(0, o.Trust)), parallel: 2 * o.Parallel,
		inventory: promote.NewInventory(), lists: map[string]*tagList{}, manifests: map[staged]*manifest{}, broken: map[staged]error{},
	}
	asked := demand(manifests)
	if o.Since != nil {
		asked = planned(promote.MakeSince(o.Since, manifests, nil))
	}
	if err := p.survey.look(ctx, asked); err != nil {
		return nil, fmt.Errorf("looking at the registries: %w", err)
	}
	p.Plan = promote.MakeSince(o.Since, manifests, p.survey.inventory)
	for i := range p.Plan.Refusals {
		r := &p.Plan.Refusals[i]
		if err := p.survey.broken[staged{r.Image, r.Digest}]; err != nil && r.Reason == promote.NotStaged {
			r.Reason, r.Why = promote.Unreadable, err.Error()
		}
	}
	if err := p.admit(ctx); err != nil {
		return nil, fmt.Errorf("verifying what is staged: %w", err)
	}
	return p, nil
}

// Lost counts the images whose source is gone or cannot be read. A run with
// such images has failed, whatever else it did.
func (p *Promotion) Lost() int {
	n := 0
	for _, r := range p.Plan.Refusals {
		if r.Reason == promote.NotStaged || r.Reason == promote.Unreadable {
			n++
		}
	}
	return n
}

// Run does what the plan says. An image that fails keeps no other from being
// promoted: the error is for what nothing can be done without, such as the
// journal. It returns the context's error if that ended the run.
func (p *Promotion) Run(ctx context.Context) (result Result, err error) {
	folder, err := os.MkdirTemp(p.o.Folder, "promote-")
	if err != nil {
		return Result{}, fmt.Errorf("making a folder for blobs on the way: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	p.copier = newCopier(filepath.Clean(folder))
	if err := p.announce(); err != nil {
		return Result{}, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.o.Parallel)
	tell := func(o Outcome) {
		p.reporting.Lock()
		defer p.reporting.Unlock()
		result.Outcomes = append(result.Outcomes, o)
		if len(o.Failures) > 0 {
			result.Failed++
		} else {
			result.Done++
		}
		p.o.Report(o)
	}
	work := func(f func(context.Context) (Outcome, error)) {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			o, err := f(ctx)
			tell(o)
			return err
		})
	}
	for _, item := range p.Plan.Items {
		work(func(ctx context.Context) (Outcome, error) { return p.image(ctx, item) })
	}
	for _, u := range p.unsigned() {
		work(func(ctx context.Context) (Outcome, error) { return p.makeUp(ctx, u) })
	}
	err = errors.Join(g.Wait(), p.o.Journal.sync())
	slices.SortFunc(result.Outcomes, func(a, b Outcome) int {
		if c := compare(a.Source, b.Source); c != 0 {
			return c
		}
		return compare(string(a.Digest), string(b.Digest))
	})
	result.Traffic = p.copier.traffic(p.o.Registries.Requests())
	result.Took = p.o.Now().Sub(p.started)
	return result, err
}

// announce notes what is about to be begun, before anything is.
func (p *Promotion) announce() error {
	var all []entry
	for _, i := range p.Plan.Items {
		for _, d := range i.Destinations {
			all = append(all, entry{p.o.Now(), d.Repository(), i.Digest, Planned, i.Tags})
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.Join(p.o.Journal.note(all...), p.o.Journal.sync())
}

// image promotes one image to all its destinations: its content, what belongs
// to it, its signature, and its tags last.
func (p *Promotion) image(ctx context.Context, i promote.Item) (Outcome, error) {
	begun := p.o.Now()
	o := Outcome{Source: i.Source.Repository(), Digest: i.Digest, Tags: i.Tags, Destinations: len(i.Destinations)}
	to := make([]*arrival, len(i.Destinations))
	var journal error
	finish := func() (Outcome, error) {
		for n, a := range to {
			if err := a.failure(); err != nil {
				o.Failures = append(o.Failures, Failure{i.Destinations[n].Repository(), err.Error()})
			}
		}
		o.Took = p.o.Now().Sub(begun)
		return o, journal
	}
	for n, d := range i.Destinations {
		to[n] = &arrival{name: d.Repository()}
		repo, err := p.o.Registries.Repository(d.Repository())
		if err != nil {
			to[n].fail(err)
			continue
		}
		to[n].to = p.o.Registries.repository(repo)
		if view := p.survey.lists[d.Repository()]; view != nil {
			to[n].fresh = view.fresh
		}
	}
	window, m, err := p.open(ctx, i)
	if err != nil {
		failAll(to, err)
		return finish()
	}
	lacking := alive(to)
	if !i.Copied {
		// A registry takes a manifest only when it has what that names: where
		// the manifest is, all of the image is.
		lacking = p.copier.lacking(ctx, i.Digest, lacking)
		p.copier.substance(ctx, window.repo, m, lacking, 0)
	}
	belonging, err := companions(ctx, window, m, 0)
	if err != nil {
		failAll(to, err)
	}
	o.Companions = len(belonging)
	// A tag is written with its manifest in one request. What belongs to the
	// image has to be there before, and for that the manifest.
	if len(i.Tags) == 0 || len(belonging) > 0 || len(p.o.Signers) > 0 {
		journal = p.byDigest(ctx, i, m, to)
	}
	for _, c := range belonging {
		p.copier.accompany(ctx, window.repo, c, alive(to))
	}
	journal = errors.Join(journal, p.sign(ctx, window.repo, m, alive(to)))
	journal = errors.Join(journal, p.tags(ctx, i, m, to))
	return finish()
}

// open returns the source's tags and the image's manifest.
func (p *Promotion) open(ctx context.Context, i promote.Item) (*shopWindow, *manifest, error) {
	repository := i.Source.Repository()
	repo, err := p.o.Registries.Repository(repository)
	if err != nil {
		return nil, nil, err
	}
	w, _ := p.windows.LoadOrStore(repository, &shopWindow{repo: p.o.Registries.repository(repo)})
	window := w.(*shopWindow)
	if m := p.survey.manifests[staged{repository, i.Digest}]; m != nil {
		return window, m, nil
	}
	m, err := window.repo.manifest(ctx, string(i.Digest))
	return window, m, err
}

// each does something for every destination that has not failed, at once. What
// is returned is noted in the journal.
func (p *Promotion) each(to []*arrival, do func(*arrival) (*entry, error)) error {
	notes := make([]*entry, len(to))
	var all sync.WaitGroup
	for n, a := range to {
		if a.failure() != nil {
			continue
		}
		all.Go(func() {
			e, err := do(a)
			if err != nil {
				a.fail(err)
				return
			}
			notes[n] = e
		})
	}
	all.Wait()
	var entries []entry
	for n, e := range notes {
		if e != nil {
			e.Time, e.Repository = p.o.Now(), to[n].name
			entries = append(entries, *e)
		}
	}
	return p.o.Journal.note(entries...)
}

func (p *Promotion) byDigest(ctx context.Context, i promote.Item, m *manifest, to []*arrival) error {
	return p.each(to, func(a *arrival) (*entry, error) {
		if i.Copied {
			return nil, nil
		}
		_, err := p.copier.put(ctx, a.to, string(m.digest), m)
		return &entry{Digest: i.Digest, State: Copied}, err
	})
}

// tags writes the tags, each after a last look whether it is still free.
func (p *Promotion) tags(ctx context.Context, i promote.Item, m *manifest, to []*arrival) error {
	if len(i.Tags) == 0 {
		return nil
	}
	return p.each(to, func(a *arrival) (*entry, error) {
		view := p.survey.lists[a.name]
		if view == nil {
			view = &tagList{repo: a.to, now: p.o.Now}
		}
		for _, tag := range i.Tags {
			have, err := view.holds(ctx, tag)
			switch {
			case err != nil:
				return nil, err
			case have == i.Digest:
				continue
			case have != "":
				return nil, fmt.Errorf("%s was free or right when the plan was made and is %s now: somebody else writes there", a.to.at(tag), have)
			}
			if _, err := p.copier.put(ctx, a.to, tag, m); err != nil {
				return nil, err
			}
		}
		return &entry{Digest: i.Digest, State: Tagged, Tags: i.Tags}, nil
	})
}
