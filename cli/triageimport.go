package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/triage"
	"seaworthy/triage/live"
)

// imported is what triage import prints.
type imported struct {
	live.Imported
	Clusters live.Change `json:"clusters"`
}

func newTriageImport(s Streams) *cobra.Command {
	var p platform
	var out outputFlag
	f := triageFiles{workers: runtime.NumCPU()}
	c := &cobra.Command{
		Use:   "import --builds FILE --tests FILE…",
		Short: "Take the failures of another CI up into the platform",
		Long: `Reads the files that Kubernetes' triage reads and has the platform follow the failures in them beside its own:
/triage and triage list show them, clusters keep their names from import to import.

A build that the platform knows already stays as it is, so that an import may be repeated, and one that was
stopped goes on: give all failures of a build at once. Builds older than triage.failures in seaworthy.yaml are
passed over. The platform may be running meanwhile.`,
		Example: `  seaworthy triage import --builds triage_builds.json --tests 'triage_tests_*.json'
  seaworthy triage import --builds builds.json.gz --tests day1.json --tests day2.json -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.tests = append(f.tests, args...)
			var done imported
			err := p.with(cmd.Context(), func(a *app.App) (err error) {
				done, err = f.importInto(cmd.Context(), s, a)
				return err
			})
			if err != nil {
				return err
			}
			return out.print(s.Out, done, func(w io.Writer) error { return printImported(w, done) })
		},
	}
	p.add(c)
	out.add(c)
	c.Flags().StringVar(&f.builds, "builds", "", "`file` of builds")
	c.Flags().StringArrayVar(&f.tests, "tests", nil, "`file` of failures, or a pattern; more of them may follow")
	require(c, "builds")
	return c
}

// importInto reads the files, whole, before anything is written: builds are taken
// up with all of their failures.
func (f *triageFiles) importInto(ctx context.Context, s Streams, a *app.App) (imported, error) {
	if a.Triage == nil {
		return imported{}, usagef("no platform follows failures here: name its folder with --dir")
	}
	files, err := f.files()
	if err != nil {
		return imported{}, err
	}
	builds, _, err := f.readBuilds(ctx, s)
	if err != nil {
		return imported{}, err
	}
	fmt.Fprintf(s.Err, "%d builds read\n", len(builds))
	gathered := live.NewImport(builds)
	for _, name := range files {
		rows := newTally(s.Err, "failures of "+name+" read")
		err := f.readTests(ctx, s, name, func(r triage.Row) {
			gathered.Add(r)
			rows.add()
		})
		if err != nil {
			return imported{}, err
		}
		rows.end()
	}
	var done imported
	tenth := 0
	done.Imported, err = gathered.Into(ctx, a.Triage, func(looked, of int) {
		if now := looked * 10 / max(of, 1); now > tenth {
			tenth = now
			fmt.Fprintf(s.Err, "%d of %d builds recorded\n", looked, of)
		}
	})
	if err != nil {
		return done, fmt.Errorf("%w; what was recorded stays: run the import again to go on", err)
	}
	if done.New == 0 && done.Known == 0 && done.Old > 0 {
		return done, fmt.Errorf("all %d builds are older than failures are kept: set triage.failures in seaworthy.yaml to more days", done.Old)
	}
	if done.New > 0 {
		fmt.Fprintln(s.Err, "putting failures of one cause together")
		done.Clusters, err = a.Triage.Reconcile(ctx)
	}
	return done, err
}

func printImported(w io.Writer, d imported) error {
	p := &sayer{w: w}
	p.sayf("%d builds with %d failures recorded, of %d builds\n", d.New, d.Failures, d.Builds)
	for _, x := range []struct {
		n    int
		what string
	}{
		{d.Known, "builds were known already and stay as they were"},
		{d.Old, "builds are older than failures are kept (triage.failures in seaworthy.yaml)"},
		{d.Unplaced, "builds passed over: nothing tells their job or when they began"},
	} {
		if x.n > 0 {
			p.sayf("%d %s\n", x.n, x.what)
		}
	}
	return p.err
}
