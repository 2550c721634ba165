// Package live follows clusters of failures over time: which failures they
// hold, since when, how often of late, in which jobs, tests and branches, and
// which merge showed them first.
//
// A [Table] holds failures as columns in memory and answers filtered questions
// about hundreds of thousands of them in milliseconds: every distinct text, job
// and test is matched once, the failures themselves are only counted. It is
// filled from triage's files, or by a [Service] that records the failures of
// builds as they are read, keeps them in a [Store] and gives each text to a
// cluster.
//
//	s := live.New(live.Options{Store: db, Now: time.Now})
//	err := s.Record(ctx, live.Result{Build: live.Build{Path: "logs/ci-unit/7", Job: "ci-unit", …}, Failures: failures})
//	list, err := s.List(ctx, live.Filter{Text: "timed out", Sort: live.ByDay})
//	one, err := s.Cluster(ctx, list.Clusters[0].ID, live.Filter{})
//
// A cluster keeps its name: [Service.Reconcile] clusters everything anew and
// hands each old name to the new cluster that holds most of what the old one
// held. A name that lost everything to another cluster leads to that one.
package live
