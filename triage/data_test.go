package triage

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// twoDays are builds of three jobs, and failures in them.
func twoDays() ([]Build, []Failure) {
	const day = 24 * 60 * 60
	builds := []Build{
		{Path: "gs://b/logs/ci-a/10", Job: "ci-a", Number: 10, Started: 1_790_000_000 - 2*day, Elapsed: 60, TestsRun: 9, TestsFailed: 1, Result: "FAILURE"},
		{Path: "gs://b/logs/ci-a/11", Job: "ci-a", Number: 11, Started: 1_790_000_000 - day/2, Elapsed: 61, TestsRun: 9, TestsFailed: 2, Result: "FAILURE", Executor: "pod"},
		{Path: "gs://b/logs/ci-b/7000000000000000001", Job: "ci-b", Number: 7_000_000_000_000_000_001, Started: 1_790_000_000, Result: "SUCCESS"},
		{Path: "gs://b/logs/ci-b/7000000000000000003", Job: "ci-b", Number: 7_000_000_000_000_000_003, Started: 1_790_000_000 - 3*day, Result: "FAILURE"},
		{Path: "gs://b/pr-logs/pull/5/pull-c/2", Job: "pr:pull-c", Number: 2, Started: 1_790_000_000 - day/4, Result: "FAILURE", PR: "5"},
		{Path: "elsewhere"},
	}
	slices.SortFunc(builds, compareBuilds)
	at := func(path string) int {
		return slices.IndexFunc(builds, func(b Build) bool { return b.Path == path })
	}
	var failures []Failure
	add := func(path, test, text string) {
		i := at(path)
		failures = append(failures, Failure{Build: i, Test: test, Text: text, Started: time.Unix(builds[i].Started, 0)})
	}
	add("gs://b/logs/ci-a/10", "[sig-node] Pods run", "pod a-x7k2p \"failed\" after 3s\n\ttab, é, \u2028 and \x01")
	add("gs://b/logs/ci-a/11", "[sig-node] Pods run", "pod a-b9d4z \"failed\" after 4s\n\ttab, é, \u2028 and \x01")
	add("gs://b/logs/ci-a/11", "[sig-apps] Jobs run", "pod a-b9d4z \"failed\" after 4s\n\ttab, é, \u2028 and \x01")
	add("gs://b/logs/ci-b/7000000000000000003", "[sig-apps] Jobs run", "pod a-zzz22 \"failed\" after 5s\n\ttab, é, \u2028 and \x01")
	add("gs://b/pr-logs/pull/5/pull-c/2", "[sig-cli] kubectl", "exit status 1")
	add("gs://b/pr-logs/pull/5/pull-c/2", "kubectl too", "exit status 1")
	add("gs://b/logs/ci-b/7000000000000000001", "alone", "nobody else says this")
	add("elsewhere", "[sig-cli] kubectl", "exit status 1")
	return builds, failures
}

func dataOf(t *testing.T, o DataOptions) (Data, Summary) {
	t.Helper()
	builds, failures := twoDays()
	return NewData(clusterAll(t, failures, Options{}), builds, 0, o)
}

func TestDataIsTriages(t *testing.T) {
	t.Parallel()
	d, sum := dataOf(t, DataOptions{})
	var file bytes.Buffer
	if err := d.Write(&file); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/failure_data.json"
	if *update {
		if err := os.WriteFile(golden, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), want) {
		t.Errorf("the file is\n%s, want\n%s", file.Bytes(), want)
	}
	back, err := ReadData(bytes.NewReader(file.Bytes()))
	if err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("read back: %v\n%+v, want\n%+v", err, back, d)
	}
	if got := sum.String(); got != "2 clusters of 6 failures (4 in last day) out of 5 builds from 2026-09-18 14:13 to 2026-09-21 14:13" || sum.Alone != 1 || sum.Nowhere != 1 {
		t.Errorf("it says %q: %+v", got, sum)
	}
	if d.Clustered[0].Hits() != 4 || d.Clustered[0].Owner != "apps" || d.Clustered[1].Owner != "cli" {
		t.Errorf("hits %d, owners %s and %s", d.Clustered[0].Hits(), d.Clustered[0].Owner, d.Clustered[1].Owner)
	}
	if all, _ := dataOf(t, DataOptions{Singletons: true}); len(all.Clustered) != 3 {
		t.Errorf("with singletons there are %d clusters", len(all.Clustered))
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	for test, want := range map[string]string{"[sig-storage] x": "storage", "a [sig-node] [sig-apps]": "node", "[sig-": "", "plain": ""} {
		if got := Owner(test); got != want {
			t.Errorf("%q is owned by %q, want %q", test, got, want)
		}
	}
	o := ownersOf(nil, 0, map[string][]string{"cli": {"kubectl"}, "auth": {"kubectl auth", ""}})
	for test, want := range map[string]string{"kubectl get": "cli", "[Slow] {x}  kubectl auth can-i": "auth", "other": "", "[sig-node] kubectl": "node"} {
		if got := o.test(test); got != want {
			t.Errorf("%q is owned by %q, want %q", test, got, want)
		}
	}
	builds := []Build{{Job: "ci", Started: 100}, {Job: "ci", Started: 10}, {Job: "pr:x", Started: 100}}
	o = ownersOf(builds, 50, nil)
	for _, c := range []struct {
		members []Member
		want    string
	}{
		{nil, "testing"},
		{[]Member{{0, "plain"}}, "testing"},
		{[]Member{{0, "[sig-b]"}, {1, "[sig-a]"}, {1, "[sig-a] two"}}, "b"},
		{[]Member{{1, "[sig-b]"}, {1, "[sig-a]"}}, "a"},
		{[]Member{{2, "[sig-b]"}, {2, "[sig-b] two"}, {1, "[sig-a]"}}, "a"},
		{[]Member{{2, "[sig-b]"}}, "b"},
	} {
		if got := o.of(c.members); got != c.want {
			t.Errorf("%v are owned by %q, want %q", c.members, got, c.want)
		}
	}
}

func TestSlice(t *testing.T) {
	t.Parallel()
	d, _ := dataOf(t, DataOptions{})
	s := d.Slice(func(c ClusterData) bool { return c.Owner == "cli" })
	if len(s.Clustered) != 1 || len(s.Builds.Jobs) != 1 || s.Builds.Cols.PR[s.Builds.Jobs["pr:pull-c"][2]] != "5" {
		t.Errorf("the slice is %+v", s)
	}
	if none := d.Slice(func(ClusterData) bool { return false }); none.Clustered == nil || len(none.Builds.Cols.Started) != 0 {
		t.Errorf("an empty slice is %+v", none)
	}
}

// Triage's own files have numbers as texts or numbers, and runs of builds.
func TestReadData(t *testing.T) {
	t.Parallel()
	d, err := ReadData(strings.NewReader(`{"clustered":[{"id":"a","tests":[{"name":"t","jobs":[{"name":"j","builds":[4,"5"]}]}]}],
		"builds":{"jobs":{"j":[4,2,0],"k":{"9":2}},"cols":{"started":[1,2,3],"pr":["","","7"]},"job_paths":{"j":"gs://b/logs/j"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Clustered[0].Hits() != 2 || d.Clustered[0].Tests[0].Jobs[0].Builds[0] != "4" || d.Builds.Jobs["j"][5] != 1 || d.Builds.Jobs["k"][9] != 2 {
		t.Errorf("read %+v", d)
	}
	for _, bad := range []string{"", "{", `{"builds":{"jobs":{"j":[1,2]}}}`, `{"builds":{"jobs":{"j":[1,99999999999,0]}}}`, `{"builds":{"jobs":{"j":{"1":4}}}}`,
		`{"builds":{"jobs":{"j":{"1":-1}}}}`, `{"builds":{"cols":{"started":[1],"pr":["",""]}}}`, `{"builds":{"jobs":{"j":"x"}}}`} {
		if _, err := ReadData(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestInherit(t *testing.T) {
	t.Parallel()
	text := func(cause, noise string) string { return cause + " went wrong badly in the end on pod-" + noise }
	cluster := func(causes ...string) []Group {
		var f []Failure
		for i, c := range causes {
			f = append(f, Failure{Build: i, Test: "t", Text: text(c, []string{"x7k2p", "b9d4z", "kkd2s"}[i%3])})
		}
		return clusterAll(t, f, Options{})
	}
	before := []ClusterData{
		{ID: "one", Key: "of another making", Text: text("red", "zz2tb")},
		{ID: "two", Key: Normalise(text("green", "zz2tb")), Text: "cut"},
		{ID: "gone", Key: "x", Text: "never again"},
		{ID: "", Text: text("blue", "x7k2p")},
	}
	now := cluster("red", "red", "green", "blue")
	if known := Inherit(now, before); known != 2 {
		t.Errorf("%d clusters are known", known)
	}
	ids := map[string]string{}
	for _, g := range now {
		ids[strings.Fields(g.Text)[0]] = g.ID
	}
	if ids["red"] != "one" || ids["green"] != "two" || len(ids["blue"]) != 20 {
		t.Errorf("identities are %v", ids)
	}
	again := cluster("blue", "green", "red", "red", "red")
	var data []ClusterData
	for _, g := range now {
		data = append(data, ClusterData{ID: g.ID, Key: g.Key, Text: g.Text})
	}
	if known := Inherit(again, data); known != 3 {
		t.Errorf("a day later %d of 3 are known", known)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	failures := sample(5, 60, 600)
	clusters := clusterAll(t, failures, Options{})
	of := map[int]string{}
	for _, c := range clusters {
		for _, m := range c.Members {
			of[m.Build] = c.ID
		}
	}
	first := NewIndex(clusters)
	state, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var x Index
	if err := json.Unmarshal(state, &x); err != nil {
		t.Fatal(err)
	}
	if x.Len() != first.Len() || x.Len() < 60 {
		t.Errorf("%d statements, then %d", first.Len(), x.Len())
	}
	for _, f := range failures {
		if m, ok := x.Assign(f.Text); !ok || m.ID != of[f.Build] || !m.Exact {
			t.Fatalf("a text of cluster %s is assigned to %+v, %v", of[f.Build], m, ok)
		}
	}
	for _, f := range sample(6, 60, 100) { // the same causes, other noise
		cause := f.Build % 1000
		want := slices.IndexFunc(failures, func(g Failure) bool { return g.Build%1000 == cause })
		if m, ok := x.Assign(f.Text); !ok || m.ID != of[failures[want].Build] {
			t.Fatalf("a text of cause %d is assigned to %+v, %v", cause, m, ok)
		}
	}
	if m, ok := x.Assign("something entirely new"); ok {
		t.Errorf("a new text is assigned to %+v", m)
	}
	const detail = "one two three four five six seven eight nine ten eleven twelve\nand the first of its lines of detail"
	x.Add("new", "the thing broke in the middle of the day for no reason at all\n"+detail)
	if m, ok := x.Assign("the thing broke in the middle of the day for no reason at all\n" + detail + "\nand more"); !ok || m.ID != "new" || m.Exact {
		t.Errorf("a text with one more line is assigned to %+v, %v", m, ok)
	}
	for _, bad := range []string{`{}`, `{"version":1,"statements":[{"lines":"!"}]}`, `{"version":1,"statements":[{"lines":"AAAA"}]}`, `{"version":2}`, `[]`,
		`{"version":1,"statements":[{"lines":"AAAAAAAAAAD/"}]}`} {
		if err := json.Unmarshal([]byte(bad), &Index{}); err == nil {
			t.Errorf("the state %s is taken", bad)
		}
	}
}

// Files split anyhow give the same bytes.
func TestFilesAreDeterministic(t *testing.T) {
	t.Parallel()
	var rows []string
	for i, f := range sample(9, 40, 400) {
		row, err := json.Marshal(map[string]string{"started": "1790000000", "build": "gs://b/logs/j/" + string(rune('1'+i%9)), "name": f.Test, "failure_text": f.Text})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, string(row))
	}
	builds, _, err := ReadBuilds(context.Background(), strings.NewReader(`[{"path":"gs://b/logs/j/1","started":"1790000000","number":"1","job":"j"}]`))
	if err != nil {
		t.Fatal(err)
	}
	make := func(workers int, files ...[]string) string {
		p, c := NewPlaces(builds), NewClusterer(Options{Workers: workers})
		for _, file := range files {
			if _, err := ReadFailures(context.Background(), strings.NewReader(strings.Join(file, "\n")), workers, func(r Row) { c.Add(p.Failure(r)) }); err != nil {
				t.Fatal(err)
			}
		}
		clusters, err := c.Clusters(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all, added := p.Builds()
		d, _ := NewData(clusters, all, added, DataOptions{})
		var out bytes.Buffer
		if err := d.Write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := make(1, rows)
	backwards := slices.Clone(rows)
	slices.Reverse(backwards)
	if make(4, backwards) != want || make(2, rows[300:], rows[:200], rows[150:300]) != want {
		t.Error("the files' order and split show in the data")
	}
}
