package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"syscall"
	"time"

	"seaworthy/job"
	"seaworthy/job/exec"
)

// command is a program ready to be started.
type command struct {
	program string // absolute path
	argv    []string
	dir     string
	env     []string
	marker  string // an entry of env that no other execution has
	nice    int
	timeout time.Duration
	grace   time.Duration
}

// drainTime is how long the log is read on when the program is gone but
// something out of reach still holds its output open.
const drainTime = 2 * time.Second

// run runs the program to its end, or to the end of its time or of ctx, and
// leaves no process behind.
func (c command) run(ctx context.Context, log *log) (exec.Result, error) {
	group, err := newGroup()
	if err != nil {
		return exec.Result{}, err
	}
	defer group.kill()
	out, in, err := os.Pipe()
	if err != nil {
		return exec.Result{}, fmt.Errorf("opening the log pipe: %w", err)
	}
	defer out.Close()
	cmd := &osexec.Cmd{Path: c.program, Args: c.argv, Dir: c.dir, Env: c.env, Stdout: in, Stderr: in,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pgid: group.id}}
	err = cmd.Start()
	in.Close()
	if err != nil {
		log.printf("%v\n", err)
		return exec.Result{State: job.Errored, ExitCode: 126, Message: "The program could not be started: " + err.Error()}, nil
	}
	if c.nice != 0 {
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, c.nice); err != nil && !errors.Is(err, syscall.ESRCH) {
			log.printf("Running with the usual priority: %v\n", err)
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(log, out) // a log never fails, and the end of reading is no error
	}()

	result, err := c.await(ctx, cmd, group, log)
	group.kill()
	sweep(c.marker)
	timer := time.AfterFunc(drainTime, func() { out.Close() })
	<-drained
	timer.Stop()
	return result, err
}

// await waits for the program, and stops it when it must end.
func (c command) await(ctx context.Context, cmd *osexec.Cmd, g *group, log *log) (exec.Result, error) {
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	timeout := time.NewTimer(c.timeout)
	defer timeout.Stop()
	select {
	case err := <-exited:
		return ended(err)
	case <-log.broken:
		g.kill()
		<-exited
		return exec.Result{}, errors.New("the log could not be written")
	case <-timeout.C:
		log.printf("\nThe program did not end within its time of %s: interrupting it.\n", c.timeout)
		c.stop(exited, g, log)
		return exec.Result{State: job.Failure, ExitCode: -1, TimedOut: true, Message: fmt.Sprintf("Timed out after %s.", c.timeout)}, nil
	case <-ctx.Done():
		log.printf("\nAborted: interrupting the program.\n")
		c.stop(exited, g, log)
		return exec.Result{State: job.Aborted, ExitCode: -1, Message: "Aborted."}, nil
	}
}

// stop asks the group to end and makes it when it does not.
func (c command) stop(exited <-chan error, g *group, log *log) {
	g.signal(syscall.SIGINT)
	grace := time.NewTimer(c.grace)
	defer grace.Stop()
	select {
	case <-exited:
	case <-grace.C:
		log.printf("The program did not end within its grace period of %s: killing it.\n", c.grace)
		g.kill()
		<-exited
	}
}

// ended turns how a program ended into a result.
func ended(err error) (exec.Result, error) {
	if err == nil {
		return exec.Result{State: job.Success, Message: "Succeeded."}, nil
	}
	var exit *osexec.ExitError
	if !errors.As(err, &exit) {
		return exec.Result{}, fmt.Errorf("waiting for the program: %w", err)
	}
	r := exec.Result{State: job.Failure, ExitCode: exit.ExitCode(), Message: fmt.Sprintf("Exited with code %d.", exit.ExitCode())}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Message = fmt.Sprintf("Ended by signal: %s.", status.Signal())
	}
	return r, nil
}

// group is a process group led by a watchdog: a shell that does nothing but
// wait for its input to end, which happens when this process closes it or
// dies, however it dies, and then kills the group. Leading the group, the
// watchdog also keeps its id from being given to others.
//
// Linux's parent death signal would need no watchdog, but it reaches the
// program alone and not what the program started.
type group struct {
	id     int
	cmd    *osexec.Cmd
	lease  *os.File // the watchdog's input
	killed bool
}

const watchdog = `trap '' INT TERM HUP QUIT; echo; read line; kill -KILL 0`

func newGroup() (*group, error) {
	input, lease, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening the watchdog's pipe: %w", err)
	}
	defer input.Close()
	cmd := osexec.Command("/bin/sh", "-c", watchdog)
	cmd.Env = []string{"PATH=" + DefaultPath}
	cmd.Dir = "/"
	cmd.Stdin = input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ready, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		lease.Close()
		return nil, fmt.Errorf("starting the watchdog: %w", err)
	}
	g := &group{id: cmd.Process.Pid, cmd: cmd, lease: lease}
	if _, err := bufio.NewReader(ready).ReadByte(); err != nil {
		g.kill()
		return nil, fmt.Errorf("starting the watchdog: %w", err)
	}
	return g, nil
}

// signal sends a signal to all of the group; the watchdog takes none but
// SIGKILL.
func (g *group) signal(s syscall.Signal) {
	// The group exists while its leader has not been waited for, so the only
	// error there is says that nobody is left.
	_ = syscall.Kill(-g.id, s)
}

// kill kills all of the group, once, and buries the watchdog.
func (g *group) kill() {
	if g.killed {
		return
	}
	g.killed = true
	g.signal(syscall.SIGKILL)
	_ = g.cmd.Wait() // it was killed, which is what its error would say
	g.lease.Close()
}
