package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ManifestFile is the name under which a manifest is stored beside its artifacts.
const ManifestFile = "manifest.json"

// Manifest lists everything one build of a release holds.
type Manifest struct {
	Name         string     `json:"name"`                    // of the project, as in its archives
	Version      string     `json:"version"`                 // with its prefix
	BuildVersion string     `json:"build_version,omitempty"` // the stage it came from
	Commit       string     `json:"commit"`
	CommitTime   time.Time  `json:"commit_time,omitzero"`
	Artifacts    []Artifact `json:"artifacts"`
}

var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Validate reports a manifest that cannot stand for a release.
func (m Manifest) Validate() error {
	if err := CheckName(m.Name); err != nil {
		return fmt.Errorf("manifest: name: %w", err)
	}
	if m.Version == "" {
		return errors.New("manifest: no version")
	}
	if !commitID.MatchString(m.Commit) {
		return fmt.Errorf("manifest: %q is not a full commit id", m.Commit)
	}
	if y := m.CommitTime.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("manifest: the commit time is in the year %d", y)
	}
	seen := map[string]bool{}
	for _, a := range m.Artifacts {
		if err := a.Validate(); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if seen[a.Name] {
			return fmt.Errorf("manifest: %s is listed twice", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

// Find returns the artifact of that name.
func (m Manifest) Find(name string) (Artifact, bool) {
	for _, a := range m.Artifacts {
		if a.Name == name {
			return a, true
		}
	}
	return Artifact{}, false
}

// Encode writes the manifest as indented JSON, artifacts sorted by name and
// times in UTC, so that the same manifest is always the same bytes. It refuses
// an invalid one.
func (m Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	m.Artifacts = append([]Artifact{}, m.Artifacts...)
	Sort(m.Artifacts)
	if !m.CommitTime.IsZero() {
		m.CommitTime = m.CommitTime.UTC()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encoding the manifest of %s %s: %w", m.Name, m.Version, err)
	}
	return b.Bytes(), nil
}

// DecodeManifest reads what Encode wrote and refuses unknown fields, anything
// after the manifest, and whatever Validate refuses.
func DecodeManifest(data []byte) (Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var m Manifest
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("reading a manifest: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, errors.New("reading a manifest: something follows it")
	}
	return m, m.Validate()
}

// Diff says in what two manifests' artifacts differ, by name; nothing if they
// hold the same bytes. It is what a rebuild is compared with.
func Diff(a, b []Artifact) []string {
	byName := map[string][2]*Artifact{}
	for side, list := range [][]Artifact{a, b} {
		for i := range list {
			pair := byName[list[i].Name]
			pair[side] = &list[i]
			byName[list[i].Name] = pair
		}
	}
	var diffs []string
	for name, pair := range byName {
		switch x, y := pair[0], pair[1]; {
		case y == nil:
			diffs = append(diffs, name+": only in the first")
		case x == nil:
			diffs = append(diffs, name+": only in the second")
		case x.Size != y.Size || x.SHA256 != y.SHA256 || x.SHA512 != y.SHA512:
			diffs = append(diffs, fmt.Sprintf("%s: %d bytes sha256 %s, then %d bytes sha256 %s", name, x.Size, x.SHA256, y.Size, y.SHA256))
		}
	}
	slices.SortFunc(diffs, strings.Compare)
	return diffs
}
