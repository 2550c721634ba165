package job

import (
	"time"

	"seaworthy/strict"
)

// The types of this file are Prow's job file as it is written; build turns
// them into Job.

type fileYAML struct {
	Presets     []Preset                    `json:"presets"`
	Presubmits  map[string][]presubmitYAML  `json:"presubmits"`
	Postsubmits map[string][]postsubmitYAML `json:"postsubmits"`
	Periodics   []periodicYAML              `json:"periodics"`
	// Ignored is Prow's place for what other programs keep in the file.
	Ignored any `json:"prow_ignored"`
}

// inRepoYAML is .prow.yaml: the jobs of the repository it lies in.
type inRepoYAML struct {
	Presets     []Preset         `json:"presets"`
	Presubmits  []presubmitYAML  `json:"presubmits"`
	Postsubmits []postsubmitYAML `json:"postsubmits"`
	Periodics   []periodicYAML   `json:"periodics"`
	Ignored     any              `json:"prow_ignored"`
}

type baseYAML struct {
	Lines                 strict.Lines      `json:"-"`
	Name                  string            `json:"name"`
	Cluster               string            `json:"cluster"`
	Decorate              *bool             `json:"decorate"`
	Spec                  *Pod              `json:"spec"`
	Labels                map[string]string `json:"labels"`
	Annotations           map[string]string `json:"annotations"`
	DecorationConfig      decorationYAML    `json:"decoration_config"`
	MaxConcurrency        int               `json:"max_concurrency"`
	Agent                 string            `json:"agent"`
	Namespace             *string           `json:"namespace"`
	ErrorOnEviction       bool              `json:"error_on_eviction"`
	PipelineRunSpec       any               `json:"pipeline_run_spec"`
	TektonPipelineRunSpec any               `json:"tekton_pipeline_run_spec"`
	ReporterConfig        *Reporter         `json:"reporter_config"`
	RerunAuthConfig       *RerunAuth        `json:"rerun_auth_config"`
	Hidden                bool              `json:"hidden"`
	ProwJobDefault        any               `json:"prowjob_defaults"`
	JobQueueName          string            `json:"job_queue_name"`
	PathAlias             string            `json:"path_alias"`
	CloneURI              string            `json:"clone_uri"`
	SkipSubmodules        bool              `json:"skip_submodules"`
	CloneDepth            int               `json:"clone_depth"`
	SkipFetchHead         bool              `json:"skip_fetch_head"`
	ExtraRefs             []Refs            `json:"extra_refs"`
}

// decorationYAML: only the times matter to an executor without a cluster.
type decorationYAML struct {
	Timeout                     time.Duration `json:"timeout"`
	GracePeriod                 time.Duration `json:"grace_period"`
	UtilityImages               any           `json:"utility_images"`
	Resources                   any           `json:"resources"`
	GCSConfiguration            *resultsYAML  `json:"gcs_configuration"`
	GCSCredentialsSecret        *string       `json:"gcs_credentials_secret"`
	S3CredentialsSecret         *string       `json:"s3_credentials_secret"`
	DefaultServiceAccountName   *string       `json:"default_service_account_name"`
	SSHKeySecrets               []string      `json:"ssh_key_secrets"`
	SSHHostFingerprints         []string      `json:"ssh_host_fingerprints"`
	BloblessFetch               *bool         `json:"blobless_fetch"`
	SkipCloning                 *bool         `json:"skip_cloning"`
	CookiefileSecret            *string       `json:"cookiefile_secret"`
	OauthTokenSecret            any           `json:"oauth_token_secret"`
	GitHubAPIEndpoints          []string      `json:"github_api_endpoints"`
	GitHubAppID                 string        `json:"github_app_id"`
	GitHubAppPrivateKeySecret   any           `json:"github_app_private_key_secret"`
	CensorSecrets               *bool         `json:"censor_secrets"`
	CensoringOptions            any           `json:"censoring_options"`
	UploadIgnoresInterrupts     *bool         `json:"upload_ignores_interrupts"`
	SetLimitEqualsMemoryRequest *bool         `json:"set_limit_equals_memory_request"`
	DefaultMemoryRequest        any           `json:"default_memory_request"`
	SchedulingOptions           any           `json:"scheduling_options"`
	PodPendingTimeout           time.Duration `json:"pod_pending_timeout"`
	PodRunningTimeout           time.Duration `json:"pod_running_timeout"`
	PodUnscheduledTimeout       time.Duration `json:"pod_unscheduled_timeout"`
	RunAsUser                   *int          `json:"run_as_user"`
	RunAsGroup                  *int          `json:"run_as_group"`
	FsGroup                     *int          `json:"fs_group"`
}

// resultsYAML: where results lie matters to whoever reads them.
type resultsYAML struct {
	Bucket            string `json:"bucket"`
	PathPrefix        string `json:"path_prefix"`
	PathStrategy      any    `json:"path_strategy"`
	DefaultOrg        any    `json:"default_org"`
	DefaultRepo       any    `json:"default_repo"`
	MediaTypes        any    `json:"mediaTypes"`
	JobURLPrefix      any    `json:"job_url_prefix"`
	LocalOutputDir    any    `json:"local_output_dir"`
	CompressFileTypes any    `json:"compress_file_types"`
}

type branchesYAML struct {
	Branches     []string `json:"branches"`
	SkipBranches []string `json:"skip_branches"`
}

type changesYAML struct {
	RunIfChanged      string `json:"run_if_changed"`
	SkipIfOnlyChanged string `json:"skip_if_only_changed"`
}

type reportYAML struct {
	Context    string `json:"context"`
	SkipReport bool   `json:"skip_report"`
}

type presubmitYAML struct {
	baseYAML
	branchesYAML
	changesYAML
	reportYAML
	AlwaysRun      bool   `json:"always_run"`
	Optional       bool   `json:"optional"`
	Trigger        string `json:"trigger"`
	RerunCommand   string `json:"rerun_command"`
	RunBeforeMerge bool   `json:"run_before_merge"`
	JenkinsSpec    any    `json:"jenkins_spec"`
}

type postsubmitYAML struct {
	baseYAML
	branchesYAML
	changesYAML
	reportYAML
	AlwaysRun   *bool `json:"always_run"`
	JenkinsSpec any   `json:"jenkins_spec"`
}

type periodicYAML struct {
	baseYAML
	Cron            string        `json:"cron"`
	Interval        time.Duration `json:"interval"`
	MinimumInterval time.Duration `json:"minimum_interval"`
	Tags            []string      `json:"tags"`
	Retry           any           `json:"retry"`
}
