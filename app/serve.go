package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"seaworthy/forge/local"
)

// patience is how long a folder that is locked by somebody who does not answer
// is waited for: a process that was killed while it started a program keeps the
// lock until that program runs, and one that has just begun has no address yet.
const patience = 3 * time.Second

// claim makes sure that one process at a time serves a folder. A command that
// attaches to a folder somebody serves takes over that server's address.
func (a *App) claim(ctx context.Context, attach bool) error {
	f, err := os.OpenFile(a.dir("lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("opening the lock of %s: %w", a.o.Dir, err)
	}
	url, err := a.lock(ctx, f)
	switch {
	case err == nil && url == "":
		a.closers = append(a.closers, closerFunc(func() error {
			// Closing alone lets a program that is being started right now keep
			// the lock until it runs.
			return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
		}), closerFunc(a.leave))
		return nil
	case err == nil && !attach:
		err = fmt.Errorf("a server runs on %s already, at %s; stop it, or choose another folder with --dir", a.o.Dir, url)
	case err == nil:
		a.attached, a.self = true, url
	}
	return errors.Join(err, f.Close())
}

// lock takes the lock, or returns the address of the server that has it.
func (a *App) lock(ctx context.Context, f *os.File) (url string, err error) {
	again := time.NewTicker(patience / 50)
	defer again.Stop()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		// The kernel drops the lock when the process ends, however it ends.
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return "", nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return "", fmt.Errorf("locking %s: %w", a.o.Dir, err)
		}
		url, err := Serving(ctx, a.o.Dir)
		if err == nil {
			return url, nil
		}
		select {
		case <-again.C:
		case <-over.C:
			return "", fmt.Errorf("another seaworthy works on %s and does not answer: %w; wait for it or stop it", a.o.Dir, err)
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for %s: %w", a.o.Dir, context.Cause(ctx))
		}
	}
}

// Exists reports whether a folder holds a platform's state.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "lock"))
	return err == nil
}

// leave removes a folder that was made in vain, while it is still claimed.
func (a *App) leave() error {
	if !a.abandoned {
		return nil
	}
	return os.RemoveAll(a.o.Dir)
}

// address is what a running server leaves in its folder for others to find.
type address struct {
	URL string `json:"url"`
}

func addressFile(dir string) string { return filepath.Join(dir, "server.json") }

// Serving returns where the server that runs on a folder answers. The error
// says that none does.
func Serving(ctx context.Context, dir string) (string, error) {
	text, err := os.ReadFile(addressFile(dir))
	if err != nil {
		return "", err
	}
	var at address
	if err := json.Unmarshal(text, &at); err != nil {
		return "", fmt.Errorf("reading %s: %w", addressFile(dir), err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URL+"/healthz", nil)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", addressFile(dir), err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", at.URL, answer.Status)
	}
	return at.URL, nil
}

// serve answers requests from now until Close.
func (a *App) serve(context.Context) error {
	if a.attached {
		return nil
	}
	// Requests outlive the context that opened the platform, and end with it
	// being closed.
	base, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(a.listener) }()
	a.closers = append(a.closers, closerFunc(func() error {
		cancel() // live streams end, the rest gets a moment
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}))
	return nil
}

// dispatch sends a request to the registry, the forge, the webhooks, the API of
// the grids or the pages.
func (a *App) dispatch(hooks, grids, pages http.Handler, forge *local.Forge) http.Handler {
	embedded := forge.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path+"/", registryPath):
			a.registry.ServeHTTP(w, r)
		case local.Serves(r.URL.Path):
			embedded.ServeHTTP(w, r)
		case r.URL.Path == hookPath && r.Method == http.MethodPost:
			hooks.ServeHTTP(w, r)
		case servesGrids(r.URL.Path):
			grids.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/"+picturesDir+"/"):
			a.picture(w, r)
		case r.URL.Path == publicKeyPath:
			w.Header().Set("Content-Type", "application/x-pem-file")
			http.ServeFile(w, r, a.dir(publicKeyFile))
		case r.URL.Path == "/healthz":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			if _, err := io.WriteString(w, "ok\n"); err != nil {
				a.o.Log.Debug("health", "error", err)
			}
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// servesGrids reports whether a path belongs to the API of the grids.
func servesGrids(path string) bool {
	for _, prefix := range []string{"/api/v1/", "/badge/", "/q/summary/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
