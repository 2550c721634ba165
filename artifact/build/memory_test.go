package build

import (
	"os"
	"testing"
	"testing/fstest"
)

func TestTargetsAtOnce(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const plenty = "MemTotal:       65536000 kB\nMemFree:          100000 kB\nMemAvailable:   33554432 kB\n"
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int
	}{
		"nothing is known":   {fstest.MapFS{}, 8},
		"plenty":             {fstest.MapFS{"proc/meminfo": file(plenty)}, 8},
		"four gigabytes":     {fstest.MapFS{"proc/meminfo": file("MemAvailable: 4194304 kB\n")}, 2},
		"hardly any":         {fstest.MapFS{"proc/meminfo": file("MemAvailable: 262144 kB\n")}, 1},
		"an older kernel":    {fstest.MapFS{"proc/meminfo": file("MemTotal: 262144 kB\n")}, 8},
		"a container":        {fstest.MapFS{"proc/meminfo": file(plenty), "sys/fs/cgroup/memory.max": file("6442450944\n"), "sys/fs/cgroup/memory.current": file("1073741824\n")}, 3},
		"a full container":   {fstest.MapFS{"proc/meminfo": file(plenty), "sys/fs/cgroup/memory.max": file("1\n"), "sys/fs/cgroup/memory.current": file("2\n")}, 1},
		"without a limit":    {fstest.MapFS{"proc/meminfo": file(plenty), "sys/fs/cgroup/memory.max": file("max\n"), "sys/fs/cgroup/memory.current": file("2\n")}, 8},
		"an older container": {fstest.MapFS{"proc/meminfo": file(plenty), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("3221225472\n"), "sys/fs/cgroup/memory/memory.usage_in_bytes": file("0\n")}, 2},
		"nonsense":           {fstest.MapFS{"proc/meminfo": file("MemAvailable: much kB\n")}, 8},
	} {
		if got := bounded(8, c.root); got != c.want {
			t.Errorf("%s: %d at once, want %d", name, got, c.want)
		}
	}
	if n := bounded(2, os.DirFS("/")); n < 1 || n > 2 {
		t.Errorf("on this machine: %d", n)
	}
}
