package live

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"seaworthy/triage"
)

// ReadRaw fills a table from triage's input, the builds file and any number of
// failures files, by clustering the failures. What was odd about the files is
// told in one line for each file that had something odd.
func ReadRaw(ctx context.Context, builds io.Reader, failures ...io.Reader) (t *Table, odd []string, err error) {
	known, found, err := triage.ReadBuilds(ctx, builds)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the builds: %w", err)
	}
	odd = tell(odd, "builds", found)
	places := triage.NewPlaces(known)
	sorter := triage.NewClusterer(triage.Options{})
	for i, r := range failures {
		found, err := triage.ReadFailures(ctx, r, runtime.GOMAXPROCS(0), func(row triage.Row) { sorter.Add(places.Failure(row)) })
		if err != nil {
			return nil, odd, fmt.Errorf("reading failures file %d: %w", i+1, err)
		}
		odd = tell(odd, "failures file "+strconv.Itoa(i+1), found)
	}
	groups, err := sorter.Clusters(ctx)
	if err != nil {
		return nil, odd, err
	}
	all, _ := places.Builds()
	return fromGroups(groups, all), odd, nil
}

func tell(odd []string, what string, found triage.Irregular) []string {
	lines := found.Lines()
	if len(lines) == 0 {
		return odd
	}
	return append(odd, fmt.Sprintf("%s, %d rows: %s", what, found.Rows, strings.Join(lines, "; ")))
}

// fromGroups fills a table with clusters whose members name builds by index.
func fromGroups(groups []triage.Group, builds []triage.Build) *Table {
	type failure struct {
		build, text int32
		test        string
	}
	t := NewTable()
	var all []failure
	for _, g := range groups {
		c := t.addCluster(Facts{ID: g.ID, Text: g.Text}, 0)
		t.clusters[c].spans = g.Spans
		text := t.addText(c, g.ID, g.Text, 0)
		for _, m := range g.Members {
			all = append(all, failure{int32(m.Build), text, m.Test})
		}
	}
	order := make([]int, len(builds))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return earlier(&builds[a], &builds[b])
	})
	row := make([]int32, len(builds))
	for n, i := range order {
		b := &builds[i]
		row[i] = int32(n)
		t.addBuild(foreignBuild(b), 0)
	}
	slices.SortStableFunc(all, func(a, b failure) int { return cmp.Compare(row[a.build], row[b.build]) })
	for _, f := range all {
		at := row[f.build]
		if b := &t.builds[at]; b.to == b.from {
			b.from, b.to = int32(len(t.build)), int32(len(t.build))
		}
		t.addFailure(at, f.test, f.text)
	}
	t.settle()
	return t
}
