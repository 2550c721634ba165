package result_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/fileblob"

	"seaworthy/job/result"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestParseJUnit(t *testing.T) {
	t.Parallel()
	pass := func(name string) result.TestResult { return result.TestResult{Name: name, Status: result.Pass} }
	fail := func(name, message string) result.TestResult {
		return result.TestResult{Name: name, Status: result.Fail, Message: message}
	}
	tests := []struct {
		name, in string
		want     []result.TestResult
		fault    string
	}{
		{"suite", `<testsuite><testcase name="a"/><testcase name="b"></testcase></testsuite>`, []result.TestResult{pass("a"), pass("b")}, ""},
		{"suites, names joined", `<?xml version="1.0"?><testsuites name="no"><testsuite name="s"><testcase name="a" classname="no"/><testsuite name="t"><testcase name="b"/></testsuite></testsuite><testsuite><testcase name="c"/></testsuite></testsuites>`,
			[]result.TestResult{pass("s.a"), pass("s.t.b"), pass("c")}, ""},
		{"empty", `<testsuites/>`, nil, ""},
		{"failure", `<testsuite><testcase name="a"><failure message="m">body</failure></testcase></testsuite>`, []result.TestResult{fail("a", "m\nbody")}, ""},
		{"failure says it twice", `<testsuite><testcase name="a"><failure message="m">m: body</failure></testcase></testsuite>`, []result.TestResult{fail("a", "m: body")}, ""},
		{"failure without text", `<testsuite><testcase name="a"><failure message="m"/></testcase></testsuite>`, []result.TestResult{fail("a", "m")}, ""},
		{"failure without anything", `<testsuite><testcase name="a"><failure/></testcase></testsuite>`, []result.TestResult{fail("a", "")}, ""},
		{"error before failure before output", `<testsuite><testcase name="a"><system-out>o</system-out><failure>f</failure><error>e</error></testcase></testsuite>`, []result.TestResult{fail("a", "e")}, ""},
		{"output of a failure", `<testsuite><testcase name="a"><failure/><system-out>o</system-out><system-err>e</system-err></testcase></testsuite>`, []result.TestResult{fail("a", "e")}, ""},
		{"skipped for a reason", `<testsuite><testcase name="a"><skipped>not on Sundays</skipped></testcase><testcase name="b"><skipped message="no root"/></testcase></testsuite>`,
			[]result.TestResult{{Name: "a", Status: result.Skip, Message: "not on Sundays"}, {Name: "b", Status: result.Skip, Message: "no root"}}, ""},
		{"skipped for none", `<testsuite><testcase name="a"><skipped/></testcase><testcase name="b"><skipped message="skipped"/></testcase><testcase name="c"/></testsuite>`, []result.TestResult{pass("c")}, ""},
		{"properties", `<testsuite><properties><property name="no" value="1"/></properties><testcase name="a" time="1,000.5"><properties><property name="p" value="2.5"/><property name="q" value="text"/></properties><unknown><testcase name="no"/></unknown><failure>f</failure></testcase></testsuite>`,
			[]result.TestResult{{Name: "a", Status: result.Fail, Message: "f", Duration: 1000500 * time.Millisecond, Metrics: map[string]float64{"p": 2.5}, Properties: map[string]string{"p": "2.5", "q": "text"}}}, ""},
		{"bad times", `<testsuite><testcase name="a" time="NaN"/><testcase name="b" time="-1"/><testcase name="c" time="soon"/></testsuite>`, []result.TestResult{pass("a"), pass("b"), pass("c")}, ""},
		{"same name twice", `<testsuite><testcase name="a"/><testcase name="a"><failure/></testcase></testsuite>`, []result.TestResult{pass("a"), fail("a", "")}, ""},
		{"CDATA and entities", `<testsuite><testcase name="&lt;a&gt;"><failure><![CDATA[x < y]]> &amp; &nbsp;z</failure></testcase></testsuite>`, []result.TestResult{fail("<a>", "x < y & &nbsp;z")}, ""},
		{"not UTF-8", "<testsuite><testcase name=\"\xff\x01a\"/></testsuite>", []result.TestResult{pass("\uFFFD\uFFFDa")}, ""},
		{"other encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="a"/></testsuite>`, []result.TestResult{pass("a")}, ""},
		{"cut off", "<testsuite>\n<testcase name=\"a\"/>\n<testcase name=\"b\">", []result.TestResult{pass("a")}, "line 3: "},
		{"nothing", "", nil, "no testsuites and no testsuite"},
		{"other root", "<html><testsuite/></html>", nil, "the root is html"},
		{"entities defined", `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`, nil, "defines entities"},
		{"doctype alone", `<!DOCTYPE testsuite><testsuite><testcase name="a"/></testsuite>`, []result.TestResult{pass("a")}, ""},
		{"too deep", strings.Repeat("<testsuite>", 1000), nil, "nest deeper than 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := result.ParseJUnit(iotest.OneByteReader(strings.NewReader(tt.in)), result.Limits{})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			var malformed *result.MalformedError
			switch {
			case tt.fault == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case tt.fault != "" && (!errors.As(err, &malformed) || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("got %v, want a malformed file: %s", err, tt.fault)
			}
		})
	}
}

func TestJUnitLimits(t *testing.T) {
	t.Parallel()
	long := `<testsuite><testcase name="a"><failure>BEGIN` + strings.Repeat("é", 100_000) + `END</failure></testcase></testsuite>`
	got, err := result.ParseJUnit(strings.NewReader(long), result.Limits{Message: 100})
	if err != nil || len(got) != 1 || len(got[0].Message) > 110 || !strings.HasPrefix(got[0].Message, "BEGIN") || !strings.HasSuffix(got[0].Message, "END") || !utf8.ValidString(got[0].Message) {
		t.Errorf("long message: got %v, %v", got, err)
	}
	if _, err := result.ParseJUnit(strings.NewReader(long), result.Limits{Bytes: 1000}); err == nil || !strings.Contains(err.Error(), "larger than 1000 bytes") {
		t.Errorf("large file: %v", err)
	}
	exact := `<testsuite><testcase name="a"/></testsuite>`
	if _, err := result.ParseJUnit(strings.NewReader(exact), result.Limits{Bytes: int64(len(exact))}); err != nil {
		t.Errorf("a file as large as allowed: %v", err)
	}
	many := `<testsuite>` + strings.Repeat(`<testcase name="a"/>`, 20) + `</testsuite>`
	if got, err := result.ParseJUnit(strings.NewReader(many), result.Limits{Tests: 10}); err == nil || len(got) != 10 {
		t.Errorf("many tests: got %d, %v", len(got), err)
	}
	broken := errors.New("the disk is gone")
	if _, err := result.ParseJUnit(iotest.ErrReader(broken), result.Limits{}); !errors.Is(err, broken) {
		t.Errorf("reader's error: %v", err)
	}
}

func TestJUnitFromGoTest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go-test-v", "go-test-json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			n, err := result.JUnitFromGoTest(bytes.NewReader(in), &out)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".xml")
			if *update {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("look at the difference and run go test ./job/result -update:\n%s", diff)
			}
			tests, err := result.ParseJUnit(&out, result.Limits{})
			if err != nil || len(tests) != n {
				t.Fatalf("%d tests written, %d read, %v", n, len(tests), err)
			}
			got := map[string]string{}
			for _, tr := range tests {
				got[strings.TrimPrefix(tr.Name, "example.org/gt/")] = string(tr.Status) + " " + tr.Message
			}
			contains := map[string]string{
				"a.TestOK": "pass", "a.TestBad": "fail", "a.TestBad/sub": "a_test.go:5: deep", "a.TestBad/other": "pass",
				"a.TestSkip": "skip a_test.go:6: not today", "b.TestX": "nil pointer dereference", "c.(package)": "c/c.go:2:12: undefined: undefined",
				"e.TestE": "pass", "e.(package)": "fail",
			}
			for test, part := range contains {
				if !strings.Contains(got[test], part) {
					t.Errorf("%s: got %q, want %q in it", test, got[test], part)
				}
			}
			if len(got) != len(contains) {
				t.Errorf("got %d tests, want %d: %v", len(got), len(contains), got)
			}
		})
	}
}

func TestJUnitFromOtherOutput(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing": "", "vet": "# example.org/a\nvet: ./a.go:1:1: wrong\n", "json": "{\"a\":1}\n{not json\n", "no tests": "?   \texample.org/a\t[no test files]\n",
	} {
		var out bytes.Buffer
		if n, err := result.JUnitFromGoTest(strings.NewReader(in), &out); n != 0 || err != nil || out.Len() != 0 {
			t.Errorf("%s: %d tests, %v, %q", name, n, err, out.String())
		}
	}
	// A log that ends in the middle: what began has not finished.
	var out bytes.Buffer
	if n, err := result.JUnitFromGoTest(strings.NewReader("=== RUN   TestA\n--- PASS: TestA (0.1s)\n=== RUN   TestB\n    waiting\n"), &out); n != 2 || err != nil || !strings.Contains(out.String(), "did not finish") {
		t.Errorf("cut off: %d, %v\n%s", n, err, out.String())
	}
	broken := errors.New("the disk is gone")
	if _, err := result.JUnitFromGoTest(iotest.ErrReader(broken), &out); !errors.Is(err, broken) {
		t.Errorf("reader's error: %v", err)
	}
}

func FuzzParseJUnit(f *testing.F) {
	f.Add([]byte(junit))
	f.Add([]byte(`<testsuites><testsuite name="a"><testcase name="b"><properties><property name="p" value="1"/></properties><skipped/></testcase></testsuite></testsuites>`))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite><testcase name=\"\xff\">&b;"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tests, err := result.ParseJUnit(bytes.NewReader(data), result.Limits{Bytes: 1 << 16, Message: 100})
		var malformed *result.MalformedError
		if err != nil && !errors.As(err, &malformed) {
			t.Errorf("neither a test nor a fault of the file: %v", err)
		}
		for _, tr := range tests {
			if !utf8.ValidString(tr.Name+tr.Message) || tr.Duration < 0 {
				t.Errorf("got %+v", tr)
			}
		}
	})
}

func FuzzJUnitFromGoTest(f *testing.F) {
	for _, name := range []string{"go-test-v.txt", "go-test-json.txt"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		n, err := result.JUnitFromGoTest(bytes.NewReader(data), &out)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		tests, err := result.ParseJUnit(&out, result.Limits{})
		if err != nil || len(tests) > n {
			t.Errorf("%d tests written, %d read, %v", n, len(tests), err)
		}
	})
}

// BenchmarkParseJUnit reads a file as end-to-end suites write them: most tests
// pass, one in twenty is skipped, one in fifty fails with a long text.
func BenchmarkParseJUnit(b *testing.B) {
	var file strings.Builder
	file.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<testsuites>\n <testsuite name=\"e2e suite\" tests=\"3500\">\n")
	for i := range 3500 {
		fmt.Fprintf(&file, `  <testcase name="[It] [sig-node] device-plugin should resize leases with projected-volume and ipvs %d [Feature:X]" classname="e2e suite" time="13.%06d">`, i, i)
		switch {
		case i%50 == 0:
			file.WriteString(`<failure message="timed out &amp; gave up">` + strings.Repeat("k8s.io/kubernetes/test/e2e.go:42 +0x1a &lt;nil&gt;\n", 20) + `</failure><system-out>` + strings.Repeat("INFO: waiting\n", 100) + `</system-out>`)
		case i%20 == 0:
			file.WriteString(`<skipped message="skipped"/>`)
		}
		file.WriteString("</testcase>\n")
	}
	file.WriteString(" </testsuite>\n</testsuites>\n")
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if tests, err := result.ParseJUnit(strings.NewReader(file.String()), result.Limits{}); err != nil || len(tests) != 3500-140 {
			b.Fatal(len(tests), err)
		}
	}
}

// BenchmarkLoadBuild reads all builds of a job: those in the folder
// SEAWORTHY_BENCH_BUCKET (the job's path below it in SEAWORTHY_BENCH_JOB), or
// twenty builds of 25 files made here.
func BenchmarkLoadBuild(b *testing.B) {
	dir, folder := os.Getenv("SEAWORTHY_BENCH_BUCKET"), os.Getenv("SEAWORTHY_BENCH_JOB")
	if dir == "" {
		dir, folder = b.TempDir(), "logs/ci"
	}
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	if os.Getenv("SEAWORTHY_BENCH_BUCKET") == "" {
		for build := range 20 {
			at := fmt.Sprintf("%s/%d/", folder, 100+build)
			files := map[string]string{"started.json": `{"timestamp":1790000000}`, "finished.json": `{"timestamp":1790003600,"passed":true}`}
			for n := range 25 {
				files[fmt.Sprintf("artifacts/junit_%02d.xml", n)] = "<testsuite>" + strings.Repeat(`<testcase name="TestSomething of a length that names have" classname="c" time="0.25"></testcase>`, 140) + "</testsuite>"
			}
			for name, text := range files {
				if err := bucket.WriteAll(b.Context(), at+name, []byte(text), nil); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	refs, err := result.Builds(b.Context(), bucket, folder, "", 0)
	if err != nil || len(refs) == 0 {
		b.Fatal(len(refs), err)
	}
	b.ReportAllocs()
	tests := 0
	for b.Loop() {
		tests = 0
		for _, r := range refs {
			build, err := result.LoadBuild(b.Context(), bucket, r.Path)
			if err != nil {
				b.Fatal(err)
			}
			tests += len(build.Tests)
		}
	}
	b.ReportMetric(float64(len(refs)), "builds/op")
	b.ReportMetric(float64(tests), "tests/op")
}
