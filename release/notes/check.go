package notes

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Outcome is what a pull request says about its release note.
type Outcome string

// Outcomes of a check.
const (
	HasNote     Outcome = "note"    // there is a text to publish
	NoneNeeded  Outcome = "none"    // the author said that none is needed
	MissingNote Outcome = "missing" // nothing was said
	InvalidNote Outcome = "invalid" // something was said that cannot be read
)

// Verdict is the answer to "does this pull request have its release note?".
type Verdict struct {
	Outcome        Outcome `json:"verdict"`
	Text           string  `json:"text,omitempty"`
	Docs           []Doc   `json:"docs,omitempty"`
	ActionRequired bool    `json:"action_required,omitempty"`
	Why            string  `json:"why"` // one sentence
}

// Doc is a link to further reading from a docs block.
type Doc struct {
	Description string  `json:"description,omitempty" yaml:"description"`
	URL         string  `json:"url" yaml:"url"`
	Type        DocType `json:"type" yaml:"type"`
}

// DocType says what a documentation link leads to.
type DocType string

// Kinds of documentation links.
const (
	DocKEP      DocType = "KEP"      // an enhancement proposal
	DocOfficial DocType = "official" // the project's own documentation
	DocExternal DocType = "external"
)

// Labels that say something about notes.
const (
	labelNone   = "release-note-none"
	labelAction = "release-note-action-required"
)

// Check reads a pull request's body and labels.
//
// The note stands in a block opened by a line that begins with three backticks
// and release-note or release-notes, in lower case and with nothing after it,
// and closed by three backticks on a line of their own; both lines end alike.
// The first block counts. A block that says none, n/a or na in any case
// (quotes or not), /release-note-none anywhere or the label release-note-none
// say that no note is needed. An empty block voids the note: the template was
// left as it was.
//
// Where Kubernetes' tools read more into a body than its author meant, this
// reads what is meant: a quoted "NONE" is none, a fence of another language is
// never a note, and "[action required]" is cut off at the start only, where it
// makes the note one that demands action, as the label does.
func Check(body string, labels []string) Verdict {
	v := Verdict{Docs: parseDocs(body)}
	action := hasLabel(labels, labelAction)
	blocks, broken := findBlocks(body, isNoteFence)
	empty := slices.ContainsFunc(blocks, func(b string) bool { return strings.TrimSpace(b) == "" })
	switch {
	case hasLabel(labels, labelNone):
		v.Outcome, v.Why = NoneNeeded, "the label "+labelNone+" is set"
	case noneCommand.MatchString(body):
		v.Outcome, v.Why = NoneNeeded, "the body says /release-note-none"
	case slices.ContainsFunc(blocks, isNone):
		v.Outcome, v.Why = NoneNeeded, "the release-note block says that none is needed"
	case empty && len(blocks) > 1:
		v.Outcome, v.Why = InvalidNote, "one of several release-note blocks is empty; remove it"
	case empty:
		v.Outcome, v.Why = MissingNote, "the release-note block is empty; write the note or NONE"
	case len(blocks) > 0:
		v.Outcome, v.Why = HasNote, "the release-note block has a text"
		v.Text, v.ActionRequired = cleanText(blocks[0])
		if v.Text == "" {
			v.Outcome, v.Why = InvalidNote, "the release-note block holds nothing but a marker; write the note"
		}
	case broken != "":
		v.Outcome, v.Why = InvalidNote, broken
	default:
		v.Outcome, v.Why = MissingNote, "there is no release-note block; add ```release-note, the note or NONE, and ```"
	}
	v.ActionRequired = v.Outcome == HasNote && (v.ActionRequired || action)
	return v
}

func hasLabel(labels []string, name string) bool {
	return slices.ContainsFunc(labels, func(l string) bool { return strings.EqualFold(l, name) })
}

var (
	noneCommand = regexp.MustCompile(`(?m)(?:^|\s)/release-note-none(?:\s|$)`)
	noneText    = regexp.MustCompile(`(?i)^(?:none|n/a|na)\.?$`)
)

func isNone(block string) bool {
	return noneText.MatchString(strings.Trim(strings.TrimSpace(block), "\"'`"))
}

func isNoteFence(info string) bool { return info == "release-note" || info == "release-notes" }

// findBlocks returns the content of every fenced block whose info string is
// wanted, and, for a fence that was meant to be one but is not, what is wrong.
func findBlocks(body string, wanted func(info string) bool) (blocks []string, broken string) {
	lines := splitLines(body)
	for i := 0; i < len(lines); i++ {
		info, isFence := strings.CutPrefix(lines[i].text, "```")
		if !isFence {
			continue
		}
		if !wanted(info) {
			if near := strings.ToLower(strings.TrimSpace(strings.Trim(info, "`"))); near != info && wanted(near) {
				broken = fmt.Sprintf("line %d: write ```%s in lower case, with nothing around it", i+1, near)
			}
			// The block of another language may quote anything.
			i = closing(lines, i)
			continue
		}
		end := closingNote(lines, i)
		switch {
		case end == len(lines):
			broken = fmt.Sprintf("line %d: the block is never closed; end it with ``` on a line of its own", i+1)
		case lines[end].end != "" && lines[end].end != lines[i].end:
			broken = fmt.Sprintf("line %d: the block's first and last line end differently (CRLF and LF)", i+1)
		default:
			var b strings.Builder
			for _, l := range lines[i+1 : end] {
				b.WriteString(l.text + "\n")
			}
			blocks = append(blocks, b.String())
		}
		i = end
	}
	return blocks, broken
}

// closingNote returns the line that closes the note's block opened at i, or
// len(lines). A note may hold code blocks that name their language.
func closingNote(lines []line, i int) int {
	for j := i + 1; j < len(lines); j++ {
		switch {
		case lines[j].text == "```":
			return j
		case strings.HasPrefix(lines[j].text, "```"):
			end := closing(lines, j)
			if end == j {
				return len(lines)
			}
			j = end
		}
	}
	return len(lines)
}

// closing returns the line that closes the fence at i, or i if none does: an
// unclosed fence must not hide the blocks after it.
func closing(lines []line, i int) int {
	for j := i + 1; j < len(lines); j++ {
		if strings.TrimRight(lines[j].text, " \t") == "```" {
			return j
		}
	}
	return i
}

type line struct{ text, end string }

func splitLines(s string) []line {
	var lines []line
	for raw := range strings.Lines(s) {
		text := strings.TrimRight(raw, "\r\n")
		lines = append(lines, line{text: text, end: raw[len(text):]})
	}
	return lines
}

var (
	actionMarker = regexp.MustCompile(`(?i)^\s*\**\s*(?:\[\s*action required\s*\]|action required\s*:)\s*\**\s*:?\s*`)
	starBullet   = regexp.MustCompile(`(?m)^(\s*)\* `)
)

// cleanText brings a block's text into the shape in which it is published, and
// reports whether it was marked as demanding action.
func cleanText(block string) (text string, action bool) {
	text = strings.TrimSpace(starBullet.ReplaceAllString(block, "$1- "))
	// A list of one is no list.
	if rest, ok := strings.CutPrefix(text, "- "); ok && !strings.Contains(rest, "\n- ") {
		text = strings.TrimSpace(rest)
	}
	if m := actionMarker.FindString(text); m != "" {
		text, action = strings.TrimSpace(text[len(m):]), true
	}
	return text, action
}

var (
	docLink  = regexp.MustCompile(`https?://[^\s<>]+`)
	docStart = regexp.MustCompile(`^\s*[-*+]\s+`)
)

// parseDocs reads the docs block: a description and a link per line.
func parseDocs(body string) []Doc {
	blocks, _ := findBlocks(body, func(info string) bool { return info == "docs" })
	if len(blocks) == 0 {
		return nil
	}
	var docs []Doc
	for l := range strings.Lines(blocks[0]) {
		l = strings.TrimSpace(docStart.ReplaceAllString(l, ""))
		at := docLink.FindStringIndex(l)
		if at == nil {
			continue
		}
		link := trimLink(l[at[0]:at[1]])
		u, err := url.Parse(link)
		if err != nil || u.Host == "" {
			continue
		}
		docs = append(docs, Doc{
			Description: strings.TrimRight(l[:at[0]], "<([: \t"),
			URL:         link,
			Type:        docType(u),
		})
	}
	return docs
}

// trimLink takes off what belongs to the sentence or the Markdown around a
// link: punctuation, and brackets that were opened before it.
func trimLink(link string) string {
	for link != "" {
		switch last := link[len(link)-1]; {
		case strings.IndexByte(".,;:!?\"'", last) >= 0:
		case last == ')' && strings.Count(link, ")") > strings.Count(link, "("):
		case last == ']' && strings.Count(link, "]") > strings.Count(link, "["):
		default:
			return link
		}
		link = link[:len(link)-1]
	}
	return link
}

// docType tells the types apart: an enhancement proposal by its address or, in
// any project, by the folder it lies in.
func docType(u *url.URL) DocType {
	host, p := strings.ToLower(u.Hostname()), strings.ToLower(u.Path)
	switch {
	case host == "kep.k8s.io", strings.HasPrefix(p, "/kubernetes/enhancements/"), strings.Contains(p, "/keps/"):
		return DocKEP
	case (host == "kubernetes.io" || host == "k8s.io") && strings.HasPrefix(p, "/docs/"):
		return DocOfficial
	}
	return DocExternal
}
