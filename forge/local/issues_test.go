package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v88/github"
)

const issues = "/api/v3/repos/harbour/halyard/issues"

func TestIssues(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada, eve, ctx := e.as(t, "ada"), e.as(t, "eve"), t.Context()
	m, _, err := ada.Issues.CreateMilestone(ctx, owner, repo, &github.Milestone{Title: github.Ptr("v1.0")})
	check(t, err)
	i, _, err := ada.Issues.Create(ctx, owner, repo, &github.IssueRequest{Title: github.Ptr("Leak"), Body: github.Ptr("It leaks."),
		Labels: &[]string{"kind/bug", "sig/deck"}, Assignees: &[]string{"ben", "nobody", "harbour"}, Milestone: m.Number})
	check(t, err)
	if i.GetNumber() != 1 || len(i.Labels) != 2 || len(i.Assignees) != 1 || i.GetMilestone().GetTitle() != "v1.0" || i.GetState() != "open" || i.IsPullRequest() {
		t.Fatalf("created as %v", i)
	}
	// A stranger may report, but not label, assign or plan.
	other, _, err := eve.Issues.Create(ctx, owner, repo, &github.IssueRequest{Title: github.Ptr("Me too"), Labels: &[]string{"kind/bug"}, Assignees: &[]string{"ben"}, Milestone: m.Number})
	check(t, err)
	if len(other.Labels) != 0 || len(other.Assignees) != 0 || other.Milestone != nil {
		t.Errorf("a stranger's is %v", other)
	}
	if a := e.do(t, "eve", "PATCH", issues+"/1", `{"state":"closed"}`); a.status != 403 {
		t.Errorf("a stranger closes another's issue: %d", a.status)
	}
	if a := e.do(t, "eve", "PATCH", issues+"/2", `{"state":"closed","state_reason":"not_planned","labels":["x"]}`); a.status != 200 || a.json["state_reason"] != "not_planned" || len(a.json["labels"].([]any)) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "eve", "PATCH", issues+"/2", `{"state":"open"}`); a.json["state"] != "open" || a.json["closed_at"] != nil || a.json["state_reason"] != "reopened" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ada", "PATCH", issues+"/1", `{"title":"Small leak","body":null,"assignees":["cho"],"labels":[{"name":"KIND/BUG"},"new"],"milestone":null}`); a.status != 200 ||
		a.json["title"] != "Small leak" || a.json["body"] != nil || a.json["milestone"] != nil || a.json["assignee"].(map[string]any)["login"] != "cho" || strings.Count(a.body, `"color"`) != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for body, want := range map[string]string{`{"title":" "}`: "missing_field", `{"state":"odd"}`: "state", `{"milestone":99}`: "milestone", `{"milestone":"v1.0"}`: "Invalid request", `{"labels":[""]}`: "missing_field"} {
		if a := e.do(t, "ada", "PATCH", issues+"/1", body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	_, _, err = ada.Issues.RemoveAssignees(ctx, owner, repo, 1, []string{"cho"})
	check(t, err)
	if i, _, _ = ada.Issues.Get(ctx, owner, repo, 1); len(i.Assignees) != 0 {
		t.Errorf("assignees %v", i.Assignees)
	}
	if a := e.do(t, "ada", "GET", "/api/v3/repos/harbour/halyard/pulls/1", ""); a.status != 404 {
		t.Errorf("an issue is a pull request: %d", a.status)
	}
}

func TestIssueFilters(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	w.branch("feature", "f", "f")
	ada, ctx := e.as(t, "ada"), t.Context()
	m, _, err := ada.Issues.CreateMilestone(ctx, owner, repo, &github.Milestone{Title: github.Ptr("v1.0 beta")})
	check(t, err)
	make := func(title string, labels []string, assignee string, milestone *int) {
		t.Helper()
		r := &github.IssueRequest{Title: &title, Labels: &labels, Milestone: milestone}
		if assignee != "" {
			r.Assignees = &[]string{assignee}
		}
		_, _, err := ada.Issues.Create(ctx, owner, repo, r)
		check(t, err)
	}
	make("Leak in the hull", []string{"kind/bug", "help wanted"}, "ben", m.Number)
	make("Paint 100%", []string{"kind/feature"}, "", nil)
	make("Closed one", []string{"kind/bug"}, "cho", nil)
	_, _, err = ada.Issues.Edit(ctx, owner, repo, 3, &github.IssueRequest{State: github.Ptr("closed")})
	check(t, err)
	e.pull(t, "ben", "feature")
	_, _, err = ada.Issues.CreateComment(ctx, owner, repo, 2, &github.IssueComment{Body: github.Ptr("Blue?")})
	check(t, err)
	for query, want := range map[string]string{
		"": "[4 2 1]", "state=all&direction=asc": "[1 2 3 4]", "state=closed": "[3]", "labels=KIND/bug": "[1]", "labels=kind/bug,help wanted": "[1]",
		"labels=kind/bug,kind/feature": "[]", "milestone=1": "[1]", "milestone=none": "[4 2]", "milestone=*": "[1]", "milestone=x": "[]", "creator=ben": "[4]",
		"assignee=Ben": "[1]", "assignee=none": "[4 2]", "assignee=*&state=all": "[3 1]", "sort=comments": "[2 4 1]", "sort=updated": "[2 4 1]",
		"since=2999-01-01T00:00:00Z": "[]",
	} {
		if got := numbers(t, e, issues+"?"+strings.ReplaceAll(query, " ", "%20")); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"repo:harbour/halyard is:pr": "[4]", "repo:harbour/halyard is:issue is:open": "[2 1]", `label:"help wanted"`: "[1]", `milestone:"v1.0 beta"`: "[1]",
		"is:pr base:main author:ben": "[4]", "is:pr base:other": "[]", "is:merged": "[]", "is:pr is:unmerged draft:false": "[4]", "state:closed": "[3]", "hull": "[1]",
		"100%": "[2]", "1_0": "[]", "assignee:cho": "[3]", "HULL leak": "[]", `"leak in the"`: "[1]", "head:feature type:pr": "[4]",
	} {
		if got := numbers(t, e, "/api/v3/search/issues?q="+escape(query)); got != want {
			t.Errorf("search %s: %s, want %s", query, got, want)
		}
	}
	found, _, err := ada.Search.Issues(ctx, "is:issue label:kind/bug", &github.SearchOptions{Sort: "created", Order: "asc"})
	if err != nil || found.GetTotal() != 2 || found.Issues[0].GetNumber() != 1 {
		t.Errorf("go-github finds %v %v", found, err)
	}
	if a := e.do(t, "", "GET", "/api/v3/search/issues?q=repo:none/none", ""); a.status != 422 {
		t.Errorf("a repository that is not there: %d", a.status)
	}
}

func escape(q string) string {
	return strings.NewReplacer("%", "%25", " ", "+", `"`, "%22").Replace(q)
}

// numbers lists the numbers of the issues in an answer.
func numbers(t *testing.T, e *env, path string) string {
	t.Helper()
	a := e.do(t, "ada", "GET", path, "")
	if a.status != 200 {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	got := []string{}
	for part := range strings.SplitSeq(a.body, `"repository_url"`) {
		before := part[max(0, strings.LastIndex(part, `"comments_url"`)):]
		var n int
		if i := strings.Index(before, `"number":`); i >= 0 {
			if _, err := fmt.Sscanf(before[i:], `"number":%d`, &n); err == nil {
				got = append(got, fmt.Sprint(n))
			}
		}
	}
	return "[" + strings.Join(got, " ") + "]"
}

func TestComments(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.do(t, "ada", "POST", issues, `{"title":"x"}`)
	eve, ctx := e.as(t, "eve"), t.Context()
	c, _, err := eve.Issues.CreateComment(ctx, owner, repo, 1, &github.IssueComment{Body: github.Ptr("/assign")})
	check(t, err)
	path := strings.TrimPrefix(c.GetURL(), e.url)
	if got, _, err := eve.Issues.GetComment(ctx, owner, repo, c.GetID()); err != nil || got.GetBody() != "/assign" || got.GetUser().GetLogin() != "eve" || got.GetAuthorAssociation() != "NONE" {
		t.Errorf("comment %v %v", got, err)
	}
	_, _, err = eve.Issues.EditComment(ctx, owner, repo, c.GetID(), &github.IssueComment{Body: github.Ptr("/unassign")})
	check(t, err)
	e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/collaborators/cho", `{"permission":"triage"}`)
	for who, want := range map[string]int{"": 401, "cho": 403, "ben": 200} {
		if a := e.do(t, who, "PATCH", path, `{"body":"changed"}`); a.status != want {
			t.Errorf("%q edits eve's comment: %d", who, a.status)
		}
	}
	if a := e.do(t, "cho", "DELETE", path, ""); a.status != 403 {
		t.Errorf("cho deletes eve's comment: %d", a.status)
	}
	_, _, err = eve.Issues.CreateComment(ctx, owner, repo, 1, &github.IssueComment{Body: github.Ptr("second")})
	check(t, err)
	for _, n := range []int{1, 0} { // of the issue; of all issues
		list, _, err := eve.Issues.ListComments(ctx, owner, repo, n, nil)
		if err != nil || len(list) != 2 || list[0].GetBody() != "changed" {
			t.Errorf("comments on %d: %v %v", n, list, err)
		}
	}
	future := time.Now().Add(time.Hour)
	if list, _, err := eve.Issues.ListComments(ctx, owner, repo, 1, &github.IssueListCommentsOptions{Since: &future}); err != nil || len(list) != 0 {
		t.Errorf("since: %v %v", list, err)
	}
	for _, body := range []string{`{}`, `{"body":""}`, `{"body":"  "}`, `{"body":null}`} {
		if a := e.do(t, "eve", "POST", issues+"/1/comments", body); a.status != 422 {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	if a := e.do(t, "eve", "POST", issues+"/9/comments", `{"body":"x"}`); a.status != 404 {
		t.Errorf("on nothing: %d", a.status)
	}
	if a := e.do(t, "eve", "DELETE", path, ""); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "eve", "GET", path, ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "eve", "GET", issues+"/1", ""); a.json["comments"] != 1.0 {
		t.Errorf("counted %v", a.json["comments"])
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	const path = "/api/v3/repos/harbour/halyard/labels"
	l, _, err := ada.Issues.CreateLabel(ctx, owner, repo, &github.Label{Name: github.Ptr("do-not-merge/hold"), Color: github.Ptr("#E11D21"), Description: github.Ptr("Wait")})
	check(t, err)
	if l.GetColor() != "e11d21" || l.GetDescription() != "Wait" {
		t.Errorf("created as %v", l)
	}
	for body, want := range map[string]string{`{"name":"DO-NOT-MERGE/hold"}`: "already_exists", `{}`: "missing_field", `{"name":"x","color":"red"}`: "color",
		`{"name":"a,b"}`: "comma", `{"name":"x","description":"` + strings.Repeat("d", 500) + `"}`: "too long"} {
		if a := e.do(t, "ada", "POST", path, body); a.status != 422 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if got, _, err := ada.Issues.GetLabel(ctx, owner, repo, "do-not-merge/hold"); err != nil || got.GetID() != l.GetID() {
		t.Errorf("a name with a slash: %v %v", got, err)
	}
	e.do(t, "ada", "POST", issues, `{"title":"x","labels":["do-not-merge/hold"]}`)
	if a := e.do(t, "ada", "PATCH", path+"/do-not-merge%2Fhold", `{"new_name":"hold","color":"000000"}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	names := func() string {
		list, _, err := ada.Issues.ListLabelsByIssue(ctx, owner, repo, 1, nil)
		check(t, err)
		var n []string
		for _, l := range list {
			n = append(n, l.GetName())
		}
		return strings.Join(n, " ")
	}
	steps := []struct{ method, path, body, want string }{
		{"GET", "", "", "hold"},
		{"POST", "", `{"labels":["lgtm","HOLD"]}`, "hold lgtm"},
		{"POST", "", `["approved"]`, "approved hold lgtm"},
		{"DELETE", "/LGTM", "", "approved hold"},
		{"PUT", "", `{"labels":["a","b"]}`, "a b"},
		{"PUT", "", `["b"]`, "b"},
		{"DELETE", "", "", ""},
	}
	for _, s := range steps {
		if a := e.do(t, "ada", s.method, issues+"/1/labels"+s.path, s.body); a.status >= 300 {
			t.Errorf("%s %s: %d %s", s.method, s.body, a.status, a.body)
		}
		if got := names(); got != s.want {
			t.Errorf("after %s %s %s: %q, want %q", s.method, s.path, s.body, got, s.want)
		}
	}
	if a := e.do(t, "ada", "DELETE", issues+"/1/labels/none", ""); a.status != 404 || !strings.Contains(a.body, "Label does not exist") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ada", "POST", issues+"/1/labels", `{"labels":"x"}`); a.status < 400 || a.status >= 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "eve", "POST", issues+"/1/labels", `["x"]`); a.status != 403 {
		t.Errorf("a stranger labels: %d", a.status)
	}
	for _, who := range []string{"ada"} {
		if a := e.do(t, who, "DELETE", path+"/hold", ""); a.status != 204 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := e.do(t, "", "GET", path+"/hold", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestMilestones(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	due := github.Timestamp{Time: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}
	m, _, err := ada.Issues.CreateMilestone(ctx, owner, repo, &github.Milestone{Title: github.Ptr("v1.0"), DueOn: &due, Description: github.Ptr("First")})
	check(t, err)
	if m.GetNumber() != 1 || !m.GetDueOn().Equal(due) || m.GetCreator().GetLogin() != "ada" {
		t.Errorf("created as %v", m)
	}
	const path = "/api/v3/repos/harbour/halyard/milestones"
	for body, want := range map[string]string{`{"title":"v1.0"}`: "already_exists", `{}`: "missing_field", `{"title":"x","state":"odd"}`: "state", `{"title":"x","due_on":"soon"}`: ""} {
		if a := e.do(t, "ada", "POST", path, body); a.status != 422 && a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	e.do(t, "ada", "POST", issues, `{"title":"a","milestone":1}`)
	e.do(t, "ada", "POST", issues, `{"title":"b","milestone":1}`)
	e.do(t, "ada", "PATCH", issues+"/2", `{"state":"closed"}`)
	if m, _, err = ada.Issues.GetMilestone(ctx, owner, repo, 1); err != nil || m.GetOpenIssues() != 1 || m.GetClosedIssues() != 1 {
		t.Errorf("counted %v %v", m, err)
	}
	m, _, err = ada.Issues.EditMilestone(ctx, owner, repo, 1, &github.Milestone{State: github.Ptr("closed")})
	if err != nil || m.ClosedAt == nil || m.GetTitle() != "v1.0" {
		t.Errorf("closed as %v %v", m, err)
	}
	for state, want := range map[string]int{"": 0, "closed": 1, "all": 1, "open": 0} {
		if list, _, err := ada.Issues.ListMilestones(ctx, owner, repo, &github.MilestoneListOptions{State: state}); err != nil || len(list) != want {
			t.Errorf("%s: %v %v", state, list, err)
		}
	}
	_, err = ada.Issues.DeleteMilestone(ctx, owner, repo, 1)
	check(t, err)
	if i, _, err := ada.Issues.Get(ctx, owner, repo, 1); err != nil || i.Milestone != nil {
		t.Errorf("its issue is %v %v", i, err)
	}
	if a := e.do(t, "ada", "GET", path+"/1", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	if m, _, err = ada.Issues.CreateMilestone(ctx, owner, repo, &github.Milestone{Title: github.Ptr("v1.0")}); err != nil || m.GetNumber() != 2 {
		t.Errorf("the next is %v %v", m, err)
	}
}

func TestStatusesAndCheckRuns(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	head := w.git("rev-parse", "HEAD")
	anyone, ctx := e.as(t, ""), t.Context()
	combined := func() (string, int) {
		t.Helper()
		s, _, err := anyone.Repositories.GetCombinedStatus(ctx, owner, repo, "main", nil)
		check(t, err)
		return s.GetState(), len(s.Statuses)
	}
	for _, step := range []struct {
		context, state, want string
		contexts             int
	}{
		{"", "", "pending", 0}, {"unit", "pending", "pending", 1}, {"lint", "success", "pending", 2}, {"unit", "success", "success", 2},
		{"e2e", "error", "failure", 3}, {"e2e", "success", "success", 3}, {"unit", "failure", "failure", 3},
	} {
		if step.context != "" {
			e.status(t, head, step.context, step.state)
		}
		if state, n := combined(); state != step.want || n != step.contexts {
			t.Errorf("after %s %s: %s of %d, want %s of %d", step.context, step.state, state, n, step.want, step.contexts)
		}
	}
	if all, _, err := anyone.Repositories.ListStatuses(ctx, owner, repo, head, nil); err != nil || len(all) != 6 || all[0].GetContext() != "unit" || all[0].GetState() != "failure" {
		t.Errorf("history %v %v", all, err)
	}
	statuses := "/api/v3/repos/harbour/halyard/statuses/"
	for _, tt := range [][2]string{{head, `{"state":"odd"}`}, {head, `{}`}, {head, `{"state":"success","description":"` + strings.Repeat("é", 141) + `"}`}, {head, `{"state":"success","context":" "}`},
		{"main", `{"state":"success"}`}, {head[:10], `{"state":"success"}`}, {strings.Repeat("0", 40), `{"state":"success"}`}} {
		if a := e.do(t, "ada", "POST", statuses+tt[0], tt[1]); a.status != 422 {
			t.Errorf("%v: %d %s", tt, a.status, a.body)
		}
	}
	if a := e.do(t, "ada", "POST", statuses+head, `{"state":"success","description":"`+strings.Repeat("é", 140)+`"}`); a.status != 201 || a.json["context"] != "default" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "eve", "POST", statuses+head, `{"state":"success"}`); a.status != 403 {
		t.Errorf("a stranger reports: %d", a.status)
	}
	const runs = "/api/v3/repos/harbour/halyard/check-runs"
	a := e.do(t, "ada", "POST", runs, `{"name":"unit","head_sha":"`+head+`","status":"in_progress","output":{"title":"T","summary":"S"}}`)
	if a.status != 201 || a.json["conclusion"] != nil || a.json["started_at"] == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	one := strings.TrimPrefix(a.json["url"].(string), e.url)
	if a = e.do(t, "ada", "PATCH", one, `{"conclusion":"failure"}`); a.status != 200 || a.json["status"] != "completed" || a.json["completed_at"] == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	e.do(t, "ada", "POST", runs, `{"name":"unit","head_sha":"`+head+`","conclusion":"success"}`)
	e.do(t, "ada", "POST", runs, `{"name":"lint","head_sha":"`+head+`"}`)
	list, _, err := anyone.Checks.ListCheckRunsForRef(ctx, owner, repo, "main", nil)
	if err != nil || list.GetTotal() != 2 || list.CheckRuns[0].GetConclusion() != "success" {
		t.Errorf("newest of each name: %v %v", list, err)
	}
	if list, _, err = anyone.Checks.ListCheckRunsForRef(ctx, owner, repo, "main", &github.ListCheckRunsOptions{CheckName: github.Ptr("lint"), Status: github.Ptr("queued")}); err != nil || list.GetTotal() != 1 {
		t.Errorf("filtered: %v %v", list, err)
	}
	for _, body := range []string{`{"name":"x","head_sha":"main"}`, `{"head_sha":"` + head + `"}`, `{"name":"x","head_sha":"` + head + `","status":"odd"}`, `{"name":"x","head_sha":"` + head + `","status":"completed"}`,
		`{"name":"x","head_sha":"` + head + `","conclusion":"odd"}`} {
		if a := e.do(t, "ada", "POST", runs, body); a.status != 422 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
