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

type wireCheckRun struct {
	ID           int64         `json:"id"`
	NodeID       string        `json:"node_id"`
	HeadSHA      string        `json:"head_sha"`
	ExternalID   string        `json:"external_id"`
	URL          string        `json:"url"`
	HTMLURL      string        `json:"html_url"`
	DetailsURL   string        `json:"details_url"`
	Status       string        `json:"status"`
	Conclusion   *string       `json:"conclusion"`
	StartedAt    *stamp        `json:"started_at"`
	CompletedAt  *stamp        `json:"completed_at"`
	Output       checkOutput   `json:"output"`
	Name         string        `json:"name"`
	CheckSuite   wireSuite     `json:"check_suite"`
	App          wireApp       `json:"app"`
	PullRequests []minimalPull `json:"pull_requests"`
}

type checkOutput struct {
	Title            *string `json:"title"`
	Summary          *string `json:"summary"`
	Text             *string `json:"text"`
	AnnotationsCount int     `json:"annotations_count"`
	AnnotationsURL   string  `json:"annotations_url"`
}

// wireSuite is the suite of a check run; here each run is one of its own.
type wireSuite struct {
	ID           int64         `json:"id"`
	NodeID       string        `json:"node_id"`
	HeadBranch   *string       `json:"head_branch"`
	HeadSHA      string        `json:"head_sha"`
	Status       string        `json:"status"`
	Conclusion   *string       `json:"conclusion"`
	URL          string        `json:"url"`
	Before       *string       `json:"before"`
	After        *string       `json:"after"`
	PullRequests []minimalPull `json:"pull_requests"`
	App          wireApp       `json:"app"`
	CreatedAt    stamp         `json:"created_at"`
	UpdatedAt    stamp         `json:"updated_at"`
}

// wireApp is who reports a check run. On GitHub only apps may; here it is the
// account that did.
type wireApp struct {
	ID          int64             `json:"id"`
	Slug        string            `json:"slug"`
	NodeID      string            `json:"node_id"`
	Owner       *wireUser         `json:"owner"`
	Name        string            `json:"name"`
	Description *string           `json:"description"`
	ExternalURL string            `json:"external_url"`
	HTMLURL     string            `json:"html_url"`
	CreatedAt   stamp             `json:"created_at"`
	UpdatedAt   stamp             `json:"updated_at"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
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

func (v *view) app(ctx context.Context, login string, since time.Time) (wireApp, error) {
	u, err := v.user(ctx, login)
	if err != nil {
		return wireApp{}, err
	}
	return wireApp{ID: u.ID, Slug: u.Login, NodeID: nodeID("App", u.ID), Owner: u, Name: u.Login, ExternalURL: u.HTMLURL, HTMLURL: u.HTMLURL,
		CreatedAt: stamp(since), UpdatedAt: stamp(since), Permissions: map[string]string{"checks": "write"}, Events: []string{}}, nil
}

func (v *view) checkRun(ctx context.Context, r hosted.Repo, k hosted.CheckRun) (wireCheckRun, error) {
	u := v.f.repoAPI(r, "/check-runs/%d", k.ID)
	w := wireCheckRun{ID: k.ID, NodeID: nodeID("CheckRun", k.ID), HeadSHA: k.SHA, ExternalID: k.ExternalID, URL: u, HTMLURL: v.f.repoHTML(r, "/runs/%d", k.ID),
		DetailsURL: k.DetailsURL, Status: k.Status, Conclusion: text(k.Conclusion), StartedAt: maybe(k.StartedAt), CompletedAt: maybe(k.CompletedAt),
		Output: checkOutput{text(k.Title), text(k.Summary), text(k.Text), 0, u + "/annotations"}, Name: k.Name}
	if w.DetailsURL == "" {
		w.DetailsURL = w.HTMLURL
	}
	var err error
	if w.App, err = v.app(ctx, k.Creator, k.StartedAt); err != nil {
		return w, err
	}
	if w.PullRequests, err = v.pullsAt(ctx, r, k.SHA); err != nil {
		return w, err
	}
	w.CheckSuite = wireSuite{ID: k.ID, NodeID: nodeID("CheckSuite", k.ID), HeadSHA: k.SHA, Status: k.Status, Conclusion: w.Conclusion,
		URL: v.f.repoAPI(r, "/check-suites/%d", k.ID), PullRequests: w.PullRequests, App: w.App, CreatedAt: stamp(k.StartedAt), UpdatedAt: stamp(k.StartedAt)}
	if len(w.PullRequests) > 0 {
		w.CheckSuite.HeadBranch = &w.PullRequests[0].Head.Ref
	}
	return w, nil
}

// pullsAt lists the open pull requests whose head is a commit.
func (v *view) pullsAt(ctx context.Context, r hosted.Repo, sha string) ([]minimalPull, error) {
	yes := true
	pulls, _, err := v.q.Issues(ctx, hosted.IssueFilter{RepoID: r.ID, Pull: &yes, State: stateOpen, HeadSHA: sha})
	out := []minimalPull{}
	for _, p := range pulls {
		m := minimalPull{URL: v.f.repoAPI(r, "/pulls/%d", p.Number), ID: p.ID, Number: p.Number,
			Head: minimalSide{Ref: p.Head, SHA: p.HeadSHA}, Base: minimalSide{Ref: p.Base, SHA: p.BaseSHA}}
		m.Base.Repo.ID, m.Base.Repo.URL, m.Base.Repo.Name = r.ID, v.f.repoAPI(r, ""), r.Name
		m.Head.Repo = m.Base.Repo
		m.Head.Repo.ID = p.HeadRepoID
		out = append(out, m)
	}
	return out, err
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
	if k.StartedAt.IsZero() {
		k.StartedAt = now
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
