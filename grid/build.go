package grid

import (
	"time"

	"seaworthy/job/result"
)

// Of returns what a grid shows of a stored build.
func Of(b result.Build) Build {
	out := Build{ID: b.ID, Malformed: b.Malformed}
	if b.Started != nil {
		out.Started = unix(b.Started.Timestamp)
		out.Commit = b.Started.RepoCommit
	}
	if b.Finished != nil {
		out.Finished = unix(b.Finished.Timestamp)
		out.Passed, out.Result = b.Finished.Passed, b.Finished.Result
		if out.Finished.IsZero() {
			out.Finished = out.Started.Add(time.Second) // it has ended, at a time unknown
		}
		if out.Started.IsZero() {
			out.Started = out.Finished
		}
		if out.Commit == "" {
			out.Commit = b.Finished.Revision
		}
	}
	outcomes := map[result.Status]Outcome{result.Pass: Pass, result.Fail: Fail, result.Skip: PassWithSkips}
	for _, t := range b.Tests {
		out.Tests = append(out.Tests, Test{Name: t.Name, Status: outcomes[t.Status], Message: t.Message, Duration: t.Duration})
	}
	return out
}

func unix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
