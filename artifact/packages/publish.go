package packages

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
)

const (
	lockKey  = "publishing.lock"
	maxIndex = 512 << 20 // of what is read back of a repository, each file
)

// Publication says how packages are published.
type Publication struct {
	Channel string
	Name    string // what the repository calls itself, such as the project's name
	Signers Signers
	// Unsigned publishes without signatures, where no key is given. People
	// then must tell their package managers to trust whatever comes.
	Unsigned bool
	// Trusted keys besides the signing one may have signed what is there, and
	// are handed out with it: so a key is changed for another.
	Trusted openpgp.EntityList
	Time    time.Time
	// ValidFor is after how long apt refuses the index as stale; 0 is never.
	ValidFor time.Duration
	// BaseURL is where people reach the repository. With it, files are written
	// that tell apt and dnf all they need to know.
	BaseURL string
	Holder  string // who publishes, for the one who finds the lock
	// Mock looks and checks as always, and writes nothing: the report says what
	// would be added.
	Mock bool
}

// Report is what a publication did. Names are the repository's.
type Report struct {
	Channel string   `json:"channel"`
	Added   []string `json:"added"`
	Present []string `json:"present"` // were published before, the same bytes
	Written []string `json:"written"` // indexes and keys
	// Mock: nothing was added or written. Added is what would be.
	Mock bool `json:"mock,omitempty"`
}

// ErrLocked: another publisher is at work, or died at it.
var ErrLocked = errors.New("the repository is locked")

// ErrChanged: a published package would have to become another.
var ErrChanged = errors.New("is published already with other content: a published package never changes; raise the revision")

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (p Publication) check(files []*File) error {
	if err := artifact.CheckChannel(p.Channel); err != nil {
		return err
	}
	if !repositoryName.MatchString(p.Name) {
		return fmt.Errorf("%q cannot be a repository's name: write one word, such as the project's name", p.Name)
	}
	if p.Time.IsZero() {
		return errors.New("the time of the publication is not given")
	}
	for _, f := range files {
		switch {
		case f.Format == artifact.APK && p.Signers.APK == nil && !p.Unsigned:
			return fmt.Errorf("%s: no RSA key to sign the index of apk packages with", f.Name)
		case f.Format != artifact.APK && p.Signers.OpenPGP == nil && !p.Unsigned:
			return fmt.Errorf("%s: no OpenPGP key to sign the index with", f.Name)
		case f.Format == artifact.RPM && p.Signers.OpenPGP != nil:
			if err := f.signedBy(p.Signers.keyring(p.Trusted), p.Time); err != nil {
				return err
			}
		}
	}
	return nil
}

// signedBy checks an rpm's signature of its header, which holds the digest of
// all else. dnf asks for one where the repository is signed.
func (f *File) signedBy(keyring openpgp.EntityList, _ time.Time) error {
	if f.headerSignature == nil {
		return fmt.Errorf("%s is not signed, and dnf would refuse it: build it with the key", f.Name)
	}
	if _, err := openpgp.CheckDetachedSignature(keyring, bytes.NewReader(f.header.raw), bytes.NewReader(f.headerSignature), nil); err != nil {
		return fmt.Errorf("%s is not signed with the repository's key: %w", f.Name, err)
	}
	return nil
}

// Publish adds package files to a repository. What is there already stays. It
// fails with ErrLocked while another publishes, and with ErrChanged for a
// package whose name and version are taken.
func Publish(ctx context.Context, bucket *blob.Bucket, paths []string, p Publication) (_ *Report, err error) {
	p.Time = p.Time.UTC().Truncate(time.Second)
	var files []*File
	for _, path := range paths {
		f, err := Inspect(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if err := p.check(files); err != nil {
		return nil, err
	}
	s := &shelf{bucket: bucket, p: p, report: &Report{Channel: p.Channel, Added: []string{}, Present: []string{}, Written: []string{}, Mock: p.Mock}}
	if key := p.Signers.APK; key != nil {
		s.apk = append(s.apk, &key.key.PublicKey)
	}
	if p.Mock {
		if err := s.free(ctx); err != nil {
			return nil, err
		}
		return s.report, s.publish(ctx, files)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer func() {
		// Even an interrupted publisher unlocks.
		err = errors.Join(err, s.unlock(context.WithoutCancel(ctx)))
	}()
	return s.report, s.publish(ctx, files)
}

// steps are those of one kind of repository: put packages where nobody looks
// yet, and make them visible.
type steps struct {
	upload, finish func(context.Context) error
}

// publish reads and checks what is there before it writes anything, and has
// all packages in place before it makes any visible.
func (s *shelf) publish(ctx context.Context, files []*File) error {
	var all []steps
	for _, format := range artifact.PackageFormats() {
		those := slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.Format != format })
		if len(those) == 0 {
			continue
		}
		plan := map[artifact.PackageFormat]func(context.Context, []*File) (steps, error){artifact.Deb: s.apt, artifact.RPM: s.yum, artifact.APK: s.alpine}[format]
		one, err := plan(ctx, those)
		if err != nil {
			return fmt.Errorf("publishing %s packages to %s: %w", format, s.p.Channel, err)
		}
		all = append(all, one)
	}
	for _, one := range all {
		if err := one.upload(ctx); err != nil {
			return fmt.Errorf("publishing to %s: %w", s.p.Channel, err)
		}
	}
	if s.p.Mock {
		return nil
	}
	if err := s.holds(ctx); err != nil {
		return err
	}
	if err := s.putKeys(ctx); err != nil {
		return err
	}
	for _, one := range all {
		if err := one.finish(ctx); err != nil {
			return fmt.Errorf("publishing to %s: %w", s.p.Channel, err)
		}
	}
	return nil
}

// shelf is a repository being added to.
type shelf struct {
	bucket *blob.Bucket
	p      Publication
	report *Report
	token  string
	apk    []*rsa.PublicKey // whose signature on an apk index is believed
}

func (s *shelf) keyring() openpgp.EntityList { return s.p.Signers.keyring(s.p.Trusted) }

type lockNote struct {
	Holder  string    `json:"holder"`
	Started time.Time `json:"started"`
	Token   string    `json:"token"`
}

// lock writes the lock, which only one can. A bucket on disk does not promise
// that, so the lock is looked at again before anything becomes visible.
func (s *shelf) lock(ctx context.Context) error {
	s.token = rand.Text()
	note, err := json.Marshal(lockNote{Holder: s.p.Holder, Started: s.p.Time, Token: s.token})
	if err != nil {
		return err
	}
	err = s.bucket.WriteAll(ctx, lockKey, note, &blob.WriterOptions{IfNotExist: true, ContentType: "application/json"})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return s.lockedBy(ctx)
	}
	if err != nil {
		return fmt.Errorf("locking the repository: %w", err)
	}
	return s.holds(ctx)
}

// free looks that nobody has the lock.
func (s *shelf) free(ctx context.Context) error {
	locked, err := s.bucket.Exists(ctx, lockKey)
	if err != nil {
		return fmt.Errorf("looking for the repository's lock: %w", err)
	}
	if locked {
		return s.lockedBy(ctx)
	}
	return nil
}

func (s *shelf) lockedBy(ctx context.Context) error {
	var note lockNote
	if data, err := s.bucket.ReadAll(ctx, lockKey); err != nil || json.Unmarshal(data, &note) != nil {
		return fmt.Errorf("%w by another publisher: try again when it is done", ErrLocked)
	}
	return fmt.Errorf("%w by %s since %s: try again when it is done, or unlock the repository if it died", ErrLocked,
		or(note.Holder, "another publisher"), note.Started.Format(time.RFC3339))
}

// holds checks that the lock is still ours.
func (s *shelf) holds(ctx context.Context) error {
	var note lockNote
	data, err := s.bucket.ReadAll(ctx, lockKey)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("reading the repository's lock: %w", err)
	}
	if err == nil && json.Unmarshal(data, &note) == nil && note.Token == s.token {
		return nil
	}
	return fmt.Errorf("%w: another publisher took the lock over; publish again", ErrLocked)
}

func (s *shelf) unlock(ctx context.Context) error {
	if err := s.holds(ctx); err != nil {
		if errors.Is(err, ErrLocked) {
			return nil // not ours to remove
		}
		return err
	}
	if err := s.bucket.Delete(ctx, lockKey); err != nil {
		return fmt.Errorf("unlocking the repository: %w", err)
	}
	return nil
}

// Unlock removes the lock of a publisher that died. What it left half done is
// not visible, and is completed by publishing again. It returns who held it.
func Unlock(ctx context.Context, bucket *blob.Bucket) (holder string, err error) {
	data, err := bucket.ReadAll(ctx, lockKey)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", errors.New("the repository is not locked")
	}
	var note lockNote
	if err == nil && json.Unmarshal(data, &note) != nil {
		note.Holder = "unknown"
	}
	if err == nil {
		err = bucket.Delete(ctx, lockKey)
	}
	if err != nil {
		return "", fmt.Errorf("unlocking the repository: %w", err)
	}
	return note.Holder, nil
}

// read returns an object, and nil if it is not there.
func (s *shelf) read(ctx context.Context, key string) (data []byte, err error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.Size() > maxIndex {
		return nil, fmt.Errorf("reading %s: it has %d bytes, more than %d", key, r.Size(), int64(maxIndex))
	}
	data, err = io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

var contentTypesByExtension = map[string]string{".gz": "application/gzip", ".xz": "application/x-xz", ".xml": "application/xml", ".asc": "text/plain", ".gpg": "application/octet-stream"}

// put writes an object, unless it is there with the same bytes.
func (s *shelf) put(ctx context.Context, key string, data []byte) error {
	have, err := s.read(ctx, key)
	if err != nil {
		return err
	}
	if have != nil && bytes.Equal(have, data) {
		return nil
	}
	kind := or(contentTypesByExtension[path.Ext(key)], "text/plain; charset=utf-8")
	// Whoever caches an index must ask whether there is a newer one.
	if err := s.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: kind, CacheControl: "no-cache"}); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	s.report.Written = append(s.report.Written, key)
	return nil
}

// upload puts package files in place, a few at a time.
func (s *shelf) upload(ctx context.Context, files []*File, key func(*File) []string) error {
	type result struct {
		key   string
		added bool
	}
	var order []result
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	keys := map[string]*File{}
	for _, f := range files {
		for _, k := range key(f) {
			if other := keys[k]; other != nil && other.SHA256 != f.SHA256 {
				return fmt.Errorf("%s and %s are the same package with different content", other.Name, f.Name)
			} else if other != nil {
				continue
			}
			keys[k] = f
			order = append(order, result{key: k})
		}
	}
	for i := range order {
		group.Go(func() error {
			added, err := s.place(ctx, keys[order[i].key], order[i].key)
			order[i].added = added
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, r := range order {
		if r.added {
			s.report.Added = append(s.report.Added, r.key)
		} else {
			s.report.Present = append(s.report.Present, r.key)
		}
	}
	return nil
}

// place uploads one file and reports false if it was there.
func (s *shelf) place(ctx context.Context, f *File, key string) (added bool, err error) {
	have, err := s.digest(ctx, key)
	if err != nil {
		return false, err
	}
	if have == f.SHA256 {
		return false, nil
	}
	if have != "" {
		return false, fmt.Errorf("%s %w", key, ErrChanged)
	}
	if s.p.Mock {
		return true, nil
	}
	in, err := os.Open(f.path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", key, err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, sum), in)
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		err = fmt.Errorf("%s changed while it was published", f.path)
	}
	if err != nil {
		cancel() // closing then leaves nothing behind
	}
	closed := w.Close()
	if err == nil {
		err = closed
	}
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", key, err)
	}
	return true, nil
}

// digest returns the sha256 of an object, empty if it is not there.
func (s *shelf) digest(ctx context.Context, key string) (sum string, err error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("reading %s: %w", key, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// putKeys hands the public keys out.
func (s *shelf) putKeys(ctx context.Context) error {
	if key := s.p.Signers.OpenPGP; key != nil {
		asc, bare, err := publicKeys(s.keyring())
		if err != nil {
			return err
		}
		if err := errors.Join(s.put(ctx, "key.asc", asc), s.put(ctx, "key.gpg", bare)); err != nil {
			return err
		}
	}
	if key := s.p.Signers.APK; key != nil {
		public, err := key.Public()
		if err != nil {
			return err
		}
		return s.put(ctx, key.Name(), public)
	}
	return nil
}

func publicKeys(list openpgp.EntityList) (asc, bare []byte, err error) {
	var b bytes.Buffer
	for _, e := range list {
		if err := e.Serialize(&b); err != nil {
			return nil, nil, fmt.Errorf("writing an OpenPGP key: %w", err)
		}
	}
	asc, err = armored(openpgp.PublicKeyType, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
	return asc, b.Bytes(), err
}

// objectsBelow lists the keys of a folder, which ends in a slash.
func objectsBelow(ctx context.Context, bucket *blob.Bucket, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		list := bucket.List(&blob.ListOptions{Prefix: folder})
		for {
			o, err := list.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
			if !yield(o.Key, nil) {
				return
			}
		}
	}
}

// gzipped compresses without name or time.
func gzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
		err = errors.Join(err, w.Close())
	}
	return b.Bytes(), err
}

func gunzipped(data []byte) (out []byte, err error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err = io.ReadAll(io.LimitReader(r, maxIndex+1))
	if err == nil && len(out) > maxIndex {
		err = fmt.Errorf("it unpacks to more than %d bytes", int64(maxIndex))
	}
	return out, err
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
