package picture_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
	"seaworthy/grid/picture"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sample is a grid with every kind of cell.
func sample(builds, tests int) *grid.Grid {
	g := grid.New("ci-halyard-e2e")
	for i := range builds {
		b := grid.Build{
			ID: fmt.Sprint(1790000000000000000 + i), Started: now.Add(time.Duration(i-builds) * 5 * time.Hour), Passed: i%4 != 1,
			Commit: fmt.Sprintf("%07x", 0xabc1230+i),
		}
		b.Finished = b.Started.Add(time.Hour)
		if i == builds-1 {
			b.Started, b.Finished = now.Add(-time.Hour), time.Time{}
		}
		for k := range tests {
			t := grid.Test{Name: fmt.Sprintf("[sig-harbour] Mooring number %d holds the ship in a storm of force %d, whatever the tide may be doing at the pier", k, k%12), Status: grid.Pass}
			switch {
			case k == 3 && i > builds-5, k == 5 && i%7 == 2:
				t.Status, t.Message = grid.Fail, "the rope broke"
			case k == 6 && i%3 == 0:
				b.Tests = append(b.Tests, grid.Test{Name: t.Name, Status: grid.Fail, Message: "sometimes"})
			case k == 7:
				t.Status, t.Message = grid.PassWithSkips, "no wind"
			}
			b.Tests = append(b.Tests, t)
		}
		g.Append(b, now)
	}
	return g
}

func draw(t testing.TB, g *grid.Grid, o grid.Options, l picture.Look) image.Image {
	t.Helper()
	m, err := picture.Draw(g, o, now, l)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// share is how much of an image has a colour, in parts of a thousand.
func share(m image.Image, c color.RGBA) int {
	n := 0
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, bl, _ := m.At(x, y).RGBA(); uint8(r>>8) == c.R && uint8(g>>8) == c.G && uint8(bl>>8) == c.B {
				n++
			}
		}
	}
	return n * 1000 / max(1, b.Dx()*b.Dy())
}

func TestDraw(t *testing.T) {
	t.Parallel()
	red, amber, green := color.RGBA{R: 0xb3, G: 0x26, B: 0x1e}, color.RGBA{R: 0x81, G: 0x54}, color.RGBA{R: 0xc9, G: 0xe6, B: 0xd2}
	m := draw(t, sample(24, 12), grid.Options{}, picture.Look{Title: "halyard-blocking / e2e"})
	if m.Bounds().Dx() != 2*16+420+20*44 {
		t.Errorf("width %d", m.Bounds().Dx())
	}
	for name, want := range map[string]struct {
		colour color.RGBA
		least  int
	}{"failed": {red, 10}, "flaky": {amber, 4}, "passed": {green, 100}} {
		if got := share(m, want.colour); got < want.least {
			t.Errorf("%s: %d of a thousand pixels, at least %d", name, got, want.least)
		}
	}
	// To look at: SEAWORTHY_PICTURES names a folder.
	if dir := os.Getenv("SEAWORTHY_PICTURES"); dir != "" {
		for scale := 1; scale <= 2; scale++ {
			var b bytes.Buffer
			if err := png.Encode(&b, draw(t, sample(24, 12), grid.Options{}, picture.Look{Title: "halyard-blocking / e2e", Scale: scale})); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("grid-%d.png", scale)), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What fails most recently is drawn even if there is no room for everything,
// and a picture keeps its bounds whatever the grid.
func TestDrawBounds(t *testing.T) {
	t.Parallel()
	red := color.RGBA{R: 0xb3, G: 0x26, B: 0x1e}
	few := draw(t, sample(10, 12), grid.Options{}, picture.Look{Rows: 2, Columns: 5})
	if share(few, red) == 0 {
		t.Error("the failing rows are not the first")
	}
	big := draw(t, sample(250, 5), grid.Options{}, picture.Look{Rows: 9999, Columns: 9999, Scale: 99})
	if got, most := big.Bounds().Dx(), 4*(2*16+420+100*44); got != most {
		t.Errorf("width %d, at most %d", got, most)
	}
	empty := draw(t, grid.New("none"), grid.Options{}, picture.Look{Title: "nothing"})
	if empty.Bounds().Dx() != 720 || empty.Bounds().Dy() > 250 {
		t.Errorf("empty: %v", empty.Bounds())
	}
	scaled := draw(t, sample(10, 12), grid.Options{}, picture.Look{Scale: 2})
	plain := draw(t, sample(10, 12), grid.Options{}, picture.Look{Scale: 1})
	if scaled.Bounds().Max != plain.Bounds().Max.Mul(2) {
		t.Errorf("scale 2 of %v is %v", plain.Bounds(), scaled.Bounds())
	}
}

// What all names begin with is written once, so that their ends have room.
func TestDrawPrefix(t *testing.T) {
	t.Parallel()
	of := func(names ...string) image.Image {
		g, b := grid.New("job"), grid.Build{ID: "1", Passed: true, Finished: now, Started: now}
		for _, name := range names {
			b.Tests = append(b.Tests, grid.Test{Name: name, Status: grid.Pass})
		}
		g.Append(b, now)
		return draw(t, g, grid.Options{}, picture.Look{})
	}
	same := func(a, b image.Image) bool {
		return bytes.Equal(a.(*image.RGBA).Pix, b.(*image.RGBA).Pix)
	}
	// Beginnings beyond the width make no difference but for the line that tells.
	long := strings.Repeat("A long suite of tests ", 40)
	if same(of(long+"one", long+"two"), of(long+"one", long+"three")) {
		t.Error("the ends of long names are not to be seen")
	}
	if same(of("short a", "short b"), of("short a", "other b")) {
		t.Error("a short beginning is left out")
	}
}

// Names that no font has letters for, and very long ones.
func TestDrawOddNames(t *testing.T) {
	t.Parallel()
	g := grid.New("j")
	b := grid.Build{ID: "x/../y", Passed: false, Finished: now, Commit: "", Tests: []grid.Test{
		{Name: strings.Repeat("long ", 100_000), Status: grid.Fail}, {Name: "\xff\xfe\x00\n\t", Status: grid.Fail, Message: "\x00"}, {Name: "漢字 🚢", Status: grid.Pass},
	}}
	g.Append(b, now)
	m := draw(t, g, grid.Options{}, picture.Look{Title: strings.Repeat("\xff漢", 5000)})
	if m.Bounds().Dx() != 720 {
		t.Errorf("bounds %v", m.Bounds())
	}
}

func BenchmarkDraw(b *testing.B) {
	g := sample(200, 100)
	for b.Loop() {
		if err := png.Encode(new(bytes.Buffer), draw(b, g, grid.Options{}, picture.Look{Scale: 2})); err != nil {
			b.Fatal(err)
		}
	}
}
