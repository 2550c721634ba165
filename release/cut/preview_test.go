package cut_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact/build"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// What a preview says is what the release then is.
func TestPreviewComesTrue(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	must(t, os.MkdirAll(filepath.Join(p.dir, "bucket", "release/harbour/halyard"), 0o755))
	must(t, os.WriteFile(filepath.Join(p.dir, "bucket", "release/harbour/halyard/latest.txt"), []byte("v0.1.0-alpha.0\n"), 0o644))
	said, err := s.Preview(t.Context(), stageRC(), 1)
	must(t, err)
	if said.CommitCount != 2 || len(said.Commits) != 1 || said.Commits[0].Subject != "Lower slower" || said.Commits[0].Author != "Ada" || said.Commits[0].Pull != 0 {
		t.Errorf("%d commits: %+v", said.CommitCount, said.Commits)
	}
	all, err := s.Preview(t.Context(), stageRC(), 0)
	if err != nil || len(all.Commits) != 2 || all.Commits[1].Pull != 7 {
		t.Errorf("all commits: %+v, %v", all.Commits, err)
	}
	want := []cut.MarkerChange{{Name: "latest", From: "v0.1.0-alpha.0", To: "v0.1.0-rc.0"}, {Name: "latest-0", To: "v0.1.0-rc.0"}, {Name: "latest-0.1", To: "v0.1.0-rc.0"}}
	if diff := cmp.Diff(want, said.Markers); diff != "" {
		t.Error(diff)
	}
	if len(said.Missing) != 0 {
		t.Errorf("missing: %v", said.Missing)
	}

	build := staged(t, s, stageRC())
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
	var files []string
	for name := range tree(t, filepath.Join(p.dir, "bucket/release/harbour/halyard/v0.1.0-rc.0"), isAttributes) {
		files = append(files, name)
	}
	slices.Sort(files)
	if diff := cmp.Diff(said.Artifacts, files); diff != "" {
		t.Errorf("said and published differ:\n%s", diff)
	}
	p.holds(t, "release/harbour/halyard", map[string]string{"latest": "v0.1.0-rc.0", "latest-0.1": "v0.1.0-rc.0"})
}

func TestPreviewSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Signer, o.Verifier = nil, nil
	o.Project = demanding
	s := newService(t, o)
	said, err := s.Preview(t.Context(), cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha, Commit: p.commits(t)[2]}, 0)
	must(t, err)
	missing := strings.Join(said.Missing, "\n")
	for _, want := range []string{"nothing has changed since v0.1.0-alpha.0", "gate ", "release approve RUN --as captain", "a key to sign with", "no-such-builder"} {
		if !strings.Contains(missing, want) {
			t.Errorf("missing is\n%s\nwithout %q", missing, want)
		}
	}
	if slices.ContainsFunc(said.Artifacts, func(name string) bool { return strings.Contains(name, "sigstore") }) {
		t.Errorf("without a key there are signatures: %v", said.Artifacts)
	}
}

// demanding is a project that wants a rehearsal, a captain and a program that
// is not there.
func demanding(context.Context, forge.RepoName, string) (cut.Project, error) {
	p := project()
	p.Rehearse, p.Approvals = true, []string{"captain"}
	p.Build.Command = &build.Command{Run: []string{"no-such-builder"}, Outputs: []string{"halyard"}}
	return p, nil
}

// manyCommits is a history of so many commits with a tag at every thousandth,
// one in ten merged from a pull request, as git fast-import reads it.
func manyCommits(n int) []byte {
	var b bytes.Buffer
	b.WriteString("blob\nmark :1\ndata 11\nApache-2.0\n\n")
	at := began.Add(-time.Duration(n) * time.Minute).Unix()
	for i := range n {
		message := fmt.Sprintf("Hoist number %d", i)
		if i%10 == 0 {
			message = fmt.Sprintf("Merge pull request #%d from ada/hoist", i)
		}
		fmt.Fprintf(&b, "commit refs/heads/main\nmark :%d\ncommitter Ada <ada@harbour.example> %d +0000\ndata %d\n%s\n", i+2, at+int64(i)*60, len(message), message)
		fmt.Fprintf(&b, "M 100644 :1 file%d\n\n", i%97)
		if i%1000 == 0 {
			fmt.Fprintf(&b, "tag v0.1.0-alpha.%d\nfrom :%d\ntagger Ada <ada@harbour.example> %d +0000\ndata 5\nalpha\n", i/1000, i+2, at+int64(i)*60)
		}
	}
	return b.Bytes()
}

// BenchmarkPreview measures a preview of a release in a large repository whose
// clone is there: of one that brings a thousand commits, and of one that brings
// all of them.
func BenchmarkPreview(b *testing.B) {
	const commits = 100_000
	dir := b.TempDir()
	origin := filepath.Join(dir, "origin.git")
	repo, err := git.Init(b.Context(), origin, true, "main")
	if err != nil {
		b.Fatal(err)
	}
	if err := repo.Stream(b.Context(), bytes.NewReader(manyCommits(commits)), io.Discard, "fast-import", "--quiet"); err != nil {
		b.Fatal(err)
	}
	for _, folder := range []string{"bucket", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	bucket, err := fileblob.OpenBucket(filepath.Join(dir, "bucket"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	f := newFake(dir)
	o := serviceOptions(dir, f, f, bucket, &flow.Memory{})
	for name, policy := range map[string]release.Policy{"since the last tag": release.DefaultPolicy(), "all of it": {Prefix: "none"}} {
		o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
			p := project()
			p.Policy = policy
			return p, nil
		}
		s, err := cut.New(o)
		if err != nil {
			b.Fatal(err)
		}
		r := cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := s.Preview(b.Context(), r, 50)
				if err != nil || len(p.Commits) != 50 {
					b.Fatalf("%d commits: %v", p.CommitCount, err)
				}
				b.ReportMetric(float64(p.CommitCount), "commits")
			}
		})
	}
}
