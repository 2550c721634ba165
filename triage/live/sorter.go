package live

import (
	"context"
	"strconv"

	"seaworthy/triage"
)

// Triage sorts texts by the rules of package triage.
type Triage struct{}

// Key implements Sorter.
func (Triage) Key(text string) string { return triage.Normalise(text) }

// Groups implements Sorter.
func (Triage) Groups(ctx context.Context, texts []string) ([][]int, error) {
	failures := make([]triage.Failure, len(texts))
	for i, text := range texts {
		failures[i] = triage.Failure{Build: i, Text: text}
	}
	found, err := triage.Cluster(ctx, failures, triage.Options{})
	if err != nil {
		return nil, err
	}
	groups := make([][]int, len(found))
	for i, g := range found {
		for _, m := range g.Members {
			groups[i] = append(groups[i], m.Build)
		}
	}
	return groups, nil
}

// Index implements Sorter.
func (Triage) Index(texts []string, groups []int32) Index {
	x := statements{triage.NewIndex(nil)}
	for i, text := range texts {
		x.Add(text, groups[i])
	}
	return x
}

// statements are an index of triage's, whose clusters are named by number.
type statements struct{ of *triage.Index }

// Find implements Index.
func (s statements) Find(text string) (int32, bool) {
	m, ok := s.of.Assign(text)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(m.ID, 10, 32)
	return int32(n), err == nil
}

// Add implements Index.
func (s statements) Add(text string, group int32) { s.of.Add(strconv.Itoa(int(group)), text) }
