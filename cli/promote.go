package cli

import "github.com/spf13/cobra"

func newPromote(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "promote",
		Short: "Images and files from staging to production: propose, plan, do, audit",
		Long: `Promotes what was built: from staging registries and buckets to those that users read, by digest, as reviewed
manifests say. docs/promotion.md walks through it.`,
	}
	c.AddCommand(newPromotePR(s), newPromotePlan(s), newPromoteManifest(s), newPromoteRun(s), newPromoteAudit(s), newPromoteFiles(s))
	return c
}
