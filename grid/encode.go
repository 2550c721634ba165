package grid

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/klauspost/compress/s2"
)

// The persisted form of a grid. All numbers are varints but where said:
//
//	magic     "SWG" and the version, 4 bytes
//	checksum  CRC-32C of all that follows, 4 bytes, little endian
//	body      a block: counts, columns, rows; see below
//	texts     a block: how many there are, the length of each, and one after the
//	          other
//	values    of all metrics, 4 bytes each, IEEE 754, little endian
//
// A block is its length, times two, and its bytes; plus one, if these are packed
// as S2 does. In the body a text is its number among the texts, where 0 is the empty one.
// A row's name is how many bytes it shares with that of the row before, how many
// follow, and these.
const (
	magic   = "SWG"
	version = 1
	maxYear = 2200 // the first that nanoseconds are not written for
)

// Encode returns the grid in a compact form that Decode reads. It changes
// nothing, and may run beside other readers.
func (g *Grid) Encode() ([]byte, error) {
	settings, err := json.Marshal(g.Settings)
	if err != nil {
		return nil, fmt.Errorf("encoding the grid of %s: %w", g.Job, err)
	}
	e := encoder{numbers: map[string]uint64{"": 0}}
	e.counts(g)
	e.text(g.Job)
	e.text(string(settings))
	for i := range g.Columns {
		e.column(&g.Columns[i])
	}
	name := ""
	for _, r := range g.Rows {
		e.row(r, name)
		name = r.Name
	}
	return e.bytes(), nil
}

type encoder struct {
	body, values []byte
	numbers      map[string]uint64
	texts        []string
	size         int // of all texts
}

func (e *encoder) number(n int) { e.body = binary.AppendUvarint(e.body, uint64(n)) }

func (e *encoder) text(s string) {
	n, ok := e.numbers[s]
	if !ok {
		n = uint64(len(e.texts) + 1)
		e.numbers[s] = n
		e.texts = append(e.texts, s)
		e.size += len(s)
	}
	e.body = binary.AppendUvarint(e.body, n)
}

// counts says how much there is of everything, so that a reader can make room.
func (e *encoder) counts(g *Grid) {
	var runs, notes, series, spans, values int
	for _, r := range g.Rows {
		runs += len(r.Runs)
		notes += len(r.Notes)
		series += len(r.Metrics)
		for i := range r.Metrics {
			spans += len(r.Metrics[i].Spans)
			values += len(r.Metrics[i].Values)
		}
	}
	for _, n := range []int{len(g.Columns), len(g.Rows), runs, notes, series, spans, values} {
		e.number(n)
	}
	e.values = make([]byte, 0, 4*values)
}

func (e *encoder) column(c *Column) {
	e.text(c.Build)
	e.text(c.Job)
	e.time(c.Started)
	e.time(c.Finished)
	e.text(c.Commit)
	e.text(c.Result)
	e.number(max(c.Pull, 0))
	for _, list := range [][]string{c.Extra, c.Mails} {
		e.number(len(list))
		for _, s := range list {
			e.text(s)
		}
	}
}

// time is written in nanoseconds since 1970; 0 is the zero time.
func (e *encoder) time(t time.Time) {
	n := int64(0)
	if y := t.Year(); y >= 1970 && y < maxYear {
		n = t.UnixNano()
	}
	e.body = binary.AppendVarint(e.body, n)
}

func (e *encoder) row(r *Row, before string) {
	shared := 0
	for shared < min(len(r.Name), len(before)) && r.Name[shared] == before[shared] {
		shared++
	}
	e.number(shared)
	e.number(len(r.Name) - shared)
	e.body = append(e.body, r.Name[shared:]...)
	e.number(len(r.Runs))
	for _, run := range r.Runs {
		e.body = append(e.body, byte(run.Status))
		e.number(run.Count)
	}
	e.number(len(r.Notes))
	last := -1
	for i := range r.Notes {
		n := &r.Notes[i]
		e.number(n.At - last - 1)
		last = n.At
		e.text(n.Icon)
		e.text(n.Message)
		e.text(n.Property)
	}
	e.number(len(r.Metrics))
	for i := range r.Metrics {
		s := &r.Metrics[i]
		e.text(s.Name)
		e.number(len(s.Spans))
		end := 0
		for _, p := range s.Spans {
			e.number(p.At - end)
			e.number(p.Count)
			end = p.At + p.Count
		}
		for _, v := range s.Values {
			e.values = binary.LittleEndian.AppendUint32(e.values, math.Float32bits(v))
		}
	}
}

func (e *encoder) bytes() []byte {
	texts := make([]byte, 0, e.size+2*len(e.texts)+8)
	texts = binary.AppendUvarint(texts, uint64(len(e.texts)))
	for _, s := range e.texts {
		texts = binary.AppendUvarint(texts, uint64(len(s)))
	}
	for _, s := range e.texts {
		texts = append(texts, s...)
	}
	out := append(make([]byte, 0, len(e.values)+(len(e.body)+len(texts))/2+64), magic...)
	out = append(out, version, 0, 0, 0, 0)
	for _, block := range [][]byte{e.body, texts} {
		size := uint64(len(block)) << 1
		if packed := s2.Encode(nil, block); len(block) <= mostPacked*len(packed) {
			block, size = packed, uint64(len(packed))<<1+1
		}
		out = append(binary.AppendUvarint(out, size), block...)
	}
	out = append(out, e.values...)
	binary.LittleEndian.PutUint32(out[4:], checksum(out[8:]))
	return out
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }
