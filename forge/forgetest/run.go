package forgetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"seaworthy/forge"
)

// patience bounds each test: a forge that does not answer fails it.
const patience = 5 * time.Minute

// test is one test's view of the forge: an empty repository of its own.
type test struct {
	*testing.T
	Fixture
	ctx  context.Context
	repo forge.RepoName
}

// Part is a part of what a forge does.
type Part string

// Parts that can be checked by themselves.
const (
	PartRepositories Part = "repositories"
	PartBranches     Part = "branches"
	PartIssues       Part = "issues"
	PartStatuses     Part = "statuses"
	PartReleases     Part = "releases"
)

// Run checks a forge. newForge is called once; the tests share what it returns
// and run in parallel, each in a repository of its own.
func Run(t *testing.T, newForge func(t *testing.T) Fixture) {
	t.Helper()
	cases := map[string]func(*test){}
	for _, group := range []map[string]func(*test){
		repositoryTests, branchTests, contentTests, pullTests, mergeTests, reviewTests,
		issueTests, statusTests, releaseTests, hookTests, accessTests,
	} {
		maps.Copy(cases, group)
	}
	run(t, newForge(t), cases)
}

// RunParts checks some parts of a forge whose adapter has no others: the calls
// of the rest are not made, but those that Fixture.Lacks must name.
func RunParts(t *testing.T, newForge func(t *testing.T) Fixture, parts ...Part) {
	t.Helper()
	groups := map[Part]map[string]func(*test){PartRepositories: repositoryTests, PartBranches: branchTests, PartIssues: issueTests,
		PartStatuses: statusTests, PartReleases: releaseTests}
	cases := map[string]func(*test){}
	for _, p := range parts {
		group, known := groups[p]
		if !known {
			t.Fatalf("there is no part %q", p)
		}
		maps.Copy(cases, group)
	}
	run(t, newForge(t), cases)
}

func run(t *testing.T, f Fixture, cases map[string]func(*test)) {
	t.Helper()
	for name := range f.Lacks {
		if cases[name] == nil {
			t.Errorf("the forge is said to lack %q, which is no test", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			if why, lacks := f.Lacks[name]; lacks {
				t.Skip("skipped: " + why)
			}
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cases[name](&test{T: t, Fixture: f, ctx: ctx, repo: f.NewRepo(t)})
		})
	}
}

// need stops the test on an unexpected error.
func (t *test) need(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the kind of an error.
func (t *test) refused(err, want error, what string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s gave %v; want an error that is %q", what, err, want)
	}
}

// equal compares two values that == can.
func equal[T comparable](t *test, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

// same compares two lists in order.
func same[T comparable](t *test, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

// names maps a list to what names its items.
func names[T any, K any](items []T, name func(T) K) []K {
	out := make([]K, 0, len(items))
	for _, item := range items {
		out = append(out, name(item))
	}
	return out
}

// recent checks a time the forge gave for something that just happened, with
// room for its clock being off.
func (t *test) recent(what string, at time.Time) {
	t.Helper()
	if age := time.Since(at).Abs(); age > time.Hour {
		t.Errorf("%s is %v, which is %v away from now", what, at, age)
	}
	if at.Location() != time.UTC {
		t.Errorf("%s is in %v; want UTC", what, at.Location())
	}
}

func ptr[T any](v T) *T { return &v }
