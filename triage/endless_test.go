package triage

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"
)

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		c := copy(b[n:], e.text[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.text)
	}
	return n, nil
}

// drain reads all objects of a file of which so many bytes in a row may be junk.
func drain(t *testing.T, r io.Reader, junk int64) (objects int, err error) {
	t.Helper()
	o, err := newObjects(r)
	if err != nil {
		t.Fatal(err)
	}
	if o.junk != junkLimit {
		t.Errorf("%d bytes may be junk", o.junk)
	}
	o.junk = junk
	for {
		_, _, err := o.next()
		var broken brokenError
		switch {
		case err == nil:
			objects++
		case !errors.As(err, &broken):
			return objects, err
		}
	}
}

// What never ends is given up on, and told of.
func TestEndlessInput(t *testing.T) {
	t.Parallel()
	row := `{"build":"gs://b/logs/ci/1","name":"t","failure_text":"x"}` + "\n"
	for name, text := range map[string]string{
		"zeros": "\x00", "blank lines": "\n", "words": strings.Repeat("yes\n", 1000), "lists in lists": "[", "objects in objects": `{"a":`,
		"a string": strings.Repeat("x", 1000), "strings of lines": `{"` + "\n", "an object of objects": `{"a":{},`,
	} {
		head := row
		if name == "a string" {
			head += `{"failure_text":"`
		}
		n, err := drain(t, io.MultiReader(strings.NewReader(head), &endless{text: text}), 2<<20)
		if err == nil || !strings.Contains(err.Error(), "2 MiB without an object") || !strings.Contains(err.Error(), "line ") || n != 1 {
			t.Errorf("%s: %v after %d objects", name, err, n)
		}
	}
	// However much there is of what can be read, it is not junk.
	many := strings.Repeat(row, (4<<20)/len(row))
	if n, err := drain(t, strings.NewReader(many), 1<<20); !errors.Is(err, io.EOF) || n != len(many)/len(row) {
		t.Errorf("%v after %d objects", err, n)
	}
}

func TestBombIsNotUnpacked(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(z, &endless{text: "\x00"}, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := drain(t, &bomb, 1<<20); err == nil || !strings.Contains(err.Error(), "1 MiB without an object") {
		t.Error(err)
	}
}

// A file that is too large is told of before it is read to its end, which may
// never come.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	for text, o := range map[string]*objects{
		"16 GiB":  {line: 7, read: fileLimit + 1, good: fileLimit, junk: junkLimit},
		"256 MiB": {line: 7, read: junkLimit + 1, junk: junkLimit},
	} {
		if err := o.tooMuch(); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "line 7") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := (&objects{read: fileLimit, good: fileLimit - junkLimit, junk: junkLimit}).tooMuch(); err != nil {
		t.Error(err)
	}
}

func TestUTF16IsNamed(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]bool{"little": true, "big": false} {
		for _, mark := range []string{"\ufeff", ""} {
			var text []byte
			for _, u := range utf16.Encode([]rune(mark + `[{"path":"x"}]`)) {
				if order {
					text = append(text, byte(u), byte(u>>8))
				} else {
					text = append(text, byte(u>>8), byte(u))
				}
			}
			if _, _, err := ReadBuilds(context.Background(), bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), "UTF-16") {
				t.Errorf("%s, %q: %v", name, mark, err)
			}
		}
	}
}

// Bytes that JSON does not have are told of with their line, or are a part of
// the text if they are written as JSON wants them.
func TestZeroBytes(t *testing.T) {
	t.Parallel()
	var rows []Row
	odd, err := ReadFailures(context.Background(), strings.NewReader("\x00\x00\n"+
		`{"build":"gs://b/logs/ci/1","name":"t\u0000","failure_text":"a\u0000b"}`+"\n"+
		"{\"build\":\"gs://b/logs/ci/1\",\"name\":\"t\",\"failure_text\":\"a\x00b\"}\n"+
		"{\"build\":\"gs://b/logs/ci/1\"\x00}\n"), 1, func(r Row) { rows = append(rows, r) })
	if err != nil || len(rows) < 1 || rows[0].Text != "a\x00b" || odd.Kinds["not a JSON object"].Line != 1 {
		t.Errorf("%+v, %+v, %v", rows, odd, err)
	}
	if len(odd.Lines()) < 2 {
		t.Errorf("told: %q", odd.Lines())
	}
}

func TestReaderThatFails(t *testing.T) {
	t.Parallel()
	away := errors.New("the disk is gone")
	broken := io.MultiReader(strings.NewReader("[\n"), &failing{away})
	if _, _, err := ReadBuilds(context.Background(), broken); !errors.Is(err, away) || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
