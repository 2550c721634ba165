package triage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// The most that is read, in bytes once uncompressed: of one JSON object, which
// is passed over if it has more; of what is none, one after the other, be it one
// line or many; and of a file. Who gives an endless pipe is told so.
const (
	objectLimit = 64 << 20
	junkLimit   = 256 << 20
	fileLimit   = 16 << 30
)

// objects cuts a file into the JSON objects it holds at its top level, be they
// lines or the elements of an array. It looks inside of them for nothing but
// where they end, and takes up again at the next line after a broken one.
type objects struct {
	r    io.Reader
	buf  []byte
	pos  int // in buf, of what is not read yet
	line int // of pos, from 1
	open int // arrays that have begun and not ended
	end  bool
	err  error // of r, other than its end
	read int64 // bytes of r
	good int64 // of those, up to the end of the last object
	junk int64 // how many more there may be: junkLimit
}

// newObjects reads r, which may be compressed with gzip.
func newObjects(r io.Reader) (*objects, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, err := b.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("uncompressing: %w", err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	if head, err := b.Peek(2); err == nil && wide(head) {
		return nil, errors.New("the file is in UTF-16: write it in UTF-8")
	}
	return &objects{r: b, line: 1, junk: junkLimit}, nil
}

// wide reports whether a file begins as text in UTF-16 does: with its mark, or
// with a character of which one byte is zero.
func wide(head []byte) bool {
	return head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff || (head[0] == 0) != (head[1] == 0)
}

// brokenError is an object that cannot be read; the next may be.
type brokenError struct{ why string }

func (e brokenError) Error() string { return e.why }

// next returns the next object and the line it begins in. The bytes are valid
// until the call after. It returns io.EOF at the end.
func (o *objects) next() (object []byte, line int, err error) {
	for {
		if o.pos >= len(o.buf) && !o.fill() {
			if o.err != nil {
				return nil, o.line, o.err
			}
			if o.open > 0 {
				o.open = 0
				return nil, o.line, brokenError{"the file ends inside of an array: it was cut short"}
			}
			return nil, o.line, io.EOF
		}
		switch o.buf[o.pos] {
		case '{':
			return o.object()
		case '\n':
			o.line++
		case '[':
			o.open++
		case ']':
			o.open--
		case ' ', '\t', '\r', ',', 0xef, 0xbb, 0xbf: // blanks, a byte order mark
		default:
			line := o.line
			o.skipLine()
			return nil, line, brokenError{"not a JSON object"}
		}
		o.pos++
	}
}

// object reads the one that begins at pos.
func (o *objects) object() ([]byte, int, error) {
	line, depth, lines := o.line, 0, 0
	quoted := false
	for i := 0; ; {
		if o.pos+i >= len(o.buf) {
			if i > objectLimit {
				o.skipLine()
				return nil, line, brokenError{fmt.Sprintf("an object of more than %d MiB", objectLimit>>20)}
			}
			if o.fill() {
				continue
			}
			o.pos, o.open = len(o.buf), 0
			if o.err != nil {
				return nil, line, o.err
			}
			return nil, line, brokenError{"the file ends inside of this object: it was cut short"}
		}
		rest := o.buf[o.pos+i:]
		if quoted {
			n := stringEnd(rest)
			switch {
			case n == len(rest): // more to come
				i += n
			case rest[n] == '\\' && n+1 == len(rest):
				i += n
				if !o.fill() {
					i++
				}
			case rest[n] == '\\':
				i += n + 2
			case rest[n] == '\n': // JSON has none in a string
				o.skipLine()
				return nil, line, brokenError{"a string without an end"}
			default:
				i, quoted = i+n+1, false
			}
			continue
		}
		i++
		switch rest[0] {
		case '"':
			quoted = true
		case '\n':
			lines++
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				object := o.buf[o.pos : o.pos+i]
				o.good = o.read
				o.pos, o.line = o.pos+i, line+lines
				return object, line, nil
			}
		}
	}
}

// stringEnd returns the index of the first quote, backslash or newline, or the
// length.
func stringEnd(b []byte) int {
	n := bytes.IndexByte(b, '"')
	if n < 0 {
		n = len(b)
	}
	if m := bytes.IndexByte(b[:n], '\\'); m >= 0 {
		n = m
	}
	if m := bytes.IndexByte(b[:n], '\n'); m >= 0 {
		n = m
	}
	return n
}

// skipLine goes behind the end of the present line, which may be where the
// array ends, too.
func (o *objects) skipLine() {
	o.open = 0
	for {
		if n := bytes.IndexByte(o.buf[o.pos:], '\n'); n >= 0 {
			o.pos += n + 1
			o.line++
			return
		}
		o.pos = len(o.buf)
		if !o.fill() {
			return
		}
	}
}

// fill reads more behind what is not read yet. It reports whether there was.
func (o *objects) fill() bool {
	if o.end {
		return false
	}
	o.buf = o.buf[:copy(o.buf, o.buf[o.pos:])]
	o.pos = 0
	if cap(o.buf)-len(o.buf) < 1<<17 {
		bigger := make([]byte, len(o.buf), 2*cap(o.buf)+1<<19)
		copy(bigger, o.buf)
		o.buf = bigger
	}
	if o.err = o.tooMuch(); o.err != nil {
		o.end = true
		return false
	}
	for {
		n, err := o.r.Read(o.buf[len(o.buf):cap(o.buf)])
		o.buf, o.read = o.buf[:len(o.buf)+n], o.read+int64(n)
		if err != nil {
			o.end = true
			if err != io.EOF {
				o.err = fmt.Errorf("line %d: %w", o.line, err)
			}
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
}

// tooMuch says why no more is read, if it is not.
func (o *objects) tooMuch() error {
	switch {
	case o.read-o.good > o.junk:
		return fmt.Errorf("line %d: %d MiB without an object that could be read: this is not a file of rows in JSON", o.line, o.junk>>20)
	case o.read > fileLimit:
		return fmt.Errorf("line %d: the file goes on after %d GiB: split it", o.line, fileLimit>>30)
	}
	return nil
}
