package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/exec"
)

// DefaultPath is the PATH of a job unless Options say otherwise.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// DefaultPassEnv returns the names of variables that make builds share the
// machine's caches and mirrors and that carry no credentials.
func DefaultPassEnv() []string {
	return []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// Options are what an Executor needs.
type Options struct {
	// Dir holds the work folders. It is made when first needed.
	Dir string
	// Git holds the mirrors that sources are laid out from.
	Git *git.Cache
	// Remote says where the source of refs is fetched from, unless they have
	// a CloneURI.
	Remote func(job.Refs) (url string, auth git.Auth)
	// Path is the PATH of every job; DefaultPath when empty.
	Path string
	// PassEnv names variables of the server's environment that jobs see if
	// they are set.
	PassEnv []string
	// Env is added to every job's environment, below the job's own.
	Env []job.EnvVar
	// LookupEnv reads the server's environment; os.LookupEnv when nil.
	LookupEnv func(string) (string, bool)
	// Nice is added to the niceness of every job: 0 to 19.
	Nice int
}

// Executor runs executions as processes. It is safe for concurrent use.
type Executor struct {
	opts Options
}

var _ exec.Executor = (*Executor)(nil)

// New returns an executor.
func New(o Options) (*Executor, error) {
	if o.Dir == "" {
		return nil, errors.New("the local executor needs a folder to work in")
	}
	if o.Git == nil || o.Remote == nil {
		return nil, errors.New("the local executor needs to know where sources come from: Options.Git and Options.Remote")
	}
	if o.Nice < 0 || o.Nice > 19 {
		return nil, fmt.Errorf("niceness %d is not between 0 and 19", o.Nice)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the work folder %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if o.Path == "" {
		o.Path = DefaultPath
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	return &Executor{opts: o}, nil
}

// Run implements exec.Executor.
func (x *Executor) Run(ctx context.Context, r exec.Request, s exec.Sink) (result exec.Result, err error) {
	work, err := makeFolder(x.opts.Dir, r.Execution.ID)
	if err != nil {
		return exec.Result{}, err
	}
	defer func() {
		if rerr := work.remove(); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	log := newLog(s, r.Secrets)
	log.printf("%s\n", imageNotice(r.Execution.Spec.Image))

	result, err = x.layOutAndRun(ctx, r, work, log)
	if lerr := log.Close(); err == nil {
		err = lerr
	}
	if err != nil {
		return exec.Result{}, fmt.Errorf("running %s: %w", r.Execution.Job, err)
	}
	// What an aborted program left behind is still evidence.
	if err := work.collect(context.WithoutCancel(ctx), s); err != nil {
		return exec.Result{}, fmt.Errorf("collecting the artifacts of %s: %w", r.Execution.Job, err)
	}
	return result, nil
}

func imageNotice(image string) string {
	if image == "" {
		return "Running on this machine, without a container."
	}
	return fmt.Sprintf("Running on this machine: the image %s is not used.", image)
}

func (x *Executor) layOutAndRun(ctx context.Context, r exec.Request, work folder, log *log) (exec.Result, error) {
	e := r.Execution
	sources, start, err := x.layOut(ctx, e, work, log)
	result := exec.Result{State: job.Errored, ExitCode: -1, Sources: sources}
	switch {
	case ctx.Err() != nil:
		result.State, result.Message = job.Aborted, "Aborted while the source was laid out."
		return result, nil
	case errors.Is(err, errWorkFolder):
		return exec.Result{}, err
	case err != nil:
		log.printf("%v\n", err)
		result.Message = err.Error()
		return result, nil
	}
	c, err := x.command(r, work, start)
	if err != nil {
		log.printf("%v\n", err)
		result.ExitCode, result.Message = 127, err.Error()
		return result, nil
	}
	log.printf("$ %s\n", shellLine(c.argv))
	c.timeout, c.grace = r.Timeout(), r.GracePeriod()
	ended, err := c.run(ctx, log)
	ended.Sources = sources
	return ended, err
}

// log serialises what the program and the executor write, and keeps secrets
// out. After the first error it swallows everything, so that a program is
// never blocked by a log nobody can write; broken tells that it happened.
type log struct {
	mu     sync.Mutex
	censor *exec.Censor
	err    error
	broken chan struct{}
}

func newLog(w io.Writer, secrets []string) *log {
	return &log{censor: exec.NewCensor(w, secrets), broken: make(chan struct{})}
}

// Write implements io.Writer. It never fails.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		if _, err := l.censor.Write(p); err != nil {
			l.err = err
			close(l.broken)
		}
	}
	return len(p), nil
}

func (l *log) printf(format string, args ...any) { fmt.Fprintf(l, format, args...) }

// Close flushes, and returns the first error there was.
func (l *log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return l.censor.Close()
}
