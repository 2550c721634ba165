package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// State of a step.
type State string

// Step states.
const (
	Pending State = "pending"
	Running State = "running"
	Done    State = "done"
	Skipped State = "skipped" // there was nothing to do; Note says why
	Failed  State = "failed"
)

// Step is one line of the story.
type Step struct {
	Title    string
	State    State
	Note     string // one sentence about how it stands or went
	Link     string // path of the page that shows it
	Duration time.Duration
	started  time.Time
}

// Story is the list of steps, told from one goroutine and read from many.
type Story struct {
	mu      sync.Mutex
	steps   []Step
	current int
	now     func() time.Time
	changed func()
}

// NewStory returns a story whose steps are all still to come. changed is
// called after every change and must not block.
func NewStory(titles []string, now func() time.Time, changed func()) *Story {
	s := &Story{now: now, changed: changed, current: -1}
	for _, t := range titles {
		s.steps = append(s.steps, Step{Title: t, State: Pending})
	}
	return s
}

// Steps returns the story as it stands.
func (s *Story) Steps() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := append([]Step(nil), s.steps...)
	if s.current >= 0 && steps[s.current].State == Running {
		steps[s.current].Duration = s.now().Sub(steps[s.current].started)
	}
	return steps
}

func (s *Story) begin(link string) {
	s.update(func() {
		s.current++
		s.steps[s.current].State, s.steps[s.current].started, s.steps[s.current].Link = Running, s.now(), link
	})
}

func (s *Story) note(format string, args ...any) {
	s.update(func() { s.steps[s.current].Note = fmt.Sprintf(format, args...) })
}

func (s *Story) link(path string) {
	s.update(func() { s.steps[s.current].Link = path })
}

func (s *Story) end(err error) {
	s.update(func() {
		step := &s.steps[s.current]
		step.State, step.Duration = Done, s.now().Sub(step.started)
		if err != nil {
			step.State, step.Note = Failed, err.Error()
		}
	})
}

func (s *Story) update(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	s.changed()
}

// count writes a number with the word for one or for many.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Terminal draws a story: a list that lives in place on a terminal, a line for
// each finished step where the output is piped.
type Terminal struct {
	Out   io.Writer
	Live  bool // Out is a terminal that can move its cursor
	Color bool
	Width int // columns; 80 when zero
	// Height is the number of rows, unknown when zero. What does not fit on
	// the screen cannot be drawn over and is said line by line.
	Height int
	drawn  int // lines of the last live drawing
	said   int // steps already printed when piped
}

// Draw shows the steps. Call it after every change, and now and then for the
// running step's clock.
func (t *Terminal) Draw(steps []Step) error {
	if !t.live(len(steps)) {
		return t.lines(steps)
	}
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.drawn)
	}
	for _, s := range steps {
		b.WriteString("\x1b[2K" + t.line(s, t.width()) + "\n")
	}
	t.drawn = len(steps)
	_, err := io.WriteString(t.Out, b.String())
	return err
}

// narrowest is how many columns a live drawing needs to say anything.
const narrowest = 24

func (t *Terminal) live(steps int) bool {
	return t.Live && t.width() >= narrowest && (t.Height == 0 || steps < t.Height)
}

func (t *Terminal) width() int {
	if t.Width == 0 {
		return 80
	}
	return t.Width
}

func (t *Terminal) lines(steps []Step) error {
	for ; t.said < len(steps); t.said++ {
		s := steps[t.said]
		if s.State == Pending || s.State == Running {
			return nil
		}
		if _, err := fmt.Fprintln(t.Out, t.line(s, 0)); err != nil {
			return err
		}
	}
	return nil
}

// line writes a step in at most width columns, or whole when width is zero: a
// line that wraps would break a drawing.
func (t *Terminal) line(s Step, width int) string {
	shape, color := "○", "2"
	switch s.State {
	case Running:
		shape, color = "◐", "36"
	case Done:
		shape, color = "●", "32"
	case Skipped:
		shape, color = "–", "2"
	case Failed:
		shape, color = "✕", "31"
	}
	clock := ""
	if s.State != Pending {
		clock = fmt.Sprintf("%.1f s", s.Duration.Seconds())
	}
	text := s.Title
	if s.Note != "" {
		text += ": " + s.Note
	}
	text = strings.ReplaceAll(text, "\n", " ")
	if width > 0 {
		text = shorten(text, width-12)
	}
	if !t.Color {
		return fmt.Sprintf("%s %8s  %s", shape, clock, text)
	}
	if s.State == Pending {
		return fmt.Sprintf("\x1b[2m%s %8s  %s\x1b[0m", shape, clock, text)
	}
	return fmt.Sprintf("\x1b[%sm%s\x1b[0m \x1b[2m%8s\x1b[0m  %s", color, shape, clock, text)
}

func shorten(text string, width int) string {
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	return string(r[:width-1]) + "…"
}
