package result

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// cappedReader ends after a number of bytes and says whether there was more.
type cappedReader struct {
	r    io.Reader
	left int64
	more bool
}

// Read implements io.Reader.
func (c *cappedReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		var probe [1]byte
		n, err := io.ReadFull(c.r, probe[:])
		if n > 0 {
			c.more, err = true, io.EOF
		}
		return 0, err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// Objects may be stored compressed. Google's storage unpacks those that say so;
// others hand them out as they are.
const gzipMagic = "\x1f\x8b\x08"

// unpacked returns a reader of what a file holds, unpacked if it is
// compressed. What cannot be unpacked is a *MalformedError.
func unpacked(r io.Reader) io.Reader {
	in := bufio.NewReaderSize(r, 4096)
	if first, err := in.Peek(len(gzipMagic)); err != nil || string(first) != gzipMagic {
		return in
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return failing{&MalformedError{Why: "compressed, and damaged: " + err.Error()}}
	}
	return &unpacker{z}
}

// unpacker tells damage from faults of the reader below.
type unpacker struct{ z *gzip.Reader }

// Read implements io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = &MalformedError{Why: "compressed, and damaged: " + err.Error()}
	}
	return n, err
}

// failing is a reader that always fails.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// inflated returns data as it is, or unpacked if it is compressed: at most one
// byte more than limit. What is damaged stays as it is.
func inflated(data []byte, limit int64) []byte {
	if !bytes.HasPrefix(data, []byte(gzipMagic)) {
		return data
	}
	out, err := io.ReadAll(io.LimitReader(unpacked(bytes.NewReader(data)), limit+1))
	if err != nil {
		return data
	}
	return out
}

// enough bytes of a document to hold its declaration.
const declaration = 512

// decoded returns a reader of the document in UTF-8, whatever it is written
// in: UTF-8, UTF-16 with or without a mark, Latin-1 and Windows-1252. In other
// encodings only what is ASCII can be read.
func decoded(r io.Reader) (io.Reader, error) {
	first := make([]byte, declaration)
	n, err := io.ReadFull(r, first)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	first = first[:n]
	if err == nil {
		r = io.MultiReader(bytes.NewReader(first), r)
	} else {
		r = bytes.NewReader(first)
	}
	switch {
	case bytes.HasPrefix(first, []byte("\xEF\xBB\xBF")):
		_, err := io.CopyN(io.Discard, r, 3)
		return r, err
	case bytes.HasPrefix(first, []byte("\xFE\xFF")) || bytes.HasPrefix(first, []byte("\x00<")):
		return &recoder{r: r, decode: func(dst, src []byte) ([]byte, []byte, error) { return fromUTF16(dst, src, 0) }}, nil
	case bytes.HasPrefix(first, []byte("\xFF\xFE")) || bytes.HasPrefix(first, []byte("<\x00")):
		return &recoder{r: r, decode: func(dst, src []byte) ([]byte, []byte, error) { return fromUTF16(dst, src, 1) }}, nil
	}
	switch name := declared(first); strings.ToLower(name) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return r, nil
	case "utf-16", "utf16":
		return r, nil // it cannot be: its first bytes were ASCII
	case "iso-8859-1", "latin1", "latin-1", "iso8859-1", "iso_8859-1", "windows-1252", "cp1252":
		return &recoder{r: r, decode: fromWindows1252}, nil
	default:
		return &recoder{r: r, decode: func(dst, src []byte) ([]byte, []byte, error) {
			for _, b := range src {
				if b >= utf8.RuneSelf {
					return dst, nil, &MalformedError{Why: fmt.Sprintf("it is written in the encoding %.40q, which is not read: write UTF-8", name)}
				}
			}
			return append(dst, src...), nil, nil
		}}, nil
	}
}

// declared is the encoding that the declaration at the start of a document
// names, empty if it names none.
func declared(first []byte) string {
	text, _, ok := strings.Cut(string(first), "?>")
	if !ok || !strings.HasPrefix(text, "<?xml") {
		return ""
	}
	_, text, ok = strings.Cut(text, "encoding")
	text = strings.TrimLeft(text, " \t\r\n=")
	if !ok || len(text) < 2 || text[0] != '"' && text[0] != '\'' {
		return ""
	}
	name, _, _ := strings.Cut(text[1:], text[:1])
	return name
}

// recoder passes a document on in UTF-8.
type recoder struct {
	r io.Reader
	// decode appends what src says to dst and returns the bytes of src that
	// are no character yet.
	decode func(dst, src []byte) (out, rest []byte, err error)
	in     [4096]byte
	kept   int
	buf    []byte
	out    []byte // of buf, not yet passed on
	err    error
}

// Read implements io.Reader.
func (c *recoder) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		n, err := c.r.Read(c.in[c.kept:])
		c.err = err
		out, rest, err := c.decode(c.buf[:0], c.in[:c.kept+n])
		if err != nil {
			c.err = err
		}
		c.buf, c.out = out, out
		c.kept = copy(c.in[:], rest)
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// fromUTF16 reads units of which the upper byte stands at high, 0 or 1.
func fromUTF16(dst, src []byte, high int) (out, rest []byte, err error) {
	low := 1 - high
	for len(src) >= 2 {
		r, size := rune(src[low])|rune(src[high])<<8, 2
		if utf16.IsSurrogate(r) && r < 0xDC00 {
			if len(src) < 4 {
				break
			}
			if both := utf16.DecodeRune(r, rune(src[2+low])|rune(src[2+high])<<8); both != utf8.RuneError {
				r, size = both, 4
			}
		}
		src = src[size:]
		if r != 0xFEFF {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst, src, nil
}

// fromWindows1252 reads Windows-1252, and with it what calls itself Latin-1:
// the characters in which they differ are control characters there.
func fromWindows1252(dst, src []byte) (out, rest []byte, err error) {
	const differ = "€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ"
	table := []rune(differ)
	for _, b := range src {
		r := rune(b)
		if b >= 0x80 && b < 0xA0 {
			r = table[b-0x80]
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, nil, nil
}
