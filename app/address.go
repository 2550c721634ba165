package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// urlFile keeps where people reach the platform, below Options.Dir.
const urlFile = "url"

// chooseURL decides where people reach the platform: as the options say, or as
// they said the last time, or where it listens.
func (a *App) chooseURL() error {
	if a.o.URL == "" {
		text, err := os.ReadFile(a.dir(urlFile))
		if errors.Is(err, os.ErrNotExist) {
			a.url = a.self
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading where people reach the platform: %w", err)
		}
		a.url = strings.TrimSpace(string(text))
		return nil
	}
	at, err := checkURL(a.o.URL)
	if err != nil {
		return err
	}
	a.url = at
	if err := os.WriteFile(a.dir(urlFile), []byte(at+"\n"), 0o644); err != nil {
		return fmt.Errorf("keeping where people reach the platform: %w", err)
	}
	return nil
}

// checkURL returns an address that pages, the API and git can be below.
func checkURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not where a platform can be reached: write https://HOST or http://HOST:PORT, without a path", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// reached is an address under which a listener is reached from its machine.
func reached(listener net.Addr) string {
	at, ok := listener.(*net.TCPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return listener.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(at.Port)) // which an IPv6 listener serves, too
}
