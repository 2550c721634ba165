// Package octokit_test holds the embedded forge to what GitHub publishes: its
// OpenAPI description, its webhook schemas and its example payloads. They come
// as npm packages, pinned by package-lock.json beside this file.
package octokit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	openAPIFile  = "openapi/generated/api.github.com.json"
	webhooksFile = "webhooks-schemas/schema.json"
	examplesFile = "webhooks-examples/api.github.com/index.json"
)

// data reads one of GitHub's files as JSON. Without the npm packages the test
// is skipped, and fails where everything has to be there.
func data(t *testing.T, name string) any {
	t.Helper()
	f, err := os.Open(filepath.Join("node_modules", "@octokit", filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		const why = "skipped: needs GitHub's schemas, run make setup"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return doc
}

// schemas compiles parts of one document on demand.
type schemas struct {
	url string
	doc map[string]any

	mu       sync.Mutex // the compiler serves one caller at a time
	compiler *jsonschema.Compiler
}

func load(t *testing.T, name string, draft *jsonschema.Draft) *schemas {
	t.Helper()
	doc, ok := data(t, name).(map[string]any)
	if !ok {
		t.Fatalf("%s is not an object", name)
	}
	s := &schemas{url: "file:///" + name, doc: doc, compiler: jsonschema.NewCompiler()}
	s.compiler.DefaultDraft(draft)
	s.compiler.AssertFormat()
	s.compiler.RegisterFormat(&jsonschema.Format{Name: "uri-template", Validate: uriTemplate})
	return s
}

// template is RFC 6570 as far as GitHub uses it. The library's own check knows
// the simple form {name} only.
var template = regexp.MustCompile(`^[^{}\s]*(\{[/?+&]?[a-z_]+(,[a-z_]+)*\}[^{}\s]*)*$`)

func uriTemplate(v any) error {
	if text, ok := v.(string); ok && !template.MatchString(text) {
		return fmt.Errorf("%q is not a URI template", text)
	}
	return nil
}

// nullAfterAll are fields that GitHub sends as null where its description says
// text, and says otherwise in its other descriptions of the same thing.
var nullAfterAll = []string{
	"/components/schemas/pull-request-simple/properties/labels/items/properties/description",
}

// openAPI loads the description of the REST API. OpenAPI 3.0 has a dialect of
// JSON Schema of its own, in which "nullable" stands for the type null.
func openAPI(t *testing.T) *schemas {
	t.Helper()
	s := load(t, openAPIFile, jsonschema.Draft7)
	for _, pointer := range nullAfterAll {
		node, ok := s.at(pointer)
		if !ok {
			t.Fatalf("%s has no %s", openAPIFile, pointer)
		}
		node["nullable"] = true
	}
	nullable(s.doc)
	if err := s.compiler.AddResource(s.url, s.doc); err != nil {
		t.Fatal(err)
	}
	return s
}

// since are fields that GitHub sends since the schemas of its payloads were last
// published, by the place that forbids them. Its OpenAPI description has them.
var since = map[string][]string{
	"/definitions/release":       {"immutable", "updated_at"},
	"/definitions/release-asset": {"digest"},
	"/definitions/status$event/properties/commit/properties/commit/properties/verification": {"verified_at"},
}

// webhooks loads the schemas of the payloads.
func webhooks(t *testing.T) *schemas {
	t.Helper()
	s := load(t, webhooksFile, jsonschema.Draft7)
	for pointer, fields := range since {
		node, ok := s.at(pointer + "/properties")
		if !ok {
			t.Fatalf("%s has no %s/properties", webhooksFile, pointer)
		}
		for _, field := range fields {
			node[field] = true
		}
	}
	if err := s.compiler.AddResource(s.url, s.doc); err != nil {
		t.Fatal(err)
	}
	return s
}

// nullable rewrites, in place, every schema that is nullable.
func nullable(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			nullable(item)
		}
	case map[string]any:
		for _, item := range v {
			nullable(item)
		}
		if v["nullable"] != true {
			return
		}
		delete(v, "nullable")
		if kind, ok := v["type"].(string); ok && v["enum"] == nil && v["allOf"] == nil && v["anyOf"] == nil && v["oneOf"] == nil {
			v["type"] = []any{kind, "null"}
			return
		}
		plain := maps.Clone(v)
		clear(v)
		v["anyOf"] = []any{plain, map[string]any{"type": "null"}}
	}
}

// check validates a value against the schema at a JSON pointer.
func (s *schemas) check(pointer string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	s.mu.Lock()
	schema, err := s.compiler.Compile(s.url + "#" + pointer)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the schema at %s cannot be used: %w", pointer, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("against %s: %w", pointer, err)
	}
	return nil
}

// responseSchema finds the schema of an answer; an empty one means that the
// answer has no body.
func (s *schemas) responseSchema(method, path string, status int) (pointer string, err error) {
	pointer = fmt.Sprintf("/paths/%s/%s/responses/%d", escapePointer(path), strings.ToLower(method), status)
	node, ok := s.at(pointer)
	if !ok {
		return "", fmt.Errorf("GitHub's description has no answer %d to %s %s", status, method, path)
	}
	for {
		ref, ok := node["$ref"].(string)
		if !ok {
			break
		}
		pointer = strings.TrimPrefix(ref, "#")
		if node, ok = s.at(pointer); !ok {
			return "", fmt.Errorf("GitHub's description refers to %s, which is not there", ref)
		}
	}
	for _, media := range []string{"application/json", "application/json+oauth"} {
		if _, ok := s.at(pointer + "/content/" + escapePointer(media)); ok {
			return pointer + "/content/" + escapePointer(media) + "/schema", nil
		}
	}
	return "", nil
}

func (s *schemas) at(pointer string) (map[string]any, bool) {
	node := s.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(part)
		next, ok := node[part].(map[string]any)
		if !ok {
			return nil, false
		}
		node = next
	}
	return node, true
}

// escapePointer writes a key for a JSON pointer in a URL's fragment.
func escapePointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}

// payloadSchema finds the schema of a webhook's payload.
func (s *schemas) payloadSchema(kind string, body []byte) (string, error) {
	var head struct{ Action string }
	if err := json.Unmarshal(body, &head); err != nil {
		return "", err
	}
	name := kind + "$" + head.Action
	if head.Action == "" {
		name = kind + "$event"
	}
	definitions, ok := s.doc["definitions"].(map[string]any)
	if !ok || definitions[name] == nil {
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(definitions)), func(n string) bool { return !strings.HasPrefix(n, kind+"$") })
		return "", fmt.Errorf("there is no payload %s; GitHub has %v", name, known)
	}
	return "/definitions/" + name, nil
}

// described finds the OpenAPI description of a webhook's payload, which is a
// second and newer word on the same thing.
func (s *schemas) described(kind string, body []byte) (string, error) {
	var head struct{ Action string }
	if err := json.Unmarshal(body, &head); err != nil {
		return "", err
	}
	name := kind
	if head.Action != "" {
		name += "-" + head.Action
	}
	name = strings.ReplaceAll(name, "_", "-")
	pointer := "/x-webhooks/" + name + "/post/requestBody/content/" + escapePointer("application/json") + "/schema"
	if _, ok := s.at(pointer); !ok {
		return "", fmt.Errorf("GitHub describes no webhook %s", name)
	}
	return pointer, nil
}
