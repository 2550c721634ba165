package strict

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// This file holds the places at which an edit may go into a text.

// insertLines puts lines before a line counted from 0, indented.
func (e *editor) insertLines(before int, lines []string, indent int) string {
	at := e.lines[min(before, len(e.lines)-1)]
	var b strings.Builder
	if at == len(e.text) && at > 0 && e.text[at-1] != '\n' {
		b.WriteString(e.newline)
	}
	for _, l := range lines {
		if l != "" {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(l)
		b.WriteString(e.newline)
	}
	return e.splice(at, 0, b.String())
}

func (e *editor) splice(at, drop int, text string) string {
	return e.text[:at] + text + e.text[at+drop:]
}

// into adds what a mapping of one key holds to a mapping.
func (e *editor) into(n, key *yaml.Node, entry any) []string {
	switch {
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0:
		return e.inBrackets(n, inner(render(entry, true)))
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		indent := n.Content[0].Column - 1
		lines := render(entry, false)
		var all []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "name" && n.Content[i+1].Kind == yaml.ScalarNode {
				all = append(all, e.insertLines(n.Content[i+1].Line, lines, indent))
			}
		}
		all = append(all, e.insertLines(lastLine(n), lines, indent))
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Kind == yaml.ScalarNode {
				all = append(all, e.insertLines(n.Content[i+1].Line, lines, indent))
			}
		}
		return append(all, e.insertLines(n.Content[0].Line-1, lines, indent))
	case isNull(n) || n.Kind == yaml.MappingNode:
		return e.instead(n, key, entry)
	}
	return nil
}

// inner is what stands between the brackets of a value on one line.
func inner(lines []string) string {
	one := strings.TrimSpace(strings.Join(lines, " "))
	return strings.TrimSuffix(strings.TrimPrefix(one, "{"), "}")
}

// inBrackets adds an item before the closing bracket.
func (e *editor) inBrackets(n *yaml.Node, item string) []string {
	open := e.offset(n)
	last, ok := e.lastInBrackets(open)
	switch {
	case !ok:
		return nil
	case last == open+1:
		return []string{e.splice(last, 0, item)}
	case e.text[last-1] == ',':
		return []string{e.splice(last, 0, " "+item)}
	}
	return []string{e.splice(last, 0, ", "+item)}
}

// lastInBrackets is the end of the last thing inside the brackets that open.
func (e *editor) lastInBrackets(open int) (last int, ok bool) {
	if open >= len(e.text) || e.text[open] != '[' && e.text[open] != '{' {
		return 0, false
	}
	depth, quote := 0, byte(0)
	last = open + 1
	for i := open; i < len(e.text); i++ {
		c := e.text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && strings.IndexByte("[{,: \t\n", e.text[i-1]) >= 0:
			quote = c
		case c == '#' && strings.IndexByte(" \t\n", e.text[i-1]) >= 0:
			for i+1 < len(e.text) && e.text[i+1] != '\n' {
				i++
			}
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return last, true
			}
		}
		if i < len(e.text) && i > open && strings.IndexByte(" \t\r\n", c) < 0 {
			last = min(i+1, len(e.text))
		}
	}
	return 0, false
}

// behind adds an item to a list.
func (e *editor) behind(n *yaml.Node, item any) []string {
	if n.Style&yaml.FlowStyle != 0 {
		return e.inBrackets(n, strings.Join(render(item, true), " "))
	}
	return []string{e.insertLines(lastLine(n), render([]any{item}, false), n.Column-1), e.insertLines(lastLine(n), dashed(item), n.Column-1)}
}

// dashed writes an item of a block list.
func dashed(item any) []string {
	lines := render(item, false)
	for i := range lines {
		if i == 0 {
			lines[i] = "- " + lines[i]
		} else if lines[i] != "" {
			lines[i] = "  " + lines[i]
		}
	}
	return lines
}

// instead writes a value in place of a scalar, or where nothing stands.
func (e *editor) instead(n, key *yaml.Node, value any) []string {
	one := strings.Join(render(value, true), " ")
	at := e.offset(n)
	if isNull(n) && n.Value == "" && key != nil {
		below, beside := e.insertLines(key.Line, render(value, false), key.Column+1), e.afterColon(key, one)
		if lines := render(value, false); len(lines) == 1 && strings.HasPrefix(lines[0], "[") {
			return []string{beside, below}
		}
		return []string{below, beside}
	}
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		return nil
	}
	rest := e.text[at:]
	all := []string{}
	if strings.HasPrefix(rest, n.Value) {
		all = append(all, e.splice(at, len(n.Value), one))
	}
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		for i := 1; i < len(rest) && rest[i] != '\n'; i++ {
			if rest[i] == rest[0] {
				all = append(all, e.splice(at, i+1, one))
			}
		}
	}
	return all
}

func (e *editor) afterColon(key *yaml.Node, one string) string {
	at := e.offset(key)
	colon := strings.IndexByte(e.text[at:], ':')
	if colon < 0 {
		return ""
	}
	return e.splice(at+colon+1, 0, " "+one)
}

// lastLine is the last line that a node has something on, as far as the parser
// says.
func lastLine(n *yaml.Node) int {
	last := n.Line
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		last += strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + 1
	}
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}
