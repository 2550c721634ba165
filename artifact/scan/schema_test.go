package scan

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"seaworthy/artifact/sbom"
)

// published are the schemas by which the world checks documents: CycloneDX's is
// part of the library that reads it, SPDX's is brought by scripts/setup.
type published map[string]*jsonschema.Schema

func publishedSchemas(t *testing.T) published {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "schema")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	// The schemas name the licences' identifiers and the form of signatures by
	// addresses beside their own.
	for address, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  "bom-1.6.schema.json",
		"http://cyclonedx.org/schema/spdx.schema.json":     "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		if file == "jsf-0.82.schemax.json" {
			if _, err := os.Stat(filepath.Join(folder, file)); os.IsNotExist(err) {
				file = "jsf-0.82.schema.json"
			}
		}
		add(t, c, address, filepath.Join(folder, file))
	}
	all := published{"x.cdx.json": compiled(t, c, "http://cyclonedx.org/schema/bom-1.6.schema.json")}
	spdx := filepath.Join("..", "..", "bin", "schemas", "spdx-2.3.json")
	if _, err := os.Stat(spdx); err == nil {
		c := jsonschema.NewCompiler()
		add(t, c, "http://spdx.org/rdf/terms/2.3", spdx)
		all["x.spdx.json"] = compiled(t, c, "http://spdx.org/rdf/terms/2.3")
	}
	return all
}

func add(t *testing.T, c *jsonschema.Compiler, address, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := c.AddResource(address, doc); err != nil {
		t.Fatal(err)
	}
}

func compiled(t *testing.T, c *jsonschema.Compiler, address string) *jsonschema.Schema {
	t.Helper()
	s, err := c.Compile(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check holds a document to the schema of its format, if there is one.
func (p published) check(t *testing.T, format string, text []byte) {
	t.Helper()
	s := p[format]
	if s == nil {
		return
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", format, err)
	}
}

// TestDocumentsWithEverythingAreOfTheSchemas takes the documents that use every
// field there is, and one that is wrong.
func TestDocumentsWithEverythingAreOfTheSchemas(t *testing.T) {
	t.Parallel()
	schemas := publishedSchemas(t)
	files, err := filepath.Glob("../sbom/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for format := range schemas {
			if strings.HasSuffix(file, format[1:]) {
				schemas.check(t, format, text)
			}
		}
	}
	for format, s := range schemas {
		wrong, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"bomFormat": "Other", "spdxVersion": 1}`))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(wrong) == nil {
			t.Errorf("%s: anything goes", format)
		}
	}
	if schemas["x.spdx.json"] != nil {
		return
	}
	const why = "skipped in part: needs SPDX's schema, run scripts/setup where github.com can be reached"
	if _, err := os.Stat(filepath.Join("..", "..", "bin", "schemas", "spdx-2.3.json.unreachable")); err != nil && os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestLayersHaveTheSupplierOfTheDistribution: what makes an image says nothing
// of itself, its distribution does.
func TestLayersHaveTheSupplierOfTheDistribution(t *testing.T) {
	t.Parallel()
	image := imageOf(t, "amd64", layerOf(t, tarEntry{name: "etc/os-release", text: "ID=alpine\nNAME=\"Alpine Linux\"\nVERSION_ID=3.18.4\n"}, tarEntry{name: "lib/apk/db/installed", text: apkInstalled}))
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.Config.Labels = nil
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	d, err := ImageOf(t.Context(), "example.com/x", image, given(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sbom.Validate(d) {
		if strings.Contains(f.Text, "supplier") {
			t.Errorf("%s: %s", f.Name, f.Text)
		}
	}
}
