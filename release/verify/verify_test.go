package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sbom"
	"seaworthy/artifact/sign"
	"seaworthy/forge"
	"seaworthy/release/verify"
)

var (
	halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}
	when    = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
)

const (
	commit  = "0123456789abcdef0123456789abcdef01234567"
	archive = "halyard_1.2.0_linux_amd64.tar.gz"
	bill    = "halyard_1.2.0.spdx.json"
)

// world is a published release in memory.
type world struct {
	t       *testing.T
	files   map[string][]byte
	page    forge.Release
	tag     verify.Tag
	noTag   bool
	markers map[string]string
	signer  sign.Signer
	public  crypto.PublicKey
}

// newWorld publishes a release in which everything holds.
func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := sign.GenerateKey("ecdsa-p256")
	must(t, err)
	w := &world{t: t, files: map[string][]byte{archive: []byte("a program")}, tag: verify.Tag{Commit: commit, Annotated: true},
		page: forge.Release{Tag: "v1.2.0"}, public: key.Public(),
		markers: map[string]string{"stable.txt": "v1.2.0", "stable-1.txt": "v1.3.0", "stable-1.2.txt": "v1.2.0",
			"latest.txt": "v1.3.0-rc.0", "latest-1.txt": "v1.3.0-rc.0", "latest-1.2.txt": "v1.2.0"}}
	w.signer = signerOf(t, key)
	w.publish()
	return w
}

func signerOf(t *testing.T, key crypto.Signer) sign.Signer {
	t.Helper()
	text, err := sign.EncodePrivateKey(key, nil)
	must(t, err)
	private, err := sign.ParsePrivateKey(text, nil)
	must(t, err)
	s, err := sign.NewKeySigner(private, sign.Services{})
	must(t, err)
	return s
}

// publish writes the papers about the archive, signed.
func (w *world) publish() {
	w.t.Helper()
	w.files[bill] = w.bill()
	var list []artifact.Artifact
	for _, name := range []string{archive, bill} {
		list = append(list, w.measure(name))
	}
	for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		sums, err := artifact.RenderChecksums(alg, list)
		must(w.t, err)
		w.files[alg.File()] = sums
	}
	w.state(commit, archive, bill, "SHA256SUMS", "SHA512SUMS")
	for _, name := range []string{bill, "SHA256SUMS", "SHA512SUMS"} {
		w.sign(name)
	}
}

func (w *world) measure(name string) artifact.Artifact {
	a, err := artifact.Measure(name, artifact.Other, bytes.NewReader(w.files[name]))
	must(w.t, err)
	return a
}

func (w *world) sign(name string) {
	w.t.Helper()
	b, err := w.signer.SignBlob(w.t.Context(), bytes.NewReader(w.files[name]))
	must(w.t, err)
	w.files[name+".sigstore.json"], err = b.Encode()
	must(w.t, err)
}

// state says, signed, that the files were built from a commit.
func (w *world) state(commit string, names ...string) {
	w.t.Helper()
	var subjects []artifact.Artifact
	for _, n := range names {
		subjects = append(subjects, w.measure(n))
	}
	b := provenance.Build{
		Definition: provenance.Definition{BuildType: provenance.BuildType, External: map[string]any{"kind": "official"},
			Dependencies: []provenance.Resource{provenance.Source("https://forge.test/harbour/halyard", "", commit)}},
		Run: provenance.RunDetails{Builder: provenance.Builder{ID: "urn:test:builder"}},
	}
	s, err := b.Statement(provenance.Subjects(subjects...))
	must(w.t, err)
	text, err := s.Encode()
	must(w.t, err)
	w.files["provenance.json"] = text
	signed, err := w.signer.SignEnvelope(w.t.Context(), provenance.PayloadType, text)
	must(w.t, err)
	w.files["provenance.json.sigstore.json"], err = signed.Encode()
	must(w.t, err)
}

func (w *world) bill() []byte {
	w.t.Helper()
	d := sbom.Document{Name: "halyard", Created: when, Authors: []sbom.Actor{{Kind: sbom.Tool, Name: "test"}, {Kind: sbom.Organization, Name: "Harbour"}}}
	a := w.measure(archive)
	id := d.Add(sbom.Package{ID: sbom.PackageID("", archive, "1.2.0"), Name: archive, Version: "1.2.0", FileName: archive, Purpose: sbom.ArchiveFile,
		Supplier: sbom.Actor{Kind: sbom.Organization, Name: "Harbour"}, Declared: "ISC", Concluded: "ISC", Download: "https://forge.test/x",
		Checksums: []sbom.Checksum{{Algorithm: sbom.SHA256, Value: a.SHA256}}})
	d.Relate(sbom.DocumentID, sbom.Describes, id)
	must(w.t, d.Normalize())
	var out bytes.Buffer
	must(w.t, sbom.Write(&out, d, sbom.SPDXJSON))
	return out.Bytes()
}

// Releases implements verify.Pages.
func (w *world) Releases(context.Context, forge.RepoName) ([]forge.Release, error) {
	p := w.page
	names := make([]string, 0, len(w.files))
	for n := range w.files {
		names = append(names, n)
	}
	slices.Sort(names)
	for i, n := range names {
		p.Assets = append(p.Assets, forge.Asset{ID: int64(i + 1), Name: n, Size: int64(len(w.files[n])), State: "uploaded"})
	}
	return []forge.Release{{Tag: "v1.1.0"}, p}, nil
}

// DownloadAsset implements verify.Pages.
func (w *world) DownloadAsset(ctx context.Context, repo forge.RepoName, id int64) (io.ReadCloser, error) {
	pages, err := w.Releases(ctx, repo)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(w.files[pages[1].Assets[id-1].Name])), nil
}

func (w *world) verify() verify.Report {
	w.t.Helper()
	v, err := sign.NewVerifier(sign.Policy{Signers: []sign.SignerRule{sign.KeyRule("release key", w.public)}}, func() time.Time { return when })
	must(w.t, err)
	r, err := verify.Release(w.t.Context(), halyard, "v1.2.0", verify.Options{Pages: w, Verifier: v,
		Tag: func(context.Context, forge.RepoName, string) (verify.Tag, error) {
			if w.noTag {
				return verify.Tag{}, verify.ErrNoTag
			}
			return w.tag, nil
		},
		Marker: func(_ context.Context, _ forge.RepoName, name string) (string, error) { return w.markers[name], nil }})
	must(w.t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEverythingHolds(t *testing.T) {
	t.Parallel()
	r := newWorld(t).verify()
	if !r.OK || r.Commit != commit {
		t.Errorf("the report is %+v", r)
	}
	states := map[string]verify.State{}
	for _, c := range r.Checks {
		states[c.Name] = c.State
	}
	want := map[string]verify.State{"tag": verify.Passed, "tag signature": verify.Skipped, "page": verify.Passed, "files": verify.Passed, "SHA256SUMS": verify.Passed, "SHA512SUMS": verify.Passed,
		"SHA256SUMS.sigstore.json": verify.Passed, "SHA512SUMS.sigstore.json": verify.Passed, bill + ".sigstore.json": verify.Passed, "provenance": verify.Passed,
		bill: verify.Passed, "images": verify.Skipped, "markers": verify.Passed}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("%s\n%+v", diff, r)
	}
}

func TestTagSignature(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signature verify.TagSignature
		state     verify.State
		says      string
	}{
		{verify.TagSignature{}, verify.Skipped, "not signed"},
		{verify.TagSignature{Format: "ssh", Unknown: "nobody is named who may sign"}, verify.Skipped, "signed with ssh, and not checked: nobody"},
		{verify.TagSignature{Format: "openpgp", Signer: "Good signature from Ada"}, verify.Passed, "Good signature from Ada"},
	} {
		w := newWorld(t)
		w.tag.Signature = c.signature
		for _, have := range w.verify().Checks {
			if have.Name == "tag signature" && (have.State != c.state || !strings.Contains(have.Says, c.says)) {
				t.Errorf("%+v: %+v", c.signature, have)
			}
		}
	}
}

// Whatever is changed, something notices, and says what it is.
func TestTampering(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		fails  []string // checks, in their order
		says   string   // of the first
	}{
		"no tag":    {func(w *world) { w.noTag = true }, []string{"tag"}, "no tag v1.2.0"},
		"plain tag": {func(w *world) { w.tag.Annotated = false }, []string{"tag"}, "lightweight"},
		"moved tag": {func(w *world) { w.tag.Commit = strings.Repeat("f", 40) }, []string{"provenance"}, strings.Repeat("f", 40)},
		"forged tag": {func(w *world) {
			w.tag.Signature = verify.TagSignature{Format: "ssh", Wrong: "the signature does not hold: no principal matched"}
		}, []string{"tag signature"}, "no principal matched"},
		"draft page":    {func(w *world) { w.page.Draft = true }, []string{"page", "checksums", "signatures", "provenance"}, "no published page"},
		"pre-release":   {func(w *world) { w.page.Prerelease = true }, []string{"page"}, "pre-release: true"},
		"other archive": {func(w *world) { w.files[archive] = []byte("a trojan") }, []string{"SHA256SUMS", "SHA512SUMS", "provenance", bill}, archive},
		"other archive, sums adapted": {func(w *world) {
			w.files[archive] = []byte("a trojan")
			for _, alg := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
				sums, err := artifact.RenderChecksums(alg, []artifact.Artifact{w.measure(archive), w.measure(bill)})
				must(w.t, err)
				w.files[alg.File()] = sums
			}
		}, []string{"SHA256SUMS.sigstore.json", "SHA512SUMS.sigstore.json", "provenance", bill}, "does not verify"},
		"all made anew by another": {func(w *world) {
			key, err := sign.GenerateKey("ecdsa-p256")
			must(w.t, err)
			w.signer = signerOf(w.t, key)
			w.files[archive] = []byte("a trojan")
			w.publish()
		}, []string{"SHA256SUMS.sigstore.json", "SHA512SUMS.sigstore.json", bill + ".sigstore.json", "provenance"}, "does not verify"},
		"file too many":       {func(w *world) { w.files["extra.sh"] = []byte("#!/bin/sh") }, []string{"SHA256SUMS", "SHA512SUMS", "provenance"}, "extra.sh is on the page and is not listed"},
		"file missing":        {func(w *world) { delete(w.files, archive) }, []string{"SHA256SUMS", "SHA512SUMS"}, archive + " is listed and is not on the page"},
		"no checksums":        {func(w *world) { delete(w.files, "SHA256SUMS"); delete(w.files, "SHA512SUMS") }, []string{"checksums", "SHA256SUMS.sigstore.json", "SHA512SUMS.sigstore.json"}, "neither"},
		"provenance unsigned": {func(w *world) { delete(w.files, "provenance.json.sigstore.json") }, []string{"provenance"}, "not signed"},
		"no provenance": {func(w *world) {
			delete(w.files, "provenance.json")
			delete(w.files, "provenance.json.sigstore.json")
		}, []string{"provenance"}, "nothing says how"},
		"built elsewhere":  {func(w *world) { w.state(strings.Repeat("e", 40), archive, bill, "SHA256SUMS", "SHA512SUMS") }, []string{"provenance"}, commit},
		"bill is cut off":  {func(w *world) { w.files[bill] = w.files[bill][:100] }, []string{"SHA256SUMS", "SHA512SUMS", bill + ".sigstore.json", "provenance", bill}, bill},
		"marker behind":    {func(w *world) { w.markers["stable.txt"] = "v1.1.0" }, []string{"markers"}, "stable says v1.1.0, which is older"},
		"marker not there": {func(w *world) { delete(w.markers, "latest-1.2.txt") }, []string{"markers"}, "latest-1.2 is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.change(w)
			r := w.verify()
			var failed []string
			for _, f := range r.Failures() {
				failed = append(failed, f.Name)
			}
			if diff := cmp.Diff(c.fails, failed); diff != "" || r.OK {
				t.Fatalf("%s\n%+v", diff, r)
			}
			if says := r.Failures()[0].Says; !strings.Contains(says, c.says) {
				t.Errorf("it says %q, want %q", says, c.says)
			}
		})
	}
}

// A forge that does not answer is no verdict.
func TestForgeGone(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	_, err := verify.Release(t.Context(), halyard, "v1.2.0", verify.Options{Pages: newWorld(t),
		Tag: func(context.Context, forge.RepoName, string) (verify.Tag, error) { return verify.Tag{}, gone }})
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}
