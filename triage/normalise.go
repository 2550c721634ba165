package triage

import (
	"bytes"
	"slices"
	"strings"
)

// The marks that noise gives way to. They do not carry numbers: two texts that
// repeat their noise differently still say the same.
const (
	markTime   = "<time>"
	markNumber = "<n>"
	markID     = "<id>"
	markHex    = "<hex>"
	markIP     = "<ip>"
	markNode   = "<node>"
	markZone   = "<zone>"
)

// Normalise returns what a failure text states, without what differs from one
// failure to the next. Noise gives way to marks: moments (<time>), numbers with
// their units, versions and line numbers (<n>), hexadecimal constants (<hex>),
// UUIDs, digests and generated names (<id>), addresses (<ip>), names that cloud
// providers give nodes (<node>), regions and zones (<zone>). The fields of
// map[…] are sorted; equal fields in a row and equal lines anywhere are said
// once, so that a log that waited longer states the same; runs of blanks,
// terminal colours and empty lines go. Numbers that are names (exit status 1,
// HTTP 404) stay, and so does every word: "kube-proxy" is never "kube-front".
func Normalise(text string) string {
	var s scanner
	s.read(text)
	return string(s.out)
}

// line is a distinct line of a statement.
type line struct {
	hash  uint64
	words int32 // separated by blanks: what it weighs
}

// extent is a part of a text, in bytes.
type extent struct{ from, to int }

// scanner reads a text in one pass. It is used again and again: what it holds
// is valid until the next read.
type scanner struct {
	text      string
	out       []byte   // the statement
	noise     []extent // parts of text that marks stand for, in order
	lines     []line   // of out
	statement uint64   // hash of lines in their order

	start     int    // of the present line in out
	field     int    // of the present blank-separated field in out
	before    int    // of the field before that, -1 at the start of a line
	maps      []int  // where the open brackets of map[ began in out, -1 for other brackets
	inMap     int    // how many of them are of map[
	word      extent // the last word of letters in text
	seen      map[uint64]struct{}
	ends      []int  // where in out each of lines ends, its newline included
	incidents []bool // whether each of lines is a circumstance
}

func (s *scanner) read(text string) {
	s.text, s.out, s.noise, s.lines, s.ends, s.incidents = text, s.out[:0], s.noise[:0], s.lines[:0], s.ends[:0], s.incidents[:0]
	if s.seen == nil || len(s.seen) > 1024 {
		s.seen = map[uint64]struct{}{}
	}
	clear(s.seen)
	for from := 0; from < len(text); {
		to := strings.IndexByte(text[from:], '\n')
		if to < 0 {
			to = len(text)
		} else {
			to += from
		}
		s.readLine(from, to)
		from = to + 1
	}
	s.conclude()
}

func (s *scanner) readLine(from, to int) {
	s.start = len(s.out)
	s.field, s.before, s.maps, s.inMap, s.word = s.start, -1, s.maps[:0], 0, extent{}
	for i := from; i < to; {
		i = s.step(i, to)
	}
	s.endField()
	s.out = bytes.TrimRight(s.out, " ")
	s.out = s.out[:s.start+goroutine(s.out[s.start:])]
	if len(s.out) == s.start {
		return
	}
	h := hashBytes(s.out[s.start:])
	if _, ok := s.seen[h]; ok {
		s.out = s.out[:s.start]
		return
	}
	s.seen[h] = struct{}{}
	s.lines = append(s.lines, line{h, int32(bytes.Count(s.out[s.start:], []byte{' '}) + 1)})
	s.incidents = append(s.incidents, len(s.lines) > 1 && circumstance(s.out[s.start:]))
	s.out = append(s.out, '\n')
	s.ends = append(s.ends, len(s.out))
}

// goroutine returns the length of a line without what Go says in the heading of
// a goroutine's stack about how long it waited: [select, 2 minutes].
func goroutine(l []byte) int {
	if !bytes.HasPrefix(l, []byte("goroutine "+markNumber+" [")) {
		return len(l)
	}
	if comma := bytes.IndexByte(l, ','); comma > 0 && bytes.HasSuffix(l, []byte("]:")) {
		return comma + copy(l[comma:], "]:")
	}
	return len(l)
}

// conclude leaves circumstances out, unless little else is said.
func (s *scanner) conclude() {
	words := int32(0)
	for i, l := range s.lines {
		if !s.incidents[i] {
			words += l.words
		}
	}
	s.statement = 0x9e3779b97f4a7c15
	kept, length, from := 0, 0, 0
	for i, l := range s.lines {
		if words < 3 || !s.incidents[i] {
			s.statement = mix(s.statement, l.hash)
			s.lines[kept] = l
			kept++
			length += copy(s.out[length:], s.out[from:s.ends[i]])
		}
		from = s.ends[i]
	}
	s.lines, s.out = s.lines[:kept], s.out[:max(length-1, 0)]
}

// trouble are the words by which a log line tells more than that time passed.
var trouble = [][]byte{[]byte("err"), []byte("fail"), []byte("fatal"), []byte("panic"), []byte("exception"), []byte("expect"), []byte("time"),
	[]byte("not"), []byte("n't"), []byte("no "), []byte("unable"), []byte("denied"), []byte("refused"), []byte("forbidden"), []byte("invalid"), []byte("abort"), []byte("kill"), []byte("warn")}

// circumstance reports whether a line is a log's note in passing: led by a
// moment, of the level information or below, without a word of trouble. How
// many such lines there are depends on how long something was waited for.
func circumstance(l []byte) bool {
	rest, level := bytes.TrimLeft(l, "[("), false
	if len(rest) > 1 && rest[0] == 'I' && rest[1] == '<' {
		rest, level = rest[1:], true
	}
	rest, led := bytes.CutPrefix(rest, []byte(markTime))
	if !led {
		return false
	}
	if !level && !bytes.Contains(rest, []byte("INFO")) && !bytes.Contains(rest, []byte("DEBUG")) && !bytes.Contains(rest, []byte("TRACE")) {
		return false
	}
	lower := bytes.ToLower(rest)
	for _, w := range trouble {
		if bytes.Contains(lower, w) {
			return false
		}
	}
	return true
}

// Classes of bytes.
const (
	lower = 1 << iota
	upper
	digit
	hexadecimal
	generated // the letters Kubernetes makes names of: no vowels, no 0, 1, 3
	other     // part of a letter beyond ASCII
	alnum     = lower | upper | digit | other
	letter    = lower | upper | other
)

var classes = func() (c [256]uint8) {
	for b := range c {
		switch {
		case b >= 'a' && b <= 'z':
			c[b] = lower
		case b >= 'A' && b <= 'Z':
			c[b] = upper
		case b >= '0' && b <= '9':
			c[b] = digit
		case b >= 0x80:
			c[b] = other
		}
		if strings.IndexByte("0123456789abcdefABCDEF", byte(b)) >= 0 {
			c[b] |= hexadecimal
		}
		if strings.IndexByte("bcdfghjklmnpqrstvwxz2456789", byte(b)) >= 0 {
			c[b] |= generated
		}
	}
	return c
}()

func is(b byte, class uint8) bool { return classes[b]&class != 0 }

// step reads what begins at text[i] and returns where it ends.
func (s *scanner) step(i, end int) int {
	b := s.text[i]
	switch {
	case is(b, alnum):
		return s.atom(i, end)
	case b == ' ' || b == '\t' || b == '\r' || b == '\v' || b == '\f':
		s.blank()
		return i + 1
	case b == 0x1b:
		return escape(s.text, i, end)
	case b == ':' && i+2 < end && s.text[i+1] == ':' && (i == 0 || !is(s.text[i-1], alnum)):
		if n := address6(s.text[i:end]); n > 0 {
			return s.mark(markIP, i, i+n)
		}
	case b == '[' && len(s.maps) < 64:
		at := -1
		if bytes.HasSuffix(s.out[s.start:], []byte("map")) {
			at = len(s.out) + 1
			s.inMap++
		}
		s.maps = append(s.maps, at)
	case b == ']' && len(s.maps) > 0:
		if at := s.maps[len(s.maps)-1]; at >= 0 {
			sortFields(s.out[min(at, len(s.out)):])
			s.inMap--
		}
		s.maps = s.maps[:len(s.maps)-1]
	}
	s.out = append(s.out, b)
	return i + 1
}

// escape skips a terminal's control sequence.
func escape(text string, i, end int) int {
	i++
	if i >= end || text[i] != '[' {
		return i
	}
	for i++; i < end && (text[i] < 0x40 || text[i] > 0x7e); i++ {
	}
	return min(i+1, end)
}

func (s *scanner) blank() {
	if len(s.out) == s.start || s.out[len(s.out)-1] == ' ' {
		return
	}
	if s.inMap == 0 {
		s.endField()
	}
	s.out = append(s.out, ' ')
	if s.inMap == 0 {
		s.before, s.field = s.field, len(s.out)
	}
}

// endField drops the field that just ended if it holds noise and says the same
// as the one before it: lists of generated names differ in length.
func (s *scanner) endField() {
	if s.before < 0 || s.field >= len(s.out) || bytes.IndexByte(s.out[s.field:], '>') < 0 {
		return
	}
	const open, shut = "[({\"'", "])}\"',;."
	last := bytes.TrimRight(s.out[s.before:s.field], " ")
	now := s.out[s.field:]
	core := bytes.TrimLeft(last, open)
	if !bytes.Equal(bytes.TrimRight(core, shut), bytes.TrimRight(bytes.TrimLeft(now, open), shut)) {
		return
	}
	lead := len(last) - len(core)
	s.out = append(s.out[:s.before+lead], bytes.TrimLeft(now, open)...)
	s.field, s.before = s.before, -1
}

// sortFields puts blank-separated fields in order, brackets kept together.
func sortFields(b []byte) {
	depth, from := 0, 0
	var fields []string
	for i, c := range b {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ' ' && depth == 0:
			fields = append(fields, string(b[from:i]))
			from = i + 1
		}
	}
	if fields == nil {
		return
	}
	fields = append(fields, string(b[from:]))
	slices.Sort(fields)
	copy(b, strings.Join(fields, " "))
}

// mark writes a mark for text[from:to]. Marks of one kind with nothing but
// punctuation between them, as in lists and ratios, are one.
func (s *scanner) mark(mark string, from, to int) int {
	s.noise = append(s.noise, extent{from, to})
	s.word = extent{}
	line := s.out[s.start:]
	bare := bytes.TrimRight(line, " ,;/.:-")
	if len(line)-len(bare) <= 2 && len(bare) < len(line) && bytes.HasSuffix(bare, []byte(mark)) {
		s.out = s.out[:s.start+len(bare)]
		if s.field > len(s.out) {
			s.field, s.before = min(max(s.before, s.start), len(s.out)), -1
		}
		return to
	}
	s.out = append(s.out, mark...)
	return to
}

// keep copies text[from:to].
func (s *scanner) keep(from, to int) int {
	s.out = append(s.out, s.text[from:to]...)
	return to
}
