package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"seaworthy/artifact"
	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/release"
)

// Pages are what everybody can see and download of a release.
type Pages interface {
	Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error)
	DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error)
}

// Tag is a tag as the repository has it.
type Tag struct {
	Commit    string // full id
	Annotated bool
	Signature TagSignature
}

// TagSignature is what came of looking at a tag's signature.
type TagSignature struct {
	Format  string // "ssh" or "openpgp"; empty if the tag is not signed
	Unknown string // why there is nobody to hold it against; empty if there is
	Signer  string // who signed it, as the verifying program says
	Wrong   string // why it does not hold; empty if it does
}

// Options say what a release is held against.
type Options struct {
	Pages Pages
	// Tag looks a tag up; the error wraps ErrNoTag if there is none.
	Tag func(ctx context.Context, repo forge.RepoName, tag string) (Tag, error)
	// Prefix stands before the version in a tag; "v" if empty.
	Prefix string
	// Verifier knows whose signatures count. Without one signatures are not
	// checked, and every check of them says so.
	Verifier *sign.Verifier
	// Registry is the address that images are below; images are passed over
	// when empty.
	Registry string
	Remote   []remote.Option
	// Marker reads a marker of the repository, empty if it is not there; nil
	// passes markers over.
	Marker func(ctx context.Context, repo forge.RepoName, name string) (string, error)
}

// ErrNoTag: the repository has no such tag.
var ErrNoTag = errors.New("no such tag")

// State is what came of a check.
type State string

// States of a check.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Says  string `json:"says"` // one sentence of evidence, or what is wrong
}

// Report is everything that was found out about a release.
type Report struct {
	Repo   forge.RepoName `json:"repo"`
	Tag    string         `json:"tag"`
	Commit string         `json:"commit,omitempty"`
	OK     bool           `json:"ok"` // nothing failed
	Checks []Check        `json:"checks"`
}

// Failures are the checks that failed.
func (r Report) Failures() []Check {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.State != Failed })
}

// limit is how large a file that is read whole may be: checksums, signatures,
// statements, bills of materials.
const limit = 128 << 20

// file is an asset as it was downloaded. Small files are kept.
type file struct {
	artifact.Artifact
	content []byte
}

// inspection is a release while it is looked at.
type inspection struct {
	Options
	report Report
	page   forge.Release
	files  map[string]file
}

// Release looks at a published release. The error is for what kept it from
// looking, such as a forge that does not answer; what is wrong with the release
// is in the report.
func Release(ctx context.Context, repo forge.RepoName, tag string, o Options) (Report, error) {
	if o.Prefix == "" {
		o.Prefix = "v"
	}
	in := &inspection{Options: o, report: Report{Repo: repo, Tag: tag}, files: map[string]file{}}
	for _, look := range []func(context.Context) error{in.lookAtTag, in.lookAtPage, in.download, in.checksums, in.signatures,
		in.provenance, in.bill, in.images, in.markers} {
		if err := look(ctx); err != nil {
			return in.report, fmt.Errorf("verifying %s of %s: %w", tag, repo, err)
		}
	}
	in.report.OK = len(in.report.Failures()) == 0
	return in.report, nil
}

func (in *inspection) say(name string, s State, format string, args ...any) {
	in.report.Checks = append(in.report.Checks, Check{name, s, fmt.Sprintf(format, args...)})
}

// judge says passed with the sentence, or failed with what is wrong.
func (in *inspection) judge(name string, wrong []string, format string, args ...any) {
	if len(wrong) > 0 {
		in.say(name, Failed, "%s", strings.Join(wrong, "; "))
		return
	}
	in.say(name, Passed, format, args...)
}

// count writes a number with the word for one or for many.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (in *inspection) lookAtTag(ctx context.Context) error {
	t, err := in.Tag(ctx, in.report.Repo, in.report.Tag)
	if errors.Is(err, ErrNoTag) {
		in.say("tag", Failed, "the repository has no tag %s", in.report.Tag)
		return nil
	}
	if err != nil {
		return err
	}
	in.report.Commit = t.Commit
	if !t.Annotated {
		in.say("tag", Failed, "%s is a lightweight tag: nothing says who made it and when", in.report.Tag)
		return nil
	}
	in.say("tag", Passed, "annotated, at %s", t.Commit)
	switch s := t.Signature; {
	case s.Format == "":
		in.say("tag signature", Skipped, "the tag is not signed itself")
	case s.Wrong != "":
		in.say("tag signature", Failed, "%s", s.Wrong)
	case s.Unknown != "":
		in.say("tag signature", Skipped, "signed with %s, and not checked: %s", s.Format, s.Unknown)
	default:
		in.say("tag signature", Passed, "%s", s.Signer)
	}
	return nil
}

func (in *inspection) lookAtPage(ctx context.Context) error {
	pages, err := in.Pages.Releases(ctx, in.report.Repo)
	if err != nil {
		return fmt.Errorf("looking for its page: %w", err)
	}
	i := slices.IndexFunc(pages, func(r forge.Release) bool { return r.Tag == in.report.Tag && !r.Draft })
	if i < 0 {
		in.say("page", Failed, "there is no published page for %s", in.report.Tag)
		return nil
	}
	in.page = pages[i]
	var wrong []string
	if v, err := release.ParseVersion(in.Prefix, in.report.Tag); err != nil {
		wrong = append(wrong, err.Error())
	} else if v.Final() == in.page.Prerelease {
		wrong = append(wrong, fmt.Sprintf("it is shown as a pre-release: %t, and %s is final: %t", in.page.Prerelease, v, v.Final()))
	}
	for _, a := range in.page.Assets {
		if a.State != "" && a.State != "uploaded" {
			wrong = append(wrong, fmt.Sprintf("%s is not whole (%s)", a.Name, a.State))
		}
	}
	in.judge("page", wrong, "public, with %s", count(len(in.page.Assets), "file", "files"))
	return nil
}

// download fetches every file once, sums it up on the way, and keeps the small
// ones that others are checked by.
func (in *inspection) download(ctx context.Context) error {
	var wrong []string
	var bytes int64
	for _, a := range in.page.Assets {
		f, err := in.fetch(ctx, a)
		if err != nil {
			return err
		}
		if a.Digest != "" && a.Digest != string(f.Digest()) {
			wrong = append(wrong, fmt.Sprintf("%s downloads as %s, the page says %s", a.Name, f.Digest(), a.Digest))
		}
		if f.Size != a.Size {
			wrong = append(wrong, fmt.Sprintf("%s downloads as %d bytes, the page says %d", a.Name, f.Size, a.Size))
		}
		bytes += f.Size
		in.files[a.Name] = f
	}
	if len(in.page.Assets) == 0 {
		in.say("files", Skipped, "there are no files to download")
		return nil
	}
	in.judge("files", wrong, "%s, %s, all downloaded", count(len(in.files), "file", "files"), count(int(bytes), "byte", "bytes"))
	return nil
}

func (in *inspection) fetch(ctx context.Context, a forge.Asset) (f file, err error) {
	r, err := in.Pages.DownloadAsset(ctx, in.report.Repo, a.ID)
	if err != nil {
		return f, fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := artifact.NewHasher()
	var from io.Reader = io.TeeReader(r, h)
	if kept(a.Name) {
		if f.content, err = io.ReadAll(io.LimitReader(from, limit+1)); err == nil && len(f.content) > limit {
			err = fmt.Errorf("it is larger than %d MiB", limit>>20)
		}
	} else {
		_, err = io.Copy(io.Discard, from)
	}
	if err != nil {
		return f, fmt.Errorf("downloading %s: %w", a.Name, err)
	}
	f.Artifact = h.Artifact(a.Name, artifact.Other)
	return f, nil
}
