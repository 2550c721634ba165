package announce_test

import (
	"errors"
	"strings"
	"testing"

	"seaworthy/release"
	"seaworthy/release/announce"
)

func TestCheckTemplate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, want string
		line       int
	}{
		{"{{.Project}} {{.Version}} is out.\n{{if .PageURL}}{{.PageURL}}{{end}}\n{{.Notes}}\n", "", 0},
		{"{{with .PageURL}}See {{.}} of {{$.Version}}{{else}}{{.Version}}{{end}}", "", 0},
		{`{{$v := .Version}}{{if eq .Kind "rc"}}try {{strong $v}}{{else}}use {{$v | printf "%s!"}}{{end}}`, "", 0},
		{"One\n{{.Verson}}\n", "unknown value .Verson: there are Project, Version", 2},
		{"{{.Project}}\n\n{{if .Previous}}\n{{if eq .Kind \"beta\"}}{{.Nothing}}{{end}}{{end}}", "unknown value .Nothing", 4},
		{"{{$.Project.Name}}", "unknown value .Project.Name", 1},
		{"{{.Markdown}}", "unknown value .Markdown", 1},
		{"{{with .PageURL}}\n{{.Version}}{{end}}", "write $.Version", 2},
		{"{{range .Notes}}x{{end}}", "has no place in an announcement", 1},
		{"x\n{{define \"a\"}}x{{end}}", "without define", 0},
		{"x\n{{template \"b\"}}", "has no place", 2},
		{"One\n{{.Project", "unclosed action", 2},
		{"One\n{{shout .Project}}", `function "shout" not defined`, 2},
		{"One\n\n{{index .Project 99}}", "out of range", 3},
		{"{{if .PageURL}}{{.PageURL}}{{end}}", "is empty", 0},
		{"", "", 0}, // the built-in one
		{strings.Repeat("x", 1<<17), "the limit is", 0},
		{strings.Repeat(`{{printf "%999999s" "x"}}`, 20), "longer than", 0},
	} {
		err := announce.CheckTemplate(test.text)
		if test.want == "" {
			if err != nil {
				t.Errorf("%.80q: %v", test.text, err)
			}
			continue
		}
		var e *announce.TemplateError
		if !errors.As(err, &e) || !strings.Contains(e.Why, test.want) || e.Line != test.line {
			t.Errorf("%.80q: %v, want %q at line %d", test.text, err, test.want, test.line)
		}
	}
}

// Whatever is inserted is escaped, each form in its way, with no word of it in the
// template.
func TestTemplateEscapes(t *testing.T) {
	t.Parallel()
	a := announce.Announcement{Project: `<b>_hal_`, Version: "v1.0.0", Kind: release.RC, Signature: "Ada", PageURL: "https://example.org/a_b",
		Notes:    "- **new** [#1](https://example.org/1) <script>\n",
		Template: "# {{.Project}} {{.Kind}}\n\n{{.PageURL}}\n\n{{.Notes}}\n\n{{printf \"%s&\" .Project}}{{$x := .Project}}{{$x}}\n"}
	for form, test := range map[string]struct {
		render func() (string, error)
		want   string
	}{
		"markdown": {a.Markdown, "# \\<b\\>\\_hal\\_ rc\n\n<https://example.org/a_b>\n\n- **new** [#1](https://example.org/1) <script>\n\n\\<b\\>\\_hal\\_\\&\\<b\\>\\_hal\\_\n"},
		"text":     {a.Text, "# <b>_hal_ rc\n\nhttps://example.org/a_b\n\n- **new** #1 <script>\n\n<b>_hal_&<b>_hal_\n"},
		"html":     {a.HTML, "<h1>&lt;b&gt;_hal_ rc</h1>\n<p><a href=\"https://example.org/a_b\">https://example.org/a_b</a></p>\n<ul>\n<li><strong>new</strong> <a href=\"https://example.org/1\">#1</a> <!-- raw HTML omitted --></li>\n</ul>\n<p>&lt;b&gt;_hal_&amp;&lt;b&gt;_hal_</p>\n"},
	} {
		if got, err := test.render(); err != nil || got != test.want {
			t.Errorf("%s:\n%s\n%v, want\n%s", form, got, err, test.want)
		}
	}
}

func FuzzCheckTemplate(f *testing.F) {
	f.Add("{{.Project}} {{with .PageURL}}{{.}}{{end}}")
	f.Add("{{if and .Notes (eq .Kind \"rc\")}}{{code .Verify}}{{else}}{{$x := 1}}{{$x}}{{end}}")
	f.Fuzz(func(t *testing.T, text string) {
		err := announce.CheckTemplate(text)
		var e *announce.TemplateError
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v is no TemplateError", text, err)
		}
		if err != nil || text == "" {
			return
		}
		a := announce.Announcement{Project: "<i>", Version: "v1.0.0", Kind: release.Official, Signature: "Ada", Template: text}
		if html, err := a.HTML(); err == nil && strings.Contains(html, "<i>") {
			t.Errorf("%q does not escape: %s", text, html)
		}
	})
}
