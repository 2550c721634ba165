package release

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Words are what the placeholders of a text stand for, by their names.
type Words map[string]string

// NewWords returns what may be said of a release, in texts that a project's
// configuration keeps for it. A version that follows keeps the prefix: {next}
// is the patch after this one, or the final version of a prerelease;
// {next_minor} and {next_major} begin new lines.
func NewWords(project string, v Version, branch, commit, previous string, day time.Time) Words {
	next := Version{Prefix: v.Prefix, Major: v.Major, Minor: v.Minor, Patch: v.Patch}
	if v.Final() {
		next.Patch++
	}
	return Words{
		"name": project, "version": v.String(), "tag": v.String(), "number": v.Number(), "branch": branch, "commit": commit,
		"major": strconv.Itoa(v.Major), "minor": strconv.Itoa(v.Minor), "patch": strconv.Itoa(v.Patch),
		"previous": previous, "date": day.UTC().Format(time.DateOnly), "next": next.String(),
		"next_minor": Version{Prefix: v.Prefix, Major: v.Major, Minor: v.Minor + 1}.String(),
		"next_major": Version{Prefix: v.Prefix, Major: v.Major + 1}.String(),
	}
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// Fill puts words in the place of {name}. What is in braces and is no word
// stays as it is; what a word says is not looked at again.
func (w Words) Fill(text string) string { return w.fill(text, func(s string) string { return s }) }

func (w Words) fill(text string, write func(string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		if word, ok := w[found[1:len(found)-1]]; ok {
			return write(word)
		}
		return found
	})
}

// Edit changes a file by a pattern.
type Edit struct {
	File string `json:"file"`
	// Pattern is a regular expression (RE2 in Go's form) in which ^ and $ match
	// at lines. A placeholder in it stands for the very text of its word.
	Pattern string `json:"pattern"`
	// Replace is what a match becomes: $1 to $9 are groups of the pattern, $0
	// is all of it, $$ a dollar, and placeholders are filled in.
	Replace string `json:"replace"`
	// All replaces every match instead of the first.
	All bool `json:"all,omitempty"`
}

// Apply returns the content after the edit. A pattern that is none, or that
// matches nowhere while the file does not hold the replacement either, is an
// error: a file that has changed its form is for a person to look at.
func (e Edit) Apply(content []byte, w Words) ([]byte, error) {
	re, err := regexp.Compile("(?m)" + w.fill(e.Pattern, regexp.QuoteMeta))
	if err != nil {
		return nil, fmt.Errorf("%s: pattern %q: %w", e.File, e.Pattern, err)
	}
	text := string(content)
	var out strings.Builder
	last, found := 0, false
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(text[last:m[0]])
		out.WriteString(e.replacement(text, m, w))
		last, found = m[1], true
		if !e.All {
			break
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: pattern %q matches nothing there: look whether the file has changed its form", e.File, e.Pattern)
	}
	out.WriteString(text[last:])
	return []byte(out.String()), nil
}

// replacement is what one match becomes. Groups are put in last, since a file
// may hold anything.
func (e Edit) replacement(text string, match []int, w Words) string {
	var out strings.Builder
	parts := w.Fill(strings.ReplaceAll(e.Replace, "$$", "$\x00"))
	for i := 0; i < len(parts); i++ {
		if parts[i] != '$' || i+1 == len(parts) {
			out.WriteByte(parts[i])
			continue
		}
		switch c := parts[i+1]; {
		case c == 0:
			out.WriteByte('$')
		case c >= '0' && c <= '9':
			if g := 2 * int(c-'0'); g+1 < len(match) && match[g] >= 0 {
				out.WriteString(text[match[g]:match[g+1]])
			}
		default:
			out.WriteByte('$')
			continue
		}
		i++
	}
	return out.String()
}
