package run

import (
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
