package bucket

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, address := range []string{"file://" + filepath.ToSlash(folder) + "/a/b", filepath.Join(folder, "plain")} {
		b, err := Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.WriteAll(t.Context(), "dir/key", []byte("x"), nil); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a/b/dir/key", "plain/dir/key"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	if list, err := filepath.Glob(filepath.Join(folder, "plain/dir/*")); err != nil || len(list) != 1 {
		t.Errorf("besides the object there are %v, %v", list, err)
	}
	b, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for address, why := range map[string]string{"ftp://x": "azblob://, file://, gs://, mem://, s3://", "": "a folder is needed", "file://": "a folder is needed", "s3://b\x7f": "cannot be read"} {
		if _, err := Open(t.Context(), address); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// objects is as much of S3 as reading and writing whole objects takes.
type objects struct {
	mu   sync.Mutex
	held map[string]string
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, there := o.held[r.URL.Path]
	switch {
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		o.held[r.URL.Path] = string(body)
		w.Header().Set("ETag", `"1"`)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		_, _ = io.WriteString(w, text)
	}
}

func TestOpenInS3(t *testing.T) {
	o := &objects{held: map[string]string{}}
	s := httptest.NewServer(o)
	defer s.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	b, err := Open(t.Context(), "s3://bucket/releases?region=eu-west-1&use_path_style=true&response_checksum_validation=when_required&request_checksum_calculation=when_required&endpoint="+s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WriteAll(t.Context(), "v1/tool", []byte("content"), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := b.ReadAll(t.Context(), "v1/tool"); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	if _, there := o.held["/bucket/releases/v1/tool"]; !there {
		t.Errorf("the objects are %v", o.held)
	}
	if there, err := b.Exists(t.Context(), "v1/gone"); err != nil || there {
		t.Errorf("%v, %v", there, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
