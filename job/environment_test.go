package job_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/job"
)

func env(e job.Execution) map[string]string {
	m := map[string]string{}
	for _, v := range job.Env(e) {
		m[v.Name] = v.Value
	}
	return m
}

var pull = job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "abc", Pulls: []job.Pull{
	{Number: 7, SHA: "def", HeadRef: "fix", Title: "Fix it", Author: "ben"},
}}

func TestEnv(t *testing.T) {
	t.Parallel()
	always := map[string]string{"CI": "true", "JOB_NAME": "j", "BUILD_ID": "12", "BUILD_NUMBER": "12", "PROW_JOB_ID": "id"}
	ofRepo := map[string]string{"REPO_OWNER": "harbour", "REPO_NAME": "halyard", "SRC_HOST": "github.com", "SRC_BASE": "harbour/halyard", "PULL_BASE_REF": "main", "PULL_BASE_SHA": "abc"}
	tests := []struct {
		name string
		e    job.Execution
		want []map[string]string
	}{
		{"presubmit", job.Execution{Type: job.Presubmit, Refs: pull}, []map[string]string{always, ofRepo, {
			"JOB_TYPE": "presubmit", "PULL_REFS": "main:abc,7:def", "PULL_NUMBER": "7", "PULL_PULL_SHA": "def", "PULL_HEAD_REF": "fix", "PULL_TITLE": "Fix it",
			"JOB_SPEC": `{"type":"presubmit","job":"j","buildid":"12","prowjobid":"id","refs":{"org":"harbour","repo":"halyard","base_ref":"main","base_sha":"abc","pulls":[{"number":7,"author":"ben","sha":"def","title":"Fix it","head_ref":"fix"}]}}`,
		}}},
		{"batch", job.Execution{Type: job.Batch, Refs: pull}, []map[string]string{always, ofRepo, {
			"JOB_TYPE": "batch", "PULL_REFS": "main:abc,7:def",
			"JOB_SPEC": `{"type":"batch","job":"j","buildid":"12","prowjobid":"id","refs":{"org":"harbour","repo":"halyard","base_ref":"main","base_sha":"abc","pulls":[{"number":7,"author":"ben","sha":"def","title":"Fix it","head_ref":"fix"}]}}`,
		}}},
		{"postsubmit", job.Execution{Type: job.Postsubmit, Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "abc"}}, []map[string]string{always, ofRepo, {
			"JOB_TYPE": "postsubmit", "PULL_REFS": "main:abc", "JOB_SPEC": `{"type":"postsubmit","job":"j","buildid":"12","prowjobid":"id","refs":{"org":"harbour","repo":"halyard","base_ref":"main","base_sha":"abc"}}`,
		}}},
		{"periodic", job.Execution{Type: job.Periodic, Extra: []job.Refs{{Org: "harbour", Repo: "halyard", BaseRef: "main"}}}, []map[string]string{always, {
			"JOB_TYPE": "periodic", "JOB_SPEC": `{"type":"periodic","job":"j","buildid":"12","prowjobid":"id","extra_refs":[{"org":"harbour","repo":"halyard","base_ref":"main"}]}`,
		}}},
		{"presubmit without a pull request", job.Execution{Type: job.Presubmit, Refs: job.Refs{Org: "harbour", Repo: "halyard", BaseRef: "main", BaseSHA: "abc"}}, []map[string]string{always, ofRepo, {
			"JOB_TYPE": "presubmit", "PULL_REFS": "main:abc", "JOB_SPEC": `{"type":"presubmit","job":"j","buildid":"12","prowjobid":"id","refs":{"org":"harbour","repo":"halyard","base_ref":"main","base_sha":"abc"}}`,
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.e.Job, tt.e.ID, tt.e.BuildID = "j", "id", "12"
			want := map[string]string{}
			for _, m := range tt.want {
				for k, v := range m {
					want[k] = v
				}
			}
			got := env(tt.e)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !json.Valid([]byte(got["JOB_SPEC"])) {
				t.Error("JOB_SPEC is not JSON")
			}
		})
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		refs             job.Refs
		host, base, path string
	}{
		{job.Refs{Org: "o", Repo: "r"}, "github.com", "o/r", "github.com/o/r"},
		{job.Refs{Org: "o", Repo: "r", PathAlias: "k8s.io/r"}, "k8s.io", "r", "k8s.io/r"},
		{job.Refs{Org: "o", Repo: "r", PathAlias: "vanity"}, "vanity", "o/r", "vanity"},
		{job.Refs{Org: "o", Repo: "r", RepoLink: "http://127.0.0.1:80/o/r"}, "127.0.0.1:80", "o/r", "github.com/o/r"},
	}
	for _, tt := range tests {
		got := env(job.Execution{Type: job.Postsubmit, Refs: tt.refs})
		if got["SRC_HOST"] != tt.host || got["SRC_BASE"] != tt.base || tt.refs.SourcePath() != tt.path {
			t.Errorf("%+v: got %s, %s, %s", tt.refs, got["SRC_HOST"], got["SRC_BASE"], tt.refs.SourcePath())
		}
	}
}

func TestRefsString(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]job.Refs{
		"main":                     {BaseRef: "main"},
		"main:abc":                 {BaseRef: "main", BaseSHA: "abc"},
		"main:abc,7:def,8:012:ref": {BaseRef: "main", BaseSHA: "abc", Pulls: []job.Pull{{Number: 7, SHA: "def"}, {Number: 8, SHA: "012", Ref: "ref"}}},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		t                    job.Type
		refs                 job.Refs
		result, alias, index string
		latest               []string
	}{
		{job.Presubmit, pull, "pr-logs/pull/harbour_halyard/7/j/12", "pr-logs/directory/j/12.txt", "pr-logs/directory/j",
			[]string{"pr-logs/directory/j/latest-build.txt", "pr-logs/pull/harbour_halyard/7/j/latest-build.txt"}},
		{job.Batch, pull, "pr-logs/pull/batch/j/12", "", "pr-logs/directory/j", []string{"pr-logs/directory/j/latest-build.txt"}},
		{job.Postsubmit, pull, "logs/j/12", "", "logs/j", []string{"logs/j/latest-build.txt"}},
		{job.Periodic, job.Refs{}, "logs/j/12", "", "logs/j", []string{"logs/j/latest-build.txt"}},
		{job.Presubmit, job.Refs{Org: "https://host", Repo: "a/b"}, "pr-logs/pull/host_a_b/0/j/12", "pr-logs/directory/j/12.txt", "pr-logs/directory/j",
			[]string{"pr-logs/directory/j/latest-build.txt", "pr-logs/pull/host_a_b/0/j/latest-build.txt"}},
	}
	for _, tt := range tests {
		e := job.Execution{Type: tt.t, Job: "j", BuildID: "12", Refs: tt.refs}
		if job.ResultPath(e) != tt.result || job.AliasPath(e) != tt.alias || job.IndexPath(tt.t, "j") != tt.index {
			t.Errorf("%s: got %s, %s, %s", tt.t, job.ResultPath(e), job.AliasPath(e), job.IndexPath(tt.t, "j"))
		}
		if diff := cmp.Diff(tt.latest, job.LatestPaths(e)); diff != "" {
			t.Errorf("%s:\n%s", tt.t, diff)
		}
	}
}

func TestCompareBuildIDs(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "007", "07", "7", "9", "10", "a", "a2", "a10", "a10b"}
	for i, a := range ordered {
		for k, b := range ordered {
			want := 0
			if i < k {
				want = -1
			} else if i > k {
				want = 1
			}
			if got := job.CompareBuildIDs(a, b); got != want {
				t.Errorf("CompareBuildIDs(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}
