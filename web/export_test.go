package web

// For tests of links and sentences.
var (
	Exactly   = exactly
	VerdictOf = verdictOf
)

// Tally makes a tally.
type Tally = tally
