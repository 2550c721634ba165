package result

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
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
	// the test printed, shortly. Long ones are cut in the middle.
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
	Output  int   // bytes kept of what a passing test printed; 1,000
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
	if l.Output == 0 {
		l.Output = 1000
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
// with a skipped element that gives no reason is left out, as frameworks write
// one for each test that was not selected. Class names are not read. Bytes that
// are not UTF-8 or not allowed in XML are replaced, document types that define
// entities are refused, and files compressed with gzip are unpacked. Memory does not grow with the file, but with the tests
// in it. The tests before a fault are returned along with a *MalformedError;
// other errors are the reader's.
func ParseJUnit(r io.Reader, limits Limits) ([]TestResult, error) {
	var p junitParser
	err := p.parse(r, limits)
	return p.tests, err
}

// junitSuites is what a file says besides its tests.
type junitSuites struct {
	begun time.Time // when the first suite began; zero if none says
	other bool      // it is no JUnit file, but XML of another kind
}

// junitParser reads one file after the other, in the same memory.
type junitParser struct {
	xml    xmlScanner
	limits Limits
	tests  []TestResult
	junitSuites

	suites []int // length of prefix before each suite we are in
	prefix []byte
	name   []byte // of the test

	value, label text // of attributes
	details      [len(detailNames)]detail
	properties   []property
}

// detailNames are the elements that say how a test went, in the order in which
// they are asked for a message.
var detailNames = [...]string{"error", "failure", "skipped", "system-err", "system-out"}

const (
	errorDetail = iota
	failureDetail
	skippedDetail
)

type detail struct {
	seen          bool
	message, body text
}

type property struct{ name, value string }

// mostAnnounced is how many tests are believed that a suite announces, which
// is where memory is set aside.
const mostAnnounced = 4096

// Bounds of what is kept of one test's properties.
const (
	mostProperties  = 1000
	longestProperty = 1000
)

// parse reads the tests of one file into tests, which it empties first without
// touching what was there.
func (p *junitParser) parse(r io.Reader, limits Limits) error {
	limits = limits.withDefaults()
	p.limits, p.tests, p.junitSuites = limits, nil, junitSuites{}
	p.suites, p.prefix = p.suites[:0], p.prefix[:0]
	input := &cappedReader{r: unpacked(r), left: limits.Bytes}
	in, err := decoded(input)
	if err != nil {
		return fmt.Errorf("reading JUnit: %w", err)
	}
	p.xml.reset(in)
	p.document()
	if len(p.tests) == 0 {
		p.tests = nil
	}
	var unreadable *MalformedError
	switch err := p.xml.err; {
	case errors.As(err, &unreadable):
		return &MalformedError{p.xml.line(), unreadable.Why}
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("reading JUnit: %w", err)
	case input.more:
		return &MalformedError{p.xml.line(), fmt.Sprintf("larger than %d bytes", limits.Bytes)}
	case p.xml.fault != nil:
		return p.xml.fault
	}
	return nil
}

func (p *junitParser) document() {
	for root := false; ; {
		switch p.xml.next(nil) {
		case noToken:
			if !root {
				p.xml.malformed("no testsuites and no testsuite in it")
			}
			return
		case endToken:
			if string(local(p.xml.name)) == "testsuite" {
				last := len(p.suites) - 1
				p.prefix, p.suites = p.prefix[:p.suites[last]], p.suites[:last]
			}
		case startToken:
			name := local(p.xml.name)
			if !root && string(name) != "testsuites" && string(name) != "testsuite" {
				p.other = true
				p.xml.malformed("the root is %s, not testsuites or testsuite", name)
				return
			}
			root = true
			switch string(name) {
			case "testsuites":
			case "testsuite":
				p.suite()
			case "testcase":
				p.testcase()
			default:
				p.skip()
			}
		}
	}
}

// suite begins one; until it ends, its name stands before those in it.
func (p *junitParser) suite() {
	if len(p.suites) >= p.limits.Depth {
		p.xml.malformed("suites nest deeper than %d", p.limits.Depth)
		return
	}
	p.suites = append(p.suites, len(p.prefix))
	var hasName, hasTime bool
	for p.xml.attribute() {
		switch key := string(local(p.xml.key)); {
		case key == "name" && !hasName:
			hasName = true
			before := len(p.prefix)
			if p.prefix = p.attribute(p.prefix); len(p.prefix) > before {
				p.prefix = append(p.prefix, '.')
			}
		case key == "tests" && p.tests == nil:
			if n, err := strconv.Atoi(string(p.attribute(nil))); err == nil && n > 0 {
				p.tests = make([]TestResult, 0, min(n, mostAnnounced))
			}
		case key == "timestamp" && !hasTime:
			hasTime = true
			if t := timestamp(string(p.attribute(nil))); p.begun.IsZero() || !t.IsZero() && t.Before(p.begun) {
				p.begun = t
			}
		}
	}
}

// attribute appends the value of the attribute.
func (p *junitParser) attribute(into []byte) []byte {
	p.value.reset(p.limits.Message)
	p.xml.value(&p.value)
	return p.value.append(into)
}

// skip passes over an element that has begun.
func (p *junitParser) skip() {
	for outside := len(p.xml.marks) - 1; len(p.xml.marks) > outside && p.xml.next(nil) != noToken; {
	}
}

func (p *junitParser) testcase() {
	if len(p.tests) >= p.limits.Tests {
		p.xml.malformed("more than %d tests", p.limits.Tests)
		return
	}
	for i := range p.details {
		p.details[i].seen = false
	}
	p.properties = p.properties[:0]
	p.name = append(p.name[:0], p.prefix...)
	var test TestResult
	var hasName, hasTime bool
	for p.xml.attribute() {
		switch key := p.xml.key; {
		case !hasName && string(local(key)) == "name":
			hasName = true
			p.name = p.attribute(p.name)
		case !hasTime && string(local(key)) == "time":
			hasTime = true
			p.value.reset(p.limits.Message)
			p.xml.value(&p.value)
			test.Duration = duration(p.value.head)
		}
	}
	if len(p.name) == len(p.prefix) && len(p.name) > 0 {
		p.name = p.name[:len(p.name)-1] // nothing follows the dot
	}
	for outside := len(p.xml.marks) - 1; ; {
		switch p.xml.next(nil) {
		case noToken:
			return
		case startToken:
			p.inside()
		case endToken:
			if len(p.xml.marks) > outside {
				continue
			}
			if p.judge(&test) {
				test.Name = string(p.name)
				p.measure(&test)
				p.tests = append(p.tests, test)
			}
			return
		}
	}
}

// inside reads one element of a test.
func (p *junitParser) inside() {
	switch name := local(p.xml.name); string(name) {
	case "properties": // may hold some
	case "property":
		p.property()
	default:
		for i, d := range detailNames {
			if d == string(name) {
				p.detail(&p.details[i])
				return
			}
		}
		p.skip()
	}
}

// detail reads the message and the text of an element; of several with one
// name, the first counts.
func (p *junitParser) detail(d *detail) {
	if d.seen {
		p.skip()
		return
	}
	d.seen = true
	d.message.reset(p.limits.Message)
	d.body.reset(p.limits.Message)
	for hasMessage := false; p.xml.attribute(); {
		if !hasMessage && string(local(p.xml.key)) == "message" {
			hasMessage = true
			p.xml.value(&d.message)
		}
	}
	p.text(&d.body)
}

// text reads to the end of the element that has begun.
func (p *junitParser) text(into *text) {
	for outside := len(p.xml.marks) - 1; len(p.xml.marks) > outside && p.xml.next(into) != noToken; {
	}
}

// property reads one; its value may be an attribute or the text.
func (p *junitParser) property() {
	p.label.reset(longestProperty)
	p.value.reset(longestProperty)
	var hasName, hasValue bool
	for p.xml.attribute() {
		switch key := local(p.xml.key); {
		case !hasName && string(key) == "name":
			hasName = true
			p.xml.value(&p.label)
		case !hasValue && string(key) == "value":
			hasValue = true
			p.xml.value(&p.value)
		}
	}
	if hasValue {
		p.skip()
	} else {
		p.text(&p.value)
	}
	if hasName && len(p.properties) < mostProperties {
		p.properties = append(p.properties, property{string(p.label.append(nil)), strings.TrimSpace(string(p.value.append(nil)))})
	}
}

// measure turns properties into metrics and texts.
func (p *junitParser) measure(test *TestResult) {
	if len(p.properties) == 0 {
		return
	}
	test.Properties = make(map[string]string, len(p.properties))
	counts := map[string]int{}
	for _, property := range p.properties {
		if _, ok := test.Properties[property.name]; !ok {
			test.Properties[property.name] = property.value
		}
		v, err := strconv.ParseFloat(property.value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if test.Metrics == nil {
			test.Metrics = map[string]float64{}
		}
		counts[property.name]++
		// Step by step, for a sum might be infinite.
		mean := test.Metrics[property.name]
		test.Metrics[property.name] = mean + (v/float64(counts[property.name]) - mean/float64(counts[property.name]))
	}
}

// judge settles status and message; it reports false for a test to leave out.
func (p *junitParser) judge(test *TestResult) bool {
	skipped := &p.details[skippedDetail]
	switch {
	case p.details[errorDetail].seen || p.details[failureDetail].seen:
		test.Status = Fail
	case skipped.seen:
		test.Status = Skip
		if skipped.body.blank() && (skipped.message.blank() || skipped.message.says("skipped")) {
			return false
		}
	default:
		test.Status = Pass
	}
	for i := range p.details {
		if d := &p.details[i]; d.seen && !(d.body.blank() && d.message.blank()) {
			test.Message = d.compose()
			break
		}
	}
	if test.Status == Pass && len(test.Message) > p.limits.Output {
		var short text
		short.reset(p.limits.Output)
		short.add([]byte(test.Message))
		test.Message = string(short.append(nil))
	}
	return true
}

// compose puts the message before the text, unless the text says it, too.
func (d *detail) compose() string {
	body := d.body.append(nil)
	if d.message.blank() {
		return strings.TrimSpace(string(body))
	}
	message := d.message.append(nil)
	if d.body.blank() {
		return strings.TrimSpace(string(message))
	}
	if first, _, _ := bytes.Cut(message, []byte("\n")); len(first) > 0 && !bytes.Contains(body, first) {
		message = append(append(message, '\n'), body...)
		return strings.TrimSpace(string(message))
	}
	return strings.TrimSpace(string(body))
}

// timestamp reads the time of a suite, in UTC if it names no zone.
func timestamp(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// duration is seconds for what most write: digits, a point, digits. Up to
// fifteen of them are exact in a float64.
func duration(b []byte) time.Duration {
	digits, after, point := 0, 0, false
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' && len(b) <= 16:
			digits = digits*10 + int(c-'0')
			if point {
				after++
			}
		case c == '.' && !point:
			point = true
		default:
			return seconds(string(b))
		}
	}
	if len(b) == 0 || len(b) == 1 && point {
		return 0
	}
	f := float64(digits) / tens[after]
	if f > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

// seconds reads a time attribute; some writers group thousands with commas.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
