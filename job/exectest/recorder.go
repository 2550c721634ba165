package exectest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"seaworthy/job/exec"
)

// Recorder is a sink that keeps everything in memory. Its zero value is ready.
type Recorder struct {
	mu        sync.Mutex
	log       bytes.Buffer
	artifacts map[string]string
	changed   chan struct{} // closed and replaced when the log grows
}

var _ exec.Sink = (*Recorder)(nil)

// Write implements exec.Sink.
func (r *Recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Write(p)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return len(p), nil
}

// Artifact implements exec.Sink.
func (r *Recorder) Artifact(_ context.Context, name string, content io.Reader) error {
	data, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("reading artifact %s: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.artifacts == nil {
		r.artifacts = map[string]string{}
	}
	r.artifacts[name] = string(data)
	return nil
}

// Log returns the log so far.
func (r *Recorder) Log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// Artifacts returns the content of each artifact by name.
func (r *Recorder) Artifacts() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]string, len(r.artifacts))
	for k, v := range r.artifacts {
		all[k] = v
	}
	return all
}

// WaitFor returns when the log contains text, or the context's error.
func (r *Recorder) WaitFor(ctx context.Context, text string) error {
	for {
		r.mu.Lock()
		if bytes.Contains(r.log.Bytes(), []byte(text)) {
			r.mu.Unlock()
			return nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q in the log %q: %w", text, r.Log(), ctx.Err())
		}
	}
}
