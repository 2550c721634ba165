// Package merge decides: who must approve a change and who has, what keeps a
// pull request from merging, and what a branch's merge queue does next.
//
// It is pure. Files, comments, reviews, labels and results come in as values;
// answers come out as values that explain themselves. The packages merge/bot
// and merge/queue fetch the one and act on the other.
//
// OWNERS and OWNERS_ALIASES files are read as Prow reads them, so that a
// project's files mean here what they mean there, and whatever is irregular in
// them is reported instead of dropped in silence:
//
//	owners, problems := merge.Load(files)
//	approval := merge.Approve(owners, merge.Change{
//		Author: "ben", Files: []string{"docs/guide.md"}, Comments: comments,
//	}, merge.ApprovalPolicy{})
//	fmt.Println(approval.Approved, approval.Suggested)
//
// The queue's side has the semantics of Tide's queries and contexts. A result
// counts only where it was made: a success whose description does not end with
// the base branch's tip has to be made again before anything merges.
//
//	blockers := merge.Why(candidate, policy, tip) // one sentence each
//	action := merge.Decide(pool)                  // merge, start, or wait, and why
package merge
