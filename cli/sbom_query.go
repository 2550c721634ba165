package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/artifact/sbom"
)

func newSBOMOutline(s Streams) *cobra.Command {
	var o sbom.OutlineOptions
	var out outputFlag
	c := &cobra.Command{
		Use:   "outline FILE",
		Short: "Draw what a bill of materials holds as a tree",
		Long: `Draws the elements of a document and how they relate, from what the document describes downwards. An element that is
reached in several ways is opened where it is nearest to the top. Without a file, or with "-", the document is read
from stdin.`,
		Example: `  seaworthy sbom outline halyard.spdx.json --depth 2
  seaworthy sbom outline halyard.spdx.json --find golang.org/x/net`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.Depth < 0 {
				o.Depth = 0 // as much as there is
			}
			file := "-"
			if len(args) == 1 {
				file = args[0]
			}
			d, err := readSBOM(s, file)
			if err != nil {
				return err
			}
			nodes := sbom.Outline(d, o)
			if o.Find != "" && len(nodes) == 0 {
				return verdictError{fmt.Sprintf("Nothing that is described leads to %s.", o.Find)}
			}
			return out.print(s.Out, nodes, func(w io.Writer) error { return sbom.DrawOutline(w, d, o) })
		},
	}
	c.Flags().IntVar(&o.Depth, "depth", 0, "`levels` to draw (0: all)")
	c.Flags().StringVar(&o.Find, "find", "", "draw only what leads to elements with this `text` in their name, or with this id or purl")
	c.Flags().BoolVar(&o.PURLs, "purl", false, "show purls instead of names and versions")
	c.Flags().BoolVar(&o.IDs, "spdx-ids", false, "show ids instead of names and versions")
	out.add(c)
	return c
}

func newSBOMQuery(s Streams) *cobra.Command {
	fields := []string{"name", "version", "license", "supplier"}
	format, purl, bare := "table", false, false
	c := &cobra.Command{
		Use:   "query FILE QUERY…",
		Short: "Find packages and files in a bill of materials",
		Long: `Lists the elements that all filters agree on:

  depth:N        what is N relationships away from what the document describes; depth:0 is that itself
  name:REGEXP    what has a name that matches
  purl:PATTERN   packages with such a purl; "*" stands for anything, and so does what is left out
  license:ID     what is under such a licence, alone or with others; "*" as above
  supplier:TEXT  packages of a supplier with this in the name
  type:KIND      package or file
  all            everything

Put a value with blanks in double quotes. With the query alone, or "-" for the file, the document is read from stdin.`,
		Example: `  seaworthy sbom query halyard.spdx.json 'depth:1 name:log' --fields name,version,license
  seaworthy sbom query halyard.spdx.json 'purl:pkg:golang/k8s.io/*' --output csv
  seaworthy sbom query halyard.spdx.json 'license:GPL-*'`,
		RunE: func(_ *cobra.Command, args []string) error {
			file, words := documentAndRest(args)
			if len(words) == 0 {
				return usagef("write a query after the file, such as name:REGEXP: see the filters under --help")
			}
			if !slices.Contains([]string{"table", "text", "csv", "json", "yaml"}, format) {
				return usagef("%q is no way to print: write table, text, csv, json or yaml", format)
			}
			for _, f := range fields {
				if _, err := (sbom.Element{}).Field(f); err != nil {
					return usageError{err}
				}
			}
			q, err := sbom.ParseQuery(strings.Join(words, " "))
			if err != nil {
				return usageError{err}
			}
			d, err := readSBOM(s, file)
			if err != nil {
				return err
			}
			found := q.Run(d)
			if len(found) == 0 {
				fmt.Fprintln(s.Err, "Nothing matches.")
			}
			return printElements(s.Out, found, fields, format, purl, bare)
		},
	}
	c.Flags().StringSliceVar(&fields, "fields", fields, "`names` of the fields to print: "+strings.Join(sbom.Fields(), ", "))
	c.Flags().StringVarP(&format, "output", "o", format, "how to print, a `format`: table, text, csv, json or yaml")
	c.Flags().BoolVar(&purl, "purl", false, "print purls instead of names, where there are any")
	c.Flags().BoolVar(&bare, "no-header", false, "leave out the first line of csv")
	return c
}

// printElements prints fields of elements. JSON and YAML hold those that are
// not empty, by name.
func printElements(w io.Writer, found []sbom.Element, fields []string, format string, purl, bare bool) error {
	rows := [][]string{}
	maps := []map[string]string{}
	for _, e := range found {
		if purl && e.PURL != "" {
			e.Name = e.PURL
		}
		row, values := []string{}, map[string]string{}
		for _, name := range fields {
			v, err := e.Field(name)
			if err != nil {
				return usageError{err}
			}
			row = append(row, v)
			if v != "" {
				values[name] = v
			}
		}
		rows, maps = append(rows, row), append(maps, values)
	}
	switch format {
	case "csv":
		if !bare {
			rows = append([][]string{fields}, rows...)
		}
		return csv.NewWriter(w).WriteAll(rows)
	case "text":
		for _, row := range rows {
			for i := range row {
				row[i] = strings.Map(visible, row[i])
				if row[i] == "" {
					row[i] = "_" // so that columns can be counted
				}
			}
			if _, err := fmt.Fprintln(w, strings.Join(row, " ")); err != nil {
				return err
			}
		}
		return nil
	}
	out := outputFlag{format: format}
	return out.print(w, maps, func(w io.Writer) error {
		for _, row := range rows {
			for i := range row {
				row[i] = strings.Map(visible, row[i])
			}
		}
		if len(rows) == 0 {
			return nil
		}
		return table(w, "", fields, rows)
	})
}

// visible makes blanks of what steers a terminal.
func visible(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}

func newSBOMCSV(s Streams) *cobra.Command {
	file, files := "", false
	c := &cobra.Command{
		Use:     "to-csv FILE",
		Short:   "Print a bill of materials as a table",
		Long:    `Prints the packages of a document as comma-separated values, with a header, for spreadsheets and databases.`,
		Example: `  seaworthy sbom to-csv halyard.spdx.json --files --output halyard.csv`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			from, rest := documentAndRest(args)
			if len(rest) > 0 {
				from = rest[0] // it is not there, which is told
			}
			d, err := readSBOM(s, from)
			if err != nil {
				return err
			}
			var b strings.Builder
			if err := sbom.WriteCSV(&b, d, files); err != nil {
				return err
			}
			return writeTo(s, file, []byte(b.String()))
		},
	}
	c.Flags().BoolVar(&files, "files", false, "print files too")
	c.Flags().StringVarP(&file, "output", "o", "", "`file` to write (stdout if empty)")
	return c
}
