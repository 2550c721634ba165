package registry

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"seaworthy/artifact"
)

// upload is a push that goes on, as the bucket keeps it. It survives the
// process: whatever is in it was answered, whatever was answered is in it.
type upload struct {
	ID      string    `json:"-"`
	Repo    string    `json:"repository"`
	Started time.Time `json:"started"`
	Chunks  []chunk   `json:"chunks,omitempty"`
}

// chunk is one part of an upload, an object of its own.
type chunk struct {
	Size   int64           `json:"size"`
	Digest artifact.Digest `json:"digest"` // sha256
}

// maxChunks bounds the record of one upload.
const maxChunks = 10_000

func (u *upload) size() int64 {
	var n int64
	for _, c := range u.Chunks {
		n += c.Size
	}
	return n
}

var uploadGrammar = regexp.MustCompile(`^[A-Z2-7]{26}$`) // as rand.Text makes them

func sessionKey(id string) string      { return uploadDir + id + ".session" }
func chunkKey(id string, n int) string { return fmt.Sprintf("%s%s.%d", uploadDir, id, n) }

func uploadUnknown() error {
	return refuse(http.StatusNotFound, codeBlobUploadUnknown, "there is no such upload: it was finished or cancelled, or has expired; start again")
}

// claim loads the upload a path names and keeps others off it until free is
// called.
func (c *call) claim() (u *upload, free func(), err error) {
	id := c.target.rest
	if !uploadGrammar.MatchString(id) {
		return nil, nil, uploadUnknown()
	}
	free, err = c.g.uploads.take(c.r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	u, err = c.load(id)
	if err != nil {
		free()
		return nil, nil, err
	}
	return u, free, nil
}

func (c *call) load(id string) (*upload, error) {
	text, err := c.g.store.read(c.r.Context(), sessionKey(id))
	if errors.Is(err, errAbsent) {
		return nil, uploadUnknown()
	}
	if err != nil {
		return nil, err
	}
	u := &upload{ID: id}
	if err := json.Unmarshal(text, u); err != nil {
		return nil, fmt.Errorf("reading the upload %s: %w", id, err)
	}
	if u.Repo != c.target.repo || c.g.now().Sub(u.Started) > c.g.life {
		return nil, uploadUnknown()
	}
	return u, nil
}

func (c *call) save(u *upload) error {
	text, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("keeping an upload: %w", err)
	}
	return c.g.store.write(c.r.Context(), sessionKey(u.ID), text)
}

// drop forgets an upload. What it cannot remove is left to Collect.
func (c *call) drop(u *upload) {
	ctx := context.WithoutCancel(c.r.Context())
	err := c.g.store.remove(ctx, sessionKey(u.ID))
	for n := range u.Chunks {
		err = errors.Join(err, c.g.store.remove(ctx, chunkKey(u.ID, n)))
	}
	if err != nil {
		c.g.log.Warn("an upload was not cleared away", "upload", u.ID, "error", err)
	}
}

// uploadHeaders say where an upload is and how far it got.
func (c *call) uploadHeaders(u *upload) {
	h := c.w.Header()
	h.Set("Location", fmt.Sprintf("/v2/%s/blobs/uploads/%s", u.Repo, u.ID))
	h.Set("Docker-Upload-UUID", u.ID)
	h.Set("Range", fmt.Sprintf("0-%d", max(0, u.size()-1)))
}

// startUpload begins an upload, unless the blob comes with the request or can
// be mounted from another repository.
func (c *call) startUpload() error {
	q := c.r.URL.Query()
	if a := q.Get("digest-algorithm"); a != "" {
		if _, err := artifact.ParseAlgorithm(a); err != nil {
			return refuse(http.StatusBadRequest, codeDigestInvalid, "%v", err)
		}
	}
	if q.Has("mount") {
		d, err := parseDigest(q.Get("mount"))
		if err != nil {
			return err
		}
		if ok, err := c.mount(d, q.Get("from")); err != nil {
			return err
		} else if ok {
			return c.blobCreated(d)
		}
	} else if q.Has("digest") {
		d, err := parseDigest(q.Get("digest"))
		if err != nil {
			return err
		}
		if err := c.g.receive(c.r.Context(), c.target.repo, d, c.body(c.g.maxBlob)); err != nil {
			return err
		}
		return c.blobCreated(d)
	}
	u := &upload{ID: rand.Text(), Repo: c.target.repo, Started: c.g.now().UTC()}
	if err := c.save(u); err != nil {
		return err
	}
	c.uploadHeaders(u)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// chunkSize returns how many bytes the request says it adds to an upload, -1 if
// it does not say. They must follow those that are there.
func (c *call) chunkSize(u *upload) (int64, error) {
	text := c.r.Header.Get("Content-Range")
	if text == "" {
		return c.r.ContentLength, nil
	}
	first, last, ok := parseContentRange(text)
	if !ok {
		return 0, refuse(http.StatusBadRequest, codeBlobUploadInvalid, "Content-Range is %q: write FIRST-LAST, the offsets of the first and the last byte", text)
	}
	if first != u.size() {
		c.uploadHeaders(u)
		return 0, refuse(http.StatusRequestedRangeNotSatisfiable, codeBlobUploadInvalid, "the upload goes on at byte %d, not at %d", u.size(), first)
	}
	size := last - first + 1
	if c.r.ContentLength >= 0 && c.r.ContentLength != size {
		return 0, refuse(http.StatusBadRequest, codeSizeInvalid, "Content-Range is of %d bytes, Content-Length of %d", size, c.r.ContentLength)
	}
	return size, nil
}

// parseContentRange reads "FIRST-LAST". Some clients write it as HTTP has it
// for answers, "bytes FIRST-LAST/SIZE".
func parseContentRange(text string) (first, last int64, ok bool) {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(text), "bytes"), "=")
	text, _, _ = strings.Cut(text, "/")
	from, to, _ := strings.Cut(strings.TrimSpace(text), "-")
	a, err := strconv.ParseUint(from, 10, 62)
	b, err2 := strconv.ParseUint(to, 10, 62)
	if err != nil || err2 != nil || b < a {
		return 0, 0, false
	}
	return int64(a), int64(b), true
}

func (c *call) patchUpload() error {
	u, free, err := c.claim()
	if err != nil {
		return err
	}
	defer free()
	want, err := c.chunkSize(u)
	if err != nil {
		return err
	}
	if len(u.Chunks) >= maxChunks {
		return refuse(http.StatusRequestEntityTooLarge, codeSizeInvalid, "an upload has at most %d chunks: send larger ones", maxChunks)
	}
	in := bufio.NewReader(c.body(c.g.maxBlob - u.size()))
	if _, err := in.Peek(1); err == nil {
		got, err := c.writeChunk(u, in, want)
		if err != nil {
			return err
		}
		// Only now does the upload have the chunk: a process that ends before
		// leaves an object that the next try overwrites.
		u.Chunks = append(u.Chunks, got)
		if err := c.save(u); err != nil {
			return err
		}
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	c.uploadHeaders(u)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (c *call) writeChunk(u *upload, in io.Reader, want int64) (chunk, error) {
	ctx, discard := context.WithCancel(c.r.Context())
	defer discard()
	key := chunkKey(u.ID, len(u.Chunks))
	c.g.store.step("begin " + key)
	w, err := c.g.store.create(ctx, key)
	if err != nil {
		return chunk{}, err
	}
	h := newHash(artifact.SHA256)
	size, err := c.g.copy(io.MultiWriter(w, h), in)
	if err == nil && want >= 0 && size != want {
		err = refuse(http.StatusBadRequest, codeSizeInvalid, "the chunk has %d bytes, %d were announced", size, want)
	}
	if err != nil {
		discard()
		_ = w.Close() // fails, because nothing is to be kept
		return chunk{}, err
	}
	c.g.store.step("close " + key)
	err = w.Close()
	c.g.store.step("closed " + key)
	return chunk{size, digestOf(artifact.SHA256, h)}, c.g.store.wrap("writing", key, err)
}

// finishUpload takes the last bytes, if the request has any, and makes a blob
// of the upload.
func (c *call) finishUpload() error {
	u, free, err := c.claim()
	if err != nil {
		return err
	}
	defer free()
	want, err := c.chunkSize(u)
	if err != nil {
		return err
	}
	d, err := parseDigest(c.r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	in := bufio.NewReader(&exactly{c.body(c.g.maxBlob - u.size()), want})
	_, err = in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	done, err := c.keepChunk(u, d, err != nil)
	if err == nil && !done {
		err = c.assemble(u, d, in)
	}
	var p *problem
	if errors.As(err, &p) && p.code == codeDigestInvalid {
		c.drop(u) // it will never become what it was to be
	}
	if err != nil {
		return err
	}
	c.drop(u)
	return c.blobCreated(d)
}

// maxCopy is the size up to which object stores copy an object by themselves.
const maxCopy = 4 << 30

// keepChunk makes a blob of an upload's only chunk without reading it again. It
// was hashed when it came. False if that cannot be done.
func (c *call) keepChunk(u *upload, d artifact.Digest, complete bool) (bool, error) {
	if !complete || len(u.Chunks) != 1 || u.Chunks[0].Digest != d || u.Chunks[0].Size > maxCopy {
		return false, nil
	}
	ctx := c.r.Context()
	lock := c.g.content.of(string(d))
	lock.RLock()
	defer lock.RUnlock()
	if _, err := c.g.store.size(ctx, contentOf(d)); errors.Is(err, errAbsent) {
		if err := c.g.store.copy(ctx, contentOf(d), chunkKey(u.ID, 0)); err != nil {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	return true, c.g.store.link(ctx, u.Repo, d, u.size())
}

// assemble makes a blob of an upload's chunks and what comes after them.
func (c *call) assemble(u *upload, d artifact.Digest, rest io.Reader) (err error) {
	ctx := c.r.Context()
	parts := &chunks{next: func(n int) (io.ReadCloser, error) {
		if n >= len(u.Chunks) {
			return nil, io.EOF
		}
		return c.g.store.open(ctx, chunkKey(u.ID, n))
	}}
	defer func() { err = errors.Join(err, parts.close()) }()
	return c.g.receive(ctx, u.Repo, d, io.MultiReader(parts, rest))
}

// chunks reads one after the other, each opened when it is needed.
type chunks struct {
	next func(n int) (io.ReadCloser, error)
	n    int
	r    io.ReadCloser
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for {
		if c.r == nil {
			r, err := c.next(c.n)
			if err != nil {
				return 0, err
			}
			c.r = r
			c.n++
		}
		n, err := c.r.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := c.close(); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (c *chunks) close() error {
	if c.r == nil {
		return nil
	}
	err := c.r.Close()
	c.r = nil
	return err
}

// exactly fails as the client's problem unless as many bytes come as announced;
// want is negative where nothing was.
type exactly struct {
	r    io.Reader
	want int64
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if e.want < 0 {
		return n, err
	}
	e.want -= int64(n)
	if e.want < 0 || errors.Is(err, io.EOF) && e.want > 0 {
		return 0, refuse(http.StatusBadRequest, codeSizeInvalid, "the last chunk has not the size that was announced")
	}
	return n, err
}

func (c *call) uploadStatus() error {
	u, free, err := c.claim()
	if err != nil {
		return err
	}
	defer free()
	c.uploadHeaders(u)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) cancelUpload() error {
	u, free, err := c.claim()
	if err != nil {
		return err
	}
	defer free()
	c.drop(u)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
