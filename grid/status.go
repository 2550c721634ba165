package grid

// Status of a cell. The numbers are TestGrid's (test_status.proto).
type Status int

// Cell statuses.
const (
	NoResult       Status = 0
	Pass           Status = 1
	PassWithErrors Status = 2
	PassWithSkips  Status = 3 // the test was skipped, and says why
	Running        Status = 4
	Unknown        Status = 6
	Canceled       Status = 7
	Blocked        Status = 8
	TimedOut       Status = 9
	BuildFailed    Status = 11
	Fail           Status = 12
	Flaky          Status = 13
	ToolFailed     Status = 14
	BuildPassed    Status = 15
)

// Passing reports whether the cell counts as a success.
func (s Status) Passing() bool {
	return s == Pass || s == PassWithErrors || s == PassWithSkips || s == BuildPassed
}

// Failing reports whether the cell counts as a failure; flaky does not.
func (s Status) Failing() bool {
	return s == TimedOut || s == BuildFailed || s == Fail || s == ToolFailed
}

// String returns the name TestGrid gives the status.
func (s Status) String() string {
	names := map[Status]string{
		NoResult: "NO_RESULT", Pass: "PASS", PassWithErrors: "PASS_WITH_ERRORS", PassWithSkips: "PASS_WITH_SKIPS",
		Running: "RUNNING", Unknown: "UNKNOWN", Canceled: "CANCEL", Blocked: "BLOCKED", TimedOut: "TIMED_OUT",
		BuildFailed: "BUILD_FAIL", Fail: "FAIL", Flaky: "FLAKY", ToolFailed: "TOOL_FAIL", BuildPassed: "BUILD_PASSED",
	}
	if n, ok := names[s]; ok {
		return n
	}
	return "UNKNOWN"
}

// Cell is the result of one test in one build.
type Cell struct {
	Status Status
	// Icon is at most a few characters: F failed, S skipped, R running, T timed
	// out, E malformed results, "1/2" one of two runs passed.
	Icon    string
	Message string
}
