package app_test

import (
	"strings"
	"testing"

	"seaworthy/app"
)

// The template of the announcement is part of the configuration: what is wrong in it
// is told with its line, wherever that is read.
func TestReadProjectAnnouncement(t *testing.T) {
	t.Parallel()
	const text = "version: 1\nrelease:\n  announce:\n    template: docs/mail.md\n"
	for _, test := range []struct{ template, want string }{
		{"{{.Project}} {{.Version}}\n", ""},
		{"{{.Project}}\n\n{{if .Unstable}}{{.Verson}}{{end}}\n", "docs/mail.md:3: unknown value .Verson"},
		{"{{.Project}}\n{{if}}", "docs/mail.md:2: missing value for if"},
		{"\n", "docs/mail.md: the announcement that it makes is empty"},
		{"", `seaworthy.yaml:4: template "docs/mail.md" is no file of this repository: add it`},
	} {
		files := map[string]string{"seaworthy.yaml": text}
		if test.template != "" {
			files["docs/mail.md"] = test.template
		}
		repo := repository(t, "main", files)
		for _, rev := range []string{"", "HEAD"} {
			p, err := app.ReadProject(t.Context(), repo, rev, someName)
			if test.want == "" {
				if err != nil || p.Announcement != test.template {
					t.Errorf("%q: %q, %v", test.template, p.Announcement, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q at %q: %v, want %q", test.template, rev, err, test.want)
			}
		}
	}
}
