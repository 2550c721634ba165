package scan

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"seaworthy/artifact/sbom"
)

// Options say how to look, and what is known beforehand about the thing looked
// at. The zero value looks at everything.
type Options struct {
	Name     string     // of what is scanned; found out if empty
	Version  string     // empty: not known
	Supplier sbom.Actor // who hands it out; found out where possible
	Download string     // where it can be fetched
	Created  time.Time  // when the document is made

	Ignore       []string // patterns as in .gitignore, relative to the folder
	NoGitignore  bool     // .gitignore and .git/info/exclude are not honoured
	NoGoModules  bool     // Go modules that a folder needs are not looked for
	NoTransitive bool     // only modules that the folder itself names
	NoLicenses   bool     // texts are not searched for licences
	ImageFiles   bool     // every file of an image is listed, not only packages and programs

	ModuleCache string // Go's module cache; found by GOMODCACHE, GOPATH or HOME if empty
	// Transport reaches registries; remote.DefaultTransport if nil.
	Transport http.RoundTripper
	// Keychain has the credentials; those of docker login if nil.
	Keychain authn.Keychain
	Licenses *Licenses // kept from an earlier scan; made if nil
	Limits   Limits
}

// Limits bound what an archive or an image may unpack to. Zero values mean the
// defaults given.
type Limits struct {
	Bytes   int64 // of all entries together: 32 GiB
	Entries int   // files, folders, links: 2,000,000
	Ratio   int64 // unpacked to packed bytes, once 64 MiB are unpacked: 200
	Depth   int   // archives within archives that are opened: 1
}

// ErrLimit: an archive unpacks to more than is allowed.
var ErrLimit = errors.New("more than is allowed")

// ErrBroken: what was to be scanned is damaged or of no known form.
var ErrBroken = errors.New("cannot be read")

func (o Options) complete() (Options, error) {
	if o.Licenses == nil && !o.NoLicenses {
		l, err := NewLicenses()
		if err != nil {
			return o, err
		}
		o.Licenses = l
	}
	if o.Limits.Bytes == 0 {
		o.Limits.Bytes = 32 << 30
	}
	if o.Limits.Entries == 0 {
		o.Limits.Entries = 2_000_000
	}
	if o.Limits.Ratio == 0 {
		o.Limits.Ratio = 200
	}
	if o.Limits.Depth == 0 {
		o.Limits.Depth = 1
	}
	if o.ModuleCache == "" {
		o.ModuleCache = moduleCache()
	}
	return o, nil
}

// moduleCache is where the go command keeps modules; empty if nobody can tell.
func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if list := filepath.SplitList(os.Getenv("GOPATH")); len(list) > 0 && list[0] != "" {
		return filepath.Join(list[0], "pkg", "mod")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, "go", "pkg", "mod")
	}
	return ""
}

// begin makes the document of a scan.
func (o Options) begin(name string) sbom.Document {
	return sbom.Document{Name: strings.TrimSpace(name + " " + o.Version), Created: o.Created.UTC().Truncate(time.Second)}
}

// workers is how many goroutines look at files at the same time.
func workers() int { return runtime.GOMAXPROCS(0) }

// failed tells what was being scanned when something went wrong.
func failed(what string, err error) error { return fmt.Errorf("scanning %s: %w", what, err) }
