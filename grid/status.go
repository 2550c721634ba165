package grid

// Outcome of a test in a build. The numbers are TestGrid's (test_status.proto).
type Outcome int8

// Outcomes.
const (
	NoResult       Outcome = 0
	Pass           Outcome = 1
	PassWithErrors Outcome = 2
	PassWithSkips  Outcome = 3 // the test was skipped, and says why
	Running        Outcome = 4
	Undetermined   Outcome = 6
	Canceled       Outcome = 7
	Blocked        Outcome = 8
	TimedOut       Outcome = 9
	BuildFailed    Outcome = 11
	Fail           Outcome = 12
	Flake          Outcome = 13
	ToolFailed     Outcome = 14
	BuildPassed    Outcome = 15
)

// Passing reports whether it counts as a success.
func (o Outcome) Passing() bool {
	return o == Pass || o == PassWithErrors || o == PassWithSkips || o == BuildPassed
}

// Failing reports whether it counts as a failure; flaky does not.
func (o Outcome) Failing() bool {
	return o == TimedOut || o == BuildFailed || o == Fail || o == ToolFailed
}

// String returns the name TestGrid gives the outcome.
func (o Outcome) String() string {
	names := map[Outcome]string{
		NoResult: "NO_RESULT", Pass: "PASS", PassWithErrors: "PASS_WITH_ERRORS", PassWithSkips: "PASS_WITH_SKIPS",
		Running: "RUNNING", Undetermined: "UNKNOWN", Canceled: "CANCEL", Blocked: "BLOCKED", TimedOut: "TIMED_OUT",
		BuildFailed: "BUILD_FAIL", Fail: "FAIL", Flake: "FLAKY", ToolFailed: "TOOL_FAIL", BuildPassed: "BUILD_PASSED",
	}
	if n, ok := names[o]; ok {
		return n
	}
	return "UNKNOWN"
}

// Cell is the result of one test in one build.
type Cell struct {
	Status Outcome
	// Icon is at most a few characters: F failed, S skipped, R running, T timed
	// out, E malformed results, "1/2" one of two runs passed.
	Icon    string
	Message string
}
