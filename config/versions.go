package config

import "seaworthy/strict"

// Versions says which versions are tagged together.
type Versions struct {
	NextAlpha     bool `json:"next_alpha" doc:"Whether the first candidate of a series, X.Y.0-rc.0, opens the next one with its alpha.0."`
	NextCandidate bool `json:"next_candidate" doc:"Whether a final release of a release branch, X.Y.Z, tags the first candidate of the next patch, too."`

	Bump string `json:"bump" enum:"patch,minor,major" doc:"Number that the default branch's next version raises after a final release. A project with release branches makes its patches there."`

	Lines strict.Lines `json:"-"`
}
