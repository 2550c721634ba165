package triage

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// keyLimit is how many bytes of a statement are kept to be shown and read. What
// is compared are hashes of all its lines.
const keyLimit = 10_000

// member is a failure of a group.
type member struct {
	raw   uint64 // hash of its text
	build int
	test  int32
}

// group is the failures of one statement.
type group struct {
	statement uint64
	lines     []line
	key       string // the statement, cut
	members   []member
	started   int64    // of the failure whose text is kept
	raw       uint64   // hash of that text
	text      string   // cut
	shared    []uint64 // hashes of words of noise that all texts have, in order
}

func newGroup(s *scanner) *group {
	return &group{statement: s.statement, lines: slices.Clone(s.lines), key: cut(string(s.out[:min(len(s.out), keyLimit+utf8.UTFMax)]), keyLimit)}
}

// add takes the failure m that s has just read.
func (g *group) add(s *scanner, m member, started time.Time, limit int) {
	at := started.Unix()
	if len(g.members) == 0 {
		g.started, g.raw, g.text = at, m.raw, cut(s.text, limit)
		s.noiseWords(func(h uint64) { g.shared = append(g.shared, h) })
		slices.Sort(g.shared)
		g.shared = slices.Clip(slices.Compact(g.shared))
	} else {
		if at < g.started || at == g.started && m.raw < g.raw {
			g.started, g.raw, g.text = at, m.raw, cut(s.text, limit)
		}
		g.share(s)
	}
	g.members = append(g.members, m)
}

// share forgets the words of noise that the text of s lacks.
func (g *group) share(s *scanner) {
	if len(g.shared) == 0 {
		return
	}
	found := make([]bool, len(g.shared))
	s.noiseWords(func(h uint64) {
		if i, ok := slices.BinarySearch(g.shared, h); ok {
			found[i] = true
		}
	})
	kept := g.shared[:0]
	for i, h := range g.shared {
		if found[i] {
			kept = append(kept, h)
		}
	}
	g.shared = kept
}

// settle makes identical rows one failure.
func (g *group) settle() {
	slices.SortFunc(g.members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.build, b.build), cmp.Compare(a.test, b.test), cmp.Compare(a.raw, b.raw))
	})
	g.members = slices.Compact(g.members)
}

// before reports whether the text of g is to be shown rather than one with
// these properties.
func (g *group) before(started int64, raw uint64) bool {
	return g.started < started || g.started == started && g.raw < raw
}

// larger puts groups in an order that depends on nothing but what they hold.
func larger(a, b *group) int {
	return cmp.Or(cmp.Compare(len(b.members), len(a.members)), cmp.Compare(a.statement, b.statement))
}

// cut shortens text to at most limit bytes, at a character's border.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.Clone(text[:limit])
}

// identify gives each cluster the shortest prefix of its key's digest, of at
// least 20 digits, that no other has.
func identify(clusters []Group) {
	digests := make([]string, len(clusters))
	taken := map[string]int{}
	for i := range clusters {
		p := clusters[i].parts[0]
		material := p.key
		if len(material) >= keyLimit-utf8.UTFMax { // the cut may hide what differs
			material += fmt.Sprintf("\n%016x", p.statement)
		}
		sum := sha256.Sum256([]byte(material))
		digests[i] = hex.EncodeToString(sum[:])
		taken[digests[i][:20]]++
	}
	for i, d := range digests {
		n := 20
		for taken[d[:n]] > 1 && n < len(d) {
			if n = n + 4; n == 24 {
				break
			}
		}
		clusters[i].ID = d[:n]
	}
}
