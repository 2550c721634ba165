package transfer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"seaworthy/artifact/promote"
)

// victimVariable holds what a process that is to be killed has to do.
const victimVariable = "SEAWORTHY_TEST_VICTIM"

type victim struct {
	State    string
	Manifest promote.Manifest
	Signer   string // registry that signatures are written to
}

// TestVictim is not a test by itself: TestKilledAtEveryRequest runs it in a
// process of its own.
func TestVictim(t *testing.T) {
	text := os.Getenv(victimVariable)
	if text == "" {
		return
	}
	var v victim
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	n := &notary{t: t, shop: &shop{Server: reached("http://" + v.Signer), host: v.Signer}}
	_, r := runs(t, Options{Journal: testJournal(t, v.State), Signers: []Signer{n}}, v.Manifest)
	if r.Failed > 0 {
		t.Fatal(complaints(r))
	}
}

// TestKilledAtEveryRequest kills a promotion at the first, second, third …
// request to the destination. Whatever is visible under a tag then must be
// whole and signed, and the next run must finish the work.
func TestKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	if os.Getenv(victimVariable) != "" {
		return // the process that is killed runs the other test alone
	}
	source := newShop(t)
	child := source.pushImage(t, "s/app", "child", [][]byte{random("a", 100), random("big", inMemory+10)})
	index := source.pushIndex(t, "s/app", []artifactDigest{child})
	source.legacy(t, "s/app", index, ".att", "attestation")
	plain := source.pushImage(t, "s/app", "plain", [][]byte{random("a", 100)})
	step := 1
	if testing.Short() {
		step = 7
	}
	finished := false
	for at := 1; !finished; at += step {
		target := newShop(t)
		m := with(with(from(source.host+"/s", target.host+"/p"), "app", index, "v1", "v1.0"), "app", plain, "v2")
		v := victim{State: t.TempDir(), Manifest: m, Signer: target.host}
		finished = killed(t, target, v, int64(at))
		target.meddling(nil)
		visible(t, target, index, "v1", "v1.0")
		visible(t, target, plain, "v2")
		n := &notary{t: t, shop: target}
		_, r := runs(t, Options{Journal: testJournal(t, v.State), Signers: []Signer{n}}, m)
		if r.Failed > 0 {
			t.Fatalf("after a kill at request %d: %s", at, complaints(r))
		}
		for tag, d := range map[string]artifactDigest{"v1": index, "v1.0": index, "v2": plain} {
			if target.has(t, "p/app", tag) != d {
				t.Fatalf("after a kill at request %d the next run did not write %s", at, tag)
			}
		}
		visible(t, target, index, "v1", "v1.0")
		visible(t, target, plain, "v2")
	}
}

// killed runs a victim and kills it at a request to the target. It reports
// whether the victim finished before.
func killed(t *testing.T, target *shop, v victim, at int64) bool {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.count=1")
	// What dies cannot clear up: its files are in a folder of ours.
	cmd.Env = append(os.Environ(), victimVariable+"="+string(text), "TMPDIR="+t.TempDir())
	var count atomic.Int64
	started, dead := make(chan struct{}), make(chan struct{})
	target.meddling(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if count.Add(1) < at {
			return false
		}
		<-started
		if err := cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
			t.Error(err)
		}
		<-dead // nothing of this request is done
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	err = cmd.Wait()
	close(dead)
	if err == nil {
		return true
	}
	if count.Load() < at {
		t.Fatalf("the promotion failed by itself: %v\n%s", err, said.String())
	}
	return false
}

// visible checks that where a tag of an image is to be seen, all of it is.
func visible(t *testing.T, s *shop, want artifactDigest, tags ...string) {
	t.Helper()
	for _, tag := range tags {
		d := s.has(t, "p/app", tag)
		if d == "" {
			continue
		}
		if d != want {
			t.Fatalf("%s is %s, want %s", tag, d, want)
		}
		s.whole(t, "p/app", tag)
		if s.has(t, "p/app", companionTag(d)+".sig") == "" {
			t.Fatalf("%s is visible and not signed", tag)
		}
	}
}

// TestTwoRunsAtOnce: the second is told that there is another.
func TestTwoRunsAtOnce(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	j := testJournal(t, folder)
	if _, err := OpenJournal(folder); err == nil || !strings.Contains(err.Error(), "another promotion is running") {
		t.Error(err)
	}
	if _, err := ReadJournal(folder); err != nil {
		t.Errorf("a mock run is kept out: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzManifest reads manifests of registries: what is taken must be safe to
// follow.
func FuzzManifest(f *testing.F) {
	d := string(digestOf(nil))
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"`+ociManifest+`","config":{"digest":"`+d+`","size":1},"layers":[]}`), ociManifest)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"`+d+`","size":1}]}`), ociIndex)
	f.Add([]byte(`{"schemaVersion":1}`), "application/vnd.docker.distribution.manifest.v1+json")
	f.Fuzz(func(t *testing.T, text []byte, kind string) {
		m, err := parseManifest(text, kind, "")
		if err != nil {
			return
		}
		for _, d := range slices.Concat(m.content(), m.children()) {
			if len(d.Digest) < 70 || d.Size < 0 || strings.ContainsAny(string(d.Digest), "/?#%. ") {
				t.Errorf("%+v was taken", d)
			}
		}
	})
}

func TestManifestsRefused(t *testing.T) {
	t.Parallel()
	d := string(digestOf(nil))
	for name, tc := range map[string]struct{ text, kind, why string }{
		"both":      {`{"config":{"digest":"` + d + `"},"manifests":[]}`, ociManifest, "at once"},
		"index":     {`{"config":{"digest":"` + d + `"}}`, ociIndex, "says that it is an index"},
		"image":     {`{"manifests":[]}`, dockerImage, "says that it is an image"},
		"no config": {`{"layers":[]}`, ociManifest, "no config"},
		"schema 1":  {`{"schemaVersion":1}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"},
		"page":      {`{}`, "text/html; charset=utf-8", "text/html"},
		"digest":    {`{"config":{"digest":"sha256:../../x"}}`, ociManifest, "sha256"},
		"size":      {`{"config":{"digest":"` + d + `","size":-1}}`, ociManifest, "-1"},
		"no JSON":   {`<html>`, ociManifest, "not JSON"},
		"subject":   {`{"config":{"digest":"` + d + `"},"subject":{"digest":"x"}}`, ociManifest, "subject"},
	} {
		if _, err := parseManifest([]byte(tc.text), tc.kind, ""); err == nil || !strings.Contains(err.Error(), tc.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseManifest([]byte(`{"manifests":[]}`), ociIndex+"; charset=utf-8", ""); err != nil {
		t.Error(err)
	}
}

func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	r := NewRegistries(RegistryOptions{PlainHTTP: []string{"plain.example.com"}})
	for _, good := range []string{"gcr.io/k8s-staging/kas", "localhost/x", "127.0.0.1:5000/a/b/c", "plain.example.com/a", "eu.gcr.io/k8s-artifacts-prod/addons/proxy"} {
		n, err := r.Repository(good)
		if err != nil || n.String() != good {
			t.Errorf("%s is %s, %v", good, n, err)
		}
	}
	if n, err := r.Repository("plain.example.com/a"); err != nil || n.Scheme() != "http" {
		t.Errorf("%v is asked with TLS", n)
	}
	for _, bad := range []string{"", "kas", "library/kas", "gcr.io/", "gcr.io/UPPER", "gcr.io/a/../b", "gcr.io/a b", "http://gcr.io/a", fmt.Sprintf("gcr.io/%s", strings.Repeat("a", 300))} {
		if n, err := r.Repository(bad); err == nil {
			t.Errorf("%q was read as %v", bad, n)
		}
	}
}
