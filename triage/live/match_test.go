package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plainly is what an expression of a filter means, without any of the ways to
// answer sooner.
func plainly(t testing.TB, expression, text string) bool {
	t.Helper()
	re, err := regexp.Compile("(?im)" + expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return re.MatchString(text)
}

// expressions of every kind: with words and without, within a line and beyond.
var expressions = []string{
	`timed out`, `TIMED out`, `^timed`, `out$`, `^$`, `^`, `$`, `x*`, `(a|b)`, `(timed|refused)`, `timed.*pod`, `(?s)timed.*pod`, `timed[^x]*pod`, `timed\s+out`, `out\s+waiting`,
	`\Atimed`, `pod\z`, `\bpod\b`, `\Bod`, `\B`, `[a-z]+.*(fail|error)[a-z]*\d+`, `([a-z]+ ){3}(x|y|w)`, `\n`, `d\nw`, `(?:out\n)?waiting`, `.*a.*b.*`, `.?.?z`, `pod-[0-9]$`, `(?-m)^timed`, `(?-m)pod$`,
	`é`, `É`, `[à-ü]`, `\x{20ac}`, `\.`, `\d+\.\d+`, `[^\n]*pod`, `a{0}b`, `(web|pod){2,}`, `timed|`, `()`,
}

var someTexts = []string{
	"", "\n", "\n\n", "timed out", "Timed Out\nwaiting for pod web-1", "waiting\ntimed", "pod\ntimed out\n", "connection refused", "x\nerror12", "fail\n12", "failed9 errors",
	"a b\nb a", "é\nà", "ÉTÉ 20 €", "podpod\nwebpod", "one two three w\nfour", "z", "\nz", "pod\n\npod", "timed out waiting\nfor\nthe pod", "1.25 s", "no end\n", "\r\nout\r\n",
}

func TestExpressionsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, e := range expressions {
		match, err := compile("text", e)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		for _, text := range someTexts {
			if got, want := match(strings.ToLower(text)), plainly(t, e, text); got != want {
				t.Errorf("%s on %q: %t, not %t", e, text, got, want)
			}
		}
	}
}

// TestExpressionsOnMadeUpTexts puts texts together of what the expressions ask
// for, so that matches begin and end at the ends of lines.
func TestExpressionsOnMadeUpTexts(t *testing.T) {
	t.Parallel()
	pieces := []string{"timed", " ", "out", "\n", "pod", "-1", "waiting", "a", "b", "refused", "fail", "error", "x", "é", "web", "\n\n", "."}
	r := rand.New(rand.NewPCG(3, 14))
	for _, e := range expressions {
		match, err := compile("text", e)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			var b strings.Builder
			for range r.IntN(12) {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
			if got, want := match(b.String()), plainly(t, e, b.String()); got != want {
				t.Errorf("%s on %q: %t, not %t", e, b.String(), got, want)
			}
		}
	}
}

func FuzzSearch(f *testing.F) {
	for i, e := range expressions {
		f.Add(e, someTexts[i%len(someTexts)])
	}
	f.Fuzz(func(t *testing.T, e, text string) {
		if len(text) > 1000 || strings.ContainsFunc(e+text, func(r rune) bool { return r > 0x7f }) {
			t.Skip() // the lower case of some letters is none that folds to them
		}
		match, err := compile("text", e)
		if err != nil || match == nil {
			return
		}
		text = strings.ToLower(text)
		if strings.Contains(e, "(?") || strings.Contains(e, `\`) || strings.Contains(e, "[") {
			return // flags that do without folding, and classes of capitals
		}
		if got, want := match(text), plainly(t, e, text); got != want {
			t.Errorf("%q on %q: %t, not %t", e, text, got, want)
		}
	})
}

func TestMatchesAreRemembered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var m matchMemo
	in, none := expression{"text", "a+"}, expression{"xtext", ""}
	texts := []string{"a", "b", "aa"}
	first, err := m.texts(ctx, texts, in, none)
	if err != nil || !slices.Equal(first, []bool{true, false, true}) {
		t.Fatal(first, err)
	}
	again, err := m.texts(ctx, texts, in, none)
	if err != nil || &again[0] != &first[0] {
		t.Fatal("asked again, it looked again")
	}
	more, err := m.texts(ctx, append(texts, "xa", "y"), in, none)
	if err != nil || !slices.Equal(more, []bool{true, false, true, true, false}) {
		t.Fatal(more, err)
	}
	if fewer, err := m.texts(ctx, texts, in, none); err != nil || !slices.Equal(fewer, first) {
		t.Fatal(fewer, err)
	}
	// The same words about other texts are another question, and so is the
	// contrary.
	if jobs, err := m.texts(ctx, []string{"b"}, expression{"job", "a+"}, expression{"xjob", ""}); err != nil || jobs[0] {
		t.Fatal(jobs, err)
	}
	if not, err := m.texts(ctx, texts, expression{"text", ""}, expression{"xtext", "a+"}); err != nil || !slices.Equal(not, []bool{false, true, false}) {
		t.Fatal(not, err)
	}
	if all, err := m.texts(ctx, texts, expression{"text", ""}, none); err != nil || all != nil {
		t.Fatal("nothing asked is nothing told:", all, err)
	}
}

func TestOnlyTheLastFiltersAreRemembered(t *testing.T) {
	t.Parallel()
	var m matchMemo
	texts := []string{"7", "x"}
	for i := range 3 * mostAsked {
		got, err := m.texts(context.Background(), texts, expression{"text", fmt.Sprint(i)}, expression{"xtext", ""})
		if err != nil || got[0] != (i == 7) || got[1] {
			t.Fatal(i, got, err)
		}
	}
	if len(m.asked) != mostAsked || m.asked[mostAsked-1].include.value != fmt.Sprint(3*mostAsked-1) {
		t.Errorf("%d are remembered, the last is %v", len(m.asked), m.asked[len(m.asked)-1].include)
	}
}

func TestWhatWasStoppedIsNotRemembered(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone home")
	ctx, stop := context.WithCancelCause(context.Background())
	stop(gone)
	var m matchMemo
	in, none := expression{"text", "a"}, expression{"xtext", ""}
	if _, err := m.texts(ctx, []string{"a"}, in, none); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	got, err := m.texts(context.Background(), []string{"a"}, in, none)
	if err != nil || !got[0] {
		t.Fatal("half an answer was kept:", got, err)
	}
}
