package signal

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/grid"
	"seaworthy/job/result"
)

func snapshotOf(t testing.TB, g group) *snapshot {
	t.Helper()
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	s := &snapshot{grid: newGrid(g), standing: standing{made: now, over: map[string]bool{"1": true, "2": true}, floor: "1", low: "0", fed: []string{"history", "triage"}}}
	for _, id := range []string{"1", "2", "3"} {
		s.grid.Append(grid.Build{ID: id, Started: now.Add(-time.Hour), Finished: now, Tests: []grid.Test{{Name: "TestKnot", Status: grid.Fail, Message: "slipped"}}}, now)
	}
	return s
}

// What is kept comes back as it was, and only for the group it was made of.
func TestKept(t *testing.T) {
	t.Parallel()
	g := group{id: "a", name: "unit"}
	want := snapshotOf(t, g)
	data, err := encodeKept(g, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeKept(g, data)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got.over, want.over) || got.floor != "1" || got.low != "0" || !slices.Equal(got.fed, want.fed) || !got.made.Equal(want.made) || len(got.grid.Columns) != 3 || got.size == 0 {
		t.Errorf("kept and read again: %+v", got)
	}
	if _, err := decodeKept(group{id: "b"}, data); err == nil {
		t.Error("the grid of another group is taken")
	}
	for at := range data {
		damaged := slices.Clone(data)
		damaged[at] ^= 0x40
		if _, err := decodeKept(g, damaged); err == nil {
			t.Errorf("damage at byte %d of %d goes unseen", at, len(data))
		}
		if _, err := decodeKept(g, data[:at]); err == nil {
			t.Errorf("an object cut off at byte %d of %d is taken", at, len(data))
		}
	}
}

func FuzzDecodeKept(f *testing.F) {
	g := group{id: "a", name: "unit"}
	data, err := encodeKept(g, snapshotOf(f, g))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(keptForm))
	f.Add([]byte(keptForm + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeKept(g, data)
		if err != nil {
			return
		}
		if _, err := encodeKept(g, s); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

// What a build says it tested.
func TestPullRefs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]refs{
		"main:abc":                        {branch: "main"},
		"release-1.2:abc,17:def":          {branch: "release-1.2", pull: 17},
		"main,17":                         {branch: "main", pull: 17},
		"main:abc,17:def,18:fed":          {branch: "main", pull: 17},
		"":                                {},
		"main:abc,seventeen:def":          {branch: "main"},
		"main:abc,-3:def":                 {branch: "main"},
		"main:abc,99999999999999999999:d": {branch: "main"},
	} {
		want.repo.Owner, want.repo.Name = "harbour", "halyard"
		b := result.Build{Started: &result.Started{Repos: map[string]string{"harbour/halyard": text, "other/one": "dev:1,2:3"}}}
		if got := pullRefs(b, want.repo); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	if got := pullRefs(result.Build{}, refs{}.repo); got != (refs{}) {
		t.Errorf("of nothing: %+v", got)
	}
	two := result.Build{Started: &result.Started{Repos: map[string]string{"b/b": "x:1", "a/a": "y:2"}}}
	if got := pullRefs(two, refs{}.repo); got.repo.String() != "a/a" || got.branch != "y" {
		t.Errorf("of two: %+v", got)
	}
}

// A build that has ended has an end, whatever it says.
func TestColumnTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	began := now.Add(-3 * time.Hour)
	for name, c := range map[string]struct {
		started, finished int64
		want              time.Time
	}{
		"as it should be":       {began.Unix(), began.Unix() + 60, began.Add(time.Minute)},
		"no end":                {began.Unix(), 0, began},
		"an end that cannot be": {began.Unix(), now.AddDate(1, 0, 0).Unix(), began},
		"nothing":               {0, 0, time.Unix(0, 0)},
		"neither can be":        {5, 6, time.Unix(0, 0)},
	} {
		b := result.Build{ID: "1", Started: &result.Started{Timestamp: c.started}, Finished: &result.Finished{Timestamp: c.finished, Passed: true}}
		got := column(b, grid.Settings{Pod: true}, "unit", now)
		if !got.Finished.Equal(c.want) {
			t.Errorf("%s: it ended at %v, want %v", name, got.Finished, c.want)
		}
		if !(grid.Settings{Pod: true}).Settled(got, now) {
			t.Errorf("%s: it is read again for ever", name)
		}
	}
	running := column(result.Build{ID: "1", Started: &result.Started{Timestamp: began.Unix()}}, grid.Settings{}, "unit", now)
	if !running.Finished.IsZero() {
		t.Errorf("a build that runs ended at %v", running.Finished)
	}
}

func TestKeptRows(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]row{
		{}, {{"", false}}, {{"", true}, {"a", false}, {"a", true}, {"ab", false}, {"abc", true}, {"b", true}},
		{{"TestÄ", true}, {"TestÖ", false}, {strings.Repeat("long ", 100), true}},
	} {
		got, err := decodeRows(encodeRows(rows))
		if err != nil || !slices.Equal(got, rows) {
			t.Errorf("%v: %v, %v", rows, got, err)
		}
	}
}

func FuzzDecodeRows(f *testing.F) {
	f.Add(encodeRows([]row{{"a", true}, {"ab", false}, {"b", false}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := decodeRows(data)
		if err != nil {
			return
		}
		if again, err := decodeRows(encodeRows(rows)); err != nil || !slices.Equal(again, rows) {
			t.Errorf("%v is %v when written again, %v", rows, again, err)
		}
	})
}
