package local

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

func (f *Forge) checkRoutes() []route {
	return []route{
		{"POST /repos/{owner}/{repo}/statuses/{sha...}", canWrite, (*call).createStatus},
		{"GET /repos/{owner}/{repo}/statuses/{sha...}", canRead, func(c *call) error {
			sha, err := c.resolve(c.path("sha"))
			if err != nil {
				return err
			}
			return c.listStatuses(sha)
		}},
		{"POST /repos/{owner}/{repo}/check-runs", canWrite, (*call).createCheckRun},
		{"GET /repos/{owner}/{repo}/check-runs/{id}", canRead, (*call).getCheckRun},
		{"PATCH /repos/{owner}/{repo}/check-runs/{id}", canWrite, (*call).editCheckRun},
	}
}

type wireStatus struct {
	URL         string    `json:"url"`
	AvatarURL   string    `json:"avatar_url"`
	ID          int64     `json:"id"`
	NodeID      string    `json:"node_id"`
	State       string    `json:"state"`
	Description *string   `json:"description"`
	TargetURL   *string   `json:"target_url"`
	Context     string    `json:"context"`
	CreatedAt   stamp     `json:"created_at"`
	UpdatedAt   stamp     `json:"updated_at"`
	Creator     *wireUser `json:"creator,omitempty"`
}

func (v *view) status(ctx context.Context, r hosted.Repo, s hosted.Status) (wireStatus, error) {
	u, err := v.user(ctx, s.Creator)
	if err != nil {
		return wireStatus{}, err
	}
	return wireStatus{URL: v.f.repoAPI(r, "/statuses/%s", s.SHA), AvatarURL: u.AvatarURL, ID: s.ID, NodeID: nodeID("StatusContext", s.ID), State: s.State,
		Description: text(s.Description), TargetURL: text(s.TargetURL), Context: s.Context, CreatedAt: stamp(s.CreatedAt), UpdatedAt: stamp(s.CreatedAt), Creator: u}, nil
}

func (c *call) createStatus() error {
	in := struct {
		State       string `json:"state"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Context     string `json:"context"`
	}{Context: "default"}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !slices.Contains([]string{"pending", "success", "failure", "error"}, in.State) {
		return invalid("Status", "state", "invalid", "state is one of error, failure, pending, success")
	}
	if n := len([]rune(in.Description)); n > 140 {
		return invalid("Status", "description", "custom", "description is too long (maximum is 140 characters)")
	}
	if strings.TrimSpace(in.Context) == "" || len(in.Context) > 255 {
		return invalid("Status", "context", "invalid", "context has 1 to 255 characters")
	}
	sha, err := c.git().Resolve(c.ctx(), c.path("sha"))
	if errors.Is(err, git.ErrNotFound) || err == nil && sha != c.path("sha") {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", c.path("sha"))
	}
	if err != nil {
		return err
	}
	s := hosted.Status{RepoID: c.repo.ID, SHA: sha, Context: in.Context, State: in.State, Description: in.Description,
		TargetURL: in.TargetURL, Creator: c.user.Login, CreatedAt: c.f.now()}
	commit, branches, err := c.statusCommit(sha)
	if err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error {
		var err error
		if s, err = v.q.AddStatus(c.ctx(), s); err != nil {
			return err
		}
		return v.emitStatus(c.ctx(), c.repo, s, commit, branches)
	})
	if err != nil {
		return err
	}
	w, err := c.view().status(c.ctx(), c.repo, s)
	return answer(c, http.StatusCreated, w, err)
}

// statusCommit reads a commit and which branches (ten at most) contain it.
func (c *call) statusCommit(sha string) (git.Commit, []git.Ref, error) {
	commit, err := oneCommit(c.ctx(), c.git(), sha)
	if err != nil {
		return commit, nil, err
	}
	out, err := c.git().Git(c.ctx(), "for-each-ref", "--count=10", "--contains="+sha, "--format=%(refname) %(objectname)", "refs/heads")
	if err != nil {
		return commit, nil, err
	}
	var refs []git.Ref
	for line := range strings.Lines(out) {
		name, tip, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs = append(refs, git.Ref{Name: strings.TrimPrefix(name, "refs/heads/"), SHA: tip})
	}
	return commit, refs, nil
}

func (v *view) emitStatus(ctx context.Context, r hosted.Repo, s hosted.Status, commit git.Commit, branches []git.Ref) error {
	wc, err := v.commit(ctx, r, commit)
	if err != nil {
		return err
	}
	type branch struct {
		Name      string  `json:"name"`
		Commit    wireSHA `json:"commit"`
		Protected bool    `json:"protected"`
	}
	in := []branch{}
	for _, b := range branches {
		_, err := v.q.Protection(ctx, r.ID, b.Name)
		if err != nil && !errors.Is(err, hosted.ErrNotFound) {
			return err
		}
		in = append(in, branch{b.Name, wireSHA{b.SHA, v.f.repoAPI(r, "/commits/%s", b.SHA)}, err == nil})
	}
	return v.emit(ctx, r, s.Creator, forge.EventStatus, "", map[string]any{"id": s.ID, "sha": s.SHA, "name": r.FullName(), "avatar_url": nil,
		"target_url": text(s.TargetURL), "context": s.Context, "description": text(s.Description), "state": s.State, "commit": wc, "branches": in,
		"created_at": stamp(s.CreatedAt), "updated_at": stamp(s.CreatedAt)})
}

func (c *call) listStatuses(sha string) error {
	rows, total, err := c.q.Statuses(c.ctx(), c.repo.ID, sha, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	v := c.view()
	return list(c, rows, func(s hosted.Status) (wireStatus, error) { return v.status(c.ctx(), c.repo, s) })
}

// combinedStatus sums the newest status of each context up.
func (c *call) combinedStatus(sha string) error {
	all, total, err := c.q.CurrentStatuses(c.ctx(), c.repo.ID, sha, hosted.Page{})
	if err != nil {
		return err
	}
	repo, err := c.view().repo(c.ctx(), c.repo, c.right)
	if err != nil {
		return err
	}
	out := struct {
		State      string       `json:"state"`
		Statuses   []wireStatus `json:"statuses"`
		SHA        string       `json:"sha"`
		TotalCount int          `json:"total_count"`
		Repository *wireRepo    `json:"repository"`
		CommitURL  string       `json:"commit_url"`
		URL        string       `json:"url"`
	}{combined(all), []wireStatus{}, sha, total, repo, c.f.repoAPI(c.repo, "/commits/%s", sha), c.f.repoAPI(c.repo, "/commits/%s/status", sha)}
	v := c.view()
	for _, s := range slice(c, all) {
		w, err := v.status(c.ctx(), c.repo, s)
		if err != nil {
			return err
		}
		out.Statuses = append(out.Statuses, w)
	}
	return c.json(http.StatusOK, out)
}

// combined is failure if any context failed, pending if any is pending or
// there is none, and else success.
func combined(all []hosted.Status) string {
	state := "success"
	if len(all) == 0 {
		state = "pending"
	}
	for _, s := range all {
		switch s.State {
		case "failure", "error":
			return "failure"
		case "pending":
			state = "pending"
		}
	}
	return state
}
