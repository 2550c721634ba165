package triage

import (
	"cmp"
	"slices"
	"strings"
)

// Inherit gives clusters the identity they had before: the key and the id of
// the previous cluster whose text or key states what one of their groups does.
// Of several the one with most failures wins, so that a cluster made of two
// goes on as the larger; of a cluster that split, the larger part goes on. It
// returns how many clusters were known before. Previous may be triage's own: its
// keys are of another making, its texts are not.
func Inherit(clusters []Group, previous []ClusterData) int {
	owner := map[uint64]int{} // statement: cluster
	for i, c := range clusters {
		for _, p := range c.parts {
			owner[p.statement] = i
		}
	}
	order := slices.Clone(previous)
	slices.SortStableFunc(order, func(a, b ClusterData) int {
		return cmp.Or(cmp.Compare(b.Hits(), a.Hits()), strings.Compare(a.ID, b.ID))
	})
	given, used := map[int]ClusterData{}, map[string]bool{}
	var s scanner
	for _, p := range order {
		if p.ID == "" || used[p.ID] {
			continue
		}
		for _, text := range []string{p.Text, p.Key} {
			s.read(text)
			i, ok := owner[s.statement]
			if !ok || len(s.lines) == 0 && p.Text != "" {
				continue
			}
			if _, taken := given[i]; !taken {
				given[i], used[p.ID] = p, true
			}
			break
		}
	}
	for i := range clusters {
		if _, ok := given[i]; !ok && used[clusters[i].ID] { // its id went to another
			clusters[i].ID = clusters[i].ID + "00"
		}
	}
	for i, p := range given {
		clusters[i].ID, clusters[i].Key = p.ID, p.Key
	}
	slices.SortFunc(clusters, func(a, b Group) int {
		return cmp.Or(cmp.Compare(len(b.Members), len(a.Members)), strings.Compare(a.ID, b.ID))
	})
	return len(given)
}
