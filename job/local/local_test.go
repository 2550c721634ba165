package local

import (
	"path/filepath"
	"testing"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
	"seaworthy/job/exectest"
)

// newExecutor makes an executor whose server environment is hostile.
func newExecutor(t *testing.T, change ...func(*Options)) *Executor {
	t.Helper()
	dir := t.TempDir()
	o := Options{Dir: filepath.Join(dir, "work"), Git: git.NewCache(filepath.Join(dir, "cache")),
		Remote:    func(job.Refs) (string, git.Auth) { return filepath.Join(dir, "nowhere"), git.Auth{} },
		LookupEnv: func(string) (string, bool) { return "inherited", true }}
	for _, c := range change {
		c(&o)
	}
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestConformance(t *testing.T) {
	t.Parallel()
	exectest.Conformance(t, func(t *testing.T) exec.Executor { return newExecutor(t) })
}
