package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/triage/live"
)

func TestMergeOf(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]struct {
		pull  int
		title string
	}{
		"Convert fathoms (#12)\n\nbody":                          {12, "Convert fathoms (#12)"},
		"Merge pull request #7 from ben/ropes\n\nLonger ropes\n": {7, "Longer ropes"},
		"Merge pull request #7 from ben/ropes":                   {7, "Merge pull request #7 from ben/ropes"},
		"Fix what #9 broke":                                      {0, "Fix what #9 broke"},
		"(#99999999999999999999)":                                {0, "(#99999999999999999999)"},
		"":                                                       {0, ""},
	} {
		m := app.MergeOf(git.Commit{SHA: "beef", Message: message})
		if m.Pull != want.pull || m.Title != want.title {
			t.Errorf("%q: #%d %q", message, m.Pull, m.Title)
		}
	}
}

// Failures of jobs become clusters by themselves, which know what was merged,
// outlive the process, and find the issue that names them.
func TestFailuresBecomeClusters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir)
	files := maps.Clone(sources)
	files["seaworthy.yaml"] = strings.ReplaceAll(configuration, `["test", "-e", "OWNERS"]`, `["sh", "check"]`)
	files["seaworthy.yaml"] = strings.Replace(files["seaworthy.yaml"], "- name: post-unit\n", "- name: post-unit\n    branches: [main]\n", 1)
	files["check"] = `echo '<testsuite><testcase name="[sig-rope] TestHold"/></testsuite>' > $ARTIFACTS/junit.xml`
	p.populate(files)
	p.settled()
	pr := p.propose("ben", "slack", map[string]string{
		"check": `echo '<testsuite><testcase name="[sig-rope] TestHold"><failure>rope 12 gave way after 3.5s</failure></testcase></testsuite>' > $ARTIFACTS/junit.xml; exit 1`,
	})
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	var found live.List
	p.until("the failure is a cluster", func() bool {
		var err error
		found, err = p.Triage.List(t.Context(), live.Filter{Alone: true, Text: "gave way", CI: true})
		p.must(err)
		return found.Total == 1
	})
	c := found.Clusters[0]
	if c.Owned != "rope" || c.Trend != live.TrendNew || c.Landed.Job != "post-unit" || c.Landed.Repo != halyard.String() {
		t.Errorf("%+v", c)
	}
	d, err := p.Triage.Cluster(t.Context(), c.ID, live.Filter{})
	p.must(err)
	if len(d.Merges) != 1 || d.Merges[0].Pull != pr.Number || d.Good.Commit == "" {
		t.Errorf("merged between %+v and %+v: %+v", d.Good, d.Landed, d.Merges)
	}
	id, ok, err := p.Triage.Of(t.Context(), d.Recent[0].Path, d.Recent[0].Test)
	if err != nil || !ok || id != c.ID {
		t.Errorf("the failure leads to %s %v %v", id, ok, err)
	}
	issue, err := p.as["ben"].CreateIssue(t.Context(), halyard, forge.NewIssue{Title: "It gave way", Body: "Look.\n\nCluster " + c.ID + ": 1 failure."})
	p.must(err)
	p.until("the issue is linked", func() bool {
		d, err = p.Triage.Cluster(t.Context(), c.ID, live.Filter{})
		p.must(err)
		return d.Issue == fmt.Sprintf("/%s/issues/%d", halyard, issue.Number)
	})
	p.settled()
	p.stop()
	again := open(t, dir)
	d, err = again.Triage.Cluster(t.Context(), c.ID, live.Filter{})
	if err != nil || d.Hits != c.Hits || d.Issue == "" {
		t.Errorf("after a restart: %+v %v", d.Facts, err)
	}
}

// Whoever may write to a repository says whose a cluster is; others do not.
func TestWhoMayNoteOfAClusterDoes(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	now := time.Now()
	p.must(p.Triage.Record(t.Context(), live.Result{
		Build: live.Build{Path: "gs://b/logs/ci/1", Job: "ci", Started: now.Add(-time.Hour), Tests: 1}, Failures: []live.Failure{{Test: "[sig-node] a", Text: "the rope gave way"}},
	}))
	l, err := p.Triage.List(t.Context(), live.Filter{Alone: true})
	p.must(err)
	id := l.Clusters[0].ID
	stranger, err := p.AddUser(t.Context(), forge.User{Login: "eve", Email: "eve@example.org"}, false)
	p.must(err)
	writer, err := p.AddUser(t.Context(), forge.User{Login: "finn", Email: "finn@example.org"}, false)
	p.must(err)
	p.must(p.Forge.AddCollaborator(t.Context(), halyard, "finn", "push"))
	form := url.Values{"owner": {"sig-rope"}, "was_owner": {""}, "issue": {"https://forge.example/h/h/issues/7"}}
	for _, token := range []string{stranger, "nobody", ""} {
		if code, _, body := p.post("/triage/"+id, token, form); code < 400 || code >= 500 {
			t.Errorf("with the token of somebody else: %d\n%s", code, body)
		}
	}
	d, err := p.Triage.Cluster(t.Context(), id, live.Filter{})
	p.must(err)
	if d.Owned != "node" || d.Issue != "" {
		t.Fatalf("noted of %+v", d.Description)
	}
	if code, at, body := p.post("/triage/"+id, writer, form); code != http.StatusSeeOther || at != "/triage/"+id+"#facts" {
		t.Fatalf("%d to %s\n%s", code, at, body)
	}
	d, err = p.Triage.Cluster(t.Context(), id, live.Filter{})
	p.must(err)
	if d.Owned != "rope" || d.Issue != "https://forge.example/h/h/issues/7" || d.OwnerBy.By != "finn" || d.IssueBy.By != "finn" || d.OwnerBy.At.IsZero() {
		t.Errorf("%+v", d.Description)
	}
	if code, body := p.fetch("/triage/" + id); code != http.StatusOK || !strings.Contains(body, "by finn") {
		t.Errorf("%d, the page does not say who:\n%s", code, body)
	}
	p.settled()
}

// The repository's configuration says how long failures are kept.
func TestFailuresAreKeptAsConfigured(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	files := maps.Clone(sources)
	files["seaworthy.yaml"] = configuration + "\ntriage: {failures: 60}\n"
	p.populate(files)
	old := func(days int) live.Result {
		return live.Result{Build: live.Build{Path: fmt.Sprintf("gs://b/logs/ci/%d", days), Job: "ci", Started: time.Now().AddDate(0, 0, -days), Tests: 1}}
	}
	done, err := p.Triage.RecordAll(t.Context(), []live.Result{old(59), old(61)})
	if err != nil || done.New != 1 || done.Old != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	p.settled()
}
