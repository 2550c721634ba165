package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact/sign"
	"seaworthy/release/verify"
)

func newReleaseVerify(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	var key, policy, tagSigners string
	c := &cobra.Command{
		Use:   "verify TAG",
		Short: "Re-check a published release as an outsider would",
		Long: `Downloads everything a release offers and holds it together: the tag, the page, every file against the checksums,
the signatures, the statement of how it was made against the tagged commit, the bill of materials, the images, and the
markers. Nothing is taken from what the release was made with but the public key, which is this platform's own unless
another is given. The exit code is 3 if anything does not hold.`,
		Example: `  seaworthy release verify v0.1.0
  seaworthy release verify v0.1.0 --key release-key.pub -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			verifier, err := givenVerifier(ctx, key, policy)
			if err != nil {
				return usageError{err}
			}
			return f.with(ctx, func(a *app.App) error {
				repo, err := f.find(ctx, a)
				if err != nil {
					return err
				}
				by := app.Signers{Files: verifier}
				if tagSigners != "" {
					if by.Tags, err = os.ReadFile(tagSigners); err != nil {
						return usageError{fmt.Errorf("reading who may sign tags: %w", err)}
					}
				}
				r, err := a.VerifyReleaseBy(ctx, repo, args[0], by)
				if err != nil {
					return err
				}
				if err := out.print(s.Out, r, func(w io.Writer) error { return printChecks(w, r) }); err != nil {
					return err
				}
				if !r.OK {
					return verdictError{fmt.Sprintf("%s of %s does not hold: %s", r.Tag, repo, count(len(r.Failures()), "check fails", "checks fail"))}
				}
				return nil
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().StringVar(&key, "key", "", "public `key` that must have signed it: a file, env://NAME or the address of a key service")
	c.Flags().StringVar(&policy, "policy", "", "`file` that says whose signatures count instead")
	c.Flags().StringVar(&tagSigners, "tag-signers", "", "`file` that says who may sign the tag: allowed signers of SSH, or armoured OpenPGP public keys")
	c.MarkFlagsMutuallyExclusive("key", "policy")
	return c
}

// givenVerifier returns nil if nothing is given.
func givenVerifier(ctx context.Context, key, policy string) (*sign.Verifier, error) {
	var p sign.Policy
	switch {
	case policy != "":
		var err error
		if p, err = sign.LoadPolicy(ctx, policy, app.Keys()); err != nil {
			return nil, err
		}
	case key != "":
		public, err := app.Keys().LoadPublic(ctx, key)
		if err != nil {
			return nil, err
		}
		p.Signers = []sign.SignerRule{sign.KeyRule(key, public)}
	default:
		return nil, nil
	}
	return sign.NewVerifier(p, time.Now)
}

func printChecks(w io.Writer, r verify.Report) error {
	var rows [][]string
	for _, c := range r.Checks {
		rows = append(rows, []string{map[verify.State]string{verify.Passed: "✓", verify.Failed: "✕", verify.Skipped: "–"}[c.State] + " " + string(c.State), c.Name, c.Says})
	}
	return table(w, "Nothing was checked.", []string{"state", "what", "evidence"}, rows)
}
