package triage

import (
	"bufio"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Write writes the file, the same bytes for the same data.
func (d Data) Write(w io.Writer) error {
	b := &jsonWriter{Writer: bufio.NewWriterSize(w, 1<<16)}
	b.WriteString(`{"clustered":[`)
	for i, c := range d.Clustered {
		b.comma(i, "\n")
		b.cluster(c)
	}
	b.WriteString("],\n" + `"builds":{"jobs":{`)
	for i, name := range slices.Sorted(maps.Keys(d.Builds.Jobs)) {
		b.comma(i, "\n")
		b.text(name)
		b.WriteByte(':')
		b.columns(d.Builds.Jobs[name])
	}
	c := d.Builds.Cols
	b.WriteString("},\n" + `"cols":{"started":[`)
	for i, n := range c.Started {
		b.comma(i, "")
		b.number(n)
	}
	for _, column := range []struct {
		name   string
		values []int
	}{{"tests_failed", c.TestsFailed}, {"elapsed", c.Elapsed}, {"tests_run", c.TestsRun}} {
		b.WriteString("],\n\"" + column.name + `":[`)
		for i, n := range column.values {
			b.comma(i, "")
			b.number(int64(n))
		}
	}
	for _, column := range []struct {
		name   string
		values []string
	}{{"result", c.Result}, {"executor", c.Executor}, {"pr", c.PR}} {
		b.WriteString("],\n\"" + column.name + `":[`)
		for i, v := range column.values {
			b.comma(i, "")
			b.text(v)
		}
	}
	b.WriteString("]},\n" + `"job_paths":{`)
	for i, name := range slices.Sorted(maps.Keys(d.Builds.JobPaths)) {
		b.comma(i, "\n")
		b.text(name)
		b.WriteByte(':')
		b.text(d.Builds.JobPaths[name])
	}
	b.WriteString("}}}\n")
	return b.Flush()
}

// jsonWriter writes JSON. Its errors come with Flush.
type jsonWriter struct {
	*bufio.Writer
	scratch []byte
}

func (b *jsonWriter) comma(i int, then string) {
	if i > 0 {
		b.WriteByte(',')
		b.WriteString(then)
	}
}

func (b *jsonWriter) number(n int64) {
	b.scratch = strconv.AppendInt(b.scratch[:0], n, 10)
	b.Write(b.scratch)
}

func (b *jsonWriter) text(s string) {
	out := append(b.scratch[:0], '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		out = append(out, s[from:i]...)
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		case '\t':
			out = append(out, '\\', 't')
		default:
			if c < utf8.RuneSelf {
				out = append(out, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			} else {
				out = append(out, "\ufffd"...)
			}
		}
		i++
		from = i
	}
	out = append(append(out, s[from:]...), '"')
	b.Write(out)
	b.scratch = out
}

func (b *jsonWriter) cluster(c ClusterData) {
	b.WriteString(`{"key":`)
	b.text(c.Key)
	b.WriteString(`,"id":`)
	b.text(c.ID)
	b.WriteString(`,"text":`)
	b.text(c.Text)
	b.WriteString(`,"spans":[`)
	for i, n := range c.Spans {
		b.comma(i, "")
		b.number(int64(n))
	}
	b.WriteString(`],"tests":[`)
	for i, t := range c.Tests {
		b.comma(i, "")
		b.WriteString(`{"name":`)
		b.text(t.Name)
		b.WriteString(`,"jobs":[`)
		for i, j := range t.Jobs {
			b.comma(i, "")
			b.WriteString(`{"name":`)
			b.text(j.Name)
			b.WriteString(`,"builds":[`)
			for i, n := range j.Builds {
				b.comma(i, "")
				b.text(string(n))
			}
			b.WriteString("]}")
		}
		b.WriteString("]}")
	}
	b.WriteString(`],"owner":`)
	b.text(c.Owner)
	b.WriteByte('}')
}

func (b *jsonWriter) columns(j JobColumns) {
	numbers := slices.Sorted(maps.Keys(j))
	dense := len(numbers) > 0
	for i, n := range numbers {
		dense = dense && n == numbers[0]+int64(i) && j[n] == j[numbers[0]]+i
	}
	if dense {
		b.WriteByte('[')
		b.number(numbers[0])
		b.WriteByte(',')
		b.number(int64(len(numbers)))
		b.WriteByte(',')
		b.number(int64(j[numbers[0]]))
		b.WriteByte(']')
		return
	}
	b.WriteByte('{')
	for i, n := range numbers {
		b.comma(i, "")
		b.WriteByte('"')
		b.number(n)
		b.WriteString(`":`)
		b.number(int64(j[n]))
	}
	b.WriteByte('}')
}
