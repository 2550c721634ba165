package merge

import "strings"

// Command is one line of a comment that asks for something: "/label kind/bug"
// has the name "label" and the argument "kind/bug".
type Command struct {
	Name string // lower case, without the slash
	Args string // the rest of the line, trimmed, as written
	Line int    // 1-based line of the comment
}

// Fields splits the arguments at white space.
func (c Command) Fields() []string { return strings.Fields(c.Args) }

// String gives the command as it is written.
func (c Command) String() string { return strings.TrimSpace("/" + c.Name + " " + c.Args) }

// ParseCommands finds the commands of a comment: lines that begin with a slash
// and a letter. Quoted lines, fenced code blocks and HTML comments say nothing,
// so that an example or a template's text acts on nobody's behalf. Lines may
// end in LF or CRLF.
func ParseCommands(body string) []Command {
	var out []Command
	var fence string
	inComment := false
	line := 0
	for text := range strings.SplitSeq(body, "\n") {
		line++
		text = strings.TrimRight(text, "\r")
		if fence != "" {
			if closesFence(text, fence) {
				fence = ""
			}
			continue
		}
		if !inComment {
			if fence = openingFence(text); fence != "" {
				continue
			}
		}
		// A command begins its line; what follows "-->" on one does not.
		begins := !inComment && strings.HasPrefix(text, "/")
		text, inComment = withoutHTMLComments(text, inComment)
		if c, ok := parseCommand(text); begins && ok {
			c.Line = line
			out = append(out, c)
		}
	}
	return out
}

func parseCommand(text string) (Command, bool) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return Command{}, false
	}
	name, args := rest, ""
	if i := strings.IndexAny(rest, " \t"); i >= 0 {
		name, args = rest[:i], rest[i+1:]
	}
	name = strings.ToLower(name)
	if !commandName(name) {
		return Command{}, false
	}
	return Command{Name: name, Args: strings.TrimSpace(args)}, true
}

// commandName reports whether the word can name a command: letters, digits and
// inner hyphens. A path such as /usr/bin cannot.
func commandName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '-') {
			return false
		}
	}
	return s != ""
}

// openingFence returns the run of backquotes or tildes that opens a fenced code
// block (CommonMark: up to three spaces, then at least three of one kind; an
// info string after backquotes has no backquote), or "".
func openingFence(text string) string {
	trimmed := strings.TrimLeft(text, " ")
	if len(text)-len(trimmed) > 3 || trimmed == "" {
		return ""
	}
	mark := trimmed[0]
	if mark != '`' && mark != '~' {
		return ""
	}
	n := 0
	for n < len(trimmed) && trimmed[n] == mark {
		n++
	}
	if n < 3 || mark == '`' && strings.Contains(trimmed[n:], "`") {
		return ""
	}
	return trimmed[:n]
}

// closesFence reports whether the line ends the block: at least as many of the
// same mark, and nothing else.
func closesFence(text, fence string) bool {
	trimmed := strings.TrimLeft(text, " ")
	if len(text)-len(trimmed) > 3 || !strings.HasPrefix(trimmed, fence) {
		return false
	}
	return strings.Trim(strings.TrimRight(trimmed, " \t"), fence[:1]) == ""
}

// withoutHTMLComments cuts <!-- … --> out of a line. It takes and returns
// whether a comment is open.
func withoutHTMLComments(text string, open bool) (string, bool) {
	var b strings.Builder
	for {
		if open {
			_, after, ok := strings.Cut(text, "-->")
			if !ok {
				return b.String(), true
			}
			text, open = after, false
		}
		before, after, ok := strings.Cut(text, "<!--")
		b.WriteString(before)
		if !ok {
			return b.String(), false
		}
		text, open = after, true
	}
}
