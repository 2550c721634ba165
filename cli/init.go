package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/config"
	"seaworthy/git"
)

func newInit(s Streams) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a commented seaworthy.yaml for a repository",
		Long: `Looks at the Git repository it stands in (or FOLDER) and writes a seaworthy.yaml with what it found: the main
packages, the default branch, the files that belong into an archive. Every line says what it does.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			repo, err := openRepo(cmd.Context(), folder, "run git init first")
			if err != nil {
				return err
			}
			top, err := topLevel(cmd, repo)
			if err != nil {
				return err
			}
			found, err := app.Detect(cmd.Context(), top, "")
			if err != nil {
				return err
			}
			found.Name = filepath.Base(top.Dir)
			file := filepath.Join(top.Dir, config.Name)
			if err := writeNew(file, config.Example(found), force); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "Wrote %s. Read it through, then run seaworthy up.\n", file)
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "replace a seaworthy.yaml that is there")
	return c
}

func topLevel(cmd *cobra.Command, repo *git.Repository) (*git.Repository, error) {
	out, err := repo.Git(cmd.Context(), "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("finding the top of the repository: %w", err)
	}
	return &git.Repository{Dir: trim(out)}, nil
}

// writeNew writes a file whole or not at all.
func writeNew(file string, content []byte, force bool) error {
	if _, err := os.Stat(file); err == nil && !force {
		return usagef("%s is there already; --force replaces it", file)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking for %s: %w", file, err)
	}
	t, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	defer os.Remove(t.Name()) // gone already once renamed
	_, werr := t.Write(content)
	if err := errors.Join(werr, t.Chmod(0o644), t.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := os.Rename(t.Name(), file); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}
