package octokit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"seaworthy/forge"
	"seaworthy/forge/local"
	"seaworthy/store/storetest"
)

// session is one account talking to the embedded forge in plain HTTP. Every
// answer is held against GitHub's description of it.
type session struct {
	*testing.T
	api    *schemas
	base   string
	owner  string
	repo   string
	tokens map[string]string
	login  string          // who speaks
	called map[string]bool // "METHOD /path" as sent, below /api/v3
}

// object is a JSON object of an answer.
type object map[string]any

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return s
}

// id is a number of an answer, as it goes into an address.
func (o object) id(key string) string { return fmt.Sprint(o[key]) }

func (o object) in(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

// startForge runs an embedded forge with the accounts ada (who may do
// everything) and ben.
func startForge(t *testing.T) *session {
	t.Helper()
	api := openAPI(t)
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	f, err := local.New(local.Options{
		DB: storetest.SQLite(t), GitDir: filepath.Join(t.TempDir(), "git"), BaseURL: base,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = f.Handler()
	server.Start()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("the forge ended with %v", err)
		}
		server.Close()
	})
	s := &session{T: t, api: api, base: base, owner: "ada", repo: "halyard", login: "ada", tokens: map[string]string{}, called: map[string]bool{}}
	for _, login := range []string{"ada", "ben"} {
		if err := f.CreateUser(t.Context(), forge.User{Login: login, Name: strings.ToUpper(login), Email: login + "@example.com"}, login == "ada"); err != nil {
			t.Fatal(err)
		}
		if s.tokens[login], err = f.CreateToken(t.Context(), login); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// as is the session of somebody else.
func (s *session) as(login string) *session {
	other := *s
	other.login = login
	return &other
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// address fills a path template of the description: owner and repo are the
// session's, the rest is taken in order.
func (s *session) address(template string, args []string) string {
	left := args
	path := placeholder.ReplaceAllStringFunc(template, func(name string) string {
		switch {
		case name == "{owner}":
			return s.owner
		case name == "{repo}":
			return s.repo
		case len(left) == 0:
			s.Fatalf("%s: too few arguments %v", template, args)
		}
		next := left[0]
		left = left[1:]
		if name == "{name}" || name == "{branch}" {
			return url.PathEscape(next)
		}
		return (&url.URL{Path: next}).EscapedPath()
	})
	if len(left) > 0 {
		s.Fatalf("%s: too many arguments %v", template, args)
	}
	return path
}

// call sends a request and checks status, shape and headers of its answer. The
// request is "METHOD /path/template?query".
func (s *session) call(status int, request string, body any, args ...string) []byte {
	s.Helper()
	method, template, _ := strings.Cut(request, " ")
	template, query, _ := strings.Cut(template, "?")
	path := s.address(template, args)
	root := "/api/v3"
	var reader io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		root, reader, contentType = "/api/uploads", bytes.NewReader(b), "text/plain"
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			s.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	target := s.base + root + path
	if query != "" {
		target += "?" + query
	}
	resp, content := s.send(method, target, contentType, "application/vnd.github+json", reader)
	s.called[method+" "+path] = true
	what := fmt.Sprintf("%s %s", method, path)
	if resp.StatusCode != status {
		s.Errorf("%s answered %s; want %d\n%s", what, resp.Status, status, content)
		return content
	}
	s.headers(what, method, resp)
	s.shape(what, method, template, status, content)
	return content
}

// shape holds a body against the description.
func (s *session) shape(what, method, template string, status int, content []byte) {
	s.Helper()
	pointer, err := s.api.responseSchema(method, template, status)
	switch {
	case pointer == "" && status >= http.StatusBadRequest:
		pointer = "/components/schemas/basic-error" // not every refusal is described
	case err != nil:
		s.Error(err)
		return
	case pointer == "":
		if len(content) > 0 {
			s.Errorf("%s: answer %d has no body in GitHub's description; here it is %s", what, status, content)
		}
		return
	}
	if err := s.api.check(pointer, content); err != nil {
		s.Errorf("%s, answer %d: %v\n%s", what, status, err, clip(content))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }

// headers checks what GitHub sends with every answer.
func (s *session) headers(what, method string, resp *http.Response) {
	s.Helper()
	want := []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Used", "X-Ratelimit-Reset", "X-Github-Request-Id", "X-Github-Media-Type"}
	if resp.StatusCode == http.StatusOK && method == http.MethodGet {
		want = append(want, "Etag")
	}
	for _, name := range want {
		if resp.Header.Get(name) == "" {
			s.Errorf("%s: the header %s is missing", what, name)
		}
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusNoContent && kind != "application/json; charset=utf-8" {
		s.Errorf("%s: content type %q", what, kind)
	}
}

// send sends a request and reads the answer, following no redirect.
func (s *session) send(method, target, contentType, accept string, body io.Reader) (*http.Response, []byte) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, target, body)
	if err != nil {
		s.Fatal(err)
	}
	if token := s.tokens[s.login]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Accept", accept)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		s.Fatal(err)
	}
	return resp, content
}

// get is call for one object.
func (s *session) get(status int, request string, body any, args ...string) object {
	s.Helper()
	content := s.call(status, request, body, args...)
	var o object
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	if err := dec.Decode(&o); err != nil {
		s.Fatalf("%s: %v\n%s", request, err, content)
	}
	return o
}

// list is call for a list, which must not be empty: the shape of nothing proves
// nothing.
func (s *session) list(request string, args ...string) []object {
	s.Helper()
	content := s.call(http.StatusOK, request, nil, args...)
	var all []object
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		s.Errorf("%s: %v\n%s", request, err, clip(content))
	}
	if len(all) == 0 {
		s.Errorf("%s: the list is empty", request)
	}
	return all
}

// git runs git in a folder.
func (s *session) git(dir string, args ...string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("git %s: %v\n%s", args[0], err, strings.ReplaceAll(string(out), s.tokens["ada"], "TOKEN"))
	}
	return strings.TrimSpace(string(out))
}
