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
func (a *App) openSignal(context.Context) error {
	cache, err := openFolder(a.dir(cacheDir, "signal"))
	if err != nil {
		return err
	}
	from := &Results{own: a.Bucket}
	if a.alone == nil {
		from.remember(a.Bucket, a.dir(bucketDir))
	}
	o := signal.Options{
		Bucket: a.Bucket, Jobs: func(ctx context.Context, repo forge.RepoName) (job.Config, error) { return a.jobs(ctx, repo, "") },
		Configured: a.dashboards, Open: from.Open, List: from.List, Cache: cache, Look: a.attached || a.alone != nil, Now: a.o.Now, Log: a.o.Log,
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
	// folders are the buckets that are folders of this machine.
	folders map[*blob.Bucket]string
}

// List implements signal.Options.List: in folders it reads as little as there
// is to read.
func (r *Results) List(ctx context.Context, b *blob.Bucket, folder string) ([]result.Ref, error) {
	r.mu.Lock()
	dir, local := r.folders[b]
	r.mu.Unlock()
	if !local || !result.PlainPath(folder) {
		return result.List(ctx, b, folder)
	}
	return result.ListFolder(os.DirFS(dir), folder)
}

// remember notes where a bucket is, if it is a folder.
func (r *Results) remember(b *blob.Bucket, address string) {
	dir, isFile := strings.CutPrefix(address, "file://")
	if strings.Contains(dir, "://") || isFile && strings.ContainsAny(dir, "?#%") {
		return
	}
	if r.folders == nil {
		r.folders = map[*blob.Bucket]string{}
	}
	r.folders[b] = dir
}

// OpenResults looks for results in the bucket of a URL, see OpenBucket; with an
// empty one where each prefix says. Close it in any case.
func OpenResults(ctx context.Context, address string) (*Results, error) {
	if address == "" {
		return &Results{}, nil
	}
	if dir := strings.TrimPrefix(address, "file://"); !strings.Contains(dir, "://") && !strings.ContainsAny(dir, "?#%") {
		// A folder that is written to may be made; one that is read from is there.
		if info, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("opening the results: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("opening the results: %s is no folder: name the one that holds them", dir)
		}
	}
	b, err := OpenBucket(ctx, address)
	if err != nil {
		return nil, err
	}
	r := &Results{named: b}
	r.remember(b, address)
	return r, nil
}

// Open implements signal.Options.Open. In a bucket that was named, the folder
// is the longest end of the prefix that is there: of mybucket/logs/unit it is
// all of it in a folder that holds mybucket, and logs/unit in mybucket itself.
// Without one, a prefix that begins with a folder of Prow's layout is in the
// platform's bucket, SCHEME://BUCKET/PATH where it says, and BUCKET/PATH on
// Google's storage.
func (r *Results) Open(ctx context.Context, prefix string) (*blob.Bucket, string, error) {
	if r.named != nil {
		folder, err := longestEnd(ctx, r.named, prefix)
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
	b, err := OpenBucket(ctx, address)
	if err != nil {
		return nil, "", err
	}
	if r.opened == nil {
		r.opened = map[string]*blob.Bucket{}
	}
	r.opened[address] = b
	r.remember(b, address)
	return b, rest, nil
}

// longestEnd returns the longest end of a prefix under which a bucket has
// anything; without the bucket's name if there is none.
func longestEnd(ctx context.Context, b *blob.Bucket, prefix string) (string, error) {
	if _, path, ok := strings.Cut(prefix, "://"); ok {
		prefix = path
	}
	for folder := prefix; folder != ""; _, folder, _ = strings.Cut(folder, "/") {
		found, _, err := b.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: folder + "/"})
		if err != nil {
			return "", fmt.Errorf("looking for %s: %w", folder, err)
		}
		if len(found) > 0 {
			return folder, nil
		}
	}
	if _, rest, ok := strings.Cut(prefix, "/"); ok {
		return rest, nil
	}
	return prefix, nil
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
