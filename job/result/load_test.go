package result_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"seaworthy/job/result"
)

func memory(t *testing.T, files map[string]string) *blob.Bucket {
	t.Helper()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for key, text := range files {
		put(t, b, key, text)
	}
	return b
}

func TestPods(t *testing.T) {
	t.Parallel()
	pod := func(status string) string { return `{"pod":{"metadata":{"name":"p"},"status":` + status + `}}` }
	tests := map[string]struct {
		podinfo   string
		want      *result.Pod
		irregular string
	}{
		"none":           {"", nil, ""},
		"succeeded":      {pod(`{"phase":"Succeeded","containerStatuses":[{"name":"sidecar"}]}`), &result.Pod{Phase: "Succeeded", Passed: true, Decorated: true}, ""},
		"the test fails": {pod(`{"phase":"Failed","containerStatuses":[{"name":"sidecar","state":{"terminated":{"exitCode":0}}},{"name":"test","state":{"terminated":{"exitCode":1}}}]}`), &result.Pod{Phase: "Failed", Passed: true, Decorated: true}, ""},
		"undecorated":    {pod(`{"phase":"Failed","containerStatuses":[{"name":"test","state":{"terminated":{"exitCode":1}}}]}`), &result.Pod{Phase: "Failed", Passed: true}, ""},
		"unscheduled": {pod(`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes"}]}`),
			&result.Pod{Phase: "Pending", Message: "pod did not schedule: 0/3 nodes"}, ""},
		"not begun": {pod(`{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"True"},{"type":"Initialized","status":"False","reason":"ContainersNotInitialized"}]}`),
			&result.Pod{Phase: "Pending", Message: "pod could not initialize: ContainersNotInitialized"}, ""},
		"an init container": {pod(`{"phase":"Pending","initContainerStatuses":[{"name":"clonerefs","state":{"terminated":{"exitCode":128,"message":"no remote"}}}]}`),
			&result.Pod{Phase: "Pending", Message: "init container clonerefs exited 128: no remote"}, ""},
		"the sidecar": {pod(`{"phase":"Failed","containerStatuses":[{"name":"test","state":{"terminated":{"exitCode":0}}},{"name":"sidecar","state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}`),
			&result.Pod{Phase: "Failed", Message: "sidecar exited 137: OOMKilled", Decorated: true}, ""},
		"still waiting": {pod(`{"phase":"Pending","containerStatuses":[{"name":"sidecar","state":{"waiting":{"reason":"ImagePullBackOff"}}}]}`),
			&result.Pod{Phase: "Pending", Message: "sidecar still waiting: ImagePullBackOff", Decorated: true}, ""},
		"still running": {pod(`{"phase":"Running","containerStatuses":[{"name":"test","state":{"running":{}}}]}`),
			&result.Pod{Phase: "Running", Message: "test still running"}, ""},
		"a long reason": {pod(`{"phase":"Failed","containerStatuses":[{"name":"sidecar","state":{"terminated":{"exitCode":1,"message":"` + strings.Repeat("x", 1000) + `"}}}]}`),
			&result.Pod{Phase: "Failed", Message: "sidecar exited 1: " + strings.Repeat("x", 150) + "\n[…]\n" + strings.Repeat("x", 150), Decorated: true}, ""},
		"no pod":        {`{}`, nil, "names no pod"},
		"no JSON":       {`{"pod":`, nil, "no description of a pod"},
		"another shape": {`{"pod":{"status":{"phase":7}}}`, nil, "no description of a pod"},
		"too large":     {`{"pod":"` + strings.Repeat("x", 16<<20) + `"}`, nil, "larger than"},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"logs/j/1/started.json": `{"timestamp":5}`}
			if tt.podinfo != "" {
				files["logs/j/1/podinfo.json"] = tt.podinfo
			}
			build, err := result.LoadBuild(context.Background(), memory(t, files), "logs/j/1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, build.Pod); diff != "" {
				t.Error(diff)
			}
			if got := strings.Join(build.Irregular, "\n"); tt.irregular == "" && got != "" || !strings.Contains(got, tt.irregular) {
				t.Errorf("irregular: %q, want %q", got, tt.irregular)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, started, finished, header, want string
	}{
		{"noted", `{}`, `{"metadata":{"infra-commit":"abc"}}`, "infra-commit", "abc"},
		{"within an object", `{}`, `{"metadata":{"a":{"node":{"os":"cos"}}}}`, "os", "cos"},
		{"by its path", `{}`, `{"metadata":{"a":{"os":"first"},"b":{"os":"second"}}}`, "b.os", "second"},
		{"with a dot in it", `{}`, `{"metadata":{"b.os":"whole","b":{"os":"part"}}}`, "b.os", "whole"},
		{"a number", `{}`, `{"metadata":{"shards":12}}`, "shards", "12"},
		{"a list", `{}`, `{"metadata":{"shards":[1]}}`, "shards", ""},
		{"noted at the start", `{"metadata":{"node":"n1"}}`, `{}`, "node", "n1"},
		{"noted twice", `{"metadata":{"node":"n1"}}`, `{"metadata":{"node":"n2"}}`, "node", "n2"},
		{"not noted", `{}`, `{}`, "node", ""},
		{"commit noted", `{"repo-commit":"0123456789abcdef"}`, `{"metadata":{"Commit":"mine"}}`, "Commit", "mine"},
		{"commit of a version", `{"repo-commit":"0123456789abcdef"}`, `{"metadata":{"job-version":"v1.2.3+fedcba9876543210"}}`, "Commit", "fedcba987"},
		{"commit of the start", `{"repo-commit":"0123456789abcdef"}`, `{}`, "Commit", "012345678"},
		{"commit of older jobs", `{"repo-commit":"0123456789abcdef","job-version":"v9"}`, `{}`, "Commit", "v9"},
		{"commit of an older end", `{}`, `{"job-version":"v8","repo-version":"v7"}`, "Commit", "v8"},
		{"commit of the end", `{}`, `{"revision":"fedcba9876543210"}`, "Commit", "fedcba987"},
		{"commit unknown", `{}`, `{}`, "Commit", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := memory(t, map[string]string{"logs/j/1/started.json": tt.started, "logs/j/1/finished.json": tt.finished})
			build, err := result.LoadBuild(context.Background(), b, "logs/j/1")
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := build.Header(tt.header); got != tt.want || ok != (tt.want != "") {
				t.Errorf("%s is %q, %t, want %q", tt.header, got, ok, tt.want)
			}
		})
	}
	var none result.Build
	if got, ok := none.Header("Commit"); ok || none.Mails() != nil {
		t.Errorf("of nothing: %q, %v", got, none.Mails())
	}
}

func TestMails(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		`["a@example.org"," b@example.org ",7,""]`: {"a@example.org", "b@example.org"}, `"a@example.org, b@example.org"`: {"a@example.org", "b@example.org"}, `{}`: nil, `[]`: nil,
	} {
		b := memory(t, map[string]string{"logs/j/1/finished.json": `{"metadata":{"EmailAddresses":` + in + `}}`})
		build, err := result.LoadBuild(context.Background(), b, "logs/j/1")
		if err != nil || !slices.Equal(build.Mails(), want) {
			t.Errorf("%s: %v, %v", in, build.Mails(), err)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		seconds   int64
		irregular string
	}{
		"1790000000": {1_790_000_000, ""}, "1790000000123": {1_790_000_000, "milliseconds"}, "1790000000123456": {1_790_000_000, "microseconds"},
		"1790000000123456789": {1_790_000_000, "nanoseconds"}, `"1790000000"`: {1_790_000_000, "is a text"}, `"2026-09-21T14:13:20Z"`: {1_790_000_000, "is a text"},
		"-5": {0, "is no time"}, "9000000000": {0, "is no time"}, "1e300": {0, "is no time"}, `"soon"`: {0, "is no number"}, "null": {0, "has no timestamp"}, "[1]": {0, "neither number nor text"},
	} {
		b := memory(t, map[string]string{"logs/j/1/started.json": `{"timestamp":` + in + `}`})
		build, err := result.LoadBuild(context.Background(), b, "logs/j/1")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(build.Irregular, "\n"); build.Started.Timestamp != want.seconds || want.irregular == "" && got != "" || !strings.Contains(got, want.irregular) {
			t.Errorf("%s: %d, %q", in, build.Started.Timestamp, got)
		}
	}
	b := memory(t, map[string]string{"logs/j/1/started.json": `{"timestamp":1790000000}`, "logs/j/1/finished.json": `{"timestamp":1789999000,"passed":true}`})
	if build, err := result.LoadBuild(context.Background(), b, "logs/j/1"); err != nil || !slices.Equal(build.Irregular, []string{"it finished 1000 s before it started"}) {
		t.Errorf("%v, %v", build.Irregular, err)
	}
}

func TestFileParts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]string{
		"junit.xml": {}, "a/junit_gce-slow_20260102-1504_07.xml": {"gce-slow", "20260102-1504", "07"}, "junit_01.xml": {"01", "", ""}, "junit_a_01.xml": {"a", "", "01"},
		"junit_20260102-1504.xml": {"20260102-1504", "", ""}, "junit_a_b_c.xml": {"a_b_c", "", ""}, "junit-unit.xml": {"-unit", "", ""}, "test.xml": {}, "junit_a_20260102-1504.xml": {"a", "20260102-1504", ""},
	} {
		c, at, thread := result.FileParts(name)
		if got := [3]string{c, at, thread}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestDuplicateIDsAndLinks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := memory(t, map[string]string{
		"pr-logs/directory/j/7.txt": "gs://bucket/pr-logs/pull/3/j/7\n", "pr-logs/directory/j/7/started.json": "{}", "pr-logs/directory/j/latest-build.txt": "7",
	})
	link := &blob.WriterOptions{Metadata: map[string]string{"link": "gs://bucket/pr-logs/pull/4/j/8"}}
	if err := b.WriteAll(ctx, "pr-logs/directory/j/8.txt", nil, link); err != nil {
		t.Fatal(err)
	}
	got, err := result.Builds(ctx, b, "pr-logs/directory/j", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []result.Ref{{ID: "8", Path: "pr-logs/pull/4/j/8"}, {ID: "7", Path: "pr-logs/pull/3/j/7"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const oneTest = `<testsuite timestamp="%s"><testcase name="%s">%s</testcase></testsuite>`

func TestPlainFolders(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	buckets(t, func(t *testing.T, b *blob.Bucket) {
		put(t, b, "imported/unit/12/TEST-a.xml", fmt.Sprintf(oneTest, "2026-01-02T15:04:05", "a", ""))
		put(t, b, "imported/unit/12/deep/junit.xml", fmt.Sprintf(oneTest, "2026-01-02T15:00:00Z", "b", "<failure>broke</failure>"))
		put(t, b, "imported/unit/9/junit.xml", fmt.Sprintf(oneTest, "2026-01-01T00:00:00+01:00", "a", ""))
		put(t, b, "imported/unit/9/pom.xml", "<project/>")
		put(t, b, "imported/unit/other/pom.xml", "<project/>")
		put(t, b, "imported/unit/notes.txt", "nothing")
		builds, err := result.LoadPlain(ctx, b, "imported/unit/")
		if err != nil || len(builds) != 2 {
			t.Fatalf("%+v, %v", builds, err)
		}
		newest, oldest := builds[0], builds[1]
		if newest.ID != "12" || newest.Path != "imported/unit/12" || newest.Finished.Passed || newest.Finished.Result != result.ResultFailure || len(newest.Tests) != 2 || newest.Tests[1].Message != "broke" {
			t.Errorf("newest: %+v", newest)
		}
		if at := time.Unix(newest.Started.Timestamp, 0).UTC().Format(time.RFC3339); at != "2026-01-02T15:00:00Z" {
			t.Errorf("began %s", at)
		}
		if at := time.Unix(oldest.Started.Timestamp, 0).UTC().Format(time.RFC3339); oldest.ID != "9" || at != "2025-12-31T23:00:00Z" || !oldest.Finished.Passed {
			t.Errorf("oldest: %+v, began %s", oldest, at)
		}
		if !slices.Equal(oldest.Irregular, []string{"pom.xml is no JUnit file and was passed over"}) || oldest.Malformed != "" {
			t.Errorf("oldest: %q", oldest.Irregular)
		}

		put(t, b, "single/junit_1.xml", `<testsuite><testcase name="a"/></testsuite>`)
		put(t, b, "single/cut.xml", `<testsuite><testcase name="b"/>`)
		builds, err = result.LoadPlain(ctx, b, "single")
		if err != nil || len(builds) != 1 {
			t.Fatalf("%+v, %v", builds, err)
		}
		one := builds[0]
		if one.ID != "single" || one.Path != "single" || len(one.Tests) != 2 || one.Malformed == "" || one.Finished.Passed || one.Started.Timestamp < 1_700_000_000 {
			t.Errorf("%+v %+v %+v", one, one.Started, one.Finished)
		}
		if builds, err := result.LoadPlain(ctx, b, "nothing"); err != nil || len(builds) != 0 {
			t.Errorf("nothing: %v, %v", builds, err)
		}
	})
}

func TestManyFilesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	files := map[string]string{"logs/j/1/started.json": `{"timestamp":5}`}
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("t%02d", i)
		files[fmt.Sprintf("logs/j/1/artifacts/junit_%02d.xml", i)] = `<testsuite tests="3"><testcase name="` + name + `"/></testsuite>`
		want = append(want, name)
	}
	build, err := result.LoadBuild(context.Background(), memory(t, files), "logs/j/1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, test := range build.Tests {
		got = append(got, test.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
