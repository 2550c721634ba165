package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

// FileManifest asks for files to be in buckets.
type FileManifest struct {
	File  string // where it is written
	From  string // URL of the bucket, with a path
	To    []string
	Files []WantedFile
}

// WantedFile is one file of a manifest.
type WantedFile struct {
	Name   string // path below the bucket's URL
	Digest artifact.Digest
}

// FileState says how a file stands at one destination.
type FileState string

// States of files.
const (
	FileCopy    FileState = "copy"    // it is to be copied
	FilePresent FileState = "present" // it is there
	FileDiffers FileState = "differs" // another is there under its name: refused
	FileMissing FileState = "missing" // the source lacks it
	FileCopied  FileState = "copied"
	FileFailed  FileState = "failed"
)

// FileItem is one file at one destination.
type FileItem struct {
	Manifest string          `json:"manifest"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Name     string          `json:"name"`
	Digest   artifact.Digest `json:"digest"`
	Size     int64           `json:"size,omitempty"`
	State    FileState       `json:"state"`
	Why      string          `json:"why,omitempty"`
}

// FileOptions are how files are promoted.
type FileOptions struct {
	Open OpenBucket
	// Journal remembers which objects were read and found right, so that they
	// are not read again until they change.
	Journal  *Journal
	Parallel int            // files at once; 8 when zero
	Report   func(FileItem) // told of every file that was copied or failed; nil for nobody
	Now      func() time.Time
}

// FilePromotion is a promotion of files, planned and ready to be run.
type FilePromotion struct {
	Items []FileItem // by manifest, destination and name

	o       FileOptions
	buckets map[string]*blob.Bucket
	mu      sync.Mutex
}

// PrepareFiles looks at the buckets and plans what they lack. It changes
// nothing. Close what it returns.
func PrepareFiles(ctx context.Context, manifests []FileManifest, o FileOptions) (_ *FilePromotion, err error) {
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(FileItem) {}
	}
	made := &FilePromotion{o: o, buckets: map[string]*blob.Bucket{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, made.Close())
		}
	}()
	if err := made.open(ctx, manifests); err != nil {
		return nil, err
	}
	if err := made.clashes(); err != nil {
		return nil, err
	}
	if err := made.each(ctx, func(i *FileItem) { made.plan(ctx, i) }); err != nil {
		return nil, err
	}
	return made, nil
}

// open opens the buckets of the manifests and lists what they want.
func (p *FilePromotion) open(ctx context.Context, manifests []FileManifest) (err error) {
	for _, m := range manifests {
		for _, url := range append([]string{m.From}, m.To...) {
			if p.buckets[url] != nil {
				continue
			}
			if p.buckets[url], err = p.o.Open(ctx, url); err != nil {
				return fmt.Errorf("%s: %w", m.File, err)
			}
		}
		for _, to := range m.To {
			for _, f := range m.Files {
				if err := checkKey(f.Name); err != nil {
					return fmt.Errorf("%s: %w", m.File, err)
				}
				p.Items = append(p.Items, FileItem{Manifest: m.File, From: m.From, To: to, Name: f.Name, Digest: f.Digest})
			}
		}
	}
	return nil
}

// clashes refuses manifests that want two things under one name, and drops
// what is asked for twice.
func (p *FilePromotion) clashes() error {
	type target struct{ to, name string }
	seen := map[target]FileItem{}
	var once []FileItem
	for _, i := range p.Items {
		k := target{strings.TrimSuffix(i.To, "/"), i.Name}
		first, known := seen[k]
		switch {
		case known && first.Digest != i.Digest:
			return fmt.Errorf("%s and %s want different files as %s/%s: %s and %s", first.Manifest, i.Manifest, k.to, k.name, first.Digest, i.Digest)
		case !known:
			seen[k] = i
			once = append(once, i)
		}
	}
	p.Items = once
	return nil
}

func (p *FilePromotion) each(ctx context.Context, do func(*FileItem)) error {
	var g errgroup.Group
	g.SetLimit(p.o.Parallel)
	for n := range p.Items {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			do(&p.Items[n])
			return nil
		})
	}
	return g.Wait()
}

// plan looks how one file stands. What cannot be asked has failed, and keeps no
// other file from being promoted.
func (p *FilePromotion) plan(ctx context.Context, i *FileItem) {
	fail := func(err error) { i.State, i.Why = FileFailed, err.Error() }
	there, err := attributes(ctx, p.buckets[i.To], i.Name)
	if err != nil {
		fail(fmt.Errorf("looking at the destination: %w", err))
		return
	}
	if there != nil {
		i.Size = there.Size
		mark := shelfmark(there)
		if p.o.Journal.saw(object(i), i.Digest, mark, time.Time{}) {
			i.State = FilePresent
			return
		}
		have, err := sumOf(ctx, p.buckets[i.To], i.Name)
		switch {
		case err != nil:
			fail(fmt.Errorf("reading the destination: %w", err))
		case have != i.Digest:
			i.State, i.Why = FileDiffers, fmt.Sprintf("the destination has %s under this name: published files stay; publish it under a new name", have)
		default:
			i.State = FilePresent
			if err := p.note(i, mark); err != nil {
				fail(err)
			}
		}
		return
	}
	source, err := attributes(ctx, p.buckets[i.From], i.Name)
	switch {
	case err != nil:
		fail(fmt.Errorf("looking at the source: %w", err))
	case source == nil:
		i.State, i.Why = FileMissing, "the source does not have it"
	default:
		i.State, i.Size = FileCopy, source.Size
	}
}

// object is how the journal calls a file at its destination.
func object(i *FileItem) string { return strings.TrimSuffix(i.To, "/") + "/" + i.Name }

func (p *FilePromotion) note(i *FileItem, mark string) error {
	return p.o.Journal.note(entry{p.o.Now(), object(i), i.Digest, Checked, []string{mark}})
}

// Run copies what is to be copied. A file that fails keeps no other from being
// copied; it returns the context's error if that ended the run.
func (p *FilePromotion) Run(ctx context.Context) error {
	err := p.each(ctx, func(i *FileItem) {
		if i.State != FileCopy {
			return
		}
		if err := p.copy(ctx, i); err != nil {
			i.State, i.Why = FileFailed, err.Error()
		} else {
			i.State = FileCopied
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.o.Report(*i)
	})
	return errors.Join(err, p.o.Journal.sync())
}

func (p *FilePromotion) copy(ctx context.Context, i *FileItem) (err error) {
	r, err := p.buckets[i.From].NewReader(ctx, i.Name, nil)
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	there, err := putObject(ctx, p.buckets[i.To], i.Name, r, i.Digest, r.Size(), r.ContentType(), false)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	return p.note(i, shelfmark(there))
}

// Count returns how many files are in one of the states.
func (p *FilePromotion) Count(states ...FileState) int {
	n := 0
	for _, i := range p.Items {
		if slices.Contains(states, i.State) {
			n++
		}
	}
	return n
}

// Close closes the buckets.
func (p *FilePromotion) Close() error {
	var errs []error
	for _, b := range p.buckets {
		if b != nil {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}
