package report_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"seaworthy/grid/dashboard"
	"seaworthy/job/result"
	"seaworthy/signal"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
)

// manyJobs makes a folder of jobs with five builds of thirty tests each, three
// of which other jobs have, too, and the dashboards that show them. How many is
// taken from the environment:
//
//	SEAWORTHY_BENCH_JOBS=2000 go test ./signal/report -run - -bench Many -benchtime 5x
func manyJobs(b *testing.B) (string, dashboard.Config, time.Time) {
	b.Helper()
	jobs := 100
	if text := os.Getenv("SEAWORTHY_BENCH_JOBS"); text != "" {
		var err error
		if jobs, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	const builds, tests = 5, 30
	dir, now := b.TempDir(), time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	var c dashboard.Config
	for j := range jobs {
		name := fmt.Sprintf("ci-job-%d", j)
		c.TestGroups = append(c.TestGroups, dashboard.TestGroup{Name: name, Prefix: "logs/" + name, NoPodRow: true})
		if j%20 == 0 {
			kind := "more"
			if j < 100 {
				kind = "blocking"
			}
			c.Dashboards = append(c.Dashboards, dashboard.Dashboard{Name: fmt.Sprintf("board-%d-master-%s", j/20, kind)})
		}
		last := &c.Dashboards[len(c.Dashboards)-1]
		last.Tabs = append(last.Tabs, dashboard.Tab{Name: name, TestGroup: name})
		for id := range builds {
			var suite strings.Builder
			for t := range tests {
				test := fmt.Sprintf("Test%d of job %d", t, j)
				if t < 3 {
					test = fmt.Sprintf("[sig-node] Pods should drain %d", (7*j+t)%300)
				}
				fmt.Fprintf(&suite, `<testcase name=%q time="1.5">`, test)
				if (j*31+t*7+id*3)%100 == 0 {
					suite.WriteString(`<failure message="it slipped"/>`)
				}
				suite.WriteString("</testcase>")
			}
			began := now.Add(time.Duration(id-builds) * time.Hour).Unix()
			folder := filepath.Join(dir, "logs", name, strconv.Itoa(1000+id))
			if err := os.MkdirAll(filepath.Join(folder, "artifacts"), 0o755); err != nil {
				b.Fatal(err)
			}
			for file, text := range map[string]string{
				"started.json": fmt.Sprintf(`{"timestamp":%d}`, began), "finished.json": fmt.Sprintf(`{"timestamp":%d,"passed":true}`, began+60),
				"artifacts/junit.xml": "<testsuite>" + suite.String() + "</testsuite>",
			} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	return dir, c, now
}

// What is asked of all grids, of a server that has been asked before, and of one
// that has just been started.
func BenchmarkManyGroups(b *testing.B) {
	dir, config, now := manyJobs(b)
	bucket, err := result.OpenFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	cache, err := fileblob.OpenBucket(b.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Close()
	start := func() (*signal.Service, *report.Service) {
		grids := signal.New(signal.Options{
			Open: func(_ context.Context, prefix string) (*blob.Bucket, string, error) { return bucket, prefix, nil }, Cache: cache,
			Fresh: time.Second, Patience: time.Minute, Now: func() time.Time { return now },
			Configured: func(context.Context) ([]signal.Configuration, error) {
				return []signal.Configuration{{Config: config, Whole: true}}, nil
			},
		})
		return grids, report.New(report.Options{
			Grids: grids, Now: func() time.Time { return now },
			Settings: func(context.Context) (report.Settings, error) {
				return report.Settings{Rules: verdict.DefaultRules()}, nil
			},
		})
	}
	warm, asked := start()
	began := time.Now()
	if err := warm.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d groups read cold in %v", len(config.TestGroups), time.Since(began))
	defer warm.Close()
	questions := map[string]func(*report.Service) error{
		"what fails": func(s *report.Service) error { _, _, err := s.Search(b.Context(), "", 50); return err },
		"words":      func(s *report.Service) error { _, _, err := s.Search(b.Context(), "drain 7", 50); return err },
		"a test":     func(s *report.Service) error { _, err := s.Test(b.Context(), "Test7 of job 7"); return err },
		"one of many": func(s *report.Service) error {
			_, err := s.Test(b.Context(), "[sig-node] Pods should drain 7")
			return err
		},
		"the report": func(s *report.Service) error { _, err := s.Report(b.Context(), report.Query{}); return err },
	}
	for name, ask := range questions {
		b.Run("warm/"+name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(asked); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("after a restart/"+name, func(b *testing.B) {
			for b.Loop() {
				grids, anew := start()
				if err := ask(anew); err != nil {
					b.Fatal(err)
				}
				if err := grids.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
