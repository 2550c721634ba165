package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"seaworthy/artifact"
)

// inMemory is up to which size a blob is held in memory and verified before
// its first byte is sent on, in bytes. Larger ones are verified as they pass.
const inMemory = 1 << 20

// content is a blob on its way from its source to one or more registries. It
// is read from the source at most once, and only if a destination lacks it.
type content struct {
	d      descriptor
	source *repository
	shared bool   // goes to more than one registry: kept until all have it
	folder string // where a large one is kept

	once sync.Once
	text []byte // all of it, of a small one
	file string // where it is kept, of a large one that is shared
	err  error
}

// load makes the content ready to be sent.
func (c *content) load(ctx context.Context) error {
	c.once.Do(func() {
		switch {
		case c.d.Size <= inMemory:
			c.text, c.err = c.read(ctx)
		case c.shared:
			c.file, c.err = c.keep(ctx)
		}
	})
	return c.err
}

func (c *content) read(ctx context.Context) ([]byte, error) {
	r, err := c.source.blob(ctx, c.d)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	return text, errors.Join(err, r.Close())
}

func (c *content) keep(ctx context.Context) (_ string, err error) {
	r, err := c.source.blob(ctx, c.d)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	f, err := os.CreateTemp(c.folder, "blob-")
	if err != nil {
		return "", fmt.Errorf("keeping %s on the way: %w", c.d.Digest, err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("keeping %s on the way: %w", c.d.Digest, err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// open returns the content from its beginning; load was called before.
func (c *content) open(ctx context.Context) (io.ReadCloser, error) {
	switch {
	case c.d.Size <= inMemory:
		return c.reader(), nil
	case c.file != "":
		return os.Open(c.file)
	}
	return c.source.blob(ctx, c.d)
}

func (c *content) small() bool { return c.d.Size <= inMemory }

func (c *content) reader() io.ReadCloser { return io.NopCloser(bytes.NewReader(c.text)) }

// drop frees what is kept.
func (c *content) drop() error {
	if c.file == "" {
		return nil
	}
	return os.Remove(c.file)
}

// shelves remember which blobs the registries are known to have, so that a
// blob is sent to a registry once and mounted from then on.
type shelves struct {
	mu    sync.Mutex
	blobs map[shelf]*stock
}

type shelf struct {
	registry string
	digest   artifact.Digest
}

// stock is one blob at one registry.
type stock struct {
	right chan struct{} // holds one: the right to bring the blob there
	mu    sync.Mutex
	repos []*repository
}

func (s *shelves) at(registry string, d artifact.Digest) *stock {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := shelf{registry, d}
	k := s.blobs[key]
	if k == nil {
		k = &stock{right: make(chan struct{}, 1)}
		k.right <- struct{}{}
		s.blobs[key] = k
	}
	return k
}

// in reports whether a repository has the blob, and else one that has it.
func (k *stock) in(r *repository) (here bool, other *repository) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.repos {
		if o.name == r.name {
			return true, nil
		}
		other = o
	}
	return false, other
}

func (k *stock) add(r *repository) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.repos = append(k.repos, r)
}

// Traffic counts what a run moved.
type Traffic struct {
	Requests  int64 `json:"requests"`  // sent to registries
	Uploaded  int64 `json:"uploaded"`  // blobs sent
	Mounted   int64 `json:"mounted"`   // blobs a registry took over from another of its repositories
	Present   int64 `json:"present"`   // blobs that were there
	Bytes     int64 `json:"bytes"`     // of the blobs sent
	Manifests int64 `json:"manifests"` // written, under digests and tags
}

// counters are Traffic while it is counted.
type counters struct{ uploaded, mounted, present, bytes, manifests atomic.Int64 }

func (c *counters) traffic(requests int64) Traffic {
	return Traffic{requests, c.uploaded.Load(), c.mounted.Load(), c.present.Load(), c.bytes.Load(), c.manifests.Load()}
}
