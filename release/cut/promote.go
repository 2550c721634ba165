package cut

import (
	"context"
	"errors"
	"fmt"
	"path"

	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
	"seaworthy/flow"
)

// promotion is what readers find in the bucket.
type promotion struct {
	Prefix string `json:"prefix"`
	Files  int    `json:"files"`
}

// publicManifest is the manifest without what is not published.
func (s staged) publicManifest() ([]byte, error) {
	m := s.Manifest
	m.Artifacts = s.published()
	return m.Encode()
}

// sums are the files that carry one digest each, for people who download one
// archive.
func sums(a artifact.Artifact) map[string][]byte {
	if a.Kind != artifact.Archive && a.Kind != artifact.Source && a.Kind != artifact.Binary {
		return nil
	}
	return map[string][]byte{
		a.Name + ".sha256": []byte(a.SHA256 + "  " + a.Name + "\n"),
		a.Name + ".sha512": []byte(a.SHA512 + "  " + a.Name + "\n"),
	}
}

// promotedAlready looks whether everything is public. A file with other bytes
// under a published version is never overwritten; a rehearsal may.
func (s *Service) promotedAlready(ctx context.Context, st staged) (promotion, bool, error) {
	done := promotion{Prefix: st.public(), Files: len(st.published())}
	manifest, err := st.publicManifest()
	if err != nil {
		return done, false, flow.Permanent(err)
	}
	have, err := s.Bucket.ReadAll(ctx, path.Join(done.Prefix, artifact.ManifestFile))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return done, false, nil
	}
	if err != nil {
		return done, false, fmt.Errorf("looking at what is published: %w", err)
	}
	if string(have) != string(manifest) {
		if st.Mock {
			return done, false, nil
		}
		return done, false, flow.Permanent(fmt.Errorf("%s is published already, from another build: %s/%s names another commit or other digests",
			st.version(), done.Prefix, artifact.ManifestFile))
	}
	for _, a := range st.published() {
		ok, err := s.stored(ctx, path.Join(done.Prefix, a.Name), a)
		if err != nil && !errors.Is(err, errDiffers) {
			return done, false, err
		}
		if !ok {
			return done, false, nil
		}
	}
	return done, true, nil
}

// promote copies the published files of the stage, each by digest: what is
// there already is not copied, and what was copied is read back. The manifest
// comes last.
func (s *Service) promote(ctx context.Context, st staged) (promotion, error) {
	files := st.published()
	done := promotion{Prefix: st.public(), Files: len(files)}
	if err := s.sweep(ctx, done.Prefix+"/"); err != nil {
		return done, err
	}
	for i, a := range files {
		flow.Progress(ctx, "%d of %d files", i, len(files))
		if err := s.promoteFile(ctx, st, a); err != nil {
			return done, err
		}
		for name, content := range sums(a) {
			if err := s.put(ctx, path.Join(done.Prefix, name), content); err != nil {
				return done, err
			}
		}
		flow.Mark(ctx, "promoted %s", a.Name)
	}
	manifest, err := st.publicManifest()
	if err != nil {
		return done, flow.Permanent(err)
	}
	if err := s.put(ctx, path.Join(done.Prefix, artifact.ManifestFile), manifest); err != nil {
		return done, err
	}
	flow.Progress(ctx, "%s in %s", fileCount(len(files)), done.Prefix)
	return done, nil
}

func (s *Service) promoteFile(ctx context.Context, st staged, a artifact.Artifact) error {
	from, to := path.Join(st.Prefix, a.Name), path.Join(st.public(), a.Name)
	have, err := s.stored(ctx, to, a)
	switch {
	case have:
		return nil
	case errors.Is(err, errDiffers) && !st.Mock:
		return flow.Permanent(fmt.Errorf("%s was published before, and is never overwritten: %w", a.Name, err))
	case err != nil && !errors.Is(err, errDiffers):
		return err
	}
	if err := s.Bucket.Copy(ctx, to, from, nil); err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, to, err)
	}
	return s.mustHold(ctx, to, a)
}
