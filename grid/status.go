package grid

// Outcome of a test in a build. The numbers are TestGrid's (test_status.proto).
type Outcome int8

// Outcomes.
const (
	NoResult         Outcome = 0
	Pass             Outcome = 1
	PassWithErrors   Outcome = 2
	PassWithSkips    Outcome = 3 // the test was skipped, and says why
	Running          Outcome = 4
	CategorizedAbort Outcome = 5
	Undetermined     Outcome = 6
	Canceled         Outcome = 7
	Blocked          Outcome = 8
	TimedOut         Outcome = 9
	CategorizedFail  Outcome = 10
	BuildFailed      Outcome = 11
	Fail             Outcome = 12
	Flake            Outcome = 13
	ToolFailed       Outcome = 14
	BuildPassed      Outcome = 15
)

// outcomes is how many there are.
const outcomes = 16

// Passing reports whether it counts as a success.
func (o Outcome) Passing() bool {
	return o == Pass || o == PassWithErrors || o == PassWithSkips || o == BuildPassed
}

// Failing reports whether it counts as a failure; flaky does not.
func (o Outcome) Failing() bool {
	return o == TimedOut || o == CategorizedFail || o == BuildFailed || o == Fail || o == ToolFailed
}

// Severity orders outcomes from nothing to the worst; it is not the order of
// their numbers.
func (o Outcome) Severity() int {
	order := [outcomes]int8{
		NoResult: 0, BuildPassed: 1, Pass: 2, PassWithSkips: 3, PassWithErrors: 4, Running: 5, CategorizedAbort: 6,
		Undetermined: 7, Canceled: 8, Blocked: 9, Flake: 10, ToolFailed: 11, TimedOut: 12, CategorizedFail: 13,
		BuildFailed: 14, Fail: 15,
	}
	if o < 0 || o >= outcomes {
		return int(order[Undetermined])
	}
	return int(order[o])
}

// String returns the name TestGrid gives the outcome.
func (o Outcome) String() string {
	names := [outcomes]string{
		"NO_RESULT", "PASS", "PASS_WITH_ERRORS", "PASS_WITH_SKIPS", "RUNNING", "CATEGORIZED_ABORT", "UNKNOWN", "CANCEL",
		"BLOCKED", "TIMED_OUT", "CATEGORIZED_FAIL", "BUILD_FAIL", "FAIL", "FLAKY", "TOOL_FAIL", "BUILD_PASSED",
	}
	if o < 0 || o >= outcomes {
		return names[Undetermined]
	}
	return names[o]
}

// ParseOutcome returns the outcome that TestGrid gives a name, and false if
// there is none of it.
func ParseOutcome(name string) (Outcome, bool) {
	for o := range Outcome(outcomes) {
		if o.String() == name {
			return o, true
		}
	}
	return NoResult, false
}

// Cell is the result of one test in one build.
type Cell struct {
	Status Outcome
	// Icon is at most a few characters: F failed, S skipped, R running, T timed
	// out, E malformed results, "!" nothing is known of the pod, "1/2" one of two
	// runs passed, or a metric.
	Icon string
	// Message is at most 140 bytes long; Row.Note has more of it.
	Message string
}
