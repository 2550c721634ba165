package result

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Status of a test.
type Status string

// Test statuses.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// TestResult is the outcome of one test in one build.
type TestResult struct {
	// Name is the test's, with the names of the suites around it before it,
	// joined by dots. One name may occur several times in a build.
	Name     string
	Status   Status
	Duration time.Duration
	// Message says why it failed or was skipped; for a passing test it is what
	// the test printed. Long ones are cut in the middle.
	Message string
	// Metrics are the numeric properties of the test; of several with one name
	// the mean.
	Metrics map[string]float64
	// Properties are the values of all its properties, the first of each name,
	// as far as they are not long.
	Properties map[string]string
	// File is the artifact it was read from, Context and Thread what its name
	// says of it: junit_CONTEXT_20260102-1504_THREAD.xml.
	File, Context, Thread string
}

// Limits bound what ParseJUnit takes from a file. Zero fields mean the
// defaults.
type Limits struct {
	Bytes   int64 // of the file; 100 MB
	Tests   int   // 200,000
	Message int   // bytes kept of a message; 10,000
	Depth   int   // of nested suites; 64
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 100_000_000
	}
	if l.Tests == 0 {
		l.Tests = 200_000
	}
	if l.Message == 0 {
		l.Message = 10_000
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	return l
}

// MalformedError says that a file is no JUnit file, or not to its end.
type MalformedError struct {
	Line int // 0 if it is not about one
	Why  string
}

// Error implements error.
func (e *MalformedError) Error() string {
	if e.Line == 0 {
		return "malformed JUnit file: " + e.Why
	}
	return fmt.Sprintf("malformed JUnit file: line %d: %s", e.Line, e.Why)
}

// ParseJUnit reads the tests of a JUnit file, whose root is testsuites or
// testsuite; suites may nest. A test with an error or failure has failed; one
// with an empty skipped element is left out, as frameworks write one for each
// test that was not selected. Bytes that are not UTF-8 or not allowed in XML
// are replaced, document types that define entities are refused. The tests
// before a fault are returned along with a *MalformedError; other errors are
// the reader's.
func ParseJUnit(r io.Reader, limits Limits) ([]TestResult, error) {
	limits = limits.withDefaults()
	input := &xmlInput{r: r, left: limits.Bytes}
	dec := xml.NewDecoder(input)
	dec.Strict = false
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) { return in, nil }
	p := junitParser{dec: dec, limits: limits}
	err := p.document()
	if input.err != nil {
		return p.tests, fmt.Errorf("reading JUnit: %w", input.err)
	}
	if input.cut {
		line, _ := dec.InputPos()
		return p.tests, &MalformedError{line, fmt.Sprintf("larger than %d bytes", limits.Bytes)}
	}
	var malformed *MalformedError
	if err != nil && !errors.As(err, &malformed) {
		line, _ := dec.InputPos()
		err = &MalformedError{line, err.Error()}
	}
	return p.tests, err
}

type junitParser struct {
	dec    *xml.Decoder
	limits Limits
	tests  []TestResult
	suites []string // names of the suites we are in
}

func (p *junitParser) malformed(format string, args ...any) error {
	line, _ := p.dec.InputPos()
	return &MalformedError{line, fmt.Sprintf(format, args...)}
}

func (p *junitParser) document() error {
	root := false
	for depth := 0; ; {
		t, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			if !root {
				return p.malformed("no testsuites and no testsuite in it")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Directive:
			if bytes.Contains(bytes.ToUpper(t), []byte("ENTITY")) {
				return p.malformed("it defines entities, which are not read")
			}
		case xml.StartElement:
			depth++
			if depth > p.limits.Depth {
				return p.malformed("suites nest deeper than %d", p.limits.Depth)
			}
			if !root && t.Name.Local != "testsuites" && t.Name.Local != "testsuite" {
				return p.malformed("the root is %s, not testsuites or testsuite", t.Name.Local)
			}
			root = true
			if err := p.element(t, &depth); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
			if t.Name.Local == "testsuite" && len(p.suites) > 0 {
				p.suites = p.suites[:len(p.suites)-1]
			}
		}
	}
}

// element begins a suite, reads a test or passes over anything else.
func (p *junitParser) element(t xml.StartElement, depth *int) error {
	switch t.Name.Local {
	case "testsuites":
		return nil
	case "testsuite":
		p.suites = append(p.suites, attr(t, "name"))
		return nil
	case "testcase":
		*depth--
		if len(p.tests) >= p.limits.Tests {
			return p.malformed("more than %d tests", p.limits.Tests)
		}
		return p.testcase(t)
	}
	*depth--
	return p.dec.Skip()
}

func (p *junitParser) testcase(start xml.StartElement) error {
	test := TestResult{Name: p.name(attr(start, "name")), Status: Pass, Duration: seconds(attr(start, "time"))}
	texts := map[string]*string{}
	for inProperties := 0; ; {
		t, err := p.dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if inProperties > 0 {
				inProperties--
				continue
			}
			if judge(&test, texts) {
				p.tests = append(p.tests, test)
			}
			return nil
		case xml.StartElement:
			if t.Name.Local == "properties" {
				inProperties++
				continue
			}
			if err := p.detail(t, &test, texts); err != nil {
				return err
			}
		}
	}
}

// detail reads one element inside a testcase.
func (p *junitParser) detail(t xml.StartElement, test *TestResult, texts map[string]*string) error {
	name := t.Name.Local
	switch name {
	case "error", "failure", "skipped", "system-err", "system-out":
	case "property":
		if v, err := strconv.ParseFloat(attr(t, "value"), 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			if test.Metrics == nil {
				test.Metrics = map[string]float64{}
			}
			test.Metrics[attr(t, "name")] = v
		}
		return p.dec.Skip()
	default:
		return p.dec.Skip()
	}
	body, err := p.text()
	if err != nil {
		return err
	}
	message := attr(t, "message")
	if strings.TrimSpace(body) == "" {
		body = message
	} else if name == "failure" || name == "error" {
		if first, _, _ := strings.Cut(message, "\n"); first != "" && !strings.Contains(body, first) {
			body = message + "\n" + body
		}
	}
	if texts[name] == nil {
		texts[name] = &body
	}
	return nil
}

// judge settles status and message; it reports false for a test to leave out.
func judge(test *TestResult, texts map[string]*string) bool {
	switch {
	case texts["error"] != nil || texts["failure"] != nil:
		test.Status = Fail
	case texts["skipped"] != nil:
		test.Status = Skip
		if s := strings.TrimSpace(*texts["skipped"]); s == "" || s == "skipped" {
			return false
		}
	}
	for _, name := range []string{"error", "failure", "skipped", "system-err", "system-out"} {
		if t := texts[name]; t != nil && strings.TrimSpace(*t) != "" {
			test.Message = strings.TrimSpace(*t)
			break
		}
	}
	return true
}

// text reads to the end of the current element, keeping the beginning and the
// end of what is too long.
func (p *junitParser) text() (string, error) {
	var head, tail []byte
	half := p.limits.Message / 2
	cut := false
	for depth := 1; depth > 0; {
		t, err := p.dec.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			n := min(len(t), half-len(head))
			head = append(head, t[:n]...)
			tail = append(tail, t[n:]...)
			if len(tail) > 2*half {
				cut = true
				tail = append(tail[:0], tail[len(tail)-half:]...)
			}
		}
	}
	if len(tail) > half {
		cut = true
		tail = tail[len(tail)-half:]
	}
	if !cut {
		return string(head) + string(tail), nil
	}
	return strings.ToValidUTF8(string(head), "") + "\n[…]\n" + strings.ToValidUTF8(string(tail), ""), nil
}

func (p *junitParser) name(test string) string {
	parts := make([]string, 0, len(p.suites)+1)
	for _, s := range append(p.suites, test) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ".")
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// seconds reads a time attribute; some writers group thousands with commas.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// xmlInput passes a file on with every byte that XML does not allow replaced,
// up to a number of bytes.
type xmlInput struct {
	r    io.Reader
	left int64
	cut  bool  // there was more than allowed
	err  error // of r
	in   []byte
	out  []byte
	done bool
}

// Read implements io.Reader.
func (x *xmlInput) Read(p []byte) (int, error) {
	for len(x.out) == 0 {
		if x.done {
			return 0, io.EOF
		}
		x.fill()
	}
	n := copy(p, x.out)
	x.out = x.out[n:]
	return n, nil
}

func (x *xmlInput) fill() {
	buf := make([]byte, 32<<10)
	kept := copy(buf, x.in)
	n, err := x.r.Read(buf[kept:])
	if int64(n) > x.left {
		n, x.cut, x.done = int(x.left), true, true
	}
	x.left -= int64(n)
	if err != nil {
		x.done = true
		if !errors.Is(err, io.EOF) {
			x.err = err
		}
	}
	x.out, x.in = allowed(buf[:kept+n], x.done)
}

// allowed rewrites what XML 1.0 forbids; the rest is a rune not yet complete.
func allowed(in []byte, end bool) (out, rest []byte) {
	out = make([]byte, 0, len(in)+8)
	for i := 0; i < len(in); {
		c := in[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				out = append(out, "\uFFFD"...)
			} else {
				out = append(out, c)
			}
			i++
			continue
		}
		if !end && !utf8.FullRune(in[i:]) {
			return out, append([]byte(nil), in[i:]...)
		}
		r, n := utf8.DecodeRune(in[i:])
		if r == 0xFFFE || r == 0xFFFF {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return out, nil
}
