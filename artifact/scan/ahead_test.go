package scan

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadAhead(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is cut")
	for _, size := range []int{0, 1, aheadBlock - 1, aheadBlock, aheadBlock + 1, 3*aheadBlock + 7, 10 * aheadBlock} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		a := readAhead(iotest.HalfReader(bytes.NewReader(data)))
		have, err := io.ReadAll(a)
		if err != nil || !bytes.Equal(have, data) {
			t.Errorf("%d bytes of %d, %v", len(have), size, err)
		}
		if n, err := a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %d, %v", n, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		a = readAhead(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
		have, err = io.ReadAll(a)
		if !errors.Is(err, broken) || !bytes.Equal(have, data) {
			t.Errorf("%d bytes of %d, %v", len(have), size, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReadAheadIsLeft closes in the middle: nothing may stay behind, which the
// test's end by itself shows, for Close waits.
func TestReadAheadIsLeft(t *testing.T) {
	t.Parallel()
	for _, read := range []int{0, 1, aheadBlock, 5 * aheadBlock} {
		a := readAhead(endless{})
		if _, err := io.ReadFull(a, make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
