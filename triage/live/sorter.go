package live

import (
	"context"

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
