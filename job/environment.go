package job

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// jobSpec is Prow's JOB_SPEC.
type jobSpec struct {
	Type      Type   `json:"type,omitempty"`
	Job       string `json:"job,omitempty"`
	BuildID   string `json:"buildid,omitempty"`
	ProwJobID string `json:"prowjobid,omitempty"`
	Refs      *Refs  `json:"refs,omitempty"`
	ExtraRefs []Refs `json:"extra_refs,omitempty"`
}

// Env returns the variables Prow gives every job of the execution's type, in a
// fixed order. The executor adds those that name places of its own: ARTIFACTS,
// GOPATH, HOME and the like. The job's own variables are in Spec.Env.
func Env(e Execution) []EnvVar {
	spec := jobSpec{Type: e.Type, Job: e.Job, BuildID: e.BuildID, ProwJobID: e.ID, ExtraRefs: e.Extra}
	if e.Refs.Repo != "" {
		spec.Refs = &e.Refs
	}
	// Marshalling strings, numbers and slices of them cannot fail.
	raw, _ := json.Marshal(spec)
	env := []EnvVar{
		{"CI", "true"},
		{"JOB_NAME", e.Job},
		{"JOB_TYPE", string(e.Type)},
		{"JOB_SPEC", string(raw)},
		{"BUILD_ID", e.BuildID},
		{"BUILD_NUMBER", e.BuildID},
		{"PROW_JOB_ID", e.ID},
	}
	if e.Type == Periodic || spec.Refs == nil {
		return env
	}
	host, base := e.Refs.source()
	env = append(env,
		EnvVar{"REPO_OWNER", e.Refs.Org},
		EnvVar{"REPO_NAME", e.Refs.Repo},
		EnvVar{"SRC_HOST", host},
		EnvVar{"SRC_BASE", base},
		EnvVar{"PULL_BASE_REF", e.Refs.BaseRef},
		EnvVar{"PULL_BASE_SHA", e.Refs.BaseSHA},
		EnvVar{"PULL_REFS", e.Refs.String()},
	)
	if e.Type != Presubmit || len(e.Refs.Pulls) == 0 {
		return env
	}
	pull := e.Refs.Pulls[0]
	return append(env,
		EnvVar{"PULL_NUMBER", strconv.Itoa(pull.Number)},
		EnvVar{"PULL_PULL_SHA", pull.SHA},
		EnvVar{"PULL_HEAD_REF", pull.HeadRef},
		EnvVar{"PULL_TITLE", pull.Title},
	)
}

// String returns Prow's PULL_REFS: "base:sha,number:sha,number:sha:ref".
func (r Refs) String() string {
	parts := []string{r.BaseRef}
	if r.BaseSHA != "" {
		parts[0] += ":" + r.BaseSHA
	}
	for _, p := range r.Pulls {
		part := fmt.Sprintf("%d:%s", p.Number, p.SHA)
		if p.Ref != "" {
			part += ":" + p.Ref
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// SourcePath returns where the repository goes below the source folder (below
// GOPATH/src in Prow): its path alias, or github.com/ORG/REPO.
func (r Refs) SourcePath() string {
	if r.PathAlias != "" {
		return r.PathAlias
	}
	return path.Join("github.com", r.Org, r.Repo)
}

// source returns SRC_HOST and SRC_BASE.
func (r Refs) source() (host, base string) {
	host, base = "github.com", r.Org+"/"+r.Repo
	place := r.PathAlias
	if place == "" {
		place = r.RepoLink
		if _, rest, ok := strings.Cut(place, "://"); ok {
			place = rest
		}
	}
	if place == "" {
		return host, base
	}
	if h, b, ok := strings.Cut(place, "/"); ok {
		return h, b
	}
	return place, base
}
