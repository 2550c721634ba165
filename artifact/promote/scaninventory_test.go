package promote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
)

var inventories = []string{
	`{}`, `{"h": {}}`, ` { "h" : { "a" : { } , "b/c" : { "sha256:1" : [ ] , "sha256:2" : [ "v1" , "v2" ] } } } `,
	`{"us":{"a":{"sha256:1":["v1"]}},"eu":{"a":{"sha256:1":["v1"]},"b":{"sha256:1":["v1"]}}}`,
	`{"h":{"a":{"sha256:1":["v1","v1"]}},"g":{"a":{}}}`, `{"h":{"a":null,"b":null},"g":null}`, `{"h":{"a":{"d":null}}}`,
	`{"h":{"a":{"d":["v}"]}}}`, `{"h":{"a":{"d":["v\u0031\"}\\"]},"b":{"e":["{"]}}}`, `{"h\u0031":{"ä":{"d":["\\"]}}}`,
	`{"h":{"a":{"d":["v"]}},"h":{"a":{"d":[]}}}`, `{"h":{"p/a":{"d":["v"]}},"h/p":{"a":{"e":["w"]}}}`, `{"h":{"a":{"d":["v"],"d":[]}}}`,
}

// brokenInventories maps what is no inventory to where and why.
var brokenInventories = map[string]string{
	`{`: `1: a registry's name in quotes is expected here, not the end of the file`, "{}\n\x00": `2: the end is expected here, not "\x00"`, `{}x`: `1: the end is expected here, not "x"`,
	`{"h":1}`: `1: { is expected here, not "1"`, "{\"h\":\n{\"a\":[]}}": `2: { is expected here, not "["`, `{"h":{"a":{"d":nul}}}`: `1: [ is expected here, not "n"`,
	`{"h":{"a":{"d":["v"],"e":["v"]}}}`: `1: h/a: tag v is listed with two digests, d and e`, `{"h":{"a":{"d":["v"]}},"h":{"a":{"e":["v"]}}}`: `1: h/a: tag v is listed`,
	`{"h":{"a":{"d":["v",]}}}`: `1: a tag in quotes is expected here, not "]"`, `{"h":{"a":{"d":["v"]},}}`: `1: an image's name in quotes is expected`,
	"{\"h\":{\"a\":{\n\"d\":[\"v\"": `2: the file ends here, and "}" is missing`, `{"h":{"a":{"d`: `1: the file ends here, and "}" is missing`, `{"h`: `1: the file ends here, and "\"" is missing`,
	`{"h":{"a" {}}}`: `1: a colon is expected here, not "{"`, `{"h":{"a":{"d":{"e":[]}}}}`: `1: [ is expected here, not "{"`, "{\"h\":{\"a\tb\":{}}}": `1: an image's name is not a JSON string`,
	`{"h":{"a":{"d":["v"}}}`: `1: a comma or ] is expected here, not "}"`, `{"h":{"a":{"d":[1]}}}`: `1: a tag in quotes is expected here, not "1"`,
}

// linesOf returns the lines repository digest tag of an inventory, sorted.
func linesOf(v *Inventory) []string {
	lines := []string{}
	for repository, h := range v.repositories {
		for _, d := range h.digests {
			lines = append(lines, repository+" "+v.names.known[d])
		}
		for _, p := range h.tags {
			lines = append(lines, repository+" "+v.names.known[p.digest]+" "+v.names.known[p.tag])
		}
	}
	slices.Sort(lines)
	return lines
}

// decoded are the same lines as encoding/json reads them, name after name.
func decoded(text string) ([]string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	found := map[string]bool{}
	err := members(d, func(registry string) error {
		return members(d, func(image string) error {
			repository := repositoryOf(registry, image)
			return members(d, func(digest string) error {
				var tags []string
				if err := d.Decode(&tags); err != nil {
					return err
				}
				found[repository+" "+digest] = true
				for _, t := range tags {
					found[repository+" "+digest+" "+t] = true
				}
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows")
	}
	lines := []string{}
	for l := range found {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return lines, nil
}

func members(d *json.Decoder, each func(name string) error) error {
	if t, err := d.Token(); err != nil || t == nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("%v", t)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := each(name.(string)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func TestInventoriesAreReadAsJSON(t *testing.T) {
	t.Parallel()
	for _, text := range inventories {
		want, err := decoded(text)
		if err != nil {
			t.Fatal(err)
		}
		have, err := ParseInventory("f", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(want, linesOf(have)); diff != "" {
			t.Errorf("%s: want -, have +:\n%s", text, diff)
		}
	}
	for text, want := range brokenInventories {
		if _, err := ParseInventory("f", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "f:"+want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestLongInventories: one longer than what is read at once, with an image that
// is so by itself, and blanks that are.
func TestLongInventories(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("{")
	for r := range 40 {
		fmt.Fprintf(&b, "\n%q: {\n", fmt.Sprint("registry", r))
		for i := range 20 {
			fmt.Fprintf(&b, "%q: {", fmt.Sprint("image", i))
			for d := range 30 + r%3 {
				fmt.Fprintf(&b, "\"sha256:%064d\": [%q],\n", i*1000+d, fmt.Sprint("v", d))
			}
			b.WriteString("\"x\": []},")
		}
		b.WriteString("\"large\": {")
		for d := range 5000 * (r / 39) {
			fmt.Fprintf(&b, "\"sha256:%064x\": [],", d)
		}
		fmt.Fprintf(&b, "\"x\": []}%s},", strings.Repeat(" ", 300_000*(r/39)))
	}
	text := b.String() + `"end": {}}`
	want, err := decoded(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ReadInventory("f", iotest.HalfReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, linesOf(v)); diff != "" {
		t.Errorf("want -, have +:\n%s", diff)
	}
	lines := strings.Count(text, "\n") + 1
	if _, err := ParseInventory("f", []byte(text+"?")); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("f:%d: ", lines)) {
		t.Errorf("%v is not about line %d", err, lines)
	}
	broken := errors.New("the disk is gone")
	if _, err := ReadInventory("f", io.MultiReader(strings.NewReader(text[:len(text)/2]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v is not that the disk is gone", err)
	}
}

func TestAnImageTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader(`{"h":{"a":{"`), endlessText{})
	if _, err := ReadInventory("f", endless); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := ReadInventory("f", endlessText{}); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("%v", err)
	}
}

type endlessText struct{}

func (endlessText) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestSharedHoldingsAreCopiedBeforeTheyChange(t *testing.T) {
	t.Parallel()
	v, err := ParseInventory("f", []byte(`{"us":{"a":{"sha256:1":["v1"]}},"eu":{"a":{"sha256:1":["v1"]}},"as":{"a":{"sha256:1":["v1"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if v.repositories["us/a"] != v.repositories["as/a"] {
		t.Error("what is written twice is held twice")
	}
	v.Add("eu/a", "sha256:2", "v1")
	for repository, want := range map[string]artifact.Digest{"us/a": "sha256:1", "eu/a": "sha256:2", "as/a": "sha256:1"} {
		if have, _ := v.Tag(repository, "v1"); have != want {
			t.Errorf("%s has v1 on %s, want %s", repository, have, want)
		}
	}
	if v.Has("us/a", "sha256:2") || !v.Has("eu/a", "sha256:1") {
		t.Error("mirrors share what one of them was given")
	}
}

// FuzzReadInventory holds the reader to encoding/json: what it takes for JSON,
// both read alike.
func FuzzReadInventory(f *testing.F) {
	for _, text := range inventories {
		f.Add(text)
	}
	for text := range brokenInventories {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := inventoryReader{from: strings.NewReader(text), line: 1, inventory: NewInventory(), known: map[string]*holding{}}
		if !s.looksJSON() {
			return
		}
		s.readJSON()
		want, err := decoded(text)
		if s.err != nil {
			if err == nil && !strings.Contains(s.err.Error(), "with two digests") {
				t.Fatalf("refused: %v", s.err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, linesOf(s.inventory)); diff != "" {
			t.Errorf("want -, have +:\n%s", diff)
		}
	})
}
