package web

import (
	"fmt"
	"net/http"
	"strings"

	"seaworthy/forge"
	"seaworthy/grid"
)

// A page shows this many columns; the whole grid is in the results.
const gridColumns = 60

type gridColumn struct {
	Name  string
	Title string
	Link  string
}

type gridCell struct {
	Class  string
	Letter string
	Title  string
	Link   string
}

type gridRow struct {
	Name  string
	Cells []gridCell
}

type gridAlert struct {
	Name    string
	Count   int
	Message string
}

type gridPage struct {
	Repo    forge.RepoName
	Job     string
	Summary grid.Summary
	Columns []gridColumn
	Rows    []gridRow
	Alerts  []gridAlert
}

func (s *Site) grid(r *http.Request) (view, error) {
	repo, err := repoOf(r)
	if err != nil {
		return view{}, err
	}
	name := r.PathValue("job")
	g, err := s.Signal.Grid(r.Context(), repo, name)
	if err != nil {
		return view{}, err
	}
	p := gridPage{Repo: repo, Job: name, Summary: grid.Summarize(g, grid.Options{}, s.Now())}
	shown := g.Columns[:min(len(g.Columns), gridColumns)]
	for _, c := range shown {
		p.Columns = append(p.Columns, gridColumn{
			Name: c.Started.UTC().Format("01-02 15:04"), Link: "/runs/" + c.Build,
			Title: fmt.Sprintf("build %s of %s, started %s", c.Build, short(c.Commit), c.Started.UTC().Format("2006-01-02 15:04:05 UTC")),
		})
	}
	for _, row := range g.Rows {
		line := gridRow{Name: row.Name}
		for i, cell := range row.Cells() {
			if i == len(shown) {
				break
			}
			line.Cells = append(line.Cells, presentCell(cell, shown[i].Build))
		}
		p.Rows = append(p.Rows, line)
	}
	for _, a := range p.Summary.Alerts {
		p.Alerts = append(p.Alerts, gridAlert{Name: a.Test, Count: a.Fails, Message: a.Message})
	}
	return view{page: "grid", Title: name + " " + strings.ToLower(string(p.Summary.Status)), Nav: "signal", Topics: "runs", Data: p}, nil
}

// presentCell gives an outcome its colour and the letter that goes with it.
func presentCell(c grid.Cell, build string) gridCell {
	cell := gridCell{Class: "c-fail", Letter: c.Icon, Title: c.Status.String(), Link: "/runs/" + build}
	switch {
	case c.Status == grid.NoResult:
		return gridCell{Class: "c-none"}
	case c.Status == grid.Flake:
		cell.Class, cell.Letter = "c-flake", "½"
	case c.Status.Passing():
		cell.Class = "c-pass"
		if cell.Letter == "" {
			cell.Letter = "·"
		}
	case c.Status == grid.Running:
		cell.Class = "c-run"
	case cell.Letter == "":
		cell.Letter = "F"
	}
	if c.Message != "" {
		cell.Title += ": " + c.Message
	}
	return cell
}
