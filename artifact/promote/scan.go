package promote

import (
	"strings"

	"seaworthy/artifact"
)

// scan reads a list of images laid out the way nearly all of them are: one name,
// one dmap key, one digest or one tag on a line. It reads the same as a YAML
// parser would and takes a hundredth of the time; ok is false where the text
// holds anything else, wrong or right, for the parser to look at.
func scan(text string) (images []Image, ok bool) {
	s := scanner{seq: -1}
	for line := 1; len(text) > 0; line++ {
		var one string
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			one, text = text[:end], text[end+1:]
		} else {
			one, text = text, ""
		}
		if !s.line(one, line) {
			return nil, false
		}
	}
	return s.images, s.seq >= 0
}

// scanner is where scan stands: columns of the image list, of an image's keys,
// of its digests and of a digest's tags, the latter three -1 until known.
type scanner struct {
	images                  []Image
	seq, keys, digest, tags int
	dmap                    bool // inside an image's dmap
	open                    bool // after a digest whose tags follow line by line
}

func (s *scanner) line(text string, n int) bool {
	rest := strings.TrimLeft(text, " ")
	if rest == "" || rest[0] == '#' {
		return printable(rest)
	}
	column := len(text) - len(rest)
	switch {
	case s.open && rest[0] == '-' && column >= s.digest:
		return s.tag(rest, column)
	case rest[0] == '-':
		return s.image(rest, column, n)
	case s.seq < 0:
		return false
	case column == s.keys:
		if s.dmap || !blankAfter(rest, "dmap:") {
			return false
		}
		s.dmap, s.digest = true, -1
		return true
	case s.dmap && column > s.keys && (s.digest < 0 || column == s.digest):
		return s.entry(rest, column, n)
	}
	return false
}

// image reads "- name: NAME".
func (s *scanner) image(rest string, column, n int) bool {
	key := strings.TrimLeft(rest[1:], " ")
	keys := column + len(rest) - len(key)
	value, found := strings.CutPrefix(key, "name: ")
	if !found || keys == column+1 || s.seq >= 0 && column != s.seq {
		return false
	}
	name, after, ok := scalar(strings.TrimLeft(value, " "))
	if !ok || !blank(after) {
		return false
	}
	s.seq, s.keys, s.dmap, s.open = column, keys, false, false
	s.images = append(s.images, Image{Name: name, Line: n})
	return true
}

// entry reads "DIGEST: [TAG, …]", or "DIGEST:" before a list of lines.
func (s *scanner) entry(rest string, column, n int) bool {
	key, after, ok := digestKey(rest)
	if !ok {
		return false
	}
	s.digest, s.tags, s.open = column, -1, false
	image := &s.images[len(s.images)-1]
	e := Entry{Digest: artifact.Digest(key), Line: n}
	if blank(after) {
		s.open = true
	} else if after[0] != ' ' {
		return false
	} else if e.Tags, ok = flow(strings.TrimLeft(after, " ")); !ok {
		return false
	}
	image.Entries = append(image.Entries, e)
	return true
}

// tag reads "- TAG".
func (s *scanner) tag(rest string, column int) bool {
	value := strings.TrimLeft(rest[1:], " ")
	tag, after, ok := scalar(value)
	if !ok || !blank(after) || len(value) == len(rest)-1 || s.tags >= 0 && column != s.tags {
		return false
	}
	s.tags = column
	entries := s.images[len(s.images)-1].Entries
	e := &entries[len(entries)-1]
	e.Tags = append(e.Tags, tag)
	return true
}

// flow reads "[A, B]" and what may follow it on the line.
func flow(text string) (items []string, ok bool) {
	if text == "" || text[0] != '[' {
		return nil, false
	}
	text = strings.TrimLeft(text[1:], " ")
	if strings.HasPrefix(text, "]") {
		return nil, blank(text[1:])
	}
	for {
		item, after, ok := scalar(text)
		if !ok {
			return nil, false
		}
		items = append(items, item)
		after = strings.TrimLeft(after, " ")
		switch {
		case after == "":
			return nil, false
		case after[0] == ']':
			return items, blank(after[1:])
		case after[0] != ',':
			return nil, false
		}
		text = strings.TrimLeft(after[1:], " ")
	}
}

// digestKey reads a digest that is a key, quoted or not, with its colon.
func digestKey(text string) (key, after string, ok bool) {
	if text[0] == '"' || text[0] == '\'' {
		if key, after, ok = scalar(text); !ok {
			return "", "", false
		}
		after, ok = strings.CutPrefix(after, ":")
		return key, after, ok
	}
	const size = len("sha256:") + 64
	if len(text) <= size || !strings.HasPrefix(text, "sha256:") || text[size] != ':' {
		return "", "", false
	}
	for _, c := range []byte(text[len("sha256:"):size]) {
		if !wordByte(c) {
			return "", "", false
		}
	}
	return text[:size], text[size+1:], true
}

// scalar reads a quoted or plain value that means itself, and returns what is
// behind it.
func scalar(text string) (value, after string, ok bool) {
	if text == "" {
		return "", "", false
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		for i := 1; i < len(text); i++ {
			switch c := text[i]; {
			case c == quote:
				// A doubled quote is an escape.
				return text[1:i], text[i+1:], i+1 == len(text) || text[i+1] != quote
			case c < ' ' || c > '~' || c == '\\':
				return "", "", false
			}
		}
		return "", "", false
	}
	end := 0
	for end < len(text) && (wordByte(text[end]) || end > 0 && strings.IndexByte(".-/", text[end]) >= 0) {
		end++
	}
	switch value = text[:end]; value {
	case "", "null", "Null", "NULL":
		return "", "", false
	}
	return value, text[end:], true
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '_'
}

// blank reports whether nothing but a comment is left of a line.
func blank(text string) bool {
	rest := strings.TrimLeft(text, " ")
	return rest == "" || rest[0] == '#' && len(rest) < len(text) && printable(rest)
}

func blankAfter(text, prefix string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && blank(rest)
}

// printable leaves comments with odd characters to the parser, which knows
// which of them a file may hold.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
