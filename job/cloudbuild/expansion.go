package cloudbuild

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bash gives the value of one of bash's parameter expansions, without the
// braces: the forms of the manual's section "Shell Parameter Expansion" that
// look at one value. A value that is not given is empty, and not set.
func (s *substituter) bash(inner string) (string, error) {
	length := strings.HasPrefix(inner, "#") && nameLength(inner[1:]) > 0
	if length {
		inner = inner[1:]
	}
	n := nameLength(inner)
	if n == 0 {
		return "", fmt.Errorf("${%s} names no substitution: write $${ for these characters themselves", clip(inner))
	}
	name, op := inner[:n], inner[n:]
	value, given, err := s.lenient(name, op)
	if err != nil {
		return "", err
	}
	if length {
		if op != "" {
			return "", unknown(inner)
		}
		return strconv.Itoa(utf8.RuneCountInString(value)), nil
	}
	switch {
	case op[0] == ':' && len(op) > 1 && strings.ContainsRune("-=+?", rune(op[1])):
		return s.otherwise(name, value, given && value != "", op[1], op[2:])
	case strings.ContainsRune("-=+?", rune(op[0])):
		return s.otherwise(name, value, given, op[0], op[1:])
	case op[0] == ':':
		return s.slice(value, op[1:])
	case op[0] == '#' || op[0] == '%':
		return s.trim(value, op)
	case op[0] == '/':
		return s.replace(value, op[1:])
	case op[0] == '^' || op[0] == ',':
		return s.letters(value, op)
	}
	return "", unknown(inner)
}

func unknown(inner string) error {
	return fmt.Errorf("${%s} is no expansion that is understood: write ${NAME}, or one of :- := :+ :? :OFFSET:LENGTH # ## %% %%%% / // ^ ^^ , ,, after the name", clip(inner))
}

// lenient is value, but an expansion that says what to do without a value may
// name one that has none.
func (s *substituter) lenient(name, op string) (string, bool, error) {
	loose := s.loose
	if strings.HasPrefix(op, ":-") || strings.HasPrefix(op, ":=") || strings.HasPrefix(op, ":+") || strings.HasPrefix(op, ":?") ||
		strings.HasPrefix(op, "-") || strings.HasPrefix(op, "=") || strings.HasPrefix(op, "+") || strings.HasPrefix(op, "?") {
		s.loose = true
	}
	defer func() { s.loose = loose }()
	return s.value(name)
}

// otherwise is ${NAME:-word} and its kin. Assigning means nothing here but to
// the place where it stands.
func (s *substituter) otherwise(name, value string, have bool, op byte, word string) (string, error) {
	switch {
	case op == '+' && have:
		return s.expand(word)
	case op == '+':
		return "", nil
	case have:
		return value, nil
	}
	word, err := s.expand(word)
	if err == nil && op == '?' {
		if word == "" {
			word = "it has no value"
		}
		return "", fmt.Errorf("$%s: %s", name, word)
	}
	return word, err
}

// slice is ${NAME:offset} and ${NAME:offset:length}, counted in characters;
// less than zero counts from the end.
func (s *substituter) slice(value, op string) (string, error) {
	op, err := s.expand(op)
	if err != nil {
		return "", err
	}
	first, second, two := strings.Cut(op, ":")
	from, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return "", fmt.Errorf("%q is no number of characters", clip(first))
	}
	runes := []rune(value)
	if from < 0 {
		from += len(runes)
	}
	if from < 0 || from > len(runes) {
		return "", nil // as bash does
	}
	to := len(runes)
	if two {
		length, err := strconv.Atoi(strings.TrimSpace(second))
		if err != nil {
			return "", fmt.Errorf("%q is no number of characters", clip(second))
		}
		switch {
		case length < 0 && len(runes)+length < from:
			return "", fmt.Errorf("length %d ends before offset %d", length, from)
		case length < 0:
			to = len(runes) + length
		case length < to-from:
			to = from + length
		}
	}
	return string(runes[from:to]), nil
}

// trim is ${NAME#pattern} and its kin.
func (s *substituter) trim(value, op string) (string, error) {
	end, longest := op[0], len(op) > 1 && op[1] == op[0]
	word := op[1:]
	if longest {
		word = op[2:]
	}
	word, err := s.expand(word)
	if err != nil {
		return "", err
	}
	re, err := pattern("^(?:", word, ")$")
	if err != nil || word == "" {
		return value, err
	}
	// The part that is cut off, from the shortest or from the longest on.
	var cuts []int
	for i := range value {
		cuts = append(cuts, i)
	}
	cuts = append(cuts, len(value))
	if len(cuts) > maxPatternText {
		return "", fmt.Errorf("a text of more than %d characters is not trimmed", maxPatternText)
	}
	for i := range cuts {
		cut := cuts[i]
		if longest == (end == '#') {
			cut = cuts[len(cuts)-1-i]
		}
		switch {
		case end == '#' && re.MatchString(value[:cut]):
			return value[cut:], nil
		case end == '%' && re.MatchString(value[cut:]):
			return value[:cut], nil
		}
	}
	return value, nil
}

const maxPatternText = 4096

// replace is ${NAME/pattern/text}, with // for all, /# at the beginning and /%
// at the end.
func (s *substituter) replace(value, op string) (string, error) {
	before, after, all := "(?:", ")", false
	if op != "" {
		switch op[0] {
		case '/':
			all, op = true, op[1:]
		case '#':
			before, op = "^(?:", op[1:]
		case '%':
			after, op = ")$", op[1:]
		}
	}
	word, text := cutSlash(op)
	word, err := s.expand(word)
	if err != nil {
		return "", err
	}
	if text, err = s.expand(text); err != nil {
		return "", err
	}
	re, err := pattern(before, word, after)
	if err != nil || word == "" {
		return value, err
	}
	re.Longest()
	if all {
		out := re.ReplaceAllLiteralString(value, text)
		if len(out) > maxText {
			return "", errTooLong
		}
		return out, nil
	}
	at := re.FindStringIndex(value)
	if at == nil {
		return value, nil
	}
	return value[:at[0]] + text + value[at[1]:], nil
}

// cutSlash parts pattern and text at the first slash that is not escaped.
func cutSlash(op string) (word, text string) {
	for i := 0; i < len(op); i++ {
		switch op[i] {
		case '\\':
			i++
		case '/':
			return op[:i], op[i+1:]
		}
	}
	return op, ""
}

// letters is ${NAME^^} and its kin; a pattern says which letters.
func (s *substituter) letters(value, op string) (string, error) {
	change := unicode.ToUpper
	if op[0] == ',' {
		change = unicode.ToLower
	}
	all := len(op) > 1 && op[1] == op[0]
	word := op[1:]
	if all {
		word = op[2:]
	}
	word, err := s.expand(word)
	if err != nil {
		return "", err
	}
	if word == "" {
		word = "?"
	}
	re, err := pattern("^(?:", word, ")$")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, r := range value {
		if (i == 0 || all) && re.MatchString(string(r)) {
			r = change(r)
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// pattern makes a regular expression of one of bash's patterns: * ? [set].
func pattern(before, word, after string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("(?s)" + before)
	for i := 0; i < len(word); {
		r, size := utf8.DecodeRuneInString(word[i:])
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '\\':
			if i+size < len(word) {
				next, n := utf8.DecodeRuneInString(word[i+size:])
				b.WriteString(regexp.QuoteMeta(string(next)))
				size += n
			} else {
				b.WriteString(`\\`)
			}
		case '[':
			set, n, ok := charSet(word[i:])
			if ok {
				b.WriteString(set)
				size = n
			} else {
				b.WriteString(`\[`)
			}
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		i += size
	}
	b.WriteString(after)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", clip(word), err)
	}
	return re, nil
}

var setForm = regexp.MustCompile(`^\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]\\]|\\.)*)\]`)

// charSet reads "[a-z]" at the beginning of a text: as a regular expression,
// and its length.
func charSet(text string) (set string, length int, ok bool) {
	m := setForm.FindStringSubmatch(text)
	if m == nil || m[2] == "" {
		return "", 0, false
	}
	inner := strings.ReplaceAll(m[2], `\`, `\\`)
	if strings.HasPrefix(inner, "]") {
		inner = `\` + inner
	}
	// A bracket within means itself, unless it begins a class such as [:alpha:].
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '[' && !(i+1 < len(inner) && inner[i+1] == ':') {
			b.WriteByte('\\')
		}
		b.WriteByte(inner[i])
	}
	not := ""
	if m[1] != "" {
		not = "^"
	}
	return "[" + not + b.String() + "]", len(m[0]), true
}
