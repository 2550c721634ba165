package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"seaworthy/artifact"
)

// Archiver gives the tree of a commit as a tar; git.Repository is one.
type Archiver interface {
	Archive(ctx context.Context, rev, prefix string, w io.Writer) error
}

// Source packs the source tree of the request's commit as
// NAME_VERSION_source.tar.gz. Of the request it needs Name, Version, Commit and
// OutDir.
func Source(ctx context.Context, repo Archiver, req Request) (artifact.Artifact, error) {
	packed, err := SourceArchives(ctx, repo, req, TarGz)
	if err != nil {
		return artifact.Artifact{}, err
	}
	return packed[0], nil
}

// SourceArchives is Source in the formats named, all from one reading of the
// tree. They appear together or not at all.
func SourceArchives(ctx context.Context, repo Archiver, req Request, formats ...Format) (packed []artifact.Artifact, err error) {
	if err := checkFormats(formats); err != nil {
		return nil, fmt.Errorf("packing the source: %w", err)
	}
	for _, f := range formats {
		if !f.archive() {
			return nil, fmt.Errorf("packing the source: it cannot be handed out as %s", f)
		}
	}
	s, err := openStaging(req.OutDir)
	if err != nil {
		return nil, err
	}
	defer s.remove(&err)
	stem := req.stem(artifact.Platform{})
	files, err := s.pack(ctx, formats, func(f Format) string { return stem + "_source." + string(f) }, func(put func(header) (io.Writer, error)) error {
		return repack(ctx, put, func(w io.Writer) error { return repo.Archive(ctx, req.Commit, stem+"/", w) })
	})
	if err != nil {
		return nil, fmt.Errorf("packing the source of %s %s: %w", req.Name, req.Version, err)
	}
	for _, f := range files {
		packed = append(packed, f.artifact(artifact.Source, artifact.Platform{}))
	}
	artifact.Sort(packed)
	return packed, s.publish(packed)
}

// repack reads a tar while it is written and puts its files and links into
// archives with modes, owners and order of our own: those of git hang on its
// configuration.
func repack(ctx context.Context, put func(header) (io.Writer, error), write func(io.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		written <- err
		w.CloseWithError(err)
	}()
	err := putAll(tar.NewReader(r), put)
	if err == nil {
		// The writer may still have the end of its last block to write.
		_, err = io.Copy(io.Discard, r)
	}
	r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	// What stops the writer reaches us through the pipe, but for a failure after
	// its last byte.
	if failed := <-written; err == nil {
		err = failed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func putAll(tr *tar.Reader, put func(header) (io.Writer, error)) error {
	for {
		th, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h := header{name: th.Name, mode: 0o644, size: th.Size, when: th.ModTime}
		switch th.Typeflag {
		case tar.TypeReg:
			if th.Mode&0o111 != 0 {
				h.mode = 0o755
			}
		case tar.TypeSymlink:
			h.link, h.size = th.Linkname, 0
		case tar.TypeXGlobalHeader:
			h.commit = th.PAXRecords["comment"] // git notes the commit so
		case tar.TypeDir:
			continue // folders are made for the files in them
		default:
			return fmt.Errorf("%s is of type %q", th.Name, th.Typeflag)
		}
		w, err := put(h)
		if err != nil {
			return fmt.Errorf("packing %s: %w", h.name, err)
		}
		if _, err := io.Copy(w, tr); err != nil {
			return fmt.Errorf("packing %s: %w", h.name, err)
		}
	}
}
