package live

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// searcher looks for an expression in texts: only where one of the words is that
// it needs, if it needs any, and in one line at a time if a match never goes
// beyond it. An expression is tried many times as quickly on a line as on a
// text of many, and most lines are out of question.
func searcher(e *regexp.Regexp, words []string, line bool) matcher {
	switch {
	case line && words != nil:
		return func(s string) bool { return someLine(s, words, e.MatchString) }
	case line:
		return func(s string) bool {
			for one := range strings.SplitSeq(s, "\n") {
				if e.MatchString(one) {
					return true
				}
			}
			return false
		}
	case words != nil:
		return func(s string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) }) && e.MatchString(s)
		}
	}
	return e.MatchString
}

// someLine reports whether a line that holds any of the words is matched.
func someLine(s string, words []string, match matcher) bool {
	for _, w := range words {
		for from := 0; from < len(s); {
			at := strings.Index(s[from:], w)
			if at < 0 {
				break
			}
			at += from
			begin := strings.LastIndexByte(s[:at], '\n') + 1
			end := len(s)
			if n := strings.IndexByte(s[at:], '\n'); n >= 0 {
				end = at + n
			}
			if match(s[begin:end]) {
				return true
			}
			from = end + 1
		}
	}
	return false
}

// staysInLine reports whether nothing that an expression matches holds the end of
// a line, and nothing in it asks for an end of the text. Then a text matches if
// one of its lines does: the ends of a line are to ^, $ and \b what those of a
// text are.
func staysInLine(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpAnyChar:
		return false
	case syntax.OpLiteral:
		return !slices.Contains(r.Rune, '\n')
	case syntax.OpCharClass:
		for i := 0; i+1 < len(r.Rune); i += 2 {
			if r.Rune[i] <= '\n' && '\n' <= r.Rune[i+1] {
				return false
			}
		}
	}
	return !slices.ContainsFunc(r.Sub, func(sub *syntax.Regexp) bool { return !staysInLine(sub) })
}

// mostNeeds bounds the words that a text is searched for before an expression
// is tried on it.
const mostNeeds = 16

// needs returns words of which every text that matches has at least one, or nil
// if there are none: to look for a word takes a fraction of what the expression
// takes. r is in lower case.
func needs(r *syntax.Regexp) []string {
	switch r.Op {
	case syntax.OpLiteral:
		if word := string(r.Rune); len(word) > 1 {
			return []string{word}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needs(r.Sub[0])
	case syntax.OpRepeat:
		if r.Min > 0 {
			return needs(r.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range r.Sub {
			if words := needs(sub); words != nil && (best == nil || shortestOf(words) > shortestOf(best)) {
				best = words
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range r.Sub {
			words := needs(sub)
			if words == nil || len(all)+len(words) > mostNeeds {
				return nil
			}
			all = append(all, words...)
		}
		return all
	}
	return nil
}

func shortestOf(words []string) int {
	least := len(words[0])
	for _, w := range words {
		least = min(least, len(w))
	}
	return least
}
