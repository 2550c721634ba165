package alert_test

import (
	"testing"

	"seaworthy/alert"
	"seaworthy/grid"
)

// That builds fail is told where no test says why.
func TestBuildsAreToldOfWhereNoTestIs(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Issues: true}}
	s.want(s.next("08:00", tab("unit", fails("ci-unit.Overall"), fails("ci-unit.Pod"), fails("TestA"))), "issue ci-unit: [p] TestA fails: began", "unit@example.org: [p] TestA fails: began")
	s.want(s.next("08:02", tab("unit")), "issue ci-unit: [p] TestA fails: ended", "unit@example.org: [p] TestA fails: ended")
	s = story{t: t, rules: alert.Rules{Project: "p"}}
	s.want(s.next("08:00", tab("unit", fails("ci-unit.Overall"))), "unit@example.org: [p] builds of ci-unit fail: began")
	// It does not end because a test fails, too.
	s.want(s.next("08:02", tab("unit", fails("ci-unit.Overall"), fails("TestA"))), "unit@example.org: [p] TestA fails: began")
	s.want(s.next("08:04", tab("unit", fails("ci-unit.Overall"))), "unit@example.org: [p] TestA fails: ended")
	s.want(s.next("08:06", tab("unit")), "unit@example.org: [p] builds of ci-unit fail: ended")
	s.want(s.next("08:08", tab("unit", fails("ci-unit.Pod"))), "unit@example.org: [p] pods of ci-unit fail: began")
}

// Grids of several jobs call the row alike; they are not one trouble.
func TestBuildsOfSeveralJobs(t *testing.T) {
	t.Parallel()
	s := story{t: t, rules: alert.Rules{Project: "p", Mails: []string{"all@example.org"}}}
	one, two := tab("unit", fails("Overall")), tab("race", fails("Overall"))
	one.Mails, two.Mails = nil, nil
	s.want(s.next("08:00", one, two), "all@example.org: [p] in ci-race, ci-unit: 2 began")
	two.Alerts, two.Status = nil, grid.Passing
	s.want(s.next("08:02", one, two), "all@example.org: [p] builds of ci-race fail: ended")
}
