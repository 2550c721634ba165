package dashboard_test

import (
	"math/rand"
	"net/url"
	"slices"
	"strings"
	"testing"

	"seaworthy/grid/dashboard"
)

// nasty are values that would leave the place they are put into, if they could.
func nasty() []string {
	return []string{
		"plain", "two words", "a/b/c", "../../etc/passwd", "..", ".", "a?b=c", "a#b", "a&b=c", "a%2fb", "100%", "a+b", "ünïcode 船", "<script>", `"quoted"`, "new\nline", "tab\t", "\u202eright to left",
		"https://evil.example/", "//evil.example", "javascript:alert(1)", "a;b", "a:b@c", `back\slash`, "[ipv6]", "{brace}", "a=b", "\u0000", "semi;colon", "'single'",
	}
}

// Whatever a value is, it stays in the part of the address it was put into: the
// host stays, the path has as many parts, the query as many parameters, and
// whoever reads the parameter gets the value back.
func TestValuesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, value := range nasty() {
		v := dashboard.Values{"test-name": value, "changelist": value, "custom-0": value}
		for _, c := range []struct {
			name string
			link dashboard.Link
			read func(u *url.URL) string
			want string
		}{
			{"a parameter", dashboard.Link{URL: "https://example.org/new?title=<test-name>&fixed=1"}, func(u *url.URL) string { return u.Query().Get("title") }, value},
			{"a parameter among others", dashboard.Link{URL: "https://example.org/new?fixed=1", Options: []dashboard.LinkOption{{Key: "title", Value: "<test-name>"}, {Key: "k & k", Value: "x"}}},
				func(u *url.URL) string { return u.Query().Get("title") }, value},
			{"an option with words around it", dashboard.Link{URL: "https://example.org/new?fixed=1", Options: []dashboard.LinkOption{{Key: "title", Value: "[<test-name>] fails"}}},
				func(u *url.URL) string { return u.Query().Get("title") }, "[" + value + "] fails"},
			{"a fragment", dashboard.Link{URL: "https://example.org/new?fixed=1#<test-name>"}, func(u *url.URL) string { return u.Fragment }, value},
			{"one part of the path", dashboard.Link{URL: "https://example.org/at/<encode:<test-name>>/end?fixed=1"}, func(u *url.URL) string {
				parts := strings.Split(u.EscapedPath(), "/")
				if len(parts) != 4 || parts[1] != "at" || parts[3] != "end" {
					return "the path is " + u.EscapedPath()
				}
				out, err := url.PathUnescape(parts[2])
				if err != nil {
					return err.Error()
				}
				return out
			}, value},
			{"several parts of the path", dashboard.Link{URL: "https://example.org/at/<test-name>?fixed=1"}, func(u *url.URL) string {
				rest, ok := strings.CutPrefix(u.EscapedPath(), "/at/")
				if !ok {
					return "the path is " + u.EscapedPath()
				}
				out, err := url.PathUnescape(rest)
				if err != nil {
					return err.Error()
				}
				return out
			}, value},
		} {
			address, err := c.link.Expand(v)
			if strings.HasSuffix(c.name, "of the path") && slices.ContainsFunc(strings.Split(value, "/"), func(part string) bool { return part == "." || part == ".." }) &&
				(value == "." || value == ".." || c.name != "one part of the path") { // escaped slashes part nothing
				if err == nil || !strings.Contains(err.Error(), "would lead out of its place") {
					t.Errorf("%s, %q climbs: %q, %v", c.name, value, address, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %q: %v", c.name, value, err)
				continue
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Errorf("%s, %q: %s is no address: %v", c.name, value, address, err)
				continue
			}
			if u.Scheme != "https" || u.Host != "example.org" || u.User != nil {
				t.Errorf("%s, %q leads to %s", c.name, value, address)
			}
			if u.Query().Get("fixed") != "1" {
				t.Errorf("%s, %q: a parameter is lost in %s", c.name, value, address)
			}
			if got := c.read(u); got != c.want {
				t.Errorf("%s: %q arrives as %q in %s", c.name, c.want, got, address)
			}
			if strings.ContainsAny(address, "<>\"\n\t \x00") {
				t.Errorf("%s, %q: %q is not escaped", c.name, value, address)
			}
			for _, part := range strings.Split(u.EscapedPath(), "/") {
				if part = strings.ReplaceAll(strings.ToLower(part), "%2e", "."); part == "." || part == ".." {
					t.Errorf("%s, %q climbs: %s", c.name, value, address)
				}
			}
		}
	}
}

// A whole address out of a property is taken if a browser may follow it, and
// nothing else is.
func TestWholeAddresses(t *testing.T) {
	t.Parallel()
	link := dashboard.Link{URL: "<workflow>"}
	for value, ok := range map[string]bool{
		"https://example.org/a?b=c#d": true, "http://example.org": true, "/runs/7": true, "/": true,
		"javascript:alert(1)": false, "JAVASCRIPT:alert(1)": false, " javascript:alert(1)": false, "data:text/html,x": false, "vbscript:x": false, "file:///etc/passwd": false, "ftp://example.org/x": false,
		"//evil.example/x": false, `/\evil.example`: false, "https://": false, "https:///path": false, "runs/7": false, "mailto:a@example.org": false, "https://a b/": false, "\x01https://x": false,
	} {
		address, err := link.Expand(dashboard.Values{"workflow": value})
		if (err == nil) != ok || ok && address != value {
			t.Errorf("%q: %q, %v; want it taken: %v", value, address, err, ok)
		}
	}
}

// A value that is not known is told by its name, each once, and there is no
// half of an address.
func TestWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, option string
		values      dashboard.Values
		want        string
	}{
		{"https://example.org/<a>/<b>?<a>", "", nil, "nothing is known for <a>, <b>"},
		{"https://example.org/<encode:<a>/<b>>", "", dashboard.Values{"a": "x"}, "nothing is known for <b>"},
		{"https://example.org/", "<custom-1>", dashboard.Values{"custom-0": "x"}, "nothing is known for <custom-1>"},
		{"https://example.org/<a>", "", dashboard.Values{"a": ""}, "nothing is known for <a>"},
		{"", "", nil, "there is no link"},
		{"https://example.org/" + strings.Repeat("x", 9000), "", nil, "write one of at most 8192"},
		{"https://example.org/", strings.Repeat("x", 9000), nil, "write one of at most 8192"},
	} {
		link := &dashboard.Link{URL: c.url}
		if c.option != "" {
			link.Options = []dashboard.LinkOption{{Key: "k", Value: c.option}}
		}
		address, err := link.Expand(c.values)
		if err == nil || !strings.Contains(err.Error(), c.want) || address != "" {
			t.Errorf("%.60s: %q, %v; want %q", c.url, address, err, c.want)
		}
	}
	var none *dashboard.Link
	if _, err := none.Expand(nil); err == nil {
		t.Error("no link at all is expanded")
	}
	for _, literal := range []string{"https://example.org/a<b", "https://example.org/a<b c>d", "https://example.org/<>", "https://example.org/<a/b>"} {
		if address, err := (&dashboard.Link{URL: literal}).Expand(nil); err != nil || address != literal {
			t.Errorf("%s: %q, %v", literal, address, err)
		}
	}
}

// The names that mean the same lead to the same value, whichever is known.
func TestNamesThatMeanTheSame(t *testing.T) {
	t.Parallel()
	tab, group := dashboard.Tab{Name: "unit"}, dashboard.TestGroup{Name: "ci-unit", Prefix: "bucket/logs/ci-unit", CodeSearchPath: "example.org/repo"}
	v := tab.Values(group, "/dashboards/d/unit").Cell("17", "TestTack", "FAIL", "c0ffee", "amd64")
	for template, want := range map[string]string{
		"/<gcs_prefix>/<changelist>":        "/bucket/logs/ci-unit/17",
		"/<gcs-prefix>/<build-id>":          "/bucket/logs/ci-unit/17",
		"/x?<test-id>":                      "/x?17",
		"/x/<test-name>/<display-name>":     "/x/TestTack/TestTack",
		"/x/<custom-0>/<custom-1>":          "/x/c0ffee/amd64",
		"/x/<cs-path>/<environment>":        "/x/example.org/repo/unit",
		"/x?at=<test-url>&<test-status>":    "/x?at=%2Fdashboards%2Fd%2Funit&FAIL",
		"/x?<link>":                         "/x?%2Fdashboards%2Fd%2Funit",
		"<results-explorer>":                "/dashboards/d/unit",
		"/x?<encode:<test-name> of <link>>": "/x?TestTack%20of%20%2Fdashboards%2Fd%2Funit",
	} {
		if got, err := (&dashboard.Link{URL: template}).Expand(v); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", template, got, err, want)
		}
	}
	between := v.Between("3", []string{"aaa"}, "9", []string{"bbb", "arm64"})
	if got, err := (&dashboard.Link{URL: "/<start-cl>/<end-cl>/<start-custom-0>...<end-custom-0>/<end-custom-1>"}).Expand(between); err != nil || got != "/3/9/aaa...bbb/arm64" {
		t.Errorf("between: %q, %v", got, err)
	}
	if _, err := (&dashboard.Link{URL: "/<start-cl>"}).Expand(v); err == nil {
		t.Error("values between columns are known before anybody said them")
	}
	own := dashboard.Tab{Name: "unit", CodeSearchPath: "own/path"}
	if got, err := (&dashboard.Link{URL: "/<cs-path>"}).Expand(own.Values(group, "")); err != nil || got != "/own/path" {
		t.Errorf("the tab's own path: %q, %v", got, err)
	}
}

// Options of a tab's address come back as they were written, in whatever order,
// and one that is wrong spoils no other.
func TestBaseOptionsWhateverTheOrder(t *testing.T) {
	t.Parallel()
	parts := []string{"include-filter-by-regex=%5Bsig-node%5D.*", "include-filter-by-regex=a+b", "exclude-filter-by-regex=Monitor%5Cscluster", "exclude-non-failed-tests=", "show-stale-tests=true", "width=12", "group-by-hierarchy-pattern=%5B%5Cw-%5D%2B", "expand-groups=", "graph-metrics=test-duration-minutes", "graph-metrics=coverage"}
	wrong := []string{"include-filter-by-regex=(", "width=0", "width=many", "no-such-option=1", "exclude-filter-by-regex=%zz", "group-by-regex-mask=("}
	r := rand.New(rand.NewSource(1))
	for range 200 {
		all := slices.Clone(parts)
		some := wrong[:r.Intn(len(wrong)+1)]
		all = append(all, some...)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		text := strings.Join(all, "&")
		if r.Intn(2) == 0 {
			text = "#" + text + "&"
		}
		o, err := dashboard.ParseBaseOptions(text)
		if (err == nil) != (len(some) == 0) {
			t.Errorf("%s: %v", text, err)
		}
		for _, w := range some {
			if key, _, _ := strings.Cut(w, "="); !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v does not name %s", text, err, key)
			}
		}
		var include []string
		for _, re := range o.Include {
			include = append(include, re.String())
		}
		slices.Sort(include)
		slices.Sort(o.Metrics)
		if !slices.Equal(include, []string{"[sig-node].*", "a+b"}) || len(o.Exclude) != 1 || o.Exclude[0].String() != `Monitor\scluster` || !o.OnlyFailures || !o.Stale || o.Width != 12 || !o.Expand ||
			o.GroupBy != "hierarchy-pattern" || o.GroupPattern != `[\w-]+` || !slices.Equal(o.Metrics, []string{"coverage", "test-duration-minutes"}) {
			t.Errorf("%s: %+v", text, o)
		}
	}
}
