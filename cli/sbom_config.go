package cli

import (
	"crypto/sha1" //nolint:gosec // SPDX prescribes it for external documents
	"encoding/hex"
	"os"
	"slices"
	"strings"

	"seaworthy/artifact/sbom"
	"seaworthy/strict"
)

// sbomConfig is a file that lists what to describe, in the form bom reads.
type sbomConfig struct {
	Namespace string `json:"namespace"`
	License   string `json:"license"`
	Name      string `json:"name"`
	Creator   struct {
		Person string `json:"person"`
		Tool   string `json:"tool"`
	} `json:"creator"`
	External []struct {
		ID        string            `json:"id"`
		URI       string            `json:"uri"`
		Checksums map[string]string `json:"checksums"`
	} `json:"external-docs"`
	Artifacts []struct {
		Type      string `json:"type"`
		Source    string `json:"source"`
		License   string `json:"license"`
		GoModules *bool  `json:"gomodules"`

		Lines strict.Lines `json:"-"`
	} `json:"artifacts"`
}

// readConfig reads the configuration, if there is one. Flags win over it.
func (f *generateFlags) readConfig() ([]source, []sbom.ExternalDoc, error) {
	if f.config == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		return nil, nil, usageError{err}
	}
	var c sbomConfig
	if err := strict.AsError(strict.Unmarshal(f.config, text, &c)); err != nil {
		return nil, nil, err
	}
	for _, v := range []struct {
		flag  *string
		value string
	}{{&f.name, c.Name}, {&f.namespace, c.Namespace}, {&f.license, c.License}} {
		if *v.flag == "" {
			*v.flag = v.value
		}
	}
	if c.Creator.Person != "" {
		f.authors = append(f.authors, "Person: "+strings.TrimPrefix(c.Creator.Person, "Person: "))
	}
	if c.Creator.Tool != "" {
		f.authors = append(f.authors, "Tool: "+strings.TrimPrefix(c.Creator.Tool, "Tool: "))
	}
	var sources []source
	var problems []strict.Problem
	for _, a := range c.Artifacts {
		kinds := []string{sourceFolder, sourceFile, sourceArchive, sourceImage, sourceImageArchive, sourceProgram}
		if !slices.Contains(kinds, a.Type) {
			problems = append(problems, strict.Problem{File: f.config, Line: a.Lines.Of("type"), Message: "type is " + a.Type + ": write one of " + strings.Join(kinds, ", ")})
		}
		if a.Source == "" {
			problems = append(problems, strict.Problem{File: f.config, Line: a.Lines.Of("source"), Message: "an artifact needs its source"})
		}
		sources = append(sources, source{kind: a.Type, path: a.Source, license: a.License, noGoModules: a.GoModules != nil && !*a.GoModules})
	}
	if len(problems) > 0 {
		return nil, nil, strict.Error(problems)
	}
	external, err := f.configuredDocs(c)
	return sources, external, err
}

func (f *generateFlags) configuredDocs(c sbomConfig) ([]sbom.ExternalDoc, error) {
	var all []sbom.ExternalDoc
	for _, e := range c.External {
		doc := sbom.ExternalDoc{ID: documentRef(e.ID), Namespace: e.URI}
		for alg, sum := range e.Checksums {
			// SPDX has room for one: the SHA1 it asks for, or else the first by name.
			next := sbom.Checksum{Algorithm: sbom.ParseChecksumAlgorithm(alg), Value: strings.ToLower(sum)}
			if have := doc.Checksum.Algorithm; have == "" || next.Algorithm == sbom.SHA1 || have != sbom.SHA1 && next.Algorithm < have {
				doc.Checksum = next
			}
		}
		if e.ID == "" || e.URI == "" || doc.Checksum.Value == "" {
			return nil, usagef("%s: an external document needs id, uri and checksums", f.config)
		}
		all = append(all, doc)
	}
	return all, nil
}

func documentRef(name string) string {
	return "DocumentRef-" + strings.TrimPrefix(name, "DocumentRef-")
}

// externalDocs reads the documents that --external-doc names, for their
// namespaces and sums.
func (f *generateFlags) externalDocs() ([]sbom.ExternalDoc, error) {
	var all []sbom.ExternalDoc
	for _, arg := range f.external {
		name, file, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usagef("--external-doc %q: write NAME=FILE", arg)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		reading, err := sbom.Parse(data)
		if err != nil {
			return nil, usagef("%s: %w", file, err)
		}
		if reading.Document.Namespace == "" {
			return nil, usagef("%s has no namespace, so it cannot be referred to", file)
		}
		sum := sha1.Sum(data) //nolint:gosec // see above
		all = append(all, sbom.ExternalDoc{ID: documentRef(name), Namespace: reading.Document.Namespace,
			Checksum: sbom.Checksum{Algorithm: sbom.SHA1, Value: hex.EncodeToString(sum[:])}})
	}
	return all, nil
}
