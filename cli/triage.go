package cli

import "github.com/spf13/cobra"

func newTriage(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "triage", Short: "Failures of one cause, across all tests and jobs"}
	c.AddCommand(newTriageCluster(s), newTriageList(s), newTriageShow(s), newTriageImport(s), newTriageOwn(s), newTriageLink(s))
	return c
}
