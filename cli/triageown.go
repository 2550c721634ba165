package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/triage/live"
)

func newTriageOwn(s Streams) *cobra.Command {
	return newDescribe(s, &cobra.Command{
		Use:   "own CLUSTER [NAME]",
		Short: "Say who is to look at a cluster of failures",
		Long: `Sets the owner of a cluster; without a name it is read off the tests' names again. It stays when clusters are
sorted anew, and goes to the cluster that takes this one over. Who said so and when is shown with it: the account
of the token in SEAWORTHY_TOKEN, else the administrator.`,
		Example: `  seaworthy triage own 0a1b2c3d4e5f60718293 sig-node
  seaworthy triage own 0a1b2c3d4e5f60718293`,
	}, func(value *string) (owner, issue *string) { return value, nil })
}

func newTriageLink(s Streams) *cobra.Command {
	return newDescribe(s, &cobra.Command{
		Use:   "link CLUSTER [URL]",
		Short: "Say which issue a cluster of failures is about",
		Long: `Links a cluster to an issue: an address, or /OWNER/NAME/issues/NUMBER on this platform; without one there is no
link any longer. It stays when clusters are sorted anew, and goes to the cluster that takes this one over. Who said
so and when is shown with it.`,
		Example: `  seaworthy triage link 0a1b2c3d4e5f60718293 https://github.com/kubernetes/kubernetes/issues/123456
  seaworthy triage link 0a1b2c3d4e5f60718293 /harbour/halyard/issues/7`,
	}, func(value *string) (owner, issue *string) { return nil, value })
}

// newDescribe is a command that notes its second argument of a cluster, the
// first one.
func newDescribe(s Streams, c *cobra.Command, as func(value *string) (owner, issue *string)) *cobra.Command {
	var p platform
	c.Args = cobra.RangeArgs(1, 2)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		value := ""
		if len(args) == 2 {
			value = args[1]
		}
		return p.with(cmd.Context(), func(a *app.App) error {
			if a.Triage == nil {
				return usagef("no platform follows failures here: name its folder with --dir")
			}
			owner, issue := as(&value)
			return describeCluster(cmd.Context(), s, a, args[0], owner, issue)
		})
	}
	p.add(c)
	return c
}

func describeCluster(ctx context.Context, s Streams, a *app.App, id string, owner, issue *string) error {
	by, err := actor(ctx, a)
	if err != nil {
		return err
	}
	err = a.Triage.Describe(ctx, id, by, owner, issue)
	switch {
	case errors.Is(err, live.ErrNoCluster):
		return fmt.Errorf("%w: seaworthy triage list names them", err)
	case errors.Is(err, live.ErrDescription):
		return usageError{err}
	case err != nil:
		return err
	}
	d, err := a.Triage.Cluster(ctx, id, live.Filter{})
	if err != nil {
		return err
	}
	p := &sayer{w: s.Out}
	p.sayDescription(d)
	return p.err
}
