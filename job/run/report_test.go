package run

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/job"
)

func TestStatusOf(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 100) // two bytes each
	suffix := " BaseSHA:" + sha("a")
	tests := []struct {
		name  string
		e     job.Execution
		state forge.StatusState
		text  string
	}{
		{"triggered", job.Execution{Type: job.Presubmit, State: job.Triggered, Description: "Job triggered."}, forge.StatusPending, "Job triggered." + suffix},
		{"pending", job.Execution{Type: job.Presubmit, State: job.Pending, Description: "Job running."}, forge.StatusPending, "Job running." + suffix},
		{"success", job.Execution{Type: job.Presubmit, State: job.Success, Description: "Job succeeded."}, forge.StatusSuccess, "Job succeeded." + suffix},
		{"failure", job.Execution{Type: job.Presubmit, State: job.Failure, Description: "Job failed."}, forge.StatusFailure, "Job failed." + suffix},
		{"aborted", job.Execution{Type: job.Presubmit, State: job.Aborted, Description: "Job aborted."}, forge.StatusFailure, "Job aborted." + suffix},
		{"errored", job.Execution{Type: job.Presubmit, State: job.Errored, Description: "Job could not be run."}, forge.StatusError, "Job could not be run." + suffix},
		{"optional", job.Execution{Type: job.Presubmit, Optional: true, State: job.Success, Description: "Job succeeded."}, forge.StatusSuccess, "Job succeeded."},
		{"postsubmit", job.Execution{Type: job.Postsubmit, State: job.Success, Description: "Job succeeded."}, forge.StatusSuccess, "Job succeeded."},
		{"long, several lines", job.Execution{Type: job.Presubmit, State: job.Errored, Description: "no\n  luck " + long}, forge.StatusError,
			"no luck " + strings.Repeat("é", (140-len(suffix)-len("no luck …"))/2) + "…" + suffix},
	}
	for _, tt := range tests {
		tt.e.Context, tt.e.BuildID, tt.e.Refs.BaseSHA = "unit", "42", sha("a")
		want := forge.Status{Context: "unit", State: tt.state, Description: tt.text, TargetURL: "http://ci.example/runs/42"}
		got := statusOf(tt.e, "http://ci.example")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if len(got.Description) > maxDescription {
			t.Errorf("%s: %d bytes, at most %d are taken", tt.name, len(got.Description), maxDescription)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("Job failed.", 140)
	f.Add("éééé", 5)
	f.Add("\xff\xfe a", 4)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 3 + (n&0x7fffffff)%200
		got := clip(s, n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) = %q", s, n, got)
		}
	})
}

// A presubmit that failed says what its target branch knows; nothing else does,
// and nothing is held up by not knowing.
func TestExcused(t *testing.T) {
	t.Parallel()
	failed := job.Execution{Type: job.Presubmit, State: job.Failure, Description: "Job failed."}
	with := func(change func(*job.Execution)) job.Execution {
		e := failed
		change(&e)
		return e
	}
	for _, tt := range []struct {
		name  string
		e     job.Execution
		known string
		err   error
		want  string
	}{
		{"known", failed, "the failure is known on main", nil, "Job failed: the failure is known on main."},
		{"unknown", failed, "", nil, "Job failed."},
		{"nobody could look", failed, "the failure", errors.New("away"), "Job failed."},
		{"timed out", with(func(e *job.Execution) { e.Description = "Job failed: it took more than 1h." }), "1 of 2 failures is known on main", nil, "Job failed: it took more than 1h; 1 of 2 failures is known on main."},
		{"passed", with(func(e *job.Execution) { e.State, e.Description = job.Success, "Job succeeded." }), "the failure", nil, "Job succeeded."},
		{"postsubmit", with(func(e *job.Execution) { e.Type = job.Postsubmit }), "the failure", nil, "Job failed."},
		{"long", failed, "the failure is known on " + strings.Repeat("x", 300), nil, "Job failed: the failure is known on " + strings.Repeat("x", 140-len("Job failed: the failure is known on …")) + "…"},
	} {
		s := &Service{o: Options{Log: slog.New(slog.DiscardHandler), Known: func(ctx context.Context, _ job.Execution) (string, error) {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Errorf("%s: somebody may wait for ever", tt.name)
			}
			return tt.known, tt.err
		}}}
		if got := s.excused(t.Context(), tt.e); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := (&Service{}).excused(t.Context(), failed); got != "Job failed." {
		t.Errorf("without anybody to ask: %q", got)
	}
}
