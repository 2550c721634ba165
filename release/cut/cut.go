package cut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact/packages"
	"seaworthy/artifact/sign"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/notes"
)

// Forge is what a release needs to know of a repository.
type Forge interface {
	Repo(ctx context.Context, repo forge.RepoName) (forge.Repo, error)
	Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error)
	CreateBranch(ctx context.Context, repo forge.RepoName, name, sha string) error
}

// Pages holds the release pages.
type Pages interface {
	Releases(ctx context.Context, repo forge.RepoName) ([]forge.Release, error)
	CreateRelease(ctx context.Context, repo forge.RepoName, n forge.NewRelease) (forge.Release, error)
	EditRelease(ctx context.Context, repo forge.RepoName, id int64, e forge.EditRelease) (forge.Release, error)
	UploadAsset(ctx context.Context, repo forge.RepoName, releaseID int64, name, contentType string, size int64, r io.Reader) (forge.Asset, error)
	DeleteRelease(ctx context.Context, repo forge.RepoName, id int64) error
	DeleteAsset(ctx context.Context, repo forge.RepoName, id int64) error
	DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error)
}

// Options are what a Service works with.
type Options struct {
	Forge Forge
	Pages Pages
	// Pulls knows the pull requests whose notes are collected; nil makes
	// notes of commit subjects.
	Pulls notes.Forge
	Git   *git.Cache
	// Address brings up to date the address of a repository as it was when a
	// run began, for a forge that has moved since; nil leaves it as it is.
	Address func(url string) string
	// Auth is the credential for fetching and pushing.
	Auth   git.Auth
	Bucket *blob.Bucket
	Engine *flow.Engine
	// Project returns a repository's release configuration at a commit.
	Project func(ctx context.Context, repo forge.RepoName, commit string) (Project, error)
	// Gates collects the evidence a release is judged by. A gate whose facts
	// could not be had is release.UnknownGate, not an error. Nil has none,
	// and then only a rehearsal, where demanded, is judged.
	Gates func(ctx context.Context, p Plan) ([]release.Gate, error)
	// Evidence collects the facts of a release and keeps verdicts; nil leaves
	// it to Gates.
	Evidence Evidence
	// Tracker and Changes hold issues, milestones and pull requests; without
	// them a release has no issue, and nothing of the kind follows it.
	Tracker Tracker
	Changes Changes
	// Protections are those of branches; nil has none.
	Protections Protections
	// Branching plans all that a release branch gets; nil creates it and nothing
	// more.
	Branching func(ctx context.Context, repo forge.RepoName, commit string, series release.Series) (release.BranchPlan, error)
	// Mailer sends announcements; nil sends none.
	Mailer Mailer
	// DownloadURL is where people find the files of a version; nil leaves
	// links out of the changelog.
	DownloadURL func(repo forge.RepoName, version string) string
	// PageURL is the address of a version's release page; nil leaves it out of
	// the announcement.
	PageURL func(repo forge.RepoName, version string) string
	// SourceURL is the address of a repository as provenance and images name
	// it; on this machine when nil.
	SourceURL func(repo forge.RepoName) string
	// Registry is where images go; without one a project with images cannot be
	// released.
	Registry Registry
	// Signer signs what is released, and Verifier knows its signatures again.
	// Nil signs nothing.
	Signer   sign.Signer
	Verifier *sign.Verifier
	// PublicKey, in PEM, is that of Signer, to be published beside the markers;
	// nil leaves it to whoever publishes it elsewhere.
	PublicKey []byte
	// Destination names where releases go, for a place that may change: a
	// rehearsal counts only for the one it was made against.
	Destination string
	// Packagers are the keys that packages carry.
	Packagers packages.Signers
	// TagKey loads the private key that tags are signed with by its address in
	// the project's configuration, "" for the platform's own; nil without an
	// error if there is none. Nil has no keys.
	TagKey func(ctx context.Context, address string) ([]byte, error)
	// Builder is the URI that names this machinery in provenance.
	Builder string
	// Version of the program, for provenance.
	Version string
	// NewID names a run of a flow; nil leaves it to the engine.
	NewID func(flow string) string
	// WorkDir takes one folder per run. Its parent must exist.
	WorkDir string
	// BuildCache names folders shared between builds; see build.Request.
	BuildCache map[string]string
	// Space is the free space, in bytes, that staging wants in WorkDir;
	// 1 GiB when zero, no check when negative.
	Space int64
	// Retry is for steps that talk to the outside; 4 attempts from 2 s when
	// zero.
	Retry flow.Retry
	// OpenBucket opens the bucket of a URL for builds that go elsewhere; the
	// caller closes it. Nil knows the platform's own only.
	OpenBucket func(ctx context.Context, address string) (*blob.Bucket, error)
	// Exclusive waits until nobody else holds the name, and holds it until what
	// it returns is called. Nil excludes others of this process.
	Exclusive func(ctx context.Context, name string) (func(), error)
}

// Service makes releases.
type Service struct {
	Options
	stage  stageFlow
	cut    cutFlow
	branch branchFlow
	ff     fastForwardFlow
	ci     ciFlow
}

// New returns a service, whose definitions are checked.
func New(o Options) (*Service, error) {
	for name, missing := range map[string]bool{"Forge": o.Forge == nil, "Pages": o.Pages == nil, "Git": o.Git == nil,
		"Bucket": o.Bucket == nil, "Engine": o.Engine == nil, "Project": o.Project == nil, "WorkDir": o.WorkDir == ""} {
		if missing {
			return nil, fmt.Errorf("releases cannot be made without %s", name)
		}
	}
	if o.Retry == (flow.Retry{}) {
		o.Retry = flow.Retry{Attempts: 4, Base: 2 * time.Second, Cap: 30 * time.Second}
	}
	if o.Address == nil {
		o.Address = func(url string) string { return url }
	}
	if o.SourceURL == nil {
		o.SourceURL = func(repo forge.RepoName) string { return "https://localhost/" + repo.String() }
	}
	if o.Exclusive == nil {
		o.Exclusive = exclusiveHere()
	}
	if o.Builder == "" {
		o.Builder = "urn:seaworthy:builder"
	}
	if (o.Signer == nil) != (o.Verifier == nil) {
		return nil, errors.New("releases are signed and verified, or neither: set Signer and Verifier")
	}
	if o.Space == 0 {
		o.Space = 1 << 30
	}
	s := &Service{Options: o}
	s.stage, s.cut, s.branch, s.ff = s.defineStage(), s.defineCut(), s.defineBranch(), s.defineFastForward()
	s.ci = s.defineCI()
	for _, d := range s.Definitions() {
		if err := d.Check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Definitions returns the flows: stage, cut, branch, ff, ci.
func (s *Service) Definitions() []*flow.Definition {
	return []*flow.Definition{s.stage.def, s.cut.def, s.branch.def, s.ff.def, s.ci.def}
}

// lasting marks errors of the forge that trying again does not mend.
func lasting(err error) error {
	for _, e := range []error{forge.ErrUnauthorized, forge.ErrForbidden, forge.ErrInvalid, forge.ErrNotFound, git.ErrMissing} {
		if errors.Is(err, e) {
			return flow.Permanent(err)
		}
	}
	return err
}

// Folders of the bucket.
const (
	stageRoot   = "stage"
	releaseRoot = "release"
	archiveRoot = "archive"
)

// folder is where a version of a repository lies in the bucket.
func folder(mock bool, root string, repo forge.RepoName, version string) string {
	p := path.Join(root, repo.Owner, repo.Name, release.Folder(version))
	if mock {
		p = "mock/" + p
	}
	return p
}

func short(commit string) string { return commit[:min(12, len(commit))] }

func versionList(versions []release.Version) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = v.String()
	}
	return strings.Join(names, " and ")
}
