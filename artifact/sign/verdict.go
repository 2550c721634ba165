package sign

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
)

// Verdict is the evidence for which something is trusted.
type Verdict struct {
	Subject      string          `json:"subject"`
	Digest       artifact.Digest `json:"digest"`
	Signatures   []Evidence      `json:"signatures"`
	Attestations []Evidence      `json:"attestations,omitempty"`
	// Passed over are signatures that do not count, and why: others may sign too.
	PassedOver []string `json:"passedOver,omitempty"`
}

// Refusal is the answer that something is not to be trusted, with every reason.
type Refusal struct {
	Subject string   `json:"subject"`
	Reasons []string `json:"reasons"`
}

// Error writes it in one line.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s does not verify: %s", r.Subject, strings.Join(r.Reasons, "; "))
}

// found is a signature and where it was.
type found struct {
	Bundle
	where string
}

// Blob verifies a file by the signatures and attestations that are given. The
// error is a Refusal if the policy is not fulfilled.
func (v *Verifier) Blob(_ context.Context, name string, r io.Reader, bundles ...Bundle) (Verdict, error) {
	if len(bundles) > maxBundles {
		return Verdict{}, fmt.Errorf("%s: %d signatures, at most %d are looked at", name, len(bundles), maxBundles)
	}
	hashes, whole := v.needs(bundles)
	s, err := measure(r, hashes, whole)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %w", name, err)
	}
	list := make([]found, len(bundles))
	for i, b := range bundles {
		list[i] = found{Bundle: b}
	}
	return v.judge(name, s.artifactDigests()[0], list, func(b Bundle) (*sums, error) { return &s, nil })
}

// Statement verifies the signature of a statement, whatever its subjects are,
// and returns it. Hold the subjects against what you have: provenance.Check.
func (v *Verifier) Statement(_ context.Context, name string, b Bundle) (provenance.Statement, Evidence, error) {
	s, ok, err := b.Statement()
	if err != nil || !ok {
		return s, Evidence{}, &Refusal{name, []string{"it holds no statement: name the file that it is the signature of"}}
	}
	c, err := v.check(b, nil)
	if err != nil {
		return provenance.Statement{}, Evidence{}, &Refusal{name, []string{err.Error()}}
	}
	return s, c.Evidence, nil
}

// judge holds all signatures of one thing against the policy. sumsOf returns
// what a signature must be over.
func (v *Verifier) judge(name string, digest artifact.Digest, list []found, sumsOf func(Bundle) (*sums, error)) (Verdict, error) {
	verdict := Verdict{Subject: name, Digest: digest, Signatures: []Evidence{}}
	var good []counted
	var statements []provenance.Statement // beside good
	for _, f := range list {
		s, err := sumsOf(f.Bundle)
		var c counted
		if err == nil {
			c, err = v.check(f.Bundle, s)
		}
		if err != nil {
			verdict.PassedOver = append(verdict.PassedOver, strings.TrimPrefix(f.where+": "+err.Error(), ": "))
			continue
		}
		c.Found = f.where
		st, _, err := f.Statement()
		if err != nil {
			return verdict, err // read before, by check
		}
		good, statements = append(good, c), append(statements, st)
		if c.Predicate == "" || c.Predicate == signaturePredicate {
			verdict.Signatures = append(verdict.Signatures, c.Evidence)
		} else {
			verdict.Attestations = append(verdict.Attestations, c.Evidence)
		}
	}
	slices.Sort(verdict.PassedOver)
	verdict.PassedOver = slices.Compact(verdict.PassedOver)
	reasons := v.signed(verdict)
	for _, rule := range v.policy.Attestations {
		if reason := v.attested(rule, good, statements); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		return verdict, nil
	}
	if len(list) == 0 {
		reasons = []string{"nobody has signed it"}
	}
	return verdict, &Refusal{name, append(reasons, verdict.PassedOver...)}
}

// signed says what is missing of signatures.
func (v *Verifier) signed(verdict Verdict) []string {
	need := 1
	if v.policy.Threshold != nil {
		need = *v.policy.Threshold
	}
	who := map[string]bool{}
	for _, e := range verdict.Signatures {
		who[e.who()] = true
	}
	switch {
	case len(who) >= need:
		return nil
	case len(who) == 0:
		return []string{"no signature of it counts"}
	}
	return []string{fmt.Sprintf("%d of %d signers that are needed have signed", len(who), need)}
}

// attested says why a statement that must be there does not suffice; empty if
// one does.
func (v *Verifier) attested(rule AttestationRule, good []counted, statements []provenance.Statement) string {
	var reasons []string
	for i, c := range good {
		switch {
		case !samePredicate(rule.Type, c.Predicate):
			continue
		case len(rule.Signers) > 0 && !slices.Contains(rule.Signers, v.policy.Signers[c.rule].Name):
			reasons = append(reasons, "it is signed by "+c.Signer+", who may not say it")
			continue
		case statements[i].Empty():
			reasons = append(reasons, "its predicate is empty")
			continue
		}
		if !strings.HasPrefix(rule.Type, "https://slsa.dev/provenance/") {
			return ""
		}
		err := provenance.Check(statements[i], provenance.Expectation{
			Builders: rule.Builders, BuildTypes: rule.BuildTypes, Repository: rule.Repository, Commit: rule.Commit,
		})
		if err == nil {
			return ""
		}
		reasons = append(reasons, err.Error())
	}
	if len(reasons) == 0 {
		return "no attestation of type " + rule.Type + " is there"
	}
	return "attestation of type " + rule.Type + ": " + strings.Join(reasons, "; ")
}
