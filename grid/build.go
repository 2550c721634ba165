package grid

import (
	"time"
)

// Build is one build of a job, as far as a grid shows it.
type Build struct {
	// ID names the build: decimal and ascending in Prow's layout, any name
	// elsewhere.
	ID string
	// Job is whose build it is; empty means the grid's.
	Job string
	// Started is zero where it is not known.
	Started time.Time
	// Finished is zero while the build runs.
	Finished time.Time
	Passed   bool
	Result   string // SUCCESS, FAILURE, ABORTED
	Commit   string
	// Pull is the number of the change that was tested, 0 if it was a branch.
	Pull int
	// Headers are the values of Settings.Headers, empty where the build has none.
	Headers []string
	// Metadata is what finished.json says besides; rows may be named after it.
	Metadata map[string]string
	// Pod is how its pod fared, nil if nothing is known (yet).
	Pod *Pod
	// Mails are addresses that alerts about this build go to (EmailAddresses of
	// finished.json).
	Mails []string
	// Malformed says what of the results could not be read; empty is fine.
	Malformed string
	Tests     []Test
}

// Pod is how the pod of a build fared.
type Pod struct {
	// Passed is false when the pod itself failed, not the test in it.
	Passed bool
	// Decorated is false when no sidecar stored the results.
	Decorated bool
	// Message says why it failed, or what is unusual about it.
	Message string
}

// Test is one run of a test. A name may occur several times in a build.
type Test struct {
	Name     string
	Status   Outcome // Pass, Fail, PassWithSkips, or what a rule made of it
	Message  string
	Duration time.Duration
	// Metrics are numbers the test reports, by name.
	Metrics map[string]float64
	// Properties are texts the test reports, by name.
	Properties map[string]string
	// File is where it was read from. A test that failed in all its runs of one
	// file has failed, though it passed in another; see merge.
	File string
	// Context, Timestamp and Thread are what the name of the file says.
	Context, Timestamp, Thread string
}

// StillRunning is how long a build without an end counts as running.
const StillRunning = 24 * time.Hour

// PodAwaited is how long after its end a build may lack word of its pod.
const PodAwaited = time.Hour

// Settled reports whether the column of the build stays as it is however late
// it is looked at: it has ended, and word of its pod is there or will not come.
// A column that is not settled is to be read and appended again.
func (s Settings) Settled(b Build, now time.Time) bool {
	if b.Finished.IsZero() {
		return false
	}
	return !s.Pod || b.Pod != nil || !now.Before(b.sensible(now).deadline())
}

// sensible returns the build with times that can be. One that ended has ended,
// whatever time it tells: where that cannot be, when it began, or long ago.
func (b Build) sensible(now time.Time) Build {
	b.Started = plausible(b.Started, now)
	if b.Finished.IsZero() {
		return b
	}
	if b.Finished = plausible(b.Finished, now); b.Finished.IsZero() {
		b.Finished = b.Started
	}
	if b.Finished.IsZero() {
		b.Finished = longAgo()
	}
	return b
}

// longAgo is a time that is not zero, and before all that a column may have.
func longAgo() time.Time { return time.Unix(0, 0).UTC() }

// deadline is when no more is expected of the build.
func (b Build) deadline() time.Time {
	if b.Finished.IsZero() {
		return b.Started.Add(StillRunning)
	}
	return b.Finished.Add(PodAwaited)
}
