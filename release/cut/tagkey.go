package cut

import (
	"context"
	"fmt"

	"seaworthy/flow"
	"seaworthy/git"
)

// SignTags is whether a project's tags are signed.
type SignTags string

// Ways to sign tags.
const (
	SignAuto SignTags = "auto" // with the key there is, if there is one; also ""
	SignNone SignTags = "none"
	SignSSH  SignTags = "ssh" // and nothing is staged without an SSH key
	SignGPG  SignTags = "gpg" // and nothing is staged without an OpenPGP key
)

// TagSigning is how a project's tags are signed.
type TagSigning struct {
	Sign SignTags `json:"sign,omitempty"`
	// Key is the address of the private key; the platform's own if empty.
	Key string `json:"key,omitempty"`
}

func (t TagSigning) validate() error {
	switch t.Sign {
	case "", SignAuto, SignNone, SignSSH, SignGPG:
		return nil
	}
	return fmt.Errorf("tags cannot be signed by %q: write auto, none, ssh or gpg", t.Sign)
}

// tagKey returns the key that the project's tags are signed with, nil if they are
// not. A project that asks for a signature gets no tag without one.
func (s *Service) tagKey(ctx context.Context, p Project) ([]byte, error) {
	want := p.Tags.Sign
	if want == SignNone {
		return nil, nil
	}
	var key []byte
	if s.TagKey != nil {
		var err error
		if key, err = s.TagKey(ctx, p.Tags.Key); err != nil {
			return nil, flow.Permanent(fmt.Errorf("loading the key that signs tags: %w", err))
		}
	}
	formats := map[SignTags]git.SignatureFormat{SignSSH: git.SSH, SignGPG: git.OpenPGP}
	if len(key) == 0 {
		if formats[want] != "" || p.Tags.Key != "" {
			return nil, flow.Permanent(fmt.Errorf("%s wants its tags signed, and there is no key: name one in release.tags.key of its configuration, or at the platform", p.Name))
		}
		return nil, nil
	}
	format, err := git.KeyFormat(key)
	if err != nil {
		return nil, flow.Permanent(err)
	}
	if f := formats[want]; f != "" && f != format {
		return nil, flow.Permanent(fmt.Errorf("%s wants its tags signed with %s, and the key is one of %s: %w", p.Name, want, format, git.ErrKey))
	}
	return key, nil
}
