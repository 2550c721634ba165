// Package job is what a project runs and when: Prow's job configuration, and
// the decisions that follow from it. It does no I/O and reads no clock.
//
// Parse reads one job file, ParseInRepo the form a repository keeps for itself;
// Merge puts any number of files together, applies presets and checks what only
// shows over all of them. Files may be parsed side by side:
//
//	file, problems := job.Parse("jobs.yaml", data)
//	config, more := job.Merge(file)
//
// PresubmitsFor, PostsubmitsFor and Select say which jobs an event or a comment
// starts and why the others stay out; NextRun says when a periodic is due;
// Requirements says which contexts must be green to merge.
//
//	plan, err := job.PresubmitsFor(config, "harbour/halyard", "main", changedFiles)
//	for _, d := range plan.Run {
//		e := d.Job.Execution(refs)
//		e.Path = job.ResultPath(e)
//	}
//
// ForkJobs copies the jobs of a default branch for a release branch.
//
// Env gives the variables a job finds in its environment, ResultPath the place
// of its results in the bucket; both are Prow's, so that scripts and viewers
// made for Prow work unchanged.
package job
