package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/package-url/packageurl-go"

	"seaworthy/artifact/sbom"
)

// Image describes a container image: its layers, the operating system and its
// packages (dpkg, also as in distroless images; apk; rpm), with the licences that
// their copyright files or records tell, and the Go programs in it. ref is a
// folder in OCI's layout, an archive of docker save or of OCI's layout, or a
// reference at a registry. An index is described with all its images. Layers are
// read once, whiteouts are honoured, digests are held to.
func Image(ctx context.Context, ref string, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	c, err := openImage(ctx, ref, o)
	if err != nil {
		return sbom.Document{}, failed(ref, err)
	}
	return described(ctx, ref, c, o)
}

// ImageOf describes an image that is open already. name is its registry and
// repository, or what else it goes by.
func ImageOf(ctx context.Context, name string, image v1.Image, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	one, err := fromImage(image, name, o.Version)
	if err != nil {
		return sbom.Document{}, failed(name, err)
	}
	return described(ctx, name, containers{name: name, images: []container{one}, close: func() error { return nil }}, o)
}

// IndexOf is ImageOf for an index of images.
func IndexOf(ctx context.Context, name string, index v1.ImageIndex, o Options) (sbom.Document, error) {
	o, err := o.complete()
	if err != nil {
		return sbom.Document{}, err
	}
	c, err := fromIndex(index, name, o.Version)
	if err != nil {
		return sbom.Document{}, failed(name, err)
	}
	return described(ctx, name, c, o)
}

func described(ctx context.Context, ref string, c containers, o Options) (sbom.Document, error) {
	d, err := c.describe(ctx, o)
	if err = errors.Join(err, c.close()); err != nil {
		return sbom.Document{}, failed(ref, err)
	}
	return d, nil
}

// title is what an image goes by in the document.
func (o Options) title(c containers) string {
	if o.Name != "" {
		return o.Name
	}
	if len(c.images) == 1 && c.images[0].name != c.name {
		return c.images[0].name // what an archive calls its only image
	}
	if strings.ContainsAny(c.name, `/\`) && !strings.Contains(strings.Split(c.name, "/")[0], ".") || filepath.IsAbs(c.name) || strings.HasPrefix(c.name, ".") {
		return filepath.Base(c.name)
	}
	return c.name
}

func (c containers) describe(ctx context.Context, o Options) (sbom.Document, error) {
	title := o.title(c)
	d := o.begin(title)
	var top sbom.ID
	if c.index != "" {
		p := sbom.Package{ID: sbom.PackageID("index", title, o.Version, c.index), Name: title, Version: o.Version, Purpose: sbom.Container, Supplier: o.Supplier, Download: o.Download,
			Comment: fmt.Sprintf("An index of %d images.", len(c.images))}
		if hex, ok := strings.CutPrefix(c.index, "sha256:"); ok {
			p.Checksums = []sbom.Checksum{{Algorithm: sbom.SHA256, Value: hex}}
			p.PURL = imagePURL(c.images[0], title, c.index, "")
		}
		top = d.Add(p)
		d.Relate(sbom.DocumentID, sbom.Describes, top)
	}
	for _, one := range c.images {
		id, err := one.describe(ctx, title, o, &d)
		if err != nil {
			return sbom.Document{}, fmt.Errorf("%s: %w", platformName(one.platform), err)
		}
		if top != "" {
			d.Relate(id, sbom.VariantOf, top)
		} else {
			d.Relate(sbom.DocumentID, sbom.Describes, id)
		}
	}
	return d, nil
}

// imagePURL is the package URL of an image or an index by its digest.
func imagePURL(c container, title, digest, arch string) string {
	qualifiers := map[string]string{}
	repository := c.name
	if !strings.Contains(strings.Split(repository, "/")[0], ".") && !strings.Contains(strings.Split(repository, "/")[0], ":") || filepath.IsAbs(repository) {
		repository = ""
	}
	if repository != "" {
		qualifiers["repository_url"] = repository
	}
	if c.tag != "" {
		qualifiers["tag"] = c.tag
	}
	if arch != "" {
		qualifiers["arch"] = arch
	}
	return packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(path.Base(cmp.Or(repository, filepath.ToSlash(title)))), digest, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}

// describe adds one image to the document.
func (c container) describe(ctx context.Context, title string, o Options, d *sbom.Document) (sbom.ID, error) {
	version := cmp.Or(o.Version, c.tag)
	p := sbom.Package{
		ID:   sbom.PackageID("image", title, version, platformName(c.platform), c.identity()),
		Name: title, Version: version, Purpose: sbom.Container, Supplier: o.Supplier, Download: o.Download,
		Comment: "Platform " + platformName(c.platform) + ".", FilesAnalyzed: o.ImageFiles,
	}
	if hex, ok := strings.CutPrefix(c.digest, "sha256:"); ok {
		p.Checksums = []sbom.Checksum{{Algorithm: sbom.SHA256, Value: hex}}
		p.PURL = imagePURL(c, title, c.digest, c.platform.Architecture)
	}
	if p.Supplier.IsZero() {
		p.Supplier = labelledSupplier(c.config.Config.Labels)
	}
	p.Declared = labelledLicence(c.config.Config.Labels)
	seen, err := scanLayers(ctx, c.layers, o)
	if err != nil {
		return "", err
	}
	v := imageView{image: p.ID, seen: seen, document: d}
	if err := v.describe(o); err != nil {
		return "", err
	}
	if p.Supplier.IsZero() {
		p.Supplier = v.distro.supplier()
	}
	for _, l := range c.layers {
		d.Relate(p.ID, sbom.Contains, d.Add(l.pkg(p.Supplier)))
	}
	return d.Add(p), nil
}

// identity tells images of one name and platform apart.
func (c container) identity() string {
	if c.digest != "" {
		return strings.TrimPrefix(c.digest, "sha256:")[:12]
	}
	return ""
}

// labelledSupplier and labelledLicence read the labels that an image's maker set
// (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
func labelledSupplier(labels map[string]string) sbom.Actor {
	if vendor := labels["org.opencontainers.image.vendor"]; vendor != "" {
		return sbom.Actor{Kind: sbom.Organization, Name: clip(vendor, 200)}
	}
	return sbom.Actor{}
}

func labelledLicence(labels map[string]string) string {
	if e, ok := readStrictly(labels["org.opencontainers.image.licenses"]); ok && !strings.Contains(e.String(), "LicenseRef-") {
		return e.String()
	}
	return ""
}

// pkg makes the package of a layer.
func (l containerLayer) pkg(supplier sbom.Actor) sbom.Package {
	digest := cmp.Or(l.digest, l.diffID)
	p := sbom.Package{
		ID: sbom.PackageID("layer", digest, ""), Name: digest, Version: l.diffID, Purpose: sbom.OtherPurpose, Supplier: supplier,
		Comment: fmt.Sprintf("Layer of %d bytes, %s, diff id %s.", l.size, l.mediaType, l.diffID),
	}
	if hex, ok := strings.CutPrefix(digest, "sha256:"); ok {
		p.Checksums = []sbom.Checksum{{Algorithm: sbom.SHA256, Value: hex}}
	}
	return p
}

// imageView is what an image's layers show together.
type imageView struct {
	image    sbom.ID
	seen     map[string]kept
	distro   distro
	document *sbom.Document
}

// describe adds the operating system, its packages, the programs and, if wanted,
// the files.
func (v *imageView) describe(o Options) error {
	d := v.document
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if k, ok := v.seen[name]; ok && v.distro.id == "" {
			v.distro = parseOSRelease(k.content)
		}
	}
	if v.distro.id != "" {
		d.Relate(v.image, sbom.Contains, d.Add(sbom.Package{
			ID: sbom.PackageID("os", v.distro.id, v.distro.version), Name: v.distro.id, Version: v.distro.version, Purpose: sbom.OperatingSystem,
			Supplier: v.distro.supplier(), Homepage: v.distro.home, Source: "os-release of the image", CPEs: v.distro.cpes(),
			PURL: packageurl.NewPackageURL(packageurl.TypeGeneric, "", v.distro.id, v.distro.version, nil, "").ToString(),
		}))
	}
	list, err := v.packages()
	if err != nil {
		return err
	}
	ids := make([]sbom.ID, len(list))
	for i, p := range list {
		ids[i] = d.Add(p.pkg(v.distro))
		d.Relate(v.image, sbom.Contains, ids[i])
		d.Licenses = addLicences(d.Licenses, p.refs)
	}
	relateAll(list, ids, d)
	for _, name := range sortedKeys(v.seen) {
		f := v.seen[name].file
		if f == nil || f.program == nil && !o.ImageFiles {
			continue
		}
		file := f.file(v.image)
		d.AddFile(file)
		d.Licenses = addLicences(d.Licenses, f.finding.Refs)
		if o.ImageFiles {
			d.Relate(v.image, sbom.Contains, file.ID)
		}
		if f.program != nil {
			d.Relate(v.image, sbom.Contains, f.program.describe(d, file))
		}
	}
	return nil
}

func sortedKeys(m map[string]kept) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// packages reads the databases of packages, and the copyright files of Debian's.
func (v *imageView) packages() ([]osPackage, error) {
	var list []osPackage
	for _, name := range sortedKeys(v.seen) {
		content := v.seen[name].content
		if content == nil {
			continue
		}
		switch dir := path.Dir(name); {
		case strings.HasPrefix(name, "var/lib/dpkg/"):
			list = append(list, v.withCopyrights(parseDpkg(content))...)
		case path.Base(name) == "installed":
			list = append(list, parseApk(content)...)
		case dir == "var/lib/rpm" || strings.HasSuffix(dir, "/rpm"):
			rpms, err := parseRPMs(content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			list = append(list, rpms...)
		}
	}
	slices.SortStableFunc(list, func(a, b osPackage) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version), cmp.Compare(a.arch, b.arch))
	})
	// A database may stand in two places, linked to each other.
	return slices.CompactFunc(list, func(a, b osPackage) bool {
		return a.kind == b.kind && a.name == b.name && a.version == b.version && a.epoch == b.epoch && a.arch == b.arch
	}), nil
}

func (v *imageView) withCopyrights(list []osPackage) []osPackage {
	for i := range list {
		if c := v.copyrightOf(list[i].name); c != nil {
			list[i].licence, list[i].refs, list[i].note, list[i].copyright = c.licence, c.refs, c.note, c.copyright
		}
	}
	return list
}

// mostLinks is how many links are followed to a copyright file.
const mostLinks = 8

// copyrightOf finds a package's copyright file. Packages of one source share it
// by links, of the file or of its folder.
func (v *imageView) copyrightOf(name string) *copyrightFile {
	file := docFolder + name + "/copyright"
	for range mostLinks {
		if k, ok := v.seen[file]; ok {
			if k.link == "" {
				return k.copyright
			}
			file = follow(file, k.link)
			continue
		}
		dir := path.Dir(file)
		k, ok := v.seen[dir]
		if !ok || k.link == "" {
			return nil
		}
		file = path.Join(follow(dir, k.link), path.Base(file))
	}
	return nil
}

func follow(from, link string) string {
	if path.IsAbs(link) {
		return strings.TrimPrefix(path.Clean(link), "/")
	}
	return strings.TrimPrefix(path.Join("/", path.Dir(from), link), "/")
}
