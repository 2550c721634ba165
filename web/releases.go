package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"seaworthy/flow"
	"seaworthy/forge"
)

// flowRow is a run of a flow, with a name a person knows it by.
type flowRow struct {
	flow.Run
	Title string
	Short string
}

// named finds what a run is about in its parameters and key.
func named(run flow.Run) flowRow {
	var params struct {
		Repo    string `json:"repo"`
		Version string `json:"version"`
		Branch  string `json:"branch"`
	}
	row := flowRow{Run: run, Title: run.Flow + " " + run.Key, Short: run.Flow}
	if err := json.Unmarshal(run.Params, &params); err != nil {
		return row // parameters of a flow that has none of these
	}
	switch {
	case params.Version != "":
		row.Short = params.Version
	case params.Branch != "":
		row.Short = params.Branch
	default:
		return row
	}
	row.Title = run.Flow + " of " + row.Short
	return row
}

func (s *Site) flowRows(ctx context.Context) ([]flowRow, error) {
	history, err := s.Releases.History(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]flowRow, 0, len(history))
	for _, run := range history {
		rows = append(rows, named(run))
	}
	return rows, nil
}

type publishedRow struct {
	forge.Release
	Repo forge.RepoName
}

func (s *Site) releases(r *http.Request) (view, error) {
	ctx := r.Context()
	type releasesPage struct {
		Published []publishedRow
		Flows     []flowRow
	}
	var p releasesPage
	repos, err := s.Repos(ctx)
	if err != nil {
		return view{}, err
	}
	for _, repo := range repos {
		all, err := s.Forge.Releases(ctx, repo)
		if err != nil {
			return view{}, err
		}
		for _, release := range all {
			p.Published = append(p.Published, publishedRow{release, repo})
		}
	}
	slices.SortStableFunc(p.Published, func(a, b publishedRow) int { return b.PublishedAt.Compare(a.PublishedAt) })
	if p.Flows, err = s.flowRows(ctx); err != nil {
		return view{}, err
	}
	return view{page: "releases", Title: "Releases", Nav: "releases", Topics: "releases", Data: p}, nil
}

func (s *Site) release(r *http.Request) (view, error) {
	type releasePage struct {
		Flow     flowRow
		Timeline flow.Timeline
	}
	t, err := s.Releases.Status(r.Context(), r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	row := named(t.Run)
	return view{page: "release", Title: row.Title, Nav: "releases", Topics: "releases", Data: releasePage{row, t}}, nil
}

func (s *Site) published(r *http.Request) (view, error) {
	repo, err := repoOf(r)
	if err != nil {
		return view{}, err
	}
	all, err := s.Forge.Releases(r.Context(), repo)
	if err != nil {
		return view{}, err
	}
	for _, release := range all {
		if release.Tag == r.PathValue("tag") {
			return view{page: "published", Title: release.Tag, Nav: "releases", Topics: "releases", Data: publishedRow{release, repo}}, nil
		}
	}
	return view{}, fmt.Errorf("release %s of %s: %w", r.PathValue("tag"), repo, forge.ErrNotFound)
}
