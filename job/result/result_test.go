package result_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"seaworthy/job"
	"seaworthy/job/result"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// buckets runs a test on a bucket in memory and on one on disk.
func buckets(t *testing.T, test func(t *testing.T, b *blob.Bucket)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		b := memblob.OpenBucket(nil)
		t.Cleanup(func() { b.Close() })
		test(t, b)
	})
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		b, err := fileblob.OpenBucket(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		test(t, b)
	})
}

func execution(id string) job.Execution {
	return job.Execution{
		ID: "uuid", BuildID: id, Job: "pull-halyard-unit", Type: job.Presubmit, Context: "unit", Report: true,
		Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "abc", Pulls: []job.Pull{{Number: 7, SHA: "def", Author: "ben"}}},
		Spec: job.Spec{Command: []string{"go", "test"}, Labels: map[string]string{"a": "b"}}, State: job.Pending, CreatedAt: now,
	}
}

func put(t *testing.T, b *blob.Bucket, key, text string) {
	t.Helper()
	if err := b.WriteAll(context.Background(), key, []byte(text), nil); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, b *blob.Bucket, key string) string {
	t.Helper()
	data, err := b.ReadAll(context.Background(), key)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return string(data)
}

const junit = `<testsuite name="knot"><testcase name="TestBowline" time="0.25"/><testcase name="TestSheet"><failure>slipped</failure></testcase></testsuite>`

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		ctx := context.Background()
		e := execution("12")
		w := result.NewWriter(b, e)
		if err := w.Started(ctx, now); err != nil {
			t.Fatal(err)
		}
		if _, err := result.LogSize(ctx, b, w.Path()); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("a log that is not there: %v", err)
		}
		log, err := w.Log(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			fmt.Fprintf(log, "line %d\n", i)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Artifact(ctx, "sub/junit_1.xml", strings.NewReader(junit)); err != nil {
			t.Fatal(err)
		}
		if err := w.CloneRecords(ctx, []result.CloneRecord{{Refs: e.Refs, FinalSHA: "fff", Commands: []result.CloneCommand{{Command: "git merge def"}}}}); err != nil {
			t.Fatal(err)
		}
		running, err := result.LoadBuild(ctx, b, w.Path())
		if err != nil || running.Started == nil || running.Finished != nil {
			t.Errorf("while it runs: got %+v, %v", running, err)
		}
		e.State, e.FinishedAt, e.Description = job.Failure, now.Add(time.Minute), "Job failed."
		if err := w.Finished(ctx, e, map[string]any{"node": "laptop"}); err != nil {
			t.Fatal(err)
		}
		got, err := result.LoadBuild(ctx, b, w.Path())
		if err != nil {
			t.Fatal(err)
		}
		want := result.Build{
			ID: "12", Path: "pr-logs/pull/harbour_halyard/7/pull-halyard-unit/12",
			Started:  &result.Started{Timestamp: now.Unix(), Pull: "7", Repos: map[string]string{"harbour/halyard": "main:abc,7:def"}, RepoCommit: "def", RepoVersion: "def"},
			Finished: &result.Finished{Timestamp: now.Unix() + 60, Result: "FAILURE", Revision: "def", Metadata: map[string]any{"node": "laptop"}},
			Tests: []result.TestResult{
				{Name: "knot.TestBowline", Status: result.Pass, Duration: 250 * time.Millisecond, File: "sub/junit_1.xml", Context: "1"},
				{Name: "knot.TestSheet", Status: result.Fail, Message: "slipped", File: "sub/junit_1.xml", Context: "1"},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if s := get(t, b, "pr-logs/directory/pull-halyard-unit/12.txt"); s != "gs://seaworthy/pr-logs/pull/harbour_halyard/7/pull-halyard-unit/12" {
			t.Errorf("alias: %s", s)
		}
		var pj struct {
			Kind   string
			Spec   struct{ Job, Context string }
			Status struct{ State, Description, CompletionTime string }
		}
		if err := json.Unmarshal([]byte(get(t, b, want.Path+"/prowjob.json")), &pj); err != nil || pj.Kind != "ProwJob" || pj.Spec.Job != e.Job || pj.Status.State != "failure" || pj.Status.CompletionTime != "2026-11-22T12:01:00Z" {
			t.Errorf("prowjob.json: %+v, %v", pj, err)
		}
		if s := get(t, b, want.Path+"/clone-records.json"); !strings.Contains(s, `"final_sha":"fff"`) {
			t.Errorf("clone-records.json: %s", s)
		}
	})
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	for state, want := range map[job.State]string{
		job.Success: `"passed":true,"result":"SUCCESS"`, job.Failure: `"passed":false,"result":"FAILURE"`,
		job.Aborted: `"passed":false,"result":"ABORTED"`, job.Errored: `"passed":false,"result":"FAILURE"`,
	} {
		e := execution("1")
		e.Path = "logs/" + string(state) + "/1"
		e.State = state
		w := result.NewWriter(b, e)
		if err := w.Finished(context.Background(), e, nil); err != nil {
			t.Fatal(err)
		}
		if got := get(t, b, e.Path+"/finished.json"); !strings.Contains(got, want) {
			t.Errorf("%s: got %s", state, got)
		}
	}
}

func TestLatestIsOnlyRaised(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	ctx := context.Background()
	for _, id := range []string{"9", "10", "8"} {
		if err := result.NewWriter(b, execution(id)).Started(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"pr-logs/directory/pull-halyard-unit", "pr-logs/pull/harbour_halyard/7/pull-halyard-unit"} {
		if got, err := result.Latest(ctx, b, folder); got != "10" || err != nil {
			t.Errorf("%s: got %s, %v", folder, got, err)
		}
	}
	if got, err := result.Latest(ctx, b, "logs/none"); got != "" || err != nil {
		t.Errorf("none: got %q, %v", got, err)
	}
}

func TestArtifactNames(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	w := result.NewWriter(b, execution("1"))
	for _, name := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "..", `a\b`, "a\nb", "a/"} {
		if err := w.Artifact(context.Background(), name, strings.NewReader("x")); err == nil {
			t.Errorf("%q was stored", name)
		}
	}
	for _, name := range []string{"a", "a/b.txt", "..a", "a b", "ünïcode"} {
		if err := w.Artifact(context.Background(), name, strings.NewReader("x")); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestArtifactsOfFolder(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		outside, dir := t.TempDir(), t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(filepath.Join(outside, "secret"), "secret")
		write(filepath.Join(dir, "a.txt"), "a")
		write(filepath.Join(dir, "sub", "b.txt"), "b")
		for link, target := range map[string]string{"file": filepath.Join(outside, "secret"), "folder": outside, "inner": "a.txt", "self": "."} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		w := result.NewWriter(b, execution("1"))
		skipped, err := w.Artifacts(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"file", "folder", "inner", "self"}, skipped); diff != "" {
			t.Error(diff)
		}
		stored, err := result.Artifacts(context.Background(), b, w.Path())
		if diff := cmp.Diff([]result.Artifact{{Name: "a.txt", Size: 1}, {Name: "sub/b.txt", Size: 1}}, stored); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if _, err := w.Artifacts(context.Background(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no folder: %v", err)
		}
	})
}

func TestLogRanges(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		put(t, b, "logs/j/1/build-log.txt", "0123456789")
		for _, tt := range []struct {
			offset, length, at int64
			want               string
		}{
			{0, -1, 0, "0123456789"}, {3, 4, 3, "3456"}, {-3, -1, 7, "789"}, {-30, 2, 0, "01"}, {8, 100, 8, "89"}, {10, -1, 10, ""}, {50, -1, 10, ""}, {2, 0, 2, ""},
		} {
			r, at, err := result.OpenLog(context.Background(), b, "logs/j/1", tt.offset, tt.length)
			if err != nil {
				t.Errorf("%d+%d: %v", tt.offset, tt.length, err)
				continue
			}
			got, err := io.ReadAll(r)
			if string(got) != tt.want || at != tt.at || err != nil {
				t.Errorf("%d+%d: got %q at %d, %v; want %q at %d", tt.offset, tt.length, got, at, err, tt.want, tt.at)
			}
			r.Close()
		}
		if _, _, err := result.OpenLog(context.Background(), b, "logs/j/2", 0, -1); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("no log: %v", err)
		}
	})
}

func TestBuilds(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		ctx := context.Background()
		for _, id := range []string{"8", "9", "10", "100"} {
			put(t, b, "logs/j/"+id+"/started.json", "{}")
			put(t, b, "logs/j/"+id+"/artifacts/deep/file", "x")
			put(t, b, "pr-logs/directory/p/"+id+".txt", "gs://other/bucket/pr-logs/pull/o_r/1/p/"+id+"\n")
		}
		put(t, b, "logs/j/latest-build.txt", "100")
		put(t, b, "logs/j/notes/x", "not a build")
		put(t, b, "logs/jj/1/started.json", "{}")
		put(t, b, "pr-logs/directory/p/latest-build.txt", "100")
		tests := []struct {
			folder, before string
			limit          int
			want           []result.Ref
		}{
			{"logs/j", "", 0, []result.Ref{{"100", "logs/j/100"}, {"10", "logs/j/10"}, {"9", "logs/j/9"}, {"8", "logs/j/8"}}},
			{"logs/j/", "", 2, []result.Ref{{"100", "logs/j/100"}, {"10", "logs/j/10"}}},
			{"logs/j", "10", 1, []result.Ref{{"9", "logs/j/9"}}},
			{"logs/j", "8", 5, nil},
			{"logs/none", "", 0, nil},
			{"pr-logs/directory/p", "100", 1, []result.Ref{{"10", "pr-logs/pull/o_r/1/p/10"}}},
		}
		for _, tt := range tests {
			got, err := result.Builds(ctx, b, tt.folder, tt.before, tt.limit)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%s before %q: %v\n%s", tt.folder, tt.before, err, diff)
			}
		}
	})
}

// What real buckets hold is read as far as it goes.
func TestLenient(t *testing.T) {
	t.Parallel()
	type verdict struct {
		Started, Finished int64
		Passed            bool
		Result            string
		Irregular         int
	}
	tests := []struct {
		name, started, finished string
		want                    verdict
	}{
		{"regular", `{"timestamp":100}`, `{"timestamp":200,"passed":true,"result":"SUCCESS"}`, verdict{100, 200, true, "SUCCESS", 0}},
		{"fraction", `{"timestamp":100.7}`, `{"timestamp":200.2,"passed":true,"result":"SUCCESS"}`, verdict{100, 200, true, "SUCCESS", 0}},
		{"text and lower case", `{"timestamp":"100"}`, `{"timestamp":200,"passed":false,"result":"failure"}`, verdict{100, 200, false, "FAILURE", 1}},
		{"milliseconds", `{"timestamp":1760000000000}`, ``, verdict{1760000000, 0, false, "", 1}},
		{"only passed", ``, `{"timestamp":200,"passed":true}`, verdict{0, 200, true, "SUCCESS", 0}},
		{"only result", ``, `{"timestamp":200,"result":"success"}`, verdict{0, 200, true, "SUCCESS", 0}},
		{"neither", ``, `{"timestamp":200}`, verdict{0, 200, false, "FAILURE", 1}},
		{"contradiction", ``, `{"timestamp":200,"passed":true,"result":"FAILURE"}`, verdict{0, 200, true, "FAILURE", 1}},
		{"aborted", ``, `{"timestamp":200,"passed":false,"result":"ABORTED"}`, verdict{0, 200, false, "ABORTED", 0}},
		{"no timestamps", `{}`, `{"passed":true}`, verdict{0, 0, true, "SUCCESS", 2}},
		{"nonsense", `{"timestamp":[]}`, `{"timestamp":-1,"passed":true,"result":7}`, verdict{0, 0, true, "7", 4}},
		{"not JSON", `nonsense`, `[]`, verdict{Irregular: 2}},
		{"repo-version", `{"timestamp":1,"repo-version":"abc"}`, ``, verdict{Started: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := memblob.OpenBucket(nil)
			t.Cleanup(func() { b.Close() })
			for name, text := range map[string]string{"started.json": tt.started, "finished.json": tt.finished} {
				if text != "" {
					put(t, b, "logs/j/1/"+name, text)
				}
			}
			build, err := result.LoadBuild(context.Background(), b, "logs/j/1")
			if err != nil {
				t.Fatal(err)
			}
			got := verdict{Irregular: len(build.Irregular)}
			if build.Started != nil {
				got.Started = build.Started.Timestamp
			}
			if build.Finished != nil {
				got.Finished, got.Passed, got.Result = build.Finished.Timestamp, build.Finished.Passed, build.Finished.Result
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\nirregular: %q", diff, build.Irregular)
			}
			if tt.name == "repo-version" && build.Started.RepoCommit != "abc" {
				t.Error("repo-version stands in for repo-commit")
			}
		})
	}
}

func TestLoadNoBuild(t *testing.T) {
	t.Parallel()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		if _, err := result.LoadBuild(context.Background(), b, "logs/j/1"); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLoadMalformedJUnit(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	put(t, b, "logs/j/1/started.json", `{"timestamp":1}`)
	put(t, b, "logs/j/1/artifacts/junit_a.xml", `<testsuite><testcase name="a"/><testcase`)
	put(t, b, "logs/j/1/artifacts/junit_b.xml", `<testsuite><testcase name="b"/></testsuite>`)
	put(t, b, "logs/j/1/artifacts/other.xml", `nonsense`)
	build, err := result.LoadBuild(context.Background(), b, "logs/j/1")
	if err != nil || len(build.Tests) != 2 || len(build.Irregular) != 1 || !strings.HasPrefix(build.Malformed, "junit_a.xml: malformed JUnit file: line 1: ") {
		t.Errorf("got %+v, %v", build, err)
	}
}

func TestIsJUnit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"junit.xml": true, "junit_01.xml": true, "a/b/junit-x.xml": true, "test.xml": true, "a/test.xml": true,
		"report.xml": false, "junit.txt": false, "my-junit.xml": false, "junit/report.xml": false,
	} {
		if result.IsJUnit(name) != want {
			t.Errorf("IsJUnit(%q) = %t", name, !want)
		}
	}
}

// A periodic tests a branch; which commit that was is known when it has been laid out.
func TestRevisionOfABranch(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	defer b.Close()
	tools := job.Refs{Org: "harbour", Repo: "tools", BaseRef: "v1", Auxiliary: true}
	refs := job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main"}
	e := job.Execution{ID: "a", BuildID: "12", Job: "ci-unit", Type: job.Periodic, Extra: []job.Refs{tools, refs}, State: job.Success, FinishedAt: now}
	w := result.NewWriter(b, e)
	records := []result.CloneRecord{{Refs: tools, FinalSHA: "aaa"}, {Refs: refs, FinalSHA: "bbb"}}
	if err := errors.Join(w.Started(t.Context(), now), w.CloneRecords(t.Context(), records), w.Finished(t.Context(), e, nil)); err != nil {
		t.Fatal(err)
	}
	got, err := result.LoadBuild(t.Context(), b, w.Path())
	if err != nil || got.Started.RepoCommit != "main" || got.Finished.Revision != "bbb" {
		t.Errorf("%+v, %+v, %v", got.Started, got.Finished, err)
	}
}
