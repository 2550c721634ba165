package scan

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "rewrite golden files and signs.txt")

// signsOf derives, for every licence the library knows, the words by which a
// text gives it away. It is what signs.txt was written from.
func signsOf(t testing.TB, licences []licensecheck.License) string {
	t.Helper()
	forms := map[string][]signForm{}
	frequency := map[string]int{}
	for _, l := range licences {
		if l.LRE == "" {
			continue
		}
		sets := parsePattern(t, l.ID, l.LRE)
		forms[l.ID] = nil
		seen := map[string]bool{}
		for _, set := range sets {
			f := signForm{length: set.length}
			for w := range set.words {
				f.words = append(f.words, w)
				seen[w] = true
			}
			forms[l.ID] = append(forms[l.ID], f)
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
		longest := map[string]int{} // by the words that are chosen
		for _, f := range forms[l.ID] {
			words := f.words
			slices.SortFunc(words, func(a, b string) int {
				return cmp.Or(cmp.Compare(frequency[a], frequency[b]), cmp.Compare(a, b))
			})
			words = slices.DeleteFunc(words, func(w string) bool { return runTogether(w, frequency) })
			chosen := slices.Clone(words[:min(signWords, len(words))])
			for len(chosen) > 5 && frequency[chosen[len(chosen)-1]] > usual {
				chosen = chosen[:len(chosen)-1] // a word of every fifth licence tells little
			}
			slices.Sort(chosen)
			key := strings.Join(chosen, " ")
			longest[key] = max(longest[key], f.length)
		}
		for _, key := range slices.Sorted(maps.Keys(longest)) {
			fmt.Fprintf(&b, "%s %d %s\n", l.ID, longest[key], key)
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

// signForm is one form of a pattern: the words it cannot do without, and how many
// words it has at most.
type signForm struct {
	words  []string
	length int
}

// wordSet are words that a text must all hold, and how many it has at most.
type wordSet struct {
	words  map[string]bool
	length int
}

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
	sets := []wordSet{{words: map[string]bool{}}}
	for len(tokens) > 0 {
		switch tok := tokens[0]; {
		case tok == "((":
			inner, rest := patternAlternatives(tokens[1:])
			end := rest[0]
			tokens = rest[1:]
			common := inCommon(inner)
			if end == "))??" {
				inner = []wordSet{{length: common.length}}
			} else if len(sets)*len(inner) > mostForms {
				inner = []wordSet{common}
			}
			var next []wordSet
			for _, a := range sets {
				for _, b := range inner {
					sum := wordSet{words: maps.Clone(a.words), length: a.length + b.length}
					maps.Copy(sum.words, b.words)
					next = append(next, sum)
				}
			}
			sets = next
			continue
		case tok == "||" || strings.HasPrefix(tok, "))"):
			return sets, tokens
		case strings.HasPrefix(tok, "__"):
			n, err := strconv.Atoi(strings.Trim(tok, "_"))
			if err != nil {
				panic(err) // the token is digits between lines
			}
			for i := range sets {
				sets[i].length += n
			}
		case !strings.HasPrefix(tok, "//**"):
			for i := range sets {
				sets[i].length++
				if telling(tok) {
					sets[i].words[singular(strings.ToLower(tok))] = true
				}
			}
		}
		tokens = tokens[1:]
	}
	return sets, nil
}

// inCommon is what alternatives have in common, and the length of the longest.
func inCommon(sets []wordSet) wordSet {
	sum := wordSet{words: maps.Clone(sets[0].words)}
	for _, s := range sets {
		maps.DeleteFunc(sum.words, func(w string, _ bool) bool { return !s.words[w] })
		sum.length = max(sum.length, s.length)
	}
	return sum
}

// singular cuts the s off that candidates does not look at.
func singular(w string) string {
	if len(w) > shortWord {
		return strings.TrimSuffix(w, "s")
	}
	return w
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
