package local

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// sweepRounds bounds how often sweep looks again for processes that were
// started while it looked.
const sweepRounds = 50

// sweep kills the processes that left the program's group and session: what
// they cannot leave behind is the environment they were started with.
func sweep(marker string) {
	for range sweepRounds {
		if !sweepOnce([]byte(marker)) {
			return
		}
	}
}

func sweepOnce(marker []byte) (found bool) {
	// Without /proc there is nothing to be found, and no harm in that: the
	// group has been killed already.
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // gone, or somebody else's
		}
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && bytes.Equal(entry, marker) {
				found = syscall.Kill(pid, syscall.SIGKILL) == nil || found
			}
		}
	}
	return found
}
