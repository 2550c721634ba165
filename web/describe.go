package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"seaworthy/forge"
	"seaworthy/triage/live"
)

// describing is the form on the page of a cluster by which a person says whose
// it is and which issue it is about.
type describing struct {
	On       bool // there is a form
	Action   string
	Owner    string
	Issue    string
	WasOwner string // when the form was made: what was not changed is not sent
	WasIssue string
	Bad      string // the field that is wrong
	Problem  string
}

// mostDescription bounds the form in bytes.
const mostDescription = 16 << 10

func (s *Site) describing(d live.Detail) describing {
	return describing{On: s.Describe != nil, Action: "/triage/" + d.ID, Owner: d.Owner, Issue: d.Issue, WasOwner: d.Owner, WasIssue: d.Issue}
}

// describe notes what was sent of a cluster, as the account of the token that was
// sent with it. As with issues nothing but that token counts, it is used once,
// and forms of other sites are refused.
func (s *Site) describe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	v, err := s.cluster(r)
	if err == nil && s.Describe == nil {
		err = errNoPage
	}
	if err != nil {
		v, code := s.failure(r, err)
		s.render(w, r, v, code)
		return
	}
	if !s.posted(w, r, mostDescription, "That is more than a name and an address can be.") {
		return
	}
	p, ok := v.Data.(clusterPage)
	if !ok { // cluster returns nothing else
		s.Log.Error("noting of a cluster", "page", v.page)
		http.Error(w, "This page could not be made.", http.StatusInternalServerError)
		return
	}
	form := &p.Form
	token := strings.TrimSpace(r.PostForm.Get("token"))
	form.Owner, form.Issue = strings.TrimSpace(r.PostForm.Get("owner")), strings.TrimSpace(r.PostForm.Get("issue"))
	form.WasOwner, form.WasIssue = r.PostForm.Get("was_owner"), r.PostForm.Get("was_issue")
	code := s.noted(r.Context(), p.ID, token, form)
	if form.Problem == "" {
		http.Redirect(w, r, "/triage/"+p.ID+"#facts", http.StatusSeeOther)
		return
	}
	v.Data = p
	s.render(w, r, v, code)
}

// noted has the form noted, or says in it what is wrong.
func (s *Site) noted(ctx context.Context, id, token string, form *describing) (code int) {
	refuse := func(code int, field, why string) int {
		form.Bad, form.Problem = field, why
		return code
	}
	const wrong = "Nothing was noted: this is not the token of an account that may write to a repository here."
	ownerErr, issueErr := live.CheckOwner(form.Owner), live.CheckIssue(form.Issue)
	switch {
	case ownerErr != nil:
		return refuse(http.StatusUnprocessableEntity, "owner", asSentence(ownerErr))
	case issueErr != nil:
		return refuse(http.StatusUnprocessableEntity, "issue", asSentence(issueErr))
	case token == "":
		return refuse(http.StatusUnprocessableEntity, "token", "A token is needed: it says who notes this.")
	case len(token) > mostToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return refuse(http.StatusForbidden, "token", wrong)
	}
	var owner, issue *string
	if form.Owner != form.WasOwner {
		owner = &form.Owner
	}
	if form.Issue != form.WasIssue {
		issue = &form.Issue
	}
	ctx, cancel := context.WithTimeout(ctx, filePatience)
	defer cancel()
	err := s.Describe(ctx, token, id, owner, issue)
	switch {
	case err == nil:
		return http.StatusSeeOther
	case errors.Is(err, forge.ErrUnauthorized), errors.Is(err, forge.ErrForbidden), errors.Is(err, forge.ErrNotFound):
		return refuse(http.StatusForbidden, "token", wrong)
	case errors.Is(err, live.ErrNoCluster):
		return refuse(http.StatusNotFound, "form", "Nothing was noted: the cluster is gone.")
	}
	s.Log.Error("noting of a cluster", "cluster", id, "error", strings.ReplaceAll(err.Error(), token, "[token]"))
	return refuse(http.StatusBadGateway, "form", "It is not known whether this was noted. Look at the page again.")
}

// asSentence is what an error says of a description, begun and ended as one.
func asSentence(err error) string {
	_, why, _ := strings.Cut(err.Error(), ": ")
	why = cmp.Or(why, err.Error())
	return strings.ToUpper(why[:1]) + why[1:] + "."
}
