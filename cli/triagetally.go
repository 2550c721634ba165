package cli

import (
	"fmt"
	"io"
	"sync"
)

// countEvery is how many things go by between two lines of progress.
const countEvery = 100_000

// tally tells from time to time how many of something went by. Many goroutines
// may count at once.
type tally struct {
	mu   sync.Mutex
	w    io.Writer
	what string
	n    int
}

func newTally(w io.Writer, what string) *tally { return &tally{w: w, what: what} }

func (c *tally) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n%countEvery == 0 {
		c.say()
	}
}

// end tells the sum, unless that was the last that was told.
func (c *tally) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 || c.n%countEvery != 0 {
		c.say()
	}
}

// say is progress for a person: if stderr is gone there is nobody to tell.
func (c *tally) say() { fmt.Fprintf(c.w, "%d %s\n", c.n, c.what) }
