// Package flowtest holds the conformance suite for implementations of
// flow.Journal.
//
//	func TestJournal(t *testing.T) {
//		flowtest.Journal(t, func(t *testing.T) flow.Journal { return &flow.Memory{} })
//	}
package flowtest
