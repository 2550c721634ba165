package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
)

// errAbsent: the bucket has no such object.
var errAbsent = errors.New("is not there")

// store is the bucket, below a prefix. An object appears in it whole, with its
// last byte, or not at all.
type store struct {
	bucket *blob.Bucket
	prefix string
	// step is called before and after each change, for tests that end the
	// process there.
	step func(what string)
}

func (s store) wrap(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%s %s: %w", what, key, errAbsent)
	}
	return fmt.Errorf("%s %s: %w", what, key, err)
}

// maxRecord bounds what is read into memory: a manifest with its media type.
const maxRecord = maxManifest + 1<<10

func (s store) read(ctx context.Context, key string) ([]byte, error) {
	r, err := s.open(ctx, key)
	if err != nil {
		return nil, err
	}
	if r.Size() > maxRecord {
		return nil, errors.Join(fmt.Errorf("reading %s: it has %d bytes, at most %d are expected", key, r.Size(), maxRecord), r.Close())
	}
	body := make([]byte, r.Size())
	_, err = io.ReadFull(r, body)
	return body, s.wrap("reading", key, errors.Join(err, r.Close()))
}

func (s store) open(ctx context.Context, key string) (*blob.Reader, error) {
	r, err := s.bucket.NewReader(ctx, s.prefix+key, nil)
	return r, s.wrap("reading", key, err)
}

func (s store) size(ctx context.Context, key string) (int64, error) {
	a, err := s.bucket.Attributes(ctx, s.prefix+key)
	if err != nil {
		return 0, s.wrap("looking at", key, err)
	}
	return a.Size, nil
}

// create writes an object. It appears when the writer is closed, unless the
// context has ended.
func (s store) create(ctx context.Context, key string) (*blob.Writer, error) {
	// Without a type the library would look at the first bytes to guess one.
	w, err := s.bucket.NewWriter(ctx, s.prefix+key, &blob.WriterOptions{ContentType: "application/octet-stream", DisableContentTypeDetection: true})
	return w, s.wrap("writing", key, err)
}

func (s store) write(ctx context.Context, key string, body []byte) error {
	s.step("write " + key)
	err := s.bucket.WriteAll(ctx, s.prefix+key, body, &blob.WriterOptions{ContentType: "application/octet-stream", DisableContentTypeDetection: true})
	s.step("wrote " + key)
	return s.wrap("writing", key, err)
}

func (s store) copy(ctx context.Context, to, from string) error {
	s.step("copy " + to)
	err := s.bucket.Copy(ctx, s.prefix+to, s.prefix+from, nil)
	s.step("copied " + to)
	return s.wrap("copying "+from+" to", to, err)
}

// remove takes an object away; one that is not there is fine.
func (s store) remove(ctx context.Context, key string) error {
	s.step("remove " + key)
	err := s.wrap("removing", key, s.bucket.Delete(ctx, s.prefix+key))
	s.step("removed " + key)
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// errStop ends a listing early.
var errStop = errors.New("enough")

// listTries is how often a listing is begun that the bucket cannot finish.
const listTries = 100

// list calls fn with every object below a prefix, in the order of their keys,
// which it gives without Options.Prefix. With a delimiter, what lies behind the
// next one counts as one object whose key ends in it.
//
// Where the bucket is a folder, a listing fails when a file goes while it is
// looked at, be it that an object just got its name. It is begun again then,
// and fn is not called twice for one key.
func (s store) list(ctx context.Context, prefix, delimiter string, fn func(key string, o *blob.ListObject) error) error {
	seen := map[string]bool{}
	for try := 1; ; try++ {
		objects := s.bucket.List(&blob.ListOptions{Prefix: s.prefix + prefix, Delimiter: delimiter})
		again, err := s.listOnce(ctx, objects, seen, fn)
		if again && try < listTries {
			continue
		}
		if errors.Is(err, errStop) {
			return nil
		}
		return s.wrap("listing", prefix, err)
	}
}

func (s store) listOnce(ctx context.Context, objects *blob.ListIterator, seen map[string]bool, fn func(key string, o *blob.ListObject) error) (again bool, err error) {
	for {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return gcerrors.Code(err) == gcerrors.NotFound, err
		}
		if seen[o.Key] {
			continue
		}
		seen[o.Key] = true
		if err := fn(strings.TrimPrefix(o.Key, s.prefix), o); err != nil {
			return false, err
		}
	}
}

// mark ends the names of objects that could be anything else before it. Where
// the bucket is a folder, a killed process leaves files whose names go on after
// the object's own; they are told apart by what a name must end in.
const mark = "@"

const (
	blobDir   = "blobs/"
	linkDir   = "links/"
	repoDir   = "repositories/"
	uploadDir = "uploads/"
)

// shelf is where digests with the same first two digits are, so that no folder
// has too many of them.
func shelf(d artifact.Digest) string { return string(d.Algorithm()) + "/" + d.Hex()[:2] + "/" }

func contentOf(d artifact.Digest) string { return blobDir + shelf(d) + d.Hex() }

func linksOf(d artifact.Digest) string { return linkDir + shelf(d) + d.Hex() + "/" }

// word is a digest as one part of a key.
func word(d artifact.Digest) string { return string(d.Algorithm()) + "-" + d.Hex() }

// linkOf marks that a repository has a blob. A comma is in no name.
func linkOf(repo string, d artifact.Digest) string {
	return linksOf(d) + strings.ReplaceAll(repo, "/", ",") + mark
}

// linkedRepo reads the name of the repository from a link's key.
func linkedRepo(key string) (string, bool) {
	name, ok := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], mark)
	name = strings.ReplaceAll(name, ",", "/")
	return name, ok && checkName(name) == nil
}

func manifestsOf(repo string) string { return repoDir + repo + "/_manifests/" }

func manifestKey(repo string, d artifact.Digest) string { return manifestsOf(repo) + word(d) }

func referrersOf(repo string, subject artifact.Digest) string {
	return repoDir + repo + "/_referrers/" + word(subject) + "/"
}

func tagsOf(repo string) string { return repoDir + repo + "/_tags/" }

func tagKey(repo, tag string) string { return tagsOf(repo) + tag + mark }

// digestAt reads the digest from the last word of a key.
func digestAt(key string) (artifact.Digest, bool) {
	algorithm, sum, _ := strings.Cut(key[strings.LastIndex(key, "/")+1:], "-")
	d, err := artifact.ParseDigest(algorithm + ":" + sum)
	return d, err == nil
}

// linked returns the size of a blob that a repository has, or errAbsent.
func (s store) linked(ctx context.Context, repo string, d artifact.Digest) (int64, error) {
	body, err := s.read(ctx, linkOf(repo, d))
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(body), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", linkOf(repo, d), err)
	}
	return size, nil
}

func (s store) link(ctx context.Context, repo string, d artifact.Digest, size int64) error {
	return s.write(ctx, linkOf(repo, d), strconv.AppendInt(nil, size, 10))
}
