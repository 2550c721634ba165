package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"seaworthy/artifact"
)

func newChecksum(s Streams) *cobra.Command {
	var verify, dir string
	algorithm := "sha256"
	c := &cobra.Command{
		Use:   "checksum FILE…",
		Short: "Print checksums as sha256sum does, or verify a list of them",
		Example: `  seaworthy checksum dist/* > SHA256SUMS
  seaworthy checksum --verify SHA256SUMS`,
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
	a, err := artifact.Measure(filepath.Base(file), "", f)
	if err := errors.Join(err, f.Close()); err != nil {
		return artifact.Artifact{}, fmt.Errorf("summing up %s: %w", file, err)
	}
	return a, nil
}

func verifyChecksums(s Streams, alg artifact.Algorithm, list, dir string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return usageError{fmt.Errorf("reading the list: %w", err)}
	}
	sums, err := artifact.ParseChecksums(alg, text)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", list, err)}
	}
	if dir == "" {
		dir = filepath.Dir(list)
	}
	var have []artifact.Artifact
	for _, sum := range sums {
		a, err := measure(filepath.Join(dir, filepath.FromSlash(sum.Name)))
		if err != nil {
			return err
		}
		have = append(have, a)
	}
	if err := artifact.VerifyChecksums(alg, sums, have); err != nil {
		return verdictError{err.Error()}
	}
	_, err = fmt.Fprintf(s.Out, "%d files match %s\n", len(sums), list)
	return err
}
