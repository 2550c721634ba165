package triage

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
)

// Match is what an Index found a text to be.
type Match struct {
	ID    string // of the cluster
	Exact bool   // the statement is the cluster's own, not one with more or fewer lines
}

// Index assigns single texts to clusters as they come, by the rule of Cluster:
// the same statement, or one that only adds a few lines to the cluster's. What
// takes many texts to see, names that turn out to be new every time, is left to
// the next Cluster. It costs some microseconds a text, and memory by the lines
// of statements, not by the number of failures. It is a JSON value, so that it
// can be kept. Many goroutines may use it.
type Index struct {
	lock       sync.RWMutex
	statements []statement
	known      map[uint64]int32 // hash: the statement
	lines      lineIndex        // of statements that lead their cluster
	leads      map[string]bool  // clusters that have a leading statement
	readers    sync.Pool
}

// statement is one way in which a cluster's failures put it.
type statement struct {
	id    string
	hash  uint64
	lines []line
}

// NewIndex returns one that knows the clusters given.
func NewIndex(clusters []Group) *Index {
	x := &Index{}
	x.reset()
	for _, c := range clusters {
		for _, p := range c.parts {
			x.add(statement{c.ID, p.statement, p.lines})
		}
	}
	return x
}

func (x *Index) reset() {
	x.statements, x.known, x.leads = nil, map[uint64]int32{}, map[string]bool{}
	x.lines = lineIndex{in: map[uint64]int32{}, whole: map[uint64][]int32{}, rarest: map[uint64][]int32{}, least: 1}
	x.readers.New = func() any { return &scanner{} }
}

func (x *Index) add(s statement) {
	if _, ok := x.known[s.hash]; ok {
		return
	}
	i := int32(len(x.statements))
	x.statements = append(x.statements, s)
	x.known[s.hash] = i
	if x.leads[s.id] {
		return
	}
	x.leads[s.id] = true
	for _, l := range s.lines {
		x.lines.in[l.hash]++
	}
	x.lines.add(int(i), s.lines)
}

// Assign returns the cluster a text belongs to, and whether there is one.
func (x *Index) Assign(text string) (Match, bool) {
	s := x.readers.Get().(*scanner)
	defer x.readers.Put(s)
	s.read(text)
	x.lock.RLock()
	defer x.lock.RUnlock()
	if i, ok := x.known[s.statement]; ok {
		return Match{x.statements[i].id, true}, true
	}
	i, ok := x.lines.find(s.lines, func(i int32) []line { return x.statements[i].lines })
	if !ok {
		return Match{}, false
	}
	return Match{ID: x.statements[i].id}, true
}

// Add makes a text known as one of the cluster id, which may be new. The first
// text of a cluster is the one others are compared with. A statement stays with
// the cluster it was first added to.
func (x *Index) Add(id, text string) {
	var s scanner
	s.read(text)
	x.lock.Lock()
	defer x.lock.Unlock()
	x.add(statement{id, s.statement, s.lines})
}

// Len returns how many statements are known.
func (x *Index) Len() int {
	x.lock.RLock()
	defer x.lock.RUnlock()
	return len(x.statements)
}

// indexVersion changes when the same text would give other hashes: an index of
// another version is to be made anew from texts.
const indexVersion = 1

type indexState struct {
	Version    int              `json:"version"`
	Statements []statementState `json:"statements"`
}

type statementState struct {
	ID    string `json:"id"`
	Hash  uint64 `json:"hash,string"`
	Lines string `json:"lines"` // of each its hash in 8 bytes and its weight; base64
}

// MarshalJSON implements json.Marshaler.
func (x *Index) MarshalJSON() ([]byte, error) {
	x.lock.RLock()
	defer x.lock.RUnlock()
	state := indexState{Version: indexVersion, Statements: make([]statementState, len(x.statements))}
	for i, s := range x.statements {
		var lines []byte
		for _, l := range s.lines {
			lines = binary.LittleEndian.AppendUint64(lines, l.hash)
			lines = binary.AppendUvarint(lines, uint64(l.words))
		}
		state.Statements[i] = statementState{s.id, s.hash, base64.StdEncoding.EncodeToString(lines)}
	}
	return json.Marshal(state)
}

// UnmarshalJSON implements json.Unmarshaler. It refuses an index of another
// version.
func (x *Index) UnmarshalJSON(raw []byte) error {
	var state indexState
	if err := json.Unmarshal(raw, &state); err != nil {
		return fmt.Errorf("reading an index of failures: %w", err)
	}
	if state.Version != indexVersion {
		return fmt.Errorf("the index of failures is of version %d, not %d: make it anew from texts", state.Version, indexVersion)
	}
	x.lock.Lock()
	defer x.lock.Unlock()
	x.reset()
	for i, s := range state.Statements {
		b, err := base64.StdEncoding.DecodeString(s.Lines)
		if err != nil {
			return fmt.Errorf("reading an index of failures: statement %d: %w", i, err)
		}
		one := statement{id: s.ID, hash: s.Hash}
		for len(b) > 0 {
			if len(b) < 9 {
				return fmt.Errorf("reading an index of failures: statement %d is cut short", i)
			}
			l := line{hash: binary.LittleEndian.Uint64(b)}
			words, n := binary.Uvarint(b[8:])
			if n <= 0 || words > 1<<30 {
				return fmt.Errorf("reading an index of failures: statement %d has a line without weight", i)
			}
			l.words = int32(words)
			one.lines = append(one.lines, l)
			b = b[8+n:]
		}
		x.add(one)
	}
	return nil
}
