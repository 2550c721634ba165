package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// idPrefix begins every id of an element.
const idPrefix = "SPDXRef-"

// PackageID makes a package's id of the ecosystem it is from (gomod, deb, apk,
// rpm, layer; empty for the project itself), its name, its version, and what
// else tells it from others, such as an architecture. The same parts give the
// same id, other parts another.
func PackageID(ecosystem, name, version string, more ...string) ID {
	full := version
	unclear := ecosystem == "" && len(more) > 0 || ecosystem != "" && version == "" ||
		numberAfterHyphen(name) || strings.Contains(version, "--")
	for _, m := range more {
		// Hyphens could belong to what stands on either side.
		unclear = unclear || m == "" || strings.Contains(m, "-") || strings.HasSuffix(version, "-")
		full += "--" + m
	}
	key := append([]string{ecosystem, name, version}, more...)
	return makeID("Package", "-", []string{ecosystem, name, full}, key, unclear)
}

// FileID makes a file's id of its package and its path from the package's root.
func FileID(pkg ID, path string) ID {
	owner := strings.TrimPrefix(strings.TrimPrefix(string(pkg), idPrefix), "Package-")
	parts := []string{owner, cleanName(path)}
	return makeID("File", "--", parts, parts, strings.Contains(owner, "--") || strings.HasPrefix(parts[1], "-"))
}

// makeID joins what there is of the parts. A character that an id may not have
// becomes C and its code point: "_" is C95, as bom writes it. Some texts can
// then be read in two ways ("C9" and a digit; a version that could begin within
// the name); such an id ends in a digest of its key, so that two elements never
// share one.
func makeID(kind, separator string, parts, key []string, unclear bool) ID {
	var b strings.Builder
	b.WriteString(idPrefix)
	b.WriteString(kind)
	between := "-"
	for _, p := range parts {
		if p == "" {
			continue
		}
		b.WriteString(between)
		unclear = encodeID(&b, p) || unclear
		between = separator
	}
	if unclear || b.Len() > maxID {
		sum := sha256.Sum256([]byte(kind + "\x00" + strings.Join(key, "\x00")))
		text := b.String()
		return ID(text[:min(len(text), maxID)] + "-" + hex.EncodeToString(sum[:6]))
	}
	return ID(b.String())
}

// maxID is where an id is cut, in bytes; paths may be any length.
const maxID = 500

// encodeID writes s with the characters of an id, and reports whether the
// result could have come from another text.
func encodeID(b *strings.Builder, s string) (unclear bool) {
	digitUnclear := false // a digit now would read as one of the number before
	for _, r := range s {
		unclear = unclear || r == utf8.RuneError // stands for any broken byte
		switch {
		case r >= '0' && r <= '9':
			unclear = unclear || digitUnclear
			b.WriteRune(r)
			continue
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.', r == '-':
			b.WriteRune(r)
			digitUnclear = r == 'C'
		default:
			b.WriteByte('C')
			b.WriteString(strconv.Itoa(int(r)))
			digitUnclear = true
		}
	}
	return unclear
}

// numberAfterHyphen finds "-1" and "-v1" in a name: a version could begin there.
func numberAfterHyphen(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '-' {
			continue
		}
		next := s[i+1]
		if next == 'v' && i+2 < len(s) {
			next = s[i+2]
		}
		if next >= '0' && next <= '9' {
			return true
		}
	}
	return false
}

// validID reports whether an id has the form SPDX asks for. An id of another
// document's element has two halves.
func validID(id ID) bool {
	s := string(id)
	if rest, ok := strings.CutPrefix(s, "DocumentRef-"); ok {
		ref, element, ok := strings.Cut(rest, ":")
		return ok && idCharacters(ref) && validID(ID(element)) && !strings.HasPrefix(element, "DocumentRef-")
	}
	rest, ok := strings.CutPrefix(s, idPrefix)
	return ok && idCharacters(rest)
}

func idCharacters(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-') {
			return false
		}
	}
	return s != ""
}
