package build

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time this process and its children have used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
}

// BenchmarkBuild builds four platforms with a warm cache and reports the
// processor time of all processes together. SEAWORTHY_BENCH_SOURCE names a Go
// module with its program in cmd/NAME; the sample project is used without it.
func BenchmarkBuild(b *testing.B) {
	source, name := os.Getenv("SEAWORTHY_BENCH_SOURCE"), "halyard"
	if source == "" {
		source = writeProject(b, project)
	} else {
		programs, err := filepath.Glob(filepath.Join(source, "cmd", "*"))
		if err != nil || len(programs) == 0 {
			b.Fatalf("no program in %s/cmd (%v)", source, err)
		}
		name = filepath.Base(programs[0])
	}
	req := request(b, source, "linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64")
	req.Name, req.Main = name, []string{"./cmd/" + name}
	build(b, req) // fills the cache
	b.ResetTimer()
	before := cpu(b)
	for range b.N {
		build(b, req)
	}
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op")
}
