// Package local runs executions as processes on this machine.
//
// Each execution gets a process group, an environment and a work folder of its
// own, and none of the three outlives it:
//
//	DIR/ID/src        the sources, each in its ORG/REPO or path_alias
//	DIR/ID/home       HOME
//	DIR/ID/tmp        a link to TMPDIR, which is below the system's
//	DIR/ID/artifacts  ARTIFACTS
//
// The sources are laid out as Prow's clonerefs does: the base at its commit,
// each pull request merged onto it in order. The job's image is not used; its
// command runs with the tools this machine has, and the log's first line says
// so. This is isolation between well-meaning jobs, not a jail: a program runs
// as the user the server runs as. Limits on memory or files are those of the
// server's own process (ulimit, a systemd unit's MemoryMax), which children
// inherit; Options.Nice lowers their priority.
//
//	executor, err := local.New(local.Options{
//		Dir:     filepath.Join(state, "work"),
//		Git:     git.NewCache(filepath.Join(state, "cache")),
//		Remote:  func(r job.Refs) (string, git.Auth) { return base + r.Org + "/" + r.Repo + ".git", auth },
//		PassEnv: local.DefaultPassEnv(),
//	})
package local
