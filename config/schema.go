package config

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// schema is the part of JSON Schema (draft 2020-12) that is needed here.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type,omitempty"`
	Const       any                `json:"const,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Minimum     *int               `json:"minimum,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	// Additional is false, or the schema of a mapping's values.
	Additional any `json:"additionalProperties,omitempty"`
}

// Schema returns the JSON schema of seaworthy.yaml. It is generated from the
// types that Parse fills, and checked in as seaworthy.schema.json.
func Schema() []byte {
	root := object(reflect.ValueOf(defaults()))
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.ID = "seaworthy.schema.json"
	root.Title = Name
	root.Description = "How a project is tested, merged and released."
	root.Required = []string{"version"}
	root.Properties["version"].Const = 1
	root.Properties["version"].Default = nil
	// A tree of texts, numbers and maps of them always encodes.
	out, _ := json.MarshalIndent(root, "", "  ")
	return append(out, '\n')
}

func object(v reflect.Value) *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || f.Type == reflect.TypeFor[strict.Lines]() {
			continue
		}
		if f.Anonymous && name == "" {
			maps.Copy(s.Properties, object(v.Field(i)).Properties)
			continue
		}
		p := property(v.Field(i))
		p.Description = f.Tag.Get("doc")
		if enum := f.Tag.Get("enum"); enum != "" {
			p.Enum = strings.Split(enum, ",")
		}
		s.Properties[name] = p
	}
	return s
}

func property(v reflect.Value) *schema {
	if v.Type() == reflect.TypeFor[*yaml.Node]() {
		return &schema{Type: "array", Items: &schema{Type: "object"}}
	}
	var p *schema
	if reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return &schema{Type: "string"}
	}
	switch v.Kind() {
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Struct:
		return object(v)
	case reflect.Slice:
		p = &schema{Type: "array", Items: property(reflect.New(v.Type().Elem()).Elem())}
	case reflect.Map:
		p = &schema{Type: "object", Additional: property(reflect.New(v.Type().Elem()).Elem())}
	case reflect.Int:
		// What has no default may be left at nothing.
		least := min(1, int(v.Int()))
		p = &schema{Type: "integer", Minimum: &least}
	default:
		p = &schema{Type: "string"}
	}
	if !v.IsZero() {
		p.Default = v.Interface()
	}
	return p
}
