package local

import (
	"context"
	"errors"
	"fmt"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

// Access is what an account may do to a repository's content, for what is
// served beside the forge and belongs to its repositories.
type Access struct {
	Read  bool // as cloning
	Write bool // as pushing
	Admin bool // as removing it
}

// TokenLogin returns the login of the account that a token is of. A token that
// is no account's is forge.ErrNotFound.
func (f *Forge) TokenLogin(ctx context.Context, token string) (string, error) {
	a, err := f.store.Read().AccountByToken(ctx, hashToken(token))
	if err != nil {
		return "", translate("looking up a token", err)
	}
	return a.Login, nil
}

// Access returns what git would let an account do in a repository; the empty
// login is somebody unknown. Nobody but administrators may do anything where
// there is no such repository.
func (f *Forge) Access(ctx context.Context, login string, name forge.RepoName) (Access, error) {
	what := fmt.Sprintf("asking what %q may do in %s", login, name)
	q := f.store.Read()
	var a hosted.Account
	if login != "" {
		var err error
		if a, err = q.Account(ctx, login); errors.Is(err, hosted.ErrNotFound) {
			a = hosted.Account{} // it was removed, and is nobody now
		} else if err != nil {
			return Access{}, translate(what, err)
		}
	}
	repo, err := q.Repo(ctx, name.Owner, name.Name)
	if errors.Is(err, hosted.ErrNotFound) {
		return Access{Read: a.Admin, Write: a.Admin, Admin: a.Admin}, nil
	}
	if err != nil {
		return Access{}, translate(what, err)
	}
	have, err := rightIn(ctx, q, repo, a)
	if err != nil {
		return Access{}, translate(what, err)
	}
	return Access{Read: have >= canRead, Write: have >= canWrite && !repo.Archived, Admin: have >= canAdmin && !repo.Archived}, nil
}
