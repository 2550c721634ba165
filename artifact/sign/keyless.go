package sign

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
)

// Keyless signs with keys that live for some minutes, and certificates that a
// certificate authority (Fulcio) gives to whom an identity token names. One
// certificate serves for all signatures until it runs out: authorities limit how
// many they give.
type Keyless struct {
	fulcio   *sigstore.Fulcio
	token    TokenSource
	services Services
	now      func() time.Time

	mu      sync.Mutex
	current session
}

// TokenSource returns an identity token (a JWT), a fresh one each time.
type TokenSource func(ctx context.Context) (string, error)

// session is a key and the certificate for it.
type session struct {
	pair pair
	cert *x509.Certificate
}

// expiryMargin is how long a certificate must still be valid to sign with it: a
// log has to record the signature in that time.
const expiryMargin = time.Minute

// NewKeyless returns a signer that gets its certificates from the authority at an
// address. A signature without a log or a time stamp cannot be verified when its
// certificate has run out, so services must name one.
func NewKeyless(authority string, token TokenSource, services Services, now func() time.Time) (*Keyless, error) {
	if len(services.Logs) == 0 && len(services.Timestamps) == 0 {
		return nil, errors.New("certificates last ten minutes: name a transparency log or a time stamp authority, so that signatures can be verified later")
	}
	if u, err := url.Parse(authority); err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no address of a certificate authority: write https://HOST", authority)
	}
	f := sigstore.NewFulcio(&sigstore.FulcioOptions{
		BaseURL: strings.TrimSuffix(authority, "/"), Timeout: serviceTimeout, Retries: serviceRetries, Transport: services.Transport,
	})
	return &Keyless{fulcio: f, token: token, services: services, now: now}, nil
}

// Identity implements Signer. It asks for a certificate, which says who signs.
func (k *Keyless) Identity(ctx context.Context) (Identity, error) {
	s, err := k.session(ctx)
	if err != nil {
		return Identity{}, err
	}
	return certified(s.cert)
}

// SignBlob implements Signer.
func (k *Keyless) SignBlob(ctx context.Context, r io.Reader) (Bundle, error) {
	s, err := k.session(ctx)
	if err != nil {
		return Bundle{}, err
	}
	b, _, err := s.pair.blob(r, k.options(ctx, s))
	return b, err
}

// SignEnvelope implements Signer.
func (k *Keyless) SignEnvelope(ctx context.Context, payloadType string, payload []byte) (Bundle, error) {
	s, err := k.session(ctx)
	if err != nil {
		return Bundle{}, err
	}
	return s.pair.envelope(payloadType, payload, k.options(ctx, s))
}

func (k *Keyless) options(ctx context.Context, s session) sigstore.BundleOptions {
	o := k.services.options(ctx)
	o.CertificateProvider = given(s.cert.Raw)
	return o
}

// given is a certificate that is there already.
type given []byte

// GetCertificate implements sigstore.CertificateProvider.
func (g given) GetCertificate(context.Context, sigstore.Keypair, *sigstore.CertificateProviderOptions) ([]byte, error) {
	return g, nil
}

// session returns the present certificate, or a new one when it is about to run
// out.
func (k *Keyless) session(ctx context.Context) (session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.current.cert; c != nil && k.now().Add(expiryMargin).Before(c.NotAfter) {
		return k.current, nil
	}
	token, err := k.token(ctx)
	if err != nil {
		return session{}, fmt.Errorf("getting an identity token: %w", err)
	}
	key, err := GenerateKey(KeyTypes()[0])
	if err != nil {
		return session{}, fmt.Errorf("making a key: %w", err)
	}
	a, err := algorithmOf(key.Public(), false)
	if err != nil {
		return session{}, err
	}
	p := pair{key: localKey{key}, algorithm: a}
	der, err := k.fulcio.GetCertificate(ctx, p, &sigstore.CertificateProviderOptions{IDToken: token})
	if err != nil {
		// What the authority answers could hold the token.
		return session{}, fmt.Errorf("getting a certificate: %s", strings.ReplaceAll(err.Error(), token, "(token)"))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return session{}, fmt.Errorf("the certificate that the authority gave: %w", err)
	}
	if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(cert.PublicKey) {
		return session{}, errors.New("the authority gave a certificate for another key")
	}
	k.current = session{pair: p, cert: cert}
	return k.current, nil
}

// Tokens finds identity tokens.
type Tokens struct {
	Getenv    func(string) string
	Transport http.RoundTripper // nil for the usual one
	Audience  string            // for whom a token is asked; "sigstore" if empty
}

// Source returns where tokens come from. The reference is the path of a file, or
// env://NAME; empty, the variable SIGSTORE_ID_TOKEN and then the service that
// GitHub Actions gives a job (permission id-token: write) are looked at.
func (t Tokens) Source(reference string) (TokenSource, error) {
	name, fromEnv := strings.CutPrefix(reference, "env://")
	switch {
	case fromEnv:
		return readAtOnce(func(context.Context) (string, error) {
			if token := strings.TrimSpace(t.Getenv(name)); token != "" {
				return token, nil
			}
			return "", fmt.Errorf("the variable %s is not set", name)
		})
	case reference != "":
		return readAtOnce(func(context.Context) (string, error) {
			text, err := readFile(reference)
			if err == nil && len(strings.TrimSpace(string(text))) == 0 {
				err = fmt.Errorf("%s is empty", reference)
			}
			return strings.TrimSpace(string(text)), err
		})
	case t.Getenv("SIGSTORE_ID_TOKEN") != "":
		return t.Source("env://SIGSTORE_ID_TOKEN")
	case t.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "":
		return t.actions, nil
	}
	return nil, errors.New("no identity token is there: give the path of a file that holds one, set SIGSTORE_ID_TOKEN, or run in GitHub Actions with the permission id-token: write")
}

// readAtOnce returns a source that has something now. It is read again each
// time: tokens are short-lived, and whoever renews them writes them there.
func readAtOnce(source TokenSource) (TokenSource, error) {
	if _, err := source(context.Background()); err != nil {
		return nil, fmt.Errorf("getting an identity token: %w", err)
	}
	return source, nil
}

// actions asks the service of GitHub Actions.
func (t Tokens) actions(ctx context.Context) (string, error) {
	address, err := url.Parse(t.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
	if err != nil {
		return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no address")
	}
	query := address.Query()
	query.Set("audience", "sigstore")
	if t.Audience != "" {
		query.Set("audience", t.Audience)
	}
	address.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", fmt.Errorf("asking for an identity token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+t.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	resp, err := (&http.Client{Transport: t.Transport}).Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for an identity token: %w", err)
	}
	var answer struct {
		Value string `json:"value"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for an identity token: %s", resp.Status)
	}
	if err != nil || answer.Value == "" {
		return "", errors.Join(errors.New("asking for an identity token: the answer holds none"), err)
	}
	return answer.Value, nil
}
