package dashboard_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/grid/dashboard"
	"seaworthy/job"
)

var update = flag.Bool("update", false, "write the golden files anew")

// realTree returns the files of a large project's configuration, by their paths
// in it. The test is skipped where they are not at hand.
func realTree(t testing.TB) map[string][]byte {
	t.Helper()
	dir := os.Getenv("SEAWORTHY_DATA")
	if dir == "" {
		t.Skip("SEAWORTHY_DATA is not set: it names the folder that holds prow.tar.gz")
	}
	f, err := os.Open(filepath.Join(dir, "prow.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".yaml") {
			continue
		}
		if files[strings.TrimPrefix(h.Name, "prow/config/")], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func under(files map[string][]byte, folder string) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		if strings.HasPrefix(name, folder+"/") {
			out[name] = data
		}
	}
	return out
}

// counts are the figures of a configuration.
type counts struct {
	DashboardGroups int            `json:"dashboard_groups"`
	Members         int            `json:"members"`
	Dashboards      int            `json:"dashboards"`
	Tabs            int            `json:"tabs"`
	TestGroups      int            `json:"test_groups"`
	Errors          []string       `json:"errors"`
	Warnings        int            `json:"warnings"`
	Recent          map[int]int    `json:"tabs_by_recent_columns"`
	Templates       map[string]int `json:"tabs_by_link"`
}

func counted(c dashboard.Config, problems []dashboard.Problem) counts {
	n := counts{DashboardGroups: len(c.DashboardGroups), Dashboards: len(c.Dashboards), TestGroups: len(c.TestGroups), Errors: []string{}, Recent: map[int]int{}, Templates: map[string]int{}}
	groups := map[string]dashboard.TestGroup{}
	for _, g := range c.TestGroups {
		groups[g.Name] = g
	}
	for _, g := range c.DashboardGroups {
		n.Members += len(g.Dashboards)
	}
	for _, d := range c.Dashboards {
		n.Tabs += len(d.Tabs)
		for _, tab := range d.Tabs {
			g := groups[tab.TestGroup]
			n.Recent[tab.Options(g).Recent]++
			values := tab.Values(g, "https://sea.example").Cell("1", "test", "Failed", "abc").Between("1", []string{"a"}, "2", []string{"b"})
			for field, link := range map[string]*dashboard.Link{"open_test": tab.OpenTest, "file_bug": tab.FileBug, "results": tab.Results, "code_search": tab.CodeSearch} {
				if _, err := link.Expand(values); err == nil {
					n.Templates[field]++
				}
			}
		}
	}
	for _, p := range problems {
		if p.Warning {
			n.Warnings++
		} else {
			n.Errors = append(n.Errors, p.String())
		}
	}
	sort.Strings(n.Errors)
	return n
}

// A real configuration: 2,000 files' worth of jobs and grids, read whole.
func TestRealConfiguration(t *testing.T) {
	t.Parallel()
	files := realTree(t)
	yaml, problems := dashboard.Read(under(files, "testgrids"))
	var parsed []job.File
	for name, data := range under(files, "jobs") {
		f, found := job.Parse(name, data)
		parsed = append(parsed, f)
		for _, p := range found {
			if !p.Warning {
				t.Error(p)
			}
		}
	}
	jobs, _ := job.Merge(parsed...)
	prow, found := dashboard.ReadProw("prow/config.yaml", files["prow/config.yaml"])
	if len(found) > 0 || prow.Bucket != "kubernetes-ci-logs" {
		t.Errorf("prow: %+v, %v", prow, found)
	}
	merged, found := dashboard.WithJobs(yaml, jobs, prow)
	all := append(append(append([]dashboard.Problem{}, problems...), found...), merged.Check()...)
	got := map[string]counts{"yaml": counted(yaml, problems), "merged": counted(merged, all)}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/real.json"
	if *update {
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkReal(b *testing.B) {
	files := realTree(b)
	grids := under(files, "testgrids")
	var parsed []job.File
	for name, data := range under(files, "jobs") {
		f, _ := job.Parse(name, data)
		parsed = append(parsed, f)
	}
	jobs, _ := job.Merge(parsed...)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dashboard.Read(grids)
		}
	})
	c, _ := dashboard.Read(grids)
	b.Run("jobs", func(b *testing.B) {
		for b.Loop() {
			dashboard.WithJobs(c, jobs, dashboard.Prow{Bucket: "b"})
		}
	})
	c, _ = dashboard.WithJobs(c, jobs, dashboard.Prow{Bucket: "b"})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			c.Check()
		}
	})
}
