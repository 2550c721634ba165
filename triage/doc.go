// Package triage finds which failures, of many tests in many jobs, have one
// cause. It is pure: texts in, clusters out; the same clusters whatever the
// order, the split and the number of workers they came in.
//
// # The rule
//
// Words are meaning, numbers and identifiers are noise:
//
//  1. Each text becomes a statement ([Normalise]): moments, addresses, nodes,
//     generated names and numbers give way to a mark of their kind, the words
//     of a Go map are put in order, a line said before is left out.
//  2. Failures of the same statement are one group. One word of difference
//     makes two.
//  3. Groups are joined where one statement only adds a few lines to the
//     other (a dump cut elsewhere, a longer log), and where statements differ
//     in nothing but words that are new nearly every time (a host, a user:
//     identifiers nobody could have known).
//
// A line number is noise: it moves with every change above it and differs
// between branches, while the words around it (functions, messages) tell
// assertions apart. A number that is a name (exit status 137, HTTP 404) is a
// word.
//
// # Example
//
//	clusters, err := triage.Cluster(ctx, []triage.Failure{
//		{Build: 0, Test: "[sig-node] Pods start", Text: "pod web-x7k2p not ready after 30.1s"},
//		{Build: 1, Test: "[sig-node] Pods stop", Text: "pod web-b9d4z not ready after 29.8s"},
//	}, triage.Options{})
//	// one cluster: "pod web-<id> not ready after <n>"
//
// [Index] assigns one text after another by the same rule. [ReadBuilds],
// [ReadFailures] and [NewData] speak the file formats of Kubernetes' triage.
package triage
