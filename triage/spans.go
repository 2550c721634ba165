package triage

// wordByte reports whether b is part of a word, as \w of regular expressions
// has it.
func wordByte(b byte) bool { return is(b, lower|upper|digit) || b == '_' }

// noiseWords calls f with the hash of each word that noise is in.
func (s *scanner) noiseWords(f func(hash uint64)) {
	done := 0
	for _, n := range s.noise {
		i := n.from
		for i > done && wordByte(s.text[i-1]) {
			i--
		}
		i = max(i, done)
		for i < n.to {
			if !wordByte(s.text[i]) {
				i++
				continue
			}
			j := i
			for j < len(s.text) && wordByte(s.text[j]) {
				j++
			}
			f(hashText(s.text[i:j]))
			i = j
		}
		done = max(done, i)
	}
}

// words calls f with each word, its extent, and whether noise is in it.
func (s *scanner) eachWord(f func(hash uint64, w extent, noise bool)) {
	k := 0
	for i := 0; i < len(s.text); {
		if !wordByte(s.text[i]) {
			i++
			continue
		}
		j := i
		for j < len(s.text) && wordByte(s.text[j]) {
			j++
		}
		for k < len(s.noise) && s.noise[k].to <= i {
			k++
		}
		f(hashText(s.text[i:j]), extent{i, j}, k < len(s.noise) && s.noise[k].from < j)
		i = j
	}
}

// spans returns alternating lengths in bytes of what the text of first shares
// with all texts of the groups and what it does not, beginning with a shared
// one, which may be empty. Words are compared as a set, as triage does; blanks
// and punctuation are shared unless they are between words of noise that are
// not. Words outside noise are in every text of a group by its making.
func spans(first *group, parts []*group) []int {
	var s scanner
	s.read(first.text)
	shared := map[uint64]bool{}
	for _, h := range first.shared {
		shared[h] = true
	}
	s.eachWord(func(h uint64, _ extent, noise bool) {
		if !noise {
			shared[h] = true
		}
	})
	for _, p := range parts {
		if p == first {
			continue
		}
		has := map[uint64]bool{}
		for _, h := range p.shared {
			has[h] = true
		}
		s.read(p.text)
		s.eachWord(func(h uint64, _ extent, noise bool) {
			if !noise {
				has[h] = true
			}
		})
		for h := range shared {
			if !has[h] {
				delete(shared, h)
			}
		}
	}
	s.read(first.text)
	return s.lengths(shared)
}

// lengths measures the text by whether its words are shared.
func (s *scanner) lengths(shared map[uint64]bool) []int {
	out := []int{}
	match, from, last, k := true, 0, extent{}, 0
	turn := func(at int) {
		out = append(out, at-from)
		match, from = !match, at
	}
	s.eachWord(func(h uint64, w extent, _ bool) {
		switch yes := shared[h]; {
		case yes && !match:
			turn(last.to) // what follows a word that varies is shared again
		case !yes && match:
			turn(w.from)
		case !yes && !match:
			var within bool
			if k, within = s.withinNoise(k, last.to, w.from); !within {
				turn(last.to)
				turn(w.from)
			}
		}
		last = w
	})
	if !match && last.to < len(s.text) {
		turn(last.to)
	}
	if from < len(s.text) {
		out = append(out, len(s.text)-from)
	}
	return out
}

// withinNoise reports whether text[from:to] is inside one noise, at or behind
// noise[k], and returns the k to go on with for what is behind from.
func (s *scanner) withinNoise(k, from, to int) (int, bool) {
	for k < len(s.noise) && s.noise[k].to <= from {
		k++
	}
	return k, k < len(s.noise) && s.noise[k].from <= from && to <= s.noise[k].to
}
