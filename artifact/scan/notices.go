package scan

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
)

// tagWord marks a licence expression in a source file (SPDX 2.3, annex E).
const tagWord = "SPDX-License-Identifier:"

const (
	mostTags       = 20       // tags read in one file
	mostNotices    = 20       // copyright notices kept of one file
	longestNotice  = 300      // bytes of one
	noticesWithin  = 64 << 10 // bytes of a file that are searched for notices
	longestTagLine = 1024
)

// readTags reads the SPDX tags of a file. What stands after a tag and is no
// expression (a format string, prose about tags) is passed over.
func (f *Finding) readTags(text []byte) {
	var all []sbom.Expression
	for range mostTags {
		i := bytes.Index(text, []byte(tagWord))
		if i < 0 {
			break
		}
		text = text[i+len(tagWord):]
		line, _, _ := bytes.Cut(text[:min(len(text), longestTagLine)], []byte("\n"))
		if e, ok := readStrictly(strings.TrimRight(uncomment(string(line), `"`, "'", "`", "<", "|"), ".")); ok {
			all = append(all, e)
		}
	}
	sum := combine("AND", all...)
	if isEmpty(sum) {
		return
	}
	f.Tag = sum.String()
	for _, id := range sum.Licenses() {
		if slices.Contains(f.IDs, id) {
			continue
		}
		f.IDs = append(f.IDs, id)
		if strings.HasPrefix(id, "LicenseRef-") {
			f.Refs = append(f.Refs, sbom.License{ID: id, Name: strings.TrimPrefix(id, "LicenseRef-"),
				Text: "The file names this licence by its tag only."})
		}
	}
}

// uncomment cuts off what closes a comment, and what else is given.
func uncomment(line string, more ...string) string {
	for _, end := range append(more, "*/", "-->", "--%>", "*)", "#}", "%}", "\\n") {
		if i := strings.Index(line, end); i >= 0 {
			line = line[:i]
		}
	}
	return strings.TrimRight(strings.TrimSpace(line), "*#;/ \t\r")
}

// addresses lists the licences that a text names by their address alone, as in
// "Licensed under https://opensource.org/licenses/MIT". An address without such
// a word before it is a mere link.
func (l *Licenses) addresses(text []byte) []string {
	var ids []string
	for _, host := range []string{"creativecommons.org/", "opensource.org/licenses/", "gnu.org/licenses/"} {
		for at, n := 0, 0; n < mostTags; n++ {
			i := bytes.Index(text[at:], []byte(host))
			if i < 0 {
				break
			}
			start := at + i
			at = start + len(host)
			if id, ok := l.address(text, start); ok && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// address gives the licence whose address begins at a place in a text.
func (l *Licenses) address(text []byte, start int) (string, bool) {
	before := bytes.ToLower(text[max(0, start-100):start])
	if !slices.ContainsFunc([]string{"licensed", "licenced", "license:"}, func(w string) bool { return bytes.Contains(before, []byte(w)) }) {
		return "", false
	}
	end := start
	for end < len(text) && end < start+100 && (letters[text[end]] != 0 || bytes.IndexByte([]byte("-._/"), text[end]) >= 0) {
		end++
	}
	address := strings.TrimRight(strings.ToLower(string(text[start:end])), "/.")
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/legalcode"), "/deed.en")
	for range 2 { // the last part may be a country: by/3.0/us
		for _, www := range []string{"", "www."} {
			if id, ok := l.urls[www+address]; ok {
				return id, true
			}
		}
		if cut := strings.LastIndexByte(address, '/'); cut >= 0 {
			address = address[:cut]
		}
	}
	return "", false
}

// copyrightLine is a notice: the word or the sign, then years, or a name that
// begins with a capital. Code that merely speaks of copyright has neither.
var copyrightLine = regexp.MustCompile(`^(?i:copyright|SPDX-FileCopyrightText:|©)[ \t]*(?:(?i:copyright|\(c\)|©|&copy;|by|:)[ \t,]*)*(?:[12][0-9]{3}|\p{Lu}\pL*[ \t]+\pL)[^\n\r]*`)

// copyrights lists the notices of a text, each once, in its order.
func copyrights(text []byte) []string {
	text = text[:min(len(text), noticesWithin)]
	var list []string
	for range 8 * mostNotices {
		i := noticeStart(text)
		if i < 0 || len(list) == mostNotices {
			break
		}
		text = text[i:]
		m := copyrightLine.Find(text[:min(len(text), longestNotice)])
		line := strings.TrimRight(strings.Join(strings.Fields(uncomment(strings.ToValidUTF8(string(m), ""))), " "), " ,")
		if len(m) > 0 && !isTemplate(line) && !slices.Contains(list, line) {
			list = append(list, line)
		}
		text = text[max(len(m), 2):]
	}
	return list
}

// noticeStart finds where the next notice may begin, -1 if nowhere.
func noticeStart(text []byte) int {
	first := -1
	for _, word := range []string{"opyright", "OPYRIGHT", "©"} {
		within := text
		if first >= 0 {
			within = text[:min(len(text), first+len(word))]
		}
		i := bytes.Index(within, []byte(word))
		if i > 0 && word != "©" {
			i-- // the c before
		}
		if i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if tag := []byte("SPDX-FileC"); first >= len(tag)-1 && bytes.Equal(text[first-len(tag)+1:first+1], tag) {
		first -= len(tag) - 1
	}
	return first
}

// isTemplate recognizes the examples in licences' own texts and the words of the
// licences about notices.
func isTemplate(line string) bool {
	lower := strings.ToLower(line)
	for _, phrase := range []string{"[yyyy]", "<year>", "{yyyy}", "name of copyright owner", "name of author", "copyright holder", "copyright owner",
		"copyright notice", "copyright law", "copyright license", "copyright licence", "copyright statement", "copyright act", "copyright treaty", "%s", "%d"} {
		if strings.Contains(lower, phrase) {
			return true
		}
	}
	return false
}
