package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// outputFlag is -o on everything that lists or shows. An unknown format is told
// of before the command does anything.
type outputFlag struct {
	format string
	more   []string // formats of one command alone, which prints them itself
}

func (o *outputFlag) add(c *cobra.Command) {
	if o.format == "" {
		o.format = "table"
	}
	c.Flags().VarP(o, "output", "o", "how to print: "+o.choices())
}

// String implements pflag.Value.
func (o *outputFlag) String() string { return o.format }

// Type implements pflag.Value.
func (o *outputFlag) Type() string { return "format" }

// Set implements pflag.Value.
func (o *outputFlag) Set(format string) error {
	if !slices.Contains(append([]string{"table", "json", "yaml"}, o.more...), format) {
		return errors.New("write " + o.choices())
	}
	o.format = format
	return nil
}

func (o *outputFlag) choices() string {
	return strings.Join(append([]string{"table", "json"}, o.more...), ", ") + " or yaml"
}

// print writes v as JSON or YAML, or calls table for people.
func (o *outputFlag) print(w io.Writer, v any, table func(io.Writer) error) error {
	switch o.format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	case "yaml":
		text, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		_, err = w.Write(text)
		return err
	}
	return table(w)
}

// table aligns columns. Rows are tab-free; an empty table prints what instead.
func table(w io.Writer, empty string, header []string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(header, "\t")))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.Map(harmless, cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// harmless is a character as a terminal may be given it, within a line: names
// and messages come from anywhere, and could move the cursor, or turn around
// what follows.
func harmless(r rune) rune {
	const joiner = '\u200D' // of emoji
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r != joiner && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp):
		return unicode.ReplacementChar
	}
	return r
}
