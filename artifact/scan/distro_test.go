package scan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact/sbom"
)

func TestParseOSRelease(t *testing.T) {
	t.Parallel()
	have := parseOSRelease([]byte("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n# ID=other\nHOME_URL='https://www.debian.org/'\nnonsense\n"))
	if want := (distro{id: "debian", version: "12", name: "Debian GNU/Linux", home: "https://www.debian.org/"}); have != want {
		t.Errorf("%+v", have)
	}
	if have := parseOSRelease([]byte("ID=arch\n")); have.slug() != "arch" || have.supplier().Name != "arch" {
		t.Errorf("%+v", have)
	}
}

const dpkgStatus = `Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-8)
Version: 2.36-9
Depends: libgcc-s1, libcrypt1 (>= 1:4.4.10-10)
Description: GNU C Library: Shared libraries
 Contains the standard libraries.
 .
 More.
Homepage: https://www.gnu.org/software/libc/libc.html

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: mawk
Status: install ok installed
Maintainer: Jane Doe <jane@example.com>
Architecture: amd64
Version: 1.3.4-1
Provides: awk
Pre-Depends: libc6 (>= 2.34)

Package: base
Status: install ok installed
Version: 1
Depends: nothing | awk, mawk:any (>> 1) | x,
 libc6
`

func TestParseDpkg(t *testing.T) {
	t.Parallel()
	list := parseDpkg([]byte(dpkgStatus))
	if len(list) != 3 {
		t.Fatalf("%d packages", len(list))
	}
	libc := list[0]
	if libc.name != "libc6" || libc.version != "2.36-9" || libc.source != "glibc@2.36-8" || libc.supplier.Kind != sbom.Organization || libc.summary != "GNU C Library: Shared libraries" || libc.homepage == "" {
		t.Errorf("%+v", libc)
	}
	if list[1].supplier.Kind != sbom.Person || list[1].supplier.Email != "jane@example.com" {
		t.Errorf("%+v", list[1].supplier)
	}
	var d sbom.Document
	ids := []sbom.ID{"a", "b", "c"}
	relateAll(list, ids, &d)
	var have []string
	for _, r := range d.Relationships {
		have = append(have, string(r.From+" "+r.To))
	}
	if diff := cmp.Diff([]string{"b a", "c b", "c a"}, have); diff != "" {
		t.Error(diff)
	}
	p := libc.pkg(distro{id: "debian", version: "12"})
	if want := "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc%402.36-8"; p.PURL != want {
		t.Errorf("%s, want %s", p.PURL, want)
	}
}

func TestReadCopyright(t *testing.T) {
	t.Parallel()
	dep5 := "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\nFiles: *\nCopyright: 2001 A\n 2002 B\nLicense: GPL-2+ or Artistic\n\nFiles: lib/*\nCopyright: 2003 C\nLicense: Expat\n\nFiles: debian/*\nCopyright: 2020 D\nLicense: GPL-3+\n\nFiles: odd\nCopyright: none\nLicense: harbour\n Free as the\n .\n sea.\n\nFiles: named\nCopyright: x\nLicense: Strange\n\nLicense: Strange\n " + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(mitText, "\n\n", "\n.\n")), "\n", "\n ") + "\n"
	tests := []struct{ name, text, want, ref string }{
		{"fields", dep5, "(GPL-2.0-or-later OR Artistic-1.0-Perl) AND MIT AND LicenseRef-harbour-", "Free as the\n\nsea."},
		{"only packaging", "Format: x\n\nFiles: debian/*\nCopyright: D\nLicense: GPL-3+\n", "GPL-3.0-or-later", ""},
		{"header", "Format: x\nLicense: MIT\n\nFiles: *\nCopyright: D\nLicense: Zlib\n", "MIT AND Zlib", ""},
		{"prose", "This package was debianized.\n\n" + mitText, "MIT", ""},
		{"pointer", "On Debian systems see /usr/share/common-licenses/GPL-2.\nAlso `/usr/share/common-licenses/Artistic'", "GPL-2.0-only AND Artistic-1.0-Perl", ""},
		{"pointer beside text", "This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.\nSee /usr/share/common-licenses/GPL-2", "GPL-2.0-or-later", ""},
		{"nothing known", "All is permitted.\n", "LicenseRef-copyright-file-", "All is permitted."},
		{"format without fields", "Format: x\n\n" + mitText, "MIT", ""},
		{"empty", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := licences().readCopyright([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if tt.ref == "" && c.licence != tt.want || tt.ref != "" && !strings.HasPrefix(c.licence, tt.want) {
				t.Errorf("%q, want %q", c.licence, tt.want)
			}
			if tt.ref != "" && (len(c.refs) != 1 || c.refs[0].Text != tt.ref || !strings.Contains(c.licence, c.refs[0].ID)) {
				t.Errorf("%+v", c.refs)
			}
		})
	}
	c, err := licences().readCopyright([]byte(dep5))
	if err != nil || c.copyright != "2001 A\n2002 B\n2003 C\n2020 D\nnone\nx" {
		t.Errorf("%q %v", c.copyright, err)
	}
}

const apkInstalled = `C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:musl
V:1.2.4-r2
A:x86_64
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Timo Teräs <timo.teras@iki.fi>
p:so:libc.musl-x86_64.so.1=1

C:Q1abc
P:busybox
V:1.36.1-r5
A:x86_64
L:GPL-2.0-only OR public-domain
D:so:libc.musl-x86_64.so.1 !oldbox musl>=1.2
F:bin
R:busybox

P:broken
`

func TestParseApk(t *testing.T) {
	t.Parallel()
	list := parseApk([]byte(apkInstalled))
	if len(list) != 2 || list[0].licence != "MIT" || list[1].licence != "GPL-2.0-only OR LicenseRef-public-domain" || len(list[1].refs) != 1 {
		t.Fatalf("%+v", list)
	}
	if diff := cmp.Diff([]string{"so:libc.musl-x86_64.so.1", "musl"}, list[1].depends); diff != "" {
		t.Error(diff)
	}
	var d sbom.Document
	relateAll(list, []sbom.ID{"musl", "busybox"}, &d)
	if len(d.Relationships) != 1 || d.Relationships[0].To != "musl" {
		t.Errorf("%+v", d.Relationships)
	}
	p := list[0].pkg(distro{id: "alpine", version: "3.18.4", name: "Alpine Linux"})
	if p.PURL != "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4" || p.Supplier.Name != "Timo Teräs" {
		t.Errorf("%+v", p)
	}
	if q := list[1].pkg(distro{id: "alpine", name: "Alpine Linux"}); q.Supplier.Name != "Alpine Linux" {
		t.Errorf("%+v", q.Supplier)
	}
}

func FuzzDpkg(f *testing.F) {
	f.Add([]byte(dpkgStatus))
	f.Add([]byte("Package: a\nVersion: 1\n b\n\n :\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range parseDpkg(text) {
			if p.name == "" || p.version == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzApk(f *testing.F) {
	f.Add([]byte(apkInstalled))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range parseApk(text) {
			if p.name == "" || p.version == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzCopyright(f *testing.F) {
	f.Add([]byte("Format: x\n\nFiles: *\nLicense: GPL-2+ and x\n body\n"))
	f.Add([]byte("see /usr/share/common-licenses/"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := licences().readCopyright(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.licence != "" && len(c.licence) < longestExpression {
			if _, ok := readStrictly(c.licence); !ok {
				t.Errorf("%q is no expression", c.licence)
			}
		}
	})
}
