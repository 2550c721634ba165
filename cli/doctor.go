package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
)

type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Says  string `json:"says"`
}

func newDoctor(s Streams) *cobra.Command {
	var out outputFlag
	var dir, addr string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine and this repository still need",
		Long: `Looks for git and Go, whether the state folder can be written and the address is free, and whether the
configuration of the repository is sound. Nothing is changed. The exit code is 3 if something is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := diagnose(cmd.Context(), dir, addr)
			err := out.print(s.Out, found, func(w io.Writer) error {
				for _, f := range found {
					shape := "●"
					if !f.OK {
						shape = "✕"
					}
					if _, err := fmt.Fprintf(w, "%s %-13s %s\n", shape, f.Check, f.Says); err != nil {
						return err
					}
				}
				return nil
			})
			for _, f := range found {
				if !f.OK {
					return errors.Join(err, verdictError{"Not everything is in order."})
				}
			}
			return err
		},
	}
	out.add(c)
	c.Flags().StringVar(&dir, "dir", app.DefaultDir, "`folder` that holds the platform's state")
	c.Flags().StringVar(&addr, "addr", app.DefaultAddr, "`address` the platform would listen on")
	return c
}

func diagnose(ctx context.Context, dir, addr string) []finding {
	var found []finding
	add := func(check string, err error, says string) {
		if err != nil {
			says = err.Error()
		}
		found = append(found, finding{check, err == nil, says})
	}
	v, err := git.Version()
	add("git", err, v)
	goVersion, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		err = errors.New("there is no go command: install Go to build Go projects")
	}
	add("go", err, strings.TrimSpace(string(goVersion)))
	add("state folder", writable(dir), dir+" can be written")
	free, err := listens(ctx, dir, addr)
	add("address", err, free)
	repo, err := git.Open(ctx, ".")
	if err != nil {
		add("repository", nil, "none here, which seaworthy up and demo do not need")
		return found
	}
	p, err := app.ReadProject(ctx, repo, "", forge.RepoName{Owner: "local", Name: "project"})
	says := config.Name + " is sound"
	if p.Default {
		says = "no " + config.Name + " here; defaults for a Go module are used (seaworthy init writes one)"
	}
	add("repository", err, says)
	return found
}

// listens says that a platform could listen on an address, or does.
func listens(ctx context.Context, dir, addr string) (string, error) {
	if url, err := app.Serving(ctx, dir); err == nil {
		return "a platform on " + dir + " answers at " + url, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("%s is taken: stop what listens there or choose another with --addr (%w)", addr, err)
	}
	return addr + " is free", l.Close()
}

// writable tries what the platform will do: make the folder and a file in it.
func writable(dir string) error {
	parent := dir
	for {
		if _, err := os.Stat(parent); err == nil || parent == filepath.Dir(parent) {
			break
		}
		parent = filepath.Dir(parent)
	}
	f, err := os.CreateTemp(parent, ".seaworthy-doctor-")
	if err != nil {
		return fmt.Errorf("%s cannot be written: choose another folder with --dir (%w)", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func trim(s string) string { return strings.TrimSpace(s) }
