package steps

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
)

// Names of what is kept, below the artifacts.
const (
	ReportFile = "steps.json"
	junitFile  = "junit_steps.xml"
	logFolder  = "steps"
	logFile    = "build-log.txt"
)

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// openLog opens the file that keeps a step's log.
func (b *build) openLog(i int) (io.WriteCloser, error) {
	if b.o.Artifacts == "" {
		return nothing{}, nil
	}
	label := unsafe.ReplaceAllString(b.o.Plan.Steps[i].Label, "-")
	name := path.Join(logFolder, fmt.Sprintf("%02d-%s", i, label[:min(len(label), 60)]), logFile)
	file := filepath.Join(b.o.Artifacts, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("keeping the log: %w", err)
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("keeping the log: %w", err)
	}
	b.set(i, func(s *Step) { s.Log = name })
	return f, nil
}

// nothing takes a log that is not kept.
type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }

// progress writes the report of a build that runs, for those who watch it. Call
// it with the lock held.
func (b *build) progress() error {
	return b.keepReport(Report{State: Running, Started: b.began, Seconds: b.o.Now().Sub(b.began).Seconds(), Tags: b.o.Plan.Tags, Steps: b.all})
}

// keepReport writes the report for machines: whole, for somebody may read it
// at this moment.
func (b *build) keepReport(r Report) error {
	if b.o.Artifacts == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.MkdirAll(b.o.Artifacts, 0o755); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	file := filepath.Join(b.o.Artifacts, ReportFile)
	part := filepath.Join(b.o.Artifacts, "."+ReportFile+".part")
	if err := os.WriteFile(part, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.Rename(part, file); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// keep writes the report, also as tests for grids.
func (b *build) keep(r Report) error {
	if b.o.Artifacts == "" {
		return nil
	}
	if err := b.keepReport(r); err != nil {
		return err
	}
	tests, err := xml.MarshalIndent(suiteOf(r), "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.o.Artifacts, junitFile), append([]byte(xml.Header), tests...), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// suite is a JUnit file in which each step is a test.
type suite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Time     string     `xml:"time,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Name    string    `xml:"name,attr"`
	Time    string    `xml:"time,attr"`
	Failure *reason   `xml:"failure,omitempty"`
	Skipped *struct{} `xml:"skipped,omitempty"`
}

type reason struct {
	Message string `xml:"message,attr"`
}

func suiteOf(r Report) suite {
	s := suite{Name: "steps", Tests: len(r.Steps), Time: decimal(r.Seconds)}
	for _, step := range r.Steps {
		c := testCase{Name: fmt.Sprintf("%02d %s", step.Index, step.Label), Time: decimal(step.Seconds)}
		switch step.State {
		case Failed, TimedOut:
			s.Failures++
			c.Failure = &reason{step.Says}
		case NotRun, Stopped, Allowed:
			c.Skipped = &struct{}{}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

func decimal(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }

// lines lets several write to one, a line at a time.
type lines struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (l *lines) write(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.w.Write(p)
	}
}

func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// of returns a writer that begins each line with a name.
func (l *lines) of(prefix string) *named { return &named{to: l, prefix: prefix} }

// named collects the bytes of one step into lines.
type named struct {
	to     *lines
	prefix string
	rest   []byte
}

// longLine is passed on before it ends.
const longLine = 64 << 10

// Write implements io.Writer. It never fails: a log nobody reads stops no build.
func (n *named) Write(p []byte) (int, error) {
	n.rest = append(n.rest, p...)
	for {
		i := bytes.IndexByte(n.rest, '\n')
		if i < 0 && len(n.rest) < longLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(n.rest) - 1
		}
		n.pass(n.rest[:i+1])
		n.rest = n.rest[i+1:]
	}
}

func (n *named) pass(line []byte) {
	out := append([]byte(n.prefix), bytes.TrimSuffix(line, []byte("\n"))...)
	n.to.write(append(out, '\n'))
}

func (n *named) end() error {
	if len(n.rest) > 0 {
		n.pass(n.rest)
		n.rest = nil
	}
	return nil
}
