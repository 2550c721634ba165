package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"seaworthy/artifact"
)

// Wherever an image goes, it comes back with the same digest and content.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	dir, host := t.TempDir(), newRegistry(t)
	layout, oci, docker := filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	if err := errors.Join(
		x.WriteLayout(layout, "v1.2.0", "latest"),
		x.WriteTarball(oci, Tarball{Tags: []string{"v1.2.0"}}),
		x.WriteTarball(docker, Tarball{Form: DockerArchive, Platform: armv7, Tags: []string{"v1.2.0", "latest"}}),
		x.Push(t.Context(), host+"/tools/halyard", []string{"v1.2.0", "latest"}, Remote{}),
	); err != nil {
		t.Fatal(err)
	}
	want := x.Built()
	for _, from := range []string{
		layout, "oci:" + layout, "oci:" + layout + ":latest", "oci:" + layout + ":docker.io/tools/halyard:v1.2.0", oci, "oci-archive:" + oci, "oci-archive:" + oci + ":v1.2.0",
		host + "/tools/halyard:latest", "docker://" + host + "/tools/halyard:v1.2.0", host + "/tools/halyard@" + string(want.Digest),
	} {
		back, err := Open(t.Context(), from, Remote{})
		if err != nil {
			t.Error(err)
			continue
		}
		have := back.Built()
		have.Name = want.Name
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", from, diff)
		}
		if diff := cmp.Diff(layersOf(t, x, amd64), layersOf(t, back, amd64)); diff != "" {
			t.Errorf("%s: %s", from, diff)
		}
		if err := back.WriteLayout(filepath.Join(t.TempDir(), "again"), "x"); err != nil {
			t.Error(err)
		}
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}
	one, err := Open(t.Context(), docker, Remote{})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if one.index != nil || one.Built().Digest != want.Platforms[1].Digest || one.Built().Platforms[0].Platform != armv7 {
		t.Errorf("the docker archive holds %+v", one.Built())
	}
	// The library reads it as docker load does, by manifest.json.
	tag, err := name.NewTag("tools/halyard:latest")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(docker, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if config, err := img.ConfigFile(); err != nil || config.Variant != "v7" {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestWriteLayoutAgain(t *testing.T) {
	t.Parallel()
	first := mustBuild(t, sample(t))
	req := sample(t)
	req.Version = "v1.3.0"
	second := mustBuild(t, req)
	dir := filepath.Join(t.TempDir(), "layout")
	if err := errors.Join(first.WriteLayout(dir, "v1.2.0", "latest"), second.WriteLayout(dir, "v1.3.0", "latest"), second.WriteLayout(dir, "v1.3.0")); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Manifests []struct {
			Digest      artifact.Digest
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	have := map[string]artifact.Digest{}
	for _, m := range index.Manifests {
		have[m.Annotations[annotationRefName]] = m.Digest
	}
	want := map[string]artifact.Digest{"v1.2.0": first.digest(), "v1.3.0": second.digest(), "latest": second.digest()}
	if diff := cmp.Diff(want, have); diff != "" || len(index.Manifests) != 3 {
		t.Error(diff, len(index.Manifests))
	}
	if _, err := Open(t.Context(), dir, Remote{}); err == nil || !strings.Contains(err.Error(), "it holds several images: name one of latest, v1.2.0, v1.3.0") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), "oci:"+dir+":v9", Remote{}); !errors.Is(err, ErrNoImage) {
		t.Errorf("got %v", err)
	}
}

// The same image is the same archive.
func TestWriteTarballIsReproducible(t *testing.T) {
	t.Parallel()
	for _, form := range []Tarball{{Tags: []string{"v1"}}, {Form: DockerArchive, Platform: amd64, Tags: []string{"v1"}, Name: "example.org/h"}} {
		var all [][]byte
		for range 2 {
			file := filepath.Join(t.TempDir(), "image.tar")
			if err := mustBuild(t, sample(t)).WriteTarball(file, form); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data)
		}
		if !bytes.Equal(all[0], all[1]) {
			t.Errorf("%+v: two archives differ", form)
		}
	}
}

func TestWriteRefused(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	full := writeFiles(t, map[string]string{"thesis.txt": "mine"})
	broken := writeFiles(t, map[string]string{"index.json": "{"})
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a folder with other things": {x.WriteLayout(full, "v1"), "no OCI layout"},
		"a broken layout":            {x.WriteLayout(broken, "v1"), "reading index.json"},
		"a bad tag":                  {x.WriteLayout(filepath.Join(dir, "a"), "a b"), "cannot be a tag"},
		"a bad tag in an archive":    {x.WriteTarball(filepath.Join(dir, "b.tar"), Tarball{Tags: []string{":"}}), "cannot be a tag"},
		"several platforms":          {x.WriteTarball(filepath.Join(dir, "c.tar"), Tarball{Form: DockerArchive}), "the image has 2: choose one"},
		"a platform it has not":      {x.WriteTarball(filepath.Join(dir, "d.tar"), Tarball{Form: DockerArchive, Platform: artifact.Platform{OS: "linux", Arch: "s390x"}}), "only for linux/amd64, linux/arm/v7"},
		"an unknown form":            {x.WriteTarball(filepath.Join(dir, "e.tar"), Tarball{Form: "rar"}), "not a form"},
		"a folder that is not there": {x.WriteTarball(filepath.Join(dir, "f", "g.tar"), Tarball{}), "no such file"},
		"a bad tag to push":          {x.Push(t.Context(), "127.0.0.1:1/a", []string{"a b"}, Remote{}), "cannot be a tag"},
		"a bad repository":           {x.Push(t.Context(), "127.0.0.1:1/A b", nil, Remote{}), "is not a repository"},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, tc.err, tc.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if left, err := os.ReadDir(full); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v (%v)", left, err)
	}
}

// A base's layers, configuration and history stay; what the spec says wins.
func TestBuildOnBase(t *testing.T) {
	t.Parallel()
	host := newRegistry(t)
	below := sample(t)
	below.Project = "halyard"
	below.Spec.Name, below.Spec.User, below.Spec.Labels["org.opencontainers.image.vendor"] = "base", "1000", "somebody"
	base := mustBuild(t, below)
	layout := filepath.Join(t.TempDir(), "base")
	if err := errors.Join(base.Push(t.Context(), host+"/base", []string{"stable"}, Remote{}), base.WriteLayout(layout, "stable")); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{host + "/base:stable", "oci:" + layout + ":stable"} {
		req := Request{
			Spec: artifact.ImageSpec{
				Name: "top", Base: ref, Platforms: []artifact.Platform{amd64, armv7},
				Files: []artifact.ImageFile{{Source: "x", Path: "/usr/bin/x"}, {Source: "x", Path: "/opt/top/x"}, {Source: "x", Path: "/var/lib/halyard/"}},
				Cmd:   []string{"other"}, Env: map[string]string{"A": "changed", "B": "new"},
			},
			Created: when, Folders: []string{writeFiles(t, map[string]string{"x*": "x"})},
		}
		x := mustBuild(t, req)
		if diff := cmp.Diff([]Base{{Reference: ref, Digest: base.digest()}}, x.Built().Bases); diff != "" {
			t.Error(diff)
		}
		for i, p := range []artifact.Platform{amd64, armv7} {
			under := base.Built().Platforms[i]
			img, err := x.platform(p)
			if err != nil {
				t.Fatal(err)
			}
			have, err := describePlatform(platformImage{image: img, platform: p})
			if err != nil {
				t.Fatal(err)
			}
			if len(have.Layers) != 3 || !slices.Equal(have.Layers[:2], under.Layers) {
				t.Errorf("layers %v on %v", have.Layers, under.Layers)
			}
			if have.User != "1000" || have.Entrypoint[0] != "/usr/bin/halyard" || have.Cmd[0] != "other" || !slices.Contains(have.Env, "A=changed") || have.Env[len(have.Env)-1] != "B=new" || have.Labels["team"] != "rigging" || have.Labels["org.opencontainers.image.vendor"] != "" {
				t.Errorf("%+v", have)
			}
			m, err := img.Manifest()
			if err != nil || m.Annotations["org.opencontainers.image.base.digest"] != string(under.Digest) || m.Annotations["org.opencontainers.image.base.name"] != ref {
				t.Errorf("%v (%v)", m.Annotations, err)
			}
			config, err := img.ConfigFile()
			if err != nil || len(config.History) != 3 {
				t.Errorf("%v (%v)", config.History, err)
			}
			// Folders that the base has stay as they are in it.
			got := layersOf(t, x, p)[2]
			if diff := cmp.Diff([]string{"opt/top/ 755 0:0", "opt/top/x 755 0:0 x", "usr/bin/x 755 0:0 x", "var/lib/halyard/ 755 0:0", "var/lib/halyard/x 755 0:0 x"}, got); diff != "" {
				t.Error(diff)
			}
		}
		if err := x.Push(t.Context(), host+"/top", []string{"v1"}, Remote{}); err != nil {
			t.Error(err)
		}
	}
	missing := sample(t)
	missing.Spec.Base, missing.Spec.Platforms = host+"/base:stable", []artifact.Platform{{OS: "linux", Arch: "s390x"}}
	missing.Spec.Files = nil
	if _, err := Build(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "it is not there for linux/s390x, only for linux/amd64, linux/arm/v7") {
		t.Errorf("got %v", err)
	}
	missing.Spec.Base = host + "/base:none"
	if _, err := Build(t.Context(), missing); !errors.Is(err, ErrNoImage) {
		t.Errorf("got %v", err)
	}
}

// A base in Docker's media types becomes an image in those of OCI.
func TestBuildOnDockerBase(t *testing.T) {
	t.Parallel()
	host := newRegistry(t)
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.User = "linux", "amd64", "root"
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/docker:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	x := mustBuild(t, Request{Spec: artifact.ImageSpec{Name: "top", Base: ref.String(), Platforms: []artifact.Platform{amd64}}, Created: when})
	top, err := x.platform(amd64)
	if err != nil {
		t.Fatal(err)
	}
	m, err := top.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Layers {
		if l.MediaType != types.OCILayer {
			t.Errorf("a layer is of type %s", l.MediaType)
		}
	}
	if user := x.Built().Platforms[0].User; len(m.Layers) != 2 || user != DefaultUser {
		t.Errorf("%d layers, run by %s", len(m.Layers), user)
	}
	if _, err := Build(t.Context(), Request{Spec: artifact.ImageSpec{Name: "top", Base: ref.String(), Platforms: []artifact.Platform{armv7}}, Created: when}); err == nil || !strings.Contains(err.Error(), "only for linux/amd64") {
		t.Errorf("got %v", err)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		have, want string
		fit        int
	}{
		{"linux/amd64", "linux/amd64", 3}, {"linux/arm64/v8", "linux/arm64", 2}, {"linux/arm64", "linux/arm64/v8", 2}, {"linux/arm/v7", "linux/arm", 2},
		{"linux/arm/v6", "linux/arm", 0}, {"linux/arm/v6", "linux/arm/v7", 0}, {"linux/amd64", "linux/amd64/v3", 1}, {"linux/amd64/v3", "linux/amd64", 0},
		{"linux/amd64", "darwin/amd64", 0}, {"linux/386", "linux/amd64", 0},
	} {
		have, err := artifact.ParsePlatform(tc.have)
		if err != nil {
			t.Fatal(err)
		}
		want, err := artifact.ParsePlatform(tc.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := fits(have, want); got != tc.fit {
			t.Errorf("%s for %s: %d, want %d", tc.have, tc.want, got, tc.fit)
		}
	}
}

// What a layout holds is compared with its digests, and nothing that was
// tampered with gets further.
func TestTampered(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	built := x.Built()
	for name, tc := range map[string]struct {
		blob   artifact.Digest
		change func(file string) error
		err    string
	}{
		"layer changed":    {built.Platforms[0].Layers[1], func(f string) error { return flip(f) }, "does not match its digest"},
		"layer cut off":    {built.Platforms[0].Layers[1], func(f string) error { return os.Truncate(f, 20) }, "has 20 bytes"},
		"layer longer":     {built.Platforms[0].Layers[1], func(f string) error { return os.WriteFile(f, make([]byte, 1<<20), 0o644) }, "longer than"},
		"layer gone":       {built.Platforms[0].Layers[1], os.Remove, "is missing"},
		"manifest changed": {built.Platforms[0].Digest, flip, "does not match its digest"},
		"index changed":    {built.Digest, flip, "does not match its digest"},
		"index gone":       {built.Digest, os.Remove, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "layout")
			if err := x.WriteLayout(dir, "v1"); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "blobs", "sha256", tc.blob.Hex())
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// The file may be shared with others.
			if err := errors.Join(os.Remove(file), os.WriteFile(file, data, 0o644), tc.change(file)); err != nil {
				t.Fatal(err)
			}
			to, host := filepath.Join(t.TempDir(), "to"), newRegistry(t)
			back, err := Open(t.Context(), dir, Remote{})
			if err == nil {
				err = back.WriteTarball(to+".tar", Tarball{})
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("written to an archive: %v", err)
				}
				err = back.Push(t.Context(), host+"/to", []string{"v1"}, Remote{})
				if err == nil || strings.Contains(err.Error(), "?") || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("pushed: %v", err)
				}
				if _, err := Open(t.Context(), host+"/to:v1", Remote{}); !errors.Is(err, ErrNoImage) {
					t.Errorf("the tag is there: %v", err)
				}
				err = back.WriteLayout(to, "v1")
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			if left, err := filepath.Glob(to + "*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

func flip(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(file, data, 0o644)
}

func TestOpenRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string][]byte{"text.tar": []byte("no tar at all, but a text that is as long as it takes to be read as one"), "empty.tar": nil, "gzip.tar": {0x1f, 0x8b, 8, 0}}
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	if err := errors.Join(tw.WriteHeader(&tar.Header{Name: "other", Mode: 0o644}), tw.Close()); err != nil {
		t.Fatal(err)
	}
	files["other.tar"] = b.Bytes()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[string]string{
		dir + "/text.tar": "not an uncompressed tar", dir + "/gzip.tar": "not an uncompressed tar", dir + "/empty.tar": "no such image", dir + "/other.tar": "neither index.json nor manifest.json",
		dir: "no OCI layout", dir + "/nothing": "does not exist", "oci:": "names no path", "docker-archive:" + dir + "/nothing": "no such file", "not a reference": "is not a reference",
	} {
		if _, err := Open(t.Context(), from, Remote{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", from, err, want)
		}
	}
}

// front is a registry of which a test sees the requests and may spoil some.
func front(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request) bool) (host string, seen func() []string) {
	t.Helper()
	behind := newRegistry(t)
	var mu sync.Mutex
	var all []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.URL.Path)
		mu.Unlock()
		if spoil != nil && spoil(w, r) {
			return
		}
		forward(w, r, behind)
	}))
	t.Cleanup(proxy.Close)
	return strings.TrimPrefix(proxy.URL, "http://"), func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(all) }
}

func forward(w http.ResponseWriter, r *http.Request, to string) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL = &url.URL{Scheme: "http", Host: to, Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for key, values := range answer.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.StatusCode)
	io.Copy(w, answer.Body) // the test's client tells of what is missing
}

// Tags come when all else is there, and what is there is not sent again.
func TestPushOrder(t *testing.T) {
	t.Parallel()
	host, seen := front(t, nil)
	x := mustBuild(t, sample(t))
	if err := x.Push(t.Context(), host+"/h", []string{"v1", "v2"}, Remote{}); err != nil {
		t.Fatal(err)
	}
	order := map[string]int{}
	for i, request := range seen() {
		order[request] = i
	}
	last := 0
	for request, i := range order {
		if strings.HasPrefix(request, "PUT /v2/h/blobs") || strings.HasPrefix(request, "PUT /v2/h/manifests/sha256:") {
			last = max(last, i)
		}
	}
	built := x.Built()
	for _, p := range built.Platforms {
		if order["PUT /v2/h/manifests/"+string(p.Digest)] > order["PUT /v2/h/manifests/"+string(built.Digest)] {
			t.Errorf("the index came before the manifest of %s", p.Platform)
		}
	}
	for _, tag := range []string{"v1", "v2"} {
		if at, ok := order["PUT /v2/h/manifests/"+tag]; !ok || at < last {
			t.Errorf("tag %s was request %d, the last blob or manifest %d", tag, at, last)
		}
	}
	before := len(seen())
	if err := x.Push(t.Context(), host+"/h", []string{"v1"}, Remote{}); err != nil {
		t.Fatal(err)
	}
	for _, request := range seen()[before:] {
		if !strings.HasPrefix(request, "HEAD") && !strings.HasPrefix(request, "GET") {
			t.Errorf("a second push sends %s", request)
		}
	}
}

// A push that fails leaves no tag, and says no password.
func TestPushFails(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	host, _ := front(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"+string(x.Built().Platforms[1].Digest)) {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"quota"}]}`, http.StatusForbidden)
			return true
		}
		return false
	})
	err := x.Push(t.Context(), host+"/h", []string{"v1"}, Remote{})
	if err == nil || !strings.Contains(err.Error(), "pushing to "+host+"/h") || !strings.Contains(err.Error(), "quota") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), host+"/h:v1", Remote{}); !errors.Is(err, ErrNoImage) {
		t.Errorf("the tag is there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Push(ctx, host+"/h", []string{"v1"}, Remote{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Somebody else who moves the tag meanwhile is noticed.
func TestPushRaced(t *testing.T) {
	t.Parallel()
	x := mustBuild(t, sample(t))
	req := sample(t)
	req.Created = req.Created.Add(time.Hour)
	other := mustBuild(t, req)
	var once sync.Once
	host, _ := front(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/manifests/v1") {
			raced := false
			once.Do(func() { raced = true })
			if !raced { // the second time it is asked for, after our push
				w.Header().Set("Docker-Content-Digest", string(other.digest()))
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				w.Header().Set("Content-Length", "1")
				return true
			}
		}
		return false
	})
	if err := x.Push(t.Context(), host+"/h", []string{"v1"}, Remote{}); err == nil || !strings.Contains(err.Error(), "somebody else pushes to it") {
		t.Errorf("got %v", err)
	}
}
