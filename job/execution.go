package job

import (
	"errors"
	"time"
)

// Type of a job, in Prow's words.
type Type string

// Job types.
const (
	Presubmit  Type = "presubmit"
	Postsubmit Type = "postsubmit"
	Periodic   Type = "periodic"
	Batch      Type = "batch"
)

// State of an execution, in Prow's words (prowjob.json status.state).
type State string

// Execution states. Triggered waits for a worker; Pending runs.
const (
	Triggered State = "triggered"
	Pending   State = "pending"
	Success   State = "success"
	Failure   State = "failure"
	Aborted   State = "aborted"
	Errored   State = "error" // could not be run: clone failure, no such program, lost worker
)

// Final reports whether the execution is over.
func (s State) Final() bool {
	return s == Success || s == Failure || s == Aborted || s == Errored
}

// Refs names the source under test, in Prow's JSON form (JOB_SPEC, started.json).
type Refs struct {
	Org      string `json:"org"`
	Repo     string `json:"repo"`
	RepoLink string `json:"repo_link,omitempty"`
	BaseRef  string `json:"base_ref,omitempty"`
	BaseSHA  string `json:"base_sha,omitempty"`
	BaseLink string `json:"base_link,omitempty"`
	Pulls    []Pull `json:"pulls,omitempty"`
	CloneURI string `json:"clone_uri,omitempty"`
	WorkDir  bool   `json:"workdir,omitempty"`
	// PathAlias is where the repository goes below the source folder, when
	// not github.com/ORG/REPO.
	PathAlias      string `json:"path_alias,omitempty"`
	SkipSubmodules bool   `json:"skip_submodules,omitempty"`
	CloneDepth     int    `json:"clone_depth,omitempty"` // 0 is the whole history
	SkipFetchHead  bool   `json:"skip_fetch_head,omitempty"`
	Auxiliary      bool   `json:"auxiliary,omitempty"` // not what the job is about
}

// Pull is one pull request merged onto the base before the test.
type Pull struct {
	Number  int    `json:"number"`
	Author  string `json:"author"`
	SHA     string `json:"sha"`
	Title   string `json:"title,omitempty"`
	Ref     string `json:"ref,omitempty"`
	HeadRef string `json:"head_ref,omitempty"`
	Link    string `json:"link,omitempty"`
}

// ErrNoExecution: there is no execution of that id. Stores return it, wrapped.
var ErrNoExecution = errors.New("no such execution")

// Execution is one run of one job: what Prow calls a ProwJob.
type Execution struct {
	// ID is unique for ever; BuildID is a decimal number that ascends in time
	// and names the folder of the results.
	ID      string
	BuildID string
	Job     string
	Type    Type
	Context string // status context; empty reports nothing
	Refs    Refs   // zero for a periodic without refs
	Extra   []Refs
	// Spec is the job's configuration as it was when the execution was
	// created, so that a rerun or a resumed worker runs what was decided.
	Spec Spec
	// Optional executions do not keep a change from merging.
	Optional bool
	// Report says whether a status goes to the forge.
	Report bool
	// Key makes creation idempotent: the same cause never creates two.
	Key string
	// Cause says in a few words why it runs: "pull request opened", "/retest", …
	Cause       string
	State       State
	Description string // one sentence for the status, at most 140 characters
	Path        string // results, relative to the bucket's root
	Owner       string // the worker that holds it
	LeaseUntil  time.Time
	CreatedAt   time.Time
	StartedAt   time.Time
	FinishedAt  time.Time
}

// ExecutionFilter selects executions; zero fields match all. Newest first.
type ExecutionFilter struct {
	Repo   string // "OWNER/NAME"
	Job    string
	Type   Type
	States []State
	Pull   int
	SHA    string // head of the pull request, or base of a postsubmit
	Limit  int
	Before string // BuildID to page on from
}

// Spec is what an executor needs of a job: its one container, in the terms of
// a pod, and how long it may take.
type Spec struct {
	Image       string        `json:"image,omitempty"`
	Command     []string      `json:"command,omitempty"`
	Args        []string      `json:"args,omitempty"`
	Env         []EnvVar      `json:"env,omitempty"`
	WorkingDir  string        `json:"workingDir,omitempty"`
	Timeout     time.Duration `json:"timeout,omitempty"`      // 2 h when zero
	GracePeriod time.Duration `json:"grace_period,omitempty"` // 15 s when zero
	PathAlias   string        `json:"path_alias,omitempty"`
	// MaxConcurrency is how many executions of the job may run at once; zero
	// is no limit.
	MaxConcurrency int               `json:"max_concurrency,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
}

// EnvVar is one environment variable of a job.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}
