package promote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var inventories = []string{
	`{}`, `{"h": {}}`, ` { "h" : { "a" : { } , "b/c" : { "sha256:1" : [ ] , "sha256:2" : [ "v1" , "v2" ] } } } `,
	`{"us":{"a":{"sha256:1":["v1"]}},"eu":{"a":{"sha256:1":["v1"]},"b":{"sha256:1":["v1"]}}}`,
	`{"h":{"a":{"sha256:1":["v1","v1"]}},"g":{"a":{}}}`,
}

// oddInventories are for the other reader, which may take them or not.
var oddInventories = []string{
	``, `{`, `{}x`, `[]`, `{"h":1}`, `{"h":{"a":[]}}`, `{"h":{"a":{"d":null}}}`, `{"h":{"a":{"d":["v}"]}}}`, `{"h":{"a":{"d":["v\u0031"]}}}`,
	`{"h":{"a":{"d":["v"]}},"h":{"a":{"d":[]}}}`, `{"h":{"p/a":{}},"h/p":{"a":{}}}`, `{"h":{"a":{"d":["v"],"e":["v"]}}}`, `{"h":{"a":{"d":["v"],"d":[]}}}`,
	`{"h":{"a":{"d":["v",]}}}`, `{"h":{"a":{"d":["v"]},}}`, `{"h":{"a":{"d":["v"`, `{"h":{"a":{"d`, `{"h":{"a" {}}}`,
}

func decoded(text string) (*Inventory, error) {
	v := NewInventory()
	return v, v.readJSON([]byte(text))
}

var bare = cmp.Options{cmp.AllowUnexported(Inventory{}, holding{}), cmpopts.IgnoreFields(holding{}, "shared")}

func TestScanInventoryReadsWhatTheDecoderReads(t *testing.T) {
	t.Parallel()
	for _, text := range inventories {
		have, ok := scanInventory([]byte(text))
		want, err := decoded(text)
		if !ok || err != nil {
			t.Errorf("%s: %v, %v", text, ok, err)
			continue
		}
		if diff := cmp.Diff(want, have, bare); diff != "" {
			t.Errorf("%s: want -, have +:\n%s", text, diff)
		}
	}
	for _, text := range oddInventories {
		if v, ok := scanInventory([]byte(text)); ok {
			t.Errorf("%s was read as %v", text, v)
		}
	}
}

func TestSharedHoldingsAreCopiedBeforeTheyChange(t *testing.T) {
	t.Parallel()
	v, ok := scanInventory([]byte(`{"us":{"a":{"sha256:1":["v1"]}},"eu":{"a":{"sha256:1":["v1"]}},"as":{"a":{"sha256:1":["v1"]}}}`))
	if !ok {
		t.Fatal("not read")
	}
	v.Add("eu/a", "sha256:2", "v1")
	for repository, want := range map[string]string{"us/a": "sha256:1", "eu/a": "sha256:2", "as/a": "sha256:1"} {
		if have, _ := v.Tag(repository, "v1"); string(have) != want {
			t.Errorf("%s has v1 on %s, want %s", repository, have, want)
		}
	}
	if v.Has("us/a", "sha256:2") || !v.Has("eu/a", "sha256:1") {
		t.Error("mirrors share what one of them was given")
	}
}

func FuzzScanInventory(f *testing.F) {
	for _, text := range append(inventories, oddInventories...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		have, ok := scanInventory([]byte(text))
		if !ok {
			return
		}
		want, err := decoded(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have, bare); diff != "" {
			t.Errorf("want -, have +:\n%s", diff)
		}
	})
}
