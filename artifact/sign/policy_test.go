package sign

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"seaworthy/strict"
)

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	good := `
signers:
  - name: release key
    key: cosign.pub
    notBefore: 2026-01-01T00:00:00Z
    notAfter: 2027-01-01T00:00:00Z
  - name: workflow
    identityRegexp: https://github.com/halyard/.*
    issuer: https://token.actions.githubusercontent.com
threshold: 2
revoked: [sha256:` + strings.Repeat("ab", 32) + `]
transparencyLog: required
trustedRoot: trusted_root.json
attestations:
  - type: slsaprovenance1
    signers: [workflow]
    builders: [https://ci.example.org/release]
    repository: https://github.com/halyard/halyard
`
	p, err := ParsePolicy("policy.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if *p.Threshold != 2 || p.Attestations[0].Type != "https://slsa.dev/provenance/v1" || p.Signers[0].NotAfter.Year() != 2027 {
		t.Errorf("%+v", p)
	}
	w := p.Signers[1]
	for name, want := range map[string]bool{"https://github.com/halyard/x": true, "see https://github.com/halyard/x": false, "https://github.com/evil/x": false, "": false} {
		if got := w.matches(Identity{Name: name, Issuer: w.Issuer}); got != want {
			t.Errorf("%q matches: %v", name, got)
		}
	}
	if w.matches(Identity{Name: "https://github.com/halyard/x", Issuer: w.Issuer + ".evil.example"}) || p.Signers[0].matches(Identity{Name: "x"}) {
		t.Error("another issuer, or a key, matches")
	}
	for want, change := range map[string][2]string{
		"no signers":                       {good[1:strings.Index(good, "threshold")], "signers: []\n"},
		"unknown field":                    {"threshold", "treshold"},
		"a key or an identity, not both":   {"key: cosign.pub", "key: cosign.pub\n    identity: x"},
		"needs a key, an identity":         {"key: cosign.pub", ""},
		"needs the issuer":                 {"issuer: https://token.actions.githubusercontent.com", ""},
		"the pattern":                      {"halyard/.*", "halyard/("},
		"notAfter must be later":           {"2027-01-01", "2025-01-01"},
		"two signers are called":           {"name: workflow", "name: release key"},
		"a threshold of -1":                {"threshold: 2", "threshold: -1"},
		"is no fingerprint":                {"sha256:" + strings.Repeat("ab", 32), "abab"},
		"write required, optional":         {"transparencyLog: required", "transparencyLog: maybe"},
		"is no predicate type":             {"slsaprovenance1", "provenance9"},
		"no signer is called \"workfloo\"": {"[workflow]", "[workfloo]"},
		"are conditions on provenance":     {"slsaprovenance1", "spdxjson"},
	} {
		text := strings.Replace(good[1:], change[0], change[1], 1)
		_, err := ParsePolicy("policy.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strict.Problems(err) == nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	if p := (&Policy{}); p.Check() == nil {
		t.Error("a policy without signers was taken")
	}
}

func TestLoadPolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	_, key := keyed(t, "ecdsa-p256", Services{})
	text := string(must[[]byte](t)(EncodePublicKey(key)))
	write("a.pub", text)
	a := newAuthorities(t)
	trust := must[*root.TrustedRoot](t)(root.NewTrustedRoot(root.TrustedRootMediaType01, a.FulcioCertificateAuthorities(), nil, a.TimestampingAuthorities(), map[string]*root.TransparencyLog{}))
	write("root.json", string(must[[]byte](t)(trust.MarshalJSON())))
	inline := "  - key: |\n      " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ") + "\n"
	keys := Keys{Getenv: func(name string) string { return map[string]string{"PUB": text}[name] }}
	good := write("good.yaml", "signers:\n  - key: a.pub\n"+inline+"  - key: env://PUB\n  - identity: "+ada+"\n    issuer: "+issuer+"\ntrustedRoot: root.json\n")
	p := must[Policy](t)(LoadPolicy(t.Context(), good, keys))
	must[*Verifier](t)(NewVerifier(p, time.Now))
	for i := range 3 {
		if Fingerprint(p.Signers[i].public) != Fingerprint(key) {
			t.Errorf("signer %d has another key", i)
		}
	}
	for want, yaml := range map[string]string{
		"signer b.pub: open":     "signers: [{key: b.pub}]",
		"is no trusted root":     "signers: [{key: a.pub}]\ntrustedRoot: a.pub",
		"no public key is in":    "signers: [{name: x, key: env://NOTHING}]",
		"no such file":           "signers: [{key: a.pub}]\ntrustedRoot: gone.json",
		"keys are not kept at x": "signers: [{key: x://y}]",
	} {
		if _, err := LoadPolicy(t.Context(), write("bad.yaml", yaml), keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := LoadPolicy(t.Context(), filepath.Join(dir, "gone.yaml"), keys); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for want, p := range map[string]Policy{
		"names no signer":     {},
		"its key is not":      {Signers: []SignerRule{{Key: "a.pub"}}},
		"give a trustedRoot":  {Signers: []SignerRule{adasRule()}},
		"needs the issuer":    {Signers: []SignerRule{{Identity: ada}}},
		"is not loaded":       {Signers: []SignerRule{{Name: "x", Key: "y"}}},
		"verified by the cer": {Signers: []SignerRule{{Name: "x", IdentityPattern: ".*", IssuerPattern: ".*"}}},
	} {
		if _, err := NewVerifier(p, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestPredicateType(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"spdxjson": SPDXPredicate, "https://example.org/x": "https://example.org/x", "urn:x": "urn:x", "x": "", ":x": "", "": ""} {
		if got, err := PredicateType(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
	if !samePredicate(VEXPredicate, VEXPredicate+"/v0.2.0") || samePredicate(SPDXPredicate, SPDXPredicate+"/v3") {
		t.Error("types are compared wrongly")
	}
}

func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	password := func(p string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(p), nil } }
	key := must[crypto.Signer](t)(GenerateKey("ecdsa-p256"))
	ec := must[[]byte](t)(x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey)))
	box := must[[]byte](t)(EncodePrivateKey(key, []byte("secret")))
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	rsaKey := must[crypto.Signer](t)(GenerateKey("rsa-3072")).(*rsa.PrivateKey)
	for name, text := range map[string][]byte{
		"PKCS #8":          must[[]byte](t)(EncodePrivateKey(key, nil)),
		"EC":               block("EC PRIVATE KEY", ec),
		"EC after its own": append(block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), block("EC PRIVATE KEY", ec)...),
		"cosign's":         []byte(strings.ReplaceAll(string(box), "SIGSTORE", "COSIGN")),
		"encrypted":        box,
	} {
		got, err := ParsePrivateKey(text, password("secret"))
		if err != nil || Fingerprint(got.Public()) != Fingerprint(key.Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePrivateKey(block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), nil); err != nil {
		t.Error(err)
	}
	p224 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	x25519 := must[*ecdh.PrivateKey](t)(ecdh.X25519().GenerateKey(rand.Reader))
	for want, tc := range map[string]struct {
		text     []byte
		password func() ([]byte, error)
	}{
		"no private key":     {[]byte("hello"), nil},
		"give its password":  {box, nil},
		"not the right one":  {box, password("wrong")},
		"nobody answers":     {box, func() ([]byte, error) { return nil, errors.New("nobody answers") }},
		"PEM's own way":      {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES"}, Bytes: []byte("x")}), nil},
		"PKCS #8 is not":     {block("ENCRYPTED PRIVATE KEY", []byte("x")), nil},
		"this is a public":   {must[[]byte](t)(EncodePublicKey(key.Public())), nil},
		"something else":     {make([]byte, maxKeyFile+1), nil},
		"is not signed with": {block("EC PRIVATE KEY", must[[]byte](t)(x509.MarshalECPrivateKey(p224))), nil},
		"cannot sign":        {block("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(x25519))), nil},
		"asn1":               {block("PRIVATE KEY", []byte("x")), nil},
	} {
		if _, err := ParsePrivateKey(tc.text, tc.password); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := GenerateKey("dsa"); err == nil {
		t.Error("a DSA key was made")
	}
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	rsaKey := must[crypto.Signer](t)(GenerateKey("rsa-3072")).(*rsa.PrivateKey)
	for _, text := range [][]byte{block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)), block("CERTIFICATE", a.TSA.Leaf.Raw)} {
		if _, err := ParsePublicKey(text); err != nil {
			t.Error(err)
		}
	}
	for want, text := range map[string][]byte{
		"no public key is in": []byte("hello"), "is no public key": block("PRIVATE KEY", nil), "reading the public key": block("PUBLIC KEY", []byte("x")), "something else": make([]byte, maxKeyFile+1),
	} {
		if _, err := ParsePublicKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestLoadKeys(t *testing.T) {
	t.Parallel()
	key := must[crypto.Signer](t)(GenerateKey("ecdsa-p256"))
	box := string(must[[]byte](t)(EncodePrivateKey(key, []byte("secret"))))
	env := map[string]string{"KEY": box, "COSIGN_PASSWORD": "secret"}
	file := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(file, []byte(box), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := Keys{Getenv: func(name string) string { return env[name] }, Loaders: map[string]Loader{
		"vault": func(context.Context, string) (PrivateKey, error) { return localKey{key}, nil },
		"gone":  func(context.Context, string) (PrivateKey, error) { return nil, errors.New("no service") },
		"odd":   func(context.Context, string) (PrivateKey, error) { return brokenKey{"no key"}, nil },
	}}
	for _, ref := range []string{"env://KEY", file, "file://" + file, "vault://k"} {
		if k, err := keys.Load(t.Context(), ref); err != nil || Fingerprint(k.Public()) != Fingerprint(key.Public()) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if k, err := keys.LoadPublic(t.Context(), "vault://k"); err != nil || Fingerprint(k) != Fingerprint(key.Public()) {
		t.Error(err)
	}
	for ref, want := range map[string]string{"env://NONE": "not set", file + "x": "no such file", "file://" + file + "x": "no such file", "gone://k": "no service", "odd://k": "not signed with", "other://k": "keys are not kept at other"} {
		if _, err := keys.Load(t.Context(), ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
		if _, err := keys.LoadPublic(t.Context(), ref); err == nil {
			t.Errorf("%s: a public key is there", ref)
		}
	}
	if _, err := (Keys{}).Load(t.Context(), file); err == nil || !strings.Contains(err.Error(), "set SEAWORTHY_KEY_PASSWORD") {
		t.Error(err)
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(t.Context(), big); err == nil || !strings.Contains(err.Error(), "more than is read") {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer request-token" || r.URL.Query().Get("audience") == "" || r.URL.Query().Get("v") != "2" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{}
	tokens := Tokens{Getenv: func(name string) string { return env[name] }}
	if _, err := tokens.Source(""); err == nil || !strings.Contains(err.Error(), "no identity token") {
		t.Error(err)
	}
	env["ACTIONS_ID_TOKEN_REQUEST_URL"], env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = server.URL+"?v=2", "request-token"
	actions := must[TokenSource](t)(tokens.Source(""))
	status, body = http.StatusOK, `{"value":"a.b.c"}`
	if got, err := actions(t.Context()); err != nil || got != "a.b.c" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []struct {
		status int
		body   string
	}{{403, "request-token"}, {200, "{}"}, {200, "<html>"}} {
		status, body = bad.status, bad.body
		if got, err := actions(t.Context()); err == nil || strings.Contains(err.Error(), "request-token") {
			t.Errorf("%+v: %q, %v", bad, got, err)
		}
	}
	env["SIGSTORE_ID_TOKEN"] = " x.y.z\n"
	if got, err := must[TokenSource](t)(tokens.Source(""))(t.Context()); err != nil || got != "x.y.z" {
		t.Errorf("%q, %v", got, err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if _, err := tokens.Source(file); err == nil {
		t.Error("a file that is not there")
	}
	for text, ok := range map[string]bool{"f.i.le\n": true, "\n": false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := tokens.Source(file)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		} else if !ok {
			continue
		}
		if got, err := source(t.Context()); err != nil || got != strings.TrimSpace(text) {
			t.Errorf("%q, %v", got, err)
		}
		if err := os.WriteFile(file, []byte("renewed"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := source(t.Context()); err != nil || got != "renewed" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := tokens.Source("env://NONE"); err == nil {
		t.Error("a variable that is not set")
	}
}

func TestParseBundle(t *testing.T) {
	t.Parallel()
	s, key := keyed(t, "ecdsa-p256", Services{})
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	good := must[[]byte](t)(b.Encode())
	if again := must[[]byte](t)(b.Encode()); string(again) != string(good) {
		t.Error("the same bundle gives other bytes")
	}
	both := append(append(append([]byte{}, good...), '\n'), good...)
	if list := must[[]Bundle](t)(ParseBundles(both)); len(list) != 2 {
		t.Errorf("%d bundles on two lines", len(list))
	}
	if list := must[[]Bundle](t)(ParseBundles([]byte(strings.ReplaceAll(string(good), ",", ",\n")))); len(list) != 1 {
		t.Errorf("%d bundles in one on many lines", len(list))
	}
	for _, bad := range []string{"", "{}", "[]", "nonsense", string(good[:len(good)/2]), strings.Replace(string(good), "v0.3", "v9.9", 1), string(both) + "{}",
		`{"base64Signature":"%"}`, `{"base64Signature":"aGk=","cert":"x"}`, `{"base64Signature":"aGk=","rekorBundle":{"Payload":{"body":7}}}`,
		`{"base64Signature":"aGk=","rekorBundle":{"Payload":{"body":"%"}}}`, `{"base64Signature":"aGk=","rekorBundle":{"Payload":{"body":"aGk=","logID":"zz"}}}`,
		`{"base64Signature":"aGk=","rekorBundle":{"Payload":{"body":"aGk=","logID":"00"}}}`} {
		if got, err := ParseBundles([]byte(bad)); err == nil && bad != "" {
			t.Errorf("%q was read: %v", bad, got)
		}
	}
	if _, err := ParseBundle(make([]byte, MaxBundle+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	pub := string(must[[]byte](t)(EncodePublicKey(key)))
	for _, cert := range []string{pub, string(b64([]byte(pub))), ""} {
		old := must[[]byte](t)(json.Marshal(map[string]any{"base64Signature": b.Signature(), "cert": cert}))
		if _, err := trusting(t, key).Blob(t.Context(), "f", strings.NewReader(text), must[Bundle](t)(ParseBundle(old))); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range [][2][]byte{{nil, nil}, {[]byte(" \n"), nil}, {make([]byte, maxKeyFile+1), nil}, {[]byte("aGk="), make([]byte, maxKeyFile+1)}} {
		if _, err := FromDetached(bad[0], bad[1]); err == nil {
			t.Errorf("a signature of %d bytes was read", len(bad[0]))
		}
	}
	att := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf(text))))
	if _, _, err := att.Detached(); err == nil {
		t.Error("a statement has a detached signature")
	}
	if _, ok, _ := b.Envelope(); ok {
		t.Error("a file's signature has an envelope")
	}
	other := must[Bundle](t)(s.SignEnvelope(t.Context(), "text/plain", []byte("hello")))
	refused(t, trusting(t, key), strings.NewReader(text), "text/plain, not a statement", other)
}

// A log that recorded an old cosign signature of a file.
func TestOldBundleInLog(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	b := must[Bundle](t)(Blob(t.Context(), keyless(t, a, ada, logOf(a)), strings.NewReader(text)))
	record, ok, err := recordOf(b)
	if err != nil || !ok {
		t.Fatal(err)
	}
	_, cert, err := b.Detached()
	if err != nil {
		t.Fatal(err)
	}
	old := must[[]byte](t)(json.Marshal(map[string]any{"base64Signature": b.Signature(), "cert": string(cert), "rekorBundle": json.RawMessage(record)}))
	v := verifier(t, Policy{Signers: []SignerRule{adasRule()}}.WithTrust(a))
	verdict, err := v.Blob(t.Context(), "f", strings.NewReader(text), must[Bundle](t)(ParseBundle(old)))
	if err != nil || verdict.Signatures[0].LogIndex == nil {
		t.Errorf("%+v, %v", verdict, err)
	}
	refused(t, v, strings.NewReader(text+"!"), "not", must[Bundle](t)(ParseBundle(old)))
}

func FuzzParseBundle(f *testing.F) {
	s, key := keyed(f, "ecdsa-p256", Services{})
	b := must[Bundle](f)(Blob(f.Context(), s, strings.NewReader(text)))
	att := must[Bundle](f)(Attest(f.Context(), s, statement(f, digestOf(text))))
	f.Add(must[[]byte](f)(b.Encode()))
	f.Add(must[[]byte](f)(att.Encode()))
	f.Add([]byte(`{"base64Signature":"aGk=","cert":"","rekorBundle":{"SignedEntryTimestamp":"aGk=","Payload":{"body":"e30=","logID":"00","logIndex":1,"integratedTime":2}}}`))
	_, foreign := keyed(f, "ed25519", Services{})
	trusted, distrusted := trusting(f, key), trusting(f, foreign)
	f.Fuzz(func(t *testing.T, data []byte) {
		bundles, err := ParseBundles(data)
		if err != nil {
			return
		}
		if _, err := distrusted.Blob(t.Context(), "f", strings.NewReader(text), bundles...); err == nil {
			t.Fatalf("a foreign key is trusted: %q", data)
		}
		if _, err := trusted.Blob(t.Context(), "f", strings.NewReader(text+"!"), bundles...); err == nil {
			t.Fatalf("another file is trusted: %q", data)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte("signers: [{key: a.pub}]\nthreshold: 1\nattestations: [{type: spdxjson}]\n"))
	f.Add([]byte("signers: [{identityRegexp: '.*', issuer: x}]\nrevoked: []\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy("p.yaml", data)
		if err == nil && (len(p.Signers) == 0 || p.Threshold != nil && *p.Threshold < 0) {
			t.Fatalf("%q asks for nothing", data)
		}
	})
}

func FuzzDetached(f *testing.F) {
	f.Add([]byte("aGk="), []byte("-----BEGIN CERTIFICATE-----\n"))
	f.Add([]byte(`{"payloadType":"x","payload":"aGk=","signatures":[{"sig":"aGk="}]}`), []byte(`{"critical":{"type":"x"}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if got, err := FromDetached(a, b); err == nil && len(got.Signature()) == 0 {
			t.Fatal("a signature of nothing")
		}
		if e, err := parseEnvelope(a); err == nil && len(e.GetSignatures()) != 1 {
			t.Fatal("not one signature")
		}
		if checkPayload(b, "sha256:x") == nil && !strings.Contains(string(b), "sha256:x") {
			t.Fatalf("%q names the image", b)
		}
	})
}
