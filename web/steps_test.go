package web_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/release/train"
	"seaworthy/web"
)

// shelf holds artifacts by name.
type shelf map[string]string

func (s shelf) Artifacts(context.Context, string) ([]result.Artifact, error) {
	var all []result.Artifact
	for name, text := range s {
		all = append(all, result.Artifact{Name: name, Size: int64(len(text))})
	}
	return all, nil
}

func (s shelf) Artifact(_ context.Context, _, name string) (io.ReadCloser, error) {
	text, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, result.ErrNoBuild)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func siteWith(t *testing.T, change func(*web.Options)) http.Handler {
	t.Helper()
	w := &world{runs: []job.Execution{{ID: "a", BuildID: "100", Job: "cloudbuild", State: job.Failure, CreatedAt: now, FinishedAt: now}}}
	o := web.Options{Repos: func(context.Context) ([]forge.RepoName, error) { return []forge.RepoName{repo}, nil },
		Runs: w, Forge: w, Queue: w, Signal: w, Releases: flows{}, Hub: &web.Hub{}, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	change(&o)
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func visit(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

// The steps of a declarative build are on the run's page, with their logs.
func TestStepsOfABuild(t *testing.T) {
	t.Parallel()
	h := siteWith(t, func(o *web.Options) {
		o.Artifacts = shelf{
			"high/steps.json":                  `{"state":"failure","says":"Step \"vet\": <b>no</b>","steps":[{"index":0,"label":"make","state":"success","seconds":2,"log":"steps/00-make/build-log.txt"},{"index":1,"label":"<i>vet</i>","state":"failure","says":"Exited with code 3.","log":"steps/01-vet/build-log.txt"},{"index":2,"label":"late","state":"not run"}]}`,
			"high/steps/00-make/build-log.txt": "made <script>\n",
			"other/steps.json":                 `not JSON`,
			"page.html":                        "<script>alert(1)</script>",
		}
	})
	code, body := visit(t, h, "/runs/100")
	if code != http.StatusOK {
		t.Fatalf("%d\n%s", code, body)
	}
	for _, want := range []string{"high", "make", "2.0 s", "Exited with code 3.", `href="/runs/100/step/high/steps/00-make/build-log.txt"`, "&lt;i&gt;vet&lt;/i&gt;", "not run"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(body, "<i>vet") || strings.Contains(body, "<b>no") {
		t.Error("what a build says is not escaped")
	}
	if code, body := visit(t, h, "/runs/100/step/high/steps/00-make/build-log.txt"); code != http.StatusOK || body != "made <script>\n" {
		t.Errorf("log: %d %q", code, body)
	}
	for _, path := range []string{"/runs/100/step/page.html", "/runs/100/step/high/steps.json", "/runs/100/step/high/steps/09-no/build-log.txt", "/runs/999/step/high/steps/00-make/build-log.txt"} {
		if code, _ := visit(t, h, path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// The timetable is on the page of releases, with what would stop each.
func TestTimetable(t *testing.T) {
	t.Parallel()
	h := siteWith(t, func(o *web.Options) {
		o.Timetable = func(forge.RepoName) []train.Line {
			return []train.Line{
				{Repo: "harbour/halyard", Type: train.Patch, Branch: "release-1.2", Version: "v1.2.4", State: train.Blocked, Why: "v1.2.4 would be stopped", Next: now.AddDate(0, 0, 3),
					Stops: []train.Stop{{What: "checks", Why: "failed: <post-unit>", Link: "/runs/7"}}},
				{Repo: "harbour/halyard", Type: train.Patch, Branch: "release-1.1", State: train.Nothing, Why: "no commit since v1.1.9"},
			}
		}
	})
	code, body := visit(t, h, "/releases")
	if code != http.StatusOK {
		t.Fatalf("%d\n%s", code, body)
	}
	for _, want := range []string{"Timetable", "release-1.2", "v1.2.4 would be stopped", "17 Mar 2026", `href="/runs/7"`, "failed: &lt;post-unit&gt;", "no commit since v1.1.9"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, body := visit(t, siteWith(t, func(*web.Options) {}), "/releases"); strings.Contains(body, "Timetable") {
		t.Error("a timetable without trains")
	}
}
