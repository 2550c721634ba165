package exec

import (
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Censored stands in a log where a secret was.
const Censored = "[censored]"

// Censor is a writer that passes everything on to another one except secrets,
// in whatever pieces they are written. It holds back at most the beginning of
// a possible secret; Close lets go of it.
type Censor struct {
	w       io.Writer
	secrets []string // longest first
	first   [256]bool
	pending []byte
}

// NewCensor returns a writer to w that replaces each of the secrets, and its
// base64 form, by Censored. White space around a secret is no part of it.
func NewCensor(w io.Writer, secrets []string) *Censor {
	c := &Censor{w: w}
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		c.secrets = append(c.secrets, s, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	slices.SortFunc(c.secrets, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	c.secrets = slices.Compact(c.secrets)
	for _, s := range c.secrets {
		c.first[s[0]] = true
	}
	return c
}

// Write implements io.Writer.
func (c *Censor) Write(p []byte) (int, error) {
	if len(c.secrets) == 0 {
		return c.w.Write(p)
	}
	if err := c.pass(append(c.pending, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on what was held back. It does not close the writer below.
func (c *Censor) Close() error { return c.pass(c.pending, true) }

// pass writes all of buf that is decided; at the end, all is.
func (c *Censor) pass(buf []byte, end bool) error {
	out := make([]byte, 0, len(buf))
	i := 0
	for i < len(buf) {
		if !c.first[buf[i]] {
			out = append(out, buf[i])
			i++
			continue
		}
		n, undecided := c.match(string(buf[i:min(len(buf), i+len(c.secrets[0]))]))
		if undecided && !end {
			break
		}
		if n == 0 {
			out = append(out, buf[i])
			i++
			continue
		}
		out = append(out, Censored...)
		i += n
	}
	c.pending = append([]byte(nil), buf[i:]...)
	if len(out) == 0 {
		return nil
	}
	if _, err := c.w.Write(out); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	return nil
}

// match returns the length of the longest secret that s begins with, and
// whether more input could make it a longer one.
func (c *Censor) match(s string) (n int, undecided bool) {
	for _, secret := range c.secrets {
		if strings.HasPrefix(s, secret) {
			return len(secret), undecided
		}
		if strings.HasPrefix(secret, s) {
			undecided = true
		}
	}
	return 0, undecided
}
