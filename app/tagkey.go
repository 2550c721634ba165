package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/verify"
)

// keyLimit is more than any private key has, in bytes.
const keyLimit = 64 << 10

// tagKey loads the private key that a project's tags are signed with: from an
// environment variable, env://NAME, or a file; the platform's own by default. It
// is nil if the platform has none.
func (a *App) tagKey(_ context.Context, address string) ([]byte, error) {
	if address == "" {
		return []byte(os.Getenv(config.TagKeyVariable)), nil
	}
	if name, ok := strings.CutPrefix(address, "env://"); ok {
		key := os.Getenv(name)
		if key == "" {
			return nil, fmt.Errorf("the environment variable %s, which holds the key for tags, is not set where the platform runs", name)
		}
		return []byte(key), nil
	}
	if !filepath.IsAbs(address) {
		return nil, fmt.Errorf("the key for tags %q is no absolute path", address)
	}
	f, err := os.Open(address)
	if err != nil {
		return nil, err
	}
	key, err := io.ReadAll(io.LimitReader(f, keyLimit))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", address, err)
	}
	return key, nil
}

// ownTagSigners are who may sign a repository's tags when nobody says: the
// platform itself, with the key that the project's configuration names. Nil if
// there is no key.
func (a *App) ownTagSigners(ctx context.Context, repo forge.RepoName) ([]byte, error) {
	p, err := a.Project(ctx, repo, "")
	if err != nil {
		return nil, err
	}
	key, err := a.tagKey(ctx, p.Release.Tags.Key)
	if err != nil || len(key) == 0 {
		return nil, err
	}
	return git.PublicKey(ctx, key, BotLogin+"@localhost")
}

// signature checks the signature of a tag against those who may sign it.
func (a *App) signature(ctx context.Context, clone *git.Repository, repo forge.RepoName, tag string, signers []byte) (verify.TagSignature, error) {
	format, err := clone.TagSignature(ctx, tag)
	if errors.Is(err, git.ErrUnsigned) {
		return verify.TagSignature{}, nil
	}
	if err != nil {
		return verify.TagSignature{}, err
	}
	s := verify.TagSignature{Format: string(format)}
	if signers == nil {
		if signers, err = a.ownTagSigners(ctx, repo); err != nil {
			// The key is not here, where somebody only looks at the release.
			s.Unknown = err.Error()
			return s, nil
		}
	}
	if len(signers) == 0 {
		s.Unknown = "nobody is named who may sign"
		return s, nil
	}
	if s.Signer, err = clone.VerifyTag(ctx, tag, signers); errors.Is(err, git.ErrBadSignature) || errors.Is(err, git.ErrKey) {
		s.Wrong = err.Error()
		return s, nil
	}
	return s, err
}
