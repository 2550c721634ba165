package build

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"os"

	"seaworthy/artifact"
)

// Program is what a program file says about itself.
type Program struct {
	// Platform by the file's headers, and by Go's build record where the
	// headers leave it open (ELF names no system for Linux).
	Platform artifact.Platform
	// GoVersion is "go1.26.8", empty for a program that is not Go's; then the
	// following are empty too.
	GoVersion string
	Path      string // main package
	Module    string // main module
	Version   string // of the main module; "(devel)" in a checkout
	Settings  map[string]string
}

// ErrNotProgram: the file is no program of a known format.
var ErrNotProgram = errors.New("not an ELF, Mach-O or PE program")

// Inspect reads a program file without running it. A Go program whose build
// record contradicts its headers is an error.
func Inspect(file string) (Program, error) {
	p, err := inspectHeaders(file)
	if err != nil {
		return Program{}, fmt.Errorf("inspecting %s: %w", file, err)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return p, nil // a program, but not one of Go's
	}
	p.GoVersion, p.Path = info.GoVersion, info.Path
	p.Module, p.Version = info.Main.Path, info.Main.Version
	p.Settings = map[string]string{}
	for _, s := range info.Settings {
		p.Settings[s.Key] = s.Value
	}
	goos, arch := p.Settings["GOOS"], p.Settings["GOARCH"]
	if arch != "" && arch != p.Platform.Arch {
		return Program{}, fmt.Errorf("inspecting %s: built for %s, but its headers say %s", file, arch, p.Platform.Arch)
	}
	if goos != "" && p.Platform.OS == "linux" && sharesELF(goos) {
		p.Platform.OS = goos
	}
	if goos != "" && goos != p.Platform.OS {
		return Program{}, fmt.Errorf("inspecting %s: built for %s, but its headers say %s", file, goos, p.Platform.OS)
	}
	return p, nil
}

// sharesELF lists the systems whose ELF files look like Linux' by their header.
func sharesELF(goos string) bool {
	switch goos {
	case "linux", "android", "dragonfly", "illumos", "solaris", "freebsd", "netbsd", "openbsd":
		return true
	}
	return false
}

func inspectHeaders(file string) (Program, error) {
	f, err := os.Open(file)
	if err != nil {
		return Program{}, err
	}
	defer f.Close()
	if e, err := elf.NewFile(f); err == nil {
		return Program{Platform: artifact.Platform{OS: elfSystem(e.OSABI), Arch: elfArch(e)}}, nil
	}
	if m, err := macho.NewFile(f); err == nil {
		return Program{Platform: artifact.Platform{OS: "darwin", Arch: machoArch(m.Cpu)}}, nil
	}
	if p, err := pe.NewFile(f); err == nil {
		return Program{Platform: artifact.Platform{OS: "windows", Arch: peArch(p.Machine)}}, nil
	}
	return Program{}, ErrNotProgram
}

func elfSystem(abi elf.OSABI) string {
	switch abi {
	case elf.ELFOSABI_FREEBSD:
		return "freebsd"
	case elf.ELFOSABI_NETBSD:
		return "netbsd"
	case elf.ELFOSABI_OPENBSD:
		return "openbsd"
	case elf.ELFOSABI_SOLARIS:
		return "solaris"
	}
	return "linux"
}

func elfArch(f *elf.File) string {
	little := f.Data == elf.ELFDATA2LSB
	pick := func(le, be string) string {
		if little {
			return le
		}
		return be
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_386:
		return "386"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		return pick("ppc64le", "ppc64")
	case elf.EM_MIPS:
		if f.Class == elf.ELFCLASS64 {
			return pick("mips64le", "mips64")
		}
		return pick("mipsle", "mips")
	}
	return f.Machine.String()
}

func machoArch(cpu macho.Cpu) string {
	switch cpu {
	case macho.CpuAmd64:
		return "amd64"
	case macho.CpuArm64:
		return "arm64"
	}
	return cpu.String()
}

func peArch(machine uint16) string {
	switch machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		return "amd64"
	case pe.IMAGE_FILE_MACHINE_I386:
		return "386"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		return "arm64"
	case pe.IMAGE_FILE_MACHINE_ARMNT:
		return "arm"
	}
	return fmt.Sprintf("machine %#x", machine)
}
