package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const commit = "0123456789abcdef0123456789abcdef01234567"

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func files(t testing.TB) []artifact.Artifact {
	t.Helper()
	var list []artifact.Artifact
	for _, name := range []string{"halyard.tar.gz", "SHA256SUMS"} {
		a, err := artifact.Measure(name, artifact.Other, strings.NewReader(name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

func sample() Build {
	return Build{
		Definition: Definition{
			BuildType: BuildType,
			External:  map[string]any{"version": "v1.2.0", "platforms": []string{"linux/amd64"}, "<flag>": "a&b"},
			Internal:  map[string]any{"parallel": 2},
			Dependencies: []Resource{
				{URI: "pkg:golang/example.org/rope@v1.0.0", Digest: map[string]string{"sha256": strings.Repeat("ab", 32)}},
				Source("git@github.com:halyard/halyard.git", "refs/tags/v1.2.0", commit),
			},
		},
		Run: RunDetails{
			Builder: Builder{ID: "https://ci.example.org/release", Version: map[string]string{"seaworthy": "v0.3.0"}},
			Metadata: Metadata{InvocationID: "cut-7",
				Started:  time.Date(2026, 3, 4, 6, 6, 7, 999, time.FixedZone("", 3600)),
				Finished: time.Date(2026, 3, 4, 5, 16, 7, 0, time.UTC)},
		},
	}
}

func statement(t testing.TB) Statement {
	t.Helper()
	s, err := sample().Statement(Subjects(files(t)...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBuildStatement(t *testing.T) {
	t.Parallel()
	s := statement(t)
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "build-v1.json", indented.Bytes())
	read, err := Read(indented.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Encode(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("read and written again (%v):\n%s\n%s", err, again, text)
	}
	b, err := read.Build()
	if err != nil {
		t.Fatal(err)
	}
	if b.Run.Metadata.Started != time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) || b.Run.Builder.ID != "https://ci.example.org/release" {
		t.Errorf("%+v", b.Run)
	}
	read.Subjects[0], read.Subjects[1] = read.Subjects[1], read.Subjects[0]
	if again, err := read.Encode(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("another order of subjects gives other bytes (%v)", err)
	}
}

func TestBuildRefused(t *testing.T) {
	t.Parallel()
	subjects := Subjects(files(t)...)
	for want, change := range map[string]func(*Build){
		"buildType is missing":          func(b *Build) { b.Definition.BuildType = "" },
		"externalParameters is missing": func(b *Build) { b.Definition.External = nil },
		"builder.id is missing":         func(b *Build) { b.Run.Builder.ID = "" },
		"ended before it began":         func(b *Build) { b.Run.Metadata.Finished = b.Run.Metadata.Started.Add(-time.Hour) },
		"resolvedDependencies[2]":       func(b *Build) { b.Definition.Dependencies = append(b.Definition.Dependencies, Resource{}) },
		"unsupported":                   func(b *Build) { b.Definition.External["f"] = func() {} },
	} {
		b := sample()
		change(&b)
		if _, err := b.Statement(subjects); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := sample().Statement(nil); err == nil || !strings.Contains(err.Error(), "no subject") {
		t.Errorf("without subjects: %v", err)
	}
}

func TestReadV02(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/kubernetes-v0.2.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	if b.Run.Builder.ID != "https://git.k8s.io/release/docs/krel" || b.Run.Metadata.InvocationID != "run-7" ||
		b.Run.Metadata.Finished.Hour() != 6 || len(b.Definition.Dependencies) != 2 || b.Definition.Internal["environment"] == nil {
		t.Errorf("%+v", b)
	}
	empty := artifact.Artifact{Name: "kubernetes.tar.gz", SHA256: s.Subjects[0].Digest["sha256"], SHA512: s.Subjects[0].Digest["sha512"]}
	err = Check(s, Expectation{
		Subjects: Subjects(empty), Prefix: "gs://bucket/stage/v1.30.0/",
		Repository: "https://github.com/kubernetes/kubernetes.git", Commit: commit,
		Builders: []string{"https://git.k8s.io/release/docs/krel"},
	})
	if err != nil {
		t.Error(err)
	}
	// The commit is that of the release tools, not of the source.
	err = Check(s, Expectation{Repository: "https://github.com/kubernetes/kubernetes", Commit: strings.Repeat("1", 40)})
	if err == nil || !strings.Contains(err.Error(), "it was built from git+https://github.com/kubernetes/kubernetes at commit 0123") {
		t.Errorf("one source's repository and another's commit: %v", err)
	}
	old := strings.Replace(string(text), "buildInvocationID", "buildInvocationId", 1)
	if s, err = Read([]byte(old)); err != nil {
		t.Fatal(err)
	}
	if b, err = s.Build(); err != nil || b.Run.Metadata.InvocationID != "run-7" {
		t.Errorf("the older spelling: %+v, %v", b.Run.Metadata, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	good, err := statement(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	sum := files(t)[0].SHA256
	for want, text := range map[string]string{
		"not a statement":            "nothing",
		"unexpected EOF":             string(good[:len(good)/2]),
		"something follows":          string(good) + "{}",
		"_type is":                   change(StatementV1, "https://in-toto.io/Statement/v9"),
		"predicateType is missing":   change(`"`+BuildPredicate+`"`, `""`),
		"no subject":                 `{"_type":"` + StatementV1 + `","subject":[],"predicateType":"x","predicate":{}}`,
		"not a JSON object":          `{"_type":"` + StatementV1 + `","subject":[{"digest":{"x":"1"}}],"predicateType":"x","predicate":[1]}`,
		"it has no digest":           `{"_type":"` + StatementV1 + `","subject":[{"name":"f"}],"predicateType":"x","predicate":{}}`,
		"sha256 digest is empty":     change(sum, ""),
		"63 digits, 64 are expected": change(sum, sum[1:]),
		"not lower-case hex":         change(sum, strings.ToUpper(sum[:63])+"F"),
		"at most 16":                 `{"_type":"` + StatementV1 + `","subject":[{"digest":{` + strings.Repeat(`"a":"1",`, 1) + manyDigests() + `}}],"predicateType":"x","predicate":{}}`,
	} {
		if s, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", want, s, err)
		}
	}
	if _, err := Read(make([]byte, MaxSize+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too long: %v", err)
	}
	many := statement(t)
	many.Subjects = make([]Resource, maxSubjects+1)
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "50001 subjects") {
		t.Errorf("too many: %v", err)
	}
}

func manyDigests() string {
	var list []string
	for c := 'b'; c < 'b'+16; c++ {
		list = append(list, `"`+string(c)+`":"1"`)
	}
	return strings.Join(list, ",")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	all := Expectation{
		Subjects: Subjects(files(t)...), Commit: commit, Repository: "https://github.com/halyard/halyard",
		Builders: []string{"https://other.example.org", "https://ci.example.org/release"}, BuildTypes: []string{BuildType},
	}
	if err := Check(statement(t), all); err != nil {
		t.Errorf("as expected: %v", err)
	}
	if err := Check(statement(t), Expectation{}); err != nil {
		t.Errorf("nothing is asked: %v", err)
	}
	other, err := artifact.Measure("other", artifact.Other, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		statement func(*Statement)
		want      func(*Expectation)
		problems  []string
	}{
		"missing subject": {nil, func(e *Expectation) { e.Subjects = append(Subjects(other), e.Subjects...) }, []string{"subject other is missing"}},
		"extra subject":   {nil, func(e *Expectation) { e.Subjects = e.Subjects[:1] }, []string{"subject halyard.tar.gz is not expected"}},
		"others are fine": {nil, func(e *Expectation) { e.Subjects, e.Others = e.Subjects[:1], true }, nil},
		"wrong digest": {func(s *Statement) { s.Subjects[0].Digest["sha512"] = strings.Repeat("0", 128) }, nil,
			[]string{"subject SHA256SUMS: sha512 is 000"}},
		"one digest is enough": {func(s *Statement) { delete(s.Subjects[0].Digest, "sha512") }, nil, nil},
		"nothing to compare":   {func(s *Statement) { s.Subjects[0].Digest = map[string]string{"sha1": strings.Repeat("0", 40)} }, nil, []string{"no digest that can be compared"}},
		"the same name twice, once wrong": {func(s *Statement) {
			s.Subjects = append(s.Subjects, Resource{Name: "SHA256SUMS", Digest: map[string]string{"sha256": other.SHA256}})
		}, nil, []string{"subject SHA256SUMS: sha256 is"}},
		"other commit":     {nil, func(e *Expectation) { e.Commit = strings.Repeat("f", 40) }, []string{"at commit 0123456789abcdef0123456789abcdef01234567, not from https://github.com/halyard/halyard at commit ffff"}},
		"other repository": {nil, func(e *Expectation) { e.Repository = "https://github.com/evil/halyard" }, []string{"not from https://github.com/evil/halyard"}},
		"other builder":    {nil, func(e *Expectation) { e.Builders = []string{"https://x"} }, []string{"it was built by https://ci.example.org/release, not by https://x"}},
		"other type":       {nil, func(e *Expectation) { e.BuildTypes = []string{"https://x"} }, []string{"the build is of type"}},
		"empty predicate":  {func(s *Statement) { s.Predicate = json.RawMessage(" { } ") }, nil, []string{"the predicate is empty"}},
		"no predicate":     {func(s *Statement) { s.Predicate = nil }, nil, []string{"the predicate is empty"}},
		"hollow predicate": {func(s *Statement) { s.Predicate = json.RawMessage(`{"buildDefinition":{},"runDetails":{}}`) }, nil,
			[]string{"buildType is missing", "externalParameters is missing", "builder.id is missing", "built by nobody it names", "it names no source"}},
		"another predicate": {func(s *Statement) { s.PredicateType = SummaryPredicate }, nil, []string{"tells nothing of a build"}},
		"predicate of another shape": {func(s *Statement) { s.Predicate = json.RawMessage(`{"runDetails":7}`) }, nil,
			[]string{"provenance: json"}},
		"everything at once": {func(s *Statement) { s.Subjects[0].Digest["sha256"] = strings.Repeat("0", 64) },
			func(e *Expectation) {
				e.Subjects = append(Subjects(other), e.Subjects...)
				e.Commit, e.Builders, e.BuildTypes = strings.Repeat("f", 40), []string{"b"}, []string{"t"}
			},
			[]string{"subject other is missing", "sha256 is 0000", "not by b", "not of t", "at commit ffff"}},
	} {
		s, want := statement(t), all
		if tc.statement != nil {
			tc.statement(&s)
		}
		if tc.want != nil {
			tc.want(&want)
		}
		err := Check(s, want)
		if tc.problems == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range tc.problems {
			if !strings.Contains(problems.Error(), p) {
				t.Errorf("%s: %q lacks %q", name, problems, p)
			}
		}
	}
	broken := statement(t)
	broken.Subjects = nil
	var problems Problems
	if err := Check(broken, all); err == nil || errors.As(err, &problems) {
		t.Errorf("a broken statement: %v", err)
	}
}

func TestPlainRepository(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://github.com/a/b", "https://github.com/a/b.git", "git+https://github.com/a/b@refs/heads/main",
		"ssh://git@github.com/a/b.git", "git@github.com:a/b.git", "https://user@GitHub.com/a/b/", "git://github.com/a/b",
	} {
		if got := plainRepository(address); got != "https://github.com/a/b" {
			t.Errorf("%s is %s", address, got)
		}
	}
	for _, other := range []string{"https://github.com/a/b2", "https://github.com/A/b", "https://gitlab.com/a/b", "a/b", ""} {
		if got := plainRepository(other); got == "https://github.com/a/b" {
			t.Errorf("%s is taken for another", other)
		}
	}
	if r := Source("https://github.com/a/b", "", commit); r.URI != "git+https://github.com/a/b" || r.commit() != commit {
		t.Errorf("%+v", r)
	}
}

func TestPromotion(t *testing.T) {
	t.Parallel()
	d := artifact.Digest("sha256:" + strings.Repeat("ab", 32))
	p := Promotion{Source: "gcr.io/staging/halyard@" + string(d), Destination: "registry.example.org/halyard@" + string(d), Digest: d,
		Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC), Builder: "https://ci.example.org/promote"}
	s, err := p.Statement("registry.example.org/halyard")
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "promotion.json", append(text, '\n'))
	if !s.Covers(d) || s.Covers(artifact.Digest("sha256:"+strings.Repeat("0", 64))) || s.Covers("") {
		t.Error("covers the wrong digest")
	}
	back, err := s.Promotion()
	if err != nil || back.Source != p.Source || !back.Time.Equal(p.Time.Truncate(time.Second)) {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := statement(t).Promotion(); err == nil {
		t.Error("provenance was read as a promotion")
	}
	for _, bad := range []Promotion{{Source: "a", Destination: "b", Digest: "sha256:1", Time: p.Time}, {Destination: "b", Digest: d, Time: p.Time}, {Source: "a", Destination: "b", Digest: d}} {
		if _, err := bad.Statement("x"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	s.Predicate = json.RawMessage(`{"timestamp":3}`)
	if _, err := s.Promotion(); err == nil {
		t.Error("a time of 3 was taken")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	v := Summary{Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Resource: "registry.example.org/halyard", Result: "PASSED",
		Policy: Resource{URI: "https://example.org/policy.yaml", Digest: map[string]string{"sha256": strings.Repeat("cd", 32)}}, SLSAVersion: "1.0"}
	v.Verifier.ID = "https://ci.example.org/verify"
	s, err := v.Statement(Subjects(files(t)...))
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.json", append(text, '\n'))
	back, err := s.Summary()
	if err != nil || back.Result != "PASSED" || back.Verifier.ID != v.Verifier.ID {
		t.Errorf("%+v, %v", back, err)
	}
	v.Result = "perhaps"
	if _, err := v.Statement(s.Subjects); err == nil {
		t.Error("an uncertain result was taken")
	}
	v.Result, v.Resource = "FAILED", ""
	if _, err := v.Statement(s.Subjects); err == nil {
		t.Error("a summary of nothing was taken")
	}
	if _, err := statement(t).Summary(); err == nil {
		t.Error("provenance was read as a summary")
	}
	s.Predicate = json.RawMessage(`{"verifier":3}`)
	if _, err := s.Summary(); err == nil {
		t.Error("a verifier of 3 was taken")
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Resource{
		"n": {Name: "n", URI: "u"}, "u": {URI: "u"}, "sha1:b": {Digest: map[string]string{"sha256": "a", "sha1": "b"}}, "without a name": {},
	} {
		if got := r.label(); got != want {
			t.Errorf("%+v is %s", r, got)
		}
	}
	for want, r := range map[string]Resource{
		"n (sha256:a)": {Name: "n", Digest: map[string]string{"sha256": "a", "sha512": "b"}}, "n": {Name: "n", Digest: map[string]string{"x": "a"}}, "sha1:b": {Digest: map[string]string{"sha1": "b"}},
	} {
		if got := r.String(); got != want {
			t.Errorf("%+v is written %s", r, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	text, err := statement(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	old, err := os.ReadFile("testdata/kubernetes-v0.2.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(data)
		if err != nil {
			return
		}
		if s.Empty() && Check(s, Expectation{}) == nil {
			t.Fatalf("an empty predicate passes: %q", data)
		}
		_, _ = s.Build() // must not panic; what it makes of it is tested elsewhere
		if len(s.Predicate) == 0 {
			return
		}
		text, err := s.Encode()
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", data, err)
		}
		again, err := Read(text)
		if err != nil {
			t.Fatalf("%q was written and cannot be read: %v", text, err)
		}
		if text2, err := again.Encode(); err != nil || !bytes.Equal(text, text2) {
			t.Fatalf("not stable: %q, %q, %v", text, text2, err)
		}
	})
}
