package packages

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// The documents of a yum repository, in the order repomd.xml lists them.
// Source: createrepo's output; there is no written standard.
var yumDocuments = []struct{ kind, root, open string }{
	{"primary", "metadata", `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="%d">`},
	{"filelists", "filelists", `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="%d">`},
	{"other", "otherdata", `<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="%d">`},
}

// yumPackage is a package's part of each document, as text, by its digest.
type yumPackage struct {
	location string
	parts    map[string]string // by kind
}

// yum adds packages to a yum repository: rpm/CHANNEL, one for all
// architectures, as dnf passes over what is not for its machine.
func (s *shelf) yum(ctx context.Context, files []*File) (steps, error) {
	root := "rpm/" + s.p.Channel + "/"
	packages, before, err := s.readRepomd(ctx, root)
	if err != nil {
		return steps{}, err
	}
	for _, f := range files {
		parts, err := f.yumParts()
		if err != nil {
			return steps{}, err
		}
		packages[f.SHA256] = yumPackage{location: f.rpmPath(), parts: parts}
	}
	upload := func(ctx context.Context) error {
		return s.upload(ctx, files, func(f *File) []string { return []string{root + f.rpmPath()} })
	}
	return steps{upload, func(ctx context.Context) error { return s.writeYum(ctx, root, packages, before) }}, nil
}

// writeYum writes the documents, under names that hold their digest, and then
// what makes them visible. Before are those of the publication before, for
// readers who are at it.
func (s *shelf) writeYum(ctx context.Context, root string, packages map[string]yumPackage, before []string) error {
	order := sortedKeys(packages)
	slices.SortStableFunc(order, func(a, b string) int { return strings.Compare(packages[a].location, packages[b].location) })
	var md bytes.Buffer
	fmt.Fprintf(&md, "%s<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>%d</revision>\n", xml.Header, s.p.Time.Unix())
	now := map[string]bool{}
	for _, d := range yumDocuments {
		var b bytes.Buffer
		b.WriteString(xml.Header)
		fmt.Fprintf(&b, d.open+"\n", len(order))
		for _, id := range order {
			b.WriteString(packages[id].parts[d.kind] + "\n")
		}
		b.WriteString("</" + d.root + ">\n")
		zipped, err := gzipped(b.Bytes())
		if err != nil {
			return err
		}
		location := "repodata/" + sha256Hex(zipped) + "-" + d.kind + ".xml.gz"
		now[location] = true
		if err := s.put(ctx, root+location, zipped); err != nil {
			return err
		}
		fmt.Fprintf(&md, "  <data type=%q>\n    <checksum type=\"sha256\">%s</checksum>\n    <open-checksum type=\"sha256\">%s</open-checksum>\n"+
			"    <location href=%q/>\n    <timestamp>%d</timestamp>\n    <size>%d</size>\n    <open-size>%d</open-size>\n  </data>\n",
			d.kind, sha256Hex(zipped), sha256Hex(b.Bytes()), location, s.p.Time.Unix(), len(zipped), b.Len())
	}
	md.WriteString("</repomd>\n")
	if err := s.writeRepomd(ctx, root, md.Bytes()); err != nil {
		return err
	}
	now[signatureOf(md.Bytes())] = true
	return prune(ctx, s.bucket, root+"repodata/", func(key string) bool {
		name := strings.TrimPrefix(key, root)
		return now[name] || slices.Contains(before, name) || strings.HasPrefix(name, "repodata/repomd.xml")
	})
}

// writeRepomd makes the new indexes visible.
func (s *shelf) writeRepomd(ctx context.Context, root string, md []byte) error {
	if err := s.writeRepoFile(ctx); err != nil {
		return err
	}
	if err := s.holds(ctx); err != nil {
		return err
	}
	if key := s.p.Signers.OpenPGP; key != nil {
		signature, err := key.signArmored(bytes.NewReader(md), s.p.Time)
		if err != nil {
			return err
		}
		if err := s.put(ctx, root+signatureOf(md), signature); err != nil {
			return err
		}
		// The two are not one object: who reads between these lines is told
		// that the signature does not fit, and tries again.
		if err := s.put(ctx, root+"repodata/repomd.xml.asc", signature); err != nil {
			return err
		}
	}
	return s.put(ctx, root+"repodata/repomd.xml", md)
}

func (f *File) rpmPath() string { return f.Arch + "/" + f.standardName() }

// writeRepoFile tells dnf where the repository is.
func (s *shelf) writeRepoFile(ctx context.Context) error {
	if s.p.BaseURL == "" {
		return nil
	}
	base := strings.TrimSuffix(s.p.BaseURL, "/")
	text := fmt.Sprintf("# save as /etc/yum.repos.d/%[1]s-%[2]s.repo\n[%[1]s-%[2]s]\nname=%[1]s, %[2]s\nbaseurl=%[3]s/rpm/%[2]s\nenabled=1\n", s.p.Name, s.p.Channel, base)
	if s.p.Signers.OpenPGP != nil {
		text += fmt.Sprintf("gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=%s/key.asc\n", base)
	} else {
		text += "gpgcheck=0\nrepo_gpgcheck=0\n"
	}
	return s.put(ctx, fmt.Sprintf("rpm/%s-%s.repo", s.p.Name, s.p.Channel), []byte(text))
}

// repomd is what is read of an index of indexes.
type repomd struct {
	Data []struct {
		Type     string `xml:"type,attr"`
		Checksum struct {
			Type string `xml:"type,attr"`
			Text string `xml:",chardata"`
		} `xml:"checksum"`
		Location struct {
			Href string `xml:"href,attr"`
		} `xml:"location"`
	} `xml:"data"`
}

var yumLocation = regexp.MustCompile(`^repodata/[A-Za-z0-9._-]+$`)

// readRepomd reads what is published, after checking the signature. It returns
// the packages by their digest and the names of the indexes.
func (s *shelf) readRepomd(ctx context.Context, root string) (map[string]yumPackage, []string, error) {
	packages := map[string]yumPackage{}
	data, err := s.read(ctx, root+"repodata/repomd.xml")
	if err != nil || data == nil {
		return packages, nil, err
	}
	signature, err := s.read(ctx, root+"repodata/repomd.xml.asc")
	if err != nil {
		return nil, nil, err
	}
	switch keys := s.keyring(); {
	case len(keys) == 0 && signature != nil:
		return nil, nil, errors.New("the repository is signed: give its key")
	case len(keys) > 0:
		if err := s.checkRepomd(ctx, root, data, signature); err != nil {
			return nil, nil, err
		}
	}
	var md repomd
	if err := xml.Unmarshal(data, &md); err != nil {
		return nil, nil, fmt.Errorf("reading repomd.xml: %w", err)
	}
	names := []string{signatureOf(data)}
	for _, d := range md.Data {
		names = append(names, d.Location.Href)
		if slices.IndexFunc(yumDocuments, func(x struct{ kind, root, open string }) bool { return x.kind == d.Type }) < 0 {
			continue // of another tool's making; its content is in the three as well
		}
		if d.Checksum.Type != "sha256" || !yumLocation.MatchString(d.Location.Href) {
			return nil, nil, fmt.Errorf("repomd.xml gives %s no sha256 or no place in repodata", d.Type)
		}
		zipped, err := s.read(ctx, root+d.Location.Href)
		if err != nil {
			return nil, nil, err
		}
		if sha256Hex(zipped) != strings.TrimSpace(d.Checksum.Text) {
			return nil, nil, fmt.Errorf("%s is not what repomd.xml says it is: the repository is damaged", root+d.Location.Href)
		}
		if err := readYumDocument(d.Type, zipped, packages); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", root+d.Location.Href, err)
		}
	}
	for id, p := range packages {
		if len(p.parts) != len(yumDocuments) {
			return nil, nil, fmt.Errorf("package %.12s of %s is not in all of its indexes: the repository is damaged", id, root)
		}
	}
	return packages, names, nil
}

// checkRepomd checks the signature. A publication that was cut short between
// its two last steps leaves the new signature beside the old text, to which
// there still is the one that bears its digest.
func (s *shelf) checkRepomd(ctx context.Context, root string, data, signature []byte) error {
	own, err := s.read(ctx, root+signatureOf(data))
	if err != nil {
		return err
	}
	if signature == nil && own == nil {
		return errors.New("repomd.xml is not signed, though there is a key: begin a new repository")
	}
	for _, sig := range [][]byte{signature, own} {
		if _, err = openpgp.CheckArmoredDetachedSignature(s.keyring(), bytes.NewReader(data), bytes.NewReader(sig), nil); err == nil {
			return nil
		}
	}
	return fmt.Errorf("repomd.xml is not signed with this key (%w): name the key that signed it among the trusted ones, or begin a new repository", err)
}

func signatureOf(md []byte) string { return "repodata/" + sha256Hex(md) + "-repomd.xml.asc" }

// readYumDocument cuts a document into its packages, which stay as they are.
func readYumDocument(kind string, zipped []byte, into map[string]yumPackage) error {
	text, err := gunzipped(zipped)
	if err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		start := d.InputOffset()
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			if depth == 0 || t.Name.Local != "package" {
				depth++
				continue
			}
			var p struct {
				ID       string `xml:"pkgid,attr"`
				Checksum string `xml:"checksum"`
				Location struct {
					Href string `xml:"href,attr"`
				} `xml:"location"`
			}
			if err := d.DecodeElement(&p, &t); err != nil {
				return err
			}
			id := or(p.ID, strings.TrimSpace(p.Checksum))
			if len(id) != 64 {
				return fmt.Errorf("a package has no sha256 but %.70q", id)
			}
			have := into[id]
			if have.parts == nil {
				have.parts = map[string]string{}
			}
			have.location = or(have.location, p.Location.Href)
			have.parts[kind] = string(text[start:d.InputOffset()])
			into[id] = have
		}
	}
}

// escape makes a text fit for XML; what XML cannot hold becomes U+FFFD.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a strings.Builder does not fail
	}
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}

// splitEVR takes a version apart for an index, where the epoch is never left out.
func splitEVR(full string) (epoch, version, release string) {
	epoch, version, release = splitVersion(full)
	return or(epoch, "0"), version, release
}

// evr writes a version as attributes.
func evr(full string) string {
	epoch, version, release := splitEVR(full)
	text := fmt.Sprintf(`epoch="%s" ver="%s"`, escape(epoch), escape(version))
	if release != "" {
		text += fmt.Sprintf(` rel="%s"`, escape(release))
	}
	return text
}

// primaryFile are the paths other packages may depend on without every file
// being looked up.
var primaryFile = regexp.MustCompile(`^/etc/|bin/|^/usr/lib/sendmail$`)

// yumParts renders a package for the three documents.
func (f *File) yumParts() (map[string]string, error) {
	files, err := f.header.files()
	if err != nil {
		return nil, err
	}
	h := f.header
	head := fmt.Sprintf("<package pkgid=\"%s\" name=\"%s\" arch=\"%s\">\n  <version %s/>\n", f.SHA256, escape(f.Package), escape(f.Arch), evr(f.Version))
	var primary, list, other strings.Builder
	fmt.Fprintf(&primary, "<package type=\"rpm\">\n  <name>%s</name>\n  <arch>%s</arch>\n  <version %s/>\n  <checksum type=\"sha256\" pkgid=\"YES\">%s</checksum>\n",
		escape(f.Package), escape(f.Arch), evr(f.Version), f.SHA256)
	for _, l := range []struct{ name, text string }{{"summary", f.Summary}, {"description", f.Description}, {"packager", f.Maintainer}, {"url", f.Homepage}} {
		fmt.Fprintf(&primary, "  <%[1]s>%[2]s</%[1]s>\n", l.name, escape(l.text))
	}
	built := h.number(tagBuildTime)
	fmt.Fprintf(&primary, "  <time file=\"%d\" build=\"%d\"/>\n  <size package=\"%d\" installed=\"%d\" archive=\"%d\"/>\n  <location href=\"%s\"/>\n  <format>\n",
		built, built, f.Size, f.Installed, f.payloadBytes, escape(f.rpmPath()))
	for _, l := range []struct {
		name string
		tag  uint32
	}{{"license", tagLicense}, {"vendor", tagVendor}, {"group", tagGroup}, {"buildhost", tagBuildHost}, {"sourcerpm", tagSourceRPM}} {
		fmt.Fprintf(&primary, "    <rpm:%[1]s>%[2]s</rpm:%[1]s>\n", l.name, escape(h.text(l.tag)))
	}
	fmt.Fprintf(&primary, "    <rpm:header-range start=\"%d\" end=\"%d\"/>\n", f.headerStart, f.headerEnd)
	for _, l := range []struct {
		name                    string
		names, versions, senses uint32
	}{
		{"provides", tagProvideName, tagProvideVersion, tagProvideFlags}, {"requires", tagRequireName, tagRequireVersion, tagRequireFlags},
		{"conflicts", tagConflictName, tagConflictVersion, tagConflictFlags}, {"obsoletes", tagObsoleteName, tagObsoleteVersion, tagObsoleteFlags},
		{"recommends", tagRecommendName, tagRecommendName + 1, tagRecommendName + 2}, {"suggests", tagSuggestName, tagSuggestName + 1, tagSuggestName + 2},
	} {
		writeEntries(&primary, l.name, h.relations(l.names, l.versions, l.senses))
	}
	list.WriteString(head)
	for _, file := range files {
		kind := ""
		if file.folder {
			kind = ` type="dir"`
		} else if file.ghost {
			kind = ` type="ghost"`
		}
		line := fmt.Sprintf("<file%s>%s</file>\n", kind, escape(file.path))
		list.WriteString("  " + line)
		if primaryFile.MatchString(file.path) {
			primary.WriteString("    " + line)
		}
	}
	primary.WriteString("  </format>\n</package>")
	list.WriteString("</package>")
	other.WriteString(head)
	authors, texts := h.texts(tagChangelogName), h.texts(tagChangelogText)
	for i, when := range h.numbers(tagChangelogTime) {
		if i < len(authors) && i < len(texts) {
			fmt.Fprintf(&other, "  <changelog author=\"%s\" date=\"%s\">%s</changelog>\n", escape(authors[i]), strconv.FormatUint(when, 10), escape(texts[i]))
		}
	}
	other.WriteString("</package>")
	return map[string]string{"primary": primary.String(), "filelists": list.String(), "other": other.String()}, nil
}

func writeEntries(b *strings.Builder, name string, relations []rpmRelation) {
	relations = slices.DeleteFunc(relations, rpmRelation.internal)
	if len(relations) == 0 {
		return
	}
	fmt.Fprintf(b, "    <rpm:%s>\n", name)
	for _, r := range relations {
		fmt.Fprintf(b, `      <rpm:entry name="%s"`, escape(r.name))
		if r.flags != "" {
			fmt.Fprintf(b, ` flags="%s" %s`, r.flags, evr(r.version))
		}
		if name == "requires" && r.kind&(1<<6|1<<9) != 0 {
			b.WriteString(` pre="1"`)
		}
		b.WriteString("/>\n")
	}
	fmt.Fprintf(b, "    </rpm:%s>\n", name)
}
