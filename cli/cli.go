package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"seaworthy/demo"
	"seaworthy/strict"
)

// version is set by the build: -ldflags "-X seaworthy/cli.version=v1.2.3".
var version = "development"

// Streams are where a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2 // the command line or a configuration file must be corrected
	exitVerdict = 3 // NO-GO, not mergeable: the answer is no
)

// verdictError is a negative answer, as opposed to a failure to answer.
type verdictError struct{ text string }

func (e verdictError) Error() string { return e.text }

// usageError is a command line that must be corrected.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs one command line and returns its exit code. Errors are printed to
// s.Err, one line each.
func Main(ctx context.Context, args []string, s Streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	report(s.Err, cmd, err)
	return exitCode(err)
}

func exitCode(err error) int {
	var verdict verdictError
	var usage usageError
	var problems strict.Error
	switch {
	case errors.As(err, &verdict):
		return exitVerdict
	case errors.As(err, &usage), errors.As(err, &problems):
		return exitUsage
	}
	return exitFailure
}

// report writes one line, or one for each problem of a file.
func report(w io.Writer, cmd *cobra.Command, err error) {
	var verdict verdictError
	var problems strict.Error
	switch {
	case errors.As(err, &verdict):
		fmt.Fprintln(w, oneLine(verdict.text))
	case errors.As(err, &problems):
		where, _ := strings.CutSuffix(err.Error(), problems.Error())
		for _, p := range problems {
			fmt.Fprintln(w, "seaworthy: "+oneLine(where+p.String()))
		}
	default:
		fmt.Fprintln(w, "seaworthy: "+oneLine(err.Error()))
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(w, "See '%s --help'.\n", cmd.CommandPath())
	}
}

// oneLine joins the lines of a text, such as several errors or what git said.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "seaworthy",
		Short: "From a commit to a published release, in one binary",
		Long: `Seaworthy takes a project from commit to published release: every commit tested and reviewed, the test
signal read for you, and a release cut that is rehearsed, gated and resumable.

  seaworthy demo     watch a sample project travel the whole road, in under a minute
  seaworthy init     write a commented seaworthy.yaml for the repository you stand in
  seaworthy up       serve that repository on this machine, web pages included

What is asked for goes to stdout, everything else to stderr. The exit code is
0 for success, 1 for a failure, 2 for a command line or configuration file that
must be corrected, and 3 where the answer is no: NO-GO, not mergeable.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	groups := []struct {
		title    string
		commands []*cobra.Command
	}{
		{"To begin:", []*cobra.Command{newDemo(s), newInit(s), newUp(s), newDoctor(s), newVersion(s), newAs(s)}},
		{"From commit to merge:", []*cobra.Command{newJob(s), newRun(s), newPR(s), newOwners(s), newQueue(s), newGrid(s), newTriage(s), newTest(s), newSignal(s)}},
		{"From merge to release:", []*cobra.Command{newBranch(s), newReadiness(s), newRelease(s), newAnnounce(s), newNotes(s), newBuild(s), newPackage(s), newImage(s), newChecksum(s)}},
		{"What people can trust:", []*cobra.Command{newSBOM(s), newSign(s), newVerify(s), newProvenance(s), newCVE(s), newPromote(s), newMirror(s)}},
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID(groups[0].title)
	markUsage(root)
	return root
}

// markUsage makes every command report wrong arguments as usage errors, and
// parents without a command of their own name what they offer.
func markUsage(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.HasParent() && c.RunE == nil {
		c.Args = func(cmd *cobra.Command, a []string) error {
			if len(a) > 0 {
				return usagef("unknown command %q for %q", a[0], cmd.CommandPath())
			}
			return nil
		}
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
}

// require makes a command insist on flags.
func require(c *cobra.Command, flags ...string) {
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range flags {
			if cmd.Flag(name).Value.String() == "" {
				return usagef("--%s is needed", name)
			}
		}
		return nil
	}
}

// terminal reports whether w is a terminal, and its columns and rows.
func terminal(w io.Writer) (width, height int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return width, height, err == nil
}

// screenOn is what a list of steps is drawn on.
func screenOn(w io.Writer) *demo.Terminal {
	width, height, tty := terminal(w)
	dumb := strings.HasPrefix(os.Getenv("TERM"), "dumb")
	return &demo.Terminal{Out: w, Live: tty && !dumb, Color: colorful(w), Width: width, Height: height}
}

// colorful honours NO_COLOR and dumb terminals.
func colorful(w io.Writer) bool {
	_, _, tty := terminal(w)
	return tty && os.Getenv("NO_COLOR") == "" && !strings.HasPrefix(os.Getenv("TERM"), "dumb")
}
