package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
)

// TB is what a server needs of a test; *testing.T is one.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Options make a server unlike the simplest one.
type Options struct {
	// StartTLS offers and demands encryption; Roots trusts the certificate.
	StartTLS bool
	// TLS encrypts from the first byte.
	TLS bool
	// User and Password are demanded where there is a user.
	User, Password string
	// Refuse answers a command that begins with one of its keys.
	Refuse map[string]string
}

// Message is a mail that was taken.
type Message struct {
	From string
	To   []string
	Data string // LF line ends, dots unstuffed
	TLS  bool   // came over an encrypted connection
	User string // who had logged in
}

// Sink is a server on a free port of this machine.
type Sink struct {
	Addr  string
	Roots *x509.CertPool

	o        Options
	config   *tls.Config
	mu       sync.Mutex
	messages []Message
}

// New starts a server that ends with the test.
func New(t TB, o Options) *Sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{Addr: l.Addr().String(), o: o}
	if o.StartTLS || o.TLS {
		s.certify(t)
	}
	if o.TLS {
		l = tls.NewListener(l, s.config)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return s
}

// Messages are those taken so far.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

func (s *Sink) certify(t TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(parsed)
	s.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// conversation is what a server knows of one client.
type conversation struct {
	conn net.Conn
	text *textproto.Reader
	m    Message
}

func (c *conversation) say(format string, args ...any) { fmt.Fprintf(c.conn, format+"\r\n", args...) }

func (s *Sink) talk(conn net.Conn) {
	c := &conversation{conn: conn, text: textproto.NewReader(bufio.NewReader(conn)), m: Message{TLS: s.o.TLS}}
	defer func() { c.conn.Close() }()
	c.say("220 mailtest")
	for {
		line, err := c.text.ReadLine()
		if err != nil {
			return
		}
		if answer := s.refusal(line); answer != "" {
			c.say("%s", answer)
			continue
		}
		if !s.answer(c, line) {
			return
		}
	}
}

func (s *Sink) refusal(line string) string {
	for begin, answer := range s.o.Refuse {
		if strings.HasPrefix(strings.ToUpper(line), strings.ToUpper(begin)) {
			return answer
		}
	}
	return ""
}

// answer takes one command; false ends the conversation.
func (s *Sink) answer(c *conversation, line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO", "HELO":
		if s.o.StartTLS && !c.m.TLS {
			c.say("250-mailtest\r\n250 STARTTLS")
		} else if s.o.User != "" {
			c.say("250-mailtest\r\n250 AUTH PLAIN")
		} else {
			c.say("250 mailtest")
		}
	case "STARTTLS":
		c.say("220 go ahead")
		secured := tls.Server(c.conn, s.config)
		c.conn, c.text = secured, textproto.NewReader(bufio.NewReader(secured))
		c.m.TLS = true
	case "AUTH":
		s.login(c, strings.TrimPrefix(rest, "PLAIN "))
	case "MAIL", "RCPT":
		address := strings.Trim(strings.SplitN(strings.SplitN(rest, ":", 2)[1], " ", 2)[0], "<>")
		switch {
		case s.o.StartTLS && !c.m.TLS:
			c.say("530 encrypt first")
		case s.o.User != "" && c.m.User == "":
			c.say("530 log in first")
		case verb == "MAIL":
			c.m.From, c.m.To = address, nil
			c.say("250 ok")
		default:
			c.m.To = append(c.m.To, address)
			c.say("250 ok")
		}
	case "DATA":
		c.say("354 go ahead")
		lines, err := c.text.ReadDotLines()
		if err != nil {
			return false
		}
		c.m.Data = strings.Join(lines, "\n") + "\n"
		s.mu.Lock()
		s.messages = append(s.messages, c.m)
		s.mu.Unlock()
		c.say("250 taken")
	case "QUIT":
		c.say("221 farewell")
		return false
	default:
		c.say("250 ok")
	}
	return true
}

func (s *Sink) login(c *conversation, encoded string) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || string(text) != "\x00"+s.o.User+"\x00"+s.o.Password {
		c.say("535 no")
		return
	}
	c.m.User = s.o.User
	c.say("235 welcome")
}
