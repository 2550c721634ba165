package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

func newAnnounce(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "announce",
		Short: "Write and send the announcement of a release",
		Long: `The cut of a release writes its announcement, and mails it where release.announce names addresses and a mail server is
set up. These commands show what it says, and send what was not sent.

A mail server belongs to the platform and not to a repository: SEAWORTHY_SMTP is its address,
smtp://USER@HOST:587 (STARTTLS) or smtps://USER@HOST:465, and SEAWORTHY_SMTP_PASSWORD or the file that
SEAWORTHY_SMTP_PASSWORD_FILE names holds the password.`,
	}
	c.AddCommand(newAnnounceBuild(s), newAnnounceSend(s))
	return standing(s, c)
}

// tagFlags name a release.
type tagFlags struct {
	change
	tag string
}

func (f *tagFlags) add(c *cobra.Command) {
	f.change.add(c)
	c.Flags().StringVarP(&f.tag, "tag", "t", "", "`tag` of the release")
	require(c, "tag")
}

func (f *tagFlags) on(ctx context.Context, do func(*app.App, forge.RepoName) error) error {
	return f.with(ctx, func(a *app.App) error {
		repo, err := f.find(ctx, a)
		if err != nil {
			return err
		}
		err = do(a, repo)
		if errors.Is(err, cut.ErrNotReleased) {
			return fmt.Errorf("%w: seaworthy release history names what was", err)
		}
		return err
	})
}

func newAnnounceBuild(s Streams) *cobra.Command {
	var f tagFlags
	var format, folder string
	c := &cobra.Command{
		Use:   "build",
		Short: "Write the announcement of a release",
		Long: `Writes the announcement of a tag that was released or rehearsed: to stdout in one format, or as files into a folder in
all of them.`,
		Example: `  seaworthy announce build --tag v1.2.0
  seaworthy announce build --tag v1.2.0 --to-dir announcement`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.on(cmd.Context(), func(a *app.App, repo forge.RepoName) error {
				said, err := a.Releases.Announcement(cmd.Context(), repo, f.tag)
				if err != nil {
					return err
				}
				all := map[string]func() (string, error){"text": said.Text, "markdown": said.Markdown, "html": said.HTML}
				if folder != "" {
					return writeAnnouncement(s, folder, all)
				}
				write, ok := all[format]
				if !ok {
					return usagef("--format %q: write text, markdown or html", format)
				}
				text, err := write()
				if err != nil {
					return err
				}
				_, err = io.WriteString(s.Out, text)
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&format, "format", "text", "`form` on stdout: text, markdown or html")
	c.Flags().StringVar(&folder, "to-dir", "", "`folder` that takes announcement.txt, .md and .html")
	return c
}

func writeAnnouncement(s Streams, folder string, all map[string]func() (string, error)) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder of the announcement: %w", err)
	}
	for _, f := range [][2]string{{"text", "announcement.txt"}, {"markdown", "announcement.md"}, {"html", "announcement.html"}} {
		text, err := all[f[0]]()
		if err != nil {
			return err
		}
		name := filepath.Join(folder, f[1])
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing the announcement: %w", err)
		}
		fmt.Fprintln(s.Out, name)
	}
	return nil
}

func newAnnounceSend(s Streams) *cobra.Command {
	var f tagFlags
	var out outputFlag
	var real, show, again bool
	c := &cobra.Command{
		Use:   "send",
		Short: "Mail the announcement of a release (says to whom, unless --nomock)",
		Long: `Mails the announcement of a released tag to release.announce.to. What went out is recorded and not sent twice; with
--again it is sent once more, under the same Message-ID, so that mail programs take both for one.`,
		Example: `  seaworthy announce send --tag v1.2.0 --print-only
  seaworthy announce send --tag v1.2.0 --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.on(cmd.Context(), func(a *app.App, repo forge.RepoName) error {
				if !real || show {
					l, err := a.Releases.Letter(cmd.Context(), repo, f.tag)
					if err != nil {
						return err
					}
					return showLetter(s, out, l, show)
				}
				before, err := a.Releases.Letter(cmd.Context(), repo, f.tag)
				if err != nil {
					return err
				}
				l, err := a.Releases.SendLetter(cmd.Context(), repo, f.tag, again)
				if err != nil {
					return err
				}
				if !before.Sent.IsZero() && !again {
					fmt.Fprintf(s.Err, "It was sent at %s already; --again sends it once more.\n", l.Sent.UTC().Format("2006-01-02 15:04 UTC"))
				}
				return showLetter(s, out, l, false)
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().BoolVar(&real, "nomock", false, "send it")
	c.Flags().BoolVarP(&show, "print-only", "p", false, "print the whole message and send nothing")
	c.Flags().BoolVar(&again, "again", false, "send it even if it was sent")
	return c
}

// showLetter prints a whole mail, or to whom it goes.
func showLetter(s Streams, out outputFlag, l cut.Letter, whole bool) error {
	if whole {
		_, err := s.Out.Write(l.Message)
		return err
	}
	return out.print(s.Out, l, func(w io.Writer) error {
		sent := "not sent"
		if !l.Sent.IsZero() {
			sent = "sent at " + l.Sent.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		fmt.Fprintf(w, "%s\nfrom  %s\nto    %s\nid    <%s>\n%s\n", l.Subject, l.From, strings.Join(l.To, ", "), l.MessageID, sent)
		if l.Sent.IsZero() {
			fmt.Fprintln(s.Err, "--nomock sends it; --print-only shows all of it.")
		}
		return nil
	})
}
