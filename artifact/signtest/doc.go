// Package signtest has the outside world of signing for tests, on this machine:
// a certificate authority, a transparency log and a time stamp authority that
// speak as sigstore's do, and a service that keeps a key.
//
//	a, err := signtest.NewAuthorities()
//	…
//	defer a.Close()
//	// seaworthy sign --keyless --fulcio-url a.URL --rekor-url a.URL FILE
package signtest
