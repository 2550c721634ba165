package advisory

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const pkg = "k8s.io/kubernetes"

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// both are the advisories of the map and of the feed.
func both(t testing.TB) []Advisory {
	t.Helper()
	maps, warnings, err := ReadMaps("maps.yaml", read(t, "maps.yaml"))
	if err != nil || len(maps) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], `maps.yaml:20: unknown field "calcLink"`) {
		t.Fatalf("%+v, %q, %v", maps, warnings, err)
	}
	feed, warnings, err := ReadFeed("feed.json", read(t, "feed.json"))
	if err != nil || len(feed) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "item 2 is passed over") {
		t.Fatalf("%+v, %q, %v", feed, warnings, err)
	}
	return append(maps, feed...)
}

func TestRead(t *testing.T) {
	t.Parallel()
	list := both(t)
	m := list[0]
	if m.Score != 6.4 || cmp.Diff(m.PRs, []int{92942, 92941, 92969, 92970}) != "" || m.Published.Day() != 15 || len(m.Affected[0].Ranges) != 3 {
		t.Errorf("%+v", m)
	}
	want := []Affected{{Components: []string{"kube-apiserver"}, Ranges: []Range{
		{LastAffected: "v1.24.14"},
		{Introduced: "v1.25.0", Fixed: "v1.25.11"},
		{Introduced: "v1.26.0", Fixed: "v1.26.6"},
		{Introduced: "v1.27.0", Fixed: "v1.27.3"},
	}}}
	if diff := cmp.Diff(want, list[1].Affected); diff != "" {
		t.Error(diff)
	}
	if list[1].Vector != "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:N" || len(list[1].Links) != 2 {
		t.Errorf("%+v", list[1])
	}
}

func TestOSV(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	for _, a := range both(t) {
		r, err := a.OSV(pkg, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		checkOSV(t, text)
	}
	golden(t, "osv.json", all.Bytes())
	a := both(t)[0]
	r, err := a.OSV("pkg:deb/debian/kubernetes@1.2?arch=amd64", time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || r.Affected[0].Package.Ecosystem != "Debian" || r.Affected[0].Package.Name != "kubernetes" || r.Modified != "2026-08-01T00:00:00Z" {
		t.Errorf("%+v, %v", r, err)
	}
	for want, bad := range map[string]func(*Advisory) string{
		"is not known: give it":    func(*Advisory) string { return "" },
		"write a Go module's path": func(*Advisory) string { return "kubernetes" },
		`package "pkg:"`:           func(*Advisory) string { return "pkg:" },
		"OSV has no ecosystem":     func(*Advisory) string { return "pkg:oci/halyard" },
		"no time of publication":   func(a *Advisory) string { a.Published = time.Time{}; return pkg },
		"is none: write CVE-YEAR":  func(a *Advisory) string { a.ID = "CVE-1"; return pkg },
		"neither a title":          func(a *Advisory) string { a.Title, a.Description = "", ""; return pkg },
		"scores are from 0 to 10":  func(a *Advisory) string { a.Score = 11; return pkg },
		"is no CVSS vector":        func(a *Advisory) string { a.Vector = "bad"; return pkg },
		`"one" is no version`:      func(a *Advisory) string { a.Affected = affected(Range{Introduced: "one"}); return pkg },
		"from v2.0.0 to v1.0.0 is": func(a *Advisory) string {
			a.Affected = affected(Range{Introduced: "v2.0.0", LastAffected: "v1.0.0"})
			return pkg
		},
		"from v1.0.0 to 1.0.0 is": func(a *Advisory) string {
			a.Affected = affected(Range{Introduced: "v1.0.0", Fixed: "1.0.0"})
			return pkg
		},
		"with fixed or with lastAffected": func(a *Advisory) string {
			a.Affected = affected(Range{Fixed: "1.0.0", LastAffected: "1.0.0"})
			return pkg
		},
	} {
		a := both(t)[0]
		name := bad(&a)
		if r, err := a.OSV(name, time.Time{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", want, r, err)
		}
	}
}

func affected(r ...Range) []Affected { return []Affected{{Ranges: r}} }

// checkOSV holds a record against the rules of the schema that scanners rely on.
func checkOSV(t *testing.T, text []byte) {
	t.Helper()
	var r OSV
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", r.Modified); err != nil || r.ID == "" {
		t.Errorf("id %q, modified %q", r.ID, r.Modified)
	}
	for _, a := range r.Affected {
		for _, g := range a.Ranges {
			if g.Type != "SEMVER" || len(g.Events) == 0 || g.Events[0]["introduced"] == "" {
				t.Errorf("%+v", g)
			}
			for _, e := range g.Events {
				for _, v := range e {
					if len(e) != 1 || strings.HasPrefix(v, "v") {
						t.Errorf("event %v", e)
					}
				}
			}
		}
	}
}

func TestStands(t *testing.T) {
	t.Parallel()
	list := both(t)
	for _, tc := range []struct {
		a       Advisory
		release string
		want    Standing
		remedy  string
	}{
		{list[0], "v1.16.12", IsAffected, "v1.16.13"},
		{list[0], "v1.16.13", IsFixed, ""},
		{list[0], "v1.17.0", IsAffected, "v1.17.9"},
		{list[0], "1.18.5", IsAffected, "v1.18.6"},
		{list[0], "v1.19.0", IsFixed, ""},
		{list[1], "v1.24.14", IsAffected, "v1.25.11"},
		{list[1], "v1.24.15", IsUnknown, ""},
		{list[1], "v1.27.3", IsFixed, ""},
		{list[0], "main", IsUnknown, ""},
		{Advisory{}, "v1.0.0", IsUnknown, ""},
		{Advisory{Affected: affected(Range{Introduced: "v2.0.0", Fixed: "v2.1.0"})}, "v1.9.0", IsNotAffected, ""},
		{Advisory{Affected: affected(Range{Introduced: "v2.0.0"})}, "v9.0.0", IsAffected, ""},
		{Advisory{Affected: affected(Range{Introduced: "0", Fixed: "v2.0.0"})}, "v2.0.0-rc.1", IsAffected, "v2.0.0"},
		{Advisory{Affected: []Affected{{Package: "example.org/other", Ranges: []Range{{Introduced: "0"}}}}}, "v1.0.0", IsUnknown, ""},
	} {
		if got, remedy := tc.a.Stands(pkg, tc.release); got != tc.want || remedy != tc.remedy {
			t.Errorf("%s at %s: %s, %q; want %s, %q", tc.a.ID, tc.release, got, remedy, tc.want, tc.remedy)
		}
	}
}

func TestVEX(t *testing.T) {
	t.Parallel()
	o := VEXOptions{Package: pkg, Releases: []string{"v1.27.3", "1.18.5", "v1.24.15"}, Author: "release team", Time: time.Date(2026, 9, 1, 2, 3, 4, 5, time.UTC)}
	text, err := VEX(both(t), o)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "openvex.json", text)
	list := both(t)
	list[0], list[1] = list[1], list[0]
	o.Releases = []string{"1.18.5", "v1.24.15", "v1.27.3"}
	if again, err := VEX(list, o); err != nil || !bytes.Equal(text, again) {
		t.Errorf("another order gives other bytes (%v)", err)
	}
	npm := o
	npm.Package = "pkg:npm/%40halyard/app"
	if text, err := VEX([]Advisory{{ID: "CVE-2026-0001", Title: "x", Affected: affected(Range{Introduced: "1.18.6"})}}, npm); err != nil || !strings.Contains(string(text), "pkg:npm/%40halyard/app@1.18.5") || !strings.Contains(string(text), "vulnerable_code_not_present") || !strings.Contains(string(text), "No fixed version is known.") {
		t.Errorf("%s, %v", text, err)
	}
	for want, change := range map[string]func(*VEXOptions){
		"name the package":  func(o *VEXOptions) { o.Package = "" },
		"name the releases": func(o *VEXOptions) { o.Releases = nil },
		"say who says so":   func(o *VEXOptions) { o.Author = "" },
		"is no version":     func(o *VEXOptions) { o.Releases = []string{"main"} },
		"write a Go module": func(o *VEXOptions) { o.Package = "x" },
	} {
		bad := o
		change(&bad)
		if _, err := VEX(list, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := VEX(nil, o); err == nil {
		t.Error("a document about nothing was made")
	}
	if _, err := VEX([]Advisory{{}}, o); err == nil {
		t.Error("an advisory without an id was taken")
	}
}

func TestReadRefused(t *testing.T) {
	t.Parallel()
	text := string(read(t, "maps.yaml"))
	for want, change := range map[string][2]string{
		"is no number":           {`"6.4"`, "high"},
		"is no date":             {"2026-07-15", "last summer"},
		"no number of a pull":    {`"#92970"`, "many"},
		"cannot unmarshal":       {"title: Priv", "title: [Priv"},
		"maps.yaml:8: CVE-26":    {"CVE-2026-8559", "CVE-26"},
		"did not find expected":  {"title: Priv", "title: ]"},
		"maps.yaml:8: yaml: unm": {"linkedPRs: [92941", "affected: 7\n    linkedPRs: [92941"},
	} {
		bad := strings.Replace(text, change[0], change[1], 1)
		if list, _, err := ReadMaps("maps.yaml", []byte(bad)); err == nil || !strings.Contains(err.Error(), "maps.yaml") {
			t.Errorf("%s: %+v, %v", want, list, err)
		}
	}
	for _, bad := range []string{"", "[]", "{}", `{"version":"1"}`} {
		if list, _, err := ReadFeed("feed.json", []byte(bad)); err == nil {
			t.Errorf("%q was read: %+v", bad, list)
		}
	}
	big := make([]byte, maxSize+1)
	if _, _, err := ReadFeed("f", big); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	if _, _, err := ReadMaps("f", big); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	if list, warnings, err := ReadFeed("f", []byte(strings.Replace(string(read(t, "feed.json")), "2026-06-13T14:42:06Z", "June", 1))); err != nil || len(list) != 1 || len(warnings) != 2 {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestFromText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Range{
		"Affected Versions\n- kubelet v1.25.3\n":                                     {{Introduced: "v1.25.3", LastAffected: "v1.25.3"}},
		"**Affected versions**:\n- kubelet: < v1.25.3\n- all\n":                      {{Fixed: "v1.25.3"}},
		"#### Affected Versions\nkubelet <= 1.22.13\n\n#### Fixed Versions\n1.22.14": {{Fixed: "v1.22.14"}},
		"Affected Versions\n- prior to v1.2.3\n":                                     {{Fixed: "v1.2.3"}},
		"Affected Versions\n- up to and including v1.2.3\n":                          {{LastAffected: "v1.2.3"}},
		"Affected Versions\n- v2.0.0 - v1.0.0\n":                                     nil,
		"The affected versions are v1.2.3 to v1.2.4.":                                nil,
		"": nil,
	} {
		var got []Range
		for _, a := range fromText(text) {
			got = append(got, a.Ranges...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func FuzzReadMaps(f *testing.F) {
	f.Add(read(f, "maps.yaml"))
	f.Add([]byte("datafields: {cve: {id: CVE-2026-1234, title: x, affected: [{ranges: [{introduced: '0'}]}]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _, err := ReadMaps("f", data)
		if err != nil {
			return
		}
		publish(t, list)
	})
}

func FuzzReadFeed(f *testing.F) {
	f.Add(read(f, "feed.json"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, _, err := ReadFeed("f", data); err == nil {
			publish(t, list)
		}
	})
}

// publish wants what was read to be published without a fault.
func publish(t *testing.T, list []Advisory) {
	for _, a := range list {
		r, err := a.OSV(pkg, time.Unix(1, 0))
		if err != nil && len(a.Affected) > 0 && a.Affected[0].Package == "" && len(a.Affected) == 1 {
			t.Fatalf("%+v: %v", a, err)
		}
		if err == nil {
			if _, err := r.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(list) > 0 {
		if _, err := VEX(list, VEXOptions{Package: pkg, Releases: []string{"v1.0.0"}, Author: "a", Time: time.Unix(1, 0)}); err != nil {
			t.Fatal(err)
		}
	}
}
