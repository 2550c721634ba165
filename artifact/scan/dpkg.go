package scan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// field is one line of a Debian control file with what is indented below it.
type field struct {
	name, value string
}

// stanzas reads a Debian control file (deb822(5)): fields, parted into paragraphs
// by empty lines. Lines that are neither field nor continuation are passed over.
func stanzas(text []byte) iter.Seq[[]field] {
	return func(yield func([]field) bool) {
		var list []field
		var more strings.Builder // continuation of the last field
		settle := func() {
			if more.Len() > 0 {
				list[len(list)-1].value += more.String()
				more.Reset()
			}
		}
		flush := func() bool {
			settle()
			ok := len(list) == 0 || yield(list)
			list = nil
			return ok
		}
		for line := range bytes.Lines(text) {
			line = bytes.TrimRight(line, "\r\n")
			switch trimmed := bytes.TrimSpace(line); {
			case len(trimmed) == 0:
				if !flush() {
					return
				}
			case line[0] == ' ' || line[0] == '\t':
				if len(list) > 0 {
					more.WriteByte('\n')
					more.Write(trimmed)
				}
			case line[0] == '#':
			default:
				if name, value, ok := bytes.Cut(line, []byte(":")); ok {
					settle()
					list = append(list, field{strings.ToLower(string(bytes.TrimSpace(name))), string(bytes.TrimSpace(value))})
				}
			}
		}
		flush()
	}
}

func get(stanza []field, name string) string {
	if i := slices.IndexFunc(stanza, func(f field) bool { return f.name == name }); i >= 0 {
		return stanza[i].value
	}
	return ""
}

// parseDpkg reads dpkg's status file, or one package's in status.d as in
// distroless images. Packages that are not installed, though their configuration
// is kept, are left out.
func parseDpkg(text []byte) []osPackage {
	var list []osPackage
	for s := range stanzas(text) {
		name, version := get(s, "package"), get(s, "version")
		status := strings.Fields(get(s, "status"))
		if name == "" || version == "" || len(status) == 3 && status[2] != "installed" {
			continue
		}
		p := osPackage{kind: "deb", name: name, version: version, arch: get(s, "architecture"), supplier: person(get(s, "maintainer")), homepage: get(s, "homepage")}
		p.summary, _, _ = strings.Cut(get(s, "description"), "\n")
		if source := get(s, "source"); source != "" {
			// "Source: glibc (2.36-9)" where its version is another
			p.source = strings.Replace(strings.TrimSuffix(source, ")"), " (", "@", 1)
		}
		p.depends = append(relations(get(s, "pre-depends")), relations(get(s, "depends"))...)
		p.provides = relations(get(s, "provides"))
		list = append(list, p)
	}
	return list
}

// relations reads "a (>= 1), b | c:any" into "a", "b|c".
func relations(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		var names []string
		for alternative := range strings.SplitSeq(part, "|") {
			if f := strings.FieldsFunc(alternative, func(r rune) bool { return r == ' ' || r == '(' || r == ':' || r == '\n' || r == '[' }); len(f) > 0 {
				names = append(names, f[0])
			}
		}
		if len(names) > 0 {
			list = append(list, strings.Join(names, "|"))
		}
	}
	return list
}

// copyrightFile is what a package's /usr/share/doc/…/copyright says.
type copyrightFile struct {
	licence   string
	refs      []sbom.License
	note      string
	copyright string
}

// largestCopyright bounds what is read of one copyright file.
const largestCopyright = 2 << 20

// readCopyright reads a copyright file of Debian, by its fields where it has the
// machine-readable form
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/), else as
// prose in which licences are looked for. Packages of one source have the same
// file; it is read once.
func (l *Licenses) readCopyright(text []byte) (copyrightFile, error) {
	text = text[:min(len(text), largestCopyright)]
	key := sha256.Sum256(text)
	l.mutex.Lock()
	c, ok := l.copyrights[key]
	l.mutex.Unlock()
	if ok {
		return c, nil
	}
	c, err := l.parseCopyright(text)
	if err != nil {
		return copyrightFile{}, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.copyrights) < mostCached {
		l.copyrights[key] = c
	}
	return c, nil
}

func (l *Licenses) parseCopyright(text []byte) (copyrightFile, error) {
	if machineReadable(text) {
		if c, err := l.readFields(text); err != nil || c.licence != "" {
			return c, err
		}
	}
	f, err := l.Text(text)
	if err != nil {
		return copyrightFile{}, err
	}
	ids := append(slices.Clone(f.IDs), pointed(text, f.IDs)...)
	c := copyrightFile{licence: sbom.AllOf(ids...), refs: f.Refs, note: "Recognized in the package's copyright file.", copyright: strings.Join(f.Copyright, "\n")}
	if body := strings.TrimSpace(string(text)); c.licence == "" && body != "" {
		own := ownLicence("copyright file", body)
		c.licence, c.refs, c.note = own.ID, []sbom.License{own}, "The package's copyright file names no licence that is known."
	}
	return c, nil
}

// ownLicence is a licence that SPDX does not list, with its text. Different texts
// go by the same name in different packages, so the text is part of the id.
func ownLicence(name, text string) sbom.License {
	text = clip(text, mostLicenceText)
	sum := sha256.Sum256([]byte(text))
	return sbom.License{ID: sbom.LicenseRef(spaces.ReplaceAllString(name, "-") + "-" + hex.EncodeToString(sum[:4])), Name: name, Text: text}
}

func machineReadable(text []byte) bool {
	for line := range bytes.Lines(text[:min(len(text), 1024)]) {
		name, value, _ := bytes.Cut(bytes.ToLower(line), []byte(":"))
		if (string(name) == "format" || string(name) == "format-specification") && len(bytes.TrimSpace(value)) > 0 {
			return true
		}
	}
	return false
}

// readFields reads the machine-readable form: every licence of the files that
// come into the package counts, but not those of the packaging alone.
func (l *Licenses) readFields(text []byte) (copyrightFile, error) {
	bodies := map[string]string{} // of licences by their short names
	var named, packaging, notices []string
	for s := range stanzas(text) {
		licence := get(s, "license")
		short, body, _ := strings.Cut(licence, "\n")
		short = strings.TrimSpace(short)
		if body != "" && bodies[short] == "" {
			bodies[short] = body
		}
		files := get(s, "files")
		switch {
		case short == "" || files == "" && get(s, "format") == "" && get(s, "format-specification") == "":
		case files != "" && onlyPackaging(files):
			packaging = append(packaging, short)
		default:
			named = append(named, short)
		}
		for notice := range strings.Lines(get(s, "copyright")) {
			if notice = strings.TrimSpace(notice); files != "" && notice != "" && len(notices) < mostNotices && !slices.Contains(notices, notice) {
				notices = append(notices, clip(notice, longestNotice))
			}
		}
	}
	if len(named) == 0 {
		named = packaging
	}
	var all []sbom.Expression
	refs := map[string]sbom.License{}
	seen := map[string]bool{}
	for _, short := range named {
		if seen[short] {
			continue
		}
		seen[short] = true
		e, own := readLicence(short)
		for _, r := range own {
			better, kept, err := l.byText(r, bodies[r.Name])
			if err != nil {
				return copyrightFile{}, err
			}
			e = substitute(e, r.ID, better)
			if kept.ID != "" {
				refs[kept.ID] = kept
			}
		}
		all = append(all, e)
	}
	return copyrightFile{
		licence: combine("AND", all...).String(), refs: sortedLicences(refs), note: "Declared in the package's copyright file.",
		copyright: strings.Join(notices, "\n"),
	}, nil
}

// surely is how much of a text must be a licence's for the text to be that
// licence, in percent.
const surely = 90

// byText recognizes a licence whose name is not known by its text. Otherwise it
// is kept with its text, if there is one.
func (l *Licenses) byText(r sbom.License, body string) (sbom.Expression, sbom.License, error) {
	body = strings.ReplaceAll(body, "\n.\n", "\n\n")
	if body == "" {
		return leaf(r.ID), r, nil
	}
	f, err := l.Text([]byte(body))
	if err != nil {
		return sbom.Expression{}, sbom.License{}, err
	}
	if len(f.IDs) == 1 && f.Percent >= surely && len(f.Refs) == 0 {
		return leaf(f.IDs[0]), sbom.License{}, nil
	}
	own := ownLicence(r.Name, strings.TrimSpace(body))
	return leaf(own.ID), own, nil
}

// substitute puts another expression in the place of a licence.
func substitute(e sbom.Expression, id string, by sbom.Expression) sbom.Expression {
	if e.Operator == "" {
		if e.License == id {
			return by
		}
		return e
	}
	var terms []sbom.Expression
	for _, t := range e.Terms {
		terms = append(terms, substitute(t, id, by))
	}
	return combine(e.Operator, terms...)
}

func onlyPackaging(files string) bool {
	for _, f := range strings.Fields(files) {
		if !strings.HasPrefix(f, "debian/") {
			return false
		}
	}
	return true
}

// pointed lists the licences that prose points at in Debian's folder of licences,
// unless one of the family was recognized already, which says more exactly which.
func pointed(text []byte, recognized []string) []string {
	const folder = "/usr/share/common-licenses/"
	var ids []string
	for rest := text; ; {
		i := bytes.Index(rest, []byte(folder))
		if i < 0 {
			return ids
		}
		rest = rest[i+len(folder):]
		end := 0
		for end < len(rest) && end < 40 && (letters[rest[end]] != 0 || rest[end] == '-' || rest[end] == '.') {
			end++
		}
		name := strings.TrimRight(string(rest[:end]), ".-")
		e, ok := findLicence(name)
		if !ok || len(e.Licenses()) != 1 {
			continue
		}
		family, _, _ := strings.Cut(e.Licenses()[0], "-")
		sameFamily := func(id string) bool { return strings.HasPrefix(id, family+"-") }
		if id := e.Licenses()[0]; !slices.ContainsFunc(recognized, sameFamily) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
}
