package sbom

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// Rule is the set of demands a finding comes from.
type Rule string

// Rules.
const (
	SPDXRule Rule = "spdx" // the specification, 2.3
	NTIARule Rule = "ntia" // "The Minimum Elements For a Software Bill of Materials", NTIA 2021
)

// Finding is something wrong with a document.
type Finding struct {
	Rule  Rule   `json:"rule"`
	Where ID     `json:"where"` // the element; the document for what concerns it all
	Name  string `json:"name,omitempty"`
	Text  string `json:"text"`
}

// Validate judges a document by the rules of SPDX 2.3 and by NTIA's minimum
// elements, and returns everything that is wrong, in the document's order.
func Validate(d Document) []Finding {
	v := validator{d: d, declared: map[string]bool{}, external: map[string]bool{}, elements: map[ID]bool{DocumentID: true}, related: map[ID]bool{}}
	for _, l := range d.Licenses {
		v.declared[l.ID] = true
	}
	for _, e := range d.External {
		v.external[e.ID] = true
	}
	v.document()
	v.ids()
	for _, r := range d.Relationships {
		v.related[r.From], v.related[r.To] = true, true
	}
	for _, p := range d.Packages {
		v.pkg(p)
	}
	v.contents()
	for _, f := range d.Files {
		v.file(f)
	}
	v.licenses()
	v.relationships()
	return v.findings
}

type validator struct {
	d        Document
	declared map[string]bool // LicenseRef-…
	external map[string]bool // DocumentRef-…
	elements map[ID]bool
	related  map[ID]bool
	where    ID
	name     string
	findings []Finding
}

func (v *validator) at(id ID, name string) { v.where, v.name = id, name }

func (v *validator) say(r Rule, format string, args ...any) {
	v.findings = append(v.findings, Finding{Rule: r, Where: v.where, Name: v.name, Text: fmt.Sprintf(format, args...)})
}

func (v *validator) document() {
	d := v.d
	v.at(DocumentID, d.Name)
	if d.Name == "" {
		v.say(SPDXRule, "the document has no name")
	}
	switch u, err := url.Parse(d.Namespace); {
	case d.Namespace == "":
		v.say(SPDXRule, "the document has no namespace")
	case err != nil || u.Scheme == "":
		v.say(SPDXRule, "the namespace %q is no absolute URI", d.Namespace)
	case strings.Contains(d.Namespace, "#"):
		v.say(SPDXRule, "the namespace %q has a fragment", d.Namespace)
	}
	if d.Created.IsZero() {
		v.say(SPDXRule, "it is not said when the document was made")
	}
	if len(d.Authors) == 0 {
		v.say(SPDXRule, "it is not said who or what made the document")
	}
	for _, a := range d.Authors {
		if a.Name == "" {
			v.say(SPDXRule, "an author has no name")
		}
	}
	if d.LicenseSet != "" && !licenseSet.MatchString(d.LicenseSet) {
		v.say(SPDXRule, "the version of the licence list, %q, is not of the form 3.27", d.LicenseSet)
	}
	for _, e := range d.External {
		if rest, ok := strings.CutPrefix(e.ID, "DocumentRef-"); !ok || !idCharacters(rest) {
			v.say(SPDXRule, "the external document %q must be called DocumentRef-NAME", e.ID)
		}
		if u, err := url.Parse(e.Namespace); err != nil || u.Scheme == "" {
			v.say(SPDXRule, "the external document %s has the namespace %q, which is no absolute URI", e.ID, e.Namespace)
		}
		v.checksum("the external document "+e.ID, e.Checksum)
	}
	if len(newGraph(d).edges[DocumentID]) == 0 && len(d.Packages) != 1 {
		v.say(SPDXRule, "it is not said what the document describes")
	}
	v.annotations(d.Annotations)
}

// The forms the specification gives.
var (
	licenseSet = regexp.MustCompile(`^\d+\.\d+$`)
	cpe22      = regexp.MustCompile(`^[cC][pP][eE]:/[AHOaho]?(:[A-Za-z0-9._\-~%]*){0,6}$`)
	cpe23      = regexp.MustCompile(`^cpe:2\.3:[aho*\-](:(((\?*|\*?)([a-zA-Z0-9\-._]|(\\[\\*?!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~]))+(\?*|\*?))|[*\-])){5}(:(([a-zA-Z]{2,3}(-([a-zA-Z]{2}|[0-9]{3}))?)|[*\-]))(:(((\?*|\*?)([a-zA-Z0-9\-._]|(\\[\\*?!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~]))+(\?*|\*?))|[*\-])){4}$`)
	download   = regexp.MustCompile(`^((git|hg|svn|bzr)\+)?[A-Za-z][A-Za-z0-9+.\-]*:[^ ]+$`)
)

func (v *validator) ids() {
	check := func(id ID, name string) {
		v.at(id, name)
		if !validID(id) || strings.HasPrefix(string(id), "DocumentRef-") {
			v.say(SPDXRule, "%q cannot be an id: SPDXRef- and letters, digits, dots and hyphens", id)
		}
		if v.elements[id] {
			v.say(SPDXRule, "the id is used twice")
		}
		v.elements[id] = true
	}
	for _, p := range v.d.Packages {
		check(p.ID, p.Name)
	}
	for _, f := range v.d.Files {
		check(f.ID, f.Name)
	}
}

func (v *validator) pkg(p Package) {
	v.at(p.ID, strings.TrimSpace(p.Name+" "+p.Version))
	v.minimum(p)
	if p.Name == "" {
		v.say(SPDXRule, "it has no name")
	}
	if p.Supplier.Kind == Tool || p.Originator.Kind == Tool {
		v.say(SPDXRule, "a tool cannot be a supplier or originator")
	}
	if p.Download != "" && p.Download != None && !download.MatchString(p.Download) {
		v.say(SPDXRule, "the download location %q is no URI", p.Download)
	}
	if p.Homepage != "" {
		if u, err := url.Parse(p.Homepage); err != nil || u.Scheme == "" {
			v.say(SPDXRule, "the home page %q is no absolute URI", p.Homepage)
		}
	}
	if p.Purpose != "" && !slices.Contains(purposes(), p.Purpose) {
		v.say(SPDXRule, "%q is no purpose of a package: write %v", p.Purpose, purposes())
	}
	for _, c := range p.Checksums {
		v.checksum("it", c)
	}
	v.expression("the licence declared", p.Declared)
	v.expression("the licence concluded", p.Concluded)
	for _, id := range p.FromFiles {
		v.expression("the licence found in its files", id)
	}
	v.references(p)
	v.annotations(p.Annotations)
}

func purposes() []Purpose {
	return []Purpose{Application, Framework, Library, Container, OperatingSystem, Device, Firmware, SourceCode, ArchiveFile, FileItself, Install, OtherPurpose}
}

// minimum holds a package to NTIA's minimum elements. Author and time are the
// document's.
func (v *validator) minimum(p Package) {
	if p.Supplier.IsZero() {
		v.say(NTIARule, "it has no supplier")
	}
	if p.Name == "" {
		v.say(NTIARule, "it has no name")
	}
	if p.Version == "" {
		v.say(NTIARule, "it has no version")
	}
	unique := p.PURL != "" || len(p.CPEs) > 0 || len(p.Checksums) > 0 || p.VerificationCode != ""
	for _, r := range p.Refs {
		unique = unique || r.Category == "PERSISTENT-ID" || r.Category == "PACKAGE-MANAGER"
	}
	if !unique {
		v.say(NTIARule, "it has nothing that names it uniquely: a purl, a CPE, a checksum")
	}
	if !v.related[p.ID] {
		v.say(NTIARule, "nothing is said of how it relates to the others")
	}
}

func (v *validator) references(p Package) {
	if p.PURL != "" {
		if _, err := packageurl.FromString(p.PURL); err != nil {
			v.say(SPDXRule, "the purl %q is none: %v", p.PURL, err)
		}
	}
	for _, c := range p.CPEs {
		if !cpe23.MatchString(c) && !cpe22.MatchString(c) {
			v.say(SPDXRule, "%q is no CPE", c)
		}
	}
	for _, r := range p.Refs {
		if !slices.Contains([]string{"SECURITY", "PACKAGE-MANAGER", "PERSISTENT-ID", "OTHER"}, r.Category) {
			v.say(SPDXRule, "%q is no category of references", r.Category)
		}
		if r.Locator == "" || strings.ContainsAny(r.Locator, " \t\n") {
			v.say(SPDXRule, "the reference %q must be without blanks", r.Locator)
		}
		if r.Type == "" || strings.ContainsAny(r.Type, " \t\n") {
			v.say(SPDXRule, "%q is no type of references", r.Type)
		}
	}
}

func (v *validator) file(f File) {
	v.at(f.ID, f.Name)
	if f.Name == "" {
		v.say(SPDXRule, "it has no name")
	}
	if Sum(f.Checksums, SHA1) == "" {
		v.say(SPDXRule, "it has no SHA1 sum")
	}
	for _, c := range f.Checksums {
		v.checksum("it", c)
	}
	for _, t := range f.Types {
		if !slices.Contains([]FileType{SourceFile, BinaryFile, ArchiveType, ApplicationType, AudioFile, ImageFile, TextFile, VideoFile, DocumentationFile, SPDXFile, OtherFile}, t) {
			v.say(SPDXRule, "%q is no type of files", t)
		}
	}
	v.expression("the licence concluded", f.Concluded)
	for _, id := range f.FoundIn {
		v.expression("the licence found in it", id)
	}
	v.annotations(f.Annotations)
}

// checksumLength is how many hex digits a sum has; 0 where that varies.
func checksumLength(a ChecksumAlgorithm) (digits int, ok bool) {
	switch a {
	case "ADLER32":
		return 8, true
	case MD5, "MD2", "MD4":
		return 32, true
	case SHA1:
		return 40, true
	case "SHA224":
		return 56, true
	case SHA256, "SHA3-256", "BLAKE2b-256":
		return 64, true
	case "SHA384", "SHA3-384", "BLAKE2b-384":
		return 96, true
	case SHA512, "SHA3-512", "BLAKE2b-512":
		return 128, true
	case "BLAKE3", "MD6":
		return 0, true
	}
	return 0, false
}

func (v *validator) checksum(of string, c Checksum) {
	length, ok := checksumLength(c.Algorithm)
	if !ok {
		v.say(SPDXRule, "%s has a sum by %q, which is no algorithm SPDX knows", of, c.Algorithm)
		return
	}
	_, err := hex.DecodeString(c.Value)
	if err != nil || length > 0 && len(c.Value) != length || c.Value == "" {
		v.say(SPDXRule, "%s has the %s sum %q: it must be of %d hex digits", of, c.Algorithm, c.Value, length)
	}
}

func (v *validator) annotations(list []Annotation) {
	for _, a := range list {
		if a.By.IsZero() || a.By.Name == "" {
			v.say(SPDXRule, "an annotation does not say by whom it is")
		}
		if a.Date.IsZero() {
			v.say(SPDXRule, "an annotation does not say when it was made")
		}
		if a.Type != "REVIEW" && a.Type != "OTHER" && a.Type != "" {
			v.say(SPDXRule, "an annotation is of the type %q: write REVIEW or OTHER", a.Type)
		}
	}
}
