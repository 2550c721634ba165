package build

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// perTarget is what compiling and linking a large program takes, in bytes.
const perTarget = 3 << 29 // 1.5 GiB

// bounded is how many targets are worked on at once: no more than there are
// processors, and no more than there is memory for. root is the root of the file
// system; where it says nothing of memory, processors decide.
func bounded(processors int, root fs.FS) int {
	free, known := freeMemory(root)
	if !known {
		return processors
	}
	return max(1, min(processors, int(free/perTarget)))
}

// freeMemory is what this process may still take, in bytes: what the machine has
// available (proc(5), MemAvailable), or less if its control group has a limit
// (memory.max and memory.current of cgroup v2, memory.limit_in_bytes and
// memory.usage_in_bytes of v1).
func freeMemory(root fs.FS) (free int64, known bool) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, false // not Linux
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			free, known = kib<<10, err == nil
		}
	}
	for limit, usage := range map[string]string{"memory.max": "memory.current", "memory/memory.limit_in_bytes": "memory/memory.usage_in_bytes"} {
		most, ok := number(root, path.Join("sys/fs/cgroup", limit))
		used, also := number(root, path.Join("sys/fs/cgroup", usage))
		if ok && also && (!known || most-used < free) {
			free, known = max(most-used, 0), true
		}
	}
	return free, known
}

// number reads a file that holds one; "max", which is no limit, is none.
func number(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
