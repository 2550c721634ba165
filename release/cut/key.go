package cut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"

	"gocloud.dev/gcerrors"

	"seaworthy/flow"
)

// keyFile is where readers find the public key of what is signed: beside the
// markers, so that who has only the bucket can verify what lies in it.
const keyFile = "release-key.pub"

// formerKey is where a key goes that another one follows: what it has signed
// still verifies with it.
func formerKey(key []byte) string {
	sum := sha256.Sum256(key)
	return "release-key-" + hex.EncodeToString(sum[:6]) + ".pub"
}

// publishedKey reads the key that is published; nil if there is none.
func (s *Service) publishedKey(ctx context.Context, st staged) ([]byte, error) {
	key, err := s.Bucket.ReadAll(ctx, path.Join(markerFolder(st), keyFile))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the published key: %w", err)
	}
	return key, nil
}

// keyPublished looks whether readers have the key.
func (s *Service) keyPublished(ctx context.Context, st staged) (flow.Nothing, bool, error) {
	switch {
	case len(s.PublicKey) == 0:
		return flow.Nothing{}, false, flow.Skip("it is published elsewhere, or there is none")
	case st.Mock:
		return flow.Nothing{}, false, flow.Skip("a rehearsal has nobody to give it to")
	}
	have, err := s.publishedKey(ctx, st)
	return flow.Nothing{}, err == nil && bytes.Equal(have, s.PublicKey), err
}

// publishKey puts the key beside the markers. One that is there and differs is
// kept under a name of its own first.
func (s *Service) publishKey(ctx context.Context, st staged) (flow.Nothing, error) {
	have, err := s.publishedKey(ctx, st)
	if err != nil {
		return flow.Nothing{}, err
	}
	if have != nil && !bytes.Equal(have, s.PublicKey) {
		if err := s.put(ctx, path.Join(markerFolder(st), formerKey(have)), have); err != nil {
			return flow.Nothing{}, err
		}
		flow.Logf(ctx, "another key signs from now on; that of earlier releases is %s", formerKey(have))
	}
	if err := s.put(ctx, path.Join(markerFolder(st), keyFile), s.PublicKey); err != nil {
		return flow.Nothing{}, err
	}
	flow.Mark(ctx, "published %s", keyFile)
	flow.Progress(ctx, "%s", path.Join(markerFolder(st), keyFile))
	return flow.Nothing{}, nil
}
