package result

import (
	"bytes"
	"unicode/utf8"
)

// text collects the characters of a document, keeping the beginning and the
// end of what is too long, in memory that is used again for the next.
type text struct {
	half       int // bytes kept of either end
	head, tail []byte
	cut        bool
	cr         bool // the last byte was a carriage return, written as a new line
}

func (t *text) reset(limit int) {
	t.half, t.head, t.tail, t.cut, t.cr = limit/2, t.head[:0], t.tail[:0], false, false
}

// add appends bytes of a document; its ends of line become new lines.
func (t *text) add(p []byte) {
	if len(p) == 0 {
		return
	}
	if t.cr {
		t.cr = false
		if p[0] == '\n' {
			p = p[1:]
		}
	}
	for {
		i := bytes.IndexByte(p, '\r')
		if i < 0 {
			t.keep(p)
			return
		}
		t.keep(p[:i])
		t.keep([]byte("\n"))
		p = p[i+1:]
		if len(p) == 0 {
			t.cr = true
			return
		}
		if p[0] == '\n' {
			p = p[1:]
		}
	}
}

// rune appends a character that a reference stands for.
func (t *text) rune(r rune) {
	t.cr = false
	var b [utf8.UTFMax]byte
	t.keep(utf8.AppendRune(b[:0], r))
}

func (t *text) keep(p []byte) {
	n := min(len(p), t.half-len(t.head))
	t.head = append(t.head, p[:n]...)
	p = p[n:]
	if len(p) > t.half {
		t.cut = true
		t.tail = append(t.tail[:0], p[len(p)-t.half:]...)
		return
	}
	if t.tail = append(t.tail, p...); len(t.tail) > 2*t.half {
		t.cut = true
		t.tail = append(t.tail[:0], t.tail[len(t.tail)-t.half:]...)
	}
}

// blank reports whether there is nothing but spaces in it.
func (t *text) blank() bool {
	return len(bytes.TrimSpace(t.head)) == 0 && len(bytes.TrimSpace(t.tail)) == 0
}

// says reports whether the text is this word, spaces around it aside.
func (t *text) says(word string) bool {
	return len(t.tail) == 0 && string(bytes.TrimSpace(t.head)) == word
}

// append writes the text behind into, with what XML forbids replaced.
func (t *text) append(into []byte) []byte {
	tail, cut := t.tail, t.cut
	if len(tail) > t.half {
		tail, cut = tail[len(tail)-t.half:], true
	}
	switch {
	case cut:
		into = appendAllowed(into, whole(t.head))
		into = append(into, "\n[…]\n"...)
		for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
			tail = tail[1:]
		}
		return appendAllowed(into, tail)
	case len(tail) == 0:
		return appendAllowed(into, t.head)
	}
	// A character may lie on the boundary.
	return appendAllowed(into, append(append([]byte(nil), t.head...), tail...))
}

// whole is a text without a last character that was cut.
func whole(b []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax, len(b)); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// plain are the bytes that stand for themselves in every document.
var plain = func() (p [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		p[c] = true
	}
	p['\t'], p['\n'], p['\r'] = true, true, true
	return p
}()

// appendAllowed appends src with every byte that XML 1.0 forbids replaced.
func appendAllowed(dst, src []byte) []byte {
	for len(src) > 0 {
		n := 0
		for n < len(src) && plain[src[n]] {
			n++
		}
		dst, src = append(dst, src[:n]...), src[n:]
		if len(src) == 0 {
			break
		}
		r, size := utf8.DecodeRune(src)
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			r = utf8.RuneError
		}
		dst, src = utf8.AppendRune(dst, r), src[size:]
	}
	return dst
}
