package cut_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"gocloud.dev/blob/memblob"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/registry"
	"seaworthy/artifact/sbom"
	"seaworthy/artifact/sign"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// everybody may do everything in the registry of these tests.
type everybody struct{}

func (everybody) Account(context.Context, string, string) (string, error) { return "ada", nil }
func (everybody) Allowed(context.Context, string, string, registry.Action) (bool, error) {
	return true, nil
}

// newRegistry serves an empty registry and returns its address.
func newRegistry(t *testing.T) string {
	t.Helper()
	r, err := registry.New(registry.Options{Bucket: memblob.OpenBucket(nil), Authorizer: everybody{}, Secret: bytes.Repeat([]byte{1}, 32)})
	must(t, err)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// supplied is a project with an image and a package.
func supplied() cut.Project {
	p := project()
	p.Images = []artifact.ImageSpec{{Name: "halyard", Files: []artifact.ImageFile{{Source: "halyard", Path: "/usr/bin/halyard"}}, Entrypoint: []string{"/usr/bin/halyard"}}}
	p.Packages = []artifact.PackageSpec{{Name: "halyard", Summary: "Hoists", Maintainer: "Ada <ada@harbour.example>", License: "ISC", Platforms: []string{"linux/amd64"},
		Contents: []artifact.PackageContent{{Source: "{build}/halyard", Destination: "/usr/bin/halyard"}}}}
	return p
}

// suppliedService makes releases of such a project.
func suppliedService(t *testing.T, p *place) (s *cut.Service, address string) {
	t.Helper()
	o := p.options(&flow.Memory{})
	address = newRegistry(t)
	o.Registry = cut.Registry{Address: func() string { return address }}
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return supplied(), nil }
	return newService(t, o), address
}

func reference(t *testing.T, address, image string) name.Tag {
	t.Helper()
	ref, err := name.NewTag(address + "/" + image)
	must(t, err)
	return ref
}

func TestImagesAndPackages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s, address := suppliedService(t, p)
	built := staged(t, s, stageRC())

	// Staged, and not where people look.
	waiting, err := remote.Get(reference(t, address, "harbour/halyard/staging/halyard:"+strings.ReplaceAll(built, "+", "-")))
	must(t, err)
	if _, err := remote.Head(reference(t, address, "harbour/halyard:v0.1.0-rc.0")); err == nil {
		t.Error("the image is public before the cut")
	}
	for _, mock := range []bool{true, false} {
		run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: built, Mock: mock, Actor: "ada"})
		must(t, err)
		drive(t, s, run.ID, flow.Succeeded)
		_, err = remote.Head(reference(t, address, "harbour/halyard:v0.1.0-rc.0"))
		if public := err == nil; public == mock {
			t.Errorf("after a cut with mock %v the image is public: %v (%v)", mock, public, err)
		}
	}
	if _, err := remote.Head(reference(t, address, "harbour/halyard/mock/halyard:v0.1.0-rc.0")); err != nil {
		t.Errorf("the rehearsal put no image into its own place: %v", err)
	}

	// The very digest that was staged, signed, with its provenance attached.
	public := reference(t, address, "harbour/halyard:v0.1.0-rc.0")
	have, err := remote.Head(public)
	must(t, err)
	if have.Digest != waiting.Digest {
		t.Errorf("published %s, staged %s", have.Digest, waiting.Digest)
	}
	_, verifier := testKey()
	verdicts, err := verifier.Image(t.Context(), public, sign.ImageOptions{Recursive: true})
	if err != nil || len(verdicts) != 2 { // the index and its one platform
		t.Errorf("%d verdicts: %v", len(verdicts), err)
	}
	if last := verdicts[len(verdicts)-1]; len(last.Signatures) == 0 || len(last.Attestations) == 0 {
		t.Errorf("the image has the signatures %v and attestations %v", last.Signatures, last.Attestations)
	}

	manifest, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/v0.1.0-rc.0/manifest.json")
	must(t, err)
	m, err := artifact.DecodeManifest(manifest)
	must(t, err)
	var packages []string
	for _, a := range m.Artifacts {
		if a.Kind == artifact.Package {
			packages = append(packages, a.Name)
		}
	}
	if want := []string{"halyard-0.1.0~rc.0-1.x86_64.rpm", "halyard_0.1.0_rc0-r1_x86_64.apk", "halyard_0.1.0~rc.0-1_amd64.deb"}; !slices.Equal(packages, want) {
		t.Errorf("the packages are %v, want %v", packages, want)
	}
	checkPapers(t, p, m, have.Digest.Hex)
}

// checkPapers holds the statement and the bill of materials against what was
// published.
func checkPapers(t *testing.T, p *place, m artifact.Manifest, image string) {
	t.Helper()
	read := func(name string) []byte {
		t.Helper()
		text, err := p.bucket.ReadAll(t.Context(), "release/harbour/halyard/v0.1.0-rc.0/"+name)
		must(t, err)
		return text
	}
	statement, err := provenance.Read(read("provenance.json"))
	must(t, err)
	want := provenance.Expectation{Commit: m.Commit, Others: true,
		Subjects: []provenance.Resource{{Name: "harbour/halyard", Digest: map[string]string{"sha256": image}}}}
	bill, err := sbom.Parse(read("halyard_0.1.0-rc.0.spdx.json"))
	must(t, err)
	if findings := sbom.Validate(bill.Document); len(findings) > 0 {
		t.Errorf("the bill of materials is incomplete: %v", findings)
	}
	listed := map[string]string{}
	for _, q := range bill.Document.Packages {
		listed[q.FileName] = sbom.Sum(q.Checksums, sbom.SHA256)
	}
	for _, a := range m.Artifacts {
		switch a.Kind {
		case artifact.Archive, artifact.Source, artifact.Package:
			want.Subjects = append(want.Subjects, provenance.Subjects(a)...)
			if listed[a.Name] != a.SHA256 {
				t.Errorf("the bill of materials has %s as %q", a.Name, listed[a.Name])
			}
		}
	}
	if err := provenance.Check(statement, want); err != nil {
		t.Error(err)
	}
}

// Nothing is cut whose provenance does not hold, whoever changed it.
func TestProvenanceStopsACut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mess func(t *testing.T, s *stageOnDisk)
		want string
	}{
		"another commit": {func(t *testing.T, s *stageOnDisk) {
			s.restate(t, func(b *provenance.Build) {
				b.Definition.Dependencies[0].Digest["gitCommit"] = strings.Repeat("e", 40)
			})
		}, "not from"},
		"another builder": {func(t *testing.T, s *stageOnDisk) {
			s.restate(t, func(b *provenance.Build) { b.Run.Builder.ID = "https://elsewhere.example" })
		}, "it was built by https://elsewhere.example"},
		"a subject too few": {func(t *testing.T, s *stageOnDisk) {
			s.statement.Subjects = s.statement.Subjects[1:]
			s.write(t, s.statement)
		}, "provenance"},
		"signed by another": {func(t *testing.T, s *stageOnDisk) {
			s.signer = otherSigner(t)
			s.write(t, s.statement)
		}, "does not verify"},
		"unsigned":  {func(t *testing.T, s *stageOnDisk) { s.remove(t, "provenance.json.sigstore.json") }, "holds no provenance.json.sigstore.json"},
		"not there": {func(t *testing.T, s *stageOnDisk) { s.remove(t, "provenance.json") }, "holds no provenance.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := cutAfter(t, func(p *place, prefix string) { c.mess(t, openStage(t, p, prefix)) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			nothingPublic(t, p)
		})
	}
}

// stageOnDisk is a stage as somebody who can write to the bucket finds it: they
// may adapt the manifest to whatever they change.
type stageOnDisk struct {
	p         *place
	prefix    string // key
	manifest  artifact.Manifest
	statement provenance.Statement
	signer    sign.Signer
}

func openStage(t *testing.T, p *place, dir string) *stageOnDisk {
	t.Helper()
	prefix, err := filepath.Rel(filepath.Join(p.dir, "bucket"), dir)
	must(t, err)
	s := &stageOnDisk{p: p, prefix: filepath.ToSlash(prefix)}
	text, err := p.bucket.ReadAll(t.Context(), s.prefix+"/manifest.json")
	must(t, err)
	s.manifest, err = artifact.DecodeManifest(text)
	must(t, err)
	text, err = p.bucket.ReadAll(t.Context(), s.prefix+"/provenance.json")
	must(t, err)
	s.statement, err = provenance.Read(text)
	must(t, err)
	s.signer, _ = testKey()
	return s
}

// restate changes what the statement says of the build.
func (s *stageOnDisk) restate(t *testing.T, change func(*provenance.Build)) {
	t.Helper()
	b, err := s.statement.Build()
	must(t, err)
	change(&b)
	statement, err := b.Statement(s.statement.Subjects)
	must(t, err)
	s.write(t, statement)
}

// write replaces the statement and its signature.
func (s *stageOnDisk) write(t *testing.T, statement provenance.Statement) {
	t.Helper()
	text, err := statement.Encode()
	must(t, err)
	bundle, err := s.signer.SignEnvelope(t.Context(), provenance.PayloadType, text)
	must(t, err)
	signed, err := bundle.Encode()
	must(t, err)
	s.put(t, "provenance.json", text)
	s.put(t, "provenance.json.sigstore.json", signed)
}

func (s *stageOnDisk) put(t *testing.T, name string, content []byte) {
	t.Helper()
	a, err := artifact.Measure(name, artifact.Statement, bytes.NewReader(content))
	must(t, err)
	i := slices.IndexFunc(s.manifest.Artifacts, func(a artifact.Artifact) bool { return a.Name == name })
	s.manifest.Artifacts[i] = a
	must(t, s.p.bucket.WriteAll(t.Context(), s.prefix+"/"+name, content, nil))
	s.rewrite(t)
}

func (s *stageOnDisk) remove(t *testing.T, name string) {
	t.Helper()
	s.manifest.Artifacts = slices.DeleteFunc(s.manifest.Artifacts, func(a artifact.Artifact) bool { return a.Name == name })
	must(t, s.p.bucket.Delete(t.Context(), s.prefix+"/"+name))
	s.rewrite(t)
}

func (s *stageOnDisk) rewrite(t *testing.T) {
	t.Helper()
	text, err := s.manifest.Encode()
	must(t, err)
	must(t, s.p.bucket.WriteAll(t.Context(), s.prefix+"/manifest.json", text, nil))
}

func otherSigner(t *testing.T) sign.Signer {
	t.Helper()
	text, err := sign.EncodePrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize)), nil)
	must(t, err)
	key, err := sign.ParsePrivateKey(text, nil)
	must(t, err)
	s, err := sign.NewKeySigner(key, sign.Services{})
	must(t, err)
	return s
}

// A published image tag is never moved.
func TestImageTagIsNeverMoved(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s, address := suppliedService(t, p)
	built := staged(t, s, stageRC())
	ref := reference(t, address, "harbour/halyard:v0.1.0-rc.0")
	must(t, remote.Write(ref, empty.Image))
	theirs, err := empty.Image.Digest()
	must(t, err)
	rehearse(t, s, built)
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: built, Actor: "ada"})
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); err == nil || !strings.Contains(err.Error(), "a published tag is never moved") {
		t.Errorf("got %v", err)
	}
	if have, err := remote.Head(ref); err != nil || have.Digest != theirs {
		t.Errorf("the tag is %v, %v", have, err)
	}
	if pages, err := p.forge.Releases(t.Context(), halyard); err != nil || len(pages) != 0 {
		t.Errorf("there are pages %v, %v", pages, err)
	}
}

func rehearse(t *testing.T, s *cut.Service, built string) {
	t.Helper()
	run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: built, Mock: true, Actor: "ada"})
	must(t, err)
	drive(t, s, run.ID, flow.Succeeded)
}

// A project with images needs somewhere to push them.
func TestImagesWithoutARegistry(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.options(&flow.Memory{})
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return supplied(), nil }
	s := newService(t, o)
	run, err := s.Stage(t.Context(), stageRC())
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{}); err == nil || !strings.Contains(err.Error(), "no registry to push them to") {
		t.Errorf("got %v", err)
	}
}

// The same commit gives the same bill of materials, wherever and whenever.
func TestBillIsReproducible(t *testing.T) {
	t.Parallel()
	var bills [][]byte
	for i := range 2 {
		p := newPlace(t)
		o := p.options(&flow.Memory{})
		o.Engine.Now = func() time.Time { return began.Add(time.Duration(i) * time.Hour) }
		built := staged(t, newService(t, o), stageRC())
		text, err := p.bucket.ReadAll(t.Context(), "stage/harbour/halyard/"+built+"/halyard_0.1.0-rc.0.spdx.json")
		must(t, err)
		if !json.Valid(text) {
			t.Fatal("no JSON")
		}
		bills = append(bills, text)
	}
	if !bytes.Equal(bills[0], bills[1]) {
		t.Error("two bills of materials of one commit differ")
	}
}
