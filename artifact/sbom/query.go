package sbom

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Query is a question asked of documents: filters that must all agree.
//
//	depth:N       what is N relationships away from what the document describes
//	name:REGEXP   what has a name that matches
//	purl:PATTERN  what has such a purl: "*" stands for anything, what is left out too (pkg:golang/k8s.io/*)
//	license:ID    what such a licence is stated of, alone or with others; "*" as above
//	supplier:TEXT what is supplied by somebody with this in the name
//	type:KIND     package or file
//	all           everything
//
// Words with blanks stand in double quotes.
type Query struct{ filters []filter }

// filter decides on an element; depth filters are resolved against a graph first.
type filter struct {
	depth int // -1 for the others
	match func(Element) bool
}

// ParseQuery reads a query.
func ParseQuery(text string) (Query, error) {
	words, err := queryWords(text)
	if err != nil {
		return Query{}, fmt.Errorf("query %s: %w", strconv.Quote(text), err)
	}
	if len(words) == 0 {
		return Query{}, errors.New("an empty query: write filters such as name:REGEXP, or all")
	}
	var q Query
	for _, word := range words {
		f, err := parseFilter(word)
		if err != nil {
			return Query{}, fmt.Errorf("query %s: %w", strconv.Quote(text), err)
		}
		q.filters = append(q.filters, f)
	}
	return q, nil
}

// queryWords splits at blanks that are not within quotes, and drops the quotes.
func queryWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range text {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case (r == ' ' || r == '\t' || r == '\n') && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted {
		return nil, errors.New("a closing quote is missing")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

func parseFilter(word string) (filter, error) {
	name, value, _ := strings.Cut(word, ":")
	f := filter{depth: -1}
	switch name {
	case "all":
		f.match = func(Element) bool { return true }
	case "depth":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 1000 {
			return f, fmt.Errorf("depth:%s: write a number from 0 to 1000", value)
		}
		f.depth = n
	case "name":
		re, err := regexp.Compile(value)
		if err != nil {
			return f, fmt.Errorf("name: %w", err)
		}
		f.match = func(e Element) bool { return re.MatchString(e.Name) }
	case "purl":
		pattern := parsePURLPattern(value)
		f.match = func(e Element) bool { return pattern.match(e.PURL) }
	case "license":
		f.match = func(e Element) bool { return underLicense(e.License, value) }
	case "supplier":
		f.match = func(e Element) bool { return containsFold(e.Supplier, value) }
	case "type":
		if value != string(PackageKind) && value != string(FileKind) {
			return f, fmt.Errorf("type:%s: write package or file", value)
		}
		f.match = func(e Element) bool { return string(e.Kind) == value }
	default:
		return f, fmt.Errorf("%q is no filter: write depth:, name:, purl:, license:, supplier:, type: or all", word)
	}
	return f, nil
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// underLicense reports whether an expression speaks of a licence.
func underLicense(text, pattern string) bool {
	pattern = strings.ToLower(pattern)
	names := []string{text}
	if e, err := ParseExpression(text); err == nil {
		names = append(names, e.Licenses()...)
	}
	for _, name := range names {
		if text != "" && wild(pattern, strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// Run answers the query: packages, then files, in the document's order.
func (q Query) Run(d Document) []Element {
	g := newGraph(d)
	var at []map[ID]bool
	for _, f := range q.filters {
		if f.depth >= 0 {
			at = append(at, g.away(f.depth))
		}
	}
	var found []Element
next:
	for _, id := range g.order {
		for _, level := range at {
			if !level[id] {
				continue next
			}
		}
		for _, f := range q.filters {
			if f.match != nil && !f.match(g.elements[id]) {
				continue next
			}
		}
		found = append(found, g.elements[id])
	}
	return found
}

// away finds what is n relationships from the described elements; in a circle
// an element is at several depths.
func (g *graph) away(n int) map[ID]bool {
	level := map[ID]bool{}
	for _, id := range g.roots() {
		level[id] = true
	}
	for range n {
		next := map[ID]bool{}
		for id := range level {
			for _, e := range g.edges[id] {
				next[e.to] = true
			}
		}
		level = next
	}
	return level
}

// purlPattern is a purl whose parts may hold "*"; parts left out match anything.
type purlPattern struct {
	kind, name, version string // the name with its namespace, if that is given
	qualifiers          map[string]string
	text                string // a pattern that is no purl: it must be part of it
}

func parsePURLPattern(s string) purlPattern {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return purlPattern{text: s}
	}
	kind, namespace, name, version, qualifiers := splitPURL(strings.TrimLeft(rest, "/"))
	return purlPattern{kind: kind, name: strings.TrimPrefix(namespace+"/"+name, "/"), version: version, qualifiers: qualifiers}
}

// splitPURL splits what follows "pkg:"; nothing is decoded.
func splitPURL(rest string) (kind, namespace, name, version string, qualifiers map[string]string) {
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	qualifiers = map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			qualifiers[k] = v
		}
	}
	if i := strings.LastIndex(rest, "@"); i > strings.LastIndex(rest, "/") {
		rest, version = rest[:i], rest[i+1:]
	}
	kind, rest, _ = strings.Cut(rest, "/")
	name = rest
	if i := strings.LastIndex(rest, "/"); i >= 0 {
		namespace, name = rest[:i], rest[i+1:]
	}
	return strings.ToLower(kind), namespace, name, version, qualifiers
}

func (p purlPattern) match(purl string) bool {
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return false
	}
	if p.text != "" {
		return strings.Contains(purl, p.text)
	}
	kind, namespace, name, version, qualifiers := splitPURL(strings.TrimLeft(rest, "/"))
	for k, v := range p.qualifiers {
		if qualifiers[k] != v {
			return false
		}
	}
	if strings.Contains(p.name, "/") {
		name = namespace + "/" + name
	}
	return wild(p.kind, kind) && wild(p.name, name) && wild(p.version, version)
}

// wild matches a pattern in which "*" is any text; the empty one matches all.
func wild(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return s == pattern
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, last)
}

// Fields lists what Field knows.
func Fields() []string {
	return []string{"name", "version", "license", "supplier", "originator", "url", "purl", "id", "kind", "purpose", "checksum"}
}

// Field returns one of an element's fields by its name.
func (e Element) Field(name string) (string, error) {
	switch name {
	case "name":
		return e.Name, nil
	case "version":
		return e.Version, nil
	case "license":
		return e.License, nil
	case "supplier":
		return e.Supplier, nil
	case "originator":
		return e.Originator, nil
	case "url":
		return e.URL, nil
	case "purl":
		return e.PURL, nil
	case "id":
		return string(e.ID), nil
	case "kind", "type":
		return string(e.Kind), nil
	case "purpose":
		return e.Purpose, nil
	case "checksum":
		return e.Checksum, nil
	}
	return "", fmt.Errorf("%q is no field: write %s", name, strings.Join(Fields(), ", "))
}
