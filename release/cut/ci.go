package cut

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// CIRoot is the folder of a bucket that builds between releases go below.
const CIRoot = "ci"

// CIRequest asks for a build of a commit between two releases.
type CIRequest struct {
	Repo   forge.RepoName `json:"repo"`
	Branch string         `json:"branch"`           // empty: the default branch
	Commit string         `json:"commit,omitempty"` // empty: the branch's tip
	// Fast builds for linux/amd64 alone, and raises latest-fast alone.
	Fast bool `json:"fast,omitempty"`
	// BuildDir is a folder on this machine that holds what was built already.
	BuildDir string `json:"build_dir,omitempty"`
	// Bucket is the URL of another bucket; the platform's own if empty. It must
	// hold no secret, as it is recorded.
	Bucket string `json:"bucket,omitempty"`
	Root   string `json:"root,omitempty"`   // folder in the bucket; CIRoot if empty
	Suffix string `json:"suffix,omitempty"` // of the version
	// Markers are raised besides the usual ones; NoMarkers raises none.
	Markers   []string `json:"markers,omitempty"`
	NoMarkers bool     `json:"no_markers,omitempty"`
	// AllowDuplicate takes a version that is there already for granted.
	AllowDuplicate bool `json:"allow_duplicate,omitempty"`
	// Images builds the project's images, too, and pushes them to the staging
	// part of the registry; ValidateImages looks for each of them there.
	Images         bool   `json:"images,omitempty"`
	ValidateImages bool   `json:"validate_images,omitempty"`
	Mock           bool   `json:"mock,omitempty"`
	Actor          string `json:"actor"`
}

// folder is where the builds of the repository lie.
func (r CIRequest) folder() string {
	p := path.Join(r.Root, r.Repo.Owner, r.Repo.Name)
	if r.Mock {
		p = "mock/" + p
	}
	return p
}

// key names what two runs at once would do twice.
func (r CIRequest) key() string {
	return strings.Join([]string{"ci", r.Repo.String(), r.Branch, r.Commit, fmt.Sprint(r.Fast), r.Suffix, r.Bucket, r.Root}, " ")
}

// validate reports a request that cannot be answered, and fills in defaults.
func (r *CIRequest) validate() error {
	if r.Root == "" {
		r.Root = CIRoot
	}
	for part := range strings.SplitSeq(r.Root, "/") {
		if err := artifact.CheckName(part); err != nil {
			return fmt.Errorf("root %q: write a folder of the bucket, such as ci", r.Root)
		}
	}
	if slices.Contains([]string{stageRoot, releaseRoot, archiveRoot, "mock"}, strings.Split(r.Root, "/")[0]) {
		return fmt.Errorf("root %q holds what belongs to releases: choose another, such as ci", r.Root)
	}
	if r.BuildDir != "" && !filepath.IsAbs(r.BuildDir) {
		return fmt.Errorf("folder %q of what was built: write its whole path", r.BuildDir)
	}
	if r.BuildDir != "" && r.Images {
		return errors.New("images are made of what is built here, not of a folder: choose one of both")
	}
	if u, err := url.Parse(r.Bucket); err != nil || u.User != nil {
		return errors.New("the bucket's URL cannot be read, or holds a password, which would be recorded")
	}
	_, err := release.CIMarkerNames(release.Version{}, r.Fast, r.Markers)
	return err
}

// CI records a run that builds a commit and puts it into the bucket. Drive makes
// it happen.
func (s *Service) CI(ctx context.Context, r CIRequest) (flow.Run, error) {
	if err := r.validate(); err != nil {
		return flow.Run{}, err
	}
	if r.Branch == "" {
		t, err := s.locate(ctx, r.Repo)
		if err != nil {
			return flow.Run{}, err
		}
		r.Branch = t.DefaultBranch
	}
	return s.start(ctx, s.ci.def, r.key(), r, r.Mock, r.Actor)
}

// CIResult is the build that a run put into the bucket; false while it has not.
func (s *Service) CIResult(ctx context.Context, id string) (CIBuild, bool, error) {
	return flow.Result(ctx, s.Engine, id, s.ci.build)
}

// CIBuild is a build in the bucket.
type CIBuild struct {
	Version string `json:"version"`
	Prefix  string `json:"prefix"` // folder in the bucket
	Files   int    `json:"files"`
}

// ciFlow is the flow that builds a commit between releases.
type ciFlow struct {
	def   *flow.Definition
	plan  flow.Value[Plan]
	build flow.Value[CIBuild]
}

// ciJob is a request and what was decided for it.
type ciJob struct {
	Request CIRequest `json:"request"`
	Plan    Plan      `json:"plan"`
}

// prefix is the folder of the build.
func (j ciJob) prefix() string {
	return path.Join(j.Request.folder(), release.Folder(j.Plan.BuildVersion))
}

// ciProduct is a job and what was made for it.
type ciProduct struct {
	Job       ciJob               `json:"job"`
	Artifacts []artifact.Artifact `json:"artifacts"`
}

// defineCI is the order of all work of a build between releases. Files are in
// the bucket, whole, before a marker names them.
func (s *Service) defineCI() ciFlow {
	d := flow.Define("ci", 1)
	request := flow.Param[CIRequest](d)

	// Which commit, and how does that very commit want to be built?
	where := flow.Add(d, outside(s, "options", "Check the request", s.checkCI), request)
	found := flow.Add(d, outside(s, "branch", "Read the branch and pin the commit", s.findSource), where)
	project := flow.Add(d, outside(s, "project", "Read the release configuration", s.readProject), found)

	// What is it called? A name that is taken is not taken twice unawares.
	named := flow.Add(d, outside(s, "version", "Name the build", s.nameBuild),
		flow.Combine3(request, found, project, func(r CIRequest, src source, p Project) ciChoice { return ciChoice{r, choice{src, p}} }))
	job := flow.Combine2(request, named, func(r CIRequest, p Plan) ciJob { return ciJob{r, p} })
	free := flow.Add(d, outside(s, "duplicate", "Look for an earlier build", s.checkDuplicate), job)

	// A checkout of our own; programs and archives, which must be what was asked for.
	ready := flow.Add(d, leaving(inside("prerequisites", "Check tools and disk space", s.checkTools), s.toolsChecked), named, free)
	ground := flow.Combine2(named, where, func(p Plan, t target) site { return site{p, t.CloneURL} })
	workspace := flow.Add(d, leaving(outside(s, "workspace", "Prepare a workspace", s.prepareWorkspace), s.workspaceKept), ground, ready)
	compile := leaving(inside("build", "Build the archives", s.buildCI), s.filesKept)
	compile.Silence = buildSilence
	built := flow.Add(d, compile, flow.Combine2(job, ground, func(j ciJob, at site) ciSite { return ciSite{j, at} }), workspace)
	product := flow.Combine2(job, built, func(j ciJob, a []artifact.Artifact) ciProduct { return ciProduct{j, a} })
	verified := flow.Add(d, inside("verify", "Verify what was built", s.verifyCI), product)

	// Images, by digest, to where nobody looks for a release.
	pushed := flow.Add(d, outside(s, "images", "Build and stage the images", s.imagesOfCI), product, verified)
	checked := flow.Add(d, outside(s, "validate-images", "Look for the images in the registry", s.validateImages),
		flow.Combine2(job, pushed, func(j ciJob, i []Image) ciImages { return ciImages{j, i} }))

	// The files, their sums among them, and the manifest last; then the markers.
	summed := flow.Add(d, leaving(inside("sums", "Write the checksums", s.sumsOfCI), s.filesKept), product, verified)
	stored := flow.Add(d, outside(s, "push", "Push to the bucket", s.pushCI),
		flow.Combine2(job, summed, func(j ciJob, a []artifact.Artifact) ciProduct { return ciProduct{j, a} }), checked)
	flow.Add(d, public(s, "markers", "Raise the markers", s.ciMarkersRaised, s.raiseCIMarkers), job, stored)
	return ciFlow{def: d, plan: named, build: stored}
}

// inBucket calls f with a service whose bucket is that of the request.
func (s *Service) inBucket(ctx context.Context, address string, f func(*Service) error) (err error) {
	if address == "" {
		return f(s)
	}
	if s.OpenBucket == nil {
		return flow.Permanent(errors.New("no other bucket than the platform's own can be opened here: leave --bucket out"))
	}
	var b *blob.Bucket
	if b, err = s.OpenBucket(ctx, address); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	other := *s
	other.Bucket = b
	return f(&other)
}
