package scan

import (
	"errors"
	"io"
)

const (
	aheadBlock  = 256 << 10
	aheadBlocks = 4
)

// aheadReader reads a stream in a goroutine of its own, a little ahead of who
// uses it, so that unpacking and looking go on at the same time. It must be
// closed, even after its end.
type aheadReader struct {
	full    chan aheadRead
	free    chan []byte
	stop    chan struct{}
	current aheadRead
	rest    []byte
}

type aheadRead struct {
	block []byte
	n     int
	err   error
}

func readAhead(r io.Reader) *aheadReader {
	a := &aheadReader{full: make(chan aheadRead, aheadBlocks), free: make(chan []byte, aheadBlocks), stop: make(chan struct{})}
	for range aheadBlocks {
		a.free <- make([]byte, aheadBlock)
	}
	go a.run(r)
	return a
}

func (a *aheadReader) run(r io.Reader) {
	defer close(a.full)
	for {
		var block []byte
		select {
		case block = <-a.free:
		case <-a.stop:
			return
		}
		n, err := io.ReadFull(r, block)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF // a last block that is not full
		}
		select {
		case a.full <- aheadRead{block, n, err}:
		case <-a.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read gives what was read ahead, in its order, and the stream's error at its
// end.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.current.err != nil {
			return 0, a.current.err
		}
		if a.current.block != nil {
			a.free <- a.current.block
		}
		a.current = <-a.full
		a.rest = a.current.block[:a.current.n]
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close ends the goroutine and waits for it. A read that waits for a network must
// be ended by closing what it reads from.
func (a *aheadReader) Close() error {
	close(a.stop)
	for range a.full {
	}
	return nil
}
