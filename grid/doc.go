// Package grid lays the results of a job's builds out as TestGrid does: a row
// for each test, a column for each build, newest first, and a summary of what
// they say. It does no I/O and reads no clock.
//
//	g := grid.New("ci-halyard-test")
//	for _, b := range builds { // in any order, any number of times
//		g.Append(b, now)
//	}
//	s := grid.Summarize(g, grid.Options{}, now)
//	fmt.Println(s.Status, s.Text) // PASSING Tab stats: 9 of 10 (90.0%) recent columns passed (28 of 30 or 93.3% cells)
//
// The first row, JOB.Overall, is the verdict on the build itself. A test that
// ran several times in a build has one cell; when it did not always pass it is
// flaky, "1/2". Rows are kept run-length encoded, since most tests say the same
// for long.
package grid
