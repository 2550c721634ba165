// Package flow is a durable workflow engine: steps with typed inputs and
// outputs, recorded before and after they act, so that a process killed at any
// instant can be started again and finish the work without doing anything
// twice.
//
// A flow is written as plain Go that reads as prose. Values are promises: they
// make the order of the steps, known before anything runs, and steps that do
// not need each other run side by side.
//
//	d := flow.Define("greet", 1)
//	who := flow.Param[string](d)
//	text := flow.Add(d, flow.Step[string, string]{Name: "compose", Title: "Compose the greeting",
//		Idempotent: true, Act: compose}, who)
//	ok := flow.AwaitApproval(d, "approve", "Approval by the host", flow.Const(d, []string{"host"}), text)
//	flow.Add(d, flow.Step[string, flow.Nothing]{Name: "send", Title: "Send it",
//		Look: alreadySent, Act: send}, text, ok)
//
//	e := &flow.Engine{Journal: journal, Owner: "host-1", Now: now}
//	run, err := e.Start(ctx, d, flow.StartOptions{Params: "Ada", Actor: "ben"})
//	state, err := e.Drive(ctx, d, run.ID, flow.DriveOptions{})
//
// What an attempt at a step does, in this order: the input is appended to the
// journal; Look asks whether the world already is as wanted; if not, Act makes
// it so; the output is appended. What cannot be recorded is not done: a journal
// that fails stops the run at once. Inputs and outputs cross between steps as
// JSON, whether the process was restarted in between or not.
//
// Only a step that is safe to run again (it has a Look, or says that it is
// Idempotent) is retried by itself. One that is not, and was interrupted, fails
// with a message that says so; resuming the run then is a person's decision.
//
// The engine knows nothing of releases, forges or SQL. Memory is a journal in
// this process; the store package has one in a database; flowtest holds the
// suite that both pass.
package flow
