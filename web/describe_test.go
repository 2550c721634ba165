package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// notes are what was noted of clusters.
type notes struct {
	said []string
	err  error
}

func (n *notes) describe(_ context.Context, token, cluster string, owner, issue *string) error {
	if n.err != nil {
		return fmt.Errorf("as %s: %w", token, n.err)
	}
	says := func(s *string) string {
		if s == nil {
			return "–"
		}
		return *s
	}
	n.said = append(n.said, strings.Join([]string{token, cluster[18:], says(owner), says(issue)}, " "))
	return nil
}

func (n *notes) site(t *testing.T, log *strings.Builder) http.Handler {
	t.Helper()
	s, err := web.New(web.Options{Triage: filed(t, 3, 0), Describe: n.describe, Hub: &web.Hub{}, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var oneCluster = fmt.Sprintf("/triage/%020x", 1)

func TestOwnerAndIssueAreNoted(t *testing.T) {
	t.Parallel()
	n := &notes{}
	h := n.site(t, &strings.Builder{})
	code, body := visit(t, h, oneCluster)
	for _, want := range []string{`action="` + oneCluster + `" method="post"`, `name="owner" value="node"`, `name="was_owner" value="node"`, `name="issue" value=""`, `type="password" name="token"`} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, the form lacks %s", code, want)
		}
	}
	for _, x := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"owner": {" sig-rope "}, "was_owner": {"node"}, "issue": {""}}, "01 sig-rope –"},
		{url.Values{"owner": {"node"}, "was_owner": {"node"}, "issue": {"https://forge.example/h/h/issues/4"}}, "01 – https://forge.example/h/h/issues/4"},
		{url.Values{"owner": {""}, "was_owner": {"node"}, "issue": {""}, "was_issue": {"/h/h/issues/4"}}, "01  "},
	} {
		x.form.Set("token", goodToken+"\n")
		n.said = nil
		w := send(h, oneCluster, x.form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != oneCluster+"#facts" || len(n.said) != 1 || n.said[0] != goodToken+" "+x.want {
			t.Errorf("%v: %d to %s, noted %q", x.form, w.Code, w.Header().Get("Location"), n.said)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("an answer to a token may be kept")
		}
	}
}

func TestNotesAreRefused(t *testing.T) {
	t.Parallel()
	fine := func(more ...string) url.Values {
		v := url.Values{"owner": {"rope"}, "issue": {"/h/h/issues/4"}, "token": {goodToken}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	const wrong = "not the token of an account that may write"
	for name, x := range map[string]struct {
		form    url.Values
		path    string
		headers []string
		err     error
		code    int
		says    string
	}{
		"no token":             {form: fine("token", ""), code: 422, says: "A token is needed"},
		"a token of nobody":    {form: fine(), err: forge.ErrUnauthorized, code: 403, says: wrong},
		"a reader's token":     {form: fine(), err: forge.ErrForbidden, code: 403, says: wrong},
		"no token at all":      {form: fine("token", "a\r\nb"), code: 403, says: wrong},
		"an owner of lines":    {form: fine("owner", "a\nb"), code: 422, says: "name in one line"},
		"an owner too long":    {form: fine("owner", strings.Repeat("a", 101)), code: 422, says: "at most 100 characters"},
		"nobody":               {form: fine("owner", "None"), code: 422, says: "stands for clusters without an owner"},
		"a script":             {form: fine("issue", "javascript:alert(1)"), code: 422, says: "An issue is an address"},
		"another host":         {form: fine("issue", "//forge.example/x"), code: 422, says: "An issue is an address"},
		"an issue too long":    {form: fine("issue", "https://forge.example/"+strings.Repeat("a", 2000)), code: 422, says: "An issue is an address"},
		"too much":             {form: fine("issue", strings.Repeat("a", 20000)), code: http.StatusRequestEntityTooLarge, says: "more than a name and an address"},
		"another site":         {form: fine(), headers: []string{"Sec-Fetch-Site", "cross-site"}, code: 403, says: "Forms of other sites"},
		"a cluster of nothing": {form: fine(), path: "/triage/ffff", code: 404, says: "There is nothing here"},
		"one that just went":   {form: fine(), err: live.ErrNoCluster, code: 404, says: "the cluster is gone"},
		"a forge that is away": {form: fine(), err: errors.New("cut off"), code: 502, says: "not known whether"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, log := &notes{err: x.err}, &strings.Builder{}
			path := oneCluster
			if x.path != "" {
				path = x.path
			}
			w := send(n.site(t, log), path, x.form, x.headers...)
			body := w.Body.String()
			if w.Code != x.code || !strings.Contains(body, x.says) {
				t.Errorf("%d, want %d and %q:\n%s", w.Code, x.code, x.says, body)
			}
			if len(n.said) != 0 || strings.Contains(body+log.String(), goodToken) {
				t.Errorf("noted %q, or the token is told: %s", n.said, log)
			}
			if (x.code == 422 || x.code == 502) && !strings.Contains(body, `<details class="card pad tri-note" id="tri-note" open>`) {
				t.Error("the form is closed")
			}
		})
	}
	without := triageSite(t, filed(t, 3, 0))
	if w := send(without, oneCluster, fine()); w.Code != http.StatusNotFound {
		t.Errorf("where nobody may: %d", w.Code)
	}
	if _, body := visit(t, without, oneCluster); strings.Contains(body, "tri-note") {
		t.Error("there is a form where nobody may")
	}
}
