package registry

import (
	"net/http"
	"regexp"
	"strings"

	"seaworthy/artifact"
)

// The grammar of names and tags, from the distribution specification.
var (
	nameGrammar = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// maxName bounds the name of a repository. It is part of a file's name where
// the bucket is a folder, with room for what is appended while it is written.
const maxName = 230

func checkName(name string) error {
	if len(name) > maxName {
		return refuse(http.StatusBadRequest, codeNameInvalid, "the name of a repository has at most %d characters", maxName)
	}
	if !nameGrammar.MatchString(name) {
		return refuse(http.StatusBadRequest, codeNameInvalid,
			"%q cannot be the name of a repository: write lower-case letters, digits, single '.', '_', '-' between them, and '/'", name)
	}
	return nil
}

func checkTag(tag string) error {
	if !tagGrammar.MatchString(tag) {
		return refuse(http.StatusBadRequest, codeTagInvalid, "%q cannot be a tag: write up to 128 letters, digits, '_', '.' and '-', and begin with none of the last two", tag)
	}
	return nil
}

func parseDigest(s string) (artifact.Digest, error) {
	d, err := artifact.ParseDigest(s)
	if err != nil {
		return "", refuse(http.StatusBadRequest, codeDigestInvalid, "%v", err)
	}
	return d, nil
}

// kind is what a path is about.
type kind int

const (
	kindNone kind = iota
	kindRoot
	kindToken
	kindCatalog
	kindTags
	kindManifest
	kindBlob
	kindUploads
	kindUpload
	kindReferrers
)

// target is what a path means. The name and the rest are not checked yet.
type target struct {
	kind kind
	repo string
	rest string // reference, digest or upload
}

// parsePath reads a path. It is read from its end, because the name of a
// repository may contain the words that follow it.
func parsePath(path string) target {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok || rest != "" && rest[0] != '/' {
		return target{}
	}
	switch rest {
	case "", "/":
		return target{kind: kindRoot}
	case "/token":
		return target{kind: kindToken}
	case "/_catalog":
		return target{kind: kindCatalog}
	}
	s := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	n := len(s)
	at := func(k kind, words int, rest string) target {
		return target{k, strings.Join(s[:n-words], "/"), rest}
	}
	switch {
	case n >= 4 && s[n-3] == "blobs" && s[n-2] == "uploads" && s[n-1] == "":
		return at(kindUploads, 3, "")
	case n >= 4 && s[n-3] == "blobs" && s[n-2] == "uploads":
		return at(kindUpload, 3, s[n-1])
	case n >= 3 && s[n-2] == "blobs" && s[n-1] == "uploads":
		return at(kindUploads, 2, "")
	case n >= 3 && s[n-2] == "tags" && s[n-1] == "list":
		return at(kindTags, 2, "")
	case n >= 3 && s[n-2] == "manifests":
		return at(kindManifest, 2, s[n-1])
	case n >= 3 && s[n-2] == "blobs":
		return at(kindBlob, 2, s[n-1])
	case n >= 3 && s[n-2] == "referrers":
		return at(kindReferrers, 2, s[n-1])
	}
	return target{}
}
