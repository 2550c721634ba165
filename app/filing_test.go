package app_test

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"seaworthy/forge"
	"seaworthy/triage/live"
)

// file sends the form of a new issue to the platform's page, as a browser that
// follows no redirect.
func (p *platform) file(token string, d url.Values) (code int, at, body string) {
	p.t.Helper()
	return p.post("/"+halyard.String()+"/issues/new", token, d)
}

// post sends a form with the token of an account.
func (p *platform) post(path, token string, d url.Values) (code int, at, body string) {
	p.t.Helper()
	form := maps.Clone(d)
	form.Set("token", token)
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, strings.NewReader(form.Encode()))
	p.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.URL())
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	p.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	p.must(err)
	return answer.StatusCode, answer.Header.Get("Location"), string(text)
}

// An issue is filed as the account of the token, with what that account may do,
// and found again by who looks for it.
func TestIssueIsFiledOnThePlatform(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	token, err := p.AddUser(t.Context(), forge.User{Login: "eve", Email: "eve@example.org"}, false)
	p.must(err)
	d := url.Values{"title": {"[Failing test] TestHold"}, "body": {"It gave way.\r\n\r\nCluster 0123456789abcdef0123: 1 failure."}, "labels": {"kind/failing-test, sig/rope"}}

	for _, wrong := range []string{"nobody", strings.Repeat("a", 40), token[:len(token)-1]} {
		if code, _, body := p.file(wrong, d); code != http.StatusForbidden || !strings.Contains(body, "not the token of an account") || strings.Contains(body, wrong) {
			t.Errorf("with the token %q: %d\n%s", wrong, code, body)
		}
	}
	if all, err := p.Forge.Issues(t.Context(), halyard, forge.IssueFilter{}); err != nil || len(all) != 0 {
		t.Fatalf("filed without a token: %+v %v", all, err)
	}

	code, at, body := p.file(token, d)
	var number int
	if _, err := fmt.Sscanf(at, "/"+halyard.String()+"/issues/%d", &number); code != http.StatusSeeOther || err != nil {
		t.Fatalf("%d to %q: %v\n%s", code, at, err, body)
	}
	filed, err := p.Forge.Issue(t.Context(), halyard, number)
	p.must(err)
	if filed.Author != "eve" || filed.Body != "It gave way.\n\nCluster 0123456789abcdef0123: 1 failure." || len(filed.Labels) != 0 {
		t.Errorf("a stranger's issue is %+v", filed)
	}

	admin, err := p.AdminToken()
	p.must(err)
	if code, at, body = p.file(admin, d); code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", code, body)
	}
	if _, err := fmt.Sscanf(at, "/"+halyard.String()+"/issues/%d", &number); err != nil {
		t.Fatal(err)
	}
	if filed, err = p.Forge.Issue(t.Context(), halyard, number); err != nil || filed.Author != "admin" || !filed.HasLabel("kind/failing-test") {
		t.Errorf("the administrator's issue is %+v %v", filed, err)
	}
	if code, body := p.fetch("/" + halyard.String() + "/issues?q=testhold"); code != http.StatusOK || strings.Count(body, "[Failing test] TestHold</a>") != 2 {
		t.Errorf("%d\n%s", code, body)
	}
}

// What a cluster's page offers, once it is filed, is linked to the cluster.
func TestIssueOfAClusterIsLinked(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	files := maps.Clone(sources)
	files["seaworthy.yaml"] = strings.ReplaceAll(configuration, `["test", "-e", "OWNERS"]`, `["sh", "-c", "echo '<testsuite><testcase name=\"TestHold\"><failure>rope 12 gave way</failure></testcase></testsuite>' > $ARTIFACTS/junit.xml; exit 1"]`)
	p.populate(files)
	p.propose("ben", "slack", map[string]string{"slack": "none"})
	var found live.List
	p.until("the failure is a cluster", func() bool {
		var err error
		found, err = p.Triage.List(t.Context(), live.Filter{Alone: true, Text: "gave way"})
		p.must(err)
		return found.Total == 1
	})
	id := found.Clusters[0].ID
	code, body := p.fetch("/triage/" + id)
	_, after, ok := strings.Cut(body, `<a class="tri-file" href="`)
	if code != http.StatusOK || !ok {
		t.Fatalf("%d: no form is offered\n%s", code, body)
	}
	href, _, _ := strings.Cut(after, `"`)
	form, err := url.Parse(html.UnescapeString(href))
	p.must(err)
	if form.Path != "/"+halyard.String()+"/issues/new" {
		t.Fatalf("the form is at %q", form.Path)
	}
	admin, err := p.AdminToken()
	p.must(err)
	code, at, body := p.file(admin, form.Query())
	if code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", code, body)
	}
	p.until("the issue is linked", func() bool {
		d, err := p.Triage.Cluster(t.Context(), id, live.Filter{})
		p.must(err)
		return d.Issue == at
	})
	p.settled()
}
