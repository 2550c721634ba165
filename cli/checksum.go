package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

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
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify != "" && !cmd.Flags().Changed("algorithm") {
				algorithm = algorithmOf(verify)
			}
			alg, err := artifact.ParseAlgorithm(algorithm)
			if err != nil {
				return usageError{err}
			}
			if verify != "" && len(args) > 0 {
				return usagef("--verify reads the files' names from the list: name no files besides")
			}
			if verify != "" {
				return verifyChecksums(cmd.Context(), s, alg, verify, dir)
			}
			if len(args) == 0 {
				return usagef("name the files to sum up, or a list to --verify")
			}
			all, err := measureAll(cmd.Context(), args)
			if err != nil {
				return err
			}
			text, err := artifact.RenderChecksums(alg, all)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(text)
			return err
		},
	}
	c.Flags().StringVar(&algorithm, "algorithm", algorithm, "`name`: sha256 or sha512; of a list to verify, what its name says")
	c.Flags().StringVar(&verify, "verify", "", "`list` of checksums to verify instead")
	c.Flags().StringVar(&dir, "dir", "", "`folder` of the files to verify (that of the list if empty)")
	return c
}

// algorithmOf tells a list's algorithm by its name: SHA512SUMS, halyard.tar.gz.sha512.
func algorithmOf(list string) string {
	if strings.Contains(strings.ToLower(filepath.Base(list)), "sha512") {
		return string(artifact.SHA512)
	}
	return string(artifact.SHA256)
}

// measureAll sums up several files at once, as many as there are processors.
// Of several errors it returns that of the file named first.
func measureAll(ctx context.Context, files []string) ([]artifact.Artifact, error) {
	all, errs := make([]artifact.Artifact, len(files)), make([]error, len(files))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		g.Go(func() error {
			if ctx.Err() != nil {
				errs[i] = context.Cause(ctx)
			} else {
				all[i], errs[i] = measure(file)
			}
			return errs[i]
		})
	}
	if g.Wait() == nil {
		return all, nil
	}
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	return nil, errs[i]
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

func verifyChecksums(ctx context.Context, s Streams, alg artifact.Algorithm, list, dir string) error {
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
	var files []string
	for _, sum := range sums {
		file := filepath.Join(dir, sum.Name)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return verdictError{fmt.Sprintf("%s is listed and is not there.", sum.Name)}
		}
		files = append(files, file)
	}
	have, err := measureAll(ctx, files)
	if err != nil {
		return err
	}
	if err := artifact.VerifyChecksums(alg, sums, have); err != nil {
		return verdictError{err.Error()}
	}
	_, err = fmt.Fprintf(s.Out, "%s %s\n", count(len(sums), "file matches", "files match"), list)
	return err
}
