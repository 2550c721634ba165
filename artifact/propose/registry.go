package propose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/image"
)

// RegistryOptions say how registries are reached.
type RegistryOptions struct {
	// HTTP carries the requests; nil means go-containerregistry's transport.
	HTTP http.RoundTripper
	// Keychain knows credentials; nil means those of docker login and of
	// Google's tools.
	Keychain authn.Keychain
	// Parallel is how many requests are under way at once; 16 if 0.
	Parallel int
}

// Registry lists what OCI registries hold. Registries of Google tell digests
// with their tags in one answer; of any other each tag is asked for.
type Registry struct {
	o RegistryOptions
}

// NewRegistry returns a lister of registries.
func NewRegistry(o RegistryOptions) *Registry {
	if o.HTTP == nil {
		o.HTTP = remote.DefaultTransport
	}
	o.HTTP = limited{image.Bounded{Inner: o.HTTP}}
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain(image.Logins(), google.Keychain)
	}
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	return &Registry{o}
}

// maxAnswer is how many bytes of an answer are read. The largest real list of
// tags has some 4 MB.
const maxAnswer = 256 << 20

// limited cuts answers off that no registry means to give.
type limited struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}

// Images returns the names of the images below a registry, sorted. The error
// is ErrUnlisted where the registry does not tell which there are.
func (r *Registry) Images(ctx context.Context, registry string) ([]string, error) {
	host, folder, below := strings.Cut(registry, "/")
	if below {
		top, err := name.NewRepository(registry)
		if err != nil {
			return nil, fmt.Errorf("staging registry %s: %w", registry, err)
		}
		if tags, err := r.tags(ctx, top); err == nil && len(tags.Children) > 0 {
			images, err := r.descend(ctx, top, tags)
			slices.Sort(images)
			return images, err
		}
		folder += "/"
	}
	server, err := name.NewRegistry(host)
	if err != nil {
		return nil, fmt.Errorf("staging registry %s: %w", registry, err)
	}
	all, err := remote.Catalog(ctx, server, r.options(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnlisted, err)
	}
	var images []string
	for _, repository := range all {
		if image, ok := strings.CutPrefix(repository, folder); ok {
			images = append(images, image)
		}
	}
	slices.Sort(images)
	return images, nil
}

// descend walks down a registry that tells what is below each path.
func (r *Registry) descend(ctx context.Context, top name.Repository, tags *google.Tags) ([]string, error) {
	var mu sync.Mutex
	var images []string
	// Work that is found while working cannot wait for a place among the
	// workers, so levels are done one after another.
	level := children("", tags)
	for depth := 0; len(level) > 0; depth++ {
		if depth > 16 {
			return nil, fmt.Errorf("%s has paths that are deeper than 16", top)
		}
		var next []string
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(r.o.Parallel)
		for _, image := range level {
			work.Go(func() error {
				found, err := r.tags(ctx, top.Repo(append(strings.Split(top.RepositoryStr(), "/"), image)...))
				if err != nil {
					return fmt.Errorf("listing %s/%s: %w", top, image, err)
				}
				mu.Lock()
				defer mu.Unlock()
				next = append(next, children(image, found)...)
				if len(found.Manifests) > 0 || len(found.Tags) > 0 {
					images = append(images, image)
				}
				return nil
			})
		}
		if err := work.Wait(); err != nil {
			return nil, err
		}
		level = next
	}
	return images, nil
}

func children(of string, tags *google.Tags) []string {
	var all []string
	for _, c := range tags.Children {
		if c != "" && !strings.Contains(c, "..") {
			all = append(all, path.Join(of, c))
		}
	}
	return all
}

func (r *Registry) tags(ctx context.Context, repository name.Repository) (*google.Tags, error) {
	auth, err := authn.Resolve(ctx, r.o.Keychain, repository)
	if err != nil {
		return nil, fmt.Errorf("looking for credentials of %s: %w", repository.RegistryStr(), err)
	}
	return google.List(repository, google.WithContext(ctx), google.WithAuth(auth), google.WithTransport(r.o.HTTP))
}

func (r *Registry) options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(r.o.Keychain), remote.WithTransport(r.o.HTTP), remote.WithJobs(r.o.Parallel)}
}

// Tags returns the tags of a repository (registry/image) and the digests they
// point to. Where names are given only these tags are looked for. A repository
// that is not there has none.
func (r *Registry) Tags(ctx context.Context, repository string, names []string) (map[string]artifact.Digest, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", repository, err)
	}
	listed, err := r.tags(ctx, repo)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the tags of %s: %w", repository, err)
	}
	found := map[string]artifact.Digest{}
	for digest, m := range listed.Manifests {
		for _, tag := range m.Tags {
			if len(names) == 0 || slices.Contains(names, tag) {
				found[tag] = artifact.Digest(digest)
			}
		}
	}
	if len(listed.Manifests) > 0 {
		return found, nil
	}
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(r.o.Parallel)
	for _, tag := range listed.Tags {
		if len(names) > 0 && !slices.Contains(names, tag) {
			continue
		}
		work.Go(func() error {
			d, err := remote.Head(repo.Tag(tag), r.options(ctx)...)
			if absent(err) {
				return nil // deleted since it was listed
			}
			if err != nil {
				return fmt.Errorf("asking for %s:%s: %w", repository, tag, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[tag] = artifact.Digest(d.Digest.String())
			return nil
		})
	}
	return found, work.Wait()
}

// absent reports whether a registry says that something is not there.
func absent(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
