package result

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// JUnitAnnotation asks for a JUnit file to be made of a job's log. Its value
// names what wrote the log: "go-test" for go test -v or go test -json.
const JUnitAnnotation = "seaworthy/junit"

// GoTest is the value of JUnitAnnotation for which JUnitFromGoTest is made.
const GoTest = "go-test"

// maxTestOutput bounds what is kept of one test's output, maxLine how long a
// line may be.
const (
	maxTestOutput = 64 << 10
	maxLine       = 4 << 20
)

// JUnitFromGoTest reads what go test -v or go test -json printed, other lines
// in between included, and writes a JUnit file with one suite for each package.
// It reports how many tests it found; with none, nothing is written. A package
// that did not build, or failed outside of its tests, has a failing test
// "(package)".
func JUnitFromGoTest(r io.Reader, w io.Writer) (int, error) {
	g := goTests{open: map[string]*goPackage{}, messages: map[string]*strings.Builder{}}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if len(line) > 0 {
			g.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("reading the output of go test: %w", err)
		}
	}
	g.end()
	return g.write(w)
}

// readLine returns a line without its end, cut at maxLine.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if room := maxLine - len(line); len(part) > room {
			line = append(line, part[:room]...)
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(bytes.TrimRight(line, "\r\n")), err
		}
	}
}

type goPackage struct {
	name    string
	order   []*goTest
	tests   map[string]*goTest
	current *goTest
	output  strings.Builder // outside of tests
	result  string          // ok, FAIL, skip; empty while it runs
	elapsed time.Duration
	// building names the package whose compiler messages we are reading.
	building string
}

type goTest struct {
	name    string
	status  string // PASS, FAIL, SKIP; empty while it runs
	elapsed time.Duration
	output  strings.Builder
}

type goTests struct {
	packages []*goPackage
	open     map[string]*goPackage // by import path; "" is the one of -v
	// messages of the compiler by import path: go test -v prints them among
	// the output of other packages.
	messages map[string]*strings.Builder
}

func (g *goTests) pkg(name string) *goPackage {
	p := g.open[name]
	if p == nil {
		p = &goPackage{name: name, tests: map[string]*goTest{}}
		g.open[name] = p
	}
	return p
}

func (g *goTests) close(p *goPackage, key string) {
	delete(g.open, key)
	g.packages = append(g.packages, p)
}

// end closes packages of which the end was never printed.
func (g *goTests) end() {
	for key, p := range g.open {
		if len(p.order) > 0 {
			p.result = "FAIL"
			g.close(p, key)
		}
	}
}

func (p *goPackage) test(name string) *goTest {
	t := p.tests[name]
	if t == nil {
		t = &goTest{name: name}
		p.tests[name] = t
		p.order = append(p.order, t)
	}
	return t
}

// event is a line of go test -json (go doc cmd/test2json).
type event struct {
	Action  string
	Package string
	// ImportPath names the package of build-output and build-fail.
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

func (g *goTests) line(line string) {
	if strings.HasPrefix(line, "{") {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.Action != "" {
			g.event(e)
			return
		}
	}
	g.text(line)
}

func (g *goTests) event(e event) {
	if e.Package == "" {
		if e.ImportPath != "" && e.Output != "" {
			name, _, _ := strings.Cut(e.ImportPath, " ")
			keep(&g.pkg(name).output, e.Output)
		}
		return
	}
	p := g.pkg(e.Package)
	elapsed := time.Duration(e.Elapsed * float64(time.Second))
	status := map[string]string{"pass": "PASS", "fail": "FAIL", "skip": "SKIP"}[e.Action]
	switch {
	case e.Test == "" && status != "":
		p.elapsed = elapsed
		p.result = map[string]string{"PASS": "ok", "FAIL": "FAIL", "SKIP": "skip"}[status]
		g.close(p, e.Package)
	case e.Test == "" && e.Action == "output":
		keep(&p.output, e.Output)
	case e.Test == "":
	case status != "":
		t := p.test(e.Test)
		t.status, t.elapsed = status, elapsed
	case e.Action == "output" && !marker.MatchString(e.Output):
		keep(&p.test(e.Test).output, e.Output)
	default:
		p.test(e.Test)
	}
}

var (
	marker   = regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME)\s|\s*--- (PASS|FAIL|SKIP): )`)
	switchTo = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME)\s+(\S+)\s*$`)
	verdict  = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \((\d+(?:\.\d+)?)s\)$`)
	summary  = regexp.MustCompile(`^(ok  |FAIL|\?   )\t(\S+)(?:\t(.*)| (\[.*\]))?$`)
	buildOut = regexp.MustCompile(`^# (\S+)`)
)

// text reads a line of go test -v.
func (g *goTests) text(line string) {
	p := g.pkg("")
	if m := switchTo.FindStringSubmatch(line); m != nil {
		p.current, p.building = p.test(m[2]), ""
		return
	}
	if m := verdict.FindStringSubmatch(line); m != nil {
		p.current, p.building = p.test(m[2]), ""
		p.current.status, p.current.elapsed = m[1], seconds(m[3])
		return
	}
	if m := summary.FindStringSubmatch(line); m != nil {
		g.summary(p, line, m)
		return
	}
	if m := buildOut.FindStringSubmatch(line); m != nil {
		p.building = m[1]
		g.messages[m[1]] = &strings.Builder{}
	}
	switch {
	case p.building != "":
		keep(g.messages[p.building], line+"\n")
	case line == "PASS" || line == "FAIL" || strings.HasPrefix(line, "exit status "):
	case p.current != nil && (p.current.status == "" || p.current.status == "FAIL" || strings.HasPrefix(line, " ")):
		// A panic is printed after the verdict on the test.
		keep(&p.current.output, line+"\n")
	default:
		keep(&p.output, line+"\n")
	}
}

// summary closes the package that a line such as "ok  <tab>PATH<tab>0.1s" is of.
func (g *goTests) summary(p *goPackage, line string, m []string) {
	p.name = m[2]
	p.result = map[string]string{"ok  ": "ok", "FAIL": "FAIL"}[m[1]]
	p.elapsed = seconds(strings.TrimSuffix(m[3], "s"))
	if text := g.messages[p.name]; text != nil {
		keep(&p.output, text.String())
	}
	if strings.Contains(m[3]+m[4], "[") {
		keep(&p.output, line+"\n")
	}
	g.close(p, "")
}

func keep(b *strings.Builder, s string) {
	if room := maxTestOutput - b.Len(); room > 0 {
		b.WriteString(s[:min(room, len(s))])
	}
}

type suitesXML struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suites  []suiteXML `xml:"testsuite"`
}

type suiteXML struct {
	Name     string    `xml:"name,attr"`
	Tests    int       `xml:"tests,attr"`
	Failures int       `xml:"failures,attr"`
	Skipped  int       `xml:"skipped,attr"`
	Time     string    `xml:"time,attr"`
	Cases    []caseXML `xml:"testcase"`
}

type caseXML struct {
	Name    string     `xml:"name,attr"`
	Time    string     `xml:"time,attr"`
	Failure *detailXML `xml:"failure"`
	Skipped *detailXML `xml:"skipped"`
}

type detailXML struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (g *goTests) write(w io.Writer) (int, error) {
	doc, n := suitesXML{}, 0
	for _, p := range g.packages {
		if s := p.suite(); s.Tests > 0 {
			doc.Suites = append(doc.Suites, s)
			n += s.Tests
		}
	}
	if n == 0 {
		return 0, nil
	}
	data, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("writing JUnit: %w", err)
	}
	if _, err := w.Write(append(append([]byte(xml.Header), data...), '\n')); err != nil {
		return 0, fmt.Errorf("writing JUnit: %w", err)
	}
	return n, nil
}

func (p *goPackage) suite() suiteXML {
	s := suiteXML{Name: p.name, Time: decimal(p.elapsed)}
	for _, t := range p.order {
		c := caseXML{Name: t.name, Time: decimal(t.elapsed)}
		text := strings.TrimSpace(t.output.String())
		switch {
		case t.status == "FAIL":
			c.Failure = &detailXML{headline(text, "failed"), text}
		case t.status == "SKIP":
			c.Skipped = &detailXML{headline(text, "skipped"), text}
		case t.status == "" && p.result != "ok":
			c.Failure = &detailXML{"did not finish", text}
		}
		s.add(c)
	}
	if p.result == "FAIL" && s.Failures == 0 {
		s.add(caseXML{Name: "(package)", Time: decimal(0), Failure: &detailXML{"failed outside of its tests", strings.TrimSpace(p.output.String())}})
	}
	return s
}

func (s *suiteXML) add(c caseXML) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
}

// headline is the first line of a text, or the fallback if there is none.
func headline(text, fallback string) string {
	line, _, _ := strings.Cut(text, "\n")
	if line == "" || len(line) > 200 {
		return fallback
	}
	return line
}

func decimal(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
