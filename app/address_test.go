package app_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/git"
)

// A platform that listens everywhere and is reached under another name: links
// bear that name, while the platform talks to itself without it.
func TestURL(t *testing.T) {
	t.Parallel()
	const sea = "https://sea.example"
	dir := t.TempDir()
	p := open(t, dir, func(o *app.Options) { o.Addr, o.URL = "0.0.0.0:0", sea+"/" })
	var err error
	p.base, err = app.Serving(t.Context(), dir)
	p.must(err)
	if p.URL() != sea || p.GitURL(halyard) != sea+"/harbour/halyard.git" {
		t.Errorf("people reach it at %s, and clone from %s", p.URL(), p.GitURL(halyard))
	}
	p.populate(sources)
	pr := p.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	p.until("the approved change has merged", func() bool { return p.pull(pr.Number).Merged })
	p.settled()
	p.isServed()
	status := p.status(pr.Head.SHA, "unit")
	if !strings.HasPrefix(status.TargetURL, sea+"/runs/") {
		t.Errorf("the status leads to %s", status.TargetURL)
	}
	_, page := p.fetch("/changes")
	if strings.Contains(page, "0.0.0.0") || strings.Contains(page, "[::]") {
		t.Errorf("a page names an address that leads nowhere:\n%s", page)
	}
	// A browser that sees the page under that name sends its form from there.
	if code, at, body := p.file(p.tokens["ben"], url.Values{"title": {"It chafes"}}); code != http.StatusSeeOther {
		t.Errorf("filing an issue: %d %s\n%s", code, at, body)
	}
	p.stop()
	if again := open(t, dir); again.URL() != sea {
		t.Errorf("after a restart it says %s", again.URL())
	}
}

func TestWrongURL(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"sea.example", "ftp://sea.example", "https://", "https://sea.example/below", "https://ada:secret@sea.example", "https://sea.example?x", "https://sea example"} {
		o := options(filepath.Join(t.TempDir(), "state"))
		o.URL = text
		says(t, refused(t, o), "write https://HOST")
	}
}

// Without a name of its own, a platform that listens everywhere is where its
// machine finds it.
func TestListensEverywhere(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir(), func(o *app.Options) { o.Addr = ":0" })
	if !strings.HasPrefix(p.URL(), "http://127.0.0.1:") {
		t.Errorf("people are told to go to %s", p.URL())
	}
	p.populate(sources)
	if _, err := git.Clone(t.Context(), p.GitURL(halyard), filepath.Join(t.TempDir(), "clone"), git.CloneOptions{Auth: git.Auth{Token: p.tokens["ben"]}}); err != nil {
		t.Error(err)
	}
}

// A hook that named the port the platform listened on goes on as what it is now.
func TestOldHook(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.enlist()
	_, err := p.as["ada"].CreateRepo(t.Context(), forge.NewRepo{RepoName: halyard, DefaultBranch: "main"})
	p.must(err)
	var before []forge.Hook
	for _, url := range []string{"http://127.0.0.1:7070/hooks/github", "http://127.0.0.1:8080/mine"} {
		h, err := p.as["ada"].CreateHook(t.Context(), halyard, forge.Hook{URL: url, Secret: "s", Events: []string{"*"}, Active: true})
		p.must(err)
		before = append(before, h)
	}
	for range 2 {
		p.must(p.Serve(t.Context(), halyard))
	}
	after, err := p.as["ada"].Hooks(t.Context(), halyard)
	p.must(err)
	if len(after) != 2 || !slices.ContainsFunc(after, func(h forge.Hook) bool { return h.ID == before[0].ID && h.URL == ownHook }) {
		t.Errorf("hooks before %+v\nand after %+v", before, after)
	}
}
