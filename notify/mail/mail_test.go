package mail_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"seaworthy/notify/mail"
	"seaworthy/notify/mailtest"
)

const letter = "From: r@halyard.example\r\nTo: users@halyard.example\r\nSubject: Halyard v1.2.0\r\nMessage-ID: <7@halyard.example>\r\n\r\nIt is out.\r\n.leading dot\r\n"

func at(t *testing.T, addr string) mail.Server {
	t.Helper()
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return mail.Server{Host: host, Port: port, Encryption: "none", Timeout: 10 * time.Second}
}

func TestSend(t *testing.T) {
	t.Parallel()
	sink := mailtest.New(t, mailtest.Options{})
	if err := at(t, sink.Addr).Send(t.Context(), "r@halyard.example", []string{"a@halyard.example", "b@halyard.example"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	all := sink.Messages()
	if len(all) != 1 || all[0].From != "r@halyard.example" || strings.Join(all[0].To, " ") != "a@halyard.example b@halyard.example" {
		t.Fatalf("the server has %+v", all)
	}
	if want := strings.ReplaceAll(letter, "\r\n", "\n"); all[0].Data != want {
		t.Errorf("the message arrived as\n%q, want\n%q", all[0].Data, want)
	}
}

func TestSendEncryptedFromTheStart(t *testing.T) {
	t.Parallel()
	sink := mailtest.New(t, mailtest.Options{TLS: true, User: "releases", Password: "tide-table"})
	s := at(t, sink.Addr)
	s.Encryption, s.User, s.Password = "tls", "releases", "tide-table"
	s.TLS = &tls.Config{RootCAs: sink.Roots, ServerName: "127.0.0.1"}
	if err := s.Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if all := sink.Messages(); len(all) != 1 || !all[0].TLS || all[0].User != "releases" {
		t.Errorf("the server has %+v", all)
	}
}

func TestSendEncryptedWithLogin(t *testing.T) {
	t.Parallel()
	sink := mailtest.New(t, mailtest.Options{StartTLS: true, User: "releases", Password: "tide-table"})
	s := at(t, sink.Addr)
	s.Encryption, s.User, s.Password = "starttls", "releases", "tide-table"
	if err := s.Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); err == nil {
		t.Error("a certificate that nobody vouches for was trusted")
	}
	s.TLS = &tls.Config{RootCAs: sink.Roots, ServerName: "127.0.0.1"}
	if err := s.Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if all := sink.Messages(); len(all) != 1 || !all[0].TLS || all[0].User != "releases" {
		t.Errorf("the server has %+v", all)
	}
	s.Password = "wrong-secret"
	err := s.Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, []byte(letter))
	if err == nil || strings.Contains(err.Error(), "wrong-secret") || strings.Contains(err.Error(), "d3Jvbmctc2VjcmV0") {
		t.Errorf("a wrong password: %v", err)
	}
	// A server that offers no encryption is not spoken to.
	plain := mailtest.New(t, mailtest.Options{})
	s = at(t, plain.Addr)
	s.Encryption = "starttls"
	if err := s.Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); err == nil || len(plain.Messages()) != 0 {
		t.Errorf("without encryption: %v, and the server has %d messages", err, len(plain.Messages()))
	}
}

// A server that refuses anything has taken nothing.
func TestSendRefused(t *testing.T) {
	t.Parallel()
	for command, answer := range map[string]string{"MAIL": "550 not you", "RCPT TO:<b": "550 no such user", "DATA": "452 no room", "EHLO": "421 closed"} {
		sink := mailtest.New(t, mailtest.Options{Refuse: map[string]string{command: answer, "HELO": "421 closed"}})
		err := at(t, sink.Addr).Send(t.Context(), "r@halyard.example", []string{"a@halyard.example", "b@halyard.example"}, []byte(letter))
		if err == nil || !strings.Contains(err.Error(), sink.Addr) || len(sink.Messages()) != 0 {
			t.Errorf("%s %s: %v, and the server has %d messages", command, answer, err, len(sink.Messages()))
		}
	}
	if err := at(t, "127.0.0.1:1").Send(t.Context(), "r@halyard.example", []string{"a@halyard.example"}, nil); err == nil {
		t.Error("nobody is there, and it was sent")
	}
	sink := mailtest.New(t, mailtest.Options{})
	if err := at(t, sink.Addr).Send(t.Context(), "r@halyard.example\r\nDATA", []string{"a@halyard.example"}, nil); err == nil {
		t.Error("a sender with a line break was sent")
	}
	if err := at(t, sink.Addr).Send(t.Context(), "r@halyard.example", nil, nil); err == nil {
		t.Error("sent to nobody")
	}
}

// Ending the context ends a conversation with a server that says nothing.
func TestSendInterrupted(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone home")
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 512)
		for _, say := range []string{"220 hi\r\n", "250 ok\r\n"} {
			if _, err := c.Write([]byte(say)); err != nil {
				return
			}
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
		cancel(gone) // MAIL has come, and gets no answer
		_, _ = c.Read(buf)
	}()
	if err := at(t, l.Addr().String()).Send(ctx, "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); !errors.Is(err, gone) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want mail.Server
		bad  bool
	}{
		{"smtp://releases@mail.example.org", mail.Server{Host: "mail.example.org", Port: 587, User: "releases", Encryption: "starttls"}, false},
		{"smtps://mail.example.org:4650", mail.Server{Host: "mail.example.org", Port: 4650, Encryption: "tls"}, false},
		{"smtp://127.0.0.1:2525?tls=none", mail.Server{Host: "127.0.0.1", Port: 2525, Encryption: "none"}, false},
		{"smtp://localhost?tls=none", mail.Server{Host: "localhost", Port: 25, Encryption: "none"}, false},
		{in: "smtp://a:hidden@mail.example.org", bad: true},
		{in: "smtp://a@mail.example.org?tls=none", bad: true},
		{in: "smtps://mail.example.org?tls=none", bad: true},
		{in: "smtp://mail.example.org?tls=maybe", bad: true},
		{in: "smtp://mail.example.org:99999", bad: true},
		{in: "mail.example.org:25", bad: true},
		{in: "", bad: true},
	} {
		got, err := mail.Parse(tt.in)
		if (err != nil) != tt.bad || !tt.bad && got != tt.want {
			t.Errorf("%q is %+v, %v", tt.in, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("the password is in %q", err)
		}
	}
}

// A mail server that people run takes what is sent.
func TestSendToAiosmtpd(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("aiosmtpd")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("aiosmtpd is needed: run scripts/setup")
		}
		t.Skip("skipped: needs aiosmtpd, run scripts/setup")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	box := filepath.Join(t.TempDir(), "box")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--nosetuid", "--listen", addr, "--class", "aiosmtpd.handlers.Mailbox", box)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("aiosmtpd does not answer: %v\n%s", err, said.String())
		case <-tick.C:
		}
	}
	if err := at(t, addr).Send(ctx, "r@halyard.example", []string{"a@halyard.example"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(box, "new", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the mailbox holds %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(text), "Message-ID: <7@halyard.example>") || !strings.Contains(string(text), "\n.leading dot") {
		t.Errorf("the mailbox holds %v\n%s", err, text)
	}
}
