package sign

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// Policy says when a file or an image is trusted. It is read from YAML:
//
//	signers:
//	  - name: release key
//	    key: cosign.pub
//	  - name: release workflow
//	    identity: https://github.com/halyard/halyard/.github/workflows/release.yml@refs/tags/v1.2.0
//	    issuer: https://token.actions.githubusercontent.com
//	threshold: 1
//	trustedRoot: trusted_root.json
//	attestations:
//	  - type: slsaprovenance1
//	    builders: [https://ci.example.org/release]
//	    repository: https://github.com/halyard/halyard
type Policy struct {
	Lines strict.Lines `json:"-"`
	// Signers are those whose signatures count.
	Signers []SignerRule `json:"signers"`
	// Threshold is how many different signers must have signed; 1 if nil. 0 asks
	// for attestations alone.
	Threshold *int `json:"threshold,omitempty"`
	// Revoked are fingerprints (sha256:HEX) of keys or certificates whose
	// signatures no longer count, whenever they were made.
	Revoked []string `json:"revoked,omitempty"`
	// TransparencyLog says whether a signature must be in a log: required,
	// optional (looked at where the log is known) or ignored. Empty, it is
	// required of certificates and optional for keys.
	TransparencyLog string `json:"transparencyLog,omitempty"`
	// TrustedRoot is a file with the certificates and keys of authorities and
	// logs, in sigstore's form (trusted_root.json). Identities need it.
	TrustedRoot string `json:"trustedRoot,omitempty"`
	// Attestations are statements that must be there.
	Attestations []AttestationRule `json:"attestations,omitempty"`

	trust Trust
}

// SignerRule names one signer by a key, or one or many by an identity.
type SignerRule struct {
	Lines strict.Lines `json:"-"`
	Name  string       `json:"name,omitempty"` // for people, and to be named by attestations
	// Key is a public key: PEM, the path of a file, or the address of a key service.
	Key string `json:"key,omitempty"`
	// Identity and Issuer are those of the certificate. The patterns must match
	// the whole of it.
	Identity        string `json:"identity,omitempty"`
	IdentityPattern string `json:"identityRegexp,omitempty"`
	Issuer          string `json:"issuer,omitempty"`
	IssuerPattern   string `json:"issuerRegexp,omitempty"`
	// NotBefore and NotAfter bound when it must have signed. Without a record of
	// the time that is verified, the present time is taken.
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`

	public           crypto.PublicKey
	identity, issuer *regexp.Regexp
}

// AttestationRule is a statement that must be there, signed by a signer of the
// policy. The conditions below are on provenance.
type AttestationRule struct {
	Lines strict.Lines `json:"-"`
	// Type is the predicate type, or a short name of one: slsaprovenance1,
	// slsaprovenance, spdxjson, cyclonedx, openvex, vsa, promotion.
	Type string `json:"type"`
	// Signers are names of those of the policy that may say this; any if empty.
	Signers []string `json:"signers,omitempty"`
	// Builders, BuildTypes, Repository and Commit are what provenance must say.
	Builders   []string `json:"builders,omitempty"`
	BuildTypes []string `json:"buildTypes,omitempty"`
	Repository string   `json:"repository,omitempty"`
	Commit     string   `json:"commit,omitempty"`
}

// Trust is what certificates and logs are verified by.
type Trust = root.TrustedMaterial

// LoadTrust reads a trusted root in sigstore's form.
func LoadTrust(file string) (Trust, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	t, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no trusted root: %w", file, err)
	}
	return t, nil
}

// Predicate types of statements besides those of package provenance.
const (
	SPDXPredicate      = "https://spdx.dev/Document"
	CycloneDXPredicate = "https://cyclonedx.org/bom"
	VEXPredicate       = "https://openvex.dev/ns"
	// signaturePredicate is that of an image's signature, as cosign makes it.
	signaturePredicate = "https://sigstore.dev/cosign/sign/v1"
)

// PredicateType returns the predicate type that a short name, as cosign has
// them, stands for. Addresses stand for themselves.
func PredicateType(name string) (string, error) {
	types := map[string]string{
		"slsaprovenance": "https://slsa.dev/provenance/v0.2", "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
		"slsaprovenance1": "https://slsa.dev/provenance/v1", "vsa": "https://slsa.dev/verification_summary/v1",
		"spdx": SPDXPredicate, "spdxjson": SPDXPredicate, "cyclonedx": CycloneDXPredicate, "openvex": VEXPredicate,
		"promotion": "https://k8s.io/promo-tools/promotion/v1",
	}
	if t, ok := types[name]; ok {
		return t, nil
	}
	if scheme, _, ok := strings.Cut(name, ":"); ok && scheme != "" {
		return name, nil
	}
	return "", fmt.Errorf("%q is no predicate type: write its address, or one of slsaprovenance1, slsaprovenance, spdxjson, cyclonedx, openvex, vsa, promotion", name)
}

// samePredicate compares types. OpenVEX has its version in the address.
func samePredicate(want, have string) bool {
	return want == have || want == VEXPredicate && strings.HasPrefix(have, VEXPredicate+"/")
}

// LoadPolicy reads a policy and the files it names, which are beside it.
func LoadPolicy(ctx context.Context, file string, keys Keys) (Policy, error) {
	text, err := readFile(file)
	if err != nil {
		return Policy{}, err
	}
	p, err := ParsePolicy(file, text)
	if err != nil {
		return Policy{}, err
	}
	if err := p.Resolve(ctx, filepath.Dir(file), keys); err != nil {
		return Policy{}, fmt.Errorf("policy %s: %w", file, err)
	}
	return p, nil
}

// ParsePolicy reads a policy. The error tells of every problem, with its line.
func ParsePolicy(file string, text []byte) (Policy, error) {
	var p Policy
	problems := strict.Unmarshal(file, text, &p)
	problems = append(problems, p.problems(file)...)
	return p, strict.AsError(strict.Sort(problems))
}

// Check reports what is wrong with a policy that a program made.
func (p *Policy) Check() error {
	failures, _ := strict.Split(p.problems("policy"))
	var wrong []error
	for _, f := range failures {
		wrong = append(wrong, errors.New(f.Message))
	}
	return errors.Join(wrong...)
}

// problems are those that reading alone does not find.
func (p *Policy) problems(file string) []strict.Problem {
	var all []strict.Problem
	add := func(line int, format string, args ...any) {
		all = append(all, strict.Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
	}
	if len(p.Signers) == 0 {
		add(p.Lines.Start, "no signers: name whose signatures count, each with a key, or an identity and its issuer")
	}
	names := map[string]bool{}
	for i := range p.Signers {
		s := &p.Signers[i]
		if s.Name != "" && names[s.Name] {
			add(s.Lines.Of("name"), "two signers are called %q: give one another name", s.Name)
		}
		names[s.Name] = true
		for _, message := range s.compile() {
			add(s.Lines.Start, "%s", message)
		}
	}
	if t := p.Threshold; t != nil && (*t < 0 || *t == 0 && len(p.Attestations) == 0) {
		add(p.Lines.Of("threshold"), "a threshold of %d asks for nothing: write 1 or more", *t)
	}
	for _, f := range p.Revoked {
		if _, err := artifact.ParseDigest(f); err != nil {
			add(p.Lines.Of("revoked"), "%q is no fingerprint: write sha256:HEX, as 'seaworthy sign key --show' prints it", f)
		}
	}
	if !slices.Contains([]string{"", "required", "optional", "ignored"}, p.TransparencyLog) {
		add(p.Lines.Of("transparencyLog"), "transparencyLog is %q: write required, optional or ignored", p.TransparencyLog)
	}
	for i := range p.Attestations {
		a := &p.Attestations[i]
		if t, err := PredicateType(a.Type); err != nil {
			add(a.Lines.Of("type"), "%v", err)
		} else {
			a.Type = t
		}
		for _, name := range a.Signers {
			if !names[name] || name == "" {
				add(a.Lines.Of("signers"), "no signer is called %q", name)
			}
		}
		if (len(a.Builders) > 0 || len(a.BuildTypes) > 0 || a.Repository != "" || a.Commit != "") && !strings.HasPrefix(a.Type, "https://slsa.dev/provenance/") {
			add(a.Lines.Start, "builders, buildTypes, repository and commit are conditions on provenance: write type: slsaprovenance1")
		}
	}
	return all
}

// compile checks a signer and makes its patterns ready.
func (s *SignerRule) compile() []string {
	var wrong []string
	certified := s.Identity != "" || s.IdentityPattern != "" || s.Issuer != "" || s.IssuerPattern != ""
	hasKey := s.Key != "" || s.public != nil
	switch {
	case hasKey && certified:
		wrong = append(wrong, "a signer has a key or an identity, not both: make two of it")
	case !hasKey && (s.Identity == "") == (s.IdentityPattern == ""):
		wrong = append(wrong, "a signer needs a key, an identity or an identityRegexp, one of them")
	case !hasKey && (s.Issuer == "") == (s.IssuerPattern == ""):
		wrong = append(wrong, "an identity needs the issuer who vouches for it: write issuer or issuerRegexp")
	}
	for pattern, to := range map[string]**regexp.Regexp{s.IdentityPattern: &s.identity, s.IssuerPattern: &s.issuer} {
		if pattern == "" {
			continue
		}
		r, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("the pattern %q: %v", pattern, err))
		}
		*to = r
	}
	if !s.NotBefore.IsZero() && !s.NotAfter.IsZero() && !s.NotBefore.Before(s.NotAfter) {
		wrong = append(wrong, "notAfter must be later than notBefore")
	}
	return wrong
}

// Resolve loads the keys and the trusted root that the policy names. Paths are
// relative to dir.
func (p *Policy) Resolve(ctx context.Context, dir string, keys Keys) error {
	at := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	p.Signers = slices.Clone(p.Signers)
	for i := range p.Signers {
		s := &p.Signers[i]
		if s.Key == "" || s.public != nil {
			continue
		}
		var err error
		switch {
		case strings.HasPrefix(strings.TrimSpace(s.Key), "-----BEGIN"):
			s.public, err = ParsePublicKey([]byte(s.Key))
		case strings.Contains(s.Key, "://"):
			s.public, err = keys.LoadPublic(ctx, s.Key)
		default:
			s.public, err = keys.LoadPublic(ctx, at(s.Key))
		}
		if err != nil {
			return fmt.Errorf("signer %s: %w", s.label(), err)
		}
	}
	if p.TrustedRoot != "" && p.trust == nil {
		var err error
		if p.trust, err = LoadTrust(at(p.TrustedRoot)); err != nil {
			return err
		}
	}
	return nil
}

// WithTrust returns the policy with a trusted root that is loaded already.
func (p Policy) WithTrust(t Trust) Policy {
	p.trust = t
	return p
}

// KeyRule is a signer with a key that is loaded already.
func KeyRule(name string, key crypto.PublicKey) SignerRule {
	return SignerRule{Name: name, public: key}
}

func (s SignerRule) label() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.public != nil:
		return "key " + Fingerprint(s.public)
	case s.Key != "" && !strings.Contains(s.Key, "\n"):
		return s.Key
	}
	return s.Identity + s.IdentityPattern
}

// matches reports whether a certificate's identity is the rule's.
func (s SignerRule) matches(i Identity) bool {
	if s.public != nil || s.Key != "" || i.Name == "" {
		return false
	}
	name := s.Identity == i.Name
	if s.identity != nil {
		name = s.identity.MatchString(i.Name)
	}
	issuer := s.Issuer == i.Issuer
	if s.issuer != nil {
		issuer = s.issuer.MatchString(i.Issuer)
	}
	return name && issuer
}

// within reports a signature made outside the rule's time.
func (s SignerRule) within(t time.Time) error {
	if !s.NotBefore.IsZero() && t.Before(s.NotBefore) {
		return fmt.Errorf("%s counts from %s on, and this is of %s", s.label(), s.NotBefore.UTC().Format(time.RFC3339), t.UTC().Format(time.RFC3339))
	}
	if !s.NotAfter.IsZero() && t.After(s.NotAfter) {
		return fmt.Errorf("%s counts until %s, and this is of %s", s.label(), s.NotAfter.UTC().Format(time.RFC3339), t.UTC().Format(time.RFC3339))
	}
	return nil
}

// errNoSigner: a policy made by a program that names nobody.
var errNoSigner = errors.New("the policy names no signer")
