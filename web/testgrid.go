package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"seaworthy/grid/dashboard"
)

// fromTestGrid translates the options of an address that was written for
// TestGrid, such as include-filter-by-regex, into those of a page of a grid;
// false if it has none. What TestGrid takes and these pages have no use for, and
// what neither knows, is left out, as TestGrid leaves it out.
//
// A metric to be drawn leads to the page of graphs, since TestGrid draws it above
// the grid: graph is true.
func fromTestGrid(q url.Values) (to url.Values, graph, ok bool) {
	to = url.Values{}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		option := testGridOptions[key]
		if option == nil {
			to[key] = q[key]
			continue
		}
		ok = true
		for _, value := range q[key] {
			if value != "false" {
				option(to, value)
			}
		}
	}
	return to, to.Has("metric"), ok
}

// testGridOptions are what TestGrid's addresses may hold behind the tab's name,
// and what each means here; width is called the same.
// Source: the base_options of kubernetes/test-infra's config/testgrids, which
// are such ends of addresses.
var testGridOptions = map[string]func(to url.Values, value string){
	"include-filter-by-regex":    adding("include"),
	"exclude-filter-by-regex":    adding("exclude"),
	"exclude-non-failed-tests":   setting("only", "failures"),
	"show-stale-tests":           setting("stale", "show"),
	"sort-by-failures":           setting("sort", "failures"),
	"sort-by-flakiness":          setting("sort", "flakiness"),
	"sort-by-name":               setting("sort", ""),
	"group-by-regex-mask":        grouping("regex-mask"),
	"group-by-target":            setting("group", "target"),
	"group-by-directory":         setting("group", "directory"),
	"group-by-hierarchy-pattern": grouping("hierarchy"),
	"expand-groups":              func(url.Values, string) {}, // they are open here
	"graph-metrics":              setMetric,
}

func adding(name string) func(url.Values, string) {
	return func(to url.Values, value string) {
		if value != "" {
			to.Add(name, value)
		}
	}
}

func setting(name, value string) func(url.Values, string) {
	return func(to url.Values, _ string) { to.Set(name, value) }
}

func grouping(by string) func(url.Values, string) {
	return func(to url.Values, pattern string) {
		if pattern != "" {
			to.Set("group", by+":"+pattern)
			return
		}
		to.Set("group", by)
	}
}

func setMetric(to url.Values, value string) {
	if value != "" && !to.Has("metric") {
		to.Set("metric", value)
	}
}

// translated answers addresses with TestGrid's options with those of this page.
func translated(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to, graph, ok := fromTestGrid(r.URL.Query())
		if !ok {
			page(w, r)
			return
		}
		address := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: to.Encode()}
		if graph {
			address.Path, address.RawQuery = address.Path+"/graph", graphOptions(to).Encode()
			if address.RawPath != "" {
				address.RawPath += "/graph"
			}
		}
		http.Redirect(w, r, address.String(), http.StatusFound)
	}
}

// graphOptions are those that the page of graphs has.
func graphOptions(q url.Values) url.Values {
	out := url.Values{"metric": q["metric"]}
	if len(q["include"]) > 0 {
		out.Set("include", q.Get("include"))
	}
	return out
}

// shortcut leads from the addresses that TestGrid has, /DASHBOARD#TAB and
// /GROUP#DASHBOARD, to the pages here. A browser takes the part after # along,
// where static/testgrid.js reads it.
func (s *Site) shortcut(w http.ResponseWriter, r *http.Request) {
	s.lookUp(w, r, r.PathValue("dashboard"))
}

// elsewhere answers what no other page does: addresses /r/BUCKET/DASHBOARD, under
// which TestGrid shows the dashboards of one bucket.
func (s *Site) elsewhere(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if s.Signal == nil || len(parts) != 3 || parts[0] != "r" {
		s.page(func(*http.Request) (view, error) { return view{}, errNoPage })(w, r)
		return
	}
	s.lookUp(w, r, parts[2])
}

func (s *Site) lookUp(w http.ResponseWriter, r *http.Request, name string) {
	config, err := s.Signal.Dashboards(r.Context())
	if err != nil {
		s.page(func(*http.Request) (view, error) { return view{}, err })(w, r)
		return
	}
	if d, ok := config.Dashboard(name); ok {
		http.Redirect(w, r, dashboardPath(d.Name), http.StatusFound)
		return
	}
	for _, g := range config.DashboardGroups {
		if dashboard.Normalize(g.Name) == dashboard.Normalize(name) {
			http.Redirect(w, r, groupPath(g.Name), http.StatusFound)
			return
		}
	}
	s.page(func(*http.Request) (view, error) { return view{}, errNoPage })(w, r)
}

func groupPath(name string) string { return "/signal?" + url.Values{"group": {name}}.Encode() }
