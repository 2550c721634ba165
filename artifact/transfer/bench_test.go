package transfer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact/promote"
	ownregistry "seaworthy/artifact/registry"
)

// BenchmarkPromote copies small images (1 kB, one layer) from one registry to
// another, in repositories of ten, and looks again when there is nothing to do.
// SEAWORTHY_BENCH_IMAGES says how many; 100 unless set.
func BenchmarkPromote(b *testing.B) {
	images := 100
	if n, err := strconv.Atoi(os.Getenv("SEAWORTHY_BENCH_IMAGES")); err == nil {
		images = n
	}
	for name, open := range map[string]func(testing.TB) *shop{
		"docker-registry": func(t testing.TB) *shop { return dockerRegistry(t) },
		"embedded":        func(t testing.TB) *shop { return embedded(t, ownregistry.Options{}) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				promoteMany(b, open(b), open(b), images)
			}
		})
	}
}

func promoteMany(b *testing.B, source, target *shop, images int) {
	b.StopTimer()
	m := stockUp(b, source, target.host, images/10, 10)
	j := testJournal(b, b.TempDir())
	b.StartTimer()
	first, cpu := time.Now(), processTime(b)
	served := serverTime(b, source, target)
	_, r := runs(b, Options{Journal: j}, m)
	b.ReportMetric(time.Since(first).Seconds(), "s/first")
	b.ReportMetric((processTime(b) - cpu).Seconds(), "cpu-s/first")
	b.ReportMetric((serverTime(b, source, target) - served).Seconds(), "registries-cpu-s/first")
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

// processTime is the processor time this process has used: the promoter's, and
// that of registries which run within it.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverTime is the processor time that registries in processes of their own
// have used, in the kernel's ticks of a hundredth of a second.
func serverTime(b *testing.B, shops ...*shop) (all time.Duration) {
	for _, s := range shops {
		if s.pid == 0 {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		for _, field := range strings.Fields(rest)[11:13] {
			ticks, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			all += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return all
}

// BenchmarkLibrary does the same with go-containerregistry alone: one session
// with each registry, as many images at once, nothing planned or kept.
func BenchmarkLibrary(b *testing.B) {
	images := 100
	if n, err := strconv.Atoi(os.Getenv("SEAWORTHY_BENCH_IMAGES")); err == nil {
		images = n
	}
	for b.Loop() {
		b.StopTimer()
		source, target := dockerRegistry(b), dockerRegistry(b)
		m := stockUp(b, source, target.host, images/10, 10)
		b.StartTimer()
		begun, cpu, served := time.Now(), processTime(b), serverTime(b, source, target)
		copyPlainly(b, m)
		b.ReportMetric(time.Since(begun).Seconds(), "s/first")
		b.ReportMetric((processTime(b) - cpu).Seconds(), "cpu-s/first")
		b.ReportMetric((serverTime(b, source, target) - served).Seconds(), "registries-cpu-s/first")
	}
}

func copyPlainly(b *testing.B, m promote.Manifest) {
	puller, err := remote.NewPuller()
	if err != nil {
		b.Fatal(err)
	}
	pusher, err := remote.NewPusher()
	if err != nil {
		b.Fatal(err)
	}
	var g errgroup.Group
	g.SetLimit(24)
	for _, i := range m.Images {
		for _, e := range i.Entries {
			g.Go(func() error {
				from, err := name.ParseReference(m.Source().Name + "/" + i.Name + "@" + string(e.Digest))
				if err != nil {
					return err
				}
				to, err := name.ParseReference(m.Destinations()[0].Name + "/" + i.Name + ":" + e.Tags[0])
				if err != nil {
					return err
				}
				image, err := puller.Get(b.Context(), from)
				if err != nil {
					return err
				}
				return pusher.Push(b.Context(), to, image)
			})
		}
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}
