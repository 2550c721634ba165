package announce

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"unicode"

	"github.com/yuin/goldmark"

	"seaworthy/release"
)

// Announcement is what there is to say about a release. Project, Version, Kind
// and Signature are needed; what else is empty is left out.
type Announcement struct {
	Project      string
	Version      string // with its prefix
	Kind         release.Kind
	Previous     string // version the notes count from
	GoVersion    string // "1.26.8"
	PageURL      string
	ChangelogURL string
	Notes        string // Markdown
	Verify       string // a shell command that checks a download; lines as they are
	Signature    string
	// Template is the text of a project's own template, which CheckTemplate
	// finds nothing wrong with; the built-in one when empty.
	Template string
}

// Unstable reports whether the release is a prerelease.
func (a Announcement) Unstable() bool { return a.Kind != release.Official }

//go:embed announcement.md.tmpl
var text string

// format says how the template's marks are written.
type format struct {
	esc    func(string) string
	strong func(string) string
	link   func(string) string
	code   func(string) string
	notes  func(string) string
	rule   string
}

var markdown = format{
	esc:    escape,
	strong: func(s string) string { return "**" + escape(s) + "**" },
	link:   func(s string) string { return "<" + s + ">" },
	code:   func(s string) string { return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") },
	notes:  strings.TrimSpace,
	rule:   "---",
}

var plain = format{
	esc:    func(s string) string { return s },
	strong: func(s string) string { return s },
	link:   func(s string) string { return s },
	code:   markdown.code,
	notes:  func(s string) string { return unlink(strings.TrimSpace(s)) },
	rule:   strings.Repeat("-", 72),
}

// Markdown renders the announcement as Markdown.
func (a Announcement) Markdown() (string, error) { return a.render(markdown) }

// Text renders the announcement as plain text; links within the notes become
// their texts, as a list of changes is easier to read that way.
func (a Announcement) Text() (string, error) { return a.render(plain) }

// HTML renders the announcement as the body of an HTML page. HTML within the
// notes is left out.
func (a Announcement) HTML() (string, error) {
	md, err := a.Markdown()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(md), &b); err != nil {
		return "", fmt.Errorf("announcing %q %q: %w", a.Project, a.Version, err)
	}
	return b.String(), nil
}

func (a Announcement) render(f format) (string, error) {
	if err := a.validate(); err != nil {
		return "", fmt.Errorf("announcing %q %q: %w", a.Project, a.Version, err)
	}
	t, err := a.template(template.FuncMap{
		"esc": onText(f.esc), "strong": onText(f.strong), "link": onText(f.link), "code": onText(f.code), "notes": onText(f.notes),
		"rule":       func() string { return f.rule },
		"kindPhrase": kindPhrase,
	})
	if err != nil {
		return "", fmt.Errorf("reading the announcement's template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&bounded{&b, renderLimit}, a); err != nil {
		return "", fmt.Errorf("announcing %q %q: %w", a.Project, a.Version, err)
	}
	return strings.TrimSpace(b.String()) + "\n", nil
}

func (a Announcement) template(functions template.FuncMap) (*template.Template, error) {
	if a.Template != "" {
		return own(a.Template, functions)
	}
	return template.New(templateName).Funcs(functions).Parse(text)
}

// onText lets a function take values whose type is not string.
func onText(f func(string) string) func(any) string {
	return func(v any) string { return f(fmt.Sprint(v)) }
}

func kindPhrase(a Announcement) string {
	switch a.Kind {
	case release.Alpha:
		return ", an alpha,"
	case release.Beta:
		return ", a beta,"
	case release.RC:
		return ", a release candidate,"
	}
	return ""
}

func (a Announcement) validate() error {
	if a.Project == "" || a.Version == "" || a.Signature == "" {
		return errors.New("project, version and signature are needed")
	}
	if _, err := release.ParseKind(string(a.Kind)); err != nil {
		return err
	}
	for name, v := range map[string]string{"project": a.Project, "version": a.Version, "previous version": a.Previous, "Go version": a.GoVersion, "signature": a.Signature} {
		if err := oneLine(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, v := range map[string]string{"page": a.PageURL, "changelog": a.ChangelogURL} {
		if v == "" {
			continue
		}
		if u, err := url.Parse(v); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(v, " <>\"") {
			return fmt.Errorf("%s: %q is not the address of a web page", name, v)
		}
	}
	return nil
}

// oneLine refuses what could leave its line, in a header or on a page.
func oneLine(s string) error {
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return fmt.Errorf("%q holds the character %q, which has no place on one line", s, r)
		}
	}
	return nil
}

var escaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "&", `\&`)

// escape keeps a value from being read as Markdown.
func escape(s string) string { return escaper.Replace(s) }

var mdLink = regexp.MustCompile(`\[([^\[\]]*)\]\([^()\s]*\)`)

func unlink(s string) string { return mdLink.ReplaceAllString(s, "$1") }
