package artifact

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func spec() PackageSpec {
	return PackageSpec{
		Name: "halyard", Summary: "Hoists sails", Description: "One line.\n\nAnother.", Maintainer: "Ada Ash <ada@example.org>",
		Homepage: "https://example.org/halyard", License: "Apache-2.0", Platforms: []string{"linux/amd64", "linux/arm64"},
		PackageRelations: PackageRelations{Depends: []string{"libc6 (>= 2.31)", "mta | postfix"}, Suggests: []string{"rope"}},
		Overrides:        map[PackageFormat]PackageRelations{APK: {Depends: []string{"so:libc.musl-x86_64.so.1"}}},
		Contents: []PackageContent{
			{Source: "{build}/halyard", Destination: "/usr/bin/"},
			{Source: "etc/halyard.yaml", Destination: "/etc/halyard/halyard.yaml", Type: ContentConfig, Mode: "0640", Owner: "root", Group: "adm"},
			{Destination: "/var/lib/halyard", Type: ContentDir},
			{Source: "halyard", Destination: "/usr/bin/hal", Type: ContentSymlink},
			{Source: "share", Destination: "/usr/share/halyard", Type: ContentTree, Formats: []PackageFormat{Deb}},
		},
		Units:   []PackageUnit{{Source: "init/halyard.service", Enable: true, Start: true}, {Source: "init/at.service", Name: "halyard@.service"}},
		Scripts: PackageScripts{PostInstall: "init/post.sh"},
	}
}

func TestPackageSpecGood(t *testing.T) {
	t.Parallel()
	s := spec()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back PackageSpec
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Error(diff)
	}
	s.Platforms = []string{AnyPlatform}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if p, err := s.BuiltPlatforms(); err != nil || len(p) != 1 || !p[0].IsZero() {
		t.Errorf("%v, %v", p, err)
	}
	meta := PackageSpec{Name: "all-of-it", Summary: "x", Maintainer: s.Maintainer, License: "MIT", Platforms: s.Platforms,
		PackageRelations: PackageRelations{Depends: []string{"halyard (= {version})"}}}
	if err := meta.Validate(); err != nil {
		t.Errorf("a package of dependencies alone: %v", err)
	}
}

func TestPackageSpecRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*PackageSpec){
		`name "Halyard"`:               func(s *PackageSpec) { s.Name = "Halyard" },
		`name "../x"`:                  func(s *PackageSpec) { s.Name = "../x" },
		`name ""`:                      func(s *PackageSpec) { s.Name = "" },
		"summary: say":                 func(s *PackageSpec) { s.Summary = "" },
		"summary \"a\\nDepends: evil":  func(s *PackageSpec) { s.Summary = "a\nDepends: evil" },
		"license: name":                func(s *PackageSpec) { s.License = "" },
		"vendor \"a\\rb\"":             func(s *PackageSpec) { s.Vendor = "a\rb" },
		"description: it holds":        func(s *PackageSpec) { s.Description = "a\x00" },
		`maintainer "Ada"`:             func(s *PackageSpec) { s.Maintainer = "Ada" },
		`homepage "ftp://x"`:           func(s *PackageSpec) { s.Homepage = "ftp://x" },
		`section "Main Stuff"`:         func(s *PackageSpec) { s.Section = "Main Stuff" },
		"epoch and revision":           func(s *PackageSpec) { s.Epoch = -1 },
		"platforms: list them":         func(s *PackageSpec) { s.Platforms = nil },
		"only for linux":               func(s *PackageSpec) { s.Platforms = []string{"darwin/arm64"} },
		`platforms: "linux"`:           func(s *PackageSpec) { s.Platforms = []string{"linux"} },
		"deb has no architecture":      func(s *PackageSpec) { s.Platforms = []string{"linux/wasm"} },
		"are both armhf to deb":        func(s *PackageSpec) { s.Platforms = []string{"linux/arm/v6", "linux/arm/v7"} },
		`"msi" is not a package form`:  func(s *PackageSpec) { s.Formats = []PackageFormat{"msi"} },
		"deb is listed twice":          func(s *PackageSpec) { s.Formats = []PackageFormat{Deb, Deb} },
		`overrides: "arch"`:            func(s *PackageSpec) { s.Overrides["arch"] = PackageRelations{} },
		`depends: "a b" names`:         func(s *PackageSpec) { s.Depends = []string{"a b"} },
		`depends: "a\nProvides: x"`:    func(s *PackageSpec) { s.Depends = []string{"a\nProvides: x"} },
		"plain one or {version}":       func(s *PackageSpec) { s.Depends = []string{"a (= {commit})"} },
		"apk knows no alternatives":    func(s *PackageSpec) { s.Overrides = nil },
		"what is provided has one":     func(s *PackageSpec) { s.Provides = []string{"x (>= 1)"} },
		"no name of a Debian":          func(s *PackageSpec) { s.Depends = []string{"/usr/bin/awk"} },
		"contents: a package without":  func(s *PackageSpec) { *s = PackageSpec{} },
		`contents[0]: source "../x"`:   func(s *PackageSpec) { s.Contents[0].Source = "../x" },
		`contents[0]: source "/etc/x"`: func(s *PackageSpec) { s.Contents[0].Source = "/etc/x" },
		`source "a/{build}"`:           func(s *PackageSpec) { s.Contents[0].Source = "a/{build}" },
		`{home} is not known`:          func(s *PackageSpec) { s.Contents[0].Source = "{home}/x" },
		`destination "usr/bin"`:        func(s *PackageSpec) { s.Contents[0].Destination = "usr/bin" },
		`destination "/usr/../etc/x"`:  func(s *PackageSpec) { s.Contents[0].Destination = "/usr/../etc/x" },
		`destination "/"`:              func(s *PackageSpec) { s.Contents[0].Destination = "/" },
		`destination "//x"`:            func(s *PackageSpec) { s.Contents[0].Destination = "//x" },
		`destination "/a b"`:           func(s *PackageSpec) { s.Contents[0].Destination = "/a b" },
		`type "ghost"`:                 func(s *PackageSpec) { s.Contents[0].Type = "ghost" },
		`mode "rwx"`:                   func(s *PackageSpec) { s.Contents[0].Mode = "rwx" },
		`the files of a tree`:          func(s *PackageSpec) { s.Contents[4].Mode = "0644" },
		`owner or group "a:b"`:         func(s *PackageSpec) { s.Contents[0].Owner = "a:b" },
		"a dir has no source":          func(s *PackageSpec) { s.Contents[2].Source = "x" },
		"a symlink needs":              func(s *PackageSpec) { s.Contents[3].Source = "" },
		`units[0]: "halyard.sh"`:       func(s *PackageSpec) { s.Units[0].Source = "halyard.sh" },
		"is a template":                func(s *PackageSpec) { s.Units[1].Enable = true },
		"units[1]: halyard.service is": func(s *PackageSpec) { s.Units[1].Name = "halyard.service" },
		"scripts.post_install":         func(s *PackageSpec) { s.Scripts.PostInstall = "../../bin/sh" },
	} {
		s := spec()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	s := spec()
	s.Name, s.License, s.Contents[0].Destination = "", "", ""
	if err := s.Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all three problems at once: %v", err)
	}
}

func TestRelationsOfAFormat(t *testing.T) {
	t.Parallel()
	s := spec()
	if got := s.Relations(APK); !slices.Equal(got.Depends, []string{"so:libc.musl-x86_64.so.1"}) || !slices.Equal(got.Suggests, s.Suggests) {
		t.Errorf("%+v", got)
	}
	if got := s.Relations(Deb); len(got.Depends) != 2 {
		t.Errorf("%+v", got)
	}
	s.Overrides[RPM] = PackageRelations{Depends: []string{}}
	if got := s.Relations(RPM); len(got.Depends) != 0 || len(s.Depends) != 2 {
		t.Errorf("an empty list does not take the general one away: %+v", got)
	}
}

func TestPackageRelation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, deb, rpm, apk string }{
		{"curl", "curl", "curl", "curl"},
		{"curl (>= 8.0)", "curl (>= 8.0)", "curl >= 8.0", "curl>=8.0"},
		{"curl>=8.0", "curl (>= 8.0)", "curl >= 8.0", "curl>=8.0"},
		{"curl (<< 8~rc1)", "curl (<< 8~rc1)", "curl < 8~rc1", "curl<8~rc1"},
		{"curl < 8", "curl (<< 8)", "curl < 8", "curl<8"},
		{"halyard (= {version})", "halyard (= V)", "halyard = V", "halyard=V"},
		{"mta | postfix >= 3", "mta | postfix (>= 3)", "(mta or postfix >= 3)", ""},
		{"libc.so.6(GLIBC_2.34)(64bit)", "", "libc.so.6(GLIBC_2.34)(64bit)", ""},
		{"python3:any", "python3:any", "", ""},
	} {
		r, err := ParsePackageRelation(tc.in)
		if err != nil {
			t.Error(err)
			continue
		}
		for format, want := range map[PackageFormat]string{Deb: tc.deb, RPM: tc.rpm, APK: tc.apk} {
			if got := r.Render(format, "V"); want != "" && got != want {
				t.Errorf("%s for %s is %q, want %q", tc.in, format, got, want)
			}
		}
	}
	for _, bad := range []string{"", "|", "a |", "a b", "a (>= 1", "a (>> )", "a ~ 1", "!a", "a, b", "a [amd64]", "-a", "a (= 1)(= 2)"} {
		if r, err := ParsePackageRelation(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, r)
		}
	}
}

var versions = []struct{ in, channel, deb, rpm, apk string }{
	{"0.9", ChannelRelease, "0.9", "0.9", "0.9"},
	{"v1.2.0-20261122120000-0123456789ab", ChannelNightly, "1.2.0~20261122120000.0123456789ab", "1.2.0~~20261122120000.0123456789ab", "-"},
	{"v1.2.0-alpha.0.123+0123abc", ChannelNightly, "1.2.0~alpha.0.123+0123abc", "1.2.0~alpha.0.123+0123abc", "1.2.0_alpha0_p123"},
	{"v1.2.0-alpha.1", ChannelTesting, "1.2.0~alpha.1", "1.2.0~alpha.1", "1.2.0_alpha1"},
	{"v1.2.0-beta.2", ChannelTesting, "1.2.0~beta.2", "1.2.0~beta.2", "1.2.0_beta2"},
	{"v1.2.0-rc.1", ChannelTesting, "1.2.0~rc.1", "1.2.0~rc.1", "1.2.0_rc1"},
	{"v1.2.0-rc.1-3-gabcdef0", ChannelNightly, "1.2.0~rc.1+3.gabcdef0", "1.2.0~rc.1+3.gabcdef0", "1.2.0_rc1_git3"},
	{"v1.2.0-rc.1-11-gabcdef0", ChannelNightly, "1.2.0~rc.1+11.gabcdef0", "1.2.0~rc.1+11.gabcdef0", "1.2.0_rc1_git11"},
	{"v1.2.0-rc.2", ChannelTesting, "1.2.0~rc.2", "1.2.0~rc.2", "1.2.0_rc2"},
	{"v1.2.0-rc.10", ChannelTesting, "1.2.0~rc.10", "1.2.0~rc.10", "1.2.0_rc10"},
	{"v1.2.0", ChannelRelease, "1.2.0", "1.2.0", "1.2.0"},
	{"v1.2.0-5-gabcdef0", ChannelNightly, "1.2.0+5.gabcdef0", "1.2.0+5.gabcdef0", "1.2.0_git5"},
	{"v1.2.0-5-gabcdef0-dirty", ChannelNightly, "1.2.0+5.gabcdef0.dirty", "", ""},
	{"1.2.1", ChannelRelease, "1.2.1", "1.2.1", "1.2.1"},
	{"1.10.0", ChannelRelease, "1.10.0", "1.10.0", "1.10.0"},
	{"2026.11", ChannelRelease, "2026.11", "2026.11", "2026.11"},
}

func TestPackageVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range versions {
		v, err := ParsePackageVersion(tc.in)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := v.Channel(); got != tc.channel {
			t.Errorf("%s belongs to %s, want %s", tc.in, got, tc.channel)
		}
		for format, want := range map[PackageFormat]string{Deb: tc.deb, RPM: tc.rpm, APK: tc.apk} {
			got, err := v.In(format)
			if want == "-" && err == nil || want != "-" && err != nil || len(want) > 1 && got != want {
				t.Errorf("%s for %s is %q (%v), want %q", tc.in, format, got, err, want)
			}
		}
	}
	for _, bad := range []string{"", "v", "one", "1..2", "1.2.0-", "1.2.0+", "1.2.0-rc..1", "1 2", "1:2", "../1", "1.2.0~rc1", "release/1.2.0", strings.Repeat("1", 200)} {
		if v, err := ParsePackageVersion(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, v)
		}
	}
	if v, err := ParsePackageVersion("1.0.0-snapshot.3"); err != nil {
		t.Error(err)
	} else if s, err := v.In(APK); err == nil {
		t.Errorf("apk sorts %s", s)
	}
}

// The package managers themselves are asked whether each version comes after
// the one before it.
func TestVersionsSort(t *testing.T) {
	t.Parallel()
	later := map[PackageFormat]func(a, b string) *exec.Cmd{
		Deb: func(a, b string) *exec.Cmd { return exec.Command("dpkg", "--compare-versions", a, "lt", b) },
		RPM: func(a, b string) *exec.Cmd {
			return exec.Command("rpm", "--eval", `%{lua:if rpm.vercmp("`+a+`","`+b+`") >= 0 then error("not later") end}`)
		},
		APK: func(a, b string) *exec.Cmd {
			return exec.Command("sh", "-c", `test "$(apk version -t "$0" "$1")" = "<"`, a, b)
		},
	}
	for format, program := range map[PackageFormat]string{Deb: "dpkg", RPM: "rpm", APK: "apk"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			need(t, program, format != APK)
			before := ""
			for _, tc := range versions {
				v, err := ParsePackageVersion(tc.in)
				if err != nil {
					t.Fatal(err)
				}
				s, err := v.In(format)
				if err != nil {
					continue // said not to be expressible, which TestPackageVersion checks
				}
				if out, err := later[format](before, s).CombinedOutput(); before != "" && before != s && err != nil {
					t.Errorf("%s: %s is not before %s: %v %s", program, before, s, err, out)
				}
				before = s
			}
		})
	}
}

// need passes a test over that needs a program; where everything is expected
// to be installed, it fails.
func need(t *testing.T, program string, packaged bool) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if packaged && os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: run scripts/setup", program)
		}
		t.Skipf("skipped: needs %s, run scripts/setup", program)
	}
}

func TestFullVersion(t *testing.T) {
	t.Parallel()
	v, err := ParsePackageVersion("v1.2.0-rc.1")
	if err != nil {
		t.Fatal(err)
	}
	s := PackageSpec{Epoch: 2, Revision: 3}
	for format, want := range map[PackageFormat]string{Deb: "2:1.2.0~rc.1-3", RPM: "2:1.2.0~rc.1-3", APK: "1.2.0_rc1-r3"} {
		if got, err := s.FullVersion(v, format); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", format, got, err, want)
		}
	}
	if got, err := (PackageSpec{}).FullVersion(v, Deb); err != nil || got != "1.2.0~rc.1-1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestPackageArchitecture(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ platform, deb, rpm, apk string }{
		{"linux/amd64", "amd64", "x86_64", "x86_64"}, {"linux/386", "i386", "i386", "x86"},
		{"linux/arm/v7", "armhf", "armv7hl", "armv7"}, {"linux/arm/v5", "armel", "armv5tel", ""},
		{"linux/ppc64le", "ppc64el", "ppc64le", "ppc64le"}, {"windows/amd64", "", "", ""},
	} {
		p, err := ParsePlatform(tc.platform)
		if err != nil {
			t.Fatal(err)
		}
		for format, want := range map[PackageFormat]string{Deb: tc.deb, RPM: tc.rpm, APK: tc.apk} {
			if got, err := PackageArchitecture(p, format); got != want || (err == nil) != (want != "") {
				t.Errorf("%s for %s: %q, %v", tc.platform, format, got, err)
			}
		}
	}
	if got, err := PackageArchitecture(Platform{}, RPM); err != nil || got != "noarch" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCheckChannel(t *testing.T) {
	t.Parallel()
	for _, good := range []string{ChannelRelease, ChannelNightly, "v1.34", "stable"} {
		if err := CheckChannel(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "..", "a/b", "A", ".hidden", strings.Repeat("a", 65)} {
		if CheckChannel(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParsePackageVersion(f *testing.F) {
	for _, v := range versions {
		f.Add(v.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParsePackageVersion(s)
		if err != nil {
			return
		}
		for _, format := range PackageFormats() {
			if text, err := v.In(format); err == nil && (CheckName(text) != nil || strings.ContainsAny(text, "-:")) {
				t.Fatalf("%q is %q for %s", s, text, format)
			}
		}
	})
}

func FuzzParsePackageRelation(f *testing.F) {
	f.Add("a (>= 1) | b")
	f.Add("libc.so.6(GLIBC_2.34)(64bit)")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParsePackageRelation(s)
		if err != nil {
			return
		}
		text := r.Render(Deb, "1")
		if strings.ContainsAny(text, "\n,") {
			t.Fatalf("%q is %q", s, text)
		}
		again, err := ParsePackageRelation(strings.ReplaceAll(text, "{version}", "1"))
		if err != nil || again.Render(Deb, "1") != text {
			t.Fatalf("%q is %q, which is read as %+v (%v)", s, text, again, err)
		}
	})
}
