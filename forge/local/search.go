package local

import (
	"net/http"
	"strconv"
	"strings"

	"seaworthy/store/hosted"
)

// searchIssues understands a plain subset of GitHub's search: qualifiers, and
// words to find in title or body.
func (c *call) searchIssues() error {
	f, empty, err := c.searchFilter(c.query("q"))
	if err != nil {
		return err
	}
	f.Viewer, f.Sort, f.Ascending, f.Page = c.user, c.query("sort"), c.query("order") == "asc", c.sqlPage()
	var rows []hosted.Issue
	total := 0
	if !empty {
		if rows, total, err = c.q.Issues(c.ctx(), f); err != nil {
			return err
		}
	}
	c.link(total)
	out := struct {
		TotalCount int          `json:"total_count"`
		Incomplete bool         `json:"incomplete_results"`
		Items      []*wireIssue `json:"items"`
		SearchType string       `json:"search_type"`
	}{total, false, []*wireIssue{}, "lexical"}
	v, score := c.view(), 1.0
	for _, i := range rows {
		r, err := c.q.RepoByID(c.ctx(), i.RepoID)
		if err != nil {
			return err
		}
		w, err := v.issue(c.ctx(), r, i)
		if err != nil {
			return err
		}
		w.Score = &score
		out.Items = append(out.Items, w)
	}
	return c.json(http.StatusOK, out)
}

// searchFilter reads a query. It reports empty for a repository that is not
// there for the caller.
func (c *call) searchFilter(query string) (f hosted.IssueFilter, empty bool, err error) {
	if strings.TrimSpace(query) == "" {
		return f, false, missing("Search", "q")
	}
	var words []string
	for _, term := range searchTerms(query) {
		key, value, ok := strings.Cut(term, ":")
		switch {
		case !ok:
			words = append(words, term)
		case key == "repo":
			if f.RepoID, err = c.searchable(value); err != nil || f.RepoID == 0 {
				return f, true, err
			}
		default:
			if err := qualify(&f, key, value); err != nil {
				return f, false, err
			}
		}
	}
	f.Text = strings.Join(words, " ")
	return f, false, nil
}

// searchable finds the repository of a query; 0 if the caller does not see it.
func (c *call) searchable(name string) (int64, error) {
	owner, name, _ := strings.Cut(name, "/")
	r, err := c.q.Repo(c.ctx(), owner, name)
	if err != nil {
		return 0, orMissing(err, "Search", "q", "The listed repositories cannot be searched either because the resources do not exist or you do not have permission to view them.")
	}
	have, err := rightIn(c.ctx(), c.q, r, c.user)
	if err != nil || have < canRead {
		return 0, err
	}
	return r.ID, nil
}

// qualify puts one qualifier of a query into the filter.
func qualify(f *hosted.IssueFilter, key, value string) error {
	switch key {
	case "is", "type", "state":
		is(f, value)
	case "label":
		f.Labels = append(f.Labels, value)
	case "author":
		f.Author = value
	case "assignee":
		f.Assignee = value
	case "base":
		f.Base = value
	case "head":
		f.Head = value
	case "milestone":
		f.MileTitle = value
	case "draft":
		draft, err := strconv.ParseBool(value)
		if err != nil {
			return invalid("Search", "q", "invalid", "draft is true or false")
		}
		f.Draft = &draft
	default:
		return invalid("Search", "q", "invalid", "the qualifier "+key+": is not known here")
	}
	return nil
}

// is reads is:, type: and state:.
func is(f *hosted.IssueFilter, value string) {
	yes, no := true, false
	switch value {
	case "pr", "pull-request":
		f.Pull = &yes
	case "issue":
		f.Pull = &no
	case stateOpen, stateClosed:
		f.State = value
	case "merged":
		f.Merged = &yes
	case "unmerged":
		f.Merged = &no
	case "draft":
		f.Draft = &yes
	}
}

// searchTerms splits a query at spaces that are not between quotes, and takes
// the quotes away.
func searchTerms(query string) []string {
	var terms []string
	var b strings.Builder
	quoted := false
	for _, r := range query + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if b.Len() > 0 {
				terms = append(terms, b.String())
			}
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() > 0 { // a quote that was not closed
		terms = append(terms, strings.TrimSpace(b.String()))
	}
	return terms
}
