package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"seaworthy/forge"
)

// IssueForm says where people file issues. Every function may be nil.
type IssueForm struct {
	// File opens an issue on the platform's own forge, as the account of a token
	// and with what that account may do. The error wraps forge.ErrUnauthorized
	// where nobody has the token.
	File func(ctx context.Context, repo forge.RepoName, token string, n forge.NewIssue) (forge.Issue, error)
	// Open lists the open issues of a repository of the platform, without changes.
	Open func(ctx context.Context, repo forge.RepoName) ([]forge.Issue, error)
	// New is, of a repository elsewhere, the address of a form that is filled in
	// already, and Search that of a search for a text; empty if there is none.
	New    func(repo, title, body string, labels []string) string
	Search func(repo, text string) string
}

// What an issue may have at most: GitHub's own limits of a title and a body, in
// characters, more labels than any has, and the bytes of all that as a form
// sends it.
const (
	mostTitle     = 256
	mostBody      = 65536
	mostLabels    = 50
	mostIssueForm = 1 << 20
	mostToken     = 255
	filePatience  = 15 * time.Second
)

// A list of issues holds this many.
const mostIssues = 100

// draft is an issue that a person may file.
type draft struct {
	Title, Body string
	Labels      []string
}

// filing is where a draft can be filed, and where issues like it are looked for;
// empty where they cannot be, and why nothing can be filed, if that is known.
type filing struct{ File, Search, Why string }

// filing finds where an issue of a repository is filed: here, if it is one of the
// platform's, else on the forge that it is on. The words are what to look for.
func (s *Site) filing(ctx context.Context, repo string, d draft, words string) (filing, error) {
	owner, name, _ := strings.Cut(repo, "/")
	at := forge.RepoName{Owner: owner, Name: name}
	if !at.Valid() {
		return filing{}, nil
	}
	served := false
	if s.Issues.File != nil || s.Issues.Open != nil {
		var err error
		if served, err = s.serves(ctx, at); err != nil {
			return filing{}, err
		}
	}
	var f filing
	switch {
	case served:
		if s.Issues.File != nil {
			f.File = issuesPath(at) + "/new?" + d.values().Encode()
		}
		if s.Issues.Open != nil {
			f.Search = issuesPath(at) + "?" + url.Values{"q": {words}}.Encode()
		}
	default:
		if s.Issues.New != nil {
			f.File = s.Issues.New(repo, d.Title, d.Body, d.Labels)
		}
		if s.Issues.Search != nil {
			f.Search = s.Issues.Search(repo, words)
		}
	}
	return f, nil
}

func (d draft) values() url.Values {
	v := url.Values{"title": {d.Title}, "body": {d.Body}}
	if len(d.Labels) > 0 {
		v.Set("labels", strings.Join(d.Labels, ","))
	}
	return v
}

func issuesPath(repo forge.RepoName) string { return "/" + repo.String() + "/issues" }

func (s *Site) serves(ctx context.Context, repo forge.RepoName) (bool, error) {
	all, err := s.Repos(ctx)
	return slices.Contains(all, repo), err
}

// homeOf finds the repository of the platform that an address names.
func (s *Site) homeOf(r *http.Request) (forge.RepoName, error) {
	repo, err := repoOf(r)
	if err != nil {
		return repo, err
	}
	served, err := s.serves(r.Context(), repo)
	if err == nil && !served {
		err = errNoPage
	}
	return repo, err
}

type issuesPage struct {
	Repo    forge.RepoName
	Words   string
	Counted string
	Issues  []forge.Issue
	New     string
}

// issues lists the open issues of a repository, those that name some words.
func (s *Site) issues(r *http.Request) (view, error) {
	repo, err := s.homeOf(r)
	if err != nil {
		return view{}, err
	}
	if s.Issues.Open == nil {
		return view{}, errNoPage
	}
	all, err := s.Issues.Open(r.Context(), repo)
	if err != nil {
		return view{}, fmt.Errorf("listing the open issues of %s: %w", repo, err)
	}
	p := issuesPage{Repo: repo, Words: shorten(r.FormValue("q"), maxTestName)}
	words := strings.ToLower(strings.TrimSpace(p.Words))
	for _, i := range all {
		if !i.IsPull && (strings.Contains(strings.ToLower(i.Title), words) || strings.Contains(strings.ToLower(i.Body), words)) {
			p.Issues = append(p.Issues, i)
		}
	}
	p.Counted = plural(len(p.Issues), "open issue", "open issues")
	if len(p.Issues) > mostIssues {
		p.Counted = fmt.Sprintf("The first %d of %s", mostIssues, p.Counted)
		p.Issues = p.Issues[:mostIssues]
	}
	if s.Issues.File != nil {
		p.New = issuesPath(repo) + "/new"
	}
	return view{page: "issues", Title: "Issues of " + repo.String(), Nav: "changes", Topics: "changes", Data: p}, nil
}

type issueForm struct {
	Repo    forge.RepoName
	Action  string
	Title   string
	Body    string
	Labels  string
	Problem string
	Bad     string // the field that the problem is about
	// Limits of the fields.
	MostTitle, MostBody, MostToken int
}

func newIssueForm(repo forge.RepoName, v url.Values) issueForm {
	return issueForm{
		Repo: repo, Action: issuesPath(repo) + "/new", Title: v.Get("title"), Body: v.Get("body"), Labels: strings.Join(labelsOf(v), ", "),
		MostTitle: mostTitle, MostBody: mostBody, MostToken: mostToken,
	}
}

// labelsOf reads labels as GitHub's form has them: with commas between them.
func labelsOf(v url.Values) []string {
	var all []string
	for _, field := range v["labels"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (f issueForm) view() view {
	return view{page: "issue-new", Title: "New issue", Nav: "changes", Data: f}
}

// newIssue is the form that an issue is filed with.
func (s *Site) newIssue(r *http.Request) (view, error) {
	repo, err := s.homeOf(r)
	if err != nil {
		return view{}, err
	}
	if s.Issues.File == nil {
		return view{}, errNoPage
	}
	return newIssueForm(repo, r.URL.Query()).view(), nil
}

// posted reads a form that a page of this site sent, of so many bytes at most; it
// answers itself where what came is none. A proxy need not pass on under which name
// the site was asked.
func (s *Site) posted(w http.ResponseWriter, r *http.Request, most int64, large string) bool {
	own := http.NewCrossOriginProtection()
	if err := own.AddTrustedOrigin(s.Address); err != nil {
		s.Log.Debug("the site does not know its address", "error", err)
	}
	if own.Check(r) != nil {
		http.Error(w, "Forms of other sites are not taken here.", http.StatusForbidden)
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, large, http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "What was sent is not a form.", http.StatusBadRequest)
	}
	return err == nil
}

// fileIssue files the issue that was sent, as the account of the token that was
// sent with it. Nothing but that token lets anybody file: no cookie is looked at,
// and forms of other sites are refused all the same. The token is given to the
// forge and nowhere else.
func (s *Site) fileIssue(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	repo, err := s.homeOf(r)
	if err == nil && s.Issues.File == nil {
		err = errNoPage
	}
	if err != nil {
		v, code := s.failure(r, err)
		s.render(w, r, v, code)
		return
	}
	if !s.posted(w, r, mostIssueForm, "That is more than an issue can hold.") {
		return
	}
	form := newIssueForm(repo, r.PostForm) // never what the address says
	refuse := func(code int, bad, why string) {
		form.Bad, form.Problem = bad, why
		s.render(w, r, form.view(), code)
	}
	n := forge.NewIssue{Title: strings.TrimSpace(form.Title), Body: strings.ReplaceAll(form.Body, "\r\n", "\n"), Labels: labelsOf(r.PostForm)}
	token := strings.TrimSpace(r.PostForm.Get("token"))
	if bad, why := refusal(n, token); bad != "" {
		refuse(http.StatusUnprocessableEntity, bad, why)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), filePatience)
	defer cancel()
	filed, err := s.Issues.File(ctx, repo, token, n)
	var later *forge.RateLimitError
	switch {
	case err == nil:
		http.Redirect(w, r, issuesPath(repo)+"/"+strconv.Itoa(filed.Number), http.StatusSeeOther)
	case errors.As(err, &later):
		refuse(http.StatusTooManyRequests, "form", "The forge asks to wait. Try again in some minutes.")
	case errors.Is(err, forge.ErrUnauthorized), errors.Is(err, forge.ErrForbidden), errors.Is(err, forge.ErrNotFound):
		// One sentence for all of them: it tells nobody which tokens there are.
		refuse(http.StatusForbidden, "token", "Nothing was filed: this is not the token of an account that may file issues here.")
	case errors.Is(err, forge.ErrInvalid):
		refuse(http.StatusUnprocessableEntity, "form", "Nothing was filed: the forge does not take an issue like this.")
	default:
		s.Log.Error("filing an issue", "repository", repo.String(), "error", strings.ReplaceAll(err.Error(), token, "[token]"))
		refuse(http.StatusBadGateway, "form", "It is not known whether the issue was filed: the forge did not answer as it should. Look at the open issues before trying again.")
	}
}

// refusal says what keeps an issue from being filed, and which field it is about;
// empty if nothing does.
func refusal(n forge.NewIssue, token string) (field, why string) {
	for _, text := range append([]string{n.Title, n.Body}, n.Labels...) {
		if !utf8.ValidString(text) {
			return "form", "What was sent is not text in UTF-8."
		}
	}
	switch {
	case n.Title == "":
		return "title", "An issue needs a title."
	case utf8.RuneCountInString(n.Title) > mostTitle:
		return "title", fmt.Sprintf("The title is longer than %d characters.", mostTitle)
	case utf8.RuneCountInString(n.Body) > mostBody:
		return "body", fmt.Sprintf("The text is longer than %s characters.", number(mostBody))
	case len(n.Labels) > mostLabels:
		return "labels", fmt.Sprintf("There are more than %d labels.", mostLabels)
	case token == "":
		return "token", "A token is needed: it says which account files the issue."
	case len(token) > mostToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "token", "Nothing was filed: this is not the token of an account that may file issues here."
	}
	return "", ""
}

// drafted bounds what an issue says, so that it fits an address; the end, where
// the cluster is named, is kept.
func drafted(title, body, end string, labels ...string) draft {
	return draft{Title: shorten(title, 200), Body: shorten(body, mostIssue-len(end)) + end, Labels: labels}
}

// clusterLine is how an issue names a cluster, so that the cluster's page finds
// the issue.
func clusterLine(id string) string {
	if id == "" {
		return ""
	}
	return "\n\nCluster " + id
}

// draft is the issue about a test that fails again and again in a grid.
func (a gridAlert) draft(where, cluster string) draft {
	since := fmt.Sprintf("%s in a row since build %s", plural(a.Count, "failure", "failures"), a.First)
	if !a.Since.IsZero() {
		since += " of " + stampOf(a.Since)
	}
	return failureDraft(where, a.Name, a.Message, fmt.Sprintf("%s, last good build %s.", since, cmp.Or(a.Good, "not known")), cluster)
}

// failureDraft is the issue about what a test says in some place.
func failureDraft(where, test, message, since, cluster string) draft {
	var b strings.Builder
	fmt.Fprintf(&b, "### Which jobs\n\n- %s\n\n### Which tests\n\n- %s\n\n### Since when\n\n%s", where, test, since)
	if message != "" {
		text := shorten(message, 1500)
		fmt.Fprintf(&b, "\n\n### What it says\n\n%s\n%s\n%s", fence(text), text, fence(text))
	}
	return drafted("[Failing test] "+test, b.String(), clusterLine(cluster)+"\n", "kind/failing-test")
}
