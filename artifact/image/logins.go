package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/google/go-containerregistry/pkg/authn"
)

// mostLogins bounds the file of credentials, in bytes.
const mostLogins = 4 << 20

// Logins finds the credentials that docker login, podman login and skopeo login
// left. The library knows most of their places, but not the one where podman and
// skopeo put them when $XDG_RUNTIME_DIR is not set: /run/containers/UID/auth.json.
// Source: containers-auth.json(5).
func Logins() authn.Keychain {
	return authn.NewMultiKeychain(authn.DefaultKeychain, loginFile(fmt.Sprintf("/run/containers/%d/auth.json", os.Getuid())))
}

// loginFile is a file that podman login wrote.
type loginFile string

// Resolve implements authn.Keychain. What is said of a repository, or of a folder
// of them, goes before what is said of the registry.
func (file loginFile) Resolve(r authn.Resource) (_ authn.Authenticator, err error) {
	f, err := os.Open(string(file))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return authn.Anonymous, nil // nobody logged in, or somebody else
	}
	if err != nil {
		return nil, fmt.Errorf("reading the logins of podman: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var logins struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.NewDecoder(io.LimitReader(f, mostLogins)).Decode(&logins); err != nil {
		return nil, fmt.Errorf("%s cannot be read (log in again): %w", file, err)
	}
	for of := r.String(); of != "." && of != "/"; of = path.Dir(of) {
		if login, ok := logins.Auths[of]; ok && login != (authn.AuthConfig{}) {
			return authn.FromConfig(login), nil
		}
	}
	return authn.Anonymous, nil
}
