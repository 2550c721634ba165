package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"seaworthy/triage/live"
	"seaworthy/web"
)

// failures are a table as the pages ask for it.
type failures struct{ *live.Table }

func (f failures) List(ctx context.Context, x live.Filter) (live.List, error) {
	return f.Table.List(ctx, x, now)
}

func (f failures) Cluster(ctx context.Context, id string, x live.Filter) (live.Detail, error) {
	d, err := f.Table.Cluster(ctx, id, x, now)
	d.Good.Commit, d.Landed.Commit, d.Landed.Repo = strings.Repeat("a", 40), strings.Repeat("b", 40), "harbour/halyard"
	d.Merges = []live.Merge{{Commit: strings.Repeat("b", 40), Pull: 7, Title: "Longer <ropes>", At: now}}
	return d, err
}

// filed is a file of triage's with so many clusters of three failures, whose
// texts are so many bytes longer than need be.
func filed(t testing.TB, clusters, long int) failures {
	t.Helper()
	var s strings.Builder
	s.WriteString(`{"clustered":[`)
	for c := range clusters {
		if c > 0 {
			s.WriteString(",")
		}
		fmt.Fprintf(&s, `{"id":"%020x","key":"k","text":"pod web-%d was not ready <b>\n  expected %d%s","spans":[4,6],"owner":"%s","tests":[{"name":"[sig-node] pods <start> %d","jobs":[{"name":"ci-e2e","builds":["%d","%d"]},{"name":"pr:pull-e2e","builds":["5"]}]}]}`,
			c+1, c, c, strings.Repeat(" ```words&amp;", long/13), []string{"node", "", "storage"}[c%3], c, 1000+c%50, 1001+c%50)
	}
	s.WriteString(`],"builds":{"jobs":{"ci-e2e":[1000,51,0],"pr:pull-e2e":{"5":51}},"job_paths":{"ci-e2e":"gs://bucket/logs/ci-e2e","pr:pull-e2e":"pr-logs/pull/12/pull-e2e"},"cols":{"started":[`)
	for i := range 52 {
		if i > 0 {
			s.WriteString(",")
		}
		fmt.Fprint(&s, now.Add(time.Duration(i-52)*5*time.Hour).Unix())
	}
	s.WriteString("]}}}")
	x, skipped, err := live.ReadData(strings.NewReader(s.String()))
	if err != nil || skipped > 0 {
		t.Fatal(skipped, err)
	}
	return failures{x}
}

func triageSite(t testing.TB, of web.Triage) http.Handler {
	t.Helper()
	s, err := web.New(web.Options{Triage: of, Hub: &web.Hub{}, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Issues: web.IssueForm{
			New: func(repo, title, body string, labels []string) string {
				return "https://forge.example/" + repo + "/issues/new?" + url.Values{"title": {title}, "body": {body}, "labels": labels}.Encode()
			},
			Search: func(repo, text string) string {
				return "https://forge.example/" + repo + "/issues?q=" + url.QueryEscape(text)
			},
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A platform that knows no build says what will be here; one whose filter shows
// none says how to see all.
func TestTriageOfNothing(t *testing.T) {
	t.Parallel()
	h := triageSite(t, failures{live.NewTable()})
	for path, want := range map[string]string{
		"/triage": "No build is known yet", "/triage?job=x": "No failures match.", "/triage?days=3": "No failures match.",
		"/triage?days=x": "days “x”: write a number from 1 to 400.", "/triage?xrepo=(": `<details id="tri-more" open>`, "/triage?text=(": `<details id="tri-more"><summary>`,
	} {
		if code, body := visit(t, h, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

func TestTriagePages(t *testing.T) {
	t.Parallel()
	h := triageSite(t, filed(t, 60, 0))
	one := fmt.Sprintf("/triage/%020x", 1)
	for _, c := range []struct {
		path  string
		code  int
		says  []string
		never []string
	}{
		{"/triage", 200, []string{"60 clusters of 180 failures (", "in last day) out of 52 builds from 28 Feb 2026 12:00 to 14 Mar 2026 12:00.", "1 to 25 of 60", `rel="next" href="/triage?from=25"`, "pod web-0 was not ready &lt;b&gt;", `<path d="M`, "storage <small>20"}, []string{`rel="prev"`, "<b>\n"}},
		{"/triage?from=50&sort=message", 200, []string{"51 to 60 of 60", `rel="prev" href="/triage?from=25&amp;sort=message"`}, []string{`rel="next"`}},
		{"/triage?text=web-3+&owner=node", 200, []string{"1 cluster of 3 failures", `name="owner" value="node"`, `value="web-3 "`, `href="/triage?text=web-3&#43;"`}, []string{"pod web-4 "}},
		{"/triage?text=nothing", 200, []string{"No failures match.", "0 clusters of 0 failures"}, nil},
		{"/triage?xjob=(&text=keep", 200, []string{`role="alert"`, "Job has not “(”: is no regular expression: missing closing )", `name="xjob" value="("`, `aria-invalid="true"`, `value="keep"`}, []string{"No failures match."}},
		{"/triage?pr=1&alone=1", 200, []string{"60 clusters of 60 failures", `name="pr" value="1"`}, nil},
		{"/triage?limit=1000", 200, []string{"1 to 50 of 60"}, nil},
		{one, 200, []string{"<mark>web-0 </mark>", "3 failures", "gs://bucket"[:0], `href="https://console.cloud.google.com/storage/browser/bucket/logs/ci-e2e/1001"`, `href="/runs/5"`, "PR #12"[:2], "[sig-node] pods &lt;start&gt; 0", "/tests?name=%5Bsig-node%5D", "Longer &lt;ropes&gt;", `href="/harbour/halyard/pull/7"`, "labels=kind%2Ffailing-test&amp;labels=sig%2Fnode", "5.8%"}, []string{"<ropes>"}},
		{one + "?job=pull&text=nothing", 200, []string{"1 failure ("}, nil},
		{one + "?days=0", 200, []string{"3 failures"}, nil},
		{"/triage/nothing", 404, []string{"There is nothing here"}, nil},
	} {
		w := get(h, c.path)
		if w.Code != c.code {
			t.Errorf("%s answers %d, want %d", c.path, w.Code, c.code)
		}
		for _, want := range c.says {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s does not say %q", c.path, want)
			}
		}
		for _, not := range c.never {
			if strings.Contains(w.Body.String(), not) {
				t.Errorf("%s says %q", c.path, not)
			}
		}
		sound(t, w)
	}
}

func TestTriagePagesStaySmall(t *testing.T) {
	t.Parallel()
	h := triageSite(t, filed(t, 400, 90<<10))
	for _, path := range []string{"/triage?limit=1000&days=400", "/triage?limit=1000&sort=newest&days=400", fmt.Sprintf("/triage/%020x?more=1&days=400", 7)} {
		w := get(h, path)
		if w.Code != 200 || w.Body.Len() > 150<<10 {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		sound(t, w)
	}
}

func TestNoTriage(t *testing.T) {
	t.Parallel()
	h := triageSite(t, nil)
	if w := get(h, "/triage"); w.Code != 200 || !strings.Contains(w.Body.String(), "Failures are not followed here") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(h, "/triage/x"); w.Code != 404 {
		t.Errorf("a cluster answers %d", w.Code)
	}
}
