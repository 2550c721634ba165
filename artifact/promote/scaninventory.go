package promote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// largestImage is how many bytes an inventory may take for the digests of one
// image: more than 500,000 digests. Nothing longer is held as text.
const largestImage = 64 << 20

// rememberedText is how many bytes of text are kept in order to know them when
// they come again. All the images of registry.k8s.io take 2 MB.
const rememberedText = 8 << 20

const blanks = " \t\r\n"

// inventoryReader reads an inventory as programs write it, JSON, and holds
// little more of it than one image. Mirrors hold the same images: what is written
// for an image is read once and shared. The first thing that is wrong is in err,
// and then nothing is taken any more.
type inventoryReader struct {
	from   io.Reader
	buffer []byte // what was read
	at     int    // of the buffer: what was taken
	line   int    // that the buffer starts in
	ended  bool
	err    error

	inventory  *Inventory
	repository string              // that is being read
	scratch    holding             // what is being read of it
	known      map[string]*holding // by what is written for it
	remembered int                 // bytes in known
}

// looksJSON reports whether a text starts as JSON does. YAML may have braces,
// too, but programs that write inventories write JSON.
func (s *inventoryReader) looksJSON() bool {
	s.more()
	rest, brace := bytes.CutPrefix(bytes.TrimLeft(s.buffer, blanks), []byte{'{'})
	rest = bytes.TrimLeft(rest, blanks)
	return brace && (len(rest) == 0 || rest[0] == '"' || rest[0] == '}')
}

// readJSON takes the whole inventory.
func (s *inventoryReader) readJSON() {
	s.object("a registry's name", func(registry string) {
		s.object("an image's name", func(image string) { s.image(repositoryOf(registry, image)) })
	})
	if s.peek(); s.err == nil && s.at < len(s.buffer) {
		s.wrong("the end")
	}
}

// image takes the digests of an image.
func (s *inventoryReader) image(repository string) {
	var inside []byte
	if s.peek() == '{' {
		inside = s.braces()
	}
	if s.err != nil {
		return
	}
	first := s.inventory.repositories[repository] == nil
	if h := s.known[string(inside)]; h != nil && first && inside != nil {
		h.shared = true
		s.inventory.repositories[repository] = h
		s.at += len(inside)
		return
	}
	h := s.inventory.holding(repository)
	s.repository, s.scratch.digests, s.scratch.tags = repository, append(s.scratch.digests[:0], h.digests...), append(s.scratch.tags[:0], h.tags...)
	s.list('{', '}', s.digest)
	h.digests, h.tags = slices.Clone(s.scratch.digests), slices.Clone(s.scratch.tags)
	if first && s.err == nil && inside != nil && s.remembered+len(inside) <= rememberedText {
		s.remembered += len(inside)
		s.known[string(inside)] = h
	}
}

// digest takes a digest and its tags. Most digests were seen before, so none is
// made a string of but in order to be remembered.
func (s *inventoryReader) digest() {
	text := s.quoted("a digest")
	if s.err != nil {
		return
	}
	d := s.inventory.names.number(text)
	if s.colon(); s.err != nil {
		return
	}
	s.scratch.hold(d)
	s.list('[', ']', func() {
		tag := s.quoted("a tag")
		if s.err != nil {
			return
		}
		if clash := s.inventory.point(&s.scratch, s.repository, s.inventory.names.number(tag), d); clash != "" {
			s.fail("%s", clash)
		}
	})
}

// object takes an object; value takes the value of each key.
func (s *inventoryReader) object(key string, value func(key string)) {
	s.list('{', '}', func() {
		name := string(s.quoted(key))
		if s.err == nil {
			s.colon()
		}
		if s.err == nil {
			value(name)
		}
	})
}

func (s *inventoryReader) colon() {
	if !s.take(':') {
		s.wrong("a colon")
	}
}

// list takes what is between two brackets, with commas. Nothing (null) is an
// empty list.
func (s *inventoryReader) list(opening, closing byte, element func()) {
	if s.null() {
		return
	}
	if !s.take(opening) {
		s.wrong(string(opening))
		return
	}
	if s.take(closing) {
		return
	}
	for s.err == nil {
		element()
		if s.take(closing) {
			return
		} else if !s.take(',') {
			s.wrong("a comma or " + string(closing))
		}
	}
}

func (s *inventoryReader) null() bool {
	if s.peek() != 'n' {
		return false
	}
	word := []byte("null")
	for len(s.buffer)-s.at < len(word) && s.more() {
	}
	if !bytes.HasPrefix(s.buffer[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// quoted takes a string. It is good until more is taken.
func (s *inventoryReader) quoted(what string) []byte {
	if s.peek() != '"' {
		s.wrong(what + " in quotes")
		return nil
	}
	end := s.stringEnd(1)
	if s.err != nil {
		return nil
	}
	raw := s.buffer[s.at : s.at+end]
	s.at += end
	if !slices.ContainsFunc(raw, func(c byte) bool { return c < ' ' || c > '~' || c == '\\' }) {
		return raw[1 : end-1]
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		s.fail("%s is not a JSON string: %v", what, err)
	}
	return []byte(text)
}

// stringEnd returns what is behind a string, counted from what was taken; so is
// the place behind its opening quote.
func (s *inventoryReader) stringEnd(inside int) int {
	for {
		quote := s.find('"', inside)
		if s.err != nil {
			return 0
		}
		before := s.buffer[s.at+inside : s.at+quote]
		if (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 {
			return quote + 1
		}
		inside = quote + 1
	}
}

// braces returns what is written up to the first closing brace, without taking
// it. Braces in strings close nothing.
func (s *inventoryReader) braces() []byte {
	for start, from := 0, 0; ; {
		end := s.find('}', from)
		if s.err != nil {
			return nil
		}
		part := s.buffer[s.at+start : s.at+end]
		if bytes.Count(part, []byte{'"'})%2 == 0 && bytes.IndexByte(part, '\\') < 0 {
			return s.buffer[s.at : s.at+end+1]
		}
		// Slowly, string after string.
		for start <= end && s.err == nil {
			quote := bytes.IndexByte(s.buffer[s.at+start:s.at+end], '"')
			if quote < 0 {
				return s.buffer[s.at : s.at+end+1]
			}
			start = s.stringEnd(start + quote + 1)
		}
		from = start
	}
}

// find returns where a character is, at a place or behind it, both counted from
// what was taken.
func (s *inventoryReader) find(c byte, from int) int {
	for s.err == nil {
		if i := bytes.IndexByte(s.buffer[s.at+from:], c); i >= 0 {
			return from + i
		}
		from = len(s.buffer) - s.at
		if !s.more() && s.err == nil {
			s.at = len(s.buffer)
			s.fail("the file ends here, and %q is missing", string(c))
		}
	}
	return 0
}

// peek skips blanks and returns the next character without taking it, 0 at the
// end.
func (s *inventoryReader) peek() byte {
	for s.err == nil {
		for ; s.at < len(s.buffer); s.at++ {
			if c := s.buffer[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return c
			}
		}
		if !s.more() {
			break
		}
	}
	return 0
}

// take takes a character if it stands next.
func (s *inventoryReader) take(c byte) bool {
	if s.peek() != c || s.err != nil {
		return false
	}
	s.at++
	return true
}

// more reads on, and reports whether there was more. What was taken makes room.
func (s *inventoryReader) more() bool {
	if s.ended || s.err != nil {
		return false
	}
	s.line += bytes.Count(s.buffer[:s.at], []byte{'\n'})
	s.buffer = s.buffer[:copy(s.buffer, s.buffer[s.at:])]
	s.at = 0
	if len(s.buffer) >= largestImage {
		s.fail("more than %d MiB are written for one image, which is more than is read", largestImage>>20)
		return false
	}
	if len(s.buffer) > cap(s.buffer)/2 || cap(s.buffer) == 0 {
		s.buffer = slices.Grow(s.buffer, max(256<<10, cap(s.buffer)))
	}
	n, err := io.ReadFull(s.from, s.buffer[len(s.buffer):cap(s.buffer)])
	s.buffer = s.buffer[:len(s.buffer)+n]
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.ended = true
	case err != nil:
		s.err = fmt.Errorf("reading the inventory: %w", err)
	}
	return n > 0
}

// fail says what is wrong at the place that was reached.
func (s *inventoryReader) fail(format string, args ...any) {
	if s.err == nil {
		s.err = inventoryError{s.line + bytes.Count(s.buffer[:s.at], []byte{'\n'}), fmt.Sprintf(format, args...)}
	}
}

// wrong says what was expected where something else stands.
func (s *inventoryReader) wrong(expected string) {
	have := "the end of the file"
	if c := s.peek(); s.at < len(s.buffer) {
		have = fmt.Sprintf("%q", string(rune(c)))
	}
	s.fail("%s is expected here, not %s: an inventory is {registry: {image: {digest: [tags]}}}", expected, have)
}
