package cut

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/packages"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/notes"
)

// PlannedCommit is one commit that a release would bring.
type PlannedCommit struct {
	SHA     string    `json:"sha"`
	Subject string    `json:"subject"`
	Author  string    `json:"author"`
	At      time.Time `json:"at"`
	Pull    int       `json:"pull,omitempty"` // number of its pull request, as its message says
}

// MarkerChange is a marker that a release would raise.
type MarkerChange struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"` // empty: there is none yet
	To   string `json:"to"`
}

// Preview is what a release would be and do, before anything is made.
type Preview struct {
	Plan
	// CommitCount counts all commits since the previous release; Commits are
	// the newest of them, the newest first.
	CommitCount int             `json:"commit_count"`
	Commits     []PlannedCommit `json:"commits"`
	Artifacts   []string        `json:"artifacts"` // file names, sorted
	Images      []string        `json:"images,omitempty"`
	Markers     []MarkerChange  `json:"markers"`
	Verdict     release.Verdict `json:"verdict"`
	// Missing is what keeps the release from being made or published as it
	// should be, each with what to do.
	Missing []string `json:"missing"`
}

// Preview says what a release would be and do, and changes nothing. It lists at
// most so many commits; 0 lists all. The error is a *release.Refusal where the
// rules say no.
func (s *Service) Preview(ctx context.Context, r StageRequest, commits int) (Preview, error) {
	t, err := s.checkStage(ctx, r)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{}
	if p.Plan, err = s.Plan(ctx, r); err != nil {
		return Preview{}, err
	}
	if p.Verdict, err = s.Verdict(ctx, p.Plan); err != nil {
		return Preview{}, err
	}
	if err := s.previewCommits(ctx, t, &p, commits); err != nil {
		return Preview{}, err
	}
	if p.Artifacts, err = s.plannedFiles(p.Plan); err != nil {
		return Preview{}, err
	}
	for _, i := range p.Project.Images {
		p.Images = append(p.Images, imagePath(p.Repo, "", i.Name)+":"+imageTag(p.Version().String()))
	}
	if p.Markers, err = s.plannedMarkers(ctx, p.Plan); err != nil {
		return Preview{}, err
	}
	p.Missing = s.missing(p)
	return p, nil
}

// previewCommits reads the history since the previous release. Plan has brought
// the clone up to date.
func (s *Service) previewCommits(ctx context.Context, t target, p *Preview, most int) error {
	mirror, err := s.Git.Repository(ctx, s.Address(t.CloneURL), s.Auth)
	if err != nil {
		return lasting(err)
	}
	span := p.Commit
	if p.Previous != "" {
		span = "refs/tags/" + p.Previous + ".." + p.Commit
	}
	if p.CommitCount, err = mirror.CountCommits(ctx, span); err != nil {
		return fmt.Errorf("counting the commits since %s: %w", p.Previous, err)
	}
	log, err := mirror.Log(ctx, span, git.LogOptions{Max: most})
	if err != nil {
		return fmt.Errorf("reading the commits since %s: %w", p.Previous, err)
	}
	p.Commits = make([]PlannedCommit, 0, len(log))
	for _, c := range log {
		pull, _ := notes.PullNumber(c.Message)
		p.Commits = append(p.Commits, PlannedCommit{SHA: c.SHA, Subject: c.Subject(), Author: c.Author.Name, At: c.Committer.Time, Pull: pull})
	}
	return nil
}

// plannedFiles names what a release would publish.
func (s *Service) plannedFiles(p Plan) ([]string, error) {
	b := p.Project.Build
	request := build.Request{Name: p.Project.Name, Version: p.Version().String(), Commit: p.Commit, CommitTime: p.CommitTime,
		Platforms: b.Platforms, Main: b.Main, Command: b.Command, Formats: b.Formats}
	var packed []string
	if b.programs() {
		packed = request.Names()
	}
	if b.Source {
		packed = append(packed, request.SourceName())
	}
	var names []string
	for _, name := range packed {
		names = append(names, name, name+".sha256", name+".sha512")
	}
	for _, spec := range p.Project.Packages {
		made, err := packages.Plan(packages.Request{Spec: spec, Version: p.Version().String(), Time: p.CommitTime})
		if err != nil {
			return nil, fmt.Errorf("packaging %s: %w", spec.Name, err)
		}
		for _, one := range made {
			names = append(names, one.Name)
		}
	}
	names = append(names, artifact.SHA256.File(), artifact.SHA512.File(), notesFile, notesJSON, billFile(p), provenanceFile, artifact.ManifestFile,
		"announcement.md", "announcement.txt", "announcement.html")
	if s.Signer != nil {
		for _, name := range []string{artifact.SHA256.File(), artifact.SHA512.File(), billFile(p), provenanceFile} {
			names = append(names, name+signatureEnd)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// plannedMarkers reads the markers and says which would be raised.
func (s *Service) plannedMarkers(ctx context.Context, p Plan) ([]MarkerChange, error) {
	dir := path.Dir(folder(false, releaseRoot, p.Repo, p.Version().String()))
	current := map[string]string{}
	for _, name := range release.MarkerNames(p.Version()) {
		have, err := s.Bucket.ReadAll(ctx, path.Join(dir, release.Marker{Name: name}.File()))
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return nil, fmt.Errorf("reading the marker %s: %w", name, err)
		}
		current[name] = strings.TrimSpace(string(have))
	}
	raise, err := release.RaiseMarkers(p.Version(), current)
	if err != nil {
		return nil, err
	}
	changes := []MarkerChange{}
	for _, m := range raise {
		changes = append(changes, MarkerChange{Name: m.Name, From: current[m.Name], To: m.Value})
	}
	return changes, nil
}

// missing says what keeps the release back, and what to do.
func (s *Service) missing(p Preview) []string {
	list := []string{}
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if p.CommitCount == 0 {
		add("nothing has changed since %s: there is nothing to release", p.Previous)
	}
	if !p.Verdict.Go && len(p.Verdict.Gates) > 0 {
		for _, why := range p.Verdict.Reasons {
			add("gate %s", why)
		}
	}
	for _, role := range p.Project.Approvals {
		add("approval by a %s, once the cut waits for it: release approve RUN --as %s", role, role)
	}
	if tool := p.Project.buildTool(); filepath.Base(tool) == tool && p.Project.Build.programs() {
		if _, err := exec.LookPath(tool); errors.Is(err, exec.ErrNotFound) {
			add("%s, which the project is built with, is not on PATH: install it", tool)
		}
	}
	if len(p.Project.Images) > 0 && s.Registry.Address == nil {
		add("a registry for the project's images: name one")
	}
	if s.Signer == nil {
		add("a key to sign with: without one nothing is signed")
	}
	return list
}

// buildTool is the program that builds the project.
func (p Project) buildTool() string {
	if p.Build.Command != nil && len(p.Build.Command.Run) > 0 {
		return p.Build.Command.Run[0]
	}
	return "go"
}
