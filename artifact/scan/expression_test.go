package scan

import (
	"strings"
	"testing"

	"seaworthy/artifact/sbom"
)

func TestReadLicence(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		// Debian, DEP-5
		{"GPL-2", "GPL-2.0-only"},
		{"GPL-2+", "GPL-2.0-or-later"},
		{"GPL-2.0+", "GPL-2.0-or-later"},
		{"GPL-3+ or Artistic-2.0, and BSD-3-clause", "(GPL-3.0-or-later OR Artistic-2.0) AND BSD-3-Clause"},
		{"LGPL-2.1+", "LGPL-2.1-or-later"},
		{"LGPL-2", "LGPL-2.0-only"},
		{"GFDL-1.3+", "GFDL-1.3-or-later"},
		{"GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"},
		{"Expat", "MIT"},
		{"Apache-2", "Apache-2.0"},
		{"Artistic", "Artistic-1.0-Perl"},
		{"Perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"},
		{"Artistic or GPL-1+", "Artistic-1.0-Perl OR GPL-1.0-or-later"},
		{"public-domain", "LicenseRef-public-domain"},
		{"MPL-1.1 or GPL-2+ or LGPL-2.1+", "MPL-1.1 OR GPL-2.0-or-later OR LGPL-2.1-or-later"},
		{"GPL-2+ with Libtool exception", "GPL-2.0-or-later WITH Libtool-exception"},
		{"GPL-3+ with Autoconf exception", "GPL-3.0-or-later WITH Autoconf-exception-3.0"},
		{"GPL-2+ with Autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"},
		{"GPL-3+-WITH-BISON-EXCEPTION", "GPL-3.0-or-later WITH Bison-exception-2.2"},
		{"GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"},
		{"GPL-2+ with unheard-of exception", "LicenseRef-GPL-2C43-with-unheard-of-exception"},
		{"CC-BY-SA-3.0", "CC-BY-SA-3.0"},
		{"CC0", "CC0-1.0"},
		{"zlib/libpng", "Zlib"},
		// rpm
		{"ASL 2.0", "Apache-2.0"},
		{"GPLv2+", "GPL-2.0-or-later"},
		{"LGPLv2+ and MIT", "LGPL-2.0-or-later AND MIT"},
		{"(GPLv2 or GPLv3) and LGPLv3+", "(GPL-2.0-only OR GPL-3.0-only) AND LGPL-3.0-or-later"},
		{"GPLv3+ with exceptions", "LicenseRef-GPLv3C43-with-exceptions"},
		{"MPLv1.1", "MPL-1.1"},
		{"BSD with advertising", "BSD-4-Clause"},
		{"Public Domain", "LicenseRef-Public-Domain"},
		{"GPL+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"},
		// apk and SPDX
		{"GPL-2.0-only AND MIT", "GPL-2.0-only AND MIT"},
		{"MIT BSD-2-Clause GPL-2.0-or-later", "MIT AND BSD-2-Clause AND GPL-2.0-or-later"},
		{"mit", "MIT"},
		{"Apache-2.0 WITH LLVM-exception OR NCSA", "Apache-2.0 WITH LLVM-exception OR NCSA"},
		{"GPL-2.0-with-GCC-exception", "GPL-2.0-only WITH GCC-exception-2.0"},
		{"MIT and MIT", "MIT"},
		{"LicenseRef-Custom", "LicenseRef-Custom"},
		{"GPL-2.0-or-later", "GPL-2.0-or-later"},
		// broken
		{"MIT and", "MIT"},
		{"(MIT or GPL-2+", "MIT OR GPL-2.0-or-later"},
		{"MIT) and Zlib", "MIT AND Zlib"},
		{"", ""},
		{"and or and", ""},
	}
	for _, tt := range tests {
		have, refs := readLicence(tt.text)
		if have.String() != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, have, tt.want)
		}
		if strings.Contains(tt.want, "LicenseRef-") != (len(refs) > 0) && tt.text != tt.want {
			t.Errorf("%q: %d licences of its own", tt.text, len(refs))
		}
	}
}

func TestTablesAreOfTheList(t *testing.T) {
	t.Parallel()
	check := func(key, text string) {
		t.Helper()
		for part := range strings.SplitSeq(text, " OR ") {
			e, err := sbom.ParseExpression(part)
			if err != nil || len(e.Unknown()) > 0 {
				t.Errorf("%s: %s: %v %v", key, part, err, e.Unknown())
			}
			if _, deprecated, _ := sbom.KnownLicense(e.License); deprecated {
				t.Errorf("%s: %s is deprecated", key, part)
			}
		}
	}
	for key, e := range replaced {
		check(key, e)
		if _, deprecated, ok := sbom.KnownLicense(key); !ok || !deprecated {
			t.Errorf("%s is not deprecated", key)
		}
	}
	for key, e := range otherNames {
		check(key, e)
		if plain(key) != key {
			t.Errorf("%q is never looked up: plain makes it %q", key, plain(key))
		}
	}
	for key, id := range otherExceptions {
		if spelling, ok := sbom.KnownException(id); !ok || spelling != id {
			t.Errorf("%s: %s is no exception", key, id)
		}
	}
}

func FuzzReadLicence(f *testing.F) {
	for _, s := range []string{"GPL-2+ or Artistic, and BSD", "((MIT", "GPLv2+ with x", ")(", ",,and", "LicenseRef-a b", "A&B|C;D", "LicenseRef-", "DocumentRef-x:LicenseRef-y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, refs := readLicence(text)
		if isEmpty(e) {
			return
		}
		if _, ok := readStrictly(e.String()); !ok && len(e.String()) < longestExpression {
			t.Fatalf("%q became %q, which is no expression", text, e)
		}
		for _, r := range refs {
			if r.Text == "" {
				t.Errorf("%s has no text", r.ID)
			}
		}
	})
}
