package app

// MergeOf is for tests of how subjects of commits name changes.
var MergeOf = mergeOf
