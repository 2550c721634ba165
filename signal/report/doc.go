// Package report answers two questions over all dashboards: is each branch red,
// yellow or green, and how does one test fare everywhere. It gathers grids,
// issues and commits; the rules are signal/verdict's and grid/history's.
//
//	s := report.New(report.Options{Grids: grids, Settings: settings, Now: time.Now})
//	r, err := s.Report(ctx, report.Query{})
//	fmt.Println(r.Color, r.Branches[0].Reasons[0].Text)
//	t, err := s.Test(ctx, "TestDrain")
//	fmt.Println(t.State, t.FlakeRate)
package report
