package scan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/licensecheck"

	"seaworthy/artifact/sbom"
)

// signs lists by which words a text gives away that it may be under a licence: a
// line for each form of a licence, with how many words the form has at most, and
// up to eight of the rarest that it cannot do without. A test derives it from the
// library's patterns and compares.
//
//go:embed signs.txt
var signs string

const (
	tableSize   = 1 << 13
	mostCached  = 4096 // findings kept by the text's digest
	leastCached = 1024 // shorter texts are looked at again sooner than remembered
)

// Licenses tells under which licences texts are. Building all 423 patterns of
// the library at once takes a second and 120 MB; here, a pattern is built when
// first a text holds the rare words that its licence cannot do without. One
// Licenses serves many goroutines; make one and keep it.
type Licenses struct {
	table [tableSize]sign   // by the hash of a word, linear probing
	forms []form            // lines of signs.txt
	heeds [][]int32         // by word: the forms it is a sign of
	known []lazyPattern     // by the library's order
	urls  map[string]string // address without scheme → licence

	mutex sync.Mutex
	cache map[[sha256.Size]byte]Finding
	// copyrights are Debian's copyright files by their digests.
	copyrights map[[sha256.Size]byte]copyrightFile
}

type sign struct {
	hash uint32
	word int32 // 1 + its number; 0 in an empty slot
}

type form struct {
	licence int32
	need    uint8   // how many of its words a text must hold
	reach   int32   // words within which it must hold them
	words   []int32 // by their numbers
}

type lazyPattern struct {
	license licensecheck.License
	once    sync.Once
	scanner *licensecheck.Scanner
	err     error
}

// Finding is what a text says about its licence.
type Finding struct {
	IDs       []string       // SPDX ids found in it, in order, each once
	Tag       string         // the expression after SPDX-License-Identifier, if there is one
	Percent   float64        // how much of the words belongs to licence texts; of Text only
	Copyright []string       // its copyright notices
	Text      string         // of a licence file in which nothing is recognized
	Refs      []sbom.License // texts of the ids that are LicenseRef-…
}

// Expression is what the text is under: its tag, or every licence found in it.
func (f Finding) Expression() string {
	if f.Tag != "" {
		return f.Tag
	}
	return sbom.AllOf(f.IDs...)
}

// NewLicenses prepares to recognize the licences that the library knows.
func NewLicenses() (*Licenses, error) {
	l := &Licenses{urls: map[string]string{}, cache: map[[sha256.Size]byte]Finding{}, copyrights: map[[sha256.Size]byte]copyrightFile{}}
	number := map[string]int32{}
	for _, builtin := range licensecheck.BuiltinLicenses() {
		switch {
		case builtin.URL != "":
			l.urls[builtin.URL] = builtin.ID
		case builtin.LRE != "":
			number[builtin.ID] = int32(len(l.known))
			l.known = append(l.known, lazyPattern{license: builtin})
		}
	}
	for line := range strings.Lines(signs) {
		fields := strings.Fields(line)
		n, ok := number[fields[0]]
		if !ok {
			return nil, fmt.Errorf("the licence library does not know %s any more: derive signs.txt anew", fields[0])
		}
		length, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("signs.txt: %w", err)
		}
		f := form{licence: n, need: uint8(len(fields) - 2 - amiss(len(fields)-2)), reach: int32(length + length/8 + 16)}
		for _, w := range fields[2:] {
			word := l.learn(w)
			f.words = append(f.words, word)
			l.heeds[word] = append(l.heeds[word], int32(len(l.forms)))
		}
		l.forms = append(l.forms, f)
	}
	return l, nil
}

// amiss is how many of a form's words may be misspelt; the library forgives some.
func amiss(words int) int {
	if words > 4 {
		return 1
	}
	return 0
}

// learn gives a word its number.
func (l *Licenses) learn(word string) int32 {
	h := uint32(hashStart)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * hashPrime
	}
	slot := h % tableSize
	for l.table[slot].word != 0 {
		if l.table[slot].hash == h {
			return l.table[slot].word - 1
		}
		slot = (slot + 1) % tableSize
	}
	l.heeds = append(l.heeds, nil)
	l.table[slot] = sign{hash: h, word: int32(len(l.heeds))}
	return int32(len(l.heeds) - 1)
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
const (
	hashStart = 2166136261
	hashPrime = 16777619
)

// letters maps a byte to its lower-case letter or digit, others to 0.
var letters = func() (table [256]byte) {
	for c := byte('0'); c <= '9'; c++ {
		table[c] = c
	}
	for c := byte('a'); c <= 'z'; c++ {
		table[c], table[c-'a'+'A'] = c, c
	}
	return table
}()

func (p *lazyPattern) build() (*licensecheck.Scanner, error) {
	p.once.Do(func() {
		p.scanner, p.err = licensecheck.NewScanner([]licensecheck.License{p.license})
	})
	return p.scanner, p.err
}

// Text looks for licences and copyright notices in a text that is a licence, or
// about licences, as a whole.
func (l *Licenses) Text(text []byte) (Finding, error) {
	key := sha256.Sum256(text)
	l.mutex.Lock()
	f, ok := l.cache[key]
	l.mutex.Unlock()
	if ok {
		return f, nil
	}
	f, matches, err := l.look(text)
	if err != nil {
		return Finding{}, err
	}
	f.Percent = percent(text, matches)
	if len(f.IDs) == 0 {
		f.Text = strings.TrimSpace(clip(string(text), mostLicenceText))
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.cache) < mostCached {
		l.cache[key] = f
	}
	return f, nil
}

// Source looks for licences and copyright notices in a file that is about
// something else.
func (l *Licenses) Source(text []byte) (Finding, error) {
	f, _, err := l.look(text)
	return f, err
}

func (l *Licenses) look(text []byte) (Finding, []match, error) {
	matches, err := l.match(text, l.candidates(text))
	if err != nil {
		return Finding{}, nil, err
	}
	f := Finding{Copyright: copyrights(text)}
	for _, m := range matches {
		f.add(m.ID, text[m.Start:m.End])
	}
	for _, id := range l.addresses(text) {
		f.add(id, nil)
	}
	if bytes.Contains(text, []byte(tagWord)) {
		f.readTags(text)
	}
	return f, matches, nil
}

// match is what one pattern found.
type match struct {
	licensecheck.Match
	order int32 // the licence's number
}

// match runs the candidates' patterns over the parts of the text where they may
// match. Where two overlap, the one that explains more of the text is right; of
// equal ones the library's order decides.
func (l *Licenses) match(text []byte, candidates []candidate) ([]match, error) {
	var all []match
	for _, c := range candidates {
		scanner, err := l.known[c.licence].build()
		if err != nil {
			return nil, fmt.Errorf("preparing to recognize %s: %w", l.known[c.licence].license.ID, err)
		}
		for _, m := range scanner.Scan(text[c.start:c.end]).Match {
			m.Start, m.End = m.Start+c.start, m.End+c.start
			all = append(all, match{m, c.licence})
		}
	}
	slices.SortFunc(all, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.order, b.order), cmp.Compare(a.Start, b.Start))
	})
	var kept []match
	for _, m := range all {
		overlap := 0
		for i := range kept {
			k := &kept[i]
			if m.End <= k.Start || m.Start >= k.End {
				continue
			}
			// A match is widened to the notice of copyright before it, which may
			// reach into another licence. If it holds without, both are there.
			if rest, ok := l.without(text, *k, m); ok {
				k.Start = rest
				continue
			}
			if rest, ok := l.without(text, m, *k); ok {
				m.Start = rest
				continue
			}
			overlap += min(m.End, k.End) - max(m.Start, k.Start)
		}
		if 2*overlap <= m.End-m.Start {
			kept = append(kept, m)
		}
	}
	slices.SortFunc(kept, func(a, b match) int { return cmp.Compare(a.Start, b.Start) })
	return kept, nil
}

// widened is how far before a licence its notice of copyright may begin, in
// bytes: the library goes back 50 words.
const widened = 1000

// without reports whether a match still stands, and where, when another one
// that lies at its beginning is cut off.
func (l *Licenses) without(text []byte, m, first match) (int, bool) {
	if m.order == first.order || first.End-m.Start > widened || first.End >= m.End {
		return 0, false
	}
	scanner, err := l.known[m.order].build()
	if err != nil {
		return 0, false // was built before, to find m
	}
	for _, again := range scanner.Scan(text[first.End:m.End]).Match {
		if !again.IsURL && first.End+again.End == m.End {
			return first.End + again.Start, true
		}
	}
	return 0, false
}

// percent is how much of a text's words are in matches.
func percent(text []byte, matches []match) float64 {
	covered, last := 0, 0
	for _, m := range matches {
		covered += len(bytes.Fields(text[max(m.Start, last):m.End]))
		last = m.End
	}
	words := len(bytes.Fields(text))
	if words == 0 {
		return 0
	}
	return min(100, 100*float64(covered)/float64(words))
}

// add notes a licence by the library's name; some of them are not SPDX's.
func (f *Finding) add(id string, text []byte) {
	var e sbom.Expression
	if spdx, _, ok := sbom.KnownLicense(id); ok {
		e = current(spdx)
	} else if id == "GPL-2.0-or-3.0" {
		e = fixed("GPL-2.0-only OR GPL-3.0-only")
	} else {
		own := sbom.License{ID: sbom.LicenseRef(id), Name: id, Text: id}
		if len(text) > 0 {
			own = ownLicence(id, string(text))
		}
		if e = leaf(own.ID); !slices.Contains(f.IDs, own.ID) {
			f.Refs = append(f.Refs, own)
		}
	}
	for _, found := range e.Licenses() {
		if !slices.Contains(f.IDs, found) {
			f.IDs = append(f.IDs, found)
		}
	}
}

// mostLicenceText is how much of an unknown licence's text is kept, in bytes.
const mostLicenceText = 64 << 10

// clip shortens a text to n bytes at most, at a character's edge.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
