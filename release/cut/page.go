package cut

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
)

// bodyLimit is what GitHub takes as the text of a release, in characters.
const bodyLimit = 125_000

// page is a release page at the forge.
type page struct {
	ID  int64  `json:"id"`
	URL string `json:"url,omitempty"`
}

// paged is a stage and its page.
type paged struct {
	Staged staged `json:"staged"`
	Page   page   `json:"page"`
}

// attached is what hangs on a page.
type attached struct {
	Files int `json:"files"`
}

// errMockPage skips the steps that need a page at the forge.
func errMockPage() error { return flow.Skip("a rehearsal makes no page at the forge") }

// assets lists the files that go onto the page.
func (s staged) assets() []artifact.Artifact {
	return slices.DeleteFunc(s.published(), func(a artifact.Artifact) bool { return a.Kind == artifact.Notes })
}

// findPage returns the page of the version, draft or not. Of several, which a
// forge allows among drafts, it is the oldest.
func (s *Service) findPage(ctx context.Context, st staged) (forge.Release, bool, error) {
	all, err := s.Pages.Releases(ctx, st.repo())
	if err != nil {
		return forge.Release{}, false, lasting(fmt.Errorf("looking for the page of %s: %w", st.version(), err))
	}
	all = slices.DeleteFunc(all, func(r forge.Release) bool { return r.Tag != st.version().String() })
	if len(all) == 0 {
		return forge.Release{}, false, nil
	}
	return slices.MinFunc(all, func(a, b forge.Release) int { return cmp.Compare(a.ID, b.ID) }), true, nil
}

// newPage is the page as it is to be.
func (s *Service) newPage(ctx context.Context, st staged) (forge.NewRelease, error) {
	body, err := s.readStaged(ctx, st, notesFile)
	if err != nil {
		return forge.NewRelease{}, err
	}
	v := st.version()
	text := []rune(string(body))
	if len(text) > bodyLimit {
		more := []rune("\n\nThe notes go on in " + notesFile + ".\n")
		text = append(text[:bodyLimit-len(more)], more...)
	}
	return forge.NewRelease{Tag: v.String(), Target: st.Record.Plan.Commit, Name: st.Record.Plan.Project.Name + " " + v.Number(),
		Body: string(text), Draft: true, Prerelease: !v.Final()}, nil
}

func (s *Service) pageThere(ctx context.Context, st staged) (page, bool, error) {
	if flow.Mock(ctx) {
		return page{}, false, nil
	}
	r, found, err := s.findPage(ctx, st)
	return page{ID: r.ID, URL: r.HTMLURL}, found, err
}

// draftPage creates the page as a draft. A rehearsal renders it into the bucket.
func (s *Service) draftPage(ctx context.Context, st staged) (page, error) {
	n, err := s.newPage(ctx, st)
	if err != nil {
		return page{}, err
	}
	if flow.Mock(ctx) {
		if err := s.renderPage(ctx, st, n); err != nil {
			return page{}, err
		}
		return page{}, errMockPage()
	}
	r, err := s.Pages.CreateRelease(ctx, st.repo(), n)
	if err != nil {
		return page{}, lasting(fmt.Errorf("drafting the page of %s: %w", st.version(), err))
	}
	return page{ID: r.ID, URL: r.HTMLURL}, nil
}

func (s *Service) renderPage(ctx context.Context, st staged, n forge.NewRelease) error {
	rendered, err := json.MarshalIndent(struct {
		Page   forge.NewRelease    `json:"page"`
		Assets []artifact.Artifact `json:"assets"`
	}{n, st.assets()}, "", "  ")
	if err != nil {
		return fmt.Errorf("rendering the page: %w", err)
	}
	return s.put(ctx, path.Join(st.public(), "page.json"), append(rendered, '\n'))
}

// right reports whether an asset is whole and has the artifact's bytes. Where
// the forge does not say the digest, the asset is downloaded.
func (s *Service) right(ctx context.Context, st staged, have forge.Asset, a artifact.Artifact) (bool, error) {
	if have.State != "uploaded" && have.State != "" || have.Size != a.Size {
		return false, nil
	}
	if have.Digest != "" {
		return have.Digest == string(a.Digest()), nil
	}
	return s.downloads(ctx, st, have, a)
}

// downloads downloads an asset and compares it.
func (s *Service) downloads(ctx context.Context, st staged, have forge.Asset, a artifact.Artifact) (bool, error) {
	r, err := s.Pages.DownloadAsset(ctx, st.repo(), have.ID)
	if err != nil {
		return false, fmt.Errorf("downloading %s from the page: %w", a.Name, err)
	}
	defer r.Close()
	err = a.Verify(beating{ctx, r})
	if errors.Is(err, artifact.ErrMismatch) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("downloading %s from the page: %w", a.Name, err)
	}
	return true, nil
}

// currentPage reads the page again: its assets are the forge's to tell.
func (s *Service) currentPage(ctx context.Context, in paged) (forge.Release, error) {
	r, found, err := s.findPage(ctx, in.Staged)
	if err == nil && (!found || r.ID != in.Page.ID) {
		err = flow.Permanent(fmt.Errorf("the page of %s that was drafted is gone: look who removed it", in.Staged.version()))
	}
	return r, err
}

func assetNamed(r forge.Release, name string) (forge.Asset, bool) {
	i := slices.IndexFunc(r.Assets, func(a forge.Asset) bool { return a.Name == name })
	if i < 0 {
		return forge.Asset{}, false
	}
	return r.Assets[i], true
}

func (s *Service) assetsThere(ctx context.Context, in paged) (attached, bool, error) {
	want := in.Staged.assets()
	done := attached{Files: len(want)}
	if flow.Mock(ctx) {
		return done, false, errMockPage()
	}
	r, err := s.currentPage(ctx, in)
	if err != nil {
		return done, false, err
	}
	for _, a := range want {
		have, ok := assetNamed(r, a.Name)
		if !ok {
			return done, false, nil
		}
		if ok, err := s.right(ctx, in.Staged, have, a); err != nil || !ok {
			return done, false, err
		}
	}
	return done, true, nil
}

// uploadAssets puts the files onto the page. One that is there and right is
// kept; one that is wrong, or was cut off half-way, is replaced.
func (s *Service) uploadAssets(ctx context.Context, in paged) (attached, error) {
	want := in.Staged.assets()
	r, err := s.currentPage(ctx, in)
	if err != nil {
		return attached{}, err
	}
	for i, a := range want {
		flow.Progress(ctx, "%d of %d files", i, len(want))
		if have, there := assetNamed(r, a.Name); there {
			ok, err := s.right(ctx, in.Staged, have, a)
			if err != nil {
				return attached{}, err
			}
			if ok {
				continue
			}
			flow.Logf(ctx, "replacing %s, which is not what was staged", a.Name)
			if err := s.Pages.DeleteAsset(ctx, in.Staged.repo(), have.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
				return attached{}, fmt.Errorf("removing the wrong %s: %w", a.Name, err)
			}
		}
		if err := s.uploadAsset(ctx, in, a); err != nil {
			return attached{}, err
		}
		flow.Mark(ctx, "uploaded %s", a.Name)
	}
	flow.Progress(ctx, "%s", fileCount(len(want)))
	return attached{Files: len(want)}, nil
}

func (s *Service) uploadAsset(ctx context.Context, in paged, a artifact.Artifact) error {
	r, err := s.open(ctx, in.Staged, a)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := s.Pages.UploadAsset(ctx, in.Staged.repo(), in.Page.ID, a.Name, contentType(a.Name), a.Size, beating{ctx, r}); err != nil {
		return fmt.Errorf("uploading %s to the page: %w", a.Name, err)
	}
	return nil
}

// verifyAssets downloads every file of the page as a reader would, and
// compares it with what was staged.
func (s *Service) verifyAssets(ctx context.Context, in paged) (attached, error) {
	want := in.Staged.assets()
	done := attached{Files: len(want)}
	if flow.Mock(ctx) {
		return done, errMockPage()
	}
	r, err := s.currentPage(ctx, in)
	if err != nil {
		return done, err
	}
	for i, a := range want {
		flow.Progress(ctx, "%d of %d files", i, len(want))
		have, there := assetNamed(r, a.Name)
		if !there {
			return done, fmt.Errorf("%s is missing on the page of %s", a.Name, in.Staged.version())
		}
		ok, err := s.downloads(ctx, in.Staged, have, a)
		if err != nil {
			return done, err
		}
		if !ok {
			return done, flow.Permanent(fmt.Errorf("%s, downloaded from the page of %s, is not what was staged: remove it from the page and resume", a.Name, in.Staged.version()))
		}
	}
	flow.Progress(ctx, "%s what was staged", count(len(want), "file is", "files are"))
	return done, nil
}

func (s *Service) pagePublished(ctx context.Context, in paged) (page, bool, error) {
	if flow.Mock(ctx) {
		return in.Page, false, errMockPage()
	}
	r, err := s.currentPage(ctx, in)
	return page{ID: r.ID, URL: r.HTMLURL}, !r.Draft, err
}

func (s *Service) publishPage(ctx context.Context, in paged) (page, error) {
	public := false
	r, err := s.Pages.EditRelease(ctx, in.Staged.repo(), in.Page.ID, forge.EditRelease{Draft: &public})
	if err != nil {
		return page{}, lasting(fmt.Errorf("publishing the page of %s: %w", in.Staged.version(), err))
	}
	return page{ID: r.ID, URL: r.HTMLURL}, nil
}
