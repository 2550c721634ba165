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
// for long, and messages once, since most failures do, too.
//
// Columns are in order of the time their builds began, then of their numbers.
// A build that does not tell when, or tells what cannot be (before the year
// 2000, or more than a day ahead of now), stands just before the build of the
// next lower number that does.
//
// A grid is brought up to date by appending what is new; Clone gives readers a
// picture of it at no cost, and Encode keeps it for the next start:
//
//	data, err := g.Encode()
//	g, err = grid.Decode(data)
//
// A View is what one screen shows of it, filtered, sorted and cut by a Query:
//
//	v := grid.Query{OnlyFailures: true, Sort: grid.ByFailures, Rows: grid.Window{Count: 100}}.View(g)
package grid
