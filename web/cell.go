package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
)

// spot is a cell of a grid.
type spot struct {
	column grid.Column
	test   string
	cell   grid.Cell
}

// spot finds the cell of a build and a test; false if the grid has no such column
// or row.
func (u subject) spot(build, test string) (spot, bool) {
	row := u.grid.Row(test)
	if row == nil {
		return spot{}, false
	}
	for i, c := range u.grid.Columns {
		if c.Build == build {
			return spot{column: c, test: test, cell: row.Cells()[i]}, true
		}
	}
	return spot{}, false
}

// cellPath is the address of the grid's page that shows one cell, whatever else
// the grid has.
func (u subject) cellPath(build, test string) string {
	return u.base + "?" + url.Values{"build": {build}, "test": {test}}.Encode()
}

// values fill the links that the tab's configuration has for a cell. What they
// say of pages here is read elsewhere, and so has the address that others use.
func (s *Site) values(u subject, at spot) dashboard.Values {
	v := u.tab.Values(u.group, s.Address+u.base).Cell(at.column.Build, at.test, at.cell.Status.String(), at.column.Extra...)
	v["test-url"] = s.Address + u.cellPath(at.column.Build, at.test)
	v["link"] = v["test-url"]
	return v
}

// menuLink is an entry of a cell's menu. In its address {build} and {test} stand
// for those of the cell.
type menuLink struct {
	Label string `json:"label"`
	Link  string `json:"link"`
	// Failed entries are about failures: other cells do not have them.
	Failed bool `json:"failed,omitempty"`
}

// menu is what a cell offers; the script adds how to copy its address.
func (s *Site) menu(ctx context.Context, u subject) ([]menuLink, error) {
	at := "?build={build}&test={test}"
	all := []menuLink{
		{Label: "Open the run", Link: u.base + "/open" + at},
		{Label: "This test in all its runs", Link: "/tests?name={test}"},
	}
	if s.Triage != nil || s.ClusterOf != nil {
		all = append(all, menuLink{"Failures like this one", u.base + "/cell/cluster" + at, true})
	}
	home, _, err := s.tracker(ctx, u)
	if err != nil {
		return nil, err
	}
	if filed := s.Issues.File != nil || s.Issues.New != nil; u.tab.FileBug != nil || filed && home.Valid() {
		all = append(all, menuLink{"File an issue", u.base + "/cell/issue" + at, true})
	}
	if searched := s.Issues.Open != nil || s.Issues.Search != nil; searched && home.Valid() {
		all = append(all, menuLink{"Issues about it", u.base + "/cell/issues" + at, true})
	}
	if u.tab.AttachBug != nil && u.tab.AttachBug.URL != "" {
		all = append(all, menuLink{"Attach to an issue", u.base + "/cell/attach" + at, true})
	}
	if c := u.tab.ContextMenu; c != nil && c.URL != "" {
		all = append(all, menuLink{cmp.Or(c.Name, "More about it"), u.base + "/cell/context" + at, false})
	}
	return all, nil
}

// leading redirects to where something leads.
func (s *Site) leading(find finder, to func(*http.Request, subject) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := find(r)
		address := ""
		if err == nil {
			address, err = to(r, u)
		}
		if err != nil {
			s.page(func(*http.Request) (view, error) { return view{}, err })(w, r)
			return
		}
		http.Redirect(w, r, address, http.StatusFound)
	}
}

// opened is where a cell's run is shown: as the tab's template says, or here.
func (s *Site) opened(r *http.Request, u subject) (string, error) {
	build, test := r.FormValue("build"), r.FormValue("test")
	column, ok := u.column(build)
	if !ok {
		return "", errNoPage
	}
	if u.tab.OpenTest != nil {
		at, found := u.spot(build, test)
		if !found { // the page may be older than the grid
			at = spot{column: column, test: test}
		}
		if address, err := u.tab.OpenTest.Expand(s.values(u, at)); err == nil {
			return address, nil
		}
	}
	e, err := s.Runs.Execution(r.Context(), build)
	if err != nil {
		return "", fmt.Errorf("the run of build %s: %w", build, err)
	}
	return "/runs/" + url.PathEscape(e.BuildID) + "#" + (&url.URL{Path: runAnchor(test)}).EscapedPath(), nil
}

// ledFrom is where an entry of a cell's menu leads.
func (s *Site) ledFrom(r *http.Request, u subject) (string, error) {
	at, ok := u.spot(r.FormValue("build"), r.FormValue("test"))
	if !ok {
		return "", errNoPage
	}
	var template *dashboard.Link
	switch r.PathValue("to") {
	case "cluster":
		address, _, err := s.alikes(r.Context(), u, at)
		if err == nil && address == "" {
			err = errNoPage
		}
		return address, err
	case "issue", "issues":
		_, cluster, err := s.alikes(r.Context(), u, at)
		if err != nil {
			return "", err
		}
		f, err := s.issueAbout(r.Context(), u, at, at.draft(u.place(), cluster))
		address := f.File
		if r.PathValue("to") == "issues" {
			address = f.Search
		}
		if err == nil && address == "" {
			err = errNoPage
		}
		return address, err
	case "attach":
		template = u.tab.AttachBug
	case "context":
		template = u.tab.ContextMenu
	}
	if template == nil {
		return "", errNoPage
	}
	address, err := template.Expand(s.values(u, at))
	if err != nil {
		return "", fmt.Errorf("the tab's link cannot be filled in: %w", err)
	}
	return address, nil
}

// alikes is where the failure of a cell is put together with others like it; the
// cluster's name if it leads to one cluster, and no address if to none.
func (s *Site) alikes(ctx context.Context, u subject, at spot) (address, cluster string, err error) {
	if s.ClusterOf != nil {
		for _, build := range u.buildPaths(at.column) {
			id, ok, err := s.ClusterOf(ctx, build, at.test)
			if err != nil {
				return "", "", fmt.Errorf("looking for the cluster of %s: %w", at.test, err)
			}
			if ok {
				return "/triage/" + url.PathEscape(id), id, nil
			}
		}
	}
	if s.Triage != nil && at.cell.Message != "" {
		return alikeLink(at.test), "", nil
	}
	return "", "", nil
}

// place is the tab with its dashboard, as an issue names it.
func (u subject) place() string { return strings.TrimPrefix(u.board.Name+" ", " ") + u.name }

// tracker finds the repository whose issues are about a grid: the one whose
// dashboard or job it is; that of the tab's open_bug_template, if GitHub has it;
// or the only one that is served here. Without one, why says so.
func (s *Site) tracker(ctx context.Context, u subject) (home forge.RepoName, why string, err error) {
	if u.repo.Valid() {
		return u.repo, "", nil
	}
	tabs, err := s.Signal.Summaries(ctx, u.board.Name)
	if err != nil {
		return forge.RepoName{}, "", fmt.Errorf("looking for whose job this is: %w", err)
	}
	for _, t := range tabs {
		if t.Tab == u.tab.Name && t.Repo.Valid() {
			return t.Repo, "", nil
		}
	}
	if named, ok := githubTracker(u.tab.OpenBug); ok {
		return named, "", nil
	}
	served, err := s.Repos(ctx)
	switch {
	case err != nil:
		return forge.RepoName{}, "", fmt.Errorf("looking for whose issues these are: %w", err)
	case len(served) == 1:
		return served[0], "", nil
	case len(served) == 0:
		return forge.RepoName{}, "no repository is served here", nil
	}
	return forge.RepoName{}, "several repositories are served here and none of them has this dashboard's name", nil
}

// githubTracker reads the repository out of an address of GitHub's issues, such
// as https://github.com/kubernetes/kubernetes/issues/.
func githubTracker(l *dashboard.Link) (forge.RepoName, bool) {
	if l == nil {
		return forge.RepoName{}, false
	}
	rest, ok := strings.CutPrefix(l.URL, "https://github.com/")
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if !ok || len(parts) != 3 || parts[2] != "issues" {
		return forge.RepoName{}, false
	}
	name := forge.RepoName{Owner: parts[0], Name: parts[1]}
	return name, name.Valid()
}

// issueAbout is where an issue about a cell is filed, as the tab's template says,
// else where its tracker has a form; and where issues about the test are looked
// for. Why says what keeps it from being filed, where nothing can be.
func (s *Site) issueAbout(ctx context.Context, u subject, at spot, d draft) (filing, error) {
	home, why, err := s.tracker(ctx, u)
	if err != nil {
		return filing{}, err
	}
	var f filing
	if home.Valid() {
		if f, err = s.filing(ctx, home.String(), d, at.test); err != nil {
			return filing{}, err
		}
		why = "no tracker of issues is connected"
	}
	if u.tab.FileBug != nil {
		address, wrong := u.tab.FileBug.Expand(s.values(u, at))
		if wrong == nil {
			f.File = address
		} else if f.File == "" {
			why = "its file_bug_template cannot be filled in: " + wrong.Error()
		}
	}
	if f.File == "" {
		f.Why = why
	}
	return f, nil
}

// draft is the issue about one cell.
func (at spot) draft(where, cluster string) draft {
	since := fmt.Sprintf("Build %s of %s: %s.", at.column.Build, stampOf(at.column.Started), outcomeWord(at.cell.Status))
	return failureDraft(where, at.test, at.cell.Message, since, cluster)
}

// lead says where an alert's failures are put together with others like them, and
// where an issue about it is filed.
func (s *Site) lead(ctx context.Context, shown *gridAlert, u subject, a grid.Alert) error {
	at := spot{column: a.LatestFail, test: a.Test, cell: grid.Cell{Status: grid.Fail, Message: a.Message}}
	address, cluster, err := s.alikes(ctx, u, at)
	if err != nil {
		return err
	}
	shown.TriageLink, shown.Cluster = address, cluster != ""
	f, err := s.issueAbout(ctx, u, at, shown.draft(u.place(), cluster))
	shown.BugLink, shown.SearchLink, shown.NoBug = f.File, f.Search, f.Why
	return err
}
