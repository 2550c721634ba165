package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/app"
	"seaworthy/job/result"
)

// fetch gets a page of the platform.
func (p *platform) fetch(path string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.base+path, nil)
	p.must(err)
	answer, err := http.DefaultClient.Do(r)
	p.must(err)
	text, err := io.ReadAll(answer.Body)
	p.must(errors.Join(err, answer.Body.Close()))
	return answer.StatusCode, string(text)
}

// What a push sets off is on a dashboard of the repository's name, for
// programs, as a badge, and for the next process without reading it again.
func TestDashboardOfAJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir)
	p.populate(sources)
	p.settled()
	board := strings.ReplaceAll(halyard.String(), "/", "")
	p.until("the job is on its dashboard", func() bool {
		code, text := p.fetch("/api/v1/dashboards/" + board + "/tab-summaries/post-unit")
		var answer struct {
			Summary struct {
				Status string `json:"overall_status"`
				Text   string `json:"detailed_status_message"`
			} `json:"tab_summary"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK {
			t.Fatalf("the summary: %d %s", code, text)
		}
		return answer.Summary.Status == "PASSING" && strings.Contains(answer.Summary.Text, "1 of 1")
	})
	if code, text := p.fetch("/badge/" + board + "/post-unit.svg"); code != http.StatusOK || !strings.Contains(text, "post-unit: passing") {
		t.Errorf("the badge: %d %s", code, text)
	}
	p.stop()
	kept, err := os.ReadDir(filepath.Join(dir, "cache", "signal", "grids"))
	if err != nil || len(kept) == 0 {
		t.Errorf("nothing was kept: %v", err)
	}
}

// The folder of a prefix is the longest end of it that a bucket has.
func TestResults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"ci/logs/unit/1/started.json", "logs/calm/1/started.json", "deep/logs/x/1/started.json"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("{}"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{dir, "file://" + dir} {
		r, err := app.OpenResults(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		for prefix, want := range map[string]string{
			"ci/logs/unit": "ci/logs/unit", "ci/logs/calm": "logs/calm", "a/b/deep/logs/x": "deep/logs/x", "gs://ci/logs/unit": "ci/logs/unit",
			"ci/logs/new": "logs/new", "new": "new",
		} {
			b, folder, err := r.Open(t.Context(), prefix)
			if err != nil || folder != want {
				t.Errorf("%s in %s is %q, %v; want %q", prefix, address, folder, err, want)
			}
			refs, err := result.List(t.Context(), b, folder)
			if err != nil || (len(refs) == 1) == strings.HasSuffix(prefix, "new") {
				t.Errorf("%s has %d builds, %v", prefix, len(refs), err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	// Without a bucket that is named, the prefix names one.
	r, err := app.OpenResults(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first, folder, err := r.Open(t.Context(), "mem://ci/logs/unit")
	if err != nil || folder != "logs/unit" {
		t.Errorf("a prefix with a scheme: %q, %v", folder, err)
	}
	if second, _, err := r.Open(t.Context(), "mem://ci/logs/other"); err != nil || second != first {
		t.Errorf("a bucket is opened twice: %v", err)
	}
	if _, _, err := r.Open(t.Context(), "ftp://ci/logs/unit"); err == nil || !strings.Contains(err.Error(), "ftp") {
		t.Errorf("a scheme that nobody knows: %v", err)
	}
}
