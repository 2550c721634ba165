package demo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s: -want +got\n%s", file, d)
	}
}

// told is a story in three moments: at its beginning, in the middle of a step,
// and at a bad end.
func told() [][]Step {
	first := Step{Title: "A project is created and pushed", State: Done, Note: "10 files by git push; a push around review is refused", Duration: 1340 * time.Millisecond}
	return [][]Step{
		{{Title: first.Title, State: Pending}, {Title: "Four changes are proposed", State: Pending}, {Title: "Sie prüfen", State: Pending}},
		{first, {Title: "Four changes are proposed", State: Running, Note: "2 of 4 are there, which takes a while longer than the width of a narrow terminal", Duration: 12 * time.Second}, {Title: "Sie prüfen", State: Pending}},
		{first, {Title: "Four changes are proposed", State: Done, Duration: 13 * time.Second}, {Title: "Sie prüfen", State: Failed, Note: "der Test schlägt fehl:\n☂ 1 ≠ 2", Duration: time.Minute + 50*time.Millisecond}},
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	cases := map[string]Terminal{
		"piped":       {},
		"piped-color": {Color: true},
		"live":        {Live: true},
		"live-color":  {Live: true, Color: true, Width: 100},
		"narrow":      {Live: true, Width: 40},
		"tiny":        {Live: true, Width: 10},
		"wide":        {Live: true, Width: 200},
		"low":         {Live: true, Height: 3},
	}
	for name, terminal := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			terminal.Out = &out
			for _, moment := range told() {
				if err := terminal.Draw(moment); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, name, strings.ReplaceAll(out.String(), "\x1b", "ESC"))
		})
	}
}

// A drawing takes as many lines as there are steps and none is wider than the
// terminal, or the next one would be drawn in the wrong place.
func TestLiveDrawingFits(t *testing.T) {
	t.Parallel()
	for _, width := range []int{narrowest, 40, 80, 120} {
		var out bytes.Buffer
		terminal := Terminal{Out: &out, Live: true, Width: width}
		for _, moment := range told() {
			out.Reset()
			if err := terminal.Draw(moment); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != len(moment) {
				t.Errorf("%d lines for %d steps", len(lines), len(moment))
			}
			for _, line := range lines {
				text := line[strings.LastIndex(line, "\x1b[2K")+len("\x1b[2K"):]
				if n := len([]rune(text)); n > width {
					t.Errorf("%d columns on a terminal of %d: %q", n, width, text)
				}
			}
		}
	}
}

// Piped, a finished step is said once and a step that goes on not at all.
func TestPipedSaysEachStepOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	terminal := Terminal{Out: &out}
	for _, moment := range told() {
		for range 3 {
			if err := terminal.Draw(moment); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, title := range []string{"A project", "Four changes", "Sie prüfen"} {
		if n := strings.Count(out.String(), title); n != 1 {
			t.Errorf("%q is said %d times:\n%s", title, n, out.String())
		}
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTerminalThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		if err := (&Terminal{Out: full{}, Live: live}).Draw(told()[2]); !errors.Is(err, errFull) {
			t.Errorf("live %v: %v", live, err)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	cases := []struct {
		text  string
		width int
		want  string
	}{
		{"tide", 10, "tide"}, {"tide", 4, "tide"}, {"tides", 4, "tid…"}, {"grüße", 4, "grü…"}, {"tide", 1, "…"}, {"", 1, ""},
	}
	for _, c := range cases {
		if got := shorten(c.text, c.width); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	changes := 0
	story := NewStory([]string{"a", "b", "c"}, func() time.Time { return now }, func() { changes++ })
	pass := func(d time.Duration) { now = now.Add(d) }
	bad := errors.New("a storm")
	err := story.tell(t.Context(), time.Minute, []act{
		{"a", "/a", func(context.Context) error {
			pass(time.Second)
			story.note("%d of %d", 1, 2)
			story.link("/other")
			return nil
		}},
		{"b", "/b", func(context.Context) error {
			pass(2 * time.Second)
			if s := story.Steps()[1]; s.State != Running || s.Duration != 2*time.Second || s.Link != "/b" {
				t.Errorf("while it goes on the step is %+v", s)
			}
			return bad
		}},
		{"c", "/c", func(context.Context) error { t.Error("the story went on after it failed"); return nil }},
	})
	if !errors.Is(err, bad) || err.Error() != "b: a storm" {
		t.Errorf("the story ends with %v", err)
	}
	pass(time.Hour)
	want := []Step{
		{Title: "a", State: Done, Note: "1 of 2", Link: "/other", Duration: time.Second},
		{Title: "b", State: Failed, Note: "a storm", Link: "/b", Duration: 2 * time.Second},
		{Title: "c", State: Pending},
	}
	if d := cmp.Diff(want, story.Steps(), cmpopts.IgnoreUnexported(Step{})); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if changes != 6 { // two beginnings, two ends, a note and a link
		t.Errorf("%d changes were told of, want 6", changes)
	}
}

func TestStoryIsStopped(t *testing.T) {
	t.Parallel()
	story := NewStory([]string{"a"}, time.Now, func() {})
	ctx, cancel := context.WithCancelCause(t.Context())
	sunk := errors.New("the platform stopped")
	err := story.tell(ctx, time.Minute, []act{{"a", "/", func(ctx context.Context) error {
		cancel(sunk)
		<-ctx.Done()
		return context.Cause(ctx)
	}}})
	if !errors.Is(err, sunk) || story.Steps()[0].State != Failed {
		t.Errorf("%v, %+v", err, story.Steps())
	}
}

func TestStoryLosesPatience(t *testing.T) {
	t.Parallel()
	story := NewStory([]string{"a"}, time.Now, func() {})
	err := story.tell(t.Context(), time.Millisecond, []act{{"a", "/", func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}}})
	if err == nil || err.Error() != "a: it took longer than 1ms" {
		t.Errorf("%v", err)
	}
}

// A step that waits looks again whenever the platform says that something has
// changed, and says what it waited for when it cannot wait any longer.
func TestUntil(t *testing.T) {
	t.Parallel()
	changed := make(chan struct{}, 1)
	stopped := 0
	teller := &teller{on: Platform{Changed: func() (<-chan struct{}, func()) { return changed, func() { stopped++ } }}}
	looks := 0
	err := teller.until(t.Context(), "the tide does not turn", func(context.Context) (bool, error) {
		looks++
		changed <- struct{}{}
		return looks == 3, nil
	})
	if err != nil || looks != 3 || stopped != 1 {
		t.Errorf("%v after %d looks; let go %d times", err, looks, stopped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = teller.until(ctx, "the tide does not turn", func(context.Context) (bool, error) { return false, nil })
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "the tide does not turn: ") {
		t.Errorf("a wait in vain ends with %v", err)
	}
	bad := errors.New("a storm")
	if err := teller.until(t.Context(), "x", func(context.Context) (bool, error) { return false, bad }); !errors.Is(err, bad) {
		t.Errorf("a look that fails ends with %v", err)
	}
}

// A step with nothing to do is told of, but not as one that was done.
func TestSkippedIsNoSuccess(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	terminal := Terminal{Out: &out}
	if err := terminal.Draw([]Step{{Title: "Make the packages", State: Skipped, Note: "the project has none"}}); err != nil {
		t.Fatal(err)
	}
	if want := "–    0.0 s  Make the packages: the project has none\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
