package app

import (
	"fmt"
	"os"
	"strings"
	"time"

	"seaworthy/notify/chat"
	"seaworthy/notify/mail"
)

// Speaking is how a platform reaches people. It belongs to whoever runs the
// platform and not to a repository, whose changes could send a password
// anywhere.
type Speaking struct {
	// SMTP is the mail server's address, smtp://USER@HOST:587 or smtps://…; no
	// mail is sent if empty.
	SMTP string
	// SMTPPassword is where the password is.
	SMTPPassword Secret
	// ChatToken is where the token that posts to a chat is; nothing is posted
	// without one.
	ChatToken Secret
	// ChatAddress is the API of the chat; Slack's if empty.
	ChatAddress string
	// Every is how often a message is edited at most; 10 s when zero.
	Every time.Duration
}

// Secret is a secret, or the file that holds it.
type Secret struct{ Text, File string }

// read returns the secret; the empty one if there is none.
func (s Secret) read() (string, error) {
	if s.Text != "" || s.File == "" {
		return s.Text, nil
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// SpeakingFrom reads the environment: SEAWORTHY_SMTP, SEAWORTHY_CHAT_ADDRESS,
// and the secrets SEAWORTHY_SMTP_PASSWORD and SEAWORTHY_CHAT_TOKEN, each of
// them in a file if the variable with _FILE behind its name says so.
func SpeakingFrom(getenv func(string) string) Speaking {
	secret := func(name string) Secret { return Secret{getenv(name), getenv(name + "_FILE")} }
	return Speaking{SMTP: getenv("SEAWORTHY_SMTP"), SMTPPassword: secret("SEAWORTHY_SMTP_PASSWORD"),
		ChatAddress: getenv("SEAWORTHY_CHAT_ADDRESS"), ChatToken: secret("SEAWORTHY_CHAT_TOKEN")}
}

// mailer is nil without a server.
func (s Speaking) mailer() (*mail.Server, error) {
	if s.SMTP == "" {
		return nil, nil
	}
	server, err := mail.Parse(s.SMTP)
	if err != nil {
		return nil, fmt.Errorf("SEAWORTHY_SMTP: %w", err)
	}
	if server.Password, err = s.SMTPPassword.read(); err != nil {
		return nil, err
	}
	return &server, nil
}

// room is nil without a token.
func (s Speaking) room() (*chat.Room, error) {
	token, err := s.ChatToken.read()
	if err != nil || token == "" {
		return nil, err
	}
	room, err := chat.New(chat.Options{Token: token, Address: s.ChatAddress})
	if err != nil {
		return nil, fmt.Errorf("SEAWORTHY_CHAT_ADDRESS: %w", err)
	}
	return room, nil
}
