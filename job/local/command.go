package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// command makes a job's container into a program to be run in dir.
func (x *Executor) command(r exec.Request, work folder, dir string) (command, error) {
	spec := r.Execution.Spec
	env := x.environment(r.Env, work)
	argv := make([]string, 0, len(spec.Command)+len(spec.Args))
	for _, word := range append(append(argv, spec.Command...), spec.Args...) {
		argv = append(argv, expand(word, env.lookup))
	}
	if len(spec.Command) == 0 || argv[0] == "" {
		return command{}, errors.New("the job has no command: on this machine the image and its entrypoint are not used, so the container needs a command")
	}
	if filepath.IsAbs(spec.WorkingDir) {
		return command{}, fmt.Errorf("workingDir %s is a path inside the image, which is not used here: give it relative to the source", spec.WorkingDir)
	}
	dir = filepath.Join(dir, spec.WorkingDir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return command{}, fmt.Errorf("workingDir %s is not a folder of the source", spec.WorkingDir)
	}
	path, _ := env.lookup("PATH")
	program, err := findProgram(argv[0], dir, path)
	if err != nil {
		return command{}, err
	}
	return command{program: program, argv: argv, dir: dir, nice: x.opts.Nice,
		env: append(env.list(), "PWD="+dir), marker: "ARTIFACTS=" + work.artifacts()}, nil
}

// environment puts together what a program sees, and nothing else.
func (x *Executor) environment(own []job.EnvVar, work folder) *environ {
	e := &environ{values: map[string]string{}}
	e.set("PATH", x.opts.Path)
	e.set("LANG", "C.UTF-8")
	for _, name := range x.opts.PassEnv {
		if v, ok := x.opts.LookupEnv(name); ok {
			e.set(name, v)
		}
	}
	for _, v := range x.opts.Env {
		e.set(v.Name, v.Value)
	}
	// These are known before the job's own variables, which may refer to them
	// but not replace them.
	fixed := []job.EnvVar{{Name: "HOME", Value: work.home()}, {Name: "TMPDIR", Value: work.temp}, {Name: "ARTIFACTS", Value: work.artifacts()}}
	for _, v := range fixed {
		e.set(v.Name, v.Value)
	}
	for _, v := range own {
		e.set(v.Name, expand(v.Value, e.lookup))
	}
	for _, v := range fixed {
		e.set(v.Name, v.Value)
	}
	return e
}

// environ is an environment in the order it was made.
type environ struct {
	names  []string
	values map[string]string
}

func (e *environ) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environ) lookup(name string) (string, bool) {
	v, ok := e.values[name]
	return v, ok
}

func (e *environ) list() []string {
	list := make([]string, 0, len(e.names))
	for _, n := range e.names {
		list = append(list, n+"="+e.values[n])
	}
	return list
}

// expand replaces $(NAME) as Kubernetes does in a container's command, args
// and env: an unknown name stays as it is, and $$ stands for one $.
func expand(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		if s[1] == '$' {
			b.WriteByte('$')
			s = s[2:]
			continue
		}
		end := strings.IndexByte(s, ')')
		if s[1] == '(' && end > 0 {
			if v, ok := lookup(s[2:end]); ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[:end+1])
			}
			s = s[end+1:]
			continue
		}
		b.WriteByte('$')
		s = s[1:]
	}
}

// findProgram finds a program as a shell in dir would, by the job's PATH
// rather than the server's.
func findProgram(name, dir, path string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return "", fmt.Errorf("there is no program %s", name)
		case !executable(info):
			return "", fmt.Errorf("%s is not an executable file", name)
		}
		return name, nil
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		candidate := filepath.Join(folder, name)
		if info, err := os.Stat(candidate); err == nil && executable(info) {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("there is no program %s on this machine (PATH is %s)", name, path)
}

func executable(i os.FileInfo) bool { return i.Mode().IsRegular() && i.Mode()&0o111 != 0 }

// shellLine shows an argv so that it can be pasted into a shell.
func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`&|;<>()*?[]{}#~!") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
