package cut

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"seaworthy/artifact"
	"seaworthy/artifact/image"
	"seaworthy/artifact/promote"
	"seaworthy/artifact/sign"
	"seaworthy/artifact/transfer"
	"seaworthy/flow"
	"seaworthy/forge"
)

// Registry is where a release's images go.
type Registry struct {
	// Address is the host, and what comes before the repositories' names:
	// registry.example.org/team. It is asked for each time, as the embedded
	// registry may move between two runs of the process.
	Address func() string
	// Keychain has the credentials to push; those of docker login when nil.
	Keychain authn.Keychain
}

// Image is one container image of a release. Paths are below the registry's
// address.
type Image struct {
	Name      string              `json:"name"` // in the project's configuration
	Digest    artifact.Digest     `json:"digest"`
	Platforms []artifact.Platform `json:"platforms"`
	Staged    string              `json:"staged"`
	Public    string              `json:"public"`
	Bases     []image.Base        `json:"bases,omitempty"`
}

// Folders of a repository's images that are not released.
const (
	stagingImages = "staging"
	mockImages    = "mock"
)

// imagePath is where an image of a repository lies below the registry. The one
// that bears the repository's own name needs no folder.
func imagePath(repo forge.RepoName, folder, image string) string {
	if image == strings.ToLower(repo.Name) && folder == "" {
		image = ""
	}
	return strings.ToLower(path.Join(repo.Owner, repo.Name, folder, image))
}

// imageTag is a version as a tag, which may hold no plus.
func imageTag(version string) string {
	return strings.NewReplacer("+", "-", "/", "-").Replace(version)
}

// stageImages builds the images and pushes them to the staging part of the
// registry, where nobody looks for a release.
func (s *Service) stageImages(ctx context.Context, in product) (staged []Image, err error) {
	specs := in.Plan.Project.Images
	if len(specs) == 0 {
		return []Image{}, flow.Skip("the project has no images")
	}
	if s.Registry.Address == nil {
		return nil, flow.Permanent(errors.New("the project has images, and there is no registry to push them to"))
	}
	dir := filepath.Join(s.runDir(ctx), "images-of")
	unpacked, err := s.unpackPrograms(ctx, in, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for i, spec := range specs {
		flow.Progress(ctx, "%d of %d images", i, len(specs))
		one, err := s.stageImage(ctx, in.Plan, spec, unpacked)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", spec.Name, err)
		}
		flow.Mark(ctx, "staged %s", spec.Name)
		staged = append(staged, one)
	}
	flow.Progress(ctx, "%s", imageCount(len(staged)))
	return staged, nil
}

func (s *Service) stageImage(ctx context.Context, p Plan, spec artifact.ImageSpec, built programs) (one Image, err error) {
	platforms := spec.Platforms
	if len(platforms) == 0 {
		platforms = linuxOf(p.Project.Build.Platforms)
	}
	index, err := image.Build(ctx, image.Request{Spec: spec, Platforms: platforms, Project: p.Project.Name, Version: p.Version().String(), Revision: p.Commit,
		Source: p.Source, Created: p.CommitTime, Built: built, Folders: []string{s.checkoutDir(ctx)}, Remote: s.remote(), Work: s.runDir(ctx)})
	if err != nil {
		// A base may be out of reach for a moment; the rest stays as it is.
		return Image{}, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	folder := stagingImages
	if flow.Mock(ctx) {
		folder = path.Join(mockImages, stagingImages)
	}
	done := index.Built()
	one = Image{Name: spec.Name, Digest: done.Digest, Bases: done.Bases,
		Staged: imagePath(p.Repo, folder, spec.Name), Public: imagePath(p.Repo, "", spec.Name)}
	for _, b := range done.Platforms {
		one.Platforms = append(one.Platforms, b.Platform)
	}
	repository := path.Join(s.Registry.Address(), one.Staged)
	if err := index.Push(ctx, repository, []string{imageTag(p.BuildVersion)}, s.remote()); err != nil {
		return Image{}, err
	}
	flow.Logf(ctx, "%s@%s", repository, one.Digest)
	return one, nil
}

func linuxOf(platforms []artifact.Platform) []artifact.Platform {
	var linux []artifact.Platform
	for _, p := range platforms {
		if p.OS == "linux" {
			linux = append(linux, p)
		}
	}
	return linux
}

func (s *Service) remote() image.Remote { return image.Remote{Keychain: s.Registry.Keychain} }

// remoteOptions are those of the library the signatures are attached with.
func (s *Service) remoteOptions(ctx context.Context) []remote.Option {
	keys := s.Registry.Keychain
	if keys == nil {
		keys = image.Logins()
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithTransport(image.Bounded{Inner: remote.DefaultTransport})}
}

func imageCount(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}

// released is where an image is published: a rehearsal has a place of its own.
func (s staged) released(i Image) string {
	if s.Mock {
		return imagePath(s.repo(), mockImages, i.Name)
	}
	return i.Public
}

// shipped is what readers find in the registry.
type shipped struct {
	Images int `json:"images"`
}

// imagesThere looks whether every image has its tag, and that it is the staged
// digest. A published tag is never moved.
func (s *Service) imagesThere(ctx context.Context, st staged) (shipped, bool, error) {
	done := shipped{Images: len(st.Record.Images)}
	if done.Images == 0 {
		return done, false, nil // promoteImages says so
	}
	for _, i := range st.Record.Images {
		reference, err := name.NewTag(path.Join(s.Registry.Address(), st.released(i)) + ":" + imageTag(st.version().String()))
		if err != nil {
			return done, false, flow.Permanent(fmt.Errorf("naming the image %s: %w", i.Name, err))
		}
		have, err := remote.Head(reference, s.remoteOptions(ctx)...)
		var answer *transport.Error
		switch {
		case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
			return done, false, nil
		case err != nil:
			return done, false, fmt.Errorf("looking for %s: %w", reference, err)
		case have.Digest.String() != string(i.Digest) && st.Mock:
			return done, false, nil
		case have.Digest.String() != string(i.Digest):
			return done, false, flow.Permanent(fmt.Errorf("%s is published already, as %s, and a published tag is never moved", reference, have.Digest))
		}
	}
	// That they are signed, too, is for the promotion to see: it makes up for
	// what is missing.
	return done, len(st.Record.Images) == 0, nil
}

// promoteImages copies the images by digest, signs each where it is published,
// and tags it last.
func (s *Service) promoteImages(ctx context.Context, st staged) (done shipped, err error) {
	done.Images = len(st.Record.Images)
	if done.Images == 0 {
		return done, flow.Skip("the release has no images")
	}
	journal, err := transfer.OpenJournal(filepath.Join(s.runDir(ctx), "images"))
	if err != nil {
		return done, fmt.Errorf("opening the journal of images: %w", err)
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	options := transfer.Options{Registries: transfer.NewRegistries(transfer.RegistryOptions{Keychain: s.Registry.Keychain}),
		Journal: journal, Folder: s.runDir(ctx), SignAll: true,
		Report: func(o transfer.Outcome) { flow.Logf(ctx, "%s@%s", o.Source, o.Digest) }}
	if s.Signer != nil {
		options.Signers = []transfer.Signer{imageSigner{s, st}}
	}
	var manifests []promote.Manifest
	for _, i := range st.Record.Images {
		manifests = append(manifests, s.manifestOf(st, i))
	}
	p, err := transfer.Prepare(ctx, manifests, options)
	if err != nil {
		return done, err
	}
	for _, r := range p.Plan.Refusals {
		return done, flow.Permanent(fmt.Errorf("image %s: %s", r.Image, r.Why))
	}
	result, err := p.Run(ctx)
	if err != nil {
		return done, err
	}
	for _, o := range result.Outcomes {
		for _, f := range o.Failures {
			return done, fmt.Errorf("image %s: %s", f.Destination, f.Why)
		}
	}
	flow.Progress(ctx, "%s, %d requests", imageCount(done.Images), result.Traffic.Requests)
	return done, nil
}

// manifestOf asks for one image's promotion.
func (s *Service) manifestOf(st staged, i Image) promote.Manifest {
	from, to := path.Join(s.Registry.Address(), i.Staged), path.Join(s.Registry.Address(), st.released(i))
	source, image := path.Split(from) // the last part is the same in both
	return promote.Manifest{File: "stage.json", ImagesFile: "stage.json", Project: i.Name,
		Registries: []promote.Registry{{Name: path.Clean(source), Source: true}, {Name: path.Dir(to)}},
		Images:     []promote.Image{{Name: image, Entries: []promote.Entry{{Digest: i.Digest, Tags: []string{imageTag(st.version().String())}}}}},
	}
}

// imageSigner signs what is promoted, and attaches how it was made.
type imageSigner struct {
	s  *Service
	st staged
}

// SignImage implements transfer.Signer.
func (g imageSigner) SignImage(ctx context.Context, image, _ name.Digest) error {
	o := sign.ImageOptions{Remote: g.s.remoteOptions(ctx), Recursive: true, Created: g.st.Record.Plan.CommitTime}
	if _, err := sign.Image(ctx, g.s.Signer, image, o); err != nil {
		return err
	}
	statement, err := g.s.statement(ctx, g.st)
	if err != nil {
		return err
	}
	_, err = sign.Attach(ctx, g.s.Signer, image, statement, o)
	return err
}
