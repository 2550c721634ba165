package local

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

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

type wireCheckRun struct {
	ID           int64         `json:"id"`
	NodeID       string        `json:"node_id"`
	HeadSHA      string        `json:"head_sha"`
	ExternalID   string        `json:"external_id"`
	URL          string        `json:"url"`
	HTMLURL      string        `json:"html_url"`
	DetailsURL   *string       `json:"details_url"`
	Status       string        `json:"status"`
	Conclusion   *string       `json:"conclusion"`
	StartedAt    *stamp        `json:"started_at"`
	CompletedAt  *stamp        `json:"completed_at"`
	Output       checkOutput   `json:"output"`
	Name         string        `json:"name"`
	CheckSuite   wireSuite     `json:"check_suite"`
	App          *struct{}     `json:"app"`
	PullRequests []minimalPull `json:"pull_requests"`
}

type checkOutput struct {
	Title            *string `json:"title"`
	Summary          *string `json:"summary"`
	Text             *string `json:"text"`
	AnnotationsCount int     `json:"annotations_count"`
	AnnotationsURL   string  `json:"annotations_url"`
}

type wireSuite struct {
	ID int64 `json:"id"`
}

type minimalPull struct {
	URL    string      `json:"url"`
	ID     int64       `json:"id"`
	Number int64       `json:"number"`
	Head   minimalSide `json:"head"`
	Base   minimalSide `json:"base"`
}

type minimalSide struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo struct {
		ID   int64  `json:"id"`
		URL  string `json:"url"`
		Name string `json:"name"`
	} `json:"repo"`
}

func (v *view) checkRun(ctx context.Context, r hosted.Repo, k hosted.CheckRun) (wireCheckRun, error) {
	u := v.f.repoAPI(r, "/check-runs/%d", k.ID)
	w := wireCheckRun{ID: k.ID, NodeID: nodeID("CheckRun", k.ID), HeadSHA: k.SHA, ExternalID: k.ExternalID, URL: u, HTMLURL: v.f.repoHTML(r, "/runs/%d", k.ID),
		DetailsURL: text(k.DetailsURL), Status: k.Status, Conclusion: text(k.Conclusion), StartedAt: maybe(k.StartedAt), CompletedAt: maybe(k.CompletedAt),
		Output: checkOutput{text(k.Title), text(k.Summary), text(k.Text), 0, u + "/annotations"}, Name: k.Name, CheckSuite: wireSuite{k.ID}, PullRequests: []minimalPull{}}
	yes := true
	pulls, _, err := v.q.Issues(ctx, hosted.IssueFilter{RepoID: r.ID, Pull: &yes, State: stateOpen, HeadSHA: k.SHA})
	for _, p := range pulls {
		m := minimalPull{URL: v.f.repoAPI(r, "/pulls/%d", p.Number), ID: p.ID, Number: p.Number,
			Head: minimalSide{Ref: p.Head, SHA: p.HeadSHA}, Base: minimalSide{Ref: p.Base, SHA: p.BaseSHA}}
		m.Base.Repo.ID, m.Base.Repo.URL, m.Base.Repo.Name = r.ID, v.f.repoAPI(r, ""), r.Name
		m.Head.Repo = m.Base.Repo
		m.Head.Repo.ID = p.HeadRepoID
		w.PullRequests = append(w.PullRequests, m)
	}
	return w, err
}

type checkRunRequest struct {
	Name        optional[string]    `json:"name"`
	HeadSHA     string              `json:"head_sha"`
	DetailsURL  optional[string]    `json:"details_url"`
	ExternalID  optional[string]    `json:"external_id"`
	Status      optional[string]    `json:"status"`
	StartedAt   optional[time.Time] `json:"started_at"`
	Conclusion  optional[string]    `json:"conclusion"`
	CompletedAt optional[time.Time] `json:"completed_at"`
	Output      *struct {
		Title   optional[string] `json:"title"`
		Summary optional[string] `json:"summary"`
		Text    optional[string] `json:"text"`
	} `json:"output"`
}

var conclusions = []string{"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"}

// apply puts what was given into a check run, and checks it. A conclusion
// completes it.
func (in checkRunRequest) apply(k *hosted.CheckRun, now time.Time) error {
	in.Name.apply(&k.Name)
	in.DetailsURL.apply(&k.DetailsURL)
	in.ExternalID.apply(&k.ExternalID)
	in.Status.apply(&k.Status)
	in.StartedAt.apply(&k.StartedAt)
	in.CompletedAt.apply(&k.CompletedAt)
	if in.Conclusion.apply(&k.Conclusion) && k.Conclusion != "" {
		k.Status = "completed"
	}
	if in.Output != nil {
		in.Output.Title.apply(&k.Title)
		in.Output.Summary.apply(&k.Summary)
		in.Output.Text.apply(&k.Text)
	}
	switch {
	case strings.TrimSpace(k.Name) == "":
		return missing("CheckRun", "name")
	case !slices.Contains([]string{"queued", "in_progress", "completed"}, k.Status):
		return invalid("CheckRun", "status", "invalid", "status is one of queued, in_progress, completed")
	case k.Status != "completed":
		k.Conclusion, k.CompletedAt = "", time.Time{}
	case !slices.Contains(conclusions, k.Conclusion):
		return invalid("CheckRun", "conclusion", "invalid", "conclusion is one of "+strings.Join(conclusions, ", "))
	case k.CompletedAt.IsZero():
		k.CompletedAt = now
	}
	if k.StartedAt.IsZero() && k.Status != "queued" {
		k.StartedAt = now
	}
	return nil
}

func (c *call) createCheckRun() error {
	var in checkRunRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	sha, err := c.git().Resolve(c.ctx(), in.HeadSHA)
	if errors.Is(err, git.ErrNotFound) || err == nil && sha != in.HeadSHA {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", in.HeadSHA)
	}
	if err != nil {
		return err
	}
	k := hosted.CheckRun{RepoID: c.repo.ID, SHA: sha, Status: "queued", Creator: c.user.Login}
	if err := in.apply(&k, c.f.now()); err != nil {
		return err
	}
	return c.storeCheckRun(k, http.StatusCreated, "created")
}

// storeCheckRun adds or changes a check run and announces it.
func (c *call) storeCheckRun(k hosted.CheckRun, status int, action string) error {
	var w wireCheckRun
	err := c.f.change(c.ctx(), func(v *view) error {
		row, err := k, error(nil)
		if row.ID == 0 {
			row, err = v.q.AddCheckRun(c.ctx(), row)
		} else {
			err = v.q.UpdateCheckRun(c.ctx(), row)
		}
		if err != nil {
			return err
		}
		if w, err = v.checkRun(c.ctx(), c.repo, row); err != nil {
			return err
		}
		return v.emit(c.ctx(), c.repo, c.user.Login, forge.EventCheckRun, action, map[string]any{"check_run": w})
	})
	return answer(c, status, w, err)
}

func (c *call) theCheckRun() (hosted.CheckRun, error) {
	id, err := c.number("id")
	if err != nil {
		return hosted.CheckRun{}, err
	}
	return c.q.CheckRun(c.ctx(), c.repo.ID, id)
}

func (c *call) getCheckRun() error {
	k, err := c.theCheckRun()
	if err != nil {
		return err
	}
	w, err := c.view().checkRun(c.ctx(), c.repo, k)
	return answer(c, http.StatusOK, w, err)
}

func (c *call) editCheckRun() error {
	k, err := c.theCheckRun()
	if err != nil {
		return err
	}
	var in checkRunRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	done := k.Status == "completed"
	if err := in.apply(&k, c.f.now()); err != nil {
		return err
	}
	action := "created"
	if k.Status == "completed" && !done {
		action = "completed"
	}
	return c.storeCheckRun(k, http.StatusOK, action)
}

func (c *call) listCheckRuns(sha string) error {
	rows, total, err := c.q.CheckRuns(c.ctx(), c.repo.ID, sha, c.query("check_name"), c.query("status"), c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	out := struct {
		TotalCount int            `json:"total_count"`
		CheckRuns  []wireCheckRun `json:"check_runs"`
	}{total, []wireCheckRun{}}
	v := c.view()
	for _, k := range rows {
		w, err := v.checkRun(c.ctx(), c.repo, k)
		if err != nil {
			return err
		}
		out.CheckRuns = append(out.CheckRuns, w)
	}
	return c.json(http.StatusOK, out)
}
