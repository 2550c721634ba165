package provenance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expectation is what a statement of a build must say. What is left empty is not
// asked for, but that there be a predicate is always.
type Expectation struct {
	// Subjects must all be there, with each digest given here, and there must be
	// no others.
	Subjects []Resource
	// Others are fine: subjects beyond those expected, as when a few files of a
	// release are verified.
	Others bool
	// Prefix is cut from the statement's names before they are compared, such as
	// the address of the bucket the files were staged in.
	Prefix string
	// Commit is the full id of the source's commit.
	Commit string
	// Repository is the address of the source, in any of its spellings.
	Repository string
	// Builders are the ids of builders that are trusted; any one will do.
	Builders []string
	// BuildTypes that are known; any one will do.
	BuildTypes []string
}

// Problems is everything that is wrong with a statement.
type Problems []string

// Error joins them into one line.
func (p Problems) Error() string { return strings.Join(p, "; ") }

// Check holds a statement of a build against what is expected of it. The error
// is Problems, all of them, or one that says that the statement cannot be read.
func Check(s Statement, want Expectation) error {
	if err := s.Validate(); err != nil {
		return err
	}
	var wrong Problems
	wrong = append(wrong, checkSubjects(s, want)...)
	if s.Empty() {
		wrong = append(wrong, "the predicate is empty: the statement does not say how anything was built")
		return wrong
	}
	b, err := s.Build()
	if err != nil {
		return append(wrong, err.Error())
	}
	if err := b.Validate(); err != nil {
		wrong = append(wrong, strings.Split(err.Error(), "\n")...)
	}
	if len(want.Builders) > 0 && !slices.Contains(want.Builders, b.Run.Builder.ID) {
		wrong = append(wrong, fmt.Sprintf("it was built by %s, not by %s", quote(b.Run.Builder.ID), strings.Join(want.Builders, " or ")))
	}
	if len(want.BuildTypes) > 0 && !slices.Contains(want.BuildTypes, b.Definition.BuildType) {
		wrong = append(wrong, fmt.Sprintf("the build is of type %s, not of %s", quote(b.Definition.BuildType), strings.Join(want.BuildTypes, " or ")))
	}
	wrong = append(wrong, checkSource(b, want)...)
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

func quote(s string) string {
	if s == "" {
		return "nobody it names"
	}
	return s
}

// checkSource wants one source to be the expected repository at the expected
// commit: one that has the repository and another that has the commit will not do.
func checkSource(b Build, want Expectation) []string {
	if want.Repository == "" && want.Commit == "" {
		return nil
	}
	var have []string
	for _, r := range b.sources() {
		repository := want.Repository == "" || r.URI != "" && plainRepository(r.URI) == plainRepository(want.Repository)
		if repository && (want.Commit == "" || r.commit() == want.Commit) {
			return nil
		}
		have = append(have, strings.TrimSpace(r.URI+" at commit "+quoteCommit(r.commit())))
	}
	expected := want.Repository
	if want.Commit != "" {
		expected = strings.TrimSpace(expected + " at commit " + want.Commit)
	}
	if len(have) == 0 {
		return []string{fmt.Sprintf("it names no source: %s is expected", expected)}
	}
	return []string{fmt.Sprintf("it was built from %s, not from %s", strings.Join(have, " and "), expected)}
}

func quoteCommit(c string) string {
	if c == "" {
		return "unknown"
	}
	return c
}

func checkSubjects(s Statement, want Expectation) []string {
	if len(want.Subjects) == 0 {
		return nil
	}
	have := map[string][]Resource{}
	for _, r := range s.Subjects {
		name := strings.TrimPrefix(r.Name, want.Prefix)
		have[name] = append(have[name], r)
	}
	var wrong []string
	expected := map[string]bool{}
	for _, w := range want.Subjects {
		expected[w.Name] = true
		found, ok := have[w.Name]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("subject %s is missing", w.label()))
			continue
		}
		for _, r := range found {
			wrong = append(wrong, compareDigests(w, r)...)
		}
	}
	if want.Others {
		return wrong
	}
	for _, r := range s.Subjects {
		if !expected[strings.TrimPrefix(r.Name, want.Prefix)] {
			wrong = append(wrong, fmt.Sprintf("subject %s is not expected", r.label()))
		}
	}
	return wrong
}

// compareDigests wants each digest that both have to be the same, and that they
// have a strong one in common.
func compareDigests(want, have Resource) []string {
	var wrong []string
	shared := false
	for _, alg := range slices.Sorted(maps.Keys(want.Digest)) {
		sum, ok := have.Digest[alg]
		if !ok {
			continue
		}
		shared = shared || alg != "sha1" && alg != "md5"
		if sum != want.Digest[alg] {
			wrong = append(wrong, fmt.Sprintf("subject %s: %s is %s, not %s", want.label(), alg, sum, want.Digest[alg]))
		}
	}
	if !shared {
		wrong = append(wrong, fmt.Sprintf("subject %s: it has no digest that can be compared", want.label()))
	}
	return wrong
}
