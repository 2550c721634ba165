package sbom

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// tagReader reads SPDX tag-value. A tag belongs to the element that began last:
// PackageName, FileName, LicenseID and SPDXVersion begin one.
type tagReader struct {
	*reading
	out         spdxDocument
	section     string // package, file, license, snippet, review; empty: the document
	holder      string // id of the package that files now belong to
	remarksOn   map[string][]spdxAnnotation
	annotated   string // what the present annotation is about
	annotation  *spdxAnnotation
	snippets    int
	number      int  // of the present line
	inAPackage  bool // a package has begun, so files belong to one
	unknownTags map[string]bool
}

// parseTagValue reads tag-value, SPDX 2.1 to 2.3.
func (r *reading) parseTagValue(data []byte) error {
	t := &tagReader{reading: r, remarksOn: map[string][]spdxAnnotation{}, unknownTags: map[string]bool{}}
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		t.number++
		text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD"))
		if text == "" || text[0] == '#' {
			continue
		}
		tag, value, ok := strings.Cut(text, ":")
		if !ok {
			return fmt.Errorf("line %d: %q is not \"Tag: value\"", t.number, shortened(text))
		}
		value = strings.TrimSpace(value)
		if inner, marked := strings.CutPrefix(value, "<text>"); marked {
			at := t.number
			rest, after, err := t.block(inner, data)
			if err != nil {
				return fmt.Errorf("line %d: %w", at, err)
			}
			value, data = rest, after
		}
		t.tag(strings.TrimSpace(tag), value)
	}
	if t.out.Version == "" {
		return errors.New("it has no SPDXVersion: it is no SPDX tag-value document")
	}
	t.finish()
	return nil
}

// block reads up to </text>, which may stand lines below.
func (t *tagReader) block(first string, data []byte) (value string, rest []byte, err error) {
	if inner, _, ok := strings.Cut(first, "</text>"); ok {
		return inner, data, nil
	}
	end := bytes.Index(data, []byte("</text>"))
	if end < 0 {
		return "", nil, errors.New("<text> has no </text>")
	}
	value = first + "\n" + strings.ToValidUTF8(string(data[:end]), "\uFFFD")
	_, rest, _ = bytes.Cut(data[end:], []byte("\n"))
	t.number += strings.Count(value, "\n")
	return strings.ReplaceAll(value, "\r\n", "\n"), rest, nil
}

func shortened(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func (t *tagReader) tag(tag, value string) {
	switch tag {
	case "PackageName":
		t.section, t.inAPackage, t.holder = "package", true, ""
		t.out.Packages = append(t.out.Packages, spdxPackage{Name: value})
	case "FileName":
		t.section = "file"
		t.out.Files = append(t.out.Files, spdxFile{Name: value})
	case "LicenseID":
		t.section = "license"
		t.out.Licenses = append(t.out.Licenses, spdxLicense{ID: value})
	case "SnippetSPDXID", "SnippetSPDXIdentifier":
		t.section = "snippet"
		t.snippets++
	case "Reviewer":
		t.section = "review"
		t.remark("line %d: the review of %s is left out: SPDX has annotations for it", t.number, value)
	case "SPDXID":
		t.id(value)
	default:
		if t.anywhere(tag, value) {
			return
		}
		if !t.inSection(tag, value) && !t.ofDocument(tag, value) && !t.unknownTags[tag] {
			t.unknownTags[tag] = true
			t.remark("line %d: the tag %s is not known here", t.number, shortened(tag))
		}
	}
}

// inSection gives a tag to the element that began last.
func (t *tagReader) inSection(tag, value string) bool {
	switch t.section {
	case "package":
		return t.ofPackage(&t.out.Packages[len(t.out.Packages)-1], tag, value)
	case "file":
		return t.ofFile(&t.out.Files[len(t.out.Files)-1], tag, value)
	case "license":
		return ofLicense(&t.out.Licenses[len(t.out.Licenses)-1], tag, value)
	case "snippet":
		return strings.HasPrefix(tag, "Snippet") || strings.HasPrefix(tag, "LicenseInfoInSnippet")
	case "review":
		return strings.HasPrefix(tag, "Review")
	}
	return false
}

func (t *tagReader) id(value string) {
	switch t.section {
	case "package":
		t.out.Packages[len(t.out.Packages)-1].ID = value
		t.holder = value
	case "file":
		t.out.Files[len(t.out.Files)-1].ID = value
		if t.inAPackage && t.holder != "" {
			p := &t.out.Packages[len(t.out.Packages)-1]
			p.HasFiles = append(p.HasFiles, value)
		}
	case "":
		t.out.ID = value
	}
}

// anywhere reads relationships and annotations, which may stand in any section.
func (t *tagReader) anywhere(tag, value string) bool {
	switch tag {
	case "Relationship":
		words := strings.Fields(value)
		if len(words) != 3 {
			t.remark("line %d: a relationship has two ids and a type between them", t.number)
			return true
		}
		t.out.Relationships = append(t.out.Relationships, spdxRelationship{From: words[0], Type: words[1], To: words[2]})
	case "RelationshipComment":
		if n := len(t.out.Relationships); n > 0 {
			t.out.Relationships[n-1].Comment = value
		}
	case "Annotator":
		t.closeAnnotation()
		t.annotation, t.annotated = &spdxAnnotation{By: value}, ""
	case "AnnotationDate", "AnnotationType", "AnnotationComment", "SPDXREF":
		if t.annotation == nil {
			t.annotation = &spdxAnnotation{}
		}
		switch tag {
		case "AnnotationDate":
			t.annotation.Date = value
		case "AnnotationType":
			t.annotation.Type = value
		case "AnnotationComment":
			t.annotation.Comment = value
		default:
			t.annotated = value
		}
	default:
		return false
	}
	return true
}

func (t *tagReader) closeAnnotation() {
	if t.annotation == nil {
		return
	}
	about := t.annotated
	if about == "" {
		about = string(DocumentID)
	}
	t.remarksOn[about] = append(t.remarksOn[about], *t.annotation)
	t.annotation = nil
}

// finish hands annotations to what they are about, and makes the model.
func (t *tagReader) finish() {
	t.closeAnnotation()
	take := func(id string) []spdxAnnotation {
		list := t.remarksOn[id]
		delete(t.remarksOn, id)
		return list
	}
	t.out.Annotations = take(string(DocumentID))
	for i := range t.out.Packages {
		t.out.Packages[i].Annotations = take(t.out.Packages[i].ID)
	}
	for i := range t.out.Files {
		t.out.Files[i].Annotations = take(t.out.Files[i].ID)
	}
	if n := len(t.remarksOn); n > 0 {
		t.remark("annotations of %d elements that are not in the document are left out", n)
	}
	t.fromSPDX(t.out)
	if t.snippets > 0 {
		t.remark("%d snippets are left out", t.snippets)
	}
}
