package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact/promote"
)

// program finds a program tests need: without it they are skipped, but fail
// where everything must be there.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: run scripts/setup", name)
	}
	t.Skipf("skipped: needs %s, run scripts/setup", name)
	return ""
}

// dockerRegistry starts Debian's docker-registry on a free port. settings are
// added to its environment.
func dockerRegistry(t testing.TB, settings ...string) *shop {
	t.Helper()
	path := program(t, "docker-registry")
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yml")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s, maxthreads: 100}\n  delete: {enabled: true}\nhttp: {addr: %s}\n", filepath.Join(folder, "data"), addr)
	text += strings.Join(settings, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it says that it was killed
	})
	answers(t, "http://"+addr+"/v2/")
	return &shop{Server: reached("http://" + addr), host: addr}
}

// answers waits until an address answers at all.
func answers(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer", url)
		}
	}
}

// stockUp pushes small images to a registry: repositories times tags, each with
// a config and a layer of its own, and returns the manifest that promotes them.
func stockUp(t testing.TB, s *shop, target string, repositories, tags int) promote.Manifest {
	t.Helper()
	m := from(s.host+"/staging", target+"/prod")
	var g errgroup.Group
	g.SetLimit(16)
	digests := make([]artifactDigest, repositories*tags)
	for n := range digests {
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = errors.New(fmt.Sprint(p))
				}
			}()
			repo := fmt.Sprintf("staging/app%03d", n/tags)
			digests[n] = s.pushImage(t, repo, fmt.Sprint(n), [][]byte{random(fmt.Sprint(n), 1000)}, fmt.Sprintf("v%d", n%tags))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for n, d := range digests {
		m = with(m, fmt.Sprintf("app%03d", n/tags), d, fmt.Sprintf("v%d", n%tags))
	}
	return m
}
