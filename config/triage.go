package config

import (
	"time"

	"seaworthy/strict"
)

// Triage says how long failures of tests are followed. A platform follows those
// of all its repositories together, for as long as any of them wants.
type Triage struct {
	Failures int `json:"failures" doc:"Days that failures of tests are kept, for the pages of clusters. Of several repositories the longest counts."`
	Clusters int `json:"clusters" doc:"Days that a cluster is remembered after its last failure, so that it is known again when it returns."`

	Lines strict.Lines `json:"-"`
}

// The most days: failures as far as a page of clusters looks back, clusters for
// ten years.
const (
	mostFailureDays = 400
	mostClusterDays = 3650
)

func defaultTriage() Triage { return Triage{Failures: 14, Clusters: 400} }

// Keep is how long failures and clusters are kept.
func (t Triage) Keep() (failures, clusters time.Duration) {
	const day = 24 * time.Hour
	return time.Duration(t.Failures) * day, time.Duration(t.Clusters) * day
}

func (c *checker) triage(t Triage) {
	if t.Failures < 1 || t.Failures > mostFailureDays {
		c.fail(t.Lines.Of("failures"), "failures is %d: write days, from 1 to %d", t.Failures, mostFailureDays)
	}
	if t.Clusters < t.Failures || t.Clusters > mostClusterDays {
		c.fail(t.Lines.Of("clusters"), "clusters is %d: write days, from those of failures (%d) to %d", t.Clusters, t.Failures, mostClusterDays)
	}
}
