// Package provenance reads, writes and checks statements of how artifacts were
// made: in-toto statements with the predicates of SLSA.
//
// A Statement names its subjects by digest and says one thing about them, its
// predicate. Build is the predicate that says how they were built; Promotion,
// that they were copied somewhere; Summary, that somebody has verified them.
//
//	subjects := provenance.Subjects(manifest.Artifacts...)
//	statement, err := provenance.New(subjects, provenance.BuildPredicate, build)
//	text, err := statement.Encode()
//
// Reading takes what is found in the field: statements v0.1 and v1, provenance
// v0.2 and v1, both returned as a Build. Check holds a statement against what is
// expected of it, and names everything that is wrong at once:
//
//	err := provenance.Check(statement, provenance.Expectation{
//		Subjects:   subjects,
//		Repository: "https://github.com/halyard/halyard",
//		Commit:     "0123456789abcdef0123456789abcdef01234567",
//		Builders:   []string{"https://ci.example.org/release"},
//	})
//
// Formats: https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance,
// https://slsa.dev/spec/v0.2/provenance, https://slsa.dev/spec/v1.0/verification_summary.
package provenance
