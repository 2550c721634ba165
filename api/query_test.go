package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"seaworthy/grid"
)

// Whatever is asked, the answer is a query within bounds or one refusal.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{"", "include=a&exclude=b", "rows=5&from=3", "include=(", "sort=failures&group=regex-mask&pattern=[0-9]+", "columns=-1", "only=failures&stale=1", "rows=99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := query(v, grid.Options{})
		var no refused
		if err != nil {
			if !errors.As(err, &no) || no.code != http.StatusBadRequest || no.text == "" {
				t.Errorf("%q is refused with %v", text, err)
			}
			return
		}
		for _, n := range []int{q.Rows.From, q.Rows.Count, q.Columns.From, q.Columns.Count} {
			if n < 0 || n > mostWindow {
				t.Errorf("%q asks for %d rows or columns", text, n)
			}
		}
	})
}

// A badge has room for its letters, whatever they are.
func TestBadgeRoom(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"iii", "mmm"}, {"", "a"}, {"unit", "unit tests"}, {"abc", "ABC"}, {"aa", "船船"}} {
		if room(pair[0]) >= room(pair[1]) {
			t.Errorf("%q takes %d pixels, %q %d", pair[0], room(pair[0]), pair[1], room(pair[1]))
		}
	}
	if got := escaped("a<b>&\"'\x00\xff"); got != "a&lt;b&gt;&amp;&#34;&#39;\uFFFD\uFFFD" {
		t.Errorf("escaped: %q", got)
	}
	statuses := []grid.Status{grid.Passing, grid.Failing, grid.Flaky, grid.Stale, grid.Pending, grid.Unknown}
	seen := map[string]grid.Status{}
	for _, s := range statuses {
		if other, twice := seen[badgeColour(s)]; twice {
			t.Errorf("%s and %s have one colour", s, other)
		}
		seen[badgeColour(s)] = s
	}
}

func TestTakesGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "GZIP": true, "gzip;q=0": false, "gzip;q=0.0": false, "gzip; q=0.5": true, "deflate": false, "gzipped": false, "br;q=1.0, gzip;q=0.8, *;q=0.1": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		if takesGzip(r) != want {
			t.Errorf("Accept-Encoding: %s is not %v", header, want)
		}
	}
	for header, want := range map[string]bool{"": false, `"a"`: true, `W/"a"`: true, `"b", "a"`: true, "*": true, `"ab"`: false, "a": false} {
		if matches(header, `"a"`) != want {
			t.Errorf("If-None-Match: %s is not %v", header, want)
		}
	}
}
