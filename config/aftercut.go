package config

import (
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/strict"
)

// sampleWords fill in placeholders where only their names matter.
func sampleWords() release.Words {
	return release.NewWords("project", release.Version{Prefix: "v", Major: 1}, "main", "", "", time.Time{})
}

// ReleaseIssue is the issue that goes with a release.
type ReleaseIssue struct {
	Open   string   `json:"open" enum:"always,never" doc:"Whether every release has an issue that is opened, kept current and closed."`
	Labels []string `json:"labels" doc:"Labels of the issue; each must exist."`

	Lines strict.Lines `json:"-"`
}

// Chat is where people talk about a release.
type Chat struct {
	Channel string `json:"channel" doc:"Channel that shows a release's timeline, as one message that is edited. None if empty."`

	Lines strict.Lines `json:"-"`
}

// After is one act that follows a release: exactly one of a pull request, a
// milestone and an issue.
type After struct {
	Types       []string         `json:"types" doc:"Kinds of release that it follows: alpha, beta, rc, official. Official alone if empty."`
	PullRequest AfterPullRequest `json:"pull_request" doc:"A change that is proposed."`
	Milestone   AfterMilestone   `json:"milestone" doc:"A milestone that is opened."`
	Issue       AfterIssue       `json:"issue" doc:"An issue that is opened."`

	Lines strict.Lines `json:"-"`
}

// AfterPullRequest is a change that is proposed after a release.
type AfterPullRequest struct {
	Repository string `json:"repository" doc:"OWNER/NAME on the same forge. The released one if empty."`
	Base       string `json:"base" doc:"Branch that the change is for. The default branch if empty."`
	Title      string `json:"title" doc:"Title of the pull request; {version}, {next} and others are filled in."`
	Body       string `json:"body" doc:"Its text."`
	Edits      []Edit `json:"edits" doc:"What is changed."`

	Lines strict.Lines `json:"-"`
}

// Edit changes one file by a pattern.
type Edit struct {
	File    string `json:"file" doc:"Path in the repository."`
	Pattern string `json:"pattern" doc:"Regular expression (RE2, ^ and $ match at lines) of what is replaced; placeholders stand for the very text. It must match."`
	Replace string `json:"replace" doc:"What it becomes: $1 is a group of the pattern, {version} and others are filled in."`
	All     bool   `json:"all" doc:"Replace every match instead of the first."`

	Lines strict.Lines `json:"-"`
}

// AfterMilestone is a milestone that is opened after a release.
type AfterMilestone struct {
	Title       string `json:"title" doc:"Title, such as v{major}.{minor}.{patch}."`
	Description string `json:"description" doc:"What it is for."`
	Close       string `json:"close" doc:"Title of the milestone that is closed, if it is there."`

	Lines strict.Lines `json:"-"`
}

// AfterIssue is an issue that is opened after a release.
type AfterIssue struct {
	Repository string   `json:"repository" doc:"OWNER/NAME on the same forge. The released one if empty."`
	Title      string   `json:"title" doc:"Title, with placeholders."`
	Body       string   `json:"body" doc:"Text, with placeholders."`
	Labels     []string `json:"labels" doc:"Labels; each must exist."`

	Lines strict.Lines `json:"-"`
}

func (c *checker) after(all []After) {
	for _, a := range all {
		given := 0
		for _, act := range []string{"pull_request", "milestone", "issue"} {
			if a.Lines.Has(act) {
				given++
			}
		}
		if given != 1 {
			c.fail(a.Lines.Start, "an entry of after does one thing: write one of pull_request, milestone and issue")
			continue
		}
		for _, kind := range a.Types {
			if _, err := release.ParseKind(kind); err != nil {
				c.fail(a.Lines.Of("types"), "%v", err)
			}
		}
		switch {
		case a.Lines.Has("pull_request"):
			c.afterPullRequest(a.PullRequest)
		case a.Lines.Has("milestone"):
			c.filled(a.Milestone.Lines, "title", a.Milestone.Title, true)
			c.filled(a.Milestone.Lines, "description", a.Milestone.Description, false)
			c.filled(a.Milestone.Lines, "close", a.Milestone.Close, false)
		default:
			c.filled(a.Issue.Lines, "title", a.Issue.Title, true)
			c.filled(a.Issue.Lines, "body", a.Issue.Body, false)
			c.repository(a.Issue.Lines, a.Issue.Repository)
		}
	}
}

func (c *checker) afterPullRequest(p AfterPullRequest) {
	c.filled(p.Lines, "title", p.Title, true)
	c.filled(p.Lines, "body", p.Body, false)
	c.filled(p.Lines, "base", p.Base, false)
	c.repository(p.Lines, p.Repository)
	if len(p.Edits) == 0 {
		c.fail(p.Lines.Start, "a pull request changes something: write edits")
	}
	for _, e := range p.Edits {
		c.filled(e.Lines, "file", e.File, true)
		c.filled(e.Lines, "replace", e.Replace, false)
		if !inside(e.File) {
			c.fail(e.Lines.Of("file"), "file %q: write a path inside the repository", e.File)
		}
		// An empty file matches only what matches anything.
		if _, err := (release.Edit{File: e.File, Pattern: e.Pattern + "|$"}).Apply(nil, sampleWords()); e.Pattern == "" || err != nil {
			c.fail(e.Lines.Of("pattern"), "pattern %q: write a regular expression (RE2) of what is to be replaced", e.Pattern)
		}
	}
}

// filled checks a text with placeholders.
func (c *checker) filled(lines strict.Lines, field, text string, needed bool) {
	if needed && strings.TrimSpace(text) == "" {
		c.fail(lines.Start, "%s is missing: write it", field)
	}
	known := sampleWords()
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if _, ok := known[m[1]]; !ok {
			c.fail(lines.Of(field), "%s has {%s}, which means nothing here: write one of {%s}", field, m[1], strings.Join(sortedNames(known), "}, {"))
		}
	}
}

func (c *checker) repository(lines strict.Lines, name string) {
	if name == "" {
		return
	}
	if _, err := forge.ParseRepoName(name); err != nil {
		c.fail(lines.Of("repository"), "%v", err)
	}
}
