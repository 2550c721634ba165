package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"seaworthy/artifact"
)

// ErrNoGo: the go command is not there.
var ErrNoGo = errors.New("no go command on PATH: install Go, or build with a command of your own")

// goSettings are taken over from the caller's "go env", because where modules
// come from and where they are cached is the machine's affair.
var goSettings = []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOTOOLCHAIN", "GOFLAGS"}

// goCompiler compiles with the go command on PATH.
func (r Request) goCompiler(ctx context.Context, work string) (compiler, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", r.Name, ErrNoGo)
	}
	base, err := r.environment(work)
	if err != nil {
		return nil, err
	}
	if err := noTelemetry(filepath.Join(work, "home")); err != nil {
		return nil, err
	}
	settings, err := r.goEnvironment(ctx, program)
	if err != nil {
		return nil, err
	}
	base = append(base, settings...)
	// Targets share the processors; each gets its part.
	jobs := max(1, runtime.GOMAXPROCS(0)/min(r.parallel(), len(r.Platforms)))
	return func(ctx context.Context, p artifact.Platform, dir string) ([]entry, error) {
		target, err := goTarget(p)
		if err != nil {
			return nil, err
		}
		env := append(append(append([]string{}, base...), target...), r.Env...)
		var programs []entry
		for _, pkg := range r.Main {
			name := r.program(pkg) + extension(p)
			args := []string{"build", "-trimpath", "-buildvcs=false", "-p=" + strconv.Itoa(jobs),
				"-ldflags=" + strings.TrimSpace("-s -w -buildid= "+r.expand(r.LDFlags, p, "")),
				"-o", filepath.Join(dir, name), pkg}
			if err := run(ctx, r.Source, env, program, args...); err != nil {
				return nil, err
			}
			programs = append(programs, entry{name: name, file: filepath.Join(dir, name), mode: 0o755})
		}
		return programs, nil
	}, nil
}

// noTelemetry turns off what the go command writes into its home about itself:
// a process of its own does so, after the command has ended and the home is gone.
func noTelemetry(home string) error {
	for _, config := range []string{".config", "Library/Application Support"} { // of Linux, of macOS
		dir := filepath.Join(home, config, "go", "telemetry")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the builder's home: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "mode"), []byte("off\n"), 0o644); err != nil {
			return fmt.Errorf("making the builder's home: %w", err)
		}
	}
	return nil
}

// goEnvironment asks the go command for the settings to keep, and fixes the
// others.
func (r Request) goEnvironment(ctx context.Context, program string) ([]string, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"env", "-json"}, goSettings...)...)
	cmd.Dir = r.Source
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for its settings: %w", withStderr(err))
	}
	var have map[string]string
	if err := json.Unmarshal(out, &have); err != nil {
		return nil, fmt.Errorf("reading go's settings: %w", err)
	}
	have["GOFLAGS"] = modFlags(have["GOFLAGS"])
	have["CGO_ENABLED"] = "0"
	have["GOENV"] = "off"
	have["GOTELEMETRY"] = "off"
	// A workspace above the source would change what is built.
	have["GOWORK"] = "off"
	if _, err := os.Stat(filepath.Join(r.Source, "go.work")); err == nil {
		have["GOWORK"] = ""
	}
	for name, v := range r.Cache {
		have[name] = v
	}
	var env []string
	for name, v := range have {
		env = append(env, name+"="+v)
	}
	return sorted(env), nil
}

// modFlags keeps the flags that say where modules come from: -mod and -modfile.
func modFlags(flags string) string {
	var keep []string
	for _, f := range strings.Fields(flags) {
		if strings.HasPrefix(f, "-mod=") || strings.HasPrefix(f, "-modfile=") {
			keep = append(keep, f)
		}
	}
	return strings.Join(keep, " ")
}

// goTarget translates a platform into the go command's variables.
func goTarget(p artifact.Platform) ([]string, error) {
	env := []string{"GOOS=" + p.OS, "GOARCH=" + p.Arch}
	switch v := p.Variant; {
	case v == "":
		return env, nil
	case p.Arch == "arm" && (v == "v5" || v == "v6" || v == "v7"):
		return append(env, "GOARM="+v[1:]), nil
	case p.Arch == "amd64" && (v == "v1" || v == "v2" || v == "v3" || v == "v4"):
		return append(env, "GOAMD64="+v), nil
	case p.Arch == "arm64" && (v == "v8" || v == "v9"):
		return append(env, "GOARM64="+v+".0"), nil
	}
	return nil, fmt.Errorf("go knows no variant %q of %s", p.Variant, p.Arch)
}

func extension(p artifact.Platform) string {
	switch p.OS {
	case "windows":
		return ".exe"
	case "js", "wasip1":
		return ".wasm"
	}
	return ""
}

// commandCompiler runs the project's own builder. It works in the source
// folder, which it may write to, so targets take turns.
func (r Request) commandCompiler(work string) compiler {
	var turn sync.Mutex
	return func(ctx context.Context, p artifact.Platform, dir string) ([]entry, error) {
		turn.Lock()
		defer turn.Unlock()
		base, err := r.environment(work)
		if err != nil {
			return nil, err
		}
		env := append(base, "TARGET_OS="+p.OS, "TARGET_ARCH="+p.Arch, "TARGET_VARIANT="+p.Variant,
			"VERSION="+r.Version, "COMMIT="+r.Commit, "OUT="+dir)
		var argv []string
		for _, a := range r.Command.Run {
			argv = append(argv, r.expand(a, p, dir))
		}
		if err := run(ctx, r.Source, append(env, r.Env...), argv[0], argv[1:]...); err != nil {
			return nil, err
		}
		return r.outputs(p, dir)
	}
}

// outputs finds what a command was to leave in dir.
func (r Request) outputs(p artifact.Platform, dir string) ([]entry, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading what was built: %w", err)
	}
	defer root.Close()
	var outputs []entry
	for _, o := range r.Command.Outputs {
		name := path.Clean(r.expand(o, p, ""))
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("output %q lies outside {out}", o)
		}
		info, err := root.Lstat(name)
		switch {
		case err == nil && info.Mode().IsRegular():
			outputs = append(outputs, entry{name: name, file: filepath.Join(dir, name), mode: 0o755})
			continue
		case err != nil || !info.IsDir():
			return nil, fmt.Errorf("%s left no file %s in {out}", r.Command.Run[0], name)
		}
		files, err := walk(root, name)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s left no file in the folder %s of {out}", r.Command.Run[0], name)
		}
		outputs = append(outputs, files...)
	}
	return outputs, nil
}

// run runs a builder in a process group of its own, all of which ends with the
// context. The error carries the last lines it wrote.
func run(ctx context.Context, dir string, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out := &tail{max: 8 << 10}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, strings.TrimSpace(string(out.b)))
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	b   []byte
	max int
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - t.max; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
