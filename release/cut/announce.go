package cut

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"gocloud.dev/gcerrors"

	"seaworthy/flow"
	"seaworthy/release"
)

// texts is an announcement, by file name.
type texts map[string]string

// message is an announcement and the release it is about.
type message struct {
	Staged staged `json:"staged"`
	Texts  texts  `json:"texts"`
}

// prepareAnnouncement writes the announcement, and publishes nothing.
func (s *Service) prepareAnnouncement(ctx context.Context, st staged) (texts, error) {
	body, err := s.readStaged(ctx, st, notesFile)
	if err != nil {
		return nil, err
	}
	p := st.Record.Plan
	a := s.announcement(p, body)
	if p.Project.Mail != nil {
		if _, err := s.letter(p, body, flow.Current(ctx).CreatedAt); err != nil {
			return nil, flow.Permanent(err)
		}
	}
	t := texts{}
	for name, render := range map[string]func() (string, error){
		"announcement.md": a.Markdown, "announcement.txt": a.Text, "announcement.html": a.HTML,
	} {
		if t[name], err = render(); err != nil {
			return nil, flow.Permanent(err)
		}
	}
	return t, nil
}

func (s *Service) announced(ctx context.Context, m message) (flow.Nothing, bool, error) {
	for name, text := range m.Texts {
		have, err := s.Bucket.ReadAll(ctx, path.Join(m.Staged.public(), name))
		if gcerrors.Code(err) == gcerrors.NotFound {
			return flow.Nothing{}, false, nil
		}
		if err != nil {
			return flow.Nothing{}, false, fmt.Errorf("looking for the announcement: %w", err)
		}
		if string(have) != text {
			return flow.Nothing{}, false, nil
		}
	}
	return flow.Nothing{}, true, nil
}

// announce writes the announcement beside the files.
func (s *Service) announce(ctx context.Context, m message) (flow.Nothing, error) {
	if err := s.sweep(ctx, m.Staged.public()+"/"); err != nil {
		return flow.Nothing{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Texts)) {
		if err := s.put(ctx, path.Join(m.Staged.public(), name), []byte(m.Texts[name])); err != nil {
			return flow.Nothing{}, err
		}
		flow.Mark(ctx, "wrote %s", name)
	}
	return flow.Nothing{}, nil
}

// markerFolder holds the markers of a repository.
func markerFolder(st staged) string { return path.Dir(st.public()) }

// markersToRaise reads the markers and says which are behind.
func (s *Service) markersToRaise(ctx context.Context, st staged) ([]release.Marker, error) {
	current := map[string]string{}
	for _, name := range release.MarkerNames(st.version()) {
		have, err := s.Bucket.ReadAll(ctx, path.Join(markerFolder(st), release.Marker{Name: name}.File()))
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return nil, fmt.Errorf("reading the marker %s: %w", name, err)
		}
		current[name] = string(have)
	}
	raise, err := release.RaiseMarkers(st.version(), current)
	if err != nil {
		return nil, flow.Permanent(err)
	}
	return raise, nil
}

func (s *Service) markersRaised(ctx context.Context, st staged) (flow.Nothing, bool, error) {
	raise, err := s.markersToRaise(ctx, st)
	return flow.Nothing{}, err == nil && len(raise) == 0, err
}

// raiseMarkers lets the markers that are behind name this version. A later
// version that is out already keeps its markers.
func (s *Service) raiseMarkers(ctx context.Context, st staged) (flow.Nothing, error) {
	raise, err := s.markersToRaise(ctx, st)
	if err != nil {
		return flow.Nothing{}, err
	}
	var names []string
	for _, m := range raise {
		key := path.Join(markerFolder(st), m.File())
		if err := s.sweep(ctx, key+"."); err != nil {
			return flow.Nothing{}, err
		}
		if err := s.put(ctx, key, []byte(m.Value)); err != nil {
			return flow.Nothing{}, err
		}
		names = append(names, m.Name)
		flow.Mark(ctx, "raised %s", m.Name)
	}
	flow.Progress(ctx, "%s", strings.Join(names, ", "))
	return flow.Nothing{}, nil
}
