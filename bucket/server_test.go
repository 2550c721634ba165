package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/bucket"
	"seaworthy/bucket/buckettest"
)

// onServers runs a test on each server.
func onServers(t *testing.T, test func(t *testing.T, s *buckettest.Server, b *blob.Bucket)) {
	for name, start := range map[string]func(testing.TB, ...string) *buckettest.Server{"s3": buckettest.S3, "gs": buckettest.GCS, "azblob": buckettest.Azure} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "results")
			b, err := bucket.Open(t.Context(), s.Address("results"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}()
			test(t, s, b)
		})
	}
}

// Objects come back as they were written, whatever their names, and whole or not
// at all.
func TestObjects(t *testing.T) {
	onServers(t, func(t *testing.T, s *buckettest.Server, b *blob.Bucket) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16*12) // more than one part
		for key, text := range map[string][]byte{"logs/unit/1/started.json": []byte("{}"), "a b/ü+%.txt": []byte("x"), "empty": {}, "big": big} {
			if err := b.WriteAll(t.Context(), key, text, nil); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if got, err := b.ReadAll(t.Context(), key); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: %d bytes, %v", key, len(got), err)
			}
		}
		r, err := b.NewRangeReader(t.Context(), "big", 16, 8, nil)
		if err != nil {
			t.Fatal(err)
		}
		if part, err := io.ReadAll(r); string(part) != "01234567" || errors.Join(err, r.Close()) != nil {
			t.Errorf("a part: %q, %v", part, err)
		}
		if err := b.Copy(t.Context(), "copy", "big", nil); err != nil {
			t.Error(err)
		}
		if a, err := b.Attributes(t.Context(), "copy"); err != nil || a.Size != int64(len(big)) {
			t.Errorf("the copy: %v, %v", a, err)
		}
		if err := b.Delete(t.Context(), "copy"); err != nil {
			t.Error(err)
		}
		if there, err := b.Exists(t.Context(), "copy"); there || err != nil {
			t.Errorf("deleted: %v, %v", there, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.NewWriter(ctx, "half", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(big[:1<<20]); err != nil {
			t.Error(err)
		}
		cancel()
		if err := w.Close(); err == nil {
			t.Error("a write that was given up succeeds")
		}
		if there, err := b.Exists(t.Context(), "half"); there || err != nil {
			t.Errorf("of a write that was given up there is something: %v, %v", there, err)
		}
		if err := b.WriteAll(t.Context(), "empty", []byte("second"), &blob.WriterOptions{IfNotExist: true}); gcerrors.Code(err) != gcerrors.FailedPrecondition {
			t.Errorf("a second one, if there is none: %v", err)
		}
	})
}

// A listing that begins late is a request, however much there is before.
func TestBeginAt(t *testing.T) {
	onServers(t, func(t *testing.T, s *buckettest.Server, b *blob.Bucket) {
		within, err := bucket.Open(t.Context(), strings.Replace(s.Address("results"), "://results", "://results/below", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer within.Close()
		for i := range 30 {
			if err := within.WriteAll(t.Context(), fmt.Sprintf("logs/unit/20000000000000000%02d/started.json", i), []byte("{}"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := within.WriteAll(t.Context(), "logs/unit/2000000000000000027.txt", []byte("alias"), nil); err != nil {
			t.Fatal(err)
		}
		s.Proxy.Take()
		var names []string
		token := blob.FirstPageToken
		for token != nil {
			page, next, err := within.ListPage(t.Context(), token, 2, &blob.ListOptions{Prefix: "logs/unit/", Delimiter: "/",
				BeforeList: func(as func(any) bool) error { return bucket.BeginAt(as, "2000000000000000027") }})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				names = append(names, strings.TrimPrefix(o.Key, "logs/unit/20000000000000000"))
			}
			token = next
		}
		slices.Sort(names)
		azure := strings.HasPrefix(s.Address(""), "azblob") // which lists everything
		if azure {
			names = slices.DeleteFunc(names, func(n string) bool { return n < "27" })
		}
		if want := []string{"27.txt", "27/", "28/", "29/"}; !slices.Equal(names, want) {
			t.Errorf("got %v, want %v", names, want)
		}
		if n := s.Proxy.Take().Requests; n > 3 && !azure {
			t.Errorf("it took %d requests", n)
		}
	})
}

// Many who read at once keep connections. A few more are made than there are readers:
// one is free again a moment after what came over it has been read.
func TestConnections(t *testing.T) {
	onServers(t, func(t *testing.T, s *buckettest.Server, b *blob.Bucket) {
		if err := b.WriteAll(t.Context(), "x", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		s.Proxy.Delay(5 * time.Millisecond)
		s.Proxy.Take()
		failed := make(chan error, 50)
		for range cap(failed) {
			go func() {
				var all error
				for range 10 {
					_, err := b.ReadAll(t.Context(), "x")
					all = errors.Join(all, err)
				}
				failed <- all
			}()
		}
		for range cap(failed) {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		if c := s.Proxy.Take(); c.Requests != 500 || c.Connections > 400 {
			t.Errorf("%+v", c)
		}
	})
}

// What is wrong with a real server's key and bucket is said.
func TestWrongKeyAndBucket(t *testing.T) {
	s := buckettest.S3(t, "results")
	none, err := bucket.Open(t.Context(), s.Address("nothere"))
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if _, err := none.List(&blob.ListOptions{Prefix: "logs/"}).Next(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no bucket s3://nothere (NoSuchBucket)") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	b, err := bucket.Open(t.Context(), s.Address("results"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, what := range []error{
		func() error { _, err := b.ReadAll(t.Context(), "x"); return err }(),
		func() error { _, err := b.Exists(t.Context(), "x"); return err }(),
		b.WriteAll(t.Context(), "x", []byte("x"), nil),
	} {
		if what == nil || !strings.Contains(what.Error(), "s3://results") || gcerrors.Code(what) != gcerrors.PermissionDenied {
			t.Errorf("a wrong key: %v (%v)", what, gcerrors.Code(what))
		}
	}
	s.Proxy.Fail(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if _, err := b.ReadAll(t.Context(), "x"); gcerrors.Code(err) != gcerrors.PermissionDenied {
		t.Errorf("forbidden without a word: %v", err)
	}
}
