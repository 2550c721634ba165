package packages

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/artifact"
)

var commitTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// keys are made once: RSA takes its time.
var keys = sync.OnceValues(func() (Signers, error) {
	text, err := GenerateKey("Halyard releases", "releases@example.org", nil, commitTime.Add(-time.Hour))
	if err != nil {
		return Signers{}, err
	}
	key, err := ReadKey(text, nil)
	if err != nil {
		return Signers{}, err
	}
	rsa, err := GenerateAPKKey()
	if err != nil {
		return Signers{}, err
	}
	apkKey, err := ReadAPKKey(rsa, "halyard")
	return Signers{OpenPGP: key, APK: apkKey}, err
})

func signers(t testing.TB) Signers {
	t.Helper()
	s, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// project writes the files of a project.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var halyardFiles = map[string]string{
	"bin/linux_amd64/halyard": "#!/bin/sh\necho amd64\n",
	"bin/linux_arm64/halyard": "#!/bin/sh\necho arm64\n",
	"etc/halyard.yaml":        "hoist: slowly\n",
	"share/sails/main.txt":    "main\n",
	"share/sails/jib.txt":     "jib\n",
	"share/empty/.keep":       "",
	"init/halyard.service":    "[Unit]\nDescription=Halyard\n[Service]\nExecStart=/usr/bin/halyard\n[Install]\nWantedBy=multi-user.target\n",
	"init/post.sh":            "#!/bin/sh\necho configured \"$1\" >> /var/lib/halyard/log\nexit 0\n",
	"doc/a.md":                "a\n",
	"doc/b.md":                "b\n",
}

func halyard(t testing.TB) Request {
	t.Helper()
	dir := project(t, halyardFiles)
	if err := os.Symlink("main.txt", filepath.Join(dir, "share/sails/best.txt")); err != nil {
		t.Fatal(err)
	}
	return Request{
		Version: "v1.2.0-rc.1", Time: commitTime, Source: dir, OutDir: filepath.Join(t.TempDir(), "out"),
		Spec: artifact.PackageSpec{
			Name: "halyard", Summary: "Hoists sails", Description: "It pulls.\n\nThen it holds.", Maintainer: "Ada Ash <ada@example.org>",
			Vendor: "Example", Homepage: "https://example.org/halyard", License: "Apache-2.0", Section: "utils",
			Platforms: []string{"linux/amd64", "linux/arm64"},
			PackageRelations: artifact.PackageRelations{Provides: []string{"hoist (= 1)"}, Conflicts: []string{"winch (<< 2)"},
				Replaces: []string{"old-halyard"}},
			Contents: []artifact.PackageContent{
				{Source: "bin/{platform}/halyard", Destination: "/usr/bin/"},
				{Source: "etc/halyard.yaml", Destination: "/etc/halyard/halyard.yaml", Type: artifact.ContentConfig, Mode: "0640"},
				{Destination: "/var/lib/halyard", Type: artifact.ContentDir},
				{Source: "halyard", Destination: "/usr/bin/hal", Type: artifact.ContentSymlink},
				{Source: "share", Destination: "/usr/share/halyard", Type: artifact.ContentTree},
				{Source: "doc/*.md", Destination: "/usr/share/doc/halyard/"},
			},
			Units:   []artifact.PackageUnit{{Source: "init/halyard.service", Enable: true, Start: true}},
			Scripts: artifact.PackageScripts{PostInstall: "init/post.sh"},
		},
	}
}

func build(t testing.TB, r Request) []artifact.Artifact {
	t.Helper()
	built, err := Build(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestBuild(t *testing.T) {
	t.Parallel()
	r := halyard(t)
	var told []string
	built, err := Build(t.Context(), r, func(name string) { told = append(told, name) })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range built {
		names = append(names, a.Name)
		f, err := os.Open(filepath.Join(r.OutDir, a.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.Validate(), a.Verify(f), f.Close()); err != nil {
			t.Error(err)
		}
		if a.Kind != artifact.Package || a.Platform.OS != "linux" {
			t.Errorf("%+v", a)
		}
	}
	want := []string{
		"halyard-1.2.0~rc.1-1.aarch64.rpm", "halyard-1.2.0~rc.1-1.x86_64.rpm",
		"halyard_1.2.0_rc1-r1_aarch64.apk", "halyard_1.2.0_rc1-r1_x86_64.apk",
		"halyard_1.2.0~rc.1-1_amd64.deb", "halyard_1.2.0~rc.1-1_arm64.deb",
	}
	if !slices.Equal(names, want) {
		t.Errorf("built %q", names)
	}
	slices.Sort(told)
	if !slices.Equal(told, want) {
		t.Errorf("told of %q", told)
	}
	if left, err := os.ReadDir(r.OutDir); err != nil || len(left) != len(want) {
		t.Errorf("the folder holds %v (%v)", left, err)
	}
	planned, err := Plan(r)
	if err != nil || len(planned) != len(want) || planned[0].Channel != artifact.ChannelTesting || planned[0].Arch != "amd64" {
		t.Errorf("%+v, %v", planned, err)
	}
}

// Neither the time of the build nor that of the files nor the umask they were
// checked out under gets into a package, signed or not.
func TestReproducible(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]Signers{"unsigned": {}, "signed": signers(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := halyard(t)
			first.Signers = keys
			first.Signers.SignDeb = true
			second := first
			second.Source = halyard(t).Source
			second.OutDir = t.TempDir()
			err := filepath.WalkDir(second.Source, func(file string, d fs.DirEntry, err error) error {
				if err != nil || d.Type()&fs.ModeSymlink != 0 {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				return errors.Join(os.Chmod(file, info.Mode()&^0o077), os.Chtimes(file, time.Unix(1, 0), time.Unix(99, 0)))
			})
			if err != nil {
				t.Fatal(err)
			}
			a, b := build(t, first), build(t, second)
			if !slices.Equal(a, b) {
				t.Errorf("not the same bytes:\n%+v\n%+v", a, b)
			}
			third := first
			third.OutDir, third.Time = t.TempDir(), first.Time.Add(time.Second)
			for i, c := range build(t, third) {
				if c.SHA256 == a[i].SHA256 {
					t.Errorf("%s does not bear the commit's time", c.Name)
				}
			}
		})
	}
}

func TestBuildRefused(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Request){
		"is not a version":           func(r *Request) { r.Version = "latest" },
		"name \"\"":                  func(r *Request) { r.Spec.Name = "" },
		"the time packages bear":     func(r *Request) { r.Time = time.Time{} },
		"platform linux/riscv64 is":  func(r *Request) { r.Platforms = []artifact.Platform{{OS: "linux", Arch: "riscv64"}} },
		"format tgz is not":          func(r *Request) { r.Formats = []artifact.PackageFormat{"tgz"} },
		"there is no such file as":   func(r *Request) { r.Spec.Contents[1].Source = "etc/gone" },
		"nothing built for this":     func(r *Request) { r.Spec.Contents[0].Source = "{build}/halyard" },
		"2 files match":              func(r *Request) { r.Spec.Contents[5].Destination = "/usr/share/doc/halyard" },
		"write type tree":            func(r *Request) { r.Spec.Contents[1].Source = "etc" },
		"is not a folder":            func(r *Request) { r.Spec.Contents[4].Source = "doc/a.md" },
		"two contents have the dest": func(r *Request) { r.Spec.Contents[1].Destination = "/usr/bin/hal" },
		"leads out of the project": func(r *Request) {
			if err := os.Symlink(outside, filepath.Join(r.Source, "etc/link")); err != nil {
				t.Error(err)
			}
			r.Spec.Contents[1].Source = "etc/link"
		},
		"apk cannot sort": func(r *Request) { r.Version = "1.0.0-snapshot.1" },
		"write it for sh": func(r *Request) {
			if err := os.WriteFile(filepath.Join(r.Source, "init/post.sh"), []byte("#!/usr/bin/python3\n"), 0o755); err != nil {
				t.Error(err)
			}
		},
		"is no script": func(r *Request) { r.Spec.Scripts.PostInstall = "init" },
	} {
		r := halyard(t)
		change(&r)
		if _, err := Build(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if left, err := os.ReadDir(r.OutDir); err == nil && len(left) > 0 {
			t.Errorf("%s: %v is left behind", want, left)
		}
	}
	r := halyard(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := Build(ctx, r, nil); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("cancelled, but: %v", err)
	}
}

// need passes a test over that needs a program; where everything Debian has is
// expected to be installed, it fails.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" && p != "apk" { // Debian has no apk
				t.Fatalf("%s is not installed: run scripts/setup", p)
			}
			t.Skipf("skipped: needs %s, run scripts/setup", p)
		}
	}
}

// run runs a program that must succeed, and returns all it says.
func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	out, err := try(t, program, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return out
}

func try(t testing.TB, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func contains(t testing.TB, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, l) {
			t.Errorf("%q is not in\n%s", l, text)
		}
	}
}

func TestDpkgReads(t *testing.T) {
	t.Parallel()
	need(t, "dpkg-deb")
	r := halyard(t)
	r.Formats = []artifact.PackageFormat{artifact.Deb}
	r.Signers, r.Signers.SignDeb = signers(t), true
	build(t, r)
	file := filepath.Join(r.OutDir, "halyard_1.2.0~rc.1-1_amd64.deb")
	contains(t, run(t, "dpkg-deb", "-I", file), "Package: halyard", "Version: 1.2.0~rc.1-1", "Architecture: amd64",
		"Maintainer: Ada Ash <ada@example.org>", "Conflicts: winch (<< 2)", "Provides: hoist (= 1)", "Replaces: old-halyard",
		"Description: Hoists sails\n  It pulls.\n  .\n  Then it holds.", "conffiles", "postinst", "prerm", "postrm")
	contains(t, run(t, "dpkg-deb", "-c", file), "-rwxr-xr-x root/root        21 2026-03-04 05:06 ./usr/bin/halyard",
		"-rw-r----- root/root        14 2026-03-04 05:06 ./etc/halyard/halyard.yaml",
		"./usr/bin/hal -> halyard", "./usr/share/halyard/sails/best.txt -> main.txt", "./var/lib/halyard/",
		"./usr/share/doc/halyard/b.md", "./usr/lib/systemd/system/halyard.service")
	control := t.TempDir()
	run(t, "dpkg-deb", "-e", file, control)
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		run(t, "sh", "-n", filepath.Join(control, script))
	}
}

func TestRpmReads(t *testing.T) {
	t.Parallel()
	need(t, "rpm")
	r := halyard(t)
	r.Spec.Epoch = 2
	r.Formats = []artifact.PackageFormat{artifact.RPM}
	r.Signers = signers(t)
	build(t, r)
	file := filepath.Join(r.OutDir, "halyard-1.2.0~rc.1-1.x86_64.rpm")
	db := t.TempDir()
	contains(t, run(t, "rpm", "--dbpath", db, "-qpi", file), "Name        : halyard", "Epoch       : 2", "Version     : 1.2.0~rc.1", "Release     : 1",
		"Architecture: x86_64", "License     : Apache-2.0", "Summary     : Hoists sails", "It pulls.", "Build Host  : localhost")
	contains(t, run(t, "rpm", "--dbpath", db, "-qpl", "-v", file), "-rwxr-xr-x    1 root     root                       21 Mar  4  2026 /usr/bin/halyard",
		"/usr/bin/hal -> halyard", "Mar  4  2026 /var/lib/halyard")
	contains(t, run(t, "rpm", "--dbpath", db, "-qp", "--provides", "--conflicts", "--obsoletes", file), "halyard = 2:1.2.0~rc.1-1", "hoist = 1", "winch < 2", "old-halyard")
	contains(t, run(t, "rpm", "--dbpath", db, "-qpc", file), "/etc/halyard/halyard.yaml")
	asc, _, err := r.Signers.OpenPGP.Public()
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(public, asc, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "rpmkeys", "--dbpath", db, "-K", file); err == nil {
		t.Errorf("an unknown key is believed: %s", out)
	}
	run(t, "rpmkeys", "--dbpath", db, "--import", public)
	contains(t, run(t, "rpmkeys", "--dbpath", db, "-Kv", file), "Header V4 RSA/SHA512 Signature", "Header SHA256 digest: OK", "Payload SHA256 digest: OK")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-20] ^= 1
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "rpmkeys", "--dbpath", db, "-K", file); err == nil {
		t.Errorf("a changed package is believed: %s", out)
	}
	for _, name := range []string{"postin", "preun", "postun"} {
		script := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(script, []byte(run(t, "rpm", "--dbpath", db, "-qp", "--nosignature", "--nodigest", "--qf", "%{"+strings.ToUpper(name)+"}", file)), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "sh", "-n", script)
	}
}
