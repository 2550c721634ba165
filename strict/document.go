package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Documents parses every document of a file and returns their content nodes;
// empty documents are left out. After a syntax error the documents before it
// are returned with the problem.
func Documents(file string, data []byte) ([]*yaml.Node, []Problem) {
	if p, bad := unreadable(file, data); bad {
		return nil, []Problem{p}
	}
	var nodes []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nodes, []Problem{syntax(file, data, err)}
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && !isNull(doc.Content[0]) {
			nodes = append(nodes, doc.Content[0])
		}
	}
}

// unreadable refuses what the parser would only complain of without a line.
func unreadable(file string, data []byte) (Problem, bool) {
	if bytes.HasPrefix(data, []byte{0xfe, 0xff}) || bytes.HasPrefix(data, []byte{0xff, 0xfe}) {
		return Problem{File: file, Line: 1, Message: "the file is UTF-16: save it as UTF-8"}, true
	}
	line := 1
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c == '\n' {
				line++
			} else if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
				return Problem{File: file, Line: line, Message: fmt.Sprintf("control character %U: remove it, or write it escaped in a double-quoted string", c)}, true
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return Problem{File: file, Line: line, Message: "not UTF-8: save the file as UTF-8"}, true
		case unicode.IsControl(r) && r != '\u0085':
			return Problem{File: file, Line: line, Message: fmt.Sprintf("control character %U: remove it, or write it escaped in a double-quoted string", r)}, true
		}
		i += n
	}
	return Problem{}, false
}

var (
	errorLine     = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	fromParser    = regexp.MustCompile(`^did not find expected (<|',' or|key|node content|'-')|^found (duplicate %|undefined tag|incompatible)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax turns the parser's error into a problem. The parser names a line
// at or before the offending one, and none in some cases, so the usual causes
// are looked for in the text.
func syntax(file string, data []byte, err error) Problem {
	m := errorLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return Problem{File: file, Message: "not YAML: " + err.Error()}
	}
	line, message := 1, m[2]
	if n, err := strconv.Atoi(m[1]); err == nil {
		line = n
	}
	if fromParser.MatchString(message) {
		line++ // counted from 0, unlike the scanner's
	}
	if a := unknownAnchor.FindStringSubmatch(message); a != nil {
		if at := bytes.Index(data, []byte("*"+a[1])); at >= 0 {
			line = 1 + bytes.Count(data[:at], []byte("\n"))
		}
		return Problem{File: file, Line: line, Message: fmt.Sprintf("unknown anchor %q: define it with &%s before it is used", a[1], a[1])}
	}
	if tab := tabIndent(data, line); tab > 0 {
		return Problem{File: file, Line: tab, Message: "a tab indents this line: indent with spaces"}
	}
	return Problem{File: file, Line: line, Message: "not YAML: " + message + " (look at this line and the next for indentation, a missing colon or an unclosed quote)"}
}

// tabIndent returns the first line near the reported one whose indentation
// holds a tab, 0 if there is none.
func tabIndent(data []byte, reported int) int {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if n < reported-1 {
			continue
		}
		if n > reported+2 {
			break
		}
		rest := bytes.TrimLeft(line, " ")
		if len(rest) > 1 && rest[0] == '\t' && len(bytes.TrimSpace(rest)) > 0 {
			return n
		}
	}
	return 0
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
