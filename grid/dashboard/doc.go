// Package dashboard reads what TestGrid is configured with: dashboard groups,
// dashboards, their tabs, and the test groups that the tabs look at, from YAML
// files and from the testgrid-* annotations of Prow jobs. It does no I/O.
//
//	config, problems := dashboard.Read(map[string][]byte{
//		"grids/default.yaml": defaults,
//		"grids/halyard.yaml": []byte("test_groups: …\ndashboards: …\n"),
//	})
//	config, more := dashboard.WithJobs(config, jobs, dashboard.Prow{Bucket: "halyard-ci"})
//	problems = append(problems, more...)
//	problems = append(problems, config.Check()...)
//	if tab, group, ok := config.Tab("halyard-blocking", "unit"); ok {
//		summary := grid.Summarize(g, tab.Options(group), now)
//	}
//
// Read and WithJobs say what cannot be read; Check says what TestGrid would
// refuse of the whole (it needs the jobs, since they fill dashboards). Every
// problem has its file and line. A configuration with errors holds what could
// be read of it.
//
// The form is that of TestGrid's config.proto as its configurator takes it,
// every field of it known by name. Fields that make no difference here give a
// warning when they are set.
package dashboard
