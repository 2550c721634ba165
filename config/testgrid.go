package config

import (
	"path"
	"slices"
	"strings"

	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/strict"
)

// IsGridFile reports whether a path in the repository is one of the files that
// grid.testgrid names.
func (p Project) IsGridFile(name string) bool {
	return slices.ContainsFunc(p.Grid.TestGrid, func(pattern string) bool {
		return glob(strings.Split(pattern, "/"), strings.Split(name, "/"))
	})
}

// Boards returns everything the project shows: the dashboards of TestGrid's
// files, given by their paths (files that no pattern of grid.testgrid matches
// are passed over), those under grid, and those that jobs name. A dashboard
// that jobs name needs no other mention.
func (p Project) Boards(files map[string][]byte, jobs job.Config) (dashboard.Config, []strict.Problem) {
	c, problems := dashboard.Config{}, []strict.Problem(nil)
	if len(p.Grid.TestGrid) > 0 {
		named := map[string][]byte{}
		for name, data := range files {
			if p.IsGridFile(name) {
				named[name] = data
			}
		}
		c, problems = dashboard.Read(named)
	}
	for _, d := range p.Grid.Dashboards {
		if at := slices.IndexFunc(c.Dashboards, func(have dashboard.Dashboard) bool { return have.Name == d.Name }); at < 0 {
			c.Dashboards = append(c.Dashboards, dashboard.Dashboard{Name: d.Name, Description: d.Description, File: p.File, Lines: d.Lines})
		}
	}
	c, found := dashboard.WithJobs(c, jobs, dashboard.Prow{Create: true})
	problems = append(problems, found...)
	for _, d := range p.Grid.Dashboards {
		c = listed(c, d, jobs, p.File)
	}
	return c, strict.Sort(problems)
}

// listed puts the jobs that a dashboard lists onto it, those that are not there
// by an annotation. Names that are no jobs are told of by JobConfig.
func listed(c dashboard.Config, d Dashboard, jobs job.Config, file string) dashboard.Config {
	at := slices.IndexFunc(c.Dashboards, func(have dashboard.Dashboard) bool { return have.Name == d.Name })
	for _, name := range d.Jobs {
		found := jobs.Find(name)
		if len(found) == 0 || slices.ContainsFunc(c.Dashboards[at].Tabs, func(t dashboard.Tab) bool { return t.TestGroup == name }) {
			continue
		}
		if _, ok := c.Group(name); !ok {
			c.TestGroups = append(c.TestGroups, dashboard.TestGroup{
				Name: name, Prefix: path.Clean(job.IndexPath(found[0].Type, name)), DaysOfResults: 14, NumColumnsRecent: 10, File: file, Lines: d.Lines,
			})
		}
		c.Dashboards[at].Tabs = append(c.Dashboards[at].Tabs, dashboard.Tab{
			Name: name, TestGroup: name, Description: found[0].Annotations["description"], File: file, Lines: d.Lines,
		})
	}
	return c
}
