package live

import (
	"context"
	"errors"
	"time"
)

// ErrBehind means that somebody else has written to the store since it was
// read: read what is new and try again.
var ErrBehind = errors.New("the store of failures has changed meanwhile")

// State says how far a store is. Seq grows by one with every change; Epoch is
// the Seq of the last one that changed or removed rows other than clusters, so
// that whoever is behind it has to read everything again.
type State struct {
	Seq   int64
	Epoch int64
}

// StoredBuild is a build, its failures and its number.
type StoredBuild struct {
	Number int64
	Build
	Failures []StoredFailure
}

// StoredFailure is one failure: the numbers of its test and text.
type StoredFailure struct {
	Test int64
	Text int64
}

// StoredTest is a test's name.
type StoredTest struct {
	Number int64
	Name   string
}

// StoredText stands for all texts that are equal but for noise. Hash is that of
// what is left without the noise, Sample one of the texts, Other one that has
// other noise, empty until there is one: what differs between them varies.
type StoredText struct {
	Number  int64
	Cluster int64
	Hash    string
	Sample  string
	Other   string
}

// StoredCluster is a cluster and its number.
type StoredCluster struct {
	Number int64
	Facts
}

// Rows are what a store holds, or what is to be added to it. Clusters that are
// there already are replaced, but for their description, which DescribeTriage
// alone sets; of texts that are there only Other is.
type Rows struct {
	Builds   []StoredBuild
	Tests    []StoredTest
	Texts    []StoredText
	Clusters []StoredCluster
}

// Move gives a text to another cluster.
type Move struct{ Text, Cluster int64 }

// Removal says what nobody needs any longer.
type Removal struct {
	// Before is when builds have to have started to stay.
	Before time.Time
	Texts  []int64
	Tests  []int64
	// Clusters are numbers.
	Clusters []int64
}

// Store keeps failures and clusters. Every method that writes does so whole or
// not at all; store.DB implements it.
type Store interface {
	// TriageRows returns what was written after a Seq, each kind in the order of
	// its numbers, and the state that leads to. If the Epoch is later, it returns
	// everything.
	TriageRows(ctx context.Context, after int64) (Rows, State, error)
	// AddTriage writes rows. It returns ErrBehind if the Seq is not the present
	// one.
	AddTriage(ctx context.Context, seq int64, r Rows) (State, error)
	// MoveTriage moves texts and writes clusters; ErrBehind as above.
	MoveTriage(ctx context.Context, seq int64, moves []Move, clusters []StoredCluster) (State, error)
	// RemoveTriage removes rows; ErrBehind as above.
	RemoveTriage(ctx context.Context, seq int64, r Removal) (State, error)
	// DescribeTriage replaces what is said of a cluster.
	DescribeTriage(ctx context.Context, cluster int64, d Description) (State, error)
}
