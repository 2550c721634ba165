package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"seaworthy/artifact/sbom"
)

func newSBOM(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "sbom",
		Short: "Make bills of materials, and ask them",
		Long: `Describes what software consists of: who supplied each part, which version it is, under which licence and with which
checksums. Written as SPDX 2.3 (JSON, tag-value) and CycloneDX 1.6 (JSON), and read from any of them, whoever wrote it.`,
	}
	c.AddCommand(newSBOMGenerate(s), newSBOMOutline(s), newSBOMQuery(s), newSBOMDiff(s), newSBOMMerge(s), newSBOMConvert(s), newSBOMCSV(s), newSBOMValidate(s))
	return c
}

// readSBOM reads a bill of materials from a file, or from stdin for "-". What is
// odd in it is told on stderr.
func readSBOM(s Streams, file string) (sbom.Document, error) {
	reading, err := readAnySBOM(s, file)
	if err != nil {
		return sbom.Document{}, err
	}
	for _, r := range reading.Remarks {
		fmt.Fprintln(s.Err, oneLine(file+": "+r))
	}
	return reading.Document, nil
}

func readAnySBOM(s Streams, file string) (sbom.Reading, error) {
	in := s.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return sbom.Reading{}, usageError{err}
		}
		defer f.Close()
		in = f
	}
	reading, err := sbom.Read(in)
	if err != nil {
		return reading, usagef("%s: %w", file, err)
	}
	return reading, nil
}

// sbomOutput is where and as what a document is written.
type sbomOutput struct{ format, file string }

func (o *sbomOutput) add(c *cobra.Command) {
	c.Flags().StringVar(&o.format, "format", "", "`format`: spdx-json, spdx-tag-value or cyclonedx-json (by the file's name if empty, else spdx-json)")
	c.Flags().StringVarP(&o.file, "output", "o", "", "`file` to write (stdout if empty)")
}

// check tells of a wrong format before any work is done.
func (o *sbomOutput) check() (sbom.Format, error) {
	if o.format == "" {
		if f, ok := sbom.FormatOf(o.file); ok {
			return f, nil
		}
		return sbom.SPDXJSON, nil
	}
	f, err := sbom.ParseFormat(o.format)
	if err != nil {
		return "", usageError{err}
	}
	return f, nil
}

func (o *sbomOutput) write(s Streams, d sbom.Document) error {
	f, err := o.check()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := sbom.Write(&b, d, f); err != nil {
		return err
	}
	return writeTo(s, o.file, b.Bytes())
}

// writeTo writes to a file, whole or not at all, or to stdout.
func writeTo(s Streams, file string, content []byte) error {
	if file == "" || file == "-" {
		_, err := s.Out.Write(content)
		return err
	}
	return writeNew(file, content, true)
}

// documentAndRest splits arguments into a file and what follows it. A document
// that is not named is read from stdin, as when the first argument is no file.
func documentAndRest(args []string) (file string, rest []string) {
	if len(args) == 0 {
		return "-", nil
	}
	if args[0] == "-" {
		return "-", args[1:]
	}
	if _, err := os.Stat(args[0]); len(args) == 1 && errors.Is(err, os.ErrNotExist) {
		return "-", args
	}
	return args[0], args[1:]
}
