package advisory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"
)

// maxSize is what is read of a file at most, in bytes, and maxList how many
// advisories.
const (
	maxSize = 32 << 20
	maxList = 20_000
)

// wireMap is a note map as far as it is about a CVE. Real ones differ in how
// they write numbers and lists.
type wireMap struct {
	PR         int `yaml:"pr"`
	DataFields struct {
		CVE yaml.Node `yaml:"cve"`
	} `yaml:"datafields"`
}

type wireCVE struct {
	ID          string     `yaml:"id"`
	Title       string     `yaml:"title"`
	Description string     `yaml:"description"`
	Published   string     `yaml:"published"`
	Vector      string     `yaml:"vector"`
	Score       any        `yaml:"score"`
	Rating      string     `yaml:"rating"`
	Issue       string     `yaml:"issue"`
	Tracking    string     `yaml:"trackingIssue"`
	Calculator  string     `yaml:"calculator"`
	Links       []string   `yaml:"links"`
	PRs         []any      `yaml:"linkedPRs"`
	Affected    []Affected `yaml:"affected"`
}

// ReadMaps reads the advisories in a file of note maps; documents about anything
// else are passed over. Unknown fields are warnings. An advisory that cannot be
// published is an error.
func ReadMaps(name string, text []byte) (list []Advisory, warnings []string, err error) {
	if len(text) > maxSize {
		return nil, nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, len(text), maxSize)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var m wireMap
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return list, warnings, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		node := m.DataFields.CVE
		if node.Kind != yaml.MappingNode {
			continue
		}
		var w wireCVE
		if err := node.Decode(&w); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if key := node.Content[i]; !slices.Contains(knownFields, key.Value) {
				warnings = append(warnings, fmt.Sprintf("%s:%d: unknown field %q has no effect", name, key.Line, key.Value))
			}
		}
		a, err := w.advisory(m.PR)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
		}
		if list = append(list, a); len(list) > maxList {
			return nil, nil, fmt.Errorf("%s holds more than %d advisories", name, maxList)
		}
	}
}

var knownFields = []string{"id", "title", "description", "published", "vector", "score", "rating", "issue", "trackingIssue", "calculator", "links", "linkedPRs", "affected"}

func (w wireCVE) advisory(pr int) (Advisory, error) {
	a := Advisory{ID: strings.TrimSpace(w.ID), Title: strings.TrimSpace(w.Title), Description: strings.TrimSpace(w.Description),
		Vector: strings.TrimSpace(w.Vector), Rating: w.Rating, Issue: w.Issue, Links: w.Links, Affected: w.Affected}
	if a.Issue == "" {
		a.Issue = w.Tracking
	}
	switch s := w.Score.(type) {
	case int:
		a.Score = float64(s)
	case float64:
		a.Score = s
	case string:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return a, fmt.Errorf("%s: score %q is no number", a.ID, s)
		}
		a.Score = f
	}
	for _, p := range w.PRs {
		text := fmt.Sprint(p)
		n, err := strconv.Atoi(strings.TrimPrefix(text[strings.LastIndex(text, "/")+1:], "#"))
		if err != nil {
			return a, fmt.Errorf("%s: linkedPRs: %q is no number of a pull request", a.ID, text)
		}
		a.PRs = append(a.PRs, n)
	}
	if pr > 0 && !slices.Contains(a.PRs, pr) {
		a.PRs = append([]int{pr}, a.PRs...)
	}
	if w.Published != "" {
		t, err := parseTime(w.Published)
		if err != nil {
			return a, fmt.Errorf("%s: published: %w", a.ID, err)
		}
		a.Published = t
	}
	if len(a.Affected) == 0 {
		a.Affected = fromText(a.Description)
	}
	return a, a.Validate()
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date: write 2026-03-04", s)
}

// ReadFeed reads a feed of CVEs, a JSON Feed such as Kubernetes' official one.
// Items that are no advisories are passed over with a warning.
func ReadFeed(name string, text []byte) (list []Advisory, warnings []string, err error) {
	if len(text) > maxSize {
		return nil, nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, len(text), maxSize)
	}
	var feed struct {
		Version string `json:"version"`
		Items   []struct {
			ID        string `json:"id"`
			URL       string `json:"url"`
			External  string `json:"external_url"`
			Title     string `json:"title"`
			Summary   string `json:"summary"`
			Content   string `json:"content_text"`
			Published string `json:"date_published"`
			Status    string `json:"status"`
			Project   struct {
				Group string `json:"google_group_url"`
			} `json:"_kubernetes_io"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &feed); err != nil {
		return nil, nil, fmt.Errorf("%s is no feed: %w", name, err)
	}
	if !strings.HasPrefix(feed.Version, "https://jsonfeed.org/version/") || len(feed.Items) > maxList {
		return nil, nil, fmt.Errorf("%s is no feed: its version is %q", name, feed.Version)
	}
	for i, item := range feed.Items {
		a := Advisory{ID: strings.TrimSpace(item.ID), Title: item.Summary, Description: strings.TrimSpace(item.Content), Issue: item.URL}
		if a.Title == "" {
			a.Title = item.Title
		}
		for _, link := range []string{item.External, item.Project.Group} {
			if link != "" && link != item.URL {
				a.Links = append(a.Links, link)
			}
		}
		if v := regexpVector.FindString(item.Content); v != "" {
			a.Vector = v
		}
		a.Affected = fromText(item.Content)
		if item.Published != "" {
			if a.Published, err = parseTime(item.Published); err != nil {
				warnings = append(warnings, fmt.Sprintf("%s: item %d: %v", name, i+1, err))
			}
		}
		if err := a.Validate(); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s: item %d is passed over: %v", name, i+1, err))
			continue
		}
		list = append(list, a)
	}
	return list, warnings, nil
}

var (
	regexpVector  = regexp.MustCompile(`CVSS:[234]\.[0-9](/[A-Za-z]{1,3}:[A-Za-z]{1,2})+`)
	regexpHeading = regexp.MustCompile(`(?i)^[#*\s]*(affected|fixed|patched)\s+versions?\b[*:\s]*$`)
	regexpName    = regexp.MustCompile(`^[A-Za-z][A-Za-z_./-]*:?$`)
	regexpVersion = regexp.MustCompile(`\bv?[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z.-]+)?\b`)
	regexpUpTo    = regexp.MustCompile(`^(<=|<|≤|up to( and including)?|prior to|before)\s*v?[0-9]`)
)

// fromText finds the affected versions in an announcement's text, by the
// headings that Kubernetes' template has: "Affected Versions" over lines such as
// "kubelet v1.25.0 - v1.25.3" or "kubelet <= v1.22.13", and "Fixed Versions".
func fromText(text string) []Affected {
	var ranges []Range
	var components, fixed []string
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := regexpHeading.FindStringSubmatch(line); m != nil {
			section = strings.ToLower(m[1])
			continue
		}
		if strings.HasPrefix(line, "#") || strings.HasSuffix(line, ":") && line != ":" && !strings.HasPrefix(line, "-") {
			section = ""
			continue
		}
		component, rest := splitItem(line)
		switch section {
		case "affected":
			if r, ok := parseRange(rest); ok {
				ranges = append(ranges, r)
				if component != "" && !slices.Contains(components, component) {
					components = append(components, component)
				}
			}
		case "fixed", "patched":
			if v := regexpVersion.FindString(rest); v != "" && canonical(v) != "" {
				fixed = append(fixed, canonical(v))
			}
		}
	}
	if ranges = settle(ranges, fixed); len(ranges) == 0 {
		return nil
	}
	return []Affected{{Components: components, Ranges: ranges}}
}

// splitItem parts a line of a list into the component it begins with, if it
// does, and the rest.
func splitItem(line string) (component, rest string) {
	line = strings.TrimSpace(strings.TrimLeft(line, "-*• \t"))
	first, after, _ := strings.Cut(line, " ")
	bound := slices.Contains([]string{"prior", "before", "up", "all", "versions", "version"}, strings.ToLower(first))
	if bound || !regexpName.MatchString(first) {
		return "", line
	}
	return strings.TrimSuffix(first, ":"), strings.TrimSpace(after)
}

// parseRange reads "v1.2.0 - v1.2.3", "<= v1.2.3", "< v1.2.4" or one version.
func parseRange(s string) (Range, bool) {
	s = strings.TrimSpace(s)
	versions := regexpVersion.FindAllString(s, 2)
	for i, v := range versions {
		if versions[i] = canonical(v); versions[i] == "" {
			return Range{}, false
		}
	}
	switch {
	case len(versions) == 0:
		return Range{}, false
	case regexpUpTo.MatchString(strings.ToLower(s)):
		if strings.HasPrefix(s, "<=") || strings.HasPrefix(s, "≤") || strings.HasPrefix(strings.ToLower(s), "up to") {
			return Range{LastAffected: versions[0]}, true
		}
		return Range{Fixed: versions[0]}, true
	case len(versions) == 2:
		return Range{Introduced: versions[0], LastAffected: versions[1]}, true
	}
	return Range{Introduced: versions[0], LastAffected: versions[0]}, true
}

// settle completes ranges: those that say where they end and not where they
// begin do so with their minor line, but for the oldest; and the fix of a range
// is the version of the same line that is said to be fixed.
func settle(ranges []Range, fixed []string) []Range {
	end := func(r Range) string {
		if r.Fixed != "" {
			return r.Fixed
		}
		return r.LastAffected
	}
	slices.SortStableFunc(ranges, func(a, b Range) int { return semver.Compare(end(a), end(b)) })
	var out []Range
	for i, r := range ranges {
		if r.Introduced == "" && i > 0 && semver.MajorMinor(end(r)) != semver.MajorMinor(end(ranges[0])) {
			r.Introduced = semver.MajorMinor(end(r)) + ".0"
		}
		if r.LastAffected != "" {
			for _, f := range fixed {
				if semver.MajorMinor(f) == semver.MajorMinor(r.LastAffected) && semver.Compare(f, r.LastAffected) > 0 {
					r.Fixed, r.LastAffected = f, ""
					break
				}
			}
		}
		if !slices.Contains(out, r) && r.check() == nil {
			out = append(out, r)
		}
	}
	return out
}
