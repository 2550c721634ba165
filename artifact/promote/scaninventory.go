package promote

import (
	"bytes"

	"seaworthy/artifact"
)

// scanInventory reads an inventory as programs write it, JSON without escapes.
// Mirrors hold the same images: what an image's braces hold is read once and
// shared. ok is false where the text holds anything else, wrong or right, for
// encoding/json to look at.
func scanInventory(text []byte) (v *Inventory, ok bool) {
	s := inventoryScanner{rest: text, known: map[string]*holding{}}
	v = NewInventory()
	ok = s.object(func(registry string) bool {
		return s.object(func(image string) bool {
			repository := repositoryOf(registry, image)
			if v.repositories[repository] != nil {
				return false // written in two ways: to be joined
			}
			h := s.holding()
			v.repositories[repository] = h
			return h != nil
		})
	})
	return v, ok && len(bytes.TrimLeft(s.rest, blanks)) == 0
}

const blanks = " \t\r\n"

// inventoryScanner is what is left of a text, and the braces seen.
type inventoryScanner struct {
	rest  []byte
	known map[string]*holding // by what is inside the braces
}

// next takes a character that stands next.
func (s *inventoryScanner) next(c byte) bool {
	s.rest = bytes.TrimLeft(s.rest, blanks)
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text takes a string.
func (s *inventoryScanner) text() (string, bool) {
	if !s.next('"') {
		return "", false
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		return "", false
	}
	for _, c := range s.rest[:end] {
		if c < ' ' || c > '~' || c == '\\' {
			return "", false
		}
	}
	text := string(s.rest[:end])
	s.rest = s.rest[end+1:]
	return text, true
}

// object takes an object; value takes the value of each key.
func (s *inventoryScanner) object(value func(key string) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		key, ok := s.text()
		if !ok || !s.next(':') || !value(key) {
			return false
		}
		if !s.next(',') {
			return s.next('}')
		}
	}
}

// holding takes the digests of an image, nil if it cannot.
func (s *inventoryScanner) holding() *holding {
	s.rest = bytes.TrimLeft(s.rest, blanks)
	end := bytes.IndexByte(s.rest, '}')
	if end < 0 {
		return nil
	}
	inside := s.rest[:end+1]
	if bytes.Count(inside, []byte{'"'})%2 != 0 {
		return nil // the brace is part of a string
	}
	if h := s.known[string(inside)]; h != nil {
		h.shared = true
		s.rest = s.rest[end+1:]
		return h
	}
	h := &holding{digests: map[artifact.Digest]bool{}, tags: map[string]artifact.Digest{}}
	if !s.object(func(digest string) bool {
		if h.digests[artifact.Digest(digest)] {
			return false
		}
		h.digests[artifact.Digest(digest)] = true
		return s.tags(h, artifact.Digest(digest))
	}) {
		return nil
	}
	s.known[string(inside)] = h
	return h
}

// tags takes the tags of a digest. A tag on two digests is for the other reader
// to complain of.
func (s *inventoryScanner) tags(h *holding, digest artifact.Digest) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for {
		tag, ok := s.text()
		if have, taken := h.tags[tag]; !ok || taken && have != digest {
			return false
		}
		h.tags[tag] = digest
		if !s.next(',') {
			return s.next(']')
		}
	}
}
