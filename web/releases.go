package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"seaworthy/flow"
	"seaworthy/forge"
)

// flowRow is a run of a flow, with a name a person knows it by.
type flowRow struct {
	flow.Run
	Title    string
	Short    string
	Sentence string
}

// named finds what a run is about: the version once one was chosen, and what
// was asked for before that.
func named(run flow.Run, version string) flowRow {
	var asked struct {
		Branch       string `json:"branch"`
		BuildVersion string `json:"build_version"`
	}
	row := flowRow{Run: run, Short: version}
	// Parameters that do not read leave the row with the flow's name.
	if err := json.Unmarshal(run.Params, &asked); err == nil && version == "" {
		row.Short, _, _ = strings.Cut(cmp.Or(asked.BuildVersion, asked.Branch), "+")
	}
	row.Title = strings.TrimSpace(run.Flow + " " + row.Short)
	row.Short = cmp.Or(row.Short, run.Flow)
	return row
}

// flowRows lists the newest runs of some repositories.
func (s *Site) flowRows(ctx context.Context, repos []forge.RepoName) ([]flowRow, error) {
	var rows []flowRow
	for _, repo := range repos {
		history, err := s.Releases.History(ctx, repo, flowsPerRepo)
		if err != nil {
			return nil, err
		}
		for _, e := range history {
			row := named(e.Run, e.Version)
			row.Sentence = e.Sentence
			if e.Run.State == flow.Succeeded { // which the mark says
				row.Sentence = ""
				if d := took(e.Took); d != "" {
					row.Sentence = "took " + d
				}
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b flowRow) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return rows, nil
}

const flowsPerRepo = 50

type publishedRow struct {
	forge.Release
	Repo forge.RepoName
}

func (s *Site) releases(r *http.Request) (view, error) {
	ctx := r.Context()
	type releasesPage struct {
		Published []publishedRow
		Trains    []trainRow
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
	p.Trains = s.trains(repos)
	if p.Flows, err = s.flowRows(ctx, repos); err != nil {
		return view{}, err
	}
	return view{page: "releases", Title: "Releases", Nav: "releases", Topics: "releases", Data: p}, nil
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
