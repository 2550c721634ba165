package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/notify/mailtest"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// releaseIt takes main of halyard to a published release.
func releaseIt(ctx context.Context, a *app.App) error {
	r, err := a.Releases.Stage(ctx, cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha, Actor: "ada"})
	if err != nil {
		return err
	}
	if _, err := a.Releases.Drive(ctx, r.ID, flow.DriveOptions{}); err != nil {
		return err
	}
	return cutIt(ctx, a, r.ID)
}

// cutIt publishes what a run has staged.
func cutIt(ctx context.Context, a *app.App, stage string) error {
	staged, _, err := a.Releases.StageResult(ctx, stage)
	if err != nil {
		return err
	}
	r, err := a.Releases.Cut(ctx, cut.CutRequest{Repo: halyard, BuildVersion: staged.BuildVersion, Actor: "ada"})
	if err != nil {
		return err
	}
	state, err := a.Releases.Drive(ctx, r.ID, flow.DriveOptions{})
	if err == nil && state != flow.Succeeded {
		return fmt.Errorf("the cut is %s", state)
	}
	return err
}

const buildable = configuration + `build:
  command: [cp, README.md, "{out}/readme"]
  outputs: [readme]
  platforms: [linux/amd64]
`

// telling is buildable with all that a release leaves besides its files: an issue,
// a mail, a milestone, a change that follows and an issue that follows.
var telling = strings.Replace(buildable, "gates: {rehearsal: optional}\n", `gates: {rehearsal: optional}
  issue: {open: always}
  announce: {from: Halyard <releases@halyard.example>, to: [users@halyard.example]}
  after:
  - types: [alpha]
    milestone: {title: "after {version}"}
  - types: [alpha]
    pull_request: {title: "Read of {version}", edits: [{file: README.md, pattern: "^halyard$", replace: "halyard {version}"}]}
  - types: [alpha]
    issue: {title: "Publish {version}"}
`, 1)

// published is all that a release leaves for the world to see.
type published struct {
	Bucket map[string]string // sha256 by key, below release/
	Refs   map[string]string // what each points at, without what is passing
	Page   forge.NewRelease
	Assets map[string]string // sha256 by name, as downloaded
	Told   []string          // issues, changes and milestones, each with its state; and mails by identity
}

// passing is what no two runs have in common: dates, the port of a server, and
// with it the ids of a tree whose changelog links to that server and the digest
// of the bill of materials that names it.
var passing = regexp.MustCompile(`(?m)^Date: .*$|^index .*$|^[0-9a-f]{40} |127\.0\.0\.1:[0-9]+|spdx\.json\S* \| .[0-9a-f]+.`)

var anyID = regexp.MustCompile(`[0-9a-f]{40}`)

// worldOf looks at everything public with a stranger's eyes.
func (p *platform) worldOf() published {
	p.t.Helper()
	ctx := p.t.Context()
	w := published{Bucket: map[string]string{}, Refs: map[string]string{}, Assets: map[string]string{}}
	list := p.Bucket.List(&blob.ListOptions{Prefix: "release/"})
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		p.must(err)
		r, err := p.Bucket.NewReader(ctx, o.Key, nil)
		p.must(err)
		w.Bucket[o.Key] = p.sum(o.Key, r)
	}
	repo, err := git.Open(ctx, filepath.Join(p.dir, "git", halyard.Owner, halyard.Name+".git"))
	p.must(err)
	refs, err := repo.Refs(ctx)
	p.must(err)
	for _, r := range refs {
		// The tag and who made it, or the commit and what it changed.
		text, err := repo.Git(ctx, "show", "--format=%T %P%n%an <%ae>%n%B", "--no-abbrev", r.Name)
		p.must(err)
		w.Refs[r.Name] = passing.ReplaceAllString(string(text), "")
		if strings.HasPrefix(r.Name, "refs/pull/") || strings.HasPrefix(r.Name, "refs/heads/seaworthy/") {
			// It follows the changelog, whose id is no two runs' own.
			w.Refs[r.Name] = anyID.ReplaceAllString(w.Refs[r.Name], "ID")
		}
	}
	pages, err := p.Forge.Releases(ctx, halyard)
	p.must(err)
	if len(pages) != 1 {
		p.t.Fatalf("%d release pages, want one", len(pages))
	}
	w.Page = forge.NewRelease{Tag: pages[0].Tag, Name: pages[0].Name, Body: pages[0].Body, Draft: pages[0].Draft, Prerelease: pages[0].Prerelease}
	for _, a := range pages[0].Assets {
		r, err := p.Forge.DownloadAsset(ctx, halyard, a.ID)
		p.must(err)
		w.Assets[a.Name] = p.sum(a.Name, r)
	}
	w.Told = p.told()
	return w
}

// told is what a release says to people at the forge.
func (p *platform) told() []string {
	p.t.Helper()
	ctx := p.t.Context()
	var all []string
	issues, err := p.Forge.Issues(ctx, halyard, forge.IssueFilter{State: "all"})
	p.must(err)
	for _, i := range issues {
		all = append(all, fmt.Sprintf("issue or change %q is %s", i.Title, i.State))
	}
	milestones, err := p.Forge.Milestones(ctx, halyard, "all")
	p.must(err)
	for _, m := range milestones {
		all = append(all, fmt.Sprintf("milestone %q is %s", m.Title, m.State))
	}
	slices.Sort(all)
	return all
}

// post is a mail server, and the change that has a platform send through it.
func post(t *testing.T) (sink *mailtest.Sink, through change) {
	sink = mailtest.New(t, mailtest.Options{})
	return sink, func(o *app.Options) { o.Speaking.SMTP = "smtp://" + sink.Addr + "?tls=none" }
}

// mailedOnce checks that people got one mail. Where the process dies between the
// server's yes and its own record it goes out once more, and is the same. That
// may be at any point of the steps that run beside the mail.
func mailedOnce(t *testing.T, sink *mailtest.Sink, point string) {
	t.Helper()
	identities := map[string]bool{}
	for _, m := range sink.Messages() {
		_, rest, _ := strings.Cut(m.Data, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\n")
		identities[id] = true
	}
	most := 1
	if strings.Contains(point, "the mail server took") || strings.Contains(point, "after-") {
		most = 2
	}
	if n := len(sink.Messages()); n == 0 || n > most || len(identities) != 1 {
		t.Errorf("%d mails with the identities %v", n, identities)
	}
}

// sum digests a file. What says where and when something was made, or is the
// digest or signature of such a thing, has to be there, not to be the same.
func (p *platform) sum(name string, r io.ReadCloser) string {
	p.t.Helper()
	for _, end := range []string{".spdx.json", "provenance.json", ".sigstore.json", "SUMS", "/manifest.json"} {
		if strings.HasSuffix(name, end) {
			p.must(r.Close())
			return "there"
		}
	}
	h := sha256.New()
	_, err := io.Copy(h, r)
	p.must(errors.Join(err, r.Close()))
	return hex.EncodeToString(h.Sum(nil))
}

// released waits until a stage and a cut have succeeded, and begins the cut if
// the process died before it did.
func (p *platform) released() {
	p.t.Helper()
	ctx := p.t.Context()
	runs := func(name string) []flow.Run {
		runs, err := p.Store.Runs(ctx, flow.RunFilter{Flow: name})
		p.must(err)
		return runs
	}
	done := func(name string) func() bool {
		return func() bool {
			all := runs(name)
			if len(all) == 1 && all[0].State == flow.Failed {
				p.t.Fatalf("the %s failed", name)
			}
			return len(all) == 1 && all[0].State == flow.Succeeded
		}
	}
	if len(runs("stage")) == 0 {
		p.must(releaseIt(ctx, p.App))
	}
	p.until("the release is staged", done("stage"))
	if len(runs("cut")) == 0 {
		p.must(cutIt(ctx, p.App, runs("stage")[0].ID))
	}
	p.until("the release is cut", done("cut"))
	p.settled()
}

// Wherever the process is killed while it makes a release, the next one
// finishes it, and the files, tags and page are those of a release that nobody
// disturbed. Forge, journal, bucket and registry die with it. Every point is
// tried with SEAWORTHY_CRASH=all, a sample without.
func TestCrashInARelease(t *testing.T) {
	t.Parallel()
	origin := t.TempDir()
	p := open(t, origin)
	p.populate(map[string]string{"seaworthy.yaml": telling, "README.md": "halyard\n", "OWNERS": "approvers: [ada]\n"})
	p.settled()
	p.stop()

	sink, through := post(t)
	child, dir := fromCopy(t, origin, "", sink)
	child.waitFor("released")
	child.kill()
	undisturbed := open(t, dir, through)
	undisturbed.released()
	want := undisturbed.worldOf()
	undisturbed.stop()
	mailedOnce(t, sink, "")
	if len(want.Told) != 4 {
		t.Fatalf("an undisturbed release tells of itself by %q", want.Told)
	}
	var points []string
	for _, line := range child.said {
		if point, ok := strings.CutPrefix(line, "point "); ok {
			points = append(points, point)
		}
	}
	if len(points) < 100 || len(want.Assets) < 3 || len(want.Bucket) < 3 {
		t.Fatalf("an undisturbed release passes %d points and leaves %+v", len(points), want)
	}
	step := 12
	switch {
	case os.Getenv("SEAWORTHY_CRASH") == "all":
		step = 1
	case testing.Short():
		step = 48
	}
	// Where others see a change, no sample will do.
	for i, point := range points {
		if i%step != 0 && !((strings.Contains(point, "act page-") || strings.Contains(point, "act issue") || strings.Contains(point, "act mail") || strings.Contains(point, "act after-")) && !testing.Short()) {
			continue
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			sink, through := post(t)
			child, dir := fromCopy(t, origin, point, sink)
			child.waitFor("point " + point)
			child.kill()
			after := open(t, dir, through)
			after.released()
			if diff := cmp.Diff(want, after.worldOf()); diff != "" {
				t.Errorf("killed and resumed, the release differs from an undisturbed one:\n%s", diff)
			}
			mailedOnce(t, sink, point)
		})
	}
}

// fromCopy starts a process that makes a release, on a copy of a platform.
func fromCopy(t *testing.T, origin, point string, sink *mailtest.Sink) (c *child, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
		t.Fatal(err)
	}
	return spawn(t, dir, crashRelease+"=1", crashStep+"="+point, crashMail+"=smtp://"+sink.Addr+"?tls=none"), dir
}
