// Package result is where the results of jobs lie, and in what form: Prow's
// layout of a bucket, so that every tool made for it reads ours.
//
// A Writer stores one execution: started.json first, then the log while it
// runs, artifacts, and finished.json last, which says that all else is there.
//
//	w := result.NewWriter(bucket, execution)
//	err := w.Started(ctx, now)
//	log, err := w.Log(ctx)        // write while the job runs, then close
//	err = w.Artifact(ctx, "junit_unit.xml", r)
//	err = w.Finished(ctx, execution, nil)
//
// Builds lists the builds of a job, newest first, and LoadBuild reads one.
// Reading is lenient: what real buckets hold irregularly is read as far as it
// goes, and each irregularity is reported beside the result.
//
// LoadPlain reads what other systems left: folders of JUnit files and no more.
//
// ParseJUnit reads the tests out of JUnit files, fast and in bounded memory, and JUnitFromGoTest makes such
// a file of what go test prints.
package result
