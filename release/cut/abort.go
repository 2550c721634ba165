package cut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/flow"
	"seaworthy/forge"
)

// Undone is what came of a release that was aborted, each as a sentence.
type Undone struct {
	Removed []string `json:"removed"` // was not public, and is gone
	Public  []string `json:"public"`  // is, and stays: people may have it
	Kept    []string `json:"kept"`    // is not public, and is still good for something
}

// How long Abort waits for whoever drives the run to stop, and how often it
// looks. A driver that died holds its lease for half a minute.
const (
	abortPatience = 2 * time.Minute
	abortPoll     = 250 * time.Millisecond
)

// Abort ends a run for good, takes back what is not public, and says what is. It
// may be repeated for a run that is aborted already: what could not be taken back
// the first time is tried again.
func (s *Service) Abort(ctx context.Context, id, actor, why string) (Undone, error) {
	run, err := s.cancel(ctx, id, actor, why)
	if err != nil {
		return Undone{}, err
	}
	u := &Undone{Removed: []string{}, Public: []string{}, Kept: []string{}}
	switch run.Flow {
	case s.stage.def.Name():
		err = s.undoStage(ctx, run, u)
	case s.cut.def.Name():
		err = s.undoCut(ctx, run, u)
	}
	if errors.Is(err, flow.ErrChanged) {
		u.Kept = append(u.Kept, "what it has done is not known: another version of the program began it")
		err = nil
	}
	if err != nil {
		return *u, fmt.Errorf("run %s is aborted, but not all of it could be taken back: abort it again once this is mended: %w", id, err)
	}
	return *u, s.tidy(id, run.State)
}

// cancel ends the run and waits until nothing of it goes on.
func (s *Service) cancel(ctx context.Context, id, actor, why string) (flow.Run, error) {
	ctx, stop := context.WithTimeoutCause(ctx, abortPatience, errors.New("its driver does not stop"))
	defer stop()
	poll := time.NewTicker(abortPoll)
	defer poll.Stop()
	var asked time.Time
	for {
		run, err := s.Engine.Journal.Run(ctx, id)
		if err != nil {
			return run, fmt.Errorf("aborting run %s: %w", id, err)
		}
		switch {
		case run.State == flow.Canceled:
			return run, nil
		case run.State == flow.Succeeded:
			return run, fmt.Errorf("run %s is over already: %s", id, run.State)
		case time.Since(asked) > 10*time.Second:
			// Again after a while: the lease of a driver that died has run out.
			if err := s.Engine.Cancel(ctx, id, actor, why); err != nil {
				return run, err
			}
			asked = time.Now()
			continue
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return run, fmt.Errorf("run %s was told to stop; look whether it did, and abort it again to take back what it has done: %w", id, context.Cause(ctx))
		}
	}
}

// undoStage removes a stage that is not whole, and its images. A whole one of the
// same build was made by an earlier run, and stays.
func (s *Service) undoStage(ctx context.Context, run flow.Run, u *Undone) error {
	p, known, err := flow.Result(ctx, s.Engine, run.ID, s.stage.plan)
	if err != nil || !known {
		return err
	}
	prefix := folder(run.Mock, stageRoot, p.Repo, p.BuildVersion)
	whole, err := s.Bucket.Exists(ctx, path.Join(prefix, "manifest.json"))
	if err != nil {
		return fmt.Errorf("looking at %s: %w", prefix, err)
	}
	if whole {
		u.Kept = append(u.Kept, fmt.Sprintf("%s, which an earlier run staged: seaworthy release cut --build-version %s", prefix, p.BuildVersion))
		return nil
	}
	others, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Key: run.Key})
	if err != nil {
		return fmt.Errorf("looking for other runs that stage %s: %w", p.BuildVersion, err)
	}
	if i := slices.IndexFunc(others, func(r flow.Run) bool { return r.ID != run.ID && !r.State.Final() }); i >= 0 {
		u.Kept = append(u.Kept, fmt.Sprintf("%s, where run %s of %s is at work", prefix, others[i].ID, others[i].Actor))
		return nil
	}
	if err := s.removeFolder(ctx, prefix, u); err != nil {
		return err
	}
	images := stagingImages
	if run.Mock {
		images = path.Join(mockImages, stagingImages)
	}
	for _, spec := range p.Project.Images {
		if err := s.removeImage(ctx, imagePath(p.Repo, images, spec.Name), imageTag(p.BuildVersion), u); err != nil {
			return err
		}
	}
	return nil
}

// undoCut removes what a rehearsal leaves, or the draft of the page, and says
// what of a real cut is public.
func (s *Service) undoCut(ctx context.Context, run flow.Run, u *Undone) error {
	st, known, err := flow.Result(ctx, s.Engine, run.ID, s.cut.staged)
	if err != nil || !known {
		return err
	}
	u.Kept = append(u.Kept, fmt.Sprintf("%s, which can be cut again: seaworthy release cut --build-version %s", st.Prefix, st.Record.Plan.BuildVersion))
	if st.Mock {
		if err := s.removeFolder(ctx, st.public(), u); err != nil {
			return err
		}
		for _, i := range st.Record.Images {
			if err := s.removeImage(ctx, st.released(i), imageTag(st.version().String()), u); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.undoPage(ctx, run, st, u); err != nil {
		return err
	}
	return s.whatIsPublic(ctx, run, st, u)
}

// undoPage removes the page while it is a draft that this run came to make.
func (s *Service) undoPage(ctx context.Context, run flow.Run, st staged, u *Undone) error {
	r, found, err := s.findPage(ctx, st)
	if err != nil || !found {
		return err
	}
	if !r.Draft {
		u.Public = append(u.Public, "the release page "+r.HTMLURL)
		return nil
	}
	t, err := s.Status(ctx, run.ID)
	if err != nil {
		return err
	}
	if step, ok := t.Step("page-draft"); !ok || len(step.Attempts) == 0 {
		u.Kept = append(u.Kept, "a draft of the release page, which this run did not make")
		return nil
	}
	if err := s.Pages.DeleteRelease(ctx, st.repo(), r.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("removing the draft of the release page: %w", err)
	}
	u.Removed = append(u.Removed, "the draft of the release page with "+fileCount(len(r.Assets)))
	return nil
}

// whatIsPublic looks at the world, not at the journal: a step that was killed may
// have acted.
func (s *Service) whatIsPublic(ctx context.Context, run flow.Run, st staged, u *Undone) error {
	t, err := s.locate(ctx, st.repo())
	if err != nil {
		return err
	}
	timeline, err := s.Status(ctx, run.ID)
	if err != nil {
		return err
	}
	raising, _ := timeline.Step("markers")
	begun := len(raising.Attempts) > 0
	j := job{Staged: st, CloneURL: t.CloneURL}
	v, p := st.version().String(), st.Record.Plan
	for _, public := range []struct {
		says string
		look func() (bool, error)
	}{
		{fmt.Sprintf("branch %s at %s", p.Branch, short(p.Commit)), func() (bool, error) { _, is, err := s.branchThere(ctx, st); return is, err }},
		{"the key that verifies releases", func() (bool, error) { _, is, err := s.keyPublished(ctx, st); return is, err }},
		{"tag " + versionList(p.Versions), func() (bool, error) { _, is, err := s.tagPushed(ctx, j); return is, err }},
		{"images tagged " + imageTag(v), func() (bool, error) {
			_, is, err := s.imagesThere(ctx, st)
			return is && len(st.Record.Images) > 0, err
		}},
		{"the changelog of " + v, func() (bool, error) { _, is, err := s.changelogPushed(ctx, j); return is, err }},
		{"the markers", func() (bool, error) {
			if !begun {
				return false, nil // they are as high because of a later version
			}
			_, is, err := s.markersRaised(ctx, st)
			return is, err
		}},
	} {
		switch is, err := public.look(); {
		case flow.Skipped(err):
		case flow.IsPermanent(err):
			u.Kept = append(u.Kept, fmt.Sprintf("somebody else's: %v", err)) // what stopped the cut
		case err != nil:
			return err
		case is:
			u.Public = append(u.Public, public.says)
		}
	}
	keys, err := s.list(ctx, st.public()+"/")
	if err == nil && len(keys) > 0 {
		u.Public = append(u.Public, fmt.Sprintf("%s in %s", fileCount(len(keys)), st.public()))
	}
	return err
}

// list lists the objects of the bucket whose keys begin so.
func (s *Service) list(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for list := s.Bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", prefix, err)
		}
		keys = append(keys, o.Key)
	}
}

func (s *Service) removeFolder(ctx context.Context, prefix string, u *Undone) error {
	keys, err := s.list(ctx, prefix+"/")
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, key := range keys {
		if err := s.Bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("removing %s: %w", key, err)
		}
	}
	u.Removed = append(u.Removed, fmt.Sprintf("%s in %s", fileCount(len(keys)), prefix))
	return nil
}

// removeImage removes a tag that is not a release's. What the tag named goes when
// the registry collects what nothing names.
func (s *Service) removeImage(ctx context.Context, image, tag string, u *Undone) error {
	if s.Registry.Address == nil {
		return nil
	}
	reference, err := name.NewTag(path.Join(s.Registry.Address(), image) + ":" + tag)
	if err != nil {
		return fmt.Errorf("naming the image %s: %w", image, err)
	}
	if _, err := remote.Head(reference, s.remoteOptions(ctx)...); missing(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("looking for %s: %w", reference, err)
	}
	err = remote.Delete(reference, s.remoteOptions(ctx)...)
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusMethodNotAllowed || answer.StatusCode == http.StatusBadRequest):
		u.Kept = append(u.Kept, fmt.Sprintf("image %s, which the registry does not let anybody delete", reference))
	case err != nil && !missing(err):
		return fmt.Errorf("removing %s: %w", reference, err)
	default:
		u.Removed = append(u.Removed, "image "+reference.String())
	}
	return nil
}

func missing(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
