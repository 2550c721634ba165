package send

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"seaworthy/alert"
)

// letter is a mail ready to be sent.
type letter struct {
	from    string
	to      []string
	message []byte
}

// newLetter writes a plain mail. Its Message-ID and its date are those of the
// message, so that sending it again is sending the same.
func newLetter(from string, m alert.Message) (l letter, err error) {
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return l, fmt.Errorf("the sender %q: %w", from, err)
	}
	l.from = sender.Address
	var to []string
	for _, t := range m.Mails {
		a, err := mail.ParseAddress(t)
		if err != nil {
			continue // one that cannot be read keeps nobody else from being told
		}
		l.to, to = append(l.to, a.Address), append(to, a.String())
	}
	if len(to) == 0 {
		return l, fmt.Errorf("none of %q is a mail address", m.Mails)
	}
	sum := sha256.Sum256([]byte(m.ID + "\x00" + strings.Join(l.to, "\x00")))
	id := hex.EncodeToString(sum[:16]) + l.from[strings.LastIndex(l.from, "@"):]
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", sender.String()}, {"To", strings.Join(to, ",\r\n ")}, {"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", m.At.UTC().Format(time.RFC1123Z)}, {"Message-ID", "<" + id + ">"}, {"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"}, {"Auto-Submitted", "auto-generated"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	if _, err := q.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n"))); err != nil {
		return l, fmt.Errorf("writing the mail: %w", err)
	}
	if err := q.Close(); err != nil {
		return l, fmt.Errorf("writing the mail: %w", err)
	}
	l.message = b.Bytes()
	return l, nil
}
