// Package exectest tests executors, and stands in for one.
//
// Conformance proves that an executor keeps the promises of exec.Executor:
//
//	func TestConformance(t *testing.T) {
//		exectest.Conformance(t, func(t *testing.T) exec.Executor { return newExecutor(t) })
//	}
//
// Fake plays scripted outcomes for the tests of those who use an executor, and
// Recorder is a sink that remembers and can be waited on.
package exectest
