package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"

	"seaworthy/forge"
	"seaworthy/forge/local"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada := e.tokens["ada"]
	for header, want := range map[string]int{
		"token " + ada: 200, "Token " + ada: 200, "Bearer " + ada: 200, "bearer " + ada: 200,
		"token " + ada + "x": 401, "token " + ada[:len(ada)-1]: 401, "token ": 401, "Bearer": 401, ada: 401, "Digest " + ada: 401,
		"Basic !!!": 401, "token ' OR 1=1 --": 401, "": 401,
	} {
		a := e.do(t, "", "GET", "/api/v3/user", "", "Authorization", header)
		if a.status != want {
			t.Errorf("%q: %d, want %d", header, a.status, want)
		}
		if want == 401 && header != "" && a.json["message"] != "Bad credentials" {
			t.Errorf("%q: %s", header, a.body)
		}
	}
	for _, pair := range [][2]string{{"ada", ada}, {"x-access-token", ada}, {ada, "x-oauth-basic"}, {ada, ""}} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", e.url+"/api/v3/user", nil)
		check(t, err)
		req.SetBasicAuth(pair[0], pair[1])
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("basic %v: %s", pair, resp.Status)
		}
	}
	if _, err := e.CreateToken(t.Context(), "nobody"); err == nil {
		t.Error("made a token for nobody")
	}
	if err := e.CreateUser(t.Context(), forge.User{Login: "ADA"}, false); err == nil {
		t.Error("made a second ada")
	}
	for _, login := range []string{"", "..", ".hooks", "a/b", "a b", "api", "v2", strings.Repeat("x", 101)} {
		if err := e.CreateUser(t.Context(), forge.User{Login: login}, false); err == nil {
			t.Errorf("made the account %q", login)
		}
	}
}

func TestErrorsAreGitHubs(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, tt := range []struct {
		who, method, path, body string
		status                  int
		message                 string
	}{
		{"ada", "GET", "/repos/harbour/none", "", 404, "Not Found"},
		{"ada", "GET", "/nothing/here", "", 404, "Not Found"},
		{"ada", "GET", "", "", 200, ""},
		{"ada", "POST", "/repos/harbour/halyard/issues", `{"title":`, 400, "Problems parsing JSON"},
		{"ada", "POST", "/repos/harbour/halyard/issues", `["title"]`, 400, "Body should be a JSON object"},
		{"ada", "POST", "/repos/harbour/halyard/issues", `{"title":1}`, 422, "Invalid request."},
		{"ada", "POST", "/repos/harbour/halyard/issues", ``, 422, "Validation Failed"},
		{"ada", "POST", "/repos/harbour/halyard/issues", "{\"title\":\"\\ud800\"}", 201, ""},
		{"ada", "POST", "/repos/harbour/halyard/issues", "{\"title\":\"nul \\u0000 in it\"}", 201, ""},
		{"ada", "POST", "/user/repos", `{"name":"halyard x"}`, 422, "Validation Failed"},
		{"ada", "POST", "/user/repos", `{"name":"../x"}`, 422, "Validation Failed"},
		{"ada", "POST", "/user/repos", `{"name":"x.git"}`, 422, "Validation Failed"},
		{"ada", "POST", "/user/repos", `{}`, 422, "Validation Failed"},
		{"ada", "POST", "/orgs/harbour/repos", `{"name":"Halyard"}`, 422, "Repository creation failed."},
		{"ada", "POST", "/orgs/..%2f..%2fx/repos", `{"name":"x"}`, 422, "Validation Failed"},
		{"ben", "POST", "/orgs/harbour/repos", `{"name":"mine"}`, 403, "You need admin access to the organization before adding a repository to it."},
		{"", "POST", "/user/repos", `{"name":"x"}`, 401, "Requires authentication"},
		{"", "POST", "/repos/harbour/halyard/issues", `{"title":"x"}`, 401, "Requires authentication"},
		{"ben", "PATCH", "/repos/harbour/halyard", `{}`, 403, "Must have admin rights to Repository."},
		{"eve", "POST", "/repos/harbour/halyard/git/refs", `{}`, 403, "Resource not accessible: eve may not do this in harbour/halyard"},
		{"ada", "GET", "/repos/harbour/halyard/issues/0", "", 404, "Not Found"},
		{"ada", "GET", "/repos/harbour/halyard/issues/-1", "", 404, "Not Found"},
		{"ada", "GET", "/repos/harbour/halyard/issues/1e3", "", 404, "Not Found"},
		{"ada", "GET", "/repos/harbour/halyard/issues/99999999999999999999", "", 404, "Not Found"},
		{"ada", "GET", "/repos/harbour/halyard/issues?since=yesterday", "", 422, "Validation Failed"},
		{"ada", "GET", "/repos/harbour/halyard/issues?state=odd", "", 422, "Validation Failed"},
		{"ada", "GET", "/repos/harbour/halyard/commits", "", 409, "Git Repository is empty."},
		{"ada", "GET", "/repos/..%2f../etc", "", 404, "Not Found"},
		{"ada", "GET", "/repos/harbour/halyard/../../../user", "", 404, "Not Found"},
		{"ada", "GET", "/search/issues", "", 422, "Validation Failed"},
		{"ada", "GET", "/search/issues?q=stars:3", "", 422, "Validation Failed"},
	} {
		a := e.do(t, tt.who, tt.method, "/api/v3"+tt.path, tt.body)
		message, _ := a.json["message"].(string)
		if a.status != tt.status || !strings.HasPrefix(message, tt.message) {
			t.Errorf("%s %s %s: %d %s, want %d %q", tt.method, tt.path, tt.body, a.status, a.body, tt.status, tt.message)
		}
		if a.status >= 401 && (a.json["documentation_url"] == nil || a.json["status"] != fmt.Sprint(tt.status)) {
			t.Errorf("%s %s: the error is %s", tt.method, tt.path, a.body)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	e := start(t)
	a := e.do(t, "ada", "GET", "/api/v3/repos/harbour/halyard", "")
	for _, h := range []string{"X-Github-Request-Id", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Used", "X-Ratelimit-Resource", "Etag"} {
		if a.header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	if got := a.header.Get("X-Github-Media-Type"); got != "github.v3; format=json" {
		t.Errorf("media type %q", got)
	}
	tag := a.header.Get("Etag")
	for _, match := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
		if got := e.do(t, "ada", "GET", "/api/v3/repos/harbour/halyard", "", "If-None-Match", match); got.status != http.StatusNotModified || got.body != "" {
			t.Errorf("If-None-Match %s: %d %q", match, got.status, got.body)
		}
	}
	e.do(t, "ada", "PATCH", "/api/v3/repos/harbour/halyard", `{"description":"Other"}`)
	if got := e.do(t, "ada", "GET", "/api/v3/repos/harbour/halyard", "", "If-None-Match", tag); got.status != 200 || got.json["description"] != "Other" {
		t.Errorf("after a change: %d %s", got.status, got.body)
	}
	if got := e.do(t, "ada", "HEAD", "/api/v3/repos/harbour/halyard", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	if got := e.do(t, "", "GET", "/api/v3/rate_limit", ""); got.status != 200 || got.json["resources"] == nil {
		t.Errorf("rate_limit: %s", got.body)
	}
	if got := e.do(t, "", "GET", "/api/v3/zen", ""); got.status != 200 || got.body == "" {
		t.Errorf("zen: %s", got.body)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	for i := range 7 {
		_, _, err := ada.Issues.Create(ctx, owner, repo, &github.IssueRequest{Title: github.Ptr(fmt.Sprint(i))})
		check(t, err)
	}
	var seen []int
	o := &github.IssueListByRepoOptions{State: "all", Direction: "asc", ListOptions: github.ListOptions{PerPage: 3}}
	for {
		list, resp, err := ada.Issues.ListByRepo(ctx, owner, repo, o)
		check(t, err)
		for _, i := range list {
			seen = append(seen, i.GetNumber())
		}
		if o.ListOptions.Page <= 1 && (resp.NextPage != 2 || resp.LastPage != 3 || resp.PrevPage != 0 || resp.FirstPage != 0) {
			t.Errorf("first page links %+v", resp)
		}
		if o.ListOptions.Page == 2 && (resp.NextPage != 3 || resp.PrevPage != 1 || resp.FirstPage != 1) {
			t.Errorf("second page links %+v", resp)
		}
		if resp.NextPage == 0 {
			break
		}
		o.ListOptions.Page = resp.NextPage
	}
	if fmt.Sprint(seen) != "[1 2 3 4 5 6 7]" {
		t.Errorf("seen %v", seen)
	}
	const path = "/api/v3/repos/harbour/halyard/issues?labels=&per_page="
	for query, want := range map[string]int{"0": 7, "-5": 7, "x": 7, "101": 7, "2": 2, "2&page=4": 1, "2&page=5": 0, "2&page=-1": 2, "2&page=999999999999": 0} {
		a := e.do(t, "ada", "GET", path+query, "")
		if got := strings.Count(a.body, `"repository_url"`); got != want {
			t.Errorf("per_page=%s: %d issues, want %d", query, got, want)
		}
	}
	link := e.do(t, "ada", "GET", path+"2&page=2&state=all", "").header.Get("Link")
	for _, want := range []string{`rel="next"`, `rel="prev"`, `rel="first"`, `rel="last"`, "state=all", e.url + "/api/v3/"} {
		if !strings.Contains(link, want) {
			t.Errorf("Link %s lacks %s", link, want)
		}
	}
}

func TestPrivateRepositoriesAreHidden(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	e.do(t, "ada", "PATCH", "/api/v3/repos/harbour/halyard", `{"private":true}`)
	e.do(t, "ada", "POST", "/api/v3/repos/harbour/halyard/issues", `{"title":"Hidden"}`)
	id := e.draft(t, "v1")
	for _, who := range []string{"", "eve"} {
		for _, path := range []string{"", "/issues", "/issues/1", "/contents/README.md", "/pulls", "/branches/main", "/git/ref/heads/main", "/releases", fmt.Sprintf("/releases/%d", id), "/hooks", "/commits/main/status"} {
			if a := e.do(t, who, "GET", "/api/v3/repos/harbour/halyard"+path, ""); a.status != 404 {
				t.Errorf("%q sees %s: %d", who, path, a.status)
			}
		}
		if a := e.do(t, who, "GET", "/api/v3/orgs/harbour/repos", ""); a.body != "[]" {
			t.Errorf("%q lists %s", who, a.body)
		}
		for _, q := range []string{"Hidden", "Hidden+repo:harbour/halyard"} {
			if a := e.do(t, who, "GET", "/api/v3/search/issues?q="+q, ""); a.json["total_count"] != 0.0 {
				t.Errorf("%q finds %s", who, a.body)
			}
		}
		if a := e.do(t, who, "POST", "/api/v3/repos/harbour/halyard/issues", `{"title":"x"}`); a.status != 404 {
			t.Errorf("%q writes: %d", who, a.status)
		}
	}
	if a := e.do(t, "ben", "GET", "/api/v3/search/issues?q=Hidden", ""); a.json["total_count"] != 1.0 {
		t.Errorf("a collaborator finds %s", a.body)
	}
	if a := e.do(t, "ben", "GET", "/api/v3/user/repos", ""); !strings.Contains(a.body, `"visibility":"private"`) {
		t.Errorf("a collaborator lists %s", a.body)
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	e := start(t)
	ben, ctx := e.as(t, "ben"), t.Context()
	r, _, err := ben.Repositories.Create(ctx, "", &github.Repository{Name: github.Ptr("own"), AutoInit: github.Ptr(true), Homepage: github.Ptr("https://example.test")})
	check(t, err)
	if r.GetFullName() != "ben/own" || !r.GetPermissions().GetAdmin() || r.GetOwner().GetType() != "User" || r.GetDefaultBranch() != "main" {
		t.Fatalf("created as %v", r)
	}
	if b, _, err := ben.Repositories.GetReadme(ctx, "ben", "own", nil); err != nil || b.GetName() != "README.md" {
		t.Fatalf("readme %v %v", b, err)
	}
	if _, _, err := ben.Repositories.Edit(ctx, "ben", "own", &github.Repository{DefaultBranch: github.Ptr("none")}); err == nil {
		t.Error("made a missing branch the default")
	}
	if _, _, err := ben.Git.CreateRef(ctx, "ben", "own", github.CreateRef{Ref: "refs/heads/next", SHA: mainSHA(t, ben, "ben", "own")}); err != nil {
		t.Fatal(err)
	}
	r, _, err = ben.Repositories.Edit(ctx, "ben", "own", &github.Repository{Name: github.Ptr("renamed"), DefaultBranch: github.Ptr("next"), Description: github.Ptr("d")})
	check(t, err)
	if r.GetName() != "renamed" || r.GetDefaultBranch() != "next" {
		t.Fatalf("edited to %v", r)
	}
	if a := e.do(t, "", "GET", "/ben/renamed.git/info/refs?service=git-upload-pack", ""); a.status != 200 || !strings.Contains(a.body, "refs/heads/next") {
		t.Fatalf("the renamed repository is not served: %d", a.status)
	}
	if a := e.do(t, "ben", "PATCH", "/api/v3/repos/ben/renamed", `{"name":"../../x"}`); a.status != 422 {
		t.Errorf("renamed out of its folder: %d", a.status)
	}
	if a := e.do(t, "ben", "PATCH", "/api/v3/repos/ben/renamed", `{"archived":true}`); a.status != 200 || a.json["archived"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(t, "ben", "POST", "/api/v3/repos/ben/renamed/issues", `{"title":"x"}`); a.status != 403 {
		t.Errorf("wrote to an archived repository: %d", a.status)
	}
	list, _, err := ben.Repositories.ListByUser(ctx, "ben", nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("ben's are %v %v", list, err)
	}
	if a := e.do(t, "eve", "DELETE", "/api/v3/repos/ben/renamed", ""); a.status != 403 {
		t.Errorf("a stranger deletes: %d", a.status)
	}
	_, err = ben.Repositories.Delete(ctx, "ben", "renamed")
	check(t, err)
	if a := e.do(t, "ben", "GET", "/api/v3/repos/ben/renamed", ""); a.status != 404 {
		t.Errorf("still there: %d", a.status)
	}
	_, _, err = ben.Repositories.Create(ctx, "", &github.Repository{Name: github.Ptr("renamed")})
	check(t, err)
	if a := e.do(t, "ben", "GET", "/api/v3/repos/ben/renamed/branches", ""); a.body != "[]" {
		t.Errorf("a new repository has the branches of an old one: %s", a.body)
	}
}

func mainSHA(t *testing.T, c *github.Client, o, r string) string {
	t.Helper()
	b, _, err := c.Repositories.GetBranch(t.Context(), o, r, "main", 0)
	check(t, err)
	return b.GetCommit().GetSHA()
}

func TestCollaborators(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada, ctx := e.as(t, "ada"), t.Context()
	// In this order: eve is an administrator at the end.
	for _, row := range [][3]string{
		{"pull", "read", "read"}, {"triage", "read", "triage"}, {"push", "write", "write"}, {"maintain", "write", "maintain"}, {"admin", "admin", "admin"},
	} {
		permission, want := row[0], row[1:]
		_, _, err := ada.Repositories.AddCollaborator(ctx, owner, repo, "eve", &github.RepositoryAddCollaboratorOptions{Permission: permission})
		check(t, err)
		got, _, err := ada.Repositories.GetPermissionLevel(ctx, owner, repo, "eve")
		check(t, err)
		if got.GetPermission() != want[0] || got.GetRoleName() != want[1] {
			t.Errorf("%s is %s, %s", permission, got.GetPermission(), got.GetRoleName())
		}
	}
	list, _, err := ada.Repositories.ListCollaborators(ctx, owner, repo, nil)
	if err != nil || len(list) != 3 {
		t.Fatalf("collaborators %v %v", list, err)
	}
	if list, _, _ = ada.Repositories.ListCollaborators(ctx, owner, repo, &github.ListCollaboratorsOptions{Permission: "admin"}); len(list) != 1 || list[0].GetLogin() != "eve" {
		t.Errorf("administrators %v", list)
	}
	_, err = ada.Repositories.RemoveCollaborator(ctx, owner, repo, "eve")
	check(t, err)
	for who, want := range map[string]bool{"ben": true, "eve": false, "nobody": false} {
		if ok, _, _ := ada.Repositories.IsCollaborator(ctx, owner, repo, who); ok != want {
			t.Errorf("%s collaborates: %v", who, ok)
		}
	}
	if got, _, err := ada.Repositories.GetPermissionLevel(ctx, owner, repo, "ada"); err != nil || got.GetPermission() != "admin" {
		t.Errorf("an administrator has %v %v", got, err)
	}
	for path, body := range map[string]string{"ben": `{"permission":"king"}`, "nobody": ``} {
		if a := e.do(t, "ada", "PUT", "/api/v3/repos/harbour/halyard/collaborators/"+path, body); a.status != 422 && a.status != 404 {
			t.Errorf("%s %s: %d", path, body, a.status)
		}
	}
	for who, want := range map[string]int{"ben": 204, "harbour": 404, "nobody": 404} {
		if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/assignees/"+who, ""); a.status != want {
			t.Errorf("assignee %s: %d", who, a.status)
		}
	}
	if a := e.do(t, "", "GET", "/api/v3/repos/harbour/halyard/assignees", ""); strings.Count(a.body, `"login"`) != 2 {
		t.Errorf("assignees %s", a.body)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	e := start(t)
	check(t, e.CreateUser(t.Context(), forge.User{Login: "seaworthy-bot", Bot: true}, true))
	me, _, err := e.as(t, "ben").Users.Get(t.Context(), "")
	check(t, err)
	if me.GetLogin() != "ben" || me.GetEmail() != "ben@example.test" || me.GetName() != "Ben" {
		t.Errorf("ben is %v", me)
	}
	bot, _, err := e.as(t, "").Users.Get(t.Context(), "Seaworthy-Bot")
	check(t, err)
	if bot.GetType() != "Bot" || bot.GetLogin() != "seaworthy-bot" {
		t.Errorf("the bot is %v", bot)
	}
	if a := e.do(t, "", "GET", "/api/v3/users/nobody", ""); a.status != 404 {
		t.Errorf("nobody is %s", a.body)
	}
	if a := e.do(t, "", "GET", "/api/v3/orgs/ben", ""); a.status != 404 {
		t.Errorf("ben is an organisation: %s", a.body)
	}
}

func TestServes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/api/v3/user": true, "/api/uploads/repos/a/b/releases/1/assets": true, "/harbour/halyard.git/info/refs": true,
		"/harbour/halyard/releases/download/v1/f": true, "/harbour/halyard/releases/latest/download/f": true,
		"/": false, "/api/v1/runs": false, "/harbour/halyard": false, "/harbour/halyard/releases/tag/v1": false, "/static/app.css": false, "/hooks/github": false,
	} {
		if got := local.Serves(path); got != want {
			t.Errorf("Serves(%s) is %v", path, got)
		}
	}
}

func TestNewOfBadForm(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	file := t.TempDir() + "/file"
	for name, o := range map[string]local.Options{
		"nothing": {}, "no folder": {DB: db, BaseURL: "http://x"}, "no address": {DB: db, GitDir: t.TempDir()}, "no database": {GitDir: t.TempDir(), BaseURL: "http://x"},
		"a folder that cannot be": {DB: db, GitDir: file + "\x00", BaseURL: "http://x"},
	} {
		if _, err := local.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
