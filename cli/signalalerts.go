package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/alert"
	"seaworthy/app"
)

func newSignalAlerts(s Streams) *cobra.Command {
	var f change
	var out outputFlag
	var tell bool
	c := &cobra.Command{
		Use:   "alerts",
		Short: "Show what is broken and who was told of it, or tell them now",
		Long: `Shows a line for each test that fails again and again, and for each tab that has no news or is broken as a
whole: since when, whose it is, on which tabs it shows, and who was told. A running server looks every two
minutes and tells people by mail, in a chat and in issues, as alerts of seaworthy.yaml says; --tell looks now,
and speaks through $SEAWORTHY_SMTP and $SEAWORTHY_CHAT_TOKEN. Nobody is told twice.`,
		Example: `  seaworthy signal alerts
  seaworthy signal alerts --tell -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(a *app.App) error {
				repo, err := f.find(cmd.Context(), a)
				if err != nil {
					return err
				}
				if tell {
					if err := a.Alert(cmd.Context(), repo); err != nil {
						return err
					}
				}
				troubles, waiting, err := a.Alerts(cmd.Context(), repo)
				if err != nil {
					return err
				}
				if troubles == nil {
					troubles = []alert.Trouble{} // a list that is empty, not none
				}
				if waiting > 0 {
					if _, err := fmt.Fprintf(s.Err, "%d messages could not be sent yet.\n", waiting); err != nil {
						return err
					}
				}
				return out.print(s.Out, troubles, func(w io.Writer) error { return printAlerts(w, troubles) })
			})
		},
	}
	f.add(c)
	out.add(c)
	c.Flags().BoolVar(&tell, "tell", false, "look now, and tell who is concerned")
	return c
}

func printAlerts(w io.Writer, troubles []alert.Trouble) error {
	var rows [][]string
	for _, t := range troubles {
		var tabs, told []string
		for _, p := range t.Places {
			tabs = append(tabs, p.Dashboard+"/"+p.Tab)
		}
		for _, place := range slices.Sorted(maps.Keys(t.Told)) {
			if !t.Told[place].Ended {
				_, name, _ := strings.Cut(place, ":")
				told = append(told, name)
			}
		}
		rows = append(rows, []string{t.Begun.Format("2006-01-02 15:04"), string(t.Kind), t.Subject, t.Owner, strings.Join(tabs, " "), strings.Join(told, ", ")})
	}
	return table(w, "Nothing is broken that anybody is to be told of.", []string{"since", "what", "test or job", "owner", "tabs", "told"}, rows)
}
