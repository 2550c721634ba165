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
	SMTP         string
	SMTPPassword string
	// ChatToken posts to a chat; nothing is posted if empty.
	ChatToken string
	// ChatAddress is the API of the chat; Slack's if empty.
	ChatAddress string
	// Every is how often a message is edited at most; 10 s when zero.
	Every time.Duration
}

// SpeakingFrom reads the environment: SEAWORTHY_SMTP, SEAWORTHY_CHAT_ADDRESS,
// and the secrets SEAWORTHY_SMTP_PASSWORD and SEAWORTHY_CHAT_TOKEN, each of
// them in a file if the variable with _FILE behind its name is set.
func SpeakingFrom(getenv func(string) string) (Speaking, error) {
	s := Speaking{SMTP: getenv("SEAWORTHY_SMTP"), ChatAddress: getenv("SEAWORTHY_CHAT_ADDRESS")}
	for name, into := range map[string]*string{"SEAWORTHY_SMTP_PASSWORD": &s.SMTPPassword, "SEAWORTHY_CHAT_TOKEN": &s.ChatToken} {
		*into = getenv(name)
		file := getenv(name + "_FILE")
		if *into != "" || file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("reading %s_FILE: %w", name, err)
		}
		*into = strings.TrimSpace(string(text))
	}
	return s, nil
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
	server.Password = s.SMTPPassword
	return &server, nil
}

// room is nil without a token.
func (s Speaking) room() (*chat.Room, error) {
	if s.ChatToken == "" {
		return nil, nil
	}
	room, err := chat.New(chat.Options{Token: s.ChatToken, Address: s.ChatAddress})
	if err != nil {
		return nil, fmt.Errorf("SEAWORTHY_CHAT_ADDRESS: %w", err)
	}
	return room, nil
}
