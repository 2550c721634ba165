package build

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(file); !errors.Is(err, ErrNotProgram) {
		t.Errorf("a script gives %v", err)
	}
	if _, err := Inspect(file + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file gives %v", err)
	}
}

func TestInspectOtherLanguages(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	p, err := Inspect(sh)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Platform.String(); got != hostPlatform() || p.GoVersion != "" || p.Settings != nil {
		t.Errorf("sh is %+v", p)
	}
}

func TestInspectItself(t *testing.T) {
	t.Parallel()
	p, err := Inspect(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if p.Platform.String() != hostPlatform() || p.Module != "seaworthy" || p.Settings["GOARCH"] != p.Platform.Arch {
		t.Errorf("%+v", p)
	}
}

// A program whose headers were changed after it was built is found out.
func TestInspectContradiction(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if string(data[:4]) != "\x7fELF" {
		t.Skip("not an ELF system")
	}
	data[18], data[19] = 243, 0 // e_machine: RISC-V
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := Inspect(file); err == nil {
		t.Errorf("taken for %+v", p)
	}
}
