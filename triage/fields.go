package triage

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// eachField calls f with the name and the raw JSON value of each field of an
// object. It is for flat objects of a few known fields, of which it reads some
// hundred megabytes a second; whatever it finds odd it leaves to encoding/json.
func eachField(object []byte, f func(name string, value []byte)) error {
	if quickFields(object, f) {
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(object, &all); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return brokenError{"not JSON: " + syntax.Error()}
		}
		return brokenError{"not JSON: " + err.Error()}
	}
	for name, value := range all {
		f(name, value)
	}
	return nil
}

// quickFields reports whether the object was flat and in order. If it was not,
// f may have been called for the fields before.
func quickFields(b []byte, f func(name string, value []byte)) bool {
	i := blanks(b, 1)
	if i < len(b) && b[i] == '}' {
		return true
	}
	for i < len(b) {
		end := quoted(b, i)
		if end < 0 || bytes.IndexByte(b[i:end], '\\') >= 0 {
			return false
		}
		name := b[i+1 : end-1]
		if i = blanks(b, end); i >= len(b) || b[i] != ':' {
			return false
		}
		i = blanks(b, i+1)
		if i >= len(b) {
			return false
		}
		from := i
		if b[i] == '"' {
			if i = quoted(b, i); i < 0 {
				return false
			}
		} else {
			for i < len(b) && (is(b[i], alnum) || strings.IndexByte("+-.", b[i]) >= 0) {
				i++
			}
			if i == from || !json.Valid(b[from:i]) {
				return false
			}
		}
		f(string(name), b[from:i])
		if i = blanks(b, i); i >= len(b) {
			return false
		}
		if b[i] == '}' {
			return i == len(b)-1
		}
		if b[i] != ',' {
			return false
		}
		i = blanks(b, i+1)
	}
	return false
}

func blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// quoted returns where the string ends that begins at b[i], or -1.
func quoted(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		escapes := 0
		for k := i + n - 1; k >= i && b[k] == '\\'; k-- {
			escapes++
		}
		i += n + 1
		if escapes%2 == 0 {
			return i
		}
	}
	return -1
}

// value is a JSON value as text: a string unescaped, null and what is no value
// of its own as "", all else as it is written.
func value(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		if string(raw) == "null" {
			return ""
		}
		return string(raw)
	}
	b := raw[1 : len(raw)-1]
	first := bytes.IndexByte(b, '\\')
	if first < 0 {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	out := make([]byte, first, len(b))
	copy(out, b)
	for i := first; i < len(b); {
		if b[i] != '\\' || i+1 >= len(b) {
			n := bytes.IndexByte(b[i+1:], '\\')
			if n < 0 {
				n = len(b) - i - 1
			}
			out = append(out, b[i:i+1+n]...)
			i += 1 + n
			continue
		}
		var n int
		out, n = unescape(out, b[i:])
		i += n
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}

// unescape appends what the escape at the beginning of b means, and returns its
// length.
func unescape(out, b []byte) ([]byte, int) {
	switch b[1] {
	case 'n':
		return append(out, '\n'), 2
	case 't':
		return append(out, '\t'), 2
	case 'r':
		return append(out, '\r'), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'u':
		r, ok := codeUnit(b)
		if !ok {
			return utf8.AppendRune(out, utf8.RuneError), min(6, len(b))
		}
		if utf16.IsSurrogate(r) && len(b) > 6 {
			if low, ok := codeUnit(b[6:]); ok {
				if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
					return utf8.AppendRune(out, full), 12
				}
			}
		}
		return utf8.AppendRune(out, r), 6
	}
	return append(out, b[1]), 2 // a quote, a slash, a backslash
}

func codeUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	return rune(n), err == nil
}
