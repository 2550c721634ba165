package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"seaworthy/artifact"
)

// Remote says how registries are spoken to. The zero value speaks HTTPS (plain
// HTTP to this machine) and finds credentials where docker and podman keep them.
type Remote struct {
	Insecure  bool              // plain HTTP to any registry
	Keychain  authn.Keychain    // credentials; those of Logins if nil
	Transport http.RoundTripper // remote.DefaultTransport if nil
	Parallel  int               // transfers at once; 0 means four
}

func (r Remote) options(ctx context.Context) []remote.Option {
	keys := r.Keychain
	if keys == nil {
		keys = Logins()
	}
	jobs := r.Parallel
	if jobs < 1 {
		jobs = 4
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithJobs(jobs), remote.WithUserAgent("seaworthy")}
	transport := r.Transport
	if transport == nil {
		transport = remote.DefaultTransport
	}
	return append(options, remote.WithTransport(Bounded{transport}))
}

func (r Remote) names() []name.Option {
	if r.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

// ErrReference: what should name an image does not.
var ErrReference = errors.New("is not a reference to an image")

func parseReference(s string, r Remote) (name.Reference, error) {
	ref, err := name.ParseReference(s, r.names()...)
	if err != nil {
		return nil, fmt.Errorf("%q %w: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST", s, ErrReference)
	}
	return ref, nil
}

// pull opens an image of a registry. Layers are read when they are needed.
func (x *Index) pull(ctx context.Context, from string, r Remote) error {
	ref, err := parseReference(from, r)
	if err != nil {
		return err
	}
	d, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return missing(err)
	}
	switch {
	case d.MediaType.IsIndex():
		x.index, err = d.ImageIndex()
	case d.MediaType.IsImage():
		x.image, err = d.Image()
	default:
		err = fmt.Errorf("it is of type %s, which is neither an image nor an index", d.MediaType)
	}
	return err
}

// missing makes ErrNoImage of a registry's 404.
func missing(err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %w", ErrNoImage, err)
	}
	return err
}

// Push copies the image to a repository, REGISTRY/NAME, and names it by tags.
// Blobs go first, those the registry has are not sent again, then manifests,
// the index, and the tags when all is there. At the end every tag is asked for
// its digest. Without tags the image is only to be had by its digest.
func (x *Index) Push(ctx context.Context, repository string, tags []string, r Remote) error {
	for _, tag := range tags {
		if err := artifact.CheckTag(tag); err != nil {
			return err
		}
	}
	repo, err := name.NewRepository(repository, r.names()...)
	if err != nil {
		return fmt.Errorf("%q is not a repository: write REGISTRY/NAME", repository)
	}
	if err := x.push(ctx, repo, tags, r); err != nil {
		return fmt.Errorf("pushing to %s: %w", repository, withoutQuery(err))
	}
	return nil
}

// Tagged is what a tag in a registry stands for, and is to stand for.
type Tagged struct {
	Reference string          `json:"reference"` // REGISTRY/NAME:TAG
	Digest    artifact.Digest `json:"digest"`
	// Was is what it stands for now; empty where there is no such tag.
	Was artifact.Digest `json:"was,omitempty"`
}

// Compare asks a registry what the tags that Push would write stand for now. It
// changes nothing there.
func (x *Index) Compare(ctx context.Context, repository string, tags []string, r Remote) ([]Tagged, error) {
	repo, err := name.NewRepository(repository, r.names()...)
	if err != nil {
		return nil, fmt.Errorf("%q is not a repository: write REGISTRY/NAME", repository)
	}
	var all []Tagged
	for _, tag := range tags {
		if err := artifact.CheckTag(tag); err != nil {
			return nil, err
		}
		t := Tagged{Reference: repository + ":" + tag, Digest: x.digest()}
		have, err := remote.Head(repo.Tag(tag), r.options(ctx)...)
		switch {
		case err == nil:
			t.Was = artifact.Digest(have.Digest.String())
		case !errors.Is(missing(err), ErrNoImage):
			return nil, fmt.Errorf("looking for %s: %w", t.Reference, withoutQuery(err))
		}
		all = append(all, t)
	}
	return all, nil
}

// withoutQuery takes the query off the address that was being asked: it holds
// what opens an upload. Where the bytes to be sent were at fault, the address
// says nothing at all.
func withoutQuery(err error) error {
	var asked *url.Error
	if !errors.As(err, &asked) {
		return err
	}
	cause := asked.Err
	var sending *net.OpError
	if errors.As(cause, &sending) && errors.Is(cause, ErrDigest) {
		cause = sending.Err
	}
	address, _, _ := strings.Cut(asked.URL, "?")
	if errors.Is(cause, ErrDigest) {
		return cause
	}
	return fmt.Errorf("%s %s: %w", asked.Op, address, cause)
}

func (x *Index) push(ctx context.Context, repo name.Repository, tags []string, r Remote) error {
	options := r.options(ctx)
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return err
	}
	var all remote.Taggable = x.image
	if x.index != nil {
		all = x.index
	}
	digest := string(x.digest())
	if err := pusher.Push(ctx, repo.Digest(digest), all); err != nil {
		return err
	}
	for _, tag := range tags {
		if err := pusher.Push(ctx, repo.Tag(tag), all); err != nil {
			return fmt.Errorf("tag %s: %w", tag, err)
		}
		have, err := remote.Head(repo.Tag(tag), options...)
		if err != nil {
			return fmt.Errorf("asking for the tag %s: %w", tag, err)
		}
		if have.Digest.String() != digest {
			return fmt.Errorf("the tag %s stands for %s, not for %s that was pushed: somebody else pushes to it", tag, have.Digest, digest)
		}
	}
	return nil
}

// SplitReference parts a reference to push to, REGISTRY/NAME[:TAG], into
// repository and tag, which is latest if none is named.
func SplitReference(s string) (repository, tag string, err error) {
	ref, err := parseReference(s, Remote{})
	if err != nil {
		return "", "", err
	}
	named, ok := ref.(name.Tag)
	if !ok {
		return "", "", fmt.Errorf("%q names a digest: an image is pushed under a tag", s)
	}
	return named.Context().Name(), named.TagStr(), nil
}

// OCI returns the image as the registry library has it: an index, or an image
// where there is none. The other is nil.
func (x *Index) OCI() (v1.ImageIndex, v1.Image) { return x.index, x.image }

// fullName is the name under which programs that load an image store it, with
// the registry that is meant where none is named.
func (x *Index) fullName() string {
	if x.built.Name == "" {
		return ""
	}
	if artifact.CheckImageName(x.built.Name) != nil {
		return "" // a path or a reference it was opened from
	}
	repo, err := name.NewRepository(x.built.Name)
	if err != nil {
		return ""
	}
	// The library names Docker's registry by its host, everybody else does not.
	return strings.Replace(repo.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}
