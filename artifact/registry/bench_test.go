package registry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"seaworthy/artifact/registry"
)

// contenders are the registries that benchmarks run against: this one, and
// docker-registry where it is installed.
func contenders(b *testing.B, run func(b *testing.B, host string)) {
	b.Run("seaworthy", func(b *testing.B) { run(b, serve(b, open(b, registry.Options{}))) })
	b.Run("docker-registry", func(b *testing.B) { run(b, dockerRegistry(b)) })
}

// pooled keeps connections, as clients that copy many images do.
func pooled(b *testing.B) *http.Client {
	b.Helper()
	t := &http.Transport{MaxIdleConnsPerHost: 16}
	b.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func send(b *testing.B, c *http.Client, status int, method, url string, body []byte, contentType string) http.Header {
	r, err := http.NewRequestWithContext(b.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Accept", imageType)
	answer, err := c.Do(r)
	if err != nil {
		b.Error(err)
		return http.Header{}
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.Body.Close() != nil || answer.StatusCode != status {
		b.Errorf("%s %s: %s %s (%v)", method, url, answer.Status, text, err)
	}
	return answer.Header
}

// BenchmarkPush pushes images of a config and a layer of 1 KiB each, eight at a
// time, every one into a repository of its own: two uploads of two requests,
// and a manifest by tag.
func BenchmarkPush(b *testing.B) {
	contenders(b, func(b *testing.B, host string) {
		c := pooled(b)
		var n atomic.Int64
		b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				pushSmall(b, c, host, "img"+strconv.FormatInt(n.Add(1), 10))
			}
		})
		b.ReportMetric(5, "requests/op")
	})
}

func pushSmall(b *testing.B, c *http.Client, host, repo string) {
	at := "http://" + host
	config, layer := bytes.Repeat([]byte(repo+"c"), 100), bytes.Repeat([]byte(repo+"l"), 100)
	for _, blob := range [][]byte{config, layer} {
		where := send(b, c, 202, "POST", at+"/v2/"+repo+"/blobs/uploads/", nil, "").Get("Location")
		if strings.HasPrefix(where, "/") {
			where = at + where
		}
		join := "?"
		if strings.Contains(where, "?") {
			join = "&"
		}
		send(b, c, 201, "PUT", where+join+"digest="+sha256Of(blob), blob, "application/octet-stream")
	}
	send(b, c, 201, "PUT", at+"/v2/"+repo+"/manifests/v1", []byte(manifestOf(config, layer)), imageType)
}

// BenchmarkPull reads a small image: its manifest by tag and two blobs.
func BenchmarkPull(b *testing.B) {
	contenders(b, func(b *testing.B, host string) {
		c := pooled(b)
		pushSmall(b, c, host, "img")
		at := "http://" + host + "/v2/img/"
		config, layer := sha256Of(bytes.Repeat([]byte("imgc"), 100)), sha256Of(bytes.Repeat([]byte("imgl"), 100))
		b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(b, c, 200, "GET", at+"manifests/v1", nil, "")
				send(b, c, 200, "GET", at+"blobs/"+config, nil, "")
				send(b, c, 200, "GET", at+"blobs/"+layer, nil, "")
			}
		})
		b.ReportMetric(3, "requests/op")
	})
}

// noise is a stream of so many bytes that do not repeat, and its digest.
func noise(size int64) (func() io.Reader, string, error) {
	body := func() io.Reader {
		return io.LimitReader(rand.NewChaCha8([32]byte([]byte("noise noise noise noise noise no"))), size)
	}
	h := sha256.New()
	_, err := io.Copy(h, body())
	return body, "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

// BenchmarkLargeBlob pushes and pulls a blob of 256 MiB, as docker does: POST,
// PATCH, PUT, GET.
func BenchmarkLargeBlob(b *testing.B) {
	const size = 256 << 20
	body, digest, err := noise(size)
	if err != nil {
		b.Fatal(err)
	}
	contenders(b, func(b *testing.B, host string) {
		at := "http://" + host
		b.SetBytes(2 * size)
		for i := range b.N {
			repo := fmt.Sprintf("big%d", i)
			if _, err := pushStream(at, repo, digest, body()); err != nil {
				b.Fatal(err)
			}
			answer, err := http.Get(at + "/v2/" + repo + "/blobs/" + digest)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
				b.Fatalf("%d bytes, %v", n, err)
			}
			if err := answer.Body.Close(); err != nil {
				b.Fatal(err)
			}
			if _, err := must(202, "DELETE", at+"/v2/"+repo+"/blobs/"+digest, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func pushStream(at, repo, digest string, body io.Reader) (time.Duration, error) {
	began := time.Now()
	answer, err := must(202, "POST", at+"/v2/"+repo+"/blobs/uploads/", nil)
	if err != nil {
		return 0, err
	}
	for _, step := range []struct {
		method, query string
		body          io.Reader
		status        int
	}{{"PATCH", "", body, 202}, {"PUT", "digest=" + digest, nil, 201}} {
		where := answer.Header.Get("Location")
		if strings.HasPrefix(where, "/") {
			where = at + where
		}
		if step.query != "" {
			join := "?"
			if strings.Contains(where, "?") {
				join = "&"
			}
			where += join + step.query
		}
		if answer, err = must(step.status, step.method, where, step.body); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// TestMemory pushes a blob into a process of its own, streamed, in chunks and
// in one piece, pulls it, and looks how much memory that process has had at
// most. The blob has 256 MiB, or SEAWORTHY_LARGE_BLOB MiB.
func TestMemory(t *testing.T) {
	t.Parallel()
	size := int64(256 << 20)
	if text := os.Getenv("SEAWORTHY_LARGE_BLOB"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		size = int64(n) << 20
	}
	body, digest, err := noise(size)
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, t.TempDir(), 0)
	at := "http://" + p.host
	took, err := pushStream(at, "a", digest, body())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := must(202, "POST", at+"/v2/b/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	where, rest := at+answer.Header.Get("Location"), body()
	for from := int64(0); from < size; from += size / 4 {
		if _, err := must(202, "PATCH", where, io.LimitReader(rest, size/4)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := must(201, "PUT", where+"?digest="+digest, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := must(201, "POST", at+"/v2/c/blobs/uploads/?digest="+digest, body()); err != nil {
		t.Fatal(err)
	}
	read, err := http.Get(at + "/v2/a/blobs/" + digest)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, read.Body); n != size || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if err := read.Body.Close(); err != nil {
		t.Fatal(err)
	}
	peak := peakMemory(t, p.cmd.Process.Pid)
	p.kill()
	t.Logf("a blob of %d MiB, streamed in %v: %d MiB of memory at most, %v of processor time for three pushes and a pull", size>>20, took.Round(time.Millisecond), peak>>20,
		(p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Round(time.Millisecond))
	// Much more than it takes, for the race detector needs several times as
	// much, and less than the blob.
	if peak > 160<<20 {
		t.Errorf("the registry had %d MiB of memory for a blob of %d", peak>>20, size>>20)
	}
}

// peakMemory is the most memory a process has had in use so far.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("skipped: this system does not tell how much memory a process had")
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no peak in %s", text)
	return 0
}
