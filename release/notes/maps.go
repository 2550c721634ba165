package notes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Map is an editor's change to the note of one pull request: one document of a
// note map in the form of Kubernetes' release team. A field that is nil leaves
// the note's own value.
type Map struct {
	PR     int    `yaml:"pr"`
	Commit string `yaml:"commit"`
	Note   struct {
		Text           *string  `yaml:"text"`
		Documentation  []Doc    `yaml:"documentation"`
		Author         *string  `yaml:"author"`
		Areas          []string `yaml:"areas"`
		Kinds          []string `yaml:"kinds"`
		SIGs           []string `yaml:"sigs"`
		Feature        *bool    `yaml:"feature"`
		ActionRequired *bool    `yaml:"action_required"`
		DoNotPublish   *bool    `yaml:"do_not_publish"`
	} `yaml:"releasenote"`
	DataFields map[string]any `yaml:"datafields"`
	PRBody     *string        `yaml:"pr_body"` // what the body was when the map was made
}

// ParseMaps reads a map file, which may hold several documents. It is lenient
// where real files are irregular: empty documents are passed over and unknown
// fields reported as warnings, each with its line. A document that names no
// pull request, or no YAML at all, is an error.
func ParseMaps(name string, data []byte) (maps []Map, warnings []string, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return maps, warnings, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("note map %s: %w", name, err)
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue
		}
		var m Map
		if err := doc.Decode(&m); err != nil {
			return nil, nil, fmt.Errorf("note map %s: %w", name, err)
		}
		if m.PR <= 0 {
			return nil, nil, fmt.Errorf("note map %s:%d: no pull request is named; write pr: NUMBER", name, doc.Content[0].Line)
		}
		top := doc.Content[0]
		warnings = append(warnings, unknown(name, top, "pr", "commit", "releasenote", "datafields", "pr_body")...)
		if note := value(top, "releasenote"); note != nil {
			warnings = append(warnings, unknown(name, note, "text", "documentation", "author", "areas", "kinds", "sigs", "feature", "action_required", "do_not_publish")...)
		}
		maps = append(maps, m)
	}
}

// unknown reports the keys of a mapping that are none of the known.
func unknown(name string, mapping *yaml.Node, known ...string) []string {
	var warnings []string
	for i := 0; mapping.Kind == yaml.MappingNode && i < len(mapping.Content); i += 2 {
		if key := mapping.Content[i]; !slices.Contains(known, key.Value) {
			warnings = append(warnings, fmt.Sprintf("%s:%d: unknown field %q has no effect", name, key.Line, key.Value))
		}
	}
	return warnings
}

func value(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// Apply changes the notes as the maps say, later maps after earlier ones, and
// renders their lines anew. A map may withdraw a note (do_not_publish); it keeps
// its SIGs unless it names others. Maps of pull requests that have no note are
// returned, because an editor would want to know that they did nothing.
func Apply(list []Note, maps []Map) (changed []Note, idle []Map) {
	changed = slices.Clone(list)
	for _, m := range maps {
		i := slices.IndexFunc(changed, func(n Note) bool { return n.PRNumber == m.PR && (m.Commit == "" || m.Commit == n.Commit) })
		if i < 0 {
			idle = append(idle, m)
			continue
		}
		m.apply(&changed[i])
	}
	return changed, idle
}

func (m Map) apply(n *Note) {
	set(&n.Text, m.Note.Text)
	set(&n.Author, m.Note.Author)
	set(&n.ActionRequired, m.Note.ActionRequired)
	set(&n.DoNotPublish, m.Note.DoNotPublish)
	for to, from := range map[*[]string][]string{&n.Areas: m.Note.Areas, &n.Kinds: m.Note.Kinds, &n.SIGs: m.Note.SIGs} {
		if from != nil {
			*to = slices.Clone(from)
		}
	}
	if m.Note.Documentation != nil {
		n.Documentation = slices.Clone(m.Note.Documentation)
	}
	n.complete()
	set(&n.Feature, m.Note.Feature)
	n.Mapped = true
}

// set changes a value if another is given.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
