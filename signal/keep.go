package signal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"gocloud.dev/gcerrors"

	"seaworthy/grid"
)

// A kept grid is an object of four parts: a line that names the form, the
// length of a head and the head as JSON, the grid as grid.Encode writes it, and
// the CRC-32 of all that, big endian. It is written whole or not at all, and
// read only if it is whole; of two writers the last one wins, and loses nothing
// that the bucket with the results does not have.
const keptForm = "seaworthy grid 1\n"

// keptHead says what the grid was made of.
type keptHead struct {
	Group string    `json:"group"`
	Read  time.Time `json:"read"`
	Over  []string  `json:"over"`
	Floor string    `json:"floor,omitempty"`
	Fed   []string  `json:"fed,omitempty"`
}

// How much larger a grid is in memory than encoded, roughly.
const unfolded = 12

func (g group) object() string { return "grids/" + g.id }

// encodeKept returns the object of a snapshot.
func encodeKept(g group, s *snapshot) ([]byte, error) {
	head := keptHead{Group: g.id, Read: s.read, Floor: s.floor, Fed: s.fed}
	for id := range s.over {
		head.Over = append(head.Over, id)
	}
	slices.Sort(head.Over)
	text, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("writing what a grid is made of: %w", err)
	}
	body, err := s.grid.Encode()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(keptForm)+binary.MaxVarintLen64+len(text)+len(body)+crc32.Size)
	out = append(out, keptForm...)
	out = binary.AppendUvarint(out, uint64(len(text)))
	out = append(append(out, text...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)), nil
}

var errOtherForm = errors.New("it has another form, or is not whole")

// decodeKept reads an object; the error says that it is to be made anew.
func decodeKept(g group, data []byte) (*snapshot, error) {
	end := len(data) - crc32.Size
	if end < len(keptForm) || !bytes.HasPrefix(data, []byte(keptForm)) {
		return nil, errOtherForm
	}
	if binary.BigEndian.Uint32(data[end:]) != crc32.ChecksumIEEE(data[:end]) {
		return nil, errOtherForm
	}
	rest := data[len(keptForm):end]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length > uint64(len(rest)-n) {
		return nil, errOtherForm
	}
	var head keptHead
	if err := json.Unmarshal(rest[n:n+int(length)], &head); err != nil {
		return nil, fmt.Errorf("reading what a grid is made of: %w", err)
	}
	if head.Group != g.id {
		return nil, errOtherForm
	}
	body := rest[n+int(length):]
	decoded, err := grid.Decode(body)
	if err != nil {
		return nil, err
	}
	s := &snapshot{grid: decoded, read: head.Read, over: make(map[string]bool, len(head.Over)), floor: head.Floor, fed: head.Fed, size: unfolded * int64(len(body))}
	for _, id := range head.Over {
		s.over[id] = true
	}
	return s, nil
}

// load returns what the cache has of a group, nil if it has nothing, or
// nothing that all consumers have had.
func (s *Service) load(ctx context.Context, k *kept) (*snapshot, error) {
	if s.o.Cache == nil {
		return nil, nil
	}
	data, err := s.o.Cache.ReadAll(ctx, k.group.object())
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
	for _, name := range s.names() {
		if !slices.Contains(have.fed, name) {
			return nil, nil
		}
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
