// Package verdict says red, yellow or green of each branch, with the reasons,
// from the grids of its blocking and informing jobs. It does no I/O and reads no
// clock.
//
//	r := verdict.Of(verdict.Input{At: now, Tabs: tabs, Issues: open, Rules: verdict.DefaultRules()})
//	for _, b := range r.Branches {
//		fmt.Println(b.Branch, b.Color, b.Cut.Ready) // release-1.36 yellow false
//	}
//
// The colour follows the table of Kubernetes' release signal handbook
// (kubernetes/sig-release, release-team/role-handbooks/release-signal), the
// criteria for jobs its release-blocking-jobs.md; what either leaves to judgement
// is told as a reason, and decided by an issue that somebody has labelled.
// Everything is computed from the columns there are, so that the same input
// gives the same report, and yesterday's can be made again today.
package verdict
