package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"

	"seaworthy/bucket"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/signal"
)

// How often results elsewhere are looked for, and how long a page waits for
// results that have not been read.
const (
	signalEvery    = 5 * time.Minute
	signalFresh    = time.Second
	signalPatience = 3 * time.Second
)

// openSignal prepares the grids. A server keeps them in a folder of its cache
// and reads on while pages show what there is; a command reads to the end, and
// looks at what a server has kept.
func (a *App) openSignal(ctx context.Context) error {
	cache, err := openFolder(a.dir(cacheDir, "signal"))
	if err != nil {
		return err
	}
	from := &Results{own: a.Bucket}
	if a.alone == nil {
		if from.own, err = openToRead(ctx, a.bucketAddress); err != nil {
			return err
		}
		a.closers = append(a.closers, from.own)
	}
	o := signal.Options{
		Bucket: from.own, Jobs: func(ctx context.Context, repo forge.RepoName) (job.Config, error) { return a.jobs(ctx, repo, "") },
		Configured: a.dashboards, Open: from.Open, Begin: from.Begin, Cache: cache, Look: a.attached || a.alone != nil, Now: a.o.Now, Log: a.o.Log,
	}
	if !o.Look {
		o.Fresh, o.Patience = signalFresh, signalPatience
	}
	a.Signal = signal.New(o)
	a.closers = append(a.closers, cache, from, a.Signal)
	return nil
}

// runSignal reads results as runs finish, and those elsewhere every while.
func (a *App) runSignal(ctx context.Context) error {
	wake, stop := a.Hub.Subscribe(topicRuns)
	defer stop()
	return a.Signal.Run(ctx, signalEvery, wake)
}

// dashboards are what the repositories show: as their configuration and the
// annotations of their jobs say. A repository that is empty, or cannot be used as it is, shows nothing.
func (a *App) dashboards(ctx context.Context) ([]signal.Configuration, error) {
	repos, err := a.Repos(ctx)
	if err != nil {
		return nil, err
	}
	var all []signal.Configuration
	for _, repo := range repos {
		p, err := a.standing(ctx, repo, "")
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, git.ErrNotFound) {
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			a.o.Log.Warn("dashboards are not read", "repository", repo.String(), "error", err)
			continue
		}
		all = append(all, signal.Configuration{Repo: repo, Config: p.Boards, Jobs: p.Jobs})
	}
	return all, nil
}

// Results finds the results of test groups: in one bucket that was named, or
// each in the bucket that its prefix begins with. It opens a bucket once.
type Results struct {
	own   *blob.Bucket // of a platform
	named *blob.Bucket

	mu     sync.Mutex
	opened map[string]*blob.Bucket
	ends   map[string]string // of prefixes in named, once there is something
}

// Begin implements signal.Options.Begin.
func (r *Results) Begin(as func(any) bool, name string) error { return bucket.BeginAt(as, name) }

// openToRead opens the bucket of a URL, see OpenBucket, to be read only: a
// folder in a way that its links do not lead out of it. It is not made if it is
// missing.
func openToRead(ctx context.Context, address string) (*blob.Bucket, error) {
	dir, isFile := strings.CutPrefix(address, "file://")
	if strings.Contains(dir, "://") || isFile && strings.ContainsAny(dir, "?#%") {
		return OpenBucket(ctx, address)
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("opening the results: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("opening the results: %s is no folder: name the one that holds them", dir)
	}
	return result.OpenFolder(dir)
}

// OpenResults looks for results in the bucket of a URL, see OpenBucket; with an
// empty one where each prefix says. Close it in any case.
func OpenResults(ctx context.Context, address string) (*Results, error) {
	if address == "" {
		return &Results{}, nil
	}
	b, err := openToRead(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Results{named: b}, nil
}

// Open implements signal.Options.Open. In a bucket that was named, the folder
// is the longest end of the prefix that is there: of mybucket/logs/unit it is
// all of it in a folder that holds mybucket, and logs/unit in mybucket itself.
// Without one, a prefix that begins with a folder of Prow's layout is in the
// platform's bucket, SCHEME://BUCKET/PATH where it says, and BUCKET/PATH on
// Google's storage.
func (r *Results) Open(ctx context.Context, prefix string) (*blob.Bucket, string, error) {
	if r.named != nil {
		folder, err := r.end(ctx, prefix)
		return r.named, folder, err
	}
	first, rest, _ := strings.Cut(prefix, "/")
	if r.own != nil && (first == "logs" || first == "pr-logs") {
		return r.own, prefix, nil
	}
	address := "gs://" + first
	if u, err := url.Parse(prefix); err == nil && u.Scheme != "" && u.Host != "" {
		address, rest = u.Scheme+"://"+u.Host, strings.Trim(u.Path, "/")
		if u.RawQuery != "" {
			address += "?" + u.RawQuery
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.opened[address]; b != nil {
		return b, rest, nil
	}
	b, err := openToRead(ctx, address)
	if err != nil {
		return nil, "", err
	}
	if r.opened == nil {
		r.opened = map[string]*blob.Bucket{}
	}
	r.opened[address] = b
	return b, rest, nil
}

// end is longestEnd in the bucket that was named, which is asked once.
func (r *Results) end(ctx context.Context, prefix string) (string, error) {
	r.mu.Lock()
	folder, known := r.ends[prefix]
	r.mu.Unlock()
	if known {
		return folder, nil
	}
	folder, found, err := longestEnd(ctx, r.named, prefix)
	if err != nil || !found {
		return folder, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends == nil {
		r.ends = map[string]string{}
	}
	r.ends[prefix] = folder
	return folder, nil
}

// longestEnd returns the longest end of a prefix under which a bucket has
// anything; without the bucket's name if there is none.
func longestEnd(ctx context.Context, b *blob.Bucket, prefix string) (end string, found bool, err error) {
	if _, path, ok := strings.Cut(prefix, "://"); ok {
		prefix = path
	}
	for folder := prefix; folder != ""; _, folder, _ = strings.Cut(folder, "/") {
		some, _, err := b.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: folder + "/"})
		if err != nil {
			return "", false, fmt.Errorf("looking for %s: %w", folder, err)
		}
		if len(some) > 0 {
			return folder, true, nil
		}
	}
	if _, rest, ok := strings.Cut(prefix, "/"); ok {
		return rest, false, nil
	}
	return prefix, false, nil
}

// Close closes what was opened.
func (r *Results) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, at := range slices.Sorted(maps.Keys(r.opened)) {
		errs = append(errs, r.opened[at].Close())
	}
	r.opened = nil
	if r.named != nil {
		errs = append(errs, r.named.Close())
		r.named = nil
	}
	return errors.Join(errs...)
}
