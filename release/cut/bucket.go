package cut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/flow"
)

// beating tells the flow, at each piece read, that a long copy goes on.
type beating struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (b beating) Read(p []byte) (int, error) {
	flow.Alive(b.ctx)
	return b.r.Read(p)
}

// errDiffers: there is a file of that name with other bytes.
var errDiffers = errors.New("is there with other bytes")

// stored reports whether key holds a's bytes: false if there is nothing, and
// errDiffers if there is something else. It reads what is there: a bucket's
// word for what it holds is not evidence.
func (s *Service) stored(ctx context.Context, key string, a artifact.Artifact) (bool, error) {
	attrs, err := s.Bucket.Attributes(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s in the bucket: %w", key, err)
	}
	if attrs.Size != a.Size {
		return false, fmt.Errorf("%s %w: %d bytes, not %d", key, errDiffers, attrs.Size, a.Size)
	}
	r, err := s.Bucket.NewReader(ctx, key, nil)
	if err != nil {
		return false, fmt.Errorf("reading %s from the bucket: %w", key, err)
	}
	defer r.Close()
	switch err := a.Verify(beating{ctx, r}); {
	case errors.Is(err, artifact.ErrMismatch):
		return false, fmt.Errorf("%s %w: %w", key, errDiffers, err)
	case err != nil:
		return false, fmt.Errorf("reading %s from the bucket: %w", key, err)
	}
	return true, nil
}

// put writes content, unless it is there already.
func (s *Service) put(ctx context.Context, key string, content []byte) error {
	if have, err := s.Bucket.ReadAll(ctx, key); err == nil && bytes.Equal(have, content) {
		return nil
	} else if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("reading %s from the bucket: %w", key, err)
	}
	if err := s.Bucket.WriteAll(ctx, key, content, &blob.WriterOptions{ContentType: contentType(key)}); err != nil {
		return fmt.Errorf("writing %s to the bucket: %w", key, err)
	}
	return nil
}

// A file is copied in pieces that fit a processor's cache, and so many of them may
// wait to be digested.
const (
	piece  = 256 << 10
	pieces = 8
)

// putFile uploads a file, and digests it on the way: bytes that are not a's never
// become an object. The cut reads every object of the stage back before it
// publishes one.
func (s *Service) putFile(ctx context.Context, key, file string, a artifact.Artifact) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return flow.Permanent(fmt.Errorf("%s is gone: resume the run, which makes it again: %w", a.Name, err))
	}
	defer f.Close()
	// A writer whose context ends before Close writes nothing.
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.Bucket.NewWriter(wctx, key, &blob.WriterOptions{ContentType: contentType(key)})
	if err != nil {
		return fmt.Errorf("writing %s to the bucket: %w", key, err)
	}
	sum, err := copyDigested(w, beating{ctx, f})
	if err == nil && sum != a.SHA256 {
		err = flow.Permanent(fmt.Errorf("%s %w than it was made with: stage anew", file, errDiffers))
	}
	if err != nil {
		cancel()
		// Its own error says only that it was told to stop.
		return fmt.Errorf("writing %s to the bucket: %w", key, errors.Join(err, lastWords(w.Close())))
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("writing %s to the bucket: %w", key, err)
	}
	attrs, err := s.Bucket.Attributes(ctx, key)
	if err == nil && attrs.Size != a.Size {
		err = fmt.Errorf("%d bytes arrived of %d", attrs.Size, a.Size)
	}
	if err != nil {
		return fmt.Errorf("looking at %s in the bucket: %w", key, err)
	}
	return nil
}

// lastWords are an error of closing what was cancelled, unless it only says so.
func lastWords(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// copyDigested copies r to w and returns the SHA-256, in hex, of what was copied.
// Copying and digesting go on side by side, and take as long as the slower one.
func copyDigested(w io.Writer, r io.Reader) (string, error) {
	sum, free, full := sha256.New(), make(chan []byte, pieces), make(chan []byte, pieces)
	for range pieces {
		free <- make([]byte, piece)
	}
	var digesting sync.WaitGroup
	digesting.Go(func() {
		for b := range full {
			sum.Write(b)
			free <- b[:piece]
		}
	})
	err := copyPieces(w, r, free, full)
	close(full)
	digesting.Wait()
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// copyPieces copies r to w by way of the free pieces, and hands each on.
func copyPieces(w io.Writer, r io.Reader, free <-chan []byte, full chan<- []byte) error {
	for b := range free {
		n, err := io.ReadFull(r, b)
		if _, werr := w.Write(b[:n]); werr != nil {
			return werr
		}
		full <- b[:n]
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil // not reached: free is never closed
}

// mustHold verifies what was just written.
func (s *Service) mustHold(ctx context.Context, key string, a artifact.Artifact) error {
	ok, err := s.stored(ctx, key, a)
	if err == nil && !ok {
		err = fmt.Errorf("%s is not in the bucket after it was written", key)
	}
	return err
}

// Staged is a stage in the bucket.
type Staged struct {
	Prefix       string          `json:"prefix"` // folder in the bucket
	BuildVersion string          `json:"build_version"`
	Version      string          `json:"version"`
	Manifest     artifact.Digest `json:"manifest"` // of manifest.json
	Files        int             `json:"files"`
}

// upload puts the files of a stage into the bucket and its manifest last. A
// stage of the same build that was made before is replaced: its archives are
// the same bytes, as building is reproducible, and its manifest goes first, so
// that nobody takes a mixture for a stage.
func (s *Service) upload(ctx context.Context, in product) (Staged, error) {
	p := in.Plan
	prefix := folder(flow.Mock(ctx), stageRoot, p.Repo, p.BuildVersion)
	manifest, err := artifact.Manifest{Name: p.Project.Name, Version: p.Version().String(), BuildVersion: p.BuildVersion,
		Commit: p.Commit, CommitTime: p.CommitTime, Artifacts: in.Artifacts}.Encode()
	if err != nil {
		return Staged{}, flow.Permanent(err)
	}
	measured, err := artifact.Measure(artifact.ManifestFile, artifact.Other, bytes.NewReader(manifest))
	if err != nil {
		return Staged{}, fmt.Errorf("measuring the manifest: %w", err)
	}
	key := path.Join(prefix, artifact.ManifestFile)
	if _, err := s.stored(ctx, key, measured); errors.Is(err, errDiffers) {
		flow.Logf(ctx, "replacing an earlier stage of %s", p.BuildVersion)
		if err := s.Bucket.Delete(ctx, key); err != nil {
			return Staged{}, fmt.Errorf("withdrawing the earlier stage: %w", err)
		}
	} else if err != nil {
		return Staged{}, err
	}
	if err := s.sweep(ctx, prefix+"/"); err != nil {
		return Staged{}, err
	}
	if err := s.putFiles(ctx, prefix, s.outputDir(ctx), in.Artifacts); err != nil {
		return Staged{}, err
	}
	if err := s.put(ctx, key, manifest); err != nil {
		return Staged{}, err
	}
	flow.Progress(ctx, "%s in %s", fileCount(len(in.Artifacts)), prefix)
	return Staged{Prefix: prefix, BuildVersion: p.BuildVersion, Version: p.Version().String(),
		Manifest: measured.Digest(), Files: len(in.Artifacts)}, nil
}

// uploads is how many files are uploaded at a time: copying one leaves a bucket
// on disk half idle, and one across a network nearly so.
const uploads = 2

// putFiles uploads what is in a folder, but for what is there already.
func (s *Service) putFiles(ctx context.Context, prefix, dir string, files []artifact.Artifact) error {
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, a := range files {
		g.Go(func() error {
			key := path.Join(prefix, a.Name)
			have, err := s.stored(ctx, key, a)
			if err != nil && !errors.Is(err, errDiffers) {
				return err
			}
			if !have {
				if err := s.putFile(ctx, key, filepath.Join(dir, a.Name), a); err != nil {
					return err
				}
				flow.Mark(ctx, "staged %s", a.Name)
			}
			flow.Progress(ctx, "%d of %d files", done.Add(1), len(files))
			return nil
		})
	}
	return g.Wait()
}

// halfWritten ends the names of files that a bucket on disk (gocloud.dev's
// fileblob) gives their own name once they are whole.
var halfWritten = regexp.MustCompile(`\.[0-9a-f]{16}\.tmp$`)

// sweep removes what a process that died was writing to the bucket: below a folder
// into which only this run writes ("release/o/n/v1.2.3/"), or beside a file that
// only this run writes ("release/o/n/stable.txt.").
func (s *Service) sweep(ctx context.Context, prefix string) error {
	keys, err := s.list(ctx, prefix)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !halfWritten.MatchString(key) {
			continue
		}
		if err := s.Bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("removing the half-written %s: %w", key, err)
		}
		flow.Logf(ctx, "removed %s, half-written by a process that died", path.Base(key))
	}
	return nil
}

// contentType is what a browser is told of a file.
func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, ".json"):
		return "application/json"
	case strings.HasSuffix(name, ".md"):
		return "text/markdown; charset=utf-8"
	case strings.HasSuffix(name, ".html"):
		return "text/html; charset=utf-8"
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return "application/gzip"
	case strings.HasSuffix(name, ".zip"):
		return "application/zip"
	case strings.HasSuffix(name, ".txt"), strings.HasSuffix(name, "SUMS"), strings.HasSuffix(name, ".sha256"), strings.HasSuffix(name, ".sha512"):
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
