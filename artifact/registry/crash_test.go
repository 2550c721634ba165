package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact/registry"
)

// A process of the crash tests serves the folder in the first variable and
// kills itself at the step that the second one counts to.
const (
	envServe = "SEAWORTHY_TEST_REGISTRY"
	envKill  = "SEAWORTHY_TEST_KILL_AT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envServe); dir != "" {
		if err := serveUntilKilled(dir, os.Getenv(envKill)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir, killAt string) error {
	at, err := strconv.Atoi(killAt)
	if err != nil {
		return err
	}
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		return err
	}
	g, err := registry.New(registry.Options{Bucket: bucket})
	if err != nil {
		return err
	}
	steps := make(chan struct{}, 1) // one step at a time
	steps <- struct{}{}
	n := 0
	g.OnStep(func(string) {
		<-steps
		if n++; n == at {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				panic(err)
			}
			select {} // the signal is on its way
		}
		steps <- struct{}{}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(l.Addr()); err != nil {
		return err
	}
	return http.Serve(l, g)
}

// process is a registry that can be killed.
type process struct {
	host string
	cmd  *exec.Cmd
}

// launch starts a registry that kills itself at a step, or does not if that is
// zero.
func launch(t *testing.T, dir string, killAt int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envServe+"="+dir, envKill+"="+strconv.Itoa(killAt))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(func() { p.kill() })
	host, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.host = strings.TrimSpace(host)
	return p
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // it may have done so itself
		_ = p.cmd.Wait()         // which says that it was killed
	}
}

// pushes are ways of pushing, each leaving the tag v1 in the repository a/b.
func pushes(t *testing.T) map[string]func(host string) error {
	t.Helper()
	image, err := random.Image(2000, 2)
	if err != nil {
		t.Fatal(err)
	}
	index, err := random.Index(500, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	size, err := image.Size()
	if err != nil {
		t.Fatal(err)
	}
	signature, ok := mutate.Subject(mutate.MediaType(mutate.ConfigMediaType(image, "application/vnd.example.signature"), types.OCIManifestSchema1),
		v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: digest, Size: size}).(v1.Image)
	if !ok {
		t.Fatal("a manifest with a subject is no image any more")
	}
	layer := bytes.Repeat([]byte("halyard "), 5000)
	fails := remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 1})
	return map[string]func(string) error{
		"image": func(host string) error { return remote.Write(tagOf(t, host), image, fails) },
		"index": func(host string) error { return remote.WriteIndex(tagOf(t, host), index, fails) },
		"referrer": func(host string) error {
			if err := remote.Write(tagOf(t, host).Context().Tag("subject"), image, fails); err != nil {
				return err
			}
			return remote.Write(tagOf(t, host), signature, fails)
		},
		"chunks": func(host string) error { return pushChunked(host, layer, 3, sha256Of) },
		"whole":  func(host string) error { return pushWhole(host, layer) },
	}
}

func tagOf(t *testing.T, host string) name.Tag {
	t.Helper()
	ref, err := name.NewTag(host + "/a/b:v1")
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ask sends one request and returns the answer, its body read.
func ask(method, url string, body io.Reader, header ...string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(answer.Body)
	return answer, text, errors.Join(err, answer.Body.Close())
}

// must is ask for those who expect one status.
func must(status int, method, url string, body io.Reader, header ...string) (*http.Response, error) {
	answer, text, err := ask(method, url, body, header...)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("%s %s: %s, not %d: %s", method, url, answer.Status, status, text)
	}
	return answer, err
}

func pushChunked(host string, layer []byte, n int, sum func([]byte) string) error {
	at := "http://" + host
	answer, err := must(202, "POST", at+"/v2/a/b/blobs/uploads/", nil)
	if err != nil {
		return err
	}
	where := answer.Header.Get("Location")
	for i := range n {
		from, to := i*len(layer)/n, (i+1)*len(layer)/n
		answer, err := must(202, "PATCH", at+where, bytes.NewReader(layer[from:to]), "Content-Range", fmt.Sprintf("%d-%d", from, to-1))
		if err != nil {
			return err
		}
		where = answer.Header.Get("Location")
	}
	if _, err := must(201, "PUT", at+where+"?digest="+sum(layer), nil); err != nil {
		return err
	}
	return putManifestOf(host, layer)
}

func pushWhole(host string, layer []byte) error {
	if _, err := must(201, "POST", "http://"+host+"/v2/a/b/blobs/uploads/?digest="+sha256Of(layer), bytes.NewReader(layer)); err != nil {
		return err
	}
	return putManifestOf(host, layer)
}

func manifestOf(config, layer []byte) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
		"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},
		"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, sha256Of(config), len(config), sha256Of(layer), len(layer))
}

const imageType = "application/vnd.oci.image.manifest.v1+json"

func putManifestOf(host string, layer []byte) error {
	at, config := "http://"+host, []byte("{}")
	if _, err := must(201, "POST", at+"/v2/a/b/blobs/uploads/?digest="+sha256Of(config), bytes.NewReader(config)); err != nil {
		return err
	}
	_, err := must(201, "PUT", at+"/v2/a/b/manifests/v1", strings.NewReader(manifestOf(config, layer)), "Content-Type", imageType)
	return err
}

// whole fails the test if anything that can be found in a registry is not all
// there, and returns whether the tag v1 is.
func whole(t *testing.T, host string) bool {
	t.Helper()
	at := "http://" + host + "/v2/a/b/"
	seen := map[string]bool{}
	var walk func(reference string)
	walk = func(reference string) {
		if seen[reference] {
			return
		}
		seen[reference] = true
		answer, text, err := ask("GET", at+"manifests/"+reference, nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("the manifest %s is not there: %v %s", reference, err, text)
		}
		if d := answer.Header.Get("Docker-Content-Digest"); d != sha256Of(text) {
			t.Fatalf("the manifest %s has the digest %s and says %s", reference, sha256Of(text), d)
		}
		walkReferrers(t, at, sha256Of(text), walk)
		var m struct {
			Config            struct{ Digest string }
			Layers, Manifests []struct{ Digest string }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		for _, child := range m.Manifests {
			walk(child.Digest)
		}
		if len(m.Manifests) > 0 {
			return
		}
		for _, b := range append(m.Layers, m.Config) {
			answer, text, err := ask("GET", at+"blobs/"+b.Digest, nil)
			if err != nil || answer.StatusCode != 200 || sha256Of(text) != b.Digest {
				t.Fatalf("the blob %s is not whole: %v", b.Digest, err)
			}
		}
	}
	answer, text, err := ask("GET", at+"tags/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == 404 {
		return false
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for _, tag := range list.Tags {
		walk(tag)
	}
	return slices.Contains(list.Tags, "v1")
}

func walkReferrers(t *testing.T, at, digest string, walk func(string)) {
	t.Helper()
	_, text, err := ask("GET", at+"referrers/"+digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Manifests []struct{ Digest string } }
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatalf("the referrers of %s: %v: %s", digest, err, text)
	}
	for _, m := range index.Manifests {
		walk(m.Digest)
	}
}

// files lists a folder's files with what is in them.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, rerr := filepath.Rel(dir, path)
		all[rel] = string(text)
		return errors.Join(err, rerr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKilledAtEveryStep pushes to a registry that is killed before and after
// each of its changes of the bucket, in turn. Whatever the next process shows
// is whole, the push tried again succeeds, and once what was left has been
// collected the bucket is as if nothing had happened.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for what, push := range pushes(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			clean := t.TempDir()
			if err := push(serve(t, open(t, registry.Options{Bucket: folder(t, clean)}))); err != nil {
				t.Fatal(err)
			}
			want := files(t, clean)
			kills := 0
			for at := 1; ; at++ {
				dir := t.TempDir()
				p := launch(t, dir, at)
				err := push(p.host)
				p.kill()
				if err == nil {
					break // all steps were seen
				}
				kills++
				recovered(t, dir, push, want)
			}
			if kills < 8 {
				t.Errorf("only %d steps were seen", kills)
			}
			t.Logf("killed %d times", kills)
		})
	}
}

// recovered serves what a killed process left, and pushes again.
func recovered(t *testing.T, dir string, push func(string) error, want map[string]string) {
	t.Helper()
	// The next process is this one; a day later, so that what was left may go.
	later := func() time.Time { return time.Now().Add(registry.DefaultUploadLife + time.Hour) }
	g := open(t, registry.Options{Bucket: folder(t, dir), Now: later})
	host := serve(t, g)
	whole(t, host)
	if err := push(host); err != nil {
		t.Fatalf("pushed again: %v", err)
	}
	if !whole(t, host) {
		t.Fatal("pushed again: the tag is not there")
	}
	if _, err := g.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have := files(t, dir); !equal(have, want) {
		t.Fatalf("after clearing up the bucket has\n%s\ninstead of\n%s", names(have), names(want))
	}
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func names(m map[string]string) string {
	var all []string
	for k, v := range m {
		all = append(all, fmt.Sprintf("%s (%d)", k, len(v)))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestKilledInTheMiddle kills the registry from outside while the bytes of a
// blob arrive, wherever that happens to find it.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	layer := make([]byte, 3<<20)
	chacha := rand.NewChaCha8([32]byte([]byte("halyard halyard halyard halyard ")))
	if _, err := chacha.Read(layer); err != nil {
		t.Fatal(err)
	}
	clean := t.TempDir()
	push := func(host string) error { return pushChunked(host, layer, 2, sha256Of) }
	if err := push(serve(t, open(t, registry.Options{Bucket: folder(t, clean)}))); err != nil {
		t.Fatal(err)
	}
	want := files(t, clean)
	for i := range 6 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := launch(t, dir, 0)
			at := "http://" + p.host
			answer, err := must(202, "POST", at+"/v2/a/b/blobs/uploads/", nil)
			if err != nil {
				t.Fatal(err)
			}
			half := len(layer) * (i + 1) / 8
			body := io.MultiReader(bytes.NewReader(layer[:half]), killing{p})
			method, url := "PATCH", at+answer.Header.Get("Location")
			if i%2 == 1 {
				method, url = "PUT", url+"?digest="+sha256Of(layer)
			}
			if _, _, err := ask(method, url, io.LimitReader(body, int64(len(layer)))); err == nil {
				t.Fatal("the registry answered although it was killed")
			}
			recovered(t, dir, push, want)
		})
	}
}

// killing kills the registry when it is read.
type killing struct{ p *process }

func (k killing) Read([]byte) (int, error) {
	k.p.kill()
	return 0, errors.New("the registry is gone")
}

// TestUploadSurvives goes on with an upload in another process.
func TestUploadSurvives(t *testing.T) {
	t.Parallel()
	dir, layer := t.TempDir(), bytes.Repeat([]byte("0123456789"), 1000)
	first := launch(t, dir, 0)
	answer, err := must(202, "POST", "http://"+first.host+"/v2/a/b/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	where := answer.Header.Get("Location")
	if _, err := must(202, "PATCH", "http://"+first.host+where, bytes.NewReader(layer[:4000])); err != nil {
		t.Fatal(err)
	}
	first.kill()
	second := launch(t, dir, 0)
	answer, err = must(204, "GET", "http://"+second.host+where, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := answer.Header.Get("Range"); r != "0-3999" {
		t.Errorf("the upload is said to have %s", r)
	}
	if _, err := must(416, "PATCH", "http://"+second.host+where, bytes.NewReader(layer[5000:]), "Content-Range", "5000-9999"); err != nil {
		t.Error(err)
	}
	if _, err := must(201, "PUT", "http://"+second.host+where+"?digest="+sha256Of(layer), bytes.NewReader(layer[4000:]), "Content-Range", "4000-9999"); err != nil {
		t.Fatal(err)
	}
	if _, text, err := ask("GET", "http://"+second.host+"/v2/a/b/blobs/"+sha256Of(layer), nil); err != nil || !bytes.Equal(text, layer) {
		t.Errorf("the blob is not what was sent: %v", err)
	}
}
