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
	// Identity makes the Message-ID, with the sender, where it is not to follow
	// from the content: mails of one identity are one mail, whenever written.
	Identity string
}

// Letter is a mail ready to be sent.
type Letter struct {
	From      string   `json:"from"` // bare addresses: "a@example.org"
	To        []string `json:"to"`
	Subject   string   `json:"subject"`
	MessageID string   `json:"message_id"` // without the angle brackets
	Message   []byte   `json:"-"`          // complete, see Announcement.Message
}

// Message renders a complete mail message with a plain and an HTML part, CRLF
// line ends and an identity that follows from its content: the file can be
// handed to any mail program, and handing it over twice is recognised as one
// mail. Headers are written by net/mail and mime; a value with a line break or
// another control character is refused.
func (a Announcement) Message(e Envelope) ([]byte, error) {
	l, err := a.Letter(e)
	return l.Message, err
}

// Letter is Message together with what a mail server must be told.
func (a Announcement) Letter(e Envelope) (Letter, error) {
	l, err := a.letter(e)
	if err != nil {
		return Letter{}, fmt.Errorf("writing the mail about %q %q: %w", a.Project, a.Version, err)
	}
	return l, nil
}

func (a Announcement) letter(e Envelope) (l Letter, err error) {
	if err := a.validate(); err != nil {
		return l, err
	}
	headers, err := a.headers(e, &l)
	if err != nil {
		return l, err
	}
	text, err := a.Text()
	if err != nil {
		return l, err
	}
	html, err := a.HTML()
	if err != nil {
		return l, err
	}
	var known bytes.Buffer
	for _, h := range headers {
		known.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	known.WriteString(text + "\x00" + html)
	sum := sha256.Sum256(known.Bytes())
	id := hex.EncodeToString(sum[:16])
	l.MessageID = id + l.From[strings.LastIndex(l.From, "@"):]
	if e.Identity != "" {
		named := sha256.Sum256([]byte(l.From + "\x00" + e.Identity))
		l.MessageID = hex.EncodeToString(named[:16]) + l.From[strings.LastIndex(l.From, "@"):]
	}

	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	// Derived from the content, so it cannot stand in it by chance.
	if err := parts.SetBoundary("=_" + id); err != nil {
		return l, err
	}
	for _, p := range []struct{ kind, content string }{{"text/plain", text}, {"text/html", html}} {
		if err := writePart(parts, p.kind, p.content); err != nil {
			return l, err
		}
	}
	if err := parts.Close(); err != nil {
		return l, err
	}
	headers = append(headers,
		[2]string{"Message-ID", "<" + l.MessageID + ">"},
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
	l.Message = m.Bytes()
	return l, nil
}

// headers also fills in what the letter says outside of its message.
func (a Announcement) headers(e Envelope, l *Letter) (headers [][2]string, err error) {
	if e.Date.IsZero() {
		return nil, errors.New("the mail has no date")
	}
	if len(e.To) == 0 {
		return nil, errors.New("the mail goes to nobody")
	}
	from, err := address(e.From)
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	var to []string
	for _, s := range e.To {
		addr, err := address(s)
		if err != nil {
			return nil, fmt.Errorf("recipient: %w", err)
		}
		to = append(to, addr.String())
		l.To = append(l.To, addr.Address)
	}
	subject := e.Subject
	if subject == "" {
		subject = a.Project + " " + a.Version + " is live!"
	}
	if err := oneLine(subject); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	l.From, l.Subject = from.Address, subject
	headers = [][2]string{
		{"From", from.String()},
		{"To", strings.Join(to, ", ")},
	}
	if e.ReplyTo != "" {
		reply, err := address(e.ReplyTo)
		if err != nil {
			return nil, fmt.Errorf("reply address: %w", err)
		}
		headers = append(headers, [2]string{"Reply-To", reply.String()})
	}
	headers = append(headers,
		[2]string{"Date", e.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")},
		[2]string{"Subject", mime.QEncoding.Encode("utf-8", subject)},
	)
	return headers, nil
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
