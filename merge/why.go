package merge

import (
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
)

// Candidate is an open pull request with what a decision about it needs.
type Candidate struct {
	PR           forge.PullRequest
	Results      []Result
	Requirements Requirements
	// ReviewApproved: the forge counts the change as approved by review.
	ReviewApproved bool
	// Refused is the forge's answer to an attempt to merge this head onto
	// this tip, which need not be tried again. Empty otherwise.
	Refused string
}

// ReviewApproved reports whether somebody's last verdict approves and nobody's
// asks for changes. A comment without a verdict changes nothing, a dismissed
// verdict no longer counts, and authors do not count for their own change.
func ReviewApproved(author string, reviews []forge.Review) bool {
	last := map[string]forge.ReviewState{}
	reviews = slices.Clone(reviews)
	slices.SortStableFunc(reviews, func(a, b forge.Review) int { return a.SubmittedAt.Compare(b.SubmittedAt) })
	for _, r := range reviews {
		if who := normLogin(r.Author); who != normLogin(author) && r.State != forge.ReviewCommented {
			last[who] = r.State
		}
	}
	approved := false
	for _, s := range last {
		switch s {
		case forge.ReviewChangesRequested:
			return false
		case forge.ReviewApproved:
			approved = true
		}
	}
	return approved
}

// BlockerKind classes what keeps a pull request from merging.
type BlockerKind string

// Kinds of blockers. The last three resolve themselves: the queue starts or
// awaits the job.
const (
	BlockedByState     BlockerKind = "state"      // closed or draft
	BlockedByPolicy    BlockerKind = "policy"     // no query, branch, author or milestone
	BlockedByLabel     BlockerKind = "label"      // one is missing or must go
	BlockedByReview    BlockerKind = "review"     // no approving review
	BlockedByConflict  BlockerKind = "conflict"   // does not merge cleanly
	BlockedByRefusal   BlockerKind = "refusal"    // the forge would not merge it
	BlockedByContext   BlockerKind = "context"    // red, or awaited from somebody else
	BlockedUntilRun    BlockerKind = "run"        // a required job never ran
	BlockedUntilRetest BlockerKind = "retest"     // it ran on an older tip
	BlockedUntilDone   BlockerKind = "unfinished" // it runs
)

// Blocker is one thing that keeps a pull request from merging.
type Blocker struct {
	Kind     BlockerKind
	Subject  string // the label, context, … it is about
	Sentence string // for a person, with a full stop
}

// Transient reports whether the queue itself will see to it.
func (b Blocker) Transient() bool {
	return b.Kind == BlockedUntilRun || b.Kind == BlockedUntilRetest || b.Kind == BlockedUntilDone
}

// Why lists everything that keeps the pull request from merging, the nearest
// query's demands first, then conflicts, then contexts. It is empty when
// nothing does.
func Why(c Candidate, p Policy, tip string) []Blocker {
	out := whyState(c.PR)
	out = append(out, whyPolicy(c, p)...)
	switch {
	case c.PR.Mergeability == forge.MergeConflict:
		out = append(out, Blocker{BlockedByConflict, LabelNeedsRebase,
			fmt.Sprintf("It conflicts with %s: rebase it and push again.", c.PR.Base.Branch)})
	case c.PR.HasLabel(LabelNeedsRebase) && !mentions(out, LabelNeedsRebase):
		out = append(out, Blocker{BlockedByConflict, LabelNeedsRebase,
			fmt.Sprintf("It is marked %s: rebase it on %s and push again.", LabelNeedsRebase, c.PR.Base.Branch)})
	}
	if c.Refused != "" {
		out = append(out, Blocker{BlockedByRefusal, "", "The forge would not merge it: " + sentence(c.Refused)})
	}
	return append(out, whyContexts(c, tip)...)
}

func mentions(bs []Blocker, subject string) bool {
	return slices.ContainsFunc(bs, func(b Blocker) bool { return strings.EqualFold(b.Subject, subject) })
}

func whyState(pr forge.PullRequest) []Blocker {
	switch {
	case pr.Merged:
		return []Blocker{{BlockedByState, "merged", "It has merged already."}}
	case pr.State == forge.StateClosed:
		return []Blocker{{BlockedByState, "closed", "It is closed: reopen it with /reopen."}}
	case pr.Draft:
		return []Blocker{{BlockedByState, "draft", "It is a draft: mark it as ready for review."}}
	}
	return nil
}

// whyPolicy explains the query that asks for least.
func whyPolicy(c Candidate, p Policy) []Blocker {
	if len(p.Queries) == 0 {
		return []Blocker{{BlockedByPolicy, "query", "No merge query covers this repository: add one to its configuration."}}
	}
	var best []Blocker
	for i, q := range p.Queries {
		bs := whyQuery(c, q)
		if len(bs) == 0 {
			return nil
		}
		if i == 0 || len(bs) < len(best) {
			best = bs
		}
	}
	return best
}

func whyQuery(c Candidate, q Query) []Blocker {
	var out []Blocker
	add := func(kind BlockerKind, subject, format string, args ...any) {
		out = append(out, Blocker{kind, subject, fmt.Sprintf(format, args...)})
	}
	pr := c.PR
	if b := pr.Base.Branch; len(q.IncludedBranches) > 0 && !slices.Contains(q.IncludedBranches, b) ||
		slices.Contains(q.ExcludedBranches, b) {
		add(BlockedByPolicy, b, "Merging into the branch %s is closed to the queue.", b)
	}
	if q.Author != "" && normLogin(q.Author) != normLogin(pr.Author) {
		add(BlockedByPolicy, q.Author, "Only changes by %s merge here, and this one is by %s.", q.Author, pr.Author)
	}
	for _, entry := range q.Labels {
		if any, has := anyLabel(pr, entry); !has {
			add(BlockedByLabel, any[0], "It needs the label %s%s.", strings.Join(any, " or "), remedy(any[0]))
		}
	}
	for _, l := range q.MissingLabels {
		if pr.HasLabel(l) {
			add(BlockedByLabel, l, "It must not have the label %s%s.", l, remedy(l))
		}
	}
	if q.Milestone != "" && !strings.EqualFold(q.Milestone, pr.Milestone) {
		add(BlockedByPolicy, q.Milestone, "It needs the milestone %s: /milestone %s.", q.Milestone, q.Milestone)
	}
	if q.ReviewApprovedRequired && !c.ReviewApproved {
		add(BlockedByReview, "review", "It needs an approving review, and no open request for changes.")
	}
	return out
}

// remedy says what a person does about a label that the bot manages.
func remedy(label string) string {
	switch strings.ToLower(label) {
	case "lgtm":
		return ": a reviewer says /lgtm"
	case "approved":
		return ": the owners of the changed files say /approve"
	case "do-not-merge/hold":
		return ": whoever holds it says /hold cancel"
	case "do-not-merge/work-in-progress":
		return ": take WIP out of the title, or mark the draft as ready"
	case "do-not-merge/release-note-label-needed":
		return ": fill in the release-note block of the description, or say /release-note-none"
	case "needs-ok-to-test":
		return ": a collaborator says /ok-to-test"
	case LabelNeedsRebase:
		return ": rebase it and push again"
	}
	return ""
}

func whyContexts(c Candidate, tip string) []Blocker {
	var out []Blocker
	for _, k := range c.Requirements.Evaluate(c.Results, tip) {
		b := Blocker{Kind: BlockedByContext, Subject: k.Context}
		switch {
		case k.Verdict == Green || k.Verdict == Ignored:
			continue
		case k.Verdict == Failed:
			b.Sentence = fmt.Sprintf("%s failed%s", k.Context, because(k))
		case k.Job != "" && k.Verdict == Missing:
			b.Kind, b.Sentence = BlockedUntilRun, fmt.Sprintf("%s has not run yet.", k.Context)
		case k.Job != "" && k.Verdict == Stale:
			b.Kind, b.Sentence = BlockedUntilRetest,
				fmt.Sprintf("%s ran on an older %s and is run again when it is this change's turn.", k.Context, c.PR.Base.Branch)
		case k.Job != "":
			b.Kind, b.Sentence = BlockedUntilDone, fmt.Sprintf("%s is running.", k.Context)
		case k.Verdict == Missing:
			b.Sentence = fmt.Sprintf("%s has not reported; it is required and comes from outside.", k.Context)
		default:
			b.Sentence = fmt.Sprintf("%s has not finished.", k.Context)
		}
		out = append(out, b)
	}
	return out
}

// because ends the sentence about a failure with its reason and the way out.
func because(k Check) string {
	s := "."
	if k.Result.Description != "" {
		s = ": " + sentence(k.Result.Description)
	}
	if k.Job != "" {
		return s + " Fix it and push, or say /retest."
	}
	if k.Unknown {
		return s + " Nobody requires it, but unknown contexts count."
	}
	return s
}

func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}
