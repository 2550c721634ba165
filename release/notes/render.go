package notes

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Render says how notes are written.
type Render struct {
	// Links turns pull requests and authors into links.
	Links bool
	// Level of the headings of the sections; 2 when zero.
	Level int
}

// section is one heading and the kinds below it.
type section struct {
	title string
	kinds []string
}

// sections in the order of publication, as in Kubernetes' changelogs.
var sections = []section{
	{"Deprecation", []string{"deprecation"}},
	{"API Change", []string{"api-change"}},
	{"Feature", []string{"feature"}},
	{"Design", []string{"design"}},
	{"Documentation", []string{"documentation"}},
	{"Failing Test", []string{"failing-test"}},
	{"Bug or Regression", []string{"bug", "regression"}},
	{"Other (Cleanup or Flake)", []string{"cleanup", "flake"}},
}

const (
	uncategorized = "Uncategorized"
	urgentTitle   = "Urgent Upgrade Notes"
	urgentPlea    = "(No, really, you MUST read this before you upgrade)"
)

// Group is one section with its notes.
type Group struct {
	Title string
	Notes []Note
}

// Groups sorts notes into sections: each note once, below the first section
// that one of its kinds belongs to. Kinds nobody foresaw have sections of
// their own after the known ones; notes without a kind come last.
// Unpublished notes and those that demand action are left out.
func Groups(list []Note) []Group {
	byTitle := map[string][]Note{}
	var extra []string
	for _, n := range list {
		if n.DoNotPublish || n.ActionRequired {
			continue
		}
		title := sectionOf(n.Kinds)
		byTitle[title] = append(byTitle[title], n)
		if !slices.Contains(extra, title) && title != uncategorized && !slices.ContainsFunc(sections, func(s section) bool { return s.title == title }) {
			extra = append(extra, title)
		}
	}
	slices.Sort(extra)
	var groups []Group
	add := func(title string) {
		if notes := byTitle[title]; len(notes) > 0 {
			slices.SortStableFunc(notes, func(a, b Note) int { return strings.Compare(strings.ToLower(a.Text), strings.ToLower(b.Text)) })
			groups = append(groups, Group{Title: title, Notes: notes})
		}
	}
	for _, s := range sections {
		add(s.title)
	}
	for _, title := range extra {
		add(title)
	}
	add(uncategorized)
	return groups
}

func sectionOf(kinds []string) string {
	for _, s := range sections {
		for _, k := range s.kinds {
			if slices.Contains(kinds, k) {
				return s.title
			}
		}
	}
	if len(kinds) == 0 {
		return uncategorized
	}
	return pretty(kinds[0])
}

// Urgent lists the notes that demand action before an upgrade.
func Urgent(list []Note) []Note {
	var urgent []Note
	for _, n := range list {
		if n.ActionRequired && !n.DoNotPublish {
			urgent = append(urgent, n)
		}
	}
	return urgent
}

// Markdown renders the notes: what demands action first, then a section per
// kind, then the commits that came without a pull request.
func (n Notes) Markdown(r Render) string {
	level := r.Level
	if level == 0 {
		level = 2
	}
	h := strings.Repeat("#", level)
	var b strings.Builder
	if urgent := Urgent(n.Notes); len(urgent) > 0 {
		fmt.Fprintf(&b, "%s %s\n\n%s# %s\n\n", h, urgentTitle, h, urgentPlea)
		writeList(&b, urgent, r.Links)
	}
	if groups := Groups(n.Notes); len(groups) > 0 {
		fmt.Fprintf(&b, "%s Changes by Kind\n\n", h)
		for _, g := range groups {
			fmt.Fprintf(&b, "%s# %s\n\n", h, g.Title)
			writeList(&b, g.Notes, r.Links)
		}
	}
	n.writeSubjects(&b, h)
	if b.Len() == 0 {
		return "Nothing in this release asks for a note.\n"
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func writeList(b *strings.Builder, list []Note, links bool) {
	for _, n := range list {
		text := n.Markdown
		if !links || text == "" {
			text = n.line(links)
		}
		b.WriteString("- " + text + "\n")
	}
	b.WriteString("\n")
}

// writeSubjects lists commits by subject and says that they are that.
func (n Notes) writeSubjects(b *strings.Builder, h string) {
	if len(n.Subjects) == 0 {
		return
	}
	if n.PullRequests == 0 {
		fmt.Fprintf(b, "%s Commits\n\nNo pull requests are known for this range. These are the subjects of its commits, as they were written.\n\n", h)
	} else {
		fmt.Fprintf(b, "%s Commits without a Pull Request\n\nThese came without a release note. They are the subjects of the commits, as they were written.\n\n", h)
	}
	for _, s := range n.Subjects {
		fmt.Fprintf(b, "- %s (%.12s, %s)\n", escape(s.Text), s.Commit, escape(s.Author))
	}
	b.WriteString("\n")
}

var escaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "#", `\#`)

// escape keeps text that is not Markdown from being read as it.
func escape(s string) string { return escaper.Replace(strings.Join(strings.Fields(s), " ")) }

// line is the note as one entry of a list: Text (#N, @author) [SIG A and B].
func (n Note) line(links bool) string {
	pr, author := fmt.Sprintf("#%d", n.PRNumber), "@"+n.Author
	if links {
		pr = fmt.Sprintf("[%s](%s)", pr, n.PRURL)
		author = fmt.Sprintf("[%s](%s)", author, n.AuthorURL)
	}
	s := fmt.Sprintf("%s (%s, %s)", strings.ReplaceAll(capitalize(n.Text), "\n", "\n  "), pr, author)
	if len(n.SIGs) > 0 {
		s += " [SIG " + prettyList(n.SIGs) + "]"
	}
	return s
}

// capitalize raises the first letter of a sentence, unless its first word is a
// name that is written small: a path, a flag, code, camelCase. Kubernetes'
// tools raise it always, even in "hack/local-up-cluster.sh".
func capitalize(s string) string {
	word := s
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		word = s[:i]
	}
	for i, r := range strings.TrimRight(word, ".,:;!?") {
		if i == 0 && !unicode.IsLower(r) || i > 0 && !unicode.IsLower(r) && r != '-' && r != '\'' {
			return s
		}
	}
	for i, r := range s {
		if i == 0 {
			return string(unicode.ToUpper(r)) + s[len(string(r)):]
		}
	}
	return s
}

// prettyList is "A", "A and B" or "A, B and C", sorted.
func prettyList(names []string) string {
	var list []string
	for _, n := range names {
		list = append(list, pretty(n))
	}
	slices.Sort(list)
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// acronyms are written in capitals.
var acronyms = []string{"api", "aws", "cli", "ci", "cd", "gcp", "ui", "ux", "k8s", "sig"}

// pretty writes a label's value as a title: api-machinery is API Machinery.
func pretty(label string) string {
	words := strings.Fields(strings.ReplaceAll(label, "-", " "))
	for i, w := range words {
		if slices.Contains(acronyms, strings.ToLower(w)) {
			words[i] = strings.ToUpper(w)
			continue
		}
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
