package local

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"seaworthy/git"
)

// annotated is the content of a tag object.
type annotated struct {
	object, kind, name string
	tagger             git.Person
	message            string
}

// parseTag reads a tag object: headers, an empty line, the message. Tags of
// before 2005 have no tagger.
func parseTag(raw string) (annotated, bool) {
	head, message, ok := strings.Cut(raw, "\n\n")
	if !ok {
		head = strings.TrimSuffix(raw, "\n")
	}
	t := annotated{message: strings.TrimSuffix(message, "\n")}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "object":
			t.object = value
		case "type":
			t.kind = value
		case "tag":
			t.name = value
		case "tagger":
			t.tagger = parsePerson(value)
		}
	}
	return t, t.object != "" && t.kind != "" && t.name != ""
}

// parsePerson reads "NAME <EMAIL> SECONDS ZONE".
func parsePerson(s string) git.Person {
	name, rest, _ := strings.Cut(s, " <")
	email, when, _ := strings.Cut(rest, ">")
	seconds, _, _ := strings.Cut(strings.TrimSpace(when), " ")
	p := git.Person{Name: name, Email: email}
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
		p.Time = time.Unix(n, 0).UTC()
	}
	return p
}

// tagText writes a tag object. A line break in a header would start another.
func tagText(t annotated) string {
	one := strings.NewReplacer("\n", " ", "<", "", ">", "")
	return fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s <%s> %d +0000\n\n%s\n", one.Replace(t.object), one.Replace(t.kind), one.Replace(t.name),
		one.Replace(t.tagger.Name), one.Replace(t.tagger.Email), t.tagger.Time.Unix(), strings.TrimRight(t.message, "\n"))
}
