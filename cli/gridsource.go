package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gocloud.dev/blob"

	"seaworthy/app"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
	"seaworthy/strict"
)

// gridSource is where a command finds grids: on a platform, or in any bucket,
// as TestGrid's configuration says.
type gridSource struct {
	change
	gridConfig
	bucket, cache, at string
}

func (f *gridSource) add(c *cobra.Command) {
	f.change.add(c)
	f.gridConfig.add(c)
	c.Flags().StringVar(&f.bucket, "bucket", "", "`URL` of the bucket with the results, or a folder; as gcs_prefix says if empty")
	c.Flags().StringVar(&f.cache, "cache", "", "`URL` or folder where grids are kept, so that only new builds are read")
	c.Flags().StringVar(&f.at, "now", "", "`time` in RFC 3339 that stands for now: 2026-03-07T12:00:00Z")
}

// foreign reports whether the results are looked for outside of a platform.
func (f *gridSource) foreign() bool { return f.bucket != "" || f.config != "" || f.jobs != "" }

// now is the time that counts.
func (f *gridSource) now() (time.Time, error) {
	if f.at == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return time.Time{}, usagef("--now %q is no time: write it as 2026-03-07T12:00:00Z", f.at)
	}
	return t, nil
}

// with opens the grids, calls do and gives everything back. Problems of the
// configuration that do not keep it from being used go to s.Err.
func (f *gridSource) with(ctx context.Context, s Streams, do func(*signal.Service) error) error {
	if f.foreign() {
		return f.abroad(ctx, s, do)
	}
	if f.cache != "" || f.at != "" {
		return usagef("--cache and --now need --bucket or --config: a platform has its own")
	}
	return f.change.with(ctx, func(a *app.App) error { return do(a.Signal) })
}

func (f *gridSource) abroad(ctx context.Context, s Streams, do func(*signal.Service) error) (err error) {
	now, err := f.now()
	if err != nil {
		return err
	}
	from, err := app.OpenResults(ctx, f.bucket)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	collectLate(lateHeap)
	o := signal.Options{Open: from.Open, Begin: from.Begin, Once: true, Now: func() time.Time { return now }}
	if f.cache != "" {
		if o.Cache, err = app.OpenBucket(ctx, f.cache); err != nil {
			return usageError{err}
		}
		defer func() { err = errors.Join(err, o.Cache.Close()) }()
	}
	config, err := f.dashboards(ctx, s, from)
	if err != nil {
		return err
	}
	o.Configured = func(context.Context) ([]signal.Configuration, error) {
		return []signal.Configuration{{Config: config, Whole: true}}, nil
	}
	service := signal.New(o)
	defer func() { err = errors.Join(err, service.Close()) }()
	return do(service)
}

// lateHeap is the memory that one more build of a large grid takes, with some
// to spare, in bytes.
const lateHeap = 96 << 20

// collectLate has the program take memory up to a limit in bytes before it looks
// for garbage for the first time; from then on it does so as it always does. A
// short command ends before, and a long one takes no more than it would have.
func collectLate(limit int64) {
	percent := debug.SetGCPercent(-1)
	if percent < 0 {
		return // it is off already
	}
	before := debug.SetMemoryLimit(-1)
	if before < limit {
		debug.SetGCPercent(percent)
		return // there is less than that
	}
	debug.SetMemoryLimit(limit)
	type settings struct {
		percent int
		limit   int64
	}
	witness := new([64]byte) // of the first collection, which nothing keeps it from
	runtime.AddCleanup(witness, func(s settings) {
		debug.SetGCPercent(s.percent)
		debug.SetMemoryLimit(s.limit)
	}, settings{percent, before})
}

// dashboards are what is configured, or, where nothing is, a tab for each job
// that the bucket has results of.
func (f *gridSource) dashboards(ctx context.Context, s Streams, from *app.Results) (dashboard.Config, error) {
	if f.config == "" && f.jobs == "" {
		return found(ctx, from, f.bucket)
	}
	config, problems, err := f.gridConfig.load(ctx)
	if err != nil {
		return config, err
	}
	if failures, _ := strict.Split(strict.Sort(problems)); len(failures) > 0 {
		return config, strict.AsError(failures)
	}
	failures, _ := strict.Split(strict.Sort(config.Check()))
	for _, p := range failures {
		fmt.Fprintf(s.Err, "warning: %s\n", p)
	}
	return config, nil
}

// found makes a dashboard of the jobs in a bucket of Prow's layout.
func found(ctx context.Context, from *app.Results, address string) (dashboard.Config, error) {
	address, _, _ = strings.Cut(address, "?") // the options of a bucket's URL name nothing
	d := dashboard.Dashboard{Name: strings.TrimSuffix(path.Base(strings.TrimRight(address, "/")), "/"), Description: "The jobs in " + address + "."}
	var config dashboard.Config
	for _, top := range []string{"logs", path.Join("pr-logs", "directory")} {
		bucket, _, err := from.Open(ctx, top)
		if err != nil {
			return config, err
		}
		for token := blob.FirstPageToken; token != nil; {
			page, next, err := bucket.ListPage(ctx, token, 1000, &blob.ListOptions{Prefix: top + "/", Delimiter: "/"})
			if err != nil {
				return config, fmt.Errorf("looking for jobs in %s: %w", address, err)
			}
			for _, o := range page {
				if name := path.Base(o.Key); o.IsDir && !slices.ContainsFunc(d.Tabs, func(t dashboard.Tab) bool { return t.Name == name }) {
					config.TestGroups = append(config.TestGroups, dashboard.TestGroup{Name: name, Prefix: strings.TrimSuffix(o.Key, "/")})
					d.Tabs = append(d.Tabs, dashboard.Tab{Name: name, TestGroup: name})
				}
			}
			token = next
		}
	}
	if len(d.Tabs) == 0 {
		return config, usagef("%s has no results in Prow's layout, logs/JOB/BUILD: say where they are with --config", address)
	}
	config.Dashboards = []dashboard.Dashboard{d}
	return config, nil
}
