package triage

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// labelled is a failure text and the cause a person gave it.
type labelled struct{ cause, text string }

// corpus reads testdata/corpus: texts as people's tools print them, each under
// a line that names its cause.
func corpus(t testing.TB) []labelled {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []labelled
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimSuffix(filepath.Base(name), ".txt")
		for part := range strings.SplitSeq("\n"+string(raw), "\n-- ") {
			if cause, text, ok := strings.Cut(part, "\n"); ok && cause != "" {
				all = append(all, labelled{kind + "/" + cause, strings.TrimSuffix(text, "\n")})
			}
		}
	}
	return all
}

// missed are pairs that the rule does not find, and why.
var missed = map[string]string{
	"others/rust": "a newer compiler's words: it prints the thread's number, too",
	"others/disk": "a folder of two hexadecimal digits may be one's name",
}

// TestCorpus clusters texts of many tools together: every pair that a person
// gave one cause must be in one cluster, and no other.
func TestCorpus(t *testing.T) {
	t.Parallel()
	all := corpus(t)
	if len(all) < 60 {
		t.Fatalf("the corpus has %d texts", len(all))
	}
	var failures []Failure
	for i, l := range all {
		failures = append(failures, Failure{Build: i, Test: "any", Text: l.text})
	}
	clusters, err := Cluster(context.Background(), failures, Options{})
	if err != nil {
		t.Fatal(err)
	}
	of := make([]string, len(all))
	key := map[string]string{}
	for _, c := range clusters {
		key[c.ID] = c.Key
		for _, m := range c.Members {
			of[m.Build] = c.ID
		}
	}
	var both, found, wanted float64
	for i := range all {
		for j := range i {
			same, together := all[i].cause == all[j].cause, of[i] == of[j]
			if same {
				wanted++
			}
			if together {
				found++
			}
			switch {
			case same && together:
				both++
			case same && missed[all[i].cause] != "":
			case same:
				t.Errorf("%s was torn apart:\n%s\n---\n%s", all[i].cause, key[of[i]], key[of[j]])
			case together:
				t.Errorf("%s and %s were taken for one:\n%s", all[i].cause, all[j].cause, key[of[i]])
			}
		}
	}
	t.Logf("%d texts, %d clusters, precision %.3f, recall %.3f", len(all), len(clusters), both/found, both/wanted)
}
