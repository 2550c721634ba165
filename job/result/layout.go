package result

import (
	"fmt"
	"path"
	"strings"
	"time"

	"seaworthy/job"
)

// Names of the files of a build, below its folder.
const (
	StartedFile      = "started.json"
	FinishedFile     = "finished.json"
	ProwJobFile      = "prowjob.json"
	PodInfoFile      = "podinfo.json"
	LogFile          = "build-log.txt"
	CloneRecordsFile = "clone-records.json"
	ArtifactsFolder  = "artifacts"
	latestFile       = "latest-build.txt"
)

// Results of a finished build, in Prow's words.
const (
	ResultSuccess = "SUCCESS"
	ResultFailure = "FAILURE"
	ResultAborted = "ABORTED"
)

// Started is started.json.
type Started struct {
	Timestamp   int64             `json:"timestamp"` // seconds since 1970
	Pull        string            `json:"pull,omitempty"`
	Repos       map[string]string `json:"repos,omitempty"` // by ORG/REPO: what PULL_REFS says
	RepoCommit  string            `json:"repo-commit,omitempty"`
	RepoVersion string            `json:"repo-version,omitempty"`
	JobVersion  string            `json:"job-version,omitempty"`
	Node        string            `json:"node,omitempty"`
	Metadata    map[string]any    `json:"metadata,omitempty"`
}

// Finished is finished.json.
type Finished struct {
	Timestamp int64          `json:"timestamp"` // seconds since 1970
	Passed    bool           `json:"passed"`
	Result    string         `json:"result"` // SUCCESS, FAILURE, ABORTED
	Revision  string         `json:"revision,omitempty"`
	Metadata  map[string]any `json:"metadata,omitempty"`
	// What older jobs wrote in place of metadata.
	RepoVersion string `json:"repo-version,omitempty"`
	JobVersion  string `json:"job-version,omitempty"`
}

// CloneRecord is one entry of clone-records.json: how a source was laid out.
type CloneRecord struct {
	Refs     job.Refs       `json:"refs"`
	Commands []CloneCommand `json:"commands,omitempty"`
	Failed   bool           `json:"failed,omitempty"`
	FinalSHA string         `json:"final_sha,omitempty"`
	Duration time.Duration  `json:"duration,omitempty"` // nanoseconds
}

// CloneCommand is one command that laid out a source.
type CloneCommand struct {
	Command string `json:"command"`
	Output  string `json:"output,omitempty"`
	Error   string `json:"error,omitempty"`
}

// prowJob is prowjob.json, as far as an execution fills it.
type prowJob struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   prowJobMeta    `json:"metadata"`
	Spec       prowJobSpec    `json:"spec"`
	Status     map[string]any `json:"status"`
}

type prowJobMeta struct {
	Name              string            `json:"name"`
	CreationTimestamp time.Time         `json:"creationTimestamp"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
}

type prowJobSpec struct {
	Type      job.Type   `json:"type"`
	Agent     string     `json:"agent"`
	Job       string     `json:"job"`
	Refs      *job.Refs  `json:"refs,omitempty"`
	ExtraRefs []job.Refs `json:"extra_refs,omitempty"`
	Report    bool       `json:"report"`
	Context   string     `json:"context,omitempty"`
	PodSpec   podSpec    `json:"pod_spec"`
}

type podSpec struct {
	Containers []container `json:"containers"`
}

type container struct {
	Image   string       `json:"image,omitempty"`
	Command []string     `json:"command,omitempty"`
	Args    []string     `json:"args,omitempty"`
	Env     []job.EnvVar `json:"env,omitempty"`
}

func newProwJob(e job.Execution) prowJob {
	p := prowJob{
		APIVersion: "prow.k8s.io/v1", Kind: "ProwJob",
		Metadata: prowJobMeta{Name: e.ID, CreationTimestamp: e.CreatedAt.UTC(), Labels: e.Spec.Labels, Annotations: e.Spec.Annotations},
		Spec: prowJobSpec{
			Type: e.Type, Agent: "kubernetes", Job: e.Job, ExtraRefs: e.Extra, Report: e.Report, Context: e.Context,
			PodSpec: podSpec{[]container{{Image: e.Spec.Image, Command: e.Spec.Command, Args: e.Spec.Args, Env: e.Spec.Env}}},
		},
		Status: map[string]any{"state": e.State, "build_id": e.BuildID, "startTime": e.CreatedAt.UTC()},
	}
	if e.Refs.Repo != "" {
		p.Spec.Refs = &e.Refs
	}
	for name, t := range map[string]time.Time{"pendingTime": e.StartedAt, "completionTime": e.FinishedAt} {
		if !t.IsZero() {
			p.Status[name] = t.UTC()
		}
	}
	if e.Description != "" {
		p.Status["description"] = e.Description
	}
	return p
}

// cleanName checks that a name stays below the folder it is put into.
func cleanName(name string) error {
	switch {
	case name == "" || len(name) > 1000:
	case path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../"):
	case strings.ContainsAny(name, "\\\x00") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
	default:
		return nil
	}
	return fmt.Errorf("%q cannot name an artifact: use a relative path with forward slashes and no '..'", name)
}
