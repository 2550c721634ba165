package signal_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/signal"
)

// three is a service over three jobs.
func three(t *testing.T, b, cache *blob.Bucket, o signal.Options) *signal.Service {
	t.Helper()
	o.Open, o.Cache, o.Configured = here(b), cache, configured(t, threeTabs)
	if o.Now == nil {
		o.Now = at(now)
	}
	s := signal.New(o)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// damaged changes every kept grid.
func damage(t *testing.T, cache *blob.Bucket, how func([]byte) []byte) {
	t.Helper()
	page, _, err := cache.ListPage(t.Context(), blob.FirstPageToken, 10, &blob.ListOptions{Prefix: "grids/"})
	must(t, err)
	if len(page) != 3 {
		t.Fatalf("%d grids are kept", len(page))
	}
	for _, o := range page {
		data, err := cache.ReadAll(t.Context(), o.Key)
		must(t, err)
		must(t, cache.WriteAll(t.Context(), o.Key, how(bytes.Clone(data)), nil))
	}
}

func says(t *testing.T, s *signal.Service) string {
	t.Helper()
	tabs, err := s.AllSummaries(t.Context())
	must(t, err)
	var all []string
	for _, x := range tabs {
		if x.Problem != "" {
			t.Errorf("%s: %s", x.Tab, x.Problem)
		}
		all = append(all, x.Tab+" "+string(x.Summary.Status)+" "+x.LastRun.Format("15:04")+" "+x.Updated.Format("15:04"))
	}
	return strings.Join(all, "; ")
}

// After a restart no grid is read to know what is new, what the tabs say and
// which tests there are: here no grid could be.
func TestOutline(t *testing.T) {
	t.Parallel()
	b, cache := memory(t), memblob.OpenBucket(nil)
	defer cache.Close()
	write := func(key, text string) error { return b.WriteAll(context.Background(), key, []byte(text), nil) }
	for i, job := range []string{"one", "two", "three"} {
		junit(t, write, "ci/logs/"+job, "1", `<testcase name="TestSheet"/><testcase name="TestOf`+job+`"/>`, now.Add(time.Duration(-i-1)*time.Hour))
	}
	first := three(t, b, cache, signal.Options{})
	must(t, first.Refresh(t.Context()))
	want := says(t, first)
	cut := func(data []byte) []byte { return data[:len(data)-40] }
	damage(t, cache, cut)
	is := func(names ...string) func(string, bool) bool {
		return func(name string, _ bool) bool { return slices.Contains(names, name) }
	}
	for name, o := range map[string]signal.Options{"a command": {Once: true}, "one that looks each time": {}, "a server": {Fresh: time.Minute, Patience: time.Minute}} {
		s := three(t, b, cache, o)
		if tabs, _ := holding(t, s, is("TestOftwo")); !slices.Equal(tabs, []string{"two"}) {
			t.Errorf("%s: %v hold it", name, tabs)
		}
		must(t, s.Refresh(t.Context()))
		if got := says(t, s); got != want {
			t.Errorf("%s: the tabs say %s, want %s", name, got, want)
		}
	}
	// A new build, and whoever wants to see the grid, make it anew.
	junit(t, write, "ci/logs/two", "2", `<testcase name="TestKnot"/>`, now.Add(-time.Minute))
	s := three(t, b, cache, signal.Options{Once: true})
	if tabs, _ := holding(t, s, is("TestKnot", "TestOfone")); !slices.Equal(tabs, []string{"one", "two"}) {
		t.Errorf("%v hold the new test", tabs)
	}
	for tab, want := range map[string]string{"one": "1", "two": "2 1"} {
		if got := ids(gridOf(t, s, tab)); got != want {
			t.Errorf("%s has columns %s, want %s", tab, got, want)
		}
	}
	// One of another form, too.
	damage(t, cache, func(data []byte) []byte { return bytes.Replace(data, []byte("grid 2"), []byte("grid 1"), 1) })
	if got := ids(gridOf(t, three(t, b, cache, signal.Options{}), "two")); got != "2 1" {
		t.Errorf("of another form: columns %s", got)
	}
}

// A process may end between keeping a grid and keeping what its tabs say.
func TestSummariesBehindGrids(t *testing.T) {
	t.Parallel()
	b, cache := memory(t), memblob.OpenBucket(nil)
	defer cache.Close()
	write := func(key, text string) error { return b.WriteAll(context.Background(), key, []byte(text), nil) }
	for _, job := range []string{"one", "two", "three"} {
		junit(t, write, "ci/logs/"+job, "1", `<testcase name="TestSheet"/>`, now.Add(-2*time.Hour))
	}
	must(t, three(t, b, cache, signal.Options{Now: at(now.Add(-time.Hour))}).Refresh(t.Context()))
	junit(t, write, "ci/logs/two", "2", `<testcase name="TestSheet"/>`, now.Add(-time.Minute))
	gridOf(t, three(t, b, cache, signal.Options{}), "two") // keeps the grid only
	for name, o := range map[string]signal.Options{"a command": {Once: true}, "a server": {Fresh: time.Minute}} {
		s := three(t, b, cache, o)
		must(t, s.Refresh(t.Context()))
		tabs, err := s.Summaries(t.Context(), "board")
		must(t, err)
		if got := tabs[1].LastRun; !got.Equal(now.Add(-time.Minute)) {
			t.Errorf("%s: the newest build is of %v", name, got)
		}
	}
}

// A command that has looked for results does not look again.
func TestOnce(t *testing.T) {
	t.Parallel()
	inner, cache := memory(t), memblob.OpenBucket(nil)
	defer cache.Close()
	write := func(key, text string) error { return inner.WriteAll(context.Background(), key, []byte(text), nil) }
	for _, job := range []string{"one", "two", "three"} {
		junit(t, write, "ci/logs/"+job, "1", `<testcase name="TestSheet"/>`, now.Add(-2*time.Hour))
	}
	c := &counter{inner: inner}
	b := blob.NewBucket(c)
	defer b.Close()
	for range 2 { // without a cache, and with what the first leaves in it
		s := three(t, b, cache, signal.Options{Once: true})
		must(t, s.Refresh(t.Context()))
		c.take()
		says(t, s)
		for _, tab := range []string{"one", "two", "three"} {
			if got := ids(gridOf(t, s, tab)); got != "1" {
				t.Errorf("%s has columns %s", tab, got)
			}
		}
		holding(t, s, func(string, bool) bool { return true })
		if lists, reads := c.take(); lists+reads != 0 {
			t.Errorf("%d listings and %d files are read again", lists, reads)
		}
	}
}
