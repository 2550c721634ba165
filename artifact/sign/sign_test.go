package sign

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"seaworthy/artifact/signtest"
)

const text = "the bytes of a release"

func TestBlobByEveryKind(t *testing.T) {
	t.Parallel()
	for _, kind := range KeyTypes() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, public := keyed(t, kind, Services{})
			b := must[Bundle](t)(Blob(t.Context(), s, iotest.OneByteReader(strings.NewReader(text))))
			encoded := must[[]byte](t)(b.Encode())
			read := must[Bundle](t)(ParseBundle(encoded))
			v := trusting(t, public)
			verdict, err := v.Blob(t.Context(), "f", strings.NewReader(text), read)
			if err != nil || len(verdict.Signatures) != 1 || verdict.Signatures[0].Key != Fingerprint(public) || verdict.Digest != digestOf(text) {
				t.Errorf("%+v, %v", verdict, err)
			}
			refused(t, v, strings.NewReader(text+"!"), "another file", read)
			sig, cert, err := b.Detached()
			if err != nil || cert != nil {
				t.Fatal(err)
			}
			detached := must[Bundle](t)(FromDetached(sig, nil))
			if _, err := v.Blob(t.Context(), "f", strings.NewReader(text), detached); err != nil {
				t.Errorf("detached: %v", err)
			}
			refused(t, v, strings.NewReader(text+"!"), "not what was signed", detached)
			_, foreign := keyed(t, kind, Services{})
			refused(t, trusting(t, foreign), strings.NewReader(text), "signed by a key that is none of the policy's", read)
			att := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf(text))))
			if st, e, err := v.Statement(t.Context(), "f", att); err != nil || e.Signer != "key 0" || !st.Covers(digestOf(text)) {
				t.Errorf("%+v, %+v, %v", st, e, err)
			}
		})
	}
}

// refused wants a file not to verify, for a reason.
func refused(t *testing.T, v *Verifier, r io.Reader, reason string, bundles ...Bundle) {
	t.Helper()
	verdict, err := v.Blob(t.Context(), "f", r, bundles...)
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), reason) {
		t.Errorf("%+v, %v; want %q", verdict, err, reason)
	}
}

// The same verification with nothing but openssl, as the documentation has it.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("skipped: needs openssl, run scripts/setup")
	}
	dir := t.TempDir()
	s, public := keyed(t, "ecdsa-p256", Services{})
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pub := write("cosign.pub", must[[]byte](t)(EncodePublicKey(public)))
	file, sig := write("f", []byte(text)), write("f.sig.raw", b.Signature())
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("dgst", "-sha256", "-verify", pub, "-signature", sig, file); err != nil {
		t.Errorf("openssl refuses: %v: %s", err, out)
	}
	write("f", []byte(text+"!"))
	if out, err := run("dgst", "-sha256", "-verify", pub, "-signature", sig, file); err == nil {
		t.Errorf("openssl takes another file: %s", out)
	}
	write("f", []byte(text))
	// And the other way round: a key and a signature of openssl's.
	keyFile, other := filepath.Join(dir, "openssl.key"), filepath.Join(dir, "other.sig")
	for _, args := range [][]string{
		{"ecparam", "-name", "prime256v1", "-genkey", "-out", keyFile},
		{"dgst", "-sha256", "-sign", keyFile, "-out", other, file},
	} {
		if out, err := run(args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	key := must[PrivateKey](t)(Keys{}.Load(t.Context(), keyFile))
	theirs := must[Bundle](t)(FromDetached(must[[]byte](t)(os.ReadFile(other)), nil))
	if _, err := trusting(t, key.Public()).Blob(t.Context(), "f", strings.NewReader(text), theirs); err != nil {
		t.Error(err)
	}
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	s := keyless(t, a, ada, logOf(a))
	if id := must[Identity](t)(s.Identity(t.Context())); id.Name != ada || id.Issuer != issuer || !strings.Contains(id.String(), ada) {
		t.Errorf("%+v", id)
	}
	v := verifier(t, Policy{Signers: []SignerRule{adasRule()}}.WithTrust(a))
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	read := must[Bundle](t)(ParseBundle(must[[]byte](t)(b.Encode())))
	verdict, err := v.Blob(t.Context(), "f", strings.NewReader(text), read)
	if err != nil {
		t.Fatal(err)
	}
	e := verdict.Signatures[0]
	if e.Name != ada || e.Signer != "Ada" || e.LogIndex == nil || e.TimeFrom != "transparency log" || time.Since(e.Time) > time.Minute {
		t.Errorf("%+v", e)
	}
	att := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf(text))))
	if _, e, err := v.Statement(t.Context(), "f", att); err != nil || e.Name != ada {
		t.Errorf("%+v, %v", e, err)
	}
	if n := a.Issued.Load(); n != 1 {
		t.Errorf("%d certificates for two signatures", n)
	}
	refused(t, v, strings.NewReader(text+"!"), "another file", read)
	eve := must[Bundle](t)(Blob(t.Context(), keyless(t, a, "eve@example.org", logOf(a)), strings.NewReader(text)))
	refused(t, v, strings.NewReader(text), "signed by eve@example.org (https://accounts.example.org), who is none of the policy's signers", eve)
	other := newAuthorities(t)
	forged := must[Bundle](t)(Blob(t.Context(), keyless(t, other, ada, logOf(other)), strings.NewReader(text)))
	refused(t, v, strings.NewReader(text), "a transparency log that the trusted root does not know", forged)
	// Somebody else's certificate, in the log that is trusted.
	mixed := must[*Keyless](t)(NewKeyless(other.URL, tokenOf(ada), logOf(a), time.Now))
	refused(t, v, strings.NewReader(text), "certificate", must[Bundle](t)(Blob(t.Context(), mixed, strings.NewReader(text))))
}

func TestCertificateTimes(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	policy := Policy{Signers: []SignerRule{adasRule()}}.WithTrust(a)
	t.Run("signed after it ran out", func(t *testing.T) {
		s := keyless(t, a, ada, logOf(a))
		b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
		a.LogTime.Store(time.Now().Add(time.Hour).Unix())
		defer a.LogTime.Store(0)
		late := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
		refused(t, verifier(t, policy), strings.NewReader(text), "integrated time outside certificate validity", late)
		if _, err := verifier(t, policy).Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
			t.Error(err)
		}
	})
	t.Run("run out, and no record of the time", func(t *testing.T) {
		a.Began.Store(-3600)
		defer a.Began.Store(0)
		s := must[*Keyless](t)(NewKeyless(a.URL, tokenOf(ada), logOf(a), func() time.Time { return time.Now().Add(-time.Hour) }))
		b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
		ignoring := policy
		ignoring.TransparencyLog = "ignored"
		refused(t, verifier(t, ignoring), strings.NewReader(text), "certificate", b)
	})
	t.Run("detached, no record, still valid", func(t *testing.T) {
		b := must[Bundle](t)(Blob(t.Context(), keyless(t, a, ada, logOf(a)), strings.NewReader(text)))
		sig, cert, err := b.Detached()
		if err != nil || cert == nil {
			t.Fatal(err)
		}
		d := must[Bundle](t)(FromDetached(sig, cert))
		refused(t, verifier(t, policy), strings.NewReader(text), "in no transparency log", d)
		ignoring := policy
		ignoring.TransparencyLog = "optional"
		if _, err := verifier(t, ignoring).Blob(t.Context(), "f", strings.NewReader(text), d); err != nil {
			t.Error(err)
		}
	})
	t.Run("a new one when the first is about to run out", func(t *testing.T) {
		now := time.Now()
		s := must[*Keyless](t)(NewKeyless(a.URL, tokenOf(ada), logOf(a), func() time.Time { return now }))
		before := a.Issued.Load()
		for _, after := range []time.Duration{0, 8 * time.Minute, 9*time.Minute + 30*time.Second} {
			now = time.Now().Add(after)
			if _, err := s.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := a.Issued.Load() - before; n != 2 {
			t.Errorf("%d certificates", n)
		}
	})
	t.Run("certificate transparency", func(t *testing.T) {
		b := must[Bundle](t)(Blob(t.Context(), keyless(t, a, ada, logOf(a)), strings.NewReader(text)))
		strict := *a.Trusted()
		strict.SCTLogs = a.Virtual.CTLogs()
		refused(t, verifier(t, policy.WithTrust(&strict)), strings.NewReader(text), "signed certificate timestamp", b)
	})
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	s := keyless(t, a, ada, Services{Timestamps: []string{a.TimestampURL}})
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	policy := Policy{Signers: []SignerRule{adasRule()}, TransparencyLog: "optional"}.WithTrust(a)
	verdict, err := verifier(t, policy).Blob(t.Context(), "f", strings.NewReader(text), b)
	if err != nil || verdict.Signatures[0].TimeFrom != "time stamp authority" || verdict.Signatures[0].LogIndex != nil {
		t.Errorf("%+v, %v", verdict, err)
	}
	policy.TransparencyLog = "required"
	refused(t, verifier(t, policy), strings.NewReader(text), "in no transparency log", b)
	// A stamp by somebody who is not trusted.
	other := newAuthorities(t)
	forged := must[*Keyless](t)(NewKeyless(a.URL, tokenOf(ada), Services{Timestamps: []string{other.TimestampURL}}, time.Now))
	policy.TransparencyLog = "optional"
	refused(t, verifier(t, policy), strings.NewReader(text), "timestamp", must[Bundle](t)(Blob(t.Context(), forged, strings.NewReader(text))))
}

func TestKeyInLog(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	for _, kind := range []string{"ecdsa-p256", "ed25519", "rsa-3072"} {
		s, public := keyed(t, kind, logOf(a))
		v := verifier(t, Policy{Signers: rules(public), TransparencyLog: "required"}.WithTrust(a))
		b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
		verdict, err := v.Blob(t.Context(), "f", strings.NewReader(text), b)
		if err != nil || verdict.Signatures[0].LogIndex == nil || verdict.Signatures[0].Time.IsZero() {
			t.Errorf("%s: %+v, %v", kind, verdict, err)
		}
		att := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf(text))))
		if _, e, err := v.Statement(t.Context(), "f", att); err != nil || e.LogIndex == nil {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
		// Without a trusted root the log cannot be looked at; the key suffices.
		if verdict, err := trusting(t, public).Blob(t.Context(), "f", strings.NewReader(text), b); err != nil || verdict.Signatures[0].LogIndex != nil {
			t.Errorf("%s: %+v, %v", kind, verdict, err)
		}
		unlogged, public2 := keyed(t, kind, Services{})
		v = verifier(t, Policy{Signers: rules(public2), TransparencyLog: "required"}.WithTrust(a))
		refused(t, v, strings.NewReader(text), "in no transparency log", must[Bundle](t)(Blob(t.Context(), unlogged, strings.NewReader(text))))
	}
	if n := a.Logged.Load(); n != 6 {
		t.Errorf("%d entries", n)
	}
}

func TestKeylessFails(t *testing.T) {
	t.Parallel()
	a := newAuthorities(t)
	if _, err := NewKeyless(a.URL, tokenOf(ada), Services{}, time.Now); err == nil || !strings.Contains(err.Error(), "name a transparency log") {
		t.Error(err)
	}
	if _, err := NewKeyless("fulcio", tokenOf(ada), logOf(a), time.Now); err == nil {
		t.Error("an address without a host was taken")
	}
	fails := func(s *Keyless, want string) {
		t.Helper()
		_, err := Blob(t.Context(), s, strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), signtest.Token(ada)) {
			t.Errorf("%v; want %q", err, want)
		}
		if _, err := s.Identity(t.Context()); err == nil {
			t.Error("identity without a certificate")
		}
		if _, err := s.SignEnvelope(t.Context(), "x", nil); err == nil {
			t.Error("signature without a certificate")
		}
	}
	broken := must[*Keyless](t)(NewKeyless(a.URL, func(context.Context) (string, error) { return "", errors.New("no token today") }, logOf(a), time.Now))
	fails(broken, "no token today")
	a.Refuse.Store(true)
	fails(keyless(t, a, ada, logOf(a)), "who is (token)")
	a.Refuse.Store(false)
	a.OtherKey.Store(true)
	fails(keyless(t, a, ada, logOf(a)), "for another key")
	a.OtherKey.Store(false)
	gone := must[*Keyless](t)(NewKeyless(a.URL, tokenOf(ada), Services{Logs: []string{"http://127.0.0.1:1"}}, time.Now))
	if _, err := Blob(t.Context(), gone, strings.NewReader(text)); err == nil {
		t.Error("signed without its log")
	}
	if _, err := Blob(t.Context(), keyless(t, a, ada, logOf(a)), iotest.ErrReader(errors.New("disk gone"))); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Error(err)
	}
}

func TestThresholdAndRevocation(t *testing.T) {
	t.Parallel()
	one, key1 := keyed(t, "ecdsa-p256", Services{})
	two, key2 := keyed(t, "ed25519", Services{})
	sign := func(s Signer) Bundle { return must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text))) }
	need := 2
	both := verifier(t, Policy{Signers: rules(key1, key2), Threshold: &need})
	refused(t, both, strings.NewReader(text), "1 of 2 signers that are needed", sign(one), sign(one))
	if verdict, err := both.Blob(t.Context(), "f", strings.NewReader(text), sign(one), sign(two)); err != nil || len(verdict.Signatures) != 2 {
		t.Errorf("%+v, %v", verdict, err)
	}
	revoked := verifier(t, Policy{Signers: rules(key1, key2), Revoked: []string{Fingerprint(key1)}})
	refused(t, revoked, strings.NewReader(text), "whose key is revoked", sign(one))
	verdict, err := revoked.Blob(t.Context(), "f", strings.NewReader(text), sign(one), sign(two))
	if err != nil || len(verdict.Signatures) != 1 || len(verdict.PassedOver) != 1 {
		t.Errorf("%+v, %v", verdict, err)
	}
	refused(t, both, strings.NewReader(text), "nobody has signed it")
	a := newAuthorities(t)
	s := keyless(t, a, ada, logOf(a))
	b := sign(s)
	c, err := b.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, Policy{Signers: []SignerRule{adasRule()}, Revoked: []string{Fingerprint(c.PublicKey)}}.WithTrust(a))
	refused(t, v, strings.NewReader(text), "is revoked", b)
}

func TestWindows(t *testing.T) {
	t.Parallel()
	s, key := keyed(t, "ecdsa-p256", Services{})
	b := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	day := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	at := func(now time.Time) *Verifier {
		r := KeyRule("release", key)
		r.NotBefore, r.NotAfter = day, day.AddDate(0, 1, 0)
		return must[*Verifier](t)(NewVerifier(Policy{Signers: []SignerRule{r}}, func() time.Time { return now }))
	}
	refused(t, at(day.Add(-time.Hour)), strings.NewReader(text), "release counts from 2026-03-04T00:00:00Z on", b)
	refused(t, at(day.AddDate(0, 2, 0)), strings.NewReader(text), "release counts until 2026-04-04T00:00:00Z", b)
	if _, err := at(day.Add(time.Hour)).Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
		t.Error(err)
	}
	// A record of the time goes before the present time.
	a := newAuthorities(t)
	logged, key2 := keyed(t, "ecdsa-p256", logOf(a))
	b = must[Bundle](t)(Blob(t.Context(), logged, strings.NewReader(text)))
	r := KeyRule("release", key2)
	r.NotAfter = time.Now().Add(time.Hour)
	v := must[*Verifier](t)(NewVerifier(Policy{Signers: []SignerRule{r}}.WithTrust(a), func() time.Time { return time.Now().AddDate(1, 0, 0) }))
	if _, err := v.Blob(t.Context(), "f", strings.NewReader(text), b); err != nil {
		t.Error(err)
	}
}

func TestAttestations(t *testing.T) {
	t.Parallel()
	s, key := keyed(t, "ecdsa-p256", Services{})
	other, key2 := keyed(t, "ecdsa-p256", Services{})
	st := statement(t, digestOf(text))
	att := must[Bundle](t)(Attest(t.Context(), s, st))
	sig := must[Bundle](t)(Blob(t.Context(), s, strings.NewReader(text)))
	policy := func(change func(*AttestationRule)) *Verifier {
		rule := AttestationRule{Type: "https://slsa.dev/provenance/v1", Signers: []string{"key 0"},
			Builders: []string{"https://ci.example.org/release"}, Repository: "https://github.com/halyard/halyard.git", Commit: strings.Repeat("ab", 20)}
		change(&rule)
		return verifier(t, Policy{Signers: rules(key, key2), Attestations: []AttestationRule{rule}})
	}
	verdict, err := policy(func(*AttestationRule) {}).Blob(t.Context(), "f", strings.NewReader(text), sig, att)
	if err != nil || len(verdict.Attestations) != 1 || verdict.Attestations[0].Predicate != "https://slsa.dev/provenance/v1" {
		t.Fatalf("%+v, %v", verdict, err)
	}
	refused(t, policy(func(*AttestationRule) {}), strings.NewReader(text), "no signature of it counts", att)
	refused(t, policy(func(*AttestationRule) {}), strings.NewReader(text), "no attestation of type https://slsa.dev/provenance/v1 is there", sig)
	refused(t, policy(func(r *AttestationRule) { r.Builders = []string{"https://evil"} }), strings.NewReader(text), "not by https://evil", sig, att)
	refused(t, policy(func(r *AttestationRule) { r.Commit = strings.Repeat("0", 40) }), strings.NewReader(text), "at commit 000", sig, att)
	refused(t, policy(func(r *AttestationRule) { r.Type = VEXPredicate }), strings.NewReader(text), "no attestation of type https://openvex.dev/ns", sig, att)
	refused(t, policy(func(*AttestationRule) {}), strings.NewReader(text), "who may not say it", sig, must[Bundle](t)(Attest(t.Context(), other, st)))
	hollow := st
	hollow.Predicate = []byte("{}")
	refused(t, policy(func(*AttestationRule) {}), strings.NewReader(text), "its predicate is empty", sig, must[Bundle](t)(Attest(t.Context(), s, hollow)))
	elsewhere := must[Bundle](t)(Attest(t.Context(), s, statement(t, digestOf("something else"))))
	refused(t, policy(func(*AttestationRule) {}), strings.NewReader(text), "a statement about something else", sig, elsewhere)
	none := 0
	v := verifier(t, Policy{Signers: rules(key), Threshold: &none, Attestations: []AttestationRule{{Type: "https://slsa.dev/provenance/v1"}}})
	if _, err := v.Blob(t.Context(), "f", strings.NewReader(text), att); err != nil {
		t.Errorf("attestations alone: %v", err)
	}
	// Tampered with: another payload under the same signature.
	raw := must[[]byte](t)(att.Encode())
	payload := att.proto.GetDsseEnvelope().GetPayload()
	changed := bytes.Replace(payload, []byte("v1.2.0"), []byte("v6.6.6"), 1)
	forged := bytes.Replace(raw, b64(payload), b64(changed), 1)
	if bytes.Equal(raw, forged) {
		t.Fatal("nothing was changed")
	}
	_, _, err = trusting(t, key).Statement(t.Context(), "f", must[Bundle](t)(ParseBundle(forged)))
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "signed by key 0: failed to verify signature") {
		t.Errorf("tampered with: %v", err)
	}
	if _, _, err := trusting(t, key).Statement(t.Context(), "f", sig); !errors.As(err, &refusal) {
		t.Errorf("a file's signature has no statement: %v", err)
	}
}

func TestFailingKey(t *testing.T) {
	t.Parallel()
	_, public := keyed(t, "ecdsa-p256", Services{})
	s := must[*KeySigner](t)(NewKeySigner(brokenKey{public}, Services{}))
	if _, err := Blob(t.Context(), s, strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "the service is away") {
		t.Error(err)
	}
	_, edwards := keyed(t, "ed25519", Services{})
	if _, err := NewKeySigner(brokenKey{edwards}, Services{Logs: []string{"http://x"}, LogVersion: 2}); err == nil {
		t.Error("Ed25519 for a log of version 2 was taken")
	}
	if _, err := NewKeySigner(brokenKey{"no key"}, Services{}); err == nil {
		t.Error("no key was taken for one")
	}
	if s := hint("no key") + Fingerprint("no key"); s != "" {
		t.Error(s)
	}
}

type brokenKey struct{ public crypto.PublicKey }

func (k brokenKey) Public() crypto.PublicKey { return k.public }
func (brokenKey) SignDigest(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the service is away")
}
