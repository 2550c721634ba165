package registry

import (
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"seaworthy/artifact"
)

// Media types of manifests that the registry knows by name.
const (
	typeImage        = "application/vnd.oci.image.manifest.v1+json"
	typeIndex        = "application/vnd.oci.image.index.v1+json"
	typeDockerImage  = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerList   = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerSchemaOne  = "application/vnd.docker.distribution.manifest.v1"
	nondistributable = "application/vnd.oci.image.layer.nondistributable.v1."
	dockerForeign    = "application/vnd.docker.image.rootfs.foreign.diff."
)

// typeGrammar is what a manifest's media type must look like. It comes from
// whoever pushes and goes to whoever reads, so nothing that a browser would
// show is let in.
var typeGrammar = regexp.MustCompile(`^application/([a-zA-Z0-9][a-zA-Z0-9!#$&^_.-]*\+)?json$`)

// descriptor points at content.
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       artifact.Digest   `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// foreign content is fetched from elsewhere and need not be here.
func (d descriptor) foreign() bool {
	return strings.HasPrefix(d.MediaType, nondistributable) || strings.HasPrefix(d.MediaType, dockerForeign)
}

// manifest is what the registry needs to know of one: what it names. Fields it
// does not know stay in the bytes, which are kept as they came.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        *[]descriptor     `json:"layers"`
	Blobs         []descriptor      `json:"blobs"` // of artifact manifests, which never became a standard
	Manifests     *[]descriptor     `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`

	mediaType string       // as it is served
	blobs     []descriptor // that must be in the repository
	children  []descriptor // manifests that must be there
	warnings  []string     // for whoever pushed it
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, codeManifestInvalid, format, args...)
}

// parseManifest reads a manifest that came with a Content-Type, which may be
// empty if the manifest says what it is.
func parseManifest(contentType string, text []byte) (*manifest, error) {
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, invalid("the manifest is no JSON object of the expected form: %v", err)
	}
	if err := m.setType(contentType); err != nil {
		return nil, err
	}
	if err := m.checkShape(); err != nil {
		return nil, err
	}
	if m.Config != nil {
		m.blobs = append(m.blobs, *m.Config)
	}
	if m.Layers != nil {
		m.blobs = append(m.blobs, *m.Layers...)
	}
	m.blobs = append(m.blobs, m.Blobs...)
	if m.Manifests != nil {
		m.children = *m.Manifests
	}
	for _, all := range [][]descriptor{m.blobs, m.children} {
		for _, d := range all {
			if err := d.check(); err != nil {
				return nil, err
			}
			if d.foreign() {
				m.warnings = append(m.warnings, "the layer "+string(d.Digest)+" is of a type that is fetched from elsewhere; pushing such layers is out of use")
			}
		}
	}
	if m.Subject != nil {
		if err := m.Subject.check(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (d descriptor) check() error {
	if _, err := artifact.ParseDigest(string(d.Digest)); err != nil {
		return invalid("the manifest names something by a digest that is none: %v", err)
	}
	if d.Size < 0 {
		return invalid("the manifest says that %s has %d bytes", d.Digest, d.Size)
	}
	return nil
}

// setType finds out what the manifest is. What it says and what the client
// says must agree: a manifest that is read in two ways is two images.
func (m *manifest) setType(contentType string) error {
	claimed := ""
	if contentType != "" {
		parsed, _, err := mime.ParseMediaType(contentType)
		if err != nil {
			return invalid("Content-Type %q is none: %v", contentType, err)
		}
		// Programs that know no better send these for any body.
		if parsed != "application/json" && parsed != "application/octet-stream" && parsed != "application/x-www-form-urlencoded" {
			claimed = parsed
		}
	}
	switch {
	case m.MediaType != "" && claimed != "" && !strings.EqualFold(m.MediaType, claimed):
		return invalid("the manifest says that it is %s, the request that it is %s", m.MediaType, claimed)
	case m.MediaType != "":
		m.mediaType = m.MediaType
	case claimed != "":
		m.mediaType = claimed
	case m.Manifests != nil:
		m.mediaType = typeIndex
	case m.Config != nil:
		m.mediaType = typeImage
	default:
		return invalid("neither the manifest nor the request says what it is: set mediaType")
	}
	if m.MediaType == "" {
		m.warnings = append(m.warnings, "the manifest has no mediaType; it is taken for "+m.mediaType)
	}
	if !typeGrammar.MatchString(m.mediaType) || len(m.mediaType) > 255 {
		return invalid("%q cannot be the media type of a manifest: write application/…+json", m.mediaType)
	}
	if strings.HasPrefix(m.mediaType, dockerSchemaOne) {
		return invalid("manifests of Docker's first schema are not taken: push the image with a client of this decade")
	}
	return nil
}

// checkShape refuses a manifest without what its type needs, or with what
// another type would read.
func (m *manifest) checkShape() error {
	if m.Manifests != nil && (m.Layers != nil || m.Config != nil) {
		return invalid("the manifest has manifests and config or layers too: it must be an index or an image")
	}
	switch m.mediaType {
	case typeImage, typeDockerImage:
		if m.Config == nil || m.Manifests != nil {
			return invalid("an image's manifest needs config and layers")
		}
	case typeIndex, typeDockerList:
		if m.Manifests == nil {
			return invalid("an index needs manifests")
		}
	default:
		return nil // not ours to judge
	}
	if m.SchemaVersion != 2 {
		return invalid("schemaVersion is %d, 2 is expected", m.SchemaVersion)
	}
	return nil
}

// entry is the manifest among the referrers of its subject.
func (m *manifest) entry(d artifact.Digest, size int64) ([]byte, error) {
	e := descriptor{MediaType: m.mediaType, Digest: d, Size: size, ArtifactType: m.ArtifactType, Annotations: m.Annotations}
	if e.ArtifactType == "" && m.Config != nil {
		e.ArtifactType = m.Config.MediaType
	}
	return json.Marshal(e)
}
