package alert

import (
	"strings"
)

// plain is for mails.
type plain struct{}

func (plain) text(s string) string        { return s }
func (plain) strong(s string) string      { return s }
func (plain) link(text, at string) string { return text + " <" + at + ">" }
func (plain) item(depth int) string       { return strings.Repeat("  ", depth) + "- " }
func (plain) block(s string) string       { return indent(s, "    | ") }
func indent(s, with string) string {
	return with + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n"+with) + "\n"
}

// slack is Slack's markup.
// Source: https://api.slack.com/reference/surfaces/formatting
type slack struct{}

func (slack) text(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "∗", "`", "'").Replace(s)
}
func (m slack) strong(s string) string { return "*" + m.text(s) + "*" }
func (m slack) link(text, at string) string {
	return "<" + strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(at) + "|" + strings.ReplaceAll(m.text(text), "|", "/") + ">"
}
func (slack) item(depth int) string { return strings.Repeat("    ", depth) + "• " }
func (m slack) block(s string) string {
	return "```\n" + m.text(strings.TrimSpace(s)) + "\n```\n"
}

// markdown is for issues.
type markdown struct{}

func (markdown) text(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune("\\`*_[]<>#|~", r):
			b.WriteRune('\\')
		case r == '@':
			r = '＠' // which calls nobody
		}
		b.WriteRune(r)
	}
	return b.String()
}
func (m markdown) strong(s string) string { return "**" + m.text(s) + "**" }
func (m markdown) link(text, at string) string {
	return "[" + m.text(text) + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E", "\n", "").Replace(at) + ">)"
}
func (markdown) item(depth int) string { return strings.Repeat("  ", depth) + "- " }

// block is indented, which nothing in it can end: by four more than what is in
// the deepest item.
func (markdown) block(s string) string { return "\n" + indent(s, "          ") + "\n" }
