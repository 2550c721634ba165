package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
)

func newProvenance(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "provenance",
		Short: "Show and check statements of how artifacts were built",
	}
	c.AddCommand(newProvenanceShow(s), newProvenanceCheck(s))
	return c
}

// readStatement reads a statement, bare or signed. Nobody's signature is
// verified.
func readStatement(file string) (provenance.Statement, error) {
	info, err := os.Stat(file)
	if err != nil {
		return provenance.Statement{}, usageError{err}
	}
	if info.Size() > sign.MaxBundle {
		return provenance.Statement{}, usagef("%s has %d bytes, which is more than is read", file, info.Size())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return provenance.Statement{}, usageError{err}
	}
	st, err := provenance.Read(text)
	if err == nil {
		return st, nil
	}
	if b, notBundle := sign.ParseBundle(text); notBundle == nil {
		if st, ok, err := b.Statement(); ok && err == nil {
			return st, nil
		}
	}
	return st, usagef("%s: %w", file, err)
}

// shown is a build as it is printed.
type shown struct {
	Builder   string                `json:"builder"`
	BuildType string                `json:"buildType"`
	Started   time.Time             `json:"started,omitzero"`
	Finished  time.Time             `json:"finished,omitzero"`
	Sources   []provenance.Resource `json:"dependencies"`
	Subjects  []provenance.Resource `json:"subjects"`
}

func newProvenanceShow(s Streams) *cobra.Command {
	var o outputFlag
	c := &cobra.Command{
		Use:     "show STATEMENT",
		Short:   "Show who built what, of what and when",
		Long:    "Shows a statement of provenance, v0.2 or v1, bare or in a signed bundle. Nothing is verified: see 'seaworthy verify'.",
		Example: `  seaworthy provenance show dist/provenance.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := readStatement(args[0])
			if err != nil {
				return err
			}
			b, err := st.Build()
			if err != nil {
				return usagef("%s: %w", args[0], err)
			}
			v := shown{b.Run.Builder.ID, b.Definition.BuildType, b.Run.Metadata.Started, b.Run.Metadata.Finished, b.Definition.Dependencies, st.Subjects}
			return o.print(s.Out, v, func(w io.Writer) error {
				rows := [][]string{{"builder", v.Builder}, {"build type", v.BuildType}}
				if !v.Started.IsZero() {
					rows = append(rows, []string{"started", v.Started.Format(time.RFC3339)})
				}
				if !v.Finished.IsZero() {
					rows = append(rows, []string{"finished", v.Finished.Format(time.RFC3339)})
				}
				for _, d := range v.Sources {
					rows = append(rows, []string{"from", d.String()})
				}
				for _, d := range v.Subjects {
					rows = append(rows, []string{"made", d.String()})
				}
				return table(w, "", []string{"what", "value"}, rows)
			})
		},
	}
	o.add(c)
	return c
}

func newProvenanceCheck(s Streams) *cobra.Command {
	var want provenance.Expectation
	c := &cobra.Command{
		Use:   "check STATEMENT [FILE…]",
		Short: "Hold a statement of provenance against what it should say",
		Long: `Holds a statement of provenance against files, a source and builders, and tells of everything that is wrong at once.
An empty predicate is always wrong: such a statement says that something was built, and not how. The files named must
be all of its subjects, unless --others says that there may be more. Exit code 3 if anything is wrong.

The statement's signature is not looked at: see 'seaworthy verify --type slsaprovenance1'.`,
		Example: `  seaworthy provenance check dist/provenance.json dist/*.tar.gz \
      --repository https://github.com/halyard/halyard --commit 0123… --builder https://ci.example.org/release
  seaworthy provenance check provenance.json --prefix gs://bucket/v1.2.0/ --others halyard.tar.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			st, err := readStatement(args[0])
			if err != nil {
				return err
			}
			var files []artifact.Artifact
			for _, file := range args[1:] {
				a, err := measure(file)
				if err != nil {
					return err
				}
				files = append(files, a)
			}
			want.Subjects = provenance.Subjects(files...)
			err = provenance.Check(st, want)
			var problems provenance.Problems
			switch {
			case errors.As(err, &problems):
				return verdictError{fmt.Sprintf("%s is not what it should be: %v", args[0], problems)}
			case err != nil:
				return err
			}
			return said(s.Out, "%s says what it should of %s\n", args[0], count(len(st.Subjects), "subject", "subjects"))
		},
	}
	c.Flags().StringVar(&want.Repository, "repository", "", "`URL` of the source")
	c.Flags().StringVar(&want.Commit, "commit", "", "full `id` of the source's commit")
	c.Flags().StringSliceVar(&want.Builders, "builder", nil, "`id` of a builder that is trusted")
	c.Flags().StringSliceVar(&want.BuildTypes, "build-type", nil, "`URI` of a type of build that is known")
	c.Flags().StringVar(&want.Prefix, "prefix", "", "`text` that names in the statement have before the files' names")
	c.Flags().BoolVar(&want.Others, "others", false, "there may be subjects besides the files named")
	return c
}
