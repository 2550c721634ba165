package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/artifact"
)

func newChecksum(s Streams) *cobra.Command {
	var verify, dir string
	algorithm := "sha256"
	c := &cobra.Command{
		Use:   "checksum FILE…",
		Short: "Print checksums as sha256sum does, or verify a list of them",
		Long: `Sums up files and prints a list that sha256sum --check understands, to be kept in the folder the files are in.
With --verify, reads such a list and the files next to it; the exit code is 3 if one of them is not what the list
says or is not there.`,
		Example: `  seaworthy checksum dist/*.tar.gz > dist/SHA256SUMS
  seaworthy checksum --verify dist/SHA256SUMS`,
		RunE: func(_ *cobra.Command, args []string) error {
			alg, err := artifact.ParseAlgorithm(algorithm)
			if err != nil {
				return usageError{err}
			}
			if verify != "" && len(args) > 0 {
				return usagef("--verify reads the files' names from the list: name no files besides")
			}
			if verify != "" {
				return verifyChecksums(s, alg, verify, dir)
			}
			if len(args) == 0 {
				return usagef("name the files to sum up, or a list to --verify")
			}
			var all []artifact.Artifact
			for _, file := range args {
				a, err := measure(file)
				if err != nil {
					return err
				}
				all = append(all, a)
			}
			text, err := artifact.RenderChecksums(alg, all)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(text)
			return err
		},
	}
	c.Flags().StringVar(&algorithm, "algorithm", algorithm, "`name`: sha256 or sha512")
	c.Flags().StringVar(&verify, "verify", "", "`list` of checksums to verify instead")
	c.Flags().StringVar(&dir, "dir", "", "`folder` of the files to verify (that of the list if empty)")
	return c
}

func measure(file string) (artifact.Artifact, error) {
	f, err := os.Open(file)
	if err != nil {
		return artifact.Artifact{}, err
	}
	a, err := artifact.Measure(filepath.Base(file), artifact.Other, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return artifact.Artifact{}, fmt.Errorf("summing up %s: %w", file, err)
	}
	return a, nil
}

// count writes a number with the word for one or for many.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func verifyChecksums(s Streams, alg artifact.Algorithm, list, dir string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return usageError{err}
	}
	sums, err := artifact.ParseChecksums(alg, text)
	if err != nil {
		return usagef("%s", strings.Replace(err.Error(), alg.File(), list, 1))
	}
	if dir == "" {
		dir = filepath.Dir(list)
	}
	var have []artifact.Artifact
	for _, sum := range sums {
		a, err := measure(filepath.Join(dir, sum.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return verdictError{fmt.Sprintf("%s is listed and is not there.", sum.Name)}
		}
		if err != nil {
			return err
		}
		have = append(have, a)
	}
	if err := artifact.VerifyChecksums(alg, sums, have); err != nil {
		return verdictError{err.Error()}
	}
	_, err = fmt.Fprintf(s.Out, "%s %s\n", count(len(sums), "file matches", "files match"), list)
	return err
}
