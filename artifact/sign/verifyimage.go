package sign

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"seaworthy/artifact"
)

// Image verifies an image or index by what is attached to it in its registry.
// With Recursive, every image of an index must verify by itself; the last verdict
// is that of the image that is named. The error is a Refusal, or several joined,
// if the policy is not fulfilled.
func (v *Verifier) Image(ctx context.Context, ref name.Reference, o ImageOptions) ([]Verdict, error) {
	r, err := newSession(o.Remote)
	if err != nil {
		return nil, err
	}
	d, _, err := r.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	images := []name.Digest{d}
	if o.Recursive {
		if images, err = r.family(ctx, d, map[string]bool{}); err != nil {
			return nil, err
		}
	}
	var verdicts []Verdict
	var refusals []error
	for _, image := range images {
		verdict, err := v.image(ctx, r, image)
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			return verdicts, err
		}
		verdicts = append(verdicts, verdict)
		if err != nil {
			refusals = append(refusals, err)
		}
	}
	return verdicts, errors.Join(refusals...)
}

func (v *Verifier) image(ctx context.Context, r registrySession, d name.Digest) (Verdict, error) {
	list, passed, err := r.signatures(ctx, d)
	if err != nil {
		return Verdict{}, err
	}
	verdict, err := v.judge(d.String(), artifact.Digest(d.DigestStr()), list, func(b Bundle) (*sums, error) { return imageSums(v, b, d.DigestStr()) })
	verdict.PassedOver = append(verdict.PassedOver, passed...)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		refusal.Reasons = append(refusal.Reasons, passed...)
	}
	return verdict, err
}

// imageSums returns what a signature of an image must be over: the payload in a
// tag, if it names the image, or else the image's digest.
func imageSums(v *Verifier, b Bundle, digest string) (*sums, error) {
	if b.payload == nil {
		return digestSums(artifact.Digest(digest))
	}
	if err := checkPayload(b.payload, digest); err != nil {
		return nil, err
	}
	hashes, whole := v.needs([]Bundle{b})
	s, err := measure(strings.NewReader(string(b.payload)), hashes, whole)
	if err != nil {
		return nil, fmt.Errorf("measuring what is signed: %w", err)
	}
	return &s, nil
}
