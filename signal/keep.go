package signal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/grid"
)

// A kept grid is an object of five parts: a line that names the form; what the
// grid is made of, as JSON, and the names of its rows, each after its length; the
// CRC-32C of all that, big endian; and the grid as grid.Encode writes it, which
// has a sum of its own. So the parts before the grid, the outline, can be read
// without it: they tell whether there are new builds, and whether a test is in
// it. An object is written whole or not at all; of two writers the last one wins,
// and loses nothing that the bucket with the results does not have.
const keptForm = "seaworthy grid 2\n"

// keptHead says what the grid was made of.
type keptHead struct {
	Group string    `json:"group"`
	Made  time.Time `json:"made"`
	Over  []string  `json:"over"`
	Floor string    `json:"floor,omitempty"`
	Low   string    `json:"low,omitempty"`
	Fed   []string  `json:"fed,omitempty"`
}

// outlineSize is how much of an object is read where the grid is not wanted: as
// much as the outline of nearly every grid takes.
const outlineSize = 64 << 10

// How much larger a grid is in memory than encoded, roughly.
const unfolded = 12

func (g group) object() string { return "grids/" + g.id }

// encodeKept returns the object of a snapshot.
func encodeKept(g group, s *snapshot) ([]byte, error) {
	head := keptHead{Group: g.id, Made: s.made, Over: slices.Sorted(maps.Keys(s.over)), Floor: s.floor, Low: s.low, Fed: s.fed}
	text, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("writing what a grid is made of: %w", err)
	}
	names := encodeRows(rowsOf(s.grid))
	out := make([]byte, 0, len(keptForm)+2*binary.MaxVarintLen64+len(text)+len(names)+crc32.Size)
	out = append(out, keptForm...)
	for _, part := range [][]byte{text, names} {
		out = append(binary.AppendUvarint(out, uint64(len(part))), part...)
	}
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli()))
	body, err := s.grid.Encode()
	if err != nil {
		return nil, err
	}
	return append(out, body...), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

var errOtherForm = errors.New("it has another form, or is not whole")

// outlineEnd is where the outline of an object ends, as far as its beginning
// tells.
func outlineEnd(data []byte) (end int, parts [2][]byte, err error) {
	if !bytes.HasPrefix(data, []byte(keptForm)) {
		return 0, parts, errOtherForm
	}
	rest := data[len(keptForm):]
	for i := range parts {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return 0, parts, errOtherForm
		}
		parts[i], rest = rest[n:n+int(length)], rest[n+int(length):]
	}
	if len(rest) < crc32.Size {
		return 0, parts, errOtherForm
	}
	end = len(data) - len(rest)
	if binary.BigEndian.Uint32(rest) != crc32.Checksum(data[:end], castagnoli()) {
		return 0, parts, errOtherForm
	}
	return end + crc32.Size, parts, nil
}

// decodeOutline reads the beginning of an object; the error says that it is too
// short for that, or that the object is to be made anew.
func decodeOutline(g group, data []byte) (head standing, rows []row, grid []byte, err error) {
	end, parts, err := outlineEnd(data)
	if err != nil {
		return standing{}, nil, nil, err
	}
	var said keptHead
	if err := json.Unmarshal(parts[0], &said); err != nil {
		return standing{}, nil, nil, fmt.Errorf("reading what a grid is made of: %w", err)
	}
	if said.Group != g.id {
		return standing{}, nil, nil, errOtherForm
	}
	if rows, err = decodeRows(parts[1]); err != nil {
		return standing{}, nil, nil, err
	}
	head = standing{made: said.Made, over: make(map[string]bool, len(said.Over)), floor: said.Floor, low: said.Low, fed: said.Fed}
	for _, id := range said.Over {
		head.over[id] = true
	}
	return head, rows, data[end:], nil
}

// decodeKept reads an object; the error says that it is to be made anew.
func decodeKept(g group, data []byte) (*snapshot, error) {
	head, _, body, err := decodeOutline(g, data)
	if err != nil {
		return nil, err
	}
	decoded, err := grid.Decode(body)
	if err != nil {
		return nil, err
	}
	return &snapshot{grid: decoded, standing: head, size: unfolded * int64(len(data))}, nil
}

// outline reads what the cache tells of a group but for its grid, and puts it
// into the index; false if there is nothing of use.
func (s *Service) outline(ctx context.Context, k *kept) (standing, bool) {
	if s.o.Cache == nil {
		return standing{}, false
	}
	data, err := readWhole(ctx, s.o.Cache, k.group.object(), outlineSize)
	if err != nil {
		return standing{}, false // whoever reads the grid tells
	}
	head, rows, _, err := decodeOutline(k.group, data)
	if err != nil && len(data) == outlineSize {
		if data, err = readWhole(ctx, s.o.Cache, k.group.object(), -1); err == nil {
			head, rows, _, err = decodeOutline(k.group, data)
		}
	}
	if err != nil || !s.hadBy(head.fed) {
		return standing{}, false
	}
	if !s.index.has(k.group.id) {
		s.index.update(k.group.id, rows)
	}
	head.fed = s.names()
	return head, true
}

// hadBy reports whether all consumers are among those.
func (s *Service) hadBy(fed []string) bool {
	return !slices.ContainsFunc(s.names(), func(name string) bool { return !slices.Contains(fed, name) })
}

// readWhole reads an object, or the first bytes of it, into memory of its size.
func readWhole(ctx context.Context, b *blob.Bucket, key string, most int64) ([]byte, error) {
	r, err := b.NewRangeReader(ctx, key, 0, most, nil)
	if err != nil {
		return nil, err
	}
	size := r.Size()
	if most >= 0 {
		size = min(size, most)
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err = data.ReadFrom(r)
	return data.Bytes(), errors.Join(err, r.Close())
}

// load returns what the cache has of a group, nil if it has nothing, or
// nothing that all consumers have had.
func (s *Service) load(ctx context.Context, k *kept) (*snapshot, error) {
	if s.o.Cache == nil {
		return nil, nil
	}
	data, err := readWhole(ctx, s.o.Cache, k.group.object(), -1)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kept grid of %s: %w", k.group.test, err)
	}
	have, err := decodeKept(k.group, data)
	if err != nil {
		return nil, fmt.Errorf("reading the kept grid of %s: %w", k.group.test, err)
	}
	if !s.hadBy(have.fed) {
		return nil, nil
	}
	have.fed = s.names()
	return have, nil
}

// store keeps a snapshot. It is called after consumers have had all that is
// over in it, so that what they have not had is read again.
func (s *Service) store(ctx context.Context, k *kept, next *snapshot) error {
	k.stored.Store(false)
	if s.o.Cache == nil || s.o.Look {
		return nil
	}
	data, err := encodeKept(k.group, next)
	if err != nil {
		return err
	}
	if err := s.o.Cache.WriteAll(ctx, k.group.object(), data, nil); err != nil {
		return fmt.Errorf("keeping the grid of %s: %w", k.group.test, err)
	}
	k.stored.Store(true)
	s.weigh(k, next, unfolded*int64(len(data)))
	return nil
}

// publish shows a snapshot from now on.
func (s *Service) publish(k *kept, next *snapshot) {
	before := k.now.Swap(next)
	s.mu.Lock()
	defer s.mu.Unlock()
	if before != nil {
		s.held -= before.size
	}
	s.held += next.size
	s.letGo(k)
}

// weigh corrects how large a snapshot is taken to be.
func (s *Service) weigh(k *kept, next *snapshot, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += size - next.size
	next.size = size
	s.letGo(k)
}

// letGo forgets the grids that were used longest ago, but for the one at hand,
// until the rest fits into memory: the cache has them. Under mu.
func (s *Service) letGo(at *kept) {
	for s.held > s.o.Memory {
		var oldest *kept
		for _, k := range s.groups {
			if k != at && k.stored.Load() && !k.busy() && k.now.Load() != nil && (oldest == nil || k.used.Load() < oldest.used.Load()) {
				oldest = k
			}
		}
		if oldest == nil {
			return
		}
		if gone := oldest.now.Swap(nil); gone != nil {
			s.held -= gone.size
		}
	}
}
