package scan

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "rewrite golden files and signs.txt")

// signsOf derives, for every licence the library knows, the words by which a
// text gives it away. It is what signs.txt was written from.
func signsOf(t testing.TB, licences []licensecheck.License) string {
	t.Helper()
	forms := map[string][][]string{}
	frequency := map[string]int{}
	for _, l := range licences {
		if l.LRE == "" {
			continue
		}
		sets := parsePattern(t, l.ID, l.LRE)
		forms[l.ID] = nil
		seen := map[string]bool{}
		for _, set := range sets {
			words := []string{}
			for w := range set {
				words = append(words, w)
				seen[w] = true
			}
			forms[l.ID] = append(forms[l.ID], words)
		}
		for w := range seen {
			frequency[w]++
		}
	}
	usual := len(forms) / 5
	var b strings.Builder
	for _, l := range licences {
		if l.LRE == "" {
			continue
		}
		lines := map[string]bool{}
		for _, words := range forms[l.ID] {
			slices.SortFunc(words, func(a, b string) int {
				return cmp.Or(cmp.Compare(frequency[a], frequency[b]), cmp.Compare(a, b))
			})
			words = slices.DeleteFunc(words, func(w string) bool { return runTogether(w, frequency) })
			chosen := slices.Clone(words[:min(signWords, len(words))])
			for len(chosen) > 3 && frequency[chosen[len(chosen)-1]] > usual {
				chosen = chosen[:len(chosen)-1] // a word of every fifth licence tells little
			}
			slices.Sort(chosen)
			lines[l.ID+" "+strings.Join(chosen, " ")] = true
		}
		for _, line := range slices.Sorted(func(yield func(string) bool) {
			for l := range lines {
				if !yield(l) {
					return
				}
			}
		}) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// runTogether finds the patterns' own misprints, such as "modifyand": the
// library forgives texts that write them as two words.
func runTogether(w string, frequency map[string]int) bool {
	for i := 3; i <= len(w)-3; i++ {
		if frequency[w] < 3 && frequency[w[:i]] > 20 && frequency[w[i:]] > 20 {
			return true
		}
	}
	return false
}

// signWords is how many words a line of signs.txt has at most: the rarest of
// those that the form must hold.
const signWords = 8

// wordSet are words that a text must all hold.
type wordSet map[string]bool

var patternToken = regexp.MustCompile(`(?s)//\*\*.*?\*\*//|\(\(|\)\)\?\?|\)\)|\|\||__[0-9]+__|<[^<>]*>|[\p{L}\p{N}]+`)

// parsePattern reads a pattern of the library ("((" group "))", "||", "))??"
// optional, "__N__" any words, "//** comment **//") and returns the sets of words
// of its forms: every text that matches holds all words of one of them.
func parsePattern(t testing.TB, id, pattern string) []wordSet {
	t.Helper()
	tokens := patternToken.FindAllString(pattern, -1)
	sets, rest := patternAlternatives(tokens)
	if len(rest) > 0 {
		t.Fatalf("%s: the pattern ends at %q", id, rest[0])
	}
	return sets
}

// patternAlternatives reads up to the end of a group.
func patternAlternatives(tokens []string) (sets []wordSet, rest []string) {
	for {
		one, after := patternSequence(tokens)
		sets = append(sets, one...)
		if len(after) == 0 || after[0] != "||" {
			return sets, after
		}
		tokens = after[1:]
	}
}

// mostForms is how many forms of a pattern are told apart; beyond, what they
// have in common must do.
const mostForms = 12

func patternSequence(tokens []string) ([]wordSet, []string) {
	sets := []wordSet{{}}
	for len(tokens) > 0 {
		switch tok := tokens[0]; {
		case tok == "((":
			inner, rest := patternAlternatives(tokens[1:])
			end := rest[0]
			tokens = rest[1:]
			if end == "))??" {
				continue
			}
			if len(sets)*len(inner) > mostForms {
				inner = []wordSet{inCommon(inner)}
			}
			var next []wordSet
			for _, a := range sets {
				for _, b := range inner {
					sum := wordSet{}
					for w := range a {
						sum[w] = true
					}
					for w := range b {
						sum[w] = true
					}
					next = append(next, sum)
				}
			}
			sets = next
			continue
		case tok == "||" || strings.HasPrefix(tok, "))"):
			return sets, tokens
		case telling(tok):
			for _, s := range sets {
				s[strings.ToLower(tok)] = true
			}
		}
		tokens = tokens[1:]
	}
	return sets, nil
}

func inCommon(sets []wordSet) wordSet {
	sum := wordSet{}
	for w := range sets[0] {
		all := true
		for _, s := range sets[1:] {
			all = all && s[w]
		}
		if all {
			sum[w] = true
		}
	}
	return sum
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// telling reports whether a word may be a sign: one the library takes as it
// stands, neither rewriting nor dropping it.
func telling(w string) bool {
	rewritten := []string{"is", "are", "it", "them", "they", "the", "these", "this", "those", "copy", "copies", "c", "s", "http", "https", "copyright"}
	return plainWord.MatchString(w) && !slices.Contains(rewritten, strings.ToLower(w))
}

func TestSignsAreOfTheLibrary(t *testing.T) {
	want := signsOf(t, licensecheck.BuiltinLicenses())
	if *update {
		if err := os.WriteFile("signs.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("signs.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("signs.txt does not fit the licence library: run go test ./artifact/scan -run TestSigns -update")
	}
}
