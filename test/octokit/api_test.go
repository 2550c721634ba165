package octokit_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"seaworthy/forge/github"
	"time"
)

type values = map[string]any

// One story that makes every call of the embedded forge's API, and every kind
// of webhook. What each call means is the business of forge/forgetest; here
// only the shapes count.
func TestAnswersAndPayloadsAreGitHubs(t *testing.T) {
	t.Parallel()
	s := startForge(t)
	hooks := webhooks(t)
	box := openMailbox(t)

	s.repositories()
	s.get(201, "POST /repos/{owner}/{repo}/hooks", values{
		"name": "web", "active": true, "events": []string{"*"},
		"config": values{"url": box.url, "content_type": "json", "secret": secret, "insecure_ssl": "0"},
	})
	box.await(t, []string{"ping "})
	s.contents()
	s.commits()
	s.refs()
	s.protection()
	s.pulls()
	s.issues()
	s.statuses()
	s.releases()
	s.webhookCalls()
	s.refusals()
	wanted := []string{
		"ping ", "push ", "create ", "delete ", "status ",
		"pull_request opened", "pull_request synchronize", "pull_request labeled", "pull_request unlabeled", "pull_request edited",
		"pull_request closed", "pull_request reopened", "pull_request review_requested", "pull_request assigned", "pull_request unassigned",
		"pull_request_review submitted", "pull_request_review dismissed",
		"issues opened", "issues edited", "issues closed", "issues reopened", "issues labeled", "issues unlabeled", "issues assigned", "issues unassigned",
		"issues milestoned", "issues demilestoned", "issue_comment created", "issue_comment edited", "issue_comment deleted",
		"check_run created", "check_run completed", "release created", "release published", "release released", "release edited", "release deleted",
	}
	payloads := box.await(t, wanted)
	for _, name := range slices.Sorted(maps.Keys(payloads)) {
		kind, _, _ := strings.Cut(name, " ")
		pointer, err := hooks.payloadSchema(kind, payloads[name])
		if err == nil {
			err = hooks.check(pointer, payloads[name])
		}
		if err != nil {
			t.Errorf("webhook %s: %v\n%s", name, err, clip(payloads[name]))
		}
		if pointer, err = s.api.described(kind, payloads[name]); err == nil {
			err = s.api.check(pointer, payloads[name])
		}
		if err != nil {
			t.Errorf("webhook %s, as described: %v\n%s", name, err, clip(payloads[name]))
		}
		if _, err := github.DecodeEvent(kind, "d", payloads[name], time.Now()); err != nil {
			t.Errorf("webhook %s: %v", name, err)
		}
	}
	s.cleanup()
	s.everyRouteWasCalled()
}

func (s *session) repositories() {
	s.call(200, "GET /user", nil)
	s.call(200, "GET /users/{username}", nil, "ben")
	s.call(200, "GET /rate_limit", nil)
	s.call(200, "GET /meta", nil)
	s.call(200, "GET /", nil)
	s.get(201, "POST /user/repos", values{"name": "halyard", "description": "Raises sails"})
	s.call(200, "GET /repos/{owner}/{repo}", nil)
	s.list("GET /user/repos")
	s.list("GET /users/{username}/repos", "ada")
	s.call(201, "POST /orgs/{org}/repos", values{"name": "boom"}, "fleet")
	s.call(200, "GET /orgs/{org}", nil, "fleet")
	s.list("GET /orgs/{org}/repos", "fleet")
	// 201 would be an invitation, which only github.com sends.
	s.call(204, "PUT /repos/{owner}/{repo}/collaborators/{username}", values{"permission": "push"}, "ben")
	s.call(204, "PUT /repos/{owner}/{repo}/collaborators/{username}", values{"permission": "maintain"}, "ben")
	s.call(204, "GET /repos/{owner}/{repo}/collaborators/{username}", nil, "ben")
	s.call(200, "GET /repos/{owner}/{repo}/collaborators/{username}/permission", nil, "ben")
	s.list("GET /repos/{owner}/{repo}/collaborators")
	s.list("GET /repos/{owner}/{repo}/assignees")
	s.call(204, "GET /repos/{owner}/{repo}/assignees/{assignee}", nil, "ben")
	s.call(200, "PATCH /repos/{owner}/{repo}", values{"description": "Raises sails and flags"})
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// put writes a file and returns the answer.
func (s *session) put(status int, path, branch, content, old string) object {
	s.Helper()
	body := values{"message": "Write " + path, "content": encoded(content), "branch": branch}
	if old != "" {
		body["sha"] = old
	}
	return s.get(status, "PUT /repos/{owner}/{repo}/contents/{path}", body, path)
}

func (s *session) contents() {
	s.put(201, "README.md", "main", "# halyard\n", "")
	o := s.put(201, "docs/a.txt", "main", "one\n", "")
	o = s.put(200, "docs/a.txt", "main", "two\n", o.in("content").text("sha"))
	s.call(200, "GET /repos/{owner}/{repo}/contents/{path}", nil, "docs/a.txt")
	s.call(200, "GET /repos/{owner}/{repo}/contents/{path}?ref=main", nil, "docs")
	s.call(200, "GET /repos/{owner}/{repo}/readme", nil)
	s.call(200, "DELETE /repos/{owner}/{repo}/contents/{path}", values{"message": "Drop it", "sha": o.in("content").text("sha"), "branch": "main"}, "docs/a.txt")
	s.call(404, "GET /repos/{owner}/{repo}/contents/{path}", nil, "docs/a.txt")
}

func (s *session) commits() {
	s.list("GET /repos/{owner}/{repo}/branches")
	all := s.list("GET /repos/{owner}/{repo}/commits?per_page=2")
	s.list("GET /repos/{owner}/{repo}/commits?sha=main&path=README.md")
	s.call(200, "GET /repos/{owner}/{repo}/commits/{ref}", nil, all[0].text("sha"))
	s.call(200, "GET /repos/{owner}/{repo}/branches/{branch}", nil, "main")
	s.call(200, "GET /repos/{owner}/{repo}/compare/{basehead}", nil, all[1].text("sha")+"...main")
	s.call(200, "GET /repos/{owner}/{repo}/git/commits/{commit_sha}", nil, all[0].text("sha"))
	tree := s.get(200, "GET /repos/{owner}/{repo}/git/trees/{tree_sha}", nil, "main")
	entries, _ := tree["tree"].([]any)
	if len(entries) == 0 {
		s.Fatalf("the tree is %v", tree)
	}
	first, _ := entries[0].(map[string]any)
	s.call(200, "GET /repos/{owner}/{repo}/git/blobs/{file_sha}", nil, object(first).text("sha"))
}

// tip is the commit at the end of a branch.
func (s *session) tip(branch string) string {
	s.Helper()
	return s.get(200, "GET /repos/{owner}/{repo}/branches/{branch}", nil, branch).in("commit").text("sha")
}

func (s *session) refs() {
	tip := s.tip("main")
	s.call(201, "POST /repos/{owner}/{repo}/git/refs", values{"ref": "refs/heads/release/1.0", "sha": tip})
	s.call(422, "POST /repos/{owner}/{repo}/git/refs", values{"ref": "refs/heads/release/1.0", "sha": tip})
	s.call(200, "GET /repos/{owner}/{repo}/git/ref/{ref}", nil, "heads/release/1.0")
	s.list("GET /repos/{owner}/{repo}/git/matching-refs/{ref}", "heads/")
	s.put(201, "b.txt", "main", "b\n", "")
	s.call(200, "PATCH /repos/{owner}/{repo}/git/refs/{ref}", values{"sha": s.tip("main")}, "heads/release/1.0")
	tag := s.get(201, "POST /repos/{owner}/{repo}/git/tags", values{"tag": "v0.1.0", "message": "First", "object": tip, "type": "commit"})
	s.call(200, "GET /repos/{owner}/{repo}/git/tags/{tag_sha}", nil, tag.text("sha"))
	s.call(201, "POST /repos/{owner}/{repo}/git/refs", values{"ref": "refs/tags/v0.1.0", "sha": tag.text("sha")})
	s.list("GET /repos/{owner}/{repo}/tags")
	s.call(204, "DELETE /repos/{owner}/{repo}/git/refs/{ref}", nil, "heads/release/1.0")

	dir := s.TempDir()
	s.git(dir, "clone", "--quiet", strings.Replace(s.base, "://", "://ada:"+s.tokens["ada"]+"@", 1)+"/ada/halyard.git", "work")
	work := filepath.Join(dir, "work")
	s.git(work, "commit", "--quiet", "--allow-empty", "--message", "Pushed")
	s.git(work, "push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/pushed")
	s.git(work, "push", "--quiet", "origin", ":pushed")
}

func (s *session) protection() {
	const protection = " /repos/{owner}/{repo}/branches/{branch}/protection"
	s.call(404, "GET"+protection, nil, "main")
	s.call(200, "PUT"+protection, values{
		"required_status_checks": values{"strict": true, "contexts": []string{"unit"}}, "enforce_admins": true,
		"required_pull_request_reviews": values{"required_approving_review_count": 0}, "restrictions": values{"users": []string{"ada"}, "teams": []string{}},
		"allow_force_pushes": false, "allow_deletions": false,
	}, "main")
	s.call(200, "GET"+protection, nil, "main")
	s.call(200, "GET /repos/{owner}/{repo}/branches/{branch}", nil, "main")
	s.list("GET /repos/{owner}/{repo}/branches?protected=true")
	s.call(200, "GET"+protection+"/required_status_checks", nil, "main")
	s.call(200, "PATCH"+protection+"/required_status_checks", values{"strict": false}, "main")
	s.call(200, "GET"+protection+"/required_status_checks/contexts", nil, "main")
	s.call(200, "POST"+protection+"/required_status_checks/contexts", values{"contexts": []string{"lint"}}, "main")
	s.call(200, "GET"+protection+"/enforce_admins", nil, "main")
	s.call(200, "GET"+protection+"/restrictions", nil, "main")
	s.call(200, "GET"+protection+"/restrictions/users", nil, "main")
	s.call(204, "DELETE"+protection+"/enforce_admins", nil, "main")
	s.call(200, "POST"+protection+"/enforce_admins", nil, "main")
	s.call(204, "DELETE"+protection+"/restrictions", nil, "main")
	s.call(204, "DELETE"+protection+"/required_status_checks", nil, "main")
	s.call(204, "DELETE"+protection, nil, "main")
}

// branch makes a branch off main with one file changed.
func (s *session) branch(name string) {
	s.Helper()
	s.call(201, "POST /repos/{owner}/{repo}/git/refs", values{"ref": "refs/heads/" + name, "sha": s.tip("main")})
	s.put(201, name+".txt", name, name+"\n", "")
}

const pull = " /repos/{owner}/{repo}/pulls/{pull_number}"

func (s *session) pulls() {
	ben := s.as("ben")
	s.call(201, "POST /repos/{owner}/{repo}/milestones", values{"title": "v1.0", "description": "First", "due_on": "2031-01-02T08:00:00Z"})
	s.branch("topic")
	p := ben.get(201, "POST /repos/{owner}/{repo}/pulls", values{"title": "Topic", "body": "Please.", "head": "topic", "base": "main", "draft": false})
	n := p.id("number")
	s.call(200, "GET"+pull, nil, n)
	ben.call(200, "PATCH"+pull, values{"title": "Better topic"}, n)
	ben.call(200, "PATCH"+pull, values{"state": "closed"}, n)
	ben.call(200, "PATCH"+pull, values{"state": "open"}, n)
	s.put(201, "more.txt", "topic", "more\n", "")
	s.list("GET /repos/{owner}/{repo}/pulls?state=all&sort=created&direction=asc")
	s.list("GET"+pull+"/files", n)
	s.list("GET"+pull+"/commits", n)
	s.list("GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls", s.tip("topic"))
	s.labelled(n)
	s.reviewed(n)
	s.remarked(n)
	s.call(404, "GET"+pull+"/merge", nil, n)
	s.call(409, "PUT"+pull+"/merge", values{"sha": strings.Repeat("0", 40)}, n)
	s.put(201, "elsewhere.txt", "main", "x\n", "")
	s.call(202, "PUT"+pull+"/update-branch", values{}, n)
	s.call(200, "PUT"+pull+"/merge", values{"merge_method": "merge", "sha": s.tip("topic")}, n)
	s.call(204, "GET"+pull+"/merge", nil, n)
	s.call(405, "PUT"+pull+"/merge", values{}, n)
	s.call(200, "GET"+pull, nil, n)
	s.list("GET /repos/{owner}/{repo}/pulls?state=closed")
	for _, method := range []string{"squash", "rebase"} {
		s.branch(method)
		p := s.get(201, "POST /repos/{owner}/{repo}/pulls", values{"title": method, "head": method, "base": "main"})
		s.call(200, "PUT"+pull+"/merge", values{"merge_method": method}, p.id("number"))
	}
	s.call(422, "POST /repos/{owner}/{repo}/pulls", values{"title": "None", "head": "no-such-branch", "base": "main"})
}

// labelled gives a pull request all that an issue can have, and takes it away.
func (s *session) labelled(n string) {
	const issue = " /repos/{owner}/{repo}/issues/{issue_number}"
	s.call(200, "POST"+issue+"/labels", values{"labels": []string{"lgtm", "kind/bug"}}, n)
	s.list("GET"+issue+"/labels", n)
	s.call(200, "DELETE"+issue+"/labels/{name}", nil, n, "lgtm")
	s.call(201, "POST"+issue+"/assignees", values{"assignees": []string{"ben"}}, n)
	s.call(200, "GET"+pull, nil, n)
	s.call(200, "DELETE"+issue+"/assignees", values{"assignees": []string{"ben"}}, n)
	s.call(200, "PATCH"+issue, values{"milestone": 1}, n)
	s.call(200, "GET"+pull, nil, n)
	s.call(201, "POST"+issue+"/comments", values{"body": "/lgtm"}, n)
}

func (s *session) reviewed(n string) {
	s.call(201, "POST"+pull+"/requested_reviewers", values{"reviewers": []string{"ada"}}, n)
	s.call(200, "GET"+pull+"/requested_reviewers", nil, n)
	s.call(200, "DELETE"+pull+"/requested_reviewers", values{"reviewers": []string{"ada"}}, n)
	s.call(200, "POST"+pull+"/reviews", values{"event": "COMMENT", "body": "Hm."}, n)
	r := s.get(200, "POST"+pull+"/reviews", values{"event": "REQUEST_CHANGES", "body": "Not yet."}, n)
	s.call(200, "GET"+pull+"/reviews/{review_id}", nil, n, r.id("id"))
	s.call(200, "PUT"+pull+"/reviews/{review_id}/dismissals", values{"message": "Never mind.", "event": "DISMISS"}, n, r.id("id"))
	s.call(200, "POST"+pull+"/reviews", values{"event": "APPROVE"}, n)
	s.list("GET"+pull+"/reviews", n)
	s.as("ben").call(422, "POST"+pull+"/reviews", values{"event": "APPROVE"}, n)
}

// remarked writes comments on lines of a pull request, and a review that is not
// submitted at once.
func (s *session) remarked(n string) {
	const review = pull + "/reviews/{review_id}"
	m := s.get(201, "POST"+pull+"/comments", values{"body": "Why?", "commit_id": s.tip("topic"), "path": "topic.txt", "line": 1, "side": "RIGHT"}, n)
	s.list("GET"+pull+"/comments", n)
	s.call(200, "GET /repos/{owner}/{repo}/pulls/comments/{comment_id}", nil, m.id("id"))
	pending := s.get(200, "POST"+pull+"/reviews", values{"body": "Draft", "comments": []values{{"path": "topic.txt", "body": "Here.", "line": 1, "side": "RIGHT"}}}, n).id("id")
	s.call(200, "PUT"+review, values{"body": "Better draft"}, n, pending)
	s.call(200, "POST"+review+"/events", values{"event": "COMMENT", "body": "Read it."}, n, pending)
	s.list("GET"+review+"/comments", n, pending)
	pending = s.get(200, "POST"+pull+"/reviews", values{"body": "Draft"}, n).id("id")
	s.call(200, "DELETE"+review, nil, n, pending)
}

func (s *session) issues() {
	const issue, comment = " /repos/{owner}/{repo}/issues/{issue_number}", " /repos/{owner}/{repo}/issues/comments/{comment_id}"
	s.call(201, "POST /repos/{owner}/{repo}/labels", values{"name": "kind/feature", "color": "00ff00", "description": "New"})
	s.call(422, "POST /repos/{owner}/{repo}/labels", values{"name": "kind/feature", "color": "00ff00"})
	s.call(200, "GET /repos/{owner}/{repo}/labels/{name}", nil, "kind/feature")
	s.call(200, "PATCH /repos/{owner}/{repo}/labels/{name}", values{"color": "00cc00"}, "kind/feature")
	s.list("GET /repos/{owner}/{repo}/labels")

	n := s.get(201, "POST /repos/{owner}/{repo}/issues", values{"title": "Leak", "body": "Water.", "labels": []string{"kind/bug"}, "assignees": []string{"ben"}, "milestone": 1}).id("number")
	s.call(200, "GET"+issue, nil, n)
	s.call(200, "PATCH"+issue, values{"title": "Small leak"}, n)
	s.call(200, "PATCH"+issue, values{"milestone": nil}, n)
	s.call(200, "PATCH"+issue, values{"milestone": 1}, n)
	s.call(200, "PATCH"+issue, values{"state": "closed", "state_reason": "completed"}, n)
	s.call(200, "PATCH"+issue, values{"state": "open"}, n)
	s.list("GET /repos/{owner}/{repo}/issues?state=all&labels=kind/bug&milestone=1")
	s.call(200, "PUT"+issue+"/labels", values{"labels": []string{"kind/feature"}}, n)
	s.call(204, "DELETE"+issue+"/labels", nil, n)
	s.call(200, "DELETE"+issue+"/assignees", values{"assignees": []string{"ben"}}, n)
	id := s.get(201, "POST"+issue+"/comments", values{"body": "Where?"}, n).id("id")
	s.list("GET"+issue+"/comments", n)
	s.list("GET /repos/{owner}/{repo}/issues/comments")
	s.call(200, "GET"+comment, nil, id)
	s.call(200, "PATCH"+comment, values{"body": "Where is it?"}, id)
	s.call(204, "DELETE"+comment, nil, id)
	s.call(200, "GET /search/issues?q=repo:ada/halyard+is:issue", nil)

	s.list("GET /repos/{owner}/{repo}/milestones?state=all")
	s.call(200, "GET /repos/{owner}/{repo}/milestones/{milestone_number}", nil, "1")
	s.call(200, "PATCH /repos/{owner}/{repo}/milestones/{milestone_number}", values{"state": "closed"}, "1")
	s.call(204, "DELETE /repos/{owner}/{repo}/milestones/{milestone_number}", nil, "1")
	s.call(204, "DELETE /repos/{owner}/{repo}/labels/{name}", nil, "kind/feature")
}

func (s *session) statuses() {
	tip := s.tip("main")
	s.call(201, "POST /repos/{owner}/{repo}/statuses/{sha}", values{"state": "pending", "context": "unit", "description": "Runs", "target_url": "https://ci.example.com/1"}, tip)
	s.call(201, "POST /repos/{owner}/{repo}/statuses/{sha}", values{"state": "success"}, tip)
	s.list("GET /repos/{owner}/{repo}/commits/{ref}/statuses", "main")
	s.call(200, "GET /repos/{owner}/{repo}/commits/{ref}/status", nil, "main")
	r := s.get(201, "POST /repos/{owner}/{repo}/check-runs", values{"name": "unit", "head_sha": tip, "status": "in_progress", "started_at": "2026-01-02T03:04:05Z"})
	s.call(200, "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", values{"status": "completed", "conclusion": "success", "output": values{"title": "Good", "summary": "42 tests"}}, r.id("id"))
	s.call(200, "GET /repos/{owner}/{repo}/check-runs/{check_run_id}", nil, r.id("id"))
	s.call(200, "GET /repos/{owner}/{repo}/commits/{ref}/check-runs", nil, "main")
}

func (s *session) releases() {
	const release = " /repos/{owner}/{repo}/releases/{release_id}"
	r := s.get(201, "POST /repos/{owner}/{repo}/releases", values{"tag_name": "v1.0.0", "target_commitish": "main", "name": "v1.0.0", "body": "Notes", "draft": true})
	id := r.id("id")
	if url := r.text("upload_url"); !strings.HasPrefix(url, s.base+"/api/uploads/") {
		s.Errorf("upload_url is %q", url)
	}
	a := s.get(201, "POST"+release+"/assets?name=a.txt&label=The+file", []byte("hello"), id)
	s.call(422, "POST"+release+"/assets?name=a.txt", []byte("hello"), id)
	s.call(200, "PATCH /repos/{owner}/{repo}/releases/assets/{asset_id}", values{"name": "b.txt"}, a.id("id"))
	s.call(200, "GET /repos/{owner}/{repo}/releases/assets/{asset_id}", nil, a.id("id"))
	s.list("GET"+release+"/assets", id)
	s.call(200, "PATCH"+release, values{"draft": false}, id)
	s.call(200, "PATCH"+release, values{"body": "Better notes"}, id)
	s.call(200, "GET"+release, nil, id)
	s.call(200, "GET /repos/{owner}/{repo}/releases/tags/{tag}", nil, "v1.0.0")
	s.call(200, "GET /repos/{owner}/{repo}/releases/latest", nil)
	s.list("GET /repos/{owner}/{repo}/releases")
	s.call(204, "DELETE /repos/{owner}/{repo}/releases/assets/{asset_id}", nil, a.id("id"))
	s.call(204, "DELETE"+release, nil, id)
}

func (s *session) webhookCalls() {
	const hook = " /repos/{owner}/{repo}/hooks/{hook_id}"
	id := s.list("GET /repos/{owner}/{repo}/hooks")[0].id("id")
	s.call(200, "GET"+hook, nil, id)
	s.call(200, "PATCH"+hook, values{"add_events": []string{"fork"}}, id)
	s.call(204, "POST"+hook+"/pings", nil, id)
	s.call(204, "POST"+hook+"/tests", nil, id)
	d := s.list("GET"+hook+"/deliveries", id)[0].id("id")
	s.call(200, "GET"+hook+"/deliveries/{delivery_id}", nil, id, d)
	s.call(202, "POST"+hook+"/deliveries/{delivery_id}/attempts", nil, id, d)
	other := s.get(201, "POST /repos/{owner}/{repo}/hooks", values{"active": false, "events": []string{"push"}, "config": values{"url": "http://127.0.0.1:1/"}}).id("id")
	s.call(204, "DELETE"+hook, nil, other)
}

func (s *session) refusals() {
	s.call(404, "GET /repos/{owner}/{repo}/issues/{issue_number}", nil, "4711")
	s.call(404, "GET /repos/{owner}/{repo}/releases/tags/{tag}", nil, "v9")
	s.call(422, "POST /repos/{owner}/{repo}/issues", values{})
	s.call(422, "POST /user/repos", values{"name": "halyard"})
	s.as("ben").call(403, "POST /repos/{owner}/{repo}/hooks", values{"config": values{"url": "http://127.0.0.1:1/"}})
	s.as("nobody").call(401, "GET /user", nil)
	s.as("nobody").call(401, "POST /repos/{owner}/{repo}/issues", values{"title": "x"})
	resp, content := s.send(http.MethodGet, s.base+"/api/v3/no/such/call", "", "application/json", nil)
	if resp.StatusCode != http.StatusNotFound {
		s.Errorf("a call that is not there answered %s", resp.Status)
	}
	s.shape("a call that is not there", "GET", "/no/such/call", http.StatusNotFound, content)
}

func (s *session) cleanup() {
	s.as("ben").call(202, "POST /repos/{owner}/{repo}/forks", values{})
	s.call(204, "DELETE /repos/{owner}/{repo}/collaborators/{username}", nil, "ben")
	s.call(204, "DELETE /repos/{owner}/{repo}", nil)
	s.call(404, "GET /repos/{owner}/{repo}", nil)
}

// elsewhere are routes whose answers have no description to be held against,
// with the reason.
var elsewhere = map[string]string{
	"POST /admin/users":                        "GitHub Enterprise's, described apart",
	"POST /admin/users/{login}/authorizations": "GitHub Enterprise's, described apart",
	"GET /zen":                                    "plain text",
	"GET /repos/{owner}/{repo}/git/refs":          "an older name of matching-refs, not described",
	"GET /repos/{owner}/{repo}/git/refs/{ref...}": "an older name of git/ref, not described",
	"GET /repos/{owner}/{repo}/statuses/{sha...}": "an older name of commits/{ref}/statuses, not described",
}

var routeLiteral = regexp.MustCompile(`"((?:GET|POST|PUT|PATCH|DELETE) /[^"]*)"`)

// everyRouteWasCalled reads the embedded forge's routes from its source, so that
// a new one cannot stay unchecked.
func (s *session) everyRouteWasCalled() {
	s.Helper()
	files, err := filepath.Glob("../../forge/local/*.go")
	if err != nil {
		s.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range routeLiteral.FindAllStringSubmatch(string(source), -1) {
			found++
			if !s.wasCalled(m[1]) && elsewhere[m[1]] == "" && !strings.Contains(m[1], " /{owner}/{repo}/") {
				s.Errorf("no call is checked of %s (%s)", m[1], filepath.Base(name))
			}
		}
	}
	if found < 50 {
		s.Errorf("found %d routes in the source; there must be more", found)
	}
}

func (s *session) wasCalled(route string) bool {
	pattern := regexp.QuoteMeta(strings.Replace(route, "{$}", "", 1))
	pattern = regexp.MustCompile(`\\\{[a-z_]+\\\.\\\.\\\.\\\}`).ReplaceAllString(pattern, `.+`)
	pattern = regexp.MustCompile(`\\\{[a-z_]+\\\}`).ReplaceAllString(pattern, `[^/]+`)
	full := regexp.MustCompile("^" + pattern + "$")
	for call := range s.called {
		if full.MatchString(call) {
			return true
		}
	}
	return false
}
