package app_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/notify/mailtest"
)

// alerting is a configuration that has everybody told of what breaks.
const alerting = configuration + `alerts:
  mail: {from: Halyard <alerts@harbour.test>, to: [ci@harbour.test]}
  chat: "#ci"
  issues: {open: true}
  owners:
  - {name: rigging, tests: Knot, mail: [rigging@harbour.test], logins: [ada]}
`

// build stores a finished build of the postsubmit.
func (p *platform) build(id, hour int, fails string) {
	p.t.Helper()
	began := time.Now().Add(-24*time.Hour).Unix() + int64(hour)*3600
	folder := fmt.Sprintf("logs/post-unit/%d/", id)
	detail := ""
	if fails != "" {
		detail = "<failure>" + fails + "</failure>"
	}
	for _, f := range [][2]string{
		{"started.json", fmt.Sprintf(`{"timestamp":%d,"repos":{"harbour/halyard":"main"},"repo-commit":"%040d"}`, began, id)},
		{"artifacts/junit_unit.xml", `<testsuite><testcase name="TestKnot">` + detail + `</testcase></testsuite>`},
		{"finished.json", fmt.Sprintf(`{"timestamp":%d,"passed":%t,"result":"%s"}`, began+60, fails == "", map[bool]string{true: "SUCCESS", false: "FAILURE"}[fails == ""])},
	} {
		p.must(p.Bucket.WriteAll(p.t.Context(), folder+f[0], []byte(f[1]), nil))
	}
	p.Signal.Changed()
}

func TestAlertsTellPeople(t *testing.T) {
	t.Parallel()
	chat := &fakeChat{messages: map[string]string{}}
	server := httptest.NewServer(chat)
	defer server.Close()
	sink := mailtest.New(t, mailtest.Options{})
	p := open(t, t.TempDir(), func(o *app.Options) {
		o.Speaking = app.Speaking{SMTP: "smtp://" + sink.Addr + "?tls=none", ChatToken: app.Secret{Text: "xoxb-1"}, ChatAddress: server.URL + "/api/"}
	})
	files := map[string]string{}
	for name, text := range sources {
		files[name] = text
	}
	files["seaworthy.yaml"] = strings.Replace(alerting, "post-unit\n", "post-unit\n    annotations: {testgrid-dashboards: halyard-blocking, testgrid-alert-email: \"annotated@harbour.test\"}\n", 1)
	p.populate(files)
	p.settled()
	ctx := t.Context()
	p.build(9_000_000_001, 1, "")
	for i := range 3 {
		p.build(9_000_000_002+i, 2+i, "the knot &lt;slipped&gt;")
	}
	mailed := func(to string) (last string) {
		for _, m := range sink.Messages() {
			if strings.Contains(" "+strings.Join(m.To, " ")+" ", " "+to+" ") {
				last = m.Data
			}
		}
		return last
	}
	p.until("people are told what broke", func() bool {
		p.must(p.Alert(ctx, halyard))
		return strings.Contains(mailed("ci@harbour.test"), "TestKnot")
	})
	p.must(p.Alert(ctx, halyard)) // nothing is said twice
	for _, to := range []string{"ci@harbour.test", "rigging@harbour.test", "annotated@harbour.test"} {
		says(t, strings.ReplaceAll(mailed(to), "=\n", ""), "From: \"Halyard\" <alerts@harbour.test>", "- TestKnot fails (rigging)", "failed 3 times since build 9000000002", "last passed in build 9000000001",
			"/between?from=3D9000000001&to=3D9000000002", "the knot <slipped>")
	}
	issues := func() (found []forge.Issue) {
		all, err := p.Forge.Issues(ctx, halyard, forge.IssueFilter{State: "all"})
		p.must(err)
		for _, i := range all {
			if strings.HasPrefix(i.Title, "[Failing Test] [rigging]") {
				found = append(found, i)
			}
		}
		return found
	}
	if all := issues(); len(all) != 1 || all[0].State != forge.StateOpen || strings.Join(all[0].Assignees, " ") != "ada" || strings.Join(all[0].Labels, " ") != "kind/failing-test" {
		t.Fatalf("issues %+v", all)
	}
	said := func() (n int) {
		chat.mu.Lock()
		defer chat.mu.Unlock()
		for _, m := range chat.messages {
			if strings.Contains(m, "TestKnot") {
				n++
			}
		}
		return n
	}
	if said() != 1 {
		t.Errorf("the chat was told %d times", said())
	}

	p.build(9_000_000_005, 5, "")
	p.until("people are told that it works", func() bool {
		p.must(p.Alert(ctx, halyard))
		return strings.Contains(mailed("rigging@harbour.test"), "Ended:")
	})
	if all := issues(); len(all) != 1 || all[0].State != forge.StateClosed || said() != 2 {
		t.Errorf("issues %+v; said %d times", all, said())
	}
}
