package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"

	"seaworthy/artifact"
)

// hasBlob asks whether the repository has a blob.
func (r *repository) hasBlob(ctx context.Context, d artifact.Digest) (bool, error) {
	resp, err := r.do(ctx, call{method: http.MethodHead, tail: "/blobs/" + string(d)}, http.StatusOK)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for %s: %w", r.at(string(d)), err)
	}
	return true, resp.Body.Close()
}

// mount asks the registry to take a blob over from another of its repositories.
// If it will not, an upload has begun: its address is returned.
func (r *repository) mount(ctx context.Context, d artifact.Digest, from name.Repository) (mounted bool, session string, err error) {
	query := url.Values{"mount": {string(d)}, "from": {from.RepositoryStr()}}
	resp, err := r.do(ctx, call{method: http.MethodPost, tail: "/blobs/uploads/?" + query.Encode(), push: true, from: &from}, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return false, "", fmt.Errorf("mounting %s: %w", r.at(string(d)), err)
	}
	if resp.StatusCode == http.StatusCreated {
		return true, "", r.stored(resp, d)
	}
	session, err = r.session(resp)
	return false, session, err
}

// session takes the address of an upload from the answer that began it.
func (r *repository) session(resp *http.Response) (string, error) {
	location := resp.Header.Get("Location")
	if err := drained(resp); err != nil {
		return "", err
	}
	if location == "" {
		return "", fmt.Errorf("uploading to %s: the registry does not say where to", r.name)
	}
	u, err := resp.Request.URL.Parse(location)
	if err != nil {
		return "", fmt.Errorf("uploading to %s: the address to send to cannot be read", r.name)
	}
	if resp.Request.URL.Scheme == "https" && u.Scheme != "https" {
		return "", fmt.Errorf("uploading to %s: the registry wants the blob without TLS, at %s", r.name, u.Host)
	}
	return u.String(), nil
}

// stored reads the answer that a blob is stored now.
func (r *repository) stored(resp *http.Response, d artifact.Digest) error {
	if err := drained(resp); err != nil {
		return err
	}
	have := artifact.Digest(resp.Header.Get("Docker-Content-Digest"))
	if have != "" && have.Algorithm() == d.Algorithm() && have != d {
		return fmt.Errorf("uploading %s: %w: the registry stored %s", r.at(string(d)), errContent, have)
	}
	return nil
}

// upload stores a blob. session is the address of an upload that has begun, or
// empty. The content is sent with as few requests as the registry allows.
func (r *repository) upload(ctx context.Context, c *content, session string) (err error) {
	d := c.d.Digest
	defer func() {
		if err != nil {
			err = fmt.Errorf("uploading %s: %w", r.at(string(d)), err)
		}
	}()
	if err := c.load(ctx); err != nil {
		return err
	}
	if session == "" {
		var done bool
		if done, session, err = r.begin(ctx, c); done || err != nil {
			return err
		}
	}
	octets := map[string]string{"Content-Type": "application/octet-stream"}
	if !c.small() {
		// One PATCH of all, then a PUT without content: what every client does
		// with large blobs, and nothing is committed unless all was right.
		stream, err := c.open(ctx)
		if err != nil {
			return err
		}
		resp, err := r.do(ctx, call{method: http.MethodPatch, url: session, push: true, header: octets, stream: stream, size: c.d.Size}, http.StatusAccepted, http.StatusNoContent)
		if err != nil {
			r.abandon(ctx, session)
			return err
		}
		if session, err = r.session(resp); err != nil {
			return err
		}
		octets = nil
	}
	target, err := url.Parse(session)
	if err != nil {
		return redacted(err)
	}
	query := target.Query()
	query.Set("digest", string(d))
	target.RawQuery = query.Encode()
	put := call{method: http.MethodPut, url: target.String(), push: true, header: octets}
	if c.small() {
		put.body, put.size = c.reader, int64(len(c.text))
	}
	resp, err := r.do(ctx, put, http.StatusCreated, http.StatusNoContent, http.StatusOK)
	if err != nil {
		return err
	}
	return r.stored(resp, d)
}

// begin opens an upload, and ends it at once where the content is small and
// the registry takes content with the first request.
func (r *repository) begin(ctx context.Context, c *content) (done bool, session string, err error) {
	if c.small() && !r.host.noSinglePost.Load() {
		resp, err := r.do(ctx, call{
			method: http.MethodPost, tail: "/blobs/uploads/?" + url.Values{"digest": {string(c.d.Digest)}}.Encode(), push: true,
			header: map[string]string{"Content-Type": "application/octet-stream"}, body: c.reader, size: int64(len(c.text)),
		}, http.StatusCreated, http.StatusAccepted)
		switch {
		case err == nil && resp.StatusCode == http.StatusCreated:
			return true, "", r.stored(resp, c.d.Digest)
		case err == nil:
			r.host.noSinglePost.Store(true)
			session, err = r.session(resp)
			return false, session, err
		case status(err) == 0 || status(err) == http.StatusUnauthorized || status(err) == http.StatusForbidden || status(err) >= 500:
			return false, "", err
		}
		r.host.noSinglePost.Store(true)
	}
	resp, err := r.do(ctx, call{method: http.MethodPost, tail: "/blobs/uploads/", push: true}, http.StatusAccepted)
	if err != nil {
		return false, "", err
	}
	session, err = r.session(resp)
	return false, session, err
}

// abandon tells the registry that an upload will not be finished. It need not
// succeed: registries drop such uploads after a while.
func (r *repository) abandon(ctx context.Context, session string) {
	if ctx.Err() != nil {
		return
	}
	if resp, err := r.do(ctx, call{method: http.MethodDelete, url: session, push: true}, http.StatusNoContent, http.StatusOK); err == nil {
		_ = resp.Body.Close()
	}
}

// referrers returns what refers to a digest. told is false where the registry
// does not keep such lists.
func (r *repository) referrers(ctx context.Context, d artifact.Digest) (list []descriptor, told bool, err error) {
	if r.host.noReferrers.Load() {
		return nil, false, nil
	}
	c := call{method: http.MethodGet, tail: "/referrers/" + string(d), header: map[string]string{"Accept": ociIndex}}
	for page := 0; ; page++ {
		resp, err := r.do(ctx, c, http.StatusOK)
		switch s := status(err); {
		case page == 0 && (s == http.StatusNotFound || s == http.StatusMethodNotAllowed || s == http.StatusBadRequest || s == http.StatusNotAcceptable || s == http.StatusNotImplemented):
			r.host.noReferrers.Store(true)
			return nil, false, nil
		case err != nil:
			return nil, false, fmt.Errorf("asking what refers to %s: %w", r.at(string(d)), err)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, manifestLimit+1))
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return nil, false, fmt.Errorf("asking what refers to %s: %w", r.at(string(d)), redacted(err))
		}
		m, err := parseManifest(text, ociIndex, "")
		if err != nil || m.mediaType != ociIndex {
			if page > 0 {
				return nil, false, fmt.Errorf("asking what refers to %s: a page is no index", r.at(string(d)))
			}
			r.host.noReferrers.Store(true) // a page for people, of a registry that knows no better
			return nil, false, nil
		}
		list = append(list, m.refs.Manifests...)
		next := resp.Header.Get("Link")
		if next == "" || page > 10_000 {
			return list, true, nil
		}
		if c.url, err = follow(resp.Request.URL, next); err != nil {
			return nil, false, fmt.Errorf("asking what refers to %s: %w", r.at(string(d)), err)
		}
	}
}
