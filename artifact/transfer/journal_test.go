package transfer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := testJournal(t, folder)
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	d := digestOf([]byte("a"))
	other := digestOf([]byte("b"))
	if err := j.note(
		entry{now, "r/a", d, Planned, []string{"v1"}}, entry{now, "r/a", d, Tagged, []string{"v1", "v2"}},
		entry{now, "r/a", other, Planned, nil}, entry{now, "r/a", other, Copied, nil}, entry{now, "r/a", other, Signed, nil},
	); err != nil {
		t.Fatal(err)
	}
	check := func(j *Journal, when string) {
		t.Helper()
		for _, tc := range []struct {
			digest artifactDigest
			tag    string
			since  time.Time
			want   bool
		}{
			{d, "v1", now.Add(-time.Second), true}, {d, "v2", now.Add(-time.Second), true}, {d, "v3", time.Time{}, false},
			{d, "v1", now, false}, {other, "", now.Add(-time.Second), true}, {other, "v1", time.Time{}, false},
		} {
			if got := j.saw("r/a", tc.digest, tc.tag, tc.since); got != tc.want {
				t.Errorf("%s: %.12s %s since %s: %v", when, tc.digest, tc.tag, tc.since, got)
			}
		}
		if !j.unsigned("r/a", d) || j.unsigned("r/a", other) || !j.signed("r/a", other) || j.unsigned("r/b", d) {
			t.Errorf("%s: what is signed is not known", when)
		}
	}
	check(j, "written")
	if _, err := OpenJournal(folder); !errors.Is(err, ErrBusy) {
		t.Errorf("a second run on the same state: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	check(testJournal(t, folder), "read")
}

func TestJournalSurvivesTornLines(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, journalFile)
	d := digestOf([]byte("a"))
	whole := `{"t":"2026-05-06T07:08:09Z","r":"r/a","d":"` + string(d) + `","s":"tagged","g":["v1"]}` + "\n"
	for cut := range len(whole) {
		if err := os.WriteFile(file, []byte(whole+"not JSON\n"+whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(folder)
		if err != nil {
			t.Fatal(err)
		}
		if !j.saw("r/a", d, "v1", time.Time{}) {
			t.Fatalf("cut at %d: the whole line is lost", cut)
		}
		if err := errors.Join(j.note(entry{time.Now(), "r/b", d, Copied, nil}), j.Close()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(string(text), "\n"); len(lines) != 4 || !strings.Contains(lines[2], `"r/b"`) {
			t.Fatalf("cut at %d: %q", cut, text)
		}
	}
}

func TestJournalIsCompacted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := testJournal(t, folder)
	d := digestOf([]byte("a"))
	now := time.Now()
	for range 1500 {
		if err := j.note(entry{now, "r/a", d, Planned, nil}, entry{now, "r/a", d, Checked, []string{"v1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.note(entry{now, "r/a", d, Signed, nil}), j.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		j = testJournal(t, folder)
		if !j.saw("r/a", d, "v1", now.Add(-time.Minute)) || !j.signed("r/a", d) || j.unsigned("r/a", d) {
			t.Error("something was lost")
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(folder, journalFile))
	if err != nil || info.Size() > 2000 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"t":"2026-05-06T07:08:09Z","r":"r/a","d":"sha256:00","s":"tagged","g":["v1"]}` + "\n{}\n[\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		j := &Journal{known: map[place]*progress{}}
		if err := j.read(strings.NewReader(string(text))); err != nil {
			t.Error(err)
		}
		for k, p := range j.known {
			if k.repository == "" || k.digest == "" {
				t.Error("an entry about nothing")
			}
			p.entries(k)
		}
	})
}
