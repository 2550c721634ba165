package triage

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func readRows(t testing.TB, text string, workers int) ([]Row, Irregular) {
	t.Helper()
	var lock sync.Mutex
	var rows []Row
	odd, err := ReadFailures(context.Background(), iotest.HalfReader(strings.NewReader(text)), workers, func(r Row) {
		lock.Lock()
		defer lock.Unlock()
		rows = append(rows, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, odd
}

func TestReadFailures(t *testing.T) {
	t.Parallel()
	const good = `{"started":"1790000000","build":"gs://b/logs/j/1","name":"t","failure_text":"boom"}`
	want := Row{"gs://b/logs/j/1", 1_790_000_000, "t", "boom"}
	for _, c := range []struct {
		name, in string
		want     []Row
		odd      []string
	}{
		{"none", "", nil, nil},
		{"lines", good + "\n" + good + "\n", []Row{want, want}, nil},
		{"no last newline", good + "\r\n\n" + good, []Row{want, want}, nil},
		{"an array", "[" + good + ",\n" + good + "]", []Row{want, want}, nil},
		{"an array in one line, with a byte order mark", "\xef\xbb\xbf[" + good + "," + good + "]", []Row{want, want}, nil},
		{"over several lines", strings.ReplaceAll(good, ",", ",\n  ") + "\n" + good, []Row{want, want}, nil},
		{"other fields and types", `{"x":{"y":[1,"}"]},"started":1790000000,"build":"gs://b/logs/j/1/","name":"t","failure_text":"boom","z":null}`, []Row{want}, nil},
		{"escapes", `{"build":"b","name":"t","started":"1.79e9","failure_text":"\"a\\\n\t\u00e4\ud83d\ude00\u0000\/"}`, []Row{{"b", 1_790_000_000, "t", "\"a\\\n\tä😀\x00/"}}, nil},
		{"half a surrogate", `{"build":"b","name":"t","started":"1","failure_text":"\ud83dx"}`, []Row{{"b", 1, "t", "\ufffdx"}}, nil},
		{"not UTF-8", "{\"build\":\"b\",\"name\":\"t\",\"started\":\"1\",\"failure_text\":\"a\xff\"}", []Row{{"b", 1, "t", "a\ufffd"}}, nil},
		{"fields missing", `{"name":"t"}` + "\n" + `{"build":"b"}` + "\n" + `{"build":"b","name":"t","started":"1"}`, []Row{{"b", 1, "t", ""}},
			[]string{"line 1: a failure without build", "line 2: a failure without name of a test", "line 3: a failure without text"}},
		{"absurd start", `{"build":"b","name":"t","started":"99999999999999","failure_text":"x"}`, []Row{{"b", 0, "t", "x"}}, []string{"line 1: a failure without a start between 1970 and 9999"}},
		{"cut short", good + "\n" + good[:40], []Row{want}, []string{"line 2: the file ends inside of this object: it was cut short"}},
		{"an array cut short", "[" + good + ",\n" + good + ",\n", []Row{want, want}, []string{"line 3: the file ends inside of an array: it was cut short"}},
		{"an array cut short in an object", "[" + good + ",\n" + good[:40], []Row{want}, []string{"line 2: the file ends inside of this object: it was cut short"}},
		{"an array after garbage", "[\nboo]\n" + good, []Row{want}, []string{"line 2: not a JSON object"}},
		{"nothing but brackets", strings.Repeat("[", 1000), nil, []string{"line 1: the file ends inside of an array: it was cut short"}},
		{"an empty array", "[]", nil, nil},
		{"a line cut short", good[:40] + "\n" + good, []Row{want}, []string{"line 1: a string without an end"}},
		{"garbage between", good + "\nNaN\nboo\n" + good, []Row{want, want}, []string{"line 2: not a JSON object (and 1 more)"}},
		{"not JSON inside", "{build:1}\n" + good, []Row{want}, []string{"line 1: not JSON: invalid character 'b' looking for beginning of object key string"}},
	} {
		for _, workers := range []int{1, 3} {
			rows, odd := readRows(t, c.in, workers)
			if !slices.Equal(rows, c.want) || odd.Rows != len(c.want) || !slices.Equal(odd.Lines(), c.odd) {
				t.Errorf("%s: read %v, %v; want %v, %v", c.name, rows, odd.Lines(), c.want, c.odd)
			}
		}
	}
}

func TestReadCompressed(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	for i := range 5000 {
		fmt.Fprintf(z, `{"started":"1790000000","build":"gs://b/logs/j/%d","name":"t","failure_text":"%s"}`+"\n", i, strings.Repeat("x", i))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	rows := 0
	odd, err := ReadFailures(context.Background(), bytes.NewReader(file.Bytes()), 1, func(Row) { rows++ })
	if err != nil || rows != 5000 || odd.Rows != 5000 {
		t.Errorf("read %d rows: %v", rows, err)
	}
	cut := file.Bytes()[:file.Len()/2]
	if _, err := ReadFailures(context.Background(), bytes.NewReader(cut), 1, func(Row) {}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a compressed file: %v", err)
	}
	if _, err := ReadFailures(context.Background(), bytes.NewReader([]byte{0x1f, 0x8b, 1, 2, 3}), 1, func(Row) {}); err == nil {
		t.Error("a broken compressed file is read")
	}
}

func TestReadFails(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	r := io.MultiReader(strings.NewReader(`{"build":"b",`), iotest.ErrReader(gone))
	if _, err := ReadFailures(context.Background(), r, 1, func(Row) {}); !errors.Is(err, gone) {
		t.Errorf("a failing reader: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := ReadBuilds(ctx, strings.NewReader("[]")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled reading of builds: %v", err)
	}
}

func TestReadBuilds(t *testing.T) {
	t.Parallel()
	in := `[{"path":"gs://b/logs/ci-b/12","started":"100","elapsed":"7.9","tests_run":"30","tests_failed":"2","result":"FAILURE","executor":"x","job":"ci-b","number":"12"},
{"path":"gs://b/logs/ci-a/7/","started":200,"elapsed":null,"job":"ci-a","number":7},
{"path":"gs://b/pr-logs/pull/org_repo/99/pull-a/5","started":"300","number":"5","pr":"1"},
{"path":"gs://b/logs/ci-a/8","started":"","number":"8","job":"ci-a"},
{"path":"gs://b/logs/ci-a/9","started":"5","job":"ci-a"},
{"path":"gs://b/logs/ci-a/7","started":"200","elapsed":"3","job":"ci-a","number":"7"},
{"path":"gs://b/logs/ci-a/7","started":"200","elapsed":"2","job":"ci-a","number":"7"}]`
	got, odd, err := ReadBuilds(context.Background(), iotest.OneByteReader(strings.NewReader(in)))
	if err != nil {
		t.Fatal(err)
	}
	want := []Build{
		{Path: "gs://b/logs/ci-a/7", Job: "ci-a", Number: 7, Started: 200, Elapsed: 3},
		{Path: "gs://b/logs/ci-b/12", Job: "ci-b", Number: 12, Started: 100, Elapsed: 7, TestsRun: 30, TestsFailed: 2, Result: "FAILURE", Executor: "x"},
		{Path: "gs://b/pr-logs/pull/org_repo/99/pull-a/5", Job: "pr:pull-a", Number: 5, Started: 300, PR: "99"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("builds are\n%+v, want\n%+v", got, want)
	}
	lines := []string{"line 4: a build without a start between 1970 and 9999", "line 5: a build without number", "line 6: a build whose path another has (and 1 more)"}
	if !slices.Equal(odd.Lines(), lines) {
		t.Errorf("odd: %q", odd.Lines())
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := NewPlaces([]Build{{Path: "gs://b/logs/j/1", Job: "j", Number: 1, Started: 50}})
	if f := p.Failure(Row{Build: "gs://b/logs/j/1", Test: "t"}); f.Build != 0 || f.Started.Unix() != 50 {
		t.Errorf("a known build: %+v", f)
	}
	if f := p.Failure(Row{Build: "gs://b/logs/j/2", Started: 70}); f.Build != 1 || f.Started.Unix() != 70 {
		t.Errorf("an unknown build: %+v", f)
	}
	p.Failure(Row{Build: "gs://b/logs/j/2", Started: 60})
	builds, added := p.Builds()
	if added != 1 || builds[1] != (Build{Path: "gs://b/logs/j/2", Job: "j", Number: 2, Started: 60}) {
		t.Errorf("%d added: %+v", added, builds)
	}
}

// What the quick reader reads is what encoding/json reads.
func FuzzRow(f *testing.F) {
	f.Add([]byte(`{"started":"1","build":"b","name":"t","failure_text":"a\u00e4\n\"\\"}`))
	f.Add([]byte(`{"build":1e5,"name":null,"x":[{}],"failure_text":"\ud83d\ude00"}`))
	f.Add([]byte(`{"build":"a","build":"b"}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		if len(object) == 0 || object[0] != '{' || bytes.IndexByte(object, '\n') >= 0 {
			return
		}
		got, err := readRow(object)
		var want struct {
			Build json.RawMessage `json:"build"`
			Text  *string         `json:"failure_text"`
		}
		if json.Unmarshal(object, &want) != nil || err != nil || want.Text == nil {
			return // what is odd is read leniently, if it is read
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(object, &all) != nil || !bytes.Contains(object, []byte(`"failure_text"`)) || bytes.Count(bytes.ToLower(object), []byte("failure_text")) != 1 || bytes.Contains(object, []byte(`\u`)) {
			return // names that differ in case, twins, surrogates without partner
		}
		if got.Text != *want.Text && strings.ToValidUTF8(*want.Text, "") == *want.Text && !strings.Contains(*want.Text, "\ufffd") {
			t.Fatalf("%s: read %q, want %q", object, got.Text, *want.Text)
		}
	})
}

func FuzzReadFailures(f *testing.F) {
	f.Add(`[{"a":"b\"}"},`+"\n"+`{"build":"b","name":"n"}]`, 3)
	f.Add("{\n{}\x00[[", 1)
	f.Fuzz(func(t *testing.T, text string, _ int) {
		read := func(r io.Reader) (n int, odd Irregular) {
			odd, err := ReadFailures(context.Background(), r, 1, func(Row) { n++ })
			if err != nil && !strings.HasPrefix(text, "\x1f\x8b") {
				t.Fatal(err)
			}
			return n, odd
		}
		n, odd := read(strings.NewReader(text))
		m, again := read(iotest.OneByteReader(strings.NewReader(text)))
		if n != m || odd.Rows != n || !slices.Equal(odd.Lines(), again.Lines()) {
			t.Fatalf("%q: %d rows and %v, byte by byte %d and %v", text, n, odd, m, again)
		}
	})
}
