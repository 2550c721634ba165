package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/notify/mailtest"
)

// world is what a script has besides its files: a server, and what its folder
// looked like once.
type world struct {
	server *process
	mail   *mailtest.Sink
	files  map[string]string
}

const worldKey = "world"

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey).(*world)
	if !ok {
		ts.Fatalf("the script has no world")
	}
	return w
}

// process is a server that a script started.
type process struct {
	cmd    *exec.Cmd
	exited chan error
}

// stop asks the server to stop, as Ctrl-C does, and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, <-p.exited)
	}
	return <-p.exited
}

// server start ARGS… runs seaworthy up until server stop, or the script's end,
// and returns when it has said that it is up. $URL is then where it answers,
// $TOKEN the administrator's token and $PUSH an address that holds it.
func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	switch {
	case !neg && len(args) > 0 && args[0] == "start" && w.server == nil:
		p, url, token := startServer(ts, args[1:])
		w.server = p
		ts.Defer(func() {
			if w.server == p {
				ts.Check(p.stop())
			}
		})
		ts.Setenv("URL", url)
		ts.Setenv("TOKEN", token)
		ts.Setenv("PUSH", strings.Replace(url, "http://", "http://admin:"+token+"@", 1))
	case !neg && len(args) == 1 && args[0] == "stop" && w.server != nil:
		p := w.server
		w.server = nil
		ts.Check(p.stop())
	default:
		ts.Fatalf("usage: server start ARGS… | server stop")
	}
}

func startServer(ts *testscript.TestScript, args []string) (_ *process, url, token string) {
	cmd := exec.CommandContext(context.Background(), "seaworthy", append([]string{"up", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var log strings.Builder
	cmd.Stderr = &log
	ts.Check(cmd.Start())
	p := &process{cmd, make(chan error, 1)}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "log in as") { // the last line
			break
		}
	}
	go func() {
		_, err := io.Copy(io.Discard, out)
		if err := errors.Join(err, cmd.Wait()); err != nil {
			p.exited <- fmt.Errorf("the server: %w\n%s", err, log.String())
			return
		}
		p.exited <- nil
	}()
	m := regexp.MustCompile(`(?s)is up: (http://\S+).*token in (\S+)`).FindStringSubmatch(strings.Join(said, "\n"))
	if m == nil {
		ts.Fatalf("the server did not come up: %v\n%s", <-p.exited, strings.Join(said, "\n"))
	}
	text, err := os.ReadFile(m[2])
	ts.Check(err)
	return p, m[1], strings.TrimSpace(string(text))
}

// person LOGIN FOLDER makes an account on the platform in a folder, and sets
// $LOGIN to a token of it.
func scriptPerson(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: person LOGIN FOLDER")
	}
	ctx := context.Background()
	a, err := app.Attach(ctx, app.Options{Dir: ts.MkAbs(args[1])})
	ts.Check(err)
	token, err := a.AddUser(ctx, forge.User{Login: args[0], Name: args[0], Email: args[0] + "@example.org"}, false)
	ts.Check(errors.Join(err, a.Close()))
	ts.Setenv(args[0], token)
}

// remember keeps what the script's folder looks like.
func scriptRemember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: remember")
	}
	worldOf(ts).files = look(ts)
}

// unchanged wants the script's folder to look as it was remembered.
func scriptUnchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: unchanged")
	}
	if d := cmp.Diff(worldOf(ts).files, look(ts)); d != "" {
		ts.Fatalf("the folder has changed (-then +now):\n%s", d)
	}
}

// look describes every file below the script's folder, temporary ones included.
func look(ts *testscript.TestScript) map[string]string {
	files := map[string]string{}
	root := ts.Getenv("WORK")
	ts.Check(filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if name == filepath.Join("home", ".config", "go") {
			return fs.SkipDir // what the go command counts of its own use
		}
		files[name] = d.Type().String()
		if d.Type().IsRegular() {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			files[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		}
		return nil
	}))
	return files
}
