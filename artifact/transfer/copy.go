package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// copier copies images between registries. One is made for a run, so that what
// it learns about the registries is used by all images.
type copier struct {
	folder  string // where large blobs are kept on the way to several registries
	shelves shelves
	counters
}

func newCopier(folder string) *copier {
	return &copier{folder: folder, shelves: shelves{blobs: map[shelf]*stock{}}}
}

// blobsAtOnce is how many blobs of one image are on their way at once, and
// childrenAtOnce how many images of an index.
const (
	blobsAtOnce    = 4
	childrenAtOnce = 4
)

// deepest is how far indexes may be nested, and referrers may refer to
// referrers.
const deepest = 4

// arrival is one destination of an image: what fails there fails there alone.
type arrival struct {
	name  string // of the repository, as the manifest spells it
	to    *repository
	fresh bool // the repository was not there: nothing need be looked for

	mu  sync.Mutex
	err error
}

func (a *arrival) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}

func (a *arrival) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// alive are the destinations where nothing has failed.
func alive(to []*arrival) []*arrival {
	var all []*arrival
	for _, a := range to {
		if a.failure() == nil {
			all = append(all, a)
		}
	}
	return all
}

// failAll records the failure of something all destinations need.
func failAll(to []*arrival, err error) {
	for _, a := range to {
		a.fail(err)
	}
}

// substance brings to the destinations all that a manifest points to, not the
// manifest itself. Failures are kept in the arrivals.
func (c *copier) substance(ctx context.Context, from *repository, m *manifest, to []*arrival, depth int) {
	if depth > deepest {
		failAll(to, fmt.Errorf("%s: %w", from.at(string(m.digest)), errDepth))
		return
	}
	var blobs errgroup.Group
	blobs.SetLimit(blobsAtOnce)
	for _, d := range m.content() {
		if d.foreign() {
			continue // stays where its makers want it; the manifest says where
		}
		blobs.Go(func() error {
			c.blob(ctx, from, d, alive(to))
			return nil
		})
	}
	_ = blobs.Wait() // nothing is returned: each arrival keeps its own
	var images errgroup.Group
	images.SetLimit(childrenAtOnce)
	for _, d := range m.children() {
		images.Go(func() error {
			c.child(ctx, from, d.Digest, alive(to), depth+1)
			return nil
		})
	}
	_ = images.Wait()
}

// child copies one image that another names, wherever it is not yet.
func (c *copier) child(ctx context.Context, from *repository, d artifact.Digest, to []*arrival, depth int) {
	to = c.lacking(ctx, d, to)
	if len(to) == 0 {
		return
	}
	m, err := from.manifest(ctx, string(d))
	if err != nil {
		failAll(to, err)
		return
	}
	c.substance(ctx, from, m, to, depth)
	for _, a := range alive(to) {
		if _, err := c.put(ctx, a.to, string(d), m); err != nil {
			a.fail(err)
		}
	}
}

// lacking returns the destinations that do not have a manifest.
func (c *copier) lacking(ctx context.Context, d artifact.Digest, to []*arrival) []*arrival {
	lacks := make([]bool, len(to))
	var all sync.WaitGroup
	for i, a := range to {
		if a.fresh {
			lacks[i] = true
			continue
		}
		all.Go(func() {
			have, err := a.to.head(ctx, string(d))
			if err != nil {
				a.fail(err)
			}
			lacks[i] = err == nil && have == ""
		})
	}
	all.Wait()
	var some []*arrival
	for i, a := range to {
		if lacks[i] {
			some = append(some, a)
		}
	}
	return some
}

func (c *copier) put(ctx context.Context, to *repository, reference string, m *manifest) (subject bool, err error) {
	subject, err = to.put(ctx, reference, m)
	if err == nil {
		c.manifests.Add(1)
	}
	return subject, err
}

// blob brings one blob to all destinations, reading it from the source once.
func (c *copier) blob(ctx context.Context, from *repository, d descriptor, to []*arrival) {
	text := &content{d: d, source: from, shared: len(to) > 1, folder: c.folder}
	var all sync.WaitGroup
	for _, a := range to {
		all.Go(func() {
			if err := c.place(ctx, a, text); err != nil {
				a.fail(err)
			}
		})
	}
	all.Wait()
	if err := text.drop(); err != nil {
		failAll(to, fmt.Errorf("removing what was kept on the way: %w", err))
	}
}

// uploads is how often a blob is sent that cannot be repeated from the middle.
const uploads = 3

// place makes sure that a repository has a blob: it may be there, another
// repository of the registry may have it, or it is sent.
func (c *copier) place(ctx context.Context, a *arrival, text *content) error {
	k := c.shelves.at(a.to.host.reg.RegistryStr(), text.d.Digest)
	select {
	case <-k.right:
		defer func() { k.right <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	here, other := k.in(a.to)
	if here {
		return nil
	}
	if !a.fresh {
		there, err := a.to.hasBlob(ctx, text.d.Digest)
		if err != nil {
			return err
		}
		if there {
			c.present.Add(1)
			k.add(a.to)
			return nil
		}
	}
	session := ""
	if other == nil && text.source.host == a.to.host {
		other = text.source // promoted within one registry
	}
	if other != nil {
		mounted, begun, err := a.to.mount(ctx, text.d.Digest, other.name)
		if mounted && err == nil {
			c.mounted.Add(1)
			k.add(a.to)
			return nil
		}
		if err != nil && !refused(err) {
			return err
		}
		session = begun
	}
	if err := c.send(ctx, a.to, text, session); err != nil {
		return err
	}
	c.uploaded.Add(1)
	c.bytes.Add(text.d.Size)
	k.add(a.to)
	return nil
}

// refused reports an answer that a registry will not do something, as opposed
// to being unable to answer.
func refused(err error) bool { s := status(err); return s >= 400 && s < 500 }

// send uploads a blob, again from its beginning where the connection breaks.
func (c *copier) send(ctx context.Context, to *repository, text *content, session string) error {
	for try := 1; ; try++ {
		err := to.upload(ctx, text, session)
		if err == nil || try == uploads || ctx.Err() != nil || errors.Is(err, errContent) || refused(err) && status(err) != http.StatusNotFound {
			return err
		}
		session = "" // what was begun may be half full
	}
}
