package sign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Media types and annotations of signatures in registries, as cosign has them.
const (
	bundleTypePrefix  = "application/vnd.dev.sigstore.bundle"
	emptyConfigType   = "application/vnd.oci.empty.v1+json"
	simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelopeType      = "application/vnd.dsse.envelope.v1+json"

	bundleContentNote   = "dev.sigstore.bundle.content"
	bundlePredicateNote = "dev.sigstore.bundle.predicateType"
	createdNote         = "org.opencontainers.image.created"
	signatureNote       = "dev.cosignproject.cosign/signature"
	certificateNote     = "dev.sigstore.cosign/certificate"
	recordNote          = "dev.sigstore.cosign/bundle"
	timestampNote       = "dev.sigstore.cosign/rfc3161timestamp"
	predicateNote       = "predicateType"
)

// registrySession is one conversation with registries: authentication is done once.
type registrySession struct {
	pull *remote.Puller
	push *remote.Pusher
}

func newSession(options []remote.Option) (registrySession, error) {
	pull, err := remote.NewPuller(options...)
	if err != nil {
		return registrySession{}, fmt.Errorf("preparing to read from the registry: %w", err)
	}
	push, err := remote.NewPusher(options...)
	if err != nil {
		return registrySession{}, fmt.Errorf("preparing to write to the registry: %w", err)
	}
	return registrySession{pull, push}, nil
}

func absent(err error) bool {
	var e *transport.Error
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound
}

// resolve returns the digest of an image or index, and what it is. The manifest
// is read for that: the digest is of what was seen, not what the registry says.
func (r registrySession) resolve(ctx context.Context, ref name.Reference) (name.Digest, v1.Descriptor, error) {
	d, err := r.pull.Get(ctx, ref)
	if absent(err) {
		return name.Digest{}, v1.Descriptor{}, fmt.Errorf("looking for %s: there is no such image", ref)
	} else if err != nil {
		return name.Digest{}, v1.Descriptor{}, fmt.Errorf("looking for %s: %w", ref, err)
	}
	return ref.Context().Digest(d.Digest.String()), d.Descriptor, nil
}

// children returns the images of an index; none if it is an image.
func (r registrySession) children(ctx context.Context, d name.Digest) ([]name.Digest, error) {
	got, err := r.pull.Get(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d, err)
	}
	if !got.MediaType.IsIndex() {
		return nil, nil
	}
	index, err := v1.ParseIndexManifest(strings.NewReader(string(got.Manifest)))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d, err)
	}
	var list []name.Digest
	for _, m := range index.Manifests {
		if m.MediaType.IsImage() || m.MediaType.IsIndex() {
			list = append(list, d.Context().Digest(m.Digest.String()))
		}
	}
	return list, nil
}

// family returns the digests of an index's images at any depth, before it
// itself, each once.
func (r registrySession) family(ctx context.Context, d name.Digest, seen map[string]bool) ([]name.Digest, error) {
	if seen[d.DigestStr()] {
		return nil, nil
	}
	if seen[d.DigestStr()] = true; len(seen) > maxBundles {
		return nil, fmt.Errorf("%s holds more than %d images", d, maxBundles)
	}
	children, err := r.children(ctx, d)
	if err != nil {
		return nil, err
	}
	var all []name.Digest
	for _, c := range children {
		below, err := r.family(ctx, c, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return append(all, d), nil
}

// blob reads a layer and checks its digest. Layers of signatures are small.
func (r registrySession) blob(ctx context.Context, repo name.Repository, d v1.Descriptor) (_ []byte, err error) {
	if d.Size > MaxBundle || d.Size < 0 {
		return nil, fmt.Errorf("a signature of %d bytes: at most %d are read", d.Size, MaxBundle)
	}
	layer, err := r.pull.Layer(ctx, repo.Digest(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(body, d.Size+1))
	if err != nil {
		return nil, err
	}
	// The digest was checked by the reader, but only up to what it was asked for.
	if hash, _, err := v1.SHA256(strings.NewReader(string(text))); err != nil || hash != d.Digest {
		return nil, errors.Join(fmt.Errorf("%s is not what its digest says", d.Digest), err)
	}
	return text, nil
}

// signatures returns everything that is attached to an image: referrers, and
// what is in cosign's tags. What cannot be read is passed over with a reason,
// because anybody may attach things.
func (r registrySession) signatures(ctx context.Context, d name.Digest) (list []found, passed []string, err error) {
	list, passed, err = r.referrers(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	for _, suffix := range []string{".sig", ".att"} {
		tag := d.Context().Tag(strings.Replace(d.DigestStr(), ":", "-", 1) + suffix)
		more, wrong, err := r.tagged(ctx, tag)
		if err != nil {
			return nil, nil, err
		}
		list, passed = append(list, more...), append(passed, wrong...)
	}
	if len(list) > maxBundles {
		return nil, nil, fmt.Errorf("%s has more than %d signatures", d, maxBundles)
	}
	return list, passed, nil
}

func (r registrySession) referrers(ctx context.Context, d name.Digest) (list []found, passed []string, err error) {
	index, err := remote.Referrers(d, remote.WithContext(ctx), remote.Reuse(r.pull))
	if err != nil {
		return nil, nil, fmt.Errorf("asking what refers to %s: %w", d, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, nil, fmt.Errorf("reading what refers to %s: %w", d, err)
	}
	if len(m.Manifests) > maxBundles {
		return nil, nil, fmt.Errorf("more than %d things refer to %s", maxBundles, d)
	}
	for _, ref := range m.Manifests {
		if ref.ArtifactType != "" && ref.ArtifactType != emptyConfigType && !strings.HasPrefix(ref.ArtifactType, bundleTypePrefix) {
			continue // bills of materials and the like
		}
		b, ok, err := r.referrer(ctx, d.Context(), ref.Digest)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			passed = append(passed, fmt.Sprintf("referrer %s: %v", ref.Digest, err))
		case ok:
			list = append(list, found{b, "referrer " + ref.Digest.String()})
		}
	}
	return list, passed, nil
}

// referrer reads the bundle in a referrer; ok is false if it holds something
// else.
func (r registrySession) referrer(ctx context.Context, repo name.Repository, digest v1.Hash) (b Bundle, ok bool, err error) {
	got, err := r.pull.Get(ctx, repo.Digest(digest.String()))
	if err != nil {
		return b, false, err
	}
	m, err := v1.ParseManifest(strings.NewReader(string(got.Manifest)))
	if err != nil {
		return b, false, err
	}
	if len(m.Layers) == 0 || !strings.HasPrefix(string(m.Layers[0].MediaType), bundleTypePrefix) {
		return b, false, nil
	}
	text, err := r.blob(ctx, repo, m.Layers[0])
	if err != nil {
		return b, false, err
	}
	b, err = ParseBundle(text)
	return b, err == nil, err
}

// tagged reads the signatures in one of cosign's tags.
func (r registrySession) tagged(ctx context.Context, tag name.Tag) (list []found, passed []string, err error) {
	got, err := r.pull.Get(ctx, tag)
	if absent(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("looking for signatures at %s: %w", tag, err)
	}
	m, err := v1.ParseManifest(strings.NewReader(string(got.Manifest)))
	if err != nil || len(m.Layers) > maxBundles {
		return nil, []string{fmt.Sprintf("tag %s: no list of signatures", tag.TagStr())}, nil
	}
	for _, layer := range m.Layers {
		b, err := r.layer(ctx, tag.Context(), layer)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			passed = append(passed, fmt.Sprintf("tag %s: %v", tag.TagStr(), err))
			continue
		}
		list = append(list, found{b, "tag " + tag.TagStr()})
	}
	return list, passed, nil
}

func (r registrySession) layer(ctx context.Context, repo name.Repository, d v1.Descriptor) (Bundle, error) {
	text, err := r.blob(ctx, repo, d)
	if err != nil {
		return Bundle{}, err
	}
	m := material{
		certificate: []byte(d.Annotations[certificateNote]),
		record:      []byte(d.Annotations[recordNote]),
		timestamp:   []byte(d.Annotations[timestampNote]),
	}
	switch {
	case d.MediaType == envelopeType:
		if m.envelope, err = parseEnvelope(text); err != nil {
			return Bundle{}, err
		}
	case strings.HasPrefix(string(d.MediaType), bundleTypePrefix):
		return ParseBundle(text)
	default:
		if m.signature, err = base64.StdEncoding.DecodeString(d.Annotations[signatureNote]); err != nil || len(m.signature) == 0 {
			return Bundle{}, errors.Join(errors.New("its signature is not base64"), err)
		}
		m.payload = text
	}
	return assemble(m)
}

// simpleSigning is what cosign's signatures in tags are over.
type simpleSigning struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]string `json:"optional"`
}

// simpleSigningKind is the only value of type.
const simpleSigningKind = "cosign container image signature"

// checkPayload wants a payload to name the image.
func checkPayload(payload []byte, digest string) error {
	var p struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
			Type string `json:"type"`
		} `json:"critical"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("what is signed does not name an image: %w", err)
	}
	if k := p.Critical.Type; k != simpleSigningKind && k != "atomic container signature" {
		return fmt.Errorf("what is signed is %q, not an image's signature", k)
	}
	if p.Critical.Image.Digest != digest {
		return fmt.Errorf("the signature is of %s", p.Critical.Image.Digest)
	}
	return nil
}

// artifactManifest is a manifest of OCI 1.1 that refers to an image.
type artifactManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       v1.Descriptor     `json:"subject"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// rawManifest is a manifest as the registry's client takes it.
type rawManifest []byte

// RawManifest implements remote.Taggable.
func (m rawManifest) RawManifest() ([]byte, error) { return m, nil }

// MediaType tells the registry what it gets.
func (rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
