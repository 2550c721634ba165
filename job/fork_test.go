package job_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seaworthy/job"
	"seaworthy/strict"
)

var updateFork = flag.Bool("update", false, "rewrite golden files")

func forkSource(t *testing.T, name, text string) job.Source {
	t.Helper()
	docs, problems := strict.Documents(name, []byte(text))
	if len(problems) > 0 || len(docs) != 1 {
		t.Fatalf("%s: %v", name, problems)
	}
	return job.Source{File: name, Root: docs[0]}
}

func forkOptions() job.ForkOptions {
	return job.ForkOptions{Mode: job.ForkAuto, Repo: "harbour/halyard", Branch: "release-1.2", DefaultBranch: "main", Version: "1.2", Dashboard: "release-1.2"}
}

// The two files hold every rule; what comes of them is looked at by people.
func TestForkGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"central", "inrepo", "all"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", "fork-"+name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			o := forkOptions()
			o.GoVersion = "1.26.8"
			got, problems := job.ForkJobs([]job.Source{forkSource(t, name, string(text))}, o)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			golden := filepath.Join("testdata", "fork-"+name+".want.yaml")
			if *updateFork {
				if err := os.WriteFile(golden, got.Text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got.Text)); diff != "" {
				t.Errorf("the copies are not as they were:\n%s", diff)
			}
			f, problems := job.ParseRepoFile("harbour/halyard", golden, got.Text)
			if failures, _ := strict.Split(problems); len(failures) > 0 {
				t.Errorf("the copies are no job file: %v", failures)
			}
			for _, list := range f.Presubmits {
				for _, j := range list {
					if !j.RunsOn("release-1.2") || j.RunsOn("release-1.20") || j.RunsOn("main") {
						t.Errorf("%s runs for the wrong branches: %v", j.Name, j.Branches)
					}
				}
			}
		})
	}
}

// A job that skips exactly the branch another is for does not run beside it.
func TestExactBranchesDoNotOverlap(t *testing.T) {
	t.Parallel()
	for pattern, apart := range map[string]bool{`^release-1\.2$`: true, `release-1\.2`: false, `^release-1\.20$`: false, `^release-1\.`: false} {
		text := "presubmits:\n- {name: a, skip_branches: ['^release-1\\.2$'], spec: {containers: [{command: [x]}]}}\n- {name: a, branches: ['" + pattern + "'], spec: {containers: [{command: [x]}]}}\n"
		f, _ := job.ParseInRepo("harbour/halyard", "f", []byte(text))
		_, problems := job.Merge(f)
		if failures, _ := strict.Split(problems); (len(failures) == 0) != apart {
			t.Errorf("%s: got %v", pattern, failures)
		}
	}
}

// In a central file a periodic without sources has none; in a repository's own it
// is about that.
func TestForkPeriodicWithoutSources(t *testing.T) {
	t.Parallel()
	source := forkSource(t, "f", "periodics: [{name: a, interval: 1h, annotations: {fork-per-release: 'true'}, spec: {containers: [{command: [x]}]}}]")
	for _, central := range []bool{true, false} {
		o := forkOptions()
		o.Central = central
		got, problems := job.ForkJobs([]job.Source{source}, o)
		if len(problems) > 0 || strings.Contains(string(got.Text), "base_ref: release-1.2") == central {
			t.Errorf("central %v: %v\n%s", central, problems, got.Text)
		}
	}
}

func TestForkProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, annotations, want string }{
		{"no arrow", `fork-per-release-replacements: "a"`, "write OLD -> NEW"},
		{"no such value", `fork-per-release-replacements: "a -> {{.Who}}"`, "only {{.Version}}"},
		{"no version of Go", `fork-per-release-replacements: "a -> {{.GoVersion}}"`, "only {{.Version}}"},
		{"both times", "fork-per-release-cron: 0 3 * * *, fork-per-release-periodic-interval: 2h", "keep one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := `periodics: [{name: a, interval: 1h, annotations: {fork-per-release: "true", ` + tt.annotations + `}, spec: {containers: [{args: [a]}]}}]`
			_, problems := job.ForkJobs([]job.Source{forkSource(t, "f", text)}, forkOptions())
			if len(problems) == 0 || !strings.Contains(problems[0].Message, tt.want) {
				t.Errorf("got %v, want one that says %q", problems, tt.want)
			}
		})
	}
}

// An alias of an alias of an alias is not written out.
func TestForkIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("x0: &x0 [a]\n")
	for i := range 20 {
		n := string(rune('a' + i))
		previous := "x0"
		if i > 0 {
			previous = string(rune('a' + i - 1))
		}
		b.WriteString(n + ": &" + n + " [*" + previous + ", *" + previous + "]\n")
	}
	b.WriteString("postsubmits: [{name: a, annotations: {fork-per-release: \"true\"}, labels: *t}]\n")
	_, problems := job.ForkJobs([]job.Source{forkSource(t, "f", b.String())}, forkOptions())
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "too large") {
		t.Errorf("got %v", problems)
	}
}

// What is copied of Kubernetes' own jobs for 1.35 is, but for what people have
// changed in between, what Kubernetes has for 1.35.
func TestForkReal(t *testing.T) {
	t.Parallel()
	var sources []job.Source
	var have job.File
	for _, file := range realTree(t) {
		if strings.HasSuffix(file.name, "/release-branch-jobs/1.35.yaml") {
			have, _ = job.Parse(file.name, file.data)
		}
		if strings.Contains(file.name, "/release-branch-jobs/") || !strings.HasPrefix(file.name, "config/jobs/") {
			continue
		}
		docs, _ := strict.Documents(file.name, file.data)
		for _, d := range docs {
			sources = append(sources, job.Source{File: file.name, Root: d})
		}
	}
	o := job.ForkOptions{Mode: job.ForkAuto, Repo: "kubernetes/kubernetes", Together: []string{"kubernetes/perf-tests"}, Branch: "release-1.35", DefaultBranch: "master",
		Version: "1.35", Central: true, GoVersion: "1.25.6", Dashboard: "sig-release-job-config-errors"}
	got, problems := job.ForkJobs(sources, o)
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		t.Fatal(failures)
	}
	made, problems := job.Parse("made", got.Text)
	if failures, _ := strict.Split(problems); len(failures) > 0 {
		t.Fatal(failures)
	}
	names := func(f job.File) (all []string) {
		for _, j := range slices.Concat(f.Periodics, f.Presubmits["kubernetes/kubernetes"], f.Postsubmits["kubernetes/kubernetes"]) {
			all = append(all, string(j.Type)+" "+j.Name)
		}
		return all
	}
	old := names(have)
	shared := 0
	for _, n := range names(made) {
		if slices.Contains(old, n) {
			shared++
		}
	}
	t.Logf("%d copied, %d at Kubernetes, %d in common", len(got.Jobs), len(old), shared)
	if len(got.Jobs) < 70 || shared < len(old)*9/10 {
		t.Errorf("only %d of Kubernetes' %d jobs are among the %d copied", shared, len(old), len(got.Jobs))
	}
	alike(t, made, have)
}

// alike compares jobs of the same name field by field.
func alike(t *testing.T, made, have job.File) {
	t.Helper()
	byName := map[string]*job.Job{}
	for _, j := range slices.Concat(have.Periodics, have.Presubmits["kubernetes/kubernetes"]) {
		byName[j.Name] = j
	}
	same, seen := 0, 0
	for _, j := range slices.Concat(made.Periodics, made.Presubmits["kubernetes/kubernetes"]) {
		h := byName[j.Name]
		if h == nil {
			continue
		}
		seen++
		if j.Context != h.Context || !cmp.Equal(j.ExtraRefs, h.ExtraRefs, cmpopts.IgnoreTypes(strict.Lines{})) || j.Interval != h.Interval && j.Type == job.Periodic && j.Annotations["fork-per-release-periodic-interval"] == h.Annotations["fork-per-release-periodic-interval"] {
			t.Logf("%s: %q %v %v, at Kubernetes %q %v %v", j.Name, j.Context, j.ExtraRefs, j.Interval, h.Context, h.ExtraRefs, h.Interval)
			continue
		}
		same++
	}
	if same < seen*9/10 {
		t.Errorf("of %d jobs %d are alike", seen, same)
	}
}
