package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"seaworthy/config"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/strict"
)

// branchPlan is what release/cut asks for: all that a release branch gets, by the
// rules of the commit it begins at.
func (a *App) branchPlan(ctx context.Context, repo forge.RepoName, commit string, series release.Series) (release.BranchPlan, error) {
	p, err := a.Project(ctx, repo, commit)
	if err != nil {
		return release.BranchPlan{}, err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return release.BranchPlan{}, err
	}
	files, err := branchFiles(ctx, clone, commit, p, series)
	if err != nil {
		return release.BranchPlan{}, err
	}
	version, err := goVersion(ctx, clone, commit)
	if err != nil {
		return release.BranchPlan{}, err
	}
	plan, err := config.PlanBranch(p.Project, config.Branching{Repo: repo.String(), Commit: commit, Series: series, Files: files, GoVersion: version})
	// The same files give the same plan, however often they are read.
	return plan, flow.Permanent(err)
}

// branchFiles reads what a branch's plan follows from.
func branchFiles(ctx context.Context, clone *git.Repository, commit string, p Project, series release.Series) (map[string]string, error) {
	paths, err := list(ctx, clone, commit)
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", short(commit), err)
	}
	wanted := []string{config.Name, series.Expand(p.Release.Branches.JobFile), series.Next().Expand(p.Release.Changelog)}
	for _, r := range p.Release.Branches.Replace {
		wanted = append(wanted, r.File)
	}
	files := map[string]string{}
	for _, name := range paths {
		if !slices.Contains(wanted, name) && !p.IsJobFile(name) {
			continue
		}
		text, err := read(ctx, clone, commit, name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		files[name] = string(text)
	}
	return files, nil
}

// goVersion is the version of Go that a commit is built with: that of
// .go-version, else of go.mod, else none.
func goVersion(ctx context.Context, clone *git.Repository, commit string) (string, error) {
	text, err := clone.Show(ctx, commit, ".go-version")
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, git.ErrNotFound) {
		return "", fmt.Errorf("reading .go-version: %w", err)
	}
	text, err = clone.Show(ctx, commit, "go.mod")
	if errors.Is(err, git.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading go.mod: %w", err)
	}
	mod, err := modfile.ParseLax("go.mod", text, nil)
	switch {
	case err != nil:
		return "", flow.Permanent(strict.Error{{File: "go.mod", Message: err.Error()}})
	case mod.Toolchain != nil:
		return strings.TrimPrefix(mod.Toolchain.Name, "go"), nil
	case mod.Go != nil:
		return mod.Go.Version, nil
	}
	return "", nil
}
