package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"seaworthy/artifact/registry"
	"seaworthy/forge"
	"seaworthy/forge/local"
)

// registryPath is where the container registry answers, and whatever is below.
const registryPath = "/v2/"

// openRegistry prepares the container registry over the platform's bucket.
func (a *App) openRegistry() error {
	secret, err := a.secrets.get("registry", random)
	if err != nil {
		return err
	}
	a.registry, err = registry.New(registry.Options{
		Bucket: a.Bucket, Authorizer: imageRights{a.embedded}, Secret: []byte(secret), Now: a.o.Now, Log: a.o.Log,
	})
	return err
}

// accounts are what the forge knows of people.
type accounts interface {
	TokenLogin(ctx context.Context, token string) (string, error)
	Access(ctx context.Context, login string, name forge.RepoName) (local.Access, error)
}

// imageRights lets people do with images what they may do with the repository
// that the first two parts of an image's name are. Elsewhere only
// administrators may, of whom the platform's own account is one.
type imageRights struct{ forge accounts }

// Account implements registry.Authorizer: a token is the password, or the name
// if there is no password, as with git.
func (r imageRights) Account(ctx context.Context, user, password string) (string, error) {
	token := password
	if token == "" || token == "x-oauth-basic" {
		token = user
	}
	login, err := r.forge.TokenLogin(ctx, token)
	if errors.Is(err, forge.ErrNotFound) {
		return "", registry.ErrCredentials
	}
	return login, err
}

// Allowed implements registry.Authorizer.
func (r imageRights) Allowed(ctx context.Context, account, repository string, a registry.Action) (bool, error) {
	owner, rest, _ := strings.Cut(repository, "/")
	name, _, _ := strings.Cut(rest, "/")
	may, err := r.forge.Access(ctx, account, forge.RepoName{Owner: owner, Name: name})
	if err != nil {
		return false, err
	}
	switch a {
	case registry.Pull:
		return may.Read, nil
	case registry.Push:
		return may.Write, nil
	case registry.Delete:
		return may.Admin, nil
	}
	return false, nil
}

// How often the registry is cleared of what pushes have abandoned.
const collectEvery = time.Hour

// collect clears the registry until ctx ends. Trouble with it keeps nobody from
// working.
func (a *App) collect(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		done, err := a.registry.Collect(ctx)
		if err != nil && ctx.Err() == nil {
			a.o.Log.Error("clearing the registry", "error", err)
		} else if err == nil && done != (registry.Collected{}) {
			a.o.Log.Info("cleared the registry", "uploads", done.Uploads, "blobs", done.Blobs, "files", done.Files, "bytes", done.Bytes)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
