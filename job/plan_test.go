package job_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/job"
)

// jobs parses in-repo jobs of o/r that all run the same container.
func jobs(t *testing.T, text string) job.Config {
	t.Helper()
	text = strings.ReplaceAll(text, "RUN", run)
	f, problems := job.ParseInRepo("o/r", "f", []byte(text))
	for _, p := range problems {
		t.Fatalf("problem: %s", p)
	}
	c, problems := job.Merge(f)
	for _, p := range problems {
		t.Fatalf("problem: %s", p)
	}
	return c
}

const pulls = `presubmits:
- {name: always, always_run: true, RUN}
- {name: always-optional, always_run: true, optional: true, RUN}
- {name: manual, RUN}
- {name: manual-optional, optional: true, RUN}
- {name: docs, run_if_changed: ^docs/, RUN}
- {name: code, skip_if_only_changed: '\.md$', RUN}
- {name: main-only, always_run: true, branches: [^main$], RUN}
- {name: not-old, always_run: true, skip_branches: [^release-0\.], branches: [release], RUN}
- {name: silent, always_run: true, skip_report: true, RUN}
- {name: before, run_before_merge: true, RUN}
`

func list(ds []job.Decision) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Job.Name+": "+d.Why)
	}
	return out
}

func names(js []*job.Job) string {
	var out []string
	for _, j := range js {
		out = append(out, j.Name)
	}
	return strings.Join(out, " ")
}

func files(names ...string) job.Changed {
	return func() ([]string, error) { return names, nil }
}

func TestPresubmitsFor(t *testing.T) {
	t.Parallel()
	c := jobs(t, pulls)
	p, err := job.PresubmitsFor(c, "o/r", "main", files("README.md", "docs/a.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"always: always runs", "always-optional: always runs", "docs: docs/a.md matches run_if_changed", "main-only: always runs", "silent: always runs",
	}, list(p.Run)); diff != "" {
		t.Errorf("run:\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"manual: manual only: /test manual", "manual-optional: manual only: /test manual-optional", `code: every file matches skip_if_only_changed \.md$`,
		"not-old: branch main does not match", "before: manual only: /test before",
	}, list(p.Skip)); diff != "" {
		t.Errorf("skip:\n%s", diff)
	}
	tests := []struct {
		branch string
		files  []string
		want   string
	}{
		{"main", []string{"a.go"}, "always always-optional code main-only silent"},
		{"main", nil, "always always-optional main-only silent"},
		{"maintenance", []string{"a.md"}, "always always-optional silent"},
		{"release-1.0", []string{"a.md"}, "always always-optional not-old silent"},
		{"my-release", []string{"a.md"}, "always always-optional not-old silent"}, // not anchored
		{"release-0.9", []string{"a.md"}, "always always-optional silent"},
	}
	for _, tt := range tests {
		p, err := job.PresubmitsFor(c, "o/r", tt.branch, files(tt.files...))
		if err != nil || names(p.Jobs()) != tt.want {
			t.Errorf("%s %v: got %s, %v; want %s", tt.branch, tt.files, names(p.Jobs()), err, tt.want)
		}
	}
}

func TestChangedIsAskedOnceAndOnlyIfNeeded(t *testing.T) {
	t.Parallel()
	asked := 0
	changed := func() ([]string, error) { asked++; return nil, nil }
	if _, err := job.PresubmitsFor(jobs(t, "presubmits:\n- {name: a, always_run: true, RUN}\n"), "o/r", "main", changed); err != nil || asked != 0 {
		t.Errorf("asked %d times without need, %v", asked, err)
	}
	if _, err := job.PresubmitsFor(jobs(t, pulls), "o/r", "main", changed); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v; want 1", asked, err)
	}
	broken := errors.New("the forge is away")
	_, err := job.PresubmitsFor(jobs(t, pulls), "o/r", "main", func() ([]string, error) { return nil, broken })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "docs") {
		t.Errorf("got %v, want the cause and the job", err)
	}
	if p, err := job.PresubmitsFor(jobs(t, pulls), "o/r", "main", nil); err != nil || len(p.Run) != 4 {
		t.Errorf("nobody to ask is no files: got %v, %v", list(p.Run), err)
	}
}

func TestPostsubmitsFor(t *testing.T) {
	t.Parallel()
	c := jobs(t, `postsubmits:
- {name: all, RUN}
- {name: off, always_run: false, RUN}
- {name: tags, branches: ['^v\d+\.'], RUN}
- {name: docs, run_if_changed: ^docs/, RUN}
`)
	for ref, want := range map[string]string{"main": "all docs", "v1.0.0": "all tags docs"} {
		p, err := job.PostsubmitsFor(c, "o/r", ref, files("docs/x"))
		if err != nil || names(p.Jobs()) != want {
			t.Errorf("%s: got %s, %v; want %s", ref, names(p.Jobs()), err, want)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	c := jobs(t, pulls)
	tests := []struct {
		name        string
		comment     job.Comment
		want        string
		help, asked bool
	}{
		{"talk", job.Comment{Body: "please do not /test this"}, "", false, false},
		{"by name", job.Comment{Body: "/test manual"}, "manual", false, true},
		{"by name, among words", job.Comment{Body: "ok\r\n/test manual\r\nthanks"}, "manual", false, true},
		{"two names", job.Comment{Body: "/test manual docs"}, "manual docs", false, true},
		{"two lines", job.Comment{Body: "/test manual\n/test code"}, "manual code", false, true},
		{"files do not matter by name", job.Comment{Body: "/test code"}, "code", false, true},
		{"a name is not its beginning", job.Comment{Body: "/test manual-optional"}, "manual-optional", false, true},
		{"branches do matter", job.Comment{Body: "/test not-old"}, "", false, true},
		{"no such job", job.Comment{Body: "/test everything"}, "", true, true},
		{"question", job.Comment{Body: "/test ?"}, "", true, true},
		{"nothing said", job.Comment{Body: "/test"}, "", true, true},
		{"all", job.Comment{Body: "/test all"}, "always always-optional docs main-only silent", false, true},
		{"all and one", job.Comment{Body: "/test all\n/test manual"}, "always always-optional manual docs main-only silent", false, true},
		{"admitted", job.Comment{Body: "/ok-to-test", Admitted: true}, "always always-optional docs main-only silent", false, true},
		{"not admitted", job.Comment{Body: "/ok-to-test"}, "", false, false},
		{"retest what failed", job.Comment{Body: "/retest", Failed: []string{"manual", "always"}, Known: []string{"always", "always-optional", "manual", "docs", "code", "main-only", "silent"}}, "always manual", false, true},
		{"retest what is missing", job.Comment{Body: "/retest", Known: []string{"always", "docs", "silent"}}, "always-optional main-only", false, true},
		{"retest the required", job.Comment{Body: "/retest-required", Failed: []string{"always-optional", "manual"}, Known: []string{"always", "always-optional", "manual", "docs", "main-only", "silent"}}, "manual", false, true},
		{"retest with words is none", job.Comment{Body: "/retest please", Failed: []string{"always"}}, "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := job.Select(c, "o/r", "main", files("docs/a.md"), tt.comment)
			if err != nil {
				t.Fatal(err)
			}
			if names(s.Jobs()) != tt.want || s.Help != tt.help || s.Asked != tt.asked {
				t.Errorf("got %q, help %t, asked %t; want %q, %t, %t", names(s.Jobs()), s.Help, s.Asked, tt.want, tt.help, tt.asked)
			}
			if n := len(s.Run) + len(s.Skip); n != 10 {
				t.Errorf("%d decisions on 10 jobs", n)
			}
		})
	}
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	m, err := job.Available(jobs(t, pulls), "o/r", "main", files("a.go"))
	want := job.Menu{
		Required: []string{"/test always", "/test manual", "/test docs", "/test code", "/test main-only", "/test silent", "/test before"},
		Optional: []string{"/test always-optional", "/test manual-optional"},
		All:      []string{"always", "always-optional", "code", "main-only", "silent"},
	}
	if diff := cmp.Diff(want, m); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	c := jobs(t, pulls)
	want := job.Contexts{
		Required:          []string{"always", "main-only"},
		RequiredIfPresent: []string{"manual", "docs", "code", "before"},
		Optional:          []string{"always-optional", "manual-optional", "silent"},
	}
	if diff := cmp.Diff(want, job.Requirements(c, "o/r", "main")); diff != "" {
		t.Error(diff)
	}
	js, err := job.BeforeMerge(c, "o/r", "main", files("docs/a.md"))
	if err != nil || names(js) != "always docs main-only before" {
		t.Errorf("before merge: got %s, %v", names(js), err)
	}
}

func TestNextRun(t *testing.T) {
	t.Parallel()
	c := jobs(t, `periodics:
- {name: nightly, cron: 30 3 * * *, RUN}
- {name: leap, cron: 0 0 29 2 *, RUN}
- {name: monthly, cron: '@monthly', RUN}
- {name: six-hourly, interval: 6h, RUN}
- {name: rest, minimum_interval: 90m, RUN}
presubmits:
- {name: pull, RUN}
`)
	after := time.Date(2026, 11, 22, 5, 0, 0, 0, time.FixedZone("east", 2*3600)) // 03:00 UTC
	for name, want := range map[string]time.Time{
		"nightly":    time.Date(2026, 11, 22, 3, 30, 0, 0, time.UTC),
		"leap":       time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),
		"monthly":    time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		"six-hourly": time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		"rest":       time.Date(2026, 11, 22, 4, 30, 0, 0, time.UTC),
	} {
		if got, ok := job.NextRun(c.Find(name)[0], after); !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %t; want %v", name, got, ok, want)
		}
	}
	if _, ok := job.NextRun(c.Find("pull")[0], after); ok {
		t.Error("a presubmit does not run by the clock")
	}
	f, _ := job.Parse("f", []byte("periodics:\n- name: never\n  cron: 0 0 31 2 *\n  "+run+"\n"))
	if at, ok := job.NextRun(f.Periodics[0], after); ok {
		t.Errorf("31 February is on %v", at)
	}
}
