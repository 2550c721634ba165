package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"seaworthy/artifact"
)

// Predicate types of what happens to artifacts after they were built.
const (
	PromotionPredicate = "https://k8s.io/promo-tools/promotion/v1"
	SummaryPredicate   = "https://slsa.dev/verification_summary/v1"
)

// Promotion says that an image was copied from where it was staged to where it
// is published, as promoters of Kubernetes record it.
type Promotion struct {
	Source      string          `json:"srcRef"` // registry/image@digest
	Destination string          `json:"dstRef"`
	Digest      artifact.Digest `json:"digest"`
	Time        time.Time       `json:"timestamp"`
	Builder     string          `json:"builderId"`
}

// Statement makes the statement about the promoted image. Its subject bears the
// name of the destination.
func (p Promotion) Statement(image string) (Statement, error) {
	if _, err := artifact.ParseDigest(string(p.Digest)); err != nil {
		return Statement{}, fmt.Errorf("promotion of %s: %w", p.Source, err)
	}
	if p.Source == "" || p.Destination == "" || p.Time.IsZero() {
		return Statement{}, errors.New("promotion: source, destination and time are needed")
	}
	p.Time = p.Time.UTC().Truncate(time.Second)
	return New([]Resource{Image(image, p.Digest)}, PromotionPredicate, p)
}

// Promotion returns what the statement says of a promotion.
func (s Statement) Promotion() (Promotion, error) {
	var p Promotion
	if s.PredicateType != PromotionPredicate {
		return p, fmt.Errorf("a statement of type %s tells nothing of a promotion", s.PredicateType)
	}
	if err := json.Unmarshal(s.Predicate, &p); err != nil {
		return Promotion{}, fmt.Errorf("promotion: %w", err)
	}
	return p, nil
}

// Summary says that a verifier has checked an artifact by a policy: SLSA's
// verification summary v1. Result is PASSED or FAILED.
type Summary struct {
	Verifier struct {
		ID string `json:"id"`
	} `json:"verifier"`
	Time           time.Time      `json:"timeVerified"`
	Resource       string         `json:"resourceUri"`
	Policy         Resource       `json:"policy"`
	Inputs         []Resource     `json:"inputAttestations,omitempty"`
	Result         string         `json:"verificationResult"`
	Levels         []string       `json:"verifiedLevels"`
	SLSAVersion    string         `json:"slsaVersion,omitempty"`
	DependencyInfo map[string]int `json:"dependencyLevels,omitempty"`
}

// Statement makes the statement about what was verified.
func (v Summary) Statement(subjects []Resource) (Statement, error) {
	switch {
	case v.Verifier.ID == "" || v.Resource == "" || v.Time.IsZero():
		return Statement{}, errors.New("verification summary: verifier, resource and time are needed")
	case v.Result != "PASSED" && v.Result != "FAILED":
		return Statement{}, fmt.Errorf("verification summary: the result is %q: write PASSED or FAILED", v.Result)
	}
	if v.Levels == nil {
		v.Levels = []string{}
	}
	v.Time = v.Time.UTC().Truncate(time.Second)
	return New(subjects, SummaryPredicate, v)
}

// Summary returns what the statement says of a verification.
func (s Statement) Summary() (Summary, error) {
	var v Summary
	if s.PredicateType != SummaryPredicate {
		return v, fmt.Errorf("a statement of type %s is no verification summary", s.PredicateType)
	}
	if err := json.Unmarshal(s.Predicate, &v); err != nil {
		return Summary{}, fmt.Errorf("verification summary: %w", err)
	}
	return v, nil
}
