package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(s Streams) *cobra.Command {
	var out outputFlag
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return out.print(s.Out, info, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "seaworthy %s (%s, %s)\n", info.Version, info.Go, info.Platform)
				return err
			})
		},
	}
	out.add(c)
	return c
}
