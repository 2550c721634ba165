package transfer

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"seaworthy/artifact"
)

// repository speaks the distribution protocol with one repository. The
// protocol is https://github.com/opencontainers/distribution-spec, v1.1.
type repository struct {
	name name.Repository
	host *host
}

func (r *Registries) repository(repo name.Repository) *repository {
	return &repository{repo, r.host(repo.Registry)}
}

// call is one request.
type call struct {
	method string
	tail   string // of the address, after the repository
	url    string // instead of tail
	push   bool
	from   *name.Repository // a repository it reads from besides
	header map[string]string
	body   func() io.ReadCloser
	stream io.ReadCloser // instead of body: can be sent once
	size   int64         // of body or stream
}

// close closes a stream that will not be sent; a client closes those it sends.
func (c call) close() error {
	if c.stream == nil {
		return nil
	}
	return c.stream.Close()
}

// do sends a request and returns the answer if its status is one of want.
func (r *repository) do(ctx context.Context, c call, want ...int) (*http.Response, error) {
	scope := transport.PullScope
	if c.push {
		scope = transport.PushScope
	}
	scopes := []string{r.name.Scope(scope)}
	if c.from != nil && *c.from != r.name {
		scopes = append(scopes, c.from.Scope(transport.PullScope))
	}
	client, challenge, err := r.host.client(ctx, scopes...)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	target := c.url
	if target == "" {
		target = r.host.url(challenge, r.name, c.tail)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target, nil)
	if err != nil {
		return nil, errors.Join(redacted(err), c.close())
	}
	switch {
	case c.body != nil:
		req.GetBody = func() (io.ReadCloser, error) { return c.body(), nil }
		req.Body, req.ContentLength = c.body(), c.size
	case c.stream != nil:
		req.Body, req.ContentLength = c.stream, c.size
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, redacted(err)
	}
	for _, s := range want {
		if resp.StatusCode == s {
			return resp, nil
		}
	}
	return nil, failed(resp)
}

// listing is what a repository's list of tags tells.
type listing struct {
	tags map[string]artifact.Digest // empty digest: not told
	// digests are all there are, with or without tags, where the registry
	// tells (Google's do); nil elsewhere.
	digests map[artifact.Digest]bool
	absent  bool // there is no such repository
	pages   int
}

// listLimit bounds a page of a list, in bytes: Google's registries put all of
// a repository on one.
const listLimit = 256 << 20

// list returns the repository's tags. A repository that is not there is empty.
func (r *repository) list(ctx context.Context) (listing, error) {
	l := listing{tags: map[string]artifact.Digest{}}
	c := call{method: http.MethodGet, tail: "/tags/list?n=1000"}
	if strings.HasSuffix(r.host.reg.RegistryStr(), "gcr.io") || strings.HasSuffix(r.host.reg.RegistryStr(), "-docker.pkg.dev") {
		c.tail = "/tags/list"
	}
	for {
		resp, err := r.do(ctx, c, http.StatusOK)
		if missing(err) && l.pages == 0 {
			l.absent = true
			return l, nil
		}
		if err != nil {
			return l, fmt.Errorf("listing the tags of %s: %w", r.name, err)
		}
		l.pages++
		next := resp.Header.Get("Link")
		if err := l.read(resp.Body); err != nil {
			return l, fmt.Errorf("listing the tags of %s: %w", r.name, err)
		}
		if next == "" {
			return l, nil
		}
		if c.url, err = follow(resp.Request.URL, next); err != nil {
			return l, fmt.Errorf("listing the tags of %s: %w", r.name, err)
		}
		if l.pages > 100_000 {
			return l, fmt.Errorf("listing the tags of %s: the list has no end", r.name)
		}
	}
}

// read adds one page, in the format of the specification or in Google's, which
// has the digests besides.
func (l *listing) read(body io.ReadCloser) (err error) {
	defer func() { err = errors.Join(err, body.Close()) }()
	var page struct {
		Tags     []string `json:"tags"`
		Manifest map[artifact.Digest]struct {
			Tag []string `json:"tag"`
		} `json:"manifest"`
	}
	if err := json.NewDecoder(io.LimitReader(body, listLimit)).Decode(&page); err != nil {
		return fmt.Errorf("what came is no list: %w", err)
	}
	for _, t := range page.Tags {
		if _, known := l.tags[t]; !known {
			l.tags[t] = ""
		}
	}
	if page.Manifest != nil && l.digests == nil {
		l.digests = map[artifact.Digest]bool{}
	}
	for d, m := range page.Manifest {
		if _, err := artifact.ParseDigest(string(d)); err != nil {
			continue // of a kind that nobody can ask for
		}
		l.digests[d] = true
		for _, t := range m.Tag {
			l.tags[t] = d
		}
	}
	return nil
}

// follow reads a Link header with the address of the next page, which must be
// on the same registry.
func follow(from *url.URL, link string) (string, error) {
	target, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
	if !ok || !strings.Contains(rest, "next") {
		return "", fmt.Errorf("the link to the next page cannot be read: %q", link)
	}
	u, err := from.Parse(target)
	if err != nil {
		return "", fmt.Errorf("the link to the next page: %w", redacted(err))
	}
	if u.Host != from.Host || u.Scheme != from.Scheme {
		return "", fmt.Errorf("the link to the next page leads away, to %s", u.Host)
	}
	return u.String(), nil
}

// head returns the digest of what a tag or digest points to, empty if nothing.
func (r *repository) head(ctx context.Context, reference string) (artifact.Digest, error) {
	resp, err := r.do(ctx, call{method: http.MethodHead, tail: "/manifests/" + reference, header: map[string]string{"Accept": accepted}}, http.StatusOK)
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", r.at(reference), err)
	}
	if err := resp.Body.Close(); err != nil {
		return "", fmt.Errorf("looking for %s: %w", r.at(reference), err)
	}
	digest := resp.Header.Get("Docker-Content-Digest")
	if digest == "" {
		// A registry that does not say is asked for the bytes.
		m, err := r.manifest(ctx, reference)
		if missing(err) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return m.digest, nil
	}
	d, err := artifact.ParseDigest(digest)
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", r.at(reference), err)
	}
	if strings.Contains(reference, ":") && d != artifact.Digest(reference) && d.Algorithm() == artifact.Digest(reference).Algorithm() {
		return "", fmt.Errorf("looking for %s: %w: the registry says that it is %s", r.at(reference), errContent, d)
	}
	return d, nil
}

func (r *repository) at(reference string) string {
	if strings.Contains(reference, ":") {
		return r.name.String() + "@" + reference
	}
	return r.name.String() + ":" + reference
}

// manifest fetches one by tag or digest. By digest, its bytes are verified.
func (r *repository) manifest(ctx context.Context, reference string) (*manifest, error) {
	fail := func(err error) error { return fmt.Errorf("reading %s: %w", r.at(reference), err) }
	resp, err := r.do(ctx, call{method: http.MethodGet, tail: "/manifests/" + reference, header: map[string]string{"Accept": accepted}}, http.StatusOK)
	if err != nil {
		return nil, fail(err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, manifestLimit+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fail(redacted(err))
	}
	if len(text) > manifestLimit {
		return nil, fail(fmt.Errorf("the manifest is longer than %d bytes", manifestLimit))
	}
	want := artifact.Digest("")
	if strings.Contains(reference, ":") {
		want = artifact.Digest(reference)
	}
	m, err := parseManifest(text, resp.Header.Get("Content-Type"), want)
	if err != nil {
		return nil, fail(err)
	}
	return m, nil
}

// put writes a manifest under its digest or a tag. It reports whether the
// registry keeps the list of referrers of the manifest's subject.
func (r *repository) put(ctx context.Context, reference string, m *manifest) (subject bool, err error) {
	resp, err := r.do(ctx, call{
		method: http.MethodPut, tail: "/manifests/" + reference, push: true,
		header: map[string]string{"Content-Type": m.mediaType},
		body:   func() io.ReadCloser { return io.NopCloser(bytes.NewReader(m.text)) }, size: int64(len(m.text)),
	}, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", r.at(reference), err)
	}
	if err := drained(resp); err != nil {
		return false, fmt.Errorf("writing %s: %w", r.at(reference), err)
	}
	have := artifact.Digest(resp.Header.Get("Docker-Content-Digest"))
	if have == "" || have.Algorithm() != m.digest.Algorithm() {
		// It does not say what it wrote: look.
		if have, err = r.head(ctx, reference); err != nil {
			return false, err
		}
	}
	if have != m.digest {
		return false, fmt.Errorf("writing %s: %w: %s was sent, the registry has %s", r.at(reference), errContent, m.digest, have)
	}
	return resp.Header.Get("OCI-Subject") != "", nil
}

// blob opens a blob. What is read is verified: at its end, or before, there is
// an error unless size and digest are right.
func (r *repository) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := r.do(ctx, call{method: http.MethodGet, tail: "/blobs/" + string(d.Digest)}, http.StatusOK)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("reading %s: %w", r.at(string(d.Digest)), err)
	}
	return &verified{ReadCloser: watch(resp.Body, stallLimit, cancel), what: r.at(string(d.Digest)), want: d, hash: hasher(d.Digest)}, nil
}

// verified passes on content and ends in an error unless it is what was asked
// for.
type verified struct {
	io.ReadCloser
	what string
	want descriptor
	hash hash.Hash
	read int64
}

// Read implements io.Reader.
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	v.read += int64(n)
	if v.read > v.want.Size {
		return 0, fmt.Errorf("%s: %w: it is longer than the %d bytes its manifest says", v.what, errContent, v.want.Size)
	}
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%s: after %d of %d bytes: %w", v.what, v.read, v.want.Size, redacted(err))
	}
	if v.read < v.want.Size {
		return n, fmt.Errorf("%s: %w: it ends after %d of %d bytes", v.what, errContent, v.read, v.want.Size)
	}
	if have := hex.EncodeToString(v.hash.Sum(nil)); have != v.want.Digest.Hex() {
		return n, fmt.Errorf("%s: %w: its bytes are %s:%s", v.what, errContent, v.want.Digest.Algorithm(), have)
	}
	return n, io.EOF
}
