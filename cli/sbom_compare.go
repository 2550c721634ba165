package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/artifact/sbom"
)

func newSBOMDiff(s Streams) *cobra.Command {
	var out outputFlag
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what differs between two bills of materials",
		Long: `Compares packages and files: which were added and removed, and whose version, licence, supplier, purl or checksum
changed. Packages are recognized by their purls, or else their names, so that documents of different tools and formats
can be compared. The exit code is 3 if anything differs.`,
		Example: `  seaworthy sbom diff v1.2.0.spdx.json v1.3.0.spdx.json`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			from, err := readSBOM(s, args[0])
			if err != nil {
				return err
			}
			to, err := readSBOM(s, args[1])
			if err != nil {
				return err
			}
			d := sbom.Diff(from, to)
			if err := out.print(s.Out, d, func(w io.Writer) error {
				return table(w, "Nothing differs.", []string{"", "kind", "name", "what", "from", "to"}, diffRows(d))
			}); err != nil {
				return err
			}
			if d.Empty() {
				return nil
			}
			return verdictError{fmt.Sprintf("They differ: %d added, %d removed, %s.", len(d.Added), len(d.Removed), count(len(d.Changed), "field changed", "fields changed"))}
		},
	}
	out.add(c)
	return c
}

func diffRows(d sbom.Difference) [][]string {
	var rows [][]string
	for _, e := range d.Removed {
		rows = append(rows, []string{"-", string(e.Kind), e.Name, "", e.Version, ""})
	}
	for _, e := range d.Added {
		rows = append(rows, []string{"+", string(e.Kind), e.Name, "", "", e.Version})
	}
	for _, c := range d.Changed {
		rows = append(rows, []string{"~", string(c.Element.Kind), c.Element.Name, c.Field, c.From, c.To})
	}
	return rows
}

func newSBOMMerge(s Streams) *cobra.Command {
	var out sbomOutput
	name, created := "", ""
	c := &cobra.Command{
		Use:   "merge FILE…",
		Short: "Make one bill of materials of several",
		Long: `Makes one document that describes what all of them describe. What several of them say of the same thing is united; where
an id or a licence's name means different things, one of them is renamed. References from one of the documents to
another become relationships within the new one.`,
		Example: `  seaworthy sbom merge --name kubernetes-v1.30 release.spdx.json source.spdx --output all.spdx.json`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := out.check(); err != nil {
				return err
			}
			at, err := momentOf(created)
			if err != nil {
				return err
			}
			var docs []sbom.Document
			for _, file := range args {
				d, err := readSBOM(s, file)
				if err != nil {
					return err
				}
				docs = append(docs, d)
			}
			if name == "" {
				name = docs[0].Name
			}
			d, err := sbom.Merge(name, at, docs...)
			if err != nil {
				return err
			}
			d.Authors = append(d.Authors, self())
			return out.write(s, d)
		},
	}
	out.add(c)
	c.Flags().StringVar(&name, "name", "", "`name` of the new document (that of the first if empty)")
	c.Flags().StringVar(&created, "created", "", "`time` the document is dated, such as 2026-01-02T03:04:05Z (SOURCE_DATE_EPOCH, or else now, if empty)")
	return c
}

func newSBOMConvert(s Streams) *cobra.Command {
	var out sbomOutput
	c := &cobra.Command{
		Use:     "convert FILE",
		Short:   "Write a bill of materials in another format",
		Long:    `Reads a document in any format and writes it in another. What the model has no place for is told on stderr.`,
		Example: `  seaworthy sbom convert halyard.spdx.json --output halyard.cdx.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := out.check(); err != nil {
				return err
			}
			d, err := readSBOM(s, args[0])
			if err != nil {
				return err
			}
			return out.write(s, d)
		},
	}
	out.add(c)
	return c
}

// self is this program as an author of documents.
func self() sbom.Actor { return sbom.Actor{Kind: sbom.Tool, Name: "seaworthy-" + version} }

// momentOf reads the time a document is dated: what is given, or else
// SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/),
// or else now.
func momentOf(given string) (time.Time, error) {
	if given != "" {
		t, err := time.Parse(time.RFC3339, given)
		if err != nil {
			return time.Time{}, usagef("--created %q is no time: write it as 2026-01-02T03:04:05Z", given)
		}
		return t.UTC(), nil
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, usagef("SOURCE_DATE_EPOCH is %q, which is no number of seconds", epoch)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	return time.Now().UTC().Truncate(time.Second), nil
}
