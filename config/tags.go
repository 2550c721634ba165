package config

import (
	"path/filepath"
	"regexp"
	"strings"

	"seaworthy/strict"
)

// Tags is how a release's tags are signed.
type Tags struct {
	Sign string `json:"sign" enum:"auto,none,ssh,gpg" doc:"Whether tags are signed: auto does with the key there is, ssh and gpg stage nothing without one of that kind."`
	Key  string `json:"key" doc:"Private key without a passphrase that tags are signed with, OpenSSH or armoured OpenPGP: env://NAME, of a variable that begins with SEAWORTHY_, or a file's absolute path. SEAWORTHY_TAG_KEY of the platform if empty."`

	Lines strict.Lines `json:"-"`
}

// TagKeyVariable is the environment variable that holds the key of a platform
// whose projects name none.
const TagKeyVariable = "SEAWORTHY_TAG_KEY"

// A configuration may point at variables made for this and at no others: what
// else is in the platform's environment is none of a project's business.
var keyVariable = regexp.MustCompile(`^env://SEAWORTHY_[A-Z0-9_]+$`)

func (c *checker) tagSigning(t Tags) {
	switch {
	case t.Key == "":
	case t.Sign == "none":
		c.fail(t.Lines.Of("key"), "key: no tag is signed with it while sign is none: remove one of them")
	case strings.HasPrefix(t.Key, "env://") && !keyVariable.MatchString(t.Key):
		c.fail(t.Lines.Of("key"), "key %q: write env:// and a variable that begins with SEAWORTHY_, such as env://%s", t.Key, TagKeyVariable)
	case !strings.HasPrefix(t.Key, "env://") && !filepath.IsAbs(t.Key):
		c.fail(t.Lines.Of("key"), "key %q: write env://%s, or the absolute path of a file on the platform; a private key is never in the repository", t.Key, TagKeyVariable)
	}
}
