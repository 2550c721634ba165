package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is how a bill of materials is written down.
type Format string

// Formats.
const (
	SPDXJSON      Format = "spdx-json"      // SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/
	SPDXTagValue  Format = "spdx-tag-value" // the same as lines of "Tag: value"
	CycloneDXJSON Format = "cyclonedx-json" // CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/
)

// ParseFormat reads a format's name, or one of the short names tools have for it.
func ParseFormat(s string) (Format, error) {
	switch strings.ToLower(s) {
	case "spdx-json", "spdx", "json", "spdxjson", "spdx.json":
		return SPDXJSON, nil
	case "spdx-tag-value", "tag-value", "tagvalue", "spdx-tv", "tv":
		return SPDXTagValue, nil
	case "cyclonedx-json", "cyclonedx", "cdx", "cdx.json":
		return CycloneDXJSON, nil
	}
	return "", fmt.Errorf("%q is not a format of bills of materials: write %s, %s or %s", s, SPDXJSON, SPDXTagValue, CycloneDXJSON)
}

// FormatOf guesses the format from a file's name: .cdx.json, .json, .spdx.
func FormatOf(file string) (Format, bool) {
	name := strings.ToLower(file)
	switch {
	case strings.HasSuffix(name, ".cdx.json"), strings.HasSuffix(name, "bom.json"), strings.Contains(name, "cyclonedx"):
		return CycloneDXJSON, true
	case strings.HasSuffix(name, ".json"):
		return SPDXJSON, true
	case strings.HasSuffix(name, ".spdx"), strings.HasSuffix(name, ".tv"), strings.HasSuffix(name, ".tag"):
		return SPDXTagValue, true
	}
	return "", false
}

// MediaType is what the format is called among media types.
func (f Format) MediaType() string {
	switch f {
	case CycloneDXJSON:
		return "application/vnd.cyclonedx+json"
	case SPDXTagValue:
		return "text/spdx"
	}
	return "application/spdx+json"
}

// Write writes a document, which is brought into its normal form first. What
// Normalize refuses is not written.
func Write(w io.Writer, d Document, f Format) error {
	d = copyOf(d)
	if err := d.Normalize(); err != nil {
		return err
	}
	var err error
	switch f {
	case SPDXJSON:
		err = encodeSPDX(w, d)
	case SPDXTagValue:
		err = encodeTagValue(w, d)
	case CycloneDXJSON:
		err = encodeCycloneDX(w, d)
	default:
		err = fmt.Errorf("%q is not a format of bills of materials", f)
	}
	if err != nil {
		return fmt.Errorf("writing the bill of materials %s: %w", d.Name, err)
	}
	return nil
}

// copyOf copies what Normalize changes in place.
func copyOf(d Document) Document {
	d.Packages, d.Files = slices.Clone(d.Packages), slices.Clone(d.Files)
	d.Relationships, d.Licenses = slices.Clone(d.Relationships), slices.Clone(d.Licenses)
	d.External = slices.Clone(d.External)
	return d
}

func encodeSPDX(w io.Writer, d Document) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(encodable(d))
}

// MaxSize bounds what Read takes, in bytes.
const MaxSize = 256 << 20

// Reading is what Read found.
type Reading struct {
	Document Document
	Format   Format
	Remarks  []string // what was odd in the file, and what the model has no place for
}

// Read reads a document in whichever of the formats it is. It is lenient: other
// tools' irregularities become remarks, not errors; Validate judges them.
func Read(r io.Reader) (Reading, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return Reading{}, fmt.Errorf("reading a bill of materials: %w", err)
	}
	if len(data) > MaxSize {
		return Reading{}, fmt.Errorf("a bill of materials of more than %d MiB is not read", MaxSize>>20)
	}
	return Parse(data)
}

// Parse is Read of bytes at hand.
func Parse(data []byte) (Reading, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	var r reading
	var f Format
	var err error
	switch {
	case len(data) == 0:
		err = errors.New("it is empty")
	case data[0] == '{':
		f, err = r.parseJSON(data, true)
	case data[0] == '<':
		err = errors.New("XML and RDF are not read: convert it to JSON or tag-value")
	default:
		f, err = SPDXTagValue, r.parseTagValue(data)
	}
	if err != nil {
		return Reading{}, fmt.Errorf("reading a bill of materials: %w", err)
	}
	return Reading{Document: r.document, Format: f, Remarks: r.remarks}, nil
}

// parseJSON reads a document, or one that is the predicate of a statement.
func (r *reading) parseJSON(data []byte, outermost bool) (Format, error) {
	var kind struct {
		Version   string          `json:"spdxVersion"`
		BOMFormat string          `json:"bomFormat"`
		Context   json.RawMessage `json:"@context"`
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return "", fmt.Errorf("%w%s", err, lineOf(data, err))
	}
	switch {
	case kind.BOMFormat == "CycloneDX":
		return CycloneDXJSON, r.parseCycloneDX(data)
	case kind.Version != "":
		var in spdxDocument
		if err := json.Unmarshal(data, &in); err != nil {
			return "", fmt.Errorf("%w%s", err, lineOf(data, err))
		}
		r.fromSPDX(in)
		return SPDXJSON, nil
	case bytes.Contains(kind.Context, []byte("spdx.org")):
		return "", errors.New("it is SPDX 3, which is not read: ask for SPDX 2.3 or CycloneDX")
	case len(kind.Predicate) > 0 && outermost:
		return r.parseJSON(kind.Predicate, false)
	}
	return "", errors.New("it has neither spdxVersion nor bomFormat: it is no SPDX and no CycloneDX document")
}

// lineOf tells where JSON went wrong.
func lineOf(data []byte, err error) string {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return ""
	}
	return fmt.Sprintf(" (line %d)", 1+bytes.Count(data[:min(int(offset), len(data))], []byte("\n")))
}
