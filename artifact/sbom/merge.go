package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Merge makes one document of many. It describes what they describe. What two of
// them say of the same thing, under the same id, is united; where one id means
// different things, those of the later document are renamed, as are its
// licences and external documents. A reference from one of them to another
// becomes a relationship within the new one.
func Merge(name string, created time.Time, docs ...Document) (Document, error) {
	if len(docs) == 0 {
		return Document{}, errors.New("there is no bill of materials to merge")
	}
	out := Document{Name: name, Created: created}
	inside := map[string]bool{} // namespaces of the merged documents
	for i := range docs {
		docs[i] = copyOf(docs[i])
		if err := docs[i].Normalize(); err != nil {
			return Document{}, err
		}
		inside[docs[i].Namespace] = true
	}
	m := merger{out: &out, packages: map[ID]Package{}, files: map[ID]File{}, licenses: map[string]License{}, external: map[string]ExternalDoc{}, renamed: map[string]map[ID]ID{}}
	for _, d := range docs {
		m.add(d)
	}
	for _, d := range docs {
		m.relate(d, inside)
	}
	if err := out.Normalize(); err != nil {
		return Document{}, fmt.Errorf("merging: %w", err)
	}
	return out, nil
}

type merger struct {
	out      *Document
	packages map[ID]Package
	files    map[ID]File
	licenses map[string]License
	external map[string]ExternalDoc // by DocumentRef-…
	renamed  map[string]map[ID]ID   // by namespace
}

// suffix tells documents apart in ids: it comes from the namespace.
func suffix(namespace string) string {
	sum := sha256.Sum256([]byte(namespace))
	return "-" + hex.EncodeToString(sum[:4])
}

// add takes in a document's elements under ids that are free.
func (m *merger) add(d Document) {
	renamed := map[ID]ID{}
	m.renamed[d.Namespace] = renamed
	end := suffix(d.Namespace)
	licenses := map[string]string{}
	for _, l := range d.Licenses {
		id := l.ID
		if have, ok := m.licenses[id]; ok && !reflect.DeepEqual(have, l) {
			licenses[id] = id + end
			l.ID = id + end
		}
		m.licenses[l.ID] = l
		m.out.Licenses = append(m.out.Licenses, l)
	}
	for _, p := range d.Packages {
		id := p.ID
		trial := m.packages[id]
		if _, ok := m.files[id]; ok || trial.ID != "" && foldPackage(&trial, p) != nil {
			p.ID = id + ID(end)
			renamed[id] = p.ID
		}
		p.Declared, p.Concluded = relicense(p.Declared, licenses), relicense(p.Concluded, licenses)
		p.FromFiles = relicenseAll(p.FromFiles, licenses)
		m.packages[p.ID] = p
		m.out.Packages = append(m.out.Packages, p)
	}
	for _, f := range d.Files {
		id := f.ID
		trial := m.files[id]
		if _, ok := m.packages[id]; ok || trial.ID != "" && foldFile(&trial, f) != nil {
			f.ID = id + ID(end)
			renamed[id] = f.ID
		}
		f.Concluded, f.FoundIn = relicense(f.Concluded, licenses), relicenseAll(f.FoundIn, licenses)
		m.files[f.ID] = f
		m.out.Files = append(m.out.Files, f)
	}
	for _, a := range d.Authors {
		if !slices.Contains(m.out.Authors, a) {
			m.out.Authors = append(m.out.Authors, a)
		}
	}
	if m.out.LicenseSet < d.LicenseSet {
		m.out.LicenseSet = d.LicenseSet
	}
	m.out.Annotations = append(m.out.Annotations, d.Annotations...)
}

// relate takes in relationships, once all elements have their ids.
func (m *merger) relate(d Document, inside map[string]bool) {
	within := map[string]string{} // DocumentRef-… → namespace of a merged document
	outside := map[string]string{}
	for _, e := range d.External {
		if inside[e.Namespace] {
			within[e.ID] = e.Namespace
			continue
		}
		id := e.ID
		if have, ok := m.external[id]; ok && have != e {
			e.ID = id + suffix(d.Namespace)
		}
		outside[id] = e.ID
		if _, ok := m.external[e.ID]; !ok {
			m.external[e.ID] = e
			m.out.External = append(m.out.External, e)
		}
	}
	resolve := func(id ID) ID {
		ref, element, ok := strings.Cut(string(id), ":")
		if !ok {
			return m.rename(d.Namespace, id)
		}
		if namespace, ok := within[ref]; ok {
			return m.rename(namespace, ID(element))
		}
		if ref, ok := outside[ref]; ok {
			return ID(ref + ":" + element)
		}
		return id
	}
	for _, r := range d.Relationships {
		r.From, r.To = resolve(r.From), resolve(r.To)
		if r.From == DocumentID && r.To == DocumentID {
			continue // from one of the documents to another, which are now one
		}
		m.out.Relationships = append(m.out.Relationships, r)
	}
}

func (m *merger) rename(namespace string, id ID) ID {
	if to, ok := m.renamed[namespace][id]; ok {
		return to
	}
	return id
}

// relicense renames licences within an expression.
func relicense(text string, renamed map[string]string) string {
	if len(renamed) == 0 || !strings.Contains(text, "LicenseRef-") {
		return text
	}
	e, err := ParseExpression(text)
	if err != nil {
		return text
	}
	return e.replace(renamed).String()
}

func relicenseAll(list []string, renamed map[string]string) []string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = relicense(list[i], renamed)
	}
	return list
}

func (e Expression) replace(renamed map[string]string) Expression {
	if to, ok := renamed[e.License]; ok {
		e.License = to
	}
	e.Terms = slices.Clone(e.Terms)
	for i := range e.Terms {
		e.Terms[i] = e.Terms[i].replace(renamed)
	}
	return e
}
