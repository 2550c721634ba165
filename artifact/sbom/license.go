package sbom

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed licenses.txt
var licenseList string

// licenseTable finds an identifier by its lower-case spelling.
type licenseTable struct {
	licenses, exceptions map[string]string
	deprecated           map[string]bool // by the list's spelling
}

// readLicenseTable reads the embedded list, once.
var readLicenseTable = sync.OnceValue(func() licenseTable {
	t := licenseTable{licenses: map[string]string{}, exceptions: map[string]string{}, deprecated: map[string]bool{}}
	for line := range strings.Lines(licenseList) {
		id := strings.TrimSpace(line)
		switch {
		case id == "" || id[0] == '#':
		case id[0] == '+':
			t.exceptions[strings.ToLower(id[1:])] = id[1:]
		case id[0] == '-':
			t.licenses[strings.ToLower(id[1:])] = id[1:]
			t.deprecated[id[1:]] = true
		default:
			t.licenses[strings.ToLower(id)] = id
		}
	}
	return t
})

// KnownLicense returns an identifier as the SPDX licence list spells it, for it
// may be written in any case.
func KnownLicense(id string) (spelling string, deprecated, ok bool) {
	t := readLicenseTable()
	spelling, ok = t.licenses[strings.ToLower(id)]
	return spelling, t.deprecated[spelling], ok
}

// KnownException is KnownLicense for what follows WITH.
func KnownException(id string) (spelling string, ok bool) {
	spelling, ok = readLicenseTable().exceptions[strings.ToLower(id)]
	return spelling, ok
}

// Expression is a licence expression of SPDX 2.3, annex D, as a tree: either a
// licence, or an operator over two or more terms.
type Expression struct {
	License   string // identifier, LicenseRef-…, DocumentRef-…:LicenseRef-…
	OrLater   bool   // a "+" follows it
	Exception string // follows WITH

	Operator string // AND or OR
	Terms    []Expression
}

// longestExpression bounds what is parsed, in bytes, and deepestExpression how
// many brackets stand within one another.
const (
	longestExpression = 64 << 10
	deepestExpression = 100
)

// ParseExpression reads a licence expression by the grammar. Identifiers come
// out as the licence list spells them; those it does not know are kept, and
// Unknown lists them. NONE and NOASSERTION are values, not expressions.
func ParseExpression(text string) (Expression, error) {
	if len(text) > longestExpression {
		return Expression{}, fmt.Errorf("a licence expression of %d bytes, at most %d are read", len(text), longestExpression)
	}
	p := expressionParser{tokens: expressionTokens(text)}
	e, err := p.either(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q is one too many", p.tokens[0])
		if !slices.Contains([]string{"(", ")", "AND", "OR", "WITH"}, p.tokens[0]) {
			err = fmt.Errorf("AND or OR is missing before %q", p.tokens[0])
		}
	}
	if err != nil {
		return Expression{}, fmt.Errorf("licence expression %s: %w", strconv.Quote(text), err)
	}
	return e, nil
}

func expressionTokens(text string) []string {
	if strings.ContainsAny(text, "()") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "(", " ( "), ")", " ) ")
	}
	tokens := strings.Fields(text)
	for i, t := range tokens {
		// Operators are upper case; people also write them small.
		if op := strings.ToUpper(t); op == "AND" || op == "OR" || op == "WITH" {
			tokens[i] = op
		}
	}
	return tokens
}

type expressionParser struct{ tokens []string }

func (p *expressionParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *expressionParser) either(depth int) (Expression, error) {
	return p.chain("OR", depth, p.both)
}

func (p *expressionParser) both(depth int) (Expression, error) {
	return p.chain("AND", depth, p.term)
}

// chain reads terms that an operator joins.
func (p *expressionParser) chain(operator string, depth int, term func(int) (Expression, error)) (Expression, error) {
	e, err := term(depth)
	if err != nil || p.next() != operator {
		return e, err
	}
	sum := Expression{Operator: operator, Terms: []Expression{e}}
	for p.next() == operator {
		p.tokens = p.tokens[1:]
		if e, err = term(depth); err != nil {
			return Expression{}, err
		}
		sum.Terms = append(sum.Terms, e)
	}
	return sum, nil
}

func (p *expressionParser) term(depth int) (Expression, error) {
	if depth > deepestExpression {
		return Expression{}, fmt.Errorf("more than %d brackets within one another", deepestExpression)
	}
	token := p.next()
	switch token {
	case "":
		return Expression{}, errors.New("a licence is missing at its end")
	case ")", "AND", "OR", "WITH":
		return Expression{}, fmt.Errorf("a licence is missing before %q", token)
	}
	p.tokens = p.tokens[1:]
	if token == "(" {
		e, err := p.either(depth + 1)
		if err == nil && p.next() != ")" {
			err = errors.New("a closing bracket is missing")
		}
		if err != nil {
			return Expression{}, err
		}
		p.tokens = p.tokens[1:]
		return e, nil
	}
	e, err := parseLicense(token)
	if err != nil || p.next() != "WITH" {
		return e, err
	}
	p.tokens = p.tokens[1:]
	if e.Exception = p.next(); !idCharacters(e.Exception) || slices.Contains([]string{"AND", "OR", "WITH"}, e.Exception) {
		return Expression{}, errors.New("an exception must follow WITH")
	}
	p.tokens = p.tokens[1:]
	if known, ok := KnownException(e.Exception); ok {
		e.Exception = known
	}
	return e, nil
}

func parseLicense(token string) (Expression, error) {
	if spelling, _, ok := KnownLicense(token); ok {
		return Expression{License: spelling}, nil
	}
	e := Expression{License: token}
	if e.License, e.OrLater = strings.CutSuffix(token, "+"); strings.HasPrefix(token, "DocumentRef-") {
		ref, license, ok := strings.Cut(token, ":")
		if !ok || e.OrLater || !idCharacters(ref) || !isLicenseRef(license) {
			return Expression{}, fmt.Errorf("%q is not DocumentRef-NAME:LicenseRef-NAME", token)
		}
		return e, nil
	}
	if !idCharacters(e.License) {
		return Expression{}, fmt.Errorf("%q cannot be a licence: letters, digits, dots and hyphens only", token)
	}
	if spelling, _, ok := KnownLicense(e.License); ok {
		e.License = spelling
	}
	return e, nil
}

func isLicenseRef(id string) bool {
	rest, ok := strings.CutPrefix(id, "LicenseRef-")
	return ok && idCharacters(rest)
}

// LicenseRef makes the identifier of a licence that SPDX does not list.
func LicenseRef(name string) string {
	return "LicenseRef-" + strings.TrimPrefix(string(makeID("", "-", []string{name}, []string{name}, false)), idPrefix+"-")
}

// String writes the expression; brackets stand only where they are needed.
func (e Expression) String() string {
	if e.Operator == "" {
		s := e.License
		if e.OrLater {
			s += "+"
		}
		if e.Exception != "" {
			s += " WITH " + e.Exception
		}
		return s
	}
	terms := make([]string, len(e.Terms))
	for i, t := range e.Terms {
		terms[i] = t.String()
		if e.Operator == "AND" && t.Operator == "OR" {
			terms[i] = "(" + terms[i] + ")"
		}
	}
	return strings.Join(terms, " "+e.Operator+" ")
}

// Licenses lists the licences the expression speaks of, sorted, each once.
func (e Expression) Licenses() []string {
	var ids []string
	e.each(func(leaf Expression) { ids = append(ids, leaf.License) })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Unknown lists licences and exceptions that are neither in the SPDX list nor
// LicenseRef-….
func (e Expression) Unknown() []string {
	var ids []string
	e.each(func(leaf Expression) {
		if _, _, ok := KnownLicense(leaf.License); !ok && !isLicenseRef(leaf.License) && !strings.HasPrefix(leaf.License, "DocumentRef-") {
			ids = append(ids, leaf.License)
		}
		if _, ok := KnownException(leaf.Exception); !ok && leaf.Exception != "" {
			ids = append(ids, leaf.Exception)
		}
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (e Expression) each(visit func(Expression)) {
	if e.Operator == "" {
		visit(e)
		return
	}
	for _, t := range e.Terms {
		t.each(visit)
	}
}

// AllOf joins expressions by AND, each term once, in the order given. Empty ones
// and None say nothing and are left out. What is no expression is a term as it
// is.
func AllOf(expressions ...string) string {
	var terms []string
	either := map[string]bool{}
	add := func(term string, isEither bool) {
		if !slices.Contains(terms, term) {
			terms = append(terms, term)
			either[term] = isEither
		}
	}
	for _, text := range expressions {
		if text == "" || text == None || text == noAssertion {
			continue
		}
		e, err := ParseExpression(text)
		switch {
		case err != nil:
			add(text, false)
		case e.Operator == "AND":
			for _, t := range e.Terms {
				add(t.String(), t.Operator == "OR")
			}
		default:
			add(text, e.Operator == "OR")
		}
	}
	if len(terms) > 1 {
		for i, t := range terms {
			if either[t] {
				terms[i] = "(" + t + ")"
			}
		}
	}
	return strings.Join(terms, " AND ")
}
