package grid

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/klauspost/compress/s2"
)

// ErrMalformed is wrapped by the errors of Decode: the data are cut off,
// damaged, or of another version. The grid has to be made anew.
var ErrMalformed = errors.New("malformed grid")

// Decode reads what Encode wrote. It takes no more memory than a small multiple
// of what the data hold, whatever they say.
func Decode(data []byte) (*Grid, error) {
	if len(data) < 8 || string(data[:3]) != magic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrMalformed)
	}
	if data[3] != version {
		return nil, fmt.Errorf("%w: version %d, only %d is known", ErrMalformed, data[3], version)
	}
	if binary.LittleEndian.Uint32(data[4:]) != checksum(data[8:]) {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrMalformed)
	}
	body, rest, err := unpack(data[8:])
	if err != nil {
		return nil, err
	}
	texts, values, err := unpack(rest)
	if err != nil {
		return nil, err
	}
	d := decoder{data: body}
	if err := d.readTexts(texts); err != nil {
		return nil, err
	}
	g := d.grid(values)
	if d.err == nil && len(d.data) > 0 {
		d.fail("%d bytes too many", len(d.data))
	}
	if d.err != nil {
		return nil, d.err
	}
	return g, nil
}

// mostPacked is how many times larger than a packed block its content may be,
// so that little data cannot make a reader take much memory. What would pack
// better is not packed.
const mostPacked = 64

func unpack(data []byte) (block, rest []byte, err error) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size>>1 > uint64(len(data)-n) {
		return nil, nil, fmt.Errorf("%w: it is cut off", ErrMalformed)
	}
	block, rest = data[n:n+int(size>>1)], data[n+int(size>>1):]
	if size&1 == 0 {
		return block, rest, nil
	}
	length, err := s2.DecodedLen(block)
	if err != nil || length > mostPacked*len(block) {
		return nil, nil, fmt.Errorf("%w: a block of %d bytes cannot hold %d", ErrMalformed, len(block), length)
	}
	if block, err = s2.Decode(nil, block); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return block, rest, nil
}

// decoder reads the body. After the first error it reads zeros.
type decoder struct {
	data  []byte
	texts []string
	err   error

	// Room for what the rows are made of.
	runs   []Run
	notes  []Note
	series []Series
	spans  []Span
	values []float32
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	d.data = nil
}

// number reads one that is at most most.
func (d *decoder) number(most int) int {
	v, n := binary.Uvarint(d.data)
	if n <= 0 || v > uint64(most) {
		d.fail("a number that is missing or more than %d", most)
		return 0
	}
	d.data = d.data[n:]
	return int(v)
}

func (d *decoder) text() string {
	if n := d.number(len(d.texts)); n > 0 {
		return d.texts[n-1]
	}
	return ""
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.data) {
		d.fail("it is cut off")
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) time() time.Time {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail("a time that is missing")
		return time.Time{}
	}
	if d.data = d.data[n:]; v == 0 {
		return time.Time{}
	}
	t := time.Unix(0, v).UTC()
	if v < 0 || t.Year() >= maxYear {
		d.fail("a build of the year %d", t.Year())
	}
	return t
}

func (d *decoder) readTexts(data []byte) error {
	r := decoder{data: data}
	lengths := make([]int, r.number(len(data)))
	for i := range lengths {
		lengths[i] = r.number(len(data))
	}
	all := string(r.data)
	d.texts = make([]string, len(lengths))
	for i, n := range lengths {
		if n > len(all) {
			r.fail("a text is cut off")
			break
		}
		d.texts[i], all = all[:n], all[n:]
	}
	if all != "" {
		r.fail("%d bytes of text too many", len(all))
	}
	return r.err
}

// take returns the next n of what there is room for.
func take[T any](d *decoder, room *[]T, n int) []T {
	if n > len(*room) {
		d.fail("more of something than it says it has")
		return nil
	}
	out := (*room)[:n:n]
	*room = (*room)[n:]
	return out
}

func (d *decoder) grid(values []byte) *Grid {
	size := len(d.data)
	// Divided by the fewest bytes that each takes.
	columns, rows := d.number(size/8), d.number(size/5)
	d.runs = make([]Run, d.number(size/2))
	d.notes = make([]Note, d.number(size/4))
	d.series = make([]Series, d.number(size/2))
	d.spans = make([]Span, d.number(size/2))
	count := d.number(len(values) / 4)
	if d.err == nil && len(values) != 4*count {
		d.fail("%d bytes for %d values", len(values), count)
	}
	if d.err != nil {
		return nil
	}
	d.values = make([]float32, count)
	for i := range d.values {
		d.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:]))
	}
	g := NewWith(d.text(), Settings{})
	if err := json.Unmarshal([]byte(d.text()), &g.Settings); err != nil {
		d.fail("its settings: %v", err)
	}
	g.Columns = make([]Column, columns)
	for i := range g.Columns {
		d.column(&g.Columns[i])
	}
	g.Rows = make([]*Row, rows)
	slab := make([]Row, rows)
	name := []byte(nil)
	for i := range slab {
		r := &slab[i]
		name = append(name[:d.number(len(name))], d.bytes(d.number(maxName))...)
		r.Name = string(name)
		d.row(r, columns)
		g.Rows[i] = r
		if d.err != nil {
			return nil
		}
	}
	if len(d.runs)+len(d.notes)+len(d.series)+len(d.spans)+len(d.values) > 0 {
		d.fail("less of something than it says it has")
	}
	return g
}

func (d *decoder) column(c *Column) {
	c.Build, c.Job = d.text(), d.text()
	c.Started, c.Finished = d.time(), d.time()
	c.Commit, c.Result = d.text(), d.text()
	c.Pull = d.number(math.MaxInt32)
	for _, list := range []*[]string{&c.Extra, &c.Mails} {
		for n := d.number(len(d.data)); n > 0 && d.err == nil; n-- {
			*list = append(*list, d.text())
		}
	}
}

func (d *decoder) row(r *Row, columns int) {
	r.Runs = take(d, &d.runs, d.number(len(d.runs)))
	left := columns
	for i := range r.Runs {
		status := byte(outcomes)
		if b := d.bytes(1); b != nil {
			status = b[0]
		}
		run := Run{Outcome(status), d.number(left)}
		if status >= outcomes || run.Count == 0 || i > 0 && r.Runs[i-1].Status == run.Status {
			d.fail("a run of %d cells with outcome %d", run.Count, status)
		}
		left -= run.Count
		r.Runs[i] = run
	}
	if left != 0 {
		d.fail("a row with %d cells for %d columns", columns-left, columns)
	}
	if r.Notes = take(d, &d.notes, d.number(len(d.notes))); len(r.Notes) == 0 {
		r.Notes = nil
	}
	at := 0
	for i := range r.Notes {
		at += d.number(columns)
		r.Notes[i] = Note{At: at, Icon: d.text(), Message: d.text(), Property: d.text()}
		if at >= columns {
			d.fail("a note in column %d of %d", at, columns)
		}
		at++
	}
	if r.Metrics = take(d, &d.series, d.number(len(d.series))); len(r.Metrics) == 0 {
		r.Metrics = nil
	}
	for i := range r.Metrics {
		r.Metrics[i].Name = d.text()
		if i > 0 && r.Metrics[i-1].Name >= r.Metrics[i].Name {
			d.fail("metrics out of order")
		}
		d.spansOf(&r.Metrics[i], columns)
	}
}

func (d *decoder) spansOf(s *Series, columns int) {
	s.Spans = take(d, &d.spans, d.number(len(d.spans)))
	end, values := 0, 0
	for i := range s.Spans {
		p := Span{At: end + d.number(columns), Count: d.number(columns)}
		if p.Count == 0 || p.At+p.Count > columns || i > 0 && p.At == end {
			d.fail("values in columns %d to %d of %d", p.At, p.At+p.Count, columns)
		}
		s.Spans[i] = p
		values += p.Count
		end = p.At + p.Count
	}
	s.Values = take(d, &d.values, values)
}
