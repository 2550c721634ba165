package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact"
)

// pails are buckets in folders, opened by URL.
type pails struct {
	t       testing.TB
	folders map[string]string
}

func newPails(t testing.TB, urls ...string) *pails {
	t.Helper()
	p := &pails{t, map[string]string{}}
	for _, u := range urls {
		p.folders[u] = t.TempDir()
	}
	return p
}

func (p *pails) open(_ context.Context, url string) (*blob.Bucket, error) {
	if p.folders[url] == "" {
		return nil, fmt.Errorf("no bucket %s", url)
	}
	return fileblob.OpenBucket(p.folders[url], &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
}

// bucket opens one for the length of the test.
func (p *pails) bucket(url string) *blob.Bucket {
	p.t.Helper()
	b, err := p.open(p.t.Context(), url)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return b
}

func (p *pails) write(t testing.TB, url, key, text string) artifactDigest {
	t.Helper()
	if err := p.bucket(url).WriteAll(t.Context(), key, []byte(text), nil); err != nil {
		t.Fatal(err)
	}
	return digestOf([]byte(text))
}

func (p *pails) read(t testing.TB, url, key string) string {
	t.Helper()
	text, err := p.bucket(url).ReadAll(t.Context(), key)
	if err != nil {
		return "-"
	}
	return string(text)
}

// filesRun plans and runs, and returns name and state of each file.
func filesRun(t testing.TB, o FileOptions, manifests ...FileManifest) ([]string, []FileItem) {
	t.Helper()
	p, err := PrepareFiles(t.Context(), manifests, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range p.Items {
		all = append(all, fmt.Sprintf("%s %s %s", i.To, i.Name, i.State))
	}
	return all, p.Items
}

func TestFiles(t *testing.T) {
	t.Parallel()
	p := newPails(t, "gs://staging", "gs://a", "gs://b")
	one, two := p.write(t, "gs://staging", "v1/one", "1"), p.write(t, "gs://staging", "v1/two", "22")
	p.write(t, "gs://a", "v1/two", "22")
	p.write(t, "gs://b", "v1/two", "another")
	p.write(t, "gs://staging", "v1/wrong", "not what was promised")
	m := FileManifest{File: "m.yaml", From: "gs://staging", To: []string{"gs://a", "gs://b"}, Files: []WantedFile{
		{"v1/one", one}, {"v1/two", two}, {"v1/wrong", digestOf([]byte("promised"))}, {"v1/gone", one},
	}}
	o := FileOptions{Open: p.open, Journal: testJournal(t, t.TempDir())}
	got, items := filesRun(t, o, m)
	want := []string{
		"gs://a v1/one copied", "gs://a v1/two present", "gs://a v1/wrong failed", "gs://a v1/gone missing",
		"gs://b v1/one copied", "gs://b v1/two differs", "gs://b v1/wrong failed", "gs://b v1/gone missing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p.read(t, "gs://a", "v1/wrong") != "-" || p.read(t, "gs://b", "v1/two") != "another" || p.read(t, "gs://b", "v1/one") != "1" {
		t.Error("the buckets hold something else")
	}
	if !strings.Contains(items[2].Why, "its bytes are sha256:") {
		t.Errorf("why: %s", items[2].Why)
	}
}

func TestFilesAgain(t *testing.T) {
	t.Parallel()
	p := newPails(t, "s3://s", "s3://d/path")
	m := FileManifest{File: "m", From: "s3://s", To: []string{"s3://d/path"}}
	for n := range 20 {
		name := fmt.Sprint("f", n)
		m.Files = append(m.Files, WantedFile{name, p.write(t, "s3://s", name, name)})
	}
	folder := t.TempDir()
	j := testJournal(t, folder)
	o := FileOptions{Open: p.open, Journal: j}
	filesRun(t, o, m)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o.Journal = testJournal(t, folder)
	again, err := PrepareFiles(t.Context(), []FileManifest{m}, o)
	if err != nil || again.Count(FilePresent) != 20 {
		t.Errorf("%d there, %v", again.Count(FilePresent), err)
	}
	// Changed behind our back: the journal does not hide it.
	p.write(t, "s3://d/path", "f7", "fx")
	again, err = PrepareFiles(t.Context(), []FileManifest{m}, o)
	if err != nil || again.Count(FileDiffers) != 1 {
		t.Errorf("%d differ, %v", again.Count(FileDiffers), err)
	}
}

func TestFilesRefused(t *testing.T) {
	t.Parallel()
	p := newPails(t, "gs://s", "gs://d")
	d := digestOf(nil)
	for _, bad := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", `a\b`, "a\nb", ".", ".."} {
		m := FileManifest{File: "m", From: "gs://s", To: []string{"gs://d"}, Files: []WantedFile{{bad, d}}}
		if _, err := PrepareFiles(t.Context(), []FileManifest{m}, FileOptions{Open: p.open, Journal: &Journal{}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	two := []FileManifest{
		{File: "m", From: "gs://s", To: []string{"gs://d"}, Files: []WantedFile{{"a", d}}},
		{File: "n", From: "gs://s", To: []string{"gs://d"}, Files: []WantedFile{{"a", digestOf([]byte("x"))}}},
	}
	if _, err := PrepareFiles(t.Context(), two, FileOptions{Open: p.open, Journal: &Journal{}}); err == nil || !strings.Contains(err.Error(), "m and n want different files") {
		t.Error(err)
	}
	two[0].From = "gs://nowhere"
	if _, err := PrepareFiles(t.Context(), two, FileOptions{Open: p.open, Journal: &Journal{}}); err == nil {
		t.Error("a bucket that is not there was opened")
	}
}

// TestNothingHalfWritten ends the source early, and writes over what somebody
// else has written meanwhile.
func TestNothingHalfWritten(t *testing.T) {
	t.Parallel()
	b, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	text := string(random("f", 1<<20))
	want := digestOf([]byte(text))
	for name, r := range map[string]io.Reader{
		"broken": io.MultiReader(strings.NewReader(text[:1000]), failing{}),
		"short":  strings.NewReader(text[:1000]),
		"long":   strings.NewReader(text + "x"),
		"other":  strings.NewReader(strings.Repeat("x", len(text))),
	} {
		if _, err := putObject(t.Context(), b, "dir/"+name, r, want, int64(len(text)), "", false); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	list := b.List(nil)
	if o, err := list.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("left behind: %v, %v", o, err)
	}
	if _, err := putObject(t.Context(), b, "f", strings.NewReader(text), want, int64(len(text)), "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := putObject(t.Context(), b, "f", strings.NewReader(text), want, int64(len(text)), "", false); !errors.Is(err, errExists) {
		t.Errorf("written over: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

// page is a repository's releases, in memory.
type page struct {
	releases []Release
	content  map[int64]string
	loads    atomic.Int64
}

func (p *page) Releases(context.Context) ([]Release, error) { return p.releases, nil }

func (p *page) Download(_ context.Context, id int64) (io.ReadCloser, error) {
	p.loads.Add(1)
	return io.NopCloser(strings.NewReader(p.content[id])), nil
}

func (p *page) add(tag, name, text string, digest artifact.Digest) {
	if p.content == nil {
		p.content = map[int64]string{}
	}
	id := int64(len(p.content) + 1)
	p.content[id] = text
	for n := range p.releases {
		if p.releases[n].Tag == tag {
			p.releases[n].Assets = append(p.releases[n].Assets, Asset{id, name, int64(len(text)), digest})
			return
		}
	}
	p.releases = append(p.releases, Release{Tag: tag, Prerelease: strings.Contains(tag, "-"), Assets: []Asset{{id, name, int64(len(text)), digest}}})
}

func mirror(t testing.TB, o MirrorOptions) []string {
	t.Helper()
	all, err := Mirror(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, fmt.Sprintf("%s %s %v", m.Key, m.State, m.Verified))
	}
	return got
}

func TestMirror(t *testing.T) {
	t.Parallel()
	p := &page{}
	sum := strings.TrimPrefix(string(digestOf([]byte("tool"))), "sha256:")
	p.add("v1.0", "tool", "tool", "")
	p.add("v1.0", "SHA256SUMS", sum+"  tool\n"+sum+" *bad\n# comment\n", "")
	p.add("v1.0", "bad", "tampered", "")
	p.add("v1.0", "readme", "text", "")
	p.add("v1.1-rc.1", "tool", "new", "")
	p.add("v1.1", "tool", "newer", digestOf([]byte("newer")))
	p.add("v1.1", "tool.sha256", strings.ToUpper(sum)+"\n", "")
	p.add("v0.9", "alone", "alone", "")
	p.add("v0.9", "alone.sha256", strings.TrimPrefix(string(digestOf([]byte("alone"))), "sha256:"), "")
	buckets := newPails(t, "gs://m")
	o := MirrorOptions{From: p, Bucket: buckets.bucket("gs://m"), Folder: "/rel/"}
	o.Mock = true
	if got := mirror(t, o); got[0] != "rel/v0.9/alone copy true" || got[5] != "rel/v1.0/tool copy true" || got[6] != "rel/v1.1/tool failed false" {
		t.Errorf("a rehearsal: %v", got)
	}
	if buckets.read(t, "gs://m", "rel/v0.9/alone") != "-" {
		t.Error("a rehearsal wrote")
	}
	o.Mock = false
	want := []string{
		"rel/v0.9/alone copied true", "rel/v0.9/alone.sha256 copied false",
		"rel/v1.0/SHA256SUMS copied false", "rel/v1.0/bad failed true", "rel/v1.0/readme copied false", "rel/v1.0/tool copied true",
		"rel/v1.1/tool failed false", "rel/v1.1/tool.sha256 copied false",
	}
	if got := mirror(t, o); !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if buckets.read(t, "gs://m", "rel/v1.0/bad") != "-" || buckets.read(t, "gs://m", "rel/v1.0/tool") != "tool" {
		t.Error("the bucket holds something else")
	}
	o.Tags = []string{"v1.0"}
	p.loads.Store(0)
	if got := mirror(t, o); got[0] != "rel/v1.0/SHA256SUMS present false" || got[3] != "rel/v1.0/tool present true" || p.loads.Load() != 2 {
		t.Errorf("again: %v, %d loads", got, p.loads.Load())
	}
	buckets.write(t, "gs://m", "rel/v1.0/tool", "evil")
	if got := mirror(t, o); got[3] != "rel/v1.0/tool differs true" {
		t.Errorf("a changed file: %v", got)
	}
	o.Replace = true
	if got := mirror(t, o); got[3] != "rel/v1.0/tool copied true" || buckets.read(t, "gs://m", "rel/v1.0/tool") != "tool" {
		t.Errorf("replaced: %v", got)
	}
	for _, tc := range []struct{ tag, err string }{{"v7", "no published release v7"}, {"v1.1-rc.1", "--include-prereleases"}} {
		o.Tags = []string{tc.tag}
		if _, err := Mirror(t.Context(), o); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v", tc.tag, err)
		}
	}
	o.Prereleases = true
	if got := mirror(t, o); !slices.Equal(got, []string{"rel/v1.1-rc.1/tool copied false"}) {
		t.Errorf("a prerelease: %v", got)
	}
}

func TestMirrorKeepsToItsFolder(t *testing.T) {
	t.Parallel()
	p := &page{}
	p.add("v1", "../../escape", "x", "")
	p.add("../v2", "x", "x", "")
	buckets := newPails(t, "gs://m")
	for _, got := range mirror(t, MirrorOptions{From: p, Bucket: buckets.bucket("gs://m"), Prereleases: true}) {
		if !strings.Contains(got, "failed") {
			t.Error(got)
		}
	}
	if _, err := Mirror(t.Context(), MirrorOptions{From: p, Bucket: buckets.bucket("gs://m"), Folder: "a/../.."}); err == nil {
		t.Error("the folder leads out of the bucket")
	}
}
