package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// grant is what a token lets its bearer do to one repository.
type grant struct {
	Repository string   `json:"name"`
	Actions    []Action `json:"actions"`
}

// claims are what a token says. It is signed, not hidden.
type claims struct {
	Account string  `json:"sub"`
	Expires int64   `json:"exp"` // seconds since 1970
	Access  []grant `json:"access,omitempty"`
}

var (
	errTokenInvalid = errors.New("the token is not of this registry")
	errTokenExpired = errors.New("the token has expired")
)

func (g *Registry) signature(text string) []byte {
	// The name keeps the secret's other uses, if it has any, apart from this.
	mac := hmac.New(sha256.New, g.secret)
	mac.Write([]byte("seaworthy registry token\x00" + text))
	return mac.Sum(nil)
}

func (g *Registry) sealToken(c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(g.signature(text)), nil
}

// openToken returns what a token says, once it is known to be ours and good.
func (g *Registry) openToken(token string) (claims, error) {
	text, signed, _ := strings.Cut(token, ".")
	mac, err := base64.RawURLEncoding.DecodeString(signed)
	if err != nil || !hmac.Equal(mac, g.signature(text)) {
		return claims{}, errTokenInvalid
	}
	var c claims
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return claims{}, errTokenInvalid
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return claims{}, errTokenInvalid
	}
	if g.now().Unix() >= c.Expires {
		return claims{}, errTokenExpired
	}
	return c, nil
}

// maxScopes bounds how many repositories one token can be for.
const maxScopes = 100

// parseScopes reads "repository:NAME:ACTION,…", several in one parameter apart
// by spaces, or in parameters of the same name. Scopes about anything but
// repositories give nothing and are no error.
func parseScopes(sources ...url.Values) ([]grant, error) {
	var all []grant
	seen := map[string]bool{}
	for _, values := range sources {
		for _, text := range values["scope"] {
			for scope := range strings.FieldsSeq(text) {
				kind, rest, _ := strings.Cut(scope, ":")
				colon := strings.LastIndex(rest, ":")
				if kind, _, _ = strings.Cut(kind, "("); kind != "repository" || colon < 0 || seen[scope] {
					continue
				}
				seen[scope] = true
				name := rest[:colon]
				if err := checkName(name); err != nil {
					return nil, err
				}
				all = append(all, grant{name, parseActions(rest[colon+1:])})
			}
		}
	}
	if len(all) > maxScopes {
		return nil, refuse(http.StatusBadRequest, codeUnsupported, "a token is for at most %d repositories", maxScopes)
	}
	return all, nil
}

func parseActions(text string) []Action {
	known := []Action{Pull, Push, Delete}
	var actions []Action
	for word := range strings.SplitSeq(text, ",") {
		if word == "*" {
			return known
		}
		if a := Action(word); slices.Contains(known, a) && !slices.Contains(actions, a) {
			actions = append(actions, a)
		}
	}
	return actions
}

// scopes writes grants as scopes.
func scopes(grants []grant) string {
	var b strings.Builder
	for i, g := range grants {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("repository:" + g.Repository + ":")
		for j, a := range g.Actions {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(string(a))
		}
	}
	return b.String()
}
