package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"seaworthy/artifact"
)

// Types of statements. Both are read, the second is written.
const (
	StatementV01 = "https://in-toto.io/Statement/v0.1"
	StatementV1  = "https://in-toto.io/Statement/v1"
)

// PayloadType is the media type of a statement in a signed envelope (DSSE).
const PayloadType = "application/vnd.in-toto+json"

// What is read at most: a statement about every file of a large release has
// some thousand subjects and well under a megabyte.
const (
	MaxSize     = 32 << 20 // bytes of a statement, predicate included
	maxSubjects = 50_000
	maxDigests  = 16 // of one subject
)

// Statement says one thing, the predicate, about its subjects.
type Statement struct {
	Type          string          `json:"_type"`
	Subjects      []Resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate,omitempty"`
}

// Resource describes a file, an image, a commit: whatever has a name or an
// address, and digests. Digest maps an algorithm (sha256, sha512, gitCommit) to
// lower-case hex. It is in-toto's ResourceDescriptor.
type Resource struct {
	Name             string            `json:"name,omitempty"`
	URI              string            `json:"uri,omitempty"`
	Digest           map[string]string `json:"digest,omitempty"`
	Content          []byte            `json:"content,omitempty"`
	DownloadLocation string            `json:"downloadLocation,omitempty"`
	MediaType        string            `json:"mediaType,omitempty"`
	Annotations      map[string]any    `json:"annotations,omitempty"`
}

// label is how a resource is spoken of.
func (r Resource) label() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.URI != "":
		return r.URI
	}
	for _, alg := range slices.Sorted(maps.Keys(r.Digest)) {
		return alg + ":" + r.Digest[alg]
	}
	return "without a name"
}

// String writes a resource for people: its name or address, and a digest.
func (r Resource) String() string {
	for _, alg := range []string{"gitCommit", "sha256", "sha512", "sha1"} {
		if d := r.Digest[alg]; d != "" && r.Name+r.URI != "" {
			return r.label() + " (" + alg + ":" + d + ")"
		}
	}
	return r.label()
}

// Subjects makes subjects of files, with both of their digests, in order of name.
func Subjects(files ...artifact.Artifact) []Resource {
	list := make([]Resource, 0, len(files))
	for _, f := range files {
		list = append(list, Resource{Name: f.Name, Digest: map[string]string{"sha256": f.SHA256, "sha512": f.SHA512}})
	}
	sortResources(list)
	return list
}

// Image makes a subject of an image: its name without tag or digest, such as
// registry.example.org/halyard, and the digest of its manifest or index.
func Image(name string, digest artifact.Digest) Resource {
	return Resource{Name: name, Digest: map[string]string{string(digest.Algorithm()): digest.Hex()}}
}

func sortResources(list []Resource) {
	slices.SortStableFunc(list, func(a, b Resource) int {
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		return strings.Compare(a.label(), b.label())
	})
}

// New makes a statement v1. The predicate is anything that encodes as a JSON
// object; bytes are taken to be one already.
func New(subjects []Resource, predicateType string, predicate any) (Statement, error) {
	raw, ok := predicate.(json.RawMessage)
	if !ok {
		text, err := encode(predicate)
		if err != nil {
			return Statement{}, fmt.Errorf("predicate %s: %w", predicateType, err)
		}
		raw = text
	}
	s := Statement{Type: StatementV1, Subjects: slices.Clone(subjects), PredicateType: predicateType, Predicate: raw}
	sortResources(s.Subjects)
	return s, s.Validate()
}

// Encode writes the statement as compact JSON. The same statement always gives
// the same bytes: keys of the predicate are sorted, subjects ordered.
func (s Statement) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s.Subjects = slices.Clone(s.Subjects)
	sortResources(s.Subjects)
	var predicate any
	if err := decodeNumbers(s.Predicate, &predicate); err != nil {
		return nil, fmt.Errorf("predicate %s: %w", s.PredicateType, err)
	}
	var err error
	if s.Predicate, err = encode(predicate); err != nil {
		return nil, fmt.Errorf("predicate %s: %w", s.PredicateType, err)
	}
	return encode(s)
}

// encode writes compact JSON that keeps <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeNumbers reads JSON and keeps numbers as they are written.
func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

// Read reads a statement v0.1 or v1. Fields it does not know are passed over, as
// in-toto asks of readers.
func Read(data []byte) (Statement, error) {
	var s Statement
	if len(data) > MaxSize {
		return s, fmt.Errorf("a statement of %d bytes: at most %d are read", len(data), MaxSize)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&s); err != nil {
		return Statement{}, fmt.Errorf("not a statement: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Statement{}, errors.New("something follows the statement")
	}
	if err := s.Validate(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// Validate reports a statement that says nothing certain: of an unknown type,
// without subjects, or with a subject that no digest pins down.
func (s Statement) Validate() error {
	switch {
	case s.Type != StatementV1 && s.Type != StatementV01:
		return fmt.Errorf("statement: _type is %q: %s and %s are known", s.Type, StatementV1, StatementV01)
	case s.PredicateType == "":
		return errors.New("statement: predicateType is missing")
	case len(s.Subjects) == 0:
		return errors.New("statement: it has no subject")
	case len(s.Subjects) > maxSubjects:
		return fmt.Errorf("statement: it has %d subjects, at most %d are read", len(s.Subjects), maxSubjects)
	case len(s.Predicate) > 0 && !isObject(s.Predicate):
		return errors.New("statement: the predicate is not a JSON object")
	}
	for i, r := range s.Subjects {
		if err := r.checkDigests(); err != nil {
			return fmt.Errorf("statement: subject %d, %s: %w", i+1, r.label(), err)
		}
	}
	return nil
}

func isObject(raw json.RawMessage) bool {
	text := bytes.TrimSpace(raw)
	return len(text) > 1 && text[0] == '{' && text[len(text)-1] == '}' && json.Valid(text)
}

// lengths of digests in hex digits. Others are passed on unchecked, because new
// algorithms come.
func digestLength(algorithm string) int {
	switch algorithm {
	case "sha256", "gitBlob256":
		return 64
	case "sha384":
		return 96
	case "sha512":
		return 128
	case "sha1":
		return 40
	}
	return 0
}

func (r Resource) checkDigests() error {
	if len(r.Digest) == 0 {
		return errors.New("it has no digest")
	}
	if len(r.Digest) > maxDigests {
		return fmt.Errorf("it has %d digests, at most %d are read", len(r.Digest), maxDigests)
	}
	for _, alg := range slices.Sorted(maps.Keys(r.Digest)) {
		sum := r.Digest[alg]
		if sum == "" {
			return fmt.Errorf("its %s digest is empty", alg)
		}
		if strings.Trim(sum, "0123456789abcdef") != "" {
			if digestLength(alg) > 0 {
				return fmt.Errorf("its %s digest is not lower-case hex", alg)
			}
			continue
		}
		if n := digestLength(alg); n > 0 && len(sum) != n {
			return fmt.Errorf("its %s digest has %d digits, %d are expected", alg, len(sum), n)
		}
	}
	return nil
}

// Covers reports whether a subject has the digest.
func (s Statement) Covers(d artifact.Digest) bool {
	return slices.ContainsFunc(s.Subjects, func(r Resource) bool {
		return r.Digest[string(d.Algorithm())] == d.Hex() && d.Hex() != ""
	})
}

// Empty reports a predicate that says nothing: absent, null or {}.
func (s Statement) Empty() bool {
	text := strings.Join(strings.Fields(string(s.Predicate)), "")
	return text == "" || text == "null" || text == "{}"
}
