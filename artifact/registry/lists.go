package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// maxPage bounds what one page of a list that is asked for in pages holds.
const maxPage = 1000

// pageSize reads the parameter n: how many the client wants, -1 if it does not
// say.
func (c *call) pageSize() (int, error) {
	text := c.r.URL.Query().Get("n")
	if text == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusBadRequest, codePaginationInvalid, "n is %q: write how many you want", text)
	}
	return min(n, maxPage), nil
}

// next tells the client where the list goes on.
func (c *call) next(n int, last string) {
	q := c.r.URL.Query()
	q.Set("last", last)
	if n >= 0 {
		q.Set("n", strconv.Itoa(n))
	}
	u := url.URL{Path: c.r.URL.Path, RawQuery: q.Encode()}
	c.w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, u.String()))
}

// tagAt reads the tag from a key.
func tagAt(key string) (string, bool) {
	tag, ok := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], mark)
	return tag, ok && checkTag(tag) == nil
}

// byLetters orders without regard to case, as the specification orders tags;
// what differs in case alone has a fixed order too.
func byLetters(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}

type wireTags struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

func (c *call) tags() error {
	n, err := c.pageSize()
	if err != nil {
		return err
	}
	tags := []string{}
	err = c.g.store.list(c.r.Context(), tagsOf(c.target.repo), "", func(key string, _ *blob.ListObject) error {
		if tag, ok := tagAt(key); ok {
			tags = append(tags, tag)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		known, err := c.g.exists(c.r.Context(), c.target.repo)
		if err != nil {
			return err
		}
		if !known {
			return refuse(http.StatusNotFound, codeNameUnknown, "there is no repository %s", c.target.repo)
		}
	}
	slices.SortFunc(tags, byLetters)
	if last := c.r.URL.Query().Get("last"); last != "" {
		from, found := slices.BinarySearchFunc(tags, last, byLetters)
		if found {
			from++
		}
		tags = tags[from:]
	}
	if n >= 0 && n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			c.next(n, tags[n-1])
		}
	}
	c.json(http.StatusOK, wireTags{c.target.repo, tags})
	return nil
}

// exists reports whether a repository has an image.
func (g *Registry) exists(ctx context.Context, repo string) (bool, error) {
	found := false
	err := g.store.list(ctx, manifestsOf(repo), "", func(key string, _ *blob.ListObject) error {
		if _, found = digestAt(key); found {
			return errStop
		}
		return nil
	})
	return found, err
}

// catalog lists the repositories the caller may read.
func (c *call) catalog() error {
	n, err := c.pageSize()
	if err != nil {
		return err
	}
	names, err := c.repositories(c.r.URL.Query().Get("last"), n)
	if err != nil {
		return err
	}
	if n >= 0 && len(names) > n {
		names = names[:n]
		if n > 0 {
			c.next(n, names[n-1])
		}
	}
	c.json(http.StatusOK, struct {
		Repositories []string `json:"repositories"`
	}{names})
	return nil
}

// repositories returns the names after last that the caller may read, in their
// order, and one more than n of them if there are. Whatever token he has says
// who he is; the list is held to what he may see.
func (c *call) repositories(last string, n int) ([]string, error) {
	var who identity
	if c.g.authorizer != nil {
		var err error
		if who, err = c.identity(); err != nil {
			return nil, err
		}
	}
	all, err := c.g.repositories(c.r.Context())
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	names := []string{}
	for _, repo := range all {
		if repo <= last {
			continue
		}
		if c.g.authorizer != nil {
			ok, err := c.allowed(who.account, repo, Pull)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		if names = append(names, repo); n >= 0 && len(names) > n {
			break
		}
	}
	return names, nil
}

// repositories lists what has manifests.
func (g *Registry) repositories(ctx context.Context) ([]string, error) {
	var found []string
	err := g.folders(ctx, "", func(repo string) error {
		known, err := g.exists(ctx, repo)
		if known {
			found = append(found, repo)
		}
		return err
	})
	return found, err
}

// folders calls fn with the names below a folder that have anything of a
// repository's, be it only what a killed process left.
func (g *Registry) folders(ctx context.Context, folder string, fn func(repo string) error) error {
	var below []string
	repository := false
	err := g.store.list(ctx, repoDir+folder, "/", func(key string, o *blob.ListObject) error {
		if !o.IsDir {
			return nil
		}
		name := strings.TrimPrefix(key, repoDir)
		if strings.HasPrefix(name, folder+"_") {
			repository = true
		} else {
			below = append(below, name)
		}
		return nil
	})
	if err == nil && repository {
		err = fn(strings.TrimSuffix(folder, "/"))
	}
	for _, folder := range below {
		if err == nil {
			err = g.folders(ctx, folder, fn)
		}
	}
	return err
}

// wireReferrers is an OCI index.
type wireReferrers struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []json.RawMessage `json:"manifests"`
}

// referrers lists the manifests whose subject is one that the repository has,
// or may get.
func (c *call) referrers() error {
	subject, err := parseDigest(c.target.rest)
	if err != nil {
		return err
	}
	n, err := c.pageSize()
	if err != nil {
		return err
	}
	last, filter := c.r.URL.Query().Get("last"), c.r.URL.Query().Get("artifactType")
	entries, err := c.g.entries(c.r.Context(), c.target.repo, subject, last)
	if err != nil {
		return err
	}
	page := wireReferrers{2, typeIndex, []json.RawMessage{}}
	size, previous := 0, last
	for _, e := range entries {
		if filter != "" && e.ArtifactType != filter {
			continue
		}
		// The answer is a manifest, and no larger than one may be.
		if size += len(e.text) + 1; n >= 0 && len(page.Manifests) >= n || size > maxManifest-1<<10 {
			if len(page.Manifests) > 0 {
				c.next(n, previous)
			}
			break
		}
		page.Manifests, previous = append(page.Manifests, e.text), string(e.Digest)
	}
	if filter != "" {
		c.w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	c.jsonAs(http.StatusOK, typeIndex, page)
	return nil
}

// entry is one referrer, and how it is listed.
type entry struct {
	descriptor
	text json.RawMessage
}

// entries reads the referrers of a subject after the one whose digest is last,
// in the order of their digests.
func (g *Registry) entries(ctx context.Context, repo string, subject artifact.Digest, last string) ([]entry, error) {
	var keys []string
	err := g.store.list(ctx, referrersOf(repo, subject), "", func(key string, _ *blob.ListObject) error {
		if d, ok := digestAt(key); ok && string(d) > last {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := make([]entry, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, key := range keys {
		group.Go(func() error {
			text, err := g.store.read(ctx, key)
			if errors.Is(err, errAbsent) {
				return nil // deleted meanwhile
			}
			if err != nil {
				return err
			}
			all[i].text = text
			if err := json.Unmarshal(text, &all[i].descriptor); err != nil {
				return fmt.Errorf("reading %s: %w", key, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e entry) bool { return e.text == nil }), nil
}
