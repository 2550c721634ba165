package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"time"

	"seaworthy/grid"
)

// Look is how a picture is drawn. Zero fields mean the defaults.
type Look struct {
	Title   string
	Columns int // newest columns shown; 20, at most 100
	Rows    int // rows shown; 30, at most 200
	Scale   int // pixels of the image for one of the page, 1 to 4; 1
}

func (l Look) withDefaults() Look {
	bound := func(n, otherwise, most int) int {
		if n <= 0 {
			return otherwise
		}
		return min(n, most)
	}
	return Look{Title: l.Title, Columns: bound(l.Columns, 20, 100), Rows: bound(l.Rows, 30, 200), Scale: bound(l.Scale, 1, 4)}
}

// Measures, in pixels of the page.
const (
	margin     = 16
	rowHeight  = 21
	cellWidth  = 44
	nameWidth  = 420
	leastWidth = 720
	headLines  = 3 // day, time, commit or build
)

// Draw returns the picture of a grid as a tab looks at it.
func Draw(g *grid.Grid, o grid.Options, now time.Time, l Look) (image.Image, error) {
	l = l.withDefaults()
	s := grid.Summarize(g, o, now)
	q := grid.Query{Include: o.Include, Exclude: o.Exclude, Recent: o.Recent, Sort: grid.ByFailures}
	rows := q.Select(g)
	t := table{
		title: l.Title, summary: s, total: len(rows), columns: g.Columns[:min(l.Columns, len(g.Columns))], rows: rows[:min(l.Rows, len(rows))],
		now: now,
	}
	t.text, t.prefix = sentence(s), commonPrefix(g, t.rows)
	p, err := newPen(t.size(), l.Scale)
	if err != nil {
		return nil, err
	}
	t.draw(p)
	return p.image, nil
}

// sentence is what the status stands on, in lines.
func sentence(s grid.Summary) []string {
	lines := strings.Split(s.Text, "\n")
	if s.Alert != "" {
		lines = append(lines, s.Alert)
	}
	green := "Latest green: " + s.LatestGreen
	if s.LatestGreen == "no recent greens" {
		green = "No recent column is green."
	}
	return append(lines, green)
}

// table is what is drawn.
type table struct {
	title   string
	summary grid.Summary
	text    []string
	columns []grid.Column
	rows    []*grid.Row
	total   int // rows that might be shown
	// prefix begins the names of all tests; it is written once.
	prefix string
	now    time.Time
}

func (t table) size() image.Point {
	width := max(leastWidth, 2*margin+nameWidth+len(t.columns)*cellWidth)
	return image.Pt(width, t.top()+(headLines+len(t.rows)+2)*rowHeight+margin)
}

// top is where the table begins, below title and sentence.
func (t table) top() int { return margin + 34 + len(t.text)*19 + 10 }

func (t table) draw(p *pen) {
	width := t.size().X
	p.fill(image.Rect(0, 0, width, t.size().Y), paper)
	chip := string(t.summary.Status)
	ground, ink := chipColours(t.summary.Status)
	chipWidth := p.width(chip, bold) + 20
	p.fill(image.Rect(margin, margin, margin+chipWidth, margin+26), ground)
	p.text(margin+10, margin+18, chip, bold, ink)
	p.text(margin+chipWidth+12, margin+19, p.cut(t.title, large, width-chipWidth-3*margin), large, inkColour)
	y := margin + 34 + 14
	for _, line := range t.text {
		p.text(margin, y, p.cut(line, regular, width-2*margin), regular, softInk)
		y += 19
	}
	t.heads(p)
	for i, r := range t.rows {
		t.row(p, i, r)
	}
	t.foot(p)
}

// heads are what stands above the columns. A day is written where it begins.
func (t table) heads(p *pen) {
	day := ""
	for i, c := range t.columns {
		x := margin + nameWidth + i*cellWidth
		y := t.top() + 15
		if d := c.Started.UTC().Format("Jan 2"); !c.Started.IsZero() && d != day {
			day = d
			p.text(x+2, y, d, small, inkColour)
		}
		if !c.Started.IsZero() {
			p.text(x+2, y+rowHeight-3, c.Started.UTC().Format("15:04"), small, softInk)
		}
		p.text(x+2, y+2*rowHeight-6, p.end(name(c), small, cellWidth-4), small, softInk)
	}
	if len(t.columns) > 0 {
		p.text(margin, t.top()+15, "Newest build on the left, times in UTC", small, softInk)
	}
	if t.prefix != "" {
		p.text(margin, t.top()+2*rowHeight+9, p.cut("… stands for "+t.prefix, small, nameWidth-14), small, softInk)
	}
}

// leastPrefix is how long a beginning is that is worth leaving out.
const leastPrefix = 8

// commonPrefix is what the names of all tests begin with, up to a separator.
// The rows about the build have names of their own.
func commonPrefix(g *grid.Grid, rows []*grid.Row) string {
	prefix, tests := "", 0
	for _, r := range rows {
		if strings.HasPrefix(r.Name, g.Job+".") {
			continue
		}
		if tests++; tests == 1 {
			prefix = r.Name
		}
		for !strings.HasPrefix(r.Name, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	prefix = prefix[:strings.LastIndexAny(prefix, "./: ")+1]
	if tests < 2 || len(prefix) < leastPrefix {
		return ""
	}
	return prefix
}

// name is what a column is called in a few letters: its commit, else the end of
// its build's id.
func name(c grid.Column) string {
	for _, text := range append([]string{c.Commit}, c.Extra...) {
		if text != "" && text != "missing" {
			return text[:min(len(text), 6)]
		}
	}
	return c.Build
}

func (t table) row(p *pen, i int, r *grid.Row) {
	y := t.top() + (headLines+i)*rowHeight
	if i%2 == 0 {
		p.fill(image.Rect(margin, y, margin+nameWidth+len(t.columns)*cellWidth, y+rowHeight), sunk)
	}
	label := r.Name
	if rest, ok := strings.CutPrefix(label, t.prefix); ok && t.prefix != "" {
		label = "…" + rest
	}
	p.text(margin+6, y+15, p.middle(label, regular, nameWidth-14), regular, inkColour)
	cells := r.Cells()
	for k := range t.columns {
		if k >= len(cells) || cells[k].Status == grid.NoResult {
			continue
		}
		x := margin + nameWidth + k*cellWidth
		ground, ink := colours(cells[k].Status)
		p.fill(image.Rect(x+1, y+1, x+cellWidth-1, y+rowHeight-1), ground)
		label := p.cut(icon(cells[k]), small, cellWidth-6)
		p.text(x+(cellWidth-p.width(label, small))/2, y+15, label, small, ink)
	}
}

// foot says what is left out, and what letters mean.
func (t table) foot(p *pen) {
	y := t.top() + (headLines+len(t.rows))*rowHeight + 20
	shown := fmt.Sprintf("%d of %d tests, what fails most recently first", len(t.rows), t.total)
	switch {
	case t.total == 0:
		shown = "No test has a recent result"
	case len(t.rows) == t.total:
		shown = fmt.Sprintf("All %d tests", t.total)
	}
	p.text(margin, y, shown+" · F failed, 1/2 one of two runs passed, R running, S skipped · drawn "+t.now.UTC().Format("2006-01-02 15:04 UTC"), small, softInk)
}

// icon is what a cell says in letters; a plain pass says nothing.
func icon(c grid.Cell) string {
	switch {
	case c.Icon != "":
		return c.Icon
	case c.Status == grid.Pass:
		return ""
	case c.Status.Failing():
		return "F"
	case c.Status == grid.Flake:
		return "~"
	case c.Status == grid.Running:
		return "R"
	case c.Status.Passing():
		return "S"
	}
	return "?"
}

// The colours of the pages' light ground.
var (
	paper     = color.RGBA{0xff, 0xff, 0xff, 0xff}
	sunk      = color.RGBA{0xf7, 0xf6, 0xf2, 0xff}
	inkColour = color.RGBA{0x17, 0x21, 0x2b, 0xff}
	softInk   = color.RGBA{0x4d, 0x5a, 0x67, 0xff}
	green     = color.RGBA{0x27, 0x70, 0x3f, 0xff}
	softGreen = color.RGBA{0xc9, 0xe6, 0xd2, 0xff}
	red       = color.RGBA{0xb3, 0x26, 0x1e, 0xff}
	amber     = color.RGBA{0x81, 0x54, 0x00, 0xff}
	softDeep  = color.RGBA{0xd5, 0xe6, 0xee, 0xff}
	deep      = color.RGBA{0x0b, 0x5a, 0x7d, 0xff}
	idle      = color.RGBA{0xdf, 0xdb, 0xd1, 0xff}
)

// colours are the ground and the ink of a cell.
func colours(o grid.Outcome) (ground, ink color.RGBA) {
	switch {
	case o.Failing():
		return red, paper
	case o == grid.Flake:
		return amber, paper
	case o == grid.Running:
		return softDeep, deep
	case o == grid.PassWithSkips:
		return idle, inkColour
	case o.Passing():
		return softGreen, green
	}
	return idle, inkColour
}

func chipColours(s grid.Status) (ground, ink color.RGBA) {
	switch s {
	case grid.Broken, grid.Failing:
		return red, paper
	case grid.Flaky, grid.Stale:
		return amber, paper
	case grid.Passing, grid.Acceptable:
		return green, paper
	}
	return idle, inkColour
}

// fill colours a rectangle of the page.
func (p *pen) fill(r image.Rectangle, c color.Color) {
	r.Min, r.Max = r.Min.Mul(p.scale), r.Max.Mul(p.scale)
	draw.Draw(p.image, r, image.NewUniform(c), image.Point{}, draw.Src)
}
