package cli

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// The first collection brings back what was set before. It sets what holds for
// the whole process, so it does not run beside others.
func TestCollectLate(t *testing.T) {
	percent := debug.SetGCPercent(77)
	limit := debug.SetMemoryLimit(math.MaxInt64)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	collectLate(1 << 40)
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("the limit is %d", got)
	}
	collectLate(1 << 30) // it is late already
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("a second time the limit is %d", got)
	}
	end := time.Now().Add(10 * time.Second)
	for debug.SetMemoryLimit(-1) != math.MaxInt64 && time.Now().Before(end) {
		runtime.GC()
		runtime.Gosched()
	}
	if limit, got := debug.SetMemoryLimit(-1), debug.SetGCPercent(77); got != 77 || limit != math.MaxInt64 {
		t.Errorf("after a collection: %d %%, limit %d", got, limit)
	}

	debug.SetMemoryLimit(1 << 30)
	collectLate(1 << 31) // somebody allows less
	if limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(77); limit != 1<<30 || percent != 77 {
		t.Errorf("with less allowed: limit %d, %d %%", limit, percent)
	}
}
