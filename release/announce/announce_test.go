package announce

import (
	"bytes"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func full() Announcement {
	return Announcement{
		Project: "Halyard", Version: "v1.2.0", Kind: release.Official, Previous: "v1.1.0", GoVersion: "1.26.8",
		PageURL:      "https://forge.example/harbour/halyard/releases/tag/v1.2.0",
		ChangelogURL: "https://forge.example/harbour/halyard/blob/main/CHANGELOG/CHANGELOG-1.2.md",
		Notes:        "## Changes by Kind\n\n### Feature\n\n- Added `a` – quickly ([#7](https://forge.example/harbour/halyard/pull/7), [@ada](https://forge.example/ada)) [SIG Node]\n",
		Verify:       "curl -O https://dl.example/SHA256SUMS\nsha256sum --check --ignore-missing SHA256SUMS",
		Signature:    "The Halyard release team",
	}
}

func envelope() Envelope {
	return Envelope{
		From: "Halyard releases <releases@halyard.example>", To: []string{"announce@halyard.example", "Dëv <dev@halyard.example>"},
		ReplyTo: "dev@halyard.example", Date: time.Date(2026, 3, 4, 6, 6, 7, 999, time.FixedZone("", 3600)),
	}
}

func TestAnnouncement(t *testing.T) {
	t.Parallel()
	a := full()
	for name, render := range map[string]func() (string, error){"full.md": a.Markdown, "full.txt": a.Text, "full.html": a.HTML} {
		got, err := render()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
	small := Announcement{Project: "Halyard", Version: "v0.1.0-rc.0", Kind: release.RC, Signature: "Ada"}
	got, err := small.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "small.md", got)
}

func TestEveryKindIsNamed(t *testing.T) {
	t.Parallel()
	for kind, want := range map[release.Kind]string{release.Alpha: "an alpha", release.Beta: "a beta", release.RC: "a release candidate"} {
		a := full()
		a.Kind = kind
		got, err := a.Text()
		if err != nil || !strings.Contains(got, want) || !strings.Contains(got, "do not run it in production") {
			t.Errorf("%s: %v\n%s", kind, err, got)
		}
	}
	got, err := full().Text()
	if err != nil || strings.Contains(got, "prerelease") {
		t.Errorf("a final release says it is none: %v", err)
	}
}

func TestValuesAreEscaped(t *testing.T) {
	t.Parallel()
	a := full()
	a.Project = `<script>alert(1)</script> & [x](javascript:alert) *b* {{.Version}}`
	a.Notes += "\n<script>alert(2)</script>\n"
	page, err := a.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "javascript:alert\"", "<em>b"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q:\n%s", bad, page)
		}
	}
	if !strings.Contains(page, "{{.Version}}") {
		t.Error("a value was read as a template")
	}
	text, err := a.Text()
	if err != nil || !strings.Contains(text, a.Project) {
		t.Errorf("the plain text changes the name: %v\n%s", err, text)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Announcement, *Envelope)
		err    string
	}{
		"no project":          {func(a *Announcement, _ *Envelope) { a.Project = "" }, "are needed"},
		"no kind":             {func(a *Announcement, _ *Envelope) { a.Kind = "" }, "not a kind"},
		"break in version":    {func(a *Announcement, e *Envelope) { a.Version, e.Subject = "v1\r\nBcc: x@y", "x" }, "version"},
		"break in project":    {func(a *Announcement, e *Envelope) { a.Project, e.Subject = "H\nX: y", "x" }, "project"},
		"break in signature":  {func(a *Announcement, _ *Envelope) { a.Signature = "A\u2028B" }, "signature"},
		"break by default":    {func(a *Announcement, _ *Envelope) { a.Version = "v1\r\nBcc: x@y" }, "version"},
		"NUL":                 {func(a *Announcement, _ *Envelope) { a.GoVersion = "1\x00" }, "Go version"},
		"script as page":      {func(a *Announcement, _ *Envelope) { a.PageURL = "javascript:alert(1)" }, "page"},
		"folder as changelog": {func(a *Announcement, _ *Envelope) { a.ChangelogURL = "/x" }, "changelog"},
		"page that ends":      {func(a *Announcement, _ *Envelope) { a.PageURL = "https://x/>y" }, "page"},
		"break in subject":    {func(_ *Announcement, e *Envelope) { e.Subject = "x\nBcc: a@b" }, "subject"},
		"return in subject":   {func(_ *Announcement, e *Envelope) { e.Subject = "x\rBcc: a@b" }, "subject"},
		"break in sender":     {func(_ *Announcement, e *Envelope) { e.From = "a@b.example\r\nBcc: c@d" }, "sender"},
		"break in recipient":  {func(_ *Announcement, e *Envelope) { e.To = []string{"\"x\r\nBcc: c@d\" <a@b.example>"} }, "recipient"},
		"break in reply":      {func(_ *Announcement, e *Envelope) { e.ReplyTo = "a@b.example\nX: y" }, "reply"},
		"no mail address":     {func(_ *Announcement, e *Envelope) { e.From = "everybody" }, "not a mail address"},
		"two in one":          {func(_ *Announcement, e *Envelope) { e.To = []string{"a@b.example, c@d.example"} }, "not a mail address"},
		"nobody":              {func(_ *Announcement, e *Envelope) { e.To = nil }, "nobody"},
		"no date":             {func(_ *Announcement, e *Envelope) { e.Date = time.Time{} }, "no date"},
	} {
		a, e := full(), envelope()
		tc.change(&a, &e)
		if got, err := a.Message(e); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// parsed is what a mail program sees.
type parsed struct {
	header mail.Header
	parts  map[string]string
}

func parse(t testing.TB, data []byte) parsed {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	p := parsed{header: m.Header, parts: map[string]string{}}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		p.parts[part.Header.Get("Content-Type")] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	a := full()
	data, err := a.Message(envelope())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "full.eml", string(data))
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		if len(line) > 0 && !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 80 {
			t.Errorf("line %d: %q", i+1, line)
		}
	}
	p := parse(t, data)
	text, err := a.Text()
	if err != nil {
		t.Fatal(err)
	}
	html, err := a.HTML()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"text/plain; charset=utf-8": text, "text/html; charset=utf-8": html}
	if diff := cmp.Diff(want, p.parts); diff != "" {
		t.Error(diff)
	}
	to, err := p.header.AddressList("To")
	if err != nil || len(to) != 2 || to[1].Name != "Dëv" {
		t.Errorf("to %v, %v", to, err)
	}
	if date, err := p.header.Date(); err != nil || !date.Equal(envelope().Date.Truncate(time.Second)) {
		t.Errorf("date %v, %v", date, err)
	}
	if got := p.header.Get("Subject"); got != "Halyard v1.2.0 is live!" {
		t.Errorf("subject %q", got)
	}
	again, err := a.Message(envelope())
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("not the same twice (%v)", err)
	}
	e := envelope()
	e.Subject = "Other"
	other, err := a.Message(e)
	if err != nil || parse(t, other).header.Get("Message-ID") == p.header.Get("Message-ID") {
		t.Errorf("another mail has the same identity (%v)", err)
	}
}

func TestLongSubject(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		strings.Repeat("Halyard is out ", 20) + "now", "Halyard läuft " + strings.Repeat("schöner ", 30) + "!", strings.Repeat("x", 200),
	} {
		e := envelope()
		e.Subject = subject
		data, err := full().Message(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(parse(t, data).header.Get("Subject"))
		if err != nil || got != subject {
			t.Errorf("%q came back as %q (%v)", subject, got, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("Halyard", "v1.2.0", "- note\n", "Subject", "a@b.example")
	f.Add("<b>", "v1 *x*", "```\nopen", "Süß\t", "\"x\" <a@b.example>")
	f.Fuzz(func(t *testing.T, project, version, notes, subject, from string) {
		a, e := full(), envelope()
		a.Project, a.Version, a.Notes = project, version, notes
		e.Subject, e.From, e.ReplyTo = subject, from, ""
		data, err := a.Message(e)
		if err != nil {
			return
		}
		p := parse(t, data)
		for name := range p.header {
			switch name {
			case "From", "To", "Date", "Subject", "Message-Id", "Mime-Version", "Content-Type", "Auto-Submitted":
			default:
				t.Fatalf("a header %q got in:\n%s", name, data)
			}
		}
		if len(p.parts) != 2 {
			t.Fatalf("%d parts:\n%s", len(p.parts), data)
		}
	})
}

// One identity is one mail, whenever it is written and whatever it says.
func TestLetterIdentity(t *testing.T) {
	t.Parallel()
	a := Announcement{Project: "Halyard", Version: "v1.2.0", Kind: release.Official, Signature: "The crew"}
	e := Envelope{From: "Halyard <releases@halyard.example>", To: []string{"Users <users@halyard.example>", "b@halyard.example"},
		Date: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), Identity: "harbour/halyard v1.2.0"}
	first, err := a.Letter(e)
	if err != nil {
		t.Fatal(err)
	}
	if first.From != "releases@halyard.example" || strings.Join(first.To, " ") != "users@halyard.example b@halyard.example" || first.Subject != "Halyard v1.2.0 is live!" {
		t.Errorf("the letter is %+v", first)
	}
	if !strings.Contains(string(first.Message), "\r\nMessage-ID: <"+first.MessageID+">\r\n") || !strings.HasSuffix(first.MessageID, "@halyard.example") {
		t.Errorf("Message-ID %q, and the message is\n%s", first.MessageID, first.Message)
	}
	a.Notes, e.Date = "- More", e.Date.Add(time.Hour)
	if again, err := a.Letter(e); err != nil || again.MessageID != first.MessageID {
		t.Errorf("written again it is %s, %v; first %s", again.MessageID, err, first.MessageID)
	}
	for _, other := range []func(*Envelope){func(e *Envelope) { e.Identity = "harbour/halyard v1.2.1" }, func(e *Envelope) { e.From = "x@halyard.example" }} {
		e := e
		other(&e)
		if l, err := a.Letter(e); err != nil || l.MessageID == first.MessageID {
			t.Errorf("another mail is %s, %v", l.MessageID, err)
		}
	}
}
