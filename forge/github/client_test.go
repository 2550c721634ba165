package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/github"
)

var (
	repo = forge.RepoName{Owner: "harbour", Name: "halyard"}
	now  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

// serve starts a forge made of one handler, and a client of it whose pauses
// take no time.
func serve(t *testing.T, handler http.HandlerFunc) *github.Client {
	t.Helper()
	return serveWaiting(t, handler, func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
}

func serveWaiting(t *testing.T, handler http.HandlerFunc, wait func(context.Context, time.Duration) error) *github.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := github.New(github.Options{
		BaseURL: server.URL + "/api/v3/", Token: "s3cret", Wait: wait,
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer writes a JSON answer.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, upload, problem string }{
		{"", "", ""},
		{"https://ghe.example.com/api/v3", "", ""},
		{"http://127.0.0.1:1/api/v3/", "http://127.0.0.1:1/api/uploads/", ""},
		{"ghe.example.com/api/v3/", "", "ghe.example.com/api/v3/"},
		{"ftp://ghe.example.com/", "", "ftp://"},
		{"https://ghe.example.com/api/v3/", "::", "::"},
	} {
		_, err := github.New(github.Options{BaseURL: c.base, UploadURL: c.upload})
		if (err != nil) != (c.problem != "") {
			t.Errorf("New(%q, %q) gave %v", c.base, c.upload, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.problem) || !strings.Contains(err.Error(), "https://HOST/api/v3/")) {
			t.Errorf("New(%q, %q): %v; want what is wrong and what to write", c.base, c.upload, err)
		}
	}
}

func TestUploadGoesBesideTheAPI(t *testing.T) {
	t.Parallel()
	var path, length, kind, auth string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, length, kind, auth = r.URL.String(), r.Header.Get("Content-Length"), r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		answer(w, http.StatusCreated, `{"id":7,"name":"a b.txt","size":5,"state":"uploaded","digest":"sha256:00"}`)
	})
	a, err := c.UploadAsset(t.Context(), repo, 3, "a b.txt", "text/plain", 5, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (forge.Asset{ID: 7, Name: "a b.txt", Size: 5, State: "uploaded", Digest: "sha256:00"}); a != want {
		t.Errorf("asset is %+v; want %+v", a, want)
	}
	if path != "/api/uploads/repos/harbour/halyard/releases/3/assets?name=a+b.txt" || length != "5" || kind != "text/plain" || auth != "Bearer s3cret" {
		t.Errorf("the upload went to %s with length %s, type %s, authorization %s", path, length, kind, auth)
	}
}

func TestTokenStaysWithTheForge(t *testing.T) {
	t.Parallel()
	var leaked atomic.Value
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, "the content")
	}))
	defer store.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/octet-stream" || r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("asked for %s as %s", r.Header.Get("Accept"), r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, store.URL+"/object", http.StatusFound)
	})
	body, err := c.DownloadAsset(t.Context(), repo, 7)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(content) != "the content" {
		t.Errorf("the asset is %q, %v", content, err)
	}
	if got := leaked.Load(); got != "" {
		t.Errorf("the store that the forge redirected to was sent %q", got)
	}
}

// Where a download is redirected to is a credential by itself.
func TestErrorsDoNotTellWhereAnAssetLies(t *testing.T) {
	t.Parallel()
	store := httptest.NewServer(nil)
	store.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/object?X-Amz-Signature=5i6n", http.StatusFound)
	})
	_, err := c.DownloadAsset(t.Context(), repo, 7)
	if !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), store.URL+"/object") || strings.Contains(err.Error(), "5i6n") {
		t.Errorf("gave %v; want the address without its signature", err)
	}
}

func TestPagesAreFollowed(t *testing.T) {
	t.Parallel()
	const pages = 4
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		page := max(1, atoi(r.URL.Query().Get("page")))
		if page < pages {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d&per_page=100>; rel="next", <http://%s%s?page=%d>; rel="last"`,
				r.Host, r.URL.Path, page+1, r.Host, r.URL.Path, pages))
		}
		answer(w, http.StatusOK, fmt.Sprintf(`[{"name":"label-%d"}]`, page))
	})
	labels, err := c.Labels(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	want := []forge.Label{{Name: "label-1"}, {Name: "label-2"}, {Name: "label-3"}, {Name: "label-4"}}
	if !slices.Equal(labels, want) {
		t.Errorf("labels are %v; want %v", labels, want)
	}
	if wantAsked := []string{"per_page=100", "page=2&per_page=100", "page=3&per_page=100", "page=4&per_page=100"}; !slices.Equal(asked, wantAsked) {
		t.Errorf("asked for %v; want %v", asked, wantAsked)
	}
}

func atoi(s string) int {
	n := 0
	if _, err := fmt.Sscan(s, &n); err != nil {
		return 0
	}
	return n
}

// GitHub hands out a cursor for issues beside the page.
func TestIssuesFollowTheCursor(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?after=Y3Vyc29y&page=2>; rel="next"`, r.Host, r.URL.Path))
			answer(w, http.StatusOK, `[{"number":2}]`)
		case "Y3Vyc29y":
			answer(w, http.StatusOK, `[{"number":1,"pull_request":{"url":"x"}}]`)
		}
	})
	issues, err := c.Issues(t.Context(), repo, forge.IssueFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(issues) != 2 || issues[0].Number != 2 || issues[1].Number != 1 || !issues[1].IsPull || issues[0].IsPull {
		t.Errorf("issues are %+v", issues)
	}
}

func TestStatusesKeepTheNewest(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, `[{"context":"unit","state":"success","creator":{"login":"bot"}},{"context":"lint","state":"error"},{"context":"unit","state":"pending"}]`)
	})
	got, err := c.Statuses(t.Context(), repo, "main")
	if err != nil {
		t.Fatal(err)
	}
	want := []forge.Status{{Context: "unit", State: forge.StatusSuccess, Creator: "bot"}, {Context: "lint", State: forge.StatusError}}
	if !slices.Equal(got, want) {
		t.Errorf("statuses are %+v; want %+v", got, want)
	}
}

func TestCreateRepo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, owner, branch string
		path, body          string
		status              int
		want                error
	}{
		{"one's own", "Harbour", "trunk", "/api/v3/user/repos", `{"name":"halyard","description":"D","private":true,"default_branch":"trunk"}`, http.StatusCreated, nil},
		{"an organisation's", "fleet", "", "/api/v3/orgs/fleet/repos", `{"name":"halyard","description":"D","private":true,"default_branch":"main"}`, http.StatusCreated, nil},
		{"one that is there", "harbour", "main", "/api/v3/user/repos", `{"name":"halyard","description":"D","private":true,"default_branch":"main"}`, http.StatusUnprocessableEntity, forge.ErrExists},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					answer(w, http.StatusOK, `{"login":"harbour"}`)
					return
				}
				body, err := io.ReadAll(r.Body)
				if err != nil || strings.TrimSpace(string(body)) != c.body || r.URL.Path != c.path {
					t.Errorf("POST %s with %s, %v", r.URL.Path, body, err)
				}
				answer(w, c.status, `{"full_name":"harbour/halyard","default_branch":"as it likes","message":"Repository creation failed.","errors":[{"resource":"Repository","code":"custom","field":"name","message":"name already exists on this account"}]}`)
			})
			r, err := client.CreateRepo(t.Context(), forge.NewRepo{RepoName: forge.RepoName{Owner: c.owner, Name: "halyard"}, Description: "D", Private: true, DefaultBranch: c.branch})
			if !errors.Is(err, c.want) || err == nil && r.DefaultBranch != "as it likes" {
				t.Errorf("gave %+v, %v", r, err)
			}
		})
	}
}

func TestLargeFileIsReadRaw(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("ref") != "v1" || r.URL.Path != "/api/v3/repos/harbour/halyard/contents/a dir/big#1" {
			t.Errorf("asked for %s", r.URL)
		}
		if r.Header.Get("Accept") == "application/vnd.github.raw+json" {
			fmt.Fprint(w, "all of it")
			return
		}
		answer(w, http.StatusOK, `{"type":"file","encoding":"none","content":"","size":2000000}`)
	})
	got, err := c.File(t.Context(), repo, "a dir/big#1", "v1")
	if err != nil || string(got) != "all of it" {
		t.Errorf("File gave %q, %v", got, err)
	}
}

func TestRemoveLabel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		message string
		want    error
	}{{"Label does not exist", nil}, {"Not Found", forge.ErrNotFound}} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.EscapedPath() != "/api/v3/repos/harbour/halyard/issues/1/labels/kind%2Fa%20%23b%3F" {
				t.Errorf("asked for %s", r.URL.EscapedPath())
			}
			answer(w, http.StatusNotFound, fmt.Sprintf(`{"message":%q}`, c.message))
		})
		if err := client.RemoveLabel(t.Context(), repo, 1, "kind/a #b?"); !errors.Is(err, c.want) {
			t.Errorf("%q gave %v; want %v", c.message, err, c.want)
		}
	}
}

func TestMergeThatWasNot(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, `{"merged":false,"message":"not now"}`)
	})
	if _, err := c.MergePullRequest(t.Context(), repo, 1, forge.Merge{}); !errors.Is(err, forge.ErrConflict) || !strings.Contains(err.Error(), "not now") {
		t.Errorf("gave %v", err)
	}
}

func TestSharedClientIsLeftAlone(t *testing.T) {
	t.Parallel()
	given := &http.Client{Timeout: time.Minute}
	if _, err := github.New(github.Options{HTTP: given, Token: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	if given.Transport != nil {
		t.Error("the caller's HTTP client was given another transport")
	}
}

// A large upload that the forge does not want is refused before it is sent.
func TestUnwantedUploadIsNotSent(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusUnprocessableEntity, `{"message":"Validation Failed","errors":[{"resource":"ReleaseAsset","code":"already_exists","field":"name"}]}`)
	})
	const size = 64 << 20
	content := &counting{left: size}
	_, err := c.UploadAsset(t.Context(), repo, 3, "large.bin", "application/octet-stream", size, content)
	if !errors.Is(err, forge.ErrExists) {
		t.Errorf("gave %v; want that it exists", err)
	}
	if sent := size - content.left; sent != 0 {
		t.Errorf("%d bytes were sent in vain", sent)
	}
}

// counting is a long body of zeros.
type counting struct{ left int }

func (c *counting) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(c.left, len(p))
	c.left -= n
	return n, nil
}

func TestUploadWhoseSourceBreaks(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the whole body arrived")
		}
	})
	broken := errors.New("the disk is gone")
	_, err := c.UploadAsset(t.Context(), repo, 3, "a.bin", "text/plain", 10, io.MultiReader(strings.NewReader("12345"), failing{broken}))
	if !errors.Is(err, broken) || errors.Is(err, forge.ErrUnavailable) || !strings.HasPrefix(err.Error(), "upload asset a.bin (10 bytes) to release 3 of harbour/halyard: read its content: ") {
		t.Errorf("gave %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNothingToAskFor(t *testing.T) {
	t.Parallel()
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s %s", r.Method, r.URL) })
	for what, err := range map[string]error{
		"no labels":    c.AddLabels(t.Context(), repo, 1),
		"no assignees": c.AddAssignees(t.Context(), repo, 1, nil),
		"nobody off":   c.RemoveAssignees(t.Context(), repo, 1, nil),
		"no reviewers": c.RequestReviewers(t.Context(), repo, 1, nil),
		"none at all":  c.RemoveReviewers(t.Context(), repo, 1, nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.File(t.Context(), repo, "../../../secret", ""); !errors.Is(err, forge.ErrInvalid) {
		t.Errorf("a path that leaves the repository gave %v", err)
	}
}
