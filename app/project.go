package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/release/announce"
	"seaworthy/strict"
)

// Project is a repository's configuration at one commit.
type Project struct {
	config.Project
	// Jobs are all jobs of the repository, from seaworthy.yaml and job files.
	Jobs job.Config
	// Boards is what is shown of the results: TestGrid's files, the dashboards
	// under grid, and those that jobs name. What is wrong there is among the
	// warnings: it keeps nothing else from being used.
	Boards dashboard.Config
	// Default says that the repository has no seaworthy.yaml and what stands
	// here was found by looking at it.
	Default bool
	// Announcement is the text of the file that release.announce.template names.
	Announcement string
}

// ReadProject reads the configuration of a repository at a commit, or of its
// work tree when rev is empty. Without a seaworthy.yaml, a Go module gets
// sound defaults. What is wrong in a file is a strict.Error.
func ReadProject(ctx context.Context, repo *git.Repository, rev string, name forge.RepoName) (Project, error) {
	text, err := read(ctx, repo, rev, config.Name)
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return defaultProject(ctx, repo, rev, name)
	}
	if err != nil {
		return Project{}, fmt.Errorf("reading %s: %w", config.Name, err)
	}
	p, err := config.Parse(config.Name, text)
	if err != nil {
		return Project{}, err
	}
	if p, err = withMains(ctx, repo, rev, p); err != nil {
		return Project{}, err
	}
	announcement, err := ownAnnouncement(ctx, repo, rev, p.Release.Announce)
	if err != nil {
		return Project{}, err
	}
	full, err := withJobs(ctx, repo, rev, name, p)
	full.Announcement = announcement
	return full, err
}

// ownAnnouncement reads the template of the announcement, and finds what is
// wrong with it now rather than when a release is told of.
func ownAnnouncement(ctx context.Context, repo *git.Repository, rev string, a config.Announce) (string, error) {
	if a.Template == "" {
		return "", nil
	}
	text, err := read(ctx, repo, rev, a.Template)
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return "", strict.AsError([]strict.Problem{{File: config.Name, Line: a.Lines.Of("template"),
			Message: fmt.Sprintf("template %q is no file of this repository: add it", a.Template)}})
	}
	if err != nil {
		return "", fmt.Errorf("reading the template of the announcement: %w", err)
	}
	if len(text) == 0 {
		return "", strict.AsError([]strict.Problem{{File: a.Template, Message: "the announcement that it makes is empty"}})
	}
	var wrong *announce.TemplateError
	if err := announce.CheckTemplate(string(text)); errors.As(err, &wrong) {
		return "", strict.AsError([]strict.Problem{{File: a.Template, Line: wrong.Line, Message: wrong.Why}})
	}
	return string(text), nil
}

func defaultProject(ctx context.Context, repo *git.Repository, rev string, name forge.RepoName) (Project, error) {
	d, err := Detect(ctx, repo, rev)
	if err != nil {
		return Project{}, err
	}
	d.Name = name.Name
	p, err := config.Default(d)
	if err != nil {
		return Project{}, err
	}
	full, err := withJobs(ctx, repo, rev, name, p)
	full.Default = true
	return full, err
}

// withMains fills in the main packages of a file that names none: all of the
// module. A library has none.
func withMains(ctx context.Context, repo *git.Repository, rev string, p config.Project) (config.Project, error) {
	if len(p.Build.Go.Main) > 0 || len(p.Build.Command) > 0 {
		return p, nil
	}
	files, err := list(ctx, repo, rev)
	if err != nil {
		return p, fmt.Errorf("looking for main packages: %w", err)
	}
	if slices.Contains(files, "go.mod") {
		p.Build.Go.Main, err = mains(ctx, repo, rev, files)
	}
	return p, err
}

func withJobs(ctx context.Context, repo *git.Repository, rev string, name forge.RepoName, p config.Project) (Project, error) {
	paths, err := list(ctx, repo, rev)
	if err != nil {
		return Project{}, fmt.Errorf("listing the files of jobs and grids: %w", err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if !p.IsJobFile(path) && !p.IsGridFile(path) {
			continue
		}
		if files[path], err = read(ctx, repo, rev, path); err != nil {
			return Project{}, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	jobs, problems := p.JobConfig(name.String(), files)
	failures, _ := strict.Split(problems)
	if err := strict.AsError(failures); err != nil {
		return Project{}, err
	}
	boards, found := p.Boards(files, jobs)
	p.Warnings = slices.Clone(p.Warnings)
	for _, problem := range found {
		problem.Warning = true
		p.Warnings = append(p.Warnings, problem)
	}
	return Project{Project: p, Jobs: jobs, Boards: boards}, nil
}

// readTracked reads a file of a work tree; a link that leaves it is refused.
func readTracked(dir, file string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	defer root.Close()
	text, err := root.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return text, nil
}
