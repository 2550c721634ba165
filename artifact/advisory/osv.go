package advisory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"
	"golang.org/x/mod/semver"
)

// osvVersion is the version of the schema that is written.
const osvVersion = "1.7.0"

// OSV is one record in the OSV format. Times are RFC 3339, UTC.
type OSV struct {
	SchemaVersion string         `json:"schema_version"`
	ID            string         `json:"id"`
	Modified      string         `json:"modified"`
	Published     string         `json:"published,omitempty"`
	Summary       string         `json:"summary,omitempty"`
	Details       string         `json:"details,omitempty"`
	Severity      []OSVSeverity  `json:"severity,omitempty"`
	Affected      []OSVAffected  `json:"affected,omitempty"`
	References    []OSVReference `json:"references,omitempty"`
	Specific      map[string]any `json:"database_specific,omitempty"`
}

// OSVSeverity is a CVSS vector.
type OSVSeverity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

// OSVAffected is a package and its affected versions.
type OSVAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
		PURL      string `json:"purl,omitempty"`
	} `json:"package"`
	Ranges   []OSVRange     `json:"ranges,omitempty"`
	Specific map[string]any `json:"ecosystem_specific,omitempty"`
}

// OSVRange is one range, as events on the line of versions.
type OSVRange struct {
	Type   string              `json:"type"`
	Events []map[string]string `json:"events"`
}

// OSVReference is a link.
type OSVReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

func severityType(vector string) string {
	switch {
	case strings.HasPrefix(vector, "CVSS:3.0/"), strings.HasPrefix(vector, "CVSS:3.1/"):
		return "CVSS_V3"
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		return "CVSS_V4"
	case strings.HasPrefix(vector, "AV:"):
		return "CVSS_V2"
	}
	return ""
}

// ecosystems of package URLs' types, as OSV spells them.
func ecosystem(purlType string) string {
	return map[string]string{"golang": "Go", "npm": "npm", "pypi": "PyPI", "gem": "RubyGems", "maven": "Maven",
		"nuget": "NuGet", "composer": "Packagist", "hex": "Hex", "pub": "Pub", "deb": "Debian", "apk": "Alpine"}[purlType]
}

// identify returns how OSV names a package that is given as a Go module's path
// or a package URL.
func identify(pkg string) (eco, name, purl string, err error) {
	if !strings.HasPrefix(pkg, "pkg:") {
		first, _, _ := strings.Cut(pkg, "/")
		if !strings.Contains(first, ".") {
			return "", "", "", fmt.Errorf("package %q: write a Go module's path, such as k8s.io/kubernetes, or a package URL", pkg)
		}
		p := packageurl.NewPackageURL("golang", pkg[:max(0, strings.LastIndex(pkg, "/"))], pkg[strings.LastIndex(pkg, "/")+1:], "", nil, "")
		return "Go", pkg, p.ToString(), nil
	}
	p, err := packageurl.FromString(pkg)
	if err != nil {
		return "", "", "", fmt.Errorf("package %q: %w", pkg, err)
	}
	if eco = ecosystem(p.Type); eco == "" {
		return "", "", "", fmt.Errorf("package %q: OSV has no ecosystem for packages of the type %s", pkg, p.Type)
	}
	name = p.Name
	if p.Namespace != "" {
		sep := "/"
		if p.Type == "maven" {
			sep = ":"
		}
		name = p.Namespace + sep + p.Name
		if p.Type == "deb" || p.Type == "apk" {
			name = p.Name
		}
	}
	p.Version = ""
	return eco, name, p.ToString(), nil
}

// OSV makes the record. pkg is the project's own package, for what is affected
// and names none; modified is when the record changed last, the time of
// publication if zero.
func (a Advisory) OSV(pkg string, modified time.Time) (OSV, error) {
	if err := a.Validate(); err != nil {
		return OSV{}, err
	}
	if modified.IsZero() {
		modified = a.Published
	}
	if modified.IsZero() {
		return OSV{}, fmt.Errorf("%s: no time of publication is known, and a record must say when it changed", a.ID)
	}
	r := OSV{SchemaVersion: osvVersion, ID: a.ID, Modified: modified.UTC().Format(time.RFC3339), Summary: a.Title, Details: a.Description}
	if !a.Published.IsZero() {
		r.Published = a.Published.UTC().Format(time.RFC3339)
	}
	if a.Vector != "" {
		r.Severity = []OSVSeverity{{severityType(a.Vector), a.Vector}}
	}
	for _, f := range a.Affected {
		one, err := f.osv(cmp.Or(f.Package, pkg))
		if err != nil {
			return OSV{}, fmt.Errorf("%s: %w", a.ID, err)
		}
		r.Affected = append(r.Affected, one)
	}
	r.References = a.references()
	specific := map[string]any{}
	if a.Rating != "" {
		specific["severity"] = a.Rating
	}
	if a.Score > 0 {
		specific["cvss_score"] = a.Score
	}
	if len(specific) > 0 {
		r.Specific = specific
	}
	return r, nil
}

func (f Affected) osv(pkg string) (OSVAffected, error) {
	var out OSVAffected
	if pkg == "" {
		return out, errors.New("the package that is affected is not named, and the project's own is not known: give it")
	}
	var err error
	if out.Package.Ecosystem, out.Package.Name, out.Package.PURL, err = identify(pkg); err != nil {
		return out, err
	}
	ranges := slices.Clone(f.Ranges)
	slices.SortStableFunc(ranges, func(x, y Range) int { return semver.Compare(x.start(), y.start()) })
	for _, r := range ranges {
		plain := func(v string) string { return strings.TrimPrefix(canonical(v), "v") }
		events := []map[string]string{{"introduced": cmp.Or(strings.TrimPrefix(r.start(), "v"), "0")}}
		switch {
		case r.Fixed != "":
			events = append(events, map[string]string{"fixed": plain(r.Fixed)})
		case r.LastAffected != "":
			events = append(events, map[string]string{"last_affected": plain(r.LastAffected)})
		}
		out.Ranges = append(out.Ranges, OSVRange{Type: "SEMVER", Events: events})
	}
	if len(f.Components) > 0 {
		out.Specific = map[string]any{"components": f.Components}
	}
	return out, nil
}

// references are links with what they lead to, each once.
func (a Advisory) references() []OSVReference {
	var list []OSVReference
	add := func(kind, url string) {
		if url != "" && !slices.ContainsFunc(list, func(r OSVReference) bool { return r.URL == url }) {
			list = append(list, OSVReference{kind, url})
		}
	}
	add("REPORT", a.Issue)
	if repository, _, ok := strings.Cut(a.Issue, "/issues/"); ok {
		for _, pr := range a.PRs {
			add("FIX", repository+"/pull/"+strconv.Itoa(pr))
		}
	}
	for _, l := range a.Links {
		add("WEB", l)
	}
	return list
}

// encode writes JSON for people, too.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// Encode writes the record as JSON.
func (r OSV) Encode() ([]byte, error) { return encode(r) }
