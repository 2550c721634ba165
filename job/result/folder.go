package result

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// OpenFolder opens a folder as a bucket that can only be read, whose keys are
// the names of its files. Whoever may write into the folder cannot lead a reader
// out of it, nor keep one waiting: a symbolic link is followed to a file within
// the folder, and what it leads to elsewhere, a named pipe, a device, a socket
// or a file nobody may read gives an error that wraps ErrUnreadable. Links to
// folders are not followed below the folder that is listed, since they may go in
// circles.
//
// Other than of a bucket that stores objects in files, a listing with the
// delimiter / reads one folder, whatever is below it, and names empty ones, too.
func OpenFolder(dir string) (*blob.Bucket, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s: %w", dir, err)
	}
	return blob.NewBucket(&folder{root}), nil
}

// ErrUnreadable: something is there, but nothing that can be read as a file.
var ErrUnreadable = errors.New("it is no file that can be read here")

var errReadOnly = errors.New("the folder is only read from")

// folder is a driver.Bucket.
type folder struct{ root *os.Root }

const (
	folderPage  = 50_000 // objects in a page of a listing
	folderDepth = 100    // folders within each other that are looked into
)

// name is the file of a key.
func (f *folder) name(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." {
		return "", fmt.Errorf("%.100q names no file: %w", key, fs.ErrNotExist)
	}
	return filepath.FromSlash(key), nil
}

// unreadable tells a fault of what is stored from one of the machine, such as
// too many open files, after which it is to be read again.
func unreadable(err error) error {
	var number syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.Is(err, fs.ErrPermission), !errors.As(err, &number): // os.Root's word for a way out
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	case slices.Contains([]syscall.Errno{syscall.ELOOP, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ENXIO}, number):
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return err
}

func (f *folder) stat(key string) (fs.FileInfo, string, error) {
	name, err := f.name(key)
	if err != nil {
		return nil, "", err
	}
	info, err := f.root.Stat(name)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, "", unreadable(err)
	}
	return info, name, nil
}

// regular objects to what is no file. A folder is nothing: keys are of files.
func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a folder: %w", info.Name(), fs.ErrNotExist)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is a pipe, a socket or a device: %w", info.Name(), ErrUnreadable)
	}
	return nil
}

// open opens the file of a key, and waits for nobody to write into a pipe that
// has come into its place.
func (f *folder) open(key string) (*os.File, fs.FileInfo, error) {
	_, name, err := f.stat(key) // a device may do something when it is opened
	if err != nil {
		return nil, nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// ErrorCode implements driver.Bucket.
func (f *folder) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case errors.Is(err, errReadOnly):
		return gcerrors.Unimplemented
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket.
func (f *folder) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (f *folder) ErrorAs(error, any) bool { return false }

// Close implements driver.Bucket.
func (f *folder) Close() error { return f.root.Close() }

// Attributes implements driver.Bucket.
func (f *folder) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	info, _, err := f.stat(key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{ModTime: info.ModTime(), Size: info.Size()}, nil
}

// NewRangeReader implements driver.Bucket.
func (f *folder) NewRangeReader(_ context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	file, info, err := f.open(key)
	if err != nil {
		return nil, err
	}
	if offset > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	r := &folderReader{Reader: file, file: file, about: driver.ReaderAttributes{ModTime: info.ModTime(), Size: info.Size()}}
	if length >= 0 {
		r.Reader = io.LimitReader(file, length)
	}
	return r, nil
}

type folderReader struct {
	io.Reader
	file  *os.File
	about driver.ReaderAttributes
}

func (r *folderReader) Close() error                         { return r.file.Close() }
func (r *folderReader) As(any) bool                          { return false }
func (r *folderReader) Attributes() *driver.ReaderAttributes { return &r.about }

// NewTypedWriter implements driver.Bucket.
func (f *folder) NewTypedWriter(context.Context, string, string, *driver.WriterOptions) (driver.Writer, error) {
	return nil, errReadOnly
}

// Copy implements driver.Bucket.
func (f *folder) Copy(context.Context, string, string, *driver.CopyOptions) error { return errReadOnly }

// Delete implements driver.Bucket.
func (f *folder) Delete(context.Context, string, *driver.DeleteOptions) error { return errReadOnly }

// SignedURL implements driver.Bucket.
func (f *folder) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errReadOnly
}

// ListPaged implements driver.Bucket: keys in their order, of which a folder
// that cannot be looked into is one, with a size of -1.
func (f *folder) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.Delimiter != "" && o.Delimiter != "/" {
		return nil, fmt.Errorf("a folder cannot be listed by %q", o.Delimiter)
	}
	l := lister{folder: f, after: string(o.PageToken), flat: o.Delimiter != "", most: o.PageSize}
	if l.most <= 0 {
		l.most = folderPage
	}
	dir, name := path.Split(o.Prefix)
	if dir != "" && !fs.ValidPath(strings.TrimSuffix(dir, "/")) {
		return &l.page, nil
	}
	entries, err := f.entries(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &l.page, nil
	}
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), name) })
	if err := l.list(ctx, dir, entries, 0); err != nil {
		return nil, err
	}
	return &l.page, nil
}

// entries are what is in a folder, which is "" or ends in a slash, in the order
// of their keys: a folder counts as its name with a slash.
func (f *folder) entries(dir string) ([]fs.DirEntry, error) {
	file, err := f.root.OpenFile(filepath.FromSlash(path.Join(".", dir)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(err)
	}
	entries, err := file.ReadDir(-1)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		n := min(len(a.Name()), len(b.Name()))
		return cmp.Or(strings.Compare(a.Name()[:n], b.Name()[:n]), following(a, n)-following(b, n))
	})
	return entries, nil
}

// following is the byte of an entry's key after n of its name, -1 if there is none.
func following(e fs.DirEntry, n int) int {
	switch name := e.Name(); {
	case n < len(name):
		return int(name[n])
	case e.IsDir():
		return '/'
	}
	return -1
}

func keyOf(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// lister makes one page of a listing.
type lister struct {
	*folder
	after string // the last key of the page before
	flat  bool   // name folders, and do not look into them
	most  int
	page  driver.ListPage
}

func (l *lister) list(ctx context.Context, dir string, entries []fs.DirEntry, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range entries {
		key := dir + keyOf(e)
		if l.after != "" && key <= l.after && (l.flat || !strings.HasPrefix(l.after, key) || !e.IsDir()) {
			continue
		}
		switch {
		case !e.IsDir():
			l.add(l.file(key, e))
		case l.flat:
			l.add(&driver.ListObject{Key: key, IsDir: true})
		default:
			if err := l.within(ctx, key, depth+1); err != nil {
				return err
			}
		}
		if l.page.NextPageToken != nil {
			return nil
		}
	}
	return nil
}

// within lists a folder below another. One that is gone by now has nothing.
func (l *lister) within(ctx context.Context, dir string, depth int) error {
	var entries []fs.DirEntry
	err := fmt.Errorf("%d folders in each other: %w", depth, ErrUnreadable)
	if depth <= folderDepth {
		entries, err = l.entries(dir)
	}
	switch name := strings.TrimSuffix(dir, "/"); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, ErrUnreadable) && name > l.after:
		l.add(&driver.ListObject{Key: name, Size: -1})
		return nil
	case errors.Is(err, ErrUnreadable):
		return nil
	case err != nil:
		return err
	}
	return l.list(ctx, dir, entries, depth)
}

func (l *lister) add(o *driver.ListObject) {
	if len(l.page.Objects) == l.most {
		l.page.NextPageToken = []byte(l.page.Objects[l.most-1].Key)
		return
	}
	l.page.Objects = append(l.page.Objects, o)
}

// file is what a listing says of a file; of one that cannot be read, or is gone
// since, there is no more than its name.
func (l *lister) file(key string, e fs.DirEntry) *driver.ListObject {
	o := &driver.ListObject{Key: key}
	var info fs.FileInfo
	var err error
	if e.Type()&fs.ModeSymlink != 0 {
		info, err = l.root.Stat(filepath.FromSlash(key))
	} else {
		info, err = e.Info()
	}
	if err == nil && info.Mode().IsRegular() {
		o.Size, o.ModTime = info.Size(), info.ModTime()
	}
	return o
}
