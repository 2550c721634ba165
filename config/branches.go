package config

import (
	"path"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/merge"
	"seaworthy/release"
	"seaworthy/strict"
)

// Branches are the rules by which a release branch is forked from the default
// branch.
type Branches struct {
	Jobs        string        `json:"jobs" enum:"auto,annotated,all,none" doc:"Which jobs the branch gets copies of: those annotated fork-per-release, all that test the default branch and would not run for the new one, or none. auto is annotated where any job has the annotation, else all."`
	JobFile     string        `json:"job_file" placeholder:"major,minor,branch" doc:"File that the copies of jobs are written to."`
	Dashboard   string        `json:"dashboard" placeholder:"major,minor,branch" doc:"Dashboard that copies of jobs are shown on, besides those their annotations name. None if empty."`
	Together    []string      `json:"together" doc:"Further repositories, OWNER/NAME, that get the same branch: periodics that use them do so from there."`
	Milestone   string        `json:"milestone" placeholder:"major,minor" doc:"Title of the milestone of a minor version. None if empty."`
	Protection  string        `json:"protection" enum:"copy,none" doc:"Whether the branch is protected as the default branch is."`
	Require     []string      `json:"require" doc:"Labels that a change to the branch needs besides those of merge.labels."`
	Changelog   string        `json:"changelog" enum:"open,none" doc:"Whether the next minor version's changelog is opened. Without, its first release opens it."`
	Replace     []Replacement `json:"replace" doc:"Texts that change with the branch, such as a version in a file."`
	FastForward string        `json:"fast_forward" enum:"merge,only" doc:"How the branch is moved on to the default branch before its first final release when it holds changes of its own: merge them, or refuse."`

	Lines strict.Lines `json:"-"`
}

// Replacement is a text that changes with the branch.
type Replacement struct {
	File  string `json:"file" doc:"File in this repository."`
	From  string `json:"from" doc:"Text that stands there now; {major}, {minor}, {next_minor}, {previous_minor} and {branch} are filled in."`
	To    string `json:"to" doc:"Text that takes its place, filled in likewise."`
	Where string `json:"where" doc:"main for the default branch, branch, or both."`

	Lines strict.Lines `json:"-"`
}

// MergeBranch is what changes to one branch need besides.
type MergeBranch struct {
	Require   []string `json:"require" doc:"Labels that must be there besides those of merge.labels."`
	Milestone string   `json:"milestone" doc:"Milestone that a change must be in. Any, or none, if empty."`

	Lines strict.Lines `json:"-"`
}

func defaultBranches() Branches {
	return Branches{Jobs: "auto", JobFile: "jobs/release-{major}.{minor}.yaml", Dashboard: "release-{major}.{minor}",
		Milestone: "v{major}.{minor}", Protection: "copy", Changelog: "none", FastForward: release.FastForwardMerge}
}

// Rules are the section as the release machinery takes it.
func (b Branches) Rules() release.BranchRules {
	r := release.BranchRules{Jobs: b.Jobs, JobFile: b.JobFile, Dashboard: b.Dashboard, Together: b.Together, Milestone: b.Milestone,
		Protection: b.Protection, Require: b.Require, Changelog: b.Changelog == "open", FastForward: b.FastForward}
	for _, x := range b.Replace {
		r.Replace = append(r.Replace, release.Replacement{File: x.File, From: x.From, To: x.To, Where: x.Where})
	}
	return r
}

func (c *checker) branches(b Branches) {
	if !inside(b.JobFile) || path.Ext(b.JobFile) != ".yaml" || !strings.Contains(b.JobFile, "{") {
		c.fail(b.Lines.Of("job_file"), "job_file %q: write a path inside the repository that names the version, such as jobs/release-{major}.{minor}.yaml", b.JobFile)
	}
	for _, name := range b.Together {
		if _, err := forge.ParseRepoName(name); err != nil {
			c.fail(b.Lines.Of("together"), "repository %q: write OWNER/NAME", name)
		}
	}
	if b.Milestone != "" && !strings.Contains(b.Milestone, "{minor}") {
		c.fail(b.Lines.Of("milestone"), "milestone %q lacks {minor}: write one such as v{major}.{minor}", b.Milestone)
	}
	for _, r := range b.Replace {
		switch {
		case !inside(r.File):
			c.fail(r.Lines.Of("file"), "file %q: write a path inside the repository", r.File)
		case r.From == "" || r.From == r.To:
			c.fail(r.Lines.Start, "a replacement in %s needs from, and another text as to: write both", r.File)
		case r.Where != "main" && r.Where != "branch" && r.Where != "both":
			c.fail(r.Lines.Start, "where is %q: write one of main, branch, both", r.Where)
		}
	}
}

// Queries say which changes may merge: those with the labels, and, on a branch
// that asks for more, with those, too.
func (m Merge) Queries() []merge.Query {
	main := merge.Query{Labels: m.Labels.Require, MissingLabels: m.Labels.Forbid}
	queries := []merge.Query{}
	for _, name := range sortedNames(m.Branches) {
		b := m.Branches[name]
		main.ExcludedBranches = append(main.ExcludedBranches, name)
		queries = append(queries, merge.Query{Labels: slices.Concat(m.Labels.Require, b.Require), MissingLabels: m.Labels.Forbid,
			Milestone: b.Milestone, IncludedBranches: []string{name}})
	}
	return append(queries, main)
}

// forkMode is the rules' word for which jobs are copied.
func forkMode(r release.BranchRules) job.ForkMode { return job.ForkMode(r.Jobs) }
