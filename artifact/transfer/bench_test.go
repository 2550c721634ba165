package transfer

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// BenchmarkPromote copies small images (1 kB, one layer) between two
// docker-registries, in repositories of ten, and looks again when there is
// nothing to do. SEAWORTHY_BENCH_IMAGES says how many; 100 unless set.
func BenchmarkPromote(b *testing.B) {
	images := 100
	if n, err := strconv.Atoi(os.Getenv("SEAWORTHY_BENCH_IMAGES")); err == nil {
		images = n
	}
	source := dockerRegistry(b)
	for b.Loop() {
		b.StopTimer()
		target := dockerRegistry(b)
		m := stockUp(b, source, target.host, images/10, 10)
		j := testJournal(b, b.TempDir())
		b.StartTimer()
		first := time.Now()
		_, r := runs(b, Options{Journal: j}, m)
		b.ReportMetric(time.Since(first).Seconds(), "s/first")
		b.ReportMetric(float64(r.Traffic.Requests), "requests/first")
		if r.Done != images {
			b.Fatalf("%d of %d: %s", r.Done, images, complaints(r))
		}
		second := time.Now()
		p, r := runs(b, Options{Journal: j}, m)
		b.ReportMetric(time.Since(second).Seconds(), "s/second")
		b.ReportMetric(float64(r.Traffic.Requests), "requests/second")
		if len(p.Plan.Items) != 0 {
			b.Fatalf("%d images to do again", len(p.Plan.Items))
		}
	}
}
