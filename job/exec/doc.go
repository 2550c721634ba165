// Package exec is the contract between an execution's life (job/run) and what
// runs its program: processes on this machine (job/local) or pods (job/kube).
//
// An executor lays out the sources, runs the job's command in a clean
// environment, and streams what happens into a Sink while it happens:
//
//	result, err := executor.Run(ctx, exec.Request{
//		Execution: e,
//		Env:       job.Env(e),
//		Secrets:   []string{token},
//	}, sink)
//
// What every executor promises is said at Executor and proved by the
// conformance suite in job/exectest, which also has a scripted fake.
package exec
