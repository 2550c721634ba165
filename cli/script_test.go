package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run the test binary as seaworthy, in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"seaworthy": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
		stop()
		os.Exit(code)
	}})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	caches, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := strings.Fields(string(caches))
	if len(cache) != 2 {
		t.Fatalf("go env says %q", caches)
	}
	program, err := exec.LookPath("seaworthy")
	if err != nil {
		t.Fatal(err)
	}
	gitProgram, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("SEAWORTHY", program)
			e.Setenv("GIT", gitProgram)
			e.Setenv("GOCACHE", cache[0])
			e.Setenv("GOMODCACHE", cache[1])
			e.Setenv("GOFLAGS", "-mod=mod")
			e.Setenv("GOPROXY", "off")
			e.Setenv("GOTOOLCHAIN", "local")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				e.Setenv("GIT_"+who+"_NAME", "Ada")
				e.Setenv("GIT_"+who+"_EMAIL", "ada@example.org")
				e.Setenv("GIT_"+who+"_DATE", "2026-11-01T12:00:00Z")
			}
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			e.Values[worldKey] = &world{}
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       scriptExits,
			"fails":       scriptFails,
			"shape":       scriptShape,
			"capture":     scriptCapture,
			"await":       scriptAwait,
			"server":      scriptServer,
			"person":      scriptPerson,
			"remember":    scriptRemember,
			"unchanged":   scriptUnchanged,
			"authorities": scriptAuthorities,
			"vault":       scriptVault,
			"mail":        scriptMail,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// run runs a program for a script; its output can be looked at afterwards.
func run(ts *testscript.TestScript, want string, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// exits CODE PROGRAM ARGS… wants an exit code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	run(ts, args[0], args[1:])
}

// fails CODE PROGRAM ARGS… wants an exit code and one line that says why: an
// error with a hint where to look if the command line is at fault, a sentence
// if the answer is no.
func scriptFails(ts *testscript.TestScript, neg bool, args []string) {
	scriptExits(ts, neg, args)
	said := ts.ReadFile("stderr")
	lines := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	if n := len(lines); n == 2 && args[0] == "2" && strings.HasPrefix(lines[1], "See 'seaworthy") {
		lines = lines[:1]
	}
	if len(lines) != 1 || lines[0] == "" {
		ts.Fatalf("not one line:\n%s", said)
	}
	if strings.HasPrefix(lines[0], "seaworthy: ") == (args[0] == "3") {
		ts.Fatalf("not what exit code %s looks like:\n%s", args[0], said)
	}
}

// shape FILE SHAPE compares what a JSON document is made of: {key:type, …} with
// the keys in order, [type] for a list, and string, number, bool or null.
func scriptShape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shape FILE SHAPE")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s is no JSON: %v\n%s", args[0], err, ts.ReadFile(args[0]))
	}
	if got, want := shapeOf(v), strings.ReplaceAll(args[1], " ", ""); got != want {
		ts.Fatalf("%s is\n%s\nwant\n%s", args[0], got, want)
	}
}

func shapeOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for key, value := range v {
			fields = append(fields, key+":"+shapeOf(value))
		}
		slices.Sort(fields)
		return "{" + strings.Join(fields, ",") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, shapeOf(item))
		}
		slices.Sort(items)
		return "[" + strings.Join(slices.Compact(items), "|") + "]"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	}
	return "null"
}

// capture NAME FILE EXPR sets a variable to what the first group matches.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE EXPR")
	}
	m := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(m) < 2 {
		ts.Fatalf("%q does not match in\n%s", args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], m[1])
}

// await EXPR PROGRAM ARGS… runs a program until its output matches, as a
// person would who waits for the platform to get to something.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await EXPR PROGRAM ARGS…")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	patience := time.NewTimer(2 * time.Minute)
	defer patience.Stop()
	for {
		err := ts.Exec(args[1], args[2:]...)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			ts.Check(err)
		}
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-again.C:
		case <-patience.C:
			ts.Fatalf("%q did not come about:\n%s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}
