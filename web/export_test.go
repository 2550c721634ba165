package web

// For tests of links and sentences.
var (
	Exactly      = exactly
	VerdictOf    = verdictOf
	FromTestGrid = fromTestGrid
)

// Tally makes a tally.
type Tally = tally
