package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"time"

	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/job/steps"
)

// Artifacts gives what an execution leaves besides its log.
type Artifacts interface {
	Artifacts(ctx context.Context, id string) ([]result.Artifact, error)
	Artifact(ctx context.Context, id, name string) (io.ReadCloser, error)
}

// stepsBuild is a declarative build that ran in an execution.
type stepsBuild struct {
	Title string // its variant, if it has one
	Says  string
	Steps []stepRow
}

type stepRow struct {
	steps.Step
	Mark Mark
	Took time.Duration
	Link string // of the step's log
}

// Bounds of what is shown of declarative builds on one page.
const (
	mostReports = 50
	mostReport  = 1 << 20
)

// builds reads the reports of declarative builds among an execution's
// artifacts, one for each variant.
func (s *Site) builds(ctx context.Context, e job.Execution) ([]stepsBuild, error) {
	if s.Artifacts == nil {
		return nil, nil
	}
	all, err := s.Artifacts.Artifacts(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	var builds []stepsBuild
	for _, a := range all {
		if path.Base(a.Name) != steps.ReportFile || a.Size > mostReport || len(builds) == mostReports {
			continue
		}
		report, err := s.report(ctx, e.ID, a.Name)
		if err != nil {
			return nil, err
		}
		if len(report.Steps) == 0 {
			continue // a file of another tool that is called the same
		}
		folder := path.Dir(a.Name)
		b := stepsBuild{Says: report.Says}
		if folder != "." {
			b.Title = folder
		}
		for _, step := range report.Steps {
			row := stepRow{Step: step, Mark: buildMark(step.State), Took: time.Duration(step.Seconds * float64(time.Second))}
			if step.Log != "" {
				row.Link = "/runs/" + e.BuildID + "/step/" + path.Join(folder, step.Log)
			}
			b.Steps = append(b.Steps, row)
		}
		builds = append(builds, b)
	}
	return builds, nil
}

func (s *Site) report(ctx context.Context, id, name string) (steps.Report, error) {
	var report steps.Report
	r, err := s.Artifacts.Artifact(ctx, id, name)
	if err != nil {
		return report, err
	}
	text, err := io.ReadAll(io.LimitReader(r, mostReport))
	if err := errors.Join(err, r.Close()); err != nil {
		return report, fmt.Errorf("reading %s of %s: %w", name, id, err)
	}
	if json.Unmarshal(text, &report) != nil {
		return steps.Report{}, nil // not a report of ours
	}
	return report, nil
}

func buildMark(s steps.State) Mark {
	switch s {
	case steps.Succeeded:
		return Mark{"pass", "●", "passed"}
	case steps.Failed:
		return Mark{"fail", "✕", "failed"}
	case steps.TimedOut:
		return Mark{"fail", "✕", "timed out"}
	case steps.Allowed:
		return Mark{"flake", "▲", "failed, allowed"}
	case steps.Running:
		return mark("run", "running")
	}
	return Mark{"idle", "○", string(s)}
}

// stepLog sends the log of one step as plain text, and nothing else of the
// artifacts: those are files that anybody's job wrote.
func (s *Site) stepLog(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	e, err := s.Runs.Execution(r.Context(), r.PathValue("id"))
	if err != nil || s.Artifacts == nil || path.Base(name) != result.LogFile || !slices.Contains([]string{"steps"}, path.Base(path.Dir(path.Dir(name)))) {
		http.Error(w, "There is no such log.", http.StatusNotFound)
		return
	}
	log, err := s.Artifacts.Artifact(r.Context(), e.ID, name)
	if errors.Is(err, result.ErrNoBuild) {
		http.Error(w, "There is no such log.", http.StatusNotFound)
		return
	}
	if err != nil {
		s.Log.Error("log of a step", "run", e.BuildID, "error", err)
		http.Error(w, "The log cannot be read. The server's own log says why.", http.StatusInternalServerError)
		return
	}
	defer log.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := io.Copy(w, log); err != nil {
		s.Log.Debug("sending a log", "run", e.BuildID, "error", err)
	}
}
