package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/git"
	"seaworthy/release/notes"
)

func newNotes(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "notes", Short: "The words of a release: generate and check release notes"}
	c.AddCommand(newNotesCheck(s), newNotesGenerate(s))
	return c
}

func newNotesCheck(s Streams) *cobra.Command {
	var out outputFlag
	var labels []string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a pull request's description has a release note (- reads stdin)",
		Long: `Reads a description the way the platform does and says what it found: note, none, missing or invalid. The exit
code is 3 if the description needs to be completed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := readInput(s, args[0])
			if err != nil {
				return err
			}
			v := notes.Check(string(body), labels)
			shown := struct {
				Verdict        notes.Outcome `json:"verdict"`
				Text           string        `json:"text"`
				Docs           []notes.Doc   `json:"docs"`
				ActionRequired bool          `json:"action_required"`
				Why            string        `json:"why"`
			}{v.Outcome, v.Text, append([]notes.Doc{}, v.Docs...), v.ActionRequired, v.Why}
			err = out.print(s.Out, shown, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n%s", v.Outcome, v.Why, indent(v.Text))
				return err
			})
			if err == nil && (v.Outcome == notes.MissingNote || v.Outcome == notes.InvalidNote) {
				return verdictError{"The description has no usable release note."}
			}
			return err
		},
	}
	out.add(c)
	c.Flags().StringSliceVar(&labels, "label", nil, "`labels` of the pull request")
	return c
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

func readInput(s Streams, name string) ([]byte, error) {
	if name == "-" {
		text, err := io.ReadAll(s.In)
		if err != nil {
			return nil, fmt.Errorf("reading stdin: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	return text, nil
}

type notesFlags struct {
	change
	out      outputFlag
	from, to string
	offline  bool
}

func newNotesGenerate(s Streams) *cobra.Command {
	var f notesFlags
	c := &cobra.Command{
		Use:   "generate",
		Short: "Generate the release notes between two points of this repository's history",
		Long: `Walks the first parents between two commits, finds the pull request each came through, and takes its note.
As JSON, they are keyed by pull request. With --offline no forge is asked: the notes are the subjects of the
commits, and say so.`,
		Example: `  seaworthy notes generate --from v1.1.0 --to v1.2.0
  seaworthy notes generate --from v1.1.0 --offline`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.generate(cmd.Context(), s) },
	}
	f.change.add(c)
	f.out.add(c)
	c.Flags().StringVar(&f.from, "from", "", "tag or `commit` the notes begin after (all of the history if empty)")
	c.Flags().StringVar(&f.to, "to", "HEAD", "tag or `commit` the notes end with")
	c.Flags().BoolVar(&f.offline, "offline", false, "ask no forge; use the commits' subjects")
	return c
}

func (f *notesFlags) generate(ctx context.Context, s Streams) error {
	repo, err := openRepo(ctx, ".", "change to the one the notes are about")
	if err != nil {
		return err
	}
	o := notes.Options{Git: repo, From: f.from, To: f.to}
	if !f.offline {
		return f.with(ctx, func(a *app.App) error {
			o.Forge = a.Forge
			if o.Repo, err = f.find(ctx, a); err != nil {
				return err
			}
			return f.write(ctx, s, o)
		})
	}
	return f.write(ctx, s, o)
}

// subject is a commit as -o json prints it, where no forge was asked.
type subject struct {
	Commit string `json:"commit"`
	Text   string `json:"text"`
	Author string `json:"author"`
}

func subjects(n notes.Notes) []subject {
	all := []subject{}
	for _, s := range n.Subjects {
		all = append(all, subject{s.Commit, s.Text, s.Author})
	}
	return all
}

func (f *notesFlags) write(ctx context.Context, s Streams, o notes.Options) error {
	for _, rev := range []string{f.from, f.to} {
		if rev == "" {
			continue
		}
		if _, err := o.Git.Resolve(ctx, rev); errors.Is(err, git.ErrNotFound) {
			return usagef("there is no tag or commit %s in this repository", rev)
		}
	}
	n, err := notes.Generate(ctx, o)
	if err != nil {
		return err
	}
	if f.out.format == "json" && !f.offline {
		text, err := notes.EncodeJSON(n.Notes)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Out, "%s\n", bytes.TrimSpace(text))
		return err
	}
	var data any = n.Notes
	if f.offline {
		data = subjects(n)
	}
	return f.out.print(s.Out, data, func(w io.Writer) error {
		_, err := io.WriteString(w, n.Markdown(notes.Render{Links: !f.offline}))
		return err
	})
}
