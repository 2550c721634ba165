package scan

import (
	"path"
	"regexp"
	"strings"
)

// ignoreRules decide as git does which paths of a tree are no part of it
// (https://git-scm.com/docs/gitignore). Rules of a deeper folder outweigh those
// above it, and of one folder's the last that matches counts.
type ignoreRules struct {
	above *ignoreRules
	dir   string // whose rules these are, relative to the root; empty for the root
	list  []ignoreRule
}

type ignoreRule struct {
	negated  bool // "!": what an earlier rule left out is taken in again
	foldered bool // only folders
	anchored bool // matches the path from dir on, not just the last name
	literal  string
	pattern  *regexp.Regexp // nil if literal says it all
}

// with adds the rules of a file in a folder below.
func (r *ignoreRules) with(dir, text string) *ignoreRules {
	deeper := &ignoreRules{above: r, dir: dir}
	for line := range strings.Lines(text) {
		if rule, ok := parseIgnore(strings.TrimRight(line, "\r\n")); ok {
			deeper.list = append(deeper.list, rule)
		}
	}
	if len(deeper.list) == 0 {
		return r
	}
	return deeper
}

// ignored reports whether a path, slash-separated and relative to the root, is
// left out. Nothing below a folder that is left out can be taken in again: whoever
// walks must not go in.
func (r *ignoreRules) ignored(name string, isDir bool) bool {
	for ; r != nil; r = r.above {
		rel := name
		if r.dir != "" {
			var below bool
			if rel, below = strings.CutPrefix(name, r.dir+"/"); !below {
				continue
			}
		}
		for i := len(r.list) - 1; i >= 0; i-- {
			if r.list[i].matches(rel, isDir) {
				return !r.list[i].negated
			}
		}
	}
	return false
}

func (r ignoreRule) matches(rel string, isDir bool) bool {
	if r.foldered && !isDir {
		return false
	}
	if !r.anchored {
		rel = path.Base(rel)
	}
	if r.pattern == nil {
		return rel == r.literal
	}
	return r.pattern.MatchString(rel)
}

// longestIgnore bounds one line; git knows no limit, sane files none so long.
const longestIgnore = 4096

// parseIgnore reads one line; it reports false for comments, empty lines and
// patterns that can match nothing.
func parseIgnore(line string) (ignoreRule, bool) {
	if line == "" || line[0] == '#' || len(line) > longestIgnore {
		return ignoreRule{}, false
	}
	line = trimIgnore(line)
	var r ignoreRule
	if rest, ok := strings.CutPrefix(line, "!"); ok {
		r.negated, line = true, rest
	}
	if rest, ok := strings.CutSuffix(line, "/"); ok {
		r.foldered, line = true, rest
	}
	r.anchored = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return ignoreRule{}, false
	}
	if !strings.ContainsAny(line, `*?[\`) {
		r.literal = line
		return r, true
	}
	expr, ok := wildcard(line)
	if !ok {
		return ignoreRule{}, false
	}
	pattern, err := regexp.Compile(expr)
	if err != nil {
		return ignoreRule{}, false // a range the wrong way round matches nothing in git either
	}
	r.pattern = pattern
	return r, true
}

// trimIgnore cuts off spaces at the end that no backslash keeps.
func trimIgnore(line string) string {
	end := len(line)
	for end > 0 && line[end-1] == ' ' {
		slashes := 0
		for i := end - 2; i >= 0 && line[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 1 {
			break
		}
		end--
	}
	return line[:end]
}

// wildcard writes one of git's patterns as a regular expression, which matches
// in linear time whatever the pattern. It reports false for broken ones.
func wildcard(p string) (string, bool) {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(p); {
		switch c := p[i]; c {
		case '*':
			stars := 1
			for i+stars < len(p) && p[i+stars] == '*' {
				stars++
			}
			first := i == 0 || p[i-1] == '/'
			i += stars
			switch {
			case stars == 2 && first && i < len(p) && p[i] == '/':
				b.WriteString(`(?:.*/)?`)
				i++
			case stars == 2 && first && i == len(p):
				b.WriteString(`.*`)
			default:
				b.WriteString(`[^/]*`)
			}
		case '?':
			b.WriteString(`[^/]`)
			i++
		case '[':
			class, n, ok := bracket(p[i:])
			if !ok {
				return "", false
			}
			b.WriteString(class)
			i += n
		case '\\':
			if i+1 == len(p) {
				return "", false
			}
			b.WriteString(regexp.QuoteMeta(p[i+1 : i+2]))
			i += 2
		default:
			end := i + 1
			for end < len(p) && !strings.ContainsRune(`*?[\`, rune(p[end])) {
				end++
			}
			b.WriteString(regexp.QuoteMeta(p[i:end]))
			i = end
		}
	}
	b.WriteString(`$`)
	return b.String(), true
}

// bracket writes a class such as [!a-z] or [[:digit:]_] and returns its length in
// the pattern. A class never matches a slash.
func bracket(p string) (class string, length int, ok bool) {
	var b strings.Builder
	i := 1
	b.WriteByte('[')
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		b.WriteString(`^/`)
		i++
	}
	start := i
	for ; i < len(p); i++ {
		switch c := p[i]; {
		case c == ']' && i > start:
			b.WriteByte(']')
			return b.String(), i + 1, true
		case c == '[' && strings.HasPrefix(p[i:], "[:"):
			end := strings.Index(p[i:], ":]")
			if end < 0 {
				return "", 0, false
			}
			b.WriteString(p[i : i+end+2])
			i += end + 1
		case c == '\\':
			if i++; i == len(p) {
				return "", 0, false
			}
			b.WriteString(classByte(p[i]))
		case c == '-' && i > start && i+1 < len(p) && p[i+1] != ']':
			b.WriteByte('-')
		case c == '/':
			// Git lets a slash stand in a class and never match.
		default:
			b.WriteString(classByte(c))
		}
	}
	return "", 0, false
}

// classByte quotes a byte for a class of a regular expression.
func classByte(c byte) string {
	if strings.IndexByte(`[]\^-&~`, c) >= 0 {
		return `\` + string(rune(c))
	}
	return string([]byte{c})
}
