package scan

import (
	"regexp"
	"strings"

	"seaworthy/artifact/sbom"
)

// replaced are deprecated identifiers and what SPDX wants written instead. Of
// the GNU licences, a bare version means that version alone: nothing else was
// said.
var replaced = map[string]string{
	"AGPL-1.0": "AGPL-1.0-only", "AGPL-3.0": "AGPL-3.0-only",
	"GFDL-1.1": "GFDL-1.1-only", "GFDL-1.2": "GFDL-1.2-only", "GFDL-1.3": "GFDL-1.3-only",
	"GPL-1.0": "GPL-1.0-only", "GPL-2.0": "GPL-2.0-only", "GPL-3.0": "GPL-3.0-only",
	"LGPL-2.0": "LGPL-2.0-only", "LGPL-2.1": "LGPL-2.1-only", "LGPL-3.0": "LGPL-3.0-only",
	"BSD-2-Clause-FreeBSD": "BSD-2-Clause-Views", "BSD-2-Clause-NetBSD": "BSD-2-Clause",
	"GPL-2.0-with-autoconf-exception":  "GPL-2.0-only WITH Autoconf-exception-2.0",
	"GPL-2.0-with-bison-exception":     "GPL-2.0-only WITH Bison-exception-2.2",
	"GPL-2.0-with-classpath-exception": "GPL-2.0-only WITH Classpath-exception-2.0",
	"GPL-2.0-with-font-exception":      "GPL-2.0-only WITH Font-exception-2.0",
	"GPL-2.0-with-GCC-exception":       "GPL-2.0-only WITH GCC-exception-2.0",
	"GPL-3.0-with-autoconf-exception":  "GPL-3.0-only WITH Autoconf-exception-3.0",
	"GPL-3.0-with-GCC-exception":       "GPL-3.0-only WITH GCC-exception-3.1",
	"Nunit":                            "zlib-acknowledgement", "StandardML-NJ": "SMLNJ", "bzip2-1.0.5": "bzip2-1.0.6",
	"eCos-2.0":  "GPL-2.0-or-later WITH eCos-exception-2.0",
	"wxWindows": "LGPL-2.0-or-later WITH WxWindows-exception-3.1",
}

// otherNames are what distributions call licences where the rules of find do not
// suffice: Debian's DEP-5 (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/),
// Fedora's list before SPDX, openSUSE, Alpine. Keys are as plain makes them.
var otherNames = map[string]string{
	"expat": "MIT", "mit/expat": "MIT", "mit-style": "MIT", "x11": "X11", "mit/x11": "MIT", "mit-x11": "MIT", "x": "X11",
	"apache": "Apache-2.0", "asl-2.0": "Apache-2.0", "asl-1.1": "Apache-1.1", "asl-1.0": "Apache-1.0",
	"apachev2": "Apache-2.0", "apache-2-llvm-exceptions": "Apache-2.0 WITH LLVM-exception", "apache-2.0-llvm": "Apache-2.0 WITH LLVM-exception", "apache2": "Apache-2.0", "apache-2": "Apache-2.0", "apache-license-2.0": "Apache-2.0",
	"artistic": "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0-Perl", "artistic-clarified": "ClArtistic",
	"perl": "Artistic-1.0-Perl OR GPL-1.0-or-later", "same-as-perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
	"bsd-2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause", "bsd-4": "BSD-4-Clause", "2-clause-bsd": "BSD-2-Clause", "3-clause-bsd": "BSD-3-Clause",
	"bsd-2-clauses": "BSD-2-Clause", "bsd-3-clauses": "BSD-3-Clause", "bsd-2clause": "BSD-2-Clause", "bsd-3clause": "BSD-3-Clause",
	"bsd2": "BSD-2-Clause", "bsd3": "BSD-3-Clause", "new-bsd": "BSD-3-Clause", "simplified-bsd": "BSD-2-Clause",
	"bsd-with-advertising": "BSD-4-Clause", "bsd-with-attribution": "BSD-3-Clause-Attribution",
	"bsd-4-clause-uc": "BSD-4-Clause-UC", "bsd-3-clause-generic": "BSD-3-Clause", "bsd-4-clause-regents": "BSD-4-Clause-UC",
	"boost": "BSL-1.0", "boost-1.0": "BSL-1.0", "cc0": "CC0-1.0", "cc-0": "CC0-1.0", "cc-0-1.0": "CC0-1.0",
	"gpl": "GPL-1.0-or-later", "gpl+": "GPL-1.0-or-later", "lgpl": "LGPL-2.0-or-later", "lgpl+": "LGPL-2.0-or-later",
	"agpl": "AGPL-1.0-or-later", "gfdl": "GFDL-1.1-or-later", "fdl": "GFDL-1.1-or-later", "gfdl+": "GFDL-1.1-or-later",
	"gfdl-niv": "GFDL-1.1-no-invariants-or-later", "gfdl-niv+": "GFDL-1.1-no-invariants-or-later",
	"gfdl-niv-1.1": "GFDL-1.1-no-invariants-only", "gfdl-niv-1.1+": "GFDL-1.1-no-invariants-or-later", "gfdl-niv-1.2": "GFDL-1.2-no-invariants-only", "gfdl-niv-1.2+": "GFDL-1.2-no-invariants-or-later",
	"gfdl-niv-1.3": "GFDL-1.3-no-invariants-only", "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later",
	"gfdl-1.3-no-invariant+": "GFDL-1.3-no-invariants-or-later", "gfdl-1.2-no-invariant+": "GFDL-1.2-no-invariants-or-later",
	"psf": "PSF-2.0", "psfl": "PSF-2.0", "psf-2": "PSF-2.0", "python": "Python-2.0", "python-2": "Python-2.0", "openldap": "OLDAP-2.8",
	"zlib/libpng": "Zlib", "zlib-libpng": "Zlib", "png": "Libpng", "unicode": "Unicode-DFS-2016",
	"tcl/tk": "TCL", "tcltk": "TCL", "mpl": "MPL-1.1", "lppl": "LPPL-1.3c", "lppl-1.3": "LPPL-1.3c", "w3c": "W3C", "zpl": "ZPL-2.1", "zope": "ZPL-2.1",
	"wtfpl-2": "WTFPL", "unlicence": "Unlicense", "ntp~disclaimer": "HPND", "hpnd~sell": "HPND-sell-variant", "sil": "OFL-1.1", "ofl": "OFL-1.1",
	"sil-ofl-1.1": "OFL-1.1", "ofl-1": "OFL-1.1", "zero-clause-bsd": "0BSD", "bzip2": "bzip2-1.0.6", "qpl": "QPL-1.0",
	"cddl": "CDDL-1.0", "cpl": "CPL-1.0", "epl": "EPL-1.0",
	"permissive-fsf": "FSFUL", "fsf-unlimited": "FSFULLR", "fsfap-style": "FSFAP", "ibm": "IPL-1.0",
	"bsd-attribution-hpnd-disclaimer": "BSD-Attribution-HPND-disclaimer", "gust-font": "LPPL-1.3c", "rsa-md": "RSA-MD",
}

// otherExceptions are exceptions by the words that distributions use; the
// version of the licence decides between two of one name.
var otherExceptions = map[string]string{
	"autoconf": "Autoconf-exception-generic", "autoconf data 2": "Autoconf-exception-2.0", "autoconf data 3": "Autoconf-exception-3.0", "autoconf 2": "Autoconf-exception-2.0", "autoconf 3": "Autoconf-exception-3.0",
	"libtool": "Libtool-exception", "bison": "Bison-exception-2.2", "classpath": "Classpath-exception-2.0", "font": "Font-exception-2.0",
	"gcc 2": "GCC-exception-2.0", "gcc 3": "GCC-exception-3.1", "gcc runtime library 3": "GCC-exception-3.1", "gcc runtime 3": "GCC-exception-3.1",
	"gcc 3.1 3": "GCC-exception-3.1", "gcc runtime library 3.1 3": "GCC-exception-3.1", "texinfo": "Texinfo-exception", "ocaml linking": "OCaml-LGPL-linking-exception",
	"linux syscall": "Linux-syscall-note", "openjdk assembly": "OpenJDK-assembly-exception-1.0", "qt 1.1": "Qt-LGPL-exception-1.1", "llvm": "LLVM-exception",
	"openvpn openssl": "openvpn-openssl-exception", "gnu javamail": "gnu-javamail-exception", "u boot": "u-boot-exception-2.0", "ecos": "eCos-exception-2.0",
}

var (
	spaces  = regexp.MustCompile(`[\s_]+`)
	version = regexp.MustCompile(`^(.*?)-?v?(\d+(?:\.\d+)*)(\+?)$`)
	// orLater are the ways to say "or any later version" that are not a "+".
	orLater = regexp.MustCompile(`-(or-later|or-newer|or-above|or-greater|any-later)(-version)?$`)
)

// plain writes a licence's name the way the tables have it.
func plain(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	name = strings.Trim(name, `"'`)
	name = spaces.ReplaceAllString(name, "-")
	name = strings.TrimPrefix(name, "the-")
	name = strings.TrimPrefix(name, "gnu-")
	name = strings.TrimSuffix(strings.TrimSuffix(name, "-licence"), "-license")
	return strings.ReplaceAll(name, "-version-", "-")
}

// findLicence gives the expression a name stands for, and whether it is known.
func findLicence(name string) (sbom.Expression, bool) {
	name = strings.TrimSpace(name)
	if strings.HasPrefix(name, "LicenseRef-") || strings.HasPrefix(name, "DocumentRef-") {
		e, err := sbom.ParseExpression(name)
		return e, err == nil && len(e.Unknown()) == 0
	}
	if id, _, ok := sbom.KnownLicense(name); ok {
		return current(id), true
	}
	if name == "" || len(name) > 200 {
		return sbom.Expression{}, false
	}
	key := plain(name)
	if e, ok := otherNames[key]; ok {
		return fixed(e), true
	}
	if id, _, ok := sbom.KnownLicense(key); ok {
		return current(id), true
	}
	key = orLater.ReplaceAllString(key, "+")
	if e, ok := otherNames[key]; ok {
		return fixed(e), true
	}
	return versioned(key)
}

// versioned reads a family with a version, in the many ways it is written: GPL-2+,
// GPLv2+, LGPL-2.1, Apache-2, MPLv1.1, CC-BY-SA-3.0.
func versioned(key string) (sbom.Expression, bool) {
	m := version.FindStringSubmatch(key)
	if m == nil {
		return sbom.Expression{}, false
	}
	family, number, plus := strings.TrimSuffix(m[1], "-"), m[2], m[3] == "+"
	switch family {
	case "fdl":
		family = "gfdl"
	case "asl", "apache-license", "apache-software":
		family = "apache"
	}
	for _, v := range []string{number, number + ".0", strings.TrimSuffix(number, ".0")} {
		id := family + "-" + v
		if later, _, ok := sbom.KnownLicense(id + "-or-later"); plus && ok {
			return leaf(later), true
		}
		if only, _, ok := sbom.KnownLicense(id + "-only"); !plus && ok {
			return leaf(only), true
		}
		if exact, _, ok := sbom.KnownLicense(id); ok {
			e := current(exact)
			e.OrLater = plus && e.Operator == "" && e.Exception == ""
			return e, true
		}
	}
	return sbom.Expression{}, false
}

// current replaces a deprecated identifier.
func current(id string) sbom.Expression {
	if e, ok := replaced[id]; ok {
		return fixed(e)
	}
	return leaf(id)
}

// fixed reads an expression of the tables above.
func fixed(s string) sbom.Expression {
	var list []sbom.Expression
	for part := range strings.SplitSeq(s, " OR ") {
		list = append(list, leaf(part))
	}
	return combine("OR", list...)
}

// findException gives SPDX's name of an exception to a licence.
func findException(licence, words string) (string, bool) {
	if id, ok := sbom.KnownException(words); ok {
		return id, true
	}
	words = strings.ToLower(spaces.ReplaceAllString(strings.TrimSpace(words), " "))
	words = strings.TrimPrefix(words, "the ")
	for _, end := range []string{"exceptions", "exception", " special"} {
		words = strings.TrimRight(strings.TrimSuffix(words, end), " -")
	}
	if id, ok := sbom.KnownException(words); ok {
		return id, true
	}
	words = strings.ReplaceAll(words, "-", " ")
	_, after, _ := strings.Cut(licence, "GPL-")
	major, _, _ := strings.Cut(after, ".")
	if id, ok := otherExceptions[words+" "+major]; ok {
		return id, true
	}
	id, ok := otherExceptions[words]
	return id, ok
}
