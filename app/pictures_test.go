package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
)

func TestPictures(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	a := &App{url: "https://sea.example", attached: true, o: Options{Log: slog.New(slog.DiscardHandler)}}
	a.Bucket = b
	album, ok := a.Album(time.Date(2026, 11, 22, 12, 30, 0, 5e6, time.FixedZone("", 3600)))
	if !ok || album.Prefix != "pictures/20261122-113000.005/" || album.URL != "https://sea.example/pictures/20261122-113000.005" {
		t.Fatalf("%+v, %v", album, ok)
	}
	for _, key := range []string{album.Prefix + "halyard-1.2-blocking/unit.png", "logs/secret/x.png", album.Prefix + "b/started.json"} {
		if err := b.WriteAll(t.Context(), key, []byte("picture"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		method, path string
		code         int
		body         string
	}{
		{"GET", "/pictures/20261122-113000.005/halyard-1.2-blocking/unit.png", 200, "picture"},
		{"HEAD", "/pictures/20261122-113000.005/halyard-1.2-blocking/unit.png", 200, ""},
		{"POST", "/pictures/20261122-113000.005/halyard-1.2-blocking/unit.png", 405, ""},
		{"GET", "/pictures/20261122-113000.005/halyard-1.2-blocking/race.png", 404, ""},
		{"GET", "/pictures/20261122-113000.005/b/started.json", 404, ""},
		{"GET", "/pictures/../logs/secret/x.png", 404, ""},
		{"GET", "/pictures/./../x.png", 404, ""},
		{"GET", "/pictures/1/../x.png", 404, ""},
		{"GET", "/pictures/", 404, ""},
	} {
		w := httptest.NewRecorder()
		a.picture(w, &http.Request{Method: tt.method, URL: &url.URL{Path: tt.path}, Header: http.Header{}})
		body, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		if w.Code != tt.code || tt.code == 200 && (string(body) != tt.body || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s %s: %d %q %v", tt.method, tt.path, w.Code, body, w.Header())
		}
	}
	a.attached = false
	if _, ok := a.Album(time.Now()); ok {
		t.Error("pictures that nobody serves have an address")
	}
}
