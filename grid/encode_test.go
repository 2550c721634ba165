package grid_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/s2"

	"seaworthy/grid"
)

// same compares grids by all that is not hidden.
var same = cmp.Options{cmpopts.IgnoreUnexported(grid.Grid{}, grid.Row{}), cmpopts.EquateEmpty()}

// rich is a grid with something of everything.
func rich() *grid.Grid {
	g := grid.NewWith("j", grid.Settings{Headers: []string{"Commit", "infra"}, Pod: true, UserProperty: "owner", ShortText: "fps"})
	g.Append(build(96, "a", "old"), now)
	failed := build(97, "-a", "b", "-b", "é")
	failed.Headers, failed.Mails = []string{"v1"}, []string{"ann@example.org"}
	failed.Tests[0].Properties = map[string]string{"owner": "ben", "x": "y"}
	g.Append(failed, now)
	g.Append(running(98), now)
	odd := build(99, "a", "~b")
	odd.Pod = &grid.Pod{Message: "pod did not schedule: too big"}
	odd.Started = time.Time{}
	for i := range odd.Tests {
		odd.Tests[i].Metrics = map[string]float64{"fps": 59.94, "frames": 7}
		odd.Tests[i].Duration = 90 * time.Second
	}
	g.Append(odd, now)
	other := build(100, "a")
	other.Job, other.Pull = "k", 77
	g.Append(other, now)
	return g
}

// What is added to a grid has to be encoded, too: rich has something in every
// field.
func TestRich(t *testing.T) {
	t.Parallel()
	g := rich()
	filled := map[string]bool{}
	note := func(v any) {
		x := reflect.ValueOf(v)
		for i := range x.NumField() {
			if f := x.Type().Field(i); f.IsExported() && !x.Field(i).IsZero() {
				filled[x.Type().Name()+"."+f.Name] = true
			}
		}
	}
	for _, c := range g.Columns {
		note(c)
	}
	for _, r := range g.Rows {
		note(*r)
		for _, n := range r.Notes {
			note(n)
		}
	}
	for _, v := range []any{grid.Column{}, grid.Row{}, grid.Note{}} {
		for i, x := 0, reflect.TypeOf(v); i < x.NumField(); i++ {
			if f := x.Field(i); f.IsExported() && !filled[x.Name()+"."+f.Name] {
				t.Errorf("nothing in %s.%s", x.Name(), f.Name)
			}
		}
	}
}

func encoded(t *testing.T, g *grid.Grid) []byte {
	t.Helper()
	data, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]*grid.Grid{
		"empty": grid.New("j"), "one": of(build(1, "a")), "rich": rich(), "zero": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := encoded(t, g)
			got, err := grid.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g, got, same); diff != "" {
				t.Error(diff)
			}
			// It goes on as the other would.
			want := g.Clone()
			for _, x := range []*grid.Grid{want, got} {
				x.Append(build(200, "a", "-new"), now.Add(200*time.Hour))
				x.Append(build(97, "a"), now.Add(200*time.Hour))
				x.Trim(now.Add(-3*time.Hour), 2)
			}
			if diff := cmp.Diff(want, got, same); diff != "" {
				t.Errorf("after appending:\n%s", diff)
			}
			if string(encoded(t, g)) != string(data) {
				t.Error("a second encoding is not the same")
			}
		})
	}
}

func TestEncodeBig(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("200 builds of 3,500 tests take a second")
	}
	data := encoded(t, bigGrid())
	g, err := grid.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if string(encoded(t, g)) != string(data) {
		t.Error("it is not the same afterwards")
	}
	if len(g.Columns) != 200 || len(g.Rows) != 3501 || len(data) > 4<<20 {
		t.Errorf("%d columns, %d rows, %d bytes", len(g.Columns), len(g.Rows), len(data))
	}
}

// Whatever is cut off or changed is noticed.
func TestDecodeDamaged(t *testing.T) {
	t.Parallel()
	data := encoded(t, rich())
	for n := range data {
		if _, err := grid.Decode(data[:n]); !errors.Is(err, grid.ErrMalformed) {
			t.Fatalf("the first %d of %d bytes: error %v", n, len(data), err)
		}
		bad := append([]byte(nil), data...)
		bad[n] ^= 0x20
		if _, err := grid.Decode(bad); !errors.Is(err, grid.ErrMalformed) {
			t.Fatalf("with byte %d changed: error %v", n, err)
		}
	}
	if _, err := grid.Decode(append(append([]byte(nil), data...), 0)); !errors.Is(err, grid.ErrMalformed) {
		t.Errorf("a byte too many: error %v", err)
	}
}

// sealed gives data the checksum that belongs to them, so that the decoder
// itself has to notice what is wrong.
func sealed(data []byte) []byte {
	if len(data) < 8 {
		return data
	}
	out := append([]byte(nil), data...)
	copy(out, "SWG\x01")
	binary.LittleEndian.PutUint32(out[4:], crc32.Checksum(out[8:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

func TestDecodeSealedDamage(t *testing.T) {
	t.Parallel()
	data := encoded(t, rich())
	for n := 8; n < len(data); n++ {
		for _, bit := range []byte{1, 0x90} {
			bad := append([]byte(nil), data...)
			bad[n] ^= bit
			use(t, sealed(bad))
		}
		if g, err := grid.Decode(sealed(data[:n])); err == nil {
			t.Errorf("cut off at %d it is still a grid of %d rows", n, len(g.Rows))
		}
	}
}

// use does with a grid that could be decoded all that might fall over it.
func use(t *testing.T, data []byte) {
	t.Helper()
	g, err := grid.Decode(data)
	if err != nil {
		if !errors.Is(err, grid.ErrMalformed) {
			t.Errorf("error %v", err)
		}
		return
	}
	for _, r := range g.Rows {
		if n := len(r.Cells()); n != len(g.Columns) {
			t.Errorf("%q has %d cells for %d columns", r.Name, n, len(g.Columns))
		}
		for i := range r.Metrics {
			g.Points(r, r.Metrics[i].Name)
		}
	}
	grid.Summarize(g, grid.Options{Health: time.Hour}, now)
	grid.Query{Sort: grid.ByFlakiness}.View(g)
	if again, err := grid.Decode(encoded(t, g)); err != nil {
		t.Errorf("what was decoded cannot be encoded: %v", err)
	} else if diff := cmp.Diff(g, again, same); diff != "" {
		t.Error(diff)
	}
	g.Append(build(50, "a", "-b"), now)
	g.Append(build(50, "-a"), now)
	g.Trim(now.Add(-50*time.Hour), 1)
}

func FuzzDecode(f *testing.F) {
	for _, g := range fuzzed() {
		data, err := g.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { use(t, sealed(data)) })
}

func fuzzed() []*grid.Grid {
	return []*grid.Grid{rich(), of(build(1, "a"), build(2, "-a")), grid.New("")}
}

// The parts of the data, so that what is wrong lies beneath the packing.
func FuzzDecodeParts(f *testing.F) {
	for _, g := range fuzzed() {
		data, err := g.Encode()
		if err != nil {
			f.Fatal(err)
		}
		body, rest := part(f, data[8:])
		texts, values := part(f, rest)
		f.Add(body, texts, values)
	}
	f.Fuzz(func(t *testing.T, body, texts, values []byte) { use(t, joined(body, texts, values)) })
}

func part(t testing.TB, data []byte) (block, rest []byte) {
	size, n := binary.Uvarint(data)
	rest = data[n+int(size>>1):]
	block, err := s2.Decode(nil, data[n:n+int(size>>1)])
	if err != nil || size&1 == 0 {
		t.Fatalf("a block of %d bytes: %v", size>>1, err)
	}
	return block, rest
}

func joined(body, texts, values []byte) []byte {
	data := make([]byte, 8)
	for _, b := range [][]byte{body, texts} {
		data = append(binary.AppendUvarint(data, uint64(len(b))<<1), b...)
	}
	return sealed(append(data, values...))
}

// What says that it holds much does not get the memory for it. Memory is counted
// for the whole process: so this one runs alone.
func TestDecodeHuge(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<40)
	many := bytes.Repeat(huge, 8)
	zeros := s2.Encode(nil, make([]byte, 64<<20))
	bomb := sealed(append(binary.AppendUvarint(make([]byte, 8), uint64(len(zeros))<<1+1), zeros...))
	for name, data := range map[string][]byte{"counts": joined(many, []byte{0}, nil), "texts": joined(nil, huge, nil), "bomb": bomb} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := grid.Decode(data); !errors.Is(err, grid.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes were taken for %d", name, n, len(data))
		}
	}
}

// Texts that pack too well are kept as they are.
func TestEncodeRepetitive(t *testing.T) {
	t.Parallel()
	b := build(99)
	for i := range 300 {
		b.Tests = append(b.Tests, grid.Test{Name: fmt.Sprint("t", i), Status: grid.Fail, Message: strings.Repeat("x", 400) + fmt.Sprint(i%10)})
	}
	b.Commit = strings.Repeat("a", 1<<20)
	g := of(b)
	got, err := grid.Decode(encoded(t, g))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, got, same); diff != "" {
		t.Error(diff)
	}
}
