package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
	"seaworthy/release"
)

// images looks at every image that the provenance is about: under its tag it is
// the digest stated, and it is signed.
func (in *inspection) images(ctx context.Context) error {
	images := in.statedImages()
	switch {
	case len(images) == 0:
		in.say("images", Skipped, "the release has no images")
		return nil
	case in.Registry == "":
		in.say("images", Skipped, "no registry is given to look for %s in", count(len(images), "image", "images"))
		return nil
	}
	for _, i := range images {
		reference, err := name.NewTag(path.Join(in.Registry, i.Name) + ":" + strings.NewReplacer("+", "-", "/", "-").Replace(in.report.Tag))
		if err != nil {
			in.say("image "+i.Name, Failed, "%v", err)
			continue
		}
		if err := in.image(ctx, reference, i); err != nil {
			return err
		}
	}
	return nil
}

func (in *inspection) image(ctx context.Context, reference name.Tag, i provenance.Resource) error {
	title := "image " + i.Name
	have, err := remote.Head(reference, append(in.Remote, remote.WithContext(ctx))...)
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		in.say(title, Failed, "%s is not there", reference)
		return nil
	case err != nil:
		return fmt.Errorf("looking for %s: %w", reference, err)
	case have.Digest.Hex != i.Digest["sha256"]:
		in.say(title, Failed, "%s is %s, stated is sha256:%s", reference, have.Digest, i.Digest["sha256"])
		return nil
	case in.Verifier == nil:
		in.say(title, Passed, "%s, whose signature nobody checked for want of a key", have.Digest)
		return nil
	}
	verdicts, err := in.Verifier.Image(ctx, reference, sign.ImageOptions{Remote: append(in.Remote, remote.WithContext(ctx)), Recursive: true})
	var refusal *sign.Refusal
	if errors.As(err, &refusal) {
		in.say(title, Failed, "%v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("verifying %s: %w", reference, err)
	}
	last := verdicts[len(verdicts)-1]
	in.say(title, Passed, "%s and its %s, signed by %s", have.Digest, count(len(verdicts)-1, "platform", "platforms"), signers(last.Signatures))
	return nil
}

// statedImages are the subjects that are no files. What the statement says has
// been checked before; an unreadable one has failed there.
func (in *inspection) statedImages() []provenance.Resource {
	s, err := provenance.Read(in.files[provenanceFile].content)
	if err != nil {
		return nil
	}
	var images []provenance.Resource
	for _, r := range s.Subjects {
		if strings.Contains(r.Name, "/") {
			images = append(images, r)
		}
	}
	return images
}

// markers wants each marker of the version to have been raised: it holds this
// version or a later one.
func (in *inspection) markers(ctx context.Context) error {
	if in.Marker == nil {
		in.say("markers", Skipped, "there is nowhere to look for markers")
		return nil
	}
	v, err := release.ParseVersion(in.Prefix, in.report.Tag)
	if err != nil {
		in.say("markers", Skipped, "%s is no version", in.report.Tag)
		return nil
	}
	var wrong []string
	names := release.MarkerNames(v)
	for _, n := range names {
		text, err := in.Marker(ctx, in.report.Repo, n+".txt")
		if err != nil {
			return fmt.Errorf("reading the marker %s: %w", n, err)
		}
		have, err := release.ParseVersion(in.Prefix, strings.TrimSpace(text))
		switch {
		case text == "":
			wrong = append(wrong, n+" is not there")
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s: %v", n, err))
		case have.Compare(v) < 0:
			wrong = append(wrong, fmt.Sprintf("%s says %s, which is older", n, have))
		}
	}
	in.judge("markers", wrong, "%s", strings.Join(names, ", "))
	return nil
}
