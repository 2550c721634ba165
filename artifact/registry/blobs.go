package registry

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact"
)

func newHash(a artifact.Algorithm) hash.Hash {
	if a == artifact.SHA512 {
		return sha512.New()
	}
	return sha256.New()
}

func digestOf(a artifact.Algorithm, h hash.Hash) artifact.Digest {
	return artifact.Digest(string(a) + ":" + hex.EncodeToString(h.Sum(nil)))
}

// body reads what the client sends and fails as the client's problem, not the
// registry's, when that ends early or goes on for too long.
type body struct {
	r     io.Reader
	left  int64
	total int64 // as told to the client
}

func (c *call) body(limit int64) *body { return &body{c.r.Body, limit, limit} }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	// One byte more than allowed is asked for, to see that it is not there.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, refuse(http.StatusRequestEntityTooLarge, codeSizeInvalid, "at most %d bytes are taken here", b.total)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, refuse(http.StatusBadRequest, codeBlobUploadInvalid, "the upload ended early; ask for its status and go on from there")
	}
	return n, err
}

func (g *Registry) copy(to io.Writer, from io.Reader) (int64, error) {
	buffer := g.buffers.Get().(*[128 << 10]byte)
	defer g.buffers.Put(buffer)
	// The writers' own ways of copying have smaller buffers of their own.
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buffer[:])
}

// receive reads a blob to its end and gives it to a repository, if it has the
// digest it should. Its content is written only if no repository has it yet.
func (g *Registry) receive(ctx context.Context, repo string, d artifact.Digest, from io.Reader) error {
	// Collect must not remove content between our finding and our linking it.
	lock := g.content.of(string(d))
	lock.RLock()
	defer lock.RUnlock()
	_, err := g.store.size(ctx, contentOf(d))
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	var size int64
	if err == nil {
		size, err = g.verify(io.Discard, d, from)
	} else {
		size, err = g.writeContent(ctx, d, from)
	}
	if err != nil {
		return err
	}
	return g.store.link(ctx, repo, d, size)
}

// writeContent writes content under its digest; other content is discarded.
func (g *Registry) writeContent(ctx context.Context, d artifact.Digest, from io.Reader) (int64, error) {
	ctx, discard := context.WithCancel(ctx)
	defer discard()
	key := contentOf(d)
	g.store.step("begin " + key)
	w, err := g.store.create(ctx, key)
	if err != nil {
		return 0, err
	}
	size, err := g.verify(w, d, from)
	if err != nil {
		discard()
		// Closing fails, because nothing is to be kept; that is no news.
		_ = w.Close()
		return 0, err
	}
	g.store.step("close " + key)
	err = w.Close()
	g.store.step("closed " + key)
	return size, g.store.wrap("writing", key, err)
}

// verify copies and returns the size, or a problem if the digest is another.
func (g *Registry) verify(to io.Writer, d artifact.Digest, from io.Reader) (int64, error) {
	h := newHash(d.Algorithm())
	if to == io.Discard {
		to = h
	} else {
		to = io.MultiWriter(to, h)
	}
	size, err := g.copy(to, from)
	if err != nil {
		return 0, err
	}
	if have := digestOf(d.Algorithm(), h); have != d {
		return 0, wrongDigest(d, have)
	}
	return size, nil
}

func wrongDigest(want, have artifact.Digest) error {
	p := refuse(http.StatusBadRequest, codeDigestInvalid, "the content has the digest %s, not %s", have, want)
	p.detail = map[string]string{"digest": string(want)}
	return p
}

// adopt gives a repository content that is there; errAbsent if it is not.
func (g *Registry) adopt(ctx context.Context, repo string, d artifact.Digest) error {
	lock := g.content.of(string(d))
	lock.RLock()
	defer lock.RUnlock()
	size, err := g.store.size(ctx, contentOf(d))
	if err != nil {
		return err
	}
	return g.store.link(ctx, repo, d, size)
}

// maxHolders bounds how many repositories are asked for a blob to mount.
const maxHolders = 100

// mount gives the repository a blob that another one has, which the caller may
// read. False if there is none: then it must be uploaded.
func (c *call) mount(d artifact.Digest, from string) (bool, error) {
	ctx := c.r.Context()
	holders := []string{from}
	if from == "" {
		holders = nil
		err := c.g.store.list(ctx, linksOf(d), "", func(key string, _ *blob.ListObject) error {
			if repo, ok := linkedRepo(key); ok {
				holders = append(holders, repo)
			}
			if len(holders) >= maxHolders {
				return errStop
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	for _, repo := range holders {
		if checkName(repo) != nil {
			continue // nobody has such a repository
		}
		if ok, err := c.mayRead(repo); err != nil {
			return false, err
		} else if !ok {
			continue
		}
		if _, err := c.g.store.linked(ctx, repo, d); errors.Is(err, errAbsent) {
			continue
		} else if err != nil {
			return false, err
		}
		err := c.g.adopt(ctx, c.target.repo, d)
		if errors.Is(err, errAbsent) {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

func blobURL(repo string, d artifact.Digest) string {
	return fmt.Sprintf("/v2/%s/blobs/%s", repo, d)
}

func (c *call) blobCreated(d artifact.Digest) error {
	h := c.w.Header()
	h.Set("Location", blobURL(c.target.repo, d))
	h.Set("Docker-Content-Digest", string(d))
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func blobUnknown(d artifact.Digest) error {
	return refuse(http.StatusNotFound, codeBlobUnknown, "the repository has no blob %s", d)
}

func (c *call) getBlob() error {
	d, err := parseDigest(c.target.rest)
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	size, err := c.g.store.linked(ctx, c.target.repo, d)
	if errors.Is(err, errAbsent) {
		return blobUnknown(d)
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+string(d)+`"`)
	content := &content{ctx: ctx, g: c.g, key: contentOf(d), size: size}
	defer content.close()
	if c.r.Method == http.MethodGet && size > 0 {
		// Opened before the answer begins, so that what is missing is told.
		if err := content.open(); errors.Is(err, errAbsent) {
			return blobUnknown(d)
		} else if err != nil {
			return err
		}
	}
	http.ServeContent(c.w, c.r, "", time.Time{}, content)
	return nil
}

// content reads a blob from wherever it was last sought. The bucket is asked
// only when something is read, for http.ServeContent seeks more than it reads.
type content struct {
	ctx    context.Context
	g      *Registry
	key    string
	size   int64
	offset int64 // of the next byte to read
	r      *blob.Reader
	at     int64 // where r is
}

func (f *content) open() error {
	if f.r != nil && f.at == f.offset {
		return nil
	}
	f.close()
	r, err := f.g.store.bucket.NewRangeReader(f.ctx, f.g.store.prefix+f.key, f.offset, -1, nil)
	if err != nil {
		return f.g.store.wrap("reading", f.key, err)
	}
	f.r, f.at = r, f.offset
	return nil
}

func (f *content) close() {
	if f.r == nil {
		return
	}
	if err := f.r.Close(); err != nil {
		f.g.log.Debug("closing a blob", "key", f.key, "error", err)
	}
	f.r = nil
}

// Seek implements io.Seeker.
func (f *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seeking to %d in %s", offset, f.key)
	}
	f.offset = offset
	return offset, nil
}

// Read implements io.Reader.
func (f *content) Read(p []byte) (int, error) {
	if f.offset >= f.size {
		return 0, io.EOF
	}
	if err := f.open(); err != nil {
		return 0, err
	}
	n, err := f.r.Read(p)
	f.offset += int64(n)
	f.at = f.offset
	return n, err
}

// deleteBlob takes a blob from a repository. The content stays until Collect
// finds that no repository has it.
func (c *call) deleteBlob() error {
	d, err := parseDigest(c.target.rest)
	if err != nil {
		return err
	}
	lock := c.g.repos.of(c.target.repo)
	lock.Lock()
	defer lock.Unlock()
	ctx := c.r.Context()
	if _, err := c.g.store.linked(ctx, c.target.repo, d); errors.Is(err, errAbsent) {
		return blobUnknown(d)
	} else if err != nil {
		return err
	}
	if err := c.g.store.remove(ctx, linkOf(c.target.repo, d)); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}
