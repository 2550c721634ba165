// Package run is the life of an execution: what triggers it, who works on it,
// what the forge and the bucket are told.
//
// An execution is created Triggered, with a pending status on the forge, and
// handed to a queue. A worker claims it under a lease, runs it on an executor,
// uploads what it produced in Prow's layout (finished.json last), sets the
// final status and only then records it as finished:
//
//	service, err := run.New(run.Options{Forge: client, Store: db, Executor: local, Bucket: bucket, …})
//	err = service.Recover(ctx)             // once, at start
//	err = service.HandleEvent(ctx, event)  // for each event of the forge
//	err = service.Execute(ctx, id)         // in a queue's worker
//
// Every step may be done twice. Creation is idempotent through the execution's
// Key; Execute takes up where a failed one left off, because what a program
// produced lies in a folder of this machine until it is told to everybody. An
// error of HandleEvent, Start or Execute therefore means: call it again.
//
// A worker that dies leaves a lease behind. Whoever finds it lapsed records
// that execution as lost and creates a fresh one, a few times at most.
package run
