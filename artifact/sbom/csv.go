package sbom

import (
	"encoding/csv"
	"fmt"
	"io"
)

// WriteCSV writes a table of the document's packages, and of its files if asked
// for: a header, then a line for each, as RFC 4180 has it. Sums have a column
// for each algorithm that the tools around use.
func WriteCSV(w io.Writer, d Document, files bool) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"type", "name", "version", "purl", "license_declared", "license_concluded", "supplier", "originator", "download_location", "copyright", "sha1", "sha256", "sha512", "id"}}
	for _, p := range d.Packages {
		rows = append(rows, append([]string{"package", p.Name, p.Version, p.PURL, p.Declared, p.Concluded, p.Supplier.Name, p.Originator.Name, p.Download, p.Copyright},
			Sum(p.Checksums, SHA1), Sum(p.Checksums, SHA256), Sum(p.Checksums, SHA512), string(p.ID)))
	}
	for _, f := range d.Files {
		if files {
			rows = append(rows, append([]string{"file", f.Name, "", "", AllOf(f.FoundIn...), f.Concluded, "", "", "", f.Copyright},
				Sum(f.Checksums, SHA1), Sum(f.Checksums, SHA256), Sum(f.Checksums, SHA512), string(f.ID)))
		}
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}
