package config

import (
	"go.yaml.in/yaml/v3"

	"seaworthy/artifact"
	"seaworthy/strict"
)

// The doc, enum and placeholder tags of this file's types are read by Schema
// and by the checks: what a field means, which values it takes, and which
// names in braces may stand in it.

// Project is seaworthy.yaml, defaults applied.
type Project struct {
	Version int      `json:"version" doc:"Version of this file's form. Always 1."`
	Project Identity `json:"project" doc:"What the project is."`
	Jobs    Jobs     `json:"jobs" doc:"What is tested, and when: Prow's job configuration."`
	Merge   Merge    `json:"merge" doc:"What a change needs to merge, and how it does."`
	Build   Build    `json:"build" doc:"What a release is made of."`
	// What is made of what was built.
	Images   []artifact.ImageSpec   `json:"images" doc:"Container images, made of what was built for each platform."`
	Packages []artifact.PackageSpec `json:"packages" doc:"Packages for deb, rpm and apk, made of what was built for each platform."`
	Release  Release                `json:"release" doc:"How releases are named, judged and told of."`
	Grid     Grid                   `json:"grid" doc:"How test results are shown."`
	Alerts   Alerts                 `json:"alerts" doc:"Who is told when tests begin to fail again and again."`
	Signal   Signal                 `json:"signal" doc:"What decides whether a branch is red, yellow or green."`
	Triage   Triage                 `json:"triage" doc:"How long failures of tests are followed."`

	// Warnings of Parse: the file can be used, but look at these.
	Warnings []strict.Problem `json:"-"`
	// File is the name that Parse was given.
	File string `json:"-"`

	Lines strict.Lines `json:"-"`
}

// Identity is what the project is.
type Identity struct {
	Name          string `json:"name" doc:"Short name, used for archives and titles. The repository's name if empty."`
	Description   string `json:"description" doc:"One sentence on what the project does."`
	DefaultBranch string `json:"default_branch" doc:"Branch that changes go to."`

	Lines strict.Lines `json:"-"`
}

// Jobs says where the project's jobs are configured.
type Jobs struct {
	Files       []string   `json:"files" doc:"Job files in this repository, as patterns: * within a name, ** for any folders."`
	Presets     *yaml.Node `json:"presets" doc:"Settings that jobs take over by carrying a preset's labels, as in Prow."`
	Presubmits  *yaml.Node `json:"presubmits" doc:"Jobs for pull requests, in the form of .prow.yaml."`
	Postsubmits *yaml.Node `json:"postsubmits" doc:"Jobs for pushes, in the form of .prow.yaml."`
	Periodics   *yaml.Node `json:"periodics" doc:"Jobs by the clock; one without extra_refs gets this repository."`

	Lines strict.Lines `json:"-"`
}

// Merge says what a change needs to merge, and how it does.
type Merge struct {
	Method    string            `json:"method" enum:"merge,squash,rebase" doc:"How a change lands."`
	Labels    Labels            `json:"labels" doc:"Labels that decide."`
	Milestone map[string]string `json:"milestone" doc:"Title of the milestone a merged change gets, by branch."`
	// RequiredContexts are asked for besides those of required presubmits.
	RequiredContexts []string `json:"required_contexts" doc:"Status contexts that must be green besides the required presubmits."`
	BatchLimit       int      `json:"batch_limit" doc:"How many changes are tested and merged together at most; 1 tests each alone."`
	// Branches ask for more than Labels does.
	Branches map[string]MergeBranch `json:"branches" doc:"What changes to a branch need besides, by its name."`

	Lines strict.Lines `json:"-"`
}

// Labels that decide over merging.
type Labels struct {
	Require []string `json:"require" doc:"All of these must be there."`
	Forbid  []string `json:"forbid" doc:"None of these may be there."`

	Lines strict.Lines `json:"-"`
}

// Build is what a release is made of.
type Build struct {
	Command   []string          `json:"command" doc:"Program and arguments that build one platform, instead of go build; {out} is the folder for the results, {os}, {arch}, {name}, {version}, {number}, {commit} and {date} are filled in."`
	Outputs   []string          `json:"outputs" doc:"Files that the command leaves in {out}, packed into the archive."`
	Go        Go                `json:"go" doc:"How go build is called."`
	Env       map[string]string `json:"env" doc:"Environment of the build command."`
	Formats   []string          `json:"formats" doc:"What each platform is packed in: tar.gz, tar.zst, zip, or binary for the programs as they are. tar.gz, and zip for windows, if empty."`
	Platforms []string          `json:"platforms" doc:"What to build for, each GOOS/GOARCH or GOOS/GOARCH/VARIANT."`
	Files     []string          `json:"files" doc:"Files that go into each archive beside the programs, as patterns; a name without * must exist."`

	Lines strict.Lines `json:"-"`
}

// Go is how go build is called.
type Go struct {
	Main    []string          `json:"main" doc:"Main packages to build, such as ./cmd/halyard. All of the module if empty."`
	Name    string            `json:"name" doc:"First part of the archives' names. The project's name if empty."`
	Ldflags string            `json:"ldflags" placeholder:"name,version,number,commit,date,os,arch" doc:"Linker flags besides -s -w; {version} (with its prefix), {number} (without), {commit}, {date}, {name}, {os} and {arch} are filled in."`
	Env     map[string]string `json:"env" doc:"Environment of go build, such as CGO_ENABLED."`

	Lines strict.Lines `json:"-"`
}

// Release says how releases are named, judged and told of.
type Release struct {
	TagPrefix     string       `json:"tag_prefix" doc:"What stands before the version in a tag."`
	BranchPattern string       `json:"branch_pattern" placeholder:"major,minor" doc:"Name of the branch that a minor version's releases are cut from."`
	Versions      Versions     `json:"versions" doc:"Which versions are tagged together."`
	Changelog     string       `json:"changelog" placeholder:"major,minor" doc:"File that collects the notes of a minor version's releases."`
	Tags          Tags         `json:"tags" doc:"How tags are signed."`
	Branches      Branches     `json:"branches" doc:"How a release branch is forked from the default branch."`
	Gates         Gates        `json:"gates" doc:"What must hold before a release is cut."`
	Announce      Announce     `json:"announce" doc:"The announcement."`
	Train         []Train      `json:"train" doc:"When releases depart by themselves, by type."`
	Issue         ReleaseIssue `json:"issue" doc:"The issue that goes with a release."`
	Chat          Chat         `json:"chat" doc:"Where people follow a release."`
	After         []After      `json:"after" doc:"What follows a release once it is public, in this order."`

	Lines strict.Lines `json:"-"`
}

// Announce is the announcement of a release.
type Announce struct {
	To      []string `json:"to" doc:"Mail addresses."`
	From    string   `json:"from" doc:"Sender's mail address."`
	ReplyTo string   `json:"reply_to" doc:"Mail address that answers go to. The sender's if empty."`
	Subject string   `json:"subject" placeholder:"name,version,tag,date" doc:"Subject of the mail."`
	// RehearsalTo takes the place of To, not a part of it.
	RehearsalTo []string `json:"rehearsal_to" doc:"Mail addresses that rehearsals are sent to. Rehearsals are not mailed if empty."`
	Template    string   `json:"template" doc:"File in this repository that the text is made from. A built-in one if empty."`

	Lines strict.Lines `json:"-"`
}

// Grid says how test results are shown.
type Grid struct {
	Dashboards []Dashboard `json:"dashboards" doc:"Dashboards besides those that jobs name in their annotations."`
	TestGrid   []string    `json:"testgrid" doc:"Files of TestGrid's configuration in this repository, as patterns: * within a name, ** for any folders. The default.yaml of the folder that holds them all counts for jobs, too."`

	Lines strict.Lines `json:"-"`
}

// Dashboard is a page of jobs' results.
type Dashboard struct {
	Name        string   `json:"name" doc:"Title of the page."`
	Description string   `json:"description" doc:"What belongs here."`
	Jobs        []string `json:"jobs" doc:"Jobs shown, each as a tab."`

	Lines strict.Lines `json:"-"`
}

// defaults is a project whose file says nothing.
func defaults() Project {
	return Project{
		Project: Identity{DefaultBranch: "main"},
		Jobs:    Jobs{Files: []string{".prow.yaml"}},
		Merge: Merge{
			Method: "merge",
			Labels: Labels{
				Require: []string{"lgtm", "approved"},
				Forbid:  []string{"do-not-merge/hold", "do-not-merge/work-in-progress", "needs-rebase"},
			},
			BatchLimit: 5,
		},
		Build: Build{
			Platforms: []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"},
			Files:     []string{"LICENSE*", "README*"},
		},
		Signal: defaultSignal(),
		Triage: defaultTriage(),
		Release: Release{
			TagPrefix:     "v",
			Tags:          Tags{Sign: "auto"},
			BranchPattern: "release-{major}.{minor}",
			Changelog:     "CHANGELOG/CHANGELOG-{major}.{minor}.md",
			Versions:      Versions{Bump: "minor"},
			Branches:      defaultBranches(),
			Gates:         defaultGates(),
			Announce:      Announce{Subject: "{name} {version} is out"},
			Issue:         ReleaseIssue{Open: "always"},
		},
		Alerts: Alerts{Issues: AlertIssues{Labels: []string{"kind/failing-test"}}},
	}
}
