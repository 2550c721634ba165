package merge

import (
	"regexp"
	"slices"
	"strings"

	"seaworthy/forge"
)

// Query says which pull requests of a repository may merge, with the meaning
// of a Tide query. Empty fields ask for nothing.
type Query struct {
	// Labels that must all be there. One entry may name several, separated
	// by commas, of which one is enough.
	Labels []string
	// MissingLabels must all be absent.
	MissingLabels []string
	Author        string
	Milestone     string
	// IncludedBranches and ExcludedBranches name base branches exactly.
	IncludedBranches []string
	ExcludedBranches []string
	// ReviewApprovedRequired asks for an approving review on the forge.
	ReviewApprovedRequired bool
}

// Labels that choose how a pull request lands, over the repository's default.
const (
	LabelMerge  = "tide/merge-method-merge"
	LabelSquash = "tide/merge-method-squash"
	LabelRebase = "tide/merge-method-rebase"
)

// LabelBlocker on an open issue stops every merge into the branches that its
// title names as "branch:NAME", or into all of them when it names none.
const LabelBlocker = "tide/merge-blocker"

// LabelNeedsRebase marks a pull request that does not merge cleanly.
const LabelNeedsRebase = "needs-rebase"

// Policy is what a repository asks of its merge queue.
type Policy struct {
	// Queries: a pull request that meets any of them may merge. None means
	// that nothing merges.
	Queries []Query
	// Method is how changes land; merge when empty. Methods overrules it
	// for base branches by exact name.
	Method  forge.MergeMethod
	Methods map[string]forge.MergeMethod
	// Priority lists sets of labels; pull requests with all labels of the
	// first set go first, then those of the second, then the others.
	Priority [][]string
	// Milestones gives the title of the milestone that a change gets when it
	// lands on a branch, by branch name.
	Milestones map[string]string
	// Batch is the most pull requests that are tested together; 0 and 1
	// mean one after the other.
	Batch int
}

// MethodFor returns how the pull request lands: what a label on it says, else
// what the policy says for its branch.
func (p Policy) MethodFor(pr forge.PullRequest) forge.MergeMethod {
	switch {
	case pr.HasLabel(LabelSquash):
		return forge.MethodSquash
	case pr.HasLabel(LabelRebase):
		return forge.MethodRebase
	case pr.HasLabel(LabelMerge):
		return forge.MethodMerge
	}
	if m := p.Methods[pr.Base.Branch]; m != "" {
		return m
	}
	if p.Method != "" {
		return p.Method
	}
	return forge.MethodMerge
}

// Concerns reports whether a label can change anything: whether a pull request
// may merge, when, or how.
func (p Policy) Concerns(label string) bool {
	named := []string{LabelNeedsRebase, LabelMerge, LabelSquash, LabelRebase}
	for _, q := range p.Queries {
		named = append(named, q.MissingLabels...)
		for _, entry := range q.Labels {
			named = append(named, strings.Split(entry, ",")...)
		}
	}
	for _, set := range p.Priority {
		named = append(named, set...)
	}
	return slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), label) })
}

// rank is the pull request's place in the order of priorities; smaller first.
func (p Policy) rank(pr forge.PullRequest) int {
	for i, set := range p.Priority {
		if !slices.ContainsFunc(set, func(l string) bool { return !pr.HasLabel(l) }) {
			return i
		}
	}
	return len(p.Priority)
}

// anyLabel returns the alternatives of one entry of Query.Labels, and whether
// the pull request has one.
func anyLabel(pr forge.PullRequest, entry string) (alternatives []string, has bool) {
	for l := range strings.SplitSeq(entry, ",") {
		if l = strings.TrimSpace(l); l != "" {
			alternatives = append(alternatives, l)
		}
	}
	return alternatives, len(alternatives) == 0 || slices.ContainsFunc(alternatives, pr.HasLabel)
}

var titleBranch = regexp.MustCompile(`(?i)\bbranch:[^\w-]*([\w./-]+)`)

// blocks reports whether the open issue stops merges into the branch.
func blocks(issue forge.Issue, branch string) bool {
	if issue.State != forge.StateOpen || issue.IsPull || !issue.HasLabel(LabelBlocker) {
		return false
	}
	named := titleBranch.FindAllStringSubmatch(issue.Title, -1)
	return len(named) == 0 || slices.ContainsFunc(named, func(m []string) bool { return m[1] == branch })
}
