package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/triage"
)

// triageFiles is one command line of triage cluster.
type triageFiles struct {
	builds, out, previous, owners string
	tests                         []string
	maxAge                        time.Duration
	workers, textLimit            int
	singletons, slices            bool
}

func newTriageCluster(s Streams) *cobra.Command {
	f := triageFiles{workers: runtime.NumCPU(), textLimit: 100_000, slices: true}
	c := &cobra.Command{
		Use:   "cluster --builds FILE --tests FILE… --out DIR",
		Short: "Put failures of one cause together, from and into triage's files",
		Long: `Reads the files that Kubernetes' triage reads and writes the ones it writes: failure_data.json, and slices of
it by the beginning of the clusters' identity and by owner. The builds are an array of objects or one object for
each line, the failures likewise, in any number of files, plain or compressed with gzip.

The output depends on what the failures are alone: not on their order, the split into files, or the number of
workers. What is odd about the input is told on stderr with its line, and the rest is read.`,
		Example: `  seaworthy triage cluster --builds triage_builds.json --tests 'tests_*.json' --out triage
  seaworthy triage cluster --builds b.json --tests a.json --out new --previous old/failure_data.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.tests = append(f.tests, args...)
			return f.run(cmd.Context(), s)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.builds, "builds", "", "`file` of builds")
	flags.StringArrayVar(&f.tests, "tests", nil, "`file` of failures, or a pattern; more of them may follow")
	flags.StringVar(&f.out, "out", "", "`folder` to write failure_data.json and slices/ into")
	flags.StringVar(&f.previous, "previous", "", "an earlier failure_data.json: clusters in this `file` keep their identity")
	flags.StringVar(&f.owners, "owners", "", "JSON `file` that gives each owner beginnings of names of tests")
	flags.DurationVar(&f.maxAge, "max-age", 0, "leave out builds that started this `duration` before the newest")
	flags.IntVar(&f.workers, "num-workers", f.workers, "`count` of goroutines that read and compare")
	flags.IntVar(&f.textLimit, "max-failure-text-length", f.textLimit, "`bytes` of a failure's text to show")
	flags.BoolVar(&f.singletons, "singletons", false, "write clusters of a single failure, too")
	flags.BoolVar(&f.slices, "slices", f.slices, "write the slices")
	require(c, "builds", "out")
	return c
}

func (f *triageFiles) run(ctx context.Context, s Streams) error {
	files, err := f.files()
	if err != nil {
		return err
	}
	if f.workers < 1 || f.textLimit < 1 || f.maxAge < 0 {
		return usagef("--num-workers and --max-failure-text-length begin at 1, --max-age at 0")
	}
	previous, owners, err := f.known()
	if err != nil {
		return err
	}
	builds, since, err := f.readBuilds(ctx, s)
	if err != nil {
		return err
	}
	places := triage.NewPlaces(builds)
	clusterer := triage.NewClusterer(triage.Options{Workers: f.workers, TextLimit: f.textLimit})
	var old atomic.Int64
	for _, name := range files {
		err := f.readTests(ctx, s, name, func(r triage.Row) {
			failure := places.Failure(r)
			if failure.Started.Unix() < since {
				old.Add(1)
				return
			}
			clusterer.Add(failure)
		})
		if err != nil {
			return err
		}
	}
	clusters, err := clusterer.Clusters(ctx)
	if err != nil {
		return err
	}
	if known := triage.Inherit(clusters, previous); len(previous) > 0 {
		fmt.Fprintf(s.Err, "%d of %d clusters were in %s\n", known, len(clusters), f.previous)
	}
	all, added := places.Builds()
	data, sum := triage.NewData(clusters, all, added, triage.DataOptions{Singletons: f.singletons, Owners: owners})
	if err := f.write(data, owners); err != nil {
		return err
	}
	fmt.Fprintln(s.Err, sum)
	for _, note := range triageNotes(sum, int(old.Load()), f.maxAge) {
		fmt.Fprintln(s.Err, note)
	}
	return nil
}

// triageNotes says what is not in the data, so that nothing is missed unseen.
func triageNotes(sum triage.Summary, old int, maxAge time.Duration) []string {
	var out []string
	if sum.Alone > 0 {
		out = append(out, fmt.Sprintf("Like no other failure and left out: %d; --singletons writes them, too", sum.Alone))
	}
	if sum.AddedRuns > 0 {
		out = append(out, fmt.Sprintf("Builds that failures name and the file of builds lacks: %d, known by their path alone", sum.AddedRuns))
	}
	if sum.Nowhere > 0 {
		out = append(out, fmt.Sprintf("Failures left out because the path of their build tells no job or no number: %d", sum.Nowhere))
	}
	if old > 0 {
		out = append(out, fmt.Sprintf("Failures left out because they are older than %[2]s: %[1]d", old, maxAge))
	}
	return out
}

// files are the failures' files that the patterns mean, in order and once each.
func (f *triageFiles) files() ([]string, error) {
	if len(f.tests) == 0 {
		return nil, usagef("--tests is needed: the files of failures")
	}
	var files []string
	for _, pattern := range f.tests {
		if _, err := os.Stat(pattern); err == nil {
			files = append(files, filepath.Clean(pattern))
			continue
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, usagef("--tests %s: %w", pattern, err)
		}
		if len(found) == 0 {
			return nil, usagef("--tests %s: there is no such file", pattern)
		}
		for _, name := range found {
			files = append(files, filepath.Clean(name))
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// mostOwnersFile bounds the file of owners, in bytes.
const mostOwnersFile = 16 << 20

// known reads what was found before and who owns what.
func (f *triageFiles) known() ([]triage.ClusterData, map[string][]string, error) {
	var previous []triage.ClusterData
	if f.previous != "" {
		file, err := openInput("--previous", f.previous)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		data, err := triage.ReadData(file)
		if err != nil {
			return nil, nil, usagef("--previous %s: %w", f.previous, err)
		}
		previous = data.Clustered
	}
	if f.owners == "" {
		return previous, nil, nil
	}
	file, err := openInput("--owners", f.owners)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostOwnersFile))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", f.owners, err)
	}
	var owners map[string][]string
	if err := json.Unmarshal(text, &owners); err != nil { // also if it was longer
		return nil, nil, usagef(`--owners %s: write {"owner": ["beginning of a test's name", …], …}: %w`, f.owners, err)
	}
	for name := range owners {
		if name == "" || strings.ContainsAny(name, `/\`) || len(name) > 100 {
			return nil, nil, usagef("--owners %s: %q cannot be part of a file's name", f.owners, name)
		}
	}
	return previous, owners, nil
}

func openInput(flag, name string) (*os.File, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s %s: there is no such file", flag, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return file, nil
}

// readBuilds reads the builds that are young enough, and says since when that is.
func (f *triageFiles) readBuilds(ctx context.Context, s Streams) ([]triage.Build, int64, error) {
	file, err := openInput("--builds", f.builds)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	builds, odd, err := triage.ReadBuilds(ctx, file)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", f.builds, err)
	}
	if err := tellOdd(s, f.builds, odd); err != nil {
		return nil, 0, err
	}
	newest := int64(0)
	for _, b := range builds {
		newest = max(newest, b.Started)
	}
	since := int64(0)
	if f.maxAge > 0 {
		since = newest - int64(f.maxAge/time.Second)
	}
	return slices.DeleteFunc(builds, func(b triage.Build) bool { return b.Started < since }), since, nil
}

func (f *triageFiles) readTests(ctx context.Context, s Streams, name string, add func(triage.Row)) error {
	file, err := openInput("--tests", name)
	if err != nil {
		return err
	}
	defer file.Close()
	odd, err := triage.ReadFailures(ctx, file, f.workers, add)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return tellOdd(s, name, odd)
}

// tellOdd says what is odd about a file, and fails if nothing in it is right.
func tellOdd(s Streams, name string, odd triage.Irregular) error {
	lines := odd.Lines()
	if odd.Rows == 0 && len(lines) > 0 {
		return usagef("%s has nothing that could be read: %s", name, lines[0])
	}
	for _, l := range lines {
		fmt.Fprintf(s.Err, "%s: %s\n", name, l)
	}
	return nil
}

// write writes failure_data.json and, if wanted, a slice for each of the 256
// beginnings of an identity and one for each owner.
func (f *triageFiles) write(data triage.Data, owners map[string][]string) error {
	if err := writeData(filepath.Join(f.out, "failure_data.json"), data); err != nil || !f.slices {
		return err
	}
	slice := func(name string, keep func(triage.ClusterData) bool) error {
		return writeData(filepath.Join(f.out, "slices", "failure_data_"+name+".json"), data.Slice(keep))
	}
	for n := range 256 {
		prefix := fmt.Sprintf("%02x", n)
		if err := slice(prefix, func(c triage.ClusterData) bool { return strings.HasPrefix(c.ID, prefix) }); err != nil {
			return err
		}
	}
	names := map[string]bool{"testing": true}
	for name := range owners {
		names[name] = true
	}
	for _, c := range data.Clustered {
		if !strings.ContainsAny(c.Owner, `/\`) && len(c.Owner) <= 100 { // it comes from the name of a test
			names[c.Owner] = true
		}
	}
	for name := range names {
		if err := slice("sig-"+name, func(c triage.ClusterData) bool { return c.Owner == name }); err != nil {
			return err
		}
	}
	return nil
}

// writeData writes a file that is there whole or not at all.
func writeData(name string, data triage.Data) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	t, err := os.CreateTemp(dir, ".seaworthy-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	err = errors.Join(data.Write(t), t.Chmod(0o644), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, errors.Join(err, os.Remove(t.Name())))
	}
	return nil
}
