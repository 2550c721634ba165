package transfer

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"mime"
	"slices"
	"strings"

	"seaworthy/artifact"
)

// Media types of manifests; their bytes are never changed.
const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociArtifact = "application/vnd.oci.artifact.manifest.v1+json" // withdrawn from the specification, but found
	dockerList  = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerImage = "application/vnd.docker.distribution.manifest.v2+json"
)

// accepted is what may be answered when a manifest is asked for.
var accepted = strings.Join([]string{ociIndex, ociManifest, dockerList, dockerImage, ociArtifact}, ", ")

// manifestLimit bounds a manifest, in bytes: what the distribution
// specification asks registries to take at least.
const manifestLimit = 4 << 20

// descriptor names content by digest, as OCI does.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       artifact.Digest   `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     json.RawMessage   `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

// foreign reports a layer that its makers do not let registries hand out; it
// is fetched from elsewhere by whoever runs the image.
func (d descriptor) foreign() bool {
	return len(d.URLs) > 0 && (strings.Contains(d.MediaType, "foreign") || strings.Contains(d.MediaType, "nondistributable"))
}

// manifest is one as the registry gave it.
type manifest struct {
	digest    artifact.Digest
	mediaType string
	text      []byte
	refs      references
}

// references are what a manifest or an index points to.
type references struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Blobs         []descriptor      `json:"blobs"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// parseManifest checks that text has the digest (unless empty) and is one of
// the kinds that can be copied. contentType is what the registry calls it.
func parseManifest(text []byte, contentType string, want artifact.Digest) (*manifest, error) {
	m := &manifest{text: text, digest: want}
	if want == "" {
		sum := sha256.Sum256(text)
		m.digest = artifact.Digest("sha256:" + hex.EncodeToString(sum[:]))
	} else if err := sameDigest(text, want); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &m.refs); err != nil {
		return nil, fmt.Errorf("manifest %s is not JSON: %w", m.digest, err)
	}
	m.mediaType = m.refs.MediaType
	if m.mediaType == "" {
		if parsed, _, err := mime.ParseMediaType(contentType); err == nil {
			m.mediaType = parsed
		}
	}
	return m, m.check()
}

func sameDigest(text []byte, want artifact.Digest) error {
	h := hasher(want)
	h.Write(text)
	if have := hex.EncodeToString(h.Sum(nil)); have != want.Hex() {
		return fmt.Errorf("%w: %s was asked for, what came is %s:%s", errContent, want, want.Algorithm(), have)
	}
	return nil
}

func hasher(d artifact.Digest) hash.Hash {
	if d.Algorithm() == artifact.SHA512 {
		return sha512.New()
	}
	return sha256.New()
}

func (m *manifest) check() error {
	r := m.refs
	image := r.Config != nil || r.Layers != nil || r.Blobs != nil
	if r.Manifests != nil && image {
		// Clients disagree on what such a thing is, so it is nothing.
		return fmt.Errorf("manifest %s is an index and an image at once", m.digest)
	}
	switch m.mediaType {
	case ociIndex, dockerList:
		if image {
			return fmt.Errorf("manifest %s says that it is an index and is an image", m.digest)
		}
	case ociManifest, dockerImage:
		if r.Manifests != nil {
			return fmt.Errorf("manifest %s says that it is an image and is an index", m.digest)
		}
		if r.Config == nil {
			return fmt.Errorf("manifest %s has no config", m.digest)
		}
	case ociArtifact:
	case "application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws":
		return fmt.Errorf("manifest %s is of Docker's schema 1, which registries take no more: build the image anew", m.digest)
	default:
		return fmt.Errorf("manifest %s is a %q, which is no kind of manifest that can be copied", m.digest, m.mediaType)
	}
	for _, d := range slices.Concat(m.content(), r.Manifests) {
		if err := checkDescriptor(d); err != nil {
			return fmt.Errorf("manifest %s: %w", m.digest, err)
		}
	}
	if r.Subject != nil {
		if err := checkDescriptor(*r.Subject); err != nil {
			return fmt.Errorf("manifest %s: its subject: %w", m.digest, err)
		}
	}
	return nil
}

func checkDescriptor(d descriptor) error {
	if _, err := artifact.ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("%s has the size %d", d.Digest, d.Size)
	}
	return nil
}

// content returns what an image consists of besides the manifest, each once.
func (m *manifest) content() []descriptor {
	var all []descriptor
	seen := map[artifact.Digest]bool{}
	add := func(list ...descriptor) {
		for _, d := range list {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				all = append(all, d)
			}
		}
	}
	if m.refs.Config != nil {
		add(*m.refs.Config)
	}
	add(m.refs.Layers...)
	add(m.refs.Blobs...)
	return all
}

// children returns the images of an index, each once.
func (m *manifest) children() []descriptor {
	var all []descriptor
	for _, d := range m.refs.Manifests {
		if !slices.ContainsFunc(all, func(o descriptor) bool { return o.Digest == d.Digest }) {
			all = append(all, d)
		}
	}
	return all
}

var errDepth = errors.New("an index within an index within an index is too deep")
