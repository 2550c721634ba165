package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// alias is a command line people know from another tool. It maps that tool's
// flags onto our own commands and does nothing else.
type alias struct {
	words []string // the tool and its subcommands: kpromo run files
	short string
	// declare adds the tool's flags, and returns what makes our command line
	// of their values and the arguments left. The flags are parsed by then.
	declare func(*pflag.FlagSet) translation
}

// translation makes one of our command lines.
type translation func(args []string) ([]string, error)

// aliases lists every command line of another tool that is understood.
func aliases() []alias {
	return slices.Concat(gh2gcsAliases(), kpromoAliases(), cipmmAliases(), bomAliases(), kubepkgAliases(), gcbuilderAliases(), krelAliases(), pushBuildAliases())
}

// Invoked returns the arguments of a program that was called as argv: called by
// the name of a tool it stands in for, it is that tool.
func Invoked(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	tool := strings.TrimSuffix(filepath.Base(argv[0]), ".exe")
	for _, a := range aliases() {
		if a.words[0] == tool {
			return append([]string{"as", tool}, argv[1:]...)
		}
	}
	return argv[1:]
}

func newAs(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "as TOOL ARGUMENTS…",
		Short: "Run a command line written for another tool",
		Long: `Takes the command line of a tool this program stands in for, and does that tool's job with commands of its own. A
link to this program that bears the tool's name does the same. The command that is run is shown on stderr.

What is understood:
` + listAliases(),
		Example: `  seaworthy as bom generate --format json --output app.spdx.json .
  seaworthy as kpromo cip --thin-manifest-dir=./registry.k8s.io --confirm`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
				return cmd.Help()
			}
			ours, unheeded, err := translated(args)
			var help aliasHelp
			if errors.As(err, &help) {
				_, err = fmt.Fprint(s.Out, help.text)
				return err
			}
			if err != nil {
				return usageError{err}
			}
			for _, u := range unheeded {
				fmt.Fprintln(s.Err, u)
			}
			fmt.Fprintln(s.Err, "seaworthy "+quoted(ours))
			root := newRoot(s)
			root.SetArgs(ours)
			return root.ExecuteContext(cmd.Context())
		},
	}
	return c
}

func listAliases() string {
	var b strings.Builder
	for _, a := range aliases() {
		fmt.Fprintf(&b, "  %-28s %s\n", strings.Join(a.words, " "), a.short)
	}
	return b.String()
}

// aliasHelp is the answer to --help of a tool.
type aliasHelp struct{ text string }

func (aliasHelp) Error() string { return "help was asked for" }

// translate makes our command line of another tool's.
func translate(args []string) ([]string, error) {
	ours, _, err := translated(args)
	return ours, err
}

// translated makes our command line of another tool's, and a sentence for each
// flag that was given and says nothing here.
func translated(args []string) (ours, unheeded []string, err error) {
	a, err := findAlias(args)
	if err != nil {
		return nil, nil, err
	}
	name := strings.Join(a.words, " ")
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = true
	flags.Usage = func() {}
	flags.SetOutput(nil)
	translate := a.declare(flags)
	switch err := flags.Parse(args[len(a.words):]); {
	case errors.Is(err, pflag.ErrHelp):
		return nil, nil, aliasHelp{fmt.Sprintf("%s\n\nUsage:\n  seaworthy as %s [flags]\n\nFlags:\n%s", a.short, name, flags.FlagUsages())}
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w: see 'seaworthy as %s --help'", name, err, name)
	}
	if ours, err = translate(flags.Args()); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	flags.Visit(func(f *pflag.Flag) {
		if why, ok := strings.CutPrefix(f.Usage, ignoredUsage); ok {
			unheeded = append(unheeded, fmt.Sprintf("%s: --%s says nothing here: %s", name, f.Name, why))
		}
	})
	return ours, unheeded, nil
}

// findAlias returns the alias whose words the arguments begin with, the one
// with the most words first.
func findAlias(args []string) (alias, error) {
	var best alias
	var offers []string
	for _, a := range aliases() {
		if a.words[0] == args[0] {
			offers = append(offers, strings.Join(a.words, " "))
		}
		if len(a.words) > len(best.words) && len(args) >= len(a.words) && slices.Equal(a.words, args[:len(a.words)]) {
			best = a
		}
	}
	switch {
	case len(best.words) > 0:
		return best, nil
	case len(offers) > 0:
		return alias{}, fmt.Errorf("of %s these are understood: %s", args[0], strings.Join(offers, ", "))
	}
	return alias{}, fmt.Errorf("no tool called %q is known here: see 'seaworthy as --help'", args[0])
}

// quoted writes a command line as a shell would read it.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]{}`!#~") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}
