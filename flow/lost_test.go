package flow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"seaworthy/flow"
)

// machine is where steps leave things that the journal does not hold.
type machine struct {
	there map[string]bool
	ran   []string
	// product is what "build" gives out, for one that is not reproducible.
	product       func() string
	upload        error
	built, pushed string // the last
}

func (m *machine) define(t *testing.T) *flow.Definition {
	t.Helper()
	d := flow.Define("lost", 1)
	kept := func(name string) func(context.Context, string) (bool, error) {
		return func(context.Context, string) (bool, error) { return m.there[name], nil }
	}
	act := func(name string, out func() string) func(context.Context, string) (string, error) {
		return func(_ context.Context, in string) (string, error) {
			m.ran = append(m.ran, name)
			m.there[name] = true
			made := out()
			switch name {
			case "build":
				m.built = made
			case "push":
				m.pushed = in
			}
			return made, nil
		}
	}
	say := func(s string) func() string { return func() string { return s } }
	plan := flow.Add(d, flow.Step[flow.Nothing, string]{Name: "plan", Title: "Plan", Idempotent: true,
		Act: func(context.Context, flow.Nothing) (string, error) { m.ran = append(m.ran, "plan"); return "v1", nil }}, flow.Const(d, flow.Nothing{}))
	clone := flow.Add(d, flow.Step[string, string]{Name: "clone", Title: "Clone", Idempotent: true, Kept: kept("clone"), Act: act("clone", say("dir"))}, plan)
	built := flow.Add(d, flow.Step[string, string]{Name: "build", Title: "Build", Idempotent: true, Kept: kept("build"), Act: act("build", m.product)}, plan, clone)
	pushed := flow.Add(d, flow.Step[string, string]{Name: "push", Title: "Push", Idempotent: true, Act: act("push", say("pushed"))}, built)
	flow.Add(d, flow.Step[string, string]{Name: "upload", Title: "Upload", Idempotent: true, Act: func(context.Context, string) (string, error) {
		m.ran = append(m.ran, "upload")
		return "", m.upload
	}}, built, pushed)
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	return d
}

func lostEngine(j flow.Journal) *flow.Engine {
	return &flow.Engine{Journal: j, Owner: "here", Now: func() time.Time { return time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC) }}
}

// What steps left on the machine they ran on is made again on another; what went
// further than that machine is not done twice unless it would be another thing.
func TestResumeOnAnotherMachine(t *testing.T) {
	t.Parallel()
	n := 0
	for name, test := range map[string]struct {
		product func() string
		keep    []string
		want    string
	}{
		"all is gone":            {func() string { return "bytes" }, nil, "clone build upload"},
		"all is there":           {func() string { return "bytes" }, []string{"clone", "build"}, "upload"},
		"only the clone is gone": {func() string { return "bytes" }, []string{"build"}, "clone upload"},
		"builds differ":          {func() string { n++; return fmt.Sprint(n) }, nil, "clone build push upload"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{there: map[string]bool{}, product: test.product, upload: errors.New("no bucket")}
			d, e := m.define(t), lostEngine(&flow.Memory{})
			run, err := e.Start(t.Context(), d, flow.StartOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrFailed) {
				t.Fatalf("got %v", err)
			}
			m.there, m.ran, m.upload = map[string]bool{}, nil, nil
			for _, k := range test.keep {
				m.there[k] = true
			}
			if state, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
				t.Fatalf("resumed it is %s, %v", state, err)
			}
			if got := strings.Join(m.ran, " "); got != test.want {
				t.Errorf("ran %q, want %q", got, test.want)
			}
			status, err := e.Status(t.Context(), d, run.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range status.Steps {
				if !s.State.Over() {
					t.Errorf("%s is %s: %s", s.Name, s.State, s.Sentence)
				}
			}
		})
	}
}

// dyingJournal refuses to record after so many entries.
type dyingJournal struct {
	*flow.Memory
	left int
}

func (j *dyingJournal) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	if j.left == 0 {
		return 0, errors.New("no journal")
	}
	j.left--
	return j.Memory.Append(ctx, l, e)
}

// Wherever the second machine dies while it makes up for what is gone, a third
// one finishes.
func TestKilledWhileMakingUpForWhatIsGone(t *testing.T) {
	t.Parallel()
	for dies := range 40 {
		n := 0
		m := &machine{there: map[string]bool{}, product: func() string { n++; return fmt.Sprint(n) }, upload: errors.New("no bucket")}
		j := &dyingJournal{&flow.Memory{}, -1}
		d, e := m.define(t), lostEngine(j)
		run, err := e.Start(t.Context(), d, flow.StartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Drive(t.Context(), d, run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrFailed) {
			t.Fatalf("got %v", err)
		}
		m.there, m.upload, j.left = map[string]bool{}, nil, dies
		_, err = e.Resume(t.Context(), d, run.ID, flow.DriveOptions{})
		j.left = -1
		if err == nil {
			if dies < 10 {
				t.Fatalf("it took only %d entries", dies)
			}
			return // it needs no more entries than that
		}
		if state, err := e.Resume(t.Context(), d, run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
			t.Fatalf("after %d entries: %s, %v", dies, state, err)
		}
		if last := m.ran[len(m.ran)-1]; last != "upload" {
			t.Fatalf("after %d entries: the last to run was %s", dies, last)
		}
		if m.pushed != m.built {
			t.Fatalf("after %d entries: %q was pushed and %q was built: %v", dies, m.pushed, m.built, m.ran)
		}
	}
	t.Error("40 entries were not enough")
}

func TestKeptWantsAnIdempotentStep(t *testing.T) {
	t.Parallel()
	d := flow.Define("kept", 1)
	flow.Add(d, flow.Step[flow.Nothing, string]{Name: "once", Title: "Once",
		Act:  func(context.Context, flow.Nothing) (string, error) { return "", nil },
		Kept: func(context.Context, string) (bool, error) { return false, nil }}, flow.Const(d, flow.Nothing{}))
	if err := d.Check(); err == nil || !strings.Contains(err.Error(), "not Idempotent") {
		t.Errorf("got %v", err)
	}
}

// Who is refused is told whose run is in the way, and since when.
func TestBusyNamesTheOther(t *testing.T) {
	t.Parallel()
	m := &machine{there: map[string]bool{}, product: func() string { return "" }}
	d, e := m.define(t), lostEngine(&flow.Memory{})
	first, err := e.Start(t.Context(), d, flow.StartOptions{Key: "k", Actor: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Start(t.Context(), d, flow.StartOptions{Key: "k", Actor: "ben"})
	var busy *flow.BusyError
	if !errors.As(err, &busy) || !errors.Is(err, flow.ErrBusy) || busy.Run.ID != first.ID {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{first.ID, "ada", "2026-05-06 07:08:09 UTC", "pending"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
