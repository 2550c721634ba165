package grid_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
)

func TestFilterTakesWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	words := make([]string, 150)
	for i := range words {
		words[i] = strings.Repeat(string(rune('a'+i%26)), 3) + "word"
	}
	for pattern, name := range map[string]string{
		"":                               "anything",
		`\[sig-node\].*\[Slow\]`:         "[sig-node] pods start [Slow]",
		`^(Overall|Pod)$`:                "Pod",
		`(?i)STORAGE`:                    "a storage test",
		`[0-9a-f]{40}`:                   strings.Repeat("0a", 20),
		`^.{1,80}$`:                      "short",
		`([a-z]+-){3}[0-9]{1,5}`:         "a-b-c-12",
		strings.Join(words, "|"):         "the cccword",
		strings.Repeat("long", 400):      strings.Repeat("long", 400),
		`(a|b|c|d|e|f|g){2,4}\.go:\d+`:   "abc.go:12",
		`^(?:[^/]*/){2}[^/]*$`:           "a/b/c",
		`.*Kubectl.*(apply|diff|label)*`: "Kubectl",
	} {
		re, err := grid.Filter(pattern)
		if err != nil {
			t.Errorf("%.60s: %v", pattern, err)
			continue
		}
		if !re.MatchString(name) {
			t.Errorf("%.60s does not match %.60s", pattern, name)
		}
	}
}

func TestFilterRefusesWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	for pattern, why := range map[string]string{
		`(.?){500}x!`:                    "too large",
		`((.?){30}){30}x!`:               "too large",
		`([a-z_/. ]*[a-z_]*){100}x!`:     "too large",
		`(a|a){1000}`:                    "too large",
		`(x*){999,}`:                     "too large",
		strings.Repeat(`a?`, 300):        "too large",
		`(((((a{9}){9}){9}){9}){9}){9}`:  "no regular expression",
		`(a|a)*{1000}`:                   "no regular expression",
		`(?=x)`:                          "no regular expression",
		`a{1001}`:                        "no regular expression",
		`[z-a]`:                          "no regular expression",
		`(`:                              "no regular expression",
		strings.Repeat("a", 2001):        "2001 bytes, at most 2000",
		strings.Repeat("(a|a)*", 10<<10): "bytes, at most 2000",
	} {
		re, err := grid.Filter(pattern)
		if err == nil || re != nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60s: %v, not %q", pattern, err, why)
		}
	}
}

// TestTheWorstFilterEnds tries what Filter lets pass and what is the hardest to
// try on the longest names there are: it takes a time that grows as they do.
func TestTheWorstFilterEnds(t *testing.T) {
	t.Parallel()
	re, err := grid.Filter(`(.?){130}x!`)
	if err != nil {
		t.Fatal(err)
	}
	g := grid.New("job")
	b := grid.Build{ID: "1", Started: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	b.Finished = b.Started.Add(time.Hour)
	for range 20 {
		b.Tests = append(b.Tests, grid.Test{Name: strings.Repeat("y", 4000+len(b.Tests)), Status: grid.Pass})
	}
	b.Tests = append(b.Tests, grid.Test{Name: "ends in x!", Status: grid.Pass})
	g.Append(b, b.Finished)
	rows := grid.Query{Include: []*regexp.Regexp{re}}.Select(g)
	if len(rows) != 1 || rows[0].Name != "ends in x!" {
		t.Errorf("%d rows match", len(rows))
	}
}
