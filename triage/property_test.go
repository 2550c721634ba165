package triage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// noiseOf draws something that differs from one failure to the next.
func noiseOf(r *rand.Rand, kind string) string {
	letters := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("bcdfghjklmnpqrstvwxz2456789"[r.Intn(27)])
		}
		return b.String()
	}
	at := time.Unix(1_600_000_000+r.Int63n(300_000_000), r.Int63n(1e9)).UTC()
	switch kind {
	case "<rfc>":
		return at.Format(time.RFC3339Nano)
	case "<klog>":
		return at.Format("0102 15:04:05.000000")
	case "<go>":
		return at.Format("2006-01-02 15:04:05.999999999 -0700 MST")
	case "<log>":
		return at.Format("2006/01/02 15:04:05")
	case "<clock>":
		return at.Format("15:04:05.000")
	case "<number>":
		return fmt.Sprint(r.Intn(1_000_000))
	case "<duration>":
		return (time.Duration(r.Int63n(1e13)) + time.Second).Round(time.Millisecond).String()
	case "<size>":
		return fmt.Sprint(1+r.Intn(999)) + []string{"Mi", "Gi", "Ki", "MB", "B"}[r.Intn(5)]
	case "<uuid>":
		b := make([]byte, 16)
		r.Read(b)
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case "<sha>":
		b := make([]byte, 20)
		r.Read(b)
		return fmt.Sprintf("%x", b)
	case "<pointer>":
		return fmt.Sprintf("0xc%09x", r.Int63n(1<<36))
	case "<pod>":
		return "7" + letters(8) + "-" + letters(5)
	case "<ip>":
		return fmt.Sprintf("10.%d.%d.%d", r.Intn(256), r.Intn(256), r.Intn(256))
	case "<ipport>":
		return fmt.Sprintf("172.16.%d.%d:%d", r.Intn(256), r.Intn(256), 1+r.Intn(65535))
	case "<node>":
		return fmt.Sprintf("ip-172-20-%d-%d.eu-west-1.compute.internal", r.Intn(256), r.Intn(256))
	case "<port>":
		return fmt.Sprint(10000 + r.Intn(50000))
	}
	return kind
}

// sentences are what failures say, with the noise in angle brackets.
func sentences() []string {
	return []string{
		"pod web-<pod> was not ready after <duration>",
		"<rfc> the lease of <node> was lost",
		"E<klog>   4321 reflector.go:<number>] failed to list pods: the server could not find it",
		"<log> http: TLS handshake error from <ipport>: EOF",
		"timed out at <clock> while attaching volume pvc-<uuid>",
		"Get \"https://<ipport>/healthz\": context deadline exceeded",
		"expected <number> replicas, got <number>",
		"container was killed: memory <size> above the limit of <size>",
		"could not check out <sha> of the repository",
		"main.run(<pointer>, <pointer>)",
		"dial tcp <ip>:<port>: connect: connection refused",
		"event at <go>: node went away",
		"the namespace e2e-tests-<number> could not be deleted within <duration>",
		"server_test.go:<number>: the answer took <duration>",
	}
}

// fill puts noise into a sentence.
func fill(r *rand.Rand, sentence string) string {
	var b strings.Builder
	for sentence != "" {
		open := strings.IndexByte(sentence, '<')
		if open < 0 {
			break
		}
		end := open + strings.IndexByte(sentence[open:], '>') + 1
		b.WriteString(sentence[:open])
		b.WriteString(noiseOf(r, sentence[open:end]))
		sentence = sentence[end:]
	}
	return b.String() + sentence
}

// Whatever noise is drawn, a sentence states the same; and no two sentences
// state the same.
func TestNoiseDecidesNothing(t *testing.T) {
	t.Parallel()
	states := map[string]string{}
	for _, sentence := range sentences() {
		first := ""
		for seed := range int64(300) {
			r := rand.New(rand.NewSource(seed))
			text := fill(r, sentence)
			got := Normalise(text)
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%q states\n%q, otherwise\n%q", text, got, first)
				break
			}
		}
		if other, ok := states[first]; ok {
			t.Errorf("%q and %q both state %q", sentence, other, first)
		}
		states[first] = sentence
	}
}

// A word more, less or other than before makes another statement, wherever it
// stands.
func TestWordsDecide(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(1))
	for _, sentence := range sentences() {
		was := Normalise(fill(r, sentence))
		words := strings.Fields(sentence)
		for i, w := range words {
			if strings.ContainsAny(w, "<>") {
				continue
			}
			other := slices.Clone(words)
			other[i] = "anchor"
			less := slices.Delete(slices.Clone(words), i, i+1)
			more := slices.Insert(slices.Clone(words), i, "anchor")
			for _, changed := range [][]string{other, less, more} {
				if text := fill(r, strings.Join(changed, " ")); Normalise(text) == was {
					t.Errorf("%q states what %q does", text, sentence)
				}
			}
		}
	}
}

// What is normalised is a statement already: doing it again changes nothing but
// marks, which are words by then.
func TestStatementsStay(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(2))
	for _, sentence := range sentences() {
		once := Normalise(fill(r, sentence))
		twice := Normalise(once)
		if third := Normalise(twice); third != twice {
			t.Errorf("%q becomes %q, then %q", once, twice, third)
		}
	}
	for _, c := range corpus(t) {
		twice := Normalise(Normalise(c.text))
		if third := Normalise(twice); third != twice {
			t.Errorf("%.200q becomes %.200q", twice, third)
		}
	}
}

// The clusters of several sentences are the sentences, whatever the noise, and
// an index that has seen one failure of each knows all others.
func TestSentencesAreClusters(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(3))
	var failures []Failure
	for i := range 700 {
		s := sentences()[i%len(sentences())]
		failures = append(failures, Failure{Build: i, Test: "t", Text: fill(r, s), Started: sometime.Add(time.Duration(i) * time.Minute)})
	}
	groups := clusterAll(t, failures, Options{})
	if len(groups) != len(sentences()) {
		t.Errorf("%d clusters of %d sentences", len(groups), len(sentences()))
	}
	for _, g := range groups {
		for _, m := range g.Members {
			if m.Build%len(sentences()) != g.Members[0].Build%len(sentences()) {
				t.Errorf("%q holds %q", g.Key, failures[m.Build].Text)
			}
		}
		if g.Text != failures[g.Members[0].Build].Text {
			t.Errorf("%q is shown as %q, the earliest is %q", g.Key, g.Text, failures[g.Members[0].Build].Text)
		}
		if sum := total(g.Spans); sum != len(g.Text) {
			t.Errorf("%q: the spans cover %d of %d bytes", g.Key, sum, len(g.Text))
		}
		shared(t, g, failures)
	}
	x := NewIndex(clusterAll(t, failures[:len(sentences())], Options{}))
	for _, f := range failures {
		if m, ok := x.Assign(f.Text); !ok || !m.Exact {
			t.Errorf("%q is not known", f.Text)
		}
	}
}

func total(all []int) int {
	sum := 0
	for _, n := range all {
		sum += n
	}
	return sum
}

// shared checks that the words which are shown as common to a cluster are in
// every text of it.
func shared(t *testing.T, g Group, failures []Failure) {
	t.Helper()
	at := 0
	for i, n := range g.Spans {
		part := g.Text[at : at+n]
		at += n
		if i%2 == 1 {
			continue
		}
		for _, w := range strings.FieldsFunc(part, func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) }) {
			for _, m := range g.Members {
				if !strings.Contains(failures[m.Build].Text, w) {
					t.Errorf("%q is shown as common to %q, and is not in %q", w, g.Key, failures[m.Build].Text)
					return
				}
			}
		}
	}
}

// A file is read the same however it comes: at once, byte by byte, in halves.
func TestReadersDoNotMatter(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("\ufeff[\n")
	for i := range 60 {
		fmt.Fprintf(&file, `{"started":"%d", "build":"gs://b/logs/j/%d","name":"Test \"%d\" \\","failure_text":"line\n{[\"}] %s"},`+"\n", 1_790_000_000+i, i, i, strings.Repeat("ü\\u00e9\\\\", i))
		if i%7 == 3 {
			file.WriteString("odd words\n{\"build\":3}\n")
		}
	}
	file.WriteString("]\n{\"cut")
	type result struct {
		rows []Row
		odd  []string
	}
	read := func(in func(*strings.Reader) (result, error)) result {
		t.Helper()
		got, err := in(strings.NewReader(file.String()))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got.rows, func(a, b Row) int { return strings.Compare(a.Build+a.Test, b.Build+b.Test) })
		return got
	}
	whole := read(func(r *strings.Reader) (got result, err error) {
		found, err := ReadFailures(t.Context(), r, 1, func(row Row) { got.rows = append(got.rows, row) })
		got.odd = found.Lines()
		return got, err
	})
	if len(whole.rows) != 60 || len(whole.odd) != 3 {
		t.Fatalf("%d rows; odd: %q", len(whole.rows), whole.odd)
	}
	for name, slow := range map[string]func(*strings.Reader) (result, error){
		"byte by byte": func(r *strings.Reader) (got result, err error) {
			found, err := ReadFailures(t.Context(), iotest.OneByteReader(r), 1, func(row Row) { got.rows = append(got.rows, row) })
			got.odd = found.Lines()
			return got, err
		},
		"in halves": func(r *strings.Reader) (got result, err error) {
			found, err := ReadFailures(t.Context(), iotest.HalfReader(r), 1, func(row Row) { got.rows = append(got.rows, row) })
			got.odd = found.Lines()
			return got, err
		},
		"with its end": func(r *strings.Reader) (got result, err error) {
			found, err := ReadFailures(t.Context(), iotest.DataErrReader(r), 1, func(row Row) { got.rows = append(got.rows, row) })
			got.odd = found.Lines()
			return got, err
		},
	} {
		if got := read(slow); !slices.Equal(got.rows, whole.rows) || !slices.Equal(got.odd, whole.odd) {
			t.Errorf("%s: %d rows, odd %q", name, len(got.rows), got.odd)
		}
	}
}

// The quick reader of fields reads what encoding/json reads.
func TestFieldsAreJSON(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(4))
	texts := []string{"", "plain", "two\nlines\ttabs", `quote " and \ slash /`, "ünïcode 船 \U0001f6a2", "\x00\x01\x1f", "</script>", strings.Repeat("long ", 300), "\u2028\ufffd", `{"a":"b"}`}
	for range 500 {
		want := map[string]string{}
		for range r.Intn(6) {
			want[fmt.Sprintf("field%d", r.Intn(9))] = texts[r.Intn(len(texts))]
		}
		object, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if r.Intn(2) == 0 {
			var spaced bytes.Buffer
			if err := json.Indent(&spaced, object, " ", "\t"); err != nil {
				t.Fatal(err)
			}
			object = bytes.TrimSpace(spaced.Bytes())
		}
		got := map[string]string{}
		if err := eachField(object, func(name string, raw []byte) { got[name] = value(raw) }); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %q", object, got)
		}
		for name, text := range want {
			if got[name] != text {
				t.Errorf("%s: %s is %q, want %q", object, name, got[name], text)
			}
		}
	}
	for text, want := range map[string]string{
		`"a\u00e9b"`: "aéb", `"\ud83d\udea2"`: "\U0001f6a2", `"\ud83d"`: "\ufffd", `"\ud83dx"`: "\ufffdx", `"\uzzzz"`: "\ufffd", `"\b\f\r\/"`: "\b\f\r/", "null": "", "12.5": "12.5", "true": "true", `""`: "", "": "", "\"\xff\"": "\ufffd",
	} {
		if got := value([]byte(text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// What is written is read again as it was, and by encoding/json as well.
func TestDataComesBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(5))
	names := []string{"plain", "with \"quotes\" \\", "ünïcode 船", "line\nbreak\ttab\r", "</script>\u2028", "\x01\x7f", "pr:pull-e2e"}
	name := func() string { return names[r.Intn(len(names))] + fmt.Sprint(r.Intn(3)) }
	for range 100 {
		var builds []Build
		for i := range 1 + r.Intn(30) {
			job := name()
			builds = append(builds, Build{Path: fmt.Sprintf("gs://b/logs/%s/%d", job, i+1), Job: job, Number: int64(1+i) << uint(r.Intn(40)), Started: 1_700_000_000 + int64(i), Elapsed: i, TestsRun: 9, TestsFailed: i % 3, Result: name(), Executor: name(), PR: fmt.Sprint(i % 4)})
		}
		var failures []Failure
		for range r.Intn(60) {
			failures = append(failures, Failure{Build: r.Intn(len(builds)), Test: name(), Text: name() + " words that say something", Started: sometime})
		}
		d, sum := NewData(clusterAll(t, failures, Options{}), builds, 0, DataOptions{Singletons: true})
		var file bytes.Buffer
		if err := d.Write(&file); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(file.Bytes()) {
			t.Fatalf("no JSON: %s", file.Bytes())
		}
		again, err := ReadData(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if was, is := plainData(t, d), plainData(t, again); was != is {
			t.Fatalf("it was\n%s\nand is\n%s", was, is)
		}
		hits := 0
		for _, c := range again.Clustered {
			hits += c.Hits()
		}
		if hits > sum.Failures || len(again.Clustered) != sum.Clusters {
			t.Errorf("%d hits in %d clusters, the summary says %+v", hits, len(again.Clustered), sum)
		}
	}
}

func plainData(t *testing.T, d Data) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A slice has all that its clusters name and nothing else; the slices of
// clusters apart make the whole.
func TestSlicesMakeTheWhole(t *testing.T) {
	t.Parallel()
	builds, failures := twoDays()
	d, _ := NewData(clusterAll(t, failures, Options{}), builds, 0, DataOptions{Singletons: true})
	hits := 0
	for _, c := range d.Clustered {
		s := d.Slice(func(x ClusterData) bool { return x.ID == c.ID })
		if len(s.Clustered) != 1 {
			t.Fatalf("%s: %d clusters", c.ID, len(s.Clustered))
		}
		hits += s.Clustered[0].Hits()
		for _, test := range c.Tests {
			for _, j := range test.Jobs {
				if s.Builds.JobPaths[j.Name] != d.Builds.JobPaths[j.Name] {
					t.Errorf("%s: the path of %s is %q", c.ID, j.Name, s.Builds.JobPaths[j.Name])
				}
				for number, at := range d.Builds.Jobs[j.Name] {
					i, ok := s.Builds.Jobs[j.Name][number]
					if !ok || s.Builds.Cols.Started[i] != d.Builds.Cols.Started[at] || s.Builds.Cols.Result[i] != d.Builds.Cols.Result[at] {
						t.Errorf("%s: build %d of %s is not the one it was", c.ID, number, j.Name)
					}
				}
			}
		}
	}
	all := 0
	for _, c := range d.Clustered {
		all += c.Hits()
	}
	if hits != all {
		t.Errorf("the slices have %d hits, the whole %d", hits, all)
	}
	if none := d.Slice(func(ClusterData) bool { return false }); len(none.Clustered) != 0 || len(none.Builds.Jobs) != 0 {
		t.Errorf("a slice of nothing: %+v", none)
	}
}

// Files may lack columns; so may the slices of them.
func TestSliceWithoutColumns(t *testing.T) {
	t.Parallel()
	d, err := ReadData(strings.NewReader(`{"clustered":[{"key":"k","id":"a","text":"x","tests":[{"name":"t","jobs":[{"name":"j","builds":["1"]},{"name":"lost","builds":["9"]}]}]}],
"builds":{"jobs":{"j":[1,2,0]},"cols":{"started":[5,6]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Slice(func(ClusterData) bool { return true })
	if !slices.Equal(s.Builds.Cols.Started, []int64{5, 6}) || len(s.Builds.Cols.Result) != 0 {
		t.Errorf("%+v", s.Builds)
	}
	var file bytes.Buffer
	if err := s.Write(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadData(&file); err != nil {
		t.Errorf("a slice that cannot be read: %v", err)
	}
}

// An index that was damaged is refused, whole, and says what is wrong.
func TestDamagedIndexes(t *testing.T) {
	t.Parallel()
	x := NewIndex(clusterAll(t, sample(7, 5, 20), Options{}))
	sound, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var again Index
	if err := json.Unmarshal(sound, &again); err != nil || again.Len() != x.Len() {
		t.Fatalf("%d statements of %d, %v", again.Len(), x.Len(), err)
	}
	for _, c := range []struct{ text, want string }{
		{`[]`, "reading an index of failures"},
		{`{"version":99}`, "version 99, not 1"},
		{`{}`, "version 0, not 1"},
		{`{"version":1,"statements":[{"id":"a","hash":"x"}]}`, "reading an index of failures"},
		{`{"version":1,"statements":[{"id":"a","hash":"1","lines":"!"}]}`, "statement 0"},
		{`{"version":1,"statements":[{"id":"a","hash":"1","lines":"AAAA"}]}`, "statement 0 is cut short"},
		{`{"version":1,"statements":[{"id":"a","hash":"1","lines":"AAAAAAAAAAD/"}]}`, "without weight"},
	} {
		var x Index
		if err := json.Unmarshal([]byte(c.text), &x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}
