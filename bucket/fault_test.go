package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// refuser answers every request in one way.
func refuser(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(body, "{") {
			w.Header().Set("Content-Type", "application/json")
		} else {
			w.Header().Set("Content-Type", "application/xml")
		}
		if _, code, ok := strings.Cut(body, "<Code>"); ok {
			code, _, _ = strings.Cut(code, "<")
			w.Header().Set("x-ms-error-code", code)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func s3Answer(code string) string {
	return `<?xml version="1.0"?><Error><Code>` + code + `</Code><Message>No.</Message></Error>`
}

func googleAnswer(status int, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":"no","message":%[2]q}]}}`, status, message)
}

// opened is a bucket of each service at an address, with the patience of a test.
func opened(t *testing.T, scheme, at string) *blob.Bucket {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	address := scheme + "://ci"
	switch scheme {
	case "s3":
		address += "?region=eu-west-1&use_path_style=true&endpoint=" + at
	case "gs":
		t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(at, "http://"))
	case "azblob":
		t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
		t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
		t.Setenv("AZURE_STORAGE_DOMAIN", strings.TrimPrefix(at, "http://"))
		t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
	}
	b, err := open(t.Context(), address, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// What a service refuses is said in one sentence, by listing and by reading alike,
// and never taken for something that is not there.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, scheme string
		status       int
		body, want   string
		code         gcerrors.ErrorCode
	}{
		{"key", "s3", 403, s3Answer("InvalidAccessKeyId"), "s3://ci does not accept the credentials (InvalidAccessKeyId): set AWS_ACCESS_KEY_ID", gcerrors.PermissionDenied},
		{"signature", "s3", 403, s3Answer("SignatureDoesNotMatch"), "does not accept the credentials (SignatureDoesNotMatch)", gcerrors.PermissionDenied},
		{"forbidden", "s3", 403, s3Answer("AccessDenied"), "s3://ci forbids this to the credentials in use (AccessDenied): give them the right to list and to read", gcerrors.PermissionDenied},
		{"bucket", "s3", 404, s3Answer("NoSuchBucket"), "there is no bucket s3://ci (NoSuchBucket): make it, or correct its name", gcerrors.InvalidArgument},
		{"region", "s3", 301, s3Answer("PermanentRedirect"), "s3://ci is in another region than the one asked (PermanentRedirect): set AWS_REGION", gcerrors.InvalidArgument},
		{"busy", "s3", 503, s3Answer("SlowDown"), "s3://ci is too busy to answer, after several attempts (SlowDown): try again", gcerrors.ResourceExhausted},
		{"key", "gs", 401, googleAnswer(401, "Invalid Credentials"), "gs://ci does not accept the credentials (401): set GOOGLE_APPLICATION_CREDENTIALS", gcerrors.PermissionDenied},
		{"forbidden", "gs", 403, googleAnswer(403, "does not have storage.objects.get access"), "gs://ci forbids this to the credentials in use (403)", gcerrors.PermissionDenied},
		{"busy", "gs", 503, googleAnswer(503, "Backend Error"), "gs://ci is too busy to answer, after several attempts", gcerrors.ResourceExhausted},
		{"key", "azblob", 403, s3Answer("AuthenticationFailed"), "azblob://ci does not accept the credentials (AuthenticationFailed): set AZURE_STORAGE_ACCOUNT", gcerrors.PermissionDenied},
		{"forbidden", "azblob", 403, s3Answer("AuthorizationPermissionMismatch"), "azblob://ci forbids this to the credentials in use (AuthorizationPermissionMismatch)", gcerrors.PermissionDenied},
		{"bucket", "azblob", 404, s3Answer("ContainerNotFound"), "there is no container azblob://ci (ContainerNotFound): make it, or correct its name or the account", gcerrors.InvalidArgument},
	} {
		t.Run(c.scheme+" "+c.name, func(t *testing.T) {
			b := opened(t, c.scheme, refuser(t, c.status, c.body))
			_, listing := b.List(&blob.ListOptions{Prefix: "logs/"}).Next(t.Context())
			_, reading := b.ReadAll(t.Context(), "logs/1/started.json")
			for what, err := range map[string]error{"listing": listing, "reading": reading} {
				if err == nil || !strings.Contains(err.Error(), c.want) || gcerrors.Code(err) != c.code || strings.Contains(err.Error(), "\n") || len(err.Error()) > 450 {
					t.Errorf("%s: %v (%v)", what, err, gcerrors.Code(err))
				}
			}
			if err := b.WriteAll(t.Context(), "logs/1/started.json", []byte("{}"), nil); c.name != "busy" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("writing: %v", err)
			}
		})
	}
}

// An object that is not there is that, and nothing else.
func TestAbsent(t *testing.T) {
	for scheme, body := range map[string]string{"s3": s3Answer("NoSuchKey"), "gs": googleAnswer(404, "No such object"), "azblob": s3Answer("BlobNotFound")} {
		b := opened(t, scheme, refuser(t, http.StatusNotFound, body))
		if _, err := b.ReadAll(t.Context(), "logs/1/started.json"); gcerrors.Code(err) != gcerrors.NotFound {
			t.Errorf("%s: %v", scheme, err)
		}
		if there, err := b.Exists(t.Context(), "logs/1/started.json"); there || err != nil {
			t.Errorf("%s: %v, %v", scheme, there, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	at := s.URL
	s.Close()
	b := opened(t, "s3", at)
	if _, err := b.ReadAll(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "s3://ci cannot be reached") {
		t.Errorf("nobody there: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
	keyless, err := Open(t.Context(), "s3://ci?region=eu-west-1&use_path_style=true&endpoint="+at)
	if err != nil {
		t.Fatal(err)
	}
	defer keyless.Close()
	if _, err := keyless.ReadAll(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "s3://ci: no credentials were found: set AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials: %v", err)
	}
}

// A service that is silent, before its answer or in the middle of it, is given up.
func TestSilent(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "half") {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
			_, _ = io.WriteString(w, "half of it")
			w.(http.Flusher).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(stop)
	b := opened(t, "s3", s.URL)
	for _, key := range []string{"none", "half"} {
		if _, err := b.ReadAll(t.Context(), key); err == nil || !strings.Contains(err.Error(), "s3://ci has not answered for 2s: look whether") {
			t.Errorf("%s: %v", key, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.ReadAll(ctx, "none"); !errors.Is(err, context.Canceled) {
		t.Errorf("of one who has gone: %v", err)
	}
}

// A service that is busy for a moment is asked again.
func TestBusyForAMoment(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, s3Answer("SlowDown"))
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		_, _ = io.WriteString(w, "content")
	}))
	defer s.Close()
	b := opened(t, "s3", s.URL)
	if text, err := b.ReadAll(t.Context(), "x"); string(text) != "content" || err != nil || asked.Load() != 2 {
		t.Errorf("%q, %v after %d requests", text, err, asked.Load())
	}
}
