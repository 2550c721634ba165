package cut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/release"
)

// ciChoice is what the name of a build follows from.
type ciChoice struct {
	Request CIRequest `json:"request"`
	Choice  choice    `json:"choice"`
}

// ciSite is a job and where its repository is cloned from.
type ciSite struct {
	Job ciJob `json:"job"`
	At  site  `json:"at"`
}

// ciImages are the images of a job.
type ciImages struct {
	Job    ciJob   `json:"job"`
	Images []Image `json:"images"`
}

// checkCI refuses a request that cannot be answered.
func (s *Service) checkCI(ctx context.Context, r CIRequest) (target, error) {
	if err := r.validate(); err != nil {
		return target{}, flow.Permanent(err)
	}
	t, err := s.locate(ctx, r.Repo)
	if err != nil {
		return target{}, err
	}
	if t.Branch, t.Commit = r.Branch, r.Commit; t.Branch == "" {
		t.Branch = t.DefaultBranch
	}
	return t, nil
}

// nameBuild names the build after the tags that its history holds, as git
// describe does, and says what is built.
func (s *Service) nameBuild(ctx context.Context, c ciChoice) (Plan, error) {
	src, t := c.Choice.Source, c.Choice.Source.Target
	if !slices.Contains(src.Branches, t.Branch) {
		return Plan{}, flow.Permanent(fmt.Errorf("%s has no branch %s: name one that is there", t.Repo, t.Branch))
	}
	mirror, err := s.Git.Repository(ctx, s.Address(t.CloneURL), s.Auth)
	if err != nil {
		return Plan{}, lasting(err)
	}
	v, err := ciVersion(ctx, mirror, c)
	if err != nil {
		return Plan{}, err
	}
	project := c.Choice.Project
	if c.Request.Fast {
		project = fast(project)
	}
	return Plan{Repo: t.Repo, Source: s.SourceURL(t.Repo), Branch: t.Branch, DefaultBranch: t.DefaultBranch, Commit: src.Commit, CommitTime: src.CommitTime,
		Versions: []release.Version{v}, BuildVersion: v.String(), Project: project}, nil
}

func ciVersion(ctx context.Context, repo *git.Repository, c ciChoice) (release.Version, error) {
	src := c.Choice.Source
	merged, err := repo.Git(ctx, "tag", "--list", "--merged", src.Commit)
	if err != nil {
		return release.Version{}, fmt.Errorf("looking for the tags before %s: %w", short(src.Commit), err)
	}
	state := release.State{Branch: src.Target.Branch, DefaultBranch: src.Target.DefaultBranch, Branches: src.Branches, Tags: src.Tags}
	base, err := release.BaseOfBuilds(state, strings.Fields(merged), c.Choice.Project.Policy)
	if err != nil {
		return release.Version{}, flow.Permanent(err)
	}
	span := src.Commit
	if base.Since != "" {
		span = "refs/tags/" + base.Since + ".." + src.Commit
	}
	commits, err := repo.CountCommits(ctx, span)
	if err != nil {
		return release.Version{}, fmt.Errorf("counting the commits since %s: %w", base.Since, err)
	}
	v, err := release.CIVersion(base, commits, src.Commit, c.Request.Suffix)
	if err != nil {
		return v, flow.Permanent(err)
	}
	flow.Progress(ctx, "%s", v)
	return v, nil
}

// fast leaves nothing but linux/amd64 of a project that is built by platform.
func fast(p Project) Project {
	only := []artifact.Platform{{OS: "linux", Arch: "amd64"}}
	if len(p.Build.Platforms) > 0 {
		p.Build.Platforms = only
	}
	p.Images = slices.Clone(p.Images)
	for i := range p.Images {
		p.Images[i].Platforms = only
	}
	return p
}

// checkDuplicate refuses to build a version that is there, unless that was
// asked for; and in any case one that was built from another commit.
func (s *Service) checkDuplicate(ctx context.Context, j ciJob) (flow.Nothing, error) {
	return flow.Nothing{}, s.inBucket(ctx, j.Request.Bucket, func(s *Service) error {
		data, err := s.Bucket.ReadAll(ctx, path.Join(j.prefix(), artifact.ManifestFile))
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for an earlier build of %s: %w", j.Plan.BuildVersion, err)
		}
		m, err := artifact.DecodeManifest(data)
		switch {
		case err != nil:
			return flow.Permanent(fmt.Errorf("the earlier build in %s: %w", j.prefix(), err))
		case m.Commit != j.Plan.Commit:
			return flow.Permanent(fmt.Errorf("%s is there, built from %s and not from %s: give this one a suffix", j.prefix(), m.Commit, j.Plan.Commit))
		case !j.Request.AllowDuplicate:
			return flow.Permanent(fmt.Errorf("%s is there already: nothing is left to do, or say that it may be pushed again with --allow-dup", j.prefix()))
		}
		flow.Progress(ctx, "%s is there, and may be pushed again", j.Plan.BuildVersion)
		return nil
	})
}

// buildCI builds the archives, or takes what a folder holds.
func (s *Service) buildCI(ctx context.Context, in ciSite) ([]artifact.Artifact, error) {
	if in.Job.Request.BuildDir == "" {
		return s.buildArchives(ctx, in.At)
	}
	return s.takeBuilt(ctx, in.Job.Request.BuildDir)
}

// takeBuilt copies the files of a folder into the run's own, so that what is
// measured is what is pushed.
func (s *Service) takeBuilt(ctx context.Context, dir string) ([]artifact.Artifact, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("opening the folder of what was built: %w", err))
	}
	defer root.Close()
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("reading the folder of what was built: %w", err))
	}
	if err := errors.Join(clearFolder(s.outputDir(ctx)), os.MkdirAll(s.outputDir(ctx), 0o755)); err != nil {
		return nil, err
	}
	var built []artifact.Artifact
	for _, e := range list {
		switch {
		case !e.Type().IsRegular():
			flow.Logf(ctx, "%s is no file, and is left out", e.Name())
			continue
		case e.Name() == artifact.ManifestFile || e.Name() == artifact.SHA256.File() || e.Name() == artifact.SHA512.File():
			flow.Logf(ctx, "%s is made anew", e.Name())
			continue
		}
		a, err := s.takeFile(ctx, root, e.Name())
		if err != nil {
			return nil, err
		}
		built = append(built, a)
	}
	if len(built) == 0 {
		return nil, flow.Permanent(fmt.Errorf("there is no file in %s: build first, or leave --build-dir out", dir))
	}
	artifact.Sort(built)
	flow.Progress(ctx, "%s from %s", fileCount(len(built)), dir)
	return built, nil
}

func (s *Service) takeFile(ctx context.Context, root *os.Root, name string) (_ artifact.Artifact, err error) {
	if err := artifact.CheckName(name); err != nil {
		return artifact.Artifact{}, flow.Permanent(err)
	}
	from, err := root.Open(name)
	if err != nil {
		return artifact.Artifact{}, fmt.Errorf("taking %s: %w", name, err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(s.outputDir(ctx), name))
	if err != nil {
		return artifact.Artifact{}, fmt.Errorf("taking %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	kind := artifact.Other
	if strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tar.zst") || strings.HasSuffix(name, ".zip") {
		kind = artifact.Archive
	}
	a, err := artifact.Measure(name, kind, io.TeeReader(beating{ctx, from}, to))
	if err != nil {
		return a, fmt.Errorf("taking %s: %w", name, err)
	}
	return a, nil
}

// verifyCI looks at what was built here; what came from a folder says nothing
// of platforms.
func (s *Service) verifyCI(ctx context.Context, in ciProduct) (verification, error) {
	if in.Job.Request.BuildDir != "" {
		return verification{}, flow.Skip("it was built elsewhere")
	}
	return s.verifyBuilt(ctx, product{in.Job.Plan, in.Artifacts})
}

// imagesOfCI makes the images where that was asked for.
func (s *Service) imagesOfCI(ctx context.Context, in ciProduct) ([]Image, error) {
	if !in.Job.Request.Images {
		return []Image{}, flow.Skip("no images were asked for")
	}
	return s.stageImages(ctx, product{in.Job.Plan, in.Artifacts})
}

// validateImages asks the registry for each image by its digest.
func (s *Service) validateImages(ctx context.Context, in ciImages) (flow.Nothing, error) {
	if !in.Job.Request.ValidateImages {
		return flow.Nothing{}, flow.Skip("it was not asked for")
	}
	if len(in.Images) == 0 {
		return flow.Nothing{}, flow.Skip("there are no images")
	}
	for _, i := range in.Images {
		ref, err := name.NewDigest(path.Join(s.Registry.Address(), i.Staged) + "@" + string(i.Digest))
		if err != nil {
			return flow.Nothing{}, flow.Permanent(fmt.Errorf("image %s: %w", i.Name, err))
		}
		if _, err := remote.Head(ref, s.remoteOptions(ctx)...); err != nil {
			return flow.Nothing{}, fmt.Errorf("looking for %s: %w", ref, err)
		}
	}
	flow.Progress(ctx, "%s in the registry", imageCount(len(in.Images)))
	return flow.Nothing{}, nil
}

// sumsOfCI writes the checksums beside the files.
func (s *Service) sumsOfCI(ctx context.Context, in ciProduct) ([]artifact.Artifact, error) {
	files := slices.Clone(in.Artifacts)
	for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		sums, err := artifact.RenderChecksums(alg, in.Artifacts)
		if err != nil {
			return nil, flow.Permanent(err)
		}
		a, err := s.writePaper(ctx, alg.File(), artifact.Checksums, sums)
		if err != nil {
			return nil, err
		}
		files = append(files, a)
	}
	artifact.Sort(files)
	return files, nil
}

// pushCI puts the files into the bucket and the manifest last. What is there
// with the same bytes stays; the manifest of a build with other ones goes first,
// so that nobody takes a mixture for a build.
func (s *Service) pushCI(ctx context.Context, in ciProduct) (CIBuild, error) {
	p, prefix := in.Job.Plan, in.Job.prefix()
	manifest, err := artifact.Manifest{Name: p.Project.Name, Version: p.BuildVersion, BuildVersion: p.BuildVersion,
		Commit: p.Commit, CommitTime: p.CommitTime, Artifacts: in.Artifacts}.Encode()
	if err != nil {
		return CIBuild{}, flow.Permanent(err)
	}
	err = s.inBucket(ctx, in.Job.Request.Bucket, func(s *Service) error {
		key := path.Join(prefix, artifact.ManifestFile)
		have, err := s.Bucket.ReadAll(ctx, key)
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("reading %s from the bucket: %w", key, err)
		}
		if err == nil && !bytes.Equal(have, manifest) {
			if err := s.Bucket.Delete(ctx, key); err != nil {
				return fmt.Errorf("withdrawing the earlier build: %w", err)
			}
		}
		for i, a := range in.Artifacts {
			flow.Progress(ctx, "%d of %d files", i, len(in.Artifacts))
			if err := s.pushFile(ctx, prefix, a); err != nil {
				return err
			}
			flow.Mark(ctx, "pushed %s", a.Name)
		}
		return s.put(ctx, key, manifest)
	})
	if err != nil {
		return CIBuild{}, err
	}
	flow.Progress(ctx, "%s in %s", fileCount(len(in.Artifacts)), prefix)
	return CIBuild{Version: p.BuildVersion, Prefix: prefix, Files: len(in.Artifacts)}, nil
}

func (s *Service) pushFile(ctx context.Context, prefix string, a artifact.Artifact) error {
	have, err := s.stored(ctx, path.Join(prefix, a.Name), a)
	if err != nil && !errors.Is(err, errDiffers) || have {
		return err
	}
	return s.putFile(ctx, path.Join(prefix, a.Name), filepath.Join(s.outputDir(ctx), a.Name), a)
}
