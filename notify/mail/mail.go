package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Server is a mail server.
type Server struct {
	Host string
	Port int
	// User and Password are given to a server where there is a user.
	User     string
	Password string
	// Encryption is "starttls", "tls" from the first byte, or "none".
	Encryption string
	// TLS trusts other authorities than the system's; nil for those.
	TLS *tls.Config
	// Timeout bounds connecting and every single answer; 30 s when zero.
	Timeout time.Duration
}

// patience is how long a server may take to answer.
const patience = 30 * time.Second

// Parse reads smtp://[USER@]HOST[:PORT][?tls=none] or smtps://…. The ports are
// 587 and 465 unless said otherwise. A password in it is refused: addresses are
// shown, and passwords are not.
func Parse(address string) (Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return Server{}, errors.New("the mail server's address cannot be read: write smtp://USER@HOST:587")
	}
	if _, given := u.User.Password(); given {
		return Server{}, errors.New("the mail server's address holds a password: keep it in a file of its own")
	}
	s := Server{Host: u.Hostname(), User: u.User.Username(), Port: 587, Encryption: "starttls"}
	if u.Scheme == "smtps" {
		s.Port, s.Encryption = 465, "tls"
	}
	switch mode := u.Query().Get("tls"); {
	case mode == "":
	case mode == "none" && u.Scheme == "smtp" && s.User == "":
		s.Port, s.Encryption = 25, "none"
	case mode == "none":
		return Server{}, errors.New("the mail server's address asks for a login without encryption: leave tls=none out")
	default:
		return Server{}, fmt.Errorf("the mail server's address has tls=%s: write tls=none, or leave it out", mode)
	}
	if text := u.Port(); text != "" {
		if s.Port, err = strconv.Atoi(text); err != nil || s.Port < 1 || s.Port > 65535 {
			return Server{}, fmt.Errorf("the mail server's port %s is none", text)
		}
	}
	return s, nil
}

// Send hands a message to the server. All recipients are accepted, or nobody is
// sent anything.
func (s Server) Send(ctx context.Context, from string, to []string, message []byte) (err error) {
	fail := func(what string, err error) error {
		return fmt.Errorf("mail server %s: %s: %w", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), what, err)
	}
	// The client locks itself while it waits for an answer: an end of the context
	// is for the connection below it.
	var line net.Conn
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		if s.Encryption == "tls" {
			line, err = (&tls.Dialer{Config: s.trust()}).DialContext(ctx, network, address)
		} else {
			line, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		return line, err
	}
	dialer, err := gomail.NewClient(s.Host, append(s.options(), gomail.WithDialContextFunc(dial))...)
	if err != nil {
		return fail("setting up", err)
	}
	client, err := dialer.DialToSMTPClientWithContext(ctx)
	if err != nil {
		if line != nil {
			_ = line.Close() // what came of it is said already
		}
		return fail("connecting", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = line.Close() })
	defer func() {
		stop()
		_ = line.Close() // after the server's yes, or its no
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = fail("interrupted", cause)
		}
	}()
	if err := s.deliver(client, from, to, message); err != nil {
		return fail("refused", err)
	}
	// The message is the server's by now: how the farewell goes does not matter.
	_ = client.Quit()
	return nil
}

func (s Server) options() []gomail.Option {
	options := []gomail.Option{gomail.WithPort(s.Port), gomail.WithTimeout(s.timeout())}
	if name, err := os.Hostname(); err == nil && name != "" {
		options = append(options, gomail.WithHELO(name))
	}
	switch s.Encryption {
	case "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case "tls":
		options = append(options, gomail.WithSSL())
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	options = append(options, gomail.WithTLSConfig(s.trust()))
	if s.User != "" {
		way := gomail.SMTPAuthAutoDiscover
		if s.Encryption == "tls" {
			way = gomail.SMTPAuthPlain // a connection we made counts as bare with the other
		}
		options = append(options, gomail.WithSMTPAuth(way), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return options
}

// trust is how the server's certificate is checked.
func (s Server) trust() *tls.Config {
	if s.TLS != nil {
		return s.TLS
	}
	return &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
}

func (s Server) timeout() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return patience
}

func (s Server) deliver(client *smtp.Client, from string, to []string, message []byte) error {
	if len(to) == 0 {
		return errors.New("the mail goes to nobody")
	}
	if err := client.UpdateDeadline(s.timeout()); err != nil {
		return err
	}
	if err := client.Mail("<" + from + ">"); err != nil {
		return fmt.Errorf("sender %s: %w", from, err)
	}
	for _, address := range to {
		if err := client.Rcpt("<" + address + ">"); err != nil {
			return fmt.Errorf("recipient %s: %w", address, err)
		}
	}
	w, err := client.Data()
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if _, err := w.Write(message); err != nil {
		return errors.Join(fmt.Errorf("message: %w", err), w.Close())
	}
	// Only the answer to the end of the message is the server's yes.
	if err := w.Close(); err != nil {
		return fmt.Errorf("message: %w", err)
	}
	return nil
}
