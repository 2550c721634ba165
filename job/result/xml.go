package result

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// token is what an xmlScanner comes upon.
type token int

const (
	noToken    token = iota // the document ends, is at fault, or cannot be read
	startToken              // an element begins
	endToken                // an element ends
)

// Bounds of a document that no honest one comes near.
const (
	deepestElement = 1000
	longestName    = 1000
	scanBuffer     = 64 << 10
)

// xmlScanner reads the elements of an XML document one after the other, in
// memory that does not grow with it: text and attributes that nobody asks for
// are passed over in the buffer. It is strict about what begins and ends where,
// and lenient about what stands in between, which test frameworks often get
// wrong: bytes and references that XML forbids, unquoted attributes. Entities
// that the document defines are refused.
type xmlScanner struct {
	r        io.Reader
	buf      []byte
	pos, end int
	lines    int   // of what was in buf before
	err      error // why nothing more can be read; io.EOF at the end
	fault    *MalformedError

	// name is the element's that began or ended last.
	name []byte
	// key is the attribute's that was read last.
	key   []byte
	quote byte // around its value, if that was not read yet; ' ' for none
	inTag bool // there may be attributes left
	empty bool // the element ends where it began

	open  []byte // names of the elements we are in, one after the other
	marks []int  // where in open each begins
}

// reset begins a new document and keeps the memory of the last.
func (s *xmlScanner) reset(r io.Reader) {
	if s.buf == nil {
		s.buf = make([]byte, scanBuffer)
	}
	*s = xmlScanner{r: r, buf: s.buf, name: s.name[:0], key: s.key[:0], open: s.open[:0], marks: s.marks[:0]}
}

// line is the one we are in, from 1.
func (s *xmlScanner) line() int {
	return 1 + s.lines + bytes.Count(s.buf[:s.pos], []byte("\n"))
}

func (s *xmlScanner) malformed(format string, args ...any) {
	if s.fault == nil {
		s.fault = &MalformedError{s.line(), fmt.Sprintf(format, args...)}
	}
}

// fill reads on once all of buf is used up.
func (s *xmlScanner) fill() bool {
	if s.err != nil || s.fault != nil {
		return false
	}
	s.lines += bytes.Count(s.buf[:s.end], []byte("\n"))
	s.pos, s.end = 0, 0
	for range 100 {
		n, err := s.r.Read(s.buf)
		s.end, s.err = n, err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// next passes over what is left of a tag and then reads to the next one. The
// text in between goes to into, which may be nil.
func (s *xmlScanner) next(into *text) token {
	for s.inTag && s.attribute() {
	}
	if s.fault != nil {
		return noToken
	}
	if s.empty {
		s.empty = false
		return s.pop(s.name)
	}
	for s.until('<', into) {
		switch b := s.must(); {
		case s.fault != nil:
		case b == '/':
			return s.endTag()
		case b == '?':
			s.through('?', 1, nil)
		case b == '!':
			s.markup(into)
		default:
			s.pos--
			return s.startTag()
		}
		if s.fault != nil {
			return noToken
		}
	}
	if errors.Is(s.err, io.EOF) && len(s.marks) > 0 {
		s.malformed("it ends inside of %s", s.open[s.marks[len(s.marks)-1]:])
	}
	return noToken
}

// byte returns the next one and reports false at the end.
func (s *xmlScanner) byte() (byte, bool) {
	if s.pos == s.end && !s.fill() {
		return 0, false
	}
	s.pos++
	return s.buf[s.pos-1], true
}

// must is byte where the document must not end.
func (s *xmlScanner) must() byte {
	b, ok := s.byte()
	if !ok {
		s.malformed("it ends inside of a tag")
	}
	return b
}

// spaced is must after spaces.
func (s *xmlScanner) spaced() byte {
	for {
		b := s.must()
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b
		}
	}
}

// until reads text up to a byte, and the byte. It reports false if the
// document ends before it.
func (s *xmlScanner) until(end byte, into *text) bool {
	if into != nil {
		into.cr = false
	}
	for {
		if s.pos == s.end && !s.fill() {
			return false
		}
		rest := s.buf[s.pos:s.end]
		i := bytes.IndexByte(rest, end)
		if i >= 0 {
			rest = rest[:i]
		}
		if into != nil {
			if amp := bytes.IndexByte(rest, '&'); amp >= 0 {
				into.add(rest[:amp])
				s.pos += amp + 1
				s.reference(into)
				continue
			}
			into.add(rest)
		}
		s.pos += len(rest)
		if i >= 0 {
			s.pos++
			return true
		}
	}
}

// reference reads on after an ampersand: a character reference or one of the
// five entities each document has; anything else is kept as it stands.
func (s *xmlScanner) reference(into *text) {
	var kept [32]byte
	ref := kept[:0]
	for len(ref) < cap(ref) {
		b, ok := s.byte()
		if !ok {
			break
		}
		if b == ';' {
			if r, ok := referred(ref); ok {
				into.rune(r)
				return
			}
			ref = append(ref, b)
			break
		}
		if b != '#' && (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'z') {
			s.pos--
			break
		}
		ref = append(ref, b)
	}
	into.rune('&')
	into.add(ref)
}

func referred(ref []byte) (rune, bool) {
	switch string(ref) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(ref) < 2 || ref[0] != '#' {
		return 0, false
	}
	digits, radix := ref[1:], rune(10)
	if digits[0] == 'x' {
		digits, radix = digits[1:], 16
	}
	var r rune
	for _, b := range digits {
		d := rune(99)
		switch {
		case b >= '0' && b <= '9':
			d = rune(b - '0')
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			d = rune(b|0x20-'a') + 10
		}
		if d >= radix {
			return 0, false
		}
		r = min(r*radix+d, utf8.MaxRune+1)
	}
	return r, len(digits) > 0
}

// through reads past n bytes c and a '>'.
func (s *xmlScanner) through(c byte, n int, into *text) {
	if into != nil {
		into.cr = false
	}
	for {
		if s.pos == s.end && !s.fill() {
			s.malformed("it ends before %s>", bytes.Repeat([]byte{c}, n))
			return
		}
		rest := s.buf[s.pos:s.end]
		i := bytes.IndexByte(rest, c)
		if i < 0 {
			i = len(rest)
		}
		if into != nil {
			into.add(rest[:i])
		}
		if s.pos += i; i == len(rest) {
			continue
		}
		seen := 0
		b, ok := s.byte()
		for ; ok && b == c; b, ok = s.byte() {
			if seen++; seen > n && into != nil {
				into.add([]byte{c})
			}
		}
		if ok && b == '>' && seen >= n {
			return
		}
		for range min(seen, n) {
			if into != nil {
				into.add([]byte{c})
			}
		}
		if ok {
			s.pos--
		}
	}
}

// markup reads on after "<!": a comment, a CDATA section or a document type.
func (s *xmlScanner) markup(into *text) {
	b := s.must()
	switch {
	case b == '-' && s.must() == '-':
		s.through('-', 2, nil)
		return
	case b == '[' && s.literally("CDATA["):
		s.through(']', 2, into)
		return
	case b == '-' || b == '[':
		s.malformed("<!%c begins neither a comment nor a CDATA section", b)
		return
	}
	const defines = "<!ENTITY"
	var quote byte
	for depth, matched := 1, 0; s.fault == nil; b = s.must() {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
			continue
		case b == '"' || b == '\'':
			quote = b
		case b == '<':
			depth++
			matched = 0
		case b == '>':
			if depth--; depth == 0 {
				return
			}
		case b == '-' && matched == len("<!") && s.must() == '-':
			s.through('-', 2, nil)
			depth--
		}
		if matched < len(defines) && upper(b) == defines[matched] {
			if matched++; matched == len(defines) {
				s.malformed("it defines entities, which are not read")
				return
			}
		} else {
			matched = 0
		}
	}
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		b -= 'a' - 'A'
	}
	return b
}

// literally reports whether the next bytes are those of w.
func (s *xmlScanner) literally(w string) bool {
	for i := range len(w) {
		if s.must() != w[i] {
			return false
		}
	}
	return true
}

func (s *xmlScanner) startTag() token {
	s.name = s.word(s.name[:0])
	switch {
	case s.fault != nil:
		return noToken
	case len(s.name) == 0:
		s.malformed("a < that begins no element: it must be written &lt;")
		return noToken
	case len(s.marks) >= deepestElement:
		s.malformed("elements nest deeper than %d", deepestElement)
		return noToken
	}
	s.marks = append(s.marks, len(s.open))
	s.open = append(s.open, s.name...)
	s.inTag, s.empty, s.quote = true, false, 0
	return startToken
}

func (s *xmlScanner) endTag() token {
	s.name = s.word(s.name[:0])
	if b := s.spaced(); b != '>' {
		s.malformed("the end of %s goes on with %q", s.name, b)
		return noToken
	}
	return s.pop(s.name)
}

func (s *xmlScanner) pop(name []byte) token {
	last := len(s.marks) - 1
	if last < 0 {
		s.malformed("%s ends, but has not begun", name)
		return noToken
	}
	if top := s.open[s.marks[last]:]; !bytes.Equal(top, name) {
		s.malformed("%s ends inside of %s", name, top)
		return noToken
	}
	s.open, s.marks = s.open[:s.marks[last]], s.marks[:last]
	return endToken
}

// word reads the name of an element or attribute behind into.
func (s *xmlScanner) word(into []byte) []byte {
	for {
		if s.pos == s.end && !s.fill() {
			s.must()
			return into
		}
		rest := s.buf[s.pos:s.end]
		n := 0
		for n < len(rest) && !endsName[rest[n]] {
			n++
		}
		s.pos += n
		if len(into)+n > longestName {
			s.malformed("a name of more than %d bytes", longestName)
			return into
		}
		if into = append(into, rest[:n]...); n < len(rest) {
			return into
		}
	}
}

var endsName = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, '/': true, '>': true, '<': true, '=': true, '"': true, '\'': true}

// attribute reads the name of the next attribute of the element that began
// last, and reports whether there is one. Its value may be read with value.
func (s *xmlScanner) attribute() bool {
	if s.quote != 0 {
		s.value(nil)
	}
	if !s.inTag || s.fault != nil {
		return false
	}
	switch b := s.spaced(); {
	case s.fault != nil:
		return false
	case b == '>':
		s.inTag = false
		return false
	case b == '/':
		if s.must() != '>' {
			s.malformed("a / inside of the tag %s", s.name)
		}
		s.inTag, s.empty = false, true
		return false
	}
	s.pos--
	if s.key = s.word(s.key[:0]); len(s.key) == 0 {
		s.malformed("the tag %s goes on with %q", s.name, s.must())
		return false
	}
	b := s.spaced()
	if s.fault == nil && b != '=' {
		s.pos--
		return true // without a value
	}
	if s.quote = s.spaced(); s.fault != nil {
		return false
	}
	if s.quote != '"' && s.quote != '\'' {
		s.quote = ' '
		s.pos--
	}
	return true
}

// value reads the value of the attribute; into may be nil.
func (s *xmlScanner) value(into *text) {
	quote := s.quote
	s.quote = 0
	switch {
	case quote == 0:
	case quote == ' ':
		if word := s.word(nil); into != nil {
			into.add(word)
		}
	case !s.until(quote, into):
		s.malformed("it ends inside of an attribute")
	}
}

// local is a name without the namespace's prefix.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i > 0 && i < len(name)-1 {
		return name[i+1:]
	}
	return name
}
