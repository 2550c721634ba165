package sign

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/proto"

	"seaworthy/artifact"
)

// Verifier holds files and images against a policy.
type Verifier struct {
	policy  Policy
	trust   Trust
	now     func() time.Time
	revoked map[string]bool
}

// NewVerifier returns a verifier. The policy must be resolved. The clock judges
// windows of time and certificates for which there is no record of the time.
func NewVerifier(p Policy, now func() time.Time) (*Verifier, error) {
	if len(p.Signers) == 0 {
		return nil, errNoSigner
	}
	v := &Verifier{policy: p, trust: p.trust, now: now, revoked: map[string]bool{}}
	if v.trust == nil {
		v.trust = &root.BaseTrustedMaterial{}
	}
	for i := range p.Signers {
		s := &p.Signers[i]
		if wrong := s.compile(); wrong != nil {
			return nil, fmt.Errorf("signer %s: %s", s.label(), strings.Join(wrong, "; "))
		}
		if s.Key != "" && s.public == nil {
			return nil, fmt.Errorf("signer %s: its key is not loaded", s.label())
		}
		if s.public == nil && len(v.trust.FulcioCertificateAuthorities()) == 0 {
			return nil, fmt.Errorf("signer %s: identities are verified by the certificates of an authority: give a trustedRoot", s.label())
		}
	}
	for _, f := range p.Revoked {
		v.revoked[f] = true
	}
	return v, nil
}

// Evidence is one signature that counts.
type Evidence struct {
	Signer string `json:"signer"` // the policy's name for it
	Identity
	// Time is when it was signed, as a log or an authority has it; zero if there
	// is no record that could be verified. TimeFrom says whose word it is.
	Time     time.Time `json:"time,omitzero"`
	TimeFrom string    `json:"timeFrom,omitempty"`
	// LogIndex is the place in the transparency log, if that was verified.
	LogIndex *int64 `json:"logIndex,omitempty"`
	// Predicate is the type of the statement that was signed; empty for a file.
	Predicate string `json:"predicate,omitempty"`
	// Found says where: a tag, the digest of a referrer; empty for what was given.
	Found string `json:"found,omitempty"`
}

// who tells signers apart, so that one who signed twice counts once.
func (e Evidence) who() string { return e.Key + "\n" + e.Name + "\n" + e.Issuer }

// counted is a signature of which is known that it counts, and by which rule.
type counted struct {
	Evidence
	rule int
}

// check verifies one signature. What was signed must be sums, or, for a
// statement, have one of their digests among its subjects; nil sums stand for
// any subject.
func (v *Verifier) check(b Bundle, s *sums) (counted, error) {
	st, isStatement, err := b.Statement()
	if err != nil {
		return counted{}, err
	}
	if isStatement && s != nil && !slices.ContainsFunc(s.artifactDigests(), st.Covers) {
		return counted{}, errors.New("what is signed is a statement about something else")
	}
	if !isStatement && s == nil {
		return counted{}, errors.New("this is the signature of a file: name the file")
	}
	cert, err := b.Certificate()
	if err != nil {
		return counted{}, err
	}
	var c counted
	if cert != nil {
		c, err = v.checkCertificate(b, cert, s)
	} else {
		c, err = v.checkKey(b, s)
	}
	c.Predicate = st.PredicateType
	return c, err
}

func (v *Verifier) checkCertificate(b Bundle, cert *x509.Certificate, s *sums) (counted, error) {
	who, err := certified(cert)
	if err != nil {
		return counted{}, err
	}
	sum := sha256.Sum256(cert.Raw)
	if v.revoked[Fingerprint(cert.PublicKey)] || v.revoked["sha256:"+hex.EncodeToString(sum[:])] {
		return counted{}, fmt.Errorf("the certificate of %s is revoked", who)
	}
	if len(v.trust.FulcioCertificateAuthorities()) == 0 {
		return counted{}, fmt.Errorf("signed by %s, with a certificate: no trusted root is there to verify it by", who)
	}
	a, err := algorithmOf(cert.PublicKey, b.proto.GetMessageSignature() != nil)
	if err != nil {
		return counted{}, err
	}
	e, times, err := v.run(b, s, a, nil, true)
	if err != nil {
		return counted{}, fmt.Errorf("signed by %s: %w", who, err)
	}
	e.Identity = who
	rule := slices.IndexFunc(v.policy.Signers, func(r SignerRule) bool { return r.matches(who) })
	if rule < 0 {
		return counted{}, fmt.Errorf("signed by %s, who is none of the policy's signers", who)
	}
	return v.accept(e, rule, times)
}

// accept judges the time, and names the signer.
func (v *Verifier) accept(e Evidence, rule int, recorded []sigverify.TimestampVerificationResult) (counted, error) {
	r := v.policy.Signers[rule]
	at := v.now()
	for _, t := range recorded {
		if t.Type == "CurrentTime" {
			continue
		}
		if e.Time.IsZero() || t.Timestamp.Before(e.Time) {
			e.Time, e.TimeFrom = t.Timestamp.UTC(), map[string]string{"Tlog": "transparency log", "TimestampAuthority": "time stamp authority"}[t.Type]
		}
	}
	if !e.Time.IsZero() {
		at = e.Time
	}
	if err := r.within(at); err != nil {
		return counted{}, err
	}
	e.Signer = r.label()
	return counted{e, rule}, nil
}

func (v *Verifier) checkKey(b Bundle, s *sums) (counted, error) {
	wanted := b.proto.GetVerificationMaterial().GetPublicKey().GetHint()
	var reasons []error
	for i, r := range v.policy.Signers {
		if r.public == nil {
			continue
		}
		for _, candidate := range candidates(r.public) {
			e, times, err := v.run(b, s, candidate.algorithm, candidate.verifier, false)
			if err != nil {
				if wanted == hint(r.public) || errors.Is(err, errOtherFile) {
					reasons = append(reasons, fmt.Errorf("signed by %s: %w", r.label(), err))
				}
				continue
			}
			if v.revoked[Fingerprint(r.public)] {
				return counted{}, fmt.Errorf("signed by %s, whose key is revoked", r.label())
			}
			e.Identity = Identity{Key: Fingerprint(r.public)}
			return v.accept(e, i, times)
		}
	}
	if len(reasons) > 0 {
		return counted{}, reasons[0]
	}
	return counted{}, errors.New("signed by a key that is none of the policy's, or not what was signed")
}

// candidate is one way a key may have signed.
type candidate struct {
	algorithm algorithm
	verifier  signature.Verifier
}

// candidates are the ways a key may have signed: by its convention, by those of
// older programs (SHA-256 whatever the curve), and of key services (RSA-PSS).
func candidates(key crypto.PublicKey) []candidate {
	var all []candidate
	for _, prehash := range []bool{false, true} {
		_, edwards := key.(ed25519.PublicKey)
		a, err := algorithmOf(key, prehash)
		if err != nil || prehash && !edwards {
			continue
		}
		var ver signature.Verifier
		if edwards && prehash {
			ver, err = signature.LoadED25519phVerifier(key.(ed25519.PublicKey))
		} else {
			ver, err = signature.LoadVerifier(key, a.hash)
		}
		if err == nil {
			all = append(all, candidate{a, ver})
		}
		if a.hash != 0 && a.hash != crypto.SHA256 && !edwards {
			old := a
			old.hash = crypto.SHA256
			if ver, err := signature.LoadVerifier(key, crypto.SHA256); err == nil {
				all = append(all, candidate{old, ver})
			}
		}
		if r, ok := key.(*rsa.PublicKey); ok {
			if ver, err := signature.LoadRSAPSSVerifier(r, a.hash, nil); err == nil {
				all = append(all, candidate{a, ver})
			}
		}
	}
	return all
}

// errOtherFile: the signature says itself that it is of something else.
var errOtherFile = errors.New("the signature is of another file")

// run verifies the cryptography of a signature: by a key's verifier, or, if that
// is nil, by its certificate. It returns what the log says, and the times that
// are on record.
func (v *Verifier) run(b Bundle, s *sums, a algorithm, key signature.Verifier, certificate bool) (Evidence, []sigverify.TimestampVerificationResult, error) {
	entity, artifactOption, err := subject(b, s, a)
	if err != nil {
		return Evidence{}, nil, err
	}
	var trust Trust = v.trust
	policy := sigverify.WithoutIdentitiesUnsafe() // identities are compared by checkCertificate
	if key != nil {
		policy = sigverify.WithKey()
		trust = root.TrustedMaterialCollection{v.trust, root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
			return root.NewExpiringKey(key, time.Time{}, time.Time{}), nil
		})}
	}
	options, logged, err := v.demands(b, certificate)
	if err != nil {
		return Evidence{}, nil, err
	}
	verifier, err := sigverify.NewVerifier(trust, options...)
	if err != nil {
		return Evidence{}, nil, err
	}
	result, err := verifier.Verify(entity, sigverify.NewPolicy(artifactOption, policy))
	if err != nil {
		return Evidence{}, nil, err
	}
	var e Evidence
	if index, _, ok := b.logged(); ok && logged {
		e.LogIndex = &index
	}
	return e, result.VerifiedTimestamps, nil
}

// demands says what sigstore's verifier must insist on: a log, a time.
func (v *Verifier) demands(b Bundle, certificate bool) (options []sigverify.VerifierOption, logged bool, err error) {
	m := b.proto.GetVerificationMaterial()
	known, dated := false, false
	for _, e := range m.GetTlogEntries() {
		if _, ok := v.trust.RekorLogs()[hex.EncodeToString(e.GetLogId().GetKeyId())]; ok {
			known = true
			dated = dated || e.GetIntegratedTime() > 0 && e.GetInclusionPromise() != nil
		}
	}
	demand := v.policy.TransparencyLog
	if demand == "" {
		demand = "optional"
		if certificate {
			demand = "required"
		}
	}
	switch {
	case demand == "required" && len(m.GetTlogEntries()) == 0:
		return nil, false, errors.New("the signature is in no transparency log")
	case demand == "required" && !known:
		return nil, false, errors.New("the signature is in a transparency log that the trusted root does not know")
	case demand == "ignored":
		known, dated = false, false
	}
	if known {
		options = append(options, sigverify.WithTransparencyLog(1))
	}
	stamped := len(m.GetTimestampVerificationData().GetRfc3161Timestamps()) > 0 && len(v.trust.TimestampingAuthorities()) > 0
	switch {
	case dated || stamped:
		options = append(options, sigverify.WithObserverTimestamps(1))
	case certificate:
		options = append(options, sigverify.WithCurrentTime())
	default:
		options = append(options, sigverify.WithNoObserverTimestamps())
	}
	if certificate && len(v.trust.CTLogs()) > 0 {
		options = append(options, sigverify.WithSignedCertificateTimestamps(1))
	}
	return options, known, nil
}

// subject makes of a bundle and what it should be of what sigstore's verifier
// takes.
func subject(b Bundle, s *sums, a algorithm) (*bundle.Bundle, sigverify.ArtifactPolicyOption, error) {
	message := b.proto.GetMessageSignature()
	if message == nil {
		e, err := b.entity()
		return e, sigverify.WithoutArtifactUnsafe(), err // subjects were compared by check
	}
	hash := a.hash
	if claimed := message.GetMessageDigest(); claimed != nil {
		hash = hashOf(claimed.GetAlgorithm())
	} else if hash == 0 {
		hash = crypto.SHA256
	}
	sum := s.digests[hash]
	if sum == nil {
		return nil, nil, errors.New("the signature is over a digest that was not made")
	}
	if claimed := message.GetMessageDigest(); claimed != nil && !bytes.Equal(claimed.GetDigest(), sum) {
		return nil, nil, errOtherFile
	}
	full := b
	if message.GetMessageDigest() == nil {
		copied, ok := proto.Clone(b.proto).(*protobundle.Bundle)
		if !ok {
			return nil, nil, errors.New("the bundle cannot be copied") // not reachable
		}
		copied.GetMessageSignature().MessageDigest = &protocommon.HashOutput{Algorithm: protoHash(hash), Digest: sum}
		full = Bundle{proto: copied}
	}
	e, err := full.entity()
	if a.hash == 0 {
		if s.whole == nil {
			return nil, nil, errors.New("an Ed25519 key signs the whole file, and it was not read whole")
		}
		return e, sigverify.WithArtifact(bytes.NewReader(s.whole)), err
	}
	return e, sigverify.WithArtifactDigest(hashName(hash), sum), err
}

func hashName(h crypto.Hash) string {
	return strings.ReplaceAll(strings.ToLower(h.String()), "-", "")
}

// needs says what has to be measured of a file to verify signatures of it.
func (v *Verifier) needs(bundles []Bundle) (hashes []crypto.Hash, whole bool) {
	look := func(key crypto.PublicKey) {
		if _, ok := key.(ed25519.PublicKey); ok {
			hashes, whole = append(hashes, crypto.SHA512), true
		}
		if a, err := algorithmOf(key, false); err == nil && a.hash != 0 {
			hashes = append(hashes, a.hash)
		}
	}
	statements := true
	for _, b := range bundles {
		if m := b.proto.GetMessageSignature(); m != nil {
			statements = false
			if d := m.GetMessageDigest(); d != nil {
				hashes = append(hashes, hashOf(d.GetAlgorithm()))
			}
		}
		if s, ok, err := b.Statement(); ok && err == nil && s.Subjects[0].Digest["sha256"] == "" {
			hashes = append(hashes, crypto.SHA512)
		}
		if c, err := b.Certificate(); err == nil && c != nil {
			look(c.PublicKey)
		}
	}
	for _, r := range v.policy.Signers {
		if r.public != nil && !statements {
			look(r.public)
		}
	}
	return hashes, whole && !statements
}

// digestSums stands for an image's manifest: nothing is known of it but the
// digest that its registry was asked for.
func digestSums(d artifact.Digest) (*sums, error) {
	raw, err := hex.DecodeString(d.Hex())
	if err != nil {
		return nil, err
	}
	hash := crypto.SHA256
	if d.Algorithm() == artifact.SHA512 {
		hash = crypto.SHA512
	}
	return &sums{digests: map[crypto.Hash][]byte{hash: raw}}, nil
}
