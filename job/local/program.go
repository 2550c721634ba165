package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"seaworthy/job/exec"
)

// Program is a program that is run in a folder there is, for those who run
// several in one. It gets the environment it is given and nothing else.
type Program struct {
	Command []string
	Dir     string
	Env     []string      // NAME=value; of several with one name the last counts
	Timeout time.Duration // 2 h when zero
	Grace   time.Duration // to stop in, when told to; 15 s when zero
}

// Find reports a program that cannot be run from a folder with that PATH.
func Find(name, dir, path string) error {
	_, err := findProgram(name, dir, path)
	return err
}

// Run runs the program to its end, to that of its time, or to that of ctx, and
// leaves no process behind. Its output goes to w; an error of w ends it.
func (p Program) Run(ctx context.Context, w io.Writer) (exec.Result, error) {
	if len(p.Command) == 0 {
		return exec.Result{}, errors.New("running a program: none is named")
	}
	e := &environ{values: map[string]string{}}
	for _, v := range p.Env {
		for i := range v {
			if v[i] == '=' && i > 0 {
				e.set(v[:i], v[i+1:])
				break
			}
		}
	}
	path, _ := e.lookup("PATH")
	program, err := findProgram(p.Command[0], p.Dir, path)
	if err != nil {
		return exec.Result{}, fmt.Errorf("running a program: %w", err)
	}
	// By which what it leaves behind is known again.
	marker := "SEAWORTHY_PROGRAM=" + rand.Text()
	c := command{program: program, argv: p.Command, dir: p.Dir, env: append(e.list(), "PWD="+p.Dir, marker), marker: marker,
		timeout: p.Timeout, grace: p.Grace}
	if c.timeout <= 0 {
		c.timeout = exec.DefaultTimeout
	}
	if c.grace <= 0 {
		c.grace = exec.DefaultGracePeriod
	}
	log := newLog(w, nil)
	result, err := c.run(ctx, log)
	return result, errors.Join(err, log.Close())
}

// Remove removes a folder that programs worked in, folders they made
// unwritable (Go's module cache) included.
func Remove(dir string) error { return removeAll(dir) }
