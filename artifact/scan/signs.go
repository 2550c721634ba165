package scan

import (
	"cmp"
	"slices"
)

// candidate is a part of a text, in bytes, in which a licence may stand.
type candidate struct {
	licence    int32
	start, end int
}

// sighting is a word of signs.txt met in a text.
type sighting struct {
	word  int32
	place int32 // number of the word in the text
}

// everyWord is how many words lie between the places whose bytes are noted.
const everyWord = 32

// shortWord is the length up to which a word is left as it is.
const shortWord = 3

// candidates finds where a text holds the signs of licences close enough together.
// Most of a text, and most texts, hold none, and are not looked at again.
func (l *Licenses) candidates(text []byte) []candidate {
	counts := make([]uint8, len(l.forms))
	seen := make([]bool, len(l.heeds))
	var met []int32 // forms of which enough words are somewhere
	var sightings []sighting
	var places []int // bytes of every 32nd word
	words := int32(0)
	for i := 0; i < len(text); {
		c := letters[text[i]]
		if c == 0 {
			i++
			continue
		}
		if words%everyWord == 0 {
			places = append(places, i)
		}
		words++
		h, before, start := uint32(hashStart), uint32(0), i
		last := c
		for c != 0 {
			before, last = h, c
			h = (h ^ uint32(c)) * hashPrime
			if i++; i == len(text) {
				break
			}
			c = letters[text[i]]
		}
		if last == 's' && i-start > shortWord {
			h = before // singular and plural are one word; the library forgives it too
		}
		slot := h % tableSize
		for l.table[slot].word != 0 && l.table[slot].hash != h {
			slot = (slot + 1) % tableSize
		}
		word := l.table[slot].word - 1
		if word < 0 {
			continue
		}
		sightings = append(sightings, sighting{word, words - 1})
		if seen[word] {
			continue
		}
		seen[word] = true
		for _, f := range l.heeds[word] {
			if counts[f]++; counts[f] == l.forms[f].need {
				met = append(met, f)
			}
		}
	}
	var list []candidate
	for _, f := range met {
		list = l.forms[f].near(list, sightings, places, len(text))
	}
	return joined(list)
}

// near appends the parts of the text where enough words of the form are within
// its reach.
func (f form) near(list []candidate, sightings []sighting, places []int, size int) []candidate {
	var window []sighting
	var counts [16]uint8 // a line of signs.txt has 8 words
	distinct := uint8(0)
	for _, s := range sightings {
		n := slices.Index(f.words, s.word)
		if n < 0 {
			continue
		}
		window = append(window, sighting{int32(n), s.place})
		if counts[n]++; counts[n] == 1 {
			distinct++
		}
		for window[0].place < s.place-f.reach || counts[window[0].word] == 255 {
			if counts[window[0].word]--; counts[window[0].word] == 0 {
				distinct--
			}
			window = window[1:]
		}
		if distinct >= f.need {
			// The form holds this word, so it begins and ends within its reach.
			from, to := int(s.place-f.reach)/everyWord, int(s.place+f.reach)/everyWord+2
			c := candidate{licence: f.licence, end: size}
			if from > 0 {
				c.start = places[from]
			}
			if to < len(places) {
				c.end = places[to]
			}
			if n := len(list); n > 0 && list[n-1].licence == c.licence && c.start <= list[n-1].end && c.start >= list[n-1].start {
				list[n-1].end = max(list[n-1].end, c.end)
				continue
			}
			list = append(list, c)
		}
	}
	return list
}

// joined puts parts of one licence together where they overlap.
func joined(list []candidate) []candidate {
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.licence, b.licence), cmp.Compare(a.start, b.start))
	})
	var sum []candidate
	for _, c := range list {
		if n := len(sum); n > 0 && sum[n-1].licence == c.licence && c.start <= sum[n-1].end {
			sum[n-1].end = max(sum[n-1].end, c.end)
			continue
		}
		sum = append(sum, c)
	}
	return sum
}
