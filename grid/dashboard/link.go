package dashboard

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Values fill the placeholders of links, by their names without the angle
// brackets. TestGrid's names are
//
//	gcs_prefix         where the test group's builds lie, bucket/path
//	environment        the tab's name
//	cs-path            the code search path
//	results-explorer   the address of the tab's page; also test-url, link
//	changelist         the build's id; also build-id, test-id
//	test-name          the test's name as results have it
//	display-name       its name as rows show it
//	test-status        what became of it
//	custom-0           the first column header's value, and so on
//	start-cl, end-cl, start-custom-0, end-custom-0
//	                   the build and the header of an older and a newer column
//
// and any property of the test, such as workflow-name.
type Values map[string]string

// synonyms are names that mean the same.
var synonyms = map[string][]string{
	"gcs_prefix": {"gcs-prefix"}, "gcs-prefix": {"gcs_prefix"},
	"changelist": {"build-id", "test-id"}, "build-id": {"changelist"}, "test-id": {"changelist"},
	"test-url": {"results-explorer"}, "link": {"results-explorer"},
	"display-name": {"test-name"}, "test-name": {"display-name"},
}

func (v Values) find(name string) (string, bool) {
	for _, n := range append([]string{name}, synonyms[name]...) {
		if value, ok := v[n]; ok {
			return value, true
		}
	}
	return "", false
}

// Values returns what is known of the tab itself; page is the address of its
// own page.
func (t Tab) Values(g TestGroup, page string) Values {
	v := Values{"environment": t.Name, "results-explorer": page, "cs-path": t.CodeSearchPath}
	if t.CodeSearchPath == "" {
		v["cs-path"] = g.CodeSearchPath
	}
	if prefixes := g.Prefixes(); len(prefixes) > 0 {
		v["gcs_prefix"] = prefixes[0]
	}
	return v
}

// Cell returns the values with those of one cell: the build's id and its
// column's headers.
func (v Values) Cell(build, test, status string, headers ...string) Values {
	out := v.with(map[string]string{"changelist": build, "test-name": test, "test-status": status})
	for i, h := range headers {
		out["custom-"+strconv.Itoa(i)] = h
	}
	return out
}

// Between returns the values with those of two columns, the older one first.
func (v Values) Between(oldBuild string, oldHeaders []string, newBuild string, newHeaders []string) Values {
	out := v.with(map[string]string{"start-cl": oldBuild, "end-cl": newBuild})
	for i, h := range oldHeaders {
		out["start-custom-"+strconv.Itoa(i)] = h
	}
	for i, h := range newHeaders {
		out["end-custom-"+strconv.Itoa(i)] = h
	}
	return out
}

func (v Values) with(more map[string]string) Values {
	out := make(Values, len(v)+len(more))
	for k, value := range v {
		out[k] = value
	}
	for k, value := range more {
		out[k] = value
	}
	return out
}

// Expand fills in the placeholders and returns the address. A value stays
// within the part of the address it was put into: what would end a path, begin
// a query or leave the site is escaped, with <encode:…> slashes, too. A
// placeholder without a value is an error that names it, as is a value that would
// be a path's "..", and an address that is neither http nor https, nor a path of
// this site.
func (l *Link) Expand(v Values) (string, error) {
	if l == nil || l.URL == "" {
		return "", errors.New("there is no link")
	}
	if l.length() > maxLink {
		return "", fmt.Errorf("a link of %d characters: write one of at most %d", l.length(), maxLink)
	}
	e := expansion{values: v}
	address := e.text(l.URL, false)
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	for _, o := range l.Options {
		plain := expansion{values: v, plain: true}
		value := plain.text(o.Value, false)
		e.missing = append(e.missing, plain.missing...)
		address += separator + url.QueryEscape(o.Key) + "=" + component(value)
		separator = "&"
	}
	if len(e.missing) > 0 {
		slices.Sort(e.missing)
		return "", fmt.Errorf("%s: nothing is known for <%s>", l.URL, strings.Join(slices.Compact(e.missing), ">, <"))
	}
	// Browsers climb whether the dots are escaped or not, so a value that is a
	// path's "..", or that becomes one, cannot be put there at all.
	if !strings.HasPrefix(l.URL, "<") && climbs(address) > climbs(l.URL) {
		return "", fmt.Errorf("%s: a value would lead out of its place: %.200q", l.URL, address)
	}
	return address, safe(address)
}

// climbs counts the parts of an address's path that browsers take for this
// folder or the one above it.
// Source: https://url.spec.whatwg.org/#double-dot-path-segment
func climbs(address string) int {
	n := 0
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		address = address[:end]
	}
	for part := range strings.SplitSeq(address, "/") {
		if part = strings.ReplaceAll(strings.ToLower(part), "%2e", "."); part == "." || part == ".." {
			n++
		}
	}
	return n
}

// maxLink bounds the text of a link's template.
const maxLink = 8192

func (l *Link) length() int {
	n := len(l.URL)
	for _, o := range l.Options {
		n += len(o.Key) + len(o.Value)
	}
	return n
}

// safe refuses what a browser should not follow.
func safe(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no address: %w", address, err)
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" {
			return fmt.Errorf("%q names no host: write https://host/path", address)
		}
		return nil
	case u.Scheme == "" && strings.HasPrefix(address, "/") && u.Host == "" && !strings.HasPrefix(address, `/\`):
		return nil
	}
	return fmt.Errorf("%q is no address: write one that begins with https://, or with / for this site", address)
}

// expansion fills in one text.
type expansion struct {
	values  Values
	plain   bool // escape nothing: the whole is escaped afterwards
	missing []string
}

// text replaces the placeholders of a template. Angle brackets around anything
// that is no name stay as they are.
func (e *expansion) text(template string, encode bool) string {
	var b strings.Builder
	for template != "" {
		open := strings.IndexByte(template, '<')
		if open < 0 {
			break
		}
		b.WriteString(template[:open])
		name, rest, ok := placeholder(template[open:])
		if !ok {
			b.WriteByte('<')
			template = template[open+1:]
			continue
		}
		template = rest
		if inner, found := strings.CutPrefix(name, "encode:"); found {
			quoted := expansion{values: e.values, plain: true}
			b.WriteString(component(quoted.text(strings.TrimSpace(inner), true)))
			e.missing = append(e.missing, quoted.missing...)
			continue
		}
		value, known := e.values.find(name)
		if !known || value == "" {
			e.missing = append(e.missing, name)
			continue
		}
		if !e.plain {
			value = within(b.String(), value)
		}
		b.WriteString(value)
	}
	b.WriteString(template)
	return b.String()
}

// placeholder parts a text that begins with < behind the matching >.
func placeholder(text string) (name, rest string, ok bool) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '<':
			depth++
		case '>':
			if depth--; depth == 0 {
				name = text[1:i]
				return name, text[i+1:], isName(name)
			}
		}
	}
	return "", text, false
}

func isName(name string) bool {
	if strings.HasPrefix(name, "encode:") {
		return true
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return name != ""
}

// within escapes a value for where in an address it stands.
func within(before, value string) string {
	switch {
	case before == "":
		return value // the whole address: safe looks at it
	case strings.ContainsAny(before, "?#"):
		return component(value)
	case strings.HasSuffix(before, "//"):
		return component(value) // a host
	}
	parts := strings.Split(value, "/")
	for i, part := range parts {
		parts[i] = component(part)
	}
	return strings.Join(parts, "/")
}

// component escapes everything that means something in an address, as
// JavaScript's encodeURIComponent does.
func component(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

type namedLink struct {
	field string
	link  *Link
}

// links are the tab's, by the names of their fields.
func (t Tab) links() []namedLink {
	all := []namedLink{
		{"open_test_template", t.OpenTest}, {"file_bug_template", t.FileBug}, {"attach_bug_template", t.AttachBug}, {"open_bug_template", t.OpenBug},
		{"results_url_template", t.Results}, {"code_search_url_template", t.CodeSearch}, {"context_menu_template", t.ContextMenu},
	}
	for i := range t.ColumnDiffs {
		all = append(all, namedLink{"column_diff_link_templates", &t.ColumnDiffs[i]})
	}
	return slices.DeleteFunc(all, func(l namedLink) bool { return l.link == nil || l.link.URL == "" })
}

// check tries the link with a value for everything.
func (l *Link) check() error {
	if strings.HasPrefix(l.URL, "<") && len(l.URL) <= maxLink {
		return nil // an address that a property holds
	}
	e, v := expansion{values: Values{}}, Values{}
	if l.length() <= maxLink {
		e.text(l.URL, false)
	}
	for _, name := range e.missing {
		v[name] = "x"
	}
	whole := Link{URL: l.URL}
	_, err := whole.Expand(v)
	return err
}
