package announce

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// Envelope is who writes to whom, and when.
type Envelope struct {
	From    string   // "Halyard releases <releases@halyard.example>"
	To      []string // at least one address
	ReplyTo string   // optional
	// Subject of the mail; empty means "PROJECT VERSION is live!".
	Subject string
	Date    time.Time // written in UTC, to the second
}

// Message renders a complete mail message with a plain and an HTML part, CRLF
// line ends and an identity that follows from its content: the file can be
// handed to any mail program, and handing it over twice is recognised as one
// mail. Headers are written by net/mail and mime; a value with a line break or
// another control character is refused.
func (a Announcement) Message(e Envelope) ([]byte, error) {
	m, err := a.message(e)
	if err != nil {
		return nil, fmt.Errorf("writing the mail about %q %q: %w", a.Project, a.Version, err)
	}
	return m, nil
}

func (a Announcement) message(e Envelope) ([]byte, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	headers, domain, err := a.headers(e)
	if err != nil {
		return nil, err
	}
	text, err := a.Text()
	if err != nil {
		return nil, err
	}
	html, err := a.HTML()
	if err != nil {
		return nil, err
	}
	var known bytes.Buffer
	for _, h := range headers {
		known.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	known.WriteString(text + "\x00" + html)
	sum := sha256.Sum256(known.Bytes())
	id := hex.EncodeToString(sum[:16])

	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	// Derived from the content, so it cannot stand in it by chance.
	if err := parts.SetBoundary("=_" + id); err != nil {
		return nil, err
	}
	for _, p := range []struct{ kind, content string }{{"text/plain", text}, {"text/html", html}} {
		if err := writePart(parts, p.kind, p.content); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	headers = append(headers,
		[2]string{"Message-ID", "<" + id + "@" + domain + ">"},
		[2]string{"MIME-Version", "1.0"},
		[2]string{"Content-Type", `multipart/alternative; boundary="` + parts.Boundary() + `"`},
		[2]string{"Auto-Submitted", "auto-generated"},
	)
	var m bytes.Buffer
	for _, h := range headers {
		m.WriteString(fold(h[0]+": "+h[1]) + "\r\n")
	}
	m.WriteString("\r\n")
	m.Write(body.Bytes())
	return m.Bytes(), nil
}

func (a Announcement) headers(e Envelope) (headers [][2]string, domain string, err error) {
	if e.Date.IsZero() {
		return nil, "", errors.New("the mail has no date")
	}
	if len(e.To) == 0 {
		return nil, "", errors.New("the mail goes to nobody")
	}
	from, err := address(e.From)
	if err != nil {
		return nil, "", fmt.Errorf("sender: %w", err)
	}
	var to []string
	for _, s := range e.To {
		addr, err := address(s)
		if err != nil {
			return nil, "", fmt.Errorf("recipient: %w", err)
		}
		to = append(to, addr.String())
	}
	subject := e.Subject
	if subject == "" {
		subject = a.Project + " " + a.Version + " is live!"
	}
	if err := oneLine(subject); err != nil {
		return nil, "", fmt.Errorf("subject: %w", err)
	}
	headers = [][2]string{
		{"From", from.String()},
		{"To", strings.Join(to, ", ")},
	}
	if e.ReplyTo != "" {
		reply, err := address(e.ReplyTo)
		if err != nil {
			return nil, "", fmt.Errorf("reply address: %w", err)
		}
		headers = append(headers, [2]string{"Reply-To", reply.String()})
	}
	headers = append(headers,
		[2]string{"Date", e.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")},
		[2]string{"Subject", mime.QEncoding.Encode("utf-8", subject)},
	)
	return headers, from.Address[strings.LastIndex(from.Address, "@")+1:], nil
}

func address(s string) (*mail.Address, error) {
	if err := oneLine(s); err != nil {
		return nil, err
	}
	addr, err := mail.ParseAddress(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a mail address: %w", s, err)
	}
	return addr, nil
}

func writePart(parts *multipart.Writer, kind, content string) error {
	w, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind + "; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	qp := quotedprintable.NewWriter(w)
	if _, err := qp.Write([]byte(content)); err != nil {
		return err
	}
	return qp.Close()
}

// fold breaks a header at spaces so that its lines stay within 78 characters
// where they can.
func fold(header string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Split(header, " ") {
		switch {
		case i == 0:
		case i > 1 && width+1+len(word) > 78:
			b.WriteString("\r\n ")
			width = 1
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}
