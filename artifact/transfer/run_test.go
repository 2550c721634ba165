package transfer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"seaworthy/artifact/promote"
)

func TestRun(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	layers := [][]byte{random("layer", 3000), random("big", inMemory+5)}
	d := source.pushImage(t, "staging/app", "app", layers, "v1.0")
	m := with(from(source.host+"/staging", target.host+"/prod"), "app", d, "v1.0", "v1")
	p, r := runs(t, Options{}, m)
	if len(p.Plan.Items) != 1 || r.Done != 1 || r.Failed != 0 || p.Lost() != 0 {
		t.Fatalf("%+v: %s", r, complaints(r))
	}
	for _, reference := range []string{"v1.0", "v1", string(d)} {
		if have := target.has(t, "prod/app", reference); have != d {
			t.Errorf("%s is %q", reference, have)
		}
	}
	target.whole(t, "prod/app", "v1.0")
	if r.Traffic.Uploaded != 3 || r.Traffic.Bytes != 3000+inMemory+5+int64(len(`{"seed":"app"}`)) {
		t.Errorf("traffic is %+v", r.Traffic)
	}
	p, r = runs(t, Options{}, m)
	if len(p.Plan.Items) != 0 || r.Done != 0 {
		t.Errorf("a second run has %d items", len(p.Plan.Items))
	}
}

func TestManySharing(t *testing.T) {
	t.Parallel()
	source, east, west := newShop(t), newShop(t), newShop(t)
	shared := random("shared", inMemory+1000)
	m := from(source.host+"/s", east.host+"/one", east.host+"/two", west.host+"/three")
	for n := range 6 {
		image := fmt.Sprintf("app%d", n)
		m = with(m, image, source.pushImage(t, "s/"+image, image, [][]byte{shared}, "v1"), "v1")
	}
	source.forget()
	_, r := runs(t, Options{}, m)
	if r.Done != 6 {
		t.Fatal(complaints(r))
	}
	for n := range 6 {
		image := fmt.Sprintf("/app%d", n)
		east.whole(t, "one"+image, "v1")
		east.whole(t, "two"+image, "v1")
		west.whole(t, "three"+image, "v1")
	}
	if n := east.seen("PATCH "); n != 1 {
		t.Errorf("the shared layer was sent to one registry %d times", n)
	}
	if n := west.seen("PATCH "); n != 1 {
		t.Errorf("the shared layer was sent to the other registry %d times", n)
	}
	if n := source.seen("GET ", string(digestOf(shared))); n > 2 {
		t.Errorf("the shared layer was read from the source %d times", n)
	}
	if r.Traffic.Mounted == 0 {
		t.Error("nothing was mounted")
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	a := source.pushImage(t, "s/app", "amd64", [][]byte{random("a", 100)})
	b := source.pushImage(t, "s/app", "arm64", [][]byte{random("b", 100)})
	inner := source.pushIndex(t, "s/app", []artifactDigest{b})
	d := source.pushIndex(t, "s/app", []artifactDigest{a, inner}, "v1")
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if r.Done != 1 {
		t.Fatal(complaints(r))
	}
	target.whole(t, "p/app", "v1")
}

func TestForeignLayersStay(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	config := source.pushBlob(t, "s/win", []byte("{}"))
	layer := descriptor{MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest: digestOf([]byte("elsewhere")), Size: 9, URLs: []string{"https://example.com/layer"}}
	d := source.pushManifest(t, "s/win", written{SchemaVersion: 2, MediaType: dockerImage, Config: &config, Layers: []descriptor{layer}}, dockerImage).Digest
	_, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "win", d, "v1"))
	if r.Done != 1 {
		t.Fatal(complaints(r))
	}
	if have := target.has(t, "p/win", "v1"); have != d {
		t.Errorf("have %s", have)
	}
}

func TestOneBadImageBlocksNoOther(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	good := source.pushImage(t, "s/good", "good", nil)
	lying := source.pushImage(t, "s/lying", "lying", [][]byte{random("right", 500)})
	cut := source.pushImage(t, "s/cut", "cut", [][]byte{random("cut", inMemory*2)})
	old := source.pushImage(t, "s/moved", "old", nil)
	target.pushImage(t, "p/moved", "other", nil, "v1")
	source.meddling(func(w http.ResponseWriter, r *http.Request, inner http.Handler) bool {
		switch {
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, string(digestOf(random("right", 500)))):
			_, _ = w.Write(random("wrong", 500))
			return true
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, string(digestOf(random("cut", inMemory*2)))):
			w.Header().Set("Content-Length", fmt.Sprint(inMemory*2))
			_, _ = w.Write(random("cut", inMemory*2)[:inMemory])
			return true
		}
		return false
	})
	m := from(source.host+"/s", target.host+"/p")
	m = with(m, "good", good, "v1")
	m = with(m, "lying", lying, "v1")
	m = with(m, "cut", cut, "v1")
	m = with(m, "moved", old, "v1")
	m = with(m, "lost", digestOf([]byte("never pushed")), "v1")
	p, r := runs(t, Options{}, m)
	if r.Done != 1 || r.Failed != 2 || len(p.Plan.Refusals) != 2 || p.Lost() != 1 {
		t.Fatalf("done %d, failed %d, lost %d, refusals %+v\n%s", r.Done, r.Failed, p.Lost(), p.Plan.Refusals, complaints(r))
	}
	if target.has(t, "p/good", "v1") != good {
		t.Error("the good image did not arrive")
	}
	for _, image := range []string{"lying", "cut", "lost"} {
		if d := target.has(t, "p/"+image, "v1"); d != "" {
			t.Errorf("%s has its tag on %s", image, d)
		}
	}
	if all := complaints(r); !strings.Contains(all, "its bytes are sha256:") {
		t.Errorf("the failures are\n%s", all)
	}
}

func TestWrongManifestRefused(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	source.meddling(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", ociManifest)
		w.Header().Set("Docker-Content-Digest", string(d))
		_, _ = w.Write([]byte(`{"schemaVersion":2,"config":{"digest":"` + string(d) + `","size":1}}`))
		return true
	})
	p, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1"))
	if len(p.Plan.Refusals) != 1 || p.Plan.Refusals[0].Reason != promote.Unreadable || !strings.Contains(p.Plan.Refusals[0].Why, "was asked for") || len(r.Outcomes) != 0 {
		t.Errorf("%+v", p.Plan.Refusals)
	}
}

func TestTagThatMovedMeanwhile(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t)
	d := source.pushImage(t, "s/app", "app", nil)
	m := with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")
	o := Options{Registries: testRegistries(), Journal: testJournal(t, t.TempDir()), Folder: t.TempDir()}
	p, err := Prepare(t.Context(), []promote.Manifest{m}, o)
	if err != nil || len(p.Plan.Items) != 1 {
		t.Fatal(err, p.Plan)
	}
	other := target.pushImage(t, "p/app", "intruder", nil, "v1")
	p.survey.lists[target.host+"/p/app"].at = p.started.Add(-freshFor * 2) // as if time had passed
	r, err := p.Run(t.Context())
	if err != nil || r.Failed != 1 || !strings.Contains(complaints(r), "somebody else writes there") {
		t.Errorf("%v: %s", err, complaints(r))
	}
	if target.has(t, "p/app", "v1") != other {
		t.Error("the tag was overwritten")
	}
}

func TestTagsComeLast(t *testing.T) {
	t.Parallel()
	source, target := newShop(t), newShop(t, registry.WithReferrersSupport(true))
	a := source.pushImage(t, "s/app", "a", [][]byte{random("a", 100), random("aa", inMemory*2)})
	b := source.pushImage(t, "s/app", "b", [][]byte{random("b", 100)})
	d := source.pushIndex(t, "s/app", []artifactDigest{a, b})
	target.meddling(func(w http.ResponseWriter, r *http.Request, inner http.Handler) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v1") {
			// At the moment the tag is asked for, all else must be there.
			target.meddling(nil)
			for _, child := range []artifactDigest{a, b} {
				target.whole(t, "p/app", string(child))
			}
		}
		return false
	})
	if _, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", d, "v1")); r.Done != 1 {
		t.Fatal(complaints(r))
	}
}

func TestPromotionWithinOneRegistry(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	d := shop.pushImage(t, "s/app", "app", [][]byte{random("l", 5000)})
	_, r := runs(t, Options{}, with(from(shop.host+"/s", shop.host+"/p"), "app", d, "v1"))
	if r.Done != 1 {
		t.Fatal(complaints(r))
	}
	shop.whole(t, "p/app", "v1")
}
