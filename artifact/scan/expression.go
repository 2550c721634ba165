package scan

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// leaf is the expression of one licence, written as SPDX does: GPL-2.0-only WITH
// Classpath-exception-2.0, Apache-2.0+.
func leaf(id string) sbom.Expression {
	id, exception, _ := strings.Cut(id, " WITH ")
	id, later := strings.CutSuffix(id, "+")
	return sbom.Expression{License: id, OrLater: later, Exception: exception}
}

func isEmpty(e sbom.Expression) bool { return e.License == "" && len(e.Terms) == 0 }

// combine joins expressions by an operator; the same term stands once.
func combine(op string, list ...sbom.Expression) sbom.Expression {
	sum := sbom.Expression{Operator: op}
	seen := map[string]bool{}
	for _, e := range list {
		terms := []sbom.Expression{e}
		if e.Operator == op {
			terms = e.Terms
		}
		for _, t := range terms {
			if s := t.String(); !isEmpty(t) && !seen[s] {
				seen[s] = true
				sum.Terms = append(sum.Terms, t)
			}
		}
	}
	switch len(sum.Terms) {
	case 0:
		return sbom.Expression{}
	case 1:
		return sum.Terms[0]
	}
	return sum
}

// reading is one licence text in some distribution's words on its way to an
// expression.
type reading struct {
	refs map[string]sbom.License // licences SPDX does not know, by id
}

// readLicence reads what a distribution, a package or an author wrote as its
// licence, and returns an expression that SPDX allows. Names that nothing is
// known of become LicenseRef-… and are returned besides; nothing is made up.
func readLicence(text string) (sbom.Expression, []sbom.License) {
	r := reading{refs: map[string]sbom.License{}}
	e := r.read(text)
	return e, sortedLicences(r.refs)
}

func sortedLicences(refs map[string]sbom.License) []sbom.License {
	list := slices.Collect(maps.Values(refs))
	slices.SortFunc(list, func(a, b sbom.License) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// readStrictly reads an expression that must be SPDX's already, as after the tag
// SPDX-License-Identifier. It reports false if it is none. Deprecated names are
// replaced.
func readStrictly(text string) (sbom.Expression, bool) {
	if text == "" || len(text) > longestExpression {
		return sbom.Expression{}, false
	}
	e, err := sbom.ParseExpression(text)
	if err != nil || len(e.Unknown()) > 0 {
		return sbom.Expression{}, false
	}
	return renewed(e), true
}

// renewed replaces the deprecated names in an expression.
func renewed(e sbom.Expression) sbom.Expression {
	if e.Operator != "" {
		var terms []sbom.Expression
		for _, t := range e.Terms {
			terms = append(terms, renewed(t))
		}
		return combine(e.Operator, terms...)
	}
	name := e.License
	if e.OrLater {
		name += "+"
	}
	known, ok := findLicence(name)
	if !ok || e.Exception != "" && (known.Operator != "" || known.Exception != "") {
		return e
	}
	if e.Exception != "" {
		known.Exception = e.Exception
	}
	return known
}

var expressionToken = regexp.MustCompile(`\(|\)|,|;|\||&|[^\s(),;|&]+`)

// longestExpression is the longest text taken for one; beyond, it is prose.
const longestExpression = 4096

func (r *reading) read(text string) sbom.Expression {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > longestExpression {
		return sbom.Expression{}
	}
	tokens := expressionToken.FindAllString(text, -1)
	e, rest := r.list(tokens, 0)
	if len(rest) > 0 { // a closing bracket too many
		more, _ := r.list(rest[1:], 0)
		e = combine("AND", e, more)
	}
	return e
}

// deepest is how many brackets may stand within one another.
const deepest = 50

// list reads terms that commas part. A comma binds weakest, as in Debian's
// "GPL-2+ or Artistic, and BSD-3-clause"; without a word after it, it means and.
func (r *reading) list(tokens []string, depth int) (sbom.Expression, []string) {
	sum, tokens := r.either(tokens, depth)
	for len(tokens) > 0 && (tokens[0] == "," || tokens[0] == ";") {
		tokens = tokens[1:]
		op := "AND"
		if len(tokens) > 0 {
			switch strings.ToLower(tokens[0]) {
			case "and", "&":
				tokens = tokens[1:]
			case "or", "|", "and/or":
				op, tokens = "OR", tokens[1:]
			}
		}
		var next sbom.Expression
		next, tokens = r.either(tokens, depth)
		sum = combine(op, sum, next)
	}
	return sum, tokens
}

func (r *reading) either(tokens []string, depth int) (sbom.Expression, []string) {
	sum, tokens := r.both(tokens, depth)
	for len(tokens) > 0 && isWord(tokens[0], "or", "|", "and/or") {
		for len(tokens) > 0 && isWord(tokens[0], "or", "|", "and/or") {
			tokens = tokens[1:]
		}
		var next sbom.Expression
		next, tokens = r.both(tokens, depth)
		sum = combine("OR", sum, next)
	}
	return sum, tokens
}

func (r *reading) both(tokens []string, depth int) (sbom.Expression, []string) {
	sum, tokens := r.term(tokens, depth)
	for len(tokens) > 0 && (isWord(tokens[0], "and", "&") || tokens[0] == "(") {
		for len(tokens) > 0 && isWord(tokens[0], "and", "&") {
			tokens = tokens[1:]
		}
		var next sbom.Expression
		next, tokens = r.term(tokens, depth)
		sum = combine("AND", sum, next)
	}
	return sum, tokens
}

func isWord(token string, words ...string) bool {
	return slices.Contains(words, strings.ToLower(token))
}

// term reads what is in brackets, or the words up to the next operator: names
// of several words are common ("ASL 2.0", "GPL-2+ with Libtool exception").
func (r *reading) term(tokens []string, depth int) (sbom.Expression, []string) {
	if len(tokens) == 0 || depth > deepest {
		return sbom.Expression{}, nil
	}
	if tokens[0] == "(" {
		e, rest := r.list(tokens[1:], depth+1)
		if len(rest) == 0 {
			return e, nil
		}
		return e, rest[1:]
	}
	end := 0
	for end < len(tokens) && !isWord(tokens[end], "and", "or", "and/or", "(", ")", ",", ";", "|", "&") {
		end++
	}
	if end == 0 {
		return sbom.Expression{}, tokens
	}
	return r.name(tokens[:end]), tokens[end:]
}

// name reads the words of one licence, perhaps with an exception.
func (r *reading) name(words []string) sbom.Expression {
	if len(words) == 1 {
		// GPL-2+-with-bison-exception, unless that is a name of its own
		if _, known := findLicence(words[0]); !known {
			words = strings.Fields(withInside.ReplaceAllString(words[0], " with "))
		}
	}
	with := slices.IndexFunc(words, func(w string) bool { return isWord(w, "with") })
	licence := words
	if with >= 0 {
		licence = words[:with]
	}
	if e, known := findLicence(strings.Join(words, " ")); known && with >= 0 {
		return e // "BSD with advertising" is one name
	}
	e, known := findLicence(strings.Join(licence, " "))
	if !known && with < 0 && len(words) > 1 {
		// A list without operators, as in apk's "GPL-2.0-only MIT".
		var list []sbom.Expression
		for _, w := range words {
			one, ok := findLicence(w)
			if !ok {
				list = nil
				break
			}
			list = append(list, one)
		}
		if list != nil {
			return combine("AND", list...)
		}
	}
	if with >= 0 && known && e.Operator == "" && e.Exception == "" {
		if x, ok := findException(e.License, strings.Join(words[with+1:], " ")); ok {
			e.Exception = x
			return e
		}
	}
	if known && with < 0 {
		return e
	}
	return r.reference(strings.Join(words, " "))
}

var withInside = regexp.MustCompile(`(?i)-with-`)

// reference makes a LicenseRef of a name that SPDX does not know.
func (r *reading) reference(name string) sbom.Expression {
	id := sbom.LicenseRef(cmp.Or(strings.TrimPrefix(spaces.ReplaceAllString(name, "-"), "LicenseRef-"), "unnamed"))
	r.refs[id] = sbom.License{ID: id, Name: name, Text: name}
	return leaf(id)
}
