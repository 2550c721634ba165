package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/job/run"
)

const runsPerPage = 50

func (s *Site) runs(r *http.Request) (view, error) {
	type runsPage struct {
		Filters []filter
		Runs    []job.Execution
		Older   string
	}
	f := job.ExecutionFilter{Repo: r.FormValue("repo"), Job: r.FormValue("job"), Before: r.FormValue("before"), Limit: runsPerPage}
	switch r.FormValue("state") {
	case "going":
		f.States = []job.State{job.Triggered, job.Pending}
	case "failed":
		f.States = []job.State{job.Failure, job.Errored}
	case "passed":
		f.States = []job.State{job.Success}
	}
	p := runsPage{Filters: filters(r, "state", [2]string{"All", ""}, [2]string{"Going", "going"}, [2]string{"Failed", "failed"}, [2]string{"Passed", "passed"})}
	if f.Job != "" {
		p.Filters = append(p.Filters, filter{Label: "job: " + f.Job + " ✕", Link: "/runs", Current: true})
	}
	var err error
	if p.Runs, err = s.Runs.Executions(r.Context(), f); err != nil {
		return view{}, err
	}
	if len(p.Runs) == runsPerPage {
		q := r.URL.Query()
		q.Set("before", p.Runs[len(p.Runs)-1].BuildID)
		p.Older = (&url.URL{Path: "/runs", RawQuery: q.Encode()}).String()
	}
	return view{page: "runs", Title: "Runs", Nav: "runs", Topics: "runs", Data: p}, nil
}

type logLine struct {
	Number int
	Text   string
	Hit    bool
}

// Lines that a person looking for a failure wants to see first.
var hit = regexp.MustCompile(`^\s*--- FAIL|^FAIL\b|^panic:|\berror:|\bError:|\bERROR\b|^fatal:`)

// A page shows the end of a log, at most this many lines.
const logLines = 2000

type runPage struct {
	Repo    string
	Grid    string
	Run     job.Execution
	Mark    Mark
	Builds  []stepsBuild
	Tests   []failedTest
	Counted string // how many of the tests failed
	Known   []knownRow
	Unknown string // why it is not known what the target branch knows
	Lines   []logLine
	Skipped string
	Live    bool
	Size    int64
}

type failedTest struct {
	ID      string
	Anchor  string // where links to the test lead
	Name    string
	Message string
	Took    time.Duration
	Link    string // the page of the test
	Grid    string // its row in the job's grid
	Cluster string // of its failure
}

// Failures of a run whose clusters are looked for at most.
const clusterLookups = 50

func (s *Site) run(r *http.Request) (view, error) {
	e, err := s.Runs.Execution(r.Context(), r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	p := runPage{Run: e, Mark: runMark(e)}
	if p.Repo = s.gridHome(r.Context(), e); p.Repo != "" {
		p.Grid = gridLink(p.Repo, e.Job, "")
	}
	if d := took(s.duration(e)); d != "" && e.State.Final() {
		p.Mark.Word += " in " + d
	}
	if err := s.failedTests(r.Context(), &p); err != nil {
		return view{}, err
	}
	if p.Known, err = s.known(r.Context(), e, p.Tests); err != nil {
		s.Log.Warn("known failures", "run", e.BuildID, "error", err)
		p.Unknown = err.Error() // the run itself can be shown
	}
	if p.Builds, err = s.builds(r.Context(), e); err != nil {
		return view{}, err
	}
	log, size, live, err := s.Runs.Logs(r.Context(), e.ID, 0)
	if err != nil {
		return view{}, fmt.Errorf("opening the log of %s: %w", e.BuildID, err)
	}
	p.Lines, err = tail(log, logLines)
	if err := errors.Join(err, log.Close()); err != nil {
		return view{}, fmt.Errorf("reading the log of %s: %w", e.BuildID, err)
	}
	if len(p.Lines) > 0 && p.Lines[0].Number > 1 {
		p.Skipped = plural(p.Lines[0].Number-1, "line", "lines")
	}
	p.Size, p.Live = size, live
	topics := run.Topic(e.ID) + " " + run.LogTopic(e.ID)
	return view{page: "run", Title: e.Job + " " + p.Mark.Word, Nav: "runs", Topics: topics, Data: p}, nil
}

// failedTests lists the tests that did not pass, once there are results.
func (s *Site) failedTests(ctx context.Context, p *runPage) error {
	build, err := s.Runs.Results(ctx, p.Run.ID)
	if errors.Is(err, result.ErrNoBuild) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the results of %s: %w", p.Run.BuildID, err)
	}
	seen := map[string]bool{}
	for i, t := range build.Tests {
		if t.Status == result.Fail {
			anchor := runAnchor(t.Name)
			if seen[anchor] {
				anchor = fmt.Sprint(anchor, "-", i) // it failed more than once
			}
			seen[anchor] = true
			shown := failedTest{ID: fmt.Sprint("said-", i), Anchor: anchor, Name: t.Name, Message: t.Message, Took: t.Duration}
			shown.Link, shown.Grid = testPath(t.Name), gridLink(p.Repo, p.Run.Job, t.Name)
			if s.ClusterOf != nil && len(p.Tests) < clusterLookups {
				id, ok, err := s.ClusterOf(ctx, p.Run.Path, t.Name)
				if err != nil {
					return fmt.Errorf("looking for the cluster of %s: %w", t.Name, err)
				}
				if ok {
					shown.Cluster = "/triage/" + url.PathEscape(id)
				}
			}
			p.Tests = append(p.Tests, shown)
		}
	}
	if len(p.Tests) > 0 {
		p.Counted = fmt.Sprintf("%d of %s failed", len(p.Tests), plural(len(build.Tests), "test", "tests"))
	}
	return nil
}

// tail returns the last lines of a log with their numbers. Its memory does not
// grow with the log.
func tail(r io.Reader, most int) ([]logLine, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	ring := make([]logLine, 0, most)
	number := 0
	for {
		text, err := in.ReadString('\n')
		if text != "" {
			number++
			text = strings.ToValidUTF8(strings.TrimRight(text, "\r\n"), "\uFFFD")
			l := logLine{Number: number, Text: text, Hit: hit.MatchString(text)}
			if len(ring) < most {
				ring = append(ring, l)
			} else {
				ring[(number-1)%most] = l
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if number <= most {
		return ring, nil
	}
	start := number % most
	return append(ring[start:len(ring):len(ring)], ring[:start]...), nil
}

func (s *Site) rawLog(w http.ResponseWriter, r *http.Request) {
	e, err := s.Runs.Execution(r.Context(), r.PathValue("id"))
	if err != nil {
		http.Error(w, "There is no such run.", http.StatusNotFound)
		return
	}
	log, _, _, err := s.Runs.Logs(r.Context(), e.ID, 0)
	if err != nil {
		s.Log.Error("log", "run", e.BuildID, "error", err)
		http.Error(w, "The log cannot be read. The server's own log says why.", http.StatusInternalServerError)
		return
	}
	defer log.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := io.Copy(w, log); err != nil {
		s.Log.Debug("sending a log", "run", e.BuildID, "error", err)
	}
}
