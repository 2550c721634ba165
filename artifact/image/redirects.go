package image

import (
	"errors"
	"net/http"
)

// mostRedirects is how often a registry may send a request elsewhere.
const mostRedirects = 10

// Bounded is a transport that follows a registry's redirects ten times only. The
// library's own client asks on for as long as a registry sends it around.
type Bounded struct{ Inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b Bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	times := 0
	for from := r.Response; from != nil && from.Request != nil; from = from.Request.Response {
		if times++; times > mostRedirects {
			return nil, errors.New("the registry redirects in circles: more than 10 times")
		}
	}
	return b.Inner.RoundTrip(r)
}
