package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact/registry"
)

var ada = remote.WithAuth(&authn.Basic{Username: "ada", Password: "ada-token"})

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func reference(t testing.TB, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(text)
	check(t, err)
	return ref
}

// TestLibrary uses the registry as programs written in Go do: images, indexes,
// mounts, lists, referrers and deletions, with a login.
func TestLibrary(t *testing.T) {
	t.Parallel()
	host := serve(t, open(t, registry.Options{Authorizer: people{}, Secret: secret}))
	image, err := random.Image(4096, 3)
	check(t, err)
	index, err := random.Index(512, 2, 3)
	check(t, err)
	digest, err := image.Digest()
	check(t, err)
	check(t, remote.Write(reference(t, host+"/ada/tool:v1"), image, ada))
	check(t, remote.WriteIndex(reference(t, host+"/ada/tool:all"), index, ada))

	// Between two repositories the blobs are mounted.
	mountable, err := remote.Image(reference(t, host+"/ada/tool:v1"), ada)
	check(t, err)
	check(t, remote.Write(reference(t, host+"/ada/second/tool:v1"), mountable, ada))
	check(t, remote.Tag(reference(t, host+"/ada/tool:v1").Context().Tag("v1.0"), mountable, ada))

	tags, err := remote.List(reference(t, host+"/ada/tool").Context())
	check(t, err)
	if !slices.Equal(tags, []string{"all", "v1", "v1.0"}) {
		t.Errorf("tags %q", tags)
	}
	where, err := name.NewRegistry(host)
	check(t, err)
	repos, err := remote.Catalog(t.Context(), where, ada)
	check(t, err)
	if !slices.Equal(repos, []string{"ada/second/tool", "ada/tool"}) {
		t.Errorf("repositories %q", repos)
	}

	// A signature refers to the image and is found from it.
	size, err := image.Size()
	check(t, err)
	mediaType, err := image.MediaType()
	check(t, err)
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.example.signature")
	signature, ok := mutate.Subject(base, v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}).(v1.Image)
	if !ok {
		t.Fatal("an image with a subject is none any more")
	}
	signed, err := signature.Digest()
	check(t, err)
	check(t, remote.Write(reference(t, host+"/ada/tool@"+signed.String()), signature, ada))
	found, err := remote.Referrers(reference(t, host+"/ada/tool").Context().Digest(digest.String()), remote.WithFilter("artifactType", "application/vnd.example.signature"))
	check(t, err)
	list, err := found.IndexManifest()
	check(t, err)
	if len(list.Manifests) != 1 || list.Manifests[0].Digest != signed {
		t.Errorf("referrers %+v", list.Manifests)
	}

	got, err := remote.Image(reference(t, host+"/ada/second/tool@"+digest.String()))
	check(t, err)
	sameImage(t, got, image)
	check(t, remote.Delete(reference(t, host+"/ada/tool@"+digest.String()), ada))
	if tags, err = remote.List(reference(t, host+"/ada/tool").Context()); err != nil || !slices.Equal(tags, []string{"all"}) {
		t.Errorf("after a deletion: %q %v", tags, err)
	}
}

func sameImage(t *testing.T, have, want v1.Image) {
	t.Helper()
	a, err := have.RawManifest()
	check(t, err)
	b, err := want.RawManifest()
	check(t, err)
	if !bytes.Equal(a, b) {
		t.Errorf("the manifest is %s, not %s", a, b)
	}
	layers, err := have.Layers()
	check(t, err)
	for _, l := range layers {
		r, err := l.Uncompressed() // which checks the digest at its end
		check(t, err)
		_, err = r.Read(make([]byte, 1))
		check(t, errors.Join(err, r.Close()))
	}
}

// run runs a program and returns what it prints.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, dir, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "REGISTRY_AUTH_FILE="+filepath.Join(dir, "auth.json"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return errs.String(), err
	}
	return string(out), nil
}

// onDisk writes an image and an index into an OCI layout.
func onDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	check(t, err)
	layer, err := random.Layer(3000, types.OCILayer)
	check(t, err)
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	check(t, err)
	check(t, path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "image"})))
	index, err := random.Index(700, 2, 2)
	check(t, err)
	check(t, path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	return dir
}

// TestSkopeo logs in, copies there, around and back, inspects and deletes.
func TestSkopeo(t *testing.T) {
	t.Parallel()
	skopeo := need(t, "skopeo")
	host := serve(t, open(t, registry.Options{Authorizer: people{}, Secret: secret}))
	dir, source := t.TempDir(), onDisk(t)
	in := func(args ...string) string {
		return run(t, dir, skopeo, append([]string{"--insecure-policy"}, args...)...)
	}

	if out, err := try(t, dir, skopeo, "login", "--tls-verify=false", "-u", "ada", "-p", "wrong", host); err == nil {
		t.Errorf("logged in with a wrong password: %s", out)
	}
	if out, err := try(t, dir, skopeo, "--insecure-policy", "copy", "--dest-tls-verify=false", "oci:"+source+":image", "docker://"+host+"/ada/tool:v1"); err == nil {
		t.Errorf("pushed without a login: %s", out)
	}
	in("login", "--tls-verify=false", "-u", "ada", "-p", "ada-token", host)
	in("copy", "--dest-tls-verify=false", "oci:"+source+":image", "docker://"+host+"/ada/tool:v1")
	in("copy", "--all", "--dest-tls-verify=false", "oci:"+source+":index", "docker://"+host+"/ada/tool:all")
	in("copy", "--format", "v2s2", "--dest-tls-verify=false", "oci:"+source+":image", "docker://"+host+"/ada/tool:docker")
	in("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+host+"/ada/tool:v1", "docker://"+host+"/ada/other:v1")
	in("logout", host)

	type inspected struct {
		Digest   string
		RepoTags []string
		Layers   []string
	}
	var tool, other inspected
	check(t, json.Unmarshal([]byte(in("inspect", "--tls-verify=false", "docker://"+host+"/ada/tool:v1")), &tool))
	check(t, json.Unmarshal([]byte(in("inspect", "--tls-verify=false", "docker://"+host+"/ada/other:v1")), &other))
	if tool.Digest != other.Digest || !slices.Equal(tool.Layers, other.Layers) || !slices.Equal(tool.RepoTags, []string{"all", "docker", "v1"}) {
		t.Errorf("%+v %+v", tool, other)
	}
	in("copy", "--all", "--src-tls-verify=false", "docker://"+host+"/ada/tool:all", "dir:"+filepath.Join(dir, "back"))
	in("login", "--tls-verify=false", "-u", "ada", "-p", "ada-token", host)
	in("delete", "--tls-verify=false", "docker://"+host+"/ada/other:v1")
	if out, err := try(t, dir, skopeo, "inspect", "--tls-verify=false", "docker://"+host+"/ada/other:v1"); err == nil {
		t.Errorf("deleted, and still there: %s", out)
	}
}

// dockerRegistry starts Debian's docker-registry on an empty folder.
func dockerRegistry(t testing.TB) string {
	t.Helper()
	program := need(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	host := l.Addr().String()
	check(t, l.Close())
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %s}\n", dir, host)
	check(t, os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o644))
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	})
	await(t, host)
	return host
}

// await waits until somebody listens.
func await(t testing.TB, host string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
		if err == nil {
			check(t, conn.Close())
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody listens at %s: %v", host, err)
		case <-tick.C:
		}
	}
}

// TestBesideDockerRegistry copies images there and back, and compares what both
// answer.
func TestBesideDockerRegistry(t *testing.T) {
	t.Parallel()
	skopeo := need(t, "skopeo")
	ours, theirs := serve(t, open(t, registry.Options{})), dockerRegistry(t)
	dir, source := t.TempDir(), onDisk(t)
	copyTo := func(from, to string) {
		run(t, dir, skopeo, "--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", from, to)
	}
	for _, tag := range []string{"image", "index"} {
		copyTo("oci:"+source+":"+tag, "docker://"+theirs+"/a/b:"+tag)
		copyTo("docker://"+theirs+"/a/b:"+tag, "docker://"+ours+"/a/b:"+tag)
		copyTo("docker://"+ours+"/a/b:"+tag, "docker://"+theirs+"/c/d:"+tag)
		copyTo("docker://"+theirs+"/c/d:"+tag, "docker://"+ours+"/c/d:"+tag)
	}
	paths := []string{"/v2/", "/v2/a/b/tags/list", "/v2/a/b/manifests/image", "/v2/a/b/manifests/index", "/v2/a/b/manifests/none",
		"/v2/none/tags/list", "/v2/a/b/blobs/" + sha256Of([]byte("none")), "/v2/_catalog?n=1"}
	accept := []string{"Accept", strings.Join([]string{imageType, indexType, "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json"}, ",")}
	for _, path := range paths {
		a, textA, err := ask("GET", "http://"+ours+path, nil, accept...)
		check(t, err)
		b, textB, err := ask("GET", "http://"+theirs+path, nil, accept...)
		check(t, err)
		if a.StatusCode != b.StatusCode {
			t.Errorf("%s: %s here, %s there", path, a.Status, b.Status)
		}
		if a.StatusCode == 200 && strings.TrimSpace(string(textA)) != strings.TrimSpace(string(textB)) {
			t.Errorf("%s: %s here, %s there", path, textA, textB)
		}
		for _, h := range []string{"Docker-Content-Digest", "Link", "Etag", "Docker-Distribution-Api-Version"} {
			if a.Header.Get(h) != b.Header.Get(h) {
				t.Errorf("%s: %s is %q here, %q there", path, h, a.Header.Get(h), b.Header.Get(h))
			}
		}
		var errA, errB struct{ Errors []struct{ Code string } }
		if a.StatusCode >= 400 {
			check(t, errors.Join(json.Unmarshal(textA, &errA), json.Unmarshal(textB, &errB)))
			if !slices.Equal(errA.Errors, errB.Errors) {
				t.Errorf("%s: %v here, %v there", path, errA, errB)
			}
		}
	}
}

// TestContainerd pulls with containerd what was pushed, and pushes it back.
func TestContainerd(t *testing.T) {
	t.Parallel()
	daemon, ctr := need(t, "containerd"), need(t, "ctr")
	if os.Getuid() != 0 {
		t.Skip("skipped: containerd runs as root alone")
	}
	host := serve(t, open(t, registry.Options{Authorizer: people{}, Secret: secret}))
	index, err := random.Index(700, 2, 2)
	check(t, err)
	check(t, remote.WriteIndex(reference(t, host+"/ada/tool:v1"), index, ada))

	dir, err := os.MkdirTemp("", "ctr") // a socket's path must be short
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n[ttrpc]\naddress = %q\n[debug]\nlevel = \"error\"\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), filepath.Join(dir, "s"), filepath.Join(dir, "t"))
	check(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o644))
	cmd := exec.Command(daemon, "-c", filepath.Join(dir, "config.toml"))
	var log bytes.Buffer
	cmd.Stderr = &log
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		if t.Failed() {
			t.Log(log.String())
		}
	})
	in := func(args ...string) (string, error) {
		return try(t, dir, ctr, append([]string{"-a", filepath.Join(dir, "s")}, args...)...)
	}
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := in("version"); err == nil {
			break
		}
		select {
		case <-ready.Done():
			t.Fatal("containerd does not answer")
		case <-tick.C:
		}
	}
	for _, args := range [][]string{
		{"content", "fetch", "--plain-http", "--all-platforms", host + "/ada/tool:v1"},
		{"images", "tag", host + "/ada/tool:v1", host + "/ada/back:v2"},
		{"images", "push", "--plain-http", "--user", "ada:ada-token", host + "/ada/back:v2"},
	} {
		if out, err := in(args...); err != nil {
			t.Fatalf("ctr %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	got, err := remote.Index(reference(t, host+"/ada/back:v2"))
	check(t, err)
	a, err := got.Digest()
	check(t, err)
	b, err := index.Digest()
	check(t, err)
	if a != b {
		t.Errorf("pushed back %s, pulled %s", a, b)
	}
}
