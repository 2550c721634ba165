package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommands(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       []string
	}{
		{"one", "/lgtm", []string{"lgtm||1"}},
		{"case", "/LGTM Cancel", []string{"lgtm|Cancel|1"}},
		{"several with CRLF", "Thanks!\r\n/lgtm\r\n/approve no-issue\r\n", []string{"lgtm||2", "approve|no-issue|3"}},
		{"tabs and spaces", "/label \t kind/bug  ", []string{"label|kind/bug|1"}},
		{"inside a line", "please /lgtm", nil},
		{"indented", "  /lgtm", nil},
		{"quoted", "> /lgtm\n>/approve\n/hold", []string{"hold||3"}},
		{"fenced", "```\n/lgtm\n```\n/hold", []string{"hold||4"}},
		{"fenced with info", "```sh\n/lgtm\n```\n/hold", []string{"hold||4"}},
		{"tilde fence holds backquotes", "~~~\n```\n/lgtm\n~~~\n/hold", []string{"hold||5"}},
		{"longer fence", "````\n```\n/lgtm\n````\n/hold", []string{"hold||5"}},
		{"fence never closed", "```\n/lgtm\n", nil},
		{"closing fence has no words", "```\n/lgtm\n``` x\n/hold\n```\n/cc", []string{"cc||6"}},
		{"inline code is no fence", "```x``` y\n/hold", []string{"hold||2"}},
		{"indented fence", "   ```\n/lgtm\n   ```\n/hold", []string{"hold||4"}},
		{"too far indented for a fence", "    ```\n/hold", []string{"hold||2"}},
		{"HTML comment", "<!-- a template\n/kind bug\n-->\n/hold", []string{"hold||4"}},
		{"HTML comment in a line", "/kind bug <!-- or feature -->", []string{"kind|bug|1"}},
		{"after a comment's end", "<!--\n--> /lgtm\n/hold", []string{"hold||3"}},
		{"fence inside a comment", "<!--\n```\n-->\n/hold", []string{"hold||4"}},
		{"a path", "/usr/bin/env", nil},
		{"a slash", "/ lgtm", nil},
		{"comment marks", "//lgtm\n/*lgtm*/", nil},
		{"number first", "/3d", nil},
		{"hyphen and digit", "/ok-to-test2", []string{"ok-to-test2||1"}},
		{"question", "/test ?", []string{"test|?|1"}},
		{"empty", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range ParseCommands(tt.body) {
				got = append(got, c.Name+"|"+c.Args+"|"+string(rune('0'+c.Line)))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommandStrings(t *testing.T) {
	t.Parallel()
	c := Command{Name: "area", Args: "docs  ui"}
	if got := c.String(); got != "/area docs  ui" {
		t.Errorf("String() = %q", got)
	}
	if got := (Command{Name: "lgtm"}).String(); got != "/lgtm" {
		t.Errorf("String() = %q", got)
	}
	if diff := cmp.Diff([]string{"docs", "ui"}, c.Fields()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseCommands(f *testing.F) {
	f.Add("/lgtm\r\n```\n/approve\n```\n<!-- /hold -->\n/cc @ann")
	f.Add("~~~~\n/x\n~~~\n~~~~ \n/y")
	f.Add("<!--<!---->/a-->\n/b")
	f.Fuzz(func(t *testing.T, body string) {
		lines := strings.Split(body, "\n")
		last := 0
		for _, c := range ParseCommands(body) {
			if c.Line <= last || c.Line > len(lines) {
				t.Fatalf("line %d after %d of %d", c.Line, last, len(lines))
			}
			last = c.Line
			if !strings.HasPrefix(strings.ToLower(lines[c.Line-1]), "/"+c.Name) {
				t.Errorf("line %q does not begin with /%s", lines[c.Line-1], c.Name)
			}
			if !commandName(c.Name) || c.Args != strings.TrimSpace(c.Args) {
				t.Errorf("command %+v is not in form", c)
			}
		}
	})
}
