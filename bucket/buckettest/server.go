package buckettest

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the owner of every bucket of S3 signs with.
const (
	Key    = "tests"
	Secret = "not-a-secret"
)

// patience bounds the wait for a server to answer.
const patience = time.Minute

// Server is a server of buckets that runs until the test ends.
type Server struct {
	Proxy   *Proxy
	address func(bucket string) string
}

// Address is the URL of a bucket, as bucket.Open takes it.
func (s *Server) Address(bucket string) string { return s.address(bucket) }

// S3 starts a server with the named buckets, and has this process know the key of
// their owner. The test cannot be parallel.
func S3(t testing.TB, buckets ...string) *Server {
	t.Helper()
	program := find(t, "versitygw", "bin")
	data, meta := t.TempDir(), t.TempDir()
	mkdirs(t, data, buckets)
	addr := free(t)
	start(t, addr, program, "--port", addr, "--access", Key, "--secret", Secret, "--quiet", "posix", "--sidecar", meta, data)
	t.Setenv("AWS_ACCESS_KEY_ID", Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", Secret)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	p := NewProxy(t, "http://"+addr)
	return &Server{p, func(bucket string) string {
		return "s3://" + bucket + "?use_path_style=true&endpoint=" + url.QueryEscape(p.URL)
	}}
}

// GCS is S3 for Google's storage. This process takes it for that from now on.
func GCS(t testing.TB, buckets ...string) *Server {
	t.Helper()
	program := find(t, "fake-gcs-server", "bin")
	seed := t.TempDir()
	mkdirs(t, seed, buckets)
	addr := free(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	p := NewProxy(t, "http://"+addr)
	start(t, addr, program, "-backend", "memory", "-scheme", "http", "-host", host, "-port", port, "-data", seed,
		"-external-url", p.URL, "-public-host", strings.TrimPrefix(p.URL, "http://"), "-log-level", "error")
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(p.URL, "http://"))
	return &Server{p, func(bucket string) string { return "gs://" + bucket }}
}

func mkdirs(t testing.TB, dir string, buckets []string) {
	t.Helper()
	for _, b := range buckets {
		if err := os.Mkdir(filepath.Join(dir, b), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// find returns the program that scripts/setup has built.
func find(t testing.TB, name string, folder ...string) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "seaworthy").Output()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(strings.TrimSpace(string(root)), filepath.Join(folder...), name)
	if _, err := os.Stat(program); err != nil {
		if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
			t.Fatalf("needs %s: run BUCKETS=1 scripts/setup", name)
		}
		t.Skipf("skipped: needs %s, run BUCKETS=1 scripts/setup", name)
	}
	return program
}

// free is an address on this machine that nobody listens on.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// start runs a program until the test ends, and waits until it answers.
func start(t testing.TB, addr, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err == nil { // it keeps nothing that anybody wants
			<-ended
		}
	})
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		r, err := http.Get("http://" + addr + "/")
		if err == nil {
			if err := r.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-again.C:
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", filepath.Base(program), err, said.String())
		case <-over.C:
			t.Fatalf("%s does not answer: %v", filepath.Base(program), err)
		}
	}
}
