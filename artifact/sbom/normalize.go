package sbom

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // SPDX prescribes it for verification codes
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Normalize brings a document into the form it is written in: times in whole
// seconds UTC, everything sorted, what stands twice folded into one,
// verification codes computed, and a namespace derived from the content if it
// has none. It returns every reason why that cannot be: ids that are none, or
// that different things share.
func (d *Document) Normalize() error {
	d.Created = wholeSeconds(d.Created)
	var problems []error
	d.Packages = foldAll(d.Packages, func(p Package) ID { return p.ID }, foldPackage, &problems)
	d.Files = foldAll(d.Files, func(f File) ID { return f.ID }, foldFile, &problems)
	problems = append(problems, checkIDs(*d)...)
	for i := range d.Packages {
		normalizePackage(&d.Packages[i])
	}
	for i := range d.Files {
		normalizeFile(&d.Files[i])
	}
	sortRelationships(d)
	slices.SortFunc(d.Licenses, func(a, b License) int { return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Text, b.Text)) })
	d.Licenses = slices.CompactFunc(d.Licenses, func(a, b License) bool { return reflect.DeepEqual(a, b) })
	slices.SortFunc(d.External, func(a, b ExternalDoc) int { return strings.Compare(a.ID, b.ID) })
	d.External = slices.Compact(d.External)
	d.Annotations = sortAnnotations(d.Annotations)
	analyzeFiles(d)
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("bill of materials %s: %w", d.Name, err)
	}
	if d.Namespace != "" {
		return nil
	}
	namespace, err := deriveNamespace(*d)
	if err != nil {
		return fmt.Errorf("bill of materials %s: naming it: %w", d.Name, err)
	}
	d.Namespace = namespace
	return nil
}

func checkIDs(d Document) []error {
	var problems []error
	packages := map[ID]bool{DocumentID: true}
	check := func(id ID) {
		if !validID(id) || strings.HasPrefix(string(id), "DocumentRef-") || id == DocumentID {
			problems = append(problems, fmt.Errorf("%q cannot be an id: SPDXRef- and letters, digits, dots and hyphens", id))
		}
	}
	for _, p := range d.Packages {
		check(p.ID)
		packages[p.ID] = true
	}
	for _, f := range d.Files {
		check(f.ID)
		if packages[f.ID] {
			problems = append(problems, fmt.Errorf("%s names a package and a file", f.ID))
		}
	}
	return problems
}

// foldAll sorts elements by id and makes one of those that share it. Those that
// cannot be the same thing stay, so that the document is refused again.
func foldAll[T any](list []T, id func(T) ID, fold func(*T, T) error, problems *[]error) []T {
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(string(id(a)), string(id(b))) })
	var out []T
	for _, e := range list {
		if n := len(out); n > 0 && id(out[n-1]) == id(e) {
			err := fold(&out[n-1], e)
			if err == nil {
				continue
			}
			*problems = append(*problems, err)
		}
		out = append(out, e)
	}
	return out
}

// foldPackage adds what another description of the same package says.
func foldPackage(p *Package, q Package) error {
	if p.Name != q.Name || p.Version != q.Version || p.PURL != "" && q.PURL != "" && p.PURL != q.PURL {
		return fmt.Errorf("%s names two packages: %s and %s", p.ID, describePackage(*p), describePackage(q))
	}
	fillEmpty(reflect.ValueOf(p).Elem(), reflect.ValueOf(q))
	return nil
}

func foldFile(f *File, g File) error {
	if f.Name != g.Name {
		return fmt.Errorf("%s names two files: %s and %s", f.ID, f.Name, g.Name)
	}
	for _, a := range f.Checksums {
		if other := Sum(g.Checksums, a.Algorithm); other != "" && other != a.Value {
			return fmt.Errorf("%s names two files %s: %s sums %s and %s", f.ID, f.Name, a.Algorithm, a.Value, other)
		}
	}
	fillEmpty(reflect.ValueOf(f).Elem(), reflect.ValueOf(g))
	return nil
}

func describePackage(p Package) string {
	if p.PURL != "" {
		return p.PURL
	}
	return strings.TrimSpace(p.Name + " " + p.Version)
}

// fillEmpty sets fields that are empty to those of another struct, and unites
// lists.
func fillEmpty(into, from reflect.Value) {
	for i := range into.NumField() {
		a, b := into.Field(i), from.Field(i)
		switch {
		case a.IsZero():
			a.Set(b)
		case a.Kind() == reflect.Slice:
			for j := range b.Len() {
				if !containsValue(a, b.Index(j)) {
					a.Set(reflect.Append(a.Slice3(0, a.Len(), a.Len()), b.Index(j)))
				}
			}
		}
	}
}

func containsValue(list, v reflect.Value) bool {
	for i := range list.Len() {
		if reflect.DeepEqual(list.Index(i).Interface(), v.Interface()) {
			return true
		}
	}
	return false
}

func normalizePackage(p *Package) {
	p.Built, p.Released, p.ValidUntil = wholeSeconds(p.Built), wholeSeconds(p.Released), wholeSeconds(p.ValidUntil)
	p.Checksums = sortChecksums(p.Checksums)
	p.CPEs, p.FromFiles = sortedSet(p.CPEs), sortedSet(p.FromFiles)
	p.Refs = slices.Clone(p.Refs)
	slices.SortFunc(p.Refs, func(a, b Reference) int {
		return cmp.Or(strings.Compare(a.Category, b.Category), strings.Compare(a.Type, b.Type),
			strings.Compare(a.Locator, b.Locator), strings.Compare(a.Comment, b.Comment))
	})
	p.Refs = slices.Compact(p.Refs)
	p.Annotations = sortAnnotations(p.Annotations)
	if !p.FilesAnalyzed { // SPDX wants them only then
		p.FromFiles, p.VerificationCode, p.Excluded = nil, "", nil
	}
}

func normalizeFile(f *File) {
	f.Name = cleanName(f.Name)
	f.Checksums = sortChecksums(f.Checksums)
	f.FoundIn = sortedSet(f.FoundIn)
	f.Annotations = sortAnnotations(f.Annotations)
}

// cleanName takes away how tools begin a file's name: SPDX writes "./" before
// it, and paths of an image begin with "/".
func cleanName(name string) string {
	for {
		short := strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/")
		if short == name {
			return name
		}
		name = short
	}
}

func sortRelationships(d *Document) {
	slices.SortFunc(d.Relationships, func(a, b Relationship) int {
		// What the document is about comes first.
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(string(a.From), string(b.From)),
			strings.Compare(string(a.Type), string(b.Type)), strings.Compare(string(a.To), string(b.To)), strings.Compare(a.Comment, b.Comment))
	})
	d.Relationships = slices.Compact(d.Relationships)
}

func rank(r Relationship) int {
	if r.From == DocumentID || r.To == DocumentID {
		return 0
	}
	return 1
}

func sortChecksums(list []Checksum) []Checksum {
	list = slices.Clone(list)
	for i := range list {
		list[i].Value = strings.ToLower(list[i].Value)
	}
	slices.SortFunc(list, func(a, b Checksum) int {
		return cmp.Or(strings.Compare(string(a.Algorithm), string(b.Algorithm)), strings.Compare(a.Value, b.Value))
	})
	return slices.Compact(list)
}

func sortAnnotations(list []Annotation) []Annotation {
	list = slices.Clone(list)
	for i := range list {
		list[i].Date = wholeSeconds(list[i].Date)
	}
	slices.SortFunc(list, func(a, b Annotation) int {
		return cmp.Or(a.Date.Compare(b.Date), strings.Compare(a.Comment, b.Comment), strings.Compare(a.By.String(), b.By.String()))
	})
	return slices.Compact(list)
}

func sortedSet(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// analyzeFiles computes what packages say of their files. A package whose files
// lack the SHA1 sums for it keeps the code it has.
func analyzeFiles(d *Document) {
	files := map[ID]*File{}
	for i := range d.Files {
		files[d.Files[i].ID] = &d.Files[i]
	}
	within := map[ID][]*File{}
	for _, r := range d.Relationships {
		owner, part := r.From, r.To
		if r.Type == ContainedBy {
			owner, part = part, owner
		}
		if f := files[part]; f != nil && (r.Type == Contains || r.Type == ContainedBy) {
			within[owner] = append(within[owner], f)
		}
	}
	for i := range d.Packages {
		p := &d.Packages[i]
		list := within[p.ID]
		if !p.FilesAnalyzed || len(list) == 0 {
			continue
		}
		if code, ok := verificationCode(list, p.Excluded); ok {
			p.VerificationCode = code
		}
		if len(p.FromFiles) == 0 {
			for _, f := range list {
				for _, id := range f.FoundIn {
					if id != None {
						p.FromFiles = append(p.FromFiles, id)
					}
				}
			}
			p.FromFiles = sortedSet(p.FromFiles)
		}
	}
}

// verificationCode is SPDX 2.3, 7.9: the SHA1 of the files' sorted SHA1 sums.
func verificationCode(files []*File, excluded []string) (string, bool) {
	var sums []string
	seen := map[ID]bool{}
	for _, f := range files {
		if seen[f.ID] || slices.ContainsFunc(excluded, func(e string) bool { return cleanName(e) == f.Name }) {
			continue
		}
		seen[f.ID] = true
		sum := Sum(f.Checksums, SHA1)
		if sum == "" {
			return "", false
		}
		sums = append(sums, sum)
	}
	slices.Sort(sums)
	code := sha1.Sum([]byte(strings.Join(sums, ""))) //nolint:gosec // see above
	return hex.EncodeToString(code[:]), true
}

// deriveNamespace names the document by what it says: the same content has the
// same name wherever it is made.
func deriveNamespace(d Document) (string, error) {
	h := sha256.New()
	if err := encodeSPDX(h, d); err != nil {
		return "", err
	}
	name := strings.TrimPrefix(string(makeID("", "-", []string{d.Name}, nil, false)), idPrefix+"-")
	return "https://spdx.org/spdxdocs/" + strings.Trim(name+"-", "-") + "-" + hex.EncodeToString(h.Sum(nil)[:16]), nil
}
