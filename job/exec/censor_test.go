package exec

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCensor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		secrets []string
		in      []string
		want    string
	}{
		{"no secrets", nil, []string{"as ", "is"}, "as is"},
		{"empty secrets do not match", []string{"", " \n"}, []string{"as is"}, "as is"},
		{"whole", []string{"hunter2"}, []string{"pass hunter2 ok"}, "pass [censored] ok"},
		{"across chunks", []string{"hunter2"}, []string{"pass hun", "te", "r2 ok"}, "pass [censored] ok"},
		{"a beginning that comes to nothing", []string{"hunter2"}, []string{"hunt", "ing hunter"}, "hunting hunter"},
		{"twice", []string{"ab"}, []string{"abab"}, "[censored][censored]"},
		{"restart inside a failed match", []string{"aab"}, []string{"aa", "ab"}, "a[censored]"},
		{"the longest wins", []string{"abc", "abcdef"}, []string{"abc", "def abcx"}, "[censored] [censored]x"},
		{"the shorter at the end", []string{"abc", "abcdef"}, []string{"abcde"}, "[censored]de"},
		{"surrounding space is not secret", []string{"token\n"}, []string{"my token here"}, "my [censored] here"},
		{"several lines", []string{"line1\nline2"}, []string{"key: line1\n", "line2\nend"}, "key: [censored]\nend"},
		{"base64", []string{"hunter2"}, []string{"aHVudGVyMg=="}, "[censored]"},
		{"not text", []string{"\xff\x00x"}, []string{"\x00\xff", "\x00x\xff"}, "\x00[censored]\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c := NewCensor(&out, tt.secrets)
			for _, chunk := range tt.in {
				if n, err := c.Write([]byte(chunk)); err != nil || n != len(chunk) {
					t.Fatalf("Write(%q) = %d, %v", chunk, n, err)
				}
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCensorHoldsBackOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := NewCensor(&out, []string{"hunter2"})
	for _, step := range []struct{ in, shown string }{
		{"hello\n", "hello\n"},
		{"a hun", "hello\na "},
		{"g", "hello\na hung"},
	} {
		if _, err := c.Write([]byte(step.in)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != step.shown {
			t.Errorf("after %q the reader sees %q, want %q", step.in, got, step.shown)
		}
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestCensorReportsTheWriter(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	if _, err := NewCensor(brokenWriter{full}, []string{"s3"}).Write([]byte("text")); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

// FuzzCensor cuts a text at any place: no secret may come through, and the
// result may not depend on the cut.
func FuzzCensor(f *testing.F) {
	f.Add("pass hunter2 ok", "hunter2", "ter2 o", uint(8))
	f.Add("aaaaab", "aab", "ab", uint(3))
	f.Add("abcabcabd", "abcabd", "abc", uint(5))
	f.Add("\xff\xfe", "\xff", "\xfe", uint(1))
	f.Fuzz(func(t *testing.T, text, one, two string, cut uint) {
		secrets := []string{one, two}
		censor := func(chunks ...string) string {
			var out bytes.Buffer
			c := NewCensor(&out, secrets)
			for _, chunk := range chunks {
				if _, err := c.Write([]byte(chunk)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		at := int(cut % uint(len(text)+1))
		whole, parts := censor(text), censor(text[:at], text[at:])
		if whole != parts {
			t.Errorf("cut at %d: %q, whole: %q", at, parts, whole)
		}
		for piece := range strings.SplitSeq(whole, Censored) {
			for _, s := range secrets {
				if s = strings.TrimSpace(s); s != "" && strings.Contains(piece, s) {
					t.Errorf("%q shows the secret %q", whole, s)
				}
			}
		}
	})
}
