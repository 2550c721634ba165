package transfer

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/authn"

	"seaworthy/artifact/promote"
	"seaworthy/strict"
)

// realTree is what Kubernetes promotes, as it was in June 2024.
func realTree(t testing.TB) []promote.Manifest {
	t.Helper()
	folder := os.Getenv("SEAWORTHY_DATA")
	if folder == "" {
		t.Skip("skipped: SEAWORTHY_DATA names no folder with real manifests")
	}
	f, err := os.Open(filepath.Join(folder, "promoter.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	root := ""
	for entries := tar.NewReader(unzipped); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		tree[name] = &fstest.MapFile{Data: text}
		if at := strings.Index(name, "images/k8s-staging-kubernetes/images.yaml"); at >= 0 {
			root = strings.TrimSuffix(name[:at], "/")
		}
	}
	if root == "" {
		root = "."
	}
	manifests, problems := promote.Read(tree, root, "")
	if err := strict.AsError(problems); err != nil {
		t.Fatal(err)
	}
	return manifests
}

// everything answers for all registries at once, as Google's do: it has what
// the manifests ask for.
type everything struct{ lists map[string][]byte }

func (e everything) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	if text, is := e.lists[r.URL.Host+r.URL.Path]; is {
		answer.Body = io.NopCloser(strings.NewReader(string(text)))
	} else if r.URL.Path != "/v2/" {
		answer.StatusCode = http.StatusNotFound
	}
	return answer, nil
}

func having(t testing.TB, manifests []promote.Manifest) everything {
	t.Helper()
	type one struct {
		Tag []string `json:"tag"`
	}
	e := everything{map[string][]byte{}}
	for _, w := range demand(manifests) {
		list := struct {
			Tags     []string               `json:"tags"`
			Manifest map[artifactDigest]one `json:"manifest"`
		}{Manifest: map[artifactDigest]one{}}
		for _, want := range w.each() {
			m := list.Manifest[want.Digest]
			m.Tag = append(m.Tag, want.Tags...)
			list.Manifest[want.Digest] = m
			list.Tags = append(list.Tags, want.Tags...)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		host, path, _ := strings.Cut(w.repository, "/")
		e.lists[host+"/v2/"+path+"/tags/list"] = text
	}
	return e
}

// BenchmarkRealTree looks at all that Kubernetes has promoted and finds that
// nothing is to be done: 10,176 repositories, 720,478 edges.
func BenchmarkRealTree(b *testing.B) {
	manifests := realTree(b)
	all := having(b, manifests)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		r := NewRegistries(RegistryOptions{Keychain: authn.NewMultiKeychain(), Transport: all})
		p, err := Prepare(b.Context(), manifests, Options{Registries: r, Journal: &Journal{known: map[place]*progress{}}})
		if err != nil {
			b.Fatal(err)
		}
		// One digest of the real manifests is misspelt.
		if len(p.Plan.Items) != 0 || len(p.Plan.Refusals) != 1 || p.Lost() != 0 {
			b.Fatalf("%d items, %d refusals: %+v", len(p.Plan.Items), len(p.Plan.Refusals), p.Plan.Refusals)
		}
		b.ReportMetric(float64(r.Requests()), "requests")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric((float64(m.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MiB-kept")
		runtime.KeepAlive(p)
	}
}
