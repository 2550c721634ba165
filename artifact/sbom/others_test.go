package sbom

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
	"github.com/spdx/tools-golang/tagvalue"
)

// TestSPDXToolsReads: SPDX's own library for Go, another implementation, finds
// in what we write what we put there, and nothing wrong with it.
func TestSPDXToolsReads(t *testing.T) {
	t.Parallel()
	want := normalized(t, halyard())
	want.Relationships = slices.DeleteFunc(want.Relationships, func(r Relationship) bool {
		// The library looks for all of these among the packages.
		return r.To == "" || r.To == None || strings.HasPrefix(string(r.To), "DocumentRef-")
	})
	for format, read := range map[Format]func([]byte) (*spdx.Document, error){
		SPDXJSON:     func(b []byte) (*spdx.Document, error) { return spdxjson.Read(bytes.NewReader(b)) },
		SPDXTagValue: func(b []byte) (*spdx.Document, error) { return tagvalue.Read(bytes.NewReader(b)) },
	} {
		d, err := read(encoded(t, want, format))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if err := spdxlib.ValidateDocument(d); err != nil && format == SPDXJSON { // it does not look for files within packages
			t.Errorf("%s: %v", format, err)
		}
		described, err := spdxlib.GetDescribedPackageIDs(d)
		if err != nil || !slices.Contains(described, "Package-halyard-v1.2.0") {
			t.Errorf("%s: described %v, %v", format, described, err)
		}
		if d.DocumentNamespace != want.Namespace || len(d.CreationInfo.Creators) != 3 || d.CreationInfo.Created != "2026-03-04T04:06:07Z" {
			t.Errorf("%s: %s, %+v", format, d.DocumentNamespace, d.CreationInfo)
		}
		if len(d.ExternalDocumentReferences) != 1 || d.ExternalDocumentReferences[0].URI != "https://example.com/sbom/source" || len(d.OtherLicenses) != 1 {
			t.Errorf("%s: %+v, %+v", format, d.ExternalDocumentReferences, d.OtherLicenses)
		}
		i := slices.IndexFunc(d.Packages, func(p *spdx.Package) bool { return p.PackageName == "halyard" })
		p := d.Packages[i]
		if p.PackageVersion != "v1.2.0" || p.PackageLicenseConcluded != "Apache-2.0 AND LicenseRef-sail" || p.PackageSupplier.SupplierType != "Organization" ||
			!slices.Equal(p.PackageLicenseInfoFromFiles, []string{"Apache-2.0", "MIT"}) || p.PackageVerificationCode.Value != "6d44b722b2298a3e815e5b883829f8d0ef687510" ||
			len(p.PackageExternalReferences) != 5 || len(p.PackageChecksums) != 2 || p.PrimaryPackagePurpose != "APPLICATION" {
			t.Errorf("%s: %+v", format, p)
		}
	}
}

// TestCycloneDXLibraryReads does the same with the library of CycloneDX.
func TestCycloneDXLibraryReads(t *testing.T) {
	t.Parallel()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(encoded(t, hawser(), CycloneDXJSON)), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.Metadata.Component.Name != "hawser" || bom.Metadata.Component.Type != cdx.ComponentTypeContainer {
		t.Errorf("%+v", bom.Metadata.Component)
	}
	var names []string
	for _, c := range *bom.Components {
		names = append(names, c.Name)
		for _, part := range elements(c.Components) {
			names = append(names, c.Name+"/"+part.Name)
		}
	}
	if want := []string{"builder", "dash", "dash/bin/sh", "libc6", "libc6/sha256:ab"}; !slices.Equal(names, want) {
		t.Errorf("components %v, want %v", names, want)
	}
	depends := map[string]int{}
	for _, d := range *bom.Dependencies {
		depends[d.Ref] = len(elements(d.Dependencies))
	}
	if want := map[string]int{"SPDXRef-Package-hawser-v1": 1, "SPDXRef-Package-deb-dash-0.5--amd64": 1, "SPDXRef-Package-deb-libc6-2.36--amd64": 0}; !cmp.Equal(depends, want) {
		t.Errorf("dependencies %v", depends)
	}
}

// moduleFolder finds where the go command keeps a module we build with.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestOfficialSamples reads the samples that come with the libraries of both
// formats, and takes each through every format without loss.
func TestOfficialSamples(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{
		moduleFolder(t, "github.com/spdx/tools-golang") + "/examples/sample-docs/json/*.json",
		moduleFolder(t, "github.com/spdx/tools-golang") + "/examples/sample-docs/tv/*.spdx",
		moduleFolder(t, "github.com/CycloneDX/cyclonedx-go") + "/testdata/valid-*.json",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no samples: %s, %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		want := normalized(t, got.Document)
		for _, f := range []Format{SPDXJSON, SPDXTagValue} {
			again, err := Parse(encoded(t, want, f))
			if err != nil {
				t.Errorf("%s as %s: %v", filepath.Base(file), f, err)
				continue
			}
			if diff := cmp.Diff(want, normalized(t, again.Document), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", filepath.Base(file), f, diff)
			}
		}
		again, err := Parse(encoded(t, want, CycloneDXJSON))
		if err != nil {
			t.Errorf("%s as CycloneDX: %v", filepath.Base(file), err)
			continue
		}
		if d := Diff(want, again.Document); !d.Empty() {
			t.Errorf("%s as CycloneDX: %+v", filepath.Base(file), d)
		}
	}
}

// TestOtherTools reads documents as other tools write them.
func TestOtherTools(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"syft.spdx.json":   "describes hawser.tar v1\n   contains file bin/dash\n   contains dash 0.5.12-2 [GPL-2.0-only AND LicenseRef-public-domain] <- Debian\n      other file bin/dash\n",
		"trivy.cdx.json":   "describes hawser.tar\n   depends on debian 12\n   depends on bash 5.2 [GPL-3.0-or-later OR LicenseRef-myC32own] <- Matthias Klose\n",
		"bom.spdx":         "describes halyard\n   contains file main.go\n   depends on golang.org/x/mod v0.1.0\n",
		"hand.spdx.json":   "describes halyard 1\n",
		"github.spdx.json": "describes com.github.example/halyard 1\n   depends on npm:@scope/left-pad 1.3.0 [MIT]\n",
	} {
		f, err := os.Open(filepath.Join("testdata", "tools", file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(f)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var b bytes.Buffer
		for _, n := range Outline(got.Document, OutlineOptions{}) {
			writeNode(&b, n, "")
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s: remarks %q (-want +got):\n%s", file, got.Remarks, diff)
		}
		for _, format := range []Format{SPDXJSON, SPDXTagValue, CycloneDXJSON} {
			encoded(t, got.Document, format) // can be written on
		}
	}
}

func writeNode(b *bytes.Buffer, n *Node, indent string) {
	name := n.Element.Label()
	if n.Element.Kind == FileKind {
		name = "file " + name
	}
	b.WriteString(indent + strings.ToLower(strings.ReplaceAll(n.Relation, "_", " ")) + " " + name)
	if n.Element.License != "" {
		b.WriteString(" [" + n.Element.License + "]")
	}
	if n.Element.Supplier != "" {
		b.WriteString(" <- " + n.Element.Supplier)
	}
	b.WriteString("\n")
	for _, below := range n.Below {
		writeNode(b, below, indent+"   ")
	}
}
