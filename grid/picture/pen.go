package picture

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// face is one of the ways to write.
type face int

const (
	regular face = iota
	small
	bold
	large
	faces // how many there are
)

// sizes of the faces, in pixels of the page.
var sizes = [faces]float64{13, 11.5, 14, 17}

// pen draws on an image whose pixels are scale times finer than the page's.
type pen struct {
	image *image.RGBA
	scale int
	faces [faces]font.Face
}

func newPen(size image.Point, scale int) (*pen, error) {
	p := &pen{image: image.NewRGBA(image.Rectangle{Max: size.Mul(scale)}), scale: scale}
	plain, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the letters: %w", err)
	}
	heavy, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("reading the bold letters: %w", err)
	}
	for i, f := range [faces]*opentype.Font{plain, plain, heavy, heavy} {
		// At 72 dots per inch a point is a pixel.
		p.faces[i], err = opentype.NewFace(f, &opentype.FaceOptions{Size: sizes[i] * float64(scale), DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return nil, fmt.Errorf("making letters of %v pixels: %w", sizes[i], err)
		}
	}
	return p, nil
}

// text writes with its baseline at y.
func (p *pen) text(x, y int, text string, f face, c color.Color) {
	d := font.Drawer{Dst: p.image, Src: image.NewUniform(c), Face: p.faces[f], Dot: fixed.P(x*p.scale, y*p.scale)}
	d.DrawString(text)
}

// width is that of a text, in pixels of the page.
func (p *pen) width(text string, f face) int {
	return (font.MeasureString(p.faces[f], text).Ceil() + p.scale - 1) / p.scale
}

// longest is how many bytes of a text are looked at: more never fit.
const longest = 600

// plain is a text on one line without what has no letter.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// cut leaves out the end of a text that is too long.
func (p *pen) cut(text string, f face, width int) string {
	return p.fit(text, f, width, func(runes []rune, n int) string { return string(runes[:n]) + "…" })
}

// end leaves out the beginning: ids differ in their last letters.
func (p *pen) end(text string, f face, width int) string {
	return p.fit(text, f, width, func(runes []rune, n int) string { return "…" + string(runes[len(runes)-n:]) })
}

// middle leaves out the middle: names of tests differ at both ends.
func (p *pen) middle(text string, f face, width int) string {
	return p.fit(text, f, width, func(runes []rune, n int) string {
		return string(runes[:n-n/2]) + "…" + string(runes[len(runes)-n/2:])
	})
}

// fit returns the text, or the longest form of it with n letters that fits.
func (p *pen) fit(text string, f face, width int, form func(runes []rune, n int) string) string {
	text = plain(text)
	if len(text) > longest {
		head, tail := longest/2, len(text)-longest/2
		for !utf8.RuneStart(text[head]) {
			head--
		}
		for !utf8.RuneStart(text[tail]) {
			tail++
		}
		text = text[:head] + "…" + text[tail:]
	}
	if p.width(text, f) <= width {
		return text
	}
	runes := []rune(text)
	fits, not := 0, len(runes)
	for fits+1 < not {
		n := (fits + not) / 2
		if p.width(form(runes, n), f) <= width {
			fits = n
		} else {
			not = n
		}
	}
	return form(runes, fits)
}
