package live

import (
	"strings"
	"unicode"
)

// mostSamples is how many texts of a cluster are compared to find the words
// that vary; more of them hardly change what is found.
const mostSamples = 50

// segments cuts a cluster's text where its words begin or cease to vary.
func (t *Table) segments(cluster int32) []Segment {
	c := &t.clusters[cluster]
	if c.spans != nil {
		return cut(c.Text, c.spans)
	}
	var samples []string
	for i := range t.texts {
		x := &t.texts[i]
		if x.cluster != cluster {
			continue
		}
		for _, s := range []string{x.sample, x.other} {
			if s != "" {
				samples = append(samples, s)
			}
		}
		if len(samples) >= mostSamples {
			break
		}
	}
	return Vary(c.Text, samples)
}

// Vary cuts a text into words that stand in all samples, as often as in the
// text, and words that do not. White space goes with the word before it.
func Vary(text string, samples []string) []Segment {
	words := split(text)
	common := map[string]int{}
	for _, w := range words {
		common[strings.TrimSpace(w)]++
	}
	for _, s := range samples {
		here := map[string]int{}
		for _, w := range split(s) {
			here[strings.TrimSpace(w)]++
		}
		for w, n := range common {
			common[w] = min(n, here[w])
		}
	}
	var all []Segment
	for _, w := range words {
		key := strings.TrimSpace(w)
		varies := common[key] <= 0 && key != ""
		common[key]-- // of a word that stands there more often than elsewhere, the first are common
		if n := len(all); n > 0 && all[n-1].Varies == varies {
			all[n-1].Text += w
		} else {
			all = append(all, Segment{w, varies})
		}
	}
	return all
}

// split cuts a text into words, each with the white space after it.
func split(text string) []string {
	var words []string
	start, space := 0, false
	for i, r := range text {
		if s := unicode.IsSpace(r); s != space {
			if space { // a word begins
				words = append(words, text[start:i])
				start = i
			}
			space = s
		}
	}
	if start < len(text) {
		words = append(words, text[start:])
	}
	return words
}

// cut applies triage's spans, lengths in bytes of what is common and what
// varies in turns. Lengths that lead out of the text end with it.
func cut(text string, spans []int) []Segment {
	var all []Segment
	for i, n := range spans {
		n = min(max(n, 0), len(text))
		if n > 0 {
			all = append(all, Segment{text[:n], i%2 == 1})
		}
		text = text[n:]
	}
	if text != "" {
		all = append(all, Segment{Text: text})
	}
	return all
}
