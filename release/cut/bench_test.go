package cut_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// cpu is the time that this process and those it waited for have computed.
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

// BenchmarkStage stages a real Go project, whose clone SEAWORTHY_BENCH_REPO names,
// for four platforms, and says what it computed, step by step with -v. The main
// package is SEAWORTHY_BENCH_MAIN. bench/stage compares that with the bare
// commands.
func BenchmarkStage(b *testing.B) {
	source, main := os.Getenv("SEAWORTHY_BENCH_REPO"), os.Getenv("SEAWORTHY_BENCH_MAIN")
	if source == "" || main == "" {
		b.Skip("skipped: set SEAWORTHY_BENCH_REPO and SEAWORTHY_BENCH_MAIN, or run bench/stage")
	}
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		b.Fatal(err)
	}
	caches := map[string]string{}
	var names [2]string
	if _, err := fmt.Sscan(string(out), &names[0], &names[1]); err != nil {
		b.Fatal(err)
	}
	caches["GOCACHE"], caches["GOMODCACHE"] = names[0], names[1]
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		f := &fakeForge{origin: filepath.Join(dir, "origin.git"), files: map[int64][]byte{}}
		repo, err := git.Clone(b.Context(), source, f.origin, git.CloneOptions{Mirror: true})
		if err != nil {
			b.Fatal(err)
		}
		head, err := repo.Resolve(b.Context(), "HEAD")
		if err == nil {
			err = repo.UpdateRef(b.Context(), "refs/heads/main", head, "")
		}
		if err != nil {
			b.Fatal(err)
		}
		s := benchService(b, dir, f, main, caches)
		run, err := s.Stage(b.Context(), cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha, Actor: "ada"})
		if err != nil {
			b.Fatal(err)
		}
		// The clone that the platform has anyway is not part of staging.
		if _, err := git.NewCache(filepath.Join(dir, "cache")).Repository(b.Context(), f.origin, git.Auth{}); err != nil {
			b.Fatal(err)
		}
		before := cpu(b)
		b.StartTimer()
		for _, step := range s.Definitions()[0].Steps() {
			was := cpu(b)
			if _, err := s.Resume(b.Context(), run.ID, flow.DriveOptions{Until: step.Name}); err != nil {
				b.Fatal(err)
			}
			b.Logf("%-14s %5.2f CPU s", step.Name, (cpu(b) - was).Seconds())
		}
		b.ReportMetric((cpu(b) - before).Seconds(), "cpu-s/stage")
	}
}

func benchService(b *testing.B, dir string, f *fakeForge, main string, caches map[string]string) *cut.Service {
	b.Helper()
	o := cutOptions(b, dir, f)
	o.BuildCache = caches
	o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
		platforms, err := artifact.ParsePlatforms([]string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"})
		return cut.Project{Name: "program", Policy: release.DefaultPolicy(), Tagger: signer, NoChangelog: true,
			Build: cut.Build{Main: []string{main}, LDFlags: "-X main.version={version}", Platforms: platforms, Source: os.Getenv("SEAWORTHY_BENCH_SOURCE") != ""}}, err
	}
	s, err := cut.New(o)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkUpload stages files of SEAWORTHY_BENCH_MIB MiB in all (512 if unset)
// into a bucket on disk, and copies the same files with cp.
func BenchmarkUpload(b *testing.B) {
	size := int64(512)
	if v := os.Getenv("SEAWORTHY_BENCH_MIB"); v != "" {
		if _, err := fmt.Sscan(v, &size); err != nil {
			b.Fatal(err)
		}
	}
	const files = 8
	from := b.TempDir()
	var list []artifact.Artifact
	random := rand.NewChaCha8([32]byte{1})
	for i := range files {
		name := fmt.Sprintf("archive_%d.tar.gz", i)
		f, err := os.Create(filepath.Join(from, name))
		if err != nil {
			b.Fatal(err)
		}
		a, err := artifact.Measure(name, artifact.Archive, io.TeeReader(io.LimitReader(random, size<<20/files), f))
		if err == nil {
			err = f.Sync()
		}
		if err != nil || f.Close() != nil {
			b.Fatal(err)
		}
		list = append(list, a)
	}
	b.Run("cp", func(b *testing.B) {
		b.SetBytes(size << 20)
		before := cpu(b)
		defer func() { b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op") }()
		for b.Loop() {
			to := b.TempDir()
			if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			b.StopTimer()
			if err := os.RemoveAll(to); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("stage", func(b *testing.B) {
		b.SetBytes(size << 20)
		before := cpu(b)
		defer func() { b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op") }()
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			o := cutOptions(b, dir, &fakeForge{})
			b.StartTimer()
			if err := cut.PutFiles(b.Context(), o.Bucket, "stage", from, list); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// cutOptions are those of a platform on disk.
func cutOptions(b *testing.B, dir string, f *fakeForge) cut.Options {
	b.Helper()
	for _, folder := range []string{"bucket", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	bucket, err := fileblob.OpenBucket(filepath.Join(dir, "bucket"), &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			b.Error(err)
		}
	})
	return serviceOptions(dir, f, f, bucket, &flow.Memory{})
}
