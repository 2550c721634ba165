package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/forge"
	"seaworthy/merge"
)

func newOwners(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "owners", Short: "Who must approve a change, who has, who could"}
	c.AddCommand(newOwnersExplain(s))
	return c
}

type ownersFlags struct {
	out        outputFlag
	dir        string
	author     string
	approvedBy []string
}

func newOwnersExplain(s Streams) *cobra.Command {
	var f ownersFlags
	c := &cobra.Command{
		Use:   "explain FILE…",
		Short: "Explain whose approval a change of these files needs",
		Example: `  seaworthy owners explain docs/units.md cmd/halyard/main.go
  seaworthy owners explain --author ben --approved-by dee $(git diff --name-only main...)`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return f.explain(s, args) },
	}
	f.out.add(c)
	c.Flags().StringVar(&f.dir, "dir", ".", "`folder` of the repository")
	c.Flags().StringVar(&f.author, "author", "", "`login` of the change's author")
	c.Flags().StringSliceVar(&f.approvedBy, "approved-by", nil, "`logins` that have approved")
	return c
}

func (f *ownersFlags) explain(s Streams, paths []string) error {
	files, err := readOwners(f.dir, paths)
	if err != nil {
		return err
	}
	owners, problems := merge.Load(files)
	for _, p := range problems {
		fmt.Fprintln(s.Err, p)
	}
	change := merge.Change{Author: f.author, Files: paths}
	for i, login := range f.approvedBy {
		change.Comments = append(change.Comments, forge.Comment{ID: int64(i), Author: login, Body: "/approve", CreatedAt: time.Unix(int64(i), 0)})
	}
	result := merge.Approve(owners, change, merge.ApprovalPolicy{})
	type file struct {
		Path       string   `json:"path"`
		Owners     string   `json:"owners"`
		Approvers  []string `json:"approvers"`
		ApprovedBy []string `json:"approved_by"`
	}
	shown := struct {
		Approved  bool     `json:"approved"`
		Files     []file   `json:"files"`
		Suggested []string `json:"suggested"`
	}{result.Approved, []file{}, nonNil(result.Suggested)}
	for _, a := range result.Files {
		by := path.Join(a.OwnersDir, "OWNERS")
		if files[by] == nil {
			by = "" // there is none
		}
		shown.Files = append(shown.Files, file{a.Path, by, nonNil(a.Approvers), nonNil(a.ApprovedBy)})
	}
	return f.out.print(s.Out, shown, func(w io.Writer) error {
		var rows [][]string
		for _, r := range shown.Files {
			rows = append(rows, []string{r.Path, r.Owners, strings.Join(r.Approvers, " "), strings.Join(r.ApprovedBy, " ")})
		}
		if err := table(w, "No files.", []string{"file", "owners", "may approve", "approved by"}, rows); err != nil {
			return err
		}
		verdict := "Approved."
		switch {
		case !shown.Approved && len(shown.Suggested) == 0:
			verdict = "Not approved, and nobody in the OWNERS files could."
		case !shown.Approved:
			verdict = "Not approved. Ask " + strings.Join(shown.Suggested, ", ") + "."
		}
		_, err := fmt.Fprintln(w, verdict)
		return err
	})
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// readOwners reads the OWNERS files that can have a say about the paths.
func readOwners(dir string, paths []string) (map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, usageError{fmt.Errorf("opening the repository: %w", err)}
	}
	defer root.Close()
	files := map[string][]byte{}
	for _, name := range slices.Sorted(slices.Values(merge.OwnersPaths(paths))) {
		text, err := root.ReadFile(filepath.FromSlash(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}
