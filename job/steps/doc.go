// Package steps runs the steps of a declarative build: each as a program in one
// workspace, as soon as what it waits for is over, with a log of its own.
//
//	report, err := steps.Run(ctx, steps.Options{
//		Plan: plan, Workspace: dir, Artifacts: artifacts, Temp: temp,
//		Runner: runner, Env: env, Out: os.Stdout, Now: time.Now,
//	})
//
// A step that fails ends the build: those that run are stopped, those that wait
// do not begin. What became of each, and how long it took, is in the report and
// in the artifacts folder, where the pages of a run find it:
//
//	steps.json                the report
//	junit_steps.xml           each step as a test
//	steps/00-LABEL/build-log.txt
package steps
