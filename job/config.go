package job

import (
	"regexp"
	"time"

	"github.com/robfig/cron/v3"

	"seaworthy/strict"
)

// Problem is one thing wrong with a job file.
type Problem = strict.Problem

// Job is one configured job of any type, defaults applied. A *Job obtained
// from Parse or Merge is never changed afterwards and may be shared.
type Job struct {
	Type Type   `json:"type"`
	Repo string `json:"repo"` // "OWNER/NAME"; empty for a periodic
	Name string `json:"name"`
	// File and Line say where it is configured.
	File string `json:"file"`
	Line int    `json:"line"`

	// Context of the status it reports; the name unless configured.
	Context    string `json:"context,omitempty"`
	SkipReport bool   `json:"skip_report,omitempty"`
	Optional   bool   `json:"optional,omitempty"`

	// AlwaysRun is the effective value: a postsubmit runs always unless it
	// says otherwise or has a condition on files.
	AlwaysRun         bool     `json:"always_run,omitempty"`
	RunIfChanged      string   `json:"run_if_changed,omitempty"`
	SkipIfOnlyChanged string   `json:"skip_if_only_changed,omitempty"`
	Branches          []string `json:"branches,omitempty"`
	SkipBranches      []string `json:"skip_branches,omitempty"`
	RunBeforeMerge    bool     `json:"run_before_merge,omitempty"`
	Trigger           string   `json:"trigger,omitempty"`
	RerunCommand      string   `json:"rerun_command,omitempty"`

	// Cron, Interval and MinimumInterval: a periodic has exactly one.
	Cron            string        `json:"cron,omitempty"`
	Interval        time.Duration `json:"interval,omitempty"`
	MinimumInterval time.Duration `json:"minimum_interval,omitempty"`
	Tags            []string      `json:"tags,omitempty"`

	Agent          string            `json:"agent,omitempty"` // "kubernetes" unless configured
	Cluster        string            `json:"cluster,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	MaxConcurrency int               `json:"max_concurrency,omitempty"` // 0 is no limit
	Queue          string            `json:"job_queue_name,omitempty"`
	Hidden         bool              `json:"hidden,omitempty"`
	Decorate       bool              `json:"decorate,omitempty"`
	Timeout        time.Duration     `json:"timeout,omitempty"`      // 0 is the default
	GracePeriod    time.Duration     `json:"grace_period,omitempty"` // 0 is the default
	// Results is where its results go, bucket/path, if it says so itself.
	Results        string     `json:"results,omitempty"`
	PathAlias      string     `json:"path_alias,omitempty"`
	CloneURI       string     `json:"clone_uri,omitempty"`
	CloneDepth     int        `json:"clone_depth,omitempty"`
	SkipSubmodules bool       `json:"skip_submodules,omitempty"`
	ExtraRefs      []Refs     `json:"extra_refs,omitempty"`
	Rerun          *RerunAuth `json:"rerun_auth_config,omitempty"`
	Reporter       *Reporter  `json:"reporter_config,omitempty"`
	Pod            *Pod       `json:"spec,omitempty"`

	branches, skip, changes, trigger *regexp.Regexp
	schedule                         cron.Schedule
}

// RerunAuth says who may rerun a job besides those the project trusts.
type RerunAuth struct {
	AllowAnyone bool     `json:"allow_anyone,omitempty"`
	Users       []string `json:"github_users,omitempty"`
	Orgs        []string `json:"github_orgs,omitempty"`
	TeamIDs     []int    `json:"github_team_ids,omitempty"`
	Teams       []Team   `json:"github_team_slugs,omitempty"`
}

// Team is a team of an organisation.
type Team struct {
	Org  string `json:"org"`
	Slug string `json:"slug"`
}

// Reporter says where results are told besides the forge.
type Reporter struct {
	Slack    *Slack `json:"slack,omitempty"`
	DingTalk any    `json:"dingtalk,omitempty"`
}

// Slack is a chat channel that hears of a job's results.
type Slack struct {
	Host     string  `json:"host,omitempty"`
	Channel  string  `json:"channel,omitempty"`
	States   []State `json:"job_states_to_report,omitempty"`
	Template string  `json:"report_template,omitempty"`
	Report   *bool   `json:"report,omitempty"`
}

// Preset is settings that jobs take over by carrying its labels. A preset
// without labels goes into every job.
type Preset struct {
	Labels       map[string]string `json:"labels"`
	Env          []PodEnv          `json:"env,omitempty"`
	Volumes      []any             `json:"volumes,omitempty"`
	VolumeMounts []any             `json:"volumeMounts,omitempty"`
	Tolerations  []any             `json:"tolerations,omitempty"`

	Lines strict.Lines `json:"-"`
	File  string       `json:"-"`
}

// File is what one job file holds, as Parse read it: presets are not applied.
type File struct {
	Name        string
	Presets     []Preset
	Presubmits  map[string][]*Job // by "OWNER/NAME", in the order of the file
	Postsubmits map[string][]*Job
	Periodics   []*Job
}

// Config is the jobs of any number of files, presets applied.
type Config struct {
	Presubmits  map[string][]*Job // by "OWNER/NAME"
	Postsubmits map[string][]*Job
	Periodics   []*Job
}

// All returns every job: presubmits and postsubmits by repository in
// alphabetical order, then periodics; within each in the order of the files.
func (c Config) All() []*Job {
	var all []*Job
	for _, repo := range sortedKeys(c.Presubmits) {
		all = append(all, c.Presubmits[repo]...)
	}
	for _, repo := range sortedKeys(c.Postsubmits) {
		all = append(all, c.Postsubmits[repo]...)
	}
	return append(all, c.Periodics...)
}

// Repos returns the repositories that have presubmits or postsubmits, sorted.
func (c Config) Repos() []string {
	set := map[string]bool{}
	for repo := range c.Presubmits {
		set[repo] = true
	}
	for repo := range c.Postsubmits {
		set[repo] = true
	}
	return sortedKeys(set)
}

// Find returns the jobs of a name, of whatever repository and type, in the
// order of All. Several share a name when they are of different repositories
// or of branches apart.
func (c Config) Find(name string) []*Job {
	var found []*Job
	for _, j := range c.All() {
		if j.Name == name {
			found = append(found, j)
		}
	}
	return found
}
