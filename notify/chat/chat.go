package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// Options say which chat it is.
type Options struct {
	// Token of the account that posts. It needs the right to write messages
	// (chat:write) and no other.
	Token string
	// Address of the API, which ends in "/"; Slack's when empty.
	Address string
	// HTTP carries the calls; a client with a time limit when nil.
	HTTP *http.Client
}

// Room is a chat.
type Room struct{ api *slack.Client }

// New returns the chat. Nothing is sent.
func New(o Options) (*Room, error) {
	if o.Token == "" {
		return nil, errors.New("the chat needs a token")
	}
	client := o.HTTP
	if client == nil {
		client = &http.Client{Timeout: 30 * time.Second}
	}
	options := []slack.Option{slack.OptionHTTPClient(client)}
	if o.Address != "" {
		u, err := url.Parse(o.Address)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return nil, errors.New("the chat's address cannot be read: write https://HOST/api/")
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("the chat at %s is not encrypted, and a token would be sent there: write https://", u.Host)
		}
		options = append(options, slack.OptionAPIURL(strings.TrimSuffix(o.Address, "/")+"/"))
	}
	return &Room{slack.New(o.Token, options...)}, nil
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

// Post writes a message, in Slack's markup, and returns what Edit knows it by.
func (r *Room) Post(ctx context.Context, channel, text string) (id string, err error) {
	where, stamp, err := r.api.PostMessageContext(ctx, channel, said(text)...)
	if err != nil {
		return "", fmt.Errorf("posting to %s: %w", channel, err)
	}
	return where + " " + stamp, nil
}

// Edit writes a message anew.
func (r *Room) Edit(ctx context.Context, id, text string) error {
	channel, stamp, ok := strings.Cut(id, " ")
	if !ok {
		return fmt.Errorf("%q names no message", id)
	}
	if _, _, _, err := r.api.UpdateMessageContext(ctx, channel, stamp, said(text)...); err != nil {
		return fmt.Errorf("editing a message in %s: %w", channel, err)
	}
	return nil
}

// seenBack is how many of the newest messages Find looks at.
const seenBack = 200

// Find looks for a text among the newest messages of a channel since a time and
// returns what Edit knows the message by, empty if there is none. The channel
// is the one that an earlier message was posted to: id is what Post returned.
// It needs the right to read messages (channels:history), which posting does not.
func (r *Room) Find(ctx context.Context, id, text string, since time.Time) (string, error) {
	channel, _, _ := strings.Cut(id, " ")
	all, err := r.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: fmt.Sprint(since.Unix()), Limit: seenBack, Inclusive: true})
	if err != nil {
		return "", fmt.Errorf("looking for a message in %s: %w", channel, err)
	}
	for _, m := range all.Messages {
		if strings.Contains(m.Text, text) {
			return channel + " " + m.Timestamp, nil
		}
	}
	return "", nil
}

func said(text string) []slack.MsgOption {
	return []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
}

// Escape writes a text so that it is no markup and calls nobody by name.
// Source: https://api.slack.com/reference/surfaces/formatting#escaping
func Escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
