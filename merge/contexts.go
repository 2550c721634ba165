package merge

import (
	"regexp"
	"slices"

	"seaworthy/forge"
)

// QueueContext is the status context in which the merge queue says what it
// waits for. It is never a condition for merging.
const QueueContext = "queue"

// Result is the newest state of one context on a pull request's head.
type Result struct {
	Context string
	State   forge.StatusState
	// BaseSHA is the tip of the base branch the head was tested on; empty
	// when the result does not say.
	BaseSHA     string
	Description string
	URL         string
}

// baseSuffix is the end of a description that says at which base a result was
// made: " BaseSHA:" and the commit (Tide's convention).
var baseSuffix = regexp.MustCompile(` BaseSHA:([0-9a-f]{40})$`)

// BaseSuffix returns what to append to a status description so that the result
// counts at that base only.
func BaseSuffix(baseSHA string) string { return " BaseSHA:" + baseSHA }

// Results brings commit statuses and check runs into one form. Of a check run
// whose name is also a status context, the status wins.
func Results(statuses []forge.Status, runs []forge.CheckRun) []Result {
	var out []Result
	seen := map[string]bool{}
	for _, s := range statuses {
		if seen[s.Context] {
			continue
		}
		seen[s.Context] = true
		out = append(out, result(s.Context, s.State, s.Description, s.TargetURL))
	}
	for _, r := range slices.Backward(runs) { // the newest of a name is last
		if seen[r.Name] {
			continue
		}
		seen[r.Name] = true
		out = append(out, result(r.Name, checkState(r), r.Title, r.DetailsURL))
	}
	return out
}

func result(context string, state forge.StatusState, description, url string) Result {
	r := Result{Context: context, State: state, Description: description, URL: url}
	if m := baseSuffix.FindStringSubmatchIndex(description); m != nil {
		r.BaseSHA, r.Description = description[m[2]:m[3]], description[:m[0]]
	}
	return r
}

// checkState says in a status's words what a check run says.
func checkState(r forge.CheckRun) forge.StatusState {
	if r.Status != "completed" {
		return forge.StatusPending
	}
	switch r.Conclusion {
	case "success", "neutral", "skipped":
		return forge.StatusSuccess
	case "cancelled", "timed_out", "action_required":
		return forge.StatusError
	}
	return forge.StatusFailure
}

// RequiredJob is a job whose result decides, and the context it reports to.
type RequiredJob struct {
	Name    string
	Context string
}

// Requirements say which contexts of a pull request count. A context named in
// several places counts as the first: Jobs, Contexts, IfPresent, Optional.
type Requirements struct {
	// Jobs must have succeeded on the head merged onto the current tip of
	// the base branch. The queue starts them when they have not.
	Jobs []RequiredJob
	// Contexts are reported by others; a success is enough, whenever it was.
	Contexts []string
	// IfPresent must be green if they are there at all.
	IfPresent []string
	// Optional contexts never count.
	Optional []string
	// IgnoreUnknown passes over contexts that are named nowhere; otherwise
	// they must be green.
	IgnoreUnknown bool
}

// Verdict is what one context means for merging now.
type Verdict string

// Verdicts.
const (
	Green   Verdict = "green"
	Pending Verdict = "pending" // under way
	Missing Verdict = "missing" // required, never reported
	Stale   Verdict = "stale"   // tested on an older tip of the base branch
	Failed  Verdict = "failed"
	Ignored Verdict = "ignored"
)

// Check is a context with its verdict.
type Check struct {
	Context string
	Verdict Verdict
	Result  Result // zero when Missing
	// Job is set for a job the queue may start.
	Job string
	// Unknown contexts are required by nobody, and count because nobody
	// said that they do not.
	Unknown bool
}

// Evaluate judges every context that is required or reported, against the tip
// of the base branch. Required jobs come first, then required contexts, then
// the others in the order of their results.
func (r Requirements) Evaluate(results []Result, tip string) []Check {
	reported := make(map[string]Result, len(results))
	for _, res := range results {
		reported[res.Context] = res
	}
	var out []Check
	done := map[string]bool{QueueContext: true}
	for _, j := range r.Jobs {
		if !done[j.Context] {
			done[j.Context] = true
			c := Check{Context: j.Context, Job: j.Name, Verdict: Missing}
			if res, ok := reported[j.Context]; ok {
				c.Result, c.Verdict = res, jobVerdict(res, tip)
			}
			out = append(out, c)
		}
	}
	for _, name := range r.Contexts {
		if !done[name] {
			done[name] = true
			c := Check{Context: name, Verdict: Missing}
			if res, ok := reported[name]; ok {
				c.Result, c.Verdict = res, plainVerdict(res.State)
			}
			out = append(out, c)
		}
	}
	for _, res := range results {
		if done[res.Context] {
			continue
		}
		done[res.Context] = true
		c := Check{Context: res.Context, Result: res, Verdict: plainVerdict(res.State)}
		if !slices.Contains(r.IfPresent, res.Context) {
			c.Unknown = !slices.Contains(r.Optional, res.Context)
			if !c.Unknown || r.IgnoreUnknown {
				c.Verdict = Ignored
			}
		}
		out = append(out, c)
	}
	return out
}

// plainVerdict judges a result that counts whenever it was made.
func plainVerdict(s forge.StatusState) Verdict {
	switch s {
	case forge.StatusSuccess:
		return Green
	case forge.StatusPending:
		return Pending
	}
	return Failed
}

// jobVerdict judges a result that counts at the tip only. A run under way that
// does not say on which base it works is waited for: when it ends it will.
func jobVerdict(r Result, tip string) Verdict {
	v := plainVerdict(r.State)
	if v == Green && r.BaseSHA != tip || v == Pending && r.BaseSHA != "" && r.BaseSHA != tip {
		return Stale
	}
	return v
}
