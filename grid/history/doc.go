// Package history follows one test through all its runs: in every job, on every
// branch, in every pull request. It says how often the test passes, whether it
// is flaky or broken, since which build, and how long it takes. It does no I/O
// and reads no clock.
//
//	var all []history.Series
//	for _, g := range grids {
//		if s, ok := history.From(g, history.Source{Job: g.Job, Branch: "main"}, "TestDrain"); ok {
//			all = append(all, s)
//		}
//	}
//	t := history.Of("TestDrain", all, history.Options{})
//	fmt.Println(t.State, t.FlakeRate) // flaky 2.1 % (1.0 to 4.4)
//
// A test that passes and fails on the same commit is flaky; one that fails from
// a commit on is broken; where there are too few runs to tell, the answer is
// unknown, with what is missing.
package history
