package verdict

import (
	"fmt"
	"strings"
)

// Sign is the colour as a symbol with its word, so that it can be read without
// the colour.
func (c Color) Sign() string {
	switch c {
	case Green:
		return "🟢 green"
	case Yellow:
		return "🟡 yellow"
	}
	return "🔴 red"
}

// Markdown is the report for an issue or a meeting: a table of the branches, and
// for each what is in the way, what changed, and which criteria are missed.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Signal of %s: %s\n\n", stamp(r.At), r.Color.Sign())
	if r.IssuesUnknown != "" {
		fmt.Fprintf(&b, "Issues could not be read, so no failure is explained: %s\n\n", escape(r.IssuesUnknown))
	}
	if len(r.Branches) == 0 {
		b.WriteString("No blocking or informing dashboard has a job.\n")
		return b.String()
	}
	b.WriteString("| branch | signal | before | blocking | informing | ready to cut |\n|---|---|---|---|---|---|\n")
	for _, x := range r.Branches {
		ready := "no"
		if x.Cut.Ready {
			ready = "yes"
		}
		before := "the same"
		if x.Before != x.Color {
			before = x.Before.Sign()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", escape(x.Label), x.Color.Sign(), before, x.Blocking, x.Informing, ready)
	}
	for _, x := range r.Branches {
		x.markdown(&b, r)
	}
	return b.String()
}

func (x Branch) markdown(b *strings.Builder, r Report) {
	fmt.Fprintf(b, "\n## %s %s\n", escape(x.Label), x.Color.Sign())
	list(b, "", x.Reasons)
	if !x.Cut.Ready {
		list(b, "In the way of a cut", x.Cut.Reasons)
	}
	fmt.Fprintf(b, "\n### Since %s\n\n", stamp(r.Since))
	if len(x.Changes) == 0 {
		b.WriteString("Nothing changed.\n")
	}
	for _, c := range x.Changes {
		fmt.Fprintf(b, "- %s: %s\n", linked(c.Tab, c.Link), c.sentence(quoted))
	}
	x.jobTable(b)
	x.missed(b)
}

func list(b *strings.Builder, heading string, reasons []Reason) {
	if heading != "" {
		fmt.Fprintf(b, "\n### %s\n", heading)
	}
	b.WriteString("\n")
	for _, reason := range reasons {
		text := escape(reason.Text)
		if reason.Link != "" {
			text += fmt.Sprintf(" ([%s](%s))", escape(reason.Dashboard), reason.Link)
		}
		for _, i := range reason.Issues {
			text += ", " + linked(fmt.Sprintf("#%d", i.Number), i.Link)
		}
		fmt.Fprintf(b, "- %s\n", text)
	}
}

// Sentence tells what became different.
func (c Change) Sentence() string { return c.sentence(func(name string) string { return name }) }

func (c Change) sentence(write func(name string) string) string {
	var parts []string
	if c.From != c.To {
		parts = append(parts, fmt.Sprintf("%s, was %s", c.To, c.From))
	}
	if len(c.Failing) > 0 {
		parts = append(parts, "now failing "+names(c.Failing, write))
	}
	if len(c.Mended) > 0 {
		parts = append(parts, "no longer failing "+names(c.Mended, write))
	}
	return strings.Join(parts, "; ")
}

// mostNames are written out; the rest is counted.
const mostNames = 5

// quoted is a name in Markdown.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "'") + "`" }

func names(all []string, write func(string) string) string {
	var out []string
	for i, n := range all {
		if i == mostNames {
			return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), len(all)-i)
		}
		out = append(out, write(n))
	}
	return strings.Join(out, ", ")
}

func (x Branch) jobTable(b *strings.Builder) {
	if len(x.Jobs) == 0 {
		return
	}
	b.WriteString("\n### Jobs\n\n| job | dashboard | state | greens in a row | flake rate | priority | says |\n|---|---|---|---|---|---|---|\n")
	for _, j := range x.Jobs {
		text, _, _ := strings.Cut(strings.TrimPrefix(j.Text, "Tab stats: "), "\n")
		fmt.Fprintf(b, "| %s | %s | %s | %d | %s | %s | %s |\n", linked(j.Tab, j.Link), escape(j.Dashboard), j.State, j.Greens, j.FlakeRate, j.Priority, escape(text))
	}
}

// missed lists the criteria that blocking jobs do not meet.
func (x Branch) missed(b *strings.Builder) {
	heading := "\n### Criteria missed\n\n| job | criterion | is | should be | taken from |\n|---|---|---|---|---|\n"
	for _, j := range x.Jobs {
		for _, c := range j.Criteria {
			if c.Result != Missed {
				continue
			}
			fmt.Fprintf(b, "%s| %s | %s | %s | %s | %s |\n", heading, linked(j.Tab, j.Link), c.Name, escape(c.Value), c.Limit, escape(c.Evidence))
			heading = ""
		}
	}
}

func linked(text, address string) string {
	if address == "" {
		return escape(text)
	}
	return fmt.Sprintf("[%s](%s)", escape(text), address)
}

// escape keeps text from being read as Markdown or HTML.
func escape(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "[", `\[`, "]", `\]`, "*", `\*`, "`", "'", "@", "&#64;").Replace(text)
}
