package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/release/notes"
)

// Files of a stage besides the archives.
const (
	notesFile   = "release-notes.md"
	notesJSON   = "release-notes.json"
	sectionFile = "CHANGELOG-section.md"
	// stageFile holds what a cut has to know and readers need not: Record.
	stageFile = "stage.json"
)

// private lists the files of a stage that are not published.
func private(name string) bool { return name == stageFile || name == sectionFile }

// draft is everything the papers are written from.
type draft struct {
	Plan  Plan                `json:"plan"`
	Built []artifact.Artifact `json:"built"`
	Notes notes.Notes         `json:"notes"`
	Tags  []Tag               `json:"tags"`
	// Images are pushed already.
	Images []Image `json:"images,omitempty"`
}

// Record is what a stage says to the cut.
type Record struct {
	Plan   Plan    `json:"plan"`
	Tags   []Tag   `json:"tags"`
	Images []Image `json:"images,omitempty"`
	// Source is the address of the repository when it was staged.
	Source string `json:"source"`
}

// collectNotes takes the notes of every pull request since the last release.
func (s *Service) collectNotes(ctx context.Context, p Plan) (notes.Notes, error) {
	repo, err := s.workspace(ctx)
	if err != nil {
		return notes.Notes{}, err
	}
	o := notes.Options{Git: repo, Forge: s.Pulls, Repo: p.Repo, To: p.Commit, Skip: func(c git.Commit) bool { return ownCommit(c, p) }}
	if p.Previous != "" {
		o.From = "refs/tags/" + p.Previous
	}
	n, err := notes.Generate(ctx, o)
	if err != nil {
		return notes.Notes{}, lasting(err)
	}
	for _, problem := range n.Problems {
		flow.Logf(ctx, "#%d: %s", problem.PRNumber, problem.Why)
	}
	flow.Progress(ctx, "%s of %s, %s without one", count(len(n.Notes), "note", "notes"), count(n.PullRequests, "pull request", "pull requests"), count(len(n.Subjects), "commit", "commits"))
	return n, nil
}

// ownCommit tells a release's own bookkeeping from what the release brings.
func ownCommit(c git.Commit, p Plan) bool {
	return c.Author.Email == p.Project.Tagger.Email && strings.HasPrefix(c.Subject(), changelogSubject)
}

// writePapers writes everything that is text, and returns all files of the
// stage: what was built, the papers, and the checksums over both.
func (s *Service) writePapers(ctx context.Context, d draft) ([]artifact.Artifact, error) {
	version := d.Plan.Version().String()
	files := slices.Clone(d.Built)
	add := func(name string, kind artifact.Kind, content []byte) error {
		a, err := s.writePaper(ctx, name, kind, content)
		files = append(files, a)
		return err
	}
	for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		sums, err := artifact.RenderChecksums(alg, d.Built)
		if err != nil {
			return nil, flow.Permanent(err)
		}
		if err := add(alg.File(), artifact.Checksums, sums); err != nil {
			return nil, err
		}
	}
	list, err := notes.EncodeJSON(d.Notes.Notes)
	if err != nil {
		return nil, flow.Permanent(err)
	}
	section := notes.Section{Version: version, Previous: d.Plan.Previous, Artifacts: d.Built, Notes: d.Notes}
	if s.DownloadURL != nil {
		section.DownloadURL = s.DownloadURL(d.Plan.Repo, version)
	}
	record, err := json.MarshalIndent(Record{Plan: d.Plan, Tags: d.Tags, Images: d.Images, Source: d.Plan.Source}, "", "  ")
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("writing %s: %w", stageFile, err))
	}
	for _, paper := range []struct {
		name    string
		kind    artifact.Kind
		content []byte
	}{
		{notesFile, artifact.Notes, []byte(d.Notes.Markdown(notes.Render{Links: true}))},
		{notesJSON, artifact.Notes, append(list, '\n')},
		{sectionFile, artifact.Notes, []byte(section.Markdown())},
		{stageFile, artifact.Other, append(record, '\n')},
	} {
		if err := add(paper.name, paper.kind, paper.content); err != nil {
			return nil, err
		}
	}
	artifact.Sort(files)
	flow.Progress(ctx, "%s", fileCount(len(files)))
	return files, nil
}

// readOutput reads one small file of the run's output.
func (s *Service) readOutput(ctx context.Context, a artifact.Artifact) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(s.outputDir(ctx), a.Name))
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("%s is gone: resume the run, which makes it again: %w", a.Name, err))
	}
	if err := a.Verify(bytes.NewReader(text)); err != nil {
		return nil, flow.Permanent(fmt.Errorf("the file made for %s: %w", a.Name, err))
	}
	return text, nil
}

func (s *Service) writePaper(ctx context.Context, name string, kind artifact.Kind, content []byte) (artifact.Artifact, error) {
	a, err := artifact.Measure(name, kind, bytes.NewReader(content))
	if err != nil {
		return a, fmt.Errorf("measuring %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(s.outputDir(ctx), name), content, 0o644); err != nil {
		return a, fmt.Errorf("writing %s: %w", name, err)
	}
	return a, nil
}
