package signal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/signal"
)

// restarted is a service over one job, with a cache, that keeps few columns.
func restarted(t *testing.T, b, cache *blob.Bucket, columns, days int) *signal.Service {
	t.Helper()
	config := fmt.Sprintf("test_groups:\n- {name: unit, gcs_prefix: ci/logs/unit, days_of_results: %d}\ndashboards:\n- {name: board, dashboard_tab: [{name: tab0, test_group_name: unit}]}\n", days)
	open := func(_ context.Context, prefix string) (*blob.Bucket, string, error) {
		return b, strings.TrimPrefix(prefix, "ci/"), nil
	}
	s := signal.New(signal.Options{Open: open, Cache: cache, Columns: columns, Now: at(now), Configured: configured(t, config)})
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// short writes a build without tests, minutes before now.
func short(t *testing.T, b *blob.Bucket, id string, minutes int) {
	t.Helper()
	began := now.Add(-time.Duration(minutes) * time.Minute).Unix()
	write(t, b, "logs/unit/"+id+"/started.json", fmt.Sprintf(`{"timestamp":%d}`, began))
	write(t, b, "logs/unit/"+id+"/finished.json", fmt.Sprintf(`{"timestamp":%d,"passed":true}`, began+1))
}

// A job's numbers start again after its old builds were left out: none of the
// new ones is lost, neither while their numbers are few nor when they have
// filled the grid, with or without a restart between.
func TestNumbersStartAgain(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"in one process": false, "over restarts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, cache := memory(t), memblob.OpenBucket(nil)
			defer cache.Close()
			for i := range 251 {
				short(t, b, fmt.Sprint(700+i), 3000-i)
			}
			s := restarted(t, b, cache, 200, 0)
			look := func(want string, columns int) {
				t.Helper()
				if restart {
					s = restarted(t, b, cache, 200, 0)
				}
				g := gridOf(t, s, "tab0")
				if got := ids(g); !strings.HasPrefix(got, want+" ") || len(g.Columns) != columns {
					t.Fatalf("%d columns, %.60s…; want %s", len(g.Columns), got, want)
				}
			}
			look("950 949", 200)
			short(t, b, "951", 2500)
			look("951 950 949", 200)
			// The first of the new numbers has no files yet.
			write(t, b, "logs/unit/1/clone-log.txt", "cloning")
			look("951 950", 200)
			for i := 1; i <= 5; i++ {
				short(t, b, fmt.Sprint(i), 2000-i)
			}
			look("5 4 3 2 1 951 950", 200)
			write(t, b, "logs/unit/6/clone-log.txt", "cloning")
			look("5 4 3", 200)
			short(t, b, "6", 1900)
			look("6 5 4 3 2 1 951", 200)
			for i := 7; i <= 210; i++ {
				short(t, b, fmt.Sprint(i), 1900-i)
			}
			look("210 209", 200)
			short(t, b, "211", 5)
			look("211 210 209", 200)
			short(t, b, "952", 4) // and back
			look("952 211 210 209", 200)
		})
	}
}

// Read for the first time, numbers that have started again tell which builds are
// old: those that the job's days leave out, and no new one.
func TestNumbersStartedAgainBefore(t *testing.T) {
	t.Parallel()
	const day = 24 * 60
	for name, c := range map[string]struct {
		old, fresh, columns, days int
		want                      string
		most                      int
	}{
		"within the days":        {300, 5, 2000, 14, "5 4 3 2 1 1200 1199", 200},
		"more than columns":      {300, 5, 250, 400, "5 4 3 2 1 1200 1199", 250},
		"mostly new":             {230, 260, 2000, 14, "260 259", 260},
		"as many as are kept":    {100, 200, 200, 14, "200 199", 200},
		"none of them is dated":  {0, 300, 250, 14, "300 299", 250},
		"all within the columns": {100, 5, 2000, 14, "5 4 3 2 1 1200 1199", 105},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := memory(t)
			for i := range c.old { // a year ago
				short(t, b, fmt.Sprint(1200-i), 365*day+i)
			}
			for i := range c.fresh {
				short(t, b, fmt.Sprint(i+1), c.fresh-i)
			}
			write(t, b, "logs/unit/0/started.json", "{}") // says nothing of when
			g := gridOf(t, restarted(t, b, nil, c.columns, c.days), "tab0")
			if got := strings.TrimSuffix(ids(g), " 0"); !strings.HasPrefix(got, c.want) || len(g.Columns) > c.most+1 || len(g.Columns) < min(c.most, c.columns) {
				t.Errorf("%d columns, %.60s…; want %d, %s", len(g.Columns), got, c.most, c.want)
			}
		})
	}
}

// Builds of which nothing ever comes are looked at a few times, not for ever.
func TestEmptyBuildsAreGivenUp(t *testing.T) {
	t.Parallel()
	inner := memory(t)
	for i := range 60 {
		short(t, inner, fmt.Sprint(1000+2*i), 600-i)
		write(t, inner, fmt.Sprintf("logs/unit/%d/clone-log.txt", 1001+2*i), "")
		write(t, inner, fmt.Sprintf("logs/unit/%d/clone-log.txt", 100+i), "")
	}
	c := &counter{inner: inner}
	b := blob.NewBucket(c)
	defer b.Close()
	cache := memblob.OpenBucket(nil)
	defer cache.Close()
	s := restarted(t, b, cache, 2000, 0)
	gridOf(t, s, "tab0")
	kept := keptAt(t, cache)
	c.take()
	gridOf(t, s, "tab0")
	// The folder, whether it has Prow's layout, and 21 of the newest without files
	// and 20 of the lowest.
	if lists, _ := c.take(); lists != 1+21+20 {
		t.Errorf("%d listings where nothing is new", lists)
	}
	if again := keptAt(t, cache); !again.Equal(kept) {
		t.Error("a grid is kept again though nothing is new")
	}
}

// keptAt is when a grid was kept last.
func keptAt(t *testing.T, cache *blob.Bucket) time.Time {
	t.Helper()
	page, _, err := cache.ListPage(t.Context(), blob.FirstPageToken, 10, &blob.ListOptions{Prefix: "grids/"})
	must(t, err)
	if len(page) != 1 {
		t.Fatalf("%d grids are kept", len(page))
	}
	return page[0].ModTime
}
