package job_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"seaworthy/job"
)

type source struct {
	name string
	data []byte
}

// realTree returns the job files of a large project, and its central
// configuration's presets last. The test is skipped where they are not at hand.
func realTree(t testing.TB) []source {
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
	var files []source
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "prow/")
		isJob := strings.HasPrefix(name, "config/jobs/") && strings.HasSuffix(name, ".yaml")
		if h.Typeflag != tar.TypeReg || !isJob && name != "config/prow/config.yaml" {
			continue
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, source{name, data})
	}
}

// load parses files on every core and merges them.
func load(sources []source) (job.Config, []job.Problem) {
	files := make([]job.File, len(sources))
	problems := make([][]job.Problem, len(sources))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				parse := job.Parse
				if strings.HasSuffix(sources[i].name, "prow/config.yaml") {
					parse = job.ParsePresets
				}
				files[i], problems[i] = parse(sources[i].name, sources[i].data)
			}
		})
	}
	for i := range sources {
		next <- i
	}
	close(next)
	wg.Wait()
	var all []job.Problem
	for _, p := range problems {
		all = append(all, p...)
	}
	c, more := job.Merge(files...)
	return c, append(all, more...)
}

func count(m map[string][]*job.Job) int {
	n := 0
	for _, jobs := range m {
		n += len(jobs)
	}
	return n
}

func TestRealTree(t *testing.T) {
	t.Parallel()
	c, problems := load(realTree(t))
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("error: %s", p)
		} else if !strings.Contains(p.Message, "branch pattern") {
			t.Logf("%s", p)
		}
	}
	// Counted with another YAML reader over the same files.
	for _, want := range []struct {
		what      string
		got, want int
	}{
		{"presubmits", count(c.Presubmits), 2011},
		{"postsubmits", count(c.Postsubmits), 249},
		{"periodics", len(c.Periodics), 1167},
		{"repositories", len(c.Repos()), 174},
		{"repositories with presubmits", len(c.Presubmits), 154},
		{"repositories with postsubmits", len(c.Postsubmits), 125},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %d, want %d", want.what, want.got, want.want)
		}
	}
	_, err := job.PresubmitsFor(c, "kubernetes/kubernetes", "master", func() ([]string, error) { return []string{"pkg/kubelet/kubelet.go"}, nil })
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkRealTree(b *testing.B) {
	sources := realTree(b)
	n := 0
	for _, s := range sources {
		n += len(s.data)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if c, _ := load(sources); len(c.Periodics) == 0 {
			b.Fatal("nothing was read")
		}
	}
}
