package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"seaworthy/web"
)

// What people have in documents leads to the same view here.
func TestAddressesOfTestGrid(t *testing.T) {
	t.Parallel()
	h := site(t, newWorld())
	const big = "/dashboards/fleet-blocking/big"
	for from, want := range map[string]string{
		"/fleet-blocking":             "/dashboards/fleet-blocking",
		"/FleetBlocking":              "/dashboards/fleet-blocking",
		"/fleet":                      "/signal?group=fleet",
		"/r/k8s-results/fleet-empty":  "/dashboards/fleet-empty",
		"/r/k8s-results/fleet-empty/": "/dashboards/fleet-empty",
		big + "?include-filter-by-regex=Test000%5B12%5D&include-filter-by-regex=suite&exclude-filter-by-regex=a%2Bb": big + "?exclude=a%2Bb&include=Test000%5B12%5D&include=suite",
		big + "?width=10&sort-by-failures=&show-stale-tests=&exclude-non-failed-tests=":                              big + "?only=failures&sort=failures&stale=show&width=10",
		big + "?sort-by-flakiness=10&expand-groups=&group-by-hierarchy-pattern=%5C.":                                 big + "?group=hierarchy%3A%5C.&sort=flakiness",
		big + "?sort-by-name=&group-by-target=":                                                                      big + "?group=target&sort=",
		big + "?group-by-directory=1":                                                                                big + "?group=directory",
		big + "?group-by-regex-mask=%5Cd%2B":                                                                         big + "?group=regex-mask%3A%5Cd%2B",
		big + "?show-stale-tests=false":                                                                              big + "?",
		big + "?include-filter-by-regex=":                                                                            big + "?",
		big + "?graph-metrics=test-duration-minutes&include-filter-by-regex=a&width=5":                               big + "/graph?include=a&metric=test-duration-minutes",
		"/dashboards/harbour%2Fhalyard/post-unit?show-stale-tests=":                                                  "/dashboards/harbour%2Fhalyard/post-unit?stale=show",
	} {
		w := get(h, from)
		if got := strings.TrimSuffix(w.Header().Get("Location"), "?"); w.Code != http.StatusFound || got != strings.TrimSuffix(want, "?") {
			t.Errorf("%s answers %d and leads to %q, want %q", from, w.Code, got, want)
			continue
		}
		if w := get(h, want); w.Code != http.StatusOK {
			t.Errorf("%s, which %s leads to, answers %d", want, from, w.Code)
		}
	}
	for _, path := range []string{"/r/x/none", "/r/x", "/x/y/z", "/r/x/fleet-blocking/more", "/none"} {
		if w := get(h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, w.Code)
		}
	}
	body := get(h, "/dashboards/fleet-blocking").Body.String()
	for _, want := range []string{`data-name="big"`, `src="/static/testgrid.js"`, `data-missing="`} {
		if !strings.Contains(body, want) {
			t.Errorf("the dashboard lacks %s, which the script of such addresses reads", want)
		}
	}
}

// No address makes a redirect that leaves the page, or one to itself.
func FuzzFromTestGrid(f *testing.F) {
	for _, q := range []string{"", "include-filter-by-regex=a&sort-by-failures=", "graph-metrics=x", "group-by-regex-mask=%ff", "width=9&width=8", "sort-by-name=false"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		to, graph, ok := web.FromTestGrid(q)
		if !ok && to.Encode() != q.Encode() {
			t.Errorf("%q became %q though nothing in it is TestGrid's", query, to.Encode())
		}
		if _, _, again := web.FromTestGrid(to); again {
			t.Errorf("%q became %q, which is translated once more", query, to.Encode())
		}
		if graph != to.Has("metric") {
			t.Errorf("%q: graph is %t", query, graph)
		}
	})
}
