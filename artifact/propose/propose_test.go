package propose_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/artifact/propose"
	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/store/storetest"
	"seaworthy/strict"
)

// world is a staging registry, a forge with the manifests, and a person with a
// fork of them.
type world struct {
	t        *testing.T
	registry string         // host:port
	forge    *github.Client // as ben
	ada      *github.Client
	token    string
	url      string
}

var (
	manifests = forge.RepoName{Owner: "ada", Name: "k8s.io"}
	fork      = forge.RepoName{Owner: "ben", Name: "k8s.io"}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	images := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	t.Cleanup(images.Close)
	w.registry = strings.TrimPrefix(images.URL, "http://")
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	w.url = server.URL
	f, err := local.New(local.Options{DB: storetest.SQLite(t), GitDir: filepath.Join(t.TempDir(), "git"), BaseURL: server.URL, Log: slog.New(slog.DiscardHandler)})
	w.must(err)
	handler = f.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the forge's background work: %v", err)
		}
	})
	clients := map[string]*github.Client{}
	for _, login := range []string{"ada", "ben"} {
		w.must(f.CreateUser(t.Context(), forge.User{Login: login, Name: strings.ToUpper(login), Email: login + "@harbour.test"}, login == "ada"))
		w.token, err = f.CreateToken(t.Context(), login)
		w.must(err)
		clients[login], err = github.New(github.Options{BaseURL: server.URL + "/api/v3/", Token: w.token})
		w.must(err)
	}
	w.forge = clients["ben"]
	w.ada = clients["ada"]
	_, err = w.ada.CreateRepo(t.Context(), forge.NewRepo{RepoName: manifests, DefaultBranch: "main"})
	w.must(err)
	for file, text := range map[string]string{
		"README.md": "# Manifests\n",
		"registry.example/manifests/k8s-staging-app/promoter-manifest.yaml": "registries:\n- name: " + w.registry + "/staging-app\n  src: true\n- name: prod.example/app\n",
		"registry.example/images/k8s-staging-app/images.yaml":               "# The app's.\n- name: app\n  dmap:\n    \"" + digest("0") + "\": [\"v1.0.0\"]\n\n# last\n- name: web\n  dmap:\n    \"" + digest("1") + "\": [\"v1.0.0\"]\n",
		"registry.example/manifests/broken/promoter-manifest.yaml":          "registries: [\n",
		"registry.example/images/broken/images.yaml":                        "[]\n",
	} {
		_, err := w.ada.PutFile(t.Context(), manifests, file, "main", "add "+file, []byte(text))
		w.must(err)
	}
	w.fork()
	return w
}

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fork makes ben's fork, as his browser would.
func (w *world) fork() {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/api/v3/repos/"+manifests.String()+"/forks", strings.NewReader("{}"))
	w.must(err)
	req.Header.Set("Authorization", "token "+w.token)
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	w.must(res.Body.Close())
	if res.StatusCode != http.StatusAccepted {
		w.t.Fatalf("forking: %s", res.Status)
	}
}

// push stages an image of random content and returns its digest.
func (w *world) push(image string, tags ...string) artifact.Digest {
	w.t.Helper()
	content, err := random.Image(16, 1)
	w.must(err)
	for _, tag := range tags {
		ref, err := name.NewTag(w.registry + "/staging-app/" + image + ":" + tag)
		w.must(err)
		w.must(remote.Write(ref, content))
	}
	d, err := content.Digest()
	w.must(err)
	return artifact.Digest(d.String())
}

func (w *world) request() propose.Request {
	return propose.Request{
		Repo: manifests, Root: "registry.example", Fork: fork, Project: "app", Tags: []string{"v1.1.0", "v1.2.0"}, CommitPrefix: "releng: ", Hold: true,
		Reviewers: []string{"@release-team"}, Command: "seaworthy promote pr --project app", Auth: git.Auth{User: "ben", Token: w.token}, Now: time.Unix(1_800_000_000, 0),
	}
}

// edit goes as far as the commit.
func (w *world) edit(r propose.Request) (*propose.Checkout, *propose.Proposal) {
	w.t.Helper()
	c, err := propose.Open(w.t.Context(), w.forge, r)
	w.must(err)
	w.t.Cleanup(func() { w.must(c.Close()) })
	found, err := propose.Find(w.t.Context(), propose.NewRegistry(propose.RegistryOptions{}), propose.Wanted{Staging: c.Manifest.Source().Name, Tags: r.Tags, Known: c.Names()})
	w.must(err)
	p, err := c.Edit(w.t.Context(), found.Images)
	w.must(err)
	return c, p
}

func TestFromStagingToPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.push("app", "v1.1.0", "v1.1", "latest")
	app2 := w.push("app", "v1.2.0")
	job := w.push("sub/job", "v1.2.0")
	w.push("web", "v9")
	w.push("mock/app", "v1.2.0")

	for _, below := range []string{"", "/staging-app"} {
		all, err := propose.NewRegistry(propose.RegistryOptions{}).Images(t.Context(), w.registry+below)
		w.must(err)
		if !slices.ContainsFunc(all, func(n string) bool { return strings.HasSuffix(n, "sub/job") }) || len(all) != 4 {
			t.Errorf("%s%s has %v", w.registry, below, all)
		}
	}

	_, p := w.edit(w.request())
	want := fmt.Sprintf(`@@ -2,6 +2,12 @@
 - name: app
   dmap:
     "%s": ["v1.0.0"]
+    "%s": ["v1.1.0"]
+    "%s": ["v1.2.0"]
+
+- name: sub/job
+  dmap:
+    "%s": ["v1.2.0"]
 
 # last
 - name: web
`, digest("0"), app, app2, job)
	if _, have, _ := strings.Cut(p.Diff, "\n@@"); "@@"+have != want {
		t.Errorf("the diff is\n%s\nwant\n%s", p.Diff, want)
	}
	if all, err := w.forge.PullRequests(t.Context(), manifests, forge.PullFilter{}); err != nil || len(all) > 0 {
		t.Fatalf("%d pull requests before anything was pushed: %v", len(all), err)
	}

	w.must(p.Push(t.Context()))
	pull, created, err := p.Create(t.Context())
	w.must(err)
	if !created || pull.Title != "Image promotion for app v1.1.0 / v1.2.0" || pull.Head.Branch != "app-v1.1.0-image-promotion" || pull.Base.Branch != "main" || pull.Author != "ben" {
		t.Errorf("%+v", pull)
	}
	for _, part := range []string{"Adds 3 digests of 2 images.", "/hold\n", "cc: @release-team", "seaworthy promote pr --project app"} {
		if !strings.Contains(pull.Body, part) {
			t.Errorf("%q is not in\n%s", part, pull.Body)
		}
	}
	text, err := w.forge.File(t.Context(), fork, "registry.example/images/k8s-staging-app/images.yaml", "app-v1.1.0-image-promotion")
	w.must(err)
	images, problems := promote.ParseImages("f", text)
	if err := strict.AsError(problems); err != nil || len(images) != 3 || len(images[0].Entries) != 3 {
		t.Errorf("%v: %v", images, err)
	}
	commit, err := w.forge.Commit(t.Context(), fork, pull.Head.SHA)
	w.must(err)
	if strings.TrimSpace(commit.Message) != "releng: Image promotion for app v1.1.0 / v1.2.0" || commit.Author.Email != "ben@harbour.test" {
		t.Errorf("%+v", commit)
	}

	// Again: nothing is pushed, and no second pull request is opened.
	later := w.request()
	later.Now = later.Now.Add(time.Hour)
	_, p = w.edit(later)
	w.must(p.Push(t.Context()))
	again, created, err := p.Create(t.Context())
	w.must(err)
	if created || again.Number != pull.Number || again.Head.SHA != pull.Head.SHA {
		t.Errorf("again: %v %+v", created, again)
	}

	// More was staged meanwhile: the same pull request gets it.
	more := w.push("web", "v1.2.0")
	_, p = w.edit(later)
	w.must(p.Push(t.Context()))
	again, created, err = p.Create(t.Context())
	w.must(err)
	text, err = w.forge.File(t.Context(), fork, "registry.example/images/k8s-staging-app/images.yaml", "app-v1.1.0-image-promotion")
	w.must(err)
	if created || again.Number != pull.Number || !strings.Contains(string(text), string(more)) {
		t.Errorf("%v %+v:\n%s", created, again, text)
	}
}

// TestStaleFork: the fork knows nothing of the latest commits.
func TestStaleFork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push("app", "v1.1.0")
	_, err := w.ada.PutFile(t.Context(), manifests, "NEWS", "main", "news", []byte("news\n"))
	w.must(err)
	r := w.request()
	r.Tags = []string{"v1.1.0"}
	_, p := w.edit(r)
	w.must(p.Push(t.Context()))
	if _, created, err := p.Create(t.Context()); err != nil || !created {
		t.Errorf("%v: %v", created, err)
	}
}

func TestNothingToPropose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push("app", "v1.1.0")
	ctx := t.Context()
	c, err := propose.Open(ctx, w.forge, w.request())
	w.must(err)
	defer func() { w.must(c.Close()) }()
	there := []promote.Image{{Name: "app", Entries: []promote.Entry{{Digest: artifact.Digest(digest("0")), Tags: []string{"v1.0.0"}}}}}
	if _, err := c.Edit(ctx, there); !errors.Is(err, propose.ErrUnchanged) {
		t.Errorf("what is there already: %v", err)
	}
	_, err = propose.Find(ctx, propose.NewRegistry(propose.RegistryOptions{}), propose.Wanted{Staging: w.registry + "/staging-app", Tags: []string{"v7"}})
	if !errors.Is(err, propose.ErrNothing) {
		t.Errorf("a tag that is not there: %v", err)
	}
	for what, change := range map[string]func(*propose.Request){
		"no manifest in registry.example": func(r *propose.Request) { r.Project = "other" },
		"has no folder \"nowhere\"":       func(r *propose.Request) { r.Root = "nowhere" },
		"looking for ada/none":            func(r *propose.Request) { r.Repo.Name = "none" },
		"fetching none of ada/k8s.io":     func(r *propose.Request) { r.Base = "none" },
	} {
		r := w.request()
		change(&r)
		if _, err := propose.Open(ctx, w.forge, r); err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), w.token) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, root := range []string{".", "", "./registry.example/", "/registry.example"} {
		r := w.request()
		r.Root = root
		c, err := propose.Open(ctx, w.forge, r)
		w.must(err)
		if c.Manifest.ImagesFile != "registry.example/images/k8s-staging-app/images.yaml" || !slices.Equal(c.Names(), []string{"app", "web"}) {
			t.Errorf("%q leads to %s with %v", root, c.Manifest.ImagesFile, c.Names())
		}
		w.must(c.Close())
	}
	r := w.request()
	r.Fork.Owner = "cho"
	c2, err := propose.Open(ctx, w.forge, r)
	w.must(err)
	defer func() { w.must(c2.Close()) }()
	there[0].Entries[0].Tags = []string{"v2"}
	if _, err := c2.Edit(ctx, there); err == nil || !strings.Contains(err.Error(), "fork ada/k8s.io first") {
		t.Errorf("without a fork: %v", err)
	}
}

// shelf is a registry in a map.
type shelf struct {
	held     map[string]map[string]artifact.Digest
	unlisted bool
}

func (s shelf) Images(context.Context, string) ([]string, error) {
	if s.unlisted {
		return nil, fmt.Errorf("%w: forbidden", propose.ErrUnlisted)
	}
	var names []string
	for n := range s.held {
		names = append(names, n)
	}
	return names, nil
}

func (s shelf) Tags(_ context.Context, repository string, _ []string) (map[string]artifact.Digest, error) {
	return s.held[strings.TrimPrefix(repository, "stage/")], nil
}

func TestFindFilters(t *testing.T) {
	t.Parallel()
	d := func(digit string) artifact.Digest { return artifact.Digest(digest(digit)) }
	held := map[string]map[string]artifact.Digest{
		"a":      {"v1": d("1"), "v1.0": d("1"), "v2": d("2"), "v10": d("3"), "latest": d("2"), "sha256-" + strings.Repeat("1", 64) + ".sig": d("9")},
		"b/c":    {"v1": d("4")},
		"mock/a": {"v1": d("5")},
	}
	for _, c := range []struct {
		name     string
		wanted   propose.Wanted
		unlisted bool
		want     []string
		missing  []string
	}{
		{"all", propose.Wanted{}, false, []string{"a 1 v1 v1.0", "a 2 v2", "a 3 v10", "b/c 4 v1"}, nil},
		{"a tag", propose.Wanted{Tags: []string{"v1"}}, false, []string{"a 1 v1", "b/c 4 v1"}, nil},
		{"a tag that is not there besides", propose.Wanted{Tags: []string{"v10", "v11"}}, false, []string{"a 3 v10"}, []string{"v11"}},
		{"an image", propose.Wanted{Images: []string{"b/c", "d"}}, false, []string{"b/c 4 v1"}, []string{"d"}},
		{"a digest", propose.Wanted{Digests: []artifact.Digest{d("2")}}, false, []string{"a 2 v2"}, nil},
		{"all three", propose.Wanted{Images: []string{"a"}, Tags: []string{"v1", "v2"}, Digests: []artifact.Digest{d("1")}}, false, []string{"a 1 v1"}, []string{"v2"}},
		{"latest is never promoted", propose.Wanted{Tags: []string{"latest", "v2"}}, false, []string{"a 2 v2"}, nil},
		{"a registry that does not list", propose.Wanted{Known: []string{"b/c", "gone"}}, true, []string{"b/c 4 v1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.wanted.Staging = "stage"
			found, err := propose.Find(t.Context(), shelf{held, c.unlisted}, c.wanted)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, i := range found.Images {
				for _, e := range i.Entries {
					have = append(have, fmt.Sprintf("%s %c %s", i.Name, e.Digest[len(e.Digest)-1], strings.Join(e.Tags, " ")))
				}
			}
			if diff := cmp.Diff(c.want, have); diff != "" {
				t.Errorf("want -, have +:\n%s", diff)
			}
			if missing := slices.Concat(found.MissingTags, found.MissingImages); !slices.Equal(missing, c.missing) {
				t.Errorf("missing are %v", missing)
			}
		})
	}
	if _, err := propose.Find(t.Context(), shelf{held, true}, propose.Wanted{Staging: "stage"}); !errors.Is(err, propose.ErrUnlisted) {
		t.Errorf("with nothing known: %v", err)
	}
}

// TestGoogleListing: digests with tags in one answer, and what is below a path.
func TestGoogleListing(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path
		answers := map[string]any{
			"/v2/":                      map[string]any{},
			"/v2/p/stage/tags/list":     map[string]any{"child": []string{"a", "b"}, "name": "p/stage", "tags": []string{}, "manifest": map[string]any{}},
			"/v2/p/stage/a/tags/list":   map[string]any{"child": []string{}, "name": "p/stage/a", "tags": []string{"v1", "v2"}, "manifest": map[string]any{digest("1"): map[string]any{"tag": []string{"v1"}}, digest("2"): map[string]any{"tag": []string{"v2"}}}},
			"/v2/p/stage/b/tags/list":   map[string]any{"child": []string{"c"}, "name": "p/stage/b", "tags": []string{}, "manifest": map[string]any{}},
			"/v2/p/stage/b/c/tags/list": map[string]any{"child": []string{}, "name": "p/stage/b/c", "tags": []string{"v1"}, "manifest": map[string]any{digest("3"): map[string]any{"tag": []string{"v1"}}}},
		}
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	r := propose.NewRegistry(propose.RegistryOptions{})
	images, err := r.Images(t.Context(), host+"/p/stage")
	if err != nil || !slices.Equal(images, []string{"a", "b/c"}) {
		t.Errorf("%v: %v", images, err)
	}
	tags, err := r.Tags(t.Context(), host+"/p/stage/a", []string{"v2"})
	if err != nil || len(tags) != 1 || tags["v2"] != artifact.Digest(digest("2")) {
		t.Errorf("%v: %v", tags, err)
	}
	if tags, err := r.Tags(t.Context(), host+"/p/stage/none", nil); err != nil || len(tags) > 0 {
		t.Errorf("%v: %v", tags, err)
	}
	close(asked)
	for a := range asked {
		if strings.HasPrefix(a, "HEAD") {
			t.Errorf("%s: the list had told", a)
		}
	}
}

func TestRegistryWithoutACatalog(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	r := propose.NewRegistry(propose.RegistryOptions{})
	for _, registry := range []string{strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(server.URL, "http://") + "/p"} {
		if _, err := r.Images(t.Context(), registry); !errors.Is(err, propose.ErrUnlisted) {
			t.Errorf("%v", err)
		}
	}
	if _, err := r.Tags(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/p/a", nil); err == nil {
		t.Error("a refusal is no empty list")
	}
}

// A registry that sends requests around for ever is given up.
func TestRegistryThatRedirectsInCircles(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			asked.Add(1)
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	_, err := propose.NewRegistry(propose.RegistryOptions{}).Tags(t.Context(), host+"/app", nil)
	if err == nil || !strings.Contains(err.Error(), "redirect") || asked.Load() > 12 {
		t.Errorf("tags: %v after %d requests", err, asked.Load())
	}
	asked.Store(0)
	_, err = propose.NewRegistry(propose.RegistryOptions{}).Images(t.Context(), host)
	if err == nil || !strings.Contains(err.Error(), "redirect") || asked.Load() > 12 {
		t.Errorf("images: %v after %d requests", err, asked.Load())
	}
}
