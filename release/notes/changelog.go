package notes

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/semver"

	"seaworthy/artifact"
)

// Section is one release's part of a changelog.
type Section struct {
	Version     string // with its prefix
	Previous    string // empty for the first release
	DownloadURL string // folder the files are in, without a slash at its end; empty gives no links
	Artifacts   []artifact.Artifact
	Notes       Notes
}

// Markdown renders the section: downloads with their sha512, then the notes.
func (s Section) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", s.Version)
	if len(s.Artifacts) > 0 {
		fmt.Fprintf(&b, "## Downloads for %s\n\n", s.Version)
		s.downloads(&b, "Source Code", func(a artifact.Artifact) bool { return a.Kind == artifact.Source })
		s.downloads(&b, "Binaries", func(a artifact.Artifact) bool { return a.Kind == artifact.Archive || a.Kind == artifact.Binary })
		s.downloads(&b, "Other", func(a artifact.Artifact) bool {
			return a.Kind != artifact.Source && a.Kind != artifact.Archive && a.Kind != artifact.Binary
		})
	}
	if s.Previous != "" {
		fmt.Fprintf(&b, "## Changelog since %s\n\n", s.Previous)
	} else {
		b.WriteString("## Changelog\n\n")
	}
	b.WriteString(s.Notes.Markdown(Render{Links: true, Level: 2}))
	return b.String()
}

func (s Section) downloads(b *strings.Builder, title string, want func(artifact.Artifact) bool) {
	var rows []artifact.Artifact
	for _, a := range s.Artifacts {
		if want(a) {
			rows = append(rows, a)
		}
	}
	if len(rows) == 0 {
		return
	}
	artifact.Sort(rows)
	fmt.Fprintf(b, "### %s\n\nfilename | sha512 hash\n-------- | -----------\n", title)
	for _, a := range rows {
		name := a.Name
		if s.DownloadURL != "" {
			name = fmt.Sprintf("[%s](%s/%s)", a.Name, strings.TrimRight(s.DownloadURL, "/"), a.Name)
		}
		fmt.Fprintf(b, "%s | `%s`\n", name, a.SHA512)
	}
	b.WriteString("\n")
}

// Folder holds the changelogs of a repository.
const Folder = "CHANGELOG"

// FileName returns the changelog file of a version's series,
// "CHANGELOG/CHANGELOG-1.4.md" for v1.4.2.
func FileName(version string) (string, error) {
	series := strings.TrimPrefix(semver.MajorMinor(canonical(version)), "v")
	if series == "" {
		return "", fmt.Errorf("changelog of %q: it is not a version", version)
	}
	return Folder + "/CHANGELOG-" + series + ".md", nil
}

// canonical finds the semantic version in a tag of any prefix.
func canonical(version string) string {
	if i := strings.IndexFunc(version, unicode.IsDigit); i >= 0 {
		return "v" + version[i:]
	}
	return ""
}

const (
	tocBegin = "<!-- BEGIN MUNGE: GENERATED_TOC -->"
	tocEnd   = "<!-- END MUNGE: GENERATED_TOC -->"
)

// Insert puts a section into a changelog file (empty for a new one) and
// renews its table of contents. Sections stand newest first. A version that is
// there already has its section replaced, so inserting twice is inserting once.
func Insert(file []byte, version, markdown string) ([]byte, error) {
	if !semver.IsValid(canonical(version)) {
		return nil, fmt.Errorf("inserting into the changelog: %q is not a version", version)
	}
	if first, _, _ := strings.Cut(markdown, "\n"); first != "# "+version {
		return nil, fmt.Errorf("inserting into the changelog: the section of %s must begin with the heading %q", version, "# "+version)
	}
	for h := range headings(markdown) {
		if isVersion(h) && h.title != version {
			return nil, fmt.Errorf("inserting into the changelog: the section of %s holds one of %s", version, h.title)
		}
	}
	text := strings.ReplaceAll(string(file), "\r\n", "\n")
	preamble, parts, err := splitChangelog(text)
	if err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return p.version == version })
	at := slices.IndexFunc(parts, func(p part) bool { return semver.Compare(canonical(p.version), canonical(version)) < 0 })
	if at < 0 {
		at = len(parts)
	}
	parts = slices.Insert(parts, at, part{version: version, text: strings.TrimRight(markdown, "\n") + "\n"})
	var b strings.Builder
	b.WriteString(tableOfContents(parts))
	if preamble != "" {
		b.WriteString("\n" + preamble + "\n")
	}
	for _, p := range parts {
		b.WriteString("\n" + p.text)
	}
	return []byte(b.String()), nil
}

// part is the section of one version in a changelog file.
type part struct {
	version string
	text    string
}

// splitChangelog takes a changelog apart: what stands before the first
// version, without the table of contents, and a part per version.
func splitChangelog(text string) (preamble string, parts []part, err error) {
	if before, rest, ok := strings.Cut(text, tocBegin); ok {
		_, after, closed := strings.Cut(rest, tocEnd)
		if !closed {
			return "", nil, fmt.Errorf("the changelog's table of contents is not closed: %q is missing", tocEnd)
		}
		text = strings.TrimSpace(before) + "\n" + after
	}
	var current *part
	var lead strings.Builder
	for h, line := range headings(text) {
		if isVersion(h) {
			parts = append(parts, part{version: h.title})
			current = &parts[len(parts)-1]
		}
		if current == nil {
			lead.WriteString(line)
		} else {
			current.text += line
		}
	}
	for i := range parts {
		parts[i].text = strings.TrimRight(parts[i].text, "\n") + "\n"
	}
	return strings.TrimSpace(lead.String()), parts, nil
}

type heading struct {
	level int // 0 for a line that is none
	title string
}

// isVersion tells the heading of a version's section.
func isVersion(h heading) bool {
	return h.level == 1 && !strings.Contains(h.title, " ") && semver.IsValid(canonical(h.title))
}

// headings walks the lines of a text with the heading each one is. A line
// within a fenced block is none, unless it is a version's: a block that
// somebody forgot to close must not swallow the sections after it.
func headings(text string) func(yield func(heading, string) bool) {
	return func(yield func(heading, string) bool) {
		fenced := false
		for line := range strings.Lines(text) {
			var h heading
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "```") {
				fenced = !fenced
			}
			hashes := len(line) - len(strings.TrimLeft(line, "#"))
			if hashes > 0 && hashes <= 6 && strings.HasPrefix(line[hashes:], " ") {
				h = heading{level: hashes, title: strings.TrimSpace(line[hashes:])}
			}
			if isVersion(h) {
				fenced = false
			} else if fenced {
				h = heading{}
			}
			if !yield(h, line) {
				return
			}
		}
	}
}

// tableOfContents lists every heading, indented by level and linked the way
// forges name anchors.
func tableOfContents(parts []part) string {
	var b strings.Builder
	b.WriteString(tocBegin + "\n\n")
	used := map[string]int{}
	for _, p := range parts {
		for h := range headings(p.text) {
			if h.level == 0 {
				continue
			}
			anchor := anchorOf(h.title)
			n := used[anchor]
			used[anchor]++
			if n > 0 {
				anchor += "-" + strconv.Itoa(n)
			}
			fmt.Fprintf(&b, "%s- [%s](#%s)\n", strings.Repeat("  ", h.level-1), h.title, anchor)
		}
	}
	b.WriteString("\n" + tocEnd + "\n")
	return b.String()
}

// anchorOf names a heading's anchor as GitHub does: lower case, blanks to
// dashes, everything but letters, digits, dashes and underscores left out.
func anchorOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

var readmeLine = regexp.MustCompile(`^- \[(CHANGELOG-\d+\.\d+\.md)\]\(\./CHANGELOG-\d+\.\d+\.md\)\s*$`)

// InsertReadme lists the changelog of a version's series in the folder's
// README.md (empty for a new one), newest first. Other lines stay as they are.
func InsertReadme(file []byte, version string) ([]byte, error) {
	name, err := FileName(version)
	if err != nil {
		return nil, err
	}
	names := []string{strings.TrimPrefix(name, Folder+"/")}
	text := strings.ReplaceAll(string(file), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		text = "# CHANGELOGs\n\n"
	}
	var before, after strings.Builder
	for line := range strings.Lines(text) {
		switch m := readmeLine.FindStringSubmatch(line); {
		case m != nil:
			names = append(names, m[1])
		case len(names) > 1:
			after.WriteString(line)
		default:
			before.WriteString(line)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return semver.Compare(seriesOf(b), seriesOf(a)) })
	if len(names) == 1 && !strings.HasSuffix(before.String(), "\n\n") {
		before.WriteString("\n")
	}
	for _, n := range slices.Compact(names) {
		fmt.Fprintf(&before, "- [%s](./%s)\n", n, n)
	}
	return []byte(before.String() + after.String()), nil
}

func seriesOf(file string) string {
	return "v" + strings.TrimSuffix(strings.TrimPrefix(file, "CHANGELOG-"), ".md")
}
