package scan

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"seaworthy/artifact/sbom"
)

// TestAgainstGoList scans this repository and compares with what the go command
// says its packages need. Ours may hold more: what other platforms need, what
// only tests need, and what packages under build tags need.
func TestAgainstGoList(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("scans the repository")
	}
	c := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./...")
	c.Dir = filepath.Join("..", "..")
	out, err := c.Output()
	if err != nil {
		t.Skipf("skipped: the go command cannot list this repository: %v", err)
	}
	d, err := Folder(t.Context(), c.Dir, Options{Name: "seaworthy", Created: time.Unix(0, 0), NoLicenses: true, Ignore: []string{"*.json", "*.tar*"}})
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, p := range d.Packages {
		have[p.Name+" "+p.Version] = true
	}
	wanted := strings.Fields(strings.ReplaceAll(string(out), " ", "@"))
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	for _, m := range wanted {
		if !have[strings.ReplaceAll(m, "@", " ")] {
			t.Errorf("%s is missing", m)
		}
	}
	if len(wanted) < 20 {
		t.Errorf("only %d modules to compare with", len(wanted))
	}
	for _, p := range d.Packages {
		if p.Name != "seaworthy" && (p.Supplier.IsZero() || p.PURL == "" || sbom.Sum(p.Checksums, sbom.SHA256) == "") {
			t.Errorf("%s %s is not complete: %+v", p.Name, p.Version, p)
		}
	}
}

// TestAgainstDpkg compares with what dpkg itself says of this machine, and looks
// for the licence of every package that has a copyright file.
func TestAgainstDpkg(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n").Output()
	if err != nil {
		t.Skipf("skipped: this is no Debian: %v", err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			want = append(want, rest)
		}
	}
	status, err := os.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		t.Fatal(err)
	}
	list := parseDpkg(status)
	var have []string
	for _, p := range list {
		have = append(have, p.name+" "+p.version+" "+p.arch)
		if p.supplier.IsZero() {
			t.Errorf("%s has no maintainer", p.name)
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("%d packages, dpkg says %d", len(have), len(want))
	}
	known := 0
	for _, p := range list {
		text, err := os.ReadFile("/usr/share/doc/" + p.name + "/copyright")
		if err != nil {
			continue
		}
		c, err := licences().readCopyright(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.licence == "" {
			t.Errorf("%s has no licence", p.name)
		} else if e, ok := readStrictly(c.licence); ok && !slices.ContainsFunc(e.Licenses(), func(id string) bool { return strings.HasPrefix(id, "LicenseRef-") }) {
			known++
		} else if !ok && len(c.licence) < longestExpression {
			t.Errorf("%s: %q is no expression", p.name, c.licence)
		}
	}
	t.Logf("%d packages, %d of them wholly under licences that SPDX lists", len(list), known)
}

// Benchmarks of a folder and of an image, which the environment names; they
// report processor time, for machines are shared.
func benchmarkScan(b *testing.B, variable string, scan func(string) (sbom.Document, error)) {
	path := os.Getenv(variable)
	if path == "" {
		b.Skipf("set %s", variable)
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	var d sbom.Document
	for b.Loop() {
		var err error
		if d, err = scan(path); err != nil {
			b.Fatal(err)
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	licensed := 0
	for _, f := range d.Files {
		if len(f.FoundIn) > 0 {
			licensed++
		}
	}
	b.ReportMetric(float64(used)/float64(b.N)/1e9, "cpu-s/op")
	b.ReportMetric(float64(after.Maxrss)/1024, "MiB-peak")
	b.ReportMetric(float64(len(d.Packages)), "packages")
	b.ReportMetric(float64(licensed), "files-with-licence")
}

// BenchmarkFolder includes preparing the licences each time, as a command does.
func BenchmarkFolder(b *testing.B) {
	benchmarkScan(b, "SEAWORTHY_BENCH_TREE", func(p string) (sbom.Document, error) { return Folder(b.Context(), p, Options{}) })
}

func BenchmarkImage(b *testing.B) {
	benchmarkScan(b, "SEAWORTHY_BENCH_IMAGE", func(p string) (sbom.Document, error) { return Image(b.Context(), p, Options{}) })
}
