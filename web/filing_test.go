package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/web"
)

const goodToken = "token-of-ben-0123456789"

// tracker is a forge's issues, as the forms of the pages use them.
type tracker struct {
	filed []forge.NewIssue
	as    []string
	err   error
	open  []forge.Issue
}

func (k *tracker) form() web.IssueForm {
	return web.IssueForm{
		File: func(_ context.Context, _ forge.RepoName, token string, n forge.NewIssue) (forge.Issue, error) {
			if k.err != nil {
				return forge.Issue{}, k.err
			}
			if token != goodToken {
				return forge.Issue{}, fmt.Errorf("opening %q with %s: %w", n.Title, token, forge.ErrUnauthorized)
			}
			k.filed, k.as = append(k.filed, n), append(k.as, token)
			return forge.Issue{Number: 41}, nil
		},
		Open: func(context.Context, forge.RepoName) ([]forge.Issue, error) { return k.open, k.err },
		New: func(repo, title, _ string, _ []string) string {
			return "https://elsewhere.example/" + repo + "/new?" + url.Values{"title": {title}}.Encode()
		},
		Search: func(repo, text string) string {
			return "https://elsewhere.example/" + repo + "?" + url.Values{"q": {text}}.Encode()
		},
	}
}

func (k *tracker) site(t *testing.T, log *bytes.Buffer) http.Handler {
	t.Helper()
	return siteWith(t, func(o *web.Options) {
		o.Issues = k.form()
		if log != nil {
			o.Log = slog.New(slog.NewTextHandler(log, nil))
		}
	})
}

// send posts a form, as a page of this site does unless a header says otherwise.
func send(h http.Handler, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestIssueIsFiledWithTheTokenThatCame(t *testing.T) {
	t.Parallel()
	k := &tracker{}
	w := send(k.site(t, nil), "/harbour/halyard/issues/new", url.Values{
		"title": {"  It gave way "}, "body": {"one\r\ntwo\r\n\r\nCluster abc"}, "labels": {"kind/flake, ,sig/rope,kind/flake"}, "token": {" " + goodToken + "\n"},
	})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/harbour/halyard/issues/41" {
		t.Fatalf("%d to %q\n%s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if len(k.filed) != 1 || k.filed[0].Title != "It gave way" || k.filed[0].Body != "one\ntwo\n\nCluster abc" || !slices.Equal(k.filed[0].Labels, []string{"kind/flake", "sig/rope"}) {
		t.Errorf("%+v", k.filed)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an answer to a token may be kept: %q", w.Header().Get("Cache-Control"))
	}
}

func TestIssueFormIsFilledIn(t *testing.T) {
	t.Parallel()
	q := url.Values{"title": {`[Failing test] <b>"x"`}, "body": {"</textarea><script>alert(1)</script>\nCluster abc"}, "labels": {"kind/failing-test,sig/rope"}, "token": {"from-the-address"}}
	code, body := visit(t, (&tracker{}).site(t, nil), "/harbour/halyard/issues/new?"+q.Encode())
	if code != http.StatusOK {
		t.Fatal(code)
	}
	for _, want := range []string{
		`method="post"`, `action="/harbour/halyard/issues/new"`, `type="password"`, `autocomplete="off"`, "kind/failing-test, sig/rope",
		"&lt;/textarea&gt;&lt;script&gt;", "\nCluster abc</textarea>", "&lt;b&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	for _, never := range []string{"from-the-address", "<script>alert"} {
		if strings.Contains(body, never) {
			t.Errorf("%q is in\n%s", never, body)
		}
	}
}

// Whatever is refused is refused with a sentence; what was written is kept, but
// for the token, which is nowhere.
func TestIssueRefused(t *testing.T) {
	t.Parallel()
	const secret = "secret-0987654321"
	fine := func(with ...string) url.Values {
		v := url.Values{"title": {"It gave way"}, "body": {"as I wrote"}, "token": {goodToken}}
		for i := 0; i+1 < len(with); i += 2 {
			v.Set(with[i], with[i+1])
		}
		return v
	}
	const wrong = "not the token of an account that may file issues here"
	for name, x := range map[string]struct {
		form    url.Values
		headers []string
		err     error
		code    int
		says    string
	}{
		"a token that nobody has":    {form: fine("token", secret), code: http.StatusForbidden, says: wrong},
		"an account that may not":    {form: fine("token", secret), err: fmt.Errorf("no: %w", forge.ErrForbidden), code: http.StatusForbidden, says: wrong},
		"an account that sees none":  {form: fine("token", secret), err: fmt.Errorf("no: %w", forge.ErrNotFound), code: http.StatusForbidden, says: wrong},
		"a token that cannot be one": {form: fine("token", secret+" \r\nX: y"), code: http.StatusUnprocessableEntity, says: wrong},
		"a token too long":           {form: fine("token", strings.Repeat("a", 256)), code: http.StatusUnprocessableEntity, says: wrong},
		"no token":                   {form: fine("token", ""), code: http.StatusUnprocessableEntity, says: "A token is needed"},
		"no title":                   {form: fine("title", " "), code: http.StatusUnprocessableEntity, says: "needs a title"},
		"a long title":               {form: fine("title", strings.Repeat("ä", 257)), code: http.StatusUnprocessableEntity, says: "longer than 256"},
		"a long text":                {form: fine("body", strings.Repeat("ä", 65537)), code: http.StatusUnprocessableEntity, says: "longer than 65,536"},
		"too many labels":            {form: fine("labels", labels(51)), code: http.StatusUnprocessableEntity, says: "more than 50 labels"},
		"no text at all":             {form: fine("body", "\xff\xfe"), code: http.StatusUnprocessableEntity, says: "not text in UTF-8"},
		"more than can be":           {form: fine("body", strings.Repeat("a", 1<<20)), code: http.StatusRequestEntityTooLarge, says: "more than an issue can hold"},
		"what the forge refuses":     {form: fine(), err: fmt.Errorf("no: %w", forge.ErrInvalid), code: http.StatusUnprocessableEntity, says: "does not take an issue like this"},
		"too often":                  {form: fine(), err: &forge.RateLimitError{Until: now, Cause: errors.New("wait")}, code: http.StatusTooManyRequests, says: "asks to wait"},
		"a forge that is away":       {form: fine("token", secret), err: errors.New("the answer to " + secret + " was cut"), code: http.StatusBadGateway, says: "not known whether"},
		"another site's form":        {form: fine(), headers: []string{"Sec-Fetch-Site", "cross-site"}, code: http.StatusForbidden, says: "other sites"},
		"a neighbour's form":         {form: fine(), headers: []string{"Sec-Fetch-Site", "same-site"}, code: http.StatusForbidden, says: "other sites"},
		"another origin":             {form: fine(), headers: []string{"Origin", "https://evil.example"}, code: http.StatusForbidden, says: "other sites"},
		"an origin that hides":       {form: fine(), headers: []string{"Origin", "null"}, code: http.StatusForbidden, says: "other sites"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			k := &tracker{err: x.err}
			w := send(k.site(t, &log), "/harbour/halyard/issues/new", x.form, x.headers...)
			body := w.Body.String()
			if w.Code != x.code || !strings.Contains(body, x.says) {
				t.Errorf("%d, wanted %d and %q\n%.2000s", w.Code, x.code, x.says, body)
			}
			for _, token := range []string{goodToken, secret} {
				if strings.Contains(body, token) || strings.Contains(log.String(), token) || strings.Contains(fmt.Sprint(w.Header()), token) {
					t.Errorf("the token is told:\n%s\n%s", log.String(), body)
				}
			}
			if len(k.filed) != 0 {
				t.Errorf("it was filed: %+v", k.filed)
			}
			if strings.Contains(body, "<form") && x.form.Get("body") == "as I wrote" && !strings.Contains(body, "as I wrote") {
				t.Error("what was written is lost")
			}
		})
	}
}

func labels(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("label-%d", i))
	}
	return strings.Join(all, ",")
}

// A token in the address is not taken: addresses are logged and remembered.
func TestTokenInTheAddressIsNotTaken(t *testing.T) {
	t.Parallel()
	k := &tracker{}
	w := send(k.site(t, nil), "/harbour/halyard/issues/new?token="+goodToken, url.Values{"title": {"x"}})
	if w.Code != http.StatusUnprocessableEntity || len(k.filed) != 0 || strings.Contains(w.Body.String(), goodToken) {
		t.Errorf("%d %+v", w.Code, k.filed)
	}
}

func TestIssuesOfOtherRepositoriesAreNotFiled(t *testing.T) {
	t.Parallel()
	k := &tracker{}
	h := k.site(t, nil)
	for _, path := range []string{"/harbour/unknown/issues/new", "/..%2f/halyard/issues/new"} {
		if w := send(h, path, url.Values{"title": {"x"}, "token": {goodToken}}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
		if code, _ := visit(t, h, path); code != http.StatusNotFound {
			t.Errorf("%s is shown: %d", path, code)
		}
	}
	without := siteWith(t, func(*web.Options) {})
	for _, path := range []string{"/harbour/halyard/issues/new", "/harbour/halyard/issues"} {
		if code, _ := visit(t, without, path); code != http.StatusNotFound {
			t.Errorf("%s of a platform without issues: %d", path, code)
		}
	}
	if w := send(without, "/harbour/halyard/issues/new", url.Values{"title": {"x"}, "token": {"t"}}); w.Code != http.StatusNotFound {
		t.Errorf("filing without a forge: %d", w.Code)
	}
	if len(k.filed) != 0 {
		t.Errorf("%+v", k.filed)
	}
}

func TestOpenIssuesThatNameATest(t *testing.T) {
	t.Parallel()
	k := &tracker{}
	for i := range 130 {
		k.open = append(k.open, forge.Issue{Repo: repo, Number: i + 1, Title: fmt.Sprintf("Issue <%d>", i+1), Author: "ben", State: forge.StateOpen, CreatedAt: now.Add(-time.Hour)})
	}
	k.open[4].Body = "TestDrain [It] fails"
	k.open[6].Title = "testdrain [it] again"
	k.open[8].Body, k.open[8].IsPull = "TestDrain [It]", true
	h := k.site(t, nil)
	for q, want := range map[string][]string{
		"TestDrain [It]": {"2 open issues", "/harbour/halyard/issues/5", "/harbour/halyard/issues/7"},
		"":               {"The first 100 of 129 open issues", "Issue &lt;1&gt;", "/harbour/halyard/issues/new"},
		"nothing at all": {"0 open issues", "No open issue names this."},
	} {
		code, body := visit(t, h, "/harbour/halyard/issues?"+url.Values{"q": {q}}.Encode())
		for _, w := range want {
			if code != http.StatusOK || !strings.Contains(body, w) {
				t.Errorf("%q: %d without %q\n%s", q, code, w, body)
			}
		}
		if strings.Contains(body, "/issues/9\"") {
			t.Errorf("%q: a change is listed as an issue", q)
		}
	}
	k.err = errors.New("away")
	if code, _ := visit(t, h, "/harbour/halyard/issues"); code != http.StatusInternalServerError {
		t.Errorf("a forge that does not answer: %d", code)
	}
}
