package sbom

import (
	"strings"
	"time"
)

// Document is one bill of materials. Its fields follow SPDX 2.3
// (https://spdx.github.io/spdx-spec/v2.3/); what a format lacks is told where it
// is written. Empty text means that nothing is asserted.
type Document struct {
	Name       string
	Namespace  string    // URI that names this document and no other; Normalize derives it if empty
	Created    time.Time // when the document was made, whole seconds, UTC
	Authors    []Actor   // who and what made it
	Comment    string
	LicenseSet string // version of the SPDX licence list its licences are from: 3.27

	Packages      []Package
	Files         []File
	Relationships []Relationship
	Licenses      []License     // texts of the LicenseRef-… that it speaks of
	External      []ExternalDoc // other documents that relationships name
	Annotations   []Annotation  // remarks on the document itself
}

// DocumentID is the document among its elements.
const DocumentID ID = "SPDXRef-DOCUMENT"

// None is a value that was looked for and is known not to be there; a licence,
// a copyright, a download location or a relation's end may have it.
const None = "NONE"

// ID names an element within its document: SPDXRef- and letters, digits, dots
// and hyphens; in a relationship also DocumentRef-NAME:SPDXRef-… for an element
// of another document.
type ID string

// ActorKind says what an actor is.
type ActorKind string

// Kinds of actors.
const (
	Person       ActorKind = "Person"
	Organization ActorKind = "Organization"
	Tool         ActorKind = "Tool" // of documents and annotations only
)

// Actor is a person, an organization or a program. The zero actor is unknown.
type Actor struct {
	Kind  ActorKind
	Name  string
	Email string
}

// IsZero reports an unknown actor.
func (a Actor) IsZero() bool { return a == Actor{} }

// String spells the actor as SPDX does: "Organization: Example (mail@example.com)".
func (a Actor) String() string {
	if a.IsZero() {
		return noAssertion
	}
	s := string(a.Kind) + ": " + a.Name
	if a.Email != "" {
		s += " (" + a.Email + ")"
	}
	return s
}

// ParseActor reads what String writes. A text without a kind is taken for an
// organization, for many tools write suppliers so; NOASSERTION is the zero actor.
func ParseActor(s string) Actor {
	s = strings.TrimSpace(s)
	if s == "" || s == noAssertion || s == None {
		return Actor{}
	}
	a := Actor{Kind: Organization, Name: s}
	for _, kind := range []ActorKind{Person, Organization, Tool} {
		if rest, ok := strings.CutPrefix(s, string(kind)+":"); ok {
			a = Actor{Kind: kind, Name: strings.TrimSpace(rest)}
		}
	}
	if a.Kind != Tool {
		a.Name, a.Email = splitMail(a.Name)
	}
	return a
}

// splitMail takes the address from a name: "Jane Doe (jane@example.com)" as SPDX
// writes it, which also has "Jane Doe ()", or "Jane Doe <jane@example.com>".
func splitMail(s string) (name, mail string) {
	for _, bracket := range []string{"()", "<>"} {
		open := strings.LastIndexByte(s, bracket[0])
		if open <= 0 || s[len(s)-1] != bracket[1] {
			continue
		}
		if inside := s[open+1 : len(s)-1]; inside == "" || strings.Contains(inside, "@") {
			return strings.TrimSpace(s[:open]), inside
		}
	}
	return s, ""
}

// Checksum is a digest of a file or package, lower-case hex.
type Checksum struct {
	Algorithm ChecksumAlgorithm
	Value     string
}

// ChecksumAlgorithm is spelt as in SPDX: SHA1, SHA256, SHA512, MD5, SHA3-256,
// BLAKE2b-256 …
type ChecksumAlgorithm string

// Algorithms that are written here; others are kept as they are read.
const (
	SHA1   ChecksumAlgorithm = "SHA1"
	SHA256 ChecksumAlgorithm = "SHA256"
	SHA512 ChecksumAlgorithm = "SHA512"
	MD5    ChecksumAlgorithm = "MD5"
)

// Purpose is what a package is for, spelt as SPDX's primary package purpose.
type Purpose string

// Purposes.
const (
	Application     Purpose = "APPLICATION"
	Framework       Purpose = "FRAMEWORK"
	Library         Purpose = "LIBRARY"
	Container       Purpose = "CONTAINER"
	OperatingSystem Purpose = "OPERATING-SYSTEM"
	Device          Purpose = "DEVICE"
	Firmware        Purpose = "FIRMWARE"
	SourceCode      Purpose = "SOURCE"
	ArchiveFile     Purpose = "ARCHIVE"
	FileItself      Purpose = "FILE"
	Install         Purpose = "INSTALL"
	OtherPurpose    Purpose = "OTHER"
)

// Package is anything that is delivered as a whole: a module, a distribution's
// package, an archive, an image, a layer of it.
type Package struct {
	ID       ID
	Name     string
	Version  string
	FileName string // of the archive the package came as, or the path of the folder
	Purpose  Purpose

	Supplier   Actor // who hands it out
	Originator Actor // who made it, if that is another

	Download  string // where it can be fetched: a URI, git+https://…@commit, None
	Homepage  string
	PURL      string // https://github.com/package-url/purl-spec
	CPEs      []string
	Refs      []Reference // further references
	Checksums []Checksum

	Concluded   string   // licence expression that its maker arrived at
	Declared    string   // licence expression that its author states
	FromFiles   []string // licences found in its files, ids or None; only with FilesAnalyzed
	LicenseNote string   // why that licence
	Copyright   string   // text, or None
	Attribution []string // texts that must be passed on

	Summary     string
	Description string
	Source      string // how it was found, what it was made of
	Comment     string

	// FilesAnalyzed says that all its files are in the document, related by
	// Contains. Normalize then computes the verification code from their SHA1
	// sums (SPDX 2.3, 7.9), and FromFiles if it is empty.
	FilesAnalyzed    bool
	VerificationCode string
	Excluded         []string // paths the code leaves out, such as the document itself

	Built, Released, ValidUntil time.Time
	Annotations                 []Annotation
}

// Reference is a pointer out of the document, in SPDX's three parts.
type Reference struct {
	Category string // SECURITY, PACKAGE-MANAGER, PERSISTENT-ID, OTHER
	Type     string // cpe23Type, purl, swh, vcs …
	Locator  string
	Comment  string
}

// FileType is what kind of content a file has, spelt as in SPDX.
type FileType string

// Types of files.
const (
	SourceFile        FileType = "SOURCE"
	BinaryFile        FileType = "BINARY"
	ArchiveType       FileType = "ARCHIVE"
	ApplicationType   FileType = "APPLICATION"
	AudioFile         FileType = "AUDIO"
	ImageFile         FileType = "IMAGE"
	TextFile          FileType = "TEXT"
	VideoFile         FileType = "VIDEO"
	DocumentationFile FileType = "DOCUMENTATION"
	SPDXFile          FileType = "SPDX"
	OtherFile         FileType = "OTHER"
)

// File is one file.
type File struct {
	ID        ID
	Name      string // path from the root of its package, slashes, no leading "./" or "/"
	Types     []FileType
	Checksums []Checksum // SPDX asks for SHA1, more are welcome

	Concluded    string   // licence expression
	FoundIn      []string // licences found in it, ids or None
	LicenseNote  string
	Copyright    string
	Notice       string
	Contributors []string
	Attribution  []string
	Comment      string
	Annotations  []Annotation
}

// RelationshipType is spelt as in SPDX 2.3, chapter 11.
type RelationshipType string

// Types of relationships that are used here; others are kept as they are read.
const (
	Describes        RelationshipType = "DESCRIBES"
	DescribedBy      RelationshipType = "DESCRIBED_BY"
	Contains         RelationshipType = "CONTAINS"
	ContainedBy      RelationshipType = "CONTAINED_BY"
	DependsOn        RelationshipType = "DEPENDS_ON"
	DependencyOf     RelationshipType = "DEPENDENCY_OF"
	GeneratedFrom    RelationshipType = "GENERATED_FROM"
	Generates        RelationshipType = "GENERATES"
	VariantOf        RelationshipType = "VARIANT_OF"
	AncestorOf       RelationshipType = "ANCESTOR_OF"
	DescendantOf     RelationshipType = "DESCENDANT_OF"
	BuildToolOf      RelationshipType = "BUILD_TOOL_OF"
	DevDependencyOf  RelationshipType = "DEV_DEPENDENCY_OF"
	TestDependencyOf RelationshipType = "TEST_DEPENDENCY_OF"
	Amends           RelationshipType = "AMENDS"
	OtherRelation    RelationshipType = "OTHER"
)

// Relationship is read from left to right: From CONTAINS To. To may be None, or
// empty where nothing is asserted.
type Relationship struct {
	From    ID
	Type    RelationshipType
	To      ID
	Comment string
}

// License is a licence that SPDX does not list, with its text.
type License struct {
	ID      string // LicenseRef-…
	Name    string
	Text    string
	SeeAlso []string // URLs
	Comment string
}

// ExternalDoc is another document, named by its namespace and held to a sum.
type ExternalDoc struct {
	ID        string // DocumentRef-…
	Namespace string
	Checksum  Checksum
}

// Annotation is a remark somebody made.
type Annotation struct {
	By      Actor
	Date    time.Time
	Type    string // REVIEW or OTHER
	Comment string
}

// Add appends a package and returns its id.
func (d *Document) Add(p Package) ID {
	d.Packages = append(d.Packages, p)
	return p.ID
}

// AddFile appends a file and returns its id.
func (d *Document) AddFile(f File) ID {
	d.Files = append(d.Files, f)
	return f.ID
}

// Relate says how one element relates to another.
func (d *Document) Relate(from ID, t RelationshipType, to ID) {
	d.Relationships = append(d.Relationships, Relationship{From: from, Type: t, To: to})
}

// Include appends the elements of a part: packages, files, relationships,
// licences and external documents. Ids keep their meaning, so what both have
// must be the same thing; Normalize folds it into one.
func (d *Document) Include(part Document) {
	d.Packages = append(d.Packages, part.Packages...)
	d.Files = append(d.Files, part.Files...)
	d.Relationships = append(d.Relationships, part.Relationships...)
	d.Licenses = append(d.Licenses, part.Licenses...)
	d.External = append(d.External, part.External...)
}

// Described lists the elements that the document is about, in its order.
func (d *Document) Described() []ID {
	var ids []ID
	seen := map[ID]bool{}
	for _, r := range d.Relationships {
		id := r.To
		switch {
		case r.Type == Describes && r.From == DocumentID:
		case r.Type == DescribedBy && r.To == DocumentID:
			id = r.From
		default:
			continue
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// Sum returns the value of a checksum in a list, empty if there is none.
func Sum(list []Checksum, a ChecksumAlgorithm) string {
	for _, c := range list {
		if c.Algorithm == a {
			return c.Value
		}
	}
	return ""
}

// noAssertion is how SPDX spells that nothing is asserted. Inside the model it
// is empty text.
const noAssertion = "NOASSERTION"
