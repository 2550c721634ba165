package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/notify/mailtest"
)

// speaking is a configuration with everything that speaks.
var speaking = strings.Replace(buildable, "gates: {rehearsal: optional}", `gates: {rehearsal: optional}
  chat: {channel: "#releases"}
  announce: {from: Harbour <releases@harbour.test>, to: [users@harbour.test], subject: "{name} {version}"}
  after:
  - types: [alpha]
    pull_request:
      title: "Build on {version}"
      edits: [{file: variants.txt, pattern: 'release=.*', replace: "release={version}"}]
  - types: [alpha]
    milestone: {title: "{next}", close: "before {version}"}
  - types: [alpha]
    issue: {title: "Publish {version}", body: "commit {commit}"}
  - issue: {title: "Only after a final one"}
`, 1)

// fakeChat keeps the messages of a chat.
type fakeChat struct {
	mu       sync.Mutex
	posted   int
	messages map[string]string
	broken   bool
}

func (c *fakeChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp := r.FormValue("ts")
	if strings.HasSuffix(r.URL.Path, "chat.postMessage") {
		c.posted++
		stamp = "17." + strings.Repeat("1", c.posted)
	}
	if c.broken {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	c.messages[stamp] = r.FormValue("text")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true,"channel":"C1","ts":"` + stamp + `"}`))
}

func TestReleaseTellsPeople(t *testing.T) {
	t.Parallel()
	chat := &fakeChat{messages: map[string]string{}}
	server := httptest.NewServer(chat)
	defer server.Close()
	sink := mailtest.New(t, mailtest.Options{})
	p := open(t, t.TempDir(), func(o *app.Options) {
		o.Speaking = app.Speaking{SMTP: "smtp://" + sink.Addr + "?tls=none", ChatToken: app.Secret{Text: "xoxb-1"}, ChatAddress: server.URL + "/api/", Every: time.Millisecond}
	})
	p.populate(map[string]string{"seaworthy.yaml": speaking, "README.md": "halyard\n", "OWNERS": sources["OWNERS"], "variants.txt": "go=1.26\nrelease=v0.0.0\n"})
	p.settled()
	ctx := t.Context()
	_, err := p.as["ada"].CreateMilestone(ctx, halyard, forge.Milestone{Title: "before v0.1.0-alpha.0"})
	p.must(err)
	p.must(releaseIt(ctx, p.App))

	var issue forge.Issue
	p.until("the issue says how it ended", func() bool {
		all, err := p.Forge.Issues(ctx, halyard, forge.IssueFilter{State: "all"})
		p.must(err)
		found := 0
		for _, i := range all {
			if i.Title == "Cut v0.1.0-alpha.0 release" {
				found, issue = found+1, i
			}
		}
		if found > 1 {
			t.Fatalf("there are %d issues of one release", found)
		}
		return issue.State == forge.StateClosed && strings.Contains(issue.Body, "### Cut: succeeded") && strings.Contains(issue.Body, "### Stage: succeeded")
	})
	says(t, issue.Body, "- [x] Push the tag", "- [x] Stage in the bucket", "<!-- seaworthy: the release of harbour/halyard v0.1.0-alpha.0 -->")
	if strings.Contains(issue.Body, "- [ ]") {
		t.Errorf("something is still open in\n%s", issue.Body)
	}

	p.until("the chat says how it ended", func() bool {
		chat.mu.Lock()
		defer chat.mu.Unlock()
		ended := 0
		for _, m := range chat.messages {
			if strings.Contains(m, "succeeded") {
				ended++
			}
		}
		return chat.posted == 2 && ended == 2 // one message for the stage, one for the cut
	})

	mails := sink.Messages()
	if len(mails) != 1 || strings.Join(mails[0].To, " ") != "users@harbour.test" || mails[0].From != "releases@harbour.test" {
		t.Fatalf("the mails are %+v", mails)
	}
	says(t, mails[0].Data, "Subject: halyard v0.1.0-alpha.0\n", "text/html", "Message-ID: <")
	p.followed()

	// Sent once. Again is the same mail.
	l, err := p.Releases.SendLetter(ctx, halyard, "v0.1.0-alpha.0", false)
	if p.must(err); l.Sent.IsZero() || len(sink.Messages()) != 1 {
		t.Errorf("it was sent %s, and the server has %d", l.Sent, len(sink.Messages()))
	}
	_, err = p.Releases.SendLetter(ctx, halyard, "v0.1.0-alpha.0", true)
	p.must(err)
	if mails = sink.Messages(); len(mails) != 2 || !strings.Contains(mails[1].Data, "Message-ID: <"+l.MessageID+">") || !strings.Contains(mails[0].Data, "Message-ID: <"+l.MessageID+">") {
		t.Errorf("sent again it is another mail: %+v", mails)
	}
}

// followed looks at what that release leaves.
func (p *platform) followed() {
	p.t.Helper()
	ctx := p.t.Context()
	pulls, err := p.Forge.PullRequests(ctx, halyard, forge.PullFilter{})
	p.must(err)
	if len(pulls) != 1 || pulls[0].Title != "Build on v0.1.0-alpha.0" {
		p.t.Fatalf("the changes are %+v", pulls)
	}
	text, err := p.Forge.File(ctx, halyard, "variants.txt", pulls[0].Head.SHA)
	p.must(err)
	if string(text) != "go=1.26\nrelease=v0.1.0-alpha.0\n" {
		p.t.Errorf("proposed is %q", text)
	}
	states := map[string]forge.State{}
	all, err := p.Forge.Milestones(ctx, halyard, "all")
	p.must(err)
	for _, m := range all {
		states[m.Title] = m.State
	}
	if states["v0.1.0"] != forge.StateOpen || states["before v0.1.0-alpha.0"] != forge.StateClosed {
		p.t.Errorf("the milestones are %v", states)
	}
	open, err := p.Forge.Issues(ctx, halyard, forge.IssueFilter{})
	p.must(err)
	var titles []string
	for _, i := range open {
		if !i.IsPull {
			titles = append(titles, i.Title)
		}
	}
	if strings.Join(titles, ", ") != "Publish v0.1.0-alpha.0" {
		p.t.Errorf("the open issues are %v", titles)
	}
}

// A chat that is away is told of, and stops nothing; a mail server that is away
// leaves a release that is public and a run that can be resumed.
func TestReleaseWhenNobodyListens(t *testing.T) {
	t.Parallel()
	chat := &fakeChat{messages: map[string]string{}, broken: true}
	server := httptest.NewServer(chat)
	defer server.Close()
	sink := mailtest.New(t, mailtest.Options{Refuse: map[string]string{"MAIL": "451 later"}})
	p := open(t, t.TempDir(), func(o *app.Options) {
		o.Speaking = app.Speaking{SMTP: "smtp://" + sink.Addr + "?tls=none", ChatToken: app.Secret{Text: "xoxb-1"}, ChatAddress: server.URL + "/api/", Every: time.Millisecond}
	})
	p.populate(map[string]string{"seaworthy.yaml": speaking, "README.md": "halyard\n", "OWNERS": sources["OWNERS"], "variants.txt": "release=v0.0.0\n"})
	p.settled()
	ctx := t.Context()
	if err := releaseIt(ctx, p.App); err == nil || !strings.Contains(err.Error(), "451") {
		t.Fatalf("the release: %v", err)
	}
	pages, err := p.Forge.Releases(ctx, halyard)
	p.must(err)
	if len(pages) != 1 || pages[0].Draft {
		t.Errorf("the pages are %+v: the release is public by then", pages)
	}
	runs, err := p.Store.Runs(ctx, flow.RunFilter{Flow: "cut"})
	p.must(err)
	if runs[0].State != flow.Failed {
		t.Errorf("the run is %s", runs[0].State)
	}
	p.until("what could not be posted is told of", func() bool { return strings.Contains(p.Unposted(ctx, runs[0].ID), "502") })
	p.until("the issue says what failed", func() bool {
		open, err := p.Forge.Issues(ctx, halyard, forge.IssueFilter{})
		p.must(err)
		for _, i := range open {
			if i.Title == "Cut v0.1.0-alpha.0 release" && strings.Contains(i.Body, "Mail the announcement: **failed**") {
				return true
			}
		}
		return false
	})
	pulls, err := p.Forge.PullRequests(ctx, halyard, forge.PullFilter{})
	p.must(err)
	if len(pulls) != 1 {
		t.Errorf("a mail that failed kept the change from being proposed: %+v", pulls)
	}
}
